"""pipelines.reviews.stages.score: what a text gets, what an arm gets, and what is refused."""

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.core.tables import read_table, write_table
from genlab.experiments.comparison import compare_group
from genlab.experiments.layout import Layout, Metric
from genlab.experiments.pairing import pair_rows
from genlab.labelling.questionnaire import add_fingerprints, read_questionnaire
from genlab.statistics.intervals import wilson_interval
from genlab.statistics.shares import macro_share
from genlab.text.classifier import Features, train_classifier
from genlab.text.normal_form import words
from pipelines.reviews import fluency_model
from pipelines.reviews.generated_reviews import (
    add_references,
    cut_generated,
    draw_others,
    read_generated,
)
from pipelines.reviews.keywords import Rules, weigh_keywords
from pipelines.reviews.metrics import keyword_recall, score_texts
from pipelines.reviews.schemas import GENERATE_SCHEMA, KEYWORD_SCHEMA, SCORE_SCHEMA
from pipelines.reviews.stages import score
from pipelines.reviews.summary import five_and_others, plot_by_rating, summarize, table_of
from tests.handed_on import noted
from tests.pipelines.reviews.tiny_reviews import make_table, run_classify
from tests.project_copy import ROOT
from tests.tiny_t5 import make_tokenizer

SHEET = ROOT / "pipelines/reviews/label.yaml"
NO_CLASSIFIER = {"rating": None, "rubric": None}
NO_TRAIN = pl.Series([], dtype=pl.String)


def generated(texts: list[str], arm: str = "full", decoding: str = "study", **asked):
    """Return GENERATE_SCHEMA rows, one a text, each of its own review; `asked`: for all."""
    columns = {"rubrics": ["Кафе"], "rating": 5, "keywords": ["борщ"]} | asked
    rows = [
        {"text_id": f"r{row}/{arm}/{decoding}", "review_id": f"r{row}", "arm": arm, "text": text}
        | {"decoding": decoding, "prompt": "", "tokens": [1] * 9, "finished": True}
        | columns
        for row, text in enumerate(texts)
    ]
    return pl.DataFrame(rows, schema=GENERATE_SCHEMA)


