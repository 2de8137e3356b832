"""A pipeline's own command lines, for programs that try its models: what is where, and how.

The options of a stage are read as its program parses them, from dvc.yaml and params.yaml, so that
a page decodes as the stage does and no path stands twice.
"""

from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar

from genlab.core.checks import check_params
from genlab.core.command_lines import parse
from genlab.core.pipeline import PIPELINE, check_pipeline_here, load_stages, read_entries
from genlab.core.program import InputError

Group = TypeVar("Group")


def stage_options(names: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return the options of stages of the pipeline in this folder; of those that it has.

    A name may be that of a foreach, and stands for all its instances: probe for probe@bm25, ...
    Raises InputError if there is no pipeline here, or a value is wrong.
    """
    check_pipeline_here()
    entries = read_entries(PIPELINE)
    params = check_params(PIPELINE, entries)
    stages = {stage.name: stage for stage in load_stages(PIPELINE, entries)}
    return {
        name: parse(stage, params)[0]
        for name, stage in stages.items()
        if {name, name.partition("@")[0]} & {*names}
    }


def group_from(kind: type[Group], options: Mapping[str, Any]) -> Group:
    """Return a group of options, a dataclass, from a stage's options; defaults are kept."""
    names = [each.name for each in fields(kind) if each.default is MISSING]  # type: ignore[arg-type]
    return kind(**{name: options[name] for name in names})


def chosen_folders(folders: dict[str, Path], only: list[str] | None) -> dict[str, Path]:
    """Return the arms' folders, or of those in `only` if there are any, in their order.

    Raises InputError for an arm that is none, or a folder that is not there.
    """
    for arm in only or []:
        if arm not in folders:
            raise InputError(f"--arm {arm}: there are {', '.join(folders)}")
    chosen = {arm: folder for arm, folder in folders.items() if not only or arm in only}
    for folder in chosen.values():
        if not folder.is_dir():
            raise InputError(f"{folder}: no such model; run `dvc repro` to make it")
    return chosen
