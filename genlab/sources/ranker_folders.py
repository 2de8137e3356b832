"""Model folders of rankers from outside, copied from a folder or downloaded from a hub.

The copy can be loaded offline. Nothing is loaded here: only the kind is recognised, and weights
must be safetensors, because a pickle can run code.
"""

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from functools import partial
from pathlib import Path, PurePath

from genlab.core.program import InputError
from genlab.core.shapes import parse_json
from genlab.models.model_files import is_adapter
from genlab.models.quiet_tensorflow import import_tensorflow
from genlab.sources.foreign_files import copy_files, files_in
from genlab.sources.hub import TIMEOUT_SECONDS, download_snapshot, failure, retried

# What sentence-transformers reads; no pickles, no *.py: code from a hub is never run. A ranker made
# of a language model asks by a template of chats (*.jinja); bpe.codes are PhoBERT's merges.
DESCRIPTIONS = ["*.json", "*.txt", "*.model", "*.spm", "bpe.codes", "*.jinja"]
MODEL_FILES = [*DESCRIPTIONS, "*.safetensors"]
PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"}
OTHER_ENCODERS = {
    "sparse_encoder.": "SparseEncoder",
    "SpladePooling": "SparseEncoder",
    "multi_vector_encoder.": "MultiVectorEncoder",
    "pylate.": "MultiVectorEncoder",
}
EXPECTED = {
    "sentence_transformer": "a SentenceTransformer's folder: modules.json, model.safetensors, ...",
    "cross_encoder": "a CrossEncoder's folder: config.json, model.safetensors, ...",
    "classifier": "a text classifier's folder: config.json (...ForSequenceClassification), "
    "model.safetensors, ...",
    "tensorflow_hub": "a SavedModel's folder: saved_model.pb, variables/",
}


def copy_model(kind: str, folder: Path, output: Path, shown: str | None = None) -> None:
    """Copy a user's model folder to `output`, without the files that are not read.

    `shown`: what messages call it. Raises InputError if the folder is missing, holds a model of
    another kind, no safetensors, or files that may not be read (`files_in`).
    """
    shown = shown or str(folder)
    if not folder.is_dir():
        raise InputError(f"{shown}: no such folder; expected {EXPECTED[kind]}")
    files = files_in(folder, shown, deep=True)  # before any is read: a pipe would never end
    check_kind(kind, folder, shown)
    if kind == "tensorflow_hub":
        copy_files(folder, output, shown, deep=True)
        return
    check_safetensors([file for file in files if not is_adapter(file)], shown, EXPECTED[kind])
    copy_files(folder, output, shown, deep=True, is_wanted=is_read)


def is_read(file: Path) -> bool:
    """Return whether sentence-transformers may read a file: not an adapter beside the weights."""
    return any(fnmatch(file.name, each) for each in MODEL_FILES) and not is_adapter(file)


def check_kind(kind: str, folder: Path, shown: str) -> None:
    """Raise InputError if what lies in `folder` is not a model of `kind`."""
    found = recognise_kind(folder)
    if kind == "classifier" and found == "cross_encoder":  # a folder of either looks alike
        return
    if found is None:
        raise InputError(f"{shown}: no {kind} model; expected {EXPECTED[kind]}")
    if found == kind:
        return
    if kind == "classifier":
        raise InputError(
            f"{shown}: this looks like a {found} model; expected {EXPECTED[kind]}; take another"
        )
    raise InputError(
        f"{shown}: this looks like a {found} model, but kind is {kind}, which is "
        f"{EXPECTED[kind]}; change the kind, or take another model"
    )