def organised(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with an organisation."""
    return rows.with_columns(organisation=pl.lit("Кафе, Лесная, 1"))


def reviews_of(rows: pl.DataFrame, split: str = "test") -> pl.DataFrame:
    """Return a test review for every review_id."""
    each = rows.unique("review_id", maintain_order=True)
    return each.select(
        "review_id",
        pl.lit("").alias("organisation"),
        "rubrics",
        "rating",
        pl.lit("Настоящий отзыв").alias("text"),
        pl.lit(split).alias("split"),
        "keywords",
    ).cast(KEYWORD_SCHEMA)


def scores_of(texts: list[str], train=NO_TRAIN, classifiers=NO_CLASSIFIER, losses=None, **asked):
    losses = losses or [np.zeros(0)] * len(texts)
    return score_texts(
        organised(generated(texts, **asked)), train, classifiers, losses, repetition_words=2
    )


# ---- text by text


@pytest.mark.parametrize(
    ("keywords", "text", "expected"),
    [
        (["солянка", "борщ"], "Солянку ели, борща не было", 1.0),
        (["солянка", "борщ"], "Съели солянку", 0.5),
        (["вкусный борщ"], "Хвалили вкусные борщи", 1.0),
        (["вкусный борщ"], "Борщ вкусный", 0.0),  # not in this order
        (["вкусный борщ"], "Вкусный горячий борщ", 0.0),  # not side by side
        (["стекло"], "Вид через стекло", 1.0),  # whose form may be taken for a verb's
        (["ребёнок"], "Были с детьми", 1.0),
        (["wifi"], "Есть WiFi!", 1.0),
        (["борщ"], "", 0.0),
        (["!"], "борщ!", 0.0),
        ([], "борщ", None),
    ],
)
def test_a_keyword_is_found_in_any_of_its_forms(keywords, text, expected):
    assert keyword_recall(keywords, words(text)) == expected


def test_a_reviews_own_keywords_are_all_found_in_it():
    texts = make_table(300)["text"].to_list()
    keywords, _ = weigh_keywords(texts, [True] * 300, Rules(5, 3, 1, 3, dictionary_forms=True))
    recalls = [keyword_recall(own, words(text)) for own, text in zip(keywords, texts, strict=True)]
    assert set(recalls) <= {1.0, None} and 1.0 in recalls


def test_measures_of_the_text_alone_are_by_hand():
    """да да нет да да: words 2/5; pairs дада данет нетда дада 3/4, one repeats: 1/4."""
    row = scores_of(["Да, да! Нет, да, да."], pl.Series(["нет да да", "да да"])).row(0, named=True)
    assert (row["distinct_1"], row["distinct_2"]) == (2 / 5, 3 / 4)
    assert row["self_repetition"] == 1 / 4
    assert (row["copied_words"], row["copied_share"]) == (3, 3 / 5)
    assert (row["n_words"], row["n_tokens"], row["finished"]) == (5, 9, 1)
    assert row["n_bytes"] == len("Да, да! Нет, да, да.".encode())


def test_likelihoods_are_per_token_and_per_byte():
    losses = [np.array([1.0, 2.0, 6.0])]
    row = scores_of(["борщ"], losses=losses).row(0, named=True)  # 8 bytes
    assert row["loss_per_token"] == 3.0 and row["loss"] == 9.0 and row["n_read_tokens"] == 3
    assert row["bits_per_byte"] == pytest.approx(9 / math.log(2) / 8)


def test_classifiers_say_whether_what_was_asked_for_was_recovered():
    features = Features(1, 0, 1, 100)
    classifiers = {
        name: train_classifier(texts, classes, features, 1.0, True, "reviews", "classify.min_texts")
        for name, texts, classes in [
            ("rating", ["плохо", "средне", "отлично"], [1, 3, 5]),
            ("rubric", ["суп", "номер"], ["Кафе", "Гостиница"]),
        ]
    }
    texts = ["отлично суп", "средне номер", "плохо", ""]
    found = scores_of(texts, classifiers=classifiers, rubrics=["Бар", "Кафе"])
    assert found["predicted_rating"].to_list() == [5, 3, 1, None]
    assert found["rating_recovered"].to_list() == [1, 0, 0, 0]
    assert found["rating_error"].to_list() == [0, 2, 4, 4]  # the empty text: as wrong as can be
    assert found["rubric_recovered"].to_list()[:2] == [1, 0]
    # A rating and a rubric that no classifier has met: nothing is said of them.
    unknown = scores_of(["отлично"], classifiers=classifiers, rating=2, rubrics=["Бар"])
    for column in ("rating_recovered", "rating_error", "predicted_rating", "rubric_recovered"):
        assert unknown[column].to_list() == [None]


def test_an_empty_text_and_one_of_one_word_have_defined_values():
    found = scores_of(["", "борщ"], pl.Series(["борщ"]), losses=[np.zeros(0), np.array([2.0])])
    assert found["keyword_recall"].to_list() == [0, 1]
    assert found["copied_share"].to_list() == [None, 1]
    assert found["distinct_1"].to_list() == [None, 1]
    assert found["distinct_2"].to_list() == found["self_repetition"].to_list() == [None, None]
    assert found["loss_per_token"].to_list() == [None, 2]
    assert found["bits_per_byte"][0] is None


# ---- arm by arm


def scored_arm(arm: str, ratings: list[int], **columns) -> pl.DataFrame:
    n = len(ratings)
    fixed = {"arm": [arm] * n, "decoding": ["study"] * n, "rating": ratings}
    fixed |= {"text": ["да нет"] * n, "review_id": [f"r{row}" for row in range(n)]}
    empty = {"loss": [0.0] * n, "n_read_tokens": [0] * n, "n_bytes": [0] * n, "n_words": [2] * n}
    rows = fixed | empty | columns
    missing = {name: [None] * n for name in SCORE_SCHEMA.names() if name not in rows}
    return pl.DataFrame(rows | missing, schema=SCORE_SCHEMA, strict=False)


def test_the_macro_average_is_the_mean_of_the_ratings_means():
    """Of rating 1 one of two, of rating 5 four of four: 0.75, not 5/6."""
    frame = scored_arm(
        "full",
        [1, 1, 5, 5, 5, 5],
        rating_recovered=[1, 0, 1, 1, 1, 1],
        keyword_recall=[0.5, 0.0, 1.0, None, 0.0, 0.5],
    )
    numbers = summarize(frame, 1000, seed=1)["study"]["full"]
    assert numbers["macro"]["rating_recovered"]["value"] == 0.75
    low, high = macro_share([1, 4], [2, 4])[1:]
    assert numbers["macro"]["rating_recovered"]["low"] == pytest.approx(low)
    assert numbers["macro"]["rating_recovered"]["high"] == pytest.approx(high)
    of_five = numbers["stars_5"]
    assert of_five["n"] == 4 and of_five["rating_recovered"]["value"] == 1
    assert of_five["rating_recovered"]["low"] == wilson_interval(4, 4)[0]
    assert numbers["macro"]["keyword_recall"]["value"] == pytest.approx((0.25 + 0.5) / 2)
    assert of_five["keyword_recall"]["value"] == 0.5  # of the three that count
    assert "copied_share" not in numbers["macro"]  # counts nowhere


def test_a_rating_where_nothing_counts_is_left_out_of_the_macro_average():
    frame = scored_arm("full", [1, 1, 2, 2], rubric_recovered=[None, None, 1, 0])
    numbers = summarize(frame, 1000, seed=1)["study"]["full"]
    assert numbers["macro"]["rubric_recovered"]["value"] == 0.5
    assert "rubric_recovered" not in numbers["stars_1"]


def test_intervals_are_of_units_within_ratings():
    """Equal values within each rating: only the ratings' exact ends count, not their distance."""
    frame = scored_arm("full", [1] * 5 + [5] * 5, keyword_recall=[0.0] * 5 + [1.0] * 5)
    macro = summarize(frame, 1000, seed=1)["study"]["full"]["macro"]
    ends = macro["keyword_recall"]["low"], macro["keyword_recall"]["high"]
    room = wilson_interval(0, 5)[1] / 2
    assert ends == (pytest.approx(0.5 - room), pytest.approx(0.5 + room))


def test_intervals_draw_organisations_with_their_texts_of_all_ratings():
    """Two texts of an organisation that fare alike tell no more than one."""
    ratings = [1] * 20 + [5] * 20
    numbers = np.random.default_rng(3).random(40)
    values = {"keyword_recall": numbers, "rating_recovered": (numbers > 0.4).astype(float)}
    values |= {"loss": 5 + numbers, "n_read_tokens": [4] * 40, "n_bytes": [8] * 40}
    alone = scored_arm("full", ratings, **values)
    twins = pl.concat([alone, alone]).with_columns(
        organisation=pl.Series([f"place {row}" for row in range(40)] * 2)
    )
    of_texts, of_places = (
        summarize(frame, 10, seed=1)["study"]["full"] for frame in (alone, twins)
    )
    assert of_places["corpus"]["n_organisations"] == 40
    assert "n_organisations" not in of_texts["corpus"]
    for part, name in (
        *(("macro", name) for name in ("keyword_recall", "rating_recovered")),
        *(("stars_5", name) for name in ("keyword_recall", "rating_recovered")),
        *(("corpus", name) for name in ("perplexity", "corpus_bits_per_byte")),
    ):
        found, expected = of_places[part][name], of_texts[part][name]
        assert found["value"] == pytest.approx(expected["value"])
        assert width(found) == pytest.approx(width(expected), rel=0.15), name
    distinct = [each["corpus"]["corpus_distinct_1"] for each in (of_texts, of_places)]
    assert width(distinct[0]) == pytest.approx(width(distinct[1]), rel=0.15)
    told = table_of({"full": of_places})
    assert "Intervals draw the 40 organisations anew, with all texts of each." in told
    assert "no two are known to be of one organisation" in table_of({"full": of_texts})
    points = [plot_by_rating(frame, "study", "keyword_recall", 1) for frame in (alone, twins)]
    for one, other in zip(*points, strict=True):
        assert width(other) == pytest.approx(width(one), rel=0.15)


def width(numbers: dict) -> float:
    return numbers["high"] - numbers["low"]


def test_perplexity_is_of_all_tokens_together():
    """exp((2 + 30) / (1 + 9)), not the mean of exp(2) and exp(30 / 9)."""
    frame = scored_arm("full", [1, 5], loss=[2.0, 30.0], n_read_tokens=[1, 9], n_bytes=[4, 60])
    corpus = summarize(frame, 1000, seed=1)["study"]["full"]["corpus"]
    assert corpus["perplexity"]["value"] == pytest.approx(math.exp(3.2))
    assert corpus["corpus_bits_per_byte"]["value"] == pytest.approx(32 / math.log(2) / 64)
    # One text a rating: every resample is the sample.
    assert corpus["perplexity"]["low"] == pytest.approx(corpus["perplexity"]["high"])


def test_a_plot_has_every_arm_at_every_asked_rating_where_a_text_counts():
    frame = pl.concat(
        [
            scored_arm("full", [1, 1, 5], predicted_rating=[1, 2, None]),
            scored_arm("real", [1, 1, 5], predicted_rating=[1, 1, 5]),
        ]
    )
    # Of stars from 1 to 5: one of two texts is above 1, so 98.74 % may be, or none; with none
    # of two 84.19 %; of the one text with five stars 97.5 % may have fewer.
    ends = [(1.0, 1 + 4 * 0.98742), (1.0, 1 + 4 * 0.84189), (5 - 4 * 0.975, 5.0)]
    shown = [("full", 1, 1.5), ("real", 1, 1.0), ("real", 5, 5.0)]
    for point, found, (low, high) in zip(
        plot_by_rating(frame, "study", "predicted_rating", seed=1), shown, ends, strict=True
    ):
        assert (point["arm"], point["asked"], point["predicted_rating"]) == found
        assert (point["low"], point["high"]) == pytest.approx((low, high), abs=1e-4)


def test_a_plotted_share_has_wilsons_interval():
    """Of two texts one: 1/2 +- z sqrt(1/8 + z^2/16) / (1 + z^2/2)."""
    frame = scored_arm("full", [3, 3], rating_recovered=[1.0, 0.0])
    (point,) = plot_by_rating(frame, "study", "rating_recovered", seed=1)
    z2 = 1.959963984540054**2
    half = math.sqrt(z2 * (1 / 8 + z2 / 16)) / (1 + z2 / 2)
    assert point == {
        "arm": "full",
        "asked": 3,
        "rating_recovered": 0.5,
        "low": pytest.approx(0.5 - half),
        "high": pytest.approx(0.5 + half),
    }


# ---- the rows


def test_texts_are_cut_to_max_len_tokens_and_a_cut_text_has_no_end(tmp_path):
    tokenizer = make_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    ids = tokenizer("кафе вкусный борщ", add_special_tokens=False)["input_ids"]
    rows = generated(["кафе вкусный борщ", "да"]).with_columns(
        tokens=pl.Series([ids, ids[:1]], dtype=pl.List(pl.Int32))
    )
    cut = cut_generated(rows, tmp_path, len(ids) - 1)
    assert cut["tokens"].to_list() == [ids[:-1], ids[:1]]
    assert cut["text"].to_list() == [tokenizer.decode(ids[:-1], skip_special_tokens=True), "да"]
    assert cut["finished"].to_list() == [False, True]
    whole = cut_generated(rows, tmp_path / "not read", len(ids) + 1)
    assert whole.equals(rows)


def check(tmp_path, rows: pl.DataFrame, reviews: pl.DataFrame | None = None) -> pl.DataFrame:
    path = tmp_path / "generate.parquet"
    rows.write_parquet(path)
    return read_generated(path, reviews_of(generated(["а", "б"])) if reviews is None else reviews)


def test_rows_come_arm_by_arm_in_one_order_of_reviews(tmp_path):
    rows = pl.concat([generated(["а", "б"]), generated(["в", "г"], "lora_all")])
    found = check(tmp_path, rows[[1, 3, 2, 0]])
    assert found["text"].to_list() == ["б", "а", "г", "в"]
    assert found.schema == GENERATE_SCHEMA


TWO = generated(["а", "б"])
BOTH = pl.concat([TWO, generated(["в", "г"], "lora_all")])


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (BOTH[:3], r"arm lora_all \(study\) has no text for review r1, .* \(1 such reviews\)"),
        (pl.concat([TWO, TWO[:1]]), r"text r0/full/study is there twice \(2 such rows\)"),
        (
            pl.concat([TWO, TWO[:1].with_columns(text_id=pl.lit("x"))]),
            "arm full has more than one text for review r0",
        ),
        (TWO.with_columns(rating=pl.lit(6, pl.Int8)), "r0/full/study asks for a rating that is"),
        (TWO.with_columns(rating=pl.lit(300)), "r0/full/study asks for a rating that is"),
        (TWO.with_columns(rating=pl.lit(float("nan"))), "column rating holds Float64, not Int8"),
        (TWO.with_columns(rating=pl.lit(4, pl.Int8)), "asks for another rating than its review"),
        (TWO.with_columns(text=pl.lit(None, pl.String)), "text r0/full/study has no text"),
        (TWO.with_columns(text_id=pl.lit(None, pl.String)), "text in row 1 has no text_id"),
        (
            TWO.with_columns(keywords=pl.lit([None], pl.List(pl.String))),
            "text r0/full/study has no keywords",
        ),
        (TWO.drop("finished"), "it has no column finished"),
        (TWO[:0], "it has no row"),
        (generated(["а"], "real"), "bears an arm's name that is score's"),
        (generated(["а", "б", "в"]), "text r2/full/study is of no test review"),
        (
            pl.concat([TWO, generated(["в", "г"], "lora_all", keywords=["суп"])]),
            "arms were asked for different things for review r0",
        ),
    ],
)
def test_rows_that_cannot_be_compared_are_refused_by_name(tmp_path, rows, reason):
    with pytest.raises(InputError, match=rf"generate\.parquet: .*{reason}"):
        check(tmp_path, rows)


