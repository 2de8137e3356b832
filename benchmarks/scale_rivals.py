"""What a user would write instead of clean and dedup, for benchmarks/scale.py: one job a process.

    python -m benchmarks.scale_rivals JOB INPUT OUTPUT

`datasets_clean` is `datasets.map` with Python functions and a set of the texts seen, at the same
rules as params.yaml's. `datatrove` and `text_dedup` find near-duplicate queries; they are imported
from wherever this Python has them.
"""

import html
import re
import sys
import unicodedata
from pathlib import Path

TAGS = re.compile(r"</?(?:a|b|br|div|em|i|li|p|span|strong|td|tr|ul)(?:\s[^<>]*)?/?>", re.I)
CITATIONS = re.compile(r"\[(?:\d+|edit|citation needed)\]", re.I)
INVISIBLE = re.compile(r"[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\ufeff]")
MOJIBAKE = re.compile("[\u00c2-\u00df][\u0080-\u00bf]|[\u00e0-\u00ef][\u0080-\u00bf]{2}")
PUNCTUATION = re.compile(r"[^\w\s#%$+]")


def repair(match: re.Match) -> str:
    try:
        return match[0].encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return match[0]


def clean(text: str) -> str:
    """Clean one text by the rules of params.yaml."""
    text = html.unescape(TAGS.sub("\n", MOJIBAKE.sub(repair, text)))
    text = unicodedata.normalize("NFC", INVISIBLE.sub("", text))
    text = CITATIONS.sub("", text)
    lines = (" ".join(line.split()) for line in text.split("\n"))
    lines = [line for line in lines if len(line.split()) >= 3 and "javascript" not in line.lower()]
    return " ".join(lines)


def key(text: str) -> str:
    return " ".join(PUNCTUATION.sub(" ", unicodedata.normalize("NFKC", text).lower()).split())


def clean_row(row: dict) -> dict:
    """Clean a query and its passages; drop passages as clean does."""
    query = " ".join(row["query"].split())
    kept, words = [], set(key(query).split())
    for passage in row["passages"]:
        text = clean(passage["text"])
        n_words = len(text.split())
        if "{" in text or "}" in text or "lorem ipsum" in text.lower():
            continue
        if 3 <= n_words <= 1000 and set(key(text).split()) - words:
            kept.append({"text": text, "is_selected": passage["is_selected"]})
    return {"query": query, "passages": kept}


def datasets_clean(source: Path, output: Path) -> None:
    """Clean, then drop exact duplicates: of queries, and of passages within a list."""
    from datasets import load_dataset

    rows = load_dataset(
        "parquet", data_files=str(source), split="train", cache_dir=str(output) + ".cache"
    )
    rows = rows.map(clean_row)
    seen = set()

    def is_new(row: dict) -> bool:
        is_first = (form := key(row["query"])) not in seen
        seen.add(form)
        return is_first and bool(row["passages"])

    def first_passages(row: dict) -> dict:
        unique = {key(passage["text"]): passage for passage in reversed(row["passages"])}
        return {"passages": list(reversed(unique.values()))}

    rows.filter(is_new).map(first_passages).to_parquet(str(output))


def datatrove(source: Path, output: Path) -> None:
    """Find near-duplicate queries with datatrove's four MinHash stages, 14 bands of 8 rows."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.writers import ParquetWriter

    config = MinhashConfig(n_grams=3, num_buckets=14, hashes_per_bucket=8)
    reader = ParquetReader(str(source), text_key="query", id_key="query_id")
    for pipeline, tasks in (
        ([reader, MinhashDedupSignature(f"{output}/signatures", config=config)], 1),
        ([MinhashDedupBuckets(f"{output}/signatures", f"{output}/buckets", config=config)], 14),
        ([MinhashDedupCluster(f"{output}/buckets", f"{output}/removed", config=config)], 1),
        ([reader, MinhashDedupFilter(f"{output}/removed"), ParquetWriter(f"{output}/kept")], 1),
    ):
        LocalPipelineExecutor(pipeline, tasks=tasks, logging_dir=f"{output}/logs").run()


def genlab_near(source: Path, output: Path) -> None:
    """Find near-duplicate queries as the dedup stage does, at params.yaml's values."""
    import polars as pl

    from genlab.duplicates import Rules, find_query_fates
    from genlab.text import key_expression

    queries = pl.read_parquet(source).select(
        "split", key=key_expression(pl.col("query")), row=pl.int_range(pl.len(), dtype=pl.UInt32)
    )
    fates = find_query_fates(queries, Rules(0.9, 0.9, True, 5, 128, 17))
    pl.DataFrame({"fate": fates}).write_parquet(output)


if __name__ == "__main__":
    job, source, output = sys.argv[1:]
    {"datasets_clean": datasets_clean, "datatrove": datatrove, "genlab_near": genlab_near}[job](
        Path(source), Path(output)
    )
