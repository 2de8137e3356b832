"""Numbers written in words, taken out of a text so that no word is left without its number.

A number goes with the unit it counts and the preposition before it: of "по два раза" and "через
двадцать минут" nothing stays. A number that counts anything else stays with it: "два официанта".
One that counts nothing goes alone.
"""

import re
from functools import cache

from pipelines.reviews.morphology import morphology

# Cardinals in all cases. Not "один", which is also "alone" and "the same", and not "семью", which
# is also "family".
NUMBER = (
    r"(?:ноль|нуля|дв(?:а|е|ух|ум|умя)|тр(?:и|[её]х|[её]м|емя)|четыр(?:е|[её]х|[её]м|ьмя)"
    r"|пят(?:ь|и|ью)|шест(?:ь|и|ью)|сем(?:ь|и)|вос(?:емь|ьми|емью)|девят(?:ь|и|ью)|десят(?:ь|и|ью)"
    r"|(?:один|две|три|четыр|пят|шест|сем|восем|девят)надцат(?:ь|и|ью)|(?:два|три)дцат(?:ь|и|ью)"
    r"|сорока?|пят(?:ь|и)десят|шест(?:ь|и)десят|сем(?:ь|и)десят|вос(?:емь|ьми)десят|девяност[оа]"
    r"|ст[оа]|двести|двухсот|триста|тр[её]хсот|четыреста|четыр[её]хсот|пят(?:ь|и)сот"
    r"|шест(?:ь|и)сот|сем(?:ь|и)сот|вос(?:емь|ьми)сот|девят(?:ь|и)сот"
    r"|тысяч(?:а|и|е|у|ей|ам|ами|ах)?|миллион(?:а|ы|у|ом|ов)?)"
)
# What is said of a number only, and would hang in the air without it.
BEFORE = (
    r"(?:в|во|за|на|по|до|от|с|со|к|ко|из|через|около|после|порядка|примерно|почти|целых|ровно"
    r"|(?:не\s+)?(?:более|менее|больше|меньше|свыше)(?:\s+чем)?)"
)
NUMBERS = rf"\b{NUMBER}\b(?:(?:\s*[-–—]\s*|\s+(?:или|и)\s+|\s+){NUMBER}\b)*"
PHRASE = re.compile(rf"(?:\b{BEFORE}\s+)*{NUMBERS}", re.IGNORECASE)
NEXT_WORD = re.compile(r"\s+([а-яё]+)", re.IGNORECASE)
LAST_WORD = re.compile(r"\b([а-яё]+)\s+$", re.IGNORECASE)
# Dictionary forms, as pymorphy3 gives them.
# fmt: off
UNITS = {
    "раз", "разок", "секунда", "минута", "минутка", "час",
    "часик", "день", "сутки", "неделя", "месяц", "год",
    "лето", "рубль", "копейка", "доллар", "евро", "балл",
    "звезда", "процент", "человек", "метр", "километр", "грамм",
    "килограмм", "литр", "штука",
}
# fmt: on


@cache
def is_unit(word: str) -> bool:
    """Return whether a lower-case word is a unit that numbers count, in any form."""
    return any(parse.normal_form in UNITS for parse in morphology().parse(word))


@cache
def is_counted(word: str) -> bool:
    """Return whether a lower-case word can be what the number before it counts."""
    return any(
        parse.tag.POS in ("NOUN", "ADJF", "PRTF") and ("gent" in parse.tag or "plur" in parse.tag)
        for parse in morphology().parse(word)
    )


def is_units(word: str) -> bool:
    """Return whether a lower-case word is a unit as it stands behind its number: минут, рублей."""
    return is_unit(word) and any(
        {"gent", "plur"} <= set(parse.tag.grammemes) for parse in morphology().parse(word)
    )


def drop_number_words(text: str) -> str:
    """Return a text without its numbers in words; the gaps are left to be closed."""
    kept: list[str] = []
    at = 0
    while found := PHRASE.search(text, at):
        start, end = found.span()
        follows = NEXT_WORD.match(text, end)
        word = follows[1].lower() if follows else ""
        before = LAST_WORD.search(text, at, start)
        if follows and is_unit(word):
            end = follows.end()
        elif word and is_counted(word):
            start = end  # it stays
        elif before and is_units(before[1].lower()):  # "минут двадцать"
            start = before.start()
        between = text[at:start]
        if at and kept[-1] == " " and between.strip() in ("и", "или") and start < end:
            between = ""  # "два часа и пять минут"
        kept += [between, " " * (start < end)]
        at = end
    return "".join(kept) + text[at:]
