"""decoding: bytes become the text they were, or one clear error; nothing is guessed."""

import codecs

import pytest

from genlab.core.program import InputError
from genlab.sources.decoding import Encoding, codec_of, decode
from genlab.sources.file_text import find_codec

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
        ("y’all said it’s rock’n’roll, o’clock", "windows-1252"),
        ("l’histoire qu’on m’a dite, dell’altro", "windows-1252"),
        ("mae’n dda, i’r ysgol, foto’s, zo’n", "windows-1252"),
        ("il dit « oui » et non", "windows-1252"),
        ("das »schöne« Haus", "windows-1252"),
        ("træ, knæ, diæt", "windows-1252"),
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
        ("この映画はとても良かったです", "euc-jp"),
        ("Le café était très bon, déjà goûté à l'hôtel", "cp850"),
        ("Le café était très bon, déjà goûté à l'hôtel", "cp437"),
        ("Hyvää päivää, tämä oli kyllä erittäin hyvä elämys", "cp850"),
        ("Hyvää päivää, tämä oli kyllä erittäin hyvä elämys", "mac-roman"),
        ("La canción más bonita del año, según mi corazón", "mac-roman"),
        ("Ud. debería", "mac-roman"),
        ("Impossível dividir", "mac-roman"),
        ("nie chcę tego robić, otrzymać", "windows-1250"),
        ("skúste zaregistrovať", "iso-8859-2"),
        ("менеджер. - Хорошо.", "mac-cyrillic"),
        ("книгой. Сейчас это", "mac-cyrillic"),
        ("תודה רבה על הארוחה, היה טעים מאוד", "windows-1255"),
        ("הסרט היה טוב", "windows-1255"),
        ("A szőlő és a gyümölcs nagyon jó, egyszerű és gyönyörű hely", "windows-1250"),
        ("Mâncarea a fost bună și proaspătă, vă mulțumesc", "iso-8859-16"),
    ],
)
def test_what_is_doubtful_is_an_error_that_names_the_file_and_the_parameter(text, encoding):
    with pytest.raises(InputError, match=r"pos/1.txt: byte \d+ is no UTF-8") as e:
        decode("pos/1.txt", text.encode(encoding))
    assert "save it as UTF-8, or where params.yaml has encoding beside the file's path" in str(
        e.value
    )
    assert decode("pos/1.txt", text.encode(encoding), Encoding(encoding)) == text  # as it asks


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("この映画はとても良かったです", "iso-2022-jp"),
        ("이 영화는 정말 좋았어요", "iso-2022-kr"),
        ("这部电影非常好看我很喜欢", "hz"),
        ("Хороший фильм, но длинный", "utf-7"),
        ("Le café était très bon", "utf-7"),
        ("plain words\n" * 30 + "Она", "utf-7"),
        ("\ufeffplain words", "utf-7"),
        ("北京,上海很大,1\n天津,广州很热,0", "utf-7"),
        ("이 영화는 정말 좋았어요", "utf-7"),
        ("この映画はとても良かったです。", "utf-7"),
        ("मैं घर जा रहा हूँ, film 7", "utf-7"),
        ("หนังเรื่องนี้ดีมาก", "utf-7"),
        ("فيلم جميل", "utf-16-be"),
    ],
)
def test_what_is_ascii_by_its_bytes_alone_is_an_error_that_leads_on(tmp_path, text, encoding):
    content = text.encode(encoding)
    with pytest.raises(InputError, match=r"1\.txt: its encoding is doubtful: it has control"):
        decode("1.txt", content)
    (tmp_path / "1.txt").write_bytes(content)
    with pytest.raises(InputError, match=r"1\.txt: its encoding is doubtful: it has control"):
        find_codec(tmp_path / "1.txt")
    assert decode("1.txt", content, Encoding(encoding)) == text


@pytest.mark.parametrize(
    "text",
    [
        "The chicken +BBQ and the +BMW 5",
        "C++ and +Ann, +49301234567, a+b=+ABC, 1+AGE-2",
        "+Tomatoes +Wildwood +Waxing +MINUSTAH +ATLANTIC +15551234567",
        "data:image/png;base64,iVBORw0KGgo+BAAAANSUhEUgAAAAUA+AAAFCAYAAACNbyblAAAAHElEQVQI12P4",
        "plain words\n" * 300 + "UTF-7 writes +BB8EQAQ4-",
    ],
    ids=lambda text: text[:20],
)
def test_a_plus_before_letters_is_no_utf_7(text):
    assert decode("a", text.encode()) == text


def test_utf_16_without_a_mark_is_not_read_byte_by_byte():
    for text, encoding in (("Πολύ καλή ταινία", "utf-16-le"), ("とても良かった!", "utf-16-le")):
        assert codec_of(text.encode(encoding)) is None


def test_every_encoding_that_can_be_declared_is_one_of_text():
    for encoding in set(Encoding) - {Encoding.auto}:
        assert decode("a", "plain, ASCII".encode(encoding), encoding) == "plain, ASCII"


def test_a_stray_control_character_makes_no_text_doubtful():
    assert decode("a", (f"{RUSSIAN}. " * 9 + "\x1a").encode("windows-1251")).startswith(RUSSIAN)


@pytest.mark.parametrize("codec", ["utf-32-le", "utf-32-be"])
@pytest.mark.parametrize(
    "text", [RUSSIAN, "plain, ASCII\n", "とても良かった!", "good \U0001f600", "ab"]
)
def test_utf_32_is_told_without_a_mark(tmp_path, codec, text):
    assert decode("a", text.encode(codec)) == text
    (tmp_path / "a.txt").write_bytes(text.encode(codec))
    assert find_codec(tmp_path / "a.txt") == codec


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
