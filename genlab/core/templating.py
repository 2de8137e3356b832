"""A pipeline's entries before DVC fills in values: which key of params.yaml goes where.

Each value is checked against its place in the entry: DVC would split a value with a blank into
words, or follow a path out of the pipeline's folder.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from genlab.core.params import did_you_mean, flatten
from genlab.core.params_file import NAME, NAME_RULE, Params
from genlab.core.program import InputError

KEY = r"\$\{([\w.-]+)\}"  # how dvc.yaml writes a params key

# Where a stage names what it writes. What git keeps in place of DVC's cache (cache: false) stands
# under the last two: DVC saves no run of a stage with such an output under `outs`, so experiments
# would train again what an earlier one has trained. Of `metrics` DVC shows the numbers, of `plots`
# it draws the lists. So scores, and curves, which are lists, are metrics; and counts, which are
# numbers, are plots: `dvc exp show` opens on the scores, and a chart is an entry of dvc.yaml's own
# `plots`, drawn once.
OUTPUTS = ("outs", "metrics", "plots")

# A launcher is words of the user's for a shell, so they must mean nothing else to it.
LAUNCHER = re.compile(r"[\w@%+=:,./-]+( +[\w@%+=:,./-]+)*", re.ASCII)


@dataclass(frozen=True)
class Entry:
    """A stage as dvc.yaml writes it, of a foreach one instance; with ${keys}."""

    name: str
    command: str
    inputs: list[str]
    outputs: list[str]


def instance_of(name: str, entry: dict) -> Entry:
    """Return an entry as `Entry`; of a foreach the instance `name`, like train@main."""
    body = entry.get("do", entry)
    instance = name.partition("@")[2]
    group = f"{str(entry.get('foreach', '')).strip('${}')}.{instance}"

    def named(text: str) -> str:
        if "foreach" not in entry:
            return text
        text = text.replace("${key}", instance)
        return text.replace("${item}", f"${{{group}}}").replace("${item.", f"${{{group}.")

    outputs = [out for kind in OUTPUTS for out in body.get(kind, [])]
    paths = [next(iter(each)) if isinstance(each, dict) else each for each in outputs]
    return Entry(
        name,
        named(body["cmd"]),
        [named(str(path)) for path in body.get("deps", [])],
        [named(path) for path in paths],
    )


def all_entries(entries: Mapping[str, dict], params: Params) -> Iterator[Entry]:
    """Yield every entry, of a foreach over a params group an instance for each of its names.

    entries: as `read_entries` returns them. Raises InputError if such a group is missing or is not
    a group.
    """
    for name, entry in entries.items():
        found = re.fullmatch(KEY, str(entry.get("foreach", "")))
        if found is None:
            if "foreach" not in entry:
                yield instance_of(name, entry)
            continue
        names = group_of(found[1], params, name)
        for instance in names:
            yield instance_of(f"{name}@{instance}", entry)


def foreach_groups(entries: Mapping[str, dict]) -> dict[str, str]:
    """Return {params group: entry} of those foreach entries that run over a group whole.

    entries: as `read_entries` returns them.
    """
    groups: dict[str, str] = {}
    for name, entry in entries.items():
        if found := re.fullmatch(KEY, str(entry.get("foreach", ""))):
            groups.setdefault(found[1], name)
    return groups


def value_of(key: str, params: Params, stage: str) -> object:
    """Return the value or the group of a key; InputError if params.yaml has none."""
    value: object = params.content
    for n, part in enumerate(parts := key.split(".")):
        if not isinstance(value, dict):
            raise not_a_group(".".join(parts[:n]), value)
        if part not in value:
            missing = ".".join(parts[: n + 1])
            hint = did_you_mean(part, map(str, value))
            raise InputError(f"{missing} is missing; stage {stage} needs it{hint}")
        value = value[part]
    return value


def filled(text: str, params: Params, stage: str) -> str:
    """Return a text of an entry with its ${keys} filled in; InputError as `value_of`."""
    return re.sub(KEY, lambda key: str(value_of(key[1], params, stage)), text)


def group_of(key: str, params: Params, stage: str) -> dict:
    """Return a group's keys and values; InputError if it is missing or is not a group."""
    value = value_of(key, params, stage)
    if not isinstance(value, dict):
        raise not_a_group(key, value)
    return value


