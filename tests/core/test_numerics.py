"""A small model is trained, and writes, to the same bytes whatever vectors the processor has.

What the libraries find here is limited as on lesser processors; what a processor of another maker
would do is asked of an emulated one (benchmarks/makers.py).
"""

import os
import subprocess
import sys

import pytest

from genlab.core import numerics, processor
from tests.project_copy import ROOT

# Trains as the mini models are, and draws tokens; prints a hash of both.
MAKE = """\
import hashlib
import genlab
import torch
from transformers import GPT2Config, GPT2LMHeadModel
from genlab.mini.training import train_mini

torch.manual_seed(0)
model = GPT2LMHeadModel(GPT2Config(vocab_size=300, n_layer=2, n_embd=96, n_head=4, n_positions=64))
draw = torch.Generator().manual_seed(1)
batches = [torch.randint(0, 300, (8, 48), generator=draw) for _ in range(6)]
train_mini(model, ({"input_ids": ids, "labels": ids} for ids in batches), 6, 0.02, 0.004)
found = hashlib.sha256()
for weight in model.parameters():
    found.update(weight.detach().numpy().tobytes())
with torch.no_grad():
    logits = model(batches[0]).logits
found.update(torch.multinomial(logits[0].softmax(-1), 5, generator=draw).numpy().tobytes())
print(found.hexdigest())
"""
LEVELS = {
    "as it is": {},
    "without bfloat16": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE", "OMP_NUM_THREADS": "1"},
    "AVX2": {"MKL_ENABLE_INSTRUCTIONS": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "AVX2, two threads": {"MKL_ENABLE_INSTRUCTIONS": "AVX2", "OMP_NUM_THREADS": "2"},
}


@pytest.mark.skipif(not processor.has_avx2(), reason="a processor without AVX2 has other sums")
def test_weights_and_tokens_are_the_same_bytes_at_every_level_of_instructions():
    kept = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    processes = {
        name: subprocess.Popen(
            [sys.executable, "-c", MAKE],
            cwd=ROOT,
            env=kept | level,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, level in LEVELS.items()
    }
    said = {name: process.communicate() for name, process in processes.items()}
    assert all(len(out.strip()) == 64 for out, _ in said.values()), said
    assert len({out for out, _ in said.values()}) == 1, said


SETTINGS = {*processor.SETTINGS, "OMP_NUM_THREADS", "MKL_NUM_THREADS"}


def test_a_users_own_settings_stand(monkeypatch):
    import torch  # its import loads libraries

    assert torch.backends.mkl.is_available() or not processor.has_avx2()
    monkeypatch.setenv(processor.KERNELS, "default")
    processor.hold_kernels()
    assert os.environ[processor.KERNELS] == "default"
    monkeypatch.setenv(processor.PRODUCTS, "COMPATIBLE")
    monkeypatch.setattr("ctypes.CDLL", lambda path: pytest.fail("asked MKL for another mode"))
    numerics.hold_products()


def test_a_large_model_keeps_the_widest_vectors_and_all_threads(monkeypatch):
    import torch

    set_to = []
    monkeypatch.setattr(numerics, "all_threads", {})
    monkeypatch.setattr(numerics, "hold_products", lambda: set_to.append("products"))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    monkeypatch.setattr(torch, "set_num_threads", set_to.append)
    for n_weights in (numerics.SMALL - 1, numerics.SMALL, numerics.SMALL - 1):
        numerics.hold_arithmetic(n_weights)
    assert set_to == [1, "products", 4]
