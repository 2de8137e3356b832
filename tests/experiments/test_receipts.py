import hashlib
import json
import os
import re
import subprocess
import sys

import pytest

from genlab.core import processor
from genlab.core.program import InputError
from genlab.experiments import receipts
from genlab.experiments.receipts import (
    accelerators,
    describe_hardware,
    hash_of,
    make_receipt,
    processor_maker,
    required_packages,
    threads_of_torch,
    vector_instructions,
    versions_of,
)

AVX2 = "avx avx2 fma"
AVX512 = f"{AVX2} avx512f avx512dq avx512bw avx512vl"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def run(tmp_path):
    """Return a folder with params.yaml, a file and a folder of data."""
    (tmp_path / "params.yaml").write_text("gen:\n  seed: 1 # any\ntrain: {lora: {r: 4, seed: 2}}\n")
    (tmp_path / "data/model/sub").mkdir(parents=True)
    (tmp_path / "data/rows.parquet").write_bytes(b"rows")
    (tmp_path / "data/model/weights").write_bytes(b"w")
    (tmp_path / "data/model/sub/vocab").write_bytes(b"v")
    return tmp_path


def receipt_of(folder):
    return make_receipt(
        folder / "params.yaml", [folder / "data/rows.parquet", folder / "data/model"]
    )


def test_a_receipt_has_params_data_versions_and_hardware_and_is_json(run):
    receipt = receipt_of(run)
    assert json.loads(json.dumps(receipt)) == receipt
    assert list(receipt) == ["params", "data", "python", "packages", "hardware"]
    assert receipt["params"]["seeds"] == {"gen.seed": 1, "train.lora.seed": 2}
    assert receipt["python"] == sys.version.split()[0]
    packages = {"torch", "transformers", "tensorflow", "tokenizers", "polars"}
    assert packages <= set(receipt["packages"])


def test_data_are_hashed_by_their_bytes_and_a_folder_by_names_and_hashes(run):
    folder = sha256(f"{sha256(b'v')}  sub/vocab\n{sha256(b'w')}  weights\n".encode())
    assert receipt_of(run)["data"] == {"data/model": folder, "data/rows.parquet": sha256(b"rows")}


def test_what_is_left_of_another_run_does_not_count(run):
    before = receipt_of(run)["data"]
    (run / "data/model/old").mkdir()
    (run / "data/model/old/weights").touch()
    (run / "data/old.parquet").touch()
    old = [run / "data/model/old", run / "data/old.parquet"]
    data = [run / "data/rows.parquet", run / "data/model", run / "data/old.parquet"]
    assert make_receipt(run / "params.yaml", data, old)["data"] == before
    assert make_receipt(run / "params.yaml", data)["data"].keys() > before.keys()
    assert receipt_of(run)["data"] != before


def test_a_folder_is_hashed_as_sha256sum_would(run):
    command = "find * -type f | LC_ALL=C sort | xargs sha256sum | sha256sum"
    printed = subprocess.check_output(command, shell=True, cwd=run / "data/model", text=True)
    assert hash_of(run / "data/model") == printed.split()[0]


def test_a_renamed_file_changes_the_folders_hash(run):
    before = hash_of(run / "data/model")
    (run / "data/model/weights").rename(run / "data/model/weights2")
    assert hash_of(run / "data/model") != before


def test_a_comment_or_another_order_in_params_changes_nothing_a_value_does(run):
    before = receipt_of(run)["params"]
    (run / "params.yaml").write_text("train:\n  lora:\n    seed: 2\n    r: 4\ngen: {seed: 1}\n")
    assert receipt_of(run)["params"] == before
    (run / "params.yaml").write_text("train:\n  lora:\n    seed: 2\n    r: 8\ngen: {seed: 1}\n")
    assert receipt_of(run)["params"]["sha256"] != before["sha256"]


def test_the_same_run_in_another_folder_gives_the_same_bytes(run, tmp_path_factory, monkeypatch):
    other = tmp_path_factory.mktemp("other") / "run"
    run.rename(other)
    receipt = receipt_of(other)
    other.rename(run)
    monkeypatch.chdir(run)
    assert json.dumps(receipt_of(run.relative_to(run))) == json.dumps(receipt)


def test_a_receipt_names_no_path_of_this_machine_no_host_no_user_and_no_time(run):
    receipt = json.dumps(receipt_of(run))
    assert str(run) not in receipt
    for unwanted in ("/home", "/root", "/work", "/tmp"):
        assert unwanted not in receipt
    assert not re.search(r"\d{4}-\d\d-\d\d|\d\d:\d\d", receipt)
    assert set(receipt_of(run)["hardware"]) == {
        "system",
        "machine",
        "maker",
        "vector_instructions",
        "flags",
        "settings",
        "threads",
        "threads_of_small_models",
        "accelerator",
    }


