"""The text of people's bytes: in which encoding they are, and what they say in it.

A byte-order mark and valid UTF-8 are recognised for certain. Of the 8-bit encodings only
Windows-1251 and Windows-1252 are recognised, by the words and signs that a text has in them;
charset-normalizer, which knows the others, names a wrong one for one text in five. A doubtful
encoding is never guessed: it is an error, and the user declares the encoding. Some texts shorter
than a few sentences cannot be recognised: "citt…" may be English in Windows-1252 or Italian in
cp850, and Polish or Czech in Windows-1250 may consist of letters that French has, too. Hungarian is
recognised by ő and ű alone; without them it is the same text in Windows-1250 and Windows-1252.
"""

import base64
import codecs
import re
from enum import StrEnum
from unicodedata import category

from genlab.core.program import InputError


class Encoding(StrEnum):
    """How a file's characters are written; auto: by its bytes."""

    auto = "auto"
    utf_7 = "utf-7"
    utf_8 = "utf-8"
    utf_16 = "utf-16"
    utf_16_le = "utf-16-le"
    utf_16_be = "utf-16-be"
    utf_32 = "utf-32"
    utf_32_le = "utf-32-le"
    utf_32_be = "utf-32-be"
    windows_1250 = "windows-1250"
    windows_1251 = "windows-1251"
    windows_1252 = "windows-1252"
    windows_1253 = "windows-1253"
    windows_1254 = "windows-1254"
    windows_1255 = "windows-1255"
    windows_1256 = "windows-1256"
    windows_1257 = "windows-1257"
    windows_1258 = "windows-1258"
    iso_8859_1 = "iso-8859-1"
    iso_8859_2 = "iso-8859-2"
    iso_8859_3 = "iso-8859-3"
    iso_8859_4 = "iso-8859-4"
    iso_8859_5 = "iso-8859-5"
    iso_8859_6 = "iso-8859-6"
    iso_8859_7 = "iso-8859-7"
    iso_8859_8 = "iso-8859-8"
    iso_8859_9 = "iso-8859-9"
    iso_8859_10 = "iso-8859-10"
    iso_8859_11 = "iso-8859-11"
    iso_8859_13 = "iso-8859-13"
    iso_8859_14 = "iso-8859-14"
    iso_8859_15 = "iso-8859-15"
    iso_8859_16 = "iso-8859-16"
    koi8_r = "koi8-r"
    koi8_u = "koi8-u"
    cp437 = "cp437"
    cp737 = "cp737"
    cp775 = "cp775"
    cp850 = "cp850"
    cp852 = "cp852"
    cp855 = "cp855"
    cp857 = "cp857"
    cp858 = "cp858"
    cp860 = "cp860"
    cp861 = "cp861"
    cp862 = "cp862"
    cp863 = "cp863"
    cp864 = "cp864"
    cp865 = "cp865"
    cp866 = "cp866"
    cp869 = "cp869"
    cp874 = "cp874"
    mac_roman = "mac-roman"
    mac_cyrillic = "mac-cyrillic"
    mac_greek = "mac-greek"
    mac_latin2 = "mac-latin2"
    mac_iceland = "mac-iceland"
    mac_turkish = "mac-turkish"
    gb2312 = "gb2312"
    gbk = "gbk"
    gb18030 = "gb18030"
    hz = "hz"
    big5 = "big5"
    big5_hkscs = "big5-hkscs"
    shift_jis = "shift_jis"
    cp932 = "cp932"
    euc_jp = "euc-jp"
    iso_2022_jp = "iso-2022-jp"
    euc_kr = "euc-kr"
    cp949 = "cp949"
    johab = "johab"
    iso_2022_kr = "iso-2022-kr"


END_OF_FILE = "\x1a"  # CP/M's and DOS's, which old programs write behind the last line
UTF_8 = "utf-8-sig"  # takes away a byte-order mark
# Some readers' params have no encoding.
DECLARE = (
    "save it as UTF-8, or where params.yaml has encoding beside the file's path, set that to what "
    "it is (windows-1251, windows-1252, cp850, mac-roman, ...)"
)

MULTI_BYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
CONTROL = re.compile(rb"[\0-\x08\x0e-\x1f\x7f]")
CONTROL_SHARE = 0.02  # ours: of bytes; a text has stray ones, UTF-16 one in every other character
# ISO-2022 and HZ write Chinese, Japanese and Korean in ASCII between such marks.
SEVEN_BIT = re.compile(rb"\x1b\$|~\{(?:[!-}]{2})+~\}")
# UTF-7 writes what is not ASCII as UTF-16 in Base64.
IN_BASE64 = re.compile(rb"\+([A-Za-z0-9+/]{3,})")
UTF_7_MARKS = (b"+/v8", b"+/v9", b"+/v+", b"+/v/")
UTF_7_SHARE = 0.01  # ours: of words; English has a curly quote in as many
# A word, as of +Facebook, is no Base64 of these: they have a thousandth of its pairs of bytes.
EAST_ASIAN = ("gb2312", "big5", "shift_jis", "euc_kr")

