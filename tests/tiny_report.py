"""A run of three queries under two rankers, with the files that the report stage reads."""

import json
import shutil
from pathlib import Path

import polars as pl

from genlab.core.tables import QUERY_SCHEMA, write_table
from genlab.ranking import places
from genlab.ranking.candidates import SCHEMA
from tests.project_copy import ROOT

# Of every query: id, query, passages (the first is selected if any is), answerable.
QUERIES = [
    ("validation-0-lake", "how deep is lake ulben", True),
    ("validation-1-dog", "weight of the peldrim hound", False),
    ("validation-2-lake", "what flows into lake hovden", True),
]
# Of every query: scores of the three passages, and of the generated text.
SCORES = {
    "labse": [([0.9, 0.5, 0.1], 0.5), ([0.3, 0.2, 0.1], 0.4), ([0.8, 0.7, 0.6], 0.2)],
    "bm25": [([3.0, 2.0, 1.0], 4.0), ([3.0, 2.0, 1.0], 2.5), ([3.0, 2.0, 1.0], 0.0)],
}
# By hand: labse ties with the second passage of the first query.
PLACES = {"labse": [2.5, 1.0, 4.0], "bm25": [1.0, 2.0, 4.0]}

TEXTS = ["Lake Ulben's depth is 40 m.", "the hound runs", "a river of lake hovden"]

REFERENCES = {"chance": 2.5, "floor": 4.0, "ceiling": 1.0}  # of every metric

PIPELINE = """\
plots:
- place against length:
    x: max_len
    y:
      metrics/lengths.json: average_loc
    x_label: new tokens
    template: by_ranker
- training curve:
    x: epoch
    y:
      metrics/train_curve.json: loss
    template: by_split
"""


def write_run(
    folder: Path, scores: dict = SCORES, texts: list[str] = TEXTS, queries: list = QUERIES
) -> None:
    """Write data/, metrics/ and params.yaml into the folder."""
    write_table(folder / "data/dedup.parquet", [query_table(queries)], QUERY_SCHEMA)
    placed, headline, details = [], {}, {}
    for ranker, of_queries in scores.items():
        candidates = candidate_table(queries, [passages for passages, _ in of_queries])
        write_table(folder / f"data/candidates/{ranker}.parquet", [candidates], SCHEMA)
        rows = places.place(
            candidates.drop("floor_score", "empty_score").with_columns(
                score=pl.Series([own for _, own in of_queries], dtype=pl.Float32)
            )
        ).with_columns(ranker=pl.lit(ranker), text=pl.Series(texts))
        placed.append(rows)
        headline[ranker] = places.summarize(rows)
        details[ranker] = {
            metric: {"value": value, "low": value, "high": value, **REFERENCES}
            for metric, value in headline[ranker].items()
            if metric in places.METRICS
        }
    write_table(folder / "data/score.parquet", placed, placed[0].schema)
    lengths = [
        {"ranker": ranker, "max_len": n, "average_loc": 2.0} for ranker in scores for n in (10, 20)
    ]
    headline["texts"] = {"finished_rate": 1.0, "mean_new_tokens": 4.0}
    (folder / "metrics").mkdir()
    for name, content in (
        ("score", headline),
        ("score_details", details),
        ("lengths", lengths),
    ):
        (folder / f"metrics/{name}.json").write_text(json.dumps(content), encoding="utf-8")
    (folder / "params.yaml").write_text("score:\n  seed: 17\n", encoding="utf-8")
    (folder / "dvc.yaml").write_text(PIPELINE, encoding="utf-8")
    shutil.copytree(ROOT / ".dvc/plots", folder / ".dvc/plots")


def query_table(queries: list) -> pl.DataFrame:
    """Return the queries with three passages each."""
    return pl.DataFrame(
        [
            {
                "query_id": query_id,
                "query": query,
                "passages": [
                    {"text": f"passage {i} about {query}", "is_selected": answerable and i == 0}
                    for i in range(3)
                ],
                "split": "validation",
            }
            for query_id, query, answerable in queries
        ],
        schema=QUERY_SCHEMA,
    )


def candidate_table(queries: list, scores: list[list[float]]) -> pl.DataFrame:
    """Return one ranker's candidate rows from the scores of each query's passages."""
    return pl.DataFrame(
        {
            "query_id": [query_id for query_id, _, _ in queries],
            "candidate_scores": scores,
            "candidate_selected": [[q[2] and i == 0 for i in range(3)] for q in queries],
            "floor_score": [0.0] * len(queries),
            "empty_score": [0.0] * len(queries),
        },
        schema=SCHEMA,
    )
