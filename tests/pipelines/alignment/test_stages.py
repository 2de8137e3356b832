"""The stages in a row, at a size of seconds: what each passes on, and what stops it."""

import json
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import PreTrainedTokenizerFast

from genlab.core.chosen import is_wanted, write_chosen
from genlab.core.files import write_json
from genlab.core.program import InputError
from genlab.core.tables import read_table, write_table
from genlab.models.loading import load_causal_model, load_tokenizer
from genlab.models.prompts import count_unknown
from genlab.text.classifier import Classifier, Features, save_classifier
from pipelines.alignment.sampling import SCHEMA, prompt_ids, read_prompts, write_texts
from pipelines.alignment.schemas import TEXT_SCHEMA
from pipelines.alignment.stages import choose, generate, pairs, reward, sample, score
from tests.option_words import invoke
from tests.project_copy import ROOT
from tests.tiny_models import TEXTS, save_base

PIPELINE = ROOT / "pipelines/alignment"
DECODING = {"cap": 12, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "num_beams": 1,
            "repetition_penalty": 1.0, "batch_size": 16, "seed": 1}  # fmt: skip


def chosen(folder, wanted):
    """Write what `choose` writes of one entry."""
    write_chosen(folder / "choose", {"group": {"entry": wanted}})
    return folder / "choose/group/entry.json"


def write_corpus(path, prompts):
    rows = [
        (f"t{i}", prompts[i % len(prompts)], text, i % 2 == 0, ("train", "validation")[i % 3 == 0],
         "reward")
        for i, text in enumerate(TEXTS[:30])
    ]  # fmt: skip
    write_table(path, [pl.DataFrame(rows, TEXT_SCHEMA, orient="row")], TEXT_SCHEMA)


