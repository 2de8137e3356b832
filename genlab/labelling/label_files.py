"""The files that keep the raters' answers.

Each rater has one JSON Lines file with a line per answer. It is only ever appended to, and an
answer is on disk before the next text is shown. An answer taken back is a line of its own, with the
answer null. Every line holds a fingerprint of the text and its captions, so that an answer is never
counted for another text.
"""

import errno
import json
import os
import re
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from filelock import lock_descriptor

from genlab.core.params import is_number
from genlab.core.program import InputError
from genlab.core.shapes import parse_json
from genlab.labelling.questionnaire import BOTH, MAJORITY, Questionnaire

LINE_START = b'{"text_id": "'
LABEL_SCHEMA = pl.Schema(
    {
        "text_id": pl.String,
        "rater": pl.String,
        "answer": pl.String,
        "fingerprint": pl.String,
        "seconds": pl.Float64,  # from when the text was shown; null if not measured
        "time": pl.String,  # UTC, ISO 8601
    }
)


@dataclass(frozen=True)
class Line:
    """One line of a label file; answer None takes the text's answer back."""

    number: int
    text_id: str
    answer: str | None
    fingerprint: str
    seconds: float | None
    time: str


def check_rater(name: str) -> str:
    """Return a rater's name; raise InputError if it cannot name a file and a row of shares."""
    if not re.fullmatch(r"\w[\w-]{0,39}", name) or name in (BOTH, MAJORITY):
        raise InputError(
            f"rater {name!r}: a name is letters, digits, - and _, at most 40, and neither {BOTH}"
            f" nor {MAJORITY}"
        )
    return name


def check_only_one(path: Path) -> None:
    """Raise InputError if a file beside a rater's has the same name but for case or accents."""
    for other in path.parent.glob("*.jsonl"):
        if other.stem != path.stem and same_name(other.stem) == same_name(path.stem):
            raise InputError(
                f"rater {path.stem}: {other} is there, and differs in case only; are you "
                f"{other.stem}? if not, take another name"
            )


def same_name(name: str) -> str:
    """Return a key that is equal for two names that some file systems do not tell apart."""
    return unicodedata.normalize("NFC", name).casefold()


def read_lines(path: Path, answers: Iterable[str] | Questionnaire) -> tuple[list[Line], bytes]:
    """Return the lines of a rater's file, and the incomplete last line of a killed process.

    Raises InputError with file and line for a line that is not valid.
    """
    content = path.read_bytes()
    *whole, last = content.split(b"\n")
    # A line of ours begins with its id and ends in "}": whatever else lacks a line end was
    # written by hand, and is read like any other line.
    is_ours = last.startswith(LINE_START) or LINE_START.startswith(last)
    torn = last if is_ours and not last.rstrip().endswith(b"}") else b""
    if last and not torn:
        whole.append(last)
    known = answers if isinstance(answers, Questionnaire) else frozenset(answers)
    lines = [
        parse_line(path, number, line, known)
        for number, line in enumerate(whole, 1)
        if line.strip()
    ]
    return lines, torn


def parse_line(
    path: Path, number: int, content: bytes, answers: frozenset[str] | Questionnaire
) -> Line:
    """Return one line; raise InputError saying what is wrong with it."""
    where = f"{path} line {number}"
    try:
        record = parse_json(content.decode("utf-8-sig"), distinct=True)
    except ValueError as error:
        raise InputError(f"{where}: not JSON ({error}); mend the line or delete it") from None
    if not isinstance(record, dict):
        raise InputError(f"{where}: not an object in braces; mend the line or delete it")
    for key in ("text_id", "rater", "fingerprint", "time"):
        if not isinstance(record.get(key), str):
            raise InputError(f"{where}: it has no {key}; mend the line or delete it")
    if record["rater"] != path.stem:
        raise InputError(
            f"{where}: an answer of {record['rater']} in the file of {path.stem}; a file holds one"
            f" rater's answers, so move the line to {record['rater']}.jsonl"
        )
    answer = record.get("answer", "none")
    if answer is not None and (not isinstance(answer, str) or not is_known(answer, answers)):
        is_order = isinstance(answers, Questionnaire) and answers.is_order
        those = "an order such as 2>1=3" if is_order else ", ".join(sorted(names_of(answers)))
        raise InputError(f"{where}: {answer} is no answer ({those}); mend the line")
    seconds = record.get("seconds")
    if seconds is not None and not is_duration(seconds):
        raise InputError(f"{where}: seconds is {seconds}; it must be a number from 0 on, or null")
    return Line(number, record["text_id"], answer, record["fingerprint"], seconds, record["time"])


def is_known(answer: str, answers: frozenset[str] | Questionnaire) -> bool:
    """Return whether the answer is one of these, or valid for the questionnaire."""
    return answers.takes(answer) if isinstance(answers, Questionnaire) else answer in answers


def names_of(answers: frozenset[str] | Questionnaire) -> Iterable[str]:
    """Return the names of the answers there are to choose from."""
    return answers.choices if isinstance(answers, Questionnaire) else answers


def is_duration(value: object) -> bool:
    return is_number(value) and value >= 0


