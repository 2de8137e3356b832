"""The arms that are compared: the base as it is, and what was trained from it."""

from pathlib import Path

from genlab.core.program import InputError

BASE = "pretrained_only"  # the base, asked as the others are
SENTINEL = "<extra_id_0>"  # how a T5 that only filled gaps is asked for what comes next


def model_folders(base: Path, trained: Path, arms: list[str]) -> dict[str, Path]:
    """Return the folder of the base and of each arm; raise InputError for one not trained."""
    for arm in arms:
        if not (trained / arm / "config.json").is_file():
            raise InputError(
                f"compared.arms: {arm} was not trained, as {trained / arm} holds no model; "
                "run `dvc repro` to train it"
            )
    return {BASE: base} | {arm: trained / arm for arm in arms}
