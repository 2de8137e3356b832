"""What can be known wrong before anything runs: options, keys, paths, and values that clash.

In: a pipeline's dvc.yaml and params.yaml. Out: nothing, or an InputError naming the stage, the
key and what to do. Every stage's own Typer command parses its own command line, so there is no
second list of types and ranges.
"""

import difflib
import importlib
import os
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import typer
import yaml
from typer.exceptions import TyperException

from genlab.program import InputError
from genlab.scoring import check_lengths


@dataclass(frozen=True)
class Stage:
    """One entry of a pipeline: its name and the command line DVC will run."""

    name: str
    command: str


def load_stages(pipeline: Path) -> list[Stage]:
    """Return the pipeline's entries with all values filled in, as DVC resolves them."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        repo = Repo(pipeline.parent)
        loaded = repo.stage.load_all(str(pipeline))
    except DvcException as error:
        raise InputError(f"{pipeline}: {error}") from error
    return [Stage(stage.name, stage.cmd) for stage in loaded]


def check_params(pipeline: Path) -> None:
    """Raise InputError for a key in params.yaml that no command of the pipeline uses."""
    used = set(re.findall(r"\$\{([\w.]+)\}", pipeline.read_text(encoding="utf-8")))
    params = pipeline.parent / "params.yaml"
    for key in leaf_keys(yaml.safe_load(params.read_text(encoding="utf-8"))):
        parts = key.split(".")
        if not any(".".join(parts[:n]) in used for n in range(1, len(parts) + 1)):
            siblings = [name for name in used if name.split(".")[0] == parts[0]]
            close = difflib.get_close_matches(key, siblings, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise InputError(f"{params}: {key} is used by no stage{hint}")


def leaf_keys(params: dict, prefix: str = "") -> Iterable[str]:
    """Yield the dotted names of all values of a nested dict."""
    for key, value in params.items():
        if isinstance(value, dict):
            yield from leaf_keys(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def check_stages(stages: list[Stage]) -> None:
    """Parse every command as its program will, then check what holds between stages."""
    parsed = {stage.name: parse(stage) for stage in stages}
    for name, options in parsed.items():
        check_source(name, options)
    for options in parsed.values():
        if "max_len" in options:
            check_lengths(options["max_len"], options["cap"], options["num_beams"])
        if "block_size" in options and options["packed"] and options["body_loss"]:
            raise InputError(
                "tokenize.body_loss=true needs tokenize.packed=false: blocks cut documents anywhere"
            )
    check_rankers(parsed)


def parse(stage: Stage) -> dict[str, object]:
    """Return the options a stage's program reads from its command line.

    Raises InputError naming the stage and the option.
    """
    words = shlex.split(stage.command)
    modules = [after for word, after in zip(words, words[1:], strict=False) if word == "-m"]
    module = next((name for name in modules if "stages." in name or "pipelines." in name), None)
    if module is None:
        return {}
    rest = words[words.index(module) + 1 :]
    command = typer.main.get_command(importlib.import_module(module).app)
    try:
        context = command.make_context(module, list(rest))
        while hasattr(command, "resolve_command"):
            _, command, rest = command.resolve_command(context, rest)
            context = command.make_context(command.name, list(rest), parent=context)
    except TyperException as error:
        option = getattr(getattr(error, "param", None), "name", None) or getattr(
            error, "option_name", ""
        )
        key = f" ({key_of(stage.name, option)})" if option else ""
        raise InputError(f"params.yaml, stage {stage.name}{key}: {error.format_message()}") from None
    return context.params


def key_of(stage: str, option: str) -> str:
    """Return the params key that most likely fills an option of a stage, for error messages."""
    option = option.strip("-").replace("-", "_")
    entry, _, instance = stage.partition("@")
    if instance:
        return f"rankers.{instance}.{option}" if entry.startswith("fetch") else f"score.{option}"
    group = entry.removeprefix("fetch_")
    return f"{'gen' if group == 'generate' or option in GEN_OPTIONS else group}.{option}"


GEN_OPTIONS = ("max_len", "cap", "num_beams", "n_queries")  # options of score that gen fills


def check_source(stage: str, options: dict) -> None:
    """Raise InputError if a stage is to read a file or folder that is not there."""
    if options.get("source") == "file" and not options["path"].exists():
        raise InputError(f"{key_of(stage, 'path')}: {options['path']}: no such file or folder")
    tokenizer = options.get("tokenizer_path")
    if tokenizer is not None and str(tokenizer) != "none" and not tokenizer.is_dir():
        raise InputError(f"{key_of(stage, 'tokenizer_path')}: {tokenizer}: no such folder")


def check_rankers(parsed: dict[str, dict]) -> None:
    """Raise InputError if a ranker is to score that no stage fetches."""
    fetched = {name.partition("@")[2] for name in parsed if name.startswith("fetch_ranker@")}
    for options in parsed.values():
        for ranker in options.get("rankers") or []:
            if ranker not in fetched:
                raise InputError(
                    f"score.rankers: {ranker} is not among params.yaml's rankers "
                    f"({', '.join(sorted(fetched))})"
                )


def check_writable(folders: Iterable[Path]) -> None:
    """Raise InputError if a folder that stages write to cannot be made or written."""
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".probe-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise InputError(
                f"{folder}: cannot be written ({error.strerror}); free it or run elsewhere"
            ) from error
