"""Base models that lie ready in the repository: `minis/base` of a pipeline, with a receipt.

They were made by minis/recipe beside them, with the programs and values that `mini` takes here,
only of more text. `python -m genlab bundle` wrote the receipt.
"""

from pathlib import Path

from genlab.core.files import sha256_of
from genlab.core.program import InputError
from genlab.core.shapes import parse_json
from genlab.sources.source import ModelOrigin, ModelSource

RECEIPT = "receipt.json"


def read_bundled(folder: Path) -> dict:
    """Return a bundled model's receipt.

    Raises InputError for a folder that has none, or whose files are not those that it names.
    """
    path = folder / RECEIPT
    if not path.is_file():
        raise InputError(
            f"base.path={folder}: no bundled model (no {RECEIPT} is in it); give "
            f"base.path=minis/base, or base.source=file for a model of your own"
        )
    try:
        receipt = parse_json(path.read_text(encoding="utf-8"))
        files = dict(receipt["files"])
        receipt["values"].items(), float(receipt["metrics"]["pretraining_loss"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: no receipt of a bundled model ({type(error).__name__}: {error}); "
            f"`git checkout {folder}` brings it back"
        ) from None
    for name, sha256 in files.items():
        if not (folder / name).is_file() or sha256_of(folder / name) != sha256:
            raise InputError(
                f"{folder / name}: not the file that {RECEIPT} beside it names; `git checkout "
                f"{folder}` brings it back, and base.source=file takes a model of your own"
            )
    return receipt


def check_bundled(source: ModelSource, path: Path, values: dict[str, object]) -> None:
    """Raise InputError for an invalid bundled model, or one that was made with other `values`.

    values: the mini model's params, which cannot change a model that is made already.
    """
    if source is not ModelSource.bundled:
        return
    made_by = read_bundled(path)["values"]
    for name, value in values.items():
        if name in made_by and made_by[name] != value:
            raise InputError(
                f"base.{name}={value} changes nothing while base.source=bundled takes a "
                f"model that is made already (with {made_by[name]}); add base.source=mini, "
                "which makes one here"
            )


def check_model_origin(origin: ModelOrigin, values: dict[str, object]) -> None:
    """Raise InputError as `check_bundled`, and for a mini model whose world is given as `path`.

    The world that a mini model is made from is `made_from`; its `path` would not be read.
    """
    check_bundled(origin.source, origin.path, values)
    # A table that an earlier stage will make is not there yet: the end of its name tells it.
    is_file = origin.path.is_file() or (bool(origin.path.suffix) and not origin.path.is_dir())
    if origin.source is ModelSource.mini and is_file and str(origin.path) != "none":
        raise InputError(
            f"base.path={origin.path} is not read while base.source=mini; what the model "
            f"is made from is base.made_from={origin.made_from}: change that, and leave "
            f"base.path as it was (minis/base)"
        )
