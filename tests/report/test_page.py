"""The payload and the page: what stands in them, and what a browser makes of it."""

import json
import re

import pytest

from genlab.core.program import InputError
from genlab.core.tables import read_table
from genlab.report.charts import Chart
from genlab.report.page import (
    NEXT,
    claims_table,
    embed,
    leakage_table,
    number_tables,
    with_intervals,
)
from genlab.report.shown_texts import Shown
from genlab.report.texts import group_queries, make_payload, read_payload, render_texts
from genlab.statistics.intervals import interval
from tests.browser import chromium, opened  # noqa: F401
from tests.project_copy import ROOT
from tests.tiny_report import PLACES, QUERIES, SCORES, TEXTS, write_run

HOSTILE = "<script>alert(1)</script></script><img src=x onerror=alert(2)>\"'&amp;\u2028{{payload}}"


def payload_of(folder, n_queries=0, **changes) -> dict:
    write_run(folder, **changes)
    scores, details = (
        json.loads((folder / f"metrics/{name}.json").read_text(encoding="utf-8"))
        for name in ("score", "score_details")
    )
    return make_payload(
        read_table(folder / "data/score.parquet"),
        folder / "data/dedup.parquet",
        folder / "data/candidates",
        scores,
        details,
        n_queries,
    )


@pytest.fixture(scope="module")
def payload(tmp_path_factory):
    return payload_of(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def shorter(tmp_path_factory):
    """Return the payload of a second run: the second query's text now comes last under labse."""
    first, (passages, _), third = SCORES["labse"]
    scores = SCORES | {"labse": [first, (passages, 0.0), third]}
    texts = ["Lake Ulben's depth", "the", "a river"]
    return payload_of(tmp_path_factory.mktemp("other"), scores=scores, texts=texts)


@pytest.fixture(scope="module")
def page(payload, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(render_texts(payload), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def page_of_two(payload, shorter, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "beside.html"
    page = render_texts(payload, other=shorter, names=("main", "short"))
    path.write_text(page, encoding="utf-8")
    return path


# ---- the payload


def test_every_query_has_its_texts_and_under_each_ranker_place_and_scores(payload):
    assert payload["rankers"] == ["labse", "bm25"]
    for name, places in PLACES.items():
        assert [query["under"][name][0] for query in payload["queries"]] == places
    first = payload["queries"][0]
    assert first["under"]["labse"] == [2.5, 0.5, [0.9, 0.5, 0.1]]
    assert first["text"] == TEXTS[0]
    assert first["passages"][0] == ["passage 0 about how deep is lake ulben", True]
    assert first["words"] == ["deep", "how", "is", "lake", "ulben"]
    assert [query["answerable"] for query in payload["queries"]] == [True, False, True]


def test_the_headline_has_value_interval_and_references_of_every_metric(payload):
    place = payload["headline"][0]
    assert (place["name"], place["lower_is_better"]) == ("average_loc", True)
    assert place["under"]["labse"] == {
        "value": 2.5, "low": 2.5, "high": 2.5, "chance": 2.5, "floor": 4.0
    }  # fmt: skip


def test_as_many_queries_as_asked_for_are_kept_and_all_are_counted(tmp_path):
    payload = payload_of(tmp_path, n_queries=2)
    ids = [query["id"] for query in payload["queries"]]
    assert len(ids) == 2 and ids == [query[0] for query in QUERIES if query[0] in ids]
    assert payload["n_evaluated"] == 3


def test_topics_come_from_ids_that_all_have_one_and_else_the_question_word_stands_for_them():
    assert group_queries(["validation-0-lake", "train-12-dog"], ["a", "b"]) == (
        "topic",
        ["lake", "dog"],
    )
    asked = ["What is it?", "price of tea", "tell me how it ends"]
    assert group_queries(["1-2-lake", "17", "18"], asked) == (
        "question word",
        ["what", "none", "how"],
    )


def test_a_query_that_was_scored_but_is_not_in_the_table_is_an_error(tmp_path):
    write_run(tmp_path)
    rows = read_table(tmp_path / "data/score.parquet")
    stranger = rows.with_columns(query_id=rows["query_id"].str.replace("dog", "cat"))
    with pytest.raises(InputError, match="no query validation-1-cat, which was scored"):
        make_payload(
            stranger, tmp_path / "data/dedup.parquet", tmp_path / "data/candidates", {}, {}, 0
        )


def test_candidate_scores_of_other_passages_are_an_error(tmp_path):
    write_run(tmp_path)
    folder = tmp_path / "data/candidates"
    table = read_table(folder / "bm25.parquet")
    short = table.with_columns(candidate_scores=table["candidate_scores"].list.head(2))
    short.write_parquet(folder / "bm25.parquet")
    rows = read_table(tmp_path / "data/score.parquet")
    with pytest.raises(InputError, match="2 scores for the 3 passages of query validation-0-lake"):
        make_payload(rows, tmp_path / "data/dedup.parquet", folder, {}, {}, 0)


# ---- the page as text


def test_a_payload_is_read_back_from_its_page_unchanged(payload):
    assert read_payload(render_texts(payload), "index.html") == payload


def test_json_in_a_page_can_neither_end_its_element_nor_lose_a_character():
    text = embed({"text": HOSTILE})
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == {"text": HOSTILE}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("<html></html>", "no report"),
        ('<script type="application/json" id="payload">{</script>', "no JSON"),
        ('<script type="application/json" id="payload">[]</script>', "another version"),
        (
            '<script type="application/json" id="payload">{"format": "x"}</script>',
            "another version",
        ),
    ],
)
def test_a_file_that_is_no_report_is_an_error_that_names_it(content, reason):
    with pytest.raises(InputError, match=f"^old.html: .*{reason}"):
        read_payload(content, "old.html")


def test_the_page_names_no_other_host(payload):
    """The names of XML's own vocabularies look like addresses, and nothing is loaded from them."""
    chart = Chart("t", "c", '<svg xmlns="http://www.w3.org/2000/svg"/>')
    addresses = re.findall(r"(?:https?:)?//[\w.-]+\.\w+", render_texts(payload, charts=[chart]))
    assert set(addresses) == {"http://www.w3.org"}


def test_the_page_brings_every_colour_it_uses_for_light_and_dark(payload):
    page = render_texts(payload)
    for name in set(re.findall(r"var\((--[\w-]+)\)", page)):
        assert page.count(f"{name}: #") == 2, name


def test_what_is_not_there_leaves_no_empty_section(payload):
    page = render_texts(payload)
    assert '<section id="charts"' not in page
    assert '<section id="numbers"' not in page
    assert "<summary>Receipt" not in page and "<summary>All params" not in page
    assert '<section id="result"' not in page and '<section id="examples"' not in page


def test_numbers_stand_in_tables_with_groups_of_the_same_names_side_by_side():
    nested = {
        "texts": {"rate": 1.0, "n": 500},
        "labse": {"gain": interval(0.5, 0.25, 0.75)},
        "use": {"gain": interval(2.0, 1.0, 3.0)},
    }
    assert number_tables(nested) == [
        [["", "texts"], ["rate", "1"], ["n", "500"]],
        [["", "labse", "use"], ["gain", "0.500 [0.250, 0.750]", "2.000 [1.000, 3.000]"]],
    ]


def test_groups_of_a_group_are_columns_and_many_columns_are_several_tables():
    arms = {f"arm_{i}": {"truth": interval(i, 0, 9), "kl": i} for i in range(7)}
    first, second, rest = number_tables({"answers": arms, "chance": 0.5})
    assert first[0] == ["answers", *(f"arm_{i}" for i in range(5))]
    assert [row[0] for row in first] == ["answers", "truth", "kl"]
    assert second[0] == ["answers", "arm_5", "arm_6"]
    assert second[1:] == [
        ["truth", "5.000 [0.000, 9.000]", "6.000 [0.000, 9.000]"],
        ["kl", "5", "6"],
    ]
    assert rest == [["", "value"], ["chance", "0.500"]]


def test_a_number_has_no_interval_of_a_group_beside_its_own():
    half = interval(0.5, 0.25, 0.75)
    scores = {"a": {"x": 0.5}, "b": {"x": 0.5}}
    assert with_intervals(scores, {"a": {"x": half}}) == {"a": {"x": half}, "b": {"x": 0.5}}
    deeper = {"answers": {"a": {"x": 0.5}}, "b": {"x": 0.5}}
    found = with_intervals(deeper, {"arms": {"b": {"x": half}}})
    assert found == {"answers": {"a": {"x": 0.5}}, "b": {"x": half}}
    # One lies under the number's group, the other under a group of which there is no score.
    wide = interval(0.5, 0.0, 1.0)
    found = with_intervals({"answers": {"a": {"x": 0.5}}}, {"a": {"x": half}, "c": {"x": wide}})
    assert found == {"answers": {"a": {"x": half}}}
    # Under a name that no group of the scores has.
    after = {"before": {"x": 0.5}, "after": {"x": 0.5}}
    assert with_intervals(after, {"main": {"x": half}})["after"] == {"x": half}


def test_a_leak_is_a_row_with_both_halves_and_their_gap_if_there_is_one():
    place = {"clean": 3.25, "leaked": 3.5, "difference": 0.25, "low": -0.5, "high": 1.0}
    found = {
        "query": {"use": {"n_clean": 438, "n_leaked": 62, "average_loc": place}},
        "answer": {"use": {"n_clean": 500, "n_leaked": 0, "average_loc": {"clean": 3.0}}},
    }
    few = place | {"low": -14.8, "high": 14.6}
    found["answer"]["bm25"] = {"n_clean": 54, "n_leaked": 2, "average_loc": few}
    assert leakage_table(found, few=20)[1:] == [
        ["query", "use", "3.250 (438)", "3.500 (62)", "0.250 [-0.500, 1.000]"],
        ["answer", "use", "3 (500)", "- (0)", "-"],
        ["answer", "bm25", "3.250 (54)", "3.500 (2)", "too few"],
    ]


def test_a_claim_within_the_margin_of_its_metric_says_so_and_why_it_came_out_so():
    found = {"difference": 0.03, "low": 0.01, "high": 0.05, "verdict": "contradicted"}
    rows = {"metrics": {"place": {"margin": 0.1}, "good": {}}}
    claims = {name: {"claim": f"{name}.", "metric": name} for name in ("place", "good")}
    same = found | {"difference": 0.0, "low": -1.5, "high": 1.5, "verdict": "identical"}
    assert claims_table({"place": {"": same}}, {}, {})[1] == ["place", "identical"]
    claims["good"]["why"] = "It hardly moves."
    settled = {name: {"use": found} for name in claims}
    assert claims_table(settled, {"rows": rows, "claims": claims}, {})[1:] == [
        ["place.", "contradicted, within 0.1: 0.030 [0.010, 0.050]"],
        ["good. It hardly moves.", "contradicted: 0.030 [0.010, 0.050]"],
    ]


def test_what_to_do_next_is_called_as_in_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in ("dvc exp run -S ", "python -m genlab compare HEAD"):
        assert command in NEXT and command in readme


def test_names_in_tables_charts_and_the_receipt_are_escaped(payload):
    page = render_texts(
        payload,
        about=[("<i>label", "<i>words")],
        params="<i>",
        headline=["<i>sentence"],
        examples=[Shown("<i>good", "<i>number", "<i>text", {"<i>label": "<i>asked"}, "<i>")],
        examples_note="<i>",
        claims={"": [[["<i>claim", "<i>"], ["<i>", "<i>"]]]},
        charts=[Chart("<i>title", "<i>caption", "<svg ></svg>")],
        findings={"<i>title": "<i>finding"},
        numbers={"<i>heading": [[["", "<i>column"], ["<i>row", "1"]]]},
        notes={"<i>heading": "<i>note"},
        receipt={"<i>": "<i>"},
    )
    assert "<i>" not in page


# ---- the page in a browser


def listed(shown) -> list[str]:
    return shown.eval_on_selector_all("#list button", "all => all.map(each => each.dataset.q)")


def texts_in_order(shown) -> list[str]:
    return shown.locator("#query li .text").all_text_contents()


def test_the_table_shows_every_metric_under_every_ranker(chromium, page, payload):  # noqa: F811
    with opened(chromium, page) as shown:
        row = shown.locator('tr[data-metric="average_loc"][data-ranker="labse"]')
        assert row.locator("td").all_text_contents() == [
            "2.500", "2.500 to 2.500", "", "2.500", "4.000"
        ]  # fmt: skip
        assert shown.locator("#results tr[data-metric]").count() == 2 * len(payload["headline"])


def test_texts_stand_in_the_order_of_their_scores_with_ties_and_marks_shown(chromium, page):  # noqa: F811
    with opened(chromium, page) as shown:
        assert texts_in_order(shown)[0] == "passage 0 about how deep is lake ulben"
        assert texts_in_order(shown)[3] == "passage 2 about how deep is lake ulben"
        places = shown.locator("#query li .rank").all_text_contents()
        assert places == ["1", "2.5", "2.5", "4"]
        generated = shown.locator("#query li.generated")
        assert "tied with 1 other" in generated.inner_text()
        assert "generated" in generated.inner_text()
        assert "selected" in shown.locator("#query li").first.inner_text()
        assert shown.locator("#query .badge").count() == 2


def test_query_words_are_marked_as_whole_words_in_comparison_form(chromium, page):  # noqa: F811
    """ "Lake" is lake; "Ulben's" is the word ulbens, and not ulben."""
    with opened(chromium, page) as shown:
        marked = shown.locator("#query li.generated mark").all_text_contents()
        assert marked == ["Lake", "is"]


def test_another_ranker_gives_its_own_order(chromium, page):  # noqa: F811
    with opened(chromium, page) as shown:
        shown.get_by_role("button", name="bm25").click()
        assert texts_in_order(shown)[0] == TEXTS[0]
        assert shown.locator("#list .at").all_text_contents() == ["1", "2", "4"]
        assert "ranker=bm25" in shown.url


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [
        ("#group", "lake", [0, 2]),
        ("#answerable", "no", [1]),
        ("#place", "1", [1]),
        ("#place", "2-3", [0]),
        ("#place", "4-", [2]),
        ("#text", "PELDRIM", [1]),  # in query and passages
        ("#text", "a river", [2]),  # in the generated text only
        ("#text", "nowhere", []),
    ],
)
def test_a_filter_leaves_the_right_queries_and_counts_them(
    chromium,  # noqa: F811
    page,
    field,
    value,
    found,
):
    with opened(chromium, page) as shown:
        assert shown.locator("#count").inner_text() == "3 of 3 queries"
        if field == "#text":
            shown.fill(field, value)
        else:
            shown.select_option(field, value)
        assert listed(shown) == [QUERIES[i][0] for i in found]
        assert shown.locator("#count").inner_text() == f"{len(found)} of 3 queries"
        if not found:
            assert "No query passes the filter" in shown.locator("#query").inner_text()


def test_a_link_opens_one_query_with_its_filter_and_ranker(chromium, page):  # noqa: F811
    link = "q=validation-2-lake&ranker=bm25&group=lake"
    with opened(chromium, page, link) as shown:
        assert shown.locator("#query h3").inner_text() == "what flows into lake hovden"
        assert listed(shown) == ["validation-0-lake", "validation-2-lake"]
        assert shown.locator("#rankers [aria-pressed=true]").inner_text() == "bm25"
        shown.evaluate("location.hash = 'q=validation-1-dog'")
        assert shown.locator("#query h3").inner_text() == "weight of the peldrim hound"
        assert len(listed(shown)) == 3


def test_a_link_to_a_query_that_is_not_there_says_so(chromium, page):  # noqa: F811
    with opened(chromium, page, "q=<b>nobody&ranker=none&place=9") as shown:
        assert "no query <b>nobody" in shown.locator("#message").inner_text()
        assert len(listed(shown)) == 3


def test_keys_go_to_the_next_and_the_previous_query_but_not_while_writing(chromium, page):  # noqa: F811
    with opened(chromium, page) as shown:
        at = []
        for key in ("j", "ArrowRight", "j", "k", "ArrowLeft", "k"):
            shown.keyboard.press(key)
            at.append(shown.locator("#list [aria-current]").get_attribute("data-q"))
        assert at == [QUERIES[i][0] for i in (1, 2, 2, 1, 0, 0)]
        shown.focus("#text")
        shown.keyboard.press("j")
        assert shown.input_value("#text") == "j"


def test_no_text_from_outside_becomes_markup_or_runs(chromium, tmp_path):  # noqa: F811
    payload = payload_of(tmp_path, texts=[HOSTILE] * 3, queries=[
        (f"validation-{i}-lake{HOSTILE}", HOSTILE, True) for i in range(3)
    ])  # fmt: skip
    path = tmp_path / "index.html"
    numbers = {"n": number_tables({HOSTILE: {HOSTILE: 1}})}
    path.write_text(
        render_texts(payload, numbers=numbers, receipt={HOSTILE: HOSTILE}, other=payload),
        encoding="utf-8",
    )
    alerts = []
    with opened(chromium, path) as shown:
        shown.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
        shown.reload()
        assert shown.locator("#query h3").text_content() == HOSTILE
        assert HOSTILE in texts_in_order(shown)
        assert shown.locator("img").count() == 0
        assert shown.locator("script").count() == 3
        assert shown.locator("#list button").first.text_content().endswith(HOSTILE)
    assert alerts == []


def test_a_script_that_would_get_in_could_not_run(chromium, page, tmp_path):  # noqa: F811
    """The page's policy names the one script that may."""
    broken = tmp_path / "broken.html"
    text = page.read_text(encoding="utf-8").replace("</main>", "<script>hurt = 1</script></main>")
    broken.write_text(text, encoding="utf-8")
    with (
        pytest.raises(AssertionError, match="Content Security Policy"),
        opened(chromium, broken) as shown,
    ):
        assert shown.evaluate("typeof hurt") == "undefined"


@pytest.mark.parametrize("width", [400, 1400])
def test_the_page_is_not_wider_than_its_window(chromium, page_of_two, width):  # noqa: F811
    size = {"width": width, "height": 900}
    with opened(chromium, page_of_two, viewport=size) as shown:
        assert shown.evaluate("document.documentElement.scrollWidth") <= width


def test_texts_run_from_the_right_where_their_letters_do(chromium, tmp_path):  # noqa: F811
    arabic = "النهر أحمر"
    payload = payload_of(tmp_path, texts=[arabic] * 3, queries=[
        (f"validation-{i}-lake", arabic if i == 0 else "how deep is it", True) for i in range(3)
    ])  # fmt: skip
    path = tmp_path / "index.html"
    path.write_text(render_texts(payload), encoding="utf-8")
    direction = "each => getComputedStyle(each).direction"
    with opened(chromium, path) as shown:
        asked = shown.locator("#list .asked")
        assert [asked.nth(i).evaluate(direction) for i in range(2)] == ["rtl", "ltr"]
        assert shown.locator("#query h3").evaluate(direction) == "rtl"
        assert shown.locator("#query li.generated .text").evaluate(direction) == "rtl"
        assert shown.locator("#query li.generated").evaluate(direction) == "ltr"
        # The place stays on the left, over that of other queries.
        lefts = [shown.locator("#list .at").nth(i).bounding_box()["x"] for i in range(2)]
        assert lefts[0] == lefts[1]


def test_where_all_numbers_are_one_the_dot_is_in_the_middle(chromium, payload, tmp_path):  # noqa: F811
    metric = payload["headline"][0]
    one = dict.fromkeys(next(iter(metric["under"].values())), 3.0)
    same = metric | {"under": dict.fromkeys(metric["under"], one)}
    path = tmp_path / "same.html"
    path.write_text(render_texts(payload | {"headline": [same]}), encoding="utf-8")
    with opened(chromium, path) as shown:
        assert shown.locator("#results circle").first.get_attribute("cx") == "136"


def test_links_at_the_top_go_to_the_parts_and_keep_the_address(chromium, payload, tmp_path):  # noqa: F811
    path = tmp_path / "index.html"
    charts = [Chart("a chart", "", '<svg width="440" height="900"></svg>')]
    numbers = {"n": [[["", "n"], ["a", "1"]]]}
    path.write_text(render_texts(payload, charts=charts, numbers=numbers), "utf-8")
    with opened(chromium, path, "q=validation-1-dog") as shown:
        names = ["Where they land", "More numbers", "Charts", "Query by query"]
        assert shown.locator("#parts a").all_text_contents() == names
        before = shown.url
        shown.get_by_role("link", name="More numbers").click()
        assert shown.url == before
        assert shown.evaluate("scrollY") > 0
        assert shown.evaluate("document.activeElement.id") == "numbers"


def test_every_field_has_a_label(chromium, page):  # noqa: F811
    with opened(chromium, page) as shown:
        unnamed = "all => all.filter(each => !each.labels.length).map(each => each.id)"
        assert shown.eval_on_selector_all("input, select", unnamed) == []


# ---- two runs


def test_two_runs_stand_side_by_side_in_table_list_and_query(chromium, page_of_two):  # noqa: F811
    with opened(chromium, page_of_two, "q=validation-1-dog") as shown:
        row = shown.locator('tr[data-metric="average_loc"][data-ranker="labse"] td')
        # Second run: places 2.5, 4, 4.
        assert row.all_text_contents()[:4] == ["2.500", "2.500 to 2.500", "3.500", "3.500 to 3.500"]
        ats = shown.locator("#list .at").all_text_contents()
        assert ats == ["2.5 → 2.5", "1 → 4", "4 → 4"]
        boxes = shown.locator(".pair > div").all_inner_texts()
        assert [box.split("\n")[0] for box in boxes] == ["main", "short"]
        assert "place 1" in boxes[0]
        assert "place 4" in boxes[1]
        # Both texts stand in one list, as the passages and their scores are the same.
        assert shown.locator("#query li.generated .rank").inner_text() == "1"
        assert shown.locator("#query li.other .rank").inner_text() == "4"
        assert shown.locator("#query li .rank").all_text_contents() == ["1", "2", "3", "4", "4"]


def test_changed_places_can_be_filtered_and_sorted(chromium, page_of_two):  # noqa: F811
    with opened(chromium, page_of_two) as shown:
        shown.select_option("#order", "fall")
        assert listed(shown)[0] == "validation-1-dog"
        shown.select_option("#order", "rise")
        assert listed(shown)[-1] == "validation-1-dog"
        shown.fill("#change", "2.5")
        assert listed(shown) == ["validation-1-dog"]
        shown.fill("#change", "3")
        assert listed(shown) == []


def test_another_report_can_be_picked_and_put_away(chromium, page, shorter, tmp_path):  # noqa: F811
    second = tmp_path / "second.html"
    second.write_text(render_texts(shorter), encoding="utf-8")
    with opened(chromium, page) as shown:
        assert shown.locator("#order").is_hidden()
        shown.set_input_files("#file", second)
        shown.locator(".pair").wait_for()
        assert shown.locator("#list .at").all_text_contents()[1] == "1 → 4"
        assert shown.locator("#order").is_visible()
        shown.locator("#compare summary").click()
        shown.get_by_role("button", name="Show this report alone").click()
        assert shown.locator(".pair").count() == 0
        assert shown.locator("#list .at").all_text_contents()[1] == "1"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<p>hello", "bad.html is no report"),
        ('<script type="application/json" id="payload">{</script>', "payload cannot be read"),
        ('<script type="application/json" id="payload">{"format": "x"}</script>', "other version"),
    ],
)
def test_a_picked_file_that_is_no_report_says_so_and_changes_nothing(
    chromium,  # noqa: F811
    page,
    tmp_path,
    content,
    message,
):
    (tmp_path / "bad.html").write_text(content, encoding="utf-8")
    with opened(chromium, page) as shown:
        shown.set_input_files("#file", tmp_path / "bad.html")
        shown.wait_for_function("document.getElementById('message').textContent")
        assert message in shown.locator("#message").inner_text()
        assert len(listed(shown)) == 3


def test_queries_of_one_run_only_are_counted(chromium, payload, tmp_path):  # noqa: F811
    fewer = payload | {"queries": payload["queries"][:1]}
    path = tmp_path / "beside.html"
    path.write_text(render_texts(payload, other=fewer, names=("all", "one")), encoding="utf-8")
    with opened(chromium, path, "q=validation-1-dog") as shown:
        said = shown.locator("#count").inner_text()
        assert said == "3 of 3 queries; 2 only in all, 0 only in one"
        assert "not in this report" in shown.locator(".pair").inner_text()
