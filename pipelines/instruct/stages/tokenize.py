"""tokenize: encode inputs, targets and answer choices as token ids.

Reads the prompts and the base's tokenizer. Writes a folder with train.arrow and test.arrow; a row
is an example asked through a template. Every side ends in one end-of-text, also where it was cut.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import polars as pl
import pyarrow as pa
from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.program import InputError, run, stage_app
from genlab.core.tables import read_batches, write_arrow
from genlab.models.prompts import check_unknown, count_dropped, encode, frame

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

app = stage_app()

KEYS = [("task", pa.string()), ("template", pa.string()), ("ask", pa.string())]
KEYS += [("template_number", pa.int64()), ("held_out", pa.bool_()), ("example_id", pa.string())]
KEYS += [("target", pa.string()), ("label", pa.int64()), ("times_seen", pa.int64())]
IDS = pa.list_(pa.int32())
SCHEMA = pa.schema(
    [
        *KEYS,
        ("input_ids", IDS),
        ("labels", IDS),
        ("choices", pa.list_(pa.string())),
        ("choice_ids", pa.list_(IDS)),
    ]
)


def encode_prompts(
    path: Path,
    split: str,
    tokenizer: "PreTrainedTokenizerBase",
    longest: tuple[int, int],
    counts: Counter,
) -> Iterator[tuple]:
    """Yield the rows of a split, both sides cut to `longest` ids, counting as it goes."""
    start, _ = frame(tokenizer)
    end, unknown = tokenizer.eos_token_id, tokenizer.unk_token_id

    def ids_of(texts: list[str], limit: int, counted: str) -> list[list[int]]:
        found = encode(tokenizer, texts, read_special_tokens=False)
        counts["unknown_tokens"] += count_dropped(tokenizer, texts)
        for ids in found:
            counts[f"{counted}_cut"] += len(start) + len(ids) + 1 > limit
            ids[:] = [*[*start, *ids][: limit - 1], end]
            counts["tokens"] += len(ids)
            counts["unknown_tokens"] += ids.count(unknown)
        return found

    for batch in read_batches(path):
        rows = batch.filter(pl.col("split") == split)
        if rows.is_empty():
            continue
        inputs = ids_of(rows["input"].to_list(), longest[0], "inputs")
        targets = ids_of(rows["target"].to_list(), longest[1], "targets")
        offered = rows["choices"].to_list() if split == "test" else [None] * rows.height
        different = sorted({choice for each in offered for choice in each or []})
        encoded = dict(zip(different, ids_of(different, longest[1], "choices"), strict=True))
        keys = rows.select(name for name, _ in KEYS).iter_rows()
        for key, ids, target, choices in zip(keys, inputs, targets, offered, strict=True):
            counts["rows"] += 1
            choice_ids = [encoded[choice] for choice in choices] if choices else None
            if choice_ids and len(set(map(tuple, choice_ids))) < len(choice_ids):
                raise InputError(
                    f"{path}: example {key[5]}: two answer choices have the same tokens "
                    f"({' ||| '.join(choices)}); raise tokenize.max_target_tokens, or take a base "
                    "whose tokenizer tells them apart"
                )
            yield *key, ids, target, choices, choice_ids


@app.command()
def main(
    prompts: Path,
    base: Path,
    output: Path,
    metrics: Annotated[Path, Option(help="JSON of counts")],
    max_input_tokens: Annotated[int, Option(min=4, help="longer inputs are cut, and counted")],
    max_target_tokens: Annotated[int, Option(min=2, help="longer targets are cut, and counted")],
    max_unknown_share: Annotated[
        float, Option(min=0.0, max=1.0, help="of tokens unknown to the tokenizer; above: refused")
    ],
) -> None:
    """Encode the prompts of both splits."""
    from genlab.models.loading import load_tokenizer

    tokenizer = load_tokenizer(base)
    longest = (max_input_tokens, max_target_tokens)
    found = {}
    with written_whole(output) as folder:
        folder.mkdir()
        for split in ("train", "test"):
            names = ("rows", "tokens", "unknown_tokens", "inputs_cut", "targets_cut", "choices_cut")
            counts = Counter(dict.fromkeys(names, 0))
            rows = encode_prompts(prompts, split, tokenizer, longest, counts)
            if write_arrow(folder / f"{split}.arrow", rows, SCHEMA) == 0:
                raise InputError(f"{prompts}: no row of split {split}; see prompt.tasks")
            where = f"{prompts}: {split}"
            check_unknown(
                counts["unknown_tokens"], counts["tokens"], max_unknown_share, where, base
            )
            found[split] = dict(counts)
    write_json(metrics, {"splits": found})


if __name__ == "__main__":
    run(app)