def test_texts_of_train_reviews_are_refused(tmp_path):
    with pytest.raises(InputError, match="r0/full/study is of no test review"):
        check(tmp_path, TWO, reviews_of(TWO, split="train"))


def test_the_other_review_has_another_rating_and_no_rubric_in_common():
    inputs = make_table().select("rubrics", "rating")
    drawn = draw_others(inputs, seed=3)
    assert drawn == draw_others(inputs, seed=3) != draw_others(inputs, seed=4)
    others = inputs[drawn]
    assert (others["rating"] != inputs["rating"]).all()
    pairs = zip(others["rubrics"], inputs["rubrics"], strict=True)
    assert not any(set(other) & set(own) for other, own in pairs)


def test_where_all_reviews_have_one_rubric_the_other_has_another_rating_alone():
    inputs = pl.DataFrame({"rubrics": [["Место"]] * 4, "rating": [1, 1, 5, 5]})
    assert [row >= 2 for row in draw_others(inputs, seed=1)] == [True, True, False, False]
    assert draw_others(inputs.with_columns(rating=pl.lit(5)), seed=1) is None


def test_references_stand_under_every_decoding_and_have_no_tokens():
    rows = pl.concat([TWO, generated(["в", "г"], decoding="greedy")])
    reviews = reviews_of(rows).with_columns(rating=pl.Series([1, 5], dtype=pl.Int8))
    rows = rows.with_columns(rating=pl.Series([1, 5, 1, 5], dtype=pl.Int8))
    found = add_references(rows, reviews, seed=1)
    assert found.group_by("decoding", "arm").len().height == 6
    real = found.filter(arm="real", decoding="greedy")
    assert real["text_id"].to_list() == ["r0/real/greedy", "r1/real/greedy"]
    assert set(real["text"]) == {"Настоящий отзыв"}
    assert real["tokens"].null_count() == real["finished"].null_count() == 2
    # All of one rating: there is no other review.
    same = add_references(TWO, reviews_of(TWO), seed=1)
    assert set(same["arm"]) == {"full", "real"}


