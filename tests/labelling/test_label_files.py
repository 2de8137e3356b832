"""What is asked, of which texts, and that the file of answers never loses or invents one."""

import errno
import json
import os
from pathlib import Path

import polars as pl
import pytest
import yaml

from genlab.core.program import InputError
from genlab.labelling import questionnaire
from genlab.labelling.label_files import LabelFile, check_only_one, check_rater, read_labels
from genlab.labelling.questionnaire import (
    add_fingerprints,
    read_questionnaire,
    read_texts,
    sample_texts,
)

CONTENT = {
    "n": 6,
    "seed": 1,
    "arms": "all",
    "by": "rating",
    "show": {"rating": {"en": "Rating", "of": 5}},
    "question": {"en": "Which?"},
    "hint": {"en": "One only."},
    "choices": {"correct": {"en": "Correct"}, "wrong": {"en": "Wrong"}},
}


def sheet_with(**changes) -> questionnaire.Questionnaire:
    return questionnaire.Questionnaire(**(CONTENT | changes))


def table(arms=("a",), ratings=(1, 2, 3), each=4) -> pl.DataFrame:
    """Return texts with ids such as a-1-0: arm, rating, number."""
    rows = [
        {"text_id": f"{arm}-{rating}-{i}", "arm": arm, "rating": rating, "text": f"text {i}"}
        for arm in arms
        for rating in ratings
        for i in range(each)
    ]
    return pl.DataFrame(rows, schema_overrides={"rating": pl.Int8})


# ---- what is asked


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"n": -1}, "n must be"),
        ({"n": True}, "n must be"),
        ({"seed": 1.5}, "seed must be"),
        ({"arms": []}, "arms must be"),
        ({"by": None}, "by must be"),
        ({"by": "arm"}, "by must be a column besides text_id, arm and text"),
        ({"show": {"text": {"en": "Text"}}}, "show must be columns besides text_id, arm and text"),
        ({"show": {"arm": {"en": "Arm"}}}, "show must be"),
        ({"show": {"rating": "Rating"}}, "show must be"),
        ({"show": {"rating": {"of": 5}}}, "show must be"),
        ({"question": "Which?"}, "question must be"),
        ({"choices": {"correct": {"en": "Correct"}}}, "choices must be"),
        ({"choices": {str(i): {"en": "x"} for i in range(10)}}, "choices must be"),
        ({"choices": {"yes": {"en": "Yes"}, "Not so": {"en": "No"}}}, "choices.Not so"),
        ({"choices": {"yes": {"en": "Yes"}, "disagreed": {"en": "No"}}}, "choices.disagreed"),
        ({"scale": "interval"}, "scale must be nominal or ordinal"),
        ({"sede": 1}, "see sede"),
    ],
)
def test_a_wrong_key_of_the_questionnaire_is_named(tmp_path, change, said):
    path = tmp_path / "label.yaml"
    path.write_text(yaml.safe_dump(CONTENT | change))
    with pytest.raises(InputError, match=f"label.yaml: .*{said}"):
        read_questionnaire(path)


@pytest.mark.parametrize(
    ("answer", "is_taken"),
    [
        ("2>1=3", True),
        ("10>9=8>7>6>5>4>3>2>1", True),
        ("1", False),
        ("1>1", False),
        ("1>3", False),
        ("01>2", False),
    ],
)
def test_an_order_has_every_number_once(answer, is_taken):
    assert sheet_with(choices="order").takes(answer) is is_taken


def test_answers_stand_in_no_order_unless_the_questionnaire_says_so(tmp_path):
    path = tmp_path / "label.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in CONTENT.items() if k != "scale"}))
    assert read_questionnaire(path).scale == "nominal"
    path.write_text(yaml.safe_dump(CONTENT | {"scale": "ordinal"}))
    assert read_questionnaire(path).scale == "ordinal"


def test_a_questionnaire_that_is_no_yaml_or_is_missing_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_questionnaire(tmp_path / "label.yaml")
    (tmp_path / "label.yaml").write_text("question: {en: Which?}")
    with pytest.raises(InputError, match="not YAML"):
        read_questionnaire(tmp_path / "label.yaml")


