"""The options of a pipeline's stages, for programs that load its models outside of a run.

They are read from dvc.yaml and params.yaml as the stage's program parses them. So a page decodes as
the stage does, and no path is written twice.
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
    """Return {stage: options} for those of these stages that the pipeline in this folder has.

    A foreach stage's name stands for all its instances: probe for probe@bm25, ...
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
    """Return an option group from a stage's options; fields with a default keep it."""
    names = [each.name for each in fields(kind) if each.default is MISSING]  # type: ignore[arg-type]
    return kind(**{name: options[name] for name in names})


def chosen_folders(folders: dict[str, Path], only: list[str] | None) -> dict[str, Path]:
    """Return the folders of the arms, or of those named in `only` if it is not empty, in order.

    Raises InputError for an unknown arm, or a folder that does not exist.
    """
    for arm in only or []:
        if arm not in folders:
            raise InputError(f"--arm {arm}: there are {', '.join(folders)}")
    chosen = {arm: folder for arm, folder in folders.items() if not only or arm in only}
    for folder in chosen.values():
        if not folder.is_dir():
            raise InputError(f"{folder}: no such model; run `dvc repro` to make it")
    return chosen
