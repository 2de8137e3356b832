"""rank: sample K answers to each prompt and rank them.

Reads the prompts and the model that RL starts from. Ranked are the answers to the prompts of the
reward model and, to measure it, to the held-out ones: by the hidden rule with noise (`rule`), as
they came with the prompts (`given`), or by people (`people`), whose orders from the label desk lie
in labels/. Answers that are equal to the letter are one answer.
"""

from collections import Counter
from pathlib import Path
from typing import Annotated

import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.program import run, stage_app
from genlab.core.tables import read_table, write_table
from pipelines.rlhf.answers import sampling, world_of, write_answers
from pipelines.rlhf.labeller import check_grid, rank_by_rule
from pipelines.rlhf.people import DESK_SCHEMA, desk_table, people_ranks
from pipelines.rlhf.prompt_lengths import check_answers_fit
from pipelines.rlhf.rankings import (
    RANKED,
    By,
    check_by,
    count_rankings,
    drop_repeated,
    given_answers,
    pair_table,
)
from pipelines.rlhf.schemas import RANK_SCHEMA

app = stage_app()


def check(
    cap: int,
    prompts: Path,
    start: Path,
    by: By,
    noise: float,
    step: float,
    made_by: dict[str, dict],
) -> None:
    """Raise InputError for a ranker that the prompts do not have, or a base that is too short.

    made_by: as `genlab check` says.
    """
    check_by(by, made_by[str(prompts)]["source"] == "mini")
    if by is By.rule:
        check_grid(noise, step)
    if by is not By.given:
        check_answers_fit("rank.cap", cap, prompts, made_by[str(start.parent)]["base"], made_by)


@app.command()
def main(
    prompts: Path,
    start: Path,
    labels: Path,
    questionnaire: Path,
    output: Path,
    desk_output: Path,
    metrics: Annotated[Path, Option()],
    corpus_path: Annotated[Path, Option(help="mini: its vocabulary, for the hidden rule")],
    by: Annotated[By, Option(help="who ranks the answers")],
    n_answers: Annotated[int, Option(min=2, max=9, help="K, answers to a prompt")],
    noise: Annotated[float, Option(min=0.0, help="rule: of the labeller, in units of truth")],
    step: Annotated[float, Option(min=0.0, help="rule: felt values within one are tied; 0: none")],
    cap: Annotated[int, Option(min=1, help="new tokens of an answer")],
    batch_size: Annotated[int, Option(min=1)],
    seed: Annotated[int, Option(min=0)],
) -> None:
    """Sample and rank the answers."""
    from genlab.models.loading import load_for_inference

    tokenizer, model = load_for_inference(start)
    asked = read_table(prompts).filter(pl.col("purpose").is_in(RANKED))
    check_by(by, not asked["category"].null_count())
    dropped: Counter[str] = Counter()
    if by is By.given:
        rows = given_answers(asked, tokenizer)
    else:
        rules = world_of(corpus_path, asked)
        decoding = sampling(cap, seed)
        drawn = write_answers(
            model, tokenizer, asked, n_answers, decoding, batch_size, rules, "rank.cap"
        )
        rows = drop_repeated(drawn, asked, dropped)
        if by is By.rule:
            rows = rank_by_rule(rows, noise, step, seed)
        else:
            rows = people_ranks(rows, labels, questionnaire, dropped)

    write_table(output, [rows.select(RANK_SCHEMA.names())], RANK_SCHEMA)
    write_table(desk_output, [desk_table(rows)], DESK_SCHEMA)
    pairs = pair_table(rows, noise if by is By.rule else None, step)
    counts = {f"dropped_{reason}": n for reason, n in dropped.items()}
    write_json(metrics, count_rankings(rows, pairs) | counts)


if __name__ == "__main__":
    run(app)
