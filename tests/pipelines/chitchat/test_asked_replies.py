import polars as pl
import pytest

from genlab.core.program import InputError
from pipelines.chitchat.asked_replies import choose_replies, texts_of


def rows(sizes: dict[str, int]) -> pl.DataFrame:
    """Return so many replies of each dialogue."""
    ids = [(name, f"{name}/{n}") for name, size in sizes.items() for n in range(1, size + 1)]
    return pl.DataFrame(ids, ["dialogue_id", "reply_id"], orient="row")


def test_replies_are_chosen_by_whole_dialogues_and_fewer_are_among_more():
    table = rows({"a": 3, "b": 3, "c": 3, "d": 3})
    few, more = choose_replies(table, 4), choose_replies(table, 7)
    assert (few.height, more.height) == (6, 9)  # whole dialogues of three, at least 4 and 7
    assert set(few["reply_id"]) < set(more["reply_id"])
    assert few.equals(table.filter(pl.col("dialogue_id").is_in(few["dialogue_id"].to_list())))
    assert choose_replies(table, 0).equals(table) and choose_replies(table, 12).equals(table)


def test_a_reply_has_its_input_and_all_that_was_said_before():
    dialogues = pl.DataFrame({"dialogue_id": ["a/b"], "turns": [["1", "2", "3", "4"]]})
    found = texts_of(dialogues, pl.Series(["a/b/1", "a/b/3"])).to_dicts()
    asked = [(row["dialogue_id"], row["history"], row["input"], row["reference"]) for row in found]
    assert asked == [("a/b", [], "1", "2"), ("a/b", ["1", "2"], "3", "4")]
    with pytest.raises(InputError, match="other/1: no such dialogue; run `dvc repro`"):
        texts_of(dialogues, pl.Series(["other/1"]))
