"""Probes: texts of known parts, each scored once, and what their places say of a ranker."""

from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlab.core.program import InputError
from genlab.ranking import probe_measures, probes
from genlab.ranking.candidates import passages_of_others, score_candidates, with_answer_in_slot
from genlab.ranking.places import METRICS, place
from tests.query_tables import table
from tests.tiny_models import make_tokenizer


def asked(*rows):
    """Return evaluated queries from (query, passages)."""
    return table(*(("validation", *row) for row in rows))


QUERIES = asked(
    ("the old red river", ["the red stone", ("the river. It is red and old.",), "a market"]),
    ("tower", ["the blue tower", "a garden"]),
    ("what is new", [("a new market. Go.",), ("the new garden",), "what stone"]),
    ("north or south", [("the north",)]),
)
PASSAGE = "one two three four five"


def shared_words(queries, texts):
    """Return how often words of the query stand in the text, less a bit for its length."""
    return np.array(
        [
            sum(text.split().count(word) for word in query.split()) - len(text) / 1024
            for query, text in zip(queries, texts, strict=True)
        ],
        dtype=np.float32,
    )


def combine(query="the old red river", passage=PASSAGE, query_id="q0", repeats=(2, 4), seed=1):
    vocabulary = probes.count_vocabulary(QUERIES)
    return probes.combine(query_id, query, passage, vocabulary, list(repeats), seed)


def test_the_query_is_put_where_the_probe_says():
    texts = combine("old river")
    assert texts["random_passage"] == PASSAGE
    assert texts["query_alone"] == "old river"
    assert texts["query_repeated_1"] == "old river one two three four five"
    assert texts["query_repeated_2"] == "old river old river one two three four five"
    assert texts["query_repeated_4"] == " ".join(["old river"] * 4) + " one two three four five"
    assert texts["query_in_middle"] == "one two old river three four five"
    assert texts["query_at_end"] == "one two three four five old river"
    assert texts["query_shuffled"] == "river old one two three four five"


def test_one_repeat_is_made_even_if_not_asked_for():
    """It is the start beside the middle and the end."""
    found = [probe for probe in combine(repeats=[8]) if probe.startswith("query_repeated")]
    assert found == ["query_repeated_1", "query_repeated_8"]


def test_random_words_are_as_many_as_the_querys_and_none_of_them():
    for seed in range(20):
        texts = combine(seed=seed)
        noise = texts["random_words"].removesuffix(" " + PASSAGE).split()
        assert len(noise) == 4
        assert not set(noise) & {"the", "old", "red", "river"}
        assert set(noise) <= set(probes.count_vocabulary(QUERIES).words)
        # The same words: the two probes differ in the query alone.
        assert texts["query_and_random_words"] == f"the old red river {texts['random_words']}"


def test_stuffed_keywords_stand_somewhere_between_the_passages_words():
    places = set()
    for seed in range(40):
        stuffed = combine("the old red river", seed=seed)["keywords_stuffed"].split()
        # "the" is in 6 of 9 passages, "red" in 2, "old" and "river" in 1.
        assert Counter(stuffed) == Counter([*PASSAGE.split(), "old", "river"])
        assert [word for word in stuffed if word in PASSAGE] == PASSAGE.split()
        places.add(stuffed.index("old"))
    assert places >= {0, 5}


def test_the_rarer_half_of_the_different_words_are_the_keywords():
    vocabulary = probes.count_vocabulary(QUERIES)
    assert probes.rarer_half(vocabulary, "the the market, The new") == ["market", "new"]
    # A word that no passage holds is the rarest; of equally rare ones the first.
    assert probes.rarer_half(vocabulary, "the Zanzibar stone") == ["zanzibar", "stone"]
    assert probes.rarer_half(vocabulary, "tower") == ["tower"]
    assert probes.rarer_half(vocabulary, "?") == []


def test_a_word_counts_once_for_every_passage_that_holds_it():
    vocabulary = probes.count_vocabulary(asked(("q", ["B a, b!", "a"]), ("r", ["", "c"])))
    assert vocabulary.words == ["a", "b", "c"]
    assert vocabulary.n_passages.tolist() == [2, 1, 1]


