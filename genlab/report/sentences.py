"""Sentences with numbers of a run in them: "at place {score_details.labse.average_loc.all:1}".

A name in braces is a file of metrics/ and the keys in it, `fetch` and those of metrics/fetch/, or
`params` and a key of params.yaml.
After a colon stand the digits to round to, and % for a share. A name may hold others in braces:
they are filled first. Of names with " or " between them the first that is there is meant. None that
is there is an error, so that a sentence never says less than it was written to say.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from genlab.core.params import did_you_mean, is_number
from genlab.core.program import InputError

INNERMOST = re.compile(r"\{([^{}]*)\}")
FORM = re.compile(r"(\d{0,2})(%?)")
# Braces of what was put in, so that they are not filled in turn; of Unicode's private use.
HIDDEN = str.maketrans("{}", "\ue000\ue001")
SHOWN = str.maketrans("\ue000\ue001", "{}")

MADE_HERE = "mini, made here"
MADE_ONCE = "mini, made once and bundled"


def fill(text: str, values: dict, where: str, *, is_name: bool = False) -> str:
    """Return a sentence with its numbers; InputError, beginning with `where`, if one is missing.

    The value of `each` is shown without underscores, except where it is part of a name: inside the
    braces of another name, or in a text that is a name (is_name).
    """
    while found := INNERMOST.search(text):
        before = text[: found.start()]
        shown = show(found[1], values, where).translate(HIDDEN)
        is_inside = is_name or before.count("{") > before.count("}")
        if found[1] == "each" and not is_inside:
            shown = shown.replace("_", " ")
        text = before + shown + text[found.end() :]
    return text.translate(SHOWN)


def show(reference: str, values: dict, where: str) -> str:
    """Return the value of a name in braces, as text."""
    name, colon, form = reference.partition(":")
    given = FORM.fullmatch(form)
    if given is None or (colon and not form):
        raise InputError(f"{where}: {{{reference}}}: after the colon digits or %, like :1 or :%")
    names = [each.strip() for each in name.split(" or ")]
    value = look_up(next((each for each in names if has(each, values)), names[0]), values, where)
    if isinstance(value, dict) and "value" not in value and "source" in value:
        return describe_source(value)
    digits = int(given[1]) if given[1] else None
    shown = in_words(value, digits, is_share=bool(given[2]))
    if shown is None:
        raise InputError(f"{where}: {{{reference}}} is {type(value).__name__}; name one value")
    return shown


def look_up(name: str, values: dict, where: str) -> object:
    """Return the value of a dotted name; a key may have dots of its own."""
    node, parts = values, name.split(".")
    while parts:
        keys = [".".join(parts[:n]) for n in range(1, len(parts) + 1)]
        key = next((each for each in keys if isinstance(node, dict) and each in node), None)
        if key is None:
            known = node if isinstance(node, dict) else ()
            hint = did_you_mean(parts[0], map(str, known)) or listed(known)
            raise InputError(f"{where}: {{{name}}}: there is no {parts[0]}{hint}")
        node, parts = node[key], parts[key.count(".") + 1 :]
    return node


def has(name: str, values: dict) -> bool:
    """Return whether a dotted name has a value."""
    try:
        return look_up(name, values, "") is not None
    except InputError:
        return False


def listed(known: Iterable) -> str:
    """Return a hint at the names that are there."""
    names = ", ".join(map(str, known))
    return f"; there is {names}" if names else ""


def in_words(value: object, digits: int | None = None, *, is_share: bool = False) -> str | None:
    """Return a number, an interval, a text or a list of them as it stands in a sentence.

    None for anything else. A share is in percent, whole if no digits are asked for.
    """
    if isinstance(value, dict):
        ends = [value.get(name) for name in ("value", "low", "high")]
        shown = [in_words(each, digits, is_share=is_share) for each in ends if is_number(each)]
        if not is_number(ends[0]) or None in shown:
            return None
        if len(shown) < 3:
            return shown[0]
        low, high = (str(each).removesuffix("\u00a0%") for each in shown[1:])
        return f"{shown[0]} [{low}, {high}]"
    if isinstance(value, list):
        shown = [in_words(each, digits, is_share=is_share) for each in value]
        return None if None in shown else ", ".join(map(str, shown))
    if is_number(value):
        return in_digits(value, digits, is_share)
    return str(value) if isinstance(value, str | bool) else None


def in_digits(value: float, digits: int | None, is_share: bool) -> str:
    """Return a number with so many decimals; without a wish three digits, of 1,000 and more all."""
    if is_share:
        return f"{100 * value:z.{digits or 0}f}\u00a0%"  # z: no -0
    if digits is not None:
        return f"{value:z.{digits}f}"
    if isinstance(value, int) or 0 < abs(value) < 0.001:
        return str(value)
    # From where three digits would be rounded to 1e+03.
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:z.3g}"


def describe_source(asset: dict) -> str:
    """Return where a corpus or a model is from, in few words, from its group in params.yaml."""
    match asset["source"]:
        case "mini":
            return MADE_HERE
        case "bundled":
            return MADE_ONCE
        case "hub":
            revision = str(asset.get("revision", "none"))
            pinned = f"@{revision[:7]}" if revision != "none" else ""
            return f"{asset.get('hub_id', 'hub')}{pinned}"
        case "file":
            return Path(str(asset.get("path", "file"))).name
        case other:
            return str(other)
