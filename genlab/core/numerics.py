"""The same sums on every processor of a kind, where that is cheap: small models on a CPU.

Libraries take the widest vectors that they find, and a sum in another order ends in another last
bit; a training makes other weights of it, and a generation other texts. Two libraries matter:
torch's own kernels, told by an environment variable before the first of them runs, and MKL, which
multiplies matrices in single precision and is told by a call before its first product. Both are
held to AVX2, which laptops have as servers do, and what MKL still computes in another way on
another maker's processor is computed otherwise (genlab.core.portable): then weights and texts are
the same to the byte on Intel's and AMD's, with AVX-512, with bfloat16 or without (LOG.md has the
cost). A large model's products are left to the widest vectors: in AVX2's they would take 1.35 to
1.55 times as long where there are wider ones.
"""

import os

SMALL = 5_000_000  # weights
SMALL_THREADS = 1  # that a small model takes, on any number of cores

KERNELS = "ATEN_CPU_CAPABILITY"  # torch's: default | avx2 | avx512
PRODUCTS = "MKL_CBWR"  # MKL's conditional numerical reproducibility
AVX2_STRICT = 10 | 0x10000  # MKL_CBWR_AVX2 and MKL_CBWR_STRICT of mkl_types.h
SETTINGS = (KERNELS, PRODUCTS, "ONEDNN_MAX_CPU_ISA")  # of the environment; the last is oneDNN's

# n: how many torch began with; needed: by a large model; held: products are a small model's
all_threads: dict[str, int] = {}


def hold_kernels() -> None:
    """Have torch, which is not imported yet, use AVX2's kernels, unless the user has said which."""
    if has_avx2():
        os.environ.setdefault(KERNELS, "avx2")


def has_avx2() -> bool:
    """Say whether this is a processor with AVX2; False where the system does not say so."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return " avx2 " in file.read()
    except OSError:
        return False


def hold_arithmetic(n_weights: int) -> None:
    """Have a small model compute on one thread and in AVX2's products, if it computes on a CPU.

    Two threads of two cores are 1.4 times slower at a million weights, waiting for each other at
    every product (LOG.md); and one gives the same sums on machines with any number of cores. Where
    a large model is in the process, too, it keeps all threads.
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
    """Have MKL multiply as Intel's would with AVX2, if this torch has it and it has not begun."""
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
