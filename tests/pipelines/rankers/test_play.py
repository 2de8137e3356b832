"""The play page of the rankers: places are the probes', and so are the buttons' texts."""

import os
from pathlib import Path

import polars as pl
import pytest
from starlette.testclient import TestClient

from genlab.core.program import InputError
from genlab.core.tables import read_table
from genlab.playground.playable import KEPT, Playable
from genlab.ranking.candidates import passages_of_others
from pipelines.rankers import tried_texts
from pipelines.rankers.altered_texts import BASELINES
from pipelines.rankers.named_assets import ranker_of
from pipelines.rankers.tried_texts import LACKING, load_collections
from tests.browser import chromium, trouble_of  # noqa: F401
from tests.pipelines.rankers.tiny_run import ANSWERS, HOSTILE, make_run
from tests.playground.tiny_play import asked, client_of, playing


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return make_run(tmp_path_factory.mktemp("play") / "project")


@pytest.fixture(scope="module")
def collections(folder) -> dict[str, Playable]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        return load_collections()
    finally:
        os.chdir(before)


@pytest.fixture(scope="module")
def client(collections) -> TestClient:
    return client_of(collections)


def test_the_page_knows_all_collections_with_their_rankers_and_no_model_that_writes(client):
    lakes, mined = asked(client, "/about")
    assert (lakes["name"], mined["name"]) == ("lakes", "mined")
    assert lakes["rankers"] == mined["rankers"] == ["first_judge", "second_judge"]
    assert lakes["models"] == [] and lakes["n_queries"] == 6
    assert [name for name, _ in lakes["buttons"]][:2] == ["query_repeated_1", "query_repeated_2"]
    body = {"collection": "lakes", "query": 0, "model": "tuned", "draw": 0}
    refused = client.post("/write", json=body)
    assert refused.status_code == 400 and refused.json()["error"] == "tuned is no model"


def test_the_rankers_remember_what_a_page_asks_again(folder, monkeypatch):
    monkeypatch.chdir(folder)
    kept = []

    def note(*arguments):
        kept.append(arguments[4:])
        return ranker_of(*arguments)

    monkeypatch.setattr(tried_texts, "ranker_of", note)
    load_collections()
    assert kept == [(KEPT,)] * 4  # two rankers for two collections


def test_at_first_there_stands_the_random_passage_that_the_probes_alter(client, collections):
    for name, on in collections.items():
        random = passages_of_others(on.queries, 17)
        for number in range(on.queries.height):
            assert asked(client, "/query", collection=name, query=number)["text"] == random[number]


def button_of(probe: str, slot: str) -> tuple[str, int]:
    """Return the button that makes a probe's text of its slot's passage, and the words left."""
    name = probe.removeprefix(f"{slot}_")
    if name.startswith("cut_"):
        return "cut_words", int(name.removeprefix("cut_"))
    return {"with_query": "query_repeated_1"}.get(name, name), 1


def test_pressed_on_a_slots_own_passage_every_button_makes_the_probes_text_at_its_place(
    client, collections, folder
):
    """The texts of all queries; the places of one of each collection, under both rankers."""
    pressed = set()
    for name, on in collections.items():
        texts = read_table(folder / f"data/alter/{name}.parquet")
        numbers = {query_id: i for i, query_id in enumerate(on.queries["query_id"])}
        places = pl.concat(
            read_table(folder / f"data/probe/{ranker}.parquet")
            for ranker in ("first_judge", "second_judge")
        ).filter(pl.col("collection") == name)
        own = texts.filter(pl.col("probe").is_in(BASELINES.values()))
        passages = {(row["query_id"], row["slot"]): row for row in own.iter_rows(named=True)}
        for row in texts.iter_rows(named=True):
            passage = passages[row["query_id"], row["slot"]]
            if row["probe"] in (*BASELINES.values(), "query_alone"):
                continue
            button, n = button_of(row["probe"], row["slot"])
            body = {"collection": name, "query": numbers[row["query_id"]]}
            made = asked(
                client, "/alter", **body, text=passage["text"], button=button, n=n, draw=0
            )["text"]
            assert made == row["text"], row["probe"]
            pressed.add(button)
            if body["query"] != 3:
                continue
            instead = row["at"] if row["at"] >= 0 else None
            found = asked(client, "/place", **body, text=made, instead=instead)["rankers"]
            placed = places.filter(
                pl.col("query_id") == row["query_id"], pl.col("probe") == row["probe"]
            )
            assert placed.height in (0, 2)  # BM25 is not asked about order and other words
            assert (
                placed["location"].to_list() == [each["place"] for each in found][: placed.height]
            ), row["probe"]
    assert pressed == {*next(iter(collections.values())).buttons} - {"words_shuffled"}


def test_a_passage_that_is_taken_stands_in_its_own_place_and_not_beside_itself(client):
    body = {"collection": "lakes", "query": 2, "text": ANSWERS[2]}
    beside = asked(client, "/place", **body)["rankers"][0]
    assert (beside["place"], beside["n_tied"], beside["n_texts"]) == (2.5, 1, 4)
    instead = asked(client, "/place", **body, instead=0)["rankers"][0]
    assert (instead["place"], instead["n_tied"], instead["n_texts"]) == (2, 0, 3)
    assert [number for number, _ in instead["list"]] == [1, None, 2]


