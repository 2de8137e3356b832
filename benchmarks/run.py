"""Time the default pipeline as a user meets it, in a fresh clone, and write benchmarks/RESULTS.md.

`make bench`. One run measures everything, so that the numbers belong together: the cold pipeline,
the pipeline with nothing to do, the two experiments that must be cheap, and generation beside what
one would write instead (a call of transformers' generate for every query). Peak memory is that of
the largest single process.
"""

import datetime
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

RESULTS = Path("benchmarks/RESULTS.md")
TIMED_ONE_BY_ONE = 40  # queries; the ratio is of times per query


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
    no_op = min(timed(["dvc", "repro"], folder)[0] for _ in range(3))
    rows.append(("`dvc repro` with nothing to do (best of 3)", f"{no_op:.2f} s", "1 s"))
    added = ["generate_forced", "audit", "probe", "find_leaks", "leakage", "report"]
    seconds, _ = timed(["dvc", "repro", "--force", "--single-item", *added], folder)
    rows.append(
        (f"probes, audit, leakage and report ({', '.join(added)})", f"{seconds:.0f} s", "60 s")
    )
    compared, _ = timed([sys.executable, "-m", "genlab.compare", "HEAD"], folder)
    rows.append(("`python -m genlab.compare HEAD`, 500 queries", f"{compared:.1f} s", ""))
    for change in ("gen.max_len=50", "score.strip_query=false"):
        seconds, output = timed(["dvc", "exp", "run", "-S", change], folder)
        stages = [line.split("'")[1] for line in output.splitlines() if "Running stage" in line]
        rows.append(
            (f"`dvc exp run -S {change}` ({', '.join(stages)})", f"{seconds:.1f} s", "15 s")
        )
        subprocess.run(["git", "checkout", "--quiet", "."], cwd=folder, check=True)
        timed(["dvc", "checkout", "--quiet", "dvc.yaml"], folder)
    return rows


def time_generation(folder: Path) -> list[tuple[str, str, str]]:
    """Return how generation compares with one transformers `generate` call per query."""
    import torch

    from genlab.candidates import evaluated_queries
    from genlab.decoding import Decoding, end_tokens, generate
    from genlab.models import load_causal_model, load_tokenizer
    from genlab.prompts import encode_prompts

    tokenizer = load_tokenizer(folder / "data/train")
    model = load_causal_model(folder / "data/train").eval()
    queries = evaluated_queries(folder / "data/dedup.parquet", 0)
    prompts = encode_prompts(tokenizer, queries["query"].to_list())
    decoding = Decoding(150, 0.8, 50, 1.0, 1, 1.0, 17)

    start = time.perf_counter()
    generate(
        model, prompts, queries["query_id"].to_list(), decoding, end_tokens(model, tokenizer), 64
    )
    per_query = (time.perf_counter() - start) / len(prompts)

    torch.manual_seed(17)
    start = time.perf_counter()
    for prompt in prompts[:TIMED_ONE_BY_ONE]:
        model.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=150,
            do_sample=True,
            temperature=0.8,
            top_k=50,
            pad_token_id=tokenizer.eos_token_id,
        )
    one_by_one = (time.perf_counter() - start) / TIMED_ONE_BY_ONE
    return [
        (
            f"generation, {len(prompts)} queries to 150 tokens, beside one `generate` call a query",
            f"{one_by_one / per_query:.1f} times faster "
            f"({1000 * per_query:.0f} against {1000 * one_by_one:.0f} ms a query)",
            "",
        )
    ]


def main() -> None:
    """Measure, print and write the table."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "clone"
        rows = time_pipeline(folder) + time_generation(folder)
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "dvc"))
    text = "\n".join(
        [
            "# What the default pipeline costs",
            "",
            f"Measured {datetime.date.today()} by `make bench` on {os.cpu_count()} cores "
            f"({platform.machine()}), Python {platform.python_version()}, {packages}.",
            "",
            "| what | measured | goal |",
            "|---|---|---|",
            *(f"| {what} | {measured} | {goal} |" for what, measured, goal in rows),
            "",
        ]
    )
    RESULTS.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
