"""How many tokens a model can read at once: what its config says, or its table of positions.

The two differ. RoBERTa's table begins after the number of its padding token, so a model of 514 rows
reads 512 tokens; others say nothing in their config, and some, as T5, have no table and no limit.
"""

from typing import TYPE_CHECKING

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


def describe_positions(model: "PreTrainedModel") -> str:
    """Return for a reader how many tokens the model can read at once."""
    positions = usable_positions(model)
    return "no limit on positions" if positions is None else f"{positions:,} positions"
