"""The small world's tasks and crawl, and data sets from files."""

import gzip
import json
import os
import random
import re
import shutil
import zipfile
from collections import Counter
from dataclasses import replace

import pyarrow as pa
import pytest
import yaml

from genlab.core.program import InputError
from genlab.sources.decoding import Encoding
from pipelines.instruct.fetched_tasks import check_answers
from pipelines.instruct.mini_crawl import make_crawl
from pipelines.instruct.mini_tasks import TASKS, make_examples, names_of_labels
from pipelines.instruct.mini_world import (
    TIMES_SEEN,
    is_asked_in_training,
    read_world,
    times_seen,
    value_of_fact,
)
from pipelines.instruct.page_files import read_pages
from pipelines.instruct.prompt_templates import copy_templates, read_templates
from pipelines.instruct.task_files import count, read_hub_sets, read_task_folder, split_examples
from pipelines.instruct.web_rules import Counts, RuleSet, clean_pages
from tests.pipelines.instruct.n_choices import n_choices
from tests.project_copy import ROOT

WORLD = read_world(ROOT / "pipelines/instruct/mini_world.yaml")


@pytest.mark.parametrize("name", list(TASKS))
def test_a_task_has_other_examples_in_test_and_all_its_labels(name):
    found = make_examples(WORLD, name, 60, 60, 17)
    assert make_examples(WORLD, name, 30, 60, 17)["test"] == found["test"]
    texts = {split: {str(each) for each in rows} for split, rows in found.items()}
    assert not texts["train"] & texts["test"]
    assert len(texts["test"]) == 60
    if n := n_choices(name):
        labels = Counter(each["label"] for each in found["test"])
        assert set(labels) == set(range(n))


def test_labels_stand_for_the_answer_choices_of_the_templates():
    templates = read_templates(ROOT / "pipelines/instruct/templates")
    check_answers(names_of_labels(WORLD), templates)
    longer = replace(templates["size"][0], answer_choices="it is big ||| it is small")
    check_answers({"size": ["big", "small"]}, {"size": [longer]})
    renamed = dict(zip(["vast", "small"], WORLD.attributes["size"].values(), strict=True))
    world = replace(WORLD, attributes=WORLD.attributes | {"size": renamed})
    with pytest.raises(InputError, match="of size: its answer choices are big, small, the labels"):
        check_answers(names_of_labels(world), templates)
    turned = replace(WORLD, questions=dict(reversed(WORLD.questions.items())))
    with pytest.raises(InputError, match="number, time, place, person; give"):
        check_answers(names_of_labels(turned), templates)
    fewer = replace(WORLD, new_fields=dict(list(WORLD.new_fields.items())[:3]))
    with pytest.raises(InputError, match="the labels animals, garden, sea; give"):
        check_answers(names_of_labels(fewer), templates)


def test_right_answers_are_right():
    for each in make_examples(WORLD, "lookup_dish", 5, 40, 17)["test"]:
        person = next(name for name in WORLD.people if name in each["question"].split())
        told = [text for text in each["text"].split(". ") if person in text.split()]
        assert each[f"value{each['label'] + 1}"] in told[0].split()
    for each in make_examples(WORLD, "comparison", 5, 40, 17)["test"]:
        numbers = each["number1"], each["number2"]
        assert numbers[each["label"]] == max(numbers)
    for each in make_examples(WORLD, "sentiment", 5, 40, 17)["test"]:
        good = set(WORLD.attributes["feeling"]["good"]) & set(re.findall(r"\w+", each["text"]))
        assert bool(good) == (each["label"] == 0)
    for each in make_examples(WORLD, "completion", 5, 40, 17)["test"]:
        fields = WORLD.fields | WORLD.new_fields
        field = next(f for f, nouns in fields.items() if set(nouns) & set(each["text"].split()))
        assert each[f"ending{each['label'] + 1}"] in fields[field]


def test_facts_of_test_are_about_people_who_are_never_asked_about_in_training():
    found = make_examples(WORLD, "facts", 100, 100, 17)
    people = {
        split: {name for each in rows for name in WORLD.people if name in each["question"].split()}
        for split, rows in found.items()
    }
    assert not people["train"] & people["test"]
    assert all(is_asked_in_training(WORLD, name) for name in people["train"])
    assert {each["times_seen"] for each in found["test"]} == set(TIMES_SEEN)


