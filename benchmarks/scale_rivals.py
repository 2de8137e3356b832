"""What a user would write instead of clean, dedup and tokenize: one job a process.

    python -m benchmarks.scale_rivals JOB INPUT OUTPUT

`datasets_clean` is `datasets.map` with Python functions and a set of the texts seen, at the rules
of params.yaml, but for two that cost it time and drop nothing on this corpus (queries in both
splits, leaked answers); the same rows come out. `datasets_clean_2` gives its maps two processes;
the set needs one. `bare_encoder` is the `tokenizers` library alone, on the texts and with the
options of tokenize; OUTPUT is the folder of tokenizer.json.
"""

import html
import re
import shutil
import sys
import unicodedata
from pathlib import Path

from benchmarks import show_help
from genlab.text.rules import ATTRIBUTES, BLOCK_TAGS, INLINE_TAGS

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


def datasets_clean(source: Path, output: Path, n_processes: int | None) -> None:
    """Clean, then drop exact duplicates: of queries, and of passages within a list."""
    from datasets import load_dataset

    cache = str(output) + ".cache"
    shutil.rmtree(cache, ignore_errors=True)  # else nothing is computed a second time
    rows = load_dataset("parquet", data_files=str(source), split="train", cache_dir=cache)
    rows = rows.map(clean_row, num_proc=n_processes)
    seen = set()

    def is_new(row: dict) -> bool:
        is_first = (form := key(row["query"])) not in seen
        seen.add(form)
        return is_first and bool(row["passages"])

    def first_passages(row: dict) -> dict:
        # Of equal passages a selected one is kept before any other, then the first.
        passages, unique = row["passages"], {}
        for place in sorted(range(len(passages)), key=lambda i: not passages[i]["is_selected"]):
            unique.setdefault(key(passages[place]["text"]), place)
        return {"passages": [passages[place] for place in sorted(unique.values())]}

    rows.filter(is_new).map(first_passages, num_proc=n_processes).to_parquet(str(output))


def bare_encoder(source: Path, folder: Path) -> None:
    """Encode the queries and the selected passages, a thousand at a time, into lists of ids."""
    import polars as pl
    from tokenizers import Tokenizer

    from genlab.passages.documents import selected_texts

    documents = selected_texts(pl.read_parquet(source))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    prompts = [query + "\n" for query in documents["query"].to_list()]
    for texts, special in ((prompts, True), (documents["body"].to_list(), False)):
        for start in range(0, len(texts), 1_000):
            encoded = tokenizer.encode_batch_fast(
                texts[start : start + 1_000], add_special_tokens=special
            )
            [each.ids for each in encoded]


if __name__ == "__main__":
    show_help(__doc__, 3)
    job, source, output = sys.argv[1:]
    source, output = Path(source), Path(output)
    match job:
        case "datasets_clean":
            datasets_clean(source, output, None)
        case "datasets_clean_2":
            datasets_clean(source, output, 2)
        case "bare_encoder":
            bare_encoder(source, output)
