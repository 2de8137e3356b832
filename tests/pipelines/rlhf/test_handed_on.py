"""Each option of a stage arrives where it acts, with the prompts and texts that it is for."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from genlab.core.tables import write_table
from genlab.models import likelihood, loading
from genlab.models.prompts import encode_bodies
from genlab.preference import trainer
from genlab.sources.decoding import Encoding
from pipelines.rlhf import (
    base_models,
    foreign_rankings,
    mini_world,
    model_answers,
    policies_compared,
    reward_training,
    rl_trainings,
)
from pipelines.rlhf.arms import Model
from pipelines.rlhf.reinforcement import Algorithm, RlRecipe
from pipelines.rlhf.reinforcement import trl_settings as rl_settings
from pipelines.rlhf.reward_training import RewardRecipe
from pipelines.rlhf.schemas import ANSWER, PROMPT_SCHEMA, PURPOSES, RANK_SCHEMA, TEXT_SCHEMA
from pipelines.rlhf.stages import dpo, fetch, generate, rank, reward, rl, score, sft
from pipelines.rlhf.supervised import SftRecipe
from pipelines.rlhf.supervised import trl_settings as sft_settings
from tests.handed_on import invoke, noted, run_until_there, stopped_at
from tests.option_words import option_words
from tests.tiny_models import make_tokenizer

PLAIN = {"train": ["The old river.", "The new tower."], "validation": ["A quiet market."]}


@pytest.fixture(autouse=True)
def made(tmp_path, monkeypatch) -> Path:
    """Return a folder with three prompts of every purpose, plain text, and a tokenizer."""
    monkeypatch.chdir(tmp_path)
    prompts = [
        (f"{purpose}{i}", f"{purpose} {i}", purpose, f"Anna {i}.", "fruit", None, [])
        for purpose in PURPOSES
        for i in range(3)
    ]
    write_table(tmp_path / "p", [pl.DataFrame(prompts, PROMPT_SCHEMA, orient="row")], PROMPT_SCHEMA)
    texts = [(text, split) for split, each in PLAIN.items() for text in each]
    write_table(tmp_path / "t", [pl.DataFrame(texts, TEXT_SCHEMA, orient="row")], TEXT_SCHEMA)
    (tmp_path / "base").mkdir()
    monkeypatch.setattr(loading, "load_tokenizer", lambda folder: make_tokenizer())
    return tmp_path


def shown(purpose: str) -> list[str]:
    return [f"{purpose} {i}" for i in range(3)]


SFT = {"epochs": 7.0, "start_epochs": 3.0, "start_mix": 0.4, "learning_rate": 0.0123}
SFT |= {"warmup_steps": 4, "batch_size": 5, "save_steps": 6, "seed": 23}


def test_sft_trains_each_model_for_its_own_epochs_and_mixes_in_texts_of_train(made, monkeypatch):
    model = SimpleNamespace(save_pretrained=lambda folder: folder.mkdir(parents=True))
    trained = noted(monkeypatch, sft, "train_supervised", (model, 0.5))
    known = noted(monkeypatch, sft, "check_known")
    monkeypatch.setattr(sft, "save_checked", lambda m, t, folder, *more: folder.mkdir(parents=True))
    words = ["p", "t", "base", "out", "--metrics", "m", "--max_unknown_share", 0.3]
    invoke(sft.app, [*words, *option_words(SFT)])
    assert known[0]["max_unknown_share"] == 0.3
    assert [(each["folder"].name, each["epochs"]) for each in trained] == [
        ("sft", 7),
        ("start", 3),
    ]
    assert {tuple(asdict(each["recipe"]).items()) for each in trained} == {tuple(SFT.items())}
    imitated, mixed = (each["rows"] for each in trained)
    assert len(imitated) == 3 and mixed[:3] == imitated  # a share of 0.4 is two of five rows
    plain = encode_bodies(make_tokenizer(), PLAIN["train"])
    longest = max(len(row["input_ids"]) for row in imitated)
    assert [row["input_ids"] for row in mixed[3:]] == [ids[:longest] for ids in plain]


def test_every_setting_of_sft_is_trls(tmp_path):
    found = sft_settings(SftRecipe(**SFT), tmp_path, 7.0)
    assert found.num_train_epochs == 7
    assert (found.learning_rate, found.warmup_steps, found.seed) == (0.0123, 4, 23)
    assert (found.per_device_train_batch_size, found.save_steps) == (5, 6)


RANK = {"n_answers": 5, "noise": 0.7, "step": 0.35, "cap": 9, "batch_size": 8, "seed": 24}


def answers_to(prompts: pl.DataFrame, n: int) -> pl.DataFrame:
    """Return n answers to each prompt, all different."""
    rows = prompts.select("prompt_id", "prompt").join(pl.DataFrame({"draw": range(n)}), how="cross")
    return rows.with_columns(
        prompt_tokens=pl.lit([1], pl.List(pl.Int32)),
        tokens=pl.lit([2], pl.List(pl.Int32)),
        finished=pl.lit(True),
        text=pl.format("{} {}", "prompt_id", "draw"),
        kind=pl.lit("wrong"),
        truth=pl.lit(0.5),
    ).select(pl.col("draw").cast(pl.Int32), *ANSWER)


def write_answers(model, tokenizer, prompts, n, decoding, batch_size, rules, option):
    return answers_to(prompts, n)


def test_every_option_of_rank_arrives_with_the_prompts_that_are_ranked(made, monkeypatch):
    monkeypatch.setattr(loading, "load_for_inference", lambda folder: ("tokenizer", "model"))
    worlds = noted(monkeypatch, rank, "world_of", "world")
    monkeypatch.setattr(rank, "write_answers", write_answers)
    written = noted(monkeypatch, rank, "write_answers")
    ranked = stopped_at(monkeypatch, rank, "rank_by_rule")
    words = ["p", "base", "labels", "q", "out", "desk", "--metrics", "m", "--corpus_path", "here"]
    run_until_there(lambda: invoke(rank.app, [*words, "--by", "rule", *option_words(RANK)]))
    assert worlds[0]["path"] == Path("here")
    assert written[0]["prompts"]["prompt"].to_list() == shown("held_out") + shown("reward")
    assert (written[0]["n"], written[0]["batch_size"]) == (5, 8)
    assert (written[0]["decoding"].cap, written[0]["decoding"].seed) == (9, 24)
    assert {name: ranked[0][name] for name in ("noise", "step", "seed")} == {
        "noise": 0.7,
        "step": 0.35,
        "seed": 24,
    }


@pytest.fixture
def rankings(made) -> Path:
    """Return rankings of which the first for the reward model has but ties."""
    rows = answers_to(pl.read_parquet(made / "p"), 2).with_columns(
        answer_id=pl.format("{}-{}", "prompt_id", "draw"),
        purpose=pl.col("prompt_id").str.head(-1),
        rank=pl.when(prompt_id="reward0").then(1).otherwise(pl.col("draw") + 1).cast(pl.Int32),
    )
    of_two = rows.filter(pl.col("purpose").is_in(["reward", "held_out"]))
    write_table(made / "ranked", [of_two.select(RANK_SCHEMA.names())], RANK_SCHEMA)
    return made / "ranked"


REWARD = {"n_layer": 1, "epochs": 2.0, "learning_rate": 0.0123, "warmup_steps": 4}
REWARD |= {"batch_size": 5, "save_steps": 6, "seed": 25}


def test_every_option_of_reward_arrives_with_rankings_that_can_be_learnt_from(
    rankings, monkeypatch
):
    monkeypatch.setattr(reward, "check_reads_as", lambda folder, policy: None)
    chosen = noted(monkeypatch, reward, "reward_rows")
    trained = stopped_at(monkeypatch, reward_training, "train_reward_model")
    words = ["ranked", "p", "base", "base", "out", "--metrics", "m", "--curves", "c"]
    words += ["--ties", "refuse", "--n_prompts", 1, "--n_seeds", 2, "--min_accuracy", 0.6]
    words += option_words(REWARD)
    run_until_there(lambda: invoke(reward.app, words))
    assert set(chosen[0]["rows"]["purpose"]) == {"reward"} and chosen[0]["ties"] == "refuse"
    assert trained[0]["recipe"] == RewardRecipe(**REWARD)
    assert [row["ranks"] for row in trained[0]["rows"]] == [[1, 2]]


def test_every_setting_of_the_reward_models_training_is_trls(tmp_path, monkeypatch):
    model = SimpleNamespace(num_parameters=lambda: 1)
    started = noted(monkeypatch, reward_training, "new_reward_model", model)
    kept = noted(monkeypatch, reward_training, "keep_layers", model)
    monkeypatch.setattr(reward_training, "check_rows_fit", lambda *arguments: None)
    made = stopped_at(monkeypatch, reward_training, "reward_trainer")
    rows = [{"prompt_ids": [1], "answer_ids": [[2], [3]], "ranks": [1, 2]}]
    recipe = RewardRecipe(**REWARD)
    run_until_there(
        lambda: reward_training.train_reward_model(
            tmp_path, tmp_path, make_tokenizer(), rows, recipe
        )
    )
    assert (started[0]["seed"], kept[0]["n_layer"]) == (25, 1)
    found = made[0]["args"]
    assert (found.num_train_epochs, found.learning_rate, found.warmup_steps) == (2, 0.0123, 4)
    assert (found.per_device_train_batch_size, found.save_steps, found.seed) == (5, 6, 25)


DPO = {"beta": 0.3, "epochs": 2.0, "learning_rate": 0.0123, "warmup_steps": 4}
DPO |= {"batch_size": 5, "save_steps": 6, "seed": 26}


@pytest.mark.parametrize(
    ("n_prompts", "learnt"), [(1, {"reward1"}), (0, {"reward0", "reward1", "reward2"})]
)
def test_dpo_learns_from_the_rankings_that_the_reward_model_learns_from(
    rankings, monkeypatch, n_prompts, learnt
):
    """Of its first n_prompts, without those that have no pair."""
    monkeypatch.setattr(loading, "load_causal_model", lambda folder: "model")
    monkeypatch.setattr(dpo, "check_rows_fit", lambda rows, model: None)
    ranked = noted(monkeypatch, dpo, "preference_pairs")
    trained = stopped_at(monkeypatch, trainer, "train_policy")
    words = ["ranked", "base", "out", "--metrics", "m", "--n_prompts", n_prompts, "--n_seeds", 2]
    run_until_there(lambda: invoke(dpo.app, words + option_words(DPO)))
    assert set(ranked[0]["rows"]["prompt_id"]) == learnt
    found = asdict(trained[0]["recipe"])
    assert {name: found[name] for name in DPO} == DPO


RL = {"algorithm": "grpo", "beta": 0.3, "ptx_gamma": 0.7, "steps": 9, "prompts_per_step": 3}
RL |= {"num_generations": 4, "ptx_batch_size": 5, "learning_rate": 0.0123, "warmup_steps": 2}
RL |= {"max_completion_length": 11, "save_steps": 6, "seed": 27}
RECIPE = RlRecipe(**(RL | {"algorithm": Algorithm.grpo}))


def test_every_option_of_rl_arrives_with_its_prompts_and_texts_of_train(made, monkeypatch):
    monkeypatch.setattr(rl_trainings, "check_reads_as", lambda folder, start: None)
    monkeypatch.setattr(
        rl_trainings, "load_reward_model", lambda folder: SimpleNamespace(model=folder)
    )
    fit = noted(monkeypatch, rl_trainings, "check_prompts_fit", True)
    models = noted(monkeypatch, rl, "reward_models", [Path("22"), Path("23")])
    trained = stopped_at(monkeypatch, rl_trainings, "train_policy")
    monkeypatch.setattr(rl, "is_left_out", lambda chosen, output, instead: False)
    words = ["p", "t", "base", "base", "rl/main", "--metrics", "m", "--chosen", "c"]
    words += ["--n_seeds", 2]
    words += ["--snapshots", 4, "--snapshots", 9, *option_words(RL)]
    run_until_there(lambda: invoke(rl.app, words))
    assert models[0]["n_seeds"] == 2 and fit[0]["recipe"] == RECIPE
    assert trained[0]["recipe"] == RECIPE and trained[0]["snapshots"] == [4, 9]
    assert list(trained[0]["prompts"]) == shown("rl")
    longest = max(map(len, trained[0]["prompts"].values())) + 11
    plain = encode_bodies(make_tokenizer(), PLAIN["train"])
    assert trained[0]["texts"] == [ids[:longest] for ids in plain]


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_step_of_rl_has_every_answer_to_each_of_its_prompts(tmp_path, algorithm):
    found = rl_settings(RlRecipe(**(RL | {"algorithm": algorithm})), tmp_path)
    assert (found.per_device_train_batch_size, found.num_generations) == (3 * 4, 4)
    assert (found.max_steps, found.beta, found.learning_rate) == (9, 0.3, 0.0123)
    assert (found.warmup_steps, found.max_completion_length) == (2, 11)
    assert (found.save_steps, found.seed) == (6, 27)


GEN = {"cap": 9, "n_best": 4, "n_best_prompts": 2, "batch_size": 40, "seed": 28}


def test_every_option_of_generate_arrives_with_prompts_and_texts_nothing_was_trained_on(
    made, monkeypatch
):
    monkeypatch.setattr(loading, "load_for_inference", lambda folder: (make_tokenizer(), folder))
    models = noted(monkeypatch, generate, "find_models", [Model("main", "22", 9, Path("main"))])
    worlds = noted(monkeypatch, generate, "world_of", "world")
    written = []
    for owner in (model_answers, generate):  # of all models, and for best-of-n
        monkeypatch.setattr(owner, "write_answers", write_answers)
        written.append(noted(monkeypatch, owner, "write_answers"))
    read = noted(monkeypatch, likelihood, "text_losses", [np.array([0.5])])
    apart = noted(monkeypatch, model_answers, "divergence", np.zeros(6))
    monkeypatch.setattr(generate, "join_curves", lambda rl, arms: arms)
    words = ["p", "t", "base", "sft", "dpo", "rl", "out", "best", "--metrics", "m", "--curves", "c"]
    words += ["--corpus_path", "here", "--arms", "main", "--arms", "ptx", *option_words(GEN)]
    invoke(generate.app, words)
    assert models[0]["arms"] == ["main", "ptx"] and worlds[0]["path"] == Path("here")
    (scored,), (best,) = written
    assert scored["prompts"]["prompt"].to_list() == shown("held_out") + shown("validation")
    assert best["prompts"]["prompt"].to_list() == shown("held_out")[:2]
    assert (scored["n"], best["n"]) == (1, 4)
    assert {(each["decoding"].cap, each["decoding"].seed) for each in (scored, best)} == {(9, 28)}
    assert {each["batch_size"] for each in (scored, best)} == {40}
    assert read[0]["texts"] == PLAIN["validation"] and read[0]["batch_size"] == 40
    assert apart[0]["batch_size"] == 5  # 40 / 8: the scores of two models are held


SCORE = {"arm": "main", "at": "end", "training": 22, "by": "rule", "noise": 0.7, "step": 0.35}
SCORE |= {"prompts_per_step": 3, "num_generations": 4, "batch_size": 9, "seed": 29}


@pytest.mark.parametrize(("by", "noise"), [("rule", 0.7), ("people", None)])
def test_every_option_of_score_arrives(made, monkeypatch, by, noise):
    columns = {"arm": pl.String, "purpose": pl.String, "prompt_id": pl.String}
    arms = [("main", "held_out", "a"), ("dpo", "held_out", "a")]
    rows = pl.DataFrame(arms, columns, orient="row")
    for name in ("g", "b"):
        rows.write_parquet(name)
    monkeypatch.setattr(score, "numbered", lambda folder: [Path("22"), Path("23")])
    loaded = noted(monkeypatch, score, "load_reward_model", "model")
    monkeypatch.setattr(score, "rated", lambda rows, models, end: rows)
    measured = noted(monkeypatch, score, "measure_arms", ({"main_end": rows}, {}))
    for name in ("rl_points", "points_of_best"):
        monkeypatch.setattr(policies_compared, name, lambda *arguments: [])
    compared = noted(monkeypatch, policies_compared, "compare_policies", {"main": {}})
    judged = stopped_at(monkeypatch, score, "measure_reward")
    outputs = ["metrics", "details", "readme_tables", "optimisation", "picture", "best"]
    words = [
        "g",
        "b",
        "ranked",
        "rewards",
        "out",
        "arms",
        *option_words(dict.fromkeys(outputs, "m")),
    ]
    words += ["--calibration", "m", *option_words(SCORE | {"by": by})]
    run_until_there(lambda: invoke(score.app, words))
    assert {each["batch_size"] for each in loaded} == {9}
    assert [measured[0][name] for name in ("arms", "every_step_of", "seed")] == [
        ["main"],
        "main",
        29,
    ]
    assert (compared[0]["per_step"], compared[0]["bootstrap_seed"]) == (3 * 4, 29)
    assert [judged[0][name] for name in ("noise", "step", "seed")] == [noise, 0.35, 29]


CORPUS = {"path": "here", "texts_path": "texts", "hub_id": "some/rankings", "revision": "c0ffee"}
CORPUS |= {"hub_name": "axis", "encoding": "koi8-r"}
WANTED = {"n_sft": 3, "n_reward": 4, "n_rl": 5, "n_validation": 6, "n_held_out": 7}
WANTED |= {"near_duplicate": 0.8}


def test_every_option_of_the_corpus_arrives_at_its_source(monkeypatch):
    words = ["corpus", "out", "texts_out", "--metrics", "m", *option_words(CORPUS | WANTED)]
    words += option_words({"n_texts": 31, "validation_share": 0.3, "seed": 30})
    row = ("p0", "a prompt", None, None, None, [])
    made = noted(monkeypatch, mini_world, "make_mini", ([row], ["one text"] * 10))
    rows = pl.DataFrame([(*row[:2], "rl", *row[2:])], PROMPT_SCHEMA, orient="row")
    sorted_out = noted(monkeypatch, fetch, "assign_purposes", rows)
    divided = stopped_at(monkeypatch, fetch, "text_table")
    read = noted(monkeypatch, foreign_rankings, "read_file_rows", [row])
    loaded = noted(monkeypatch, foreign_rankings, "read_hub_rows", [row])
    plain = noted(monkeypatch, foreign_rankings, "read_plain_texts", ["one text"] * 10)
    for source in ("mini", "file", "hub"):
        run_until_there(lambda chosen=source: invoke(fetch.app, [*words, "--source", chosen]))
    assert [made[0][name] for name in ("path", "n_texts", "seed")] == [Path("here"), 31, 30]
    assert asdict(made[0]["wanted"]) == WANTED
    assert [(asdict(each["wanted"]), each["seed"]) for each in sorted_out] == [(WANTED, 30)] * 3
    assert {each["validation_share"] for each in divided} == {0.3}
    koi8 = {"encoding": Encoding.koi8_r}
    counted = {"counts": Counter()}
    assert read == [{"path": Path("here"), "dropped": Counter()} | koi8 | counted]
    assert plain == [{"path": Path("texts")} | koi8 | counted] * 2
    asked = {"hub_id": "some/rankings", "hub_name": "axis", "revision": "c0ffee"}
    assert loaded == [asked | {"dropped": Counter()}]


BASE = {"vocab_size": 301, "n_layer": 3, "n_embd": 24, "n_head": 6, "n_positions": 65}
BASE |= {"epochs": 4, "batch_size": 5, "learning_rate": 0.0123, "embedding_learning_rate": 0.0456}
BASE |= {"max_offset": 2, "seed": 31}
ORIGIN = {"path": "theirs", "hub_id": "some/gpt2", "revision": "c0ffee"}


@pytest.mark.parametrize("model", [["base", "t", "out"], ["reward_base", "t", "base", "out"]])
def test_every_option_of_a_base_arrives_at_its_source(made, monkeypatch, model):
    words = [*model, "--metrics", "m", *option_words(ORIGIN | BASE)]
    cut = noted(monkeypatch, base_models, "train_tokenizer")
    pretrained = stopped_at(monkeypatch, base_models, "write_pretrained")
    monkeypatch.setattr(base_models, "load_tokenizer", lambda folder: make_tokenizer())
    run_until_there(lambda: invoke(fetch.app, [*words, "--source", "mini"]))
    assert asdict(pretrained[0]["sizes"]) == BASE and pretrained[0]["texts"] == PLAIN["train"]
    # The reward model's base reads the policy's tokens.
    assert [each["vocab_size"] for each in cut] == ([301] if model[0] == "base" else [])
    fetched = stopped_at(monkeypatch, base_models, "fetch_folder")
    for source in ("hub", "file"):
        run_until_there(lambda chosen=source: invoke(fetch.app, [*words, "--source", chosen]))
    assert [each["source"] for each in fetched] == ["hub", "file"]
    assert {tuple(each.values())[1:] for each in fetched} == {
        (Path("theirs"), "some/gpt2", "c0ffee", Path("out"))
    }


def test_the_rewards_base_is_the_policys_own_where_that_is_its_source(monkeypatch):
    copied = stopped_at(monkeypatch, base_models, "copy_policy")
    words = ["reward_base", "t", "base", "out", "--metrics", "m", *option_words(ORIGIN | BASE)]
    run_until_there(lambda: invoke(fetch.app, [*words, "--source", "policy"]))
    assert copied == [{"policy": Path("base"), "output": Path("out")}]
