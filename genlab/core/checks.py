"""Check every value in params.yaml before any stage runs.

    python -m genlab check OUTPUT       # the first stage of every pipeline

A wrong value raises an InputError that names its key and says what to do. No option, type, range or
pipeline is known here: each stage's own Typer command parses its command line from dvc.yaml. What
must hold between the options of one stage stands in its program, in a function `check` (of the
command NAME of several: `check_NAME`), which takes some of the options by name. The program calls
it first; so does this check, for all stages. A parameter `made_by` gets {output: options} of all
stages, for what must hold between two of them.

OUTPUT never changes, so nothing is run again because of it.
"""

import importlib
import math
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import typer
import yaml
from typer.exceptions import TyperException

from genlab.core.files import written_whole
from genlab.core.options import arguments_of
from genlab.core.params import check_commit, did_you_mean, flatten
from genlab.core.program import InputError, run, stage_app
from genlab.core.scratch import scratch_root

PIPELINE = Path("dvc.yaml")  # of the folder that dvc runs in

app = stage_app()

KEY = r"\$\{([\w.-]+)\}"  # how dvc.yaml writes a params key


@dataclass(frozen=True)
class Stage:
    """One entry of a pipeline: the command line DVC will run, and what it was made from."""

    name: str
    command: str
    template: str  # the command before DVC fills in the values
    outputs: frozenset[str]
    inputs: frozenset[str] = frozenset()


def load_stages(pipeline: Path) -> list[Stage]:
    """Return the pipeline's entries with all values filled in, as DVC resolves them."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        loaded = Repo(pipeline.parent).stage.load_all(str(pipeline))
    except DvcException as error:
        cause = f": {error.__cause__}" if error.__cause__ else ""
        raise InputError(f"{error}{cause}") from error
    entries = yaml.safe_load(pipeline.read_text(encoding="utf-8"))["stages"]
    return [
        Stage(
            stage.name,
            stage.cmd,
            command_template(entries[stage.name.partition("@")[0]], stage.name),
            frozenset(out.def_path for out in stage.outs),
            frozenset(dep.def_path for dep in stage.deps),
        )
        for stage in loaded
    ]


def command_template(entry: dict, name: str) -> str:
    """Return an entry's command with ${keys}; in a foreach, with those of the instance `name`."""
    if "foreach" not in entry:
        return entry["cmd"]
    instance = name.partition("@")[2]
    group = f"{entry['foreach'].strip('${}')}.{instance}"
    template = entry["do"]["cmd"].replace("${key}", instance)
    return template.replace("${item}", f"${{{group}}}").replace("${item.", f"${{{group}.")


def unpacked_groups(template: str) -> list[str]:
    """Return the keys that DVC unpacks into `--option value` pairs: those after no option."""
    before, launched, after = template.partition(" -m ")
    words = ["", *(after if launched else before).split()]  # what launches it is a value
    return [
        key[1]
        for before, word in pairwise(words)
        if (key := re.fullmatch(KEY, word)) and not before.startswith("--")
    ]


def key_of(stage: Stage, option: str) -> str:
    """Return the params key that fills an option of a stage, for error messages."""
    option = option.strip("-").replace("-", "_")
    if given := re.search(rf"--{re.escape(option)}\s+'?{KEY}", stage.template):
        return given[1]
    groups = unpacked_groups(stage.template)
    return f"{groups[-1]}.{option}" if groups else f"--{option} of stage {stage.name}"


def check_params(pipeline: Path, stages: list[Stage]) -> None:
    """Raise InputError for a key of params.yaml that no stage uses, or one without a value."""
    text = (pipeline.parent / "params.yaml").read_text(encoding="utf-8")
    values = flatten(yaml.safe_load(text))
    used = set(re.findall(KEY, pipeline.read_text(encoding="utf-8")))
    for key, value in values.items():
        parts = key.split(".")
        if not any(".".join(parts[:n]) in used for n in range(1, len(parts) + 1)):
            siblings = [name for name in used if name.split(".")[0] == parts[0]]
            raise InputError(f"{key} is used by no stage{did_you_mean(key, siblings)}")
        if value is None or value == [] or value == {}:  # DVC would write "None", or nothing
            raise InputError(
                f"{key} is empty; give a value (where there is to be none: 0, or none)"
            )
    for stage in stages:
        for group in unpacked_groups(stage.template):
            if group in values:
                raise InputError(f"{group}={values[group]}: must be a group of keys, not a value")


