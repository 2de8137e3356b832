"""Reward models: what is refused, which logit is the reward, and two builds on two halves."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from genlab.core.files import write_json
from genlab.core.program import InputError
from genlab.mini.bert import ClassifierRecipe
from genlab.preference.reward_folders import (
    RewardOrigin,
    RewardSource,
    choose_label,
    copy_ranker,
    fetch_reward,
    make_classifier,
)
from genlab.preference.rewards import (
    accuracy,
    check_two_models,
    load_reward,
    make_bag_of_words,
    positive_label,
    ranked_right,
)
from tests.broken_saves import save_zeroed

GOOD = [f"a wonderful film and a lovely {noun}" for noun in ("plot", "cast", "score", "end")]
BAD = [f"an awful film and a boring {noun}" for noun in ("plot", "cast", "score", "end")]
TEXTS, LABELS = GOOD * 8 + BAD * 8, np.array([1.0] * 32 + [0.0] * 32, np.float32)
RECIPE = ClassifierRecipe(
    vocab_size=300,
    hidden_size=32,
    max_tokens=48,
    epochs=6,
    batch_size=8,
    learning_rate=0.003,
    seed=1,
)

COLUMNS = ["text_id", "prompt", "text", "is_positive", "split", "half"]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reward") / "classifier"
    make_classifier(TEXTS, LABELS, RECIPE, folder, "reward_model")
    return folder


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reward") / "bag"
    make_bag_of_words(TEXTS, LABELS, folder, min_texts=2, inverse_penalty=1.0)
    return folder


def save_classifier(folder, n_labels):
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    from tests.tiny_models import make_tokenizer

    torch.manual_seed(1)
    tokenizer = make_tokenizer()
    tokenizer.pad_token = tokenizer.eos_token
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=32,
        num_labels=n_labels,
    )
    BertForSequenceClassification(config).save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    write_json(folder / "reward.json", {"kind": "classifier"})
    return folder


@pytest.mark.parametrize("n_labels", [1, 3])
def test_a_reward_model_with_one_or_three_labels_is_refused(tmp_path, n_labels):
    folder = save_classifier(tmp_path, n_labels)
    with pytest.raises(InputError, match=rf"has two labels.*this one has {n_labels} \("):
        load_reward(folder, batch_size=4)


def test_the_reward_is_the_logit_of_the_label_that_is_named_positive():
    assert positive_label({0: "POSITIVE", 1: "NEGATIVE"}) == 0
    assert positive_label({0: "neg", 1: "pos"}) == 1
    assert positive_label({0: "LABEL_0", 1: "LABEL_1"}) == 1


def test_a_classifiers_rates_do_not_depend_on_the_batch(classifier):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    texts = ["a wonderful film", "an awful film and a boring plot, awful", "film"]
    rates = load_reward(classifier, batch_size=2)([""] * 3, texts)
    model = AutoModelForSequenceClassification.from_pretrained(classifier / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(classifier / "model")
    with torch.inference_mode():
        alone = [
            model(**tokenizer(text, return_tensors="pt")).logits[0, 1].item() for text in texts
        ]
    assert rates == pytest.approx(alone, abs=1e-5)


def test_both_kinds_tell_the_moods_apart(classifier, bag):
    for folder in (classifier, bag):
        rates = load_reward(folder, batch_size=16)([""] * 8, GOOD + BAD)
        assert rates[:4].min() > 0 > rates[4:].max(), folder.name


def test_the_same_seed_trains_the_same_classifier(classifier, tmp_path):
    make_classifier(TEXTS, LABELS, RECIPE, tmp_path / "again", "reward_model")
    with pytest.raises(InputError, match="the held-out reward is the reward model itself"):
        check_two_models(classifier, tmp_path / "again")


def test_a_held_out_reward_of_another_build_is_accepted(classifier, bag):
    check_two_models(classifier, bag)


def test_the_bag_of_words_is_scikit_learns_pipeline_as_plain_numbers(bag):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    vectorizer = TfidfVectorizer(analyzer=str.split, min_df=2)
    model = LogisticRegression(C=1.0, max_iter=1000).fit(vectorizer.fit_transform(TEXTS), LABELS)
    texts = [*GOOD, *BAD, "wonderful wonderful awful", "nothing known"]
    expected = model.decision_function(vectorizer.transform(texts))
    assert load_reward(bag, 4)([""] * 10, texts) == pytest.approx(expected, abs=1e-5)


def test_pairs_ranked_right_are_the_area_under_scikit_learns_curve():
    from sklearn.metrics import roc_auc_score

    found = np.array([2.0, -1.0, 0.5, -1.0, 0.5, 3.0], np.float32)
    moods = np.array([True, True, False, False, True, False])
    # Of 9 pairs 2 > 0.5, 2 > -1, 0.5 > -1 are right, two are ties.
    assert ranked_right(found, moods) == pytest.approx(4 / 9)
    assert ranked_right(found, moods) == pytest.approx(roc_auc_score(moods, found))
    assert np.isnan(ranked_right(found, np.ones(6, bool)))


def make_foreign(kind, folder):
    """Write a classifier: GPT-2 without padding, RoBERTa of 30 usable positions, or BERT."""
    import torch
    import transformers

    from tests.tiny_models import make_tokenizer

    torch.manual_seed(1)
    labels = {"id2label": {0: "negative", 1: "positive"}, "initializer_range": 0.3}
    tokenizer = make_tokenizer()
    if kind == "gpt2":
        config = transformers.GPT2Config(
            vocab_size=300, n_layer=1, n_embd=16, n_head=2, n_positions=32, eos_token_id=0, **labels
        )
        model = transformers.GPT2ForSequenceClassification(config)
    else:
        config = getattr(transformers, f"{kind}Config")(
            vocab_size=300, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=16, max_position_embeddings=32, pad_token_id=1, **labels,
        )  # fmt: skip
        model = getattr(transformers, f"{kind}ForSequenceClassification")(config)
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(1)
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model, tokenizer


@pytest.mark.parametrize(("kind", "limit"), [("gpt2", 32), ("Roberta", 30)])
def test_a_classifier_without_padding_or_with_fewer_positions_reads_long_and_short_texts(
    tmp_path, kind, limit
):
    import torch

    model, tokenizer = make_foreign(kind, tmp_path / "theirs")
    origin = RewardOrigin(RewardSource.file, tmp_path / "theirs", "x", "x", "auto")
    fetch_reward(origin, tmp_path / "reward", "reward_model", [], np.zeros(0, bool))
    texts = ["red stone", "old river " * 40, "new"]
    rates = load_reward(tmp_path / "reward", batch_size=3)
    assert rates([""] * 2, ["", "new"])[0] == pytest.approx(rates([""], [""])[0], abs=1e-5)
    found = rates([""] * 3, texts)
    for text, value in zip(texts, found, strict=True):
        ids = torch.tensor([tokenizer(text)["input_ids"][:limit]])
        with torch.inference_mode():
            assert model(input_ids=ids).logits[0, 1].item() == pytest.approx(value, abs=1e-5)


def test_a_classifier_without_its_vocabulary_is_refused(tmp_path):
    make_foreign("Bert", tmp_path / "theirs")
    (tmp_path / "theirs/tokenizer.json").unlink()
    (tmp_path / "theirs/tokenizer_config.json").unlink()
    origin = RewardOrigin(RewardSource.file, tmp_path / "theirs", "x", "x", "auto")
    # BERT's kind would read every word as unknown, and rate texts by their lengths.
    with pytest.raises(InputError, match=rf"^{tmp_path}/theirs: no tokenizer .*no vocabulary"):
        fetch_reward(origin, tmp_path / "reward", "reward_model", [], np.zeros(0, bool))
    assert not (tmp_path / "reward").exists()


def test_a_classifier_whose_padding_is_read_is_refused_naming_the_users_folder(tmp_path):
    make_foreign("Bert", tmp_path / "theirs")
    path = tmp_path / "theirs/tokenizer_config.json"
    # BERT classifies by the first token, and counts positions from it.
    write_json(path, json.loads(path.read_text()) | {"padding_side": "left"})
    origin = RewardOrigin(RewardSource.file, tmp_path / "theirs", "x", "x", "auto")
    with pytest.raises(InputError, match=f"^{tmp_path}/theirs: .*otherwise when a longer one is"):
        fetch_reward(origin, tmp_path / "reward", "reward_model", [], np.zeros(0, bool))
    assert not (tmp_path / "reward").exists()


def test_accuracy_is_the_share_on_the_right_side():
    found = np.array([2.0, -1.0, 0.5, -0.1], np.float32)
    assert accuracy(found, np.array([True, True, True, False])) == 3 / 4


def test_a_classifier_that_diverges_names_its_params_group(tmp_path):
    broken = replace(RECIPE, learning_rate=1e30, epochs=2)
    with pytest.raises(InputError, match=r"loss is nan: lower reward_model.learning_rate=1e\+30"):
        make_classifier(TEXTS, LABELS, broken, tmp_path / "out", "reward_model")
    assert not (tmp_path / "out").exists()


def test_a_classifier_that_is_saved_otherwise_is_an_error_and_not_kept(tmp_path, monkeypatch):
    from transformers import PreTrainedModel

    save_zeroed(monkeypatch, PreTrainedModel)
    with pytest.raises(InputError, match=r"^reward_model: saved and loaded again, it scores"):
        make_classifier(TEXTS, LABELS, RECIPE, tmp_path / "out", "reward_model")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "names", [("safe", "possibly toxic"), ("neg", "pos?"), ("pos", "positive")]
)
def test_a_label_is_positive_by_its_whole_name_alone(names):
    nothing = np.zeros((0, 2), np.float32), np.zeros(0, bool)
    with pytest.raises(InputError, match=rf"set g\.positive_label to {names[0]} \(0\) or"):
        choose_label(list(names), "auto", *nothing, "g")
    assert choose_label(list(names), "1", *nothing, "g") == 1


def test_a_label_that_only_its_name_tells_is_said_to_be_unproven(capsys):
    nothing = np.zeros((0, 2), np.float32), np.zeros(0, bool)
    assert choose_label(["NEGATIVE", "POSITIVE"], "auto", *nothing, "g") == 1
    assert "POSITIVE is taken for positive; no labelled texts prove it" in capsys.readouterr().out


def test_a_folder_that_is_no_ranker_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"ranker.json is missing.*data/fetch/rankers"):
        copy_ranker(tmp_path, tmp_path / "out")


def test_a_ranker_rates_a_text_for_its_prompt(tmp_path):
    from genlab.core.tables import QUERY_SCHEMA, write_table
    from genlab.mini.ranker_folders import fetch_ranker
    from genlab.mini.rankers import RankerRecipe
    from genlab.ranking.rankers import RankerKind
    from genlab.sources.source import Origin, Source

    passages = [
        {"text": "the river is long", "is_selected": True},
        {"text": "a tower of stone", "is_selected": False},
    ]
    rows = [
        (f"q{i}", "river", passages, ("train", "validation")[i % 2], None, None) for i in range(4)
    ]
    write_table(
        tmp_path / "q.parquet", [pl.DataFrame(rows, QUERY_SCHEMA, orient="row")], QUERY_SCHEMA
    )
    origin = Origin(Source.mini, tmp_path / "q.parquet", "none", "none")
    recipe = RankerRecipe(max_queries=4, dim=1, epochs=1, seed=1)
    fetch_ranker(RankerKind.bm25, origin, recipe, tmp_path / "bm25")
    copy_ranker(tmp_path / "bm25", tmp_path / "reward")
    rates = load_reward(tmp_path / "reward", 4)
    found = rates(["river", "tower"], ["a long river", "a long river"])
    assert found[0] > found[1] == 0