def test_the_crawl_states_a_fact_on_as_many_pages_as_it_says():
    text = "\n".join(page for _, page in make_crawl(WORLD, 3000, 0.0, 17))
    for person in WORLD.people[:8]:
        value = value_of_fact(WORLD, person, "home")
        forms = [f"{person} lives in {value}.", f"the home of {person} is in {value}."]
        assert sum(map(text.count, forms)) == times_seen(WORLD, person)


def test_the_crawl_gives_the_rules_something_to_do():
    counts = Counts()
    pages = list(make_crawl(WORLD, 2000, 0.2, 17))
    kept = list(clean_pages(pages, RuleSet.released, ["darn"], counts))
    assert 0.75 < len(kept) / len(pages) < 0.95
    assert counts.pages["few_sentences"] > 10
    assert counts.pages["few_sentences_after_repeats"] > 10
    assert counts.pages["curly_bracket"] > 10


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        (("new_fields",), "1 to 5", "new_fields: must be a mapping"),
        (("fields", "sport"), ["ball", "goal"], "fields, sport: 2 different texts; give it at lea"),
        (("summing_up",), [], "summing_up: 0 different texts"),
        (("about",), "a page", "about: must be a list of texts"),
        (("frames", 0), 5, "frames: 5 is not text"),
        (("frames",), ["the {n} and the {m}"], r"frames: none is with \{a\}"),
        (("frames",), ["{n}", "the {n} is {a}"], r"frames: '\{n\}' has one word"),
        (("questions", "person"), ["{0}"], r"questions, person: '\{0\}' holds"),
        (("attributes", "size"), {"big": ["a", "b"]}, "attributes, size: 1 kinds; give it two"),
        (("attributes", "heat", "hot"), ["warm"], "attributes, heat, hot: 1 different"),
        (("people",), ["anna", "bruno"], "people: 2 different texts; give it at least 5"),
        (("people", 0), "bruno", "people: bruno is there twice"),
        (
            ("relations", "job", "asks"),
            "who",
            r"relations, job, asks: 'who' does not hold \{person",
        ),
        (("relations", "dish"), {}, "relations, dish: values is missing"),
    ],
)
def test_a_mistake_in_the_words_of_the_world_is_named(tmp_path, place, value, expected):
    content = yaml.safe_load((ROOT / "pipelines/instruct/mini_world.yaml").read_text())
    changed = content
    for key in place[:-1]:
        changed = changed[key]
    changed[place[-1]] = value
    path = tmp_path / "words.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=f"^{path}: {expected}"):
        read_world(path)


# ---- files


def write_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


TEMPLATES = ROOT / "pipelines/instruct/templates/facts/templates.yaml"


@pytest.mark.parametrize("place", [".", "facts", "deep/facts"])
def test_templates_are_copied_from_any_depth_and_hidden_files_are_left(tmp_path, place):
    (tmp_path / "in/__MACOSX").mkdir(parents=True)
    (tmp_path / "in/__MACOSX/templates.yaml").write_bytes(b"\0\5")
    (tmp_path / "in" / place).mkdir(parents=True, exist_ok=True)
    shutil.copy(TEMPLATES, tmp_path / "in" / place)
    copy_templates(tmp_path / "in", tmp_path / "out")
    assert read_templates(tmp_path / "out") == read_templates(TEMPLATES)
    assert (tmp_path / "out" / place / "templates.yaml").read_text() == TEMPLATES.read_text()


