"""Check every value in params.yaml before any stage runs.

    python -m genlab check              # only check: names a key that DVC would stumble over
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
import shutil
import subprocess
import sys
import typing
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from genlab.core.files import written_whole
from genlab.core.options import arguments_of
from genlab.core.params import check_commit, did_you_mean
from genlab.core.params_file import AS, Params, check_as_written, check_params_file, read_params
from genlab.core.pipeline import (
    KEY,
    PIPELINE,
    Stage,
    all_entries,
    check_entry,
    check_pipeline_here,
    foreach_groups,
    load_stages,
    program_of,
    read_entries,
    unpacked_groups,
    written_options,
)
from genlab.core.program import InputError, run, stage_app, with_choices
from genlab.core.scratch import scratch_root

# NumPy's seeds end at 2**32 - 1; stages count on from theirs.
MAX_SEED = 2**31 - 1

# The most that an option can be whose name is this, or ends in it; far above what anybody means.
MOST = {
    "seed": MAX_SEED,
    "batch_size": 10**4,  # of GPT-2, 10,000 rows of one token have 2 GB of logits
    "max_new_tokens": 10**6,
    "cap": 10**7,  # of new tokens; or of a task's examples, K = 2**21 with Raffel et al. 2020
    "learning_rate": 1,
    "num_beams": 10**3,
    "r": 10**4,  # of adapters; the widest layers of today's models have as many inputs
}

LAUNCHERS = r"python[\d.]*|accelerate|torchrun"

app = stage_app()


def key_of(stage: Stage, option: str) -> str:
    """Return the params key that fills an option of a stage, for error messages.

    option: as on a command line, --lora.r; or as the program calls it, lora_r or r.
    """
    is_called = not option.startswith("--")
    option = option.strip("-").replace("-", "_")
    if option in stage.keys:
        return stage.keys[option]
    if is_called:
        endings = (f".{option}", f".{option.replace('_', '.', 1)}")
        if alike := [key for name, key in stage.keys.items() if f".{name}".endswith(endings)]:
            return alike[0]
    groups = unpacked_groups(stage.template)
    return f"{groups[-1]}.{option}" if groups else f"--{option} of stage {stage.name}"


def check_params(pipeline: Path) -> Params:
    """Return the values of params.yaml.

    Raises InputError for a key that a stage lacks or none uses, and for a value that would not
    arrive as it is written. DVC is not asked: it stops at some of these, and deletes what a name
    like ../../tests leads to.
    """
    path = pipeline.parent / "params.yaml"
    try:
        params = read_params(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing; `git checkout params.yaml` brings it back") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not in UTF-8 ({error.reason}); save it so") from None
    check_params_file(params)
    check_all_used(pipeline, params)
    for entry in all_entries(pipeline, params):
        check_entry(entry, params)
    return params


def check_all_used(pipeline: Path, params: Params) -> None:
    """Raise InputError for a key of params.yaml that no stage uses."""
    read_entries(pipeline)  # of a broken one: what is wrong with it, not that it uses no key
    used = set(re.findall(KEY, pipeline.read_text(encoding="utf-8")))
    for key in params.values:
        parts = key.split(".")
        groups = [".".join(parts[:n]) for n in range(1, len(parts) + 1)]
        if used.isdisjoint(groups):
            missing = [name for name in used if not has_key(params.content, name)]
            hint = did_you_mean(key, missing) or did_you_mean(parts[0], missing)
            raise InputError(f"{key} is used by no stage{hint or did_you_mean(key, used)}")


def has_key(content: object, key: str) -> bool:
    """Say whether nested dicts have a dotted key."""
    for part in key.split("."):
        if not isinstance(content, dict) or part not in content:
            return False
        content = content[part]
    return True


def check_outputs(stages: list[Stage]) -> None:
    """Raise InputError if two stages would write one file, also where case makes no difference."""
    written: dict[str, str] = {}
    for stage in stages:
        for output in stage.outputs:
            same = os.path.normpath(output).casefold()
            if same in written:
                raise InputError(
                    f"stages {written[same]} and {stage.name} would both write {output}; give "
                    f"{stage.name.partition('@')[2] or stage.name} another name in params.yaml"
                )
            written[same] = stage.name


def check_stages(stages: list[Stage], foreaches: dict[str, str], params: Params) -> None:
    """Parse every command as its program will, then check what holds between options.

    foreaches: what `foreach_groups` found.
    """
    parsed = {stage.name: (stage, *parse(stage, params)) for stage in stages}
    produced = frozenset().union(*(stage.outputs for stage in stages))
    made_by = {out: options for stage, options, _ in parsed.values() for out in stage.outputs}
    for stage, options, own_check in parsed.values():
        check_launcher(stage)
        check_numbers(stage, options)
        check_inputs(stage, produced)
        check_source(stage, options, produced)
        check_mini(stage, options, produced)
        check_revision(stage, options)
        for group, entry in foreaches.items():
            check_names(stage, options, group, instances_of(entry, parsed), params)
        if own_check:
            own_check(**arguments_of(own_check, options | {"made_by": made_by}))
        check_hub_id(stage, options)


def parse(stage: Stage, params: Params) -> tuple[dict[str, object], Callable | None]:
    """Return the options a stage's program reads from its command line, and the program's check.

    Raises InputError naming the key; ({}, None) for a command that is none of our programs.
    """
    found = program_of(stage)
    if found is None:
        return {}, None
    name, rest = found
    check_given_once(stage, params)
    module = importlib.import_module(name)
    command = typer.main.get_command(module.app)
    check = "check"
    try:
        context = command.make_context(name, list(rest))
        while hasattr(command, "resolve_command"):
            _, command, rest = command.resolve_command(context, rest)
            context = command.make_context(command.name, list(rest), parent=context)
            check = f"check_{command.name.replace('-', '_')}"
    except typer.Exit:  # by an option that prints something and ends the program
        raise InputError(
            f"stage {stage.name}: its command line ends the program before any work "
            f"({stage.template}); take out what is no parameter of it"
        ) from None
    except TyperException as error:
        check_switches(stage, command.params)
        check_texts(stage, command.params, params)
        if type(error).__name__ == "MissingParameter":
            missing = options_not_given(command.params, rest)
            if len(missing) > 1:
                raise InputError(explain_missing(stage, missing)) from None
        switches = {each.opts[0]: getattr(each, "is_flag", False) for each in command.params}
        raise InputError(explain(error, stage, switches, rest)) from None
    check_switches(stage, command.params)
    check_texts(stage, command.params, params)
    return context.params, getattr(module, check, None)


def check_given_once(stage: Stage, params: Params) -> None:
    """Raise InputError for a key of a group whose option the command has from elsewhere, or help.

    The last one on a command line wins, so such a key would replace what dvc.yaml means it to be.
    """
    given = {name: f"{it} in dvc.yaml" for name, it in written_options(stage.template).items()}
    for group in unpacked_groups(stage.template):
        for key in (key for key in params.values if key.startswith(f"{group}.")):
            name = key.removeprefix(f"{group}.").replace("-", "_")
            if name == "help":
                raise InputError(f"{key}: no parameter of stage {stage.name}; leave it out")
            if name in given:
                raise InputError(
                    f"{key}: stage {stage.name} has this option already, by {given[name]}; leave "
                    f"{key} out"
                )
            given[name] = key


def check_switches(stage: Stage, options: list) -> None:
    """Raise InputError for a key that is called as what turns a switch off, like no_packed."""
    for option in options:
        for off in option.secondary_opts:
            name = off.strip("-").replace("-", "_")
            if name in stage.keys:
                switch = key_of(stage, option.opts[0])
                raise InputError(f"{stage.keys[name]}: no parameter; write {switch}=false")


def check_texts(stage: Stage, options: list, params: Params) -> None:
    """Raise InputError if what an option that is no switch takes was written as something else."""
    for option in options:
        name = option.opts[0].strip("-").replace("-", "_")
        if name in stage.keys and not getattr(option, "is_flag", False):
            annotation = option.type_descriptor.annotation  # int, or list[int]
            is_number = not {int, float}.isdisjoint({annotation, *typing.get_args(annotation)})
            check_as_written(stage.keys[name], params, is_number)


def options_not_given(options: list, words: list[str]) -> list[str]:
    """Return the names of the options that a program needs and its command line has not."""
    given = {word.replace("_", "-") for word in words if word.startswith("--")}
    missing = []
    for each in options:
        spellings = {name.replace("_", "-") for name in (*each.opts, *each.secondary_opts)}
        if each.required and each.opts[0].startswith("--") and not spellings & given:
            missing.append(each.opts[0])
    return missing


def explain_missing(stage: Stage, options: list[str]) -> str:
    """Return which keys are missing, the group that they share named once."""
    keys = [key_of(stage, option) for option in options]
    for group in unpacked_groups(stage.template):
        if all(key.startswith(f"{group}.") for key in keys):
            names = [key.removeprefix(f"{group}.") for key in keys]
            return f"{group}: {', '.join(names)} are missing; stage {stage.name} needs them"
    return f"{', '.join(keys)} are missing; stage {stage.name} needs them"


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
    reason = with_choices(error.message, param).removeprefix("Input ").removeprefix("Value error, ")
    return f"{key}={value}: {reason}"


def check_launcher(stage: Stage) -> None:
    """Raise InputError if what a params key gives to launch a stage is no such program."""
    launcher, launched, _ = stage.command.partition(" -m ")
    key, words = re.match(KEY, stage.template), launcher.split()
    if key and not (launched and shutil.which((words or [""])[0])):
        raise InputError(
            f"{key[1]}={launcher}: no such program; give python, or accelerate launch with its "
            "options"
        )
    starts = [n for n, word in enumerate(words) if re.fullmatch(LAUNCHERS, Path(word).name)]
    if key and (not starts or "-c" in words[starts[0] :]):  # python -c takes a program, no module
        raise InputError(
            f"{key[1]}={launcher}: starts no stage; give python, or accelerate launch or torchrun "
            "with their options"
        )


def check_numbers(stage: Stage, options: dict) -> None:
    """Raise InputError for nan or infinity, which no range keeps out, or a number beyond MOST."""
    for option, value in options.items():
        if not isinstance(value, int | float):
            continue
        if not math.isfinite(value):
            raise InputError(f"{key_of(stage, option)}={value}: must be a finite number")
        for name, most in MOST.items():
            if f"_{option}".endswith(f"_{name}") and value > most:
                raise InputError(f"{key_of(stage, option)}={value} is too large; at most {most}")


def check_inputs(stage: Stage, produced: frozenset[str]) -> None:
    """Raise InputError if a stage reads what no stage writes, as by a name in params.yaml."""
    for path in map(Path, stage.inputs):
        made = path.parts[:1] == ("data",) and not path.exists()
        if made and not any(
            path in (out, *out.parents) or out in path.parents for out in map(Path, produced)
        ):
            raise InputError(
                f"stage {stage.name} needs {path}, which no stage makes"
                f"{did_you_mean(str(path), produced)}"
            )


def check_source(stage: Stage, options: dict, produced: frozenset[str]) -> None:
    """Raise InputError if a file or folder of the user's is to be read that is not there."""
    path, source = options.get("path"), options.get("source")  # a dep, whatever the source
    if str(path) == "none":
        if str(source) not in sources_without_path(stage):
            raise InputError(
                f"{key_of(stage, 'path')}=none, but {key_of(stage, 'source')}={source} reads "
                "a file or folder; name it"
            )
    elif path is not None and not path.exists() and str(path) not in produced:
        raise InputError(f"{key_of(stage, 'path')}={path}: no such file or folder")
    made_from = options.get("made_from")  # of a model that is made here; a dep, too
    if made_from is not None and not made_from.exists() and str(made_from) not in produced:
        raise InputError(f"{key_of(stage, 'made_from')}={made_from}: no such file")
    tokenizer = options.get("tokenizer_path", "none")
    if str(tokenizer) != "none" and not tokenizer.is_dir():
        raise InputError(f"{key_of(stage, 'tokenizer_path')}={tokenizer}: no such folder")


