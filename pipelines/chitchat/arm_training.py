"""Rows of an arm, its optimizer, and what its training curve says of overfitting."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from genlab.core.files import write_json
from genlab.core.program import InputError
from genlab.core.seeds import order_of
from genlab.core.shapes import parse_json
from genlab.models.token_types import reads_token_types
from pipelines.chitchat.chat_inputs import Layout, Separator, Special, build_row

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel

LAYOUT_FILE = "layout.json"


def read_rows(
    tokens: Path, split: str, layout: Layout, special: Special, n_dialogues: int = 0
) -> "Dataset":
    """Return a split's rows as the arm's model reads them; of n dialogues, if n is not 0.

    Dialogues are taken in the order of a hash, so that fewer are a part of more. Raises InputError
    if there are not so many.
    """
    from datasets import Dataset

    rows = Dataset.from_file(str(tokens / f"{split}.arrow"), in_memory=False)
    if n_dialogues:
        names = sorted(set(rows["dialogue_id"]), key=order_of)
        if n_dialogues > len(names):
            raise InputError(
                f"train.n_dialogues={n_dialogues}, but {tokens / split}.arrow has {len(names)} "
                "dialogues with a reply; lower it, or 0 for all"
            )
        chosen = set(names[:n_dialogues])
        numbers = [i for i, name in enumerate(rows["dialogue_id"]) if name in chosen]
        rows = Dataset(rows.data.table.take(numbers))

    def build(row: dict) -> dict:
        return build_row(layout, special, row["history"], row["input"], row["reply"])

    return rows.map(build, remove_columns=rows.column_names, keep_in_memory=True)


def check_token_types(model: "PreTrainedModel", layout: Layout, special: Special) -> None:
    """Raise InputError for an arm with token types whose model does not read them."""
    if layout.token_types and not reads_token_types(model, *special.speakers):
        raise InputError(
            f"a {type(model).__name__} does not read token types as GPT-2 does, so this arm would "
            "be one without them; set arms.NAME.token_types=false in every arm, or take a base of "
            "GPT-2's kind"
        )


def save_layout(layout: Layout, folder: Path) -> None:
    """Keep beside a trained model what its inputs look like, for whoever talks to it."""
    write_json(folder / LAYOUT_FILE, asdict(layout))


def load_layout(folder: Path) -> Layout:
    """Return the layout beside a trained model; raise InputError if there is none."""
    try:
        values = parse_json((folder / LAYOUT_FILE).read_text(encoding="utf-8"))
        return Layout(**values | {"separator": Separator(values["separator"])})
    except (OSError, ValueError, TypeError, KeyError):
        raise InputError(
            f"{folder}: no trained model of this pipeline ({LAYOUT_FILE} is missing or broken); "
            "run `dvc repro`, or name a folder of data/train"
        ) from None


def find_overfitting(losses: list[float]) -> dict[str, float]:
    """Return the best epoch and the one at which overfitting begins, from losses by epoch, from 1.

    It begins at the first epoch whose validation loss is above the lowest one before it. Where none
    is, `overfits` is 0 and the epoch is one beyond the last: not before that.
    """
    best = losses.index(min(losses)) + 1
    later = (number for number, loss in enumerate(losses, 1) if loss > min(losses[:number]))
    begins = next(later, len(losses) + 1)
    return {
        "epochs": len(losses),
        "best_epoch": best,
        "overfitting_epoch": begins,
        "overfits": int(begins <= len(losses)),
    }