# What Windows-1251 and Windows-1252 say of a text that has only dashes, quotes and their like.
EITHER = "cp1252"
WINDOWS = (EITHER, "windows-1251", "windows-1252")
SAID_ALIKE = bytes(
    byte
    for byte in range(0x80, 0x100)
    if bytes([byte]).decode("cp1251", "ignore") == bytes([byte]).decode("cp1252", "replace")
)
# What lines of the one hold and lines of the other do not.
SIGNS = {
    "windows-1251": re.compile(rb"[\xc0-\xff]{4}"),
    "windows-1252": re.compile(rb"[A-Za-z][\xc0-\xff][A-Za-z]"),
}

LETTERS = re.compile(r"[^\W\d_]+")
CYRILLIC = "а-яёіїєґўА-ЯЁІЇЄҐЎ"
VOWELS = re.compile("[аеёиоуыэюяіїє]", re.IGNORECASE)
# Seven in ten letters of Russian, Ukrainian and Bulgarian; of Hebrew read as Cyrillic four.
COMMON = re.compile("[оеаинтсрвлі]", re.IGNORECASE)
NEVER_HEBREW = re.compile("[ыьэюяіїє]", re.IGNORECASE)
ODD_CYRILLIC = re.compile("[^аеёиоуыэюяіїє]й(?!о)|^[ъыь]|ъ$|[аеёиоуыэюяіїє]ъ", re.IGNORECASE)
ODD_CYRILLIC_SYMBOL = re.compile(
    r"(?<= )[—–](?=[^\W\d_])|(?<![^\W_])(?:[’”€](?=[^\W\d_])|[‘•](?=[а-яё]))"
)
# Letters where no Western European language but Icelandic has them: what Polish, Czech, Slovene,
# Hungarian, Romanian, Turkish, Latvian or Mac Roman come out as.
ODD_WESTERN = re.compile(
    r"[ðþýšžÿ]|œ(?![uie])|ç(?=[b-jl-np-tv-z])|ñ(?![aeiouáéíóúü])|õ(?!e)|û(?![trlmcn]|$)"
    r"|ã(?=[b-df-hj-np-rtv-y])|(?<![çfhlm])ã$|è(?=[aeiouáéíóú])|^è[cl]"
    r"|(?<![aeiou])ø(?=[^a-zåæøö])|[aeiouy]æ$",
    re.IGNORECASE,
)
WESTERN_WORDS = "àâáåæèéêëíìîïñóòôöøúùûüßÀÂÁÅÆÈÉÊËÍÌÓÒÔÖØÚªº"  # of one letter, of some language
TYPOGRAPHY = re.compile("[¡-¿–—‘’“”„…€™]")
# Signs that no text has, or not there: within a word, at its end, at its start, for a letter.
ODD_SYMBOL = re.compile(
    r"[\x80-\x9f\ufffd†‡‰ˆ˜‹›ƒ¤¦¬¶¨¯¸‚]"
    r"|(?<=[^\W\d_])[¡-©«-´¶¸-¿×÷€„•™“”‘](?=[^\W\d_])"
    r"|(?<=[^\W\d_])(?:[¡¿¢£¥§¹¼½¾±×÷„•](?![^\W\d_])|(?<!m)[²³])"
    r"|(?<![^\W_])[¢¥§²³¹¼½¾×÷±ª™](?=[^\W\d_])"
    r"|(?<=[a-z])–(?=[a-z])|(?<=[a-z])—(?=[a-z]\b)"
)
CLOSED = re.compile(r"(?<=[a-z])»")  # ť of Latin-2, where no « is
# An apostrophe before what neither English, Dutch and Welsh put behind one nor follows an elision:
# í of Mac Roman.
ODD_APOSTROPHE = re.compile(
    r"(?<=[a-z])(?<!’n)’(?:(?=[b-df-gj-np-tv-z])(?!(?:[strdmnw]|ll|re|ve|roll|clock)(?![a-z]))"
    r"|(?<=[bfghpr]’)(?=[aou]))"
)
ODD_SHARE = 0.1  # ours: of words and signs that no text of the encoding has; slips of the pen
ODD_WORD_SHARE = 0.02  # ours: of Western words; Hungarian has ő and ű in one of twenty


