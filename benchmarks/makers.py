"""Compare products across processor vendors, natively and in emulated processors.

    python -m benchmarks.makers    # needs qemu-x86_64, of Debian's qemu-user

Matrix products, functions, a few steps of training a small GPT-2 and what scores are made of are
hashed in this processor and in emulated ones of Intel and AMD: once as torch, NumPy and SciPy would
compute, and once as they are held to (genlab.core.portable, genlab.core.processor). Printed is
how many of the hashes differ from this processor's. QEMU computes floats exactly, but square roots'
and reciprocals' approximations (rsqrtps), which makers compute each in their own way, as another
kind of processor would. Takes ten minutes of a core.
"""

import hashlib
import json
import os
import shutil
import site
import subprocess
import sys
from pathlib import Path

from benchmarks import show_help
from benchmarks.side_by_side import machine
from genlab.core.markdown import markdown_table
from genlab.core.processor import HELD, KERNELS
from genlab.core.program import InputError

EMULATOR = "qemu-x86_64"
PROCESSORS = {"emulated Intel": "Haswell", "emulated AMD": "EPYC-Rome"}
WAYS = ("libraries' own", "held")
ROOT = Path(__file__).resolve().parent.parent


def hash_all(way: str) -> dict[str, str]:
    """Return the hashes of what this processor computes, by what it is."""
    import torch

    from genlab.core import numerics, portable

    torch.set_num_threads(1)
    numerics.hold_products()
    if way == WAYS[0]:
        portable.put_back()
    torch.manual_seed(0)
    return hash_products() | hash_functions() | hash_training() | hash_scores()


def hash_of(*tensors: object) -> str:
    """Return the sha256 of tensors' bytes."""
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(tensor.detach().contiguous().numpy().tobytes())  # type: ignore[attr-defined]
    return found.hexdigest()


def hash_products() -> dict[str, str]:
    """Return hashes of products of few rows and columns, of many terms, and of batches."""
    import torch

    numbers = torch.randn(200_000)
    shapes = [(m, 64, n) for m in range(1, 10) for n in (1, 2, 3, 5, 8, 11, 12, 13, 30, 70)]
    shapes += [(13, k, 24) for k in (*range(1, 800, 3), *range(800, 4000, 100))]
    found = {}
    for m, k, n in shapes:
        a, b = numbers[: m * k].view(m, k), numbers[-k * n :].view(n, k)
        found[f"product {m} {k} {n}"] = hash_of(a @ b.T, a @ b.view(k, n))
        batch = a.expand(2, m, k).contiguous(), b.expand(2, n, k).contiguous().mT
        found[f"batch {m} {k} {n}"] = hash_of(torch.bmm(*batch))
    return found


def hash_functions() -> dict[str, str]:
    """Return hashes of functions of 100,000 numbers."""
    import torch
    from torch.nn.functional import gelu, layer_norm, log_softmax, softmax

    x = torch.randn(100_000).abs() + 0.01
    rows = x.view(1000, 100)
    names = ("exp", "log", "sqrt", "rsqrt", "tanh", "sigmoid", "log1p", "expm1", "sin", "cos")
    found = {name: hash_of(getattr(torch, name)(x)) for name in names}
    found |= {"gelu": hash_of(gelu(x)), "gelu, tanh": hash_of(gelu(x, approximate="tanh"))}
    found |= {"softmax": hash_of(softmax(rows, -1)), "log softmax": hash_of(log_softmax(rows, -1))}
    return found | {"layer norm": hash_of(layer_norm(rows, (100,))), "norm": hash_of(x.norm())}


def hash_training() -> dict[str, str]:
    """Return a hash of a small GPT-2's weights after three steps of AdamW and what it foresees."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config(vocab_size=300, n_layer=2, n_embd=96, n_head=4))
    optimizer = torch.optim.AdamW(model.parameters(), 0.002, fused=False)
    for _ in range(3):
        ids = torch.randint(0, 300, (5, 66))
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    with torch.inference_mode():
        first = model.eval()(ids[:1, :40], use_cache=True)
        then = model(ids[:1, 40:41], past_key_values=first.past_key_values)
    return {"weights": hash_of(*model.parameters()), "tokens": hash_of(first.logits, then.logits)}


def hash_scores() -> dict[str, str]:
    """Return hashes of float64 functions and products, Student's t, and a fitted classifier."""
    import numpy as np
    import torch
    from scipy.special import betaincinv, stdtrit
    from sklearn.linear_model import LogisticRegression

    from genlab.statistics.weighted_sums import exact_parts, weighted_sums

    rng = np.random.default_rng(0)
    x = rng.uniform(0.01, 30, 50_000)
    found = {f"float64 {name}": getattr(np, name)(x) for name in ("exp", "log", "log2", "log1p")}
    found |= {"float64 power": x**1.7, "t": stdtrit(4.0, x / 31), "beta": betaincinv(x, 3.0, 0.3)}
    for n, m in ((40, 3), (200, 30), (500, 1), (500, 8), (2000, 12)):
        counts = rng.multinomial(n, np.full(n, 1 / n), 300)
        values = rng.standard_normal((n, m))
        found[f"float64 product {n} {m}"] = counts.astype(np.float64) @ values
        found[f"weighted sums {n} {m}"] = weighted_sums(counts, exact_parts(values, n))
    features = rng.standard_normal((400, 50))
    found["classifier"] = LogisticRegression().fit(features, features[:, 0] > 0).coef_
    return {name: hash_of(torch.from_numpy(value)) for name, value in found.items()}


def ask(way: str, processor: str | None) -> dict[str, str]:
    """Return the hashes of this processor, or of an emulated one."""
    command = [os.path.realpath(sys.executable), "-m", "benchmarks.makers", way]
    if processor:
        command = [EMULATOR, "-cpu", processor, *command]
    # An emulated interpreter does not find the packages of a virtual environment.
    paths = os.pathsep.join([str(ROOT), *site.getsitepackages()])
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    if way == WAYS[0]:
        environment |= {name: "" for name in HELD if name != KERNELS}  # set, so they are left alone
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"{way}, {processor or 'natively'}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print how many hashes differ, by way and processor, and which."""
    if len(sys.argv) == 2 and sys.argv[1] in WAYS:
        print(json.dumps(hash_all(sys.argv[1])))
        return
    show_help(__doc__)
    if shutil.which(EMULATOR) is None:
        raise SystemExit(f"error: no {EMULATOR} here; Debian's package is called qemu-user")
    rows = [["hashes that differ from this processor's", *WAYS]]
    own = {way: ask(way, None) for way in WAYS}
    for name, processor in PROCESSORS.items():
        cells = []
        for way in WAYS:
            found = ask(way, processor)
            others = [what for what in found if found[what] != own[way][what]]
            cells.append(f"{len(others)} of {len(found)}")
            print(f"{name}, {way}: {', '.join(others)[:500]}", flush=True)
        rows.append([f"{name} ({processor})", *cells])
    print(machine("torch", "transformers", "numpy"))
    print(markdown_table(rows))


if __name__ == "__main__":
    main()
