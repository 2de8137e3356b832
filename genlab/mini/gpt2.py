"""A small GPT-2 pretrained here on plain text: the base model that needs no download.

Plain text without any query: the model learns the language and its facts' wording, but not to
answer. Sizes and rates were found by measurement; LOG.md has what was tried.
"""

import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from genlab.core.program import InputError
from genlab.models.loading import load_causal_model, load_tokenizer
from genlab.models.trial import save_tried

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel, PreTrainedTokenizerBase

END_OF_TEXT = "<|endoftext|>"


@dataclass(frozen=True)
class Sizes:
    """The mini model and its pretraining; most of a params group `base`."""

    vocab_size: Annotated[int, Option(min=300, help="mini: tokens, 257 of them bytes and EOS")]
    n_layer: Annotated[int, Option(min=1)]
    n_embd: Annotated[int, Option(min=8)]
    n_head: Annotated[int, Option(min=1)]
    n_positions: Annotated[int, Option(min=64)]
    epochs: Annotated[int, Option(min=1, max=10**4)]
    batch_size: Annotated[int, Option(min=1)]
    learning_rate: Annotated[float, Option(min=0.0, help="mini: Muon's, for the matrices")]
    embedding_learning_rate: Annotated[float, Option(min=0.0, help="mini: AdamW's")]
    max_offset: Annotated[int, Option(min=0, help="mini: first position is drawn up to this")]
    seed: Annotated[int, Option(min=0)]


def train_tokenizer(texts: list[str], vocab_size: int) -> "PreTrainedTokenizerBase":
    """Return a byte-level BPE tokenizer (GPT-2's kind) of at most `vocab_size` tokens."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    # With a space before the first word, a name is one token wherever it stands: what a query
    # starts with can be copied into the text.
    bpe = ByteLevelBPETokenizer(add_prefix_space=True)
    bpe.train_from_iterator(
        texts, vocab_size, min_frequency=2, special_tokens=[END_OF_TEXT], show_progress=False
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe._tokenizer, eos_token=END_OF_TEXT, bos_token=END_OF_TEXT
    )


def break_lines(texts: list[str], seed: int) -> list[str]:
    """Return the texts with one line break each, at a random sentence end.

    Prompts end in a line break; the base model should have seen text go on after one.
    """
    rng = random.Random(seed)
    broken = []
    for text in texts:
        ends = [match.end() - 1 for match in re.finditer(r"\. ", text)]
        cut = rng.choice(ends) if ends else len(text)
        broken.append(text[:cut] + "\n" * bool(ends) + text[cut:])
    return broken


def check_sizes(sizes: Sizes, group: str = "base") -> None:
    """Raise InputError, naming the params group, for sizes that make no model."""
    if sizes.n_embd % sizes.n_head:
        raise InputError(
            f"{group}.n_embd={sizes.n_embd} must be a multiple of {group}.n_head={sizes.n_head}"
        )
    if sizes.max_offset > sizes.n_positions // 2:
        raise InputError(
            f"{group}.max_offset={sizes.max_offset} leaves less than half of "
            f"{group}.n_positions={sizes.n_positions} to the text; lower the one or raise the other"
        )


def new_model(tokenizer: "PreTrainedTokenizerBase", sizes: Sizes) -> "GPT2LMHeadModel":
    """Return a GPT-2 with fresh weights, drawn from torch's global generator."""
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokenizer),
            n_layer=sizes.n_layer,
            n_embd=sizes.n_embd,
            n_head=sizes.n_head,
            n_positions=sizes.n_positions,
            # 0.07 at 192; GPT-2's 0.02 is meant for 768 and more. Both runs with 0.07 and these
            # rates copied names best (LOG.md: one seed each, other settings differ too).
            initializer_range=sizes.n_embd**-0.5,
            resid_pdrop=0.0,  # one or two passes over the text: nothing to regularise
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=tokenizer.eos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


def pretrain(
    texts: list[str],
    tokenizer: "PreTrainedTokenizerBase",
    sizes: Sizes,
) -> tuple["GPT2LMHeadModel", float]:
    """Return a GPT-2 trained on one text per row, and the mean loss (nats) of the last 100 steps.

    Trained as `train_mini` does. Every row starts at a random position up to `max_offset`, so that
    a query put in front later does not move the text to positions the model has never seen.
    """
    import torch

    from genlab.mini.training import batches_of_epochs, train_mini
    from genlab.models.batches import collate

    torch.manual_seed(sizes.seed)
    rng = random.Random(sizes.seed)
    model = new_model(tokenizer, sizes)
    rows: list[dict] = [
        {
            "input_ids": [*ids[: sizes.n_positions - sizes.max_offset - 1], tokenizer.eos_token_id],
            "n_prompt": 0,
        }
        for ids in tokenizer(texts)["input_ids"]
    ]
    lengths = [len(row["input_ids"]) for row in rows]
    batches = batches_of_epochs(lengths, sizes.batch_size, sizes.epochs, rng)

    def inputs_of(batch: list[int]) -> dict:
        inputs = collate([rows[i] for i in batch], tokenizer.eos_token_id)
        offset = rng.randrange(sizes.max_offset + 1)
        positions = torch.arange(offset, offset + inputs["input_ids"].shape[1])
        return inputs | {"position_ids": positions[None]}

    loss = train_mini(
        model,
        map(inputs_of, batches),
        len(batches),
        sizes.learning_rate,
        sizes.embedding_learning_rate,
    )
    return model, loss


def write_pretrained(
    output: Path, texts: list[str], tokenizer: "PreTrainedTokenizerBase", sizes: Sizes
) -> float:
    """Write the folder of a model that `pretrain` makes, tried; return its last training loss."""
    model, loss = pretrain(texts, tokenizer, sizes)
    save_tried(model, tokenizer, output, load_causal_model, f"a mini model for {output}")
    return loss


def make_base(
    topics: Path, tokenizer_folder: Path | None, output: Path, n_passages: int, sizes: Sizes
) -> float:
    """Pretrain a small GPT-2 on the mini corpus's plain text; return its last training loss."""
    from genlab.mini.queries import make_plain_text

    texts = break_lines(make_plain_text(topics, n_passages, sizes.seed), sizes.seed)
    if tokenizer_folder is None:
        tokenizer = train_tokenizer(texts, sizes.vocab_size)
    else:
        tokenizer = load_tokenizer(tokenizer_folder)
    return write_pretrained(output, texts, tokenizer, sizes)
