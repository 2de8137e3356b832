"""People's rows of JSON Lines and Parquet: what is read, and what is refused."""

from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genlab.core.program import InputError
from genlab.sources.decoding import Encoding
from genlab.sources.text_files import all_of, check_text, line_rows, parquet_rows


def test_a_parquet_column_met_twice_is_refused_if_it_is_read(tmp_path):
    path = tmp_path / "a.parquet"
    columns = [pa.array(["x"]), pa.array(["y"]), pa.array([1])]
    pq.write_table(pa.Table.from_arrays(columns, names=["text", "text", "label"]), path)
    with pytest.raises(InputError, match=r"a.parquet: the column 'text' is there 2 times; remove"):
        list(parquet_rows(path, all_of(["text", "label"])))
    assert [row for _, row in parquet_rows(path, all_of(["label"]))] == [{"label": 1}]


@pytest.mark.parametrize("unit", ["s", "us"])
def test_a_parquet_time_beyond_the_year_9999_is_named(tmp_path, unit):
    path = tmp_path / "a.parquet"
    far = pa.array([2**40 if unit == "s" else 2**62])  # the years 36812 and 148108
    pq.write_table(pa.table({"id": far.cast(pa.timestamp(unit))}), path)
    with pytest.raises(InputError, match=r"a.parquet, row 0 .*: a value cannot be read .* 9999"):
        list(parquet_rows(path, all_of(["id"])))


def test_decimals_of_parquet_are_plain_numbers(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.table(
            {
                "id": pa.array([Decimal("12345678901234567890"), Decimal(7)], pa.decimal128(38, 0)),
                "rating": pa.array([Decimal("4.50"), None], pa.decimal128(9, 2)),
            }
        ),
        path,
    )
    found = [row for _, row in parquet_rows(path, all_of(["id", "rating"]))]
    assert found == [{"id": 12345678901234567890, "rating": 4.5}, {"id": 7, "rating": None}]
    assert [type(row["id"]) for row in found] == [int, int]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '{\n "data": [{"text": "a"}]\n}\n',
            "write one whole object a line, or a list of rows, not",
        ),
        ('["a",\n "b"]\n', "write one whole object a line, or a list of rows, not below a key"),
        ("{'text': 'a'}\n", "double quotes; write one whole object a line$"),
        ('{"text": "a"},\n{"text": "b"}\n', "Extra data; write one whole object a line$"),
    ],
)
def test_json_over_several_lines_is_told_what_is_read_instead(tmp_path, text, expected):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=f"a.json, line 1: broken JSON at .*{expected}"):
        list(line_rows(tmp_path / "a.json", Encoding.auto))


@pytest.mark.parametrize("text", ["#NAME?", "#REF!", " #N/A ", "\\N"])
def test_what_programs_write_for_a_text_that_is_missing_is_no_text(text):
    """A text that begins with - or = becomes #NAME? in a spreadsheet."""
    with pytest.raises(
        InputError, match=r"a\.csv, line 2: text is .*where a text is missing; write"
    ):
        check_text("a.csv, line 2", "text", text, 100)


@pytest.mark.parametrize("text", ["null", "nan", "None", "NULL", "<NA>", "#1", ""])
def test_words_that_people_write_are_texts(text):
    check_text("a.csv, line 2", "text", text, 100)
