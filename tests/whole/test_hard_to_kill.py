"""Kills, full disks, read-only folders, broken files: an error, and the next run heals.

That a training goes on from its checkpoint to the same weights, and that a second one is refused,
is in tests/stages/test_train.py; here DVC is around it.
"""

import ctypes
import os
import re
import resource
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.project_copy import ROOT, call, commit, dvc, environment, stages_run
from tests.tiny_pipeline import make_repository
from tests.tiny_run import make_project

PAGE = "report/index.html"  # names the day and what git held, which a run that began anew changes

# ---- killed

# Run before every stage. The first process of each dies by SIGKILL at a bad moment: when the first
# or the second of its outputs is whole but not yet in its place, or (train) when a checkpoint is
# being written. Two of them take DVC along, which leads a session.
KILLER = """\
import builtins, os, signal, sys
from pathlib import Path

words = [word for word in sys.orig_argv if word.startswith(("stages.", "data/", "check", "rows"))]
folder = Path(os.environ["KILLED"])
mark = folder / "-".join(words).replace("/", "_")
if words and words[0].startswith(("stages.", "check", "rows")):
    program, n_done = words[0], 0

    def die():
        mark.touch()
        if program in ("stages.train", "stages.dedup"):
            os.killpg(int(os.environ["CALLERS_GROUP"]), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    def replace(source, target, wrapped=os.replace):
        global n_done
        if str(source).endswith(".partial") and not mark.exists():
            n_done += 1
            once = ("check", "rows", "stages.dedup", "stages.fetch", "stages.leakage")
            if n_done == 2 or program in once or "data/candidates" in words[-1]:
                die()
        with open(folder / "in_place", "a") as log:
            log.write(f"{target}\\n")
        return wrapped(source, target)

    def open_(file, mode="r", *arguments, wrapped=open, **options):
        if str(file).endswith("trainer_state.json") and "w" in mode:
            with wrapped(folder / "checkpoints", "a") as log:
                log.write(Path(file).parent.name + "\\n")
            if "checkpoint-8" in str(file) and not mark.exists():
                die()
        return wrapped(file, mode, *arguments, **options)

    os.replace, builtins.open = replace, open_
"""


