"""csv_text: tables of any dialect give the same rows; what would lose one is refused."""

import csv
import gzip

import pandas
import pyarrow as pa
import pytest

from genlab.core.program import InputError
from genlab.sources.csv_text import csv_rows, is_quoted, tsv_rows
from genlab.sources.file_text import RestLost, is_hidden, text_lines

ROW = {"rating": "5", "text": 'a, "b"; c\td'}


def write(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("start", ["", "\n", "\ufeff"])
def test_any_delimiter_and_line_end_gives_the_same_row(tmp_path, delimiter, end, start):
    lines = [f"rating{delimiter}text", f'5{delimiter}"a, ""b""; c\td"', ""]
    path = write(tmp_path, start + end.join(lines))
    assert [row for _, row in csv_rows(path)] == [ROW]


def test_excels_sep_line_tells_what_separates_and_is_no_header(tmp_path):
    path = write(tmp_path, "sep=;\r\na,b;text\r\n1;x\r\n")
    assert list(csv_rows(path)) == [(f"{path}, line 3", {"a,b": "1", "text": "x"})]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_what_excel_keeps_as_text_is_what_stands_in_its_quotes(tmp_path, delimiter):
    """A spreadsheet drops the zeros of 007 unless it is written as a formula."""
    lines = [["id", '="text"'], ['="007"', '="say ""no"""'], ["7", '="a" and "b"'], ["8", "=1+1"]]
    path = write(tmp_path, "\n".join(map(delimiter.join, lines)))
    rows = [{"id": "007", "text": 'say "no"'}, {"id": "7", "text": '="a" and "b"'}]
    assert [row for _, row in csv_rows(path)] == [*rows, {"id": "8", "text": "=1+1"}]
    path = write(tmp_path, f'id{delimiter}text\n"=""007"""{delimiter}"=""x"""\n')
    assert [row for _, row in csv_rows(path)] == [{"id": "007", "text": "x"}]
    assert [row for _, row in tsv_rows(write(tmp_path, '="007"\tx\n'))] == [["007", "x"]]


@pytest.mark.parametrize(
    "pack", [lambda text: gzip.compress(text), lambda text: pa.compress(text, "zstd", asbytes=True)]
)
def test_gzip_and_zstd_are_unpacked_and_a_cut_one_is_named(tmp_path, pack):
    packed = pack(b"a,b\n" + b"1,2\n" * 5000)
    assert len(list(csv_rows(write(tmp_path, packed)))) == 5000
    with pytest.raises(InputError, match=r"a.csv: damaged (gzip|zstd)"):
        list(csv_rows(write(tmp_path, packed[:-5])))


def test_a_field_may_be_as_long_as_a_row(tmp_path):
    path = write(tmp_path, "a,b\n1," + "x" * 200_000)
    assert next(csv_rows(path))[1]["b"] == "x" * 200_000
    csv.field_size_limit(131_072)  # Python's own
    name = "y" * 200_000
    assert next(csv_rows(write(tmp_path, f"{name},b\n1,2")))[1] == {name: "1", "b": "2"}


@pytest.mark.parametrize("names", ["text,rating, Text", "rating,text,TEXT"])
def test_a_column_that_differs_in_case_alone_is_refused(tmp_path, names):
    with pytest.raises(InputError, match=r"line 1: column '(Text|TEXT)' occurs twice .as 'text'"):
        list(csv_rows(write(tmp_path, f"{names}\n1,2,3\n")))


def test_a_column_met_twice_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"line 1: column 'text' occurs twice"):
        list(csv_rows(write(tmp_path, "text,rating,text\n1,2,3\n")))


