"""Where dialogues come from, and what is cleaned and left out: files, pickles, the mini world."""

import gzip
import io
import json
import os
import pickle
import struct
import zipfile
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
import yaml

from genlab.core.program import InputError
from genlab.sources.bad_rows import BadRows
from genlab.sources.decoding import Encoding
from pipelines.chitchat import mini_dialogues
from pipelines.chitchat.dialogue_files import DialogueFormat, Reading, read_dialogue_files
from pipelines.chitchat.dialogue_pickles import ListUnpickler, pickled_rows
from pipelines.chitchat.dialogue_rules import Rules as CleanRules
from pipelines.chitchat.dialogue_rules import check_any_left, clean_batch, clean_turns
from pipelines.chitchat.dialogue_splits import Rules, check_rules, count_replies, split_dialogues
from pipelines.chitchat.echo import is_echo
from pipelines.chitchat.schemas import DIALOGUE_SCHEMA
from tests.project_copy import ROOT

WORLD = ROOT / "pipelines/chitchat/mini_dialogues.yaml"
RULES = Rules(True, True, True, 0.8, 0.9, 0.2, 0.2, 5, True, 64, 17)
AUTO = Reading(DialogueFormat.auto, Encoding.auto, "dialogue", 1_000, 0, 17)
CLEAN = CleanRules(
    strip_markup=True,
    repair_encoding=True,
    lower_case=True,
    fold_yo=True,
    strip_dashes=True,
    max_chars=20,
)


def read(path: Path, bad: BadRows | None = None, n: int = 0, **options) -> list[list[str]]:
    bad = bad or BadRows(False)
    layout = options.get("layout", DialogueFormat.auto)
    encoding = options.get("encoding", Encoding.auto)
    reading = Reading(layout, encoding, "dialogue", 1_000, n, 17)
    frames = read_dialogue_files(path, reading, bad)
    return pl.concat(frames)["turns"].to_list()


def said_by(*speakers: str, names: tuple[str, str] = ("role", "content")) -> list[dict]:
    """Return messages, the texts of which are their numbers."""
    return [dict(zip(names, (who, str(n)), strict=True)) for n, who in enumerate(speakers)]


def counted(path: Path) -> Counter:
    files: Counter = Counter()
    list(read_dialogue_files(path, AUTO, BadRows(False), files))
    return files


TURNS = [["Привет!", "Здравствуй."], ["Как дела?", "Всё хорошо.", "Рад."]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "windows-1251", "utf-16"])
def test_dashed_text_is_read_in_every_usual_encoding(tmp_path, encoding):
    text = "- Привет!\r\n- Здравствуй.\r\n\r\n\r\n— Как дела?\r\n- Всё\r\n  хорошо.\r\n-Рад.\r\n"
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    assert read(tmp_path) == TURNS


@pytest.mark.parametrize("rule", ["---", " - - - ", "***", "* * *", "=====", "———"])
def test_a_line_of_dashes_or_stars_alone_divides_and_is_no_turn(tmp_path, rule):
    path = tmp_path / "a.txt"
    path.write_text(f"- Привет!\n- Здравствуй.\n{rule}\n- Как дела?\n- Всё хорошо.\n- Рад.\n{rule}")
    assert read(path) == TURNS


def test_a_line_with_words_beside_its_dashes_is_a_turn(tmp_path):
    (tmp_path / "a.txt").write_text("- -- а --\n- **б**\n- -5\n---- в\n")
    assert read(tmp_path) == [["-- а --", "**б**", "-5", "--- в"]]


def test_json_lines_are_lists_or_objects_and_a_pickle_is_lists_of_strings(tmp_path):
    (tmp_path / "a.jsonl").write_text(
        '["Привет!", "Здравствуй."]\n{"dialogue": ["Как дела?", "Всё хорошо.", "Рад."]}\n'
    )
    assert read(tmp_path) == TURNS
    for protocol in range(6):
        file = tmp_path / f"{protocol}.pkl"
        file.write_bytes(pickle.dumps(TURNS, protocol=protocol))
        assert read(file) == TURNS, protocol


