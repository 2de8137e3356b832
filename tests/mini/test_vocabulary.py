"""What a vocabulary of the user's may hold, and how its mistakes are named."""

import pytest

from genlab.core.program import InputError
from genlab.mini.vocabulary import check_form, check_parts, check_texts, read_vocabulary


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("words: [a", "not YAML in UTF-8"),
        ("", "top level: must be a mapping"),
        ("[a, b]", "top level: must be a mapping"),
        ("1: [a]", "top level: the key 1 is not text"),
    ],
)
def test_a_file_that_is_no_mapping_of_texts_is_refused(tmp_path, text, expected):
    path = tmp_path / "words.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=f"^{path}: {expected}"):
        read_vocabulary(path)


def test_a_vocabulary_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"words\.yaml: no such file; name a file"):
        read_vocabulary(tmp_path / "words.yaml")
    with pytest.raises(InputError, match=r": cannot be read \(Is a directory\); name a file"):
        read_vocabulary(tmp_path)


@pytest.mark.parametrize("spec", ["one two", 5, None, {"one": "two"}, ["one", 2], ["one", " "], []])
def test_anything_but_a_list_of_texts_is_refused(spec):
    with pytest.raises(InputError, match=r"^here: "):
        check_texts(spec, "here")


def test_a_text_that_stands_twice_counts_once():
    assert check_texts(["a", "a", "b"], "here", least=2) == ["a", "a", "b"]
    with pytest.raises(InputError, match="here: 1 different texts; give it at least 2"):
        check_texts(["a", "a"], "here", least=2)


@pytest.mark.parametrize("form", ["the {n}", "{{n}} is {n}", "{n} {m}"])
def test_a_form_may_hold_its_fields_and_doubled_braces(form):
    assert check_form(form, "here", ("n",), ("m",)) == form


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("{", "is no form"),
        ("{n}}", "is no form"),
        ("{0}", "holds {0}, which has no meaning here; its fields: {n}, {m}"),
        ("{}", "holds {}, which"),
        ("{n.x}", "holds {n.x}, which"),
        ("{n!r}", "holds {n!r}, which"),
        ("{n:5}", "holds {n:5}, which"),
        ("the {m}", "does not hold {n}; add it"),
    ],
)
def test_a_form_that_could_not_be_filled_is_refused(form, expected):
    with pytest.raises(InputError) as raised:
        check_form(form, "here", ("n",), ("m",))
    assert expected in str(raised.value)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"a": 1}, "here: b is missing"),
        ({"a": 1, "b": 2, "c": 3}, "here: unknown key c; the keys are a, b"),
        (["a", "b"], "here: must be a mapping"),
    ],
)
def test_a_mapping_with_other_keys_is_refused(spec, expected):
    with pytest.raises(InputError, match=expected):
        check_parts(spec, "here", ("a", "b"), ("a", "b"))
