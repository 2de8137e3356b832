"""Low-rank adapters: their options, and a model that is trained through them alone."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from typer import BadParameter, Option

from genlab.core.program import InputError

if TYPE_CHECKING:
    from peft import LoraConfig, PeftModel
    from transformers import PreTrainedModel


class Method(StrEnum):
    """Which weights are trained: all, or low-rank adapters (Hu et al. 2021)."""

    full = "full"
    lora = "lora"


def check_target_modules(value: str) -> str:
    """Return an option's value; raise BadParameter if it is neither all-linear nor names."""
    for name in [] if value == "all-linear" else module_names(value):
        if not re.fullmatch(r"[A-Za-z_][\w.]*", name):
            raise BadParameter(f"{name!r} names no module; give all-linear, or names like q,v")
    return value


@dataclass(frozen=True)
class Lora:
    """Low-rank adapters (Hu et al. 2021); their output is scaled by alpha / r."""

    r: Annotated[int, Option("--lora.r", min=1)]
    alpha: Annotated[int, Option("--lora.alpha", min=1, help="scale is alpha / r")]
    dropout: Annotated[float, Option("--lora.dropout", min=0.0, max=1.0)]
    target_modules: Annotated[
        str,
        Option(
            "--lora.target_modules",
            callback=check_target_modules,
            help="names with commas between, or all-linear",
        ),
    ]


def lora_config(lora: Lora, task_type: str = "CAUSAL_LM") -> "LoraConfig":
    """Return peft's settings of the adapters."""
    from peft import LoraConfig

    every = lora.target_modules == "all-linear"
    return LoraConfig(
        task_type=task_type,
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.target_modules if every else module_names(lora.target_modules),
    )


def module_names(target_modules: str) -> list[str]:
    """Return the names in "q,v"."""
    return [name.strip() for name in target_modules.split(",")]


def add_lora(model: "PreTrainedModel", lora: Lora) -> "PeftModel":
    """Return `model` with LoRA adapters.

    Raises InputError if no module has that name, or the module's matrix is another's, too.
    """
    from peft import get_peft_model

    target_modules = lora.target_modules
    task_type = "SEQ_2_SEQ_LM" if model.config.is_encoder_decoder else "CAUSAL_LM"
    try:
        adapted = get_peft_model(model, lora_config(lora, task_type))
    except ValueError as error:
        said = " ".join(str(error).split())  # peft's shows a layer on many lines
        raise InputError(
            f"lora.target_modules={target_modules}: {said[:200]}{'...' * (len(said) > 200)}"
        ) from error
    settings = adapted.peft_config["default"]
    settings.target_modules = sorted(settings.target_modules)  # a set, saved in any order
    if target_modules != "all-linear":  # peft asks for one of several names only
        there = [name[:-7] for name, _ in adapted.named_modules() if name.endswith(".lora_A")]
        for name in module_names(target_modules):
            if not any(f".{each}".endswith(f".{name}") for each in there):
                raise InputError(f"lora.target_modules={target_modules}: no module is named {name}")
    check_not_tied(adapted, target_modules)
    return adapted


def check_not_tied(adapted: "PeftModel", target_modules: str) -> None:
    """Raise InputError if an adapter sits on a matrix that another layer uses, too.

    Such an adapter changes one of the layers; merged, it would change both. So what is saved would
    not be what was trained.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    owners: dict[int, set[str]] = {}
    for name, module in adapted.named_modules(remove_duplicate=False):
        short = name.removeprefix("base_model.model.").replace(".base_layer", "")
        for weight in module._parameters.values():
            if weight is not None:
                owners.setdefault(id(weight), set()).add(short)
    for module in adapted.modules():
        if isinstance(module, BaseTunerLayer):
            # Of a linear layer the weight; a mixture's experts have several matrices.
            weights = module.get_base_layer().parameters(recurse=False)
            names = sorted({name for weight in weights for name in owners[id(weight)]})
            if len(names) > 1:
                raise InputError(
                    f"lora.target_modules={target_modules}: {' and '.join(names)} are one matrix "
                    "(tied), so an adapter of one of them cannot be merged; leave it out"
                )