def check_mini(stage: Stage, options: dict, produced: frozenset[str]) -> None:
    """Raise InputError if what is made here is to be made from a file of the user's own.

    A mini asset is made from a table of a stage's or from words in a YAML file of the
    repository's. A Parquet file passes: it may be a table of another pipeline's.
    """
    path = options.get("path")
    if str(options.get("source")) != "mini" or not isinstance(path, Path) or not path.is_file():
        return
    if str(path) in produced or path.suffix in (".yaml", ".yml", ".parquet") or path.name == "none":
        return
    source = key_of(stage, "source")
    raise InputError(
        f"{key_of(stage, 'path')}={path}: {source} is mini, which makes it here of the words in "
        f"a YAML file; for a file of your own set {source}=file"
    )


def check_revision(stage: Stage, options: dict) -> None:
    """Raise InputError if what is to be downloaded from the Hub is not pinned to a commit."""
    if "revision" not in options or str(options.get("source", "hub")) != "hub":
        return
    hub_id = str(options["hub_id"])  # none; or a folder; or TF-Hub's, which ends in its version
    if hub_id != "none" and not hub_id.startswith("https://") and not Path(hub_id).is_dir():
        key = key_of(stage, "revision")
        check_commit(f"{key}={options['revision']}", hub_id, str(options["revision"]))


