"""The rules by which a tokenizer.json cuts a text, where the class named beside it has others.

transformers builds some classes, as GPT2Tokenizer, anew from the vocabulary, and then leaves out
what else tokenizer.json says: that digits stand alone, that lines are cut together, that letters
become small. Many models are saved under such a name. Their tokens would be others than those they
were trained on, without an error.
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
    """Say whether a tokenizer that was read from `folder` cuts texts as its tokenizer.json does.

    What a class changes by a setting of its own, such as a blank put in front, is meant so: the
    rules are of the same types then.
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
    """Return a part of a tokenizer of the tokenizers library as tokenizer.json would have it."""
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
