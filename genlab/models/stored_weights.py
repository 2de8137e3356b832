"""Find files in a model's folder that transformers would silently ignore or misread.

transformers loads the weights whose names fit. It reads 8-bit numbers as floats without the scales
that belong to them, and silently ignores an adapter that was never merged, or code in the folder.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from genlab.core.program import InputError
from genlab.core.shapes import parse_json
from genlab.models.model_files import weight_files

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FLOATS = {"F64", "F32", "F16", "BF16"}  # safetensors' names
# Weights that change others: names of peft's adapters, and of scales and codes of few bits.
ADAPTER = re.compile(r"\.(lora_[A-Za-z_]+|base_layer)(\.|$)|\.(hada|lokr|ia3|oft|vera)_")
FEW_BITS = re.compile(
    r"\.(weight_scale(_inv)?|input_scale|(weight_)?scales?|q?zeros|qweight|g_idx|SCB|absmax"
    r"|quant_map|quant_state\..*|weight_packed|weight_zero_point)$"
)


def check_left_out(folder: Path, kind: str, unexpected: Iterable[str]) -> None:
    """Raise InputError if transformers ignored weights that the loaded ones need."""
    names = sorted(unexpected)
    for pattern, what, remedy in (
        (
            ADAPTER,
            "an adapter's, which is not merged",
            "merge it (merge_and_unload) and save the model",
        ),
        (
            FEW_BITS,
            "of a model stored in few bits, which is not read as one",
            "give the model in float32, float16 or bfloat16",
        ),
    ):
        found = [name for name in names if pattern.search(name)]
        if found:
            raise InputError(
                f"{folder}: not a whole {kind}, {len(found)} of its weights are {what} "
                f"({found[0]}, ...); {remedy}"
            )


def check_stored(folder: Path, kind: str, model: "PreTrainedModel") -> None:
    """Raise InputError for integer or 8-bit weights without a quantization config.

    Where config.json says how such numbers are to be read, the library has done so.
    """
    from safetensors import safe_open

    if said_in_config(folder, "quantization_config"):
        return
    own = {name for name, weight in model.named_parameters() if weight.is_floating_point()}
    prefix = f"{model.base_model_prefix}."  # weights saved without a head may lack it
    for path in weight_files(folder):
        with safe_open(path, framework="numpy") as file:
            for name in file.keys():  # noqa: SIM118 (it is no dict)
                dtype = file.get_slice(name).get_dtype()
                if dtype not in FLOATS and (name in own or prefix + name in own):
                    raise InputError(
                        f"{folder}: not a {kind} as it stands: {path.name} has {name} as {dtype}, "
                        "and config.json does not say how such numbers are read (no "
                        "quantization_config); give the model in float32, float16 or bfloat16"
                    )


def check_own_code(folder: Path, kind: str, model: "PreTrainedModel", auto_class: str) -> None:
    """Raise InputError if config.json asks for a class of the folder's own code, not `model`'s.

    Code from a folder is never run. A class of the library that has weights of the same names would
    load them, but may compute something else with them. If the library itself has a class of the
    name that config.json asks for, the two are assumed to be the same.
    """
    classes = said_in_config(folder, "auto_map")
    asked = classes.get(auto_class) if isinstance(classes, dict) else None
    if not asked:
        return
    name = str(asked).rpartition(".")[2]
    if name.lower() != type(model).__name__.lower():
        raise InputError(
            f"{folder}: config.json asks for {name}, whose code comes with the model (auto_map, "
            f"{asked}); code from a folder is not run, and a {type(model).__name__} may compute "
            f"something else with the same weights; take a {kind} that transformers itself has"
        )


def said_in_config(folder: Path, key: str) -> object:
    """Return a value of the config.json in `folder`; None if it or the file is missing.

    The config of a loaded model does not serve, as the library removes some of its values.
    """
    path = folder / "config.json"
    content = parse_json(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return content.get(key) if isinstance(content, dict) else None
