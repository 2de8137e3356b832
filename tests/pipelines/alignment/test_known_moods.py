import numpy as np
import polars as pl
import pytest

from genlab.core.program import InputError
from genlab.core.tables import write_table
from pipelines.alignment import known_moods
from pipelines.alignment.known_moods import labelled, validate
from pipelines.alignment.schemas import TEXT_SCHEMA


@pytest.fixture
def corpus(tmp_path):
    rows = [
        ("t0", "p", "good", True, "validation", "reward"),
        ("t1", "p", "bad", False, "validation", "reward"),
        ("t2", "p", "of no known mood", None, "validation", "reward"),
        ("t3", "p", "trained on", True, "train", "reward"),
    ]
    frame = pl.DataFrame(rows, TEXT_SCHEMA, orient="row")
    write_table(tmp_path / "corpus.parquet", [frame], TEXT_SCHEMA)
    return tmp_path / "corpus.parquet"


def rating(monkeypatch, *rewards: float) -> None:
    monkeypatch.setattr(
        known_moods, "load_reward", lambda folder, batch_size: lambda *texts: np.array(rewards)
    )


def test_texts_of_known_mood_are_those_of_validation(corpus):
    texts, is_positive = labelled(corpus)
    assert (texts, is_positive.tolist()) == (["good", "bad"], [True, False])


def test_a_reward_that_ranks_moods_right_is_kept_with_its_accuracy(
    corpus, tmp_path, monkeypatch, capsys
):
    rating(monkeypatch, 1.0, -1.0)
    found = validate(tmp_path / "model", corpus, "reward_model", 0.7)
    assert found == {"validation_accuracy": 1.0}
    assert capsys.readouterr().out == (
        "reward_model: right about 100.0% of 2 validation texts, always the same about 50.0%; "
        "100.0% of pairs of a positive and a negative one are ranked right, chance is 50%\n"
    )


def test_a_reward_near_chance_is_removed_and_the_share_that_was_asked_named(
    corpus, tmp_path, monkeypatch
):
    rating(monkeypatch, 1.0, 1.0)  # a tie: half of the one pair
    (tmp_path / "model").mkdir()
    with pytest.raises(
        InputError, match=r"50\.0% of pairs .*, and reward_model\.min_accuracy=0\.7"
    ):
        validate(tmp_path / "model", corpus, "reward_model", 0.7)
    assert not (tmp_path / "model").exists()
    assert validate(tmp_path / "model", corpus, "reward_model", 0.5)


def test_a_reward_that_ranks_them_wrong_is_removed_and_named(corpus, tmp_path, monkeypatch):
    rating(monkeypatch, -1.0, 1.0)
    (tmp_path / "model").mkdir()
    with pytest.raises(
        InputError, match=r"reward_model rates negative .* set reward_model.positiv"
    ):
        validate(tmp_path / "model", corpus, "reward_model", 0.0)
    assert not (tmp_path / "model").exists()


def test_a_corpus_without_moods_tells_no_accuracy(tmp_path, corpus, monkeypatch, capsys):
    rating(monkeypatch)
    queries = pl.read_parquet(corpus).with_columns(is_positive=pl.lit(None, pl.Boolean))
    write_table(tmp_path / "queries.parquet", [queries], TEXT_SCHEMA)
    assert validate(tmp_path / "model", tmp_path / "queries.parquet", "reward_model", 0.7) == {}
    assert "no validation text has a mood" in capsys.readouterr().out
