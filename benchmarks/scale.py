"""Measure the data stages on a made corpus of MS MARCO's size, beside what one would write instead.

    python -m benchmarks.scale FOLDER 1 10 100
        [--tokenizer FOLDER] [--near PYTHON] [--only TEXT]

The numbers are percent of 808,731 queries with ten passages each; `1` takes a minute. FOLDER takes
the corpora (1.3 GB at 100 %) and what is made of them, and is kept. --tokenizer is a folder with
tokenizer.json, else what the pipeline has fetched; PYTHON an interpreter that has datatrove and
text-dedup: without it they are left out. --only takes the jobs whose name has TEXT in it. Every job
is a process of its own; wall time, processor time (children included) and peak memory are measured.
The tables are merged into benchmarks/SCALE.md: what is not named keeps its figures.
"""

import datetime
import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import yaml

from benchmarks import show_help

ALL_QUERIES = 808_731
RESULTS = Path("benchmarks/SCALE.md")
BASE = Path("data/fetch/base")
CLEAN = "clean + exact dedup: datasets.map and a set"
BARE = "tokenize: tokenizers' batch encoder alone"
NEAR = "near-duplicate queries"
NEAR_RIVALS = {
    "datatrove": f"{NEAR}: datatrove, characters",
    "datatrove_words": f"{NEAR}: datatrove, words",
    "text_dedup": f"{NEAR}: text-dedup, characters",
    "text_dedup_words": f"{NEAR}: text-dedup, words",
}
# Ratio, goal, jobs whose time is added up, and the other's jobs, of which the fastest counts.
RATIOS = (
    ("clean + exact dedup", 10, ["clean", "dedup, exact only"], [CLEAN]),
    ("near-duplicates, same shingles", 3, [NEAR],
     [NEAR_RIVALS["datatrove"], NEAR_RIVALS["text_dedup"]]),
    ("near-duplicates, words for the others", 3, [NEAR],
     [NEAR_RIVALS["datatrove_words"], NEAR_RIVALS["text_dedup_words"]]),
    ("tokenize", 0.9, ["tokenize"], [BARE]),
)  # fmt: skip


def measure(words: list[str]) -> dict[str, float]:
    """Run a command; return its wall and processor seconds and its peak memory in GiB."""
    start = time.perf_counter()
    with open(os.devnull, "w") as nowhere:
        process = subprocess.Popen(words, stdout=nowhere)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"error: {' '.join(words)}")
    return {
        "wall": time.perf_counter() - start,
        "processor": used.ru_utime + used.ru_stime,
        "peak": used.ru_maxrss / 2**20,  # KiB -> GiB
    }


def options(group: dict) -> list[str]:
    """Return a params group as DVC unpacks it."""
    return [
        f"--{'' if value else 'no-'}{name}" if isinstance(value, bool) else f"--{name}={value}"
        for name, value in group.items()
    ]


