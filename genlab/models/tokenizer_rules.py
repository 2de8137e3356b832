"""Keep the rules of a tokenizer.json if the tokenizer class named beside it has other rules.

transformers rebuilds some classes, such as GPT2Tokenizer, from the vocabulary, and ignores the
other rules in tokenizer.json: splitting digits, joining line breaks, lower-casing. Many models are
saved with such a class name. They would get other tokens than they were trained on, without an
error.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from genlab.core.shapes import parse_json

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# What rules differ in: numbers, lines, blanks, small letters, accents, apostrophes, scripts.
PROBES = [
    "The red stone, 1234567 m above the river.\n\nAnna's TOWER\r\n\tisn't  old  .",
    "E\u0301te\u0301 \u2014 \u00e9t\u00e9 \ufb01n x_y \u0421\u0442\u0430\u0440\u0430\u044f "
    "\u53e4\u3044\u5854 \U0001f600  a1b2 ...",
]


def keeps_rules(tokenizer: "PreTrainedTokenizerBase", folder: Path) -> bool:
    """Return whether a tokenizer that was read from `folder` cuts texts as its tokenizer.json does.

    It does if its normalizer and pre-tokenizer are of the same types: a class may change their
    settings on purpose, such as a blank added in front. If they are not, the tokens of PROBES are
    compared.
    """
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    path = folder / "tokenizer.json"
    if type(tokenizer) is PreTrainedTokenizerFast or not tokenizer.is_fast or not path.is_file():
        return True
    said = parse_json(path.read_text(encoding="utf-8"))
    used = tokenizer.backend_tokenizer
    names = ("normalizer", "pre_tokenizer")
    if all(types_of(said.get(name)) == types_of(state_of(used, name)) for name in names):
        return True
    own = Tokenizer.from_file(str(path))
    own.no_truncation()
    return all(
        own.encode(text, add_special_tokens=False).ids
        == tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        for text in PROBES
    )


def read_rules(folder: Path) -> "PreTrainedTokenizerBase":
    """Return the tokenizer in `folder` as its tokenizer.json describes it, whatever its class."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False
    )


def state_of(tokenizer, name: str) -> object:
    """Return a component of a `tokenizers` tokenizer as it would stand in tokenizer.json."""
    part = getattr(tokenizer, name)
    return None if part is None else json.loads(part.__getstate__())


def types_of(part: object) -> list[str]:
    """Return the types of a normalizer or pre-tokenizer and of what it is made of, in order."""
    if isinstance(part, list):
        return [name for each in part for name in types_of(each)]
    if not isinstance(part, dict):
        return []
    own = [] if part.get("type") in (None, "Sequence") else [str(part["type"])]
    return own + types_of(part.get("normalizers") or part.get("pretokenizers") or [])
