"""Measure every ratio and time that the project claims, in one run: benchmarks/RESULTS.md.

`make bench`, half an hour at least on two cores. The default pipeline as a user meets it, in a
fresh clone: cold, with nothing to do, and two experiments that must be cheap; peak memory is that
of the largest single process. What takes less than a minute is the median of five runs. Then the
other benchmarks at a small size, each beside what one would write instead. A pipeline's own,
benchmark.py in its folder, needs `dvc repro` there first.

python -m benchmarks.run                           # all
python -m benchmarks.run default speed             # these, what the page says of others stays
"""

import importlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import preference, scale, show_help, speed
from benchmarks.side_by_side import machine
from genlab.core.markdown import markdown_table
from genlab.core.processes import best_device
from genlab.core.program import InputError

RESULTS = Path("benchmarks/RESULTS.md")
PIPELINES = Path("pipelines")
RUNS = 5
# What is changed, and values that the default run does not have: DVC runs none of them twice.
CHANGES = {
    "gen.max_len": ["50", "51", "52", "53", "54"],
    "score.batch_size": ["32", "33", "34", "35", "36"],
}


def timed(command: list[str], folder: Path) -> tuple[float, str]:
    """Run a command in `folder` and return its wall time in seconds and its output."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"error: {' '.join(command)}\n{done.stdout}{done.stderr}")
    return seconds, done.stdout


def median_of(run: Callable[[], float]) -> tuple[float, str]:
    """Run five times; return the median of the seconds, and in words with the least and most."""
    seconds = sorted(run() for _ in range(RUNS))
    median = statistics.median(seconds)
    return median, f"{median:.1f} s ({seconds[0]:.1f}-{seconds[-1]:.1f}, {RUNS} runs)"


def time_nothing_to_do(folder: Path) -> tuple[str, str, str]:
    """Return the row of `dvc repro` that finds nothing to do, beside a project without stages."""
    with tempfile.TemporaryDirectory() as empty:
        for command in (["git", "init", "--quiet"], ["dvc", "init", "--quiet"]):
            timed(command, Path(empty))
        (Path(empty) / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
        least, _ = median_of(lambda: timed(["dvc", "repro"], Path(empty))[0])
    median, words = median_of(lambda: timed(["dvc", "repro"], folder)[0])
    what = "`dvc repro` with nothing to do, beside a project without stages"
    return what, f"{words}, {median / least:.2f} times", "1.5 times"


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
    rows.append(time_nothing_to_do(folder))
    added = ["generate_forced", "audit", "probe", "find_leaks", "leakage", "report"]
    seconds, _ = timed(["dvc", "repro", "--force", "--single-item", *added], folder)
    rows.append(
        (f"probes, audit, leakage and report ({', '.join(added)})", f"{seconds:.0f} s", "60 s")
    )
    command = [sys.executable, "-m", "genlab.experiments.compare", "HEAD"]
    _, words = median_of(lambda: timed(command, folder)[0])
    rows.append(("`python -m genlab compare HEAD`, 500 queries", words, ""))
    return rows + [time_experiment(folder, key, values) for key, values in CHANGES.items()]


def time_experiment(folder: Path, key: str, values: list[str]) -> tuple[str, str, str]:
    """Return the row of an experiment; each of the runs has a value that none had before."""
    ran: set[str] = set()
    left = iter(values)

    def once() -> float:
        seconds, output = timed(["dvc", "exp", "run", "-S", f"{key}={next(left)}"], folder)
        ran.update(line.split("'")[1] for line in output.splitlines() if "Running stage" in line)
        subprocess.run(["git", "checkout", "--quiet", "."], cwd=folder, check=True)
        timed(["dvc", "checkout", "--quiet", "dvc.yaml"], folder)
        return seconds

    _, words = median_of(once)
    what = f"`dvc exp run -S {key}={values[0]}` and the like ({', '.join(sorted(ran))})"
    return what, words, "15 s"


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


def all_sections(folder: Path) -> dict[str, tuple[str, Callable[[], str]]]:
    """Return the title and the measurement of every section, by the word that asks for it.

    A pipeline whose benchmark.py has no measure() writes a page of its own (its BENCHMARK.md).
    """
    own = [
        path.parent.name
        for path in sorted(PIPELINES.glob("*/benchmark.py"))
        if "def measure(" in path.read_text(encoding="utf-8")
    ]
    return {
        "default": ("The default pipeline", lambda: pipeline_table(folder)),
        "speed": (
            "Training, generation and scoring (benchmarks/speed.py)",
            lambda: speed_table(folder),
        ),
        **{
            name: (f"The pipeline {name} (its benchmark.py)", partial(benchmark_of, name))
            for name in own
        },
        "preference": ("Preference training (benchmarks/preference.py)", preference_table),
        "scale": (
            "The data stages, 8,087 queries (benchmarks/scale.py)",
            lambda: scale_tables(folder),
        ),
    }


def read_sections() -> dict[str, str]:
    """Return what the page says now, by title."""
    text = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    return dict(part.split("\n\n", 1) for part in text.split("\n## ")[1:])


def write_sections(found: dict[str, str]) -> None:
    """Write the page."""
    text = (
        "# What genlab costs, beside what one would write otherwise\n\nBy `make bench`; ratios are "
        "of ways timed in turns, on one thread where nothing else is said.\n"
    )
    text += "".join(f"\n## {title}\n\n{said.strip()}\n" for title, said in found.items())
    RESULTS.write_text(text, encoding="utf-8")


def main() -> None:
    """Measure every section, or those that are named; each is written when it is measured."""
    show_help(__doc__)
    stood_on = machine("torch", "transformers", "sentence-transformers", "trl", "polars", "dvc")
    with tempfile.TemporaryDirectory() as scratch:
        sections = all_sections(Path(scratch) / "clone")
        names = sys.argv[1:] or list(sections)
        if unknown := set(names) - set(sections):
            raise SystemExit(f"error: no section {', '.join(unknown)}; {', '.join(sections)}")
        if "default" not in names and {"speed", "scale"} & set(names):
            raise SystemExit("error: speed and scale read what default makes; name it, too")
        for name, (title, measure) in sections.items():
            if name not in names:
                continue
            start = time.perf_counter()
            table = measure()
            said = (
                f"{stood_on} It took {(time.perf_counter() - start) / 60:.0f} minutes.\n\n{table}"
            )
            print(f"{title}\n{said}", flush=True)
            found = read_sections() | {title: said}
            order = [title for title, _ in sections.values()]
            write_sections({each: found[each] for each in order if each in found})


if __name__ == "__main__":
    main()
