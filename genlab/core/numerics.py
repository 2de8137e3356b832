"""Make small models on a CPU compute the same sums on every x86 processor with AVX2.

Libraries use the widest vector instructions they find, and a sum in another order differs in its
last bit. From there a training comes to other weights, and a generation to other texts. Three
libraries matter:
torch's own kernels and NumPy with its OpenBLAS, told by environment variables before they are
imported, and MKL, which multiplies torch's matrices and is told by a call before its first product.
All are limited to AVX2, which laptops and servers both have. The few operations that MKL still
computes differently on another vendor's processor are replaced (genlab.core.portable). Then
weights, texts and scores are the same to the byte on Intel's and AMD's processors, with AVX-512 or
bfloat16 or without (LOG.md has the cost). A large model's products are left to the widest vectors:
in AVX2's they would take
1.35 to 1.55 times as long where there are wider ones.
"""

import os

from genlab.core.processor import PRODUCTS, SMALL_THREADS, has_avx2

SMALL = 5_000_000  # weights
AVX2_STRICT = 10 | 0x10000  # MKL_CBWR_AVX2 and MKL_CBWR_STRICT of mkl_types.h

# n: how many torch began with; needed: by a large model; held: products are a small model's
all_threads: dict[str, int] = {}


def hold_arithmetic(n_weights: int) -> None:
    """On a CPU, limit a small model to one thread and to AVX2's matrix products.

    At a million weights two threads on two cores are 1.4 times slower than one, as they wait for
    each other at every product (LOG.md). And one thread gives the same sums on any number of cores.
    A process that has also loaded a large model keeps all threads.
    """
    import torch

    from genlab.core.processes import best_device

    if best_device().type != "cpu":
        return
    all_threads.setdefault("n", torch.get_num_threads())
    if n_weights >= SMALL:
        all_threads["needed"] = 1
        torch.set_num_threads(all_threads["n"])
        if all_threads.pop("held", 0):
            from genlab.core.portable import put_back

            put_back()
    elif "needed" not in all_threads:
        torch.set_num_threads(SMALL_THREADS)
        all_threads["held"] = 1
        hold_products()


def hold_products() -> None:
    """Set MKL's reproducible AVX2 mode, if torch was built with MKL and it has not run yet."""
    import ctypes
    from pathlib import Path

    import torch

    library = Path(torch.__file__).with_name("lib") / "libtorch_cpu.so"
    if PRODUCTS in os.environ or not library.is_file():
        return
    # Where the call is missing, as where it comes too late, products are the processor's own.
    set_mode = getattr(ctypes.CDLL(str(library)), "mkl_serv_cbwr_set", None)
    if set_mode is not None:
        set_mode(AVX2_STRICT)
    if torch.backends.mkl.is_available() and has_avx2():
        from genlab.core.portable import replace_kernels

        replace_kernels()
