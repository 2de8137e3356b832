"""Dialogues of the user's: JSON, Telegram's export, a pickle, text of "- " lines, or the Hub.

    ["Привет!", "Здравствуй."]                     a line, or a row of an array: a list of turns,
    {"dialogue": ["Привет!", "Здравствуй."]}       or an object with one
    {"dialogue": [{"role": "user", "content": "Привет!"}, ...]}   or with messages of two speakers
    - Привет!                                      text: a turn begins with a dash, a blank line
    - Здравствуй.                                  ends the dialogue

A pickle and Telegram's export are read as a whole; of other files rows are read one by one, so one
of any size needs little memory. A row that is no dialogue is named with its place and its fault; it
stops the stage, or is left out and counted.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import polars as pl
from typer import Option

from genlab.core.program import InputError
from genlab.core.terminal import tell_once
from genlab.sources.bad_rows import BadRows
from genlab.sources.corpus_frames import frames_of, hub_rows, names_of
from genlab.sources.data_files import found_files
from genlab.sources.decoding import Encoding
from genlab.sources.file_text import opened, recognise_start, text_lines
from genlab.sources.json_text import json_rows
from genlab.sources.source import Origin, Source
from genlab.sources.text_files import all_of, check_text, shown
from pipelines.chitchat import mini_dialogues
from pipelines.chitchat.dialogue_pickles import pickled_rows
from pipelines.chitchat.schemas import DIALOGUE_SCHEMA
from pipelines.chitchat.telegram_exports import exported_dialogues, is_export

EXTENSIONS = (".jsonl", ".ndjson", ".json", ".pkl", ".pickle", ".txt")
# What OpenAI, ShareGPT and others call a message's speaker and its text.
SPEAKER_NAMES = ("role", "from", "speaker")
TEXT_NAMES = ("content", "value", "text")
INSTRUCTORS = ("system", "developer")  # what they say is no turn
# What a program says, and what the model tells it.
PROGRAMS = ("tool", "tool_call", "tool_response", "function", "function_call", "observation")
MAX_TURNS = 10_000  # ours: more are a file without blank lines, not a dialogue
DASH = re.compile(r"\s*[-–—]\s*")
JSON_START = re.compile(r'\{|\[\s*(?:["\[{\]]|null)')  # not [12.03.24, 10:11] Anna: hi
RULE = re.compile(r"\s*([-–—*=_~#])(?:\s*\1){2,}\s*")  # of one sign alone: it divides, too


class DialogueFormat(StrEnum):
    """How a file is laid out."""

    auto = "auto"  # by its content
    jsonl = "jsonl"  # or a JSON array
    pickle = "pickle"
    dashes = "dashes"
    telegram = "telegram"  # result.json of Telegram Desktop


@dataclass(frozen=True)
class Reading:
    """How dialogues are read from files or the Hub, and how many."""

    format: Annotated[DialogueFormat, Option(help="file: how it is written; auto recognises it")]
    encoding: Annotated[Encoding, Option(help="file: of its characters; auto recognises it")]
    column: Annotated[str, Option(help="of the list of turns, in JSON objects and on the hub")]
    max_text_bytes: Annotated[int, Option(min=1, help="of a turn; more is a bad row")]
    n_dialogues: Annotated[int, Option(min=0, help="0: all there are; mini: at least 1")]
    seed: Annotated[int, Option(min=0)]


def fetch_dialogues(
    origin: Origin, reading: Reading, bad_rows: BadRows, files: Counter, messages: Counter
) -> tuple[Iterator[pl.DataFrame], str]:
    """Return frames of DIALOGUE_SCHEMA, not read yet, and the Hub's commit, "none" without one.

    files: counts those read, hidden and unread of a folder of the user's; messages: those that are
    left out of Telegram's exports.
    """
    if origin.source is Source.mini:
        made = mini_dialogues.make_dialogues(origin.path, reading.n_dialogues, reading.seed)
        return made, "none"
    if origin.source is Source.hub:
        return read_hub_dialogues(origin.hub_id, origin.revision, reading, bad_rows)
    return read_dialogue_files(origin.path, reading, bad_rows, files, messages), "none"


def read_dialogue_files(
    path: Path,
    reading: Reading,
    bad_rows: BadRows,
    counts: Counter | None = None,
    messages: Counter | None = None,
) -> Iterator[pl.DataFrame]:
    """Yield the dialogues of a file, or of all data files of a folder or zip.

    Counts files read, hidden and unread, and messages left out of Telegram's exports.
    """
    left_out = Counter() if messages is None else messages
    with found_files(path, EXTENSIONS, counts) as (place, files):
        bad = bad_rows.read_at(place, path)
        rows = (read_rows(file, reading, bad, left_out) for file in files)
        parts = zip(names_of(files, EXTENSIONS), rows, strict=True)
        yield from collect_frames(str(path), parts, reading, bad)


def read_hub_dialogues(
    hub_id: str, revision: str, reading: Reading, bad_rows: BadRows
) -> tuple[Iterator[pl.DataFrame], str]:
    """Return the dialogues of a Hub dataset's split train at `revision`, and the commit."""
    rows, commit = hub_rows(hub_id, revision, all_of([reading.column]))
    frames = collect_frames(hub_id, [("hub", rows)], reading, bad_rows)
    return frames, commit


