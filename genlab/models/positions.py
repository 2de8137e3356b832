"""How many tokens a model can read at once: what its config says, or its table of positions.

The two differ. RoBERTa's positions begin after the id of its padding token, so a table of 514 rows
reads 512 tokens. Other configs do not name a number, and some models, such as T5, have no table and
no limit.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from genlab.core.program import InputError
from genlab.core.shapes import parse_json

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TABLES = {"position_embeddings", "embed_positions", "positions_embed", "wpe"}


def usable_positions(model: "PreTrainedModel") -> int | None:
    """Return the most tokens that the model can read in a row, None if there is no limit."""
    import torch

    limits = [getattr(model.config, "max_position_embeddings", None)]
    for name, module in model.named_modules():
        if name.rpartition(".")[2] in TABLES and isinstance(module, torch.nn.Embedding):
            # Rows that stand for no token: RoBERTa's up to padding, BART's and OPT's offset.
            padding = module.padding_idx
            unused = getattr(module, "offset", 0) if padding is None else padding + 1
            limits.append(module.num_embeddings - unused)
    # Falsy, and -1 in some configs: said to be unlimited.
    return min((limit for limit in limits if limit and limit > 0), default=None)


def check_sides(model: "PreTrainedModel", n_read: int, n_written: int) -> None:
    """Raise InputError if an encoder-decoder has too few positions for what it reads or writes.

    n_read, n_written: tokens of the longest input and of the longest output.
    """
    for n_tokens, side, remedy in (
        (n_read, model.get_encoder(), "an input has {}; cut inputs shorter"),
        (n_written, model.get_decoder(), "an output may have {}; lower the cap of new tokens"),
    ):
        n_positions = usable_positions(side)
        if n_positions and n_tokens > n_positions:
            raise InputError(
                f"a {type(side).__name__} reads {n_positions} tokens at most, and "
                f"{remedy.format(n_tokens)}, or take another base"
            )


def describe_positions(model: "PreTrainedModel") -> str:
    """Return for a reader how many tokens the model can read at once."""
    positions = usable_positions(model)
    return "no limit on positions" if positions is None else f"{positions:,} positions"


def check_cap(key: str, cap: int, base: Path, made_by: dict[str, dict]) -> None:
    """Raise InputError if a mini base, or one in a folder, is too short for `cap` new tokens.

    made_by: {output: options} of all stages. The positions of a model on a hub are known only after
    fetch, so `generate` checks them.
    """
    options = made_by.get(str(base), {})
    if options.get("source") == "file":
        n_positions = said_positions(options["path"])
        if n_positions is not None and cap >= n_positions:
            raise InputError(
                f"{key}={cap} new tokens and a prompt exceed the {n_positions} positions that "
                f"{options['path'] / 'config.json'} gives; lower {key}, or take another base"
            )
    if options.get("source") in ("bundled", "mini") and cap >= options["n_positions"]:
        raise InputError(
            f"{key}={cap} new tokens and a prompt exceed base.n_positions="
            f"{options['n_positions']}; lower the one or raise the other"
        )


def said_positions(folder: Path) -> int | None:
    """Return the number of positions in a model folder's config.json; None if it has none."""
    try:
        config = parse_json((folder / "config.json").read_text(encoding="utf-8"))
        said = [config.get(name) for name in ("max_position_embeddings", "n_positions")]
    except (OSError, ValueError, AttributeError):  # what is wrong with it, fetch says
        return None
    return min((n for n in said if isinstance(n, int) and n > 0), default=None)