def codec_of(sample: bytes, encoding: Encoding = Encoding.auto) -> str | None:
    """Return the Python codec of the text that `sample` begins; None if it is doubtful.

    A character may be cut off at the sample's end.
    """
    if sample.startswith(codecs.BOM_UTF8):
        return UTF_8
    # Before UTF-16, whose mark begins alike.
    if sample.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if encoding is not Encoding.auto:
        return UTF_8 if encoding is Encoding.utf_8 else encoding.value
    if wide := utf_32_of(sample) or utf_16_of(sample):
        return wide
    is_utf_8 = may_be_utf_8(sample)
    if is_utf_8 and not sample.isascii():
        return UTF_8
    n_controls = len(CONTROL.findall(sample.rstrip(END_OF_FILE.encode())))
    if n_controls > CONTROL_SHARE * len(sample) or is_seven_bit(sample):
        return None
    if is_utf_8:
        return UTF_8
    # Most of what is not ASCII is UTF-8: a damaged file, not another encoding.
    n_high = len(sample.translate(None, bytes(range(128))))
    if sum(map(len, MULTI_BYTE.findall(sample))) > n_high / 2:
        return None
    return windows_of(sample)


def may_be_utf_8(sample: bytes) -> bool:
    """Return whether the sample is UTF-8; a character may be cut off at its end."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def is_seven_bit(sample: bytes) -> bool:
    """Return whether a sample of ASCII stands for other characters, as in ISO-2022, HZ and UTF-7.

    One short piece of Base64 alone may be a word: +BBQ.
    """
    if SEVEN_BIT.search(sample) or sample.startswith(UTF_7_MARKS):
        return True
    found = [piece for piece in IN_BASE64.findall(sample) if stands_for_letters(piece)]
    is_shown = len(set(found)) > 1 or any(len(piece) > 3 for piece in found)
    return is_shown and len(found) >= UTF_7_SHARE * len(sample.split())


def stands_for_letters(piece: bytes) -> bool:
    """Return whether a piece of Base64 is UTF-16 of letters, as in UTF-7.

    That is of letters of Latin to Arabic, of three or more of one later alphabet, or of two or more
    of Chinese, Japanese or Korean, maybe with punctuation.
    """
    n_left = len(piece) * 6 % 16
    if n_left >= 6:
        return False
    content = base64.b64decode(piece + b"A" * (-len(piece) % 4))
    n_bytes = len(piece) * 6 // 16 * 2
    text = content[:n_bytes].decode("utf-16-be", "replace")
    if any(content[n_bytes:]):
        return False
    if all("\xa0" <= letter < "\u0700" and letter.isalpha() for letter in text):
        return True
    if piece[1:] in (piece[1:].lower(), piece[1:].upper()):  # a word, an abbreviation or a number
        return False
    blocks = {ord(letter) >> 7 for letter in text}
    if len(text) > 2 and len(blocks) == 1 and "\u0700" <= text[0] < "\u2000":
        return all(category(letter)[0] in "LM" for letter in text)
    is_written = any(may_be_written(text, codec) for codec in EAST_ASIAN)
    return is_written and sum("\u3040" <= letter < "\ud7a4" for letter in text) > 1


def may_be_written(text: str, codec: str) -> bool:
    """Return whether a codec has all characters of a text."""
    try:
        text.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def utf_32_of(sample: bytes) -> str | None:
    """Return the codec of UTF-32 without a byte-order mark; None if the sample is none.

    Of four bytes one is always 0, and the next at most 16.
    """
    whole = sample[: len(sample) // 4 * 4]
    n_zeros = memoryview(whole).cast("I").tolist().count(0)
    for codec, zero, plane in (("utf-32-le", 3, 2), ("utf-32-be", 0, 1)):
        is_wide = not any(whole[zero::4]) and max(whole[plane::4], default=17) <= 16
        if is_wide and len(whole) > 4 and n_zeros < 0.1 * len(whole) / 4:
            return codec
    return None


def utf_16_of(sample: bytes) -> str | None:
    """Return the codec of UTF-16 without a byte-order mark; None if the sample is none.

    Latin and Cyrillic have a high byte of 0 or 4, which no other text has in every second place.
    """
    for codec, high, low in (("utf-16-le", 1, 0), ("utf-16-be", 0, 1)):
        highs, lows = (sample[start : len(sample) // 2 * 2 : 2] for start in (high, low))
        n_wide = highs.count(0) + highs.count(4)
        if len(highs) > 1 and n_wide > 0.7 * len(highs) and lows.count(0) < 0.1 * len(lows):
            return codec
    return None


def windows_of(sample: bytes) -> str | None:
    """Return which of WINDOWS 8-bit text is in, None if it is in none or some lines say another."""
    lines = [line for line in re.split(rb"[\r\n]+", sample) if not line.isascii()]
    # Lines that both say alike would cover up those that differ.
    differing = [line for line in lines if not line.translate(None, SAID_ALIKE).isascii()]
    said = b"\n".join(differing or lines)
    is_western = looks_western(said.decode("cp1252", errors="replace"))
    if not differing:
        return EITHER if is_western else None
    if is_western == looks_cyrillic(said.decode("cp1251", errors="replace")):
        return None
    codec = "windows-1252" if is_western else "windows-1251"
    return None if is_contradicted(sample, codec) else codec


def is_contradicted(sample: bytes, codec: str) -> bool:
    """Return whether some lines of a text in one of WINDOWS are clearly in the other."""
    other = {"windows-1251": "windows-1252", "windows-1252": "windows-1251"}.get(codec)
    if other is None or not SIGNS[other].search(sample):
        return False
    lines = [line for line in re.split(rb"[\r\n]+", sample) if SIGNS[other].search(line)]
    found = b"\n".join(lines)
    western = looks_western(found.decode("cp1252", errors="replace"))
    cyrillic = looks_cyrillic(found.decode("cp1251", errors="replace"))
    return (western, cyrillic) == (other == "windows-1252", other == "windows-1251")


def looks_cyrillic(text: str) -> bool:
    """Return whether the words that are not ASCII look like Russian or its neighbours."""
    words = [word for word in LETTERS.findall(text) if not word.isascii()]
    letters = "".join(words)
    n_capitals = sum(map(str.isupper, letters))
    # Words of one letter prove nothing; capitals are more likely KOI8-R's small letters.
    if all(len(word) == 1 for word in words) or n_capitals > len(letters) / 2:
        return False
    n_odd = sum(map(is_odd_cyrillic, words)) + len(ODD_CYRILLIC_SYMBOL.findall(text))
    n_vowels, n_common = len(VOWELS.findall(letters)), len(COMMON.findall(letters))
    least_common = 1 / 3 if NEVER_HEBREW.search(letters) else 1 / 2
    is_plausible = n_vowels >= len(letters) / 5 and n_common >= least_common * len(letters)
    return is_plausible and n_odd + count_odd_symbols(text) <= ODD_SHARE * len(words)


def is_odd_cyrillic(word: str) -> bool:
    """Return whether no Russian, Ukrainian or Bulgarian text has such a word."""
    if not re.fullmatch(f"[{CYRILLIC}]+", word):
        return True
    return len(word) > 1 and (has_odd_case(word) or bool(ODD_CYRILLIC.search(word)))


def looks_western(text: str) -> bool:
    """Return whether the words that are not ASCII look like a Western European language's."""
    words = [word for word in LETTERS.findall(text) if not word.isascii()]
    if words and all(len(word) == 1 for word in words):  # Cyrillic has as many of these
        return False
    if sum(map(is_odd_western, words)) > ODD_WORD_SHARE * len(words):
        return False
    n_signs = len(words) + len(TYPOGRAPHY.findall(text))
    return count_odd_symbols(text) <= ODD_SHARE * n_signs