def test_a_run_killed_in_every_stage_ends_with_the_same_bytes(finished, tmp_path):
    """Takes most of a minute, as every stage runs twice."""
    folder, killed = tmp_path / "project", tmp_path / "killed"
    make_project(folder)
    killed.mkdir()
    (killed / "sitecustomize.py").write_text(KILLER)
    for _ in range(20):
        run = subprocess.run(
            [sys.executable, "-m", "dvc", "repro", "--keep-going"],
            cwd=folder,
            env=environment(folder) | {"PYTHONPATH": str(killed), "KILLED": str(killed)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        if run.returncode == 0:
            break
    assert run.returncode == 0, run.stdout

    mine, reference = (
        yaml.safe_load((path / "dvc.lock").read_text())["stages"] for path in (folder, finished)
    )
    kills = {
        path.name
        for path in killed.iterdir()
        if path.name.startswith(("stages.", "check-", "rows"))
    }
    assert len(kills) == len(mine) == len(reference) == 23, sorted(kills)
    for name, stage in mine.items():
        ours, theirs = (
            [out for out in outs if out["path"] != PAGE]
            for outs in (stage["outs"], reference[name]["outs"])
        )
        assert ours == theirs, name
    # There is no other way for an output into its place than to be renamed.
    in_place = set((killed / "in_place").read_text().splitlines())
    assert in_place >= {out["path"] for stage in mine.values() for out in stage["outs"]}
    assert not list(folder.rglob("*.partial"))
    # 10 steps: checkpoint-8 died unfinished, and the second process went on from checkpoint-4.
    checkpoints = (killed / "checkpoints").read_text().split()
    assert checkpoints == ["checkpoint-4", "checkpoint-8", "checkpoint-8", "checkpoint-10"]
    assert not any((folder / ".scratch").rglob("checkpoint-*"))


# ---- a disk that is full, or not to be written


@pytest.fixture
def project(finished, tmp_path) -> Path:
    """Return a copy of a finished run, to be broken."""
    return shutil.copytree(finished, tmp_path / "project", symlinks=True)


def run_stage(folder: Path, name: str, preparation=None) -> subprocess.CompletedProcess:
    """Run a stage's command without DVC, which would delete the outputs first."""
    command = yaml.safe_load((folder / "dvc.lock").read_text())["stages"][name]["cmd"]
    return subprocess.run(
        [sys.executable, *command.split()[1:]],  # not the warm one, which has other limits
        cwd=folder,
        env=environment(folder),
        preexec_fn=preparation,
        capture_output=True,
        text=True,
    )


def let_files_grow_to(n_bytes: int):
    """Return what makes a process's files end at a size, as if the disk were full."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))


@pytest.mark.parametrize(
    ("stage", "n_bytes", "expected"),
    [
        ("clean", 4_000, r"data/clean\.parquet: cannot be read or written \(.*File too large\)"),
        ("train", 200_000, r"a model or checkpoint cannot be written .* is the disk full\?"),
    ],
)
def test_a_full_disk_is_one_line_and_loses_nothing(project, stage, n_bytes, expected):
    """With 200,000 bytes train can write its weights, and fails at the optimizer's state."""
    result = run_stage(project, stage, let_files_grow_to(n_bytes))
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    # Not the last line: a progress bar may be closed after it.
    [line] = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert re.fullmatch("error: " + expected, line)
    assert not list(project.rglob("*.partial"))
    assert dvc(project, "status", "dvc.yaml").stdout.startswith("Data and pipelines are up to date")
    again = dvc(project, "repro", "--force", "--single-item", stage)
    assert again.returncode == 0, again.stdout
    assert call(project, "git", "status", "--porcelain") == ""  # the same bytes


def without_privileges() -> None:
    """Give up what lets root write everywhere: the CAP_DAC_* and CAP_FOWNER of capabilities(7)."""
    PR_CAPBSET_DROP = 24
    for capability in (1, 2, 3):
        if ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0):
            raise PermissionError


def test_a_read_only_data_folder_is_one_line_and_loses_nothing(project):
    data = project / "data"
    data.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        as_user = without_privileges if os.getuid() == 0 else None
        result = run_stage(project, "clean", as_user)
        check = run_stage(project, "check", as_user)
    except subprocess.SubprocessError:
        pytest.skip("root may not give up its privileges here")
    finally:
        data.chmod(0o755)
    assert (result.returncode, check.returncode) == (1, 1)
    [line] = result.stderr.splitlines()
    assert line.startswith("error: data/clean.parquet: cannot be read or written")
    assert "Permission denied" in line
    [line] = check.stderr.splitlines()
    assert line == (
        "error: data: cannot be written (Permission denied); this must be a folder that stages can "
        "write to"
    )
    assert dvc(project, "status", "dvc.yaml").stdout.startswith("Data and pipelines are up to date")


# ---- broken files


def object_of(folder: Path, stage: str) -> Path:
    """Return the file in DVC's cache of a stage's first output."""
    lock = yaml.safe_load((folder / "dvc.lock").read_text())["stages"]
    name = lock[stage]["outs"][0]["md5"]
    return folder / ".dvc/cache/files/md5" / name[:2] / name[2:]


def cut(path: Path) -> None:
    """Leave half of a file, and its permissions as they are."""
    mode = path.stat().st_mode
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    path.chmod(mode)


def test_a_truncated_table_is_named_by_the_next_stage_and_brought_back(project):
    whole = (project / "data/clean.parquet").read_bytes()
    cut(project / "data/clean.parquet")
    result = run_stage(project, "dedup")
    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert line.startswith("error: data/clean.parquet: not a whole Parquet file")
    assert dvc(project, "repro").returncode == 0
    assert (project / "data/clean.parquet").read_bytes() == whole
    assert call(project, "git", "status", "--porcelain") == ""


def test_a_broken_object_of_the_cache_is_found_deleted_and_made_again(project):
    """DVC alone would bring the broken file back, and say that nothing has changed."""
    whole = (project / "data/clean.parquet").read_bytes()
    cut(object_of(project, "clean"))
    (project / "data/clean.parquet").unlink()
    assert dvc(project, "checkout", "dvc.yaml").returncode == 0
    assert (project / "data/clean.parquet").read_bytes() != whole
    error = run_stage(project, "dedup").stderr
    assert "and if that brings back the same, `python -m genlab cache`" in error

    found = call(project, "python", "-m", "genlab.experiments.cache").splitlines()
    name = object_of(project, "clean").relative_to(project)
    assert found[:2] == [f"deleted: {name}", "deleted: data/clean.parquet"]
    where = r"\d+ objects in \.dvc/cache/files/md5, 1 of them broken; run `dvc repro`"
    assert re.fullmatch(where, found[-1])
    again = dvc(project, "repro")
    assert again.returncode == 0, again.stdout
    assert stages_run(again)[0] == "clean"
    assert (project / "data/clean.parquet").read_bytes() == whole
    assert call(project, "git", "status", "--porcelain") == ""
    assert "0 of them broken" in call(project, "python", "-m", "genlab.experiments.cache")


def test_a_broken_file_of_a_folder_in_the_cache_takes_the_folder_with_it(project):
    listing = object_of(project, "train")
    member = next(entry for entry in yaml.safe_load(listing.read_text()))["md5"]
    cut(listing.parents[1] / member[:2] / member[2:])
    found = call(project, "python", "-m", "genlab.experiments.cache")
    assert "deleted: data/train\n" in found
    again = dvc(project, "repro", "--single-item", "train")
    assert stages_run(again) == ["train"], again.stdout
    assert call(project, "git", "status", "--porcelain") == ""


# ---- a sweep


QUEUE_ALONE = f"""\
import sys
sys.path.insert(1, {str(ROOT)!r})
del sys.modules["genlab"], sys.path[0]
if sys.argv[1] == "queue":
    from genlab.__main__ import main
    main()
"""


def test_a_sweep_with_one_failing_arm_keeps_the_five_others_and_tells(tmp_path):
    root = tmp_path / "repository"
    pipeline = make_repository(root)
    make = (pipeline / "make.py").read_text()
    (pipeline / "make.py").write_text(make + "assert shift != 13, 'no such shift'\n")
    (root / "genlab").mkdir()
    (root / "genlab/__main__.py").write_text(QUEUE_ALONE)  # no table: there are no metrics here
    commit(root)
    script = f". {ROOT}/sweeps/queue.sh\nqueue six -S rows.shift=2,3,13,5,8,21\n"
    sweep = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=pipeline,
        env=environment(root) | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    assert sweep.returncode == 1, sweep.stdout
    assert sweep.stderr.splitlines()[-1].startswith("error: the experiments above failed")
    failed = [line for line in sweep.stdout.splitlines() if line.split()[-1:] == ["Failed"]]
    assert [name for line in failed for name in line.split() if name.startswith("six-")] == [
        "six-3"
    ]
    kept = call(pipeline, "python", "-m", "dvc", "exp", "list", "--name-only").split()
    assert {name for name in kept if name.startswith("six-")} == {
        f"six-{number}" for number in (1, 2, 4, 5, 6)
    }
    refs = call(root, "git", "for-each-ref", "--format=%(refname)", "refs/exps").split()
    by_name = {ref.split("/")[-1]: ref for ref in refs}
    for number, shift in enumerate((2, 3, 13, 5, 8, 21), start=1):
        if number != 3:
            path = f"{by_name[f'six-{number}']}:pipelines/tiny/params.yaml"
            params = call(root, "git", "show", path)
            assert yaml.safe_load(params) == {"rows": {"shift": shift}}
