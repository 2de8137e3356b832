"""How long does scoring candidates take, beside the bare `encode` of their distinct texts?

    python -m benchmark MODEL TABLE       # in this folder: BENCHMARK.md

MODEL is a sentence-transformers folder, TABLE a collection of data/fetch/collections. Both ways run
in turn, `--rounds` times each, and the median counts, in seconds of the processor too: these do not
grow when other work shares the machine.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

import genlab  # noqa: F401  # in this folder: finds the repository
from benchmarks.side_by_side import machine
from genlab.core.markdown import markdown_table
from genlab.core.program import run, stage_app
from genlab.models.loading import quiet_loading
from genlab.ranking.candidates import evaluated_queries, score_candidates
from genlab.ranking.rankers import LOADING, open_sentence_transformer

OUTPUT = Path(__file__).with_name("BENCHMARK.md")

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
    rounds: Annotated[int, Option(min=1, help="turns of each way")] = 3,
    output: Annotated[Path, Option(help="where the table goes")] = OUTPUT,
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
    for _ in range(rounds):
        for name, work in ways.items():
            taken[name].append(seconds_of(work))
    median = {
        name: [statistics.median(each) for each in zip(*found, strict=True)]
        for name, found in taken.items()
    }
    first = median["bare encode"]
    rows = [["way", "wall, s", "times", "processor, s", "times"]]
    rows += [
        [name, f"{wall:.1f}", f"{wall / first[0]:.2f}", f"{own:.1f}", f"{own / first[1]:.2f}"]
        for name, (wall, own) in median.items()
    ]
    text = (
        "# Candidates scored, beside the bare `encode` of their distinct texts\n\n"
        f"`python -m benchmark`, {queries.height:,} queries of {collection.stem}, "
        f"{len(passages):,} pairs, {len(distinct):,} distinct texts, {model.name}; the median of "
        f"{rounds} turn{'s' * (rounds > 1)}. "
        f"{machine('torch', 'transformers', 'sentence-transformers')}\n\n{markdown_table(rows)}\n"
    )
    output.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    run(app)
