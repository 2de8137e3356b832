"""claims.yaml and the record's files in any wrong shape: one line that names the file."""

import json

import pytest

from genlab.core import yaml_text
from genlab.core.program import InputError
from genlab.experiments import layout
from genlab.experiments.claims_file import read_claims
from genlab.experiments.layout import read_layout
from genlab.experiments.readme import render
from genlab.experiments.training_seeds import check_trainings
from tests.wrong_shapes import misshapen

PARAMS = {"train": {"seed": 17}, "gen": {"max_len": 9}, "corpus": {"source": "hub"}}
CLAIM = {"claim": "Shorter.", "metric": "place", "a": "main", "b": "short", "expect": "lower"}
ASKED = {
    "rows": {
        "path": "data/rows.parquet",
        "unit": "id",
        "group": "ranker",
        "cluster": "topic",
        "sample": "sample",
        "units_from": "data/units.parquet",
        "shown": ["place"],
        "metrics": {
            "place": {"column": "place", "better": "lower", "margin": 0.1, "bounds": [1, 11]},
            "top": {"column": "top", "better": "higher", "kind": "share"},
            "loss": {
                **{"column": "loss", "better": "lower", "margin": 0.1, "bounds": [0, 9]},
                "per": "training",
            },
        },
    },
    "trainings": {"params": ["train.seed"], "values": [17, 18], "once": ["even"]},
    "arms": {
        "main": {},
        "short": {"gen.max_len": 3},
        "table": {"table": "data/lengths.parquet", "where": {"stop": "forced"}},
        "even": {"value": 0.5},
    },
    "claims": {"shorter": CLAIM | {"why": "Because.", "cannot_differ": {"bm25": "a reason"}}},
    "headlines": ["shorter"],
    "findings": ["shorter"],
    "same_as_root": {"theirs": "shorter"},
    "headline_rows": {"table": "mine", "rows": {"arm": ["x"]}, "columns": ["arm", "loss"]},
    "published": {
        "n": 100,
        "columns": ["place", "top"],
        "chance": {"place": 6.0},
        "tables": {"length": ["main", "short"]},
        "arms": {
            name: {"same_data_and_model": True, "labse": [5.0, 0.5]} for name in ("main", "short")
        },
    },
}
NUMBERS = {"value": 4.5, "low": 4.25, "high": 4.75}
FOUND = {
    **{"difference": -0.5, "low": -0.75, "high": -0.25, "p": 0.01, "p_adjusted": 0.02, "n": 50},
    **{"n_tests": 3, "n_trainings": 2, "n_clusters": 4, "verdict": "supported", "n_needed": 70},
}
RECORD = {
    "claims.json": {
        "arms": {"main": {"labse": {"place": NUMBERS | {"error_from": {"units": 0.5}}}}},
        "claims": {"shorter": {"labse": FOUND}},
    },
    "published.json": {
        "best": {"length": {"labse": {"place": "short"}}},
        "below_chance": {"labse": {"main": ["place"]}},
        "claims": {
            "shorter": {"labse": {"top": {"low": 0.1, "verdict": "agrees, significant"}}},
        },
        "n_tests": 1,
    },
    "score_details.json": {"labse": {"place": NUMBERS | {"chance": 6.0, "texts": NUMBERS}}},
    "probe_details.json": {"labse": {"query_twice": {"place": NUMBERS}}},
    "score_tasks.json": {
        "in_words": {"rte": {"main": {"chance": 0.5, "prompts": 2, "accuracy": NUMBERS}
                             | {"least": 0.1, "most": 0.9}}},
    },
    "examples.json": {
        "middling": {"query": "q", "text": "t", "answer": "a", "n_texts": 9}
        | {"places": {"labse": 3.0}},
    },
    "verified.json": {
        "date": "2020-01-01",
        "commit": "abc",
        "hardware": {"maker": "m", "vector_instructions": "v", "threads": 1},
        "numbers": {"equal": 3, "within": 1},
        "tolerance": 0.02,
        "record": "x",
    },
    "readme/mine.json": {"mine": [["arm", "loss"], ["x", "1"]]},
}  # fmt: skip
TABLES = ("claims", "arms", "references", "published", "probes", "spreads", "verified", "example")
TABLES += ("headlines", "headlines_over_collections", "headline_rows", "tasks", "mine", "verdicts")


@pytest.fixture
def folder(tmp_path):
    """Return a folder whose README wants every table."""
    write(tmp_path / "claims.yaml", ASKED)
    for name, content in RECORD.items():
        write(tmp_path / "metrics" / name, content)
    marks = "".join(f"<!-- {name} -->\n<!-- /{name} -->\n" for name in TABLES)
    (tmp_path / "README.md").write_text(marks)
    return tmp_path


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def test_a_claims_yaml_of_any_wrong_shape_is_one_line_that_names_it(folder, monkeypatch):
    """Read for running its arms, for README, and for the seeds of two sets of runs.

    JSON is YAML, and is read a hundred times faster.
    """
    monkeypatch.setattr(yaml_text, "load_yaml", json.loads)
    path = folder / "claims.yaml"
    read_claims(path, read_layout(path), PARAMS)
    n_refused = 0
    for words, content in misshapen(ASKED):
        write(path, content)
        for read in (
            lambda: read_claims(path, read_layout(path), PARAMS),
            lambda: render(folder),
            lambda: check_trainings(path, layout.read_yaml(path), {"train.seed": 17}),
        ):
            try:
                read()
            except InputError as error:
                n_refused += 1
                assert "claims.yaml" in str(error) and "\n" not in str(error), words
            except Exception as error:
                pytest.fail(f"{words}: {error!r}")
    assert n_refused > 1000


@pytest.mark.parametrize("name", RECORD)
def test_a_file_of_the_record_of_any_wrong_shape_is_one_line_that_names_it(
    folder, monkeypatch, name
):
    monkeypatch.setattr(yaml_text, "load_yaml", json.loads)
    n_refused = 0
    for words, content in misshapen(RECORD[name]):
        write(folder / "metrics" / name, content)
        try:
            render(folder)
        except InputError as error:
            n_refused += 1
            assert name in str(error) or "claims.yaml: headline_rows" in str(error), (words, error)
        except Exception as error:
            pytest.fail(f"{words}: {error!r}")
    assert n_refused > 10
