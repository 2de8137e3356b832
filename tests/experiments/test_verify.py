import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from genlab.experiments.verified import VERIFIED, describe_verified, hash_record
from genlab.experiments.verify import compare, explain, report
from tests.project_copy import ROOT, call, commit, dvc, environment, start_git

# ---- comparing


def test_numbers_are_equal_within_the_tolerance_or_beyond_it_and_the_worst_comes_first():
    committed = {"same": 5, "near": 1.0, "edge": 0.0, "far": 1.0, "farther": 1.0, "int": 2}
    made = {"same": 5, "near": 1.039, "edge": -0.02, "far": 0.95, "farther": 2.0, "int": 2.0}
    found = compare(committed, made, tolerance=0.02)
    assert (found.n_equal, found.n_within) == (2, 2)
    assert found.beyond == [
        (25.0, "farther: 1.0 committed, 2.0 now (allowed +-0.04)"),
        (pytest.approx(1.25), "far: 1.0 committed, 0.95 now (allowed +-0.04)"),
    ]
    assert not found.agrees


def test_without_tolerance_only_equal_numbers_agree():
    assert compare({"a": 1.0, "b": 0}, {"a": 1.0, "b": 0}, tolerance=0).agrees
    assert compare({"a": 1.0}, {"a": 1.0000001}, tolerance=0).beyond[0][0] == float("inf")


def test_what_is_no_number_must_be_the_same():
    committed = {"split": "train", "on": True, "none": None, "list": []}
    assert compare(committed, dict(committed), 0.02).agrees
    for key, other in (("split", "validation"), ("on", 1), ("none", 0), ("list", {})):
        found = compare(committed, committed | {key: other}, 0.02)
        assert found.changed == [f"{key}: {committed[key]!r} committed, {other!r} now"]
        assert not found.agrees


def test_hashes_of_weights_made_in_the_run_are_listed_and_are_no_disagreement():
    committed = {"loss": 0.5, "model.sha256": "0f" * 32, "name": "0f"}
    found = compare(committed, committed | {"model.sha256": "1e" * 32}, 0.02)
    assert found.agrees and found.made_anew == ["model.sha256"]
    assert not compare(committed, committed | {"model.sha256": "none"}, 0.02).agrees
    assert not compare(committed, committed | {"name": "1e"}, 0.02).agrees


def test_texts_that_differ_in_decimals_alone_are_as_near_as_these():
    committed = {"cell": "0.584 (0.56 to 0.61)"}
    near = compare(committed, {"cell": "0.583 (0.56 to 0.61)"}, 0.02)
    assert near.agrees and (near.n_equal, near.n_within) == (2, 1)
    far = compare(committed, {"cell": "0.784 (0.56 to 0.61)"}, 0.02)
    assert [words for _, words in far.beyond] == [
        "cell: 0.584 committed, 0.784 now (allowed +-0.0317)"
    ]
    for other in ("0.584 (0.56 to 0.61), of 5", "0.584 (0.56 to 61)", "none"):
        assert compare(committed, {"cell": other}, 0.02).changed
    assert compare({"text": "of 5"}, {"text": "of 6"}, 0.02).changed


def test_keys_on_one_side_only_are_no_agreement():
    found = compare({"a": 1, "old": 1}, {"a": 1, "fresh": 1}, 0.02)
    assert (found.missing, found.new, found.n_equal) == (["old"], ["fresh"], 1)
    assert not found.agrees
    assert not compare({"old": 1}, {}, 0.02).agrees
    assert not compare({}, {"fresh": 1}, 0.02).agrees


def as_json(content: object) -> bytes:
    return json.dumps(content).encode()


def test_a_report_counts_files_and_numbers_and_looks_into_the_rows_of_plots():
    committed = {"metrics/a.json": as_json([{"x": 1, "y": 0.5}]), "metrics/b.json": b'{"z": 1}'}
    made = {"metrics/a.json": as_json([{"x": 1, "y": 0.9}]), "metrics/b.json": b'{"z": 1}'}
    lines, found = report(committed, made, 0.02)
    assert not found.agrees
    assert lines[0] == "files: 1 of 2 equal byte for byte"
    assert lines[1] == "numbers: 2 equal, 0 within the tolerance of 0.02 + 2 %, 1 beyond it"
    assert "  metrics/a.json 0.y: 0.5 committed, 0.9 now (allowed +-0.03)" in lines


