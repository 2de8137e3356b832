"""A pipeline's dvc.yaml and dvc.lock, read: the stages, their command lines and what they write."""

import shlex
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path, PurePosixPath

import yaml

from genlab.core.params_file import read_params, text_of
from genlab.core.program import InputError
from genlab.core.shapes import STUMBLES
from genlab.core.templating import OUTPUTS, all_entries, filled, instance_of, keys_of_options
from genlab.core.yaml_text import load_yaml, nests_deeply

PIPELINE = Path("dvc.yaml")  # of the folder that dvc runs in
LOCK = Path("dvc.lock")


@dataclass(frozen=True)
class Stage:
    """One entry of a pipeline: the command line DVC will run, and what it was made from."""

    name: str
    command: str
    template: str  # the command before DVC fills in the values
    outputs: frozenset[str]
    inputs: frozenset[str] = frozenset()
    keys: dict[str, str] = field(default_factory=dict)  # option -> the params key that fills it


def check_pipeline_here(folder: Path = Path()) -> None:
    """Raise InputError unless this (or the one given) is the folder of a pipeline.

    So is one whose files nest so deeply that DVC's parser ends the process without a word.
    """
    if (folder / PIPELINE).is_file():
        for path in (folder / PIPELINE, folder / LOCK):
            if path.is_file() and nests_deeply(path.read_text(encoding="utf-8", errors="replace")):
                raise InputError(
                    f"{path}: not readable as YAML (it is nested too deeply); mend it, or `git "
                    f"checkout {path}` brings the committed one back"
                )
        return
    here = folder.absolute()
    above = next((each for each in here.parents if (each / PIPELINE).is_file()), None)
    near = f": the nearest one above is {above}" * (above is not None)
    place = "here" if folder == Path() else f"in {folder}"
    raise InputError(f"no {PIPELINE} {place}; run this in the folder of a pipeline{near}")


def load_stages(pipeline: Path, entries: dict[str, dict] | None = None) -> list[Stage]:
    """Return the pipeline's entries with all values filled in, as DVC resolves them.

    entries: as `read_entries` returns them, if that was done before.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    if entries is None:
        entries = read_entries(pipeline)  # says what is wrong with it more plainly than DVC
    try:
        loaded = Repo(pipeline.parent).stage.load_all(str(pipeline))
    except DvcException as error:
        cause = f": {error.__cause__}" if error.__cause__ else ""
        raise InputError(f"{error}{cause}") from error
    except STUMBLES as error:  # what DVC's own check of the file lets through
        raise InputError(f"{pipeline}: DVC cannot read it ({error}); mend it") from error
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


def left_over(pipeline: Path) -> list[Path]:
    """Return the files beside a foreach's outputs that no stage writes.

    They belong to arms or rankers that params.yaml no longer has: DVC does not delete their
    outputs.
    """
    path = pipeline.parent / "params.yaml"
    if not path.is_file():
        return []
    params = read_params(text_of(path))
    made: set[Path] = set()
    folders: set[Path] = set()
    for entry in all_entries(read_pipeline(pipeline).get("stages") or {}, params):
        written = {pipeline.parent / filled(out, params, entry.name) for out in entry.outputs}
        made |= written
        if "@" in entry.name:
            folders |= {out.parent for out in written}
    kept = made.union(*(out.parents for out in made))
    there = (path for folder in folders if folder.is_dir() for path in folder.iterdir())
    return sorted(path for path in there if path not in kept and not path.name.startswith("."))


def loaded_params(pipeline: Path) -> dict:
    """Return the values of the pipeline's params.yaml, {} if it has none."""
    path = pipeline.parent / "params.yaml"
    return read_params(text_of(path)).content if path.is_file() else {}


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

    Raises InputError, ending in `mend`, for an unreadable file, such as one with merge conflicts.
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
    """Return the stages of a dvc.lock by name.

    Raises InputError like `parse_stages`, and for an entry without a path or with an invalid hash.
    """
    stages = parse_stages(content, where, mend)
    for name, stage in stages.items():
        for kind in ("deps", "outs"):
            listed = stage.get(kind, [])
            if not isinstance(listed, list) or not all(map(is_locked, listed)):
                raise InputError(
                    f"{where}: stage {name}: {kind} must each have a path, and md5 as text; {mend}"
                )
    return stages


def is_locked(entry: object) -> bool:
    """Return whether an entry of a dvc.lock has a path, and a hash that is text if any."""
    return isinstance(entry, dict) and all(
        isinstance(value, str) for value in (entry.get("path"), entry.get("md5", ""))
    )


def leads_out(path: str) -> bool:
    """Return whether an entry's path is not below the folder of its dvc.lock."""
    return PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts


def read_entries(pipeline: Path) -> dict[str, dict]:
    """Return the entries of a dvc.yaml by name, as they are written.

    Raises InputError if there are none, or one has a shape that is not supported here.
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


def program_of(stage: Stage) -> tuple[str, list[str]] | None:
    """Return the module of a stage's program and its arguments; None if it is not ours."""
    words = shlex.split(stage.command)
    for at, (flag, word) in enumerate(pairwise(words)):  # a launcher may have an -m of its own
        if flag == "-m" and word.startswith(("stages.", "pipelines.")):
            return word, words[at + 2 :]
    return None
