"""How long does scoring candidates take, beside the bare `encode` of their distinct texts?

    python -m pipelines.rankers.benchmark MODEL TABLE       # from the repository's root

MODEL is a sentence-transformers folder, TABLE a collection of data/fetch/collections. Both ways run
in turn, three times each, and the median counts, in seconds of the processor too: these do not
grow when other work shares the machine.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from genlab.core.files import write_json
from genlab.core.program import run, stage_app
from genlab.core.terminal import table
from genlab.models.loading import quiet_loading
from genlab.ranking.candidates import evaluated_queries, score_candidates
from genlab.ranking.rankers import LOADING, open_sentence_transformer

ROUNDS = 3

app = stage_app()


def seconds_of(work: Callable[[], object]) -> tuple[float, float]:
    """Return the wall's and the processor's seconds of a piece of work."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


@app.command()
def main(
    model: Annotated[Path, Argument(help="a sentence-transformers folder")],
    collection: Annotated[Path, Argument(help="a table of data/fetch/collections")],
    n_queries: Annotated[int, Option(min=2, help="queries to score")] = 7000,
    batch_size: Annotated[int, Option(min=1)] = 64,
    output: Annotated[Path | None, Option(help="JSON of the numbers")] = None,
) -> None:
    """Time both ways in turn."""
    from sentence_transformers import SentenceTransformer

    queries = evaluated_queries(collection, n_queries)
    passages = queries["passages"].explode().struct.field("text")
    distinct = [*passages.unique().sort().to_list(), *queries["query"].unique().sort().to_list()]
    with quiet_loading():
        bare = SentenceTransformer(str(model), **LOADING).float()
    folder = model.resolve()
    relevance, _ = open_sentence_transformer(folder, batch_size)
    ways: dict[str, Callable[[], object]] = {
        "bare encode": lambda: bare.encode(
            distinct, batch_size=batch_size, show_progress_bar=False
        ),
        "score_candidates": lambda: score_candidates(queries, relevance, seed=1),
    }
    bare.encode(distinct[:100], batch_size=batch_size, show_progress_bar=False)
    relevance([distinct[0]], [distinct[0]])
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, work in ways.items():
            taken[name].append(seconds_of(work))
    median = {
        name: [statistics.median(each) for each in zip(*found, strict=True)]
        for name, found in taken.items()
    }
    first = median["bare encode"]
    rows = [
        [name, f"{wall:.1f}", f"{wall / first[0]:.2f}", f"{own:.1f}", f"{own / first[1]:.2f}"]
        for name, (wall, own) in median.items()
    ]
    print(f"{queries.height} queries, {len(passages)} pairs, {len(distinct)} distinct texts")
    print(table(rows, ["way", "wall, s", "times", "processor, s", "times"]))
    if output:
        write_json(output, {"distinct_texts": len(distinct), "pairs": len(passages), **median})


if __name__ == "__main__":
    run(app)