def test_byte_for_byte_is_said_only_where_charts_and_tables_are_the_same_too():
    numbers = {"metrics/a.json": b'{"x": 1}'}
    committed = numbers | {"metrics/a.svg": b"<svg/>", "metrics/rows.parquet": b"PAR1 old"}
    lines, found = report(committed, dict(committed), 0.02)
    assert lines[0] == "files: 3 of 3 equal byte for byte"
    assert found.agrees and found.verdict == "equal byte for byte"
    lines, found = report(committed, committed | {"metrics/rows.parquet": b"PAR1 new"}, 0.02)
    assert found.agrees and found.verdict == "every number equal"
    assert lines[0] == "files: 2 of 3 equal byte for byte"
    assert lines[2:4] == ["files with other bytes:", "  metrics/rows.parquet"]
    spaced = {"metrics/a.json": b'{"x":1}'}
    assert report(numbers, spaced, 0.02)[1].verdict == "every number equal"
    near = report(numbers, {"metrics/a.json": b'{"x": 1.01}'}, 0.02)[1]
    assert near.verdict == "equal within the tolerance"
    lines, found = report(committed, numbers, 0.02)
    assert not found.agrees
    assert found.missing == ["metrics/a.svg", "metrics/rows.parquet"]


def test_a_report_shows_at_most_twenty_of_a_kind():
    committed = {"metrics/a.json": as_json({f"k{i}": 0 for i in range(25)})}
    made = {"metrics/a.json": as_json({f"k{i}": i + 1 for i in range(25)})}
    lines, _ = report(committed, made, 0.02)
    assert "  metrics/a.json k24: 0 committed, 25 now (allowed +-0.02)" in lines
    assert not any(" k4: " in line for line in lines)
    assert "  and 5 more" in lines


def test_a_receipt_explains_and_is_no_metric():
    receipt = {"hardware": {"threads": 1}, "data": {"data/x": "ab"}, "python": "3.11.7"}
    other = {"hardware": {"threads": 2}, "data": {"data/x": "cd"}, "python": "3.11.7"}
    name, metrics = "metrics/receipt.json", {"metrics/a.json": b"{}"}
    lines, found = report(
        metrics | {name: as_json(receipt)}, metrics | {name: as_json(other)}, 0.02
    )
    assert found.agrees
    assert lines[0] == "files: 1 of 1 equal byte for byte"
    assert lines[2:] == [
        "what differs between the receipts:",
        "  data.data/x: other content",
        "  hardware.threads: 1 committed, 2 now",
    ]


def test_equal_receipts_say_so():
    assert explain(b"{}", b"{}") == ["nothing: the same versions, data and kind of machine"]
    assert explain(None, b"{}") == ["no receipt to compare"]


# ---- running

