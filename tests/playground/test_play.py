"""The play page: a text's place is the run's, the buttons are the probes, all text is text."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from starlette.testclient import TestClient

from genlab.core.program import InputError
from genlab.core.stand_ins import shown_name
from genlab.core.tables import read_table
from genlab.playground import loaded_run
from genlab.playground.flagship import as_playable
from genlab.playground.loaded_run import LoadedRun, load_rankers, load_run
from genlab.playground.placed_texts import placed
from genlab.playground.play import PAGE
from genlab.playground.playable import Judge, check_scored
from genlab.playground.routes import play_routes
from genlab.ranking import places
from genlab.ranking.candidates import passages_of_others
from genlab.ranking.probes import make_texts
from genlab.ranking.rankers import Ranker, RankerKind, load_ranker
from genlab.sources.ranker_folders import read_json
from genlab.web.server import TOKEN_HEADER, page_app
from genlab.web.streams import Streams
from tests.browser import chromium, trouble_of  # noqa: F401
from tests.playground.tiny_play import HOSTILE, TOKEN, asked, client_of, make_run, playing
from tests.project_copy import ROOT
from tests.query_tables import table
from tests.ranking.test_rankers import describe, save_static_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("play") / "project"
    make_run(folder)
    return folder


@pytest.fixture(scope="module")
def run(folder) -> LoadedRun:
    before = Path.cwd()
    os.chdir(folder)
    try:
        return load_run()
    finally:
        os.chdir(before)


@pytest.fixture(scope="module")
def client(run) -> TestClient:
    return client_of({"": as_playable(run)})


# ---- places


def test_a_place_counts_who_is_above_and_halves_ties():
    """Worked out by hand: above 0.5 stand 0.9 and 0.7, one ties with it, 0.1 is below."""
    ranker = Ranker(
        "mine",
        RankerKind.bm25,
        lambda queries, texts: np.array([0.5], np.float32),
        lambda texts: np.array([3], np.int32),
    )
    candidates = pl.DataFrame(
        {
            "query_id": ["q"],
            "candidate_scores": [[0.1, 0.9, 0.5, 0.7]],
            "candidate_selected": [[False, False, True, False]],
        },
        schema_overrides={"candidate_scores": pl.List(pl.Float32)},
    )
    found = placed(Judge("mine (mini)", ranker, candidates), "a query", 0, "a text")
    assert (found["name"], found["place"], found["n_texts"]) == ("mine (mini)", 3.5, 5)
    assert (found["n_tied"], found["unread"]) == (1, 3)
    assert [number for number, _ in found["list"]] == [1, 3, None, 2, 0]
    assert [round(score, 3) for _, score in found["list"]] == [0.9, 0.7, 0.5, 0.5, 0.1]


def test_the_runs_own_text_stands_where_the_stage_score_puts_it(run, client, folder):
    for number in range(2):
        shown = asked(client, "/query", query=number)
        row = run.queries.row(number, named=True)
        assert shown["passages"] == [[p["text"], p["is_selected"]] for p in row["passages"]]
        answer = asked(client, "/place", query=number, text=shown["text"])
        for judge, found in zip(run.judges, answer["rankers"], strict=True):
            score = judge.ranker.relevance([row["query"]], [shown["text"]])
            scored = judge.candidates[[number]].with_columns(score=pl.Series(score))
            assert found["place"] == places.place(scored)["location"][0]


def test_a_real_passage_ties_with_itself(client):
    answer = asked(client, "/place", query=0, text="the old stone is north")
    for ranker in answer["rankers"]:
        assert (ranker["place"], ranker["n_tied"], ranker["n_texts"]) == (1.5, 1, 4)


def test_a_stand_in_is_named_as_one_and_a_ranker_that_counts_words_is_none(tmp_path):
    for source, kind, label in (
        ("mini", "tensorflow_hub", "use (mini)"),
        ("mini", "bm25", "use"),
        ("hub", "tensorflow_hub", "use"),
    ):
        (tmp_path / "ranker.json").write_text(json.dumps({"source": source, "kind": kind}))
        assert shown_name("use", read_json(tmp_path / "ranker.json")) == label


def test_what_was_asked_before_is_not_encoded_again_and_the_score_is_the_same(
    tmp_path, monkeypatch
):
    from sentence_transformers import SentenceTransformer

    folder = describe(tmp_path / "hand", "sentence_transformer")
    save_static_model(folder / "model")
    queries = table(
        ("validation", "red", ["dark", ("red",)]), ("validation", "blue", ["dark", ("blue",)])
    )
    scores = [[0.6, 1.0], [0.8, 1.0]]
    candidates = queries.select("query_id").with_columns(
        candidate_scores=pl.Series(scores, dtype=pl.List(pl.Float32)),
        candidate_selected=pl.Series([[False, True]] * 2),
    )
    without = load_ranker(folder, batch_size=2)
    encoded: list[tuple[str, list[str]]] = []
    for name in ("encode_query", "encode_document"):

        def note(self, texts, *, name=name, encode=getattr(SentenceTransformer, name), **options):
            encoded.append((name, texts))
            return encode(self, texts, **options)

        monkeypatch.setattr(SentenceTransformer, name, note)
    [(label, ranker)] = load_rankers({"hand": folder}, 2).values()
    judge = Judge(label, ranker, candidates)
    encoded.clear()
    typed = [(0, "blue"), (0, "blue dark"), (0, "blue"), (1, "blue"), (1, "red"), (0, "red")]
    for number, text in typed:
        query = queries["query"][number]
        found = dict(placed(judge, query, number, text)["list"])[None]
        assert found == without.relevance([query], [text])[0]
    assert encoded == [
        ("encode_query", ["red"]),
        ("encode_document", ["blue"]),
        ("encode_document", ["blue dark"]),
        ("encode_query", ["blue"]),
        ("encode_document", ["red"]),
    ]


# ---- what the buttons do


def altered(client: TestClient, button: str, text: str, n: int = 1, draw: int = 0) -> str:
    return asked(client, "/alter", query=0, text=text, button=button, n=n, draw=draw)["text"]


def test_the_buttons_do_what_they_say(client):
    query, text = "where is the old stone", "One tower is red. Another is blue."
    assert altered(client, "query_repeated_1", text) == f"{query} {text}"
    assert altered(client, "query_repeated_3", text) == f"{query} {query} {query} {text}"
    assert altered(client, "query_at_end", text) == f"{text} {query}"
    middle = f"One tower is {query} red. Another is blue."
    assert altered(client, "query_in_middle", text) == middle
    assert altered(client, "lead_sentence", text) == "One tower is red."
    assert altered(client, "cut_words", text, 3) == "One tower is"
    assert altered(client, "cut_words", text, 300) == text
    assert altered(client, "cut_tokens", text, 300) == text
    cut = altered(client, "cut_tokens", text, 4)
    assert text.startswith(cut) and 0 < len(cut) < len(text)
    shuffled = altered(client, "words_shuffled", text)
    assert shuffled != text and sorted(shuffled.split()) == sorted(text.split())
    again = [altered(client, "words_shuffled", text, draw=draw) for draw in range(6)]
    assert again[0] == shuffled and len(set(again)) > 1


def test_pressed_on_the_random_passage_every_button_makes_the_text_that_the_stage_probe_placed(
    run, client
):
    passages = passages_of_others(run.queries, 17).to_list()
    texts, _ = make_texts(run.queries, passages, run.models["base"][0], run.repeats, [], run.seed)
    buttons = [name for name, _ in asked(client, "/about")[0]["buttons"] if name in texts]
    assert len(buttons) == 9 + 1  # three numbers of repeats, six others, and a lead sentence
    for name in set(buttons) - {"lead_sentence"}:
        assert altered(client, name, passages[0]) == texts[name][0], name


def test_a_text_that_would_grow_without_end_and_an_unknown_button_are_refused(client):
    body = {"query": 0, "text": "a" * 19_990, "button": "query_at_end", "n": 1, "draw": 0}
    reply = client.post("/alter", json=body)
    assert reply.status_code == 400 and "20,000 characters" in reply.json()["error"]
    reply = client.post("/alter", json=body | {"text": "a", "button": "passages"})
    assert reply.status_code == 400 and reply.json()["error"] == "passages is no button"


# ---- what the models write


def lines(client: TestClient, model: str, draw: int) -> list[dict]:
    reply = client.post("/write", json={"query": 1, "model": model, "draw": draw})
    return [json.loads(line) for line in reply.text.splitlines()]


def test_the_first_text_of_the_runs_model_is_the_runs_own_and_it_grows(run, client):
    said = lines(client, "tuned", 0)
    assert said[-1] == {"text": run.texts["q1"], "done": True}
    assert 1 < len(said) <= 9  # a token each, of eight, and the end
    assert all(said[-1]["text"].startswith(each["text"]) for each in said)
    assert lines(client, "tuned", 0) == said
    assert lines(client, "tuned", 1)[-1]["text"] != said[-1]["text"]
    assert lines(client, "base", 0)[-1]["text"] != said[-1]["text"]


# ---- requests


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/place", {}),
        ("/place", {"query": 2, "text": "a"}),
        ("/place", {"query": -1, "text": "a"}),
        ("/place", {"query": True, "text": "a"}),
        ("/place", {"query": 0, "text": "a" * 20_001}),
        ("/place", {"query": 0, "text": None}),
        ("/place", {"query": 0, "text": "\ud800"}),
        ("/query", {"query": 1.5}),
        ("/find", {"words": 1}),
        ("/write", {"query": 0, "model": "other", "draw": 0}),
        ("/write", {"query": 0, "model": "tuned", "draw": 2**80}),
        ("/alter", {"query": 0, "text": "a", "button": "cut_words", "n": 0, "draw": 0}),
    ],
)
def test_a_request_that_cannot_be_is_refused_with_a_reason(client, path, body):
    reply = client.post(path, content=json.dumps(body))
    assert reply.status_code == 400 and reply.json()["error"], reply.text


def test_nothing_is_answered_without_the_token_or_for_another_host(run):
    app = page_app(PAGE, play_routes({"": as_playable(run)}, Streams()), TOKEN, 8000)
    here = TestClient(app, base_url="http://127.0.0.1:8000")
    assert here.get("/").status_code == 200
    for path in ("/about", "/find", "/query", "/place", "/alter", "/write"):
        assert here.post(path, json={}).status_code == 403
        assert here.get(path, headers={TOKEN_HEADER: TOKEN}).status_code == 405
    other = TestClient(app, base_url="http://evil.example:8000", headers={TOKEN_HEADER: TOKEN})
    assert other.get("/").status_code == other.post("/about").status_code == 403


def test_queries_are_found_by_all_their_words(client):
    assert asked(client, "/find", words="") == {
        "n": 2,
        "found": [[0, "where is the old stone"], [1, "who built the bridge"]],
    }
    assert asked(client, "/find", words="BRIDGE who")["found"] == [[1, "who built the bridge"]]
    assert asked(client, "/find", words="bridge stone")["n"] == 0


# ---- a run that is not whole


def test_what_is_missing_is_one_line_that_says_to_run_dvc_repro(folder, run, monkeypatch):
    monkeypatch.chdir(folder)
    moved = folder / "data/elsewhere"
    for path in ("data/candidates", "data/train", "data/dedup.parquet"):
        (folder / path).rename(moved)
        try:
            with pytest.raises(InputError, match=rf"{path}.*not there; run `dvc repro`"):
                load_run()
        finally:
            moved.rename(folder / path)
    monkeypatch.setattr(loaded_run, "check_scored", lambda *_: pytest.fail("must be called late"))
    scored = folder / "data/candidates/second_judge.parquet"
    rows, kept = read_table(scored), scored.read_bytes()
    rows[:1].write_parquet(scored)
    try:
        with pytest.raises(InputError, match=r"no candidate scores for query q1.*dvc repro"):
            load_run()
    finally:
        scored.write_bytes(kept)


def test_scores_of_other_passages_are_noticed(run):
    shorter = run.queries.with_columns(pl.col("passages").list.head(2))
    real = {judge.label: judge.candidates for judge in run.judges}
    check_scored(run.queries, real)
    with pytest.raises(InputError, match="first_judge has scored other passages; run `dvc repro`"):
        check_scored(shorter, real)


def test_elsewhere_the_program_says_where_it_belongs_in_one_line(tmp_path):
    others = (path.parent for path in ROOT.glob("pipelines/*/dvc.yaml"))
    other = next(folder for folder in others if not (folder / "play.py").is_file())
    for place, words in (
        (tmp_path, "error: no dvc.yaml here; run this in the folder of a pipeline\n"),
        (other, "error: `genlab play` needs a run with the stages generate, "),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "genlab", "play"],
            cwd=place,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1 and done.stderr.startswith(words), done.stderr
        assert done.stderr.count("\n") == 1


# ---- the page in a browser


def test_the_page_places_what_is_typed_alters_it_and_lets_a_model_write(chromium, folder):  # noqa: F811
    from playwright.sync_api import expect

    expect.set_options(timeout=120_000)
    with playing(folder) as (process, address):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/#[\w-]{32}", address)
        page = chromium.new_page()
        page.set_default_timeout(120_000)
        trouble = trouble_of(page)
        page.goto(address)
        text, places = page.locator("#text"), page.locator("#places")
        rankers = page.locator(".ranker")
        expect(rankers).to_have_count(2)
        assert page.title() == "genlab play"

        text.fill("the old stone is north")
        expect(places).to_have_text("first_judge 1.5 · second_judge 1.5")
        expect(rankers.first.locator("li")).to_have_count(4)
        expect(rankers.first).to_contain_text("tied with 1")
        expect(rankers.first.locator("li.ours")).to_contain_text("your text")
        expect(rankers.first).to_contain_text(HOSTILE)
        assert page.locator("#rankers img, #rankers ol b").count() == 0

        page.get_by_role("button", name="query in front", exact=True).press("Enter")
        expect(text).to_have_value("where is the old stone the old stone is north")
        expect(places).to_contain_text("first_judge 1 (was 1.5)")
        page.get_by_role("button", name="undo").click()
        expect(text).to_have_value("the old stone is north")

        page.get_by_role("button", name="query in front", exact=True).click()
        expect(page.get_by_role("button", name="undo")).to_be_enabled()
        page.fill("#words", "bridge")
        expect(page.locator("#found")).to_have_text("1")
        page.select_option("#query", label="who built the bridge")
        expect(page.locator("#asked")).to_have_text("who built the bridge")
        expect(page.get_by_role("button", name="undo")).to_be_disabled()
        own = text.input_value()
        text.fill(HOSTILE)
        page.get_by_role("button", name="let the tuned model write").click()
        expect(text).to_have_value(own)
        expect(page.locator("button[name=tuned]")).to_be_enabled()
        expect(page.locator("button[name=tuned]")).to_be_focused()
        assert not trouble
        page.goto(address[: address.index("#")] + "?#wrong")
        expect(page.locator("#trouble")).to_contain_text("open the one that the program prints")
        page.close()

        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 130
        assert process.stderr is not None
        assert process.stderr.read().splitlines()[-2:] == [
            "the address is for you alone; Ctrl-C ends",
            "interrupted",
        ]
