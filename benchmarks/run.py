"""Measure every ratio and time that the project claims, in one run: benchmarks/RESULTS.md.

`make bench`, about 20 minutes on two cores. The default pipeline as a user meets it, in a fresh
clone: cold, with nothing to do, and the two experiments that must be cheap; peak memory is that of
the largest single process. Then the other benchmarks at a small size, each beside what one would
write instead. A pipeline's own, benchmark.py in its folder, needs `dvc repro` there first.
"""

import importlib
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks import preference, scale, show_help, speed
from benchmarks.side_by_side import machine
from genlab.core.markdown import markdown_table
from genlab.core.processes import best_device
from genlab.core.program import InputError

RESULTS = Path("benchmarks/RESULTS.md")
PIPELINES = Path("pipelines")


def timed(command: list[str], folder: Path) -> tuple[float, str]:
    """Run a command in `folder` and return its wall time in seconds and its output."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"error: {' '.join(command)}\n{done.stdout}{done.stderr}")
    return seconds, done.stdout


def time_pipeline(folder: Path) -> list[tuple[str, str, str]]:
    """Return (what, measured, goal) of the pipeline in a fresh clone at `folder`."""
    subprocess.run(["git", "clone", "--quiet", ".", str(folder)], check=True)
    cold, _ = timed(["dvc", "repro"], folder)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20  # KiB -> GiB
    rows = [
        ("cold `dvc repro`, all stages", f"{cold:.0f} s", "180 s"),
        ("peak memory of one process", f"{peak:.1f} GiB", "4 GiB"),
    ]
    # compare reads HEAD's rows from the cache: on another processor they are not the record's.
    author = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost"]
    commit = ["git", *author, "commit", "--quiet", "--all", "--allow-empty", "--message", "as run"]
    subprocess.run(commit, cwd=folder, check=True)
    no_op = min(timed(["dvc", "repro"], folder)[0] for _ in range(3))
    rows.append(("`dvc repro` with nothing to do (best of 3)", f"{no_op:.2f} s", "1 s"))
    added = ["generate_forced", "audit", "probe", "find_leaks", "leakage", "report"]
    seconds, _ = timed(["dvc", "repro", "--force", "--single-item", *added], folder)
    rows.append(
        (f"probes, audit, leakage and report ({', '.join(added)})", f"{seconds:.0f} s", "60 s")
    )
    compared, _ = timed([sys.executable, "-m", "genlab.experiments.compare", "HEAD"], folder)
    rows.append(("`python -m genlab compare HEAD`, 500 queries", f"{compared:.1f} s", ""))
    for change in ("gen.max_len=50", "score.strip_query=false"):
        seconds, output = timed(["dvc", "exp", "run", "-S", change], folder)
        stages = [line.split("'")[1] for line in output.splitlines() if "Running stage" in line]
        rows.append(
            (f"`dvc exp run -S {change}` ({', '.join(stages)})", f"{seconds:.1f} s", "15 s")
        )
        subprocess.run(["git", "checkout", "--quiet", "."], cwd=folder, check=True)
        timed(["dvc", "checkout", "--quiet", "dvc.yaml"], folder)
    return rows


def scale_tables(folder: Path) -> str:
    """Return the tables of the data stages at 1 % of MS MARCO's queries, made in the clone."""
    records = scale.measure_sizes(folder / "scale", [1], folder / "data/fetch/base")
    return f"{scale.table(records)}\n\n{scale.ratio_table(records)}"


def pipeline_table(folder: Path) -> str:
    """Return the table of the pipeline in a fresh clone at `folder`, which stays."""
    return markdown_table([["what", "measured", "goal"], *time_pipeline(folder)])


def speed_table(folder: Path) -> str:
    """Return benchmarks/speed.py's table, of the clone's data; its page is written, too."""
    return speed.write_page(folder / "data", best_device().type, threads=1, repetitions=3)


def preference_table() -> str:
    """Return benchmarks/preference.py's table."""
    return markdown_table(preference.measure_variants())


def benchmark_of(pipeline: str) -> str:
    """Return the table of a pipeline's own benchmark, or why there is none."""
    module = importlib.import_module(f"pipelines.{pipeline}.benchmark")
    try:
        return markdown_table(module.measure())
    except InputError as error:
        return f"Not run: {error}"


def main() -> None:
    """Measure everything, print and write it."""
    show_help(__doc__)
    stood_on = machine("torch", "transformers", "sentence-transformers", "trl", "polars", "dvc")
    start = time.perf_counter()
    sections = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "clone"
        for title, measure in (
            ("The default pipeline", lambda: pipeline_table(folder)),
            ("Training, generation and scoring (benchmarks/speed.py)", lambda: speed_table(folder)),
            *(
                (f"The pipeline {name} (its benchmark.py)", partial(benchmark_of, name))
                for name in sorted(path.parent.name for path in PIPELINES.glob("*/benchmark.py"))
            ),
            ("Preference training (benchmarks/preference.py)", preference_table),
            ("The data stages, 8,087 queries (benchmarks/scale.py)", lambda: scale_tables(folder)),
        ):
            sections[title] = measure()
            print(f"{title}\n{sections[title]}", flush=True)
    minutes = (time.perf_counter() - start) / 60
    text = (
        f"# What genlab costs, beside what one would write otherwise\n\n{stood_on} `make bench`"
        f", one run of {minutes:.0f} minutes; ratios are of ways timed in turns, on one "
        "thread where nothing else is said.\n"
    )
    text += "".join(f"\n## {title}\n\n{table}\n" for title, table in sections.items())
    RESULTS.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