def is_odd_western(word: str) -> bool:
    """Return whether no Western European text has such a word, which is not all ASCII."""
    if len(word) == 1:
        return word not in WESTERN_WORDS
    is_foreign = ODD_WESTERN.search(word) or not re.search("[A-Za-z]", word)
    return has_odd_case(word) or bool(is_foreign)


def has_odd_case(word: str) -> bool:
    """Return whether a word has capitals behind small letters."""
    return not (word.isupper() or word[1:].islower())


def count_odd_symbols(text: str) -> int:
    """Return how many signs stand where no text has them; a „ or « belongs to what closes it."""
    n_open = text.count("„") - text.count("“") - text.count("”")
    n_closed = len(CLOSED.findall(text)) - text.count("«")
    n_odd = len(ODD_SYMBOL.findall(text)) + len(ODD_APOSTROPHE.findall(text))
    return n_odd + max(0, n_open) + max(0, n_closed)


def decode(name: str, content: bytes, encoding: Encoding = Encoding.auto) -> str:
    """Return the text of a whole file; CR and CRLF become LF.

    Raises InputError, naming the file, if its encoding is doubtful or not the one declared.
    """
    codec = codec_of(content, encoding)
    if codec is None and may_be_utf_8(content):
        raise doubtful(name)
    try:
        text = content.decode(codec or UTF_8)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name}: byte {error.start} is no {codec or 'UTF-8'} ({error.reason}); {DECLARE}"
        ) from None
    return text.rstrip(END_OF_FILE).replace("\r\n", "\n").replace("\r", "\n")


def doubtful(name: str) -> InputError:
    """Return the error of a file that is ASCII by its bytes, and no text as ASCII."""
    return InputError(
        f"{name}: its encoding is doubtful: it has control characters that no text has, or marks "
        f"of an encoding in ASCII (utf-7, iso-2022-jp, hz); {DECLARE}"
    )
