"""classify: what the classifiers say, how far to trust them, and that they keep it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.models.loading import load_causal_model
from genlab.statistics.intervals import wilson_interval
from genlab.text.classifier import Features, load_classifier, train_classifier
from pipelines.reviews.classifiers import common_rubrics, measure_classifier, measure_on_reviews
from pipelines.reviews.fluency_model import read_fluency
from pipelines.reviews.stages import fetch
from tests.broken_saves import save_zeroed
from tests.pipelines.reviews.tiny_reviews import make_table, run_classify
from tests.project_copy import ROOT
from tests.tiny_models import save_base

FEATURES = Features(word_ngrams=2, char_ngrams=4, min_texts=1, max_features=2000)


# ---- how far to trust them


def test_accuracy_is_over_texts_and_the_balanced_one_over_classes():
    """Of class 1 both are right, of class 5 one of four: 3/6, and (1 + 1/4) / 2."""
    own = [1, 1, 5, 5, 5, 5]
    found = measure_classifier([1, 1, 5, 1, None, 1], [[each] for each in own], own, own)
    assert found["n"] == 6 and found["constant"] == pytest.approx(4 / 6)
    assert found["accuracy"]["value"] == 0.5
    assert (found["accuracy"]["low"], found["accuracy"]["high"]) == wilson_interval(3, 6)
    assert found["balanced"]["value"] == pytest.approx(0.625)
    assert found["balanced"]["low"] < 0.625 < found["balanced"]["high"]
    assert (found["stars_1"]["value"], found["stars_5"]["value"]) == (1.0, 0.25)
    assert (found["stars_5"]["low"], found["stars_5"]["high"]) == wilson_interval(1, 4)
    assert "stars_2" not in found


HASHED = """
from pipelines.reviews.classifiers import measure_classifier
strata = [name for k, name in enumerate("abcdefg", 3) for _ in range(k)]
accepted = [[n % 3] for n in range(len(strata))]
print(measure_classifier([1] * len(strata), accepted, strata, [1] * len(strata)))
"""


def test_the_order_of_classes_does_not_depend_on_the_process():
    """Python hashes text anew in each; a mean over a set of classes differed in its last bit."""
    told = {
        subprocess.check_output(
            [sys.executable, "-c", HASHED], cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": seed}
        )
        for seed in ("1", "2", "3", "4")
    }
    assert len(told) == 1


def test_any_of_a_reviews_rubrics_is_right_and_those_never_met_are_left_out():
    made = train_classifier(
        ["суп суп", "номер номер"], ["Кафе", "Гостиница"], FEATURES, 1.0, True, "reviews", "a.b"
    )
    columns = {"rubrics": [["Кафе", "Гостиница"], ["Кафе"], ["Гостиница"], ["Аптека", "Кафе"]]}
    columns |= {"text": ["номер"] * 4, "organisation": ["", "а", "б", "а"]}
    table = pl.DataFrame(columns | {"rating": [1, 1, 2, 3]})
    found = measure_on_reviews(made, "rubric", table, seed=1)
    assert (found["classes"], found["n"], found["n_unknown"]) == (2, 3, 1)
    assert found["accuracy"]["value"] == pytest.approx(2 / 3)
    assert found["constant"] == pytest.approx(2 / 3)  # always Кафе, or always Гостиница
    assert found["balanced"]["value"] == pytest.approx((0.5 + 1) / 2)  # by the first rubric


def test_intervals_of_accuracy_draw_organisations():
    """Two reviews of an organisation that are both right, or both wrong, tell no more than one."""
    own = [1, 5] * 20
    predicted = [stars if place % 3 else 3 for place, stars in enumerate(own)]
    twice, places = predicted * 2, np.tile(np.arange(40), 2)
    accepted = [[each] for each in own * 2]
    found = measure_classifier(twice, accepted, own * 2, own * 2, places, seed=1)
    single = measure_classifier(predicted, accepted[:40], own, own, np.arange(40), seed=1)
    independent = measure_classifier(twice, accepted, own * 2, own * 2)
    for name in ("accuracy", "balanced", "stars_1", "stars_5"):
        assert found[name] == pytest.approx(single[name], rel=0.01)
        assert found[name]["value"] == pytest.approx(independent[name]["value"])
        widths = [each[name]["high"] - each[name]["low"] for each in (found, independent)]
        assert 1.3 < widths[0] / widths[1] < 1.8  # the root of 2, and a longer t of 20


def test_organisations_are_counted_where_they_bring_reviews_together():
    made = train_classifier(
        ["суп суп", "номер номер"], ["Кафе", "Гостиница"], FEATURES, 1.0, True, "reviews", "a.b"
    )
    table = pl.DataFrame(
        {"rubrics": [["Кафе"], ["Гостиница"]] * 4, "text": ["номер"] * 8, "rating": [1] * 8}
    )
    for names, counted in (
        (["а", "а", "б", "б", "в", "в", "", ""], 5),  # two that are not known: one each
        (["а"] * 8, None),
        ([""] * 8, None),
        (list("абвгдежз"), None),
    ):
        rows = table.with_columns(organisation=pl.Series(names))
        assert measure_on_reviews(made, "rubric", rows, 1).get("n_organisations") == counted


def test_rubrics_are_counted_by_the_first_of_a_review():
    table = pl.DataFrame({"rubrics": [["Кафе", "Бар"], ["Кафе"], ["Бар"]]})
    assert common_rubrics(table, 2) == ["Кафе"]
    assert common_rubrics(table, 1) == ["Бар", "Кафе"]


# ---- the stage


def test_classifiers_come_from_the_train_split_alone_and_twice_with_the_same_bytes(tmp_path):
    table = make_table()
    first, _ = run_classify(tmp_path / "a", table)
    other = pl.when(pl.col("split") == "train").then("text").otherwise(pl.lit("совсем иное"))
    second, _ = run_classify(tmp_path / "b", table.with_columns(text=other))
    files = sorted(file for file in (tmp_path / "a/classify").rglob("*") if file.is_file())
    assert {file.name for file in files} >= {
        "rating.safetensors",
        "rubric.json",
        "model.safetensors",
    }
    for file in files:
        twin = tmp_path / "b" / file.relative_to(tmp_path / "a")
        assert file.read_bytes() == twin.read_bytes(), file.name
    assert first["reviews"] == second["reviews"]
    assert first["rating"]["balanced"]["value"] > 0.4 > second["rating"]["balanced"]["value"]
    assert first["rating"]["train_balanced"] > first["rating"]["balanced"]["value"]
    assert first["rubric"]["accuracy"]["value"] > first["rubric"]["constant"] + 0.3
    assert 1 < first["fluency"]["perplexity"] < second["fluency"]["perplexity"]


def test_the_language_model_finds_a_shuffled_review_less_likely(tmp_path):
    run_classify(tmp_path, make_table(), **{"fluency.epochs": 8})
    texts = make_table().filter(split="test")["text"].to_list()
    shuffled = [" ".join(sorted(text.split())) for text in texts]
    real, mixed = (
        np.array([losses.mean() for losses in read_fluency(tmp_path / "classify", each, 64)])
        for each in (texts, shuffled)
    )
    assert (real < mixed).mean() > 0.95


def test_reviews_of_one_rating_and_one_rubric_have_no_classifier_of_either(tmp_path):
    table = make_table(90).with_columns(rating=pl.lit(5, pl.Int8), rubrics=pl.lit(["Место"]))
    numbers, output = run_classify(tmp_path, table)
    assert set(numbers) == {"reviews", "fluency"}
    assert "no rating classifier: 1 rating in train" in output
    assert "no rubric classifier: 1 rubric in train" in output
    assert load_classifier(tmp_path / "classify", "rating") is None


def test_a_rating_without_train_reviews_is_not_classified_and_its_test_reviews_are_counted(
    tmp_path,
):
    table = make_table().filter((pl.col("split") == "test") | (pl.col("rating") != 2))
    n_twos = table.filter(rating=2).height
    numbers, _ = run_classify(tmp_path, table)
    assert n_twos and numbers["rating"]["n_unknown"] == n_twos
    assert numbers["rating"]["classes"] == 4 and "stars_2" not in numbers["rating"]
    assert load_classifier(tmp_path / "classify", "rating").classes == [1, 3, 4, 5]


def test_rare_rubrics_have_no_classifier_and_are_counted(tmp_path):
    rare = pl.when(pl.col("review_id").is_in(["mini-0", "mini-1", "mini-3"]))
    table = make_table().with_columns(rubrics=rare.then(pl.lit(["Зоопарк"])).otherwise("rubrics"))
    numbers, _ = run_classify(tmp_path, table)
    assert numbers["reviews"]["train_of_rare_rubrics"] == 3
    assert "Зоопарк" not in load_classifier(tmp_path / "classify", "rubric").classes


def fetch_model(folder: Path, **options) -> None:
    options = {"path": folder / "none", "hub_id": "none", "revision": "none"} | options
    arguments = ["fluency_model", str(folder / "fetched")]
    arguments += [f"--{name}={value}" for name, value in options.items()]
    result = CliRunner().invoke(fetch.app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output


def test_a_fetched_language_model_takes_the_place_of_the_mini_one(tmp_path):
    model = save_base(tmp_path / "model")
    fetch_model(tmp_path, source="file", path=model)
    numbers, _ = run_classify(tmp_path, make_table(60), tmp_path / "fetched")
    assert "train_loss" not in numbers["fluency"] and numbers["fluency"]["perplexity"] > 1
    kept, given = (load_causal_model(each) for each in (tmp_path / "classify/fluency", model))
    assert all((a == b).all() for a, b in zip(kept.parameters(), given.parameters(), strict=True))


def test_without_a_model_to_fetch_the_folder_holds_none_and_one_is_made(tmp_path):
    fetch_model(tmp_path, source="mini")
    assert [file.name for file in (tmp_path / "fetched").iterdir()] == ["source.json"]
    numbers, _ = run_classify(tmp_path, make_table(60), tmp_path / "fetched")
    assert numbers["fluency"]["train_loss"] > 0


def test_a_model_that_cannot_be_fetched_is_an_error_that_names_the_key(tmp_path, monkeypatch):
    import huggingface_hub

    def fail(*_, **__):
        raise ConnectionError("no network")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", fail)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(InputError, match=r"fluency_model.hub_id=some/gpt at a{40} .*no network"):
        fetch_model(tmp_path, source="hub", hub_id="some/gpt", revision="a" * 40)
    with pytest.raises(InputError, match="none: no such model folder"):
        fetch_model(tmp_path, source="file")
    assert not list(tmp_path.iterdir())


def test_wrong_sizes_and_splits_without_reviews_are_errors_that_leave_nothing(tmp_path):
    with pytest.raises(InputError, match=r"classify.fluency.n_embd=16 must be a multiple"):
        run_classify(tmp_path, make_table(60), **{"fluency.n_head": 3})
    with pytest.raises(
        InputError, match=r"classifiers need train and test reviews; see dedup.test_sh"
    ):
        run_classify(tmp_path, make_table(60).filter(split="train"))
    assert [path.name for path in tmp_path.iterdir()] == ["enrich.parquet"]


def test_no_more_reviews_of_a_split_are_taken_than_asked_for(tmp_path):
    numbers, _ = run_classify(tmp_path, make_table(300), max_reviews=50)
    assert numbers["reviews"]["train"] == numbers["reviews"]["test"] == 50


def test_a_language_model_that_is_saved_otherwise_is_an_error(tmp_path, monkeypatch):
    from transformers import PreTrainedModel

    save_zeroed(monkeypatch, PreTrainedModel)
    with pytest.raises(InputError, match="its weights are not saved as they were trained"):
        run_classify(tmp_path, make_table(60))
    assert not (tmp_path / "classify").exists()


def test_a_classifier_no_better_than_a_constant_one_is_refused_and_a_better_one_says_so(tmp_path):
    table = make_table(300)
    numbers, output = run_classify(tmp_path / "a", table, min_gain=0.05)
    value = numbers["rating"]["balanced"]["value"]
    assert f"rating classifier: balanced accuracy {value:.2f}, always the same 0.20" in output
    same = table.with_columns(text=pl.lit("одно и то же слово"))
    with pytest.raises(
        InputError, match=r"balanced accuracy 0.20, always the same 0.20: it can ha"
    ):
        run_classify(tmp_path / "b", same, min_gain=0.05)
    assert not (tmp_path / "b" / "classify").exists()