def read_rows(
    file: Path, reading: Reading, bad_rows: BadRows, messages: Counter
) -> Iterator[tuple[str, Any]]:
    """Yield the raw rows of one file with their places; counts messages that are left out."""
    encoding, kind = reading.encoding, reading.format
    if kind is DialogueFormat.auto:
        kind = recognise(file, encoding)
    if kind is DialogueFormat.pickle:
        return pickled_rows(file)
    if kind is DialogueFormat.jsonl:
        return json_rows(file, "dialogues", encoding, bad_rows.add)
    if kind is DialogueFormat.telegram:
        return exported_dialogues(file, encoding, bad_rows, messages)
    return dashed_rows(file, encoding, bad_rows)


def recognise(file: Path, encoding: Encoding) -> DialogueFormat:
    """Return how a file is laid out, by its first characters; raise InputError for none of ours."""
    with opened(file) as stream:
        head = stream.read(2)
    if head[:1] == b"\x80" or head in (b"(l", b"]q", b"]\x94"):  # protocol 2 to 5, or 0 and 1
        return DialogueFormat.pickle
    is_parquet, start = recognise_start(file, 'dialogues, like lines "- Привет!"', encoding)
    if is_export(start):
        return DialogueFormat.telegram
    if JSON_START.match(start):
        return DialogueFormat.jsonl
    if is_parquet:
        raise InputError(
            f"{file}: this is Parquet, which is not read here; export it as JSON Lines"
        )
    if DASH.match(start):
        return DialogueFormat.dashes
    raise InputError(
        f"{file}: begins with {start[:30]!r}; a file of dialogues has JSON Lines, or turns that "
        'begin with "- " and a blank line between dialogues'
    )


def dashed_rows(
    file: Path, encoding: Encoding, bad_rows: BadRows
) -> Iterator[tuple[str, list[str]]]:
    """Yield dialogues of lines "- turn", with a blank line between them; places are first lines.

    A line of dashes or stars alone stands for a blank one. A line without a dash goes on with the
    turn before it.
    """
    turns: list[str] = []
    began = ""
    for place, line in text_lines(file, encoding, bad_rows.add, keep_blank=True):
        if not line.strip() or RULE.fullmatch(line):
            if turns:
                yield began, turns
            turns = []
            continue
        dash = DASH.match(line)
        began = began if turns else place
        if not dash and not turns:
            bad_rows.add(InputError(f'{place}: a dialogue begins with "- ", not {line[:30]!r}'))
        elif dash:
            turns.append(line[dash.end() :])
        else:
            turns[-1] += " " + line.strip()
        if len(turns) > MAX_TURNS:
            raise InputError(
                f"{began}: more than {MAX_TURNS} turns without a blank line; put one between "
                "dialogues"
            )
    if turns:
        yield began, turns


