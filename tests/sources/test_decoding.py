"""decoding: bytes become the text they were, or one clear error; nothing is guessed."""

import codecs

import pytest

from genlab.core.program import InputError
from genlab.sources.decoding import Encoding, codec_of, decode

RUSSIAN = "Отличное место, вкусная еда и быстрый персонал"


@pytest.mark.parametrize(
    "content",
    [
        RUSSIAN.encode(),
        codecs.BOM_UTF8 + RUSSIAN.encode(),
        RUSSIAN.encode("utf-16"),
        codecs.BOM_UTF16_BE + RUSSIAN.encode("utf-16-be"),
        RUSSIAN.encode("utf-16-le"),
        RUSSIAN.encode("utf-16-be"),
        RUSSIAN.encode("windows-1251"),
    ],
)
def test_every_encoding_that_can_be_told_gives_the_same_text(content):
    assert decode("a", content) == RUSSIAN


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("it’s a warm film … and a “funny” one — really", "windows-1252"),
        ("Café très agréable", "windows-1252"),
        ("das Essen war köstlich, Grüße aus München", "windows-1252"),
        ("façade", "windows-1252"),
        ("It cost 5 £ and 3 € each – so it's ok", "windows-1252"),
        ("да", "windows-1251"),
        ("Норм", "windows-1251"),
        ("вопрос\tответ\t1", "windows-1251"),
        ("I said да and left", "windows-1251"),
        ("Їжа смачна, дякую", "windows-1251"),
    ],
)
def test_windows_1251_and_1252_are_told_apart_also_in_short_texts(text, encoding):
    assert decode("a", b"plain ASCII\n" * 3 + text.encode(encoding)).endswith(text)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (RUSSIAN, "koi8-r"),
        (RUSSIAN.lower(), "koi8-r"),
        (RUSSIAN, "cp866"),
        ("Zażółć gęślą jaźń, świetny film", "windows-1250"),
        ("Příliš žluťoučký kůň", "windows-1250"),
        ("Πολύ καλή ταινία και ωραία μουσική", "windows-1253"),
        ("çok güzel bir yer, teşekkür ederiz", "windows-1254"),
        ("这部电影非常好看我很喜欢", "gb18030"),
        ("この映画はとても良かったです", "shift_jis"),
    ],
)
def test_what_is_doubtful_is_an_error_that_names_the_file_and_the_parameter(text, encoding):
    with pytest.raises(InputError, match=r"pos/1.txt: byte \d+ is no UTF-8") as e:
        decode("pos/1.txt", text.encode(encoding))
    assert "save it as UTF-8, or where params.yaml has corpus.encoding, set that" in str(e.value)
    if encoding in list(Encoding):  # as is done then
        assert decode("pos/1.txt", text.encode(encoding), Encoding(encoding)) == text


@pytest.mark.parametrize("codec", ["utf-32-le", "utf-32-be"])
def test_utf_32_is_told_by_its_mark_and_not_taken_for_utf_16(codec):
    assert decode("a", ("\ufeff" + RUSSIAN).encode(codec)) == RUSSIAN


def test_damaged_utf_8_is_not_another_encoding():
    assert codec_of(RUSSIAN.encode() + b"\xff") is None
    with pytest.raises(InputError, match="a: byte 85 is no UTF-8"):
        decode("a", RUSSIAN.encode() + b"\xff")


def test_a_declared_encoding_is_obeyed_and_its_errors_are_named():
    assert decode("a", b"\xc4\xe0", Encoding.windows_1251) == "Да"
    assert decode("a", b"\xc4\xe0", Encoding.iso_8859_1) == "Äà"
    with pytest.raises(InputError, match="a: byte 1 is no windows-1251"):
        decode("a", b"\xc4\x98", Encoding.windows_1251)


def test_lines_end_in_cr_lf_and_both_and_in_nothing_else():
    text = "a\r\nb\rc\nd\u2028e\x0bf\x0cg\x85h"
    assert decode("a", text.encode()) == "a\nb\nc\nd\u2028e\x0bf\x0cg\x85h"