def test_words_are_drawn_as_often_as_passages_hold_them_and_never_the_querys():
    vocabulary = probes.Vocabulary(["a", "b", "c"], np.array([5, 2, 1]), {"a": 0, "b": 1, "c": 2})
    # Without a, b has the first two thirds and c the last.
    drawn = probes.draw_words(vocabulary, "A d", np.array([0, 0.66, 0.67, 0.99]))
    assert drawn == ["b", "b", "c", "c"]
    drawn = probes.draw_words(vocabulary, "d", np.array([0, 0.62, 0.63, 0.88]))
    assert drawn == ["a", "a", "b", "c"]


def test_without_any_other_word_there_is_nothing_to_draw():
    vocabulary = probes.Vocabulary(["a"], np.array([5]), {"a": 0})
    with pytest.raises(InputError, match=r"query 'a': no evaluated passage holds a word"):
        probes.draw_words(vocabulary, "a", np.array([0.5]))


@given(st.lists(st.sampled_from("abc"), max_size=6), st.integers(0, 99))
def test_a_shuffle_keeps_the_words_and_changes_their_order_if_it_can(items, seed):
    uniforms = np.random.default_rng(seed).random(len(items))
    shuffled = probes.shuffle(items, uniforms)
    assert Counter(shuffled) == Counter(items)
    assert (shuffled != items) == (len(set(items)) > 1)


def test_a_query_of_one_word_stays_as_it_is_when_shuffled():
    texts = combine("tower")
    assert texts["query_shuffled"] == texts["query_repeated_1"]


def test_a_random_passage_without_text_leaves_the_inserted_words_alone():
    texts = combine("old river", passage="")
    assert texts["random_passage"] == ""
    assert texts["query_repeated_2"] == "old river old river"
    for probe in ("query_repeated_1", "query_in_middle", "query_at_end", "query_alone"):
        assert texts[probe] == "old river"


def make_texts(queries, seed=1, random_passages=None, repeats=(1, 2), cut_tokens=(2, 5)):
    random_passages = random_passages or passages_of_others(queries, 1).to_list()
    return probes.make_texts(
        queries, random_passages, make_tokenizer(400), list(repeats), list(cut_tokens), seed
    )


def test_a_querys_texts_depend_on_seed_and_query_id_but_not_on_the_order():
    random_passages = ["alpha beta gamma", "delta epsilon", "zeta eta theta", "iota"]
    texts, _ = make_texts(QUERIES, random_passages=random_passages)
    turned, _ = make_texts(QUERIES.reverse(), random_passages=random_passages[::-1])
    assert {probe: column[::-1] for probe, column in turned.items()} == texts
    other, _ = make_texts(QUERIES, random_passages=random_passages, seed=2)
    renamed, _ = make_texts(
        QUERIES.with_columns(query_id="x" + pl.col("query_id")), random_passages=random_passages
    )
    for changed in (other, renamed):
        differing = {probe for probe in texts if changed[probe] != texts[probe]}
        random = {"random_words", "query_and_random_words", "keywords_stuffed", "query_shuffled"}
        assert "random_words" in differing and differing <= random


@pytest.mark.parametrize(
    ("text", "lead"),
    [
        ("The river is red. It is old.", "The river is red."),
        ("The river is red", "The river is red"),
        ("It is in the U.S. north. Go there.", "It is in the U.S. north."),
        ("Dr. No is old. Yes.", "Dr. No is old."),
        ('He said "Stop now!" Then left.', 'He said "Stop now!"'),
        ("1. Wash it well? 2. Dry.", "1. Wash it well?"),
        ("It costs 3.50 in all. Pay.", "It costs 3.50 in all."),
        ("", ""),
        ("河很红。它很老。", "河很红。"),
        ("「河很红！」他说。", "「河很红！」"),
        ("नदी लाल है।यह पुरानी है।", "नदी लाल है।"),
        ("دریا سرخ ہے۔ یہ پرانا ہے۔", "دریا سرخ ہے۔"),
        ("هل هذا النهر أحمر؟ نعم هو.", "هل هذا النهر أحمر؟"),
    ],
)
def test_the_lead_is_the_first_sentence_and_abbreviations_do_not_end_it(text, lead):
    assert probes.lead_sentence(text) == lead