def test_a_bad_row_is_handed_over_and_the_rest_read_but_an_open_quote_ends_it(tmp_path):
    bad = []
    path = write(tmp_path, b'a,b\n1,"x"y\n2,ok\n3,\xd0\xb0\xff\n4,ok\n')
    assert [row["a"] for _, row in csv_rows(path, on_bad_row=bad.append)] == ["2", "4"]
    assert ["line 2: broken CSV" in str(bad[0]), "line 4: invalid UTF-8" in str(bad[1])] == [
        True
    ] * 2
    path = write(tmp_path, 'a,b\n1,x\n2,"open\n3,y\n')
    assert [row["a"] for _, row in csv_rows(path, on_bad_row=bad.append)] == ["1"]
    assert isinstance(bad[2], RestLost)
    assert "line 3: broken CSV" in str(bad[2]) and "not closed up to line 4" in str(bad[2])
    with pytest.raises(InputError, match=r"line 3: broken CSV .* not closed up to line 4"):
        list(csv_rows(path))
    path = write(tmp_path, 'a,b\n1,"open\n2,y\n3,"z"\n4,ok\n')
    assert [row["a"] for _, row in csv_rows(path, on_bad_row=bad.append)] == ["4"]
    assert "swallows all up to line 4" in str(bad[3])


def test_blanks_before_quoted_fields_are_none_of_them(tmp_path):
    path = write(tmp_path, 'rating, text\n5, "good, hot"\n1, "so ""cold"""\n')
    texts = [row["text"] for _, row in csv_rows(path)]
    assert texts == ["good, hot", 'so "cold"']
    path = write(tmp_path, 'rating;text\n5; "good"\n1; cold\n')
    assert [row["text"] for _, row in csv_rows(path)] == ["good", "cold"]


@pytest.mark.parametrize("text", [' "good" soup', ' "good', "  good"])
def test_a_blank_before_a_quoted_word_is_text(tmp_path, text):
    path = write(tmp_path, f"rating,text\n5,{text}\n1,cold\n")
    assert [row["text"] for _, row in csv_rows(path)] == [text, "cold"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_row_in_which_nothing_stands_is_none(tmp_path, delimiter):
    """As spreadsheets write below a table, and between its parts."""
    empty = [delimiter, f" {delimiter}", "  "]
    lines = [f"rating{delimiter}text", f"5{delimiter}a", *empty, f"{delimiter}b", *empty]
    path = write(tmp_path, "\r\n".join(lines))
    assert [(place.split()[-1], list(row.values())) for place, row in csv_rows(path)] == [
        ("2", ["5", "a"]),
        ("6", ["", "b"]),
    ]


@pytest.mark.parametrize("blank", ["  \n", "\t\r\n", "\n \n"])
def test_a_header_may_stand_below_lines_of_blanks(tmp_path, blank):
    path = write(tmp_path, f"{blank}rating,text\n5,good\n")
    assert [row for _, row in csv_rows(path)] == [{"rating": "5", "text": "good"}]


def test_quotes_with_a_backslash_are_read_where_the_whole_file_has_them(tmp_path):
    values = ['say "hi", \\o/', "C:\\", 'x"', "plain", "two\nlines"]
    written = pandas.DataFrame({"a": values, "b": 1})
    for quoting in (csv.QUOTE_ALL, csv.QUOTE_MINIMAL):
        text = written.to_csv(index=False, doublequote=False, escapechar="\\", quoting=quoting)
        read = [row for _, row in csv_rows(write(tmp_path, text))]
        assert read == [{"a": value, "b": "1"} for value in values]
    spark = 'a,b\n"He said \\"no\\", twice; C:\\new",1\n"",2\nplain,3\n'  # its default: escape \
    read = [row["a"] for _, row in csv_rows(write(tmp_path, spark))]
    assert read == ['He said "no", twice; C:\\new', "", "plain"]


def test_a_backslash_before_a_closing_quote_is_text_where_quotes_are_doubled(tmp_path):
    values = ["C:\\", 'both "\\" and ""', "plain"]
    text = pandas.DataFrame({"a": values, "b": 1}).to_csv(index=False, quoting=csv.QUOTE_ALL)
    assert [row["a"] for _, row in csv_rows(write(tmp_path, text))] == values
    # One row is broken by hand: it is not for the others to change their meaning.
    bad = []
    rows = csv_rows(write(tmp_path, text + '"a \\"b",1\n'), on_bad_row=bad.append)
    assert [row["a"] for _, row in rows] == values
    assert len(bad) == 1


def test_a_row_begins_where_its_place_says_although_fields_have_lines(tmp_path):
    path = write(tmp_path, 'a,b\n"1\n1",x\n2,y\n')
    assert [place for place, _ in csv_rows(path)] == [f"{path}, line 2", f"{path}, line 4"]


def test_a_tsv_is_quoted_as_pandas_does_only_if_all_of_it_is(tmp_path):
    path = write(tmp_path, 'q\t"""The"" lake"\t1\nq\tplain\t0\n')
    assert [row for _, row in tsv_rows(path)] == [["q", '"The" lake', "1"], ["q", "plain", "0"]]
    for raw in ('q\t"quoted whole"\t1\n', 'q\t"open\t1\n', 'q\t"a" b\t1\nq\t"a ""b"""\t1\n'):
        path = write(tmp_path, raw)
        assert not is_quoted(path)
        assert [row for _, row in tsv_rows(path)] == [x.split("\t") for x in raw.split("\n")[:-1]]


@pytest.mark.parametrize("text", ['"Great" said he', '"Great he said', 'he said "great"', '"'])
def test_a_quote_between_tabs_is_text_and_no_row_is_lost(tmp_path, text):
    bad = []
    path = write(tmp_path, f"text\trating\n{text}\t5\nfine\t4\n")
    rows = [row for _, row in csv_rows(path, on_bad_row=bad.append)]
    assert rows == [{"text": text, "rating": "5"}, {"text": "fine", "rating": "4"}]
    assert not bad


@pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC])
@pytest.mark.parametrize("value", ["plain", 'say "hi"', "two\nlines", "a\ttab"])
def test_a_tsv_that_pandas_quotes_gives_its_texts(tmp_path, quoting, value):
    table = pandas.DataFrame({"text": [value, "plain"], "rating": [5, 4]})
    path = write(tmp_path, table.to_csv(index=False, sep="\t", quoting=quoting))
    read = [row for _, row in csv_rows(path)]
    assert read == [{"text": value, "rating": "5"}, {"text": "plain", "rating": "4"}]


