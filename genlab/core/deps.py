"""Write into dvc.yaml which of our files each stage imports.

    python -m genlab deps [FOLDER]      # of the pipeline in FOLDER, or of all
    python -m genlab deps --check       # change nothing; exit code 1 if a list is out of date

DVC follows no imports, and a dep that is missing means a stage that is not run again after a
change. So this program writes the code deps: the stage's program, then our modules in alphabetical
order. Deps on data stay below them as they are, and are kept by hand. The stage `check` depends on
the modules that define the options and checks of all programs. It has no dep on the folder genlab:
that lies outside of a pipeline's own DVC repository, and DVC would hash Python's caches in it, too.
"""

import ast
import os
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import typer
import yaml

from genlab.core.files import written_whole
from genlab.core.pipeline import Stage, check_pipeline_here, load_stages, program_of
from genlab.core.program import InputError, run, stage_app

ROOT = Path(__file__).resolve().parents[2]
OURS = ("genlab", "stages", "pipelines")

# How outputs are written and errors are shown cannot change a result: no reason to train again.
WITHOUT_INFLUENCE = {
    "genlab/core/assets.py",
    "genlab/core/bounds.py",
    "genlab/core/checks.py",
    "genlab/core/command_lines.py",
    "genlab/core/files.py",
    "genlab/core/startup.py",
    "genlab/core/help.py",
    "genlab/core/interrupts.py",
    "genlab/core/names.py",
    "genlab/core/params.py",
    "genlab/core/params_file.py",
    "genlab/core/pipeline.py",
    "genlab/core/program.py",
    "genlab/core/progress.py",
    "genlab/core/running.py",
    "genlab/core/templating.py",
    "genlab/core/yaml_text.py",
}

CHECK = "genlab.core.checks"  # loads every program of the pipeline by name

app = stage_app()


@app.command()
def main(
    folder: Path | None = typer.Argument(None, help="of one pipeline; all if left out"),
    check: bool = typer.Option(False, "--check", help="write nothing, fail if a list is old"),
) -> None:
    """Write the code deps of every stage into dvc.yaml."""
    if folder is None:
        check_pipeline_here()
    pipelines = all_pipelines() if folder is None else [folder / "dvc.yaml"]
    for pipeline in pipelines:
        if not pipeline.is_file():
            raise InputError(f"{pipeline}: no such file; give the folder of a pipeline")
        line = write_deps(pipeline, check)
        if line and check:
            raise InputError(
                f"{pipeline}: its deps are out of date from line {line} on; run "
                "`python -m genlab deps`"
            )
        if line:
            print(f"{pipeline}: written")


def write_deps(pipeline: Path, check: bool = False) -> int:
    """Write a dvc.yaml's code deps, or only compare; return the first differing line, or 0."""
    text = pipeline.read_text(encoding="utf-8")
    written = with_deps(text, pipeline, code_deps(load_stages(pipeline), pipeline))
    if written == text:
        return 0
    if not check:
        with written_whole(pipeline) as partial:
            partial.write_text(written, encoding="utf-8")
    old, new = text.splitlines(), written.splitlines()
    return next((i for i, (a, b) in enumerate(zip(old, new, strict=False), 1) if a != b), len(new))


def all_pipelines() -> list[Path]:
    """Return every dvc.yaml of the repository, the root's first."""
    places = ("dvc.yaml", "minis/recipe/dvc.yaml")
    patterns = [*places, *(f"pipelines/*/{place}" for place in places)]
    return [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]


def code_deps(stages: Iterable[Stage], pipeline: Path) -> dict[str, list[str]]:
    """Return {entry: code deps} for all entries that run our programs, relative to dvc.yaml."""
    stages = list(stages)
    deps = {}
    for stage in stages:
        found = program_of(stage) or command_of(stage)
        if found is None:
            continue
        module, words = found
        used = files_of(modules_used([(module, command_in(module, words))]))
        if module == CHECK:
            used = used.union(*(uses_in_check(*each) for each in map(program_of, stages) if each))
        else:
            used -= WITHOUT_INFLUENCE
        program = source_of(module).relative_to(ROOT).as_posix()
        folder = pipeline.resolve().parent
        first = folder / "genlab/__init__.py"  # in the place of the root's: how a program begins
        if folder != ROOT and first.is_file():
            used.add(first.relative_to(ROOT).as_posix())
        deps[stage.name.partition("@")[0]] = [
            os.path.relpath(ROOT / file, folder) for file in [program, *sorted(used - {program})]
        ]
    return deps


def uses_in_check(module: str, words: list[str]) -> set[str]:
    """Return the files from which `genlab check` can execute code for a program's command."""
    command = definitions(module)[command_in(module, words)]
    assert isinstance(command, ast.FunctionDef)
    names = {node.id for node in ast.walk(command.args) if isinstance(node, ast.Name)}
    names |= {name for name in definitions(module) if re.match(r"check(_|$)", name)}
    files = files_of(modules_used([(module, name) for name in sorted(names)]))
    return files - {source_of(module).relative_to(ROOT).as_posix()}  # the folder stages has it


def command_in(module: str, words: list[str]) -> str:
    """Return the function of a program that a command line runs."""
    return words[0] if words and words[0] in definitions(module) else "main"


def files_of(modules: set[str]) -> set[str]:
    """Return the files of our modules, relative to the root, without the empty __init__.py."""
    files = {source_of(module) for module in modules}
    return {file.relative_to(ROOT).as_posix() for file in files if file.name != "__init__.py"}


