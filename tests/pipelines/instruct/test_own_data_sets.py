"""Data sets of the user's own: found by their file's name, called by their folder's."""

import json
import re
import zipfile
from collections import Counter

import pytest

from genlab.core.program import InputError
from pipelines.instruct.task_files import read_task_folder

CSV = 'text,label,code\n"The soup, again, was cold.",0,007\nA kind waiter.,1,012\n'
READ = [
    {"text": "The soup, again, was cold.", "label": 0, "code": "007"},
    {"text": "A kind waiter.", "label": 1, "code": "012"},
]


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def test_a_folder_with_a_train_file_is_a_data_set_and_its_whole_numbers_are_labels(tmp_path):
    write(tmp_path / "complaints/train.csv", CSV)
    row = {"text": "a", "label": "good"}
    write(tmp_path / "school/marks/train.jsonl", json.dumps(row))
    write(tmp_path / "school/marks/validation.jsonl", json.dumps(row | {"text": "b"}))
    write(tmp_path / "school/marks/notes.jsonl", json.dumps(row))
    counts = Counter()
    assert read_task_folder(tmp_path, counts) == {
        "complaints": {"all": READ},
        "school/marks": {"train": [row], "test": [row | {"text": "b"}]},
    }
    assert counts == {"read": 3, "hidden": 0, "unread": 1}


def test_known_data_sets_and_ones_of_the_users_own_lie_side_by_side(tmp_path):
    row = {"premise": "p", "hypothesis": "h", "label": "entailment"}
    write(tmp_path / "RTE/train.jsonl", json.dumps(row))
    write(tmp_path / "complaints/train.tsv", "text\tlabel\na\t1\nb\t0\n")
    assert read_task_folder(tmp_path, Counter()) == {
        "super_glue/rte": {"all": [row | {"label": 0}]},
        "complaints": {"all": [{"text": "a", "label": 1}, {"text": "b", "label": 0}]},
    }


def test_a_column_is_of_one_type_in_training_and_in_the_test(tmp_path):
    write(tmp_path / "mine/Train.csv", "text,label,code,grade\na,-1,1,0\nb,0,12,1\n")
    write(tmp_path / "mine/test.tsv", "text\tlabel\tcode\tgrade\nc\t1\t007\tgood\n")
    assert read_task_folder(tmp_path, Counter())["mine"] == {
        "train": [
            {"text": "a", "label": -1, "code": "1", "grade": "0"},
            {"text": "b", "label": 0, "code": "12", "grade": "1"},
        ],
        "test": [{"text": "c", "label": 1, "code": "007", "grade": "good"}],
    }


def test_test_rows_that_are_trained_on_are_told(tmp_path, capsys):
    write(tmp_path / "mine/train.csv", "text,label\na,0\nb,1\n")
    write(tmp_path / "mine/test.jsonl", '{"label": 1, "text": "b"}\n{"text": "a", "label": 1}\n')
    read_task_folder(tmp_path, Counter())
    assert capsys.readouterr().err.startswith("mine: 1 of 2 test rows are training rows, too, and")
    write(tmp_path / "mine/test.jsonl", '{"text": "a", "label": 1}\n')
    read_task_folder(tmp_path, Counter())
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("number", ["-0", "+1", "1.0", " 1", "1_0", "٣", "9" * 5_000])
def test_what_is_no_number_as_python_writes_it_stays_text(tmp_path, number):
    write(tmp_path / "mine/train.csv", f"text,label\na,{number}\n")
    [row] = read_task_folder(tmp_path, Counter())["mine"]["all"]
    assert row == {"text": "a", "label": number}


@pytest.mark.parametrize("member", ["train.csv", "complaints/train.csv"])
def test_the_folder_or_the_archive_that_is_given_gives_the_name(tmp_path, member):
    write(tmp_path / "complaints/train.csv", CSV)
    assert list(read_task_folder(tmp_path / "complaints", Counter())) == ["complaints"]
    packed = tmp_path / "complaints.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, CSV)
    assert read_task_folder(packed, Counter()) == {"complaints": {"all": READ}}


def test_a_row_that_is_none_is_named_with_its_file_and_line(tmp_path):
    path = write(tmp_path / "mine/train.csv", "text,label\na, too,1\n")
    said = f"{path}, line 2: 3 fields, which are not as many as the header's columns; put a field"
    with pytest.raises(InputError, match="^" + re.escape(said)):
        read_task_folder(tmp_path, Counter())
    write(path, "text,label,times_seen\na,1,5\n")
    with pytest.raises(InputError, match=r"line 2: the field times_seen is the stages' own; rena"):
        read_task_folder(tmp_path, Counter())
    write(path, "text,label\na,1\n#NAME?,0\n")
    with pytest.raises(InputError, match=r"train\.csv, line 3: text is #NAME\?, which a program"):
        read_task_folder(tmp_path, Counter())
    write(path, "text,label\n")
    with pytest.raises(InputError, match="^" + re.escape(f"{path}: there is no row below")):
        read_task_folder(tmp_path, Counter())
    path.unlink()
    path = write(tmp_path / "mine/train.jsonl", '{"text": "a", "label": NaN}\n')
    with pytest.raises(InputError, match=r"train\.jsonl, line 1: it holds NaN or Infinity"):
        read_task_folder(tmp_path, Counter())


def test_a_broken_cell_is_refused_only_in_a_column_that_the_templates_read(tmp_path):
    path = write(tmp_path / "mine/train.csv", "text,label,sub_text\na,1,#REF!\nb,0,c\n")
    rows = [{"text": "a", "label": 1, "sub_text": "#REF!"}, {"text": "b", "label": 0}]
    asked = {"mine": "{{text}} ||| {{answer_choices[label]}}\nno ||| yes"}
    found = read_task_folder(tmp_path, Counter(), asked)
    assert found == {"mine": {"all": [rows[0], rows[1] | {"sub_text": "c"}]}}
    asked["mine"] += "{{sub_text}}"
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}, line 2: sub_text is #REF!"):
        read_task_folder(tmp_path, Counter(), asked)


def test_a_folder_without_a_data_set_says_how_one_of_ones_own_looks(tmp_path):
    write(tmp_path / "complaints.csv", CSV)
    with pytest.raises(InputError, match=r"no folder with a file train\.csv or train\.jsonl"):
        read_task_folder(tmp_path, Counter())