# The stages say what they do in a file outside of every copy, and fail or hang if told to.
TELL = 'test -z "$PYTHONPATH" && echo {} "$PWD" >> "$TOLD"'
PIPELINE = f"""
stages:
  draw:
    cmd: {TELL.format("draw")} && if [ -n "$HANG" ]; then echo $$ > "$HANG"; sleep 60; fi
      && seq 1 10 > data/numbers.txt
    deps: [params.yaml]
    outs: [data/numbers.txt]
  measure:
    cmd: {TELL.format("measure")} && test -z "$FAIL" && python measure.py
    deps: [measure.py, data/numbers.txt]
    metrics:
    - metrics/sub/measure.json:
        cache: false
    plots:
    - metrics/chart.svg:
        cache: false
"""
MEASURE = """
import json, pathlib, sys
numbers = [int(line) for line in open("data/numbers.txt")]
found = {"n": len(numbers), "mean": sum(numbers) / len(numbers), "python": sys.executable}
pathlib.Path("metrics/sub").mkdir(parents=True, exist_ok=True)
pathlib.Path("metrics/sub/measure.json").write_text(json.dumps(found))
pathlib.Path("metrics/chart.svg").write_text(f"<svg>{found['mean']}</svg>")
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """Return a repository whose pipeline, in a sub-folder, has run; its record is committed."""
    root = tmp_path_factory.mktemp("verify") / "repository"
    folder = root / "pipelines/tiny"
    (folder / "data").mkdir(parents=True)
    (folder / "metrics").mkdir()
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "params.yaml").write_text("{}\n")
    (folder / "measure.py").write_text(MEASURE)
    (folder / "data/.gitignore").write_text("/numbers.txt\n")
    (folder / "metrics/claims.json").write_text('{"by": "another program"}')
    call(root, "git", "init", "--quiet")
    assert dvc(root, "init", "--quiet").returncode == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOLD", os.devnull)
        result = dvc(folder, "repro")
    assert result.returncode == 0, result.stdout
    start_git(root)
    return root


@pytest.fixture
def tiny(repository) -> Path:
    """Return the pipeline's folder, put back afterwards."""
    head = call(repository, "git", "rev-parse", "HEAD").strip()
    yield repository / "pipelines/tiny"
    call(repository, "git", "reset", "--quiet", "--hard", head)
    call(repository, "git", "clean", "--quiet", "--force", "--", "pipelines/tiny/metrics")


