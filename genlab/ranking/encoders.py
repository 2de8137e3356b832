"""The parts of a sentence-transformers model: transformers in folders, routes and prompts.

Most models begin with one transformer. One with routes (a Router) has separate transformers for
queries and for texts; others have a table of word vectors instead. All transformers' weights are
checked, and their input is limited to the positions they have. A text's unread tokens are counted
for the transformer that reads texts, with the model's prompt in front.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from genlab.core.files import write_json
from genlab.core.program import InputError
from genlab.core.shapes import parse_json
from genlab.models.classifier_inputs import UNLIMITED, prepare_inputs
from genlab.models.loading import check_whole, read_tokenizer, read_weights
from genlab.models.model_files import check_config
from genlab.models.stored_weights import check_own_code
from genlab.ranking.similarities import SIMILARITIES

ROUTES = "router_config.json"
SETTINGS = "config_sentence_transformers.json"
GENERAL = "TokenizersBackend"  # the class that adds no rules to tokenizer.json
PROMPTS = {"query": ("query",), "document": ("document", "passage", "corpus")}


def prepare_parts(model: Any, folder: Path, kind: str) -> None:
    """Check every transformer in a model that was loaded from `folder`, and set its input limit.

    Raises InputError if weights are missing, or nothing can pad.
    """
    for where, part in parts_in(model, folder):
        inner = getattr(part, "auto_model", None)
        if inner is None:
            continue
        check_weights(inner, where, kind)
        limit = prepare_inputs(inner, part.tokenizer, str(where))
        if limit is not None:
            part.max_seq_length = min(limit, part.max_seq_length or limit)


def parts_in(model: Any, folder: Path) -> Iterator[tuple[Path, Any]]:
    """Yield the modules of a model, those of its routes one by one, each with its folder."""
    for where, module in zip(module_folders(folder), model, strict=False):
        routes = getattr(module, "sub_modules", None)
        if routes is None:
            yield where, module
            continue
        for name, places in routes_of(where).items():
            for place, part in zip(places, routes[name], strict=True):
                yield where / place, part


def module_folders(folder: Path) -> list[Path]:
    """Return the folders of a model's modules, in order; a bare transformer is its own module."""
    return [folder / each["path"] for each in listed_modules(folder)] or [folder]


def listed_modules(folder: Path) -> list[dict[str, str]]:
    """Return the modules that modules.json lists, each with path and type; none without the file.

    Raises InputError if it is broken.
    """
    path = folder / "modules.json"
    try:
        listed = parse_json(path.read_text(encoding="utf-8")) if path.is_file() else []
        return [{name: str(each[name]) for name in ("path", "type")} for each in listed]
    except (ValueError, KeyError, TypeError):
        raise InputError(
            f"{path}: broken, not a list of modules with path and type; get it again"
        ) from None


def transformer_folders(folder: Path) -> list[Path]:
    """Return where a model has transformers, those of its routes included."""
    found = []
    for where in module_folders(folder):
        places = [where / place for places in routes_of(where).values() for place in places]
        found += [place for place in places or [where] if is_file(place, "config.json")]
    return [where for where in dict.fromkeys(found) if is_transformer(where)]


def routes_of(folder: Path) -> dict[str, list[str]]:
    """Return the routes of a Router in `folder`, each with its modules' folders, {} of another.

    Raises InputError if its description is broken.
    """
    path = folder / ROUTES
    routes = read_object(path).get("structure") if path.is_file() else {}
    if not isinstance(routes, dict) or not all(isinstance(each, list) for each in routes.values()):
        raise InputError(
            f"{path}: broken, structure does not list each route's modules; get it again"
        )
    return {name: [str(place) for place in places] for name, places in routes.items()}


def check_modules(folder: Path) -> None:
    """Raise InputError for missing modules of modules.json, and for invalid settings.

    For an unknown similarity the library would silently use the cosine.
    """
    for each in listed_modules(folder):
        is_described = each["type"].endswith((".Pooling", ".Dense"))
        if is_described and not is_file(folder / each["path"], "config.json"):
            raise InputError(
                f"{folder}: {each['path']}/config.json is missing, which modules.json asks for; "
                "get the whole folder again, with its subfolders"
            )
    for where in transformer_folders(folder):
        said = where / "sentence_bert_config.json"
        limit = read_object(said).get("max_seq_length") if said.is_file() else None
        if limit is not None and not (type(limit) is int and limit >= 0):
            raise InputError(
                f"{said}: max_seq_length is {limit!r}, no number of tokens; correct it"
            )
    said = folder / SETTINGS
    similarity = read_object(said).get("similarity_fn_name") if said.is_file() else None
    if similarity is not None and similarity not in SIMILARITIES:
        raise InputError(
            f"{said}: similarity_fn_name is {similarity!r}, which is none of "
            f"{', '.join(SIMILARITIES)}; correct it"
        )


def is_file(folder: Path, name: str) -> bool:
    """Return whether there is a file of that name in `folder`."""
    return (folder / name).is_file()


def is_transformer(folder: Path) -> bool:
    """Return whether the config.json in `folder` is not that of pooling or a dense layer.

    A broken one counts as a transformer's, so that loading the transformer reports the error.
    """
    try:
        return "model_type" in read_object(folder / "config.json")
    except InputError:
        return True


