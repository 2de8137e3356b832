"""Run the committed pipeline again in a clean copy, and compare.

`make verify`, or `python -m genlab verify FOLDER` for the pipeline in another folder. HEAD
is verified in a clone with an empty DVC cache and without the record, so every stage runs and every
number is made anew. Every value of the JSON files under metrics/ that dvc.yaml produces is
compared, and the bytes of all files there, charts and tables too; the receipt is compared apart, as
it may explain a difference.

A success is written to metrics/verified.json, which README shows.

Exit code 0: all numbers agree. With small models and on processors with AVX2 they agree to the last
byte (genlab.core.numerics). Elsewhere sums are rounded differently, and a sampled text may change
from some token on. Hence the tolerance, t + t * |committed|, by default with t = 0.02. A mean place
of 3.4 may then move by 0.09 and a share of 0.35 by 0.03. That is less than half the width of their
95 % intervals, so a reader's conclusion stays the same. Between vendors whose sums differed, the
flagship's numbers moved by 0.004 at most, and those of several epochs or of reinforcement by up to
0.5 (LOG.md): such a run is reported as different, and its receipt shows why.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import typer

from genlab.core.files import remove
from genlab.core.params import flatten, is_number
from genlab.core.pipeline import check_pipeline_here, load_stages
from genlab.core.program import InputError, run, stage_app
from genlab.core.shapes import parse_json
from genlab.experiments.revisions import parse_metrics
from genlab.experiments.verified import VERIFIED, hash_record, write_verified

app = stage_app()

RECEIPT = "metrics/receipt.json"
SHOWN = 20  # entries of a list, and last lines of a run that failed
GRACE_SECONDS = 5  # for stages to end after Ctrl-C; half of what this program itself has
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DECIMAL = re.compile(r"[-+]?\d+\.\d+")
# They would lead git, DVC or Python from the copy to the original.
LEADS_ELSEWHERE = {
    *("GIT_DIR", "GIT_COMMON_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"),
    *("DVC_ROOT", "PYTHONPATH"),
}


@dataclass
class Comparison:
    """How the values of one file, or of all files, compare."""

    n_equal: int = 0
    n_within: int = 0
    beyond: list[tuple[float, str]] = field(default_factory=list)  # times the tolerance, in words
    changed: list[str] = field(default_factory=list)  # what is no number
    made_anew: list[str] = field(default_factory=list)  # keys of hashes of what the run makes
    missing: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    other_bytes: list[str] = field(default_factory=list)  # files; their numbers may be equal

    def add_numbers(self, key: str, before: float, after: float, tolerance: float) -> None:
        """Count two numbers as equal, or as near or too far by the tolerance."""
        allowed = tolerance * (1 + abs(before))
        if before == after:
            self.n_equal += 1
        elif abs(after - before) <= allowed:
            self.n_within += 1
        else:
            times = abs(after - before) / allowed if allowed else float("inf")
            words = f"{key}: {before} committed, {after} now (allowed +-{allowed:.3g})"
            self.beyond.append((times, words))

    @property
    def agrees(self) -> bool:
        return not (self.beyond or self.changed or self.missing or self.new)

    @property
    def verdict(self) -> str:
        """Return how equal the two are, given that they agree."""
        if self.n_within:
            return "equal within the tolerance"
        return "every number equal" if self.other_bytes else "equal byte for byte"


def compare(committed: dict[str, object], made: dict[str, object], tolerance: float) -> Comparison:
    """Compare flat values by key: numbers with the tolerance, all else exactly."""
    found = Comparison(
        missing=[key for key in committed if key not in made],
        new=[key for key in made if key not in committed],
    )
    for key in [key for key in committed if key in made]:
        before, after = committed[key], made[key]
        if is_number(before) and is_number(after):
            found.add_numbers(key, before, after, tolerance)
        elif is_hash(before) and is_hash(after):
            if before != after:
                found.made_anew.append(key)
        elif type(before) is type(after) and before == after:
            continue
        elif pairs := told_numbers(before, after):
            for one, other in pairs:
                found.add_numbers(key, one, other, tolerance)
        else:
            found.changed.append(f"{key}: {before!r} committed, {after!r} now")
    found.beyond.sort(reverse=True)
    return found


def told_numbers(before: object, after: object) -> list[tuple[float, float]]:
    """Return the pairs of decimals in two texts that differ only in these, else nothing.

    So the cells "0.58 (0.56 to 0.61)" of two tables are compared number by number.
    """
    if not (isinstance(before, str) and isinstance(after, str)):
        return []
    if DECIMAL.sub("", before) != DECIMAL.sub("", after):
        return []
    both = zip(DECIMAL.findall(before), DECIMAL.findall(after), strict=True)
    return [(float(one), float(other)) for one, other in both]


def is_hash(value: object) -> bool:
    """Return whether a value is a sha256, which is not a number to compare."""
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def read_values(files: dict[str, bytes]) -> dict[str, object]:
    """Return all values of JSON files as "FILE KEY": value; InputError if one is not JSON.

    Other files are skipped.
    """
    values: dict[str, object] = {}
    for name, content in files.items():
        if not name.endswith(".json"):
            continue
        try:
            parsed = parse_json(content)
        except ValueError as error:
            raise InputError(f"{name}: no JSON ({error})") from error
        flat = flatten(parsed, lists=True) or {"": parsed}
        values |= {f"{name} {key}": value for key, value in flat.items()}
    return values


def explain(committed: bytes | None, made: bytes | None) -> list[str]:
    """Return the differences of two receipts in words."""
    if committed is None or made is None:
        return ["no receipt to compare" if committed is None else "no receipt was written"]
    before, after = (
        flatten(parse_metrics(Path(RECEIPT), each, run), lists=True)
        for each, run in ((committed, "HEAD"), (made, None))
    )
    lines = []
    for key in sorted({*before, *after}):
        if before.get(key) == after.get(key):
            continue
        if key.startswith("data.") or key.endswith("sha256"):
            lines.append(f"{key}: other content")  # hashes tell a reader nothing
        else:
            lines.append(f"{key}: {before.get(key)} committed, {after.get(key)} now")
    return lines or ["nothing: the same versions, data and kind of machine"]


def report(
    committed: dict[str, bytes], made: dict[str, bytes], tolerance: float
) -> tuple[list[str], Comparison]:
    """Return what to print of two sets of files, and how their values compare."""
    receipts = committed.get(RECEIPT), made.get(RECEIPT)
    committed = {name: content for name, content in committed.items() if name != RECEIPT}
    made = {name: content for name, content in made.items() if name != RECEIPT}
    found = compare(read_values(committed), read_values(made), tolerance)
    found.missing += [name for name in committed if name not in made]
    found.other_bytes = [
        name for name, content in committed.items() if made.get(name, content) != content
    ]
    same = sum(made.get(name) == content for name, content in committed.items())
    lines = [
        f"files: {same} of {len(committed)} equal byte for byte",
        f"numbers: {found.n_equal} equal, {found.n_within} within the tolerance of {tolerance:g} + "
        f"{100 * tolerance:g} %, {len(found.beyond)} beyond it",
    ]
    for title, entries in (
        ("beyond the tolerance, worst first", [words for _, words in found.beyond]),
        ("other values", found.changed),
        ("hashes of files with other bytes (weights, data)", found.made_anew),
        ("committed, but not made", found.missing),
        ("made, but not committed", found.new),
        ("files with other bytes", found.other_bytes),
        ("what differs between the receipts", explain(*receipts)),
    ):
        if entries:
            lines += [f"{title}:", *(f"  {entry}" for entry in entries[:SHOWN])]
        if len(entries) > SHOWN:
            lines.append(f"  and {len(entries) - SHOWN} more")
    return lines, found


def git(folder: Path, *arguments: str) -> str:
    """Return what a git command prints; raise InputError if it fails."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=environment(), capture_output=True, text=True
    )
    if done.returncode:
        raise InputError(f"{folder}: `git {arguments[0]}` failed: {done.stderr}")
    return done.stdout.strip()


