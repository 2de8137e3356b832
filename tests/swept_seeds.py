"""Which stages' commands hold a seed, for those who sweep it."""

import re
from pathlib import Path

from genlab.core.pipeline import load_stages
from tests.project_copy import change_params, copy_project, start_git


def stages_of_seeds(copy: Path, folder: str, keys: list[str]) -> dict[str, set[str]]:
    """Return key -> the stages whose commands hold its value, in a copy of the project made here.

    Every seed gets a number of its own. What a stage makes reaches the stages after it.
    """
    copy_project(copy)
    numbers = {key: 9001 + place for place, key in enumerate(keys)}
    change_params(copy / folder, numbers)
    start_git(copy)
    stages = load_stages(copy / folder / "dvc.yaml")
    return {
        key: {stage.name for stage in stages if re.search(rf"\b{number}\b", stage.command)}
        for key, number in numbers.items()
    }
