"""Which entries of a params group are wanted: DVC's foreach runs one stage per entry.

The stage `choose` writes one file per entry, and each entry's stage depends on its own file. So the
stage of an entry that nothing compares ends at once, and a changed choice reruns no other stage.
"""

from pathlib import Path
from typing import Annotated

from typer import Option

from genlab.core.files import write_json, written_whole
from genlab.core.params_file import read_params, text_of
from genlab.core.shapes import read_json

Chosen = Annotated[Path, Option(help="JSON that says whether anything compared needs this")]


def write_chosen(output: Path, wanted: dict[str, dict[str, bool]]) -> None:
    """Write a folder: GROUP/NAME.json says whether that entry of that group is wanted."""
    with written_whole(output) as folder:
        for group, entries in wanted.items():
            for name, is_wanted in entries.items():
                write_json(folder / group / f"{name}.json", {"wanted": is_wanted})


def write_chosen_arms(params: Path, output: Path) -> None:
    """Write which of the arms in params.yaml compared.arms names, as `write_chosen` does."""
    content = read_params(text_of(params), str(params)).content
    wanted = set(content["compared"]["arms"])
    write_chosen(output, {"arms": {name: name in wanted for name in content["arms"]}})


def is_wanted(chosen: Path) -> bool:
    """Return what a file of `write_chosen` says; print a line if its entry is not wanted."""
    wanted = bool(read_json(chosen)["wanted"])
    if not wanted:
        print(f"{chosen.stem}: nothing that compared.arms names needs it, so it is left out")
    return wanted


def is_left_out(chosen: Path, output: Path, instead: dict[Path, object]) -> bool:
    """Return whether an entry is not wanted; if so, write placeholders for its stage's outputs.

    output: becomes a folder with a note that says why it is empty. instead: JSON file -> its
    content.
    """
    if is_wanted(chosen):
        return False
    with written_whole(output) as folder:
        folder.mkdir()
        write_json(folder / "left_out.json", {"wanted": False})
    for path, content in instead.items():
        write_json(path, content)
    return True