def environment() -> dict[str, str]:
    """Return an environment whose `python` is this one, with nothing that leads elsewhere."""
    kept = {key: value for key, value in os.environ.items() if key not in LEADS_ELSEWHERE}
    beside = Path(sys.executable).parent  # not resolved: a virtual environment's python is a link
    return kept | {"PATH": f"{beside}{os.pathsep}{kept.get('PATH', os.defpath)}"}


@contextmanager
def clean_copy(root: Path, keep: bool) -> Iterator[Path]:
    """Yield a clone of HEAD with a DVC cache of its own; remove it at the end, also on Ctrl-C."""
    scratch = root / ".scratch"  # on the disk that has room for a run, and unknown to git and DVC
    scratch.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="verify-", dir=scratch))
    try:
        clone = folder / "clone"
        git(root, "clone", "--quiet", str(root), str(clone))
        repositories = [path.parent for path in sorted(clone.rglob(".dvc/config"))]
        if not repositories:
            raise InputError(f"{root}: no .dvc folder in HEAD; is this the repository's top?")
        # What is local goes before what is committed, the user's and the machine's: a shared cache
        # would hand out results.
        local = f"[core]\n    site_cache_dir = {folder}/site\n[cache]\n    dir = {folder}/cache\n"
        for repository in repositories:
            (repository / "config.local").write_text(local, encoding="utf-8")
        yield clone
    finally:
        if keep:
            print(f"kept: {folder}")
        else:
            remove(folder)


