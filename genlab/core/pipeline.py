"""A pipeline as dvc.yaml writes it: its stages, and which key of params.yaml fills what."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import yaml

from genlab.core.params import did_you_mean, flatten
from genlab.core.params_file import NAME, NAME_RULE, Params, read_params
from genlab.core.program import InputError
from genlab.core.yaml_text import load_yaml

PIPELINE = Path("dvc.yaml")  # of the folder that dvc runs in

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
class Stage:
    """One entry of a pipeline: the command line DVC will run, and what it was made from."""

    name: str
    command: str
    template: str  # the command before DVC fills in the values
    outputs: frozenset[str]
    inputs: frozenset[str] = frozenset()
    keys: dict[str, str] = field(default_factory=dict)  # option -> the params key that fills it


@dataclass(frozen=True)
class Entry:
    """A stage as dvc.yaml writes it, of a foreach one instance; with ${keys}."""

    name: str
    command: str
    inputs: list[str]
    outputs: list[str]


def check_pipeline_here(folder: Path = Path()) -> None:
    """Raise InputError unless this (or the one given) is the folder of a pipeline."""
    if (folder / PIPELINE).is_file():
        return
    here = folder.absolute()
    above = next((each for each in here.parents if (each / PIPELINE).is_file()), None)
    near = f": the nearest one above is {above}" * (above is not None)
    place = "here" if folder == Path() else f"in {folder}"
    raise InputError(f"no {PIPELINE} {place}; run this in the folder of a pipeline{near}")


def load_stages(pipeline: Path) -> list[Stage]:
    """Return the pipeline's entries with all values filled in, as DVC resolves them."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    entries = read_entries(pipeline)  # says what is wrong with it more plainly than DVC
    try:
        loaded = Repo(pipeline.parent).stage.load_all(str(pipeline))
    except DvcException as error:
        cause = f": {error.__cause__}" if error.__cause__ else ""
        raise InputError(f"{error}{cause}") from error
    templates = {
        stage.name: instance_of(stage.name, entries[stage.name.partition("@")[0]]).command
        for stage in loaded
    }
    values = loaded_params(pipeline)
    return [
        Stage(
            stage.name,
            stage.cmd,
            templates[stage.name],
            frozenset(out.def_path for out in stage.outs),
            frozenset(dep.def_path for dep in stage.deps),
            keys_of_options(templates[stage.name], values),
        )
        for stage in loaded
    ]


def loaded_params(pipeline: Path) -> dict:
    """Return the values of the pipeline's params.yaml, {} if it has none."""
    path = pipeline.parent / "params.yaml"
    return read_params(path.read_text(encoding="utf-8")).content if path.is_file() else {}


def read_pipeline(pipeline: Path) -> dict:
    """Return what a dvc.yaml says: its stages, plots, artifacts; InputError if it is no mapping."""
    try:
        content = load_yaml(pipeline.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{pipeline}: no such file; give the folder of a pipeline") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{pipeline}: not readable as YAML ({reason}); mend it") from None
    if not isinstance(content, dict):
        said = "it is empty" if content is None else f"it holds a {type(content).__name__}"
        raise InputError(
            f"{pipeline}: {said}, and must be a mapping with `stages:`; "
            f"`git checkout {pipeline}` brings the committed one back"
        )
    return content


def parse_stages(content: bytes | str, where: str, mend: str) -> dict[str, dict]:
    """Return the stages of a dvc.lock or dvc.yaml by name, {} if it is empty.

    Raises InputError, which ends in `mend`, if it cannot be read, as with the marks of a merge.
    """
    try:
        text = content if isinstance(content, str) else content.decode()
        found = load_yaml(text) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{where}: not readable as YAML ({reason}); {mend}") from None
    stages = (found.get("stages") or {}) if isinstance(found, dict) else None
    if not isinstance(stages, dict) or not all(isinstance(e, dict) for e in stages.values()):
        raise InputError(f"{where}: must have a mapping `stages:` of mappings; {mend}")
    return stages


def parse_lock(content: bytes | str, where: str, mend: str) -> dict[str, dict]:
    """Return the stages of a dvc.lock by name; InputError as `parse_stages`, and for a bad path."""
    stages = parse_stages(content, where, mend)
    for name, stage in stages.items():
        for kind in ("deps", "outs"):
            listed = stage.get(kind, [])
            if not isinstance(listed, list) or not all(
                isinstance(each, dict) and isinstance(each.get("path"), str) for each in listed
            ):
                raise InputError(f"{where}: stage {name}: {kind} must each have a path; {mend}")
    return stages


