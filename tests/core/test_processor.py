import json
import os
import subprocess
import sys

import pytest

from genlab.core import processor


def test_kernels_are_held_where_the_processor_has_them(monkeypatch):
    for name in processor.HELD:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(processor, "has_avx2", lambda: False)
    processor.hold_kernels()
    assert not processor.HELD.keys() & os.environ.keys()
    monkeypatch.setattr(processor, "has_avx2", lambda: True)
    processor.hold_kernels()
    assert processor.HELD.items() <= os.environ.items()


def test_avx2_is_a_flag_wherever_it_stands_in_the_line(tmp_path, monkeypatch):
    cpuinfo = tmp_path / "cpuinfo"
    monkeypatch.setattr(processor, "CPUINFO", str(cpuinfo))
    assert not processor.has_avx2()  # no such file
    for flags, is_there in (("fma avx2", True), ("avx2 fma", True), ("avx avx2x", False)):
        cpuinfo.write_text(f"model name\t: an avx2 one\nflags\t\t: {flags}\npower\t: none\n")
        assert processor.has_avx2() is is_there


@pytest.mark.skipif(not processor.has_avx2(), reason="a processor without AVX2 is not held")
def test_numpy_takes_no_wider_vectors_than_avx2s():
    words = (
        "import genlab, json\n"
        "from numpy.lib.introspect import opt_func_info\n"
        "told = opt_func_info(func_name='^(exp|log|log1p|power)$', signature='float64')\n"
        "print(json.dumps([each['current'] for of in told.values() for each in of.values()]))"
    )
    kept = {name: value for name, value in os.environ.items() if name not in processor.HELD}
    taken = json.loads(subprocess.check_output([sys.executable, "-c", words], env=kept))
    assert taken and not [each for each in taken if "V4" in each or "AVX512" in each]
