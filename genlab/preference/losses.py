"""The losses of preference training, as pure functions of sequence log-probabilities.

Each takes float tensors [b] and returns the loss of every pair, float [b]; training minimises the
mean. A log-probability is the sum over a text's tokens of log p(token | before) under the policy
or, where the name says `reference`, under the model it started from. TRL has the first three, which
a test compares, and not `slic`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def log_ratio_margin(
    winner: "torch.Tensor",
    loser: "torch.Tensor",
    reference_winner: "torch.Tensor",
    reference_loser: "torch.Tensor",
) -> "torch.Tensor":
    """Return [b]: log of the ratio policy / reference of the winner, minus the loser's."""
    return (winner - reference_winner) - (loser - reference_loser)


def sigmoid_loss(margin: "torch.Tensor", beta: float) -> "torch.Tensor":
    """Return -log sigmoid(beta * margin): DPO, Rafailov et al. 2023, equation 7. ln 2 at margin 0.

    It never reaches zero: a pair that is well told apart still pulls a little.
    """
    from torch.nn.functional import logsigmoid

    return -logsigmoid(beta * margin)


def hinge_loss(margin: "torch.Tensor", beta: float) -> "torch.Tensor":
    """Return max(0, 1 - beta * margin): the hinge-norm loss of RSO, Liu et al. 2023. 1 at margin 0.

    A pair told apart by 1 / beta pulls no more. TRL and the source study call it hinge.
    """
    return (1 - beta * margin).relu()


def ipo_loss(
    winner_ratio: "torch.Tensor",
    loser_ratio: "torch.Tensor",
    winner_length: "torch.Tensor",
    loser_length: "torch.Tensor",
    beta: float,
) -> "torch.Tensor":
    """Return (margin - 1 / (2 beta))^2: IPO, Azar et al. 2023, equation 17, with tau = beta.

    The ratios are log(policy / reference) of a whole text, the lengths its tokens: the margin is
    of means per token, or the same beta would mean something else for longer texts (as in TRL,
    whose authors asked IPO's).
    """
    return (winner_ratio / winner_length - loser_ratio / loser_length - 1 / (2 * beta)) ** 2


def slic_loss(
    winner: "torch.Tensor",
    loser: "torch.Tensor",
    target: "torch.Tensor",
    delta: float,
    weight: float,
) -> "torch.Tensor":
    """Return max(0, delta - winner + loser) - weight * target: SLiC-HF, Zhao et al. 2023.

    log p of the policy alone, no ratio to a reference model: what holds the policy back is `target`
    [b], log p of a text to be written (y_ref, of the supervised data), times lambda = `weight`.
    """
    return (delta - winner + loser).relu() - weight * target