# ---- the stage


@pytest.fixture(scope="module")
def classified(tmp_path_factory) -> Path:
    """Return a folder with mini reviews, their classifiers and texts of two arms."""
    folder = tmp_path_factory.mktemp("classified")
    table = make_table()
    run_classify(folder, table, **{"fluency.epochs": 8})
    inputs = table.filter(split="test").with_columns(prompt=pl.lit(""), finished=pl.lit(True))
    inputs = inputs.group_by("rating", maintain_order=True).head(3)
    texts = inputs["text"].to_list()
    arms = {"full": texts, "lora_all": [" ".join(sorted(text.split())) for text in texts]}
    frames = [
        inputs.with_columns(
            pl.Series("text", arms[arm]),
            text_id=pl.format("{}/{}/{}", "review_id", pl.lit(arm), pl.lit(decoding)),
            arm=pl.lit(arm),
            decoding=pl.lit(decoding),
            tokens=pl.lit([1] * 9),
        ).select(pl.col(name).cast(kind) for name, kind in GENERATE_SCHEMA.items())
        for decoding in ("study", "greedy")
        for arm in arms
    ]
    write_table(folder / "generate.parquet", frames, GENERATE_SCHEMA)
    (folder / "train_curve").mkdir()
    point = {"epoch": 1.0, "split": "train", "loss": 2.0}
    (folder / "train_curve/full.json").write_text(json.dumps([point]))
    return folder