def recognise_kind(folder: Path) -> str | None:
    """Return the kind of model that lies in `folder`, None if none is recognised."""
    if (folder / "saved_model.pb").is_file():
        return "tensorflow_hub"
    config = read_json(folder / "config.json")
    described = read_json(folder / "config_sentence_transformers.json").get("model_type")
    architectures = config.get("architectures")
    first = str(architectures[0]) if architectures and isinstance(architectures, list) else ""
    if described == "CrossEncoder" or first.endswith("ForSequenceClassification"):
        return "cross_encoder"
    if (folder / "modules.json").is_file():
        described = described or kind_of_modules(folder)
        return "sentence_transformer" if described in (None, "SentenceTransformer") else described
    return "plain transformers" if config else None


def kind_of_modules(folder: Path) -> str | None:
    """Return the kind of model that the modules in modules.json make, None if they do not tell.

    Models saved before their kind was written down name it there alone: a vector of words, or one
    for each token, would be read as a text's.
    """
    try:
        modules = parse_json((folder / "modules.json").read_text(encoding="utf-8"))
        types = [str(module["type"]) for module in modules]
    except (OSError, ValueError, KeyError, TypeError):  # who loads it says what is wrong
        return None
    return next((kind for part, kind in OTHER_ENCODERS.items() if part in " ".join(types)), None)


def read_json(path: Path) -> dict:
    """Return the JSON object in a file, {} if there is no such file or no object in it."""
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def check_safetensors(files: Iterable[PurePath | str], shown: str, expected: str) -> None:
    """Raise InputError if there are no safetensors, or a folder holds only pickles.

    A .bin beside an .xml of its name is OpenVINO's: no pickle, and never read here. Most rankers
    on the Hub have it in a folder of its own.
    """
    paths = sorted(map(PurePath, files))
    safe = {file.parent for file in paths if file.suffix == ".safetensors"}
    for file in paths:
        is_openvinos = file.suffix == ".bin" and file.with_suffix(".xml") in paths
        if file.suffix in PICKLES and file.parent not in safe and not is_openvinos:
            raise InputError(
                f"{shown}: {file} is a pickle, which could run code, and no safetensors file lies "
                "beside it; convert the model with save_pretrained(folder, safe_serialization=True)"
            )
    if not safe:
        raise InputError(f"{shown}: no weights (*.safetensors); expected {expected}")


def download_model(kind: str, hub_id: str, revision: str, output: Path, group: str) -> str:
    """Download a model from the Hugging Face Hub, or from TF-Hub, to `output`; return its commit.

    `group` is the params group named in messages. Raises InputError if the hub cannot be reached,
    does not know the name, or has no model of `kind` with safetensors there.
    """
    asked, instead = f"{group}: {hub_id}", f"set {group}.source to file and .path to a model folder"
    if kind == "tensorflow_hub":  # a TF-Hub handle ends in its version
        folder = resolve_tensorflow_hub(hub_id, asked, instead)
    else:
        asked += f" at {revision}"
        # Gigabytes of pickles, or of a model of another kind, need not be downloaded to be refused.
        check_names = partial(check_safetensors, shown=asked, expected=EXPECTED[kind])
        download = partial(
            download_snapshot,
            hub_id,
            revision,
            asked=asked,
            instead=instead,
            check_names=check_names,
        )
        check_kind(kind, download(DESCRIPTIONS), asked)
        folder = download(MODEL_FILES)
        revision = folder.name
    copy_model(kind, folder, output, asked)
    return revision


def resolve_tensorflow_hub(handle: str, asked: str, instead: str) -> Path:
    """Return the local folder of a TF-Hub module, downloaded unless TF-Hub's cache has it."""
    if not handle.startswith("https://"):
        raise InputError(f"{handle}: not a TF-Hub handle; expected https://tfhub.dev/...")
    _, hub = import_tensorflow()
    try:
        with socket_timeout(TIMEOUT_SECONDS):
            return Path(retried(partial(hub.resolve, handle)))
    except Exception as error:  # urllib's, tarfile's, TensorFlow's and the disk's
        raise failure(asked, error, instead) from error


@contextmanager
def socket_timeout(seconds: float) -> Iterator[None]:
    """Let no connection opened in the block wait longer than `seconds`: TF-Hub sets no limit."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
