"""Rankers in processes of their own: the same ratings, and an end to all when one fails."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from genlab.core.files import write_json
from genlab.core.program import InputError
from genlab.core.tables import QUERY_SCHEMA, write_table
from genlab.ranking import bm25
from genlab.ranking.panel import Panel, rate_texts
from genlab.ranking.rankers import load_ranker
from tests.project_copy import ROOT

QUERIES = ["a lake", "a lake", "a hill"]
TEXTS = ["the lake is deep", "nothing", "a hill, a hill"]


@pytest.fixture
def folders(tmp_path) -> dict[str, Path]:
    """Return two BM25 rankers, counted from different collections."""
    made = {}
    for name, passages in {"one": TEXTS, "two": ["lake", "lake lake", "hill"]}.items():
        listed = [[{"text": text, "is_selected": False} for text in passages]]
        table = pl.DataFrame([["q"], ["a"], listed, ["train"]], schema=QUERY_SCHEMA)
        write_table(tmp_path / f"{name}.parquet", [table], QUERY_SCHEMA)
        made[name] = tmp_path / name
        made[name].mkdir()
        bm25.write_collection(tmp_path / f"{name}.parquet", made[name])
        write_json(made[name] / "ranker.json", {"name": name, "kind": "bm25"})
    return made


def test_every_ranker_gives_what_it_gives_in_this_process_in_the_order_asked(folders):
    asked = {name: folders[name] for name in ("two", "one")}
    ratings = rate_texts(asked, 8, QUERIES, TEXTS)
    assert list(ratings) == ["two", "one"]
    for name, (relevance, n_unread) in ratings.items():
        alone = load_ranker(folders[name], 8)
        assert relevance.tolist() == alone.relevance(QUERIES, TEXTS).tolist()
        assert n_unread.tolist() == [0, 0, 0]
    assert ratings["one"].relevance.tolist() != ratings["two"].relevance.tolist()


def test_one_ranker_needs_no_other_process(folders, monkeypatch):
    monkeypatch.setattr("genlab.ranking.panel.ProcessPoolExecutor", None)
    ratings = rate_texts({"one": folders["one"]}, 8, QUERIES, TEXTS)
    assert ratings["one"].relevance.shape == (3,)


def test_the_error_of_one_ranker_is_raised_as_it_is_and_no_process_is_left(folders):
    (folders["two"] / "ranker.json").write_text(json.dumps({"name": "two", "kind": "oracle"}))
    with pytest.raises(InputError, match=r"two/ranker\.json: no ranker's manifest"):
        rate_texts(folders, 8, QUERIES, TEXTS)
    assert multiprocessing.active_children() == []


def test_a_killed_process_is_an_error_that_says_what_to_do(folders, monkeypatch):
    monkeypatch.setattr("genlab.ranking.panel.rate", be_killed)
    with pytest.raises(InputError, match="one, two was killed, most likely for want of memory"):
        rate_texts(folders, 8, QUERIES, TEXTS)


def test_the_processes_end_when_their_parent_is_killed():
    code = (
        "from pathlib import Path; from genlab.ranking import panel; "
        "from tests.ranking.test_panel import linger\n"
        "panel.rate = linger\n"
        "panel.rate_texts({name: Path(name) for name in ('one', 'two')}, 1, [], [])\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    children = wait_for(lambda: children_of(parent.pid))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert wait_for(lambda: not any(map(is_alive, children)))


def be_killed(*_) -> None:
    """Do what the kernel does to a process that takes too much memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def linger(*_) -> None:
    time.sleep(60)


def wait_for(condition):
    """Return what `condition` returns as soon as it is true; fail after 20 seconds."""
    for _ in range(200):
        if found := condition():
            return found
        time.sleep(0.1)
    pytest.fail("waited in vain")


def children_of(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


def is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().split()[2] != "Z"


def test_as_score_stands_for_the_rankers_of_score(tmp_path):
    params = tmp_path / "params.yaml"
    params.write_text("score:\n  rankers: [use, bm25]\n")
    assert Panel(["as_score"], 8).as_in(params) == Panel(["use", "bm25"], 8)
    assert Panel(["labse"], 8).as_in(params) == Panel(["labse"], 8)
    with pytest.raises(InputError, match=r"as_scores: .*params.yaml has no list scores.rankers"):
        Panel(["as_scores"], 8).as_in(params)
