"""The tokenize stage: what the rows hold, what is counted, and that the counts add up."""

import json

import pytest
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.core.tables import QUERY_SCHEMA, write_table
from stages import tokenize
from tests.option_words import option_words
from tests.query_tables import table
from tests.tiny_models import save_base

QUERIES = [
    # split, query, passages (a text in a tuple is selected)
    ("train", "where is anna", [("Anna is near the river.",), "The tower is old."]),
    ("train", "what is new", ["The market is new.", "The garden is quiet."]),
    ("train", "what is old", [("The bridge is old.",), "No.", ("The tower is old.",)]),
    ("validation", "red or blue", [("The stone is red.",)]),
    ("validation", "who is anna", ["Nobody knows."]),
]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_base(tmp_path_factory.mktemp("tokenize") / "base")


@pytest.fixture(scope="module")
def tokenizer(base):
    from genlab.models.loading import load_tokenizer

    return load_tokenizer(base)


def run(folder, base, queries=QUERIES, **options):
    """Run the stage; return {split: rows}, metrics and the click result."""
    from datasets import Dataset

    write_table(folder / "queries.parquet", [table(*queries)], QUERY_SCHEMA)
    values = {"block_size": 64, "packed": False, "body_loss": True, "max_unknown_share": 0.05}
    values |= options
    arguments = [str(folder / "queries.parquet"), str(base), str(folder / "tokens")]
    arguments += ["--metrics", str(folder / "metrics.json"), *option_words(values)]
    result = CliRunner().invoke(tokenize.app, arguments)
    if result.exit_code:
        return {}, {}, result
    rows = {
        split: Dataset.from_file(str(folder / "tokens" / f"{split}.arrow"))
        for split in ("train", "validation")
    }
    return rows, json.loads((folder / "metrics.json").read_text())["splits"], result


def document(tokenizer, query, body):
    """Return (prompt ids, body ids with the end-of-text)."""
    return tokenizer(query + "\n")["input_ids"], [
        *tokenizer(body)["input_ids"],
        tokenizer.eos_token_id,
    ]


def test_a_row_is_query_line_break_selected_passages_and_end_of_text(tmp_path, base, tokenizer):
    rows, _, _ = run(tmp_path, base)
    decoded = [tokenizer.decode(row["input_ids"]) for row in rows["train"]]
    # The tokenizer puts a space before a text's first word.
    assert decoded == [
        " where is anna\n Anna is near the river.<|endoftext|>",
        " what is old\n The bridge is old. The tower is old.<|endoftext|>",
    ]
    assert tokenizer.decode(rows["validation"][0]["input_ids"]) == (
        " red or blue\n The stone is red.<|endoftext|>"
    )


def test_loss_begins_at_the_body(tmp_path, base, tokenizer):
    rows, _, _ = run(tmp_path, base)
    prompt, body = document(tokenizer, "where is anna", "Anna is near the river.")
    assert rows["train"][0] == {"input_ids": prompt + body, "n_prompt": len(prompt)}


def test_without_body_loss_every_token_carries_loss(tmp_path, base):
    rows, _, _ = run(tmp_path, base, body_loss=False)
    assert rows["train"]["n_prompt"][:] == [0, 0]


def test_counts_of_rows_add_up_and_unanswerable_queries_are_counted(tmp_path, base, tokenizer):
    _, counts, _ = run(tmp_path, base)
    n_tokens = [
        len(prompt) + len(body)
        for prompt, body in (
            document(tokenizer, "where is anna", "Anna is near the river."),
            document(tokenizer, "what is old", "The bridge is old. The tower is old."),
            document(tokenizer, "red or blue", "The stone is red."),
        )
    ]
    assert counts == {
        "train": {
            "queries_in": 3,
            "queries_without_selected": 1,
            "documents": 2,
            "rows": 2,
            "rows_cut": 0,
            "rows_without_body": 0,
            "tokens_in": n_tokens[0] + n_tokens[1],
            "tokens_out": n_tokens[0] + n_tokens[1],
            "tokens_tail": 0,
            "tokens_unknown": 0,
        },
        "validation": {
            "queries_in": 2,
            "queries_without_selected": 1,
            "documents": 1,
            "rows": 1,
            "rows_cut": 0,
            "rows_without_body": 0,
            "tokens_in": n_tokens[2],
            "tokens_out": n_tokens[2],
            "tokens_tail": 0,
            "tokens_unknown": 0,
        },
    }


