"""A tokenizer cuts texts as its tokenizer.json does, whatever class is named beside it."""

import json

import pytest

from genlab.models.loading import read_tokenizer
from tests.tiny_models import make_tokenizer

TEXT = "The RED stone,\n\nnear 12."


def save_tokenizer(folder, class_name, **parts):
    """Write a tokenizer whose tokenizer.json has `parts`, under the name of a class."""
    make_tokenizer().save_pretrained(folder)
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | parts))
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text()) | {"tokenizer_class": class_name}
    settings.pop("backend")
    path.write_text(json.dumps(settings))
    return folder


def tokens_of(tokenizer):
    return [tokenizer.decode([number]) for number in tokenizer(TEXT)["input_ids"]]


def byte_level(add_prefix_space=False):
    return {
        "type": "ByteLevel",
        "add_prefix_space": add_prefix_space,
        "trim_offsets": True,
        "use_regex": True,
    }


@pytest.mark.parametrize(
    "class_name", ["GPT2Tokenizer", "GPT2TokenizerFast", "PreTrainedTokenizer"]
)
def test_small_letters_are_kept_under_the_name_of_gpt2(tmp_path, class_name):
    folder = save_tokenizer(tmp_path, class_name, normalizer={"type": "Lowercase"})
    assert "".join(tokens_of(read_tokenizer(folder))).strip() == TEXT.lower()


def test_a_cut_before_the_bytes_is_kept_under_the_name_of_gpt2(tmp_path):
    split = {
        "type": "Split",
        "pattern": {"String": "o"},
        "behavior": "Isolated",
        "invert": False,
    }
    parts = {"type": "Sequence", "pretokenizers": [split, byte_level()]}
    folder = save_tokenizer(tmp_path, "GPT2Tokenizer", pre_tokenizer=parts)
    tokens = tokens_of(read_tokenizer(folder))
    assert "".join(tokens) == TEXT
    assert "o" in tokens  # of "stone": elsewhere it is a part of "on" or "one"
    again = tmp_path / "again"
    read_tokenizer(folder).save_pretrained(again)
    assert tokens_of(read_tokenizer(again)) == tokens


def test_a_setting_of_the_class_itself_counts(tmp_path):
    # RoBERTa's kind is often saved with add_prefix_space beside a tokenizer.json without it.
    folder = save_tokenizer(tmp_path, "GPT2Tokenizer", pre_tokenizer=byte_level(True))
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"add_prefix_space": False}))
    tokenizer = read_tokenizer(folder)
    assert type(tokenizer).__name__ == "GPT2Tokenizer"
    assert "".join(tokens_of(tokenizer)) == TEXT


@pytest.mark.parametrize("class_name", ["T5Tokenizer", "XLMRobertaTokenizer"])
def test_a_class_for_vocabularies_of_another_kind_gives_way_to_tokenizer_json(tmp_path, class_name):
    folder = save_tokenizer(tmp_path, class_name)  # theirs are lists of pieces, this is a BPE
    assert "".join(tokens_of(read_tokenizer(folder))).strip() == TEXT
