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

from genlab.cleaning import ATTRIBUTES, BLOCK_TAGS, INLINE_TAGS

APART = re.compile(r"<(script|style)\b[^>]*>.*?</\1\s*>", re.I | re.S)
COMMENTS = re.compile(r"<!--.*?-->|<!doctype[^>]*>", re.I | re.S)
BLOCKS, INLINES = (
    re.compile(rf"</?(?:{names.replace(' ', '|')}){ATTRIBUTES}\s*/?>", re.I)
    for names in (BLOCK_TAGS, INLINE_TAGS)
)
ENTITIES = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
BREAKS = re.compile("\r\n?|[\v\f\x85\u2028\u2029]")
CITATIONS = re.compile(r"\[(?:\d+|edit|citation needed)\]", re.I)
INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]"
)
MOJIBAKE = re.compile("[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
APOSTROPHES = re.compile("['\u2019\u02bc]")
PUNCTUATION = re.compile(r"[^\w\s#%$+<=>^`|~]|_")


def repair(match: re.Match) -> str:
    if match[0][0] not in "\xc2\xc3" and not any("\x80" <= c <= "\x9f" for c in match[0]):
        return match[0]
    try:
        return match[0].encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return match[0]


def clean(text: str) -> str:
    """Clean one text by the rules of params.yaml; lines stay lines."""
    text = MOJIBAKE.sub(repair, text)
    if "<" in text:
        text = COMMENTS.sub("", APART.sub("\n", text))
        text = INLINES.sub("", BLOCKS.sub("\n", text))
    if "&" in text:
        text = ENTITIES.sub(lambda match: html.unescape(match[0]), text)
    text = INVISIBLE.sub("", BREAKS.sub("\n", text))
    text = CITATIONS.sub("", unicodedata.normalize("NFC", text))
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def key(text: str) -> str:
    text = APOSTROPHES.sub("", unicodedata.normalize("NFKC", text).lower())
    return " ".join(PUNCTUATION.sub(" ", text).split())


def clean_row(row: dict) -> dict:
    """Clean a query and its passages; drop passages as clean does."""
    query = clean(row["query"]).replace("\n", " ")
    kept, query_words = [], set(key(query).split())
    for passage in row["passages"]:
        text = clean(passage["text"])
        if "{" in text or "}" in text or "lorem ipsum" in text.lower():
            continue
        text = " ".join(
            line
            for line in text.split("\n")
            if "javascript" not in line.lower() and len(line.split()) >= 3
        )
        if 3 <= len(text.split()) <= 1000 and not set(key(text).split()) <= query_words:
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