def jobs(folder: Path, percent: int, near: str | None, base: Path) -> dict[str, list[str]]:
    """Return the commands of one size by name, in order: each reads what one before it wrote."""
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))

    def at(name: str) -> str:
        return str(folder / f"{name}_{percent}")

    corpus = at("corpus") + ".parquet"
    stage = [sys.executable, "-m"]
    rival = "benchmarks.scale_rivals"
    file = {"source": "file", "path": corpus, "n_train": 0, "n_validation": 0}
    work = {
        "fetch (file)": [
            *stage, "stages.fetch", "corpus", at("fetch"), f"--metrics={at('fetch')}.json",
            f"--manifest={at('manifest')}.json", *options(params["corpus"] | file),
        ],
        "clean": [
            *stage, "stages.clean", at("fetch"), at("clean"), f"--metrics={at('clean')}.json",
            *options(params["clean"]),
        ],
        "dedup": [
            *stage, "stages.dedup", at("clean"), at("dedup"), f"--metrics={at('dedup')}.json",
            *options(params["dedup"]),
        ],
        "dedup, exact only": [
            *stage, "stages.dedup", at("clean"), at("exact"), f"--metrics={at('exact')}.json",
            *options(params["dedup"] | {"query_threshold": 1.0, "passage_threshold": 1.0}),
        ],
        "tokenize": [
            *stage, "stages.tokenize", at("dedup"), str(base), at("tokenize"),
            f"--metrics={at('tokenize')}.json", *options(params["tokenize"]),
        ],
        BARE: [*stage, rival, "bare_encoder", at("dedup"), str(base)],
        NEAR: [*stage, "benchmarks.scale_near", "genlab", at("fetch"), at("near")],
        CLEAN: [*stage, rival, "datasets_clean", at("fetch"), at("datasets")],
        f"{CLEAN}, 2 processes": [*stage, rival, "datasets_clean_2", at("fetch"), at("datasets_2")],
    }  # fmt: skip
    for job, name in NEAR_RIVALS.items() if near else ():
        unit = "words" if "words" in job else "characters"
        prepared = at(f"near_{unit}")
        work[f"({NEAR}: input of {job})"] = [
            *stage, "benchmarks.scale_near", unit, at("fetch"), prepared
        ]  # fmt: skip
        work[name] = [near, "-m", "benchmarks.scale_near", job, prepared, at(job)]
    return work


def ratio_of(records: dict, ours: list[str], theirs: list[str], seconds: str) -> float | None:
    """Return how many times the rate of the fastest of `theirs` is ours; None without figures."""
    rivals = [records[name][seconds] for name in theirs if name in records]
    if not rivals or not set(ours) <= set(records):
        return None
    return min(rivals) / sum(records[name][seconds] for name in ours)


def without_start(records: dict[str, dict]) -> dict:
    """Return the times by which the largest size that a job was run at exceeds its smallest.

    What is left out is what a process needs to start and load; scaled to a query, so that jobs
    run at different sizes compare.
    """
    left = {}
    for name in {name for size in records for name in records[size]}:
        measured = sorted((size for size in records if name in records[size]), key=int)
        small, large = measured[0], measured[-1]
        n_queries = ALL_QUERIES * (int(large) - int(small)) / 100
        if n_queries:
            left[name] = {
                seconds: (records[large][name][seconds] - records[small][name][seconds]) / n_queries
                for seconds in ("wall", "processor")
            }
    return left