def test_an_array_is_read_in_a_folder_as_it_is_alone(tmp_path):
    (tmp_path / "a.json").write_text('[["Привет!", "Здравствуй."], {"dialogue": ["а", "б"]}]')
    assert read(tmp_path) == read(tmp_path / "a.json") == [TURNS[0], ["а", "б"]]


def test_files_of_a_folder_are_counted_and_those_not_read_named(tmp_path, capsys):
    names = [f"note{number:02}.md" for number in range(25)]
    for name in (*names, "._a.txt"):
        (tmp_path / name).write_bytes(b"\0\5\x16\7")
    (tmp_path / "a.txt").write_text("- а\n- б\n")
    assert counted(tmp_path) == {"read": 1, "hidden": 1, "unread": 25}
    said = ", ".join(["._a.txt", *names[:19]])
    assert f"not read, as hidden or no data file: 26 ({said}, ...)" in capsys.readouterr().err
    assert counted(tmp_path / "a.txt") == {"read": 1, "hidden": 0, "unread": 0}


def test_a_link_that_leads_out_of_a_folder_of_dialogues_is_refused(tmp_path):
    (tmp_path / "private.txt").write_text("- а\n- б\n")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.txt").symlink_to(tmp_path / "private.txt")
    with pytest.raises(InputError, match=r"in: a.txt is a link that leads out of the folder"):
        read(tmp_path / "in")


