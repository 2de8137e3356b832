"""The text of people's bytes: in which encoding they are, and what they say in it.

A byte-order mark and valid UTF-8 speak for themselves. Of 8-bit encodings only Windows-1251 and
Windows-1252 are told from each other, by charset-normalizer and by what words look like. Where the
two say the same (dashes, typographic quotes) there is nothing to tell. What stays doubtful is never
guessed: it is an error, and the user declares the encoding.
"""

import codecs
import re
from enum import StrEnum

from genlab.core.program import InputError


class Encoding(StrEnum):
    """How a file's characters are written; auto: by its bytes."""

    auto = "auto"
    utf_8 = "utf-8"
    utf_16 = "utf-16"
    utf_16_le = "utf-16-le"
    utf_16_be = "utf-16-be"
    windows_1250 = "windows-1250"
    windows_1251 = "windows-1251"
    windows_1252 = "windows-1252"
    windows_1254 = "windows-1254"
    iso_8859_1 = "iso-8859-1"
    iso_8859_2 = "iso-8859-2"
    iso_8859_15 = "iso-8859-15"
    koi8_r = "koi8-r"
    cp866 = "cp866"
    gb18030 = "gb18030"
    big5 = "big5"
    shift_jis = "shift_jis"
    euc_kr = "euc-kr"


UTF_8 = "utf-8-sig"  # takes away a byte-order mark
# Some readers' params have no encoding.
DECLARE = (
    "save it as UTF-8, or where params.yaml has corpus.encoding, set that to what it is "
    "(windows-1251, windows-1252, ...)"
)

MULTI_BYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
LETTERS = re.compile(r"[^\W\d_]+")
CYRILLIC = "а-яёіїєґўА-ЯЁІЇЄҐЎ"
VOWELS = re.compile("[аеёиоуыэюяіїє]", re.IGNORECASE)
# Turkish, Czech and Polish letters come out as these, which Icelandic alone has.
ICELANDIC = re.compile("[ðþýÐÞÝ]")
SYMBOL_IN_WORD = re.compile(r"[^\W\d_][\x80-\x9f¡-©«-´¶¸-¿×÷‚„†‡‰‹›€˜ˆ]+[^\W\d_]")
ODD_SHARE = 0.1  # ours: of words that no text of the encoding has; slips of the pen


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
    if wide := utf_16_of(sample):
        return wide
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
        return UTF_8
    except UnicodeDecodeError:
        pass
    # Most of what is not ASCII is UTF-8: a damaged file, not another encoding.
    n_high = len(sample.translate(None, bytes(range(128))))
    if sum(map(len, MULTI_BYTE.findall(sample))) > n_high / 2:
        return None
    return windows_of(sample)


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
    """Return "windows-1251" or "windows-1252" of 8-bit text, None if it could be either or none."""
    from charset_normalizer import from_bytes

    # Lines without such bytes say nothing and would cover up those that do.
    lines = re.split(rb"[\r\n]+", sample)
    said = b"\n".join(line for line in lines if not line.isascii())
    texts = {code: said.decode(code, errors="replace") for code in ("cp1251", "cp1252")}
    if texts["cp1251"] == texts["cp1252"] and "\ufffd" not in texts["cp1252"]:
        return "windows-1252"
    looks = {"cp1251": looks_cyrillic(texts["cp1251"]), "cp1252": looks_western(texts["cp1252"])}
    found = list(from_bytes(said, cp_isolation=["cp1251", "cp1252", "koi8_r", "cp866"]))
    likely = [
        match.encoding
        for match in found
        if (match.chaos, -match.coherence) == (found[0].chaos, -found[0].coherence)
    ]
    # Of the shortest texts the library says nothing.
    if looks["cp1251"] and not looks["cp1252"] and (not found or "cp1251" in likely):
        return "windows-1251"
    # The library takes accents in English for Cyrillic: what the words look like is surer.
    if looks["cp1252"] and not looks["cp1251"]:
        return "windows-1252"
    return None


def looks_cyrillic(text: str) -> bool:
    """Tell whether the words that are not ASCII look like Russian or its neighbours."""
    words = [word for word in LETTERS.findall(text) if not word.isascii()]
    odd = [
        word
        for word in words
        if not re.fullmatch(f"[{CYRILLIC}]+", word) or not (word[1:].islower() or word.isupper())
        if len(word) > 1 or not re.fullmatch(f"[{CYRILLIC}]", word)
    ]
    letters = "".join(words)
    if letters.isupper():  # more likely KOI8-R's small letters
        return False
    n_vowels = len(VOWELS.findall(letters))
    n_broken = len(odd) + len(SYMBOL_IN_WORD.findall(text)) + text.count("\ufffd")
    return bool(words) and n_broken <= ODD_SHARE * len(words) and n_vowels >= len(letters) / 5


def looks_western(text: str) -> bool:
    """Tell whether the words that are not ASCII look like those of a Western European language."""
    words = [word for word in LETTERS.findall(text) if not word.isascii()]
    odd = [
        word
        for word in words
        if ICELANDIC.search(word) or (len(word) > 1 and not re.search("[A-Za-z]", word))
    ]
    n_broken = len(odd) + len(SYMBOL_IN_WORD.findall(text)) + text.count("\ufffd")
    return n_broken <= ODD_SHARE * len(words)


def decode(name: str, content: bytes, encoding: Encoding = Encoding.auto) -> str:
    """Return the text of a whole file; CR and CRLF become LF.

    Raises InputError, naming the file, if its encoding is doubtful or not the one declared.
    """
    codec = codec_of(content, encoding)
    try:
        text = content.decode(codec or UTF_8)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name}: byte {error.start} is no {codec or 'UTF-8'} ({error.reason}); {DECLARE}"
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
