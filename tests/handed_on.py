"""Programs that are stopped where their options act, so that a test can look at what arrived."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from typer.testing import CliRunner


class Arrived(BaseException):
    """Raised in the place of the work. Not an Exception: no program may catch it."""


def stopped_at(monkeypatch, owner: object, name: str) -> list[dict[str, Any]]:
    """Let `owner.name` note its arguments by name and end the program; return the list of notes."""
    signature, notes = inspect.signature(getattr(owner, name)), []

    def note(*arguments: object, **options: object) -> None:
        notes.append(arguments_by_name(signature, arguments, options))
        raise Arrived

    monkeypatch.setattr(owner, name, note)
    return notes


def noted(monkeypatch, owner: object, name: str, result: object = None) -> list[dict[str, Any]]:
    """Let `owner.name` note its arguments and return `result`, or do its work if that is None."""
    work, notes = getattr(owner, name), []
    signature = inspect.signature(work)

    def note(*arguments: object, **options: object) -> object:
        notes.append(arguments_by_name(signature, arguments, options))
        return work(*arguments, **options) if result is None else result

    monkeypatch.setattr(owner, name, note)
    return notes


def arguments_by_name(signature: inspect.Signature, arguments: tuple, options: Mapping) -> dict:
    """Return what a function was called with, what is in **options among it."""
    bound = dict(signature.bind(*arguments, **options).arguments)
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            bound |= bound.pop(parameter.name, {})
    return bound


def run_until_there(run: Callable[[], object]) -> None:
    """Run a program that `stopped_at` ends; fail if it gets past."""
    try:
        run()
    except Arrived:
        return
    raise AssertionError("the program never came where its options act")


def invoke(app, words: list[str]) -> None:
    """Run a program in this process, as its command line would be; errors are raised."""
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output


def taken_by_source(
    monkeypatch, app, words: list, workers: Mapping[str, tuple[object, str]]
) -> dict[str, list]:
    """Return source -> what its worker, (owner, name), is called with by a program of fetch."""
    found = {}
    for source, (owner, name) in workers.items():
        notes = stopped_at(monkeypatch, owner, name)
        run_until_there(lambda chosen=source: invoke(app, [*words, "--source", chosen]))
        found[source] = list(notes[0].values())
    return found


def adapter_settings(model) -> dict[str, Any]:
    """Return rank, scale, dropout and names of the adapters that sit in a model."""
    layers = {
        name.rpartition(".")[2]: module
        for name, module in model.named_modules()
        if hasattr(module, "lora_A")
    }
    return {
        "r": {module.lora_A["default"].weight.shape[0] for module in layers.values()},
        "scale": {module.scaling["default"] for module in layers.values()},
        "dropout": {getattr(m.lora_dropout["default"], "p", 0.0) for m in layers.values()},
        "names": set(layers),
    }


def checkpoint_steps(callbacks: list, most: int) -> list[int]:
    """Return after which of `most` steps the callbacks ask for a checkpoint."""
    from transformers import TrainerControl, TrainerState

    asked = []
    for step in range(1, most + 1):
        control = TrainerControl()
        for callback in callbacks:
            callback.on_step_end(None, TrainerState(global_step=step, epoch=0.5), control)
        if control.should_save:
            asked.append(step)
    return asked
