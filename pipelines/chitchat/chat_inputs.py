"""How turns become one row of token ids: segments, who speaks them, and what is learnt.

    <bos> <speaker1> turn <speaker2> turn <speaker1> input <speaker2> reply <eos>

Speakers are counted from the END: the reply is the second speaker's, the input the first's, and
those before it alternate backwards. TransferTransfo (Wolf et al. 2019) counts its speaker tokens
from the end and its token types from the start, so the two disagree for an even number of turns;
here both come from one place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from genlab.core.program import InputError
from genlab.models.batches import IGNORED

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

SPEAKERS = ("<speaker1>", "<speaker2>")  # who writes to the model, and the model


class Separator(StrEnum):
    """What stands between turns."""

    speaker = "speaker"  # before every turn the token of who speaks
    end = "end"  # after every turn the end-of-text token, as in DialoGPT


@dataclass(frozen=True)
class Layout:
    """What an arm's model sees of a dialogue; the fields are params of `arms`."""

    history_turns: Annotated[int, Option(min=0, help="turns before the input; 0: none")]
    separator: Annotated[Separator, Option(help="what stands between turns")]
    token_types: Annotated[bool, Option(help="tell by token types, too, who speaks")]
    attention_mask: Annotated[bool, Option(help="mask padding")]
    reply_loss_only: Annotated[bool, Option(help="learn the reply, not what is before it")]


@dataclass(frozen=True)
class Special:
    """The ids of a tokenizer's special tokens."""

    bos: int
    eos: int
    speakers: tuple[int, int]


def special_of(tokenizer: "PreTrainedTokenizerBase") -> Special:
    """Return the special ids; raise InputError if the tokenizer does not know the speakers."""
    known = tokenizer.get_vocab()
    if missing := [token for token in SPEAKERS if token not in known]:
        raise InputError(f"{tokenizer.name_or_path}: its tokenizer has no {missing[0]}; fetch it")
    bos = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    return Special(bos, tokenizer.eos_token_id, (known[SPEAKERS[0]], known[SPEAKERS[1]]))


def build_prompt(
    layout: Layout, special: Special, history: Sequence[Sequence[int]], said: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Return token ids and token types [t] of all that stands before a reply.

    history: the turns before `said`, the oldest first, of which the last `history_turns` are used.
    A type is the id of a speaker's token, because GPT-2 adds the embedding of that id. The last
    type is the reply's own, and its tokens continue it.
    """
    used = history[max(0, len(history) - layout.history_turns) :]
    turns = [*used, said]
    ids: list[int] = []
    types: list[int] = []
    for number, turn in enumerate([*turns, []]):
        is_reply = number == len(turns)
        speaker = special.speakers[(len(turns) - number + 1) % 2]  # from the end
        if layout.separator is Separator.speaker:
            segment = [speaker, *turn]
        else:
            segment = [] if is_reply else [*turn, special.eos]
        ids += segment
        types += [speaker] * len(segment)
    return [special.bos, *ids], [types[0], *types]


def build_row(
    layout: Layout,
    special: Special,
    history: Sequence[Sequence[int]],
    said: Sequence[int],
    reply: Sequence[int],
) -> dict[str, Any]:
    """Return input_ids and token_type_ids [t] of a dialogue up to its reply, and n_prompt.

    The first n_prompt tokens come before the reply's text; its speaker token is among them.
    """
    ids, types = build_prompt(layout, special, history, said)
    rest = [*reply, special.eos]
    return {
        "input_ids": ids + rest,
        "token_type_ids": types + [special.speakers[1]] * len(rest),
        "n_prompt": len(ids),
    }


def collate_rows(
    rows: list[dict], layout: Layout, special: Special, *, learn_all: bool = False
) -> dict[str, "torch.Tensor"]:
    """Pad rows to the longest, on the right: input_ids, labels, types and mask, each [b, t].

    Labels are ignored at padding, by position, and before the reply, unless `learn_all`. A causal
    model would compute the same without a mask, as it never attends to the right.
    """
    import torch

    longest = max(len(row["input_ids"]) for row in rows)
    ids = torch.full((len(rows), longest), special.eos)
    types = torch.full((len(rows), longest), special.speakers[1])
    labels = torch.full((len(rows), longest), IGNORED)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for i, row in enumerate(rows):
        n, start = len(row["input_ids"]), 0 if learn_all else row["n_prompt"]
        ids[i, :n] = torch.as_tensor(row["input_ids"])
        types[i, :n] = torch.as_tensor(row["token_type_ids"])
        labels[i, start:n] = ids[i, start:n]
        mask[i, :n] = 1
    batch = {"input_ids": ids, "labels": labels}
    if layout.token_types:
        batch["token_type_ids"] = types
    if layout.attention_mask:
        batch["attention_mask"] = mask
    return batch