def test_a_file_of_templates_may_be_given_alone(tmp_path):
    copy_templates(TEMPLATES, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["templates.yaml"]
    assert read_templates(tmp_path / "out") == read_templates(TEMPLATES)


def test_templates_that_are_a_pipe_or_a_link_out_of_their_folder_are_refused(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/templates.yaml").symlink_to(TEMPLATES)
    with pytest.raises(InputError, match=r"a: templates\.yaml is a link that leads out of the fol"):
        copy_templates(tmp_path / "a", tmp_path / "out")
    (tmp_path / "b").mkdir()
    os.mkfifo(tmp_path / "b/templates.yaml")
    with pytest.raises(InputError, match=r"b: templates\.yaml is neither a file nor a folder"):
        read_templates(tmp_path / "b")
    assert not (tmp_path / "out").exists()


def test_fewglue_and_nltk_get_the_fields_that_their_templates_read(tmp_path):
    rte = {"premise": "p", "hypothesis": "h", "label": "not_entailment", "idx": 0}
    write_lines(tmp_path / "few/RTE/train.jsonl", [rte] * 3)
    wsc = {"text": "t", "label": True, "target": {"span1_text": "a", "span2_text": "b"}}
    write_lines(tmp_path / "few/WSC/train.jsonl", [wsc])
    passage = {"text": "x y", "questions": [{"question": "q", "answers": [
        {"text": "one", "label": 1}, {"text": "two", "label": 0}]}]}  # fmt: skip
    write_lines(tmp_path / "few/MultiRC/train.jsonl", [{"passage": passage}])
    with zipfile.ZipFile(tmp_path / "qc.zip", "w") as archive:
        archive.writestr("qc/train.txt", "HUM:ind Who is it ?\nABBR:exp What is NASA ?\n")
        archive.writestr("qc/test.txt", "NUM:weight How heavy is it ?\n")
    found = read_task_folder(tmp_path, Counter())
    assert found["super_glue/rte"]["all"][0]["label"] == 1
    assert found["super_glue/wsc.fixed"]["all"] == [
        {"text": "t", "span1_text": "a", "span2_text": "b", "label": 1}
    ]
    assert [each["label"] for each in found["super_glue/multirc"]["all"]] == [1, 0]
    assert found["trec"]["train"] == [
        {"text": "Who is it ?", "coarse_label": 3, "fine_label": 29},
        {"text": "What is NASA ?", "coarse_label": 0, "fine_label": 1},
    ]
    assert found["trec"]["test"][0]["fine_label"] == 49  # the last of fifty


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"label": "maybe"}\n', "line 1: label 'maybe' is not one of entailment, not_entailment"),
        ('{"premise": "p"}\n', "line 1: the field 'label' is missing"),
        ('{"label": "entailment"}\nno\n', "line 2: broken JSON at column 1: Expecting value"),
        ('{"label": "entailment"}\n\n[1]\n', "line 3: a list, not an object"),
        ('{"label": "entailment", "label": 1}\n', "line 1: the key 'label' occurs twice"),
    ],
)
def test_a_bad_line_is_named(tmp_path, content, expected):
    path = tmp_path / "RTE/train.jsonl"
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(InputError, match="^" + re.escape(f"{path}, {expected}")):
        read_task_folder(tmp_path, Counter())


@pytest.mark.parametrize(
    ("name", "row", "expected"),
    [
        ("BoolQ", {"question": "q", "label": 0.9}, "label 0.9, neither true nor false, does not"),
        ("BoolQ", {"question": "q", "label": -1}, "label -1, neither true nor false, does not fit"),
        (
            "WiC",
            {"word": float("nan"), "label": True},
            "it holds NaN or Infinity, which is no text",
        ),
        (
            "ReCoRD",
            {"passage": {"text": "ab", "entities": [{"start": 7, "end": 9}]}, "qas": []},
            "an entity that is nowhere in the passage does not fit",
        ),
        (
            "ReCoRD",
            {"passage": {"text": "abcd", "entities": [{"start": -3, "end": -2}]}, "qas": []},
            "an entity that starts before the passage does not fit",
        ),
        ("COPA", {"choice1": "a", "label": -1}, "label -1, neither true nor false, does not fit"),
        ("COPA", {"choice1": "a"}, "the field 'label' is missing; get the file again"),
        ("RTE", {"premise": None, "label": "entailment"}, "premise is null, not text"),
        ("WiC", {"word": ["a"], "label": True}, "word is a list, not text"),
        ("WSC", {"text": "t", "label": True, "target": {"span1_text": 5}}, "span1_text is 5, not"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_value_that_would_be_asked_wrongly_is_named(tmp_path, name, row, expected):
    write_lines(tmp_path / name / "train.jsonl", [row])
    with pytest.raises(InputError, match=f"train.jsonl, line 1: {expected}"):
        read_task_folder(tmp_path, Counter())


def test_true_and_false_may_be_written_as_words_and_numbers(tmp_path):
    labels = [True, "true", "True", 1, "1", 1.0, False, "false", 0, "0"]
    write_lines(tmp_path / "BoolQ/train.jsonl", [{"label": label} for label in labels])
    found = read_task_folder(tmp_path, Counter())["super_glue/boolq"]["all"]
    assert [row["label"] for row in found] == [1] * 6 + [0] * 4


def test_a_line_ends_at_a_line_end_alone_and_a_byte_order_mark_is_none_of_it(tmp_path):
    """JSON may hold what Unicode calls a line's end: U+2028, U+0085."""
    premise = "one\u2028row\x85still"
    row = {"premise": premise, "hypothesis": "h", "label": "entailment"}
    path = tmp_path / "RTE/train.jsonl"
    path.parent.mkdir()
    path.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for _ in range(2)), "utf-8-sig"
    )
    assert read_task_folder(tmp_path, Counter()) == {
        "super_glue/rte": {"all": [row | {"label": 0}] * 2}
    }


def test_what_of_a_folder_is_not_read_is_counted_and_named(tmp_path, capsys):
    row = {"premise": "p", "hypothesis": "h", "label": "entailment"}
    lines = f"{json.dumps(row)}\n" * 2
    names = ["RTE/val.jsonl", "RTE/test.jsonl", "Mine/trained.jsonl", "notes.txt"]
    hidden = ["RTE/._train.jsonl", "__MACOSX/RTE/train.jsonl", ".DS_Store"]
    for name in (*names, *hidden):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"\0\5\x16\7")
    (tmp_path / "RTE/train.jsonl").write_text(lines)
    counts = Counter()
    found = read_task_folder(tmp_path, counts)
    assert found == {"super_glue/rte": {"all": [row | {"label": 0}] * 2}}
    assert counts == {"read": 1, "hidden": 3, "unread": 4}
    listed = ", ".join(sorted(names))
    assert capsys.readouterr().err == f"not read, as of no known data set: 4 ({listed})\n"