def check_stages(stages: list[Stage], foreaches: dict[str, str]) -> None:
    """Parse every command as its program will, then check what holds between options.

    foreaches: what `foreach_groups` found.
    """
    parsed = {stage.name: (stage, *parse(stage)) for stage in stages}
    produced = frozenset().union(*(stage.outputs for stage in stages))
    made_by = {out: options for stage, options, _ in parsed.values() for out in stage.outputs}
    for stage, options, own_check in parsed.values():
        check_launcher(stage)
        check_numbers(stage, options)
        check_inputs(stage, produced)
        check_source(stage, options, produced)
        check_revision(stage, options)
        for group, entry in foreaches.items():
            check_names(stage, options, group, instances_of(entry, parsed))
        if own_check:
            own_check(**arguments_of(own_check, options | {"made_by": made_by}))


def foreach_groups(pipeline: Path) -> dict[str, str]:
    """Return {params group: entry} of a pipeline's foreach entries that run over a group whole."""
    entries = yaml.safe_load(pipeline.read_text(encoding="utf-8"))["stages"]
    groups: dict[str, str] = {}
    for name, entry in entries.items():
        if found := re.fullmatch(KEY, str(entry.get("foreach", ""))):
            groups.setdefault(found[1], name)
    return groups


def program_of(stage: Stage) -> tuple[str, list[str]] | None:
    """Return the module of a stage's program and the words after it; None if it is none of ours."""
    words = shlex.split(stage.command)
    for at, (flag, word) in enumerate(pairwise(words)):  # a launcher may have an -m of its own
        if flag == "-m" and word.startswith(("stages.", "pipelines.")):
            return word, words[at + 2 :]
    return None


def parse(stage: Stage) -> tuple[dict[str, object], Callable | None]:
    """Return the options a stage's program reads from its command line, and the program's check.

    Raises InputError naming the key; ({}, None) for a command that is none of our programs.
    """
    found = program_of(stage)
    if found is None:
        return {}, None
    name, rest = found
    module = importlib.import_module(name)
    command = typer.main.get_command(module.app)
    check = "check"
    try:
        context = command.make_context(name, list(rest))
        while hasattr(command, "resolve_command"):
            _, command, rest = command.resolve_command(context, rest)
            context = command.make_context(command.name, list(rest), parent=context)
            check = f"check_{command.name.replace('-', '_')}"
    except TyperException as error:
        switches = {each.opts[0]: getattr(each, "is_flag", False) for each in command.params}
        raise InputError(explain(error, stage, switches, rest)) from None
    return context.params, getattr(module, check, None)


def explain(
    error: TyperException, stage: Stage, switches: dict[str, bool], words: list[str]
) -> str:
    """Return what is wrong with a command line in terms of params keys, not of options.

    switches: the program's options, and whether each is one that takes no value.
    """
    options = {word.replace("_", "-"): after for word, after in pairwise(words)}
    param = getattr(error, "param", None)
    option = param.opts[0] if param else getattr(error, "option_name", None)
    if option is None:
        for switch in (name for name, is_switch in switches.items() if is_switch):
            # a value after one is an argument too many to Typer
            if not options.get(switch, "--").startswith("--"):
                return f"{key_of(stage, switch)}={options[switch]}: must be true or false"
        return f"stage {stage.name}: {error.format_message()}"
    key = key_of(stage, option)
    if type(error).__name__ == "NoSuchOption":
        known = [name.strip("-").replace("-", "_") for name in switches]
        hint = did_you_mean(option.strip("-").replace("-", "_"), known)
        return f"{key}: stage {stage.name} has no such option{hint}"
    if type(error).__name__ == "MissingParameter":
        return f"{key} is missing; stage {stage.name} needs it"
    spelling = option.replace("_", "-")
    values = [after for word, after in pairwise(words) if word.replace("_", "-") == spelling]
    value = values[0] if len(values) == 1 else f"[{', '.join(values)}]"
    reason = error.message.removeprefix("Input ").removeprefix("Value error, ")
    return f"{key}={value}: {reason}"


