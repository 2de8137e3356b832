import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from genlab.core import portable
from tests.project_copy import ROOT

SHAPES = [(1, 5, 3), (1, 192, 40), (3, 64, 12), (4, 192, 12), (7, 193, 11), (9, 256, 20)]
SHAPES += [(2, 383, 30), (5, 384, 13), (1, 300, 1), (6, 1000, 2)]


@pytest.fixture(autouse=True)
def replaced():
    portable.replace_kernels()
    yield
    portable.put_back()


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(hash(shape) % 1000))


def near(found: torch.Tensor, expected: torch.Tensor) -> bool:
    """Say whether a product in float32 is as near to one in float64 as its terms allow."""
    return bool(((found.double() - expected).abs() < 1e-4 + 1e-6 * expected.abs()).all())


@pytest.mark.parametrize("shape", SHAPES)
def test_products_of_every_shape_are_right_with_their_gradients(shape):
    m, k, n = shape
    for batch in ((), (3,)):
        a, b = (draw(*batch, *size).requires_grad_() for size in ((m, k), (k, n)))
        exact = [each.detach().double().requires_grad_() for each in (a, b)]
        multiply = torch.bmm if batch else torch.mm
        found, expected = multiply(a, b), exact[0] @ exact[1]
        assert found.shape == expected.shape and near(found.detach(), expected.detach())
        gradients = torch.autograd.grad(found.square().sum(), (a, b))
        for one, other in zip(
            gradients, torch.autograd.grad(expected.square().sum(), exact), strict=True
        ):
            assert ((one.double() - other).abs() < 1e-3 * (1 + other.abs())).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_added_is_weighed_and_left_out_where_its_weight_is_none(shape):
    m, k, n = shape
    for batch, multiply in (((), torch.addmm), ((2,), torch.baddbmm)):
        a, b, c = draw(*batch, m, k), draw(*batch, k, n), draw(n)
        found = multiply(c.expand(*batch, m, n), a, b, beta=0.5, alpha=2)
        assert near(found, 0.5 * c.double() + 2 * (a.double() @ b.double()))
        unknown = torch.full((*batch, m, n), torch.nan)
        assert near(multiply(unknown, a, b, beta=0), a.double() @ b.double())


FEW_ROWS = """\
import torch
from genlab.core import portable

portable.replace_kernels()
a, b = torch.randn(8, 120), torch.randn(120, 30)
whole = a @ b
assert all(torch.equal(a[i : i + 1] @ b, whole[i : i + 1]) for i in range(8))
assert torch.equal(a @ b[:, :1], (a @ b[:, :12])[:, :1])
"""


@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="a torch without MKL")
def test_few_rows_are_multiplied_as_they_are_among_many():
    """Unpadded, one row takes another way than two, and two another than four."""
    held = {"MKL_CBWR": "AVX2,STRICT", "OMP_NUM_THREADS": "1"}  # before a process's first product
    words = [sys.executable, "-c", FEW_ROWS]
    done = subprocess.run(words, cwd=ROOT, env=os.environ | held, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_terms_between_one_block_and_two_are_added_up_block_by_block():
    a, b = draw(6, 300), draw(300, 20)
    assert torch.equal(a @ b, a[:, :192] @ b[:192] + a[:, 192:] @ b[192:])


def test_empty_products_and_other_types_are_torchs_own():
    assert torch.mm(draw(0, 3), draw(3, 4)).shape == (0, 4)
    assert torch.mm(draw(2, 0), draw(0, 4)).equal(torch.zeros(2, 4))
    assert torch.bmm(draw(0, 2, 3), draw(0, 3, 1)).shape == (0, 2, 1)
    whole = torch.arange(6).reshape(2, 3)
    assert (whole @ whole.T).equal(torch.tensor([[5, 14], [14, 50]]))
    assert (draw(2, 3).bfloat16() @ draw(3, 2).bfloat16()).dtype is torch.bfloat16


@pytest.mark.parametrize("name", ["exp", "log", "sqrt"])
def test_functions_are_numpys_at_every_shape_and_in_place(name):
    x = draw(3, 5, 7)[:, 1:, ::2].abs() + 0.1  # with gaps in memory
    function = getattr(torch, name)
    assert function(x).numpy().tobytes() == np.asarray(getattr(np, name)(x.numpy())).tobytes()
    assert getattr(x.clone(), f"{name}_")().equal(function(x))
    assert function(torch.tensor(2.0)).shape == ()
    assert function(torch.tensor([1, 4])).dtype is torch.float32
    assert function(torch.tensor([2.0], dtype=torch.float64)).dtype is torch.float64
    assert torch.autograd.gradcheck(function, draw(4).double().abs().add(1).requires_grad_())
    with_gradient = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(function(with_gradient).sum(), with_gradient)
    assert gradient.shape == x.shape


def test_what_has_no_value_is_nan_or_infinite_without_a_word(recwarn):
    assert torch.log(torch.tensor([0.0])).item() == -torch.inf
    assert torch.sqrt(torch.tensor([-1.0])).isnan().all()
    assert torch.exp(torch.tensor([1000.0])).item() == torch.inf
    assert not recwarn.list


def test_torchs_own_kernels_can_be_put_back():
    assert not torch.backends.mkldnn.enabled and not torch.backends.cuda.flash_sdp_enabled()
    portable.put_back()
    assert torch.backends.mkldnn.enabled and torch.backends.cuda.flash_sdp_enabled()
    terms = draw(6, 300), draw(300, 20)
    whole = torch.mm(*terms)
    portable.replace_kernels()
    portable.replace_kernels()
    assert near(whole, torch.mm(*terms).double())
