"""README's table of a pipeline's own programs, in the words that their docstrings begin with.

check, rows and report are the same in every pipeline, so they are left out; of stages that run one
program (fetch_corpus, fetch_base) it has one row, by the program's name.
"""

import ast
import re
from pathlib import Path

from genlab.core.deps import source_of, syntax_tree
from genlab.core.markdown import markdown_table
from genlab.core.pipeline import read_entries
from genlab.core.program import InputError

PROGRAM = re.compile(r"-m ((?:pipelines\.\w+\.)?stages\.\w+)")


def stages_table(pipeline: Path) -> str:
    """Return a dvc.yaml's programs in their order, with what each does."""
    rows = [["stage", "what it does"]]
    for module in programs_of(pipeline):
        rows.append([module.rpartition(".")[2], tell_program(module)])
    return markdown_table(rows)


def programs_of(pipeline: Path) -> list[str]:
    """Return the modules of a dvc.yaml's programs, each once, in the order of its stages."""
    entries = read_entries(pipeline).values()
    commands = [entry.get("do", entry)["cmd"] for entry in entries]
    return list(dict.fromkeys(module for each in commands for module in PROGRAM.findall(each)))


def tell_program(module: str) -> str:
    """Return the first line of a program's docstring without its name and its last full stop.

    Raises InputError if it has none.
    """
    path = source_of(module)
    said = ast.get_docstring(syntax_tree(module)) if path.is_file() else None
    if not said:
        raise InputError(f"{path}: has no docstring; its first line says in README what it does")
    words = said.splitlines()[0].removeprefix(f"{path.stem}: ").removesuffix(".")
    return words[0].upper() + words[1:]
