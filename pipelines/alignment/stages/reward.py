"""reward: rate every sampled text with the reward model.

Reads the sampled texts and the reward model, and writes the same rows with their reward.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
from typer import Option

from genlab.core.files import write_json
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import read_table, write_table
from genlab.preference.rewards import load_reward
from pipelines.alignment.sampling import SCHEMA

app = stage_app()

REWARD_SCHEMA = pl.Schema(SCHEMA | {"reward": pl.Float32})


@app.command()
def main(
    texts: Path,
    reward_model: Path,
    output: Path,
    metrics: Annotated[Path, Option()],
    batch_size: Annotated[int, Option(min=1, help="texts the model reads at a time")],
) -> None:
    """Rate the texts. Raises InputError if all rewards are equal: no pair could be made."""
    rows = read_table(texts)
    rates = load_reward(reward_model, batch_size)

    rewards = rates(rows["prompt"].to_list(), rows["text"].to_list())
    if np.ptp(rewards) == 0:
        raise InputError(
            f"{reward_model}: all {len(rewards)} texts have the same reward, {rewards[0]:.4f}, so "
            "none can be preferred; train the reward model longer, or give another"
        )

    write_table(output, [rows.with_columns(reward=rewards)], REWARD_SCHEMA)
    numbers = rewards.astype(np.float64)
    write_json(
        metrics,
        {
            "mean_reward": numbers.mean(),
            "reward_deviation": numbers.std(),
            "below_zero": (numbers < 0).mean(),
            "below_minus_one": (numbers < -1).mean(),
        },
    )


if __name__ == "__main__":
    run(app)