class Hostile:
    """Runs a command when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_a_hostile_pickle_is_refused_before_anything_of_it_runs(tmp_path):
    trap = tmp_path / "ran"
    for protocol in range(6):
        content = pickle.dumps([["Привет!", Hostile(trap)]], protocol=protocol)
        (tmp_path / "a.pkl").write_bytes(content)
        with pytest.raises(InputError, match="refused, as loading it could run code: at byte"):
            read(tmp_path / "a.pkl", layout=DialogueFormat.pickle)
        with pytest.raises(pickle.UnpicklingError, match="it asks for"):  # the second guard alone
            ListUnpickler(io.BytesIO(content)).load()
    assert not trap.exists()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([["а", 1]], "at byte"),
        ({"а": ["б"]}, "only lists and strings"),
        ([("а", "б")], "only lists and strings"),
        ([["а", b"b"]], "only lists and strings"),
        ("а", "a pickle of one text"),
        (["а", "б"], "not a list of turns"),
        ([[["а"], "б"]], "turn 0 is a list, not text"),
        ([[]], "a dialogue of 0 turns"),
    ],
    ids=str,
)
def test_a_pickle_of_anything_else_is_one_line(tmp_path, content, expected):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(InputError, match=expected):
        read(tmp_path / "a.pkl")


@pytest.mark.parametrize(
    "put", [b"r" + struct.pack("<I", 200_000_000), b"q\x05", b"p200000000\n"], ids=repr
)
def test_a_pickle_that_wants_room_for_more_than_it_holds_is_refused(tmp_path, put):
    (tmp_path / "a.pkl").write_bytes(b"\x80\x04](](\x8c\x01a" + put + b"\x8c\x01bee.")
    with pytest.raises(InputError, match=r"could fill the memory: at byte 9 .* of 0 before it"):
        read(tmp_path / "a.pkl")


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_keeps_its_objects_by_number_is_read_in_every_protocol(tmp_path, protocol):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps([TURNS, TURNS, TURNS[:1]], protocol))
    found = [row for _, row in pickled_rows(tmp_path / "a.pkl")]
    assert found == [TURNS, TURNS, TURNS[:1]]


@pytest.mark.parametrize("layout", [DialogueFormat.auto, DialogueFormat.pickle])
def test_a_compressed_pickle_is_read_and_a_bomb_refused(tmp_path, layout):
    packed = {
        "gz": gzip.compress(pickle.dumps(TURNS)),
        "zst": pa.compress(pickle.dumps(TURNS), "zstd", asbytes=True),
    }
    for ending, content in packed.items():
        (tmp_path / f"a.pkl.{ending}").write_bytes(content)
        assert read(tmp_path / f"a.pkl.{ending}", layout=layout) == TURNS
    bomb = gzip.compress(pickle.dumps([["а" * 2_000_000]]))
    (tmp_path / "b.pkl.gz").write_bytes(bomb)
    with pytest.raises(InputError, match=r"b\.pkl\.gz: a pickle of more than 1048576 bytes \(in a"):
        read(tmp_path / "b.pkl.gz", layout=layout)


def test_a_zip_is_read_as_a_folder_and_what_is_left_out_is_named_in_it(tmp_path, capsys):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("talks/a.txt", "- Привет!\n- Здравствуй.\n")
        archive.writestr("talks/b.jsonl.gz", gzip.compress(json.dumps(TURNS[1]).encode()))
        archive.writestr("talks/c.jsonl", '["а", 1]\n')
        archive.writestr("__MACOSX/talks/._a.txt", "\0")
    bad = BadRows(are_dropped=True)
    files = Counter()
    frames = read_dialogue_files(path, AUTO, bad, files)
    assert pl.concat(frames)["turns"].to_list() == TURNS
    assert files == {"read": 3, "hidden": 1, "unread": 0} and bad.counts == {"row": 1}
    said = f"left out: {path}/talks/c.jsonl, line 1: turn 1 is 1, not text; correct it\n"
    assert said in capsys.readouterr().err


def test_a_damaged_pickle_and_a_list_in_itself_are_one_line(tmp_path):
    whole = pickle.dumps(TURNS)
    for cut in (2, len(whole) // 2, len(whole) - 1):
        (tmp_path / "a.pkl").write_bytes(whole[:cut])
        with pytest.raises(InputError, match="pickle"):
            list(pickled_rows(tmp_path / "a.pkl"))
    loop: list = []
    loop.append(loop)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(loop))
    with pytest.raises(InputError, match="turn 0 is a list"):
        read(tmp_path / "a.pkl")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", b"", "the file is empty"),
        ("a.jsonl", b"PAR1...", "this is Parquet, which is not read here"),
        ("a.txt", "Привет!\nЗдравствуй.\n".encode(), "begins with 'Привет"),
        ("a.txt", "- а\n\nб\n- в\n".encode(), "line 3: a dialogue begins with"),
        ("a.txt", b"- \xd0\xbf\xd1\x80\xd0\xb8\n- \xff\xfe\xd0\n", "line 2: invalid UTF-8"),
        ("a.jsonl", b'["a", 1]\n', "line 1: turn 1 is 1, not text"),
        ("a.txt", b"[12.03.24, 10:11] Anna: hi\n", r"begins with '\[12.03.24, 10:11\] Anna"),
        (
            "a.jsonl",
            b'[[{"id": 1, "text": "a"}]]\n',
            r"message 0 is an object \(there: 'id', 'text'\) without role and content",
        ),
        ("a.jsonl", b'[[{"from": "A", "text": "a"}, "b"]]\n', "message 1 is 'b', not an object"),
        *(
            ("a.json", json.dumps([said_by(*who)]).encode(), f"message {n} is of {last}")
            for n, last, who in [
                (2, "'b' after 'b'", "abb"),
                (2, "'c' after 'b'", "abc"),
                (1, "'b' after 'b'", "bb"),
                (1, "'tool', which is no speaker", ["user", "tool"]),
                (1, "'observation', which is no", ["human", "observation"]),
            ]
        ),
        ("a.json", json.dumps([said_by("system")]).encode(), "a dialogue of 0 turns"),
        *(
            (
                "a.json",
                json.dumps([[*said_by("system", "user"), {"role": "b", "content": text}]]).encode(),
                f"message 2: content is {what}, not text",
            )
            for text, what in [(None, "null"), ([{"type": "text", "text": "a"}], "a list")]
        ),
        ("a.jsonl", b'{"turns": ["a"]}\n', "no 'dialogue' in it"),
        ("a.jsonl", b'["a"\n', "broken JSON"),
        ("a.txt", b"PK\x03\x04zip", "a zip archive; unpack it"),
        ("a.csv", b"a,b\n", r"no data file in it \(there: a.csv\)"),
    ],
)
def test_a_bad_file_is_one_line_with_its_place(tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=expected):
        read(tmp_path)


def test_bad_rows_are_left_out_and_counted_if_asked_and_n_are_drawn_of_all(tmp_path):
    (tmp_path / "a.jsonl").write_text('["а", "б"]\n5\n["в", "г"]\n{"dialogue": null}\n')
    bad = BadRows(True)
    assert read(tmp_path, bad) == [["а", "б"], ["в", "г"]]
    assert bad.counts.total() == 2
    assert len(read(tmp_path, BadRows(True), n=1)) == 1


@pytest.mark.parametrize("names", [("role", "content"), ("from", "value"), ("speaker", "text")])
def test_messages_of_two_speakers_are_a_dialogue_without_instructions(tmp_path, names):
    speakers = [["a", "b", "a"], ["system", "a", "b"], ["developer", "user"], ["System", "user"]]
    rows = [{"dialogue": said_by(*each, names=names)} for each in speakers]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read(tmp_path) == [["0", "1", "2"], ["1", "2"], ["1"], ["1"]]


def table(*dialogues: list[str]) -> pl.DataFrame:
    rows = [{"dialogue_id": f"d{i}", "turns": turns} for i, turns in enumerate(dialogues)]
    return pl.DataFrame(rows, schema=DIALOGUE_SCHEMA)


def test_a_dialogue_ends_before_its_first_turn_that_cannot_be_kept():
    kept, fates, turns = clean_batch(
        table(
            ["- Ёж\u200b  И \u200b ёж", "Да.\n"],
            ["а", "б", " ", "в"],
            ["а", "x" * 21, "в"],
            ["", "б", "в"],
            ["один"],
        ),
        CLEAN,
    )
    assert kept["turns"].to_list() == [["еж и еж", "да."], ["а", "б"]]
    assert fates == Counter({None: 2, "long_turn": 1, "empty_turn": 1, "one_turn": 1})
    assert turns == {"in": 13, "out": 4, "dialogues_cut": 1}
    with pytest.raises(InputError, match=r"no dialogue with a reply is left \(one_turn: 3\)"):
        check_any_left("x", Counter(one_turn=3))


def test_echoes_are_equal_or_nearly_equal_and_a_text_without_words_is_none():
    inputs = ["Как дела?", "как меня зовут", "...", "один два три", "да"]
    replies = ["как дела!", "как тебя зовут", "...", "три четыре пять", ""]
    assert is_echo(pl.Series(inputs), pl.Series(replies), 1.0).to_list() == [True] + [False] * 4
    # "как меня зовут" / "как тебя зовут" with padding: 16 shingles each, 11 shared: 11 / 21
    assert is_echo(pl.Series(inputs), pl.Series(replies), 0.52).to_list()[:2] == [True, True]
    assert is_echo(pl.Series(inputs), pl.Series(replies), 0.53).to_list()[:2] == [True, False]


def test_both_rules_are_switches_of_the_train_split_and_counted():
    openings = [f"это начало номер {i} и слово {chr(1072 + i % 32) * 6}" for i in range(200)]
    once = [[opening, "да", "да!", "нет"] for opening in openings]
    again = [[opening, "другое"] for opening in openings[:50]]
    dialogues = table(*once, *again, ["эхо одно и то же", "эхо, одно и то же!"])
    on = split_dialogues(dialogues, RULES)
    off = split_dialogues(dialogues, Rules(False, False, False, *RULES_REST))
    # What is measured on is the same.
    for split in ("validation", "test"):
        assert (
            on.filter(pl.col("fate").is_null(), split=split)["turns"].to_list()
            == off.filter(pl.col("fate").is_null(), split=split)["turns"].to_list()
        )
    # No opening is on two sides.
    sides = off.filter(pl.col("fate").is_null()).group_by("opening").agg(pl.col("split").n_unique())
    assert (sides["split"] == 1).all()
    train_on, train_off = (
        each.filter(pl.col("fate").is_null(), split="train") for each in (on, off)
    )
    assert train_off.height > train_on.height
    fates = Counter(on["fate"].to_list())
    assert fates.total() == 251 and fates["same_first_line"] == 50
    # "да!" repeats "да": it is no reply, and what follows it is one.
    marks = {tuple(m) for m in train_on["is_reply"].to_list() if len(m) == 4}
    assert marks == {(False, True, False, True)}
    counted = count_replies(train_on)
    assert counted["in"] == counted["out"] + counted["echoes"] and counted["echoes"] > 0
    assert count_replies(train_off)["echoes"] == 0


RULES_REST = (0.8, 0.9, 0.2, 0.2, 5, True, 64, 17)


def test_shares_that_leave_nothing_to_train_on_are_refused():
    with pytest.raises(InputError, match=r"dedup\.validation_share=0\.5"):
        check_rules(Rules(True, True, True, 0.8, 0.9, 0.5, 0.5, 5, True, 64, 17))


def test_the_mini_world_names_facts_that_are_needed_two_turns_later():
    frames = list(mini_dialogues.make_dialogues(WORLD, 800, 17))
    turns = pl.concat(frames)["turns"].to_list()
    assert turns == pl.concat(mini_dialogues.make_dialogues(WORLD, 800, 17))["turns"].to_list()
    assert {len(each) for each in turns} <= set(range(2, 9))
    facts = yaml.safe_load(WORLD.read_text(encoding="utf-8"))["facts"].values()
    values = {value for fact in facts for value in fact["values"]}
    named = [
        [values & set(turn.strip(".?!").replace(",", "").split()) for turn in each]
        for each in turns
    ]
    needed = [
        (said[i - 3] & said[i], said[i - 1])
        for said in named
        for i in range(3, len(said))
        if said[i] and said[i] & said[i - 3]
    ]
    assert len(needed) > 300
    assert sum(not asked for _, asked in needed) > 0.85 * len(needed)  # the question names it not
    pairs = [(a, b) for each in turns for a, b in pairwise(each)]
    echoes = is_echo(*(pl.Series([pair[i] for pair in pairs]) for i in (0, 1)), 0.8)
    assert 0.05 < echoes.mean() < 0.12
    assert Counter(each[0] for each in turns).most_common(1)[0][1] > 1  # planted openings


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("greetings: [привет", "not YAML"),
        ("facts: {}", "top level: greetings is missing"),
        (
            "greetings: [а]\nclosings: [а]\nfacts: {}\ntopics: {}",
            "facts: 0 keys; give it at least 1",
        ),
        (
            "greetings: [а]\nclosings: [а]\nfacts: {name: {say: [я], between: [б], ask: [в], "
            "answer: [_], values: [а]}}\ntopics: {}",
            "facts, name, say: 'я' names no value",
        ),
    ],
)
def test_a_broken_vocabulary_is_named_with_its_part(tmp_path, change, expected):
    (tmp_path / "world.yaml").write_text(change)
    with pytest.raises(InputError, match=expected):
        mini_dialogues.read_world(tmp_path / "world.yaml")


UNCLEAN = {
    "Хорошо.<br />Плохо &amp; дорого &quot;тут&quot;": 'Хорошо. Плохо & дорого "тут"',
    "<p>Вкусно</p>&nbsp;очень и очень": "Вкусно очень и очень",
    "Очень вкусно".encode().decode("windows-1251"): "Очень вкусно",
}


def test_turns_lose_markup_entities_and_mistaken_encodings_as_reviews_do():
    rules = CleanRules(
        strip_markup=True,
        repair_encoding=True,
        lower_case=False,
        fold_yo=False,
        strip_dashes=False,
        max_chars=99,
    )
    assert clean_turns(pl.Series(list(UNCLEAN)), rules).to_list() == list(UNCLEAN.values())
    off = replace(rules, strip_markup=False, repair_encoding=False)
    assert clean_turns(pl.Series(list(UNCLEAN)), off).to_list() == list(UNCLEAN)