def check_hub_id(stage: Stage, options: dict) -> None:
    """Raise InputError if something is to be downloaded and nothing is named."""
    if str(options.get("source")) == "hub" and str(options.get("hub_id")) == "none":
        raise InputError(
            f"{key_of(stage, 'hub_id')}=none, but {key_of(stage, 'source')}=hub downloads what it "
            "names; name it, or take another source"
        )


def sources_without_path(stage: Stage) -> frozenset[str]:
    """Return the sources of a stage's asset that read no path: hub, or what its program says.

    A program says it in SOURCES_WITHOUT_PATH, by command.
    """
    module, words = program_of(stage) or ("", [])
    said = getattr(sys.modules.get(module), "SOURCES_WITHOUT_PATH", {})
    return said.get(words[0] if words else "", frozenset({"hub"}))


def instances_of(name: str, stages: Iterable[str]) -> set[str]:
    """Return what a foreach has made instances of: fetch_ranker@use, ... -> use, ..."""
    return {stage.partition("@")[2] for stage in stages if stage.startswith(f"{name}@")}


def check_names(stage: Stage, options: dict, option: str, made: set[str], params: Params) -> None:
    """Raise InputError if a list names a ranker or an arm that no stage makes, or one twice."""
    names = options.get(option)
    if not isinstance(names, list):
        return
    key = key_of(stage, option)
    if len(names) == 1 and names[0].startswith(AS):
        other = f"{names[0].removeprefix(AS)}.{option}"  # whose own stage checks its names
        listed = params.values.get(other)
        if isinstance(listed, list) and other != key and not str(listed[0]).startswith(AS):
            return
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