def run_score(classified: Path, output: Path, labels: Path | None = None, **changes) -> str:
    """Run the stage; its files go to `output`. Returns what it printed."""
    files = [classified / "generate.parquet", classified / "base", classified / "enrich.parquet"]
    files += [classified / "classify", SHEET]
    files += [labels or output / "labels", classified / "train_curve", output / "score.parquet"]
    outs = {"metrics": "score", "details": "score_details", "label_metrics": "labels"}
    outs |= {"recovered": "recovered", "predicted": "predicted", "curves": "curves"}
    options = {name: output / f"{file}.json" for name, file in outs.items()}
    tables = {"arms_output": "score_arms", "stars_output": "score_stars"}
    options |= {name: output / f"{file}.parquet" for name, file in tables.items()}
    options |= {"arm": "full", "decoding": "study", "repetition_words": 3, "distinct_sample": 50}
    options |= {"max_blank_share": 1.0}
    options |= {"batch_size": 64, "seed": 17, "max_len": 16, "cap": 16} | changes
    result = CliRunner().invoke(
        score.app,
        [*map(str, files), *(f"--{name}={value}" for name, value in options.items())],
        catch_exceptions=False,
    )
    assert result.exit_code == 0, result.output
    return result.output


def test_every_arm_stands_between_the_real_review_and_one_that_ignores_the_request(
    classified, tmp_path
):
    output = run_score(classified, tmp_path)
    rows = read_table(tmp_path / "score_arms.parquet")
    assert rows.schema == SCORE_SCHEMA
    assert rows.height == 15 * 4 * 2 and not rows["text_id"].is_duplicated().any()

    headline = json.loads((tmp_path / "score.json").read_text())
    assert list(headline) == ["full", "lora_all", "real", "real_other"]
    assert headline["full"] == headline["real"]  # whose texts it repeats
    assert headline["lora_all"]["perplexity"] > headline["full"]["perplexity"]
    assert headline["real_other"]["rating_recovered"] < headline["real"]["rating_recovered"]
    assert headline["real_other"]["rubric_recovered"] == 0

    details = json.loads((tmp_path / "score_details.json").read_text())
    assert set(details) == {"study", "greedy"}
    of_full = details["study"]["full"]
    assert set(of_full) == {"macro", "corpus", *(f"stars_{stars}" for stars in range(1, 6))}
    # As many of each rating: the rows' mean, which claims compare, is the macro average.
    of_rows = rows.filter(arm="full", decoding="study")
    for metric in ("rating_recovered", "bits_per_byte", "copied_share", "n_words"):
        shown = of_full["macro"][metric]
        assert shown["value"] == pytest.approx(of_rows[metric].mean())
        assert shown["low"] <= shown["value"]
    assert json.loads((tmp_path / "labels.json").read_text())["labels"]["n"] == 0
    points = json.loads((tmp_path / "recovered.json").read_text())
    assert {(point["arm"], point["asked"]) for point in points} == {
        (arm, stars) for arm in headline for stars in range(1, 6)
    }
    assert "real_other" in output and "lora_all" in output
    curves = json.loads((tmp_path / "curves.json").read_text())
    assert curves == [{"arm": "full", "epoch": 1.0, "split": "train", "loss": 2.0}]