def collect_frames(
    corpus: str,
    parts: Iterable[tuple[str, Iterator[tuple[str, Any]]]],
    reading: Reading,
    bad_rows: BadRows,
) -> Iterator[pl.DataFrame]:
    """Yield frames from parts (name, rows); an id is "<name>-<number>"."""

    def checked() -> Iterator[dict]:
        for name, placed in parts:
            for number, (place, row) in enumerate(placed):
                try:
                    turns = check_turns(place, row, reading.column, reading.max_text_bytes)
                except InputError as error:
                    bad_rows.add(error)
                    continue
                yield {"dialogue_id": f"{name}-{number}", "turns": turns}

    none_there = f"{corpus}: there are no dialogues"
    yield from frames_of(
        checked(), DIALOGUE_SCHEMA, reading.n_dialogues, reading.seed, none_there, bad_rows
    )


def check_turns(place: str, row: Any, column: str, max_text_bytes: int) -> list[str]:
    """Return a raw row's turns; raise InputError if it is no dialogue."""
    if isinstance(row, dict):
        if column not in row:
            names = ", ".join(map(shown, list(row)[:5]))
            raise InputError(f"{place}: no {column!r} in it (there: {names}); see corpus.column")
        row = row[column]
    if not isinstance(row, list):
        raise InputError(f"{place}: {shown(row)}, not a list of turns; correct it")
    said = spoken_turns(place, row) if any(isinstance(turn, dict) for turn in row) else row
    if not said or len(said) > MAX_TURNS:
        raise InputError(f"{place}: a dialogue of {len(said)} turns; remove it")
    for number, turn in enumerate(said):
        check_text(place, f"turn {number}", turn, max_text_bytes, of_table=False)
    return said


def spoken_turns(place: str, messages: list) -> list:
    """Return the texts of messages of two speakers, who take turns; instructions are left out.

    Raises InputError for what is no message, for a program's, and for speakers who do not take
    turns.
    """
    turns: list = []
    speakers: list = []
    for number, message in enumerate(messages):
        speaker, text = speaker_and_text(f"{place}: message {number}", message)
        if speaker.lower() in INSTRUCTORS:
            tell_once("left out: messages of system or developer, as they are no turns")
            continue
        is_in_turn = speaker != speakers[-1] if len(speakers) == 1 else speaker in speakers[-2:-1]
        if speakers and not is_in_turn:
            raise InputError(
                f"{place}: message {number} is of {shown(speaker)} after {shown(speakers[-1])}; "
                "two speakers take turns in a dialogue, so join what one says, or remove the row"
            )
        speakers.append(speaker)
        turns.append(text)
    return turns


def speaker_and_text(place: str, message: Any) -> tuple[str, str]:
    """Return who says what in a message; raise InputError for what is none of a person or model."""
    if not isinstance(message, dict):
        raise InputError(f"{place} is {shown(message)}, not an object as the others are")
    names = [next(filter(message.__contains__, each), "") for each in (SPEAKER_NAMES, TEXT_NAMES)]
    if not all(names):
        there = ", ".join(map(shown, list(message)[:5]))
        raise InputError(
            f"{place} is an object (there: {there}) without role and content; write the dialogue "
            "as a list of texts"
        )
    if (speaker := message[names[0]]) in PROGRAMS:
        raise InputError(f"{place} is of {shown(speaker)}, which is no speaker; remove the row")
    for name in names:
        if not isinstance(message[name], str):
            raise InputError(f"{place}: {name} is {shown(message[name])}, not text; correct it")
    return speaker, message[names[1]]
