"""What encoding an input once is worth, and how fast C4's rules are beside datatrove's.

After `dvc repro` in this folder, `python -m benchmark` writes BENCHMARK.md; `make bench` takes its
table, too. Both sides take turns. datatrove 0.10.1 wants other packages than ours, so it needs an
environment of its own, beside the repository, whose interpreter is told:

    python -m venv ../../../other && ../../../other/bin/pip install datatrove==0.10.1 spacy
    python -m benchmark --other_python ../../../other/bin/python
"""

import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path

import polars as pl
import typer

import genlab  # noqa: F401  # in this folder: finds the repository
from benchmarks.side_by_side import HEADER, Times, compare, machine, time_in_turns
from genlab.core.markdown import markdown_table
from genlab.core.program import InputError, run, stage_app
from pipelines.instruct.rank_classification import choice_scores, predict
from pipelines.instruct.web_rules import Counts, RuleSet, clean_pages

app = stage_app()

PIPELINE = Path(__file__).parent
OUTPUT = PIPELINE / "BENCHMARK.md"
N_ITEMS = 200  # prompts whose choices are scored
REPETITIONS = 3
# Run by datatrove's interpreter: the seconds of its filter, and which pages it keeps.
OTHER_PROGRAM = """
import json, sys, time
from datatrove.data import Document
from datatrove.pipeline.filters import C4QualityFilter
pages = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
rule = C4QualityFilter()
rule.filter(Document(text="a first page.", id="first"))  # loads its splitter of sentences
documents = [Document(text=text, id=str(n)) for n, text in enumerate(pages)]
wall, processor = time.perf_counter(), time.process_time()
kept = [rule.filter(document) is True for document in documents]
took = time.perf_counter() - wall, time.process_time() - processor
print(json.dumps({"seconds": took, "kept": kept}))
"""


def time_ranking() -> tuple[dict[str, list[Times]], float]:
    """Return the times of both ways over the same prompts, and the share of equal answers."""
    from genlab.models.loading import load_for_inference, load_text_to_text_model

    _, model = load_for_inference(PIPELINE / "data/fetch/base", load=load_text_to_text_model)
    rows = pl.read_ipc_stream(PIPELINE / "data/tokenize/test.arrow")
    rows = rows.filter(task="new_topic", ask="prompt").head(N_ITEMS)
    inputs, choices = rows["input_ids"].to_list(), rows["choice_ids"].to_list()
    found: dict[str, list[int]] = {}

    def together() -> float:
        found["ours"] = [predict(each) for each in choice_scores(model, inputs, choices, 64)]
        return len(inputs)

    def alone() -> float:
        found["alone"] = [
            max(
                range(len(each)),
                key=lambda k: float(choice_scores(model, [i], [[each[k]]], 1)[0][0, 0]),
            )
            for i, each in zip(inputs, choices, strict=True)
        ]
        return len(inputs)

    ways: dict[str, Callable] = {"encoded once": lambda: together, "a choice a time": lambda: alone}
    times = time_in_turns(ways, REPETITIONS)
    same = sum(a == b for a, b in zip(found["ours"], found["alone"], strict=True))
    return times, same / len(inputs)


def time_cleaning(other_python: str, n_pages: int) -> tuple[dict[str, list[Times]], float]:
    """Return the times of our `datatrove` rules and of datatrove, and the share of equal fates.

    Pages are the crawl's, over again where there are too few; addresses differ, as datatrove's
    filter knows none.
    """
    crawl = pl.read_parquet(PIPELINE / "data/fetch/crawl.parquet")["text"].to_list()
    texts = list(islice(cycle(crawl), n_pages))
    times: dict[str, list[Times]] = {"ours": [], "datatrove": []}
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "pages.jsonl"
        path.write_text("\n".join(map(json.dumps, texts)) + "\n", encoding="utf-8")
        for _ in range(REPETITIONS):
            pages = [(str(number), text) for number, text in enumerate(texts)]
            wall, processor = time.perf_counter(), time.process_time()
            kept = {url for url, _ in clean_pages(pages, RuleSet.datatrove, [], Counts())}
            took = time.perf_counter() - wall, time.process_time() - processor
            times["ours"].append(Times(n_pages, *took))
            other = ask_other(other_python, path)
            times["datatrove"].append(Times(n_pages, *other["seconds"]))
    same = sum((str(number) in kept) == each for number, each in enumerate(other["kept"]))
    return times, same / n_pages


def ask_other(other_python: str, path: Path) -> dict:
    """Return what datatrove's interpreter says of the pages; raise InputError if it cannot."""
    words = [other_python, "-c", OTHER_PROGRAM, str(path)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1]
        raise InputError(
            f"--other_python {other_python}: datatrove does not run there ({said})"
        ) from None
    return json.loads(done.stdout.splitlines()[-1])


def measure(other_python: str = "none", n_pages: int = 20_000) -> list[list[str]]:
    """Return a table, its header first; raise InputError if the pipeline has not been run."""
    import torch

    if not (PIPELINE / "data/tokenize/test.arrow").is_file():
        raise InputError(f"{PIPELINE}/data/tokenize: not there; run `dvc repro` in this folder")
    torch.set_num_threads(1)  # as the stages do with a model of this size
    times, same = time_ranking()
    what = f"rank classification, prompts/s ({same:.1%} the same answers)"
    rows = [HEADER, compare(what, "encoded once", "a choice a time", times, "5")]
    if other_python != "none":
        times, same = time_cleaning(other_python, n_pages)
        what = f"C4's rules as datatrove has them, pages/s ({same:.1%} the same fates)"
        rows.append(compare(what, "ours", "datatrove", times))
    return rows


@app.command()
def main(
    other_python: str = typer.Option("none", help="interpreter that has datatrove; none: left out"),
    n_pages: int = typer.Option(20_000, min=100, help="pages cleaned by each side"),
) -> None:
    """Measure both and write the table."""
    stood_on = machine("torch", "transformers")
    table = markdown_table(measure(other_python, n_pages))
    OUTPUT.write_text(
        "# The instruct pipeline, side by side\n\n"
        f"`python -m benchmark`, one thread, {REPETITIONS} times in turns; {stood_on}\n\n{table}\n",
        encoding="utf-8",
    )
    print(table)


if __name__ == "__main__":
    run(app)