def test_claims_can_compare_arms_by_review_under_each_decoding(classified, tmp_path):
    run_score(classified, tmp_path)
    rows = read_table(tmp_path / "score_arms.parquet")
    metrics = {"loss": Metric("loss_per_token", "lower")}
    layout = Layout(Path("score.parquet"), "review_id", metrics, group="decoding")
    arms = (rows.filter(arm=arm) for arm in ("full", "lora_all"))
    pairings = pair_rows(layout, *arms, ["loss"])
    assert set(pairings) == {"study", "greedy"}
    (found,) = compare_group(layout, "study", pairings["study"], ["loss"])
    assert found.n == 15 and found.low > 0  # shuffled words are less likely


def test_runs_are_compared_by_the_rows_of_one_arm(classified, tmp_path):
    run_score(classified, tmp_path, arm="lora_all")
    rows = read_table(tmp_path / "score.parquet")
    assert rows.schema == SCORE_SCHEMA
    assert rows.equals(read_table(tmp_path / "score_arms.parquet").filter(arm="lora_all"))
    with pytest.raises(InputError, match=r"score.arm=lora: no text .* there is full, lora_all"):
        run_score(classified, tmp_path, arm="lora")


def test_five_stars_stand_beside_the_mean_of_the_other_stars_in_turn():
    rows = pl.DataFrame(
        {
            "decoding": ["study"] * 6,
            "arm": ["full"] * 6,
            "review_id": list("abcdef"),
            "rating": [5, 1, 2, 5, 1, 2],
            "text": [""] * 6,
            "recovered": [1, 0, 1, 0, 0, 0],
        }
    )
    found = (
        five_and_others(rows).select("stars", "review_id", "recovered").sort("stars", "review_id")
    )
    assert found.rows() == [
        ("five", "turn 0", 1.0),
        ("five", "turn 1", 0.0),
        ("others", "turn 0", 0.5),
        ("others", "turn 1", 0.0),
    ]