@pytest.mark.parametrize("button", [name for name in LACKING if name != "hidden"])
def test_a_text_that_lacks_what_is_altered_stays_and_that_is_said(client, button):
    body = {"collection": "lakes", "query": 0, "text": "eggs", "button": button, "n": 1, "draw": 0}
    reply = client.post("/alter", json=body)
    assert reply.status_code == 400
    assert reply.json()["error"] == f"the text stays as it is: {LACKING[button]}"


def test_where_all_passages_answer_there_is_none_to_hide_behind(client, collections, monkeypatch):
    monkeypatch.setattr(tried_texts, "wrong_passage", lambda *_: None)
    body = {"collection": "lakes", "query": 0, "text": "a", "button": "hidden", "n": 1, "draw": 0}
    reply = client.post("/alter", json=body)
    assert "all passages of this query answer it" in reply.json()["error"]


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("/query", {"collection": "seas", "query": 0}, "there is no collection seas"),
        ("/query", {"collection": ["lakes"], "query": 0}, "there is no collection"),
        ("/place", {"query": 0, "text": "a", "instead": 3}, "instead must be a whole number"),
        ("/place", {"query": 0, "text": "a", "instead": -1}, "instead must be a whole number"),
        ("/place", {"query": 0, "text": "a", "instead": True}, "instead must be a whole number"),
        ("/find", {"collection": 1, "words": ""}, "there is no collection 1"),
    ],
)
def test_a_request_that_cannot_be_is_refused_with_a_reason(client, path, body, reason):
    reply = client.post(path, json=body)
    assert reply.status_code == 400 and reply.json()["error"].startswith(reason)


def test_what_is_missing_of_the_run_is_one_line_that_says_to_run_dvc_repro(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for path in (
        "data/fetch/collections/mined.parquet",
        "data/fetch/bm25/lakes",
        "data/fetch/rankers/second_judge",
        "data/candidates/first_judge/mined.parquet",
    ):
        (folder / path).rename(folder / "elsewhere")
        try:
            with pytest.raises(InputError, match=rf"{path} is not there; run `dvc repro` to make"):
                load_collections()
        finally:
            (folder / "elsewhere").rename(folder / path)


def test_the_page_tries_texts_on_every_collection_and_alters_a_passage_in_its_place(
    chromium,  # noqa: F811
    folder,
):
    from playwright.sync_api import expect

    expect.set_options(timeout=120_000)
    with playing(folder) as (_, address):
        page = chromium.new_page()
        page.set_default_timeout(120_000)
        trouble = trouble_of(page)
        page.goto(address)
        text, places = page.locator("#text"), page.locator("#places")
        expect(page.locator(".ranker")).to_have_count(2)
        expect(page.locator("#writers button")).to_have_count(0)
        expect(page.locator("#begun")).to_contain_text("a passage of another query")

        page.select_option("#query", label="how deep is lake5")
        expect(page.locator("#asked")).to_have_text("how deep is lake5")
        text.fill(ANSWERS[5])
        expect(places).to_have_text("first_judge 1.5 · second_judge 1.5")
        expect(page.locator(".ranker").first).to_contain_text(HOSTILE)
        assert page.locator("#rankers img, #rankers ol b").count() == 0

        hostile = page.locator(".ranker").first.locator("li", has_text="onerror")
        hostile.get_by_role("button").press("Enter")
        expect(text).to_have_value(HOSTILE)
        expect(page.locator("#instead")).to_contain_text("which does not answer, that it was made")
        expect(page.locator(".ranker").first.locator("li")).to_have_count(3)
        expect(places).to_have_text("first_judge 2.5 · second_judge 2.5")
        page.get_by_role("button", name="query in front", exact=True).click()
        expect(text).to_have_value(f"how deep is lake5 {HOSTILE}")
        expect(places).to_contain_text("first_judge 1 (was 2.5)")
        page.get_by_role("button", name="put that back").click()
        expect(page.locator(".ranker").first.locator("li")).to_have_count(4)
        expect(page.locator("#slot")).to_be_hidden()
        page.get_by_role("button", name="undo").click()
        expect(text).to_have_value(HOSTILE)
        expect(page.locator("#slot")).to_be_visible()

        text.fill("eggs")
        page.get_by_role("button", name="change its numbers").click()
        expect(page.locator("#trouble")).to_have_text("the text stays as it is: it has no number")

        page.select_option("#collection", "mined")
        expect(page.locator("#query option")).to_have_count(6)
        expect(page.locator("#asked")).to_have_text("how deep is lake0")
        expect(page.locator("#slot")).to_be_hidden()
        expect(page.locator(".ranker").first.locator("li")).to_have_count(5)
        expect(page.locator("#about")).to_have_text(
            "6 queries of the run, first_judge, second_judge"
        )
        assert len([each for each in trouble if "400" not in each]) == 0
        page.close()