def not_a_group(key: str, value: object) -> InputError:
    """Return the error for a value where a group of keys must be."""
    if value is None:
        return InputError(f"{key} is empty; give a value")
    return InputError(f"{key}={value}: must be a group of keys, not a value")


def check_entry(entry: Entry, params: Params) -> None:
    """Raise InputError for a key of an entry that is missing, or whose value does not fit there.

    DVC would only say that it cannot resolve the entry; or it would split a value into words, or
    follow a name like ../../tests out of the folder and delete what is there.
    """
    launcher, launched, rest = entry.command.partition(" -m ")
    for key in re.findall(KEY, launcher if launched else ""):
        check_launcher_words(key, value_of(key, params, entry.name))
    words = (rest if launched else entry.command).split()
    for before, word in pairwise(["", *words]):
        found = re.fullmatch(KEY, word)
        if found is None:
            check_parts_of_a_path(word, params, entry.name)
        elif before.startswith("--"):
            check_word(found[1], value_of(found[1], params, entry.name))
        else:
            group_of(found[1], params, entry.name)
    for path in (*entry.inputs, *entry.outputs):
        if found := re.fullmatch(KEY, path):
            check_path(found[1], value_of(found[1], params, entry.name))
        else:
            check_parts_of_a_path(path, params, entry.name)


def check_launcher_words(key: str, value: object) -> None:
    """Raise InputError for a launcher with characters that a shell would interpret."""
    if not isinstance(value, str) or not LAUNCHER.fullmatch(value):
        raise InputError(
            f"{key}={value}: must be plain words, like python or accelerate launch "
            "--num_processes 2; no quotes, nor anything else that a shell reads"
        )


def check_parts_of_a_path(word: str, params: Params, stage: str) -> None:
    """Raise InputError if a value that becomes a part of a path is not a valid name."""
    for key in re.findall(KEY, word):
        value = value_of(key, params, stage)
        if not isinstance(value, str) or not NAME.fullmatch(value):
            raise InputError(f"{key}={value}: must be a name; {NAME_RULE}")


def check_word(key: str, value: object) -> None:
    """Raise InputError if a shell would not read a value, which DVC does not quote, as one word."""
    if isinstance(value, dict | list):
        raise InputError(f"{key}={value}: must be one value")
    if isinstance(value, str) and shlex.quote(value) != value:
        raise InputError(f"{key}={value}: must be one plain word; no blanks, no quotes")


def check_path(key: str, value: object) -> None:
    """Raise InputError if the input of a stage is not a local path."""
    if not isinstance(value, str) or not value or "://" in value:
        raise InputError(
            f"{key}={value}: must be a file or folder on this machine (a number or a date needs "
            "quotes)"
        )


def unpacked_groups(template: str) -> list[str]:
    """Return the keys that DVC unpacks into `--option value` pairs: those after no option."""
    before, launched, after = template.partition(" -m ")
    words = ["", *(after if launched else before).split()]  # what launches it is a value
    return [
        key[1]
        for before, word in pairwise(words)
        if (key := re.fullmatch(KEY, word)) and not before.startswith("--")
    ]


def written_options(template: str) -> dict[str, str]:
    """Return {option: its words} of those that a command names one by one, not by a group."""
    after = template.partition(" -m ")[2]
    found = re.finditer(r"--(?:no-)?([\w.-]+)(?:\s+(?!--)\S+)?", after)
    return {each[1].replace("-", "_"): each[0] for each in found}


def keys_of_options(template: str, content: dict) -> dict[str, str]:
    """Return {option: params key} of a command: those of its groups, and those named one by one."""
    flat = flatten(content)
    keys = {}
    for group in unpacked_groups(template):
        for key in flat:
            if key.startswith(f"{group}."):
                keys[key.removeprefix(f"{group}.")] = key
    for option, key in re.findall(rf"--([\w.-]+)\s+{KEY}", template):
        keys[option.replace("-", "_")] = key
    return keys
