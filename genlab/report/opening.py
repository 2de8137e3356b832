"""The opening of a report, from the texts in report.yaml beside a dvc.yaml.

    about:
      length: "{params.gen.max_len} new tokens"
      training: [{when: params.train, say: "{params.train.epochs} epochs"}, {say: none}]
    headline:
    - "Mean reward before: {score.before.reward:2}, after: {score.after.reward:2}."
    - {each: score, when: "score.{each}.win", say: "{each} wins {score.{each}.win:%}."}
    examples: {metric: reward, asked: {prompt: prompt}}
    numbers: {score: What was measured of every arm's texts.}
    names: {ours: "score.{params.score.arm}"}  # so that {ours.reward} can be written above

Every key may be left out, and so may the file. sentences.py says what stands in braces.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from genlab.core.program import InputError
from genlab.core.stand_ins import shown_name
from genlab.core.yaml_text import read_yaml_file
from genlab.experiments.layout import check_keys, check_text
from genlab.report.sentences import fill, has, listed, look_up

OPENING = Path("report.yaml")


@dataclass(frozen=True)
class Said:
    """A sentence of the headline."""

    say: str
    each: str = ""  # said of every member of this group or list, {each} in its words
    when: str = ""  # said only if this name has a value
    unless: str = ""  # said only if this one has none


@dataclass(frozen=True)
class TextsAsked:
    """Which texts are shown as good, middling and bad, and what stands beside each."""

    metric: str = ""  # of claims.yaml; the first of rows.shown if left out
    text: str = "text"  # the column that is shown
    where: dict = field(default_factory=dict)  # column -> value, of the rows
    joined: dict = field(default_factory=dict)  # {table: path, on: {its column: the rows' column}}
    asked: dict = field(default_factory=dict)  # label -> column that is shown above the text
    note: str = ""  # what the texts are
    label: str = "our text"  # what stands before each of them, as a sentence


@dataclass(frozen=True)
class Opening:
    """What report.yaml says."""

    about: dict[str, tuple[Said, ...]] = field(
        default_factory=dict
    )  # label -> the first that is said
    headline: tuple[Said, ...] = ()  # all that are said
    examples: TextsAsked | None = None
    numbers: dict[str, str] = field(default_factory=dict)  # group of numbers -> a sentence
    names: dict[str, str] = field(default_factory=dict)  # short name -> what it is short for


def read_opening(path: Path) -> Opening:
    """Return what report.yaml says, nothing if there is none; InputError names a wrong key."""
    if not path.is_file():
        return Opening()
    content = read_yaml_file(path, "see what may read it")
    check_mapping(str(path), content)
    check_keys(str(path), content, Opening, needed=())
    about, examples = content.get("about", {}), content.get("examples")
    check_mapping(f"{path}: about", about)
    for key in ("numbers", "names"):
        check_texts(f"{path}: {key}", content.get(key, {}))
    return Opening(
        about={label: read_all(f"{path}: about: {label}", each) for label, each in about.items()},
        headline=read_all(f"{path}: headline", content.get("headline", [])),
        examples=None if examples is None else read_asked(f"{path}: examples", examples),
        numbers=content.get("numbers", {}),
        names=content.get("names", {}),
    )


def read_all(where: str, entries: object) -> tuple[Said, ...]:
    """Return a list's sentences; one text stands for a list of it."""
    if isinstance(entries, str):
        return (Said(entries),)
    if not isinstance(entries, list):
        raise InputError(f"{where}: must be a sentence or a list of them")
    return tuple(read_said(f"{where} {i}", each) for i, each in enumerate(entries, 1))


def read_said(where: str, entry: object) -> Said:
    """Return a sentence: text, or a mapping with `say`."""
    if isinstance(entry, str):
        return Said(entry)
    check_mapping(where, entry)
    assert isinstance(entry, dict)
    check_keys(where, entry, Said, needed=("say",))
    check_texts(where, entry)
    return Said(**entry)


