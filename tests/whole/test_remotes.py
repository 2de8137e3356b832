"""DVC remotes carry a run's results: pushed from one clone, in another one nothing is run again."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.project_copy import call, commit, environment, stages_run
from tests.whole.test_hard_to_kill import cut, object_of


def run_dvc(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess:
    """Run dvc in the folder; raise with its output if it fails."""
    done = subprocess.run(
        ["python", "-m", "dvc", *words],
        cwd=folder,
        env=environment(folder) | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done


def carry(finished: Path, tmp_path: Path, address: str, settings: dict, **variables: str) -> None:
    """Push a finished run to a remote, pull it in a fresh clone, and find nothing left to do."""
    here, there = tmp_path / "here", tmp_path / "there"
    subprocess.run(["cp", "--archive", finished, here], check=True)
    run_dvc(here, "remote", "add", "--default", "store", address)
    for name, value in settings.items():
        run_dvc(here, "remote", "modify", "store", name, value)
    # dvc.yaml: the pipelines in sub-folders were not run.
    run_dvc(here, "push", "--run-cache", "dvc.yaml", **variables)
    commit(here)
    subprocess.run(["git", "clone", "--quiet", here, there], check=True)
    assert not (there / "data").exists()
    run_dvc(there, "pull", "--run-cache", "dvc.yaml", **variables)
    again = run_dvc(there, "repro")
    assert stages_run(again) == []
    assert call(there, "git", "status", "--porcelain") == ""
    for name in ("generate.parquet", "train/model.safetensors"):
        assert (there / "data" / name).read_bytes() == (here / "data" / name).read_bytes()


def test_a_plain_directory_carries_the_results(finished, tmp_path):
    carry(finished, tmp_path, str(tmp_path / "store"), {})
    check_broken_object(tmp_path)


def check_broken_object(tmp_path: Path) -> None:
    """An object of the remote that is cut short: DVC believes it, unless it is told to verify.

    Either way `dvc repro` makes the file anew.
    """
    here, there, store = (tmp_path / name for name in ("here", "there", "store"))
    broken = object_of(here, "clean").relative_to(here / ".dvc/cache")
    whole = (here / "data/clean.parquet").read_bytes()
    cut(store / broken)
    for verify in (False, True):
        shutil.rmtree(there / ".dvc/cache")
        shutil.rmtree(there / "data")
        words = ["python", "-m", "dvc", "pull", "--run-cache", "dvc.yaml"]
        if verify:
            run_dvc(there, "remote", "modify", "--local", "store", "verify", "true")
            pull = subprocess.run(
                words, cwd=there, env=environment(there), capture_output=True, text=True
            )
            assert pull.returncode != 0
            assert "data/clean.parquet" in pull.stderr
        else:
            run_dvc(there, *words[3:])
            assert (there / "data/clean.parquet").read_bytes() != whole
            assert f"deleted: .dvc/cache/{broken}" in call(
                there, "python", "-m", "genlab.experiments.cache"
            )
        assert "clean" in stages_run(run_dvc(there, "repro"))
        assert (there / "data/clean.parquet").read_bytes() == whole
        assert call(there, "git", "status", "--porcelain") == ""


def test_s3_carries_the_results(finished, tmp_path):
    """A made-up S3 on loopback; needs dvc-s3 and moto's server."""
    pytest.importorskip("dvc_s3")
    server_module = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        keys |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
        boto3.client(
            "s3",
            endpoint_url=address,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
        ).create_bucket(Bucket="results")
        carry(finished, tmp_path, "s3://results/store", {"endpointurl": address}, **keys)
    finally:
        server.stop()
