"""MRR, MAP and nDCG@10: against trec_eval, and under ties against all orders."""

from itertools import pairwise, permutations

import numpy as np
import polars as pl
import pytrec_eval

from genlab.ranking import quality


def table(scores: list[list[float]], flags: list[list[bool]]) -> pl.DataFrame:
    ids = [f"q{i}" for i in range(len(scores))]
    return pl.DataFrame({"query_id": ids, "candidate_scores": scores, "candidate_selected": flags})


def test_without_ties_every_measure_is_trec_evals():
    rng = np.random.default_rng(5)
    sizes = rng.integers(1, 25, 60)
    scores = [rng.permutation(n).astype(float).tolist() for n in sizes]
    flags = [(rng.random(n) < 0.3).tolist() for n in sizes]
    run = {f"q{i}": {f"d{j}": s for j, s in enumerate(own)} for i, own in enumerate(scores)}
    judged = {f"q{i}": {f"d{j}": int(f) for j, f in enumerate(own)} for i, own in enumerate(flags)}
    names = {"recip_rank", "map", "ndcg_cut.10"}
    theirs = pytrec_eval.RelevanceEvaluator(judged, names).evaluate(run)
    ours = quality.judge(table(scores, flags))
    counted = ours.drop_nulls()
    assert counted.height == sum(map(any, flags)) and ours.height == 60
    for row in counted.iter_rows(named=True):
        found = theirs[row["query_id"]]
        assert np.isclose(row["reciprocal_rank"], found["recip_rank"])
        assert np.isclose(row["average_precision"], found["map"])
        assert np.isclose(row["ndcg_10"], found["ndcg_cut_10"])


def test_of_tied_passages_every_order_is_equally_likely():
    scores, flags = [2.0, 1.0, 1.0, 1.0, 0.0, 0.0], [False, True, False, True, True, False]
    found = []
    for order in permutations(range(6)):
        if any(scores[a] < scores[b] for a, b in pairwise(order)):
            continue
        places = np.array([i + 1 for i, item in enumerate(order) if flags[item]])
        ideal = (1 / np.log2(np.arange(3) + 2)).sum()
        found.append(
            (
                1 / places[0],
                np.mean([(i + 1) / place for i, place in enumerate(places)]),
                (1 / np.log2(places + 1)).sum() / ideal,
            )
        )
    assert len(found) == 12  # 3! x 2!
    row = quality.judge(table([scores], [flags])).row(0)[1:]
    assert np.allclose(row, np.mean(found, axis=0))


def test_the_summary_counts_queries_with_an_answer_alone():
    rows = quality.judge(table([[1.0, 0.0]] * 3, [[True, False], [False, True], [False, False]]))
    found = quality.summarize(rows, seed=1)
    assert found["mrr"]["value"] == 0.75
    assert found["ndcg_10"]["value"] == (1 + 1 / np.log2(3)) / 2
    assert found["map"]["low"] <= 0.75 <= found["map"]["high"] <= 1
    assert quality.summarize(rows.tail(1), seed=1) == {}
    assert quality.count_queries(rows) == {"n_queries": 2}


def test_intervals_of_quality_draw_topics_where_queries_have_one():
    firsts = [[True, False], [False, True]] * 10
    rows = quality.judge(table([[1.0, 0.0]] * 20, firsts))
    alike = rows.sort("reciprocal_rank").with_columns(
        topic=pl.Series(list("abcdefghij") * 2).sort()
    )
    plain, by_topic = (quality.summarize(each, seed=1)["mrr"] for each in (rows, alike))
    assert by_topic["value"] == plain["value"] == 0.75
    assert by_topic["high"] - by_topic["low"] > 1.3 * (plain["high"] - plain["low"])
    assert quality.count_queries(alike) == {"n_queries": 20, "n_topics": 10}