@pytest.mark.parametrize(
    ("ending", "pack_bytes"),
    [("gz", gzip.compress), ("zst", lambda text: pa.compress(text, "zstd", asbytes=True))],
)
def test_packed_lines_of_a_data_set_are_read(tmp_path, ending, pack_bytes):
    row = {"premise": "p", "hypothesis": "h", "label": "entailment"}
    (tmp_path / "RTE").mkdir()
    (tmp_path / f"RTE/train.jsonl.{ending}").write_bytes(pack_bytes(json.dumps(row).encode()))
    assert count(read_task_folder(tmp_path, Counter())["super_glue/rte"]) == 1


def test_a_link_out_of_the_folder_of_data_sets_is_refused(tmp_path):
    (tmp_path / "private.jsonl").write_text("{}\n")
    (tmp_path / "in/RTE").mkdir(parents=True)
    (tmp_path / "in/RTE/train.jsonl").symlink_to(tmp_path / "private.jsonl")
    with pytest.raises(InputError, match=r"RTE/train.jsonl is a link that leads out of the folder"):
        read_task_folder(tmp_path / "in", Counter())


def test_pages_of_a_file_are_drawn_by_seed_in_its_order(tmp_path):
    path = tmp_path / "pages.jsonl"
    write_lines(path, [{"url": f"{number:02}", "text": "x"} for number in range(100)])
    drawn = read_pages(path, 20, 1)
    numbers = [int(url) for url, _ in drawn]
    assert len(drawn) == 20 and numbers == sorted(numbers) and max(numbers) > 20
    assert drawn == read_pages(path, 20, 1) != read_pages(path, 20, 2)
    assert [int(url) for url, _ in read_pages(path, 200, 1)] == list(range(100))


def test_a_page_without_text_is_named_whether_drawn_or_not(tmp_path):
    path = tmp_path / "pages.jsonl"
    rows = [{"url": "u", "text": "a\u2028b"}, {"url": "v", "text": "c", "more": 1}, {"url": "w"}]
    path.write_text(
        "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in rows), "utf-8-sig"
    )
    with pytest.raises(InputError, match="^" + re.escape(f"{path}, line 3: lacks a url or a text")):
        read_pages(path, 1, 1)
    write_lines(path, rows[:2])
    assert read_pages(path, 2, 1) == [("u", "a\u2028b"), ("v", "c")]
    path.write_text('{"url": "u", "text": "a"}\n[]\n')
    with pytest.raises(InputError, match="^" + re.escape(f"{path}, line 2: a list, not an object")):
        read_pages(path, 1, 1)
    path.write_text('{"url": "u", "text": "a"}\n{"url": "v", "text": "b", "more": ["\\ud800"]}\n')
    with pytest.raises(InputError, match=r"line 2: the row has half a surrogate pair \(\\ud800\)"):
        read_pages(path, 1, 1)
    path.write_text("\n")
    with pytest.raises(InputError, match="^" + re.escape(f"{path}: the file is empty; give one")):
        read_pages(path, 1, 1)
    with pytest.raises(InputError, match=r"none\.jsonl: no such file or folder; correct crawl"):
        read_pages(tmp_path / "none.jsonl", 1, 1)
    path.write_bytes('{"url": "u", "text": "té"}\n'.encode("mac-roman"))
    assert read_pages(path, 1, 1, Encoding.mac_roman) == [("u", "té")]