def bag(folder, **weights):
    """Write a bag of words that likes and dislikes these words."""
    likes = np.array(list(weights.values()))
    made = Classifier(
        Features(1, 0, 1, 0, sublinear_tf=False, normal_form=True),
        [False, True],
        {"word": list(weights)},
        {"word": np.ones(len(likes))},
        np.stack([-likes, likes]),
        np.zeros(2),
    )
    write_json(folder / "reward.json", {"kind": "bag_of_words"})
    save_classifier(made, folder, "bag_of_words")
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Corpus, base, samples, rewards, and the models of two arms (not really trained)."""
    folder = tmp_path_factory.mktemp("stages")
    write_corpus(folder / "corpus", [""])
    base = save_base(folder / "base", initializer_range=0.2)
    invoke(sample.app, folder / "corpus", base, folder / "sample", metrics=folder / "sample.json",
           n_texts=60, n_prompts=0, max_unknown_share=0.1, **DECODING)  # fmt: skip
    bag(folder / "reward_model", the=1.0, is_=0.5, near=-1.0, red=2.0, a=0.7, e=-0.8, t=0.4, i=-0.3)
    bag(folder / "held_out", the=0.5, near=-2.0, old=1.0, s=1.0, r=-0.6)
    for arm, seed in (("main", 5), ("other", 11)):
        save_base(folder / f"train/{arm}", initializer_range=0.2, seed=seed)
        write_json(folder / f"train/{arm}/curve.json", [{"seed": "5", "step": 1, "loss": 0.7}])
    return folder


def generate_texts(made, output, arms=("main", "other"), **options):
    invoke(generate.app, made / "corpus", made / "base", made / "train", output,
           metrics=output.with_suffix(".json"), curves=output.with_suffix(".curves"),
           arms=list(arms), **({"n_texts": 24, "train_seed": 5} | DECODING | options))  # fmt: skip


def score_texts(made, folder, generated, held_out="held_out", **options):
    settings = {
        "arm": "main",
        "max_len": 12,
        "cap": 12,
        "num_beams": 1,
        "max_blank_share": 1.0,
        "batch_size": 8,
        "seed": 1,
    } | options
    invoke(score.app, generated, made / "base", made / "reward_model", made / held_out,
           folder / "score", folder / "arms", metrics=folder / "m.json",
           details=folder / "d.json", histogram=folder / "h.json", front=folder / "f.json",
           **settings)  # fmt: skip


def test_every_output_comes_into_its_place_when_it_is_whole(made, tmp_path, monkeypatch):
    """By a rename: so a killed stage leaves nothing that could be taken for whole."""
    in_place = []

    def replace(source, target, wrapped=os.replace):
        in_place.append(Path(target))
        assert source.name == f".{target.name}.partial"
        wrapped(source, target)

    monkeypatch.setattr("genlab.core.files.os.replace", replace)
    generate_texts(made, tmp_path / "generate", n_texts=4)
    score_texts(made, tmp_path, tmp_path / "generate")
    assert sorted(in_place) == sorted(tmp_path.iterdir())


# ---- sample


def test_a_text_does_not_depend_on_how_many_are_written(made):
    tokenizer, model = load_tokenizer(made / "base"), load_causal_model(made / "base").eval()
    from genlab.models.decoding import Decoding

    few = write_texts(model, tokenizer, [""], 5, Decoding(12, 1.0, 0, 1.0, 1, 1.0, 1), 2)
    assert few.equals(read_table(made / "sample").head(5))
    assert few.schema == SCHEMA


def test_without_a_prompt_a_text_begins_after_the_start_of_a_document(made):
    tokenizer = load_tokenizer(made / "base")
    assert prompt_ids(tokenizer, ["", "red"]) == [
        [tokenizer.bos_token_id],
        tokenizer("red\n")["input_ids"],
    ]


def test_prompts_are_used_in_turn_each_once_and_fewer_are_the_first_of_all(tmp_path, made):
    write_corpus(tmp_path / "corpus", ["why", "how", "who"])
    both = read_prompts(tmp_path / "corpus", "train", 0)
    assert sorted(both) == ["how", "who"]
    assert read_prompts(tmp_path / "corpus", "train", 1) == both[:1]
    invoke(sample.app, tmp_path / "corpus", made / "base", tmp_path / "out",
           metrics=tmp_path / "m", n_texts=5, n_prompts=0, max_unknown_share=0.1,
           **DECODING)  # fmt: skip
    assert read_table(tmp_path / "out")["prompt"].to_list() == [*both, *both, both[0]]


def test_tokens_that_the_policy_does_not_know_are_counted_and_too_many_refused(tmp_path, made):
    counts = json.loads((made / "sample.json").read_text())
    assert counts["corpus_tokens"] > 100 and counts["corpus_tokens_unknown"] == 0
    known = {"[UNK]": 0, "[END]": 1, "red": 2, "green": 3}
    tokenizer = Tokenizer(WordLevel(known, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    words = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", eos_token="[END]", bos_token="[END]"
    )
    assert count_unknown(words, ["red blue", "red red red"]) == (1, 5)
    save_base(tmp_path / "base")
    words.save_pretrained(tmp_path / "base")
    share = r"% of its tokens are unknown to the tokenizer of .*sample.max_unknown_share=0.5"
    with pytest.raises(InputError, match=share):
        invoke(sample.app, made / "corpus", tmp_path / "base", tmp_path / "out",
               metrics=tmp_path / "m", n_texts=5, n_prompts=0, max_unknown_share=0.5,
               **DECODING)  # fmt: skip
    assert not (tmp_path / "out").exists()


# ---- reward, pairs


def test_rewards_that_are_all_equal_are_an_error(made, tmp_path):
    bag(tmp_path / "indifferent", zebra=1.0)
    with pytest.raises(InputError, match=r"all 60 texts have the same reward, 0.0000"):
        invoke(reward.app, made / "sample", tmp_path / "indifferent", tmp_path / "out",
               metrics=tmp_path / "m", batch_size=8)  # fmt: skip
    assert not (tmp_path / "out").exists()


def test_pairs_hold_the_tokens_and_rewards_of_the_texts_they_name(made, tmp_path):
    invoke(reward.app, made / "sample", made / "reward_model", tmp_path / "rewarded",
           metrics=tmp_path / "m", batch_size=8)  # fmt: skip
    invoke(pairs.app, tmp_path / "rewarded", tmp_path / "pairs", metrics=tmp_path / "p.json",
           chosen=chosen(tmp_path, True), strategy="random", n_pairs=9, margin=0, threshold=0,
           seed=1)  # fmt: skip
    texts = {row["text_id"]: row for row in read_table(tmp_path / "rewarded").to_dicts()}
    found = read_table(tmp_path / "pairs")
    assert found.height == 9 and (found["chosen_reward"] > found["rejected_reward"]).all()
    for row in found.to_dicts():
        for side in ("chosen", "rejected"):
            for name in ("tokens", "finished", "reward"):
                assert row[f"{side}_{name}"] == texts[row[f"{side}_id"]][name]


def test_pairs_that_nothing_compared_needs_are_none(tmp_path):
    invoke(pairs.app, tmp_path / "not read", tmp_path / "pairs", metrics=tmp_path / "p.json",
           chosen=chosen(tmp_path, False), strategy="margin", n_pairs=9, margin=99, threshold=0,
           seed=1)  # fmt: skip
    assert pl.read_parquet(tmp_path / "pairs").is_empty()
    assert json.loads((tmp_path / "p.json").read_text()) == {"pairs": 0}


def test_the_compared_arms_and_their_pairs_are_chosen(tmp_path):
    params = yaml.safe_load((PIPELINE / "params.yaml").read_text())
    params["compared"]["arms"] = ["slic", "margin"]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    invoke(choose.app, tmp_path / "params.yaml", tmp_path / "out")
    wanted = {
        str(path.relative_to(tmp_path / "out").with_suffix(""))
        for path in tmp_path.glob("out/*/*.json")
        if is_wanted(path)
    }
    assert wanted == {"arms/slic", "arms/margin", "pairs/random", "pairs/margin"}
    assert len(list(tmp_path.glob("out/*/*.json"))) == 7 + 3


# ---- generate, score


def test_before_and_after_are_written_from_the_same_streams(made, tmp_path):
    """A model equal to the base writes the base's texts, and does not diverge from it."""
    import shutil

    shutil.copytree(made / "base", made / "train/same")
    shutil.copy(made / "train/other/curve.json", made / "train/same")
    generate_texts(made, tmp_path / "texts", arms=["same"])
    before, after = read_table(tmp_path / "texts").partition_by("arm", maintain_order=True)
    assert before["tokens"].to_list() == after["tokens"].to_list()
    assert abs(after["divergence"].explode()).max() < 1e-5