# ---- of which texts


def test_every_part_of_the_order_has_equally_many_of_each_rating_and_arm():
    texts = table(arms=("a", "b"), ratings=(1, 2, 3), each=4)
    order = sample_texts(texts, sheet_with(n=24), "anna")
    for start in range(0, 24, 6):
        kinds = order[start : start + 6].select("arm", "rating").rows()
        assert sorted(kinds) == [(arm, rating) for arm in "ab" for rating in (1, 2, 3)]


def test_two_raters_get_the_same_texts_in_different_orders_whatever_the_order_of_the_table():
    texts = table(each=20)
    anna = sample_texts(texts, sheet_with(n=30), "anna")["text_id"].to_list()
    again = sample_texts(texts.reverse(), sheet_with(n=30), "anna")["text_id"].to_list()
    bea = sample_texts(texts, sheet_with(n=30), "bea")["text_id"].to_list()
    assert anna == again
    assert anna != bea
    assert sorted(anna) == sorted(bea)
    other = sample_texts(texts, sheet_with(n=30, seed=2), "anna")["text_id"].to_list()
    assert sorted(anna) != sorted(other)


def test_a_larger_n_adds_texts_behind_those_of_a_smaller_one():
    few = sample_texts(table(each=9), sheet_with(n=12), "anna")["text_id"].to_list()
    many = sample_texts(table(each=9), sheet_with(n=27), "anna")["text_id"].to_list()
    assert many[:12] == few


def test_an_n_that_leaves_a_block_unfinished_takes_the_same_texts_for_all_raters():
    drawn = [
        set(sample_texts(table(each=9), sheet_with(n=10), rater)["text_id"])
        for rater in ("anna", "bea", "carl")
    ]
    assert drawn[0] == drawn[1] == drawn[2]
    assert len(drawn[0]) == 10


def test_zero_takes_all_texts_and_a_list_of_arms_only_theirs():
    texts = pl.concat([table(each=2), table(ratings=(1,), each=5, arms=("b",))])
    assert sample_texts(texts, sheet_with(n=0), "anna").height == 11
    assert set(sample_texts(texts, sheet_with(n=0, arms=["b"]), "anna")["arm"]) == {"b"}


def test_too_few_texts_of_a_rating_and_an_unknown_arm_are_errors_that_say_what_to_do():
    texts = pl.concat([table(ratings=(1, 2), each=9), table(ratings=(3,), each=2)])
    with pytest.raises(InputError, match="set n to 6 or less"):
        sample_texts(texts, sheet_with(n=9), "anna")
    with pytest.raises(InputError, match=r"no arm lora .*\(a\)"):
        sample_texts(texts, sheet_with(arms=["a", "lora"]), "anna")


def test_a_table_without_a_needed_column_or_with_an_id_twice_is_an_error(tmp_path):
    path = tmp_path / "texts.parquet"
    table().drop("rating").write_parquet(path)
    with pytest.raises(InputError, match="no column rating"):
        read_texts(path, sheet_with())
    pl.concat([table(), table()]).write_parquet(path)
    with pytest.raises(InputError, match=r"text_id a-1-\d is there twice"):
        read_texts(path, sheet_with())
    table().with_columns(text=pl.lit(None, pl.String)).write_parquet(path)
    with pytest.raises(InputError, match="row 1 has no text"):
        read_texts(path, sheet_with())


def test_a_fingerprint_changes_with_the_text_and_with_what_is_shown_but_not_with_the_rest():
    texts = table(ratings=(1,), each=1)

    def prints(frame, sheet=None):
        return add_fingerprints(frame, sheet or sheet_with())["fingerprint"][0]

    first = prints(texts)
    assert prints(texts.with_columns(text=pl.lit("text 0 "))) != first
    assert prints(texts.with_columns(rating=pl.lit(2, pl.Int8))) != first
    assert prints(texts, sheet_with(show={})) != first
    assert prints(texts.with_columns(arm=pl.lit("b"), split=pl.lit("test"))) == first


# ---- the file that keeps the answers

CHOICES = CONTENT["choices"]
PRINTS = {"x": "1", "y": "2", "z": "3"}


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "labels" / "anna.jsonl"