def test_a_longer_row_is_cut_to_the_block_and_counted(tmp_path, base, tokenizer):
    prompt, body = document(tokenizer, "where is anna", "Anna is near the river.")
    block_size = len(prompt) + len(body) - 2
    rows, counts, _ = run(tmp_path, base, block_size=block_size)
    assert rows["train"][0]["input_ids"] == (prompt + body)[:-2]
    other = document(tokenizer, "what is old", "The bridge is old. The tower is old.")
    longer = sum(map(len, other))
    tail = 2 + max(0, longer - block_size)
    assert counts["train"]["tokens_tail"] == tail
    assert counts["train"]["rows_cut"] == 1 + (longer > block_size)
    assert counts["train"]["tokens_out"] + tail == counts["train"]["tokens_in"]


def test_a_query_that_fills_the_block_gives_no_row_when_only_bodies_carry_loss(tmp_path, base):
    queries = [*QUERIES, ("train", "where " * 40, [("Here.",)])]
    rows, counts, _ = run(tmp_path, base, queries, block_size=30)
    assert counts["train"]["documents"] == 3
    assert counts["train"]["rows_without_body"] == 1
    assert counts["train"]["rows"] == len(rows["train"]) == 2
    count = counts["train"]
    assert count["tokens_out"] + count["tokens_tail"] == count["tokens_in"]
    assert all(row["n_prompt"] < len(row["input_ids"]) for row in rows["train"])
    rows, counts, _ = run(tmp_path, base, queries, block_size=30, body_loss=False)
    assert counts["train"]["rows"] == len(rows["train"]) == 3
    assert counts["train"]["rows_without_body"] == 0


def test_packed_blocks_are_the_joined_documents(tmp_path, base, tokenizer):
    from datasets import List, Value

    rows, counts, _ = run(tmp_path, base, packed=True, body_loss=False, block_size=8)
    joined = []
    for query, body in (
        ("where is anna", "Anna is near the river."),
        ("what is old", "The bridge is old. The tower is old."),
    ):
        joined += [token for part in document(tokenizer, query, body) for token in part]
    n_blocks, tail = divmod(len(joined), 8)
    blocks = rows["train"]["input_ids"][:]
    assert blocks == [joined[8 * i : 8 * i + 8] for i in range(n_blocks)]
    assert rows["train"].features["input_ids"] == List(Value("int32"), length=8)
    assert rows["train"]["n_prompt"][:] == [0] * n_blocks
    assert counts["train"]["tokens_in"] == len(joined)
    assert counts["train"]["tokens_out"] == 8 * n_blocks
    assert counts["train"]["tokens_tail"] == tail


def test_splits_may_lie_in_different_batches_of_the_table(tmp_path, base, monkeypatch):
    whole, whole_counts, _ = run(tmp_path / "whole", base)
    monkeypatch.setattr(tokenize, "BATCH_ROWS", 1)
    rows, counts, _ = run(tmp_path / "one", base)
    assert counts == whole_counts
    assert [rows[split][:] for split in rows] == [whole[split][:] for split in whole]


def test_a_llama_prompt_begins_with_its_start_token_and_a_body_does_not(tmp_path, tokenizer):
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    from genlab.models.prompts import encode_bodies, encode_prompts

    start = tokenizer.convert_tokens_to_ids("Q")
    inner = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer, eos_token="<|endoftext|>"
    )
    inner.backend_tokenizer.post_processor = TemplateProcessing(
        single="Q $A", special_tokens=[("Q", start)]
    )
    plain = document(tokenizer, "red", "blue")
    assert encode_prompts(inner, ["red"])[0][0] == start
    assert encode_prompts(inner, ["red"])[0][1:] == plain[0]
    assert encode_bodies(inner, ["blue"]) == [plain[1]]


def with_ends(base, folder, single, **options):
    """Write the base with a tokenizer that puts special tokens around a text; return it."""
    import shutil

    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    from genlab.models.loading import load_tokenizer

    shutil.copytree(base, folder)
    backend = load_tokenizer(base).backend_tokenizer
    backend.post_processor = TemplateProcessing(
        single=single, special_tokens=[("<|endoftext|>", 0), ("Q", backend.token_to_id("Q"))]
    )
    options = {"eos_token": "<|endoftext|>"} | options
    PreTrainedTokenizerFast(tokenizer_object=backend, **options).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    "single", ["$A <|endoftext|>", "Q $A <|endoftext|>", "<|endoftext|> $A", "$A", "$A Q"]
)
def test_end_of_text_is_added_once_to_bodies_and_never_to_prompts_whatever_the_tokenizer_does(
    tmp_path, base, tokenizer, single
):
    rows, counts, _ = run(tmp_path, with_ends(base, tmp_path / "theirs", single))
    prompt, body = document(tokenizer, "where is anna", "Anna is near the river.")
    start = [tokenizer.convert_tokens_to_ids(word) for word in single.split("$A")[0].split()]
    assert list(rows["train"][0]["input_ids"]) == [*start, *prompt, *body]
    assert rows["train"][0]["n_prompt"] == len(start) + len(prompt)
    assert body.count(0) == 1 and body[-1] == 0
    assert counts["train"]["tokens_unknown"] == 0