def test_selected_passages_are_cut_by_tokens_and_whole_ones_are_left_as_they_are():
    texts, sizes = make_texts(QUERIES)
    # q1 has no selected passage, q3 nothing beside it.
    assert texts["selected_passage"] == [
        "the river. It is red and old.",
        None,
        "a new market. Go.",
        None,
    ]
    assert texts["lead_sentence"] == ["the river. It is red and old.", None, "a new market.", None]
    tokenizer = make_tokenizer(400)
    for length in (2, 5):
        shown = sizes[f"selected_cut_{length}"]
        n_tokens = []
        for whole, cut in zip(
            texts["selected_passage"], texts[f"selected_cut_{length}"], strict=True
        ):
            if whole is not None:
                ids = tokenizer(whole)["input_ids"]
                assert cut == tokenizer.decode(ids[:length]).strip()
                n_tokens.append(len(ids))
        assert shown["mean_tokens"] == np.mean(np.minimum(n_tokens, length))
        assert shown["cut_share"] == np.mean(np.array(n_tokens) > length)
    assert sizes["selected_passage"]["mean_tokens"] == np.mean(n_tokens)
    assert sizes["lead_sentence"] == {"cut_share": 1 / 2}
    texts, sizes = make_texts(QUERIES, cut_tokens=[300])
    assert texts["selected_cut_300"] == texts["selected_passage"]
    assert sizes["selected_cut_300"]["cut_share"] == 0


def test_without_selected_passages_their_probes_are_left_out():
    texts, sizes = make_texts(asked(("a", ["b", "c d"]), ("e", ["f"])))
    assert not any(probes.is_of_answer(probe) for probe in texts)
    assert sizes == {}


def place_all(queries=QUERIES, relevance=shared_words):
    random_passages = passages_of_others(queries, 1).to_list()
    candidates = score_candidates(queries, relevance, seed=1)
    texts, _ = make_texts(queries)
    scored = probes.scored_pairs(queries, random_passages)
    pairs = probes.unscored_pairs(queries, texts, scored)
    scores = dict(zip(scored, probes.candidate_scores(candidates), strict=True))
    scores |= dict(zip(pairs, relevance(*zip(*pairs, strict=True)).tolist(), strict=True))
    return candidates, texts, scored, pairs, probes.place_probes(queries, texts, candidates, scores)


def test_nothing_is_scored_twice_and_everything_once():
    _, texts, scored, pairs, _ = place_all()
    assert len(pairs) == len(set(pairs))
    assert not set(pairs) & set(scored)
    wanted = {
        (query, text)
        for column in texts.values()
        for query, text in zip(QUERIES["query"], column, strict=True)
        if text is not None
    }
    assert wanted <= {*pairs, *scored}
    assert not any(text in texts["selected_passage"] for _, text in pairs)


def test_candidate_scores_belong_to_the_pairs():
    candidates, _, scored, _, _ = place_all()
    expected = shared_words(*zip(*scored, strict=True))
    assert probes.candidate_scores(candidates) == expected.tolist()


def test_the_random_passage_is_the_floor_and_the_selected_one_the_ceiling():
    candidates, _, _, _, placed = place_all()
    for probe, rows in (
        ("random_passage", place(candidates.rename({"floor_score": "score"}))),
        ("selected_passage", place(with_answer_in_slot(candidates))),
    ):
        found = placed.filter(pl.col("probe") == probe)
        columns = ["query_id", "score", "n_candidates", *METRICS.values()]
        assert found.select(columns).equals(rows.select(columns))


def test_texts_are_placed_in_their_own_slot():
    _, _, _, _, placed = place_all()
    alone = placed.filter(pl.col("probe") == "query_alone")
    assert alone["n_candidates"].to_list() == [3, 2, 3, 1]
    assert alone["location"].to_list() == [1.0] * 4
    assert alone["answerable"].to_list() == [True, False, True, True]
    lead = placed.filter(pl.col("probe") == "lead_sentence")
    assert lead["query_id"].to_list() == ["q0", "q2"]
    assert lead["n_candidates"].to_list() == [2, 2]  # the passage itself is not beside its lead
    assert lead["answerable"].to_list() == [True, True]
    # q0 has no other answer to be above; q2's lead scores as its other answer, and is shorter.
    assert lead["fdaro"].to_list() == [None, 1.0]


