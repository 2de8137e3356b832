"""The probe stage: every ranker's numbers from its rows, and errors before the work."""

import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.core.tables import QUERY_SCHEMA, read_table, write_table
from genlab.ranking import places
from genlab.ranking.candidates import SCHEMA, evaluated_queries, score_candidates
from genlab.ranking.panel import Ratings
from genlab.ranking.probes import WORD_PROBES
from genlab.ranking.summary import summarize_with_references
from stages import probe
from tests.ranking.test_probes import shared_words
from tests.tiny_models import WORDS, make_tokenizer
from tests.tiny_rankers import constant

PLOTS = ("repeats_plot", "positions_plot", "words_plot", "cuts_plot")


RANKERS = {"flat": constant, "words": shared_words}


def make_queries(n=12, selected=True):
    rng = np.random.default_rng(4)
    return pl.DataFrame(
        [
            {
                "query_id": f"q{number}",
                "query": f"{WORDS[number]} {WORDS[number + 1]} tower",
                "passages": [
                    {
                        # One passage of every second query has no text at all.
                        "text": " ".join(rng.choice(WORDS, 5)) if k or number % 2 else "",
                        "is_selected": selected and number % 3 > 0 and k == 1,
                    }
                    for k in range(2 + number % 9)
                ],
                "split": "validation",
            }
            for number in range(n)
        ],
        schema=QUERY_SCHEMA,
    )


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that runs the stage under made-up rankers, in a folder of its own."""
    asked = []

    def rate_texts(folders, batch_size, queries, texts):
        asked.append(list(zip(queries, texts, strict=True)))
        return {
            name: Ratings(RANKERS[name](queries, texts), np.zeros(len(texts), np.int32))
            for name in folders
        }

    monkeypatch.setattr(probe, "rate_texts", rate_texts)
    monkeypatch.chdir(tmp_path)
    make_tokenizer(400).save_pretrained(tmp_path / "base")

    def run(queries=None, *rankers, repeats=(1, 2), cut_tokens=(2, 50)):
        write_table(
            tmp_path / "queries.parquet",
            [make_queries() if queries is None else queries],
            QUERY_SCHEMA,
        )
        table = evaluated_queries(tmp_path / "queries.parquet", 0)
        for name, relevance in RANKERS.items():
            scored = score_candidates(table, relevance, seed=5)
            write_table(tmp_path / f"candidates/{name}.parquet", [scored], SCHEMA)
        words = [f"--rankers={name}" for name in rankers or RANKERS]
        words += [f"--repeats={k}" for k in repeats] + [f"--cut_tokens={k}" for k in cut_tokens]
        words += [f"--{name}=metrics/{name}.json" for name in ("metrics", "details", *PLOTS)]
        words += ["--n_queries=0", "--score_seed=5", "--batch_size=8", "--seed=7"]
        positional = ["queries.parquet", "base", "rankers", "candidates", "probe.parquet"]
        return CliRunner().invoke(probe.app, positional + words, catch_exceptions=False)

    run.asked = asked
    return run


def read(path):
    return json.loads(path.read_text())


def test_every_number_can_be_computed_from_the_rows(run, tmp_path):
    result = run()
    rows = read_table(tmp_path / "probe.parquet")
    details = read(tmp_path / "metrics/details.json")
    assert list(details) == ["flat", "words"]
    for name, of_ranker in details.items():
        for probe_name, numbers in of_ranker.items():
            if probe_name.startswith("chance"):
                continue
            of_probe = rows.filter(ranker=name, probe=probe_name)
            assert numbers["n_queries"] == of_probe.height
            for metric, column in places.METRICS.items():
                if of_probe[column].count():
                    assert numbers[metric]["value"] == pytest.approx(of_probe[column].mean())
                else:
                    assert metric not in numbers
    assert set(details["flat"]) - {"chance", "chance_selected"} == set(rows["probe"])
    assert rows.group_by("query_id", "ranker", "probe").len()["len"].to_list() == [1] * rows.height
    assert "gained_by_first" in result.stdout


def test_random_and_selected_passages_have_the_scores_of_floor_and_ceiling(run, tmp_path):
    run()
    details = read(tmp_path / "metrics/details.json")
    for name in RANKERS:
        candidates = read_table(tmp_path / f"candidates/{name}.parquet")
        rows = places.place(candidates.rename({"empty_score": "score"}))
        _, beside = summarize_with_references(rows, candidates, False, seed=1)
        place = beside["average_loc"]
        for probe_name, reference in (
            ("chance", place["all"]["chance"]),
            ("chance_selected", place["chance"]),
            ("random_passage", place["all"]["floor"]),
            ("selected_passage", place["ceiling"]),
        ):
            value = details[name][probe_name]["average_loc"]["value"]
            assert value == pytest.approx(reference)


def test_a_ranker_that_gives_every_text_one_score_rewards_nothing(run, tmp_path):
    run()
    found = read(tmp_path / "metrics/metrics.json")["flat"]
    nothing = {"value": 0, "low": 0, "high": 0}
    assert found["lost_after_best"] == found["best_dose"] == nothing
    details = read(tmp_path / "metrics/details.json")["flat"]
    assert found["gained_by_first"] == details["query_repeated_1"]["gain"]
    for numbers in details.values():
        assert numbers.get("gain", {"value": 0})["value"] == 0
    assert details["query_alone"]["average_loc"] == details["chance"]["average_loc"]
    for probe_name in ("selected_passage", "lead_sentence", "selected_cut_2"):
        assert details[probe_name]["average_loc"] == details["chance_selected"]["average_loc"]


def test_a_ranker_that_counts_shared_words_rewards_repeats(run, tmp_path):
    run()
    found = read(tmp_path / "metrics/metrics.json")["words"]
    assert found["gained_by_first"]["low"] > 0
    assert found["median_dose_to_first"] <= 2
    details = read(tmp_path / "metrics/details.json")["words"]
    assert details["query_shuffled"]["gain"] == details["query_at_end"]["gain"]
    # Passages of other queries have a query's words by chance, random words never have.
    assert details["random_words"]["gain"]["value"] <= 0


def test_all_rankers_are_asked_once_for_texts_that_have_no_score(run, tmp_path):
    run()
    [pairs] = run.asked
    assert len(pairs) == len(set(pairs))
    scored = {
        (query, passage["text"])
        for query, passages in make_queries().select("query", "passages").iter_rows()
        for passage in passages
    }
    assert not scored & set(pairs)


Y = ("average_loc", "low", "high", "chance")


def test_the_plots_show_the_mean_places_of_every_ranker(run, tmp_path):
    run(repeats=(4, 1))
    details = read(tmp_path / "metrics/details.json")
    shown = {
        "repeats_plot": ("repeats", [0, 1, 4]),
        "positions_plot": ("position", ["start", "middle", "end"]),
        "words_plot": ("probe", WORD_PROBES),
        "cuts_plot": ("tokens", [2, 50]),
    }
    for name, (x, expected) in shown.items():
        points = read(tmp_path / f"metrics/{name}.json")
        assert [(point["ranker"], point[x]) for point in points] == [
            (ranker, at) for ranker in RANKERS for at in expected
        ]
        assert all(set(point) == {"ranker", x, *Y} for point in points)
    for point in read(tmp_path / "metrics/words_plot.json"):
        shown = details[point["ranker"]][point["probe"]]["average_loc"]
        assert {end: point[end] for end in ("low", "high")} | {
            "value": point["average_loc"]
        } == shown


def test_a_second_run_writes_the_same_bytes(run, tmp_path):
    outputs = [tmp_path / "probe.parquet"]
    outputs += [tmp_path / f"metrics/{name}.json" for name in ("metrics", "details", *PLOTS)]
    run()
    before = [path.read_bytes() for path in outputs]
    run()
    assert [path.read_bytes() for path in outputs] == before


def test_without_any_selected_passage_the_other_probes_are_made(run, tmp_path):
    run(make_queries(selected=False))
    probes = set(read_table(tmp_path / "probe.parquet")["probe"])
    assert "query_alone" in probes and "lead_sentence" not in probes
    assert "chance_selected" not in read(tmp_path / "metrics/details.json")["words"]
    assert read(tmp_path / "metrics/cuts_plot.json") == []
    points = read(tmp_path / "metrics/words_plot.json")
    words = [point["probe"] for point in points if point["ranker"] == "words"]
    assert words == WORD_PROBES[:-2]
    assert "fdaro" not in read(tmp_path / "metrics/details.json")["words"]["query_alone"]


@pytest.mark.parametrize("options", [{"repeats": (1, 0)}, {"cut_tokens": (-1,)}])
def test_a_number_below_one_is_refused(run, tmp_path, options):
    result = run(**options)
    assert result.exit_code == 2 and "greater than or equal to 1" in result.stderr
    assert not (tmp_path / "probe.parquet").exists()


@pytest.mark.parametrize("key", ["repeats", "cut_tokens"])
def test_a_number_given_twice_is_refused(run, key):
    with pytest.raises(InputError, match=rf"probe\.{key} has 3 twice"):
        run(**{key: (3, 1, 3)})
    assert run.asked == []


def test_a_ranker_without_candidate_scores_is_named_before_anything_is_scored(run, tmp_path):
    with pytest.raises(
        InputError, match=r"candidates/other\.parquet: no such file; run `dvc repro"
    ):
        run(None, "words", "other")
    assert run.asked == [] and not (tmp_path / "probe.parquet").exists()
