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


def test_avx2_is_a_flag_wherever_it_stands_in_the_line(tmp_path, monkeypatch):
    cpuinfo = tmp_path / "cpuinfo"
    monkeypatch.setattr(instructions, "CPUINFO", str(cpuinfo))
    assert not instructions.has_avx2()  # no such file
    for flags, is_there in (("fma avx2", True), ("avx2 fma", True), ("avx avx2x", False)):
        cpuinfo.write_text(f"model name\t: an avx2 one\nflags\t\t: {flags}\npower\t: none\n")
        assert instructions.has_avx2() is is_there