def rows_of(places):
    """Return placed rows from probe -> the place of each query."""
    frames = [
        pl.DataFrame(
            {
                "query_id": [f"q{i}" for i in range(len(at))],
                "probe": probe,
                "n_candidates": 9,
                "n_selected": 0,
                "answerable": False,
                "location": [float(x) for x in at],
                **{
                    column: [float(x == 1) for x in at]
                    for column in METRICS.values()
                    if column not in ("location", "fdaro", "fdaro_any")
                },
                "fdaro": pl.Series([None] * len(at), dtype=pl.Float64),
                "fdaro_any": pl.Series([None] * len(at), dtype=pl.Float64),
            }
        )
        for probe, at in places.items()
    ]
    return pl.concat(frames), frames[0]["query_id"].to_list()


PLACES = {
    "random_passage": [9, 8, 10, 7],
    "query_repeated_1": [5, 8, 3, 4],
    "query_repeated_2": [1, 6, 1, 2],
    "query_repeated_8": [1, 3, 1, 1],
}


def test_the_answer_to_the_dose_is_the_best_one_what_the_first_gains_and_what_is_lost_after():
    headline, details = probe_measures.measure_probes(*rows_of(PLACES), [8, 2, 1], seed=3)
    assert headline["best_dose"]["value"] == 8  # mean places 8.5, 5, 2.5, 1.5
    assert headline["gained_by_first"] == details["query_repeated_1"]["gain"]
    assert headline["gained_by_first"]["value"] == (4 + 0 + 7 + 3) / 4
    assert headline["lost_after_best"]["value"] == 0
    worse = PLACES | {"query_repeated_8": [4, 6, 5, 1]}
    headline, _ = probe_measures.measure_probes(*rows_of(worse), [8, 2, 1], seed=3)
    assert headline["best_dose"]["value"] == 2
    assert headline["lost_after_best"]["value"] == (3 + 0 + 4 - 1) / 4


def test_the_first_repeat_is_told_of_even_when_only_others_were_asked_for():
    headline, _ = probe_measures.measure_probes(*rows_of(PLACES), [2], seed=3)
    assert headline["gained_by_first"]["value"] == 3.5
    assert headline["best_dose"]["value"] == 2


def test_intervals_of_few_queries_stay_among_the_possible_places_and_have_a_width():
    few = PLACES | {"query_repeated_1": [1, 1, 1, 1], "query_repeated_2": [1, 1, 10, 2]}
    rows, query_ids = rows_of(few)
    last = rows["n_candidates"][0] + 1.0
    _, details = probe_measures.measure_probes(rows, query_ids, [1, 2, 8], seed=3)
    for probe, numbers in details.items():
        place = numbers["average_loc"]
        assert 1 <= place["low"] <= place["value"] <= place["high"] <= last
        if "gain" in numbers:
            assert 1 - last <= numbers["gain"]["low"] <= numbers["gain"]["high"] <= last - 1, probe
    always_first = details["query_repeated_1"]
    assert always_first["average_loc"]["low"] == 1 < always_first["average_loc"]["high"]
    assert always_first["top_1"]["low"] < 1 == always_first["top_1"]["high"]


def test_copies_of_a_query_in_its_topic_tell_a_probe_no_more_than_one():
    rows, query_ids = rows_of({probe: at * 3 for probe, at in PLACES.items()})
    rows = rows.with_columns(topic=pl.col("query_id"))
    copied = pl.concat(
        own.with_columns(query_id=pl.format("{} {}", "query_id", pl.lit(copy)))
        for own in rows.partition_by("probe", maintain_order=True)
        for copy in "ab"
    )
    asked = [f"{query} {copy}" for copy in "ab" for query in query_ids]
    one, of_one = probe_measures.measure_probes(rows, query_ids, [1, 2, 8], seed=3)
    two, of_two = probe_measures.measure_probes(copied, asked, [1, 2, 8], seed=3)
    assert (one["n_queries"], two["n_queries"], one["n_topics"], two["n_topics"]) == (
        12,
        24,
        12,
        12,
    )
    for name in ("best_dose", "gained_by_first", "lost_after_best"):
        assert two[name] == pytest.approx(one[name], abs=1e-9), name
    for measure in ("average_loc", "gain"):
        found = (each["query_repeated_1"][measure] for each in (of_one, of_two))
        assert next(found) == pytest.approx(next(found), abs=1e-9)


def test_doses_to_first_place():
    headline, _ = probe_measures.measure_probes(*rows_of(PLACES), [1, 2, 8], seed=3)
    # q0 and q2 are first at 2, q3 at 8, q1 never.
    assert headline["median_dose_to_first"] == 5
    assert headline["never_first_share"] == 0.25