def read_entries(pipeline: Path) -> dict[str, dict]:
    """Return the entries of a dvc.yaml by name, as they are written.

    Raises InputError if there are none, or one is not of the shape that is read here.
    """
    entries = read_pipeline(pipeline).get("stages")
    if not isinstance(entries, dict) or not entries:
        raise InputError(f"{pipeline}: no stages; it must have a mapping `stages:` with some in it")
    for name, entry in entries.items():
        check_shape(entry, f"{pipeline}: stage {name}")
    return entries


def check_shape(entry: object, where: str) -> None:
    """Raise InputError unless an entry has one command, and lists of deps and outputs if any."""
    body = entry.get("do", entry) if isinstance(entry, dict) else None
    if not isinstance(body, dict):
        raise InputError(f"{where}: must be a mapping with cmd, deps and outs")
    if not isinstance(body.get("cmd"), str):
        said = "a list" if isinstance(body.get("cmd"), list) else "no text"
        raise InputError(f"{where}: its cmd is {said}; write one command, parts joined by &&")
    for kind in ("deps", *OUTPUTS):
        paths = body.get(kind, [])
        if not isinstance(paths, list) or not all(
            each and isinstance(each, str | dict) for each in paths
        ):
            raise InputError(f"{where}: {kind} must be a list of paths")


def instance_of(name: str, entry: dict) -> Entry:
    """Return an entry; of a foreach the instance `name`, like train@main, with the keys it has."""
    body = entry.get("do", entry)
    instance = name.partition("@")[2]
    group = f"{str(entry.get('foreach', '')).strip('${}')}.{instance}"

    def filled(text: str) -> str:
        if "foreach" not in entry:
            return text
        text = text.replace("${key}", instance)
        return text.replace("${item}", f"${{{group}}}").replace("${item.", f"${{{group}.")

    outputs = [out for kind in OUTPUTS for out in body.get(kind, [])]
    paths = [next(iter(each)) if isinstance(each, dict) else each for each in outputs]
    return Entry(
        name,
        filled(body["cmd"]),
        [filled(str(path)) for path in body.get("deps", [])],
        [filled(path) for path in paths],
    )


def all_entries(pipeline: Path, params: Params) -> Iterator[Entry]:
    """Yield every entry, of a foreach over a params group an instance for each of its names.

    Raises InputError if such a group is missing, or is none.
    """
    for name, entry in read_entries(pipeline).items():
        found = re.fullmatch(KEY, str(entry.get("foreach", "")))
        if found is None:
            if "foreach" not in entry:
                yield instance_of(name, entry)
            continue
        names = group_of(found[1], params, name)
        for instance in names:
            yield instance_of(f"{name}@{instance}", entry)


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


def group_of(key: str, params: Params, stage: str) -> dict:
    """Return the keys and values of a group; InputError if it is missing, or no group."""
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
    """Raise InputError if a key that an entry names is missing, or its value does not fit there.

    DVC would say that it cannot resolve the entry, take a word apart, or follow a name like
    ../../tests out of its folder and delete what it finds there.
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
    """Raise InputError if what launches a stage is more to a shell than words."""
    if not isinstance(value, str) or not LAUNCHER.fullmatch(value):
        raise InputError(
            f"{key}={value}: must be plain words, like python or accelerate launch "
            "--num_processes 2; no quotes, nor anything else that a shell reads"
        )


def check_parts_of_a_path(word: str, params: Params, stage: str) -> None:
    """Raise InputError if a value that is a part of a path is no name."""
    for key in re.findall(KEY, word):
        value = value_of(key, params, stage)
        if not isinstance(value, str) or not NAME.fullmatch(value):
            raise InputError(f"{key}={value}: must be a name; {NAME_RULE}")


def check_word(key: str, value: object) -> None:
    """Raise InputError if a value that DVC puts in without quotes is not one word to a shell."""
    if isinstance(value, dict | list):
        raise InputError(f"{key}={value}: must be one value")
    if isinstance(value, str) and shlex.quote(value) != value:
        raise InputError(f"{key}={value}: must be one plain word; no blanks, no quotes")


def check_path(key: str, value: object) -> None:
    """Raise InputError if what a stage is to read is no path of this machine."""
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


def program_of(stage: Stage) -> tuple[str, list[str]] | None:
    """Return the module of a stage's program and the words after it; None if it is none of ours."""
    words = shlex.split(stage.command)
    for at, (flag, word) in enumerate(pairwise(words)):  # a launcher may have an -m of its own
        if flag == "-m" and word.startswith(("stages.", "pipelines.")):
            return word, words[at + 2 :]
    return None


def foreach_groups(pipeline: Path) -> dict[str, str]:
    """Return {params group: entry} of a pipeline's foreach entries that run over a group whole."""
    groups: dict[str, str] = {}
    for name, entry in read_entries(pipeline).items():
        if found := re.fullmatch(KEY, str(entry.get("foreach", ""))):
            groups.setdefault(found[1], name)
    return groups