def test_the_order_of_rows_changes_no_number(classified, tmp_path):
    run_score(classified, tmp_path / "a")
    shuffled = tmp_path / "shuffled"
    shuffled.mkdir()
    for name in ("enrich.parquet", "classify"):
        (shuffled / name).symlink_to(classified / name)
    rows = read_table(classified / "generate.parquet")
    first = rows.filter(arm="full", decoding="study")  # reviews stay in order, arms do not
    others = rows.join(first, on="text_id", how="anti").sample(fraction=1, shuffle=True, seed=1)
    write_table(shuffled / "generate.parquet", [first, others], GENERATE_SCHEMA)
    run_score(shuffled, tmp_path / "b")
    one, two = (read_table(tmp_path / each / "score_arms.parquet").sort("text_id") for each in "ab")
    assert one.equals(two)


def test_labels_are_counted_and_a_broken_line_is_named(classified, tmp_path):
    sheet = read_questionnaire(SHEET)
    known = add_fingerprints(read_table(classified / "generate.parquet"), sheet)
    labels = tmp_path / "labels"
    labels.mkdir()
    lines = [
        {"text_id": text_id, "rater": "anna", "answer": answer, "fingerprint": fingerprint}
        | {"seconds": 1.0, "time": "2025-01-01T00:00:00+00:00"}
        for (text_id, fingerprint), answer in zip(
            known.filter(arm="full").select("text_id", "fingerprint").head(3).iter_rows(),
            ["correct", "correct", "incoherent"],
            strict=True,
        )
    ]
    file = labels / "anna.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    run_score(classified, tmp_path, labels)
    found = json.loads((tmp_path / "labels.json").read_text())
    assert found["labels"] == {"n": 3, "n_of_other_texts": 0}
    assert found["shares"]["full"]["anna"]["all"]["correct"]["value"] == pytest.approx(2 / 3)
    # The classifiers guess all but coherence, so those shares have what all guesses make of them.
    powered = found["shares"]["full"]["anna"]["powered"]
    assert set(powered) == {"correct", "any_rubric", "positive_at_low", "negative_at_high"}
    assert powered["correct"]["labels_saved"] >= 0
    file.write_text(file.read_text() + '{"text_id": "x", "rater": "anna", "answer": "fine"}\n')
    with pytest.raises(InputError, match=r"anna\.jsonl line 4: "):
        run_score(classified, tmp_path, labels)