def line(text_id="x", answer="correct", rater="anna", **more) -> str:
    record = {
        "text_id": text_id,
        "rater": rater,
        "answer": answer,
        "fingerprint": PRINTS.get(text_id, "0"),
        "seconds": 1.5,
        "time": "2026-01-01T00:00:00+00:00",
    }
    return json.dumps(record | more) + "\n"


def write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def opened(path: Path, prints=PRINTS) -> LabelFile:
    return LabelFile(path, CHOICES, prints)


def answers_in(path: Path) -> dict[str, str]:
    file = opened(path)
    file.close()
    return file.answers


def test_answers_are_in_the_file_when_answer_returns_and_are_there_when_it_is_opened_again(path):
    file = opened(path)
    file.answer("y", "wrong", 2.5)
    assert [json.loads(each) for each in path.read_text().splitlines()] == [
        {
            "text_id": "y",
            "rater": "anna",
            "answer": "wrong",
            "fingerprint": "2",
            "seconds": 2.5,
            "time": json.loads(path.read_text())["time"],
        }
    ]
    file.answer("x", "correct", None)
    file.close()
    assert answers_in(path) == {"y": "wrong", "x": "correct"}


def test_an_answer_taken_back_stays_in_the_file_and_no_longer_counts(path):
    file = opened(path)
    file.answer("x", "wrong", None)
    file.undo("x")
    file.answer("x", "correct", None)
    file.answer("y", "wrong", None)
    file.undo("y")
    file.close()
    assert len(path.read_text().splitlines()) == 5
    assert answers_in(path) == {"x": "correct"}


def test_every_cut_through_the_last_line_is_healed_and_the_lines_before_it_stay(path):
    first, last = line("x").encode(), line("y").encode()
    for length in range(1, len(last)):
        write(path, first + last[:length])
        file = opened(path)
        file.answer("z", "wrong", None)
        file.close()
        complete = length == len(last) - 1  # all but the end of the line
        assert answers_in(path) == {"x": "correct"} | ({"y": "correct"} if complete else {}) | {
            "z": "wrong"
        }
        assert path.read_bytes().startswith(first)
        assert bool(file.notice) is not complete


def test_the_notice_of_a_torn_line_shows_it(path):
    write(path, line("x") + '{"text_id": "y", "ra')
    file = opened(path)
    file.close()
    assert '\'{"text_id": "y", "ra\'' in file.notice


def test_a_line_added_by_hand_without_an_end_is_read_and_ended(path):
    write(path, "\ufeff" + line("x").replace("\n", "\r\n") + "\n" + line("y", "wrong").rstrip())
    file = opened(path)
    file.answer("z", "wrong", None)
    file.close()
    assert answers_in(path) == {"x": "correct", "y": "wrong", "z": "wrong"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (line("x") + "{broken}\n", "line 2: not JSON"),
        (
            line("x").replace("{", '{"answer": "correct", ', 1),
            "line 1: not JSON .*'answer' occurs twice",
        ),
        (line("x") + "broken", "line 2: not JSON"),
        (b"\xff\xfe\n", "line 1: not JSON"),
        ("[1]\n", "line 1: not an object"),
        (line("x").replace("fingerprint", "print"), "line 1: it has no fingerprint"),
        (line("x", "fine"), r"line 1: fine is no answer \(correct, wrong\)"),
        (line("x", ["correct"]), r"line 1: \['correct'\] is no answer"),
        (line("x").replace("answer", "anser"), "line 1: none is no answer"),
        (line("x", seconds=-1), "line 1: seconds is -1"),
        (line("x", rater="bea"), "line 1: an answer of bea in the file of anna"),
        (line("w"), "line 1: there is no text w"),
        (line("x", fingerprint="9"), "line 1: text x, or what is shown beside it, has changed"),
        (
            line("x") + line("y") + line("x", "wrong"),
            "line 3: text x is wrong here and correct in line 1",
        ),
    ],
)
def test_what_a_hand_has_broken_is_named_with_its_line_and_left_as_it_is(path, content, said):
    write(path, content)
    before = path.read_bytes()
    with pytest.raises(InputError, match=f"anna.jsonl {said}"):
        opened(path)
    assert path.read_bytes() == before


