"""Near-duplicate queries found by genlab and by what can be installed, at the same settings.

    python -m benchmarks.scale_near JOB INPUT OUTPUT [OUTPUT ...]

`words` and `characters` write the queries' comparison forms for the others, of which every blank
separates two units: words, or characters ("how deep" is "h o w _ d e e p"), so that 5 units are
the shingles of params.yaml. `genlab` takes the fetched queries, `datatrove` and `text_dedup` what
`characters` wrote, `datatrove_words` and `text_dedup_words` what `words` wrote (1 unit: a word is
about 5 characters). All have 128 hashes in 12 bands of 10, as a threshold of 0.9 gives genlab.
OUTPUT holds the query_ids of the queries kept. `plant` writes longer queries (two of the corpus's,
on end), each with a twin in which up to three characters are changed; `recall` reads them and
prints, for every OUTPUT of theirs, how many of the twins of 0.9 or more it has dropped.

datatrove and text-dedup are imported from wherever this Python has them. datatrove splits into
words with spaCy; here at blanks, which is faster.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks import show_help

SHINGLE_CHARS, NUM_PERM, THRESHOLD = 5, 128, 0.9
BANDS, ROWS = 12, 10  # genlab.text.minhash.rows_per_band(THRESHOLD, NUM_PERM)


def write_units(source: Path, output: Path, unit: str) -> None:
    """Write query_id and text, the comparison form with its units set apart by blanks."""
    import polars as pl

    from genlab.text.normal_form import key_expression

    key = key_expression(pl.col("query"))
    if unit == "characters":
        key = key.str.replace_all(" ", "_").str.replace_all("(.)", "$1 ").str.strip_chars_end(" ")
    pl.read_parquet(source, columns=["query_id", "query"]).select(
        "query_id", text=key
    ).write_parquet(output)


def genlab(source: Path, output: Path) -> None:
    """Find near-duplicate queries as the dedup stage does, at params.yaml's values."""
    import polars as pl

    from genlab.passages.duplicates import Rules, find_query_fates
    from genlab.text.normal_form import key_expression

    table = pl.read_parquet(source, columns=["query_id", "query", "split"])
    queries = table.select(
        "split", key=key_expression(pl.col("query")), row=pl.int_range(pl.len(), dtype=pl.UInt32)
    )
    fates = find_query_fates(
        queries, Rules(THRESHOLD, 1.0, True, SHINGLE_CHARS, True, NUM_PERM, 17)
    )
    table.filter(fates.is_null()).select("query_id").write_parquet(output)


def datatrove(source: Path, output: Path, n_units: int) -> None:
    """Run datatrove's four MinHash stages on one core."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import minhash
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.writers import ParquetWriter

    class Blanks:
        def word_tokenize(self, text: str) -> list[str]:
            return text.split(" ")

    minhash.load_word_tokenizer = lambda language: Blanks()
    minhash.simplify_text = lambda text, config: text  # it is in comparison form already
    config = minhash.MinhashConfig(n_grams=n_units, num_buckets=BANDS, hashes_per_bucket=ROWS)
    work = Path(f"{output}.work")
    shutil.rmtree(work, ignore_errors=True)
    reader = ParquetReader(str(source), text_key="text", id_key="query_id")
    for pipeline, tasks in (
        ([reader, minhash.MinhashDedupSignature(f"{work}/signatures", config=config)], 1),
        (
            [minhash.MinhashDedupBuckets(f"{work}/signatures", f"{work}/buckets", config=config)],
            BANDS,
        ),
        ([minhash.MinhashDedupCluster(f"{work}/buckets", f"{work}/out", config=config)], 1),
        ([reader, minhash.MinhashDedupFilter(f"{work}/out"), ParquetWriter(f"{work}/kept")], 1),
    ):
        LocalPipelineExecutor(
            pipeline, tasks=tasks, workers=1, logging_dir=f"{work}/logs/{len(pipeline)}_{tasks}"
        ).run()
    write_ids(sorted((work / "kept").glob("*.parquet")), output, "id")


def text_dedup(source: Path, output: Path, n_units: int) -> None:
    """Run text-dedup's minhash program in one process."""
    work = Path(f"{output}.work")
    shutil.rmtree(work, ignore_errors=True)
    options = {
        "path": "parquet", "data_files": source, "split": "train", "cache_dir": work / "cache",
        "output": work / "kept", "column": "text", "ngram": n_units, "min_length": 1,
        "num_perm": NUM_PERM, "b": BANDS, "r": ROWS, "hash_func": "xxh3", "num_proc": 1,
        "batch_size": 10_000,
    }  # fmt: skip
    words = [f"--{name}={value}" for name, value in options.items()]
    subprocess.run([sys.executable, "-m", "text_dedup.minhash", *words], check=True)
    write_ids(sorted((work / "kept").glob("*.arrow")), output, "query_id")


def write_ids(files: list[Path], output: Path, column: str) -> None:
    """Write the query_ids in Parquet or Arrow files as one Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = [
        pq.read_table(file) if file.suffix == ".parquet" else pa.ipc.open_stream(file).read_all()
        for file in files
    ]
    ids = [table.select([column]).rename_columns(["query_id"]) for table in tables]
    pq.write_table(pa.concat_tables(ids), output)


def plant(source: Path, output: Path) -> None:
    """Write 4,000 long queries, each followed by its twin."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(17)
    queries = pl.read_parquet(source, columns=["query"])["query"]
    rows = []
    for number in range(4_000):
        text = f"{queries[2 * number]} {queries[2 * number + 1]}".lower()
        twin = list(text)
        for place in rng.integers(len(text), size=rng.integers(1, 4)):
            twin[place] = "x"
        rows += [(f"{number}", text), (f"{number}_twin", "".join(twin))]
    pl.DataFrame(rows, schema=["query_id", "query"], orient="row").with_columns(
        split=pl.lit("train")
    ).write_parquet(output)


def print_recall(source: Path, outputs: list[Path]) -> None:
    """Print for every output how many twins of THRESHOLD, and how many others, were dropped."""
    import numpy as np
    import polars as pl

    from genlab.text.minhash import Shingles, true_similarities
    from genlab.text.normal_form import key_expression

    table = pl.read_parquet(source).with_columns(key=key_expression(pl.col("query")))
    pairs = np.arange(table.height).reshape(-1, 2)
    similarity = true_similarities(pairs, table["key"], table["key"], Shingles(SHINGLE_CHARS, True))
    for output in outputs:
        is_kept = table["query_id"].is_in(pl.read_parquet(output)["query_id"].implode())
        is_broken = ~is_kept.to_numpy().reshape(-1, 2).all(axis=1)
        counts = [
            f"{np.count_nonzero(is_broken & is_meant):,} of {np.count_nonzero(is_meant):,}"
            for is_meant in (similarity >= THRESHOLD, similarity < THRESHOLD)
        ]
        print(f"{output.name}: twins of {THRESHOLD} or more {counts[0]}, of less {counts[1]}")


if __name__ == "__main__":
    show_help(__doc__, 3)
    job, source, *outputs = sys.argv[1:]
    source, output = Path(source), Path(outputs[0])
    match job:
        case "words" | "characters":
            write_units(source, output, job)
        case "plant":
            plant(source, output)
        case "genlab":
            genlab(source, output)
        case "datatrove" | "datatrove_words":
            datatrove(source, output, 1 if "words" in job else SHINGLE_CHARS)
        case "text_dedup" | "text_dedup_words":
            text_dedup(source, output, 1 if "words" in job else SHINGLE_CHARS)
        case "recall":
            print_recall(source, [Path(each) for each in outputs])