def command_of(stage: Stage) -> tuple[str, list[str]] | None:
    """Return the module of `python -m genlab NAME`."""
    found = re.search(r"-m genlab (\w+)", stage.command)
    if found is None:
        return None
    (commands,) = (
        ast.literal_eval(node.value)
        for node in top_statements("genlab.__main__")
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "COMMANDS"
    )
    return commands[found[1]], []


def with_deps(text: str, pipeline: Path, deps: dict[str, list[str]]) -> str:
    """Return a dvc.yaml's text with the code deps of its entries replaced; nothing else moves."""
    lines = text.splitlines()
    for name, node in reversed(entries_of(text).items()):
        if name not in deps or node is None:
            continue
        first, last = node.start_mark.line, node.end_mark.line
        while not lines[last - 1].strip().startswith("- "):
            last -= 1  # the mark of a block's end stands where the next key begins
        kept = [line for line in lines[first:last] if not is_code(line, pipeline)]
        indent = " " * node.start_mark.column
        lines[first:last] = [*(f"{indent}- {dep}" for dep in deps[name]), *kept]
    return "\n".join(lines) + "\n"


def entries_of(text: str) -> dict[str, yaml.Node | None]:
    """Return the node of every entry's list of deps, in the order of the file."""
    found = {}
    top = yaml.compose(text)
    assert top is not None  # DVC has read it
    for name, entry in mapping(mapping(top)["stages"]).items():
        keys = mapping(entry)
        found[name] = (mapping(keys["do"]) if "do" in keys else keys).get("deps")
    return found


def mapping(node: yaml.Node) -> dict[str, yaml.Node]:
    """Return a YAML mapping's nodes by key."""
    return {key.value: value for key, value in node.value}


def is_code(line: str, pipeline: Path) -> bool:
    """Return whether a line of a list of deps names a Python file of ours."""
    found = re.fullmatch(r"\s*- (\S+\.py)\s*", line)
    if found is None:
        return False
    return (pipeline.resolve().parent / found[1]).resolve().is_relative_to(ROOT)


# ---- imports


def source_of(module: str) -> Path:
    """Return the file of a module of ours."""
    path = ROOT / module.replace(".", "/")
    file = path.with_suffix(".py")  # a pipeline has metrics.py beside the folder metrics
    return path / "__init__.py" if path.is_dir() and not file.is_file() else file


@cache
def syntax_tree(module: str) -> ast.Module:
    """Return the parsed source of a module of ours; InputError for one that is no Python."""
    file = source_of(module)
    try:
        return ast.parse(file.read_bytes())
    except SyntaxError as error:
        raise InputError(f"{file}, line {error.lineno}: {error.msg}; mend it first") from None


@cache
def definitions(module: str) -> dict[str, ast.AST]:
    """Return a module's own functions and classes by name."""
    return {
        node.name: node
        for node in syntax_tree(module).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }


def top_statements(module: str) -> list[ast.AST]:
    """Return what runs when a module is imported: all but definitions and TYPE_CHECKING."""
    return [
        node
        for node in syntax_tree(module).body
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
    ]


def our_imports(nodes: list[ast.AST]) -> dict[str, tuple[str, str | None]]:
    """Return the names that import statements bind: name -> (our module, name there or None)."""
    names: dict[str, tuple[str, str | None]] = {}
    for node in walk(nodes):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in OURS:
            for alias in node.names:
                is_module = source_of(f"{node.module}.{alias.name}").is_file()
                names[alias.asname or alias.name] = (
                    (f"{node.module}.{alias.name}", None)
                    if is_module
                    else (str(node.module), alias.name)
                )
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in OURS:
                    raise InputError(f"write `from ... import`, not `import {alias.name}`")
    return names


def walk(nodes: list[ast.AST]) -> Iterator[ast.AST]:
    """Yield the nodes and all below them."""
    for node in nodes:
        yield from ast.walk(node)


def modules_used(names: Iterable[tuple[str, str | None]]) -> set[str]:
    """Return our modules from which the definitions named here, each (module, name), can run code.

    Names are followed from definition to definition, also through imports inside functions, and so
    are the top-level statements of every module on the way. A class that is used counts with all
    its methods. An import by itself does not count, so that each command of a program with several
    depends only on what it uses.
    """
    seen: set[tuple[str, str | None]] = set()
    pending = list(names)
    while pending:
        each = pending.pop()
        if each not in seen:
            seen.add(each)
            pending += names_used(*each)
    return {where for where, _ in seen}


@cache
def names_used(where: str, name: str | None) -> frozenset[tuple[str, str | None]]:
    """Return the names a definition uses itself, each (module, name); None: the top level."""
    own, imported = definitions(where), imports_on_top(where)
    found: set[tuple[str, str | None]] = {(where, None)}  # its constants
    if name in own:
        nodes = [own[name]]
        imported = imported | our_imports(nodes)
    elif name in imported:
        return frozenset(found | {imported[name]})
    else:
        nodes = top_statements(where)
    for node in walk(nodes):
        if isinstance(node, ast.Name) and node.id in own:
            found.add((where, node.id))
        elif isinstance(node, ast.Name) and node.id in imported:
            found.add(imported[node.id])
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            target, item = imported.get(node.value.id, (None, None))
            if target and item is None:
                found.add((target, node.attr))
    return frozenset(found)


@cache
def imports_on_top(module: str) -> dict[str, tuple[str, str | None]]:
    """Return the names that a module's top-level imports bind, as `our_imports` does."""
    return our_imports(top_statements(module))


if __name__ == "__main__":
    run(app)
