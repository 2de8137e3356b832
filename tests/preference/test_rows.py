"""Rows for training: where an end-of-text stands, slic's targets, and what does not fit."""

import polars as pl
import pytest

from genlab.core.program import InputError
from genlab.models.loading import load_causal_model, load_tokenizer
from genlab.preference.rows import check_rows_fit, draw_targets, preference_rows
from tests.tiny_models import TEXTS
from tests.tiny_preferences import CORPUS, END, write_preferences


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_preferences(tmp_path_factory.mktemp("preferences"))


def test_an_end_follows_only_a_text_that_ended(folder):
    rows = preference_rows(pl.read_parquet(folder / "pairs.parquet").head(2), END)
    assert rows["prompt_ids"] == [[END], [END]]
    assert len(rows["chosen_ids"][0]) == 3 and rows["chosen_ids"][0][-1] != END  # was cut
    assert len(rows["chosen_ids"][1]) == 4 + 1 and rows["chosen_ids"][1][-1] == END


def test_targets_are_texts_of_the_corpus_cut_without_an_end(folder):
    tokenizer = load_tokenizer(folder / "policy")
    pairs = pl.read_parquet(folder / "pairs.parquet")
    encoded = tokenizer(TEXTS[:9])["input_ids"]
    short = draw_targets(pairs, CORPUS, tokenizer, 4, seed=1)
    assert len(short) == 20 and all(ids in [row[:4] for row in encoded] for ids in short)
    whole = draw_targets(pairs, CORPUS, tokenizer, 500, seed=1)
    assert all(ids in [[*row, END] for row in encoded] for ids in whole)


def test_a_prompt_without_a_text_has_no_target(folder):
    pairs = pl.read_parquet(folder / "pairs.parquet").with_columns(prompt=pl.lit("why"))
    tokenizer = load_tokenizer(folder / "policy")
    with pytest.raises(InputError, match=r"no train text answers 'why', which slic needs"):
        draw_targets(pairs, CORPUS, tokenizer, 4, seed=1)


def test_rows_longer_than_the_policys_positions_are_refused(folder):
    rows = {"prompt_ids": [[END]], "chosen_ids": [[1] * 128], "rejected_ids": [[1]]}
    model = load_causal_model(folder / "policy")
    with pytest.raises(InputError, match=r"129 tokens exceed the policy's 128.*sample.cap"):
        check_rows_fit(rows, model)