def test_the_same_answer_twice_is_one_answer(path):
    write(path, line("x") + line("y", "wrong") + line("x"))
    assert answers_in(path) == {"x": "correct", "y": "wrong"}


def test_only_one_desk_opens_a_file_at_a_time(path):
    file = opened(path)
    with pytest.raises(InputError, match="another desk has it open"):
        opened(path)
    file.close()
    opened(path).close()


@pytest.mark.parametrize("deed", ["replace", "append", "delete"])
def test_nothing_is_written_to_a_file_that_another_program_changed(path, deed):
    file = opened(path)
    file.answer("x", "wrong", None)
    if deed == "replace":
        path.rename(path.with_suffix(".old"))
        write(path, line("y"))
    elif deed == "append":
        write(path, path.read_text() + line("y"))
    else:
        path.unlink()
    before = path.read_bytes() if path.exists() else None
    with pytest.raises(InputError, match="changed by another program"):
        file.answer("z", "wrong", None)
    assert (path.read_bytes() if path.exists() else None) == before
    assert "z" not in file.answers
    file.close()


def test_an_answer_that_the_disk_takes_in_part_is_taken_out_again(path, monkeypatch):
    file = opened(path)
    file.answer("x", "wrong", None)
    before = path.read_bytes()
    write_all = os.write
    monkeypatch.setattr(os, "write", lambda fd, content: write_all(fd, content[:10]))
    with pytest.raises(OSError) as caught:
        file.answer("y", "wrong", None)
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == before
    monkeypatch.undo()
    file.answer("y", "wrong", None)
    file.close()
    assert answers_in(path) == {"x": "wrong", "y": "wrong"}


def test_after_half_a_line_that_cannot_be_taken_out_no_line_follows(path, monkeypatch):
    file = opened(path)

    def refuse(*_):
        raise OSError(errno.EIO, "broken")

    write_all = os.write
    monkeypatch.setattr(os, "write", lambda fd, content: write_all(fd, content[:10]))
    monkeypatch.setattr(os, "ftruncate", refuse)
    with pytest.raises(OSError):
        file.answer("x", "wrong", None)
    monkeypatch.undo()
    with pytest.raises(InputError, match="start it again"):
        file.answer("x", "wrong", None)
    file.close()
    assert answers_in(path) == {}  # healed


@pytest.mark.parametrize(
    "name", ["", "a/b", "..", "a b", "-x", "a" * 41, "a.b", "both", "majority"]
)
def test_a_rater_whose_name_is_no_file_name_or_means_two_is_refused(name):
    with pytest.raises(InputError, match="rater"):
        check_rater(name)


def test_a_rater_may_have_a_russian_name():
    assert check_rater("Анна-2") == "Анна-2"


def test_raters_whose_files_some_systems_take_for_one_are_refused(tmp_path):
    (tmp_path / "Anna.jsonl").touch()
    with pytest.raises(InputError, match=r"rater anna: .*Anna.jsonl is there, and differs in case"):
        check_only_one(tmp_path / "anna.jsonl")
    check_only_one(tmp_path / "Anna.jsonl")
    check_only_one(tmp_path / "Anne.jsonl")


# ---- for counting


def test_the_labels_of_a_folder_are_the_answers_that_stand(tmp_path):
    assert read_labels(tmp_path / "none", sheet_with()).height == 0
    write(tmp_path / "anna.jsonl", line("x") + line("y", "wrong") + line("x", None))
    write(tmp_path / "bea.jsonl", line("x", "wrong", rater="bea"))
    labels = read_labels(tmp_path, sheet_with())
    assert labels.select("text_id", "rater", "answer", "seconds").rows() == [
        ("y", "anna", "wrong", 1.5),
        ("x", "bea", "wrong", 1.5),
    ]


def test_a_torn_line_is_not_counted_but_named(tmp_path):
    write(tmp_path / "anna.jsonl", line("x") + line("y")[:30])
    with pytest.raises(InputError, match="open the desk as anna"):
        read_labels(tmp_path, sheet_with())