@contextmanager
def way_out_told() -> Iterator[None]:
    """Let the block's InputError say what undoes a changed params.yaml, if git can say it is.

    `dvc exp run -S` leaves the value there that it could not run with. Not of an experiment that
    runs in a folder of DVC's own, as `--temp` and `--queue` have it: that changes no params.yaml.
    """
    try:
        yield
    except InputError as error:
        words = ["git", "status", "--porcelain", "--untracked-files=no", "--", "params.yaml"]
        is_changed = bool(subprocess.run(words, capture_output=True).stdout)  # b"" outside of git
        if not is_changed or ".dvc" in Path.cwd().parts:
            raise
        raise InputError(
            f"{error} (params.yaml keeps what was changed: put it right there, or "
            "`python -m genlab back` returns to the committed run)"
        ) from None


@app.command()
def main(
    output: Annotated[
        Path | None, typer.Argument(help="file to write; none if left out: only check")
    ] = None,
) -> None:
    """Check every stage's options, and what must hold between them."""
    check_pipeline_here()
    with way_out_told():
        params = check_params(PIPELINE)
        stages = load_stages(PIPELINE)
        check_outputs(stages)
        check_stages(stages, foreach_groups(PIPELINE), params)
    check_writable([Path("data"), Path("metrics"), scratch_root()])

    if output is not None:
        with written_whole(output) as partial:
            partial.write_text("ok\n")


if __name__ == "__main__":
    run(app)