def test_an_arm_that_was_not_trained_is_named(made, tmp_path):
    with pytest.raises(InputError, match=r"compared\.arms: third was not trained"):
        generate_texts(made, tmp_path / "texts", arms=["third"])


def test_the_training_curves_of_all_arms_are_one_table_with_a_column_arm(made, tmp_path):
    generate_texts(made, tmp_path / "texts", n_texts=2)
    points = json.loads((tmp_path / "texts.curves").read_text())
    assert [(p["arm"], p["seed"]) for p in points] == [("main", "5"), ("other", "5")]
    assert points[0] == {"arm": "main", "seed": "5", "step": 1, "loss": 0.7}


@pytest.fixture(scope="module")
def scored(made):
    generate_texts(made, made / "texts")
    score_texts(made, made, made / "texts")
    return made


def test_every_arm_stands_beside_the_texts_before_it_with_the_seed_of_the_training(scored):
    rows = read_table(scored / "arms")
    assert rows.group_by("arm", "seed", maintain_order=True).len().rows() == [
        ("before", 5, 24),
        ("main", 5, 24),
        ("other", 5, 24),
    ]
    assert rows["prompt"].null_count() == rows.height  # no text has one
    assert read_table(scored / "score").equals(rows.filter(pl.col("arm") == "main"))


def test_texts_that_would_be_drawn_like_those_trained_on_are_refused(made, tmp_path):
    with pytest.raises(InputError, match=r"gen\.seed=1 is train\.seed, too"):
        generate_texts(made, tmp_path / "texts", train_seed=1)


def test_the_headline_is_the_mean_over_rows_before_and_after(scored):
    rows = read_table(scored / "arms")
    metrics = json.loads((scored / "m.json").read_text())
    for arm, name in (("before", "before"), ("main", "after")):
        mine = rows.filter(pl.col("arm") == arm)
        for metric in ("reward", "token_entropy", "below_zero", "self_bleu", "held_out_reward"):
            assert metrics[name][metric] == pytest.approx(mine[metric].mean()), (arm, metric)
    assert {point["arm"] for point in json.loads((scored / "h.json").read_text())} == {
        "before",
        "main",
    }


def test_a_shorter_max_len_cuts_and_needs_no_new_texts(scored, tmp_path):
    score_texts(scored, tmp_path, scored / "texts", max_len=4)
    rows = read_table(tmp_path / "arms")
    assert rows["new_tokens"].max() == 4 and np.isfinite(rows["divergence"].to_numpy()).all()


def test_the_headline_may_be_of_another_arm_or_of_the_base(scored, tmp_path):
    for arm in ("other", "before"):
        score_texts(scored, tmp_path, scored / "texts", arm=arm)
        assert set(read_table(tmp_path / "score")["arm"]) == {arm}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arm": "third"}, "score.arm=third wrote no texts; compared.arms has main, other"),
        ({"max_len": 13}, "gen.max_len=13 is more than the gen.cap=12"),
        ({"held_out": "reward_model"}, "the held-out reward is the reward model itself"),
    ],
)
def test_what_cannot_be_scored_is_refused(scored, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        score_texts(scored, tmp_path, scored / "texts", **options)


# ---- the committed run


def test_the_committed_claims_and_table_are_of_the_arms_in_params():
    params = yaml.safe_load((PIPELINE / "params.yaml").read_text())
    details = json.loads((PIPELINE / "metrics/score_details.json").read_text())
    assert list(details) == ["before", *params["compared"]["arms"]]
    assert set(params["compared"]["arms"]) <= set(params["arms"])
    assert {arm["pairs"] for arm in params["arms"].values()} <= set(params["pairs"])