def test_a_decoding_that_no_text_has_is_an_error_and_nothing_is_written(classified, tmp_path):
    with pytest.raises(InputError, match=r"score.decoding=beam: .* there is greedy, study"):
        run_score(classified, tmp_path, decoding="beam")
    assert not list(tmp_path.iterdir())


def test_without_classifiers_of_rating_and_rubric_the_other_metrics_stand(classified, tmp_path):
    bare = tmp_path / "bare"
    (bare / "classify").mkdir(parents=True)
    (bare / "classify/fluency").symlink_to(classified / "classify/fluency")
    for name in ("enrich.parquet", "generate.parquet"):
        (bare / name).symlink_to(classified / name)
    run_score(bare, tmp_path)
    headline = json.loads((tmp_path / "score.json").read_text())
    assert not {"rating_recovered", "rating_error", "rubric_recovered"} & set(headline["full"])
    assert {"perplexity", "copied_share", "keyword_recall"} <= set(headline["full"])


# ---- what is handed on


def test_every_option_of_score_arrives_and_copies_are_looked_for_in_the_train_split(
    classified, tmp_path, monkeypatch
):
    options = {"max_len": 11, "cap": 12, "arm": "lora_all", "decoding": "greedy"}
    options |= {"repetition_words": 4, "distinct_sample": 51, "max_blank_share": 0.9}
    options |= {"batch_size": 65, "seed": 19}
    cut = noted(monkeypatch, score, "cut_generated")
    lengths = noted(monkeypatch, score, "check_lengths")
    blanks = noted(monkeypatch, score, "check_blanks")
    references = noted(monkeypatch, score, "add_references")
    read = noted(monkeypatch, fluency_model, "read_fluency")
    scored = noted(monkeypatch, score, "score_texts")
    summed = noted(monkeypatch, score, "summarize")
    summaries, summarize_noted = [], score.summarize
    monkeypatch.setattr(
        score, "summarize", lambda *each: summaries.append(summarize_noted(*each)) or summaries[0]
    )
    plots = noted(monkeypatch, score, "plot_by_rating")
    shown = noted(monkeypatch, score, "table_of")
    run_score(classified, tmp_path, **options)
    assert (lengths[0]["max_len"], lengths[0]["cap"], cut[0]["max_len"]) == (11, 12, 11)
    assert list(blanks[0].values())[1] == 0.9
    assert (references[0]["seed"], read[0]["batch_size"]) == (19, 65)
    assert scored[0]["repetition_words"] == 4
    table = make_table()
    assert scored[0]["train"].to_list() == table.filter(split="train")["text"].to_list()
    assert (summed[0]["distinct_sample"], summed[0]["seed"]) == (51, 19)
    assert {(each["decoding"], each["seed"]) for each in plots} == {("greedy", 19)}
    assert shown[0]["arms"] is summaries[0]["greedy"]
    assert set(pl.read_parquet(tmp_path / "score.parquet")["arm"]) == {"lora_all"}
