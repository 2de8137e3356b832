"""Option groups: a dataclass whose fields are Typer options, so that programs share a group whole.

    @dataclass(frozen=True)
    class Lora:
        r: Annotated[int, typer.Option("--lora.r", min=1)]

    @app.command()
    @grouped_options
    def main(output: Path, lora: Lora) -> None: ...

The command line has `--lora.r`, as DVC writes the params group; `main` gets a Lora. A field whose
Option has no name of its own is called by the field's: `batch_size` is `--batch_size`. A field
without an Option is not an option, and keeps its default.
"""

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable

import typer


def grouped_options(function: Callable) -> Callable:
    """Return `function` with each parameter that is a dataclass replaced by one per field."""
    signature, hints = inspect.signature(function), hints_of(function)
    parameters = []
    for name, parameter in signature.parameters.items():
        if dataclasses.is_dataclass(hints[name]):
            fields = option_names(name, hints[name])
            annotations = typing.get_type_hints(hints[name], include_extras=True)
            parameters += [
                inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, annotation=annotations[f])
                for option, f in fields.items()
            ]
        else:
            kind = inspect.Parameter.KEYWORD_ONLY  # Typer passes all by name
            parameters.append(parameter.replace(kind=kind, annotation=hints[name]))

    @functools.wraps(function)
    def with_groups(**values: object) -> object:
        return function(**arguments_of(function, values))

    with_groups.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_groups.__annotations__ = {each.name: each.annotation for each in parameters}
    return with_groups


def arguments_of(function: Callable, values: dict[str, object]) -> dict[str, object]:
    """Return what `function` takes of the options `values`, its dataclasses put together.

    A parameter that is not among the options is left out, and so keeps its default.
    """
    arguments: dict[str, object] = {}
    for name, hint in hints_of(function).items():
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            fields = option_names(name, hint)
            arguments[name] = hint(**{field: values[key] for key, field in fields.items()})
        elif name in values:
            arguments[name] = values[name]
    return arguments


def hints_of(function: Callable) -> dict[str, typing.Any]:
    """Return the parameters' annotations, evaluated."""
    hints = typing.get_type_hints(function, include_extras=True)
    return {name: hints[name] for name in inspect.signature(function).parameters}


def option_names(group: str, dataclass: type) -> dict[str, str]:
    """Return {parameter: field}: `lora_r` where the option is --lora.r, else the field's name."""
    names = {}
    for field, hint in typing.get_type_hints(dataclass, include_extras=True).items():
        metadata = getattr(hint, "__metadata__", ())
        options = [each for each in metadata if isinstance(each, typer.models.OptionInfo)]
        if options:
            declared = options[0].param_decls or ()
            named_whole = any(name.startswith(f"--{group}.") for name in declared)
            names[f"{group}_{field}" if named_whole else field] = field
    return names