def test_a_dose_that_most_never_find_is_left_out():
    headline, _ = probe_measures.measure_probes(*rows_of(PLACES), [1], seed=3)
    assert headline["never_first_share"] == 1.0
    assert "median_dose_to_first" not in headline


def test_a_shared_first_place_is_not_first_and_a_random_passage_may_be():
    dose = np.array([0, 1])
    found = probe_measures.doses_to_first(dose, np.array([[1.0, 1.5, 3.0], [1.0, 1.0, 1.0]]))
    assert found == {"median_dose_to_first": 1.0, "never_first_share": 0.0}
    found = probe_measures.doses_to_first(dose, np.array([[1.0, 1.0, 3.0], [9.0, 9.0, 1.5]]))
    assert found == {"median_dose_to_first": 0.0, "never_first_share": pytest.approx(1 / 3)}


def test_parts_of_a_selected_passage_are_compared_with_the_whole():
    _, _, _, _, placed = place_all()
    _, details = probe_measures.measure_probes(
        placed, QUERIES["query_id"].to_list(), [1, 2], seed=1
    )
    places = {
        probe: dict(placed.filter(pl.col("probe") == probe).select("query_id", "location").rows())
        for probe in details
        if not probe.startswith("chance")
    }
    for probe, numbers in details.items():
        if probe in ("chance", "chance_selected", "random_passage", "selected_passage"):
            assert "gain" not in numbers
        else:
            whole = "selected_passage" if probe[:4] in ("lead", "sele") else "random_passage"
            expected = np.mean([places[whole][q] - at for q, at in places[probe].items()])
            assert numbers["gain"]["value"] == pytest.approx(expected)
    assert details["lead_sentence"]["n_queries"] == 2
    assert details["chance"]["average_loc"]["value"] == np.mean([2.5, 2, 2.5, 1.5])
    # Of q0 and q2, beside the two passages that are not in the slot.
    assert details["chance_selected"]["average_loc"]["value"] == 2
    assert details["chance_selected"]["n_queries"] == 2
    for probe, numbers in details.items():
        for name, number in numbers.items():
            if name != "n_queries":
                assert number["low"] - 1e-9 <= number["value"] <= number["high"] + 1e-9, probe


def test_a_measure_that_no_query_counts_for_is_left_out():
    _, details = probe_measures.measure_probes(*rows_of(PLACES), [1], seed=3)
    assert "fdaro" not in details["query_repeated_1"]
    assert set(details["random_passage"]) == {*METRICS, "n_queries"} - {"fdaro", "fdaro_any"}


def test_plot_points_have_the_same_keys_and_probes_without_texts_are_left_out():
    _, details = probe_measures.measure_probes(*rows_of(PLACES), [1], seed=3)
    found = probe_measures.points(
        {"r": details}, "repeats", {0: "random_passage", 5: "lead_sentence"}
    )
    numbers = details["random_passage"]["average_loc"]
    ends = {"low": numbers["low"], "high": numbers["high"]}
    point = {"ranker": "r", "repeats": 0, "average_loc": 8.5, **ends}
    assert found == [point | {"chance": details["chance"]["average_loc"]["value"]}]
    assert probe_measures.points({"r": details}, "tokens", {5: "selected_cut_5"}) == []


def test_the_printed_table_has_a_line_for_every_probe_within_100_columns():
    headline, details = probe_measures.measure_probes(*rows_of(PLACES), [1, 2, 8], seed=3)
    lines = probe_measures.table_of(dict.fromkeys("abc", headline), dict.fromkeys("abc", details))
    assert [line.split()[0] for line in lines.splitlines()[1:]] == [
        "chance",
        *PLACES,
        "best_dose",
        "gained_by_first",
        "lost_after_best",
        "median_dose_to_first",
        "never_first_share",
        "n_queries",
    ]
    assert lines.splitlines()[-1].split() == ["n_queries", "4", "4", "4"]
    assert all(len(line) <= 100 for line in lines.splitlines())


def test_a_number_given_twice_is_an_error_naming_the_key():
    probes.check_doses("probe.repeats", [1, 2, 4])
    with pytest.raises(InputError, match=r"probe\.repeats has 2 twice"):
        probes.check_doses("probe.repeats", [4, 2, 1, 2])
