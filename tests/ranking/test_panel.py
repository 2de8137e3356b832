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
from genlab.core.interrupts import GRACE
from genlab.core.program import InputError
from genlab.core.tables import QUERY_SCHEMA, write_table
from genlab.ranking import bm25, panel
from genlab.ranking.panel import Panel, groups_at_once, rate_texts
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
        row = [["q"], ["a"], listed, ["train"], [None], [None]]
        table = pl.DataFrame(row, schema=QUERY_SCHEMA)
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


def test_rankers_of_many_weights_run_alone_after_the_small_ones(folders, monkeypatch):
    asked = {name: folders[name] for name in ("two", "one")}
    assert groups_at_once(asked) == [asked]
    (folders["two"] / "weights.bin").write_bytes(bytes(100_000))
    monkeypatch.setattr(panel, "LARGE_BYTES", 100_000)
    assert groups_at_once(asked) == [{"one": folders["one"]}, {"two": folders["two"]}]
    ratings = rate_texts(asked, 8, QUERIES, TEXTS)
    assert list(ratings) == ["two", "one"]
    monkeypatch.setattr(panel, "LARGE_BYTES", 1 << 26)
    together = rate_texts(asked, 8, QUERIES, TEXTS)
    for name in asked:
        assert ratings[name].relevance.tolist() == together[name].relevance.tolist()


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


# Its processes import it again, and stand still in the middle of their imports.
INTERRUPTED = """\
import sys, time
from pathlib import Path
from genlab.core.program import run, stage_app
from genlab.ranking.panel import rate_texts

app = stage_app()


@app.command()
def main(folders: list[str]):
    rate_texts({folder: Path(folder) for folder in folders}, 8, ["a"], ["b"])


if __name__ == "__main__":
    run(app)
else:
    (Path(__file__).parent / "importing").touch()
    time.sleep(120)
"""


def test_an_interrupt_of_all_processes_is_one_line_while_the_rankers_import(folders, tmp_path):
    """A terminal sends it to the group; tracebacks of the processes' imports would come with it."""
    (tmp_path / "program.py").write_text(INTERRUPTED)
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "program.py", *folders.values()],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for((tmp_path / "importing").exists)
    children = children_of(parent.pid)
    start = time.monotonic()
    os.killpg(parent.pid, signal.SIGINT)
    _, last = parent.communicate(timeout=120)[1].splitlines()  # below "scoring with"
    assert (parent.returncode, last) == (130, "interrupted")
    assert time.monotonic() - start < GRACE - 1
    assert wait_for(lambda: not any(map(is_alive, children)))


def test_the_texts_are_counted_where_they_are_read(folders, capfd):
    """Two of the three texts are equal: what is read once counts for both."""
    rate_texts(folders, 8, QUERIES, ["a lake", "a lake", "a hill"])
    first, last = capfd.readouterr().err.splitlines()
    assert first.endswith(": 6 texts")
    assert last.startswith("scoring with one, two: 6 texts in ")


def be_killed(*_) -> None:
    """Do what the kernel does to a process that takes too much memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def linger(*_) -> None:
    time.sleep(120)


def wait_for(condition):
    """Return what `condition` returns as soon as it is true; fail after a minute."""
    for _ in range(600):
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
