"""Time a reward model's step: a prompt's answers encoded once, beside TRL's two texts a pair.

    python -m benchmark                 # in this folder, after `dvc repro`: BENCHMARK.md
    python -m benchmark --n_embd 256    # a larger model

Both take the same pairs of the default run's rankings and have the same gradient (a test). CPU
seconds of one thread, the best of several turns, so that other programs matter little.
"""

from pathlib import Path
from time import process_time
from types import SimpleNamespace
from typing import Annotated, Any

import polars as pl
from typer import Option

import genlab  # noqa: F401  # in this folder: finds the repository
from benchmarks.side_by_side import machine
from genlab.core.markdown import markdown_table
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import read_table
from pipelines.rlhf.reward_training import GroupCollator, group_loss, ranked_pairs

app = stage_app()

OUTPUT = Path(__file__).with_name("BENCHMARK.md")
PAD = 1  # TRL tells a text's last token by the id of padding: one that is no end-of-text


@app.command()
def main(
    data: Annotated[Path, Option(help="folder of the run")] = Path("data"),
    n_prompts: Annotated[int, Option(min=1, help="a step")] = 16,
    n_embd: Annotated[int, Option(min=8, help="width, of four heads")] = 96,
    turns: Annotated[int, Option(min=1)] = 7,
    output: Annotated[Path, Option(help="where the table goes")] = OUTPUT,
) -> None:
    """Write CPU seconds of both ways."""
    import torch
    from transformers import GPT2Config, GPT2ForSequenceClassification

    from genlab.models.loading import load_tokenizer

    if not (data / "rank.parquet").is_file():
        raise InputError(f"{data}: no rankings; run `dvc repro` first")
    torch.set_num_threads(1)
    rows = first_rankings(data / "rank.parquet", load_tokenizer(data / "sft/start").eos_token_id)
    rows = [row for row in rows if len(row["ranks"]) == max(len(r["ranks"]) for r in rows)]
    config = GPT2Config(
        vocab_size=1200, n_layer=2, n_embd=n_embd, n_head=4, n_positions=128, num_labels=1
    )
    config.pad_token_id = PAD
    model = GPT2ForSequenceClassification(config).eval()
    shown = rows[:n_prompts]
    ours = best_of(turns, model, lambda: group_loss(model, GroupCollator(PAD)(shown))[0])
    theirs = best_of(turns, model, lambda: trl_loss(model, shown))
    k, pairs = len(shown[0]["ranks"]), sum(len(ranked_pairs(row["ranks"])) for row in shown)
    rows_of_table = [
        [f"K = {k}", "sequences a step", "CPU s a step", "times ours"],
        ["ours, each answer once", str(k * len(shown)), f"{ours:.3f}", "1.0"],
        ["TRL, two texts a pair", str(2 * pairs), f"{theirs:.3f}", f"{theirs / ours:.1f}"],
    ]
    text = (
        "# A step of the reward model, side by side\n\n"
        f"`python -m benchmark`, {len(shown)} prompts, a model of width {n_embd}, one thread, the "
        f"best of {turns} turns. {machine('torch', 'transformers', 'trl')}\n\n"
        f"{markdown_table(rows_of_table)}\n"
    )
    output.write_text(text, encoding="utf-8")
    print(text)


def first_rankings(path: Path, end: int) -> list[dict]:
    """Return the rankings without ties, as rows of GroupCollator."""
    from collections import Counter

    from pipelines.rlhf.rankings import Ties, reward_rows

    ranked = read_table(path).filter(pl.col("purpose") == "reward")
    rows = reward_rows(ranked, Ties.drop, end, Counter())
    return [row for row in rows if len(set(row["ranks"])) == len(row["ranks"])]


def trl_loss(model: Any, rows: list[dict]) -> Any:
    """Return TRL's own loss of all pairs, with its own collator."""
    from collections import defaultdict

    from trl import RewardTrainer
    from trl.trainer.reward_trainer import DataCollatorForPreference

    pairs = [
        {
            "chosen_ids": row["prompt_ids"] + row["answer_ids"][a],
            "rejected_ids": row["prompt_ids"] + row["answer_ids"][b],
        }
        for row in rows
        for a, b in ranked_pairs(row["ranks"])
    ]
    accelerator = SimpleNamespace(gather=lambda each: each, gather_for_metrics=lambda each: each)
    trainer = SimpleNamespace(
        model=model,
        accelerator=accelerator,
        _tp_size=1,
        args=SimpleNamespace(center_rewards_coefficient=None),
        _total_train_tokens=0,
        _metrics={"eval": defaultdict(list), "train": defaultdict(list)},
    )
    return RewardTrainer.compute_loss(trainer, model, DataCollatorForPreference(PAD)(pairs))


def best_of(turns: int, model: Any, loss: Any) -> float:
    """Return the least CPU seconds of a loss and its gradient."""
    took = []
    for _ in range(turns):
        model.zero_grad()
        began = process_time()
        loss().backward()
        took.append(process_time() - began)
    return min(took)


if __name__ == "__main__":
    run(app)