def start(folder: Path, told: Path, *arguments: str, **variables: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "genlab.experiments.verify", str(folder), *arguments],
        cwd=told.parent,
        env=environment(told.parent) | {"PYTHONPATH": str(ROOT), "TOLD": str(told)} | variables,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def verify(folder: Path, told: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    """Run the program; return its exit code and what it printed."""
    process = start(folder, told, *arguments, **variables)
    output, _ = process.communicate()
    return process.returncode, output


def copies(folder: Path) -> list[Path]:
    return list((folder.parent.parent / ".scratch").glob("*"))


def test_an_unchanged_pipeline_runs_whole_in_a_clean_copy_and_is_verified(tiny, tmp_path):
    code, output = verify(tiny, tmp_path / "told")
    assert code == 0, output
    assert "files: 2 of 2 equal byte for byte" in output
    assert "numbers: 2 equal, 0 within" in output
    assert output.endswith("\nverified: equal byte for byte\n")
    assert "not committed" not in output
    told = [line.split() for line in (tmp_path / "told").read_text().splitlines()]
    assert [stage for stage, _ in told] == ["draw", "measure"]  # though nothing has changed
    (place,) = {place for _, place in told}
    assert place.startswith(f"{tiny.parent.parent}/.scratch/verify-")
    assert place.endswith("/clone/pipelines/tiny")
    assert copies(tiny) == []
    assert call(tiny, "git", "status", "--porcelain").split()[1:] == [f"pipelines/tiny/{VERIFIED}"]


def test_a_committed_chart_that_comes_out_otherwise_is_named(tiny, tmp_path):
    (tiny / "metrics/chart.svg").write_text("<svg>drawn by hand</svg>")
    commit(tiny)
    code, output = verify(tiny, tmp_path / "told")
    assert code == 0, output
    assert "files: 1 of 2 equal byte for byte" in output
    assert "files with other bytes:\n  metrics/chart.svg\n" in output
    assert output.endswith("\nverified: every number equal\n")


def test_a_success_is_written_with_the_record_it_speaks_of(tiny, tmp_path):
    assert describe_verified(tiny).startswith("This record has not been verified yet")
    assert verify(tiny, tmp_path / "told")[0] == 0
    found = json.loads((tiny / VERIFIED).read_text())
    assert found["commit"] == call(tiny, "git", "rev-parse", "--short", "HEAD").strip()
    assert (found["numbers"], found["record"]) == ({"equal": 2, "within": 0}, hash_record(tiny))
    assert found["hardware"]["system"] == "Linux"
    said = describe_verified(tiny)
    assert said.startswith(f"Verified by running everything again on {found['date']} (")
    assert said.endswith(f"commit {found['commit']}): 2 numbers were equal.")
    # Claims are settled later and are no part of it; a number of the run is.
    (tiny / "metrics/claims.json").write_text("{}")
    assert describe_verified(tiny) == said
    (tiny / "metrics/sub/measure.json").write_text('{"n": 11}')
    assert describe_verified(tiny).startswith("This record has not been verified since it changed")


def test_a_committed_number_that_does_not_come_out_is_named(tiny, tmp_path):
    record = tiny / "metrics/sub/measure.json"
    found = json.loads(record.read_text())
    record.write_text(json.dumps(found | {"mean": 4.5, "old": 1}))
    commit(tiny)
    # Of the workspace nothing counts.
    record.write_text(json.dumps(found))
    code, output = verify(tiny, tmp_path / "told", "--keep")
    assert code == 1
    assert "not verified, as not committed: changes in pipelines/tiny/metrics/sub/" in output
    assert "numbers: 1 equal, 0 within the tolerance of 0.02 + 2 %, 1 beyond it" in output
    assert "  metrics/sub/measure.json mean: 4.5 committed, 5.5 now (allowed +-0.11)" in output
    assert "committed, but not made:\n  metrics/sub/measure.json old\n" in output
    assert "claims" not in output
    assert output.endswith("NOT verified: different\n")
    assert not (tiny / VERIFIED).exists()
    (kept,) = copies(tiny)
    assert json.loads((kept / "clone/pipelines/tiny/metrics/sub/measure.json").read_text()) == found
    assert (kept / "cache/files").is_dir()
    shutil.rmtree(kept)


def test_a_stage_that_fails_is_shown_with_its_last_lines(tiny, tmp_path):
    code, output = verify(tiny, tmp_path / "told", FAIL="yes")
    assert code == 1
    assert "ERROR: failed to reproduce 'measure'" in output
    assert "error: `dvc repro` failed in the clean copy" in output
    assert "Traceback" not in output
    assert copies(tiny) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_leaves_nothing_behind(tiny, tmp_path, number):
    hanging = tmp_path / "hanging"
    process = start(tiny, tmp_path / "told", HANG=str(hanging))
    deadline = time.monotonic() + 60
    while not (hanging.is_file() and hanging.read_text().strip()):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    assert len(copies(tiny)) == 1
    process.send_signal(number)
    time.sleep(0.3)
    process.send_signal(number)  # as whoever thinks that nothing happens
    output, _ = process.communicate(timeout=120)
    # A second signal after the last line of ours ends Python's own ending.
    assert process.returncode in (128 + number, -number), output
    assert "Traceback" not in output
    assert copies(tiny) == []
    deadline = time.monotonic() + 60  # a killed process ends when the system gets to it
    while Path("/proc", hanging.read_text().strip()).exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_cannot_be_verified_is_refused(tiny, tmp_path):
    told = tmp_path / "told"
    code, output = verify(tiny.parent, told)
    assert (code, output.splitlines()[-1]) == (
        1,
        f"error: no dvc.yaml in {tiny.parent}; run this in the folder of a pipeline",
    )
    assert verify(tiny / "nowhere", told) == (1, f"error: {tiny}/nowhere: no such folder\n")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    code, output = verify(tmp_path, told)
    assert code == 1
    assert "not a git repository" in output
    assert not told.exists()
    assert copies(tiny) == []


FOLDERS = [ROOT, *(path.parent for path in sorted(ROOT.glob("pipelines/*/dvc.yaml")))]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_record_in_git_has_been_verified_since_it_last_changed(folder):
    words = ["git", "status", "--porcelain", "--", "metrics", "params.yaml"]
    changed = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    if changed.returncode or changed.stdout:
        pytest.skip("the workspace holds another run than git")
    said = describe_verified(folder)
    assert said.startswith("Verified by running everything again"), (
        f"{said} Run `python -m genlab verify {folder.relative_to(ROOT)}` and commit "
        "metrics/verified.json."
    )