def check_launcher(stage: Stage) -> None:
    """Raise InputError if what a params key gives to launch a stage is no such program."""
    launcher, launched, _ = stage.command.partition(" -m ")
    key = re.match(KEY, stage.template)
    if key and not (launched and shutil.which((launcher.split() or [""])[0])):
        raise InputError(
            f"{key[1]}={launcher}: no such program; give python, or accelerate launch with its "
            "options"
        )


def check_numbers(stage: Stage, options: dict) -> None:
    """Raise InputError for nan or infinity, which no range of Typer's keeps out."""
    for option, value in options.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{key_of(stage, option)}={value}: must be a finite number")


def check_inputs(stage: Stage, produced: frozenset[str]) -> None:
    """Raise InputError if a stage reads what no stage writes, as by a name in params.yaml."""
    for path in map(Path, stage.inputs):
        made = path.parts[:1] == ("data",) and not path.exists()
        if made and not any(path in (out, *out.parents) for out in map(Path, produced)):
            raise InputError(
                f"stage {stage.name} needs {path}, which no stage makes"
                f"{did_you_mean(str(path), produced)}"
            )


def check_source(stage: Stage, options: dict, produced: frozenset[str]) -> None:
    """Raise InputError if a file or folder of the user's is to be read that is not there."""
    path = options.get("path")  # a dep of its stage, whatever the source
    if path is not None and not path.exists() and str(path) not in produced:
        raise InputError(f"{key_of(stage, 'path')}={path}: no such file or folder")
    tokenizer = options.get("tokenizer_path", "none")
    if str(tokenizer) != "none" and not tokenizer.is_dir():
        raise InputError(f"{key_of(stage, 'tokenizer_path')}={tokenizer}: no such folder")


def check_revision(stage: Stage, options: dict) -> None:
    """Raise InputError if what is to be downloaded from the Hub is not pinned to a commit."""
    if "revision" not in options or str(options.get("source", "hub")) != "hub":
        return
    hub_id = str(options["hub_id"])  # none; or a folder; or TF-Hub's, which ends in its version
    if hub_id != "none" and not hub_id.startswith("https://") and not Path(hub_id).is_dir():
        key = key_of(stage, "revision")
        check_commit(f"{key}={options['revision']}", hub_id, str(options["revision"]))


def instances_of(name: str, stages: Iterable[str]) -> set[str]:
    """Return what a foreach has made instances of: fetch_ranker@use, ... -> use, ..."""
    return {stage.partition("@")[2] for stage in stages if stage.startswith(f"{name}@")}


def check_names(stage: Stage, options: dict, option: str, made: set[str]) -> None:
    """Raise InputError if a list names a ranker or an arm that no stage makes, or one twice."""
    names = options.get(option)
    if not isinstance(names, list):
        return
    key = key_of(stage, option)
    for name in names:
        if name not in made:
            raise InputError(
                f"{key}: {name} is none of the {option} in params.yaml "
                f"({', '.join(sorted(made))}){did_you_mean(name, made)}"
            )
        if names.count(name) > 1:
            raise InputError(f"{key}: {name} is named twice")


def check_writable(folders: Iterable[Path]) -> None:
    """Raise InputError if a folder that stages write to cannot be made or written."""
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".probe-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise InputError(
                f"{folder}: cannot be written ({error.strerror}); this must be a folder that "
                "stages can write to"
            ) from error


@app.command()
def main(output: Path) -> None:
    """Check every stage's options, and what must hold between them."""
    stages = load_stages(PIPELINE)

    check_params(PIPELINE, stages)
    check_stages(stages, foreach_groups(PIPELINE))
    check_writable([Path("data"), Path("metrics"), scratch_root()])

    with written_whole(output) as partial:
        partial.write_text("ok\n")


if __name__ == "__main__":
    run(app)