def test_an_end_of_text_that_somebody_typed_is_text(tmp_path, base, tokenizer):
    typed = "red <|endoftext|>"
    queries = [(split, typed, [(typed + " blue",)]) for split in ("train", "validation")]
    rows, _, _ = run(tmp_path, base, queries)
    ids = list(rows["train"][0]["input_ids"])
    assert ids.count(0) == 1 and ids[-1] == 0
    assert tokenizer.decode(ids[:-1]).strip() == f"{typed}\n {typed} blue"


def test_unknown_tokens_are_counted_without_our_own_end_of_text_and_refused_above_a_share(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    # "is" and "red" are known. As GPT-2's, the end-of-text stands for what is unknown, too.
    backend = Tokenizer(models.WordLevel({"e": 0, "is": 1, "red": 2}, unk_token="e"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="e", unk_token="e")
    tokenizer.save_pretrained(tmp_path / "words")
    queries = [(split, "is red", [("red is blue",)]) for split in ("train", "validation")]
    _, counts, _ = run(tmp_path, tmp_path / "words", queries, block_size=8, max_unknown_share=0.2)
    # is red | red is (blue) end
    assert (counts["train"]["tokens_in"], counts["train"]["tokens_unknown"]) == (6, 1)
    (tmp_path / "metrics.json").unlink()
    _, _, result = run(tmp_path / "no", tmp_path / "words", queries, max_unknown_share=0.1)
    assert "train: 16.7% of its tokens are unknown to the tokenizer of" in str(result.exception)
    assert not (tmp_path / "no/tokens").exists() and not (tmp_path / "no/metrics.json").exists()


def test_letters_that_a_tokenizer_leaves_out_in_silence_are_counted_as_unknown(tmp_path):
    from tokenizers import Tokenizer, models, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    trainer = trainers.BpeTrainer(vocab_size=30, special_tokens=["e"], show_progress=False)
    backend.train_from_iterator(["abc\n"], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="e")
    tokenizer.save_pretrained(tmp_path / "abc")
    assert tokenizer("aжb")["input_ids"] == tokenizer("ab")["input_ids"]
    queries = [(split, "abc", [("abж ж",)]) for split in ("train", "validation")]
    _, counts, _ = run(tmp_path, tmp_path / "abc", queries, max_unknown_share=1.0)
    assert counts["train"]["tokens_unknown"] == 2
    _, _, result = run(tmp_path / "no", tmp_path / "abc", queries, max_unknown_share=0.1)
    assert "of its tokens are unknown to the tokenizer of" in str(result.exception)


def test_packing_with_body_loss_is_refused(tmp_path, base):
    _, _, result = run(tmp_path, base, packed=True)
    assert isinstance(result.exception, InputError)
    assert "tokenize.body_loss=true needs tokenize.packed=false" in str(result.exception)
    assert not (tmp_path / "tokens").exists()


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("split", ["train", "validation"])
def test_no_selected_passage_is_refused_and_leaves_nothing(tmp_path, base, split, packed):
    queries = [
        (of, query, ["".join(passage) for passage in passages] if of == split else passages)
        for of, query, passages in QUERIES
    ]
    _, _, result = run(tmp_path, base, queries, packed=packed, body_loss=False, block_size=8)
    assert isinstance(result.exception, InputError)
    assert f"{split} gives no training row (0 documents" in str(result.exception)
    assert "no selected passage" in str(result.exception)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["queries.parquet"]


def test_a_block_longer_than_the_whole_text_is_refused(tmp_path, base):
    _, _, result = run(tmp_path, base, packed=True, body_loss=False, block_size=4096)
    assert isinstance(result.exception, InputError)
    assert "tokenize.block_size=4096 is longer than the whole text" in str(result.exception)


def test_ids_are_those_of_the_library_even_where_the_tokenizer_cuts_and_pads(tokenizer, tmp_path):
    from genlab.models.loading import load_tokenizer
    from genlab.models.prompts import encode

    tokenizer.save_pretrained(tmp_path)
    content = json.loads((tmp_path / "tokenizer.json").read_text())
    content["truncation"] = {"max_length": 3, "strategy": "LongestFirst", "stride": 0}
    content["truncation"] |= {"direction": "Right"}
    content["padding"] = {"strategy": {"Fixed": 9}, "direction": "Right", "pad_id": 0}
    content["padding"] |= {"pad_to_multiple_of": None, "pad_type_id": 0, "pad_token": "x"}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    texts = ["", "Anna", "The tower is old. Ünïcode, too.", f"a{tokenizer.eos_token}b" * 3]
    for special in (True, False):
        expected = tokenizer(texts, add_special_tokens=special)["input_ids"]
        assert encode(load_tokenizer(tmp_path), texts, special) == expected
