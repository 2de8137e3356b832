"""Telegram Desktop's export: who answers whom, where a dialogue ends, and what is left out."""

import json
import re
import time
from collections import Counter

import pytest

from genlab.core.program import InputError
from genlab.sources.bad_rows import BadRows
from genlab.sources.decoding import Encoding
from pipelines.chitchat.dialogue_files import DialogueFormat, Reading, read_dialogue_files

READING = Reading(DialogueFormat.auto, Encoding.auto, "dialogue", 1_000, 0, 17)
START = 1_700_000_000


def message(number, who, minute, text, **more):
    return {
        "id": number, "type": "message", "date_unixtime": str(START + 60 * minute),
        "from": who, "from_id": f"user{who}", "text": text, **more,
    }  # fmt: skip


def chat(*messages, name="Аня", kind="personal_chat"):
    return {"name": name, "type": kind, "id": 7, "messages": list(messages)}


def write(path, content):
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    return path


def turns_of(path):
    [frame] = read_dialogue_files(path, READING, BadRows(are_dropped=False))
    return frame["turns"].to_list()


def test_messages_in_a_row_are_a_turn_and_an_hours_silence_ends_a_dialogue(tmp_path, capsys):
    path = write(
        tmp_path / "result.json",
        chat(
            {"id": 1, "type": "service", "action": "phone_call", "text": ""},
            message(2, "Аня", 0, "Привет!"),
            message(3, "Аня", 1, "Как дела?"),
            message(4, "Боря", 60, ["Смотри: ", {"type": "link", "text": "example.org"}, "\nда"]),
            message(5, "Аня", 120, "Спасибо."),  # 60 minutes: no more than an hour
            message(6, "Боря", 181, "Ты где?"),
            message(7, "Аня", 182, "Дома."),
            message(8, "Аня", 300, "Ау"),
        ),
    )
    assert turns_of(path) == [
        ["Привет! Как дела?", "Смотри: example.org да", "Спасибо."],
        ["Ты где?", "Дома."],
    ]
    said = capsys.readouterr().err
    alone = "1 that nobody answered in text within an hour"
    assert said == f"left out of result.json, messages: {alone}\n"


def test_what_has_no_text_of_its_own_ends_a_dialogue_and_is_counted(tmp_path, capsys):
    path = write(
        tmp_path / "result.json",
        chat(
            message(1, "Аня", 0, "Видел?"),
            message(2, "Боря", 1, "Что?"),
            message(3, "Аня", 2, "", photo="photos/1.jpg"),
            message(4, "Боря", 3, "Красиво."),
            message(5, "Аня", 4, "Правда?"),
            message(6, "Боря", 5, "чужое", forwarded_from="Канал"),
            message(7, "Аня", 6, "Позвоню?"),
            message(8, "Боря", 7, "Да."),
            message(9, "Аня", 8, "", type="service", action="phone_call"),  # not answered
            message(10, "Аня", 9, "Ты где?"),
            message(11, "Аня", 10, "", type="service", action="phone_call", duration_seconds=60),
            message(12, "Боря", 12, "Так и сделаем."),
            message(13, "Аня", 13, "Хорошо."),
        ),
    )
    assert turns_of(path) == [
        ["Видел?", "Что?"],
        ["Красиво.", "Правда?"],
        ["Позвоню?", "Да.", "Ты где?"],
        ["Так и сделаем.", "Хорошо."],
    ]
    assert (
        capsys.readouterr().err
        == "left out of result.json, messages: 3 without text of their own\n"
    )


def test_what_is_left_out_is_counted_by_its_reason(tmp_path):
    path = write(
        tmp_path / "result.json",
        chat(
            message(1, "Аня", 0, "Да?"),
            message(2, "Боря", 1, "Да."),
            message(3, "Аня", 2, "", photo="photos/1.jpg"),
            {"id": 4, "type": "service", "action": "pin_message", "text": ""},
            message(5, "Аня", 3, "Ау"),
            message(6, "Аня", 4, "Ты где?"),
        ),
    )
    messages = Counter()
    read = read_dialogue_files(path, READING, BadRows(are_dropped=False), Counter(), messages)
    assert [len(frame) for frame in read] == [1]
    assert messages == {"without_text": 1, "service": 1, "unanswered": 2}


