"""Asking every arm for a review, on a page."""

from pathlib import Path

import polars as pl

from genlab.core.tables import write_table
from genlab.text.classifier import load_classifier
from pipelines.reviews import ask
from pipelines.reviews.schemas import GENERATE_SCHEMA
from tests.pipelines.reviews.tiny_reviews import make_table, run_classify
from tests.tiny_t5 import save_t5

DECODING = {
    **{"cap": 12, "temperature": 0.8, "top_k": 0, "top_p": 1.0, "num_beams": 2},
    **{"repetition_penalty": 1.0, "seed": 17},
}


def write_requests(path: Path) -> None:
    rows = [
        {"text_id": f"{rating}/{arm}", "review_id": f"{rating}", "arm": arm, "decoding": "study"}
        | {"rubrics": ["кафе"], "rating": rating, "keywords": ["зал"], "tokens": [5]}
        | {"prompt": f"кафе, {rating}, зал", "finished": True, "text": "зал"}
        for arm in ("full", "lora")
        for rating in (4, 1, 2)
    ]
    table = pl.DataFrame(rows, GENERATE_SCHEMA)
    write_table(path, [table], GENERATE_SCHEMA)


def test_every_arm_writes_a_review_and_the_classifier_reads_its_stars(tmp_path):
    run_classify(tmp_path, make_table())
    write_requests(tmp_path / "generate.parquet")
    folders = {
        arm: save_t5(tmp_path / arm, seed=seed, scale=0.3)  # with 1.0 it ends at once
        for seed, arm in enumerate(("full", "lora"))
    }
    options = {
        "tokenize": {"max_prompt_tokens": 16},
        "generate": DECODING | {"output": tmp_path / "generate.parquet"},
        "score": {"classifiers": tmp_path / "classify"},
    }
    asking = ask.make_asking(options, folders)
    assert asking.models == ["full", "lora"]
    assert asking.examples == ["кафе, 1, зал", "кафе, 2, зал", "кафе, 4, зал"]
    text, [stars] = asking.answer("full", "кафе, 1, зал", 0)
    [read] = load_classifier(tmp_path / "classify", "rating").predict([text])
    assert stars == ("" if read is None else str(read))
    assert asking.answer("full", "кафе, 1, зал", 0) == (text, [stars])
    assert asking.answer("full", "кафе, 1, зал", 1)[0] != text
    assert asking.answer("lora", "кафе, 1, зал", 0)[0] != text
    assert asking.answer("full", "зал " * 500, 0)[0]  # a request too long is cut, as in training


def test_without_a_run_there_are_no_examples(tmp_path):
    assert ask.requests(tmp_path / "generate.parquet") == []