def read_asked(where: str, entry: object) -> TextsAsked:
    """Return which texts are shown."""
    check_mapping(where, entry)
    assert isinstance(entry, dict)
    check_keys(where, entry, TextsAsked, needed=())
    for key in ("metric", "text", "note", "label"):
        check_text(f"{where}: {key}", entry.get(key, ""))
    for key in ("where", "joined"):
        check_mapping(f"{where}: {key}", entry.get(key, {}))
    for column, value in entry.get("where", {}).items():
        if isinstance(value, list | dict):
            raise InputError(f"{where}: where: {column} must be one value, not {value}")
    check_texts(f"{where}: asked", entry.get("asked", {}))
    joined = entry.get("joined", {})
    if joined and not (
        joined.keys() == {"table", "on"}
        and isinstance(joined["table"], str)
        and isinstance(joined["on"], dict)
    ):
        raise InputError(f"{where}: joined: must be like {{table: data/x.parquet, on: {{id: id}}}}")
    return TextsAsked(**entry)


def check_mapping(where: str, value: object) -> None:
    """Raise InputError for a value that has no keys."""
    if not isinstance(value, dict):
        raise InputError(f"{where}: must have keys, not be {type(value).__name__}")


def check_texts(where: str, value: object) -> None:
    """Raise InputError for a mapping whose values are not all text."""
    check_mapping(where, value)
    assert isinstance(value, dict)
    for key, each in value.items():
        check_text(f"{where}: {key}", each)


def with_names(opening: Opening, values: dict) -> dict:
    """Return the values, those with a short name under it, too, where they are there."""
    where, known = f"{OPENING}: names", dict(values)
    for short, name in opening.names.items():
        if short in values:
            raise InputError(f"{where}: {short} is a name already; take another")
        full = fill(name, values, where, is_name=True)
        if has(full, values):
            known[short] = look_up(full, values, where)
    return known


def say_about(opening: Opening, values: dict) -> list[tuple[str, str]]:
    """Return what a run is about: labels, each with the first of its sentences that is said."""
    values = with_names(opening, values)
    told = {
        label: next(say_all(entries, values, f"{OPENING}: about: {label}"), None)
        for label, entries in opening.about.items()
    }
    return [(label, words) for label, words in told.items() if words is not None]


def say_headline(opening: Opening, values: dict) -> list[str]:
    """Return the result in sentences, with the numbers of this run."""
    return list(say_all(opening.headline, with_names(opening, values), f"{OPENING}: headline"))


def say_all(entries: tuple[Said, ...], values: dict, where: str) -> Iterator[str]:
    """Yield the sentences that are said of a run.

    Raises InputError for a number that is not there, unless the sentence has a `when`.
    """
    for said in entries:
        for each in members(said.each, values, where):
            known = values | {"each": each}
            there, absent = (
                bool(name) and has(fill(name, known, where, is_name=True), known)
                for name in (said.when, said.unless)
            )
            if (there or not said.when) and not absent:
                yield fill(said.say, known, where)


def members(name: str, values: dict, where: str) -> list[str]:
    """Return the keys of a group, or the texts of a list; "" alone where nothing is named."""
    if not name:
        return [""]
    group = look_up(fill(name, values, where, is_name=True), values, where)
    if not isinstance(group, dict | list):
        raise InputError(f"{where}: each: {name} is no group and no list{listed(values)}")
    return [str(each) for each in group]


def tell_placed(rows: pl.DataFrame, payload: dict, rankers: dict) -> dict[str, dict]:
    """Return ranker -> its name, the mean length of a list, and each metric's headline numbers.

    These are in whole lists, the generated text among a query's real passages. The name of a model
    that stands in for a published one says so.
    """
    told: dict[str, dict] = {}
    for metric in payload["headline"]:
        for ranker, numbers in metric["under"].items():
            told.setdefault(ranker, {})[metric["name"]] = numbers
    for ranker, metrics in told.items():
        metrics["name"] = shown_name(ranker, rankers.get(ranker, {}))
        own = rows.filter(ranker=ranker)
        metrics["n_texts"] = 1 + float(own["n_candidates"].mean() or 0)  # type: ignore[arg-type]
    return told
