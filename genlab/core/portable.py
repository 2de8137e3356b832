"""Replacements for torch's CPU kernels that give the same bits on every vendor's AVX2 processors.

MKL, which torch calls on a CPU, has kernels of its own for Intel's processors and others for all
others. Held to AVX2 (genlab.core.numerics), most of its matrix products come out the same; what
does not, and what is done about it here, was found by running the same products natively on an AMD
processor and in an emulated Intel one (LOG.md):

- Products of fewer than 4 rows or 12 columns: they are padded with zeros, and cut again.
- Products that add up 193 to 383 terms: they are two products and a sum.
- exp, log and sqrt, which MKL computes for torch: numpy does it.
- Attention in one kernel (flash), which multiplies blocks with few rows: it is switched off, and
  attention is made of products and a softmax.
- GELU by the error function, for which oneDNN takes the widest vectors: torch's own kernel does it.

Most products are large enough to be torch's own; LOG.md has what the rest costs.
"""

import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

ROWS, COLUMNS = 4, 12  # from these on, MKL multiplies alike
BLOCK = 192  # terms that it adds up alike; from twice as many on it does so, too

kept: list[torch.library.Library] = []  # a library that is let go takes its kernels along


def replace_kernels() -> None:
    """Have torch use the kernels of this module on a CPU, in this process, until put_back()."""
    if kept:
        return
    library = torch.library.Library("aten", "IMPL")
    with warnings.catch_warnings():  # that a kernel is replaced, which is what is wanted
        warnings.simplefilter("ignore")
        for name, kernel in KERNELS.items():
            library.impl(name, kernel, "CPU")
    kept.append(library)
    switch_others(on=False)


def put_back() -> None:
    """Have torch use its own kernels again."""
    if kept:
        kept.clear()
        switch_others(on=True)


def switch_others(on: bool) -> None:
    """Switch flash attention and oneDNN on or off."""
    torch.backends.cuda.enable_flash_sdp(on)  # the CPU's, too
    torch.backends.mkldnn.enabled = on


def mm(a: Tensor, b: Tensor) -> Tensor:
    """Return the product of [m, k] and [k, n]."""
    return multiplied(torch.mm, a, b)


def bmm(a: Tensor, b: Tensor) -> Tensor:
    """Return the products of [batch, m, k] and [batch, k, n]."""
    return multiplied(torch.bmm, a, b)


def addmm(c: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """Return beta * c + alpha * a @ b."""
    if is_alike(a, b):
        return torch.addmm(c, a, b, beta=beta, alpha=alpha, out=empty_product(a, b))
    return weighted_sum(c, multiplied(torch.mm, a, b), beta, alpha)


def baddbmm(c: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """Return beta * c + alpha * a @ b, for batches of matrices."""
    if is_alike(a, b):
        return torch.baddbmm(c, a, b, beta=beta, alpha=alpha, out=empty_product(a, b))
    return weighted_sum(c, multiplied(torch.bmm, a, b), beta, alpha)


def multiplied(multiply: Callable[..., Tensor], a: Tensor, b: Tensor) -> Tensor:
    """Return multiply(a, b), padded or split into products that are the same on all processors."""
    if is_alike(a, b):
        return multiply(a, b, out=empty_product(a, b))
    if BLOCK < a.shape[-1] < 2 * BLOCK:
        first = multiplied(multiply, a[..., :BLOCK], b[..., :BLOCK, :])
        return first.add_(multiplied(multiply, a[..., BLOCK:], b[..., BLOCK:, :]))
    n_rows, n_columns = a.shape[-2], b.shape[-1]
    if n_rows < ROWS:
        a = pad(a, (0, 0, 0, ROWS - n_rows))
    if n_columns < COLUMNS:
        b = pad(b, (0, COLUMNS - n_columns))
    whole = multiply(a, b, out=empty_product(a, b))
    return whole[..., :n_rows, :n_columns].contiguous()


def is_alike(a: Tensor, b: Tensor) -> bool:
    """Return whether the product of the two is the same on all processors as it is."""
    if a.dtype is not torch.float32 or a.shape[-2] == 0 or b.shape[-1] == 0:
        return True
    enough = a.shape[-2] >= ROWS and b.shape[-1] >= COLUMNS
    return enough and not BLOCK < a.shape[-1] < 2 * BLOCK


def empty_product(a: Tensor, b: Tensor) -> Tensor:
    """Return an empty tensor for a @ b: torch's own kernels write into a tensor they are given."""
    return a.new_empty((*a.shape[:-1], b.shape[-1]))


def weighted_sum(c: Tensor, product: Tensor, beta: float, alpha: float) -> Tensor:
    """Return beta * c + alpha * product; beta = 0 leaves c out, even where it is infinite."""
    product = product if alpha == 1 else alpha * product
    if beta == 0:
        return product
    return (c if beta == 1 else beta * c) + product


def by_numpy(name: str) -> Callable[[Tensor], Tensor]:
    """Return numpy's function as a kernel."""
    of_arrays, of_tensors = getattr(np, name), getattr(torch, name)

    def kernel(x: Tensor) -> Tensor:
        if x.dtype is not torch.float32:
            kind = of_tensors(x.new_empty(0, device="meta")).dtype  # of whole numbers: float32
            return of_tensors(x, out=torch.empty_like(x, dtype=kind))
        with np.errstate(all="ignore"):  # torch gives nan and infinity without a word
            return torch.from_numpy(np.asarray(of_arrays(x.detach().numpy())))

    return kernel


def in_place(kernel: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Return a kernel that writes its result into its argument (torch's NAME_ functions)."""
    return lambda x: x.copy_(kernel(x))


FUNCTIONS = {name: by_numpy(name) for name in ("exp", "log", "sqrt")}
KERNELS: dict[str, Callable[..., Tensor]] = {
    "mm": mm,
    "bmm": bmm,
    "addmm": addmm,
    "baddbmm": baddbmm,
    **FUNCTIONS,
    **{f"{name}_": in_place(kernel) for name, kernel in FUNCTIONS.items()},
}
