"""The decoder of JSON in pieces, against the standard library's."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genlab.core.program import InputError
from genlab.sources import file_text
from genlab.sources.file_text import RestLost
from genlab.sources.json_text import JsonText, array_rows, json_rows

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
IN_ONE_FOLDER = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@IN_ONE_FOLDER
@given(
    values=st.lists(JSON_VALUES, min_size=1, max_size=5),
    piece_bytes=st.integers(1, 40),
    indent=st.sampled_from([None, 0, 1]),
    ascii_only=st.booleans(),
)
def test_pieces_of_any_size_decode_to_what_the_json_module_gives(
    tmp_path, values, piece_bytes, indent, ascii_only
):
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only)
    file = write(tmp_path / "a.json", text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file_text, "PIECE_BYTES", piece_bytes)
        assert [row for _, row in array_rows(file)] == json.loads(text)


@IN_ONE_FOLDER
@given(rows=st.lists(JSON_VALUES, min_size=1, max_size=3), data=st.data())
def test_an_array_cut_off_anywhere_is_an_error_and_never_a_shorter_array(tmp_path, rows, data):
    text = json.dumps(rows)
    file = write(tmp_path / "a.json", text[: data.draw(st.integers(0, len(text) - 1))])
    with pytest.MonkeyPatch.context() as patch, pytest.raises(InputError, match="broken JSON"):
        patch.setattr(file_text, "PIECE_BYTES", 7)
        list(array_rows(file))


@pytest.mark.parametrize("piece_bytes", range(1, 8))
def test_numbers_cut_anywhere_are_whole(tmp_path, monkeypatch, piece_bytes):
    monkeypatch.setattr(file_text, "PIECE_BYTES", piece_bytes)
    text = "[0.5, 1e+5, -2.5E-3, 10, -Infinity, true]"
    rows = [row for _, row in array_rows(write(tmp_path / "a.json", text))]
    assert rows == [0.5, 1e5, -0.0025, 10, float("-inf"), True]


@pytest.mark.parametrize("piece_bytes", [1, 5, 1000])
def test_the_position_of_an_error_is_that_of_the_json_module(tmp_path, monkeypatch, piece_bytes):
    monkeypatch.setattr(file_text, "PIECE_BYTES", piece_bytes)
    text = '[\n {"a": 1},\n {"b": "é\\n",  oops}\n]'
    with pytest.raises(json.JSONDecodeError) as expected:
        json.loads(text)
    with pytest.raises(InputError) as found:
        list(array_rows(write(tmp_path / "a.json", text)))
    position = f"line {expected.value.lineno}, column {expected.value.colno}"
    assert f"broken JSON at {position}, in row 1 (counted from 0)" in str(found.value)


def test_one_value_at_a_time_is_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(file_text, "PIECE_BYTES", 1000)
    stream = JsonText(write(tmp_path / "a.json", json.dumps(["x" * 90] * 10_000)))
    stream.take("[")
    for _ in range(10_000):
        stream.value()
        assert len(stream.text) <= 2000
        stream.take(",]")
    stream.end()


@pytest.mark.parametrize("end", [', {"a": ', ' {"a": 3}]', ", nonsense, 4]", "] more", ""])
def test_a_broken_array_may_give_the_rows_before_the_break_and_says_that_the_rest_is_lost(
    tmp_path, end
):
    bad = []
    file = write(tmp_path / "a.json", '[{"a": 1}, {"a": 2}' + end)
    rows = [row for _, row in array_rows(file, on_bad_row=bad.append)]
    assert rows == [{"a": 1}, {"a": 2}]
    assert [type(error) for error in bad] == [InputError if end == "] more" else RestLost]
    assert "broken JSON at line 1" in str(bad[0])


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('{"a": 1}\n{"a": 2}\n', [{"a": 1}, {"a": 2}]),
        ('[\n  {"a": 1},\n  {"a": 2}\n]\n', [{"a": 1}, {"a": 2}]),
        ('["a", "b"]\n["c"]\n', [["a", "b"], ["c"]]),
        ('[\n  [\n    "a"\n  ]\n]\n', [["a"]]),
    ],
)
def test_rows_are_lines_or_an_array_whichever_the_file_is(tmp_path, text, rows):
    assert [row for _, row in json_rows(write(tmp_path / "a.json", text), "rows")] == rows


def test_parquet_and_a_zip_are_named_where_lines_are_read(tmp_path):
    for content, what in (
        (b"PAR1...", "Parquet, which is not read here"),
        (b"PK\x03\x04", "a zip"),
    ):
        (tmp_path / "a.jsonl").write_bytes(content)
        with pytest.raises(InputError, match=f"a.jsonl: this is {what}"):
            list(json_rows(tmp_path / "a.jsonl", "rows"))


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("// by hand\n[{}]", "JSON has no comments, remove them"),
        ("[{},\n # one\n {}]", "JSON has no comments, remove them"),
        ("[{}, ]", "JSON has no comma behind the last value, remove it"),
        ('[{"a": "// text"}, 1 2]', "expected"),
    ],
)
def test_what_json_has_not_is_said(tmp_path, text, hint):
    with pytest.raises(InputError) as caught:
        list(array_rows(write(tmp_path / "a.json", text)))
    assert hint in str(caught.value) and ("JSON has" in str(caught.value)) == ("JSON" in hint)