def test_one_row_too_long_does_not_unquote_a_tsv(tmp_path):
    path = write(tmp_path, 'text\trating\n"say ""hi"""\t5\nx\t4\t3\n')
    assert [row for _, row in csv_rows(path)] == [
        {"text": 'say "hi"', "rating": "5"},
        ["x", "4", "3"],
    ]


def test_lines_end_in_cr_lf_and_both_and_in_nothing_else(tmp_path):
    path = write(tmp_path, "a\r\nb\rc\nd\u2028e\x0bf\x0cg\x85h")
    assert [line for _, line in text_lines(path)] == ["a", "b", "c", "d\u2028e\x0bf\x0cg\x85h"]


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        (".DS_Store", True),
        ("pos/._1.txt", True),
        ("__MACOSX/pos/1.txt", True),
        ("Thumbs.db", True),
        ("neg/desktop.ini", True),
        ("~$reviews.csv", True),
        ("reviews~$.csv", False),
        ("pos/1.txt", False),
        ("macosx/1.txt", False),
    ],
)
def test_hidden_and_system_files_are_known_by_their_names(name, hidden):
    assert is_hidden(name) == hidden


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_name_in_the_header_may_go_on_in_the_next_line(tmp_path, end):
    """As Google Forms exports a question of two lines."""
    path = tmp_path / "a.csv"
    text = 'text,"How do you' + end + 'like it, ""all"" in all?",label' + end + "one,well,1" + end
    path.write_bytes(text.encode())
    place, row = next(csv_rows(path))
    assert row == {"text": "one", 'How do you like it, "all" in all?': "well", "label": "1"}
    assert place.endswith("line 3")


def test_a_quote_that_a_header_never_closes_is_named(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('text,"label\n' + "one,1\n" * 30)
    with pytest.raises(InputError, match=r"a.csv, line 1: a quote in the header is not closed"):
        list(csv_rows(path))
    path.write_text('text\tthe "label\none\t1\n')
    assert [row for _, row in csv_rows(path)] == [{"text": "one", 'the "label': "1"}]
