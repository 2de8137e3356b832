"""Names in params.yaml: of what stages write and read, and in lists of arms or rankers."""

import os
from collections.abc import Iterable
from pathlib import Path

from genlab.core.command_lines import key_of
from genlab.core.params import did_you_mean
from genlab.core.params_file import AS, Params
from genlab.core.pipeline import Stage
from genlab.core.program import InputError


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
