"""TRL's trainer held to our losses on a real model, the first step, and slic's batches."""

from dataclasses import replace
from math import log

import polars as pl
import pytest
import torch

from genlab.models.loading import load_causal_model, load_tokenizer
from genlab.models.training import Method
from genlab.preference.losses import (
    hinge_loss,
    ipo_loss,
    log_ratio_margin,
    sigmoid_loss,
    slic_loss,
)
from genlab.preference.rows import draw_targets, preference_rows
from genlab.preference.trainer import (
    Loss,
    Optimizer,
    PreferenceRecipe,
    TripleCollator,
    preference_trainer,
    trl_config,
)
from tests.tiny_preferences import CORPUS, END, write_preferences

# Of a whole training; each test replaces what it is about.
RECIPE = PreferenceRecipe(
    loss=Loss.hinge,
    beta=0.5,
    slic_delta=3.0,
    slic_weight=0.1,
    sft_weight=0.2,
    method=Method.full,
    optimizer=Optimizer.rmsprop,
    epochs=2,
    learning_rate=0.002,
    warmup_steps=2,
    batch_size=4,
    gradient_accumulation_steps=1,
    precompute_reference=False,
    logging_steps=1,
    save_steps=4,
    seed=5,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_preferences(tmp_path_factory.mktemp("preferences"))


def trainer_of(folder, loss, reference="other"):
    """Return a trainer at its first step, and its first batch."""
    from datasets import Dataset

    recipe = replace(RECIPE, loss=Loss(loss))
    tokenizer = load_tokenizer(folder / "policy")
    pairs = pl.read_parquet(folder / "pairs.parquet")
    rows = preference_rows(pairs, END)
    if recipe.loss is Loss.slic:
        rows["target_ids"] = draw_targets(pairs, CORPUS, tokenizer, 9, seed=1)
    trainer = preference_trainer(
        recipe,
        model=load_causal_model(folder / "policy"),
        ref_model=load_causal_model(folder / reference),
        processing_class=tokenizer,
        train_dataset=Dataset.from_dict(rows),
        args=trl_config(recipe, folder / "trainer"),
    )
    return trainer, next(iter(trainer.get_train_dataloader()))


def log_p(model, batch):
    """Return each row's sum of log p over its completion, and its tokens there, the plain way."""
    with torch.inference_mode():
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
        scores = model.forward(**inputs).logits.log_softmax(-1)[:, :-1]
    each = scores.gather(-1, batch["input_ids"][:, 1:, None])[..., 0]
    mask = batch["completion_mask"][:, 1:]
    return (each * mask).sum(1), mask.sum(1)


@pytest.mark.parametrize("loss", ["sigmoid", "hinge", "ipo"])
def test_trls_loss_is_ours_on_a_real_model(folder, loss):
    trainer, batch = trainer_of(folder, loss)
    found = trainer.compute_loss(trainer.model, batch).item()
    plain = load_causal_model(folder / "policy").eval()
    logs, lengths = log_p(plain, batch)
    winner, loser = logs.chunk(2)
    reference = log_p(load_causal_model(folder / "other").eval(), batch)[0].chunk(2)
    if loss == "ipo":
        ratios = winner - reference[0], loser - reference[1]
        expected = ipo_loss(*ratios, *lengths.chunk(2), 0.5)
    else:
        margin = log_ratio_margin(winner, loser, *reference)
        expected = {"sigmoid": sigmoid_loss, "hinge": hinge_loss}[loss](margin, 0.5)
    assert found == pytest.approx(expected.mean().item(), rel=1e-3)


def test_slic_in_the_trainer_is_our_function_of_winner_loser_and_target(folder):
    trainer, batch = trainer_of(folder, "slic")
    found = trainer.compute_loss(trainer.model, batch).item()
    logs, _ = log_p(load_causal_model(folder / "policy").eval(), batch)
    expected = slic_loss(*logs.chunk(3), 3.0, 0.1).mean().item()
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("loss", "expected"), [("sigmoid", log(2)), ("hinge", 1.0)])
def test_the_first_step_has_the_loss_of_a_policy_that_is_its_reference(folder, loss, expected):
    trainer, batch = trainer_of(folder, loss, "policy")
    assert trainer.compute_loss(trainer.model, batch).item() == pytest.approx(expected, abs=1e-4)


def test_the_first_token_of_a_text_is_scored(folder):
    """BOS is the prompt: four tokens of a text are four log-probabilities."""
    _, batch = trainer_of(folder, "hinge")
    assert (batch["completion_mask"].sum(1) == batch["attention_mask"].sum(1) - 1).all()


def test_winners_losers_and_targets_stand_under_one_another():
    rows = [
        {"prompt_ids": [0], "chosen_ids": [1, 2], "rejected_ids": [3], "target_ids": [4]},
        {"prompt_ids": [0], "chosen_ids": [5], "rejected_ids": [6], "target_ids": [7, 8]},
    ]
    batch = TripleCollator(pad_id=9)(rows)
    assert batch["input_ids"].tolist() == [
        [0, 1, 2], [0, 5, 9], [0, 3, 9], [0, 6, 9], [0, 4, 9], [0, 7, 8],
    ]  # fmt: skip
    assert batch["completion_mask"].tolist()[:2] == [[0, 1, 1], [0, 1, 0]]
    assert batch["attention_mask"].tolist()[1] == [1, 1, 0]
