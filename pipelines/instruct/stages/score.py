"""score: how often is each arm right, task by task, and how much hangs on the wording?

Reads the answers. Writes a row per answer, from which every number can be made again; rows that
claims compare; the headline of the held-out tasks; and all tasks with intervals, the spread over
prompts, chance, and what the choices alone would give.
"""

from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import read_table, write_table
from pipelines.instruct import metrics as measures
from pipelines.instruct.arms import BASE
from pipelines.instruct.rank_classification import Normalisation
from pipelines.instruct.schemas import ITEM_SCHEMA, SCORE_SCHEMA

app = stage_app()


def check(arm: str, answers: Path, made_by: dict[str, dict]) -> None:
    """Raise InputError for an arm that is to give no answers. made_by: as `genlab check` says."""
    check_arm(arm, [BASE, *made_by[str(answers)]["arms"]])


@app.command()
def main(
    answers: Path,
    output: Path,
    arms_output: Annotated[Path, Option(help="rows of all arms")],
    items_output: Annotated[Path, Option(help="a row per answer")],
    metrics: Annotated[Path, Option(help="headline: accuracy in held-out tasks")],
    details: Annotated[Path, Option(help="all tasks and arms, with intervals")],
    tasks: Annotated[Path, Option(help="held-out tasks alone, for README's table")],
    closed_book: Annotated[Path, Option(help="facts by how often they were seen, for dvc plots")],
    arm: Annotated[str, Option(help="whose rows are compared between runs")],
    normalisation: Annotated[
        Normalisation, Option(help="of a choice's score: sum of log p, or mean per token")
    ],
    seed: Annotated[int, Option(min=0, help="of the bootstrap")],
) -> None:
    """Judge the answers, sum them up."""
    found = read_table(answers)
    arms = found["arm"].unique(maintain_order=True).to_list()
    check_arm(arm, arms)
    items = measures.judge(found, normalisation)
    summary = measures.summarize(items, seed)
    rows = measures.claim_rows(items)

    write_table(items_output, [items], ITEM_SCHEMA)
    write_table(output, [rows.filter(pl.col("arm") == arm)], SCORE_SCHEMA)
    write_table(arms_output, [rows], SCORE_SCHEMA)
    held_out = items.filter(pl.col("held_out"))["task"].unique(maintain_order=True).to_list()
    shown = {
        name: {
            task: summary[measures.GROUPS["prompt"]][task][name]["accuracy"]["value"]
            for task in held_out
        }
        for name in arms
    }
    write_json(metrics, shown)
    write_json(details, summary)
    write_json(closed_book, measures.closed_book(items, seed))
    only = {ask: {t: tasks[t] for t in held_out if t in tasks} for ask, tasks in summary.items()}
    write_json(tasks, only)
    print(measures.table_of(only))


def check_arm(arm: str, arms: list[str]) -> None:
    """Raise InputError if `arm` is not among the arms that give answers."""
    if arm not in arms:
        raise InputError(f"score.arm={arm} gave no answers; compared.arms has {', '.join(arms)}")


if __name__ == "__main__":
    run(app)
