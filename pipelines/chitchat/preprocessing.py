"""Dialogues as token ids: the source study's function, and what the stage `tokenize` runs."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from genlab.core.tables import read_batches, write_arrow
from genlab.models.prompts import count_dropped, encode
from genlab.sources.bad_rows import BadRows
from genlab.sources.decoding import Encoding
from pipelines.chitchat.dialogue_files import DialogueFormat, Reading, read_dialogue_files
from pipelines.chitchat.dialogue_pickles import write_pickle

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IDS = pa.list_(pa.int32())
SCHEMA = pa.schema(
    [
        ("reply_id", pa.string()),  # dialogue_id/number of the turn, from 0
        ("dialogue_id", pa.string()),
        ("history", pa.list_(IDS)),  # the oldest turn first; may be empty
        ("input", IDS),
        ("reply", IDS),
        ("n_bytes", pa.int32()),  # of the reply's text in UTF-8
    ]
)
COUNTED = ("dialogues", "rows", "long_replies", "first_replies", "turns_cut", "tokens")
BATCH_DIALOGUES = 2_000  # encoded at a time
MAX_TEXT_BYTES = 100_000  # of a turn, where a file is read directly


def preprocess_data_for_model(
    src: Path,
    dest: Path,
    tokenizer: "PreTrainedTokenizerBase",
    history_turns: int = 3,
    max_turn_tokens: int = 128,
    first_replies: bool = True,
    split: str = "",
) -> dict[str, int]:
    """Write every reply of the dialogues in `src` to `dest` as token ids; return counts.

    A dialogue of n turns gives n - 1 rows: `history` (up to `history_turns` turns, the oldest
    first), `input` (the turn that is replied to) and `reply`. Ids are of the texts alone.

    src: the table of the stage dedup (.parquet), of which the rows of `split` are read (all for "")
    and only turns that are marked as replies give rows; or any file of dialogues that fetch reads,
    as the study's pickle of lists of strings, of which every turn but the first is a reply.
    dest: Arrow, or with the ending .pkl or .pickle the study's list of dicts.
    max_turn_tokens: of a longer turn in the history or input the last are kept; a longer reply
    gives no row, because a cut one would teach to stop or to run on. Both are counted.
    first_replies: without them a reply to the first turn, which has no history, gives no row.
    Raises InputError for a file that holds no dialogues.
    """
    counts: Counter[str] = Counter(dict.fromkeys((*COUNTED, "unknown_tokens"), 0))

    def rows() -> Iterator[tuple]:
        for batch in read_dialogues(src, split):
            yield from encode_batch(
                batch, tokenizer, history_turns, max_turn_tokens, first_replies, counts
            )

    if dest.suffix in (".pkl", ".pickle"):
        names = ("history", "input", "reply")
        write_pickle(dest, [dict(zip(names, row[2:5], strict=True)) for row in rows()])
    else:
        write_arrow(dest, rows(), SCHEMA)
    return dict(counts)


def read_dialogues(src: Path, split: str) -> Iterator[pl.DataFrame]:
    """Yield dialogues in batches, with a column is_reply."""
    if src.suffix == ".parquet":
        for batch in read_batches(src, BATCH_DIALOGUES):
            yield batch.filter(pl.col("split") == split) if split else batch
        return
    reading = Reading(DialogueFormat.auto, Encoding.auto, "dialogue", MAX_TEXT_BYTES, 0, 0)
    for frame in read_dialogue_files(src, reading, BadRows(False)):
        for batch in frame.iter_slices(BATCH_DIALOGUES):
            marks = [[i > 0 for i in range(len(turns))] for turns in batch["turns"]]
            yield batch.with_columns(is_reply=pl.Series(marks, dtype=pl.List(pl.Boolean)))


def encode_batch(
    batch: pl.DataFrame,
    tokenizer: "PreTrainedTokenizerBase",
    history_turns: int,
    max_turn_tokens: int,
    first_replies: bool,
    counts: Counter[str],
) -> Iterator[tuple]:
    """Yield the rows of a batch of dialogues, counting as it goes."""
    texts = batch["turns"].explode().to_list() if batch.height else []
    # What looks like a special token in what people write is text.
    ids = iter(encode(tokenizer, texts, read_special_tokens=False) if texts else [])
    counts["unknown_tokens"] += count_dropped(tokenizer, texts)
    unknown = tokenizer.unk_token_id
    columns = batch.select("dialogue_id", "turns", "is_reply").iter_rows()
    for dialogue_id, turns, is_reply in columns:
        counts["dialogues"] += 1
        whole = [next(ids) for _ in turns]
        kept = [turn[-max_turn_tokens:] for turn in whole]
        counts["turns_cut"] += sum(len(turn) > max_turn_tokens for turn in whole)
        for number in range(1, len(turns)):
            if not is_reply[number]:
                continue
            if len(whole[number]) > max_turn_tokens:
                counts["long_replies"] += 1
                continue
            if number == 1:
                counts["first_replies"] += 1
                if not first_replies:
                    continue
            counts["rows"] += 1
            counts["tokens"] += len(kept[number])
            counts["unknown_tokens"] += kept[number].count(unknown)
            yield (
                f"{dialogue_id}/{number}",
                dialogue_id,
                kept[max(0, number - 1 - history_turns) : number - 1],
                kept[number - 1],
                kept[number],
                len(turns[number].encode()),
            )
