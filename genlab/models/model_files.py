"""The files of a model's folder in the Hub's layout: what must be there, and be of its kind."""

from pathlib import Path

from genlab.core.program import InputError
from genlab.core.shapes import parse_json

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
# What a file of weights is whose name ends so. None of them is read.
OTHER_WEIGHTS = {
    **dict.fromkeys((".bin", ".pt", ".pth", ".ckpt"), "a pickle, which could run code"),
    **{".gguf": "llama.cpp's", ".onnx": "ONNX's", ".h5": "TensorFlow's", ".msgpack": "Flax's"},
}
# A Trainer's own files, which hold no weights; and its rng_state_0.pth, ...
TRAINERS = ("optimizer.", "scheduler.", "scaler.", "training_args.", "rng_state")


def check_model_folder(folder: Path) -> None:
    """Raise InputError unless `folder` holds a readable config.json and safetensors weights."""
    if folder.is_file():
        raise InputError(
            f"{folder}: a file; give a model's folder, with config.json, *.safetensors, a tokenizer"
        )
    if not folder.is_dir():
        raise InputError(f"{folder}: no such model folder")
    weights = [*folder.glob("*.safetensors"), *folder.glob("*.bin")]
    if (folder / "adapter_config.json").is_file() and all(map(is_adapter, weights)):
        raise InputError(
            f"{folder}: an adapter alone; merge it into its base (merge_and_unload) and save that"
        )
    if not (folder / "config.json").is_file():
        raise InputError(
            f"{folder}: not a model folder, config.json is missing{where_else(folder)}"
        )
    check_config(folder / "config.json")
    if (folder / "generation_config.json").is_file():
        check_config(folder / "generation_config.json")
    for path in sorted(folder.glob("*.safetensors.index.json")):
        check_weight_index(path)
    if all(map(is_adapter, folder.glob("*.safetensors"))):
        raise InputError(
            f"{folder}: no weights (*.safetensors); {other_weights(folder)} them with "
            "model.save_pretrained(folder, safe_serialization=True)"
        )
    if not any((folder / name).is_file() for name in WEIGHTS):
        found = min(path.name for path in folder.glob("*.safetensors") if not is_adapter(path))
        raise InputError(
            f"{folder}: its weights are in {found}, but are looked for in {WEIGHTS[0]}; rename it, "
            f"or, of several files, add the {WEIGHTS[1]} that lists them"
        )


def where_else(folder: Path) -> str:
    """Return advice on a folder without a config.json: models below it, or weights of another kind.

    A Trainer's checkpoints lie below its folder, and the Hub's snapshots below that of a model in
    its cache. "" if there is neither.
    """
    levels = ("*/config.json", "*/*/config.json")  # not all of a disk
    below = sorted(path.parent for level in levels for path in folder.glob(level))[:3]
    if below:
        names = ", ".join(str(each.relative_to(folder)) for each in below)
        return f"; there are models in {names}: give such a folder"
    other = sorted(filter(is_other_weights, folder.iterdir()))
    return f"; {other[0].name} is {OTHER_WEIGHTS[other[0].suffix]}, not read here" if other else ""


def other_weights(folder: Path) -> str:
    """Return what to do for safetensors: convert a folder's other weights, or save its model."""
    found = sorted(filter(is_other_weights, (*folder.iterdir(), *folder.glob("*/*"))))
    if not found:
        return "save"
    return f"its weights ({found[0].name}) are {OTHER_WEIGHTS[found[0].suffix]}; convert"


def is_other_weights(file: Path) -> bool:
    """Return whether a file holds weights in a format that is not read, by its name."""
    return file.suffix in OTHER_WEIGHTS and not file.name.startswith(TRAINERS)


def check_weight_index(path: Path) -> None:
    """Raise InputError unless the index of weights in several files names files beside it."""
    check_config(path)
    content = parse_json(path.read_text(encoding="utf-8"))
    files, is_read = content.get("weight_map"), not (path.parent / WEIGHTS[0]).is_file()
    names = files.values() if isinstance(files, dict) else [files]
    for name in names:
        if not isinstance(name, str) or Path(name).name != name:
            raise InputError(
                f"{path}: broken, its weight_map has {str(name)[:80]!r} where the name of a file "
                "beside it belongs; get it again"
            )
        if is_read and not (path.parent / name).is_file():
            raise InputError(
                f"{path.parent}: {name} is missing, which {path.name} lists as a file of weights; "
                "a download may have been cut off: get the missing file"
            )
    if is_read and not isinstance(content.get("metadata"), dict):
        raise InputError(
            f'{path}: it has no metadata, which transformers asks for; add "metadata": {{}} beside '
            "weight_map"
        )


def weight_files(folder: Path) -> list[Path]:
    """Return the files of weights that are read: model.safetensors, else those its index lists.

    Others may lie beside them, of another dtype or in another layout.
    """
    one, index = (folder / name for name in WEIGHTS)
    if one.is_file() or not index.is_file():
        return [one] * one.is_file()
    names = parse_json(index.read_text(encoding="utf-8"))["weight_map"].values()
    return [folder / name for name in sorted(set(names))]


def check_config(path: Path) -> None:
    """Raise InputError unless a config.json, or another file of a model, holds a JSON object."""
    try:
        if not isinstance(parse_json(path.read_text(encoding="utf-8")), dict):
            raise ValueError("no {...}")
    except ValueError as error:
        raise InputError(
            f"{path}: broken, no JSON object ({first_line(error)}); get it again, or save the "
            "model with model.save_pretrained"
        ) from None


def is_adapter(file: Path) -> bool:
    """Return whether a file is one of a peft adapter, which transformers would load as well."""
    return file.name.startswith("adapter_")


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text; the second, too, where it ends in a colon."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return " ".join(line.strip() for line in lines[: 1 + lines[0].endswith(":")])