def test_a_receipt_names_the_flags_and_settings_that_change_products(tmp_path, monkeypatch):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("vendor_id\t: GenuineIntel\nflags\t\t: fpu amx_bf16 avx2 sse fma avx512f\n")
    monkeypatch.setattr(processor, "CPUINFO", str(cpuinfo))
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    monkeypatch.setenv("MKL_CBWR", "AVX2,STRICT")
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    found = describe_hardware()
    assert found["flags"] == ["fma", "avx2", "avx512f", "amx_bf16"]
    assert found["settings"].keys() == set(processor.SETTINGS)
    assert found["settings"]["ATEN_CPU_CAPABILITY"] == "avx2"
    assert found["settings"]["MKL_CBWR"] == "AVX2,STRICT"
    assert found["settings"]["ONEDNN_MAX_CPU_ISA"] == "unset"
    assert found["threads_of_small_models"] == 1
    cpuinfo.unlink()
    assert describe_hardware()["flags"] == []


def test_data_in_a_folder_linked_to_another_disk_keep_their_name(run, tmp_path_factory):
    disk = tmp_path_factory.mktemp("disk")
    (run / "data").rename(disk / "data")
    (run / "data").symlink_to(disk / "data")
    assert set(receipt_of(run)["data"]) == {"data/model", "data/rows.parquet"}


def test_data_outside_the_pipelines_folder_are_refused(run, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    with pytest.raises(InputError, match=re.escape(f"{elsewhere}: lies outside {run}")):
        make_receipt(run / "params.yaml", [elsewhere])


def test_missing_data_are_named(run):
    with pytest.raises(InputError, match=r"none\.parquet: no such file or folder"):
        make_receipt(run / "params.yaml", [run / "data/none.parquet"])


@pytest.mark.parametrize(
    ("text", "reason"), [("a: [1", "not YAML"), ("- 1\n", "must hold groups"), ("", "must hold")]
)
def test_params_that_are_no_mapping_are_named(run, text, reason):
    (run / "params.yaml").write_text(text)
    with pytest.raises(InputError, match=rf"params\.yaml: {reason}"):
        receipt_of(run)


def test_required_packages_are_names_without_versions():
    pyproject = '[project]\ndependencies = ["torch==2.13.0", "setuptools<81", "tf-keras"]'
    assert required_packages(pyproject) == ["torch", "setuptools", "tf-keras"]


def test_packages_that_are_not_installed_are_left_out():
    assert set(versions_of(["typer", "no-such-package"])) == {"typer"}


@pytest.mark.parametrize(
    ("cpuinfo", "level"),
    [
        (f"flags\t\t: fpu {AVX512} ht\n", "AVX512"),
        (f"flags\t\t: {AVX512.replace('avx512vl', '')}\n", "AVX2"),
        (f"flags\t\t: {AVX2}\n", "AVX2"),
        ("flags\t\t: sse avx\n", "none"),
        ("Features\t: fp asimd sve\n", "SVE"),
        ("Features\t: fp asimd\n", "NEON"),
        ("", "unknown"),
    ],
)
def test_vector_instructions_are_the_best_level_whose_flags_are_all_there(cpuinfo, level):
    assert vector_instructions(cpuinfo) == level


@pytest.mark.skipif(not processor.read_cpuinfo(), reason="no /proc/cpuinfo")
def test_the_level_is_the_one_that_torch_takes():
    """Where nothing holds torch to less (core/processor.py), as in a process of its own."""
    words = "from torch.backends.cpu import get_cpu_capability as level; print(level())"
    kept = {name: value for name, value in os.environ.items() if name != processor.KERNELS}
    taken = subprocess.check_output([sys.executable, "-c", words], env=kept, text=True)
    level = vector_instructions(processor.read_cpuinfo())
    assert {"none": "DEFAULT", "NEON": "DEFAULT"}.get(level, level) in taken


def test_the_maker_of_the_processor_is_read_from_either_architectures_file():
    assert processor_maker("processor\t: 0\nvendor_id\t: GenuineIntel\n") == "GenuineIntel"
    assert processor_maker("CPU implementer\t: 0x41\n") == "0x41"
    assert processor_maker("") == "unknown"


@pytest.mark.parametrize(
    ("omp_num_threads", "expected"),
    [("", 4), ("1", 1), ("2,1", 2), ("9", 4), ("0", 4), ("many", 4)],
)
def test_torch_takes_the_threads_it_is_told_to_or_all_processors(omp_num_threads, expected):
    assert threads_of_torch(omp_num_threads, 4) == expected


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("echo NVIDIA H200; echo NVIDIA A100", "NVIDIA A100, NVIDIA H200"),
        ("echo failed to talk to the driver; exit 9", "none"),
        ("exit 0", "none"),
        ("exec sleep 5", "unknown"),
    ],
)
def test_the_accelerator_is_what_nvidia_smi_says(tmp_path, monkeypatch, program, expected):
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{program}\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(receipts, "PATIENCE_SECONDS", 0.5)
    assert accelerators() == expected


def test_without_nvidia_smi_there_is_no_accelerator(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert accelerators() == "none"


def test_a_receipt_is_made_without_importing_torch(run):
    program = (
        "import sys; from pathlib import Path; "
        "from genlab.experiments.receipts import make_receipt; "
        "make_receipt(Path(sys.argv[1]), []); "
        "sys.exit(bool({'torch', 'tensorflow', 'transformers', 'dvc'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program, str(run / "params.yaml")]
    assert subprocess.run(command).returncode == 0