def read_object(path: Path) -> dict:
    """Return the JSON object in a file; raise InputError if there is none in it."""
    check_config(path)
    return parse_json(path.read_text(encoding="utf-8"))


def keep_rules(folder: Path) -> None:
    """Set the tokenizer class beside each tokenizer.json to one that follows tokenizer.json.

    Our own reader (`read_tokenizer`) chooses such a class by itself, but sentence-transformers uses
    the class that the folder names.
    """
    for where in transformer_folders(folder):
        path = where / "tokenizer_config.json"
        if type(read_tokenizer(where)).__name__ != GENERAL or not is_file(where, "tokenizer.json"):
            continue
        said = read_object(path) if path.is_file() else {}
        if said.get("tokenizer_class") not in (GENERAL, "PreTrainedTokenizerFast"):
            write_json(path, said | {"tokenizer_class": "PreTrainedTokenizerFast"})


def check_weights(inner: Any, folder: Path, kind: str) -> None:
    """Raise InputError unless the weights in `folder` are those of `inner`, loaded from there.

    sentence-transformers does not report the weights that transformers found missing. So the model
    is loaded again on the meta device, which reads no weights.
    """
    _, found = read_weights(type(inner), folder, config=inner.config, device_map="meta")
    check_own_code(folder, kind, inner, auto_class_of(inner))
    # Sentences are pooled from the tokens: BERT's own pooler, not always saved, is not used.
    unused = ("pooler.",) if kind == "sentence transformer" else ()
    missing = {key for key in found["missing_keys"] if not key.startswith(unused)}
    check_whole(folder, kind, inner, missing, found["unexpected_keys"])


def auto_class_of(inner: Any) -> str:
    """Return what transformers calls the class by which a model of `inner`'s kind is loaded."""
    name = type(inner).__name__
    for task in ("ForSequenceClassification", "ForCausalLM"):
        if name.endswith(task):
            return f"AutoModel{task}"
    return "AutoModel"


def reader_of_texts(model: Any) -> Any:
    """Return the module that turns texts, not queries, into tokens."""
    first = model[0]
    routes = getattr(first, "sub_modules", None)
    if routes is None:
        return first
    mapped = first.route_mappings
    keys = [("document", "text"), ("document", None), (None, "text"), (None, None)]
    names = [mapped[key] for key in keys if key in mapped]
    names += [name for name in ("document", "text") if name in routes]
    return routes[(names or [first.default_route])[0]][0]


def prompt_of(prompts: dict[str, str], task: str) -> str:
    """Return the model's prompt for queries or documents, by `task`; "" if it has none.

    The library ignores a prompt named passage if there is an empty one for documents.
    """
    return next((prompts[name] for name in PROMPTS[task] if prompts.get(name)), "")


def say_unused_prompts(folder: Path, shown: str) -> None:
    """Print a warning if a model has prompts but uses none of them."""
    path = folder / SETTINGS
    prompts = (read_object(path).get("prompts") or {}) if path.is_file() else {}
    names = sorted(name for name, prompt in prompts.items() if prompt)
    if names and not any(prompt_of(prompts, task) for task in PROMPTS):
        print(
            f"{shown}: its prompts ({', '.join(names)}) are not used: none is for queries or for "
            f"texts; to use one, call it query or document in {path.name}"
        )


def unread_counter(model: Any) -> Callable[[list[str]], np.ndarray]:
    """Return n_unread of a model: how many tokens of each text it does not read.

    A prompt in front of the text uses up part of the input limit.
    """
    reader = reader_of_texts(model)
    limits = [getattr(reader, name, None) for name in ("max_seq_length", "document_length")]
    tokenizer = reader.tokenizer
    if truncation := getattr(tokenizer, "truncation", None):  # a static one's own
        limits.append(truncation["max_length"])
    limit = min((each for each in limits if each), default=None)
    prompt = prompt_of(model.prompts, "document")

    def n_unread(texts: list[str]) -> np.ndarray:
        return count_unread(tokenizer, limit, [prompt + text for text in texts])

    return n_unread


def count_unread(tokenizer: Any, limit: float | None, texts: list[str]) -> np.ndarray:
    """Return int32 [n]: how many tokens of each text lie beyond `limit` (None or huge: none)."""
    if limit is None or limit > UNLIMITED or not texts:
        return np.zeros(len(texts), dtype=np.int32)
    return np.array([max(0, n - limit) for n in count_tokens(tokenizer, texts)], dtype=np.int32)


def count_tokens(tokenizer: Any, texts: list[str]) -> list[int]:
    """Return how many tokens each text has, of a tokenizer of any of the libraries' kinds."""
    if callable(tokenizer):
        found = tokenizer(texts, truncation=False, padding=False, verbose=False)["input_ids"]
        return [len(ids) for ids in found]
    if hasattr(tokenizer, "encode_batch"):
        encoded = tokenizer.encode_batch(texts, add_special_tokens=False)
        return [len(each.ids) + sum(len(more.ids) for more in each.overflowing) for each in encoded]
    return [len(tokenizer.tokenize(text)) for text in texts]