def pack(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_pages_and_data_sets_are_read_out_of_a_zip(tmp_path):
    page = json.dumps({"url": "u", "text": "a"}) + "\n"
    path = pack(tmp_path / "pages.zip", {"a.jsonl": page, "b.json": f"[{page}]", "c.md": "x"})
    counts = Counter()
    assert read_pages(path, 9, 1, counts=counts) == [("u", "a")] * 2
    assert counts == {"read": 2, "hidden": 0, "unread": 1}
    row = {"premise": "p", "hypothesis": "h", "label": "entailment"}
    members = {
        "few/RTE/train.jsonl": json.dumps(row),
        "few/notes.txt": "x",
        "__MACOSX/few/RTE/train.jsonl": "\0",
    }
    path = pack(tmp_path / "few.zip", members)
    counts = Counter()
    assert read_task_folder(path, counts) == {"super_glue/rte": {"all": [row | {"label": 0}]}}
    assert counts == {"read": 1, "hidden": 1, "unread": 1}
    only = tmp_path / "only"
    only.mkdir()
    path.rename(only / "few.zip")
    assert list(read_task_folder(only, Counter())) == ["super_glue/rte"]
    pack(only / "qc.zip", {"qc/train.txt": "HUM:ind Who ?\n", "qc/test.txt": "ABBR:exp What ?\n"})
    assert list(read_task_folder(only, Counter())) == ["trec"]  # few.zip is named
    alone = pack(tmp_path / "RTE.zip", {"RTE/train.jsonl": json.dumps(row)})
    assert list(read_task_folder(alone, Counter())) == ["super_glue/rte"]
    pack(path, members | {"few/RTE/train.jsonl": "{}"})
    with pytest.raises(InputError, match=rf"^{path}/few/RTE/train.jsonl, line 1: the field 'la"):
        read_task_folder(path, Counter())


def test_one_of_nltks_archives_may_be_given_alone(tmp_path):
    members = {"qc/train.txt": "HUM:ind Who ?\n", "qc/test.txt": "ABBR:exp What ?\n"}
    path = pack(tmp_path / "qc.zip", members)
    (tmp_path / "other.txt").write_text("x")
    counts = Counter()
    assert list(read_task_folder(path, counts)) == ["trec"]
    assert counts == {"read": 1, "hidden": 0, "unread": 0}
    with pytest.raises(InputError, match=r"no data set that is known here"):
        read_task_folder(pack(tmp_path / "mine.zip", {"a.txt": "x"}), Counter())
    with pytest.raises(InputError, match=r"other\.txt: no such folder, and no archive of one"):
        read_task_folder(tmp_path / "other.txt", Counter())


def test_a_folder_without_data_and_an_archive_that_is_broken_are_named(tmp_path):
    with pytest.raises(InputError, match="no data set that is known here"):
        read_task_folder(tmp_path, Counter())
    (tmp_path / "qc.zip").write_bytes(b"PK no")
    with pytest.raises(InputError, match=r"qc\.zip: not a zip archive that can be read"):
        read_task_folder(tmp_path, Counter())


def test_a_member_that_is_missing_is_named_with_its_archive(tmp_path):
    path = pack(tmp_path / "qc.zip", {"qc/train.txt": "HUM:ind Who is it ?\n"})
    with pytest.raises(InputError, match="^" + re.escape(f"{path}: qc/test.txt is not in it; ")):
        read_task_folder(tmp_path, Counter())


def test_a_bomb_and_a_damaged_member_are_refused(tmp_path):
    path = pack(tmp_path / "movie_reviews.zip", {"movie_reviews/pos/1.txt": b" " * 3_000_000})
    with pytest.raises(InputError, match=r"pos/1\.txt' would grow from \d+ to 3000000 bytes"):
        read_task_folder(tmp_path, Counter())
    pack(path, {"movie_reviews/pos/1.txt": b"a warm and funny film, and a joy to see " * 3})
    content = bytearray(path.read_bytes())
    for place in range(60, 80):  # after the header of 30 bytes and the name of 23
        content[place] ^= 0x5A
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"movie_reviews\.zip: '.*pos/1\.txt' in it is damaged"):
        read_task_folder(tmp_path, Counter())


