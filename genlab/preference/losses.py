"""The loss of preference training that TRL lacks, as a pure function of log-probabilities.

A log-probability is the sum over a text's tokens of log p(token | before) under the policy; tensors
are float [b], a pair each. Training minimises the mean.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def slic_loss(
    winner: "torch.Tensor",
    loser: "torch.Tensor",
    target: "torch.Tensor",
    delta: float,
    weight: float,
) -> "torch.Tensor":
    """Return [b], max(0, delta - winner + loser) - weight * target: SLiC-HF, Zhao et al. 2023.

    log p of the policy alone, no ratio to a reference model: what holds the policy back is `target`
    [b], log p of a text to be written (y_ref, of the supervised data), times lambda = `weight`.
    """
    return (delta - winner + loser).relu() - weight * target
