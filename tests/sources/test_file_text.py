"""The text of people's files: what is no text at all is named for what it is."""

import pyarrow as pa
import pytest

from genlab.core.program import InputError
from genlab.sources.decoding import UTF_8, decode
from genlab.sources.file_text import find_codec, is_about_data, recognise_start, text_lines


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"PK\x05\x06" + bytes(18), "an empty zip archive"),
        (b"Rar!\x1a\x07\x01\x00", "a rar archive"),
        (b"SQLite format 3\x00\x10\x00", "an SQLite database"),
        (b"FEA1\x00\x00", "a Feather file"),
        (b"\x93NUMPY\x01\x00", "a NumPy array"),
        (b"Obj\x01\x04\x14avro.codec", "an Avro file"),
        (b"ORC\x0a\x00\x01ORC\x17", "an ORC file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel or Word file"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "a picture"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"$FL2@(#) SPSS DATA FILE", "an SPSS file"),
        (b"\xff\xff\xff\xff\x10\0\0\0", "an Arrow stream"),
        (b"{\\rtf1\\ansi rating,text}", "an RTF document"),
        (b"<TABLE><tr><td>query", "a table of a web page"),
        (b"MIME-Version: 1.0\r\n", "a web page"),
        (b"\x04\x22\x4d\x18dp", "compressed with lz4"),
        (b'\n<?xml version="1.0"?><rows/>', "an XML file"),
        (b"/annex/objects/SHA256E-s1--ab.csv", "a git-annex pointer"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_foreign_file_is_named_whatever_it_is_called(tmp_path, content, what):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InputError, match=f"a.csv: this is {what}"):
        recognise_start(tmp_path / "a.csv", "rows")


def test_a_download_of_zero_bytes_alone_is_told(tmp_path):
    (tmp_path / "a.csv").write_bytes(bytes(1024))
    with pytest.raises(InputError, match="this is nothing but zero bytes"):
        recognise_start(tmp_path / "a.csv", "texts")


def test_a_text_that_begins_with_orc_is_a_text(tmp_path):
    (tmp_path / "a.csv").write_text("ORC,label\nx,1\n")
    assert recognise_start(tmp_path / "a.csv", "rows") == (False, "ORC,label\nx,1\n")


def test_zstd_may_begin_with_a_frame_that_is_skipped(tmp_path):
    path = tmp_path / "a.jsonl.zst"
    skipped = b"\x50\x2a\x4d\x18\x04\0\0\0size"
    packed = pa.compress(b"one\n", codec="zstd", asbytes=True)
    path.write_bytes(skipped + packed + skipped + packed)
    assert [line for _, line in text_lines(path)] == ["one", "one"]


def test_zstd_of_a_window_that_nothing_here_has_room_for_is_named(tmp_path):
    """A frame by hand: magic, no flags, a window of 2 GiB, one last raw block of three bytes."""
    path = tmp_path / "a.jsonl.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd" + b"\0" + bytes([21 << 3]) + b"\x19\0\0abc")
    with pytest.raises(InputError, match=r"a.jsonl.zst: zstd with a window beyond 128 MiB; unpack"):
        list(text_lines(path))


def test_utf_32_is_read_line_by_line(tmp_path):
    (tmp_path / "a.csv").write_bytes("да,label\nх,1\n".encode("utf-32"))
    assert [line for _, line in text_lines(tmp_path / "a.csv")] == ["да,label", "х,1"]


def test_the_mark_that_ends_a_file_of_dos_is_no_text(tmp_path):
    path = tmp_path / "a.txt"
    for content in ("one\r\ntwo\r\n\x1a", "one\r\ntwo\x1a\x1a"):
        path.write_bytes(content.encode())
        assert [line for _, line in text_lines(path)] == ["one", "two"]
        assert decode("a.txt", content.encode()).rstrip("\n") == "one\ntwo"
    text = "a line of some length " * 9 + "\x1a"  # elsewhere it is a control character as any
    path.write_text(f"{text}\ntwo")
    assert [line for _, line in text_lines(path)] == [text, "two"]


@pytest.mark.parametrize(
    ("name", "about"),
    [
        ("README.txt", True),
        ("readme.en.md", True),
        ("sub/LICENSE.txt", True),
        ("licence.txt", True),
        ("CITATION.bib", True),
        ("unread me.txt", False),
        ("notices.txt", False),
    ],
)
def test_files_about_the_data_are_known_by_their_names(name, about):
    assert is_about_data(name) == about


DASHES = "The soup – and the bread — were “fine”, it’s true\n" * 3000  # 150 KB: beyond the head
RUSSIAN = "Что это за место, мы не поняли\n" * 50
FRENCH = "Le café était très agréable\n" * 50


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (DASHES + RUSSIAN, "windows-1251"),
        (DASHES + FRENCH, "windows-1252"),
        (DASHES, "windows-1252"),
    ],
)
def test_the_code_page_is_told_where_the_two_differ(tmp_path, text, encoding):
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    read = "".join(f"{line}\n" for _, line in text_lines(tmp_path / "a.csv"))
    assert read == text


@pytest.mark.parametrize("first", [1, 60])  # of 1.4 KB: within the head, and beyond it
def test_a_file_of_two_code_pages_is_an_error_and_not_half_misread(tmp_path, first):
    french, russian = FRENCH.encode("windows-1252"), RUSSIAN.encode("windows-1251")
    for content in (french * first + russian, russian * first + french):
        (tmp_path / "a.csv").write_bytes(content)
        assert find_codec(tmp_path / "a.csv") == UTF_8  # in which the first line is none
        with pytest.raises(InputError, match=r"a\.csv, line 1: invalid UTF-8"):
            list(text_lines(tmp_path / "a.csv"))