def test_films_and_sentences_of_nltk_keep_their_class_and_a_line_its_latin_1(tmp_path):
    """In Latin-1 the byte 0x85 is a control character, of which str.splitlines ends a line."""
    films = {"pos/b.txt": b"caf\xe9\nwarm\n", "neg/a.txt": b"cold\r\nand grey\n", "README": b""}
    members = {f"movie_reviews/{name}": each for name, each in films.items()}
    pack(tmp_path / "movie_reviews.zip", members)
    parts = {"neg": b"dull\x85grey \n\n", "pos": b"warm\nfunny"}
    members = {f"sentence_polarity/rt-polarity.{name}": each for name, each in parts.items()}
    pack(tmp_path / "sentence_polarity.zip", members)
    assert read_task_folder(tmp_path, Counter()) == {
        "imdb": {"all": [{"text": "cold\nand grey\n", "label": 0},
                         {"text": "café\nwarm\n", "label": 1}]},
        "rotten_tomatoes": {"all": [{"text": "dull\x85grey", "label": 0},
                                    {"text": "warm", "label": 1}, {"text": "funny", "label": 1}]},
    }  # fmt: skip


def rte_archive(path, xml: bytes):
    parts = [f"rte/rte{n}_{part}.xml" for part in ("dev", "test") for n in (1, 2, 3)]
    return pack(path, dict.fromkeys(parts, xml))


def test_pairs_of_nltk_are_read_in_their_encoding_and_entities_are_refused(tmp_path):
    pair = '<pair id="1" {}><t> caf\u00e9 </t><h>h</h></pair>'
    pairs = pair.format('value="TRUE"') + pair.format('entailment="NO"')
    xml = f'<?xml version="1.0" encoding="UTF-8"?><corpus>{pairs}</corpus>'
    path = rte_archive(tmp_path / "rte.zip", xml.encode())
    rows = [{"premise": "café", "hypothesis": "h", "label": label} for label in (0, 1)] * 3
    assert read_task_folder(tmp_path, Counter()) == {
        "super_glue/rte": {"train": rows, "test": rows}
    }
    bomb = '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    for encoding in ("utf-8", "utf-16"):
        rte_archive(path, bomb.encode(encoding))
        with pytest.raises(InputError, match=r"rte\.zip: rte/rte1_dev\.xml declares entities"):
            read_task_folder(tmp_path, Counter())
    rte_archive(path, b"<corpus><pair>")
    with pytest.raises(InputError, match=r"rte\.zip: rte/rte1_dev\.xml is broken XML"):
        read_task_folder(tmp_path, Counter())


def test_one_split_is_divided_and_nothing_is_in_both():
    rows = {"all": [{"n": n} for n in range(100)]}
    found = split_examples(rows, 50, 50, random.Random(1))
    numbers = {split: {each["n"] for each in part} for split, part in found.items()}
    assert {split: len(part) for split, part in numbers.items()} == {"train": 50, "test": 30}
    assert not numbers["train"] & numbers["test"]


def test_the_hub_is_read_from_a_folder_in_its_layout_and_a_commit_is_asked_for(tmp_path):
    for split in ("train", "validation"):
        write_lines(tmp_path / f"toy/{split}.jsonl", [{"text": split, "label": 0}] * 2)
    found = read_hub_sets([f"{tmp_path / 'toy'}@none"])
    assert found == {
        "toy": {"train": [{"text": "train", "label": 0}] * 2,
                "test": [{"text": "validation", "label": 0}] * 2}
    }  # fmt: skip
    with pytest.raises(InputError, match=r"tasks.hub_sets: imdb@main"):
        read_hub_sets(["imdb@main"])