def standing_answers(path: Path, lines: Iterable[Line]) -> dict[str, Line]:
    """Return text_id -> the line with its current answer, in the order of the answers.

    Raises InputError if a text has two answers and none was taken back: which one counts is not
    for a program to guess.
    """
    standing: dict[str, Line] = {}
    for line in lines:
        before = standing.get(line.text_id)
        if line.answer is None:
            standing.pop(line.text_id, None)
        elif before is None:
            standing[line.text_id] = line
        elif (line.answer, line.fingerprint) != (before.answer, before.fingerprint):
            raise InputError(
                f"{path} line {line.number}: text {line.text_id} is {line.answer} here and"
                f" {before.answer} in line {before.number}; delete the one that is wrong"
            )
    return standing


def check_labels(path: Path, standing: dict[str, Line], fingerprints: dict[str, str]) -> None:
    """Raise InputError if an answer is about a text that is not there, or that has changed."""
    for line in standing.values():
        where = f"{path} line {line.number}"
        advice = (
            "bring the texts of that time back (git checkout and `dvc checkout`), mend the line,"
            " or label under another name"
        )
        if line.text_id not in fingerprints:
            raise InputError(f"{where}: there is no text {line.text_id}; {advice}")
        if line.fingerprint != fingerprints[line.text_id]:
            raise InputError(
                f"{where}: text {line.text_id}, or what is shown beside it, has changed since it"
                f" was labelled; {advice}"
            )


class LabelFile:
    """One rater's answers to these texts, on disk when `answer` and `undo` return.

    The file is locked for one process and only ever appended to, but for a torn last line, which
    is cut off when it is opened (`notice` says so). Nothing is written if the file was changed by
    someone else meanwhile.
    """

    def __init__(
        self,
        path: Path,
        answers: Iterable[str] | Questionnaire,
        fingerprints: dict[str, str],
    ) -> None:
        self.path = path
        self.rater = check_rater(path.stem)
        check_only_one(path)
        self.fingerprints = fingerprints
        self.notice = ""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            if not lock_descriptor(self.descriptor, blocking=False):
                raise InputError(
                    f"{path}: another desk has it open; use that one, or end it with Ctrl-C"
                )
            lines, torn = read_lines(path, answers)
            standing = standing_answers(path, lines)
            check_labels(path, standing, fingerprints)
            self.answers = {name: line.answer for name, line in standing.items()}
            self.mend_end(torn)
            sync_folder(path.parent)
            self.state = file_state(os.fstat(self.descriptor))
        except BaseException:
            self.close()
            raise

    def mend_end(self, torn: bytes) -> None:
        """Cut a torn last line off, or end a last line that was written by hand without an end."""
        size = os.fstat(self.descriptor).st_size
        if torn:
            os.ftruncate(self.descriptor, size - len(torn))
            self.notice = (
                f"{self.path}: the last line was cut short when it was being written, and is taken"
                f" out: {torn.decode(errors='replace')!r}. That text is asked again."
            )
        elif size and os.pread(self.descriptor, 1, size - 1) != b"\n":
            os.write(self.descriptor, b"\n")
        os.fsync(self.descriptor)

    def answer(self, text_id: str, answer: str, seconds: float | None) -> None:
        """Append an answer to a text that has none."""
        self.append(text_id, answer, seconds)
        self.answers[text_id] = answer

    def undo(self, text_id: str) -> None:
        """Append that the text's answer is taken back."""
        self.append(text_id, None, None)
        del self.answers[text_id]

    def append(self, text_id: str, answer: str | None, seconds: float | None) -> None:
        """Write one line, whole or not at all: OSError if the disk does not take it.

        Raises InputError if the file is not as this process left it (an editor, a git checkout):
        the answer would go to a file that is gone, or contradict one that was added.
        """
        try:
            state = file_state(os.stat(self.path))
        except FileNotFoundError:
            state = None
        if state != self.state:
            raise InputError(
                f"{self.path} was changed by another program; end the desk (Ctrl-C) and start it"
                " again, so that it reads the file anew"
            )
        record = {
            "text_id": text_id,
            "rater": self.rater,
            "answer": answer,
            "fingerprint": self.fingerprints[text_id],
            "seconds": seconds,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        line = json.dumps(record, ensure_ascii=False).encode() + b"\n"
        try:
            if os.write(self.descriptor, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            os.fsync(self.descriptor)
        except OSError:
            # If half a line must stay, the state does not fit any more and no line follows it.
            with suppress(OSError):
                os.ftruncate(self.descriptor, state[-1])
            raise
        self.state = file_state(os.fstat(self.descriptor))

    def close(self) -> None:
        os.close(self.descriptor)


def file_state(status: os.stat_result) -> tuple[int, int, int]:
    """Return a tuple that changes if another program writes or replaces the file; size last."""
    return status.st_dev, status.st_ino, status.st_size


def sync_folder(folder: Path) -> None:
    """Write the folder's entries to disk; a new file's own fsync does not do that."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# ---- for counting


def read_labels(folder: Path, sheet: Questionnaire) -> pl.DataFrame:
    """Return the answers that count, of all NAME.jsonl in a folder (LABEL_SCHEMA).

    No folder, or an empty one, gives no rows. Raises InputError with file and line for what is
    wrong, a torn last line too.
    """
    rows = []
    for path in sorted(folder.glob("*.jsonl")):
        check_rater(path.stem)
        lines, torn = read_lines(path, sheet)
        if torn:
            raise InputError(
                f"{path}: its last line was cut short; open the desk as {path.stem}, which mends it"
            )
        rows += [
            (line.text_id, path.stem, line.answer, line.fingerprint, line.seconds, line.time)
            for line in standing_answers(path, lines).values()
        ]
    return pl.DataFrame(rows, LABEL_SCHEMA, orient="row")
