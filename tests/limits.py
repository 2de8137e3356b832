"""The tests under three limits of vector instructions, each with one thread and with two.

    make test-limits                                  # all tests, six times: most of an hour
    make test-limits TESTS='tests/statistics -x'      # these
    python -m tests.limits --only 'AVX2, 2 threads' tests/models

A sum in another order ends in another last bit, and no test may rest on one. The limits hold for
processors of x86-64: each library that picks its instructions when it runs is told its most. A
wider limit than the processor's is that of the processor. Polars and Arrow are not limited, nor is
TensorFlow; MKL keeps to AVX2 on Intel's processors alone.
"""

import argparse
import os
import subprocess
import sys

from genlab.core.processor import KERNELS, PRODUCTS

NUMPY, C_LIBRARY = "NPY_DISABLE_CPU_FEATURES", "GLIBC_TUNABLES"
NO_AVX512 = "-AVX512F,-AVX512VL,-AVX512BW"
LIMITS = {
    "SSE4.2": {
        KERNELS: "default",
        PRODUCTS: "COMPATIBLE",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "OPENBLAS_CORETYPE": "Nehalem",  # NumPy's and SciPy's products
        NUMPY: "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
        C_LIBRARY: f"glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,{NO_AVX512}",
    },
    "AVX2": {
        KERNELS: "avx2",
        PRODUCTS: "AVX2,STRICT",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
        NUMPY: "X86_V4 AVX512_ICL AVX512_SPR",
        C_LIBRARY: f"glibc.cpu.hwcaps={NO_AVX512}",
    },
    "AVX-512": {KERNELS: "avx512", PRODUCTS: "AUTO", NUMPY: "", "OPENBLAS_CORETYPE": ""},
}
THREADS = (1, 2)


def settings() -> dict[str, dict[str, str]]:
    """Return the name of each run -> the environment variables that it adds."""
    return {
        f"{limit}, {n} thread{'s' * (n > 1)}": told
        | {"OMP_NUM_THREADS": str(n), "OPENBLAS_NUM_THREADS": str(n)}
        for limit, told in LIMITS.items()
        for n in THREADS
    }


def main() -> int:
    """Run pytest under every setting; return 1 if a test failed under one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--only", choices=settings(), action="append", help="these runs alone")
    known, words = parser.parse_known_args()
    names = known.only or list(settings())
    failed = []
    for name in names:
        print(f"==== {name}", flush=True)
        call = [sys.executable, "-m", "pytest", *words]
        if subprocess.run(call, env=os.environ | settings()[name]).returncode:
            failed.append(name)
    print(f"failed: {'; '.join(failed)}" if failed else f"passed: {'; '.join(names)}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
