"""Muon (Jordan 2024, kellerjordan.github.io/posts/muon), in single precision.

torch has it in bfloat16 alone. Where the processor's vectors do without bfloat16, the same products
take 28 to 67 times as long (LOG.md), and two processors with it round them differently.
"""

from collections.abc import Iterable
from math import sqrt
from typing import Any

import torch

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # Jordan 2024: the steepest slope at zero
N_STEPS = 5  # Jordan 2024
TINY = 1e-7  # of a gradient that is zero


class Muon(torch.optim.Optimizer):
    """Moves each matrix by its momentum, made orthogonal; Nesterov's, no weight decay.

    lr: 0.02 is Jordan's; a matrix higher than wide takes sqrt(height / width) of it.
    """

    def __init__(
        self, params: Iterable[torch.nn.Parameter], lr: float, momentum: float = 0.95
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """Move every matrix that has a gradient."""
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                if not state:
                    state["momentum"] = torch.zeros_like(matrix)
                mean = state["momentum"].lerp_(matrix.grad, 1 - group["momentum"])
                update = orthogonal(matrix.grad.lerp(mean, group["momentum"]))
                height, width = matrix.shape
                matrix.add_(update, alpha=-group["lr"] * sqrt(max(1.0, height / width)))


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """Return a matrix of the same singular vectors whose singular values are 0.7 to 1.2.

    By five Newton-Schulz steps of the fifth order (Jordan 2024), on the side that is shorter.
    """
    a, b, c = COEFFICIENTS
    is_high = matrix.shape[0] > matrix.shape[1]
    found = matrix.T if is_high else matrix
    found = found / found.norm().clamp(min=TINY)
    for _ in range(N_STEPS):
        gram = found @ found.T
        found = torch.addmm(found, torch.addmm(gram, gram, gram, beta=b, alpha=c), found, beta=a)
    return found.T if is_high else found