def read_record(pipeline: Path, outputs: frozenset[str]) -> dict[str, bytes]:
    """Return those files under the pipeline's metrics/ that its stages write, by path."""
    files = {
        path.relative_to(pipeline).as_posix(): path
        for path in sorted((pipeline / "metrics").rglob("*"))
        if path.is_file()
    }
    return {
        name: path.read_bytes()
        for name, path in files.items()
        if any(name == output or name.startswith(f"{output}/") for output in outputs)
    }


def run_pipeline(pipeline: Path) -> None:
    """Run every stage, naming each; raise InputError with its last lines if one fails."""
    last_lines: deque[str] = deque(maxlen=SHOWN)
    process = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro", "--force"],
        cwd=pipeline,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # so that it can be stopped with all its stages
    )
    try:
        for line in process.stdout or ():
            last_lines.append(line)
            if stage := re.match(r"Running stage '(.*)'", line):
                print(f"  {stage[1]}", flush=True)
        process.wait()
    finally:
        stop(process)
    if process.returncode:
        print("".join(last_lines), file=sys.stderr)
        raise InputError("`dvc repro` failed in the clean copy; its last lines are above")


def stop(process: subprocess.Popen) -> None:
    """End a process and its children if it still runs: as Ctrl-C does, then for certain."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)
    with suppress(ProcessLookupError):  # all have ended
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def end_tidily(number: int, _: object) -> None:
    """Exit by an exception, so that clean-up runs; a second signal must not interrupt that."""
    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


@app.command()
def main(
    folder: Path = typer.Argument(Path("."), help="folder of the dvc.yaml"),
    tolerance: float = typer.Option(0.02, min=0, help="t of t + t * |committed number|"),
    keep: bool = typer.Option(False, "--keep", help="leave the copy there to be looked at"),
) -> None:
    """Verify the committed metrics of a pipeline by running it again."""
    # Tidy up whatever stops us; Ctrl-C, too: once imported, Polars hides it from a waiting read.
    for number in ENDING:
        signal.signal(number, end_tidily)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    check_pipeline_here(folder)
    root = Path(git(folder, "rev-parse", "--show-toplevel"))
    below = folder.resolve().relative_to(root.resolve())

    print(f"verifying {git(root, 'log', '-1', '--format=HEAD, %h (%s)')}, in a clean copy")
    if changed := git(root, "diff", "--name-only", "HEAD").splitlines():
        print(f"not verified, as not committed: changes in {', '.join(changed)}")
    with clean_copy(root, keep) as clone:
        pipeline, commit = clone / below, git(clone, "rev-parse", "--short", "HEAD")
        if not (pipeline / "dvc.yaml").is_file():
            raise InputError(f"{folder / 'dvc.yaml'}: not in HEAD, so there is nothing to verify")
        outputs = frozenset().union(
            *(stage.outputs for stage in load_stages(pipeline / "dvc.yaml"))
        )
        committed, record = read_record(pipeline, outputs), hash_record(pipeline)
        if not committed:
            raise InputError(f"{folder / 'metrics'}: HEAD holds no metrics of dvc.yaml's stages")
        for name in committed:  # DVC leaves out a stage whose outputs are there and as recorded
            (pipeline / name).unlink()
        run_pipeline(pipeline)
        lines, found = report(committed, read_record(pipeline, outputs), tolerance)
    print("\n".join(lines))
    if not found.agrees:
        print("NOT verified: different")
        sys.exit(1)
    numbers = {"equal": found.n_equal, "within": found.n_within}
    write_verified(folder, commit, record, numbers, tolerance)
    print(f"written: {folder / VERIFIED}; `python -m genlab readme` and commit to show it")
    print(f"verified: {found.verdict}")


if __name__ == "__main__":
    run(app)
