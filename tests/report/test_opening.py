"""report.yaml: what a page says first, and how a mistake in it is named."""

import pytest

from genlab.core.program import InputError
from genlab.report.opening import Opening, read_opening, say_about, say_headline

VALUES = {"score": {"a_1": {"win": 0.5}, "b": {"loss": 2.0}}, "params": {"tasks": ["x", "y"]}}


@pytest.fixture
def read(tmp_path):
    """Return a function that reads a report.yaml of this text."""

    def read_text(text: str) -> Opening:
        (tmp_path / "report.yaml").write_text(text, encoding="utf-8")
        return read_opening(tmp_path / "report.yaml")

    return read_text


def test_without_the_file_nothing_is_said(tmp_path):
    opening = read_opening(tmp_path / "report.yaml")
    assert (say_about(opening, {}), say_headline(opening, {})) == ([], [])
    assert opening.examples is None and opening.numbers == {}


def test_a_sentence_is_said_of_each_member_when_it_has_the_number_or_unless(read):
    opening = read("""
about:
  won: "{score.a_1.win:%}"
  lost:
  - {when: score.a_1.loss, say: a}
  - {unless: score.a_1.loss, say: "{score.b.loss:0}"}
  - "{score.no}"
  gone: [{when: score.a_1.loss, say: a}]
headline:
- "One: {score.b.loss:1}."
- {each: score, when: "score.{each}.win", say: "{each} wins {score.{each}.win:%}."}
- {each: score, unless: "score.{each}.win", say: "{each} has no wins."}
- {each: params.tasks, say: "Task {each}."}
""")
    assert say_about(opening, VALUES) == [("won", "50\u00a0%"), ("lost", "2")]
    assert say_headline(opening, VALUES) == [
        *("One: 2.0.", "a 1 wins 50\u00a0%.", "b has no wins.", "Task x.", "Task y.")
    ]


def test_a_number_that_is_missing_in_a_sentence_without_when_is_an_error(read):
    opening = read('headline: [{each: score, say: "{each} wins {score.{each}.win}."}]')
    with pytest.raises(InputError, match=r"report.yaml: headline: \{score.b.win\}: .* no win"):
        say_headline(opening, VALUES)


def test_a_short_name_stands_for_a_long_one_if_that_is_there(read):
    opening = read("""
names: {ours: "score.{params.best}", theirs: score.c}
headline: ["{ours.win:1}", {when: theirs, say: "{theirs.win}"}]
""")
    assert say_headline(opening, VALUES | {"params": {"best": "a_1"}}) == ["0.5"]
    with pytest.raises(InputError, match="names: score is a name already"):
        say_headline(read("names: {score: params}"), VALUES)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("headline: [", "not YAML"),
        ("- a", "must have keys, not be list"),
        ("headlines: []", "no key headlines; did you mean headline"),
        ("headline: 3", "headline: must be a sentence or a list of them"),
        ("headline: [{say: a, whn: b}]", "headline 1: no key whn; did you mean when"),
        ("headline: [{each: a}]", "headline 1: say is missing"),
        ("headline: [3]", "headline 1: must have keys, not be int"),
        ("about: {n: 3}", "about: n: must be a sentence or a list of them"),
        ("numbers: [a]", "numbers: must have keys, not be list"),
        ("examples: {metrc: a}", "examples: no key metrc; did you mean metric"),
        ("examples: {joined: {table: a}}", "examples: joined: must be like"),
        ("examples: {asked: {a: [b]}}", "examples: asked: a: .* must be text"),
        ("examples: {where: {a: [b]}}", "examples: where: a must be one value, not"),
    ],
)
def test_a_mistake_is_named_with_its_key(read, text, reason):
    with pytest.raises(InputError, match=f"report.yaml.*{reason}"):
        read(text)


def test_each_must_name_a_group_or_a_list(read):
    with pytest.raises(InputError, match=r"each: score\.a_1\.win is no group and no list"):
        say_headline(read("headline: [{each: score.a_1.win, say: a}]"), VALUES)
