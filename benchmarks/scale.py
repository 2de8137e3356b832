"""Measure the data stages on a made corpus of MS MARCO's size, beside what one would write instead.

    python -m benchmarks.scale FOLDER 1 10 100 --tokenizer TOKENIZER [--rivals PYTHON]

The numbers are percent of 808,731 queries with ten passages each. FOLDER takes the corpora (1.3 GB
at 100 %) and what is made of them, and is kept. TOKENIZER is a folder with GPT-2's tokenizer.json,
PYTHON an interpreter that has datatrove: without it the ways of others are left out. Every job is
a process of its own; wall time, processor time and peak memory are measured (not of children that
datatrove starts). The table is merged into benchmarks/SCALE.md: sizes not named keep their rows.
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

ALL_QUERIES = 808_731
RESULTS = Path("benchmarks/SCALE.md")
RIVALS_UP_TO = 10  # percent: the time of the others is proportional to the rows
BARE = """\
import sys, polars as pl
from tokenizers import Tokenizer
from genlab.documents import selected_texts
documents = selected_texts(pl.read_parquet(sys.argv[1]))
tokenizer = Tokenizer.from_file(sys.argv[2] + "/tokenizer.json")
for column in ("query", "body"):
    texts = documents[column].to_list()
    for start in range(0, len(texts), 1000):
        tokenizer.encode_batch_fast(texts[start : start + 1000])
"""


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


def jobs(folder: Path, percent: int, rivals: str | None, base: Path) -> dict[str, list[str]]:
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
        "tokenize: tokenizers' batch encoder alone": [
            sys.executable, "-c", BARE, at("dedup"), str(base),
        ],
        "near-duplicate queries": [*stage, rival, "genlab_near", at("fetch"), at("near")],
    }  # fmt: skip
    if rivals and percent <= RIVALS_UP_TO:
        work["clean + exact dedup: datasets.map and a set"] = [
            *stage, rival, "datasets_clean", at("fetch"), at("datasets")
        ]  # fmt: skip
        work["near-duplicate queries: datatrove"] = [
            rivals, "-m", rival, "datatrove", at("fetch"), at("datatrove")
        ]  # fmt: skip
    return work


def table(records: dict[str, dict]) -> str:
    """Return the measurements as a Markdown table, sizes side by side."""
    sizes = sorted({int(size) for size in records})
    names = list(dict.fromkeys(name for size in sizes for name in records[str(size)]))
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


def main() -> None:
    """Measure the sizes asked for and write the table."""
    folder, *words = sys.argv[1:]
    rivals = words[words.index("--rivals") + 1] if "--rivals" in words else None
    folder, base = Path(folder), Path(words[words.index("--tokenizer") + 1])
    store = folder / "measured.json"
    records = json.loads(store.read_text()) if store.exists() else {}
    for percent in [int(word) for word in words if word.isdigit()]:
        corpus = folder / f"corpus_{percent}.parquet"
        n_queries = ALL_QUERIES * percent // 100
        if not corpus.exists():
            measure([sys.executable, "-m", "benchmarks.scale_corpus", str(corpus), str(n_queries)])
        for name, command in jobs(folder, percent, rivals, base).items():
            used = measure(command)
            records.setdefault(str(percent), {})[name] = used
            print(f"{percent} %: {name}: {used['wall']:.1f} s, {used['peak']:.2f} GiB", flush=True)
            store.write_text(json.dumps(records))
    packages = ("polars", "rensa", "datasets", "tokenizers")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    text = (
        "# The data stages at full size\n\n"
        f"Measured {datetime.date.today()} by `python -m benchmarks.scale` on {os.cpu_count()} "
        f"cores ({platform.machine()}), Python {platform.python_version()}, {versions}. 100 % are "
        f"{ALL_QUERIES:,} made queries with ten passages each. A cell is queries per second, in "
        "brackets queries per second of processor time, which is what to compare if the machine "
        "was shared; and the peak memory in GiB.\n\n"
        f"{table(records)}\n"
    )
    RESULTS.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
