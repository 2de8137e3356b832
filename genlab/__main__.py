"""genlab: what one does with a pipeline besides running it.

python -m genlab COMMAND ...        # in the pipeline's folder; COMMAND --help says more
python -m genlab                    # the commands, a line each
"""

import ast
import importlib
import importlib.util
import os
import sys
from contextlib import suppress
from pathlib import Path

from genlab.core.params import did_you_mean
from genlab.core.program import InputError, fail, run

# Each is a module with a Typer `app`, imported only when it is called.
COMMANDS = {
    "compare": "genlab.experiments.compare",
    "claims": "genlab.experiments.claims",
    "queue": "genlab.experiments.queue",
    "show": "genlab.experiments.show",
    "beside": "genlab.report.beside",
    "play": "genlab.playground.play",
    "publish": "genlab.report.publish",
    "label": "genlab.labelling.label",
    "verify": "genlab.experiments.verify",
    "readme": "genlab.experiments.readme",
    "cache": "genlab.experiments.cache",
    "back": "genlab.experiments.back",
    "rows": "genlab.experiments.rows",
    "deps": "genlab.core.deps",
    "check": "genlab.core.checks",
    "report": "genlab.report.pipeline",
    "bundle": "genlab.experiments.bundle",
    "new": "genlab.skeleton.new",
}
# A pipeline may have these programs, NAME.py in its folder.
OWN_PROGRAMS = {
    "chat": "Talk with the models of the pipeline in this folder.",
    "ask": "Ask the models of the pipeline in this folder.",
}
OWN_FIRST = ("play",)  # a command of ours that a pipeline's NAME.py takes the place of
TALKING = ("label", "play", "queue")  # say all the time what they do


def main() -> None:
    """Run the command that the first argument names, or list all of them."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("--help", "-h"):
        with suppress(BrokenPipeError):  # `python -m genlab | head`
            print(listing(), flush=True)
        return
    if name in OWN_PROGRAMS and not Path(f"{name}.py").is_file():
        fail(f"{name}: there is no {name}.py here; {' and '.join(having(name))} have one")
    if name not in COMMANDS and name not in OWN_PROGRAMS:
        hint = did_you_mean(name, [*COMMANDS, *OWN_PROGRAMS])
        fail(f"{name} is no command of genlab{hint} (python -m genlab lists them)")
    sys.argv[0:2] = [f"python -m genlab {name}"]
    is_told = name in TALKING or name in OWN_PROGRAMS or "DVC_STAGE" in os.environ
    is_own = name in OWN_FIRST and Path(f"{name}.py").is_file()
    program = importlib.import_module(name if is_own else COMMANDS.get(name, name))
    run(program.app, sys.argv[0], "" if is_told else name)


def having(name: str) -> list[str]:
    """Return the folders of the pipelines that have this program of their own."""
    root = Path(__file__).resolve().parents[1]
    found = sorted(path.parent for path in root.glob(f"pipelines/*/{name}.py"))
    return [folder.relative_to(root).as_posix() for folder in found]


def listing() -> str:
    """Return the commands with the first sentence of their modules, which are not imported."""
    told = {name: first_sentence(module) for name, module in COMMANDS.items()} | OWN_PROGRAMS
    width = max(map(len, told))
    lines = [f"  {name:{width}}  {sentence}" for name, sentence in told.items()]
    return "\n".join(["Usage: python -m genlab COMMAND ...", "", *lines])


def first_sentence(module: str) -> str:
    """Return what a module's docstring begins with."""
    specification = importlib.util.find_spec(module)
    if specification is None or specification.origin is None:
        raise InputError(f"{module}: no such module")
    text = Path(specification.origin).read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").splitlines()[0]


if __name__ == "__main__":
    main()
