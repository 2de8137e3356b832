"""A small T5 pretrained here by span corruption, a text-to-text base that needs no download.

It has the architecture, tokens and objective of the published T5 (Raffel et al. 2020; version
1.1's gated activation), only smaller. It reads plain texts that never have the form of a task: it
learns the language, and to look up a gap's surroundings in the text.
"""

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from typer import Option

from genlab.core.program import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, T5ForConditionalGeneration

PAD, END_OF_TEXT, UNKNOWN = "<pad>", "</s>", "<unk>"  # T5's ids 0, 1 and 2
N_SENTINELS = 100  # T5's


@dataclass(frozen=True)
class Sizes:
    """The mini model and its pretraining; most of a params group `base`."""

    vocab_size: Annotated[int, Option(min=300, help="mini: tokens, 103 of them T5's own")]
    d_model: Annotated[int, Option(min=8)]
    num_layers: Annotated[int, Option(min=1, help="mini: of the encoder, and of the decoder")]
    num_heads: Annotated[int, Option(min=1)]
    epochs: Annotated[int, Option(min=1, max=10**4)]
    batch_size: Annotated[int, Option(min=1)]
    learning_rate: Annotated[float, Option(min=0.0, help="mini: Muon's, for the matrices")]
    embedding_learning_rate: Annotated[float, Option(min=0.0, help="mini: AdamW's")]
    seed: Annotated[int, Option(min=0)]


def train_tokenizer(texts: list[str], vocab_size: int) -> "PreTrainedTokenizerBase":
    """Return a BPE tokenizer of T5's kind: `▁` before words, </s> at the end, sentinels.

    Marks that end a sentence are tokens of their own, so that a word is one token wherever it
    stands, and what the input names can be copied; other marks stay with their words, like the
    angle brackets of a prompt.
    """
    from tokenizers import (
        Regex,
        Tokenizer,
        decoders,
        models,
        pre_tokenizers,
        processors,
        trainers,
    )
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE(unk_token=UNKNOWN))
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Split(Regex("[.,!?;]"), "isolated")]
    )
    bpe.decoder = decoders.Metaspace()
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocab_size - N_SENTINELS,
            min_frequency=2,
            special_tokens=[PAD, END_OF_TEXT, UNKNOWN],
            show_progress=False,
        ),
    )
    bpe.post_processor = processors.TemplateProcessing(
        single=f"$A {END_OF_TEXT}", special_tokens=[(END_OF_TEXT, bpe.token_to_id(END_OF_TEXT))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token=PAD,
        eos_token=END_OF_TEXT,
        unk_token=UNKNOWN,
        additional_special_tokens=[sentinel(i) for i in range(N_SENTINELS)],
    )


def sentinel(number: int) -> str:
    """Return the token that stands in a gap's place; the first gap's is number 0."""
    return f"<extra_id_{number}>"


def corrupt_spans(
    ids: list[int],
    sentinel_ids: list[int],
    end_id: int,
    rng: random.Random,
    noise_density: float = 0.15,
    mean_span: float = 3.0,
) -> tuple[list[int], list[int]]:
    """Return (input, target) ids of T5's objective for a text of at least two ids.

    Spans of `mean_span` ids on the average, `noise_density` of the text in all, never the first
    id: each is replaced by a sentinel in the input and follows that sentinel in the target, which
    one more sentinel closes. Both end in `end_id`. Raffel et al. 2020, section 3.1.4 and figure 2;
    lengths of spans and of what lies between are uniform random divisions, as in their code.
    """
    n = len(ids)
    n_noise = min(max(round(n * noise_density), 1), n - 1)
    n_spans = min(max(round(n_noise / mean_span), 1), n_noise, n - n_noise)
    inputs, targets, place = [], [], 0
    parts = zip(divide(n - n_noise, n_spans, rng), divide(n_noise, n_spans, rng), strict=True)
    for number, (n_kept, n_lost) in enumerate(parts):
        gap = place + n_kept
        inputs += [*ids[place:gap], sentinel_ids[number]]
        targets += [sentinel_ids[number], *ids[gap : gap + n_lost]]
        place = gap + n_lost
    return [*inputs, end_id], [*targets, sentinel_ids[n_spans], end_id]


def divide(total: int, n_parts: int, rng: random.Random) -> list[int]:
    """Return `n_parts` whole numbers of at least 1 with this sum, all divisions equally likely."""
    cuts = sorted(rng.sample(range(1, total), n_parts - 1))
    return [after - before for before, after in zip([0, *cuts], [*cuts, total], strict=True)]


def check_sizes(sizes: Sizes) -> None:
    """Raise InputError for sizes that make no model."""
    if sizes.d_model % sizes.num_heads:
        raise InputError(
            f"base.d_model={sizes.d_model} must be a multiple of base.num_heads={sizes.num_heads}"
        )


def new_model(tokenizer: "PreTrainedTokenizerBase", sizes: Sizes) -> "T5ForConditionalGeneration":
    """Return a T5 v1.1 with fresh weights of `sizes.seed`, `num_layers` on either side."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(sizes.seed)
    return T5ForConditionalGeneration(
        T5Config(
            vocab_size=len(tokenizer),
            d_model=sizes.d_model,
            d_kv=sizes.d_model // sizes.num_heads,
            d_ff=2 * sizes.d_model,
            num_layers=sizes.num_layers,
            num_decoder_layers=sizes.num_layers,
            num_heads=sizes.num_heads,
            feed_forward_proj="gated-gelu",
            dropout_rate=0.0,  # few passes over the text: nothing to regularise
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            decoder_start_token_id=tokenizer.pad_token_id,
        )
    )


def pretrain(
    texts: list[str],
    tokenizer: "PreTrainedTokenizerBase",
    sizes: Sizes,
) -> tuple["T5ForConditionalGeneration", float]:
    """Return a T5 trained to fill gaps, and the last 100 steps' mean loss (nats per target id).

    The encoder and the decoder have `num_layers` each; gaps are drawn anew in every epoch. Trained
    as `train_mini` does; with a rate of 0.02 for the matrices, as the mini GPT-2 has, the decoder
    hardly learns to look at the encoder (LOG.md).
    """
    from genlab.mini.training import batches_of_epochs, train_mini
    from genlab.models.batches import collate_pairs

    model = new_model(tokenizer, sizes)
    rng = random.Random(sizes.seed)
    rows = [ids[:-1] for ids in tokenizer(texts)["input_ids"]]  # without the end-of-text
    rows = [ids for ids in rows if len(ids) > 1]
    sentinel_ids = tokenizer.convert_tokens_to_ids([sentinel(i) for i in range(N_SENTINELS)])
    lengths = [len(ids) for ids in rows]
    batches = batches_of_epochs(lengths, sizes.batch_size, sizes.epochs, rng)

    def inputs_of(batch: list[int]) -> dict:
        gaps = [corrupt_spans(rows[i], sentinel_ids, tokenizer.eos_token_id, rng) for i in batch]
        pairs = [{"input_ids": inputs, "labels": targets} for inputs, targets in gaps]
        return collate_pairs(pairs, tokenizer.pad_token_id)

    loss = train_mini(
        model,
        map(inputs_of, batches),
        len(batches),
        sizes.learning_rate,
        sizes.embedding_learning_rate,
    )
    return model, loss
