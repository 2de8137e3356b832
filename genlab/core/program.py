"""What every stage program shares: a Typer app fed by DVC, and errors written for people.

DVC unpacks a params group into `--max_len 50 --lora.r 16`; Typer would name the option
`--max-len`, hence the token normaliser. A mistake of the user's is raised as `InputError` and
ends the program with one line on stderr and exit code 1 (2 for a wrong option), no traceback;
so does a disk that cannot be read or written.
"""

import atexit
import errno
import gc
import os
import re
import sys
import warnings
from contextlib import nullcontext
from enum import Enum

import typer
from typer.exceptions import TyperException

from genlab.core.interrupts import interruptible
from genlab.core.progress import working
from genlab.core.running import Busy, alone
from genlab.core.startup import INTERRUPTED

# Other OSErrors (a library's own, a lost connection) keep their traceback.
DISK_TROUBLE = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EEXIST,
    errno.EFBIG,
    errno.EIO,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}


class InputError(Exception):
    """Something the user can mend: names the file, row or key, what is wrong, and what to do."""


def stage_app(**options) -> typer.Typer:
    """Return a Typer app that takes DVC's underscored option names and prints plain text."""
    return typer.Typer(
        context_settings={"token_normalize_func": lambda name: name.replace("_", "-")},
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        **options,
    )


def run(app: typer.Typer, name: str | None = None, task: str = "") -> None:
    """Run `app` on sys.argv; a user's mistake becomes one line on stderr and a non-zero exit.

    `name` is shown by --help, by default the module that Python runs. If there is a `task` (every
    stage has one), the program reports after three seconds that it is working on it.
    """
    collect_seldom()
    # What transformers has to warn of, a loss it does not know by name or a head it ties itself, is
    # no news here; and what makes a model unfit is checked by ours.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")  # ours say what is worked on
    warnings.filterwarnings("ignore", module=r"(transformers|trl|peft)\b")
    command = typer.main.get_command(app)
    if "--help" in sys.argv:
        from genlab.core.help import complete_help

        complete_help(command, program_name())
    with interruptible() as was_interrupted:
        try:
            with alone(), working(task) if task else nullcontext():
                status = command.main(prog_name=name, standalone_mode=False)
                if status == INTERRUPTED:  # what Typer makes of Ctrl-C
                    raise KeyboardInterrupt
            sys.exit(status)
        except KeyboardInterrupt:
            pass
        except Exception as error:
            if not was_interrupted():  # else it is of what Ctrl-C left half done
                explain(error)
    print("interrupted", file=sys.stderr)
    sys.exit(INTERRUPTED)


def collect_seldom() -> None:
    """Run the garbage collector seldom, and leave out the objects that imports have made.

    Importing torch and transformers makes half a million objects that stay. The collector would
    visit them again and again, which takes a fifth of the import's time, and once more at the end:
    a second of each stage. Cycles are still collected, only later.
    """
    gc.set_threshold(1_000_000)
    atexit.register(gc.freeze)


def explain(error: Exception) -> None:
    """Exit with one line for a user's mistake or a disk error; raise any other error."""
    if isinstance(error, TyperException):
        message = with_choices(error.format_message(), getattr(error, "param", None))
        message = with_what_to_type(message, error)
        message = re.sub(r"--[a-z][\w.-]*", lambda found: spelled(found[0]), message)
        fail(f"{message} (see --help)", exit_code=2)
    if isinstance(error, InputError | Busy):
        fail(str(error))
    if isinstance(error, OSError) and error.errno in DISK_TROUBLE:
        fail(f"{error.filename or 'a file'}: cannot be read or written ({error.strerror})")
    if says_disk_is_full(error):
        fail(f"a model or checkpoint cannot be written ({error}); is the disk full?")
    raise error


def with_choices(message: str, option: object) -> str:
    """Return a message about an option with its choices as params.yaml writes them.

    Typer writes hyphens for the underscores in them, as in the names of options.
    """
    choices = getattr(getattr(option, "type_descriptor", None), "annotation", None)
    if isinstance(choices, type) and issubclass(choices, Enum):
        for value in (str(each.value) for each in choices):
            message = message.replace(repr(value.replace("_", "-")), repr(value))
    return message


def with_what_to_type(message: str, error: TyperException) -> str:
    """Return Typer's message about a missing parameter with what to type for it."""
    context = getattr(error, "ctx", None)
    if message == "Missing command." and context is not None:
        helps = {name: each.help for name, each in context.command.commands.items()}
        told = ", ".join(f"{name} ({first_words(text)})" for name, text in helps.items())
        return f"{context.command_path} needs a command: {told}"
    help_text = getattr(getattr(error, "param", None), "help", None)
    if type(error).__name__ == "MissingParameter" and help_text:
        return f"{message.removesuffix('.')}: {help_text}"
    return message


def first_words(text: str | None) -> str:
    """Return what a help text begins with, up to the end of its first clause."""
    return re.split(r"[:;.,]", text or "", maxsplit=1)[0]


def spelled(option: str) -> str:
    """Return an option with underscores: --learning-rate -> --learning_rate."""
    for start in ("--no-", "--"):
        if option.startswith(start):
            return start + option.removeprefix(start).replace("-", "_")
    return option


def program_name() -> str:
    """Return the module that `python -m` runs, like stages.train; empty for another program."""
    return getattr(getattr(sys.modules["__main__"], "__spec__", None), "name", "")


def says_disk_is_full(error: Exception) -> bool:
    """Return whether an error of safetensors or torch, which is no OSError, means a full disk."""
    found = re.search(r"\(os error (\d+)\)", str(error))
    return "inline_container.cc" in str(error) or (  # torch's writer of archives
        found is not None and int(found[1]) in DISK_TROUBLE
    )


def fail(message: str, exit_code: int = 1) -> None:
    """Print one `error:` line to stderr and exit."""
    print("error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(exit_code)
