"""Muon is torch's own, but for the precision of its products."""

import pytest
import torch

from genlab.mini.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(24, 8), (8, 24), (16, 16)])
def test_it_moves_a_matrix_as_torchs_own_does(shape):
    """To bfloat16's precision, two digits of an update's largest value; twice, with momentum."""
    torch.manual_seed(0)
    start = torch.randn(shape)
    gradients = [torch.randn(shape), torch.randn(shape)]
    moved = []
    for kind in (Muon, torch.optim.Muon):
        matrix = torch.nn.Parameter(start.clone())
        options = {} if kind is Muon else {"weight_decay": 0.0}
        optimizer = kind([matrix], lr=0.02, **options)
        for gradient in gradients:
            matrix.grad = gradient.clone()
            optimizer.step()
        moved.append(matrix.detach() - start)
    assert torch.allclose(*moved, atol=0.03 * float(moved[1].abs().max()))


def test_a_matrix_becomes_nearly_orthogonal_and_keeps_its_singular_vectors():
    torch.manual_seed(0)
    left, _ = torch.linalg.qr(torch.randn(12, 6))
    right, _ = torch.linalg.qr(torch.randn(6, 6))
    found = orthogonal(left @ torch.diag(torch.tensor([5.0, 3.0, 2.0, 1.0, 0.7, 0.5])) @ right.T)
    within = left.T @ found @ right
    assert torch.allclose(within, torch.diag(within.diagonal()), atol=1e-4)
    assert (within.diagonal() > 0.6).all() and (within.diagonal() < 1.3).all()


def test_a_weight_without_a_gradient_stays_and_a_zero_one_is_no_error():
    still, zero = (torch.nn.Parameter(torch.ones(2, 2)) for _ in range(2))
    zero.grad = torch.zeros(2, 2)
    Muon([still, zero], lr=1.0).step()
    assert torch.equal(still, torch.ones(2, 2)) and torch.equal(zero, torch.ones(2, 2))
