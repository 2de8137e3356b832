import os

from genlab.core import instructions


def test_kernels_are_held_where_the_processor_has_them(monkeypatch):
    monkeypatch.delenv(instructions.KERNELS, raising=False)
    monkeypatch.setattr(instructions, "has_avx2", lambda: False)
    instructions.hold_kernels()
    assert instructions.KERNELS not in os.environ
    monkeypatch.setattr(instructions, "has_avx2", lambda: True)
    instructions.hold_kernels()
    assert os.environ[instructions.KERNELS] == "avx2"
