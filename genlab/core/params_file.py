"""Read params.yaml as DVC does, and refuse values that would change on a command line.

DVC reads YAML 1.2 (`no` is a text), puts the values into command lines and runs these in a shell,
line by line. A value that would not reach the program as written is refused here, by its key.
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import yaml

from genlab.core.params import flatten
from genlab.core.program import InputError
from genlab.core.yaml_text import compose_yaml, load_yaml

# Names become folders and files. A dot would part a key; - and _ are one to a command line.
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
NAME_RULE = "a name begins with a letter and has letters, digits, _ and - only, at most 64"

# A list of names may be [as_score]: what the group score has under the same key.
AS = "as_"

# From here on a number is no index of a tensor or a table.
TOO_LARGE = 2**63


@dataclass(frozen=True)
class Params:
    """What a params.yaml says."""

    content: dict
    values: dict[str, object]  # by dotted key; a list is one value
    written: dict[str, str]  # how a value without quotes was written, by dotted key


def text_of(path: Path) -> str:
    """Return the text of a params.yaml; InputError if it is missing or not in UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path} is missing; `git checkout {path}` brings it back") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not in UTF-8 ({error.reason}); save it so") from None


def read_params(text: str, where: str = "params.yaml") -> Params:
    """Return the values of a params.yaml, which is at `where`, as DVC reads them.

    Raises InputError if it is not a YAML mapping, or if its aliases expand without end.
    """
    try:
        top, content = compose_yaml(text), load_yaml(text)
    except yaml.YAMLError as error:
        raise InputError(f"{where} is not readable as YAML: {error}") from None
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise InputError(f"{where} must be keys with values, not a {type(content).__name__}")
    return Params(content, flatten(content), dict(written_values(top)) if top else {})


def written_values(node: yaml.Node, prefix: str = "") -> list[tuple[str, str]]:
    """Return the key and the text of every value that stands without quotes."""
    if isinstance(node, yaml.ScalarNode):
        return [] if node.style else [(prefix.removesuffix("."), node.value)]
    if isinstance(node, yaml.SequenceNode):
        pairs = [(str(i), item) for i, item in enumerate(node.value)]
    else:
        pairs = [(str(key.value), value) for key, value in node.value]
    return [
        each
        for key, value in pairs
        for each in written_values(value, prefix if key == "<<" else f"{prefix}{key}.")
    ]


def check_params_file(params: Params) -> None:
    """Raise InputError for an invalid key, or a value that would change on a command line."""
    check_keys(params.content)
    for key, value in params.values.items():
        if isinstance(value, list) and any(isinstance(each, list | dict) for each in value):
            raise InputError(f"{key}={value}: must be a list of single values")
    for key, value in flatten(params.content, lists=True).items():
        check_value(key, value, params.written.get(key, ""))


def check_keys(content: object, prefix: str = "") -> None:
    """Raise InputError for an invalid key, or two of a group alike but for case, - and _."""
    if isinstance(content, list):
        content = {str(i): each for i, each in enumerate(content) if isinstance(each, dict | list)}
        for key, value in content.items():
            check_keys(value, f"{prefix}{key}.")
        return
    if not isinstance(content, dict):
        return
    alike: dict[str, str] = {}
    for key, value in content.items():
        if isinstance(key, str) and key.startswith(AS):
            raise InputError(
                f"params.yaml: {prefix}{key} cannot be a key: [{AS}score] in a list of names means "
                "the names of score; rename it"
            )
        if not isinstance(key, str) or not NAME.fullmatch(key) or yaml.safe_load(key) != key:
            place = f" in {prefix.removesuffix('.')}" if prefix else ""
            raise InputError(f"params.yaml: {key!r}{place} cannot be a key; {NAME_RULE}")
        same = key.casefold().replace("-", "_")
        if same in alike:
            raise InputError(
                f"{prefix}{key} and {prefix}{alike[same]} differ in case or - and _ only, which "
                "files and options do not tell apart; rename one"
            )
        alike[same] = key
        check_keys(value, f"{prefix}{key}.")


def check_value(key: str, value: object, written: str) -> None:
    """Raise InputError for a value that would change; written: its text in the YAML file."""
    if value is None or value == [] or value == {}:  # DVC would write "None", or nothing
        raise InputError(f"{key} is empty; give a value (where there is to be none: 0, or none)")
    if isinstance(value, str):
        check_text(key, value)
    elif not isinstance(value, bool | int | float):
        kind = "a date" if hasattr(value, "year") else f"a {type(value).__name__}"
        raise InputError(f"{key}={written or value} is {kind} to YAML; put quotes around it")
    elif isinstance(value, int) and abs(value) >= TOO_LARGE:
        raise InputError(f"{key}={value} is too large; numbers end at {TOO_LARGE - 1}")


def check_text(key: str, text: str) -> None:
    """Raise InputError for a text that a shell, or DVC, would change."""
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") and character != "\t":
            raise InputError(
                f"{key}={text!r} has a line end or a control character, which no command line "
                "can carry; leave it out"
            )
    if re.search(r"://[^/?#@\s]*:[^/?#@\s]+@", text):
        raise InputError(
            f"{key} holds a password, which git and dvc.lock would keep; leave it out and give it "
            "in the environment (params.yaml's comment on the key says how)"
        )
    if r"\${" in text:
        raise InputError(rf"{key}={text}: DVC would take the \ out of \${{; write it otherwise")


def check_as_written(key: str, params: Params, is_number: bool) -> None:
    """Raise InputError if YAML reads a value, or a list's item, as another type than is meant.

    A number or a text may not be written as `true`; a text written without quotes as 1.10, 1e5 or
    007 would become another one.
    """
    value = params.values.get(key)
    items = flatten({key: value}, lists=True) if isinstance(value, list) else {key: value}
    for name, each in items.items():
        written = params.written.get(name, str(each))
        if is_number and (re.match(r"\+|-?0[xob]", written) or "_" in written):
            raise InputError(f"{name}={written}: write the number in digits, without + or _")
        if isinstance(each, bool) and is_number:
            raise InputError(f"{name}={written}: must be a number, not true or false")
        if isinstance(each, bool):
            raise InputError(f"{name}={written} is true or false to YAML; put quotes around it")
        if isinstance(each, int | float) and not is_number and str(each) != written:
            raise InputError(f"{name}={written} is the number {each} to YAML; put quotes around it")
