"""Reinforcement learning: what must hold at step 0, whatever the algorithm, and after it."""

import json

import numpy as np
import pytest
import torch

from genlab.core.program import InputError
from genlab.models.loading import load_causal_model, load_tokenizer
from pipelines.rlhf.reinforcement import (
    Algorithm,
    RlRecipe,
    check_prompts_fit,
    draw_order,
    policy_trainer,
    train_policy,
    trl_settings,
)
from tests.tiny_models import save_base

PROMPTS = {"The red stone": [5, 6, 7], "The old": [8, 9], "Anna": [11, 5, 6, 9, 12]}


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A base with dropout in its config, which must not work in RL."""
    folder = save_base(tmp_path_factory.mktemp("rl") / "start", initializer_range=0.2)
    config = json.loads((folder / "config.json").read_text())
    config |= {"resid_pdrop": 0.1, "embd_pdrop": 0.1, "attn_pdrop": 0.1}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def recipe(algorithm=Algorithm.rloo, **options):
    settings = {
        "beta": 0.1, "ptx_gamma": 0.0, "steps": 3, "prompts_per_step": 2, "num_generations": 4,
        "ptx_batch_size": 2, "learning_rate": 0.01, "warmup_steps": 0, "max_completion_length": 8,
        "save_steps": 1, "seed": 3,
    }  # fmt: skip
    return RlRecipe(algorithm=algorithm, **(settings | options))


def make_trainer(start, folder, of, seen=None, watch=None):
    """Return a trainer whose reward is the number of tokens below 20, and note what it rates."""
    from datasets import Dataset

    def rate(prompts, answers):
        if seen is not None:
            seen.extend(zip(prompts, answers, strict=True))
        return np.array([sum(token < 20 for token in ids) for ids in answers], np.float32)

    trainer = policy_trainer(
        of,
        rate,
        [[3, 4, 5, 6], [7, 8, 9, 10, 11]],
        PROMPTS,
        model=load_causal_model(start),
        processing_class=load_tokenizer(start),
        train_dataset=Dataset.from_list([{"prompt": prompt} for prompt in PROMPTS]),
        args=trl_settings(of, folder),
    )
    if watch is not None:
        step = trainer._compute_loss

        def compute_loss(model, inputs):
            if not watch:
                watch.append(at_step_0(trainer, model, inputs))
            return step(model, inputs)

        trainer._compute_loss = compute_loss
    return trainer


def at_step_0(trainer, model, inputs):
    """Return log-ratios to the drawing policy and to the start, and to a plain unpadded forward."""
    ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], 1)
    mask = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], 1)
    n = inputs["completion_ids"].shape[1]
    logps = trainer._get_per_token_logps_and_entropies(model, ids, mask, n)[0].detach()
    start = trainer._get_per_token_logps_and_entropies(trainer.ref_model, ids, mask, n)[0].detach()
    again = trainer._get_per_token_logps_and_entropies(model, ids, mask, n)[0].detach()
    alone = []
    for row, kept in zip(ids, mask, strict=True):
        text = row[kept.bool()]
        with torch.no_grad():
            found = trainer.ref_model(text[None]).logits[0].log_softmax(-1)
        n_answer = int(kept[-n:].sum())
        alone.append(found[:-1].gather(1, text[1:, None])[-n_answer:, 0].sum())
    answer = inputs["completion_mask"]
    old = inputs.get("old_logps")
    return {
        "ratio": None if old is None else ((logps * answer).sum(1) - old).exp(),
        "repeated": (again - logps).abs().max().item(),
        "kl": ((logps - start) * answer).abs().max().item(),
        "unpadded": ((logps * answer).sum(1) - torch.stack(alone)).abs().max().item(),
        "advantages": inputs["advantages"],
    }


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_at_step_0_the_ratio_is_1_and_the_kl_0(start, tmp_path, algorithm):
    """With dropout in the config: it must be off. And padding must not shift any position."""
    watch, seen = [], []
    trainer = make_trainer(start, tmp_path, recipe(algorithm), seen, watch)
    trainer.train()
    (found,) = watch
    if algorithm is Algorithm.rloo:
        torch.testing.assert_close(found["ratio"], torch.ones(8), atol=1e-5, rtol=0)
    assert found["repeated"] == 0
    assert found["kl"] < 1e-5
    assert found["unpadded"] < 1e-4
    log = [entry for entry in trainer.state.log_history if "reward" in entry]
    assert log[0]["kl"] == pytest.approx(0, abs=1e-6)
    assert max(abs(entry["kl"]) for entry in log[1:]) > 1e-4  # and then it moves
    # Rewards are of token ids, the end-of-text kept where it was reached.
    end = load_tokenizer(start).eos_token_id
    assert len(seen) == 3 * 8
    assert all(tuple(prompt) in {tuple(ids) for ids in PROMPTS.values()} for prompt, _ in seen)
    assert all(len(ids) == 8 or ids[-1] == end for _, ids in seen)


def test_both_algorithms_are_told_their_beta(tmp_path):
    for algorithm in Algorithm:
        assert trl_settings(recipe(algorithm, beta=0.07), tmp_path).beta == 0.07
        assert trl_settings(recipe(algorithm), tmp_path).disable_dropout


def test_a_beta_below_0_is_no_option():
    from typer.testing import CliRunner

    from pipelines.rlhf.stages.rl import app

    result = CliRunner().invoke(app, ["a"] * 5 + ["--beta", "-0.1"])
    assert result.exit_code == 2 and "beta" in result.output


def test_ptx_adds_gamma_times_the_pretraining_loss(start, tmp_path):
    """The first step's loss with ptx is that without it, plus gamma times the texts' mean loss."""
    first = {}
    for gamma in (0.0, 0.5):
        trainer = make_trainer(start, tmp_path / f"{gamma}", recipe(ptx_gamma=gamma, steps=1))
        trainer.train()
        first[gamma] = next(e for e in trainer.state.log_history if "reward" in e)
    model = load_causal_model(start).eval()
    rows = [[3, 4, 5, 6], [7, 8, 9, 10, 11]]
    with torch.no_grad():
        losses = [
            model(torch.tensor([row])).logits[0, :-1].log_softmax(-1)
            .gather(1, torch.tensor(row)[1:, None]) for row in rows
        ]  # fmt: skip
    language = -torch.cat(losses).mean().item()
    assert first[0.5]["loss"] - first[0.0]["loss"] == pytest.approx(0.5 * language, abs=1e-4)


def test_a_prompt_that_leaves_no_room_for_an_answer_is_refused_before_training(start, tmp_path):
    """The start has 128 positions, of which an answer takes eight."""
    asked = {"short": [5], "long": [5] * 121}

    def rate(prompts, answers):
        pytest.fail("an answer was drawn")

    with pytest.raises(InputError, match=r"'long' of 121 tokens and rl\.max_completion_length=8"):
        train_policy(tmp_path, start, load_tokenizer(start), asked, [], rate, recipe(), [])
    check_prompts_fit({"long": [5] * 120}, load_causal_model(start), start, recipe())


def test_every_prompt_is_asked_once_before_any_is_asked_again():
    names = list("abcde")
    order = draw_order(names, 13, seed=1)
    assert len(order) == 13 and order == draw_order(names, 13, seed=1) != draw_order(names, 13, 2)
    assert sorted(order[:5]) == sorted(order[5:10]) == names and len(set(order[10:])) == 3


def test_a_killed_training_goes_on_with_the_very_same_answers_to_the_same_weights(start, tmp_path):
    """Struck in the fourth of five steps, when all three prompts were asked more than once."""
    seen = {"whole": [], "killed": []}

    def train(name, strike_at):
        def rate(prompts, answers):
            seen[name].extend(zip(prompts, answers, strict=True))
            if len(seen[name]) == strike_at:
                raise KeyboardInterrupt
            return np.array([sum(token < 20 for token in ids) for ids in answers], np.float32)

        of = recipe(steps=5, ptx_gamma=0.5)
        texts = [[3, 4, 5, 6], [7, 8, 9, 10, 11], [4, 4, 4]]
        return train_policy(
            tmp_path / name, start, load_tokenizer(start), PROMPTS, texts, rate, of, [5]
        )

    log = train("whole", None)
    with pytest.raises(KeyboardInterrupt):
        train("killed", 4 * 8)
    del seen["killed"][-8:]
    resumed = train("killed", None)
    assert seen["killed"] == seen["whole"] and len(seen["whole"]) == 5 * 8
    assert [each["reward"] for each in resumed] == [each["reward"] for each in log]
    weights = [(tmp_path / name / "snapshots/5/model.safetensors").read_bytes() for name in seen]
    assert weights[0] == weights[1]
