"""Parse a stage's command line as its program does, and report errors by params key.

This module knows no option: each program's own Typer command parses the words. What the command
refuses is reported in terms of params.yaml, where the user wrote it.
"""

import importlib
import re
import shutil
import typing
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import typer
from typer.exceptions import TyperException

from genlab.core.params import did_you_mean
from genlab.core.params_file import Params, check_as_written
from genlab.core.pipeline import Stage, program_of
from genlab.core.program import InputError, with_choices
from genlab.core.templating import KEY, unpacked_groups, written_options

LAUNCHERS = r"python[\d.]*|accelerate|torchrun"


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


def parse(stage: Stage, params: Params) -> tuple[dict[str, object], Callable | None]:
    """Return the options a stage's program reads from its command line, and the program's check.

    Returns ({}, None) for a command that runs no genlab program. Raises InputError naming the key.
    """
    found = program_of(stage)
    if found is None:
        return {}, None
    name, rest = found
    check_given_once(stage, params)
    module = importlib.import_module(name)
    command = typer.main.get_command(module.app)
    check = "check"
    named = getattr(command, "commands", {}).get(rest[0] if rest else "", command)
    check_true_or_false(stage, named.params, params)
    try:
        context = command.make_context(name, list(rest))
        while hasattr(command, "resolve_command"):
            _, command, rest = command.resolve_command(context, rest)
            context = command.make_context(command.name, list(rest), parent=context)
            check = f"check_{command.name.replace('-', '_')}"
    except typer.Exit:  # by an option that prints something and ends the program
        raise InputError(
            f"stage {stage.name}: its command line ends the program before any work "
            f"({stage.template}); remove the option that is not a parameter, such as --help"
        ) from None
    except TyperException as error:
        check_switches(stage, command.params)
        check_values_as_written(stage, command.params, params)
        if type(error).__name__ == "MissingParameter":
            missing = options_not_given(command.params, rest)
            if len(missing) > 1:
                raise InputError(explain_missing(stage, missing)) from None
        switches = {each.opts[0]: getattr(each, "is_flag", False) for each in command.params}
        raise InputError(explain(error, stage, switches, rest)) from None
    check_switches(stage, command.params)
    check_values_as_written(stage, command.params, params)
    return context.params, getattr(module, check, None)


def check_given_once(stage: Stage, params: Params) -> None:
    """Raise InputError for a group's key that dvc.yaml also sets elsewhere, or that is `help`.

    The last option on a command line wins, so such a key would replace the value in dvc.yaml.
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
    """Raise InputError for a key named like a switch's negation, such as no_packed."""
    for option in options:
        for off in option.secondary_opts:
            name = off.strip("-").replace("-", "_")
            if name in stage.keys:
                switch = key_of(stage, option.opts[0])
                raise InputError(f"{stage.keys[name]}: no parameter; write {switch}=false")


def check_true_or_false(stage: Stage, options: list, params: Params) -> None:
    """Raise InputError for a switch's value that is neither true nor false.

    On a command line -x would be taken for an option of that name, and --help ends the program.
    """
    for option in (each for each in options if getattr(each, "is_flag", False)):
        key = stage.keys.get(option.opts[0].strip("-").replace("-", "_"))
        value = params.values.get(key, True) if key else True
        if not isinstance(value, bool):
            raise InputError(f"{key}={value}: must be true or false")


def check_values_as_written(stage: Stage, options: list, params: Params) -> None:
    """Raise InputError if YAML read an option's value as another type than the option takes.

    A command line does not tell one value from a list of one, nor a list from an option that is
    given twice, whose last value counts.
    """
    for option in options:
        name = option.opts[0].strip("-").replace("-", "_")
        if name in stage.keys and not getattr(option, "is_flag", False):
            key, annotation = stage.keys[name], option.type_descriptor.annotation
            within = typing.get_args(annotation)  # of list[int]: int
            check_as_written(key, params, not {int, float}.isdisjoint({annotation, *within}))
            check_is_list(key, params, typing.get_origin(annotation) is list)


def check_is_list(key: str, params: Params, wanted: bool) -> None:
    """Raise InputError if a key's value is one where a list is wanted, or a list where one is."""
    value = params.values.get(key)
    if value is None or isinstance(value, list) == wanted:
        return
    if wanted:
        raise InputError(f"{key}={value}: must be a list; write [{value}]")
    raise InputError(f"{key}={value}: must be one value, no list")


def options_not_given(options: list, words: list[str]) -> list[str]:
    """Return the names of the required options that a command line lacks."""
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

    switches: option -> whether it is a switch, which takes no value.
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
    """Raise InputError if a stage's launcher, set by a params key, is not a known program."""
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