def test_of_an_export_of_all_chats_those_of_two_people_are_read(tmp_path, capsys):
    talk = message(1, "Аня", 0, "Да?"), message(2, "Боря", 1, "Да.")
    found = [chat(*talk), chat(*talk, name="Се\x1b[2Jмья\n", kind="private_group")]
    path = write(tmp_path / "result.json", {"about": "all", "chats": {"list": found}})
    assert turns_of(path) == [["Да?", "Да."]]
    assert capsys.readouterr().err == (
        "not read, no chat of two people: 1 (Се [2Jмья (private_group))\n"
    )


def test_an_export_that_a_program_wrote_anew_in_one_line_is_one(tmp_path):
    talk = chat(message(1, "Аня", 0, "Да?"), message(2, "Боря", 1, "Да."), name="Аня {[")
    for content in (talk, {"about": "all", "chats": {"list": [talk]}}):
        (tmp_path / "result.json").write_text(json.dumps(content))
        assert turns_of(tmp_path / "result.json") == [["Да?", "Да."]]


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="a machine's time zone cannot be set")
def test_older_exports_have_local_times_which_no_machines_zone_shifts(tmp_path, monkeypatch):
    """In Berlin there is no 02:30 on that day, and from 01:50 to 03:00 are ten minutes."""
    first, last = message(1, "Аня", 0, "Да?"), message(2, "Боря", 0, "Да.")
    for each, clock in ((first, "01:50"), (last, "03:00")):
        del each["date_unixtime"]
        each["date"] = f"2021-03-28T{clock}:00"
    third = {**first, "date": "2021-03-28T03:30:00"}
    path = write(tmp_path / "result.json", chat(first, last, third))
    try:
        for zone in ("UTC", "Europe/Berlin"):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            assert turns_of(path) == [["Да.", "Да?"]]
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (chat(kind="bot_chat"), ": no chat of two people with messages (type personal_chat) in it"),
        (chat({"type": "message", "id": 5}), ", chat Аня, message 5: it has no date; export the"),
        (chat("x"), ", chat Аня: a message is 'x', not an object"),
    ],
)
def test_an_export_that_cannot_be_used_is_one_line_with_its_place(tmp_path, content, expected):
    path = write(tmp_path / "result.json", content)
    with pytest.raises(InputError, match="^" + re.escape(f"{path}{expected}")):
        turns_of(path)


def test_what_has_no_date_is_dropped_and_counted_where_bad_rows_are_and_ends_a_dialogue(tmp_path):
    undated = message(3, "Аня", 2, "Когда?")
    del undated["date_unixtime"]
    talk = [message(number, "АБ"[number % 2], number, f"{number}") for number in range(1, 9)]
    talk[2], talk[5] = undated, "x"
    path = write(tmp_path / "result.json", chat(*talk))
    bad = BadRows(are_dropped=True)
    [frame] = read_dialogue_files(path, READING, bad)
    assert frame["turns"].to_list() == [["1", "2"], ["4", "5"], ["7", "8"]]
    assert bad.counts == {"row": 2}
    with pytest.raises(InputError, match=r"message 3: it has no date; .*corpus\.bad_rows=drop"):
        turns_of(path)


def test_another_programs_object_with_messages_is_not_taken_for_an_export(tmp_path):
    path = write(tmp_path / "chat.json", {"messages": [{"role": "user", "content": "Да?"}]})
    with pytest.raises(InputError, match="write one whole object a line"):
        turns_of(path)


def test_an_export_that_was_cut_off_is_named_with_its_line(tmp_path):
    path = write(tmp_path / "result.json", chat(message(1, "Аня", 0, "Да?")))
    path.write_text(path.read_text("utf-8")[:-20], "utf-8")
    with pytest.raises(InputError, match=r"result\.json, line \d+: broken JSON"):
        turns_of(path)
