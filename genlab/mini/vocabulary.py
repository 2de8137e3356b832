"""The vocabularies that mini corpora are made from: read and checked, each error naming its place.

People edit these files. The makers rely on their shape (a list of texts, at least so many, the
fields of a form), so it is checked here, before anything is drawn.
"""

from collections.abc import Collection
from pathlib import Path
from string import Formatter

from genlab.core.program import InputError
from genlab.core.yaml_text import read_yaml_file


def read_vocabulary(path: Path) -> dict:
    """Return a vocabulary's parts by name; raise InputError for a file that is no YAML mapping."""
    return check_parts(read_yaml_file(path, "name a file"), f"{path}: top level")


def check_parts(
    spec: object,
    where: str,
    needed: Collection[object] = (),
    known: Collection[object] | None = None,
    least: int = 1,
) -> dict:
    """Return `spec`; raise InputError unless it is a mapping with texts as keys.

    needed: required keys, whose values may not be null; known: the allowed keys (None: any); least:
    the least number of keys.
    """
    if not isinstance(spec, dict):
        raise InputError(f"{where}: must be a mapping (lines of `key: value`)")
    for key in needed:
        if spec.get(key) is None:
            raise InputError(f"{where}: {key} is missing; add it")
    for key in spec:
        if known is not None and key not in known:
            listed = ", ".join(map(str, known))
            raise InputError(f"{where}: unknown key {key}; the keys are {listed}")
        if known is None and (not isinstance(key, str) or not key.strip()):
            raise InputError(f"{where}: the key {key!r} is not text; put it in quotes")
    if len(spec) < least:
        raise InputError(f"{where}: {len(spec)} keys; give it at least {least}")
    return spec


def check_texts(spec: object, where: str, least: int = 1) -> list[str]:
    """Return `spec`; raise InputError unless it is a list of at least `least` different texts."""
    if not isinstance(spec, list):
        raise InputError(f"{where}: must be a list of texts, like [one, two]")
    for text in spec:
        check_text(text, where)
    if (n := len(set(spec))) < least:
        raise InputError(f"{where}: {n} different texts; give it at least {least}")
    return spec


def check_text(spec: object, where: str) -> str:
    """Return `spec`; raise InputError unless it is a text that is not blank."""
    if not isinstance(spec, str):
        raise InputError(f"{where}: {spec!r} is not text; put it in quotes")
    if not spec.strip():
        raise InputError(f"{where}: an empty text; write something, or take it out")
    return spec


def check_form(
    spec: object, where: str, must_use: Collection[str] = (), may_use: Collection[str] = ()
) -> str:
    """Return `spec`; raise InputError unless it is a text for `str.format` with the right fields.

    A field is {name} alone: what else `format` knows ({0}, {n.x}, {n:5}, {n!r}) has no meaning.
    """
    text = check_text(spec, where)
    known = [*must_use, *may_use]
    try:
        parts = list(Formatter().parse(text))
    except ValueError as error:
        raise InputError(
            f"{where}: {text!r} is no form ({error}); write fields as {{name}}, a brace as {{{{"
        ) from None
    used = {field for _, field, _, _ in parts if field is not None}
    for _, field, width, conversion in parts:
        if field is not None and (field not in known or width or conversion):
            after = (f"!{conversion}" if conversion else "") + (f":{width}" if width else "")
            listed = ", ".join(f"{{{name}}}" for name in known) or "none"
            raise InputError(
                f"{where}: {text!r} holds {{{field}{after}}}, which has no meaning here; its "
                f"fields: {listed}"
            )
    for field in must_use:
        if field not in used:
            raise InputError(f"{where}: {text!r} does not hold {{{field}}}; add it")
    return text


def check_forms(
    spec: object,
    where: str,
    must_use: Collection[str] = (),
    may_use: Collection[str] = (),
    least: int = 1,
) -> list[str]:
    """Return `spec`; raise InputError unless it is a list of forms, checked as `check_form`."""
    for form in (forms := check_texts(spec, where, least)):
        check_form(form, where, must_use, may_use)
    return forms