def ratio_table(records: dict[str, dict]) -> str:
    """Return the ratios as a Markdown table: by processor time, in brackets by wall time."""
    columns = {f"{size} %": records[size] for size in sorted(records, key=int)}
    columns["without start"] = without_start(records)
    lines = [
        "| ratio | goal | " + " | ".join(columns) + " |",
        "|---" * (len(columns) + 2) + "|",
    ]
    for name, goal, ours, theirs in RATIOS:
        cells = []
        for used in columns.values():
            by_processor, by_wall = (
                ratio_of(used, ours, theirs, seconds) for seconds in ("processor", "wall")
            )
            cells.append(f"{by_processor:.2f} ({by_wall:.2f})" if by_processor else "")
        lines.append(f"| {name} | {goal} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def table(records: dict[str, dict]) -> str:
    """Return the measurements as a Markdown table, sizes side by side."""
    sizes = sorted({int(size) for size in records})
    names = dict.fromkeys(name for size in sizes for name in records[str(size)])
    names = [name for name in names if not name.startswith("(")]
    lines = [
        "| job | " + " | ".join(f"{size} %" for size in sizes) + " |",
        "|---" * (len(sizes) + 1) + "|",
    ]
    for name in names:
        cells = []
        for size in sizes:
            used = records[str(size)].get(name)
            n_rows = ALL_QUERIES * size // 100
            cells.append(
                f"{n_rows / used['wall']:,.0f} ({n_rows / used['processor']:,.0f}); "
                f"{used['peak']:.2f}"
                if used
                else ""
            )
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def measure_sizes(
    folder: Path, sizes: list[int], base: Path, near: str = "", only: str = ""
) -> dict[str, dict]:
    """Measure the jobs whose name has `only` in it, at sizes in percent; return all records."""
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / "measured.json"
    records = json.loads(store.read_text()) if store.exists() else {}
    for percent in sizes:
        corpus = folder / f"corpus_{percent}.parquet"
        n_queries = ALL_QUERIES * percent // 100
        if not corpus.exists():
            measure([sys.executable, "-m", "benchmarks.scale_corpus", str(corpus), str(n_queries)])
        for name, command in jobs(folder, percent, near, base).items():
            if only not in name:
                continue
            used = measure(command)
            records.setdefault(str(percent), {})[name] = used
            print(f"{percent} %: {name}: {used['wall']:.1f} s, {used['peak']:.2f} GiB", flush=True)
            store.write_text(json.dumps(records))
    return records


def find_twins(folder: Path, near: str, size: int) -> str:
    """Run every near-duplicate tool on planted twins; return what each has found, as a list."""
    source, prepare = folder / "planted", [sys.executable, "-m", "benchmarks.scale_near"]
    measure([*prepare, "plant", str(folder / f"fetch_{size}"), str(source)])
    measure([*prepare, "genlab", str(source), str(folder / "planted_genlab")])
    for job in NEAR_RIVALS:
        unit = "words" if "words" in job else "characters"
        texts, output = str(folder / f"planted_{unit}"), str(folder / f"planted_{job}")
        measure([*prepare, unit, str(source), texts])
        measure([near, "-m", "benchmarks.scale_near", job, texts, output])
    outputs = [str(folder / f"planted_{job}") for job in ("genlab", *NEAR_RIVALS)]
    printed = subprocess.run(
        [*prepare, "recall", str(source), *outputs], check=True, capture_output=True, text=True
    )
    return "".join(f"- {line.removeprefix('planted_')}\n" for line in printed.stdout.splitlines())


def main() -> None:
    """Measure the sizes asked for and write the tables."""
    show_help(__doc__, 2)
    folder, *words = sys.argv[1:]
    settings = {"--tokenizer": str(BASE), "--near": "", "--only": ""}
    settings |= {name: words[words.index(name) + 1] for name in settings if name in words}
    base = Path(settings["--tokenizer"])
    if not (base / "tokenizer.json").exists():
        raise SystemExit(
            f"error: {base}/tokenizer.json: no such file; run `dvc repro` or name a folder with "
            "--tokenizer"
        )
    sizes = [int(word) for word in words if word.isdigit()]
    records = measure_sizes(Path(folder), sizes, base, settings["--near"], settings["--only"])
    twins = Path(folder) / "twins.md"
    if settings["--near"] and not twins.exists():
        twins.write_text(find_twins(Path(folder), settings["--near"], sizes[0]), encoding="utf-8")
    found = twins.read_text(encoding="utf-8") if twins.exists() else "Not run.\n"
    packages = ("polars", "rensa", "datasets", "tokenizers")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    text = (
        "# The data stages at full size\n\n"
        f"Measured {datetime.date.today()} by `python -m benchmarks.scale` on {os.cpu_count()} "
        f"cores ({platform.machine()}), Python {platform.python_version()}, {versions}. 100 % are "
        f"{ALL_QUERIES:,} made queries with ten passages each. A cell is queries per second, in "
        "brackets queries per second of processor time, which is what to compare if the machine "
        "was shared; and the peak memory in GiB.\n\n"
        f"{table(records)}\n\n"
        "## Ratios\n\n"
        "How many times the rate of the other is ours, by processor time, in brackets by wall "
        "time. Without start: from what each job's largest size took more than its smallest.\n\n"
        f"{ratio_table(records)}\n\n"
        "## Near-duplicates\n\n"
        "All tools have 128 hashes in 12 bands of 10. genlab takes 5 characters to a shingle and "
        "checks what the bands propose on the true sets, at 0.9; the others get texts in "
        "comparison form, the same shingles (characters) or words one by one (words), and check "
        "nothing. What they dropped of 4,000 planted twins with up to three characters changed:"
        f"\n\n{found}"
    )
    RESULTS.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
