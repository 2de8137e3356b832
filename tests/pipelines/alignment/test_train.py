"""Preference training: TRL held to our losses, the first step, ends of texts, seeds and kills."""

import json
from itertools import pairwise
from math import log

import polars as pl
import pytest
import torch
from typer.testing import CliRunner

from genlab.core.files import written_whole
from genlab.core.program import InputError
from genlab.core.tables import write_table
from genlab.models.loading import load_causal_model, load_tokenizer
from genlab.preference import trainer as training
from genlab.preference.losses import (
    hinge_loss,
    ipo_loss,
    log_ratio_margin,
    sigmoid_loss,
    slic_loss,
)
from genlab.preference.rows import check_rows_fit, draw_targets, preference_rows
from genlab.preference.trainer import TripleCollator, preference_trainer
from pipelines.alignment.schemas import TEXT_SCHEMA
from pipelines.alignment.stages import train
from pipelines.alignment.stages.pairs import PAIR_SCHEMA
from tests.tiny_models import TEXTS, save_base

OPTIONS = {
    "loss": "hinge",
    "beta": 0.5,
    "slic.delta": 3.0,
    "slic.weight": 0.1,
    "sft_weight": 0.2,
    "method": "full",
    "optimizer": "rmsprop",
    "epochs": 2,
    "learning_rate": 0.002,
    "warmup_steps": 2,
    "batch_size": 4,
    "gradient_accumulation_steps": 1,
    "logging_steps": 1,
    "save_steps": 4,
    "n_seeds": 2,
    "seed": 5,
    "lora.r": 2,
    "lora.alpha": 4,
    "lora.dropout": 0.0,
    "lora.target_modules": "all-linear",
}
END = 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny policy, another of the same tokenizer, a corpus and twenty pairs of 3 to 9 tokens."""
    folder = tmp_path_factory.mktemp("alignment")
    policy = save_base(folder / "policy", n_embd=16, initializer_range=0.1)
    save_base(folder / "other", n_embd=16, initializer_range=0.1, seed=3)
    ids = [ids[:9] for ids in load_tokenizer(policy)(TEXTS[:40])["input_ids"]]
    rows = [
        ("", [END], f"c{i}", won[: 3 + i % 6], i % 3 > 0, 1.0, f"r{i}", lost[:5], True, 0.0)
        for i, (won, lost) in enumerate(list(pairwise(ids))[::2])
    ]
    pairs = pl.DataFrame(rows, PAIR_SCHEMA, orient="row")
    write_table(folder / "pairs.parquet", [pairs], PAIR_SCHEMA)
    texts = [(f"t{i}", "", text, True, "train", "reward") for i, text in enumerate(TEXTS[:9])]
    corpus = pl.DataFrame(texts, TEXT_SCHEMA, orient="row")
    write_table(folder / "corpus.parquet", [corpus], TEXT_SCHEMA)
    return folder


def arguments(output, folder, reference="policy", **options):
    words = [str(folder / name) for name in ("pairs.parquet", "corpus.parquet", "policy")]
    words += [str(folder / reference), str(output / "models")]
    words += ["--metrics", str(output / "metrics.json"), "--curve", str(output / "curve.json")]
    settings = OPTIONS | options
    switch = settings.pop("precompute_reference", False)
    words.append("--precompute_reference" if switch else "--no-precompute_reference")
    for name, value in settings.items():
        words += [f"--{name}", str(value)]
    return words


@pytest.fixture
def run(folder, tmp_path, monkeypatch):
    """Run the program with its scratch folder in tmp_path; return its output folder."""
    return lambda name, **options: run_program(folder, tmp_path, monkeypatch, name, **options)


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory):
    """The output folder of a run that nothing disturbed."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        return run_program(folder, tmp_path_factory.mktemp("whole"), monkeypatch, "whole")


def run_program(folder, root, monkeypatch, name, **options):
    words = arguments(root / name, folder, **options)
    monkeypatch.setenv("DVC_ROOT", str(root))
    monkeypatch.setattr("sys.argv", ["train", *words[:4], *words[9:]])  # outputs left out
    result = CliRunner().invoke(train.app, words)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return root / name


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


def trainer_of(folder, loss, **options):
    """Return a trainer at its first step, and its first batch."""
    from datasets import Dataset
    from trl import DPOConfig

    tokenizer = load_tokenizer(folder / "policy")
    pairs = pl.read_parquet(folder / "pairs.parquet")
    rows = preference_rows(pairs, END)
    rows["target_ids"] = draw_targets(pairs, folder / "corpus.parquet", tokenizer, 9, seed=1)
    if loss != "slic":
        del rows["target_ids"]
    trainer = preference_trainer(
        loss,
        3.0,
        0.1,
        model=load_causal_model(folder / "policy"),
        ref_model=load_causal_model(folder / options.pop("reference", "other")),
        processing_class=tokenizer,
        train_dataset=Dataset.from_dict(rows),
        args=DPOConfig(
            output_dir=str(folder / "trainer"),
            loss_type=training.TRL_LOSSES[loss],
            beta=0.5,
            per_device_train_batch_size=4,
            bf16=False,
            gradient_checkpointing=False,
            max_length=None,
            report_to="none",
            **options,
        ),
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
    trainer, batch = trainer_of(folder, loss, reference="policy")
    assert trainer.compute_loss(trainer.model, batch).item() == pytest.approx(expected, abs=1e-4)


# ---- rows


def test_the_first_token_is_scored_and_an_end_only_where_the_text_ended(folder):
    """BOS is the prompt: four tokens of a text are four log-probabilities."""
    rows = preference_rows(pl.read_parquet(folder / "pairs.parquet").head(2), END)
    assert rows["prompt_ids"] == [[END], [END]]
    assert len(rows["chosen_ids"][0]) == 3 and rows["chosen_ids"][0][-1] != END  # was cut
    assert len(rows["chosen_ids"][1]) == 4 + 1 and rows["chosen_ids"][1][-1] == END
    _, batch = trainer_of(folder, "hinge")
    assert (batch["completion_mask"].sum(1) == batch["attention_mask"].sum(1) - 1).all()


def test_targets_are_texts_of_the_corpus_cut_without_an_end(folder):
    tokenizer = load_tokenizer(folder / "policy")
    pairs = pl.read_parquet(folder / "pairs.parquet")
    encoded = tokenizer(TEXTS[:9])["input_ids"]
    short = draw_targets(pairs, folder / "corpus.parquet", tokenizer, 4, seed=1)
    assert len(short) == 20 and all(ids in [row[:4] for row in encoded] for ids in short)
    whole = draw_targets(pairs, folder / "corpus.parquet", tokenizer, 500, seed=1)
    assert all(ids in [[*row, END] for row in encoded] for ids in whole)


def test_a_prompt_without_a_text_has_no_target(folder):
    pairs = pl.read_parquet(folder / "pairs.parquet").with_columns(prompt=pl.lit("why"))
    tokenizer = load_tokenizer(folder / "policy")
    with pytest.raises(InputError, match=r"no train text answers 'why', which slic needs"):
        draw_targets(pairs, folder / "corpus.parquet", tokenizer, 4, seed=1)


def test_rows_longer_than_the_policys_positions_are_refused(folder):
    rows = {"prompt_ids": [[END]], "chosen_ids": [[1] * 128], "rejected_ids": [[1]]}
    config = load_causal_model(folder / "policy").config
    with pytest.raises(InputError, match=r"129 tokens exceed the policy's 128.*sample.cap"):
        check_rows_fit(rows, config)


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


# ---- the program


def test_every_training_seed_has_a_model_and_a_curve(whole):
    output = whole
    assert sorted(path.name for path in (output / "models").iterdir()) == ["5", "6"]
    assert weights(output / "models/5") != weights(output / "models/6")
    curve = json.loads((output / "curve.json").read_text())
    assert [(p["seed"], p["step"]) for p in curve] == [(s, i) for s in "56" for i in range(1, 11)]
    assert curve[0]["loss"] == pytest.approx(1.0, abs=1e-4)
    metrics = json.loads((output / "metrics.json").read_text())
    assert metrics["steps"] == 10 and metrics["trainings"] == 2
    assert metrics["margin"] == pytest.approx((curve[9]["margin"] + curve[19]["margin"]) / 2)


@pytest.mark.parametrize("loss", ["sigmoid", "hinge+sft", "ipo", "slic"])
def test_every_loss_teaches_to_prefer_the_winner(run, loss):
    output = run(loss.replace("+", "_"), loss=loss, n_seeds=1, epochs=3)
    curve = json.loads((output / "curve.json").read_text())
    assert curve[-1]["margin"] > curve[0]["margin"] + 0.1


def test_adapters_are_merged_and_the_reference_is_the_model_without_them(run, folder):
    output = run("lora", method="lora", learning_rate=0.02, n_seeds=1)
    curve = json.loads((output / "curve.json").read_text())
    assert curve[0]["loss"] == pytest.approx(1.0, abs=1e-4)
    model = load_causal_model(output / "models/5")
    assert not any("lora" in name for name, _ in model.named_parameters())
    assert weights(output / "models/5") != weights(folder / "policy")


def test_a_reference_computed_before_training_gives_the_same_weights(run, whole):
    before = run("before", n_seeds=1, precompute_reference=True)
    first, second = (load_causal_model(each / "models/5").state_dict() for each in (whole, before))
    for name, weight in first.items():
        assert torch.allclose(weight, second[name], atol=1e-5), name


class Killed(BaseException):
    """Not an Exception: nothing may catch it, as nothing catches a SIGKILL."""


def kill_at(monkeypatch, step, seed):
    from transformers import TrainerCallback

    class Kill(TrainerCallback):
        def on_step_begin(self, args, state, control, **options):
            if state.global_step == step and args.seed == seed:
                raise Killed

    def dies(*arguments, **options):
        return preference_trainer(*arguments, **options, callbacks=[Kill()])

    monkeypatch.setattr(training, "preference_trainer", dies)


@pytest.mark.parametrize(("step", "seed"), [(6, 5), (9, 6)])
def test_a_run_that_died_goes_on_to_the_very_same_weights_and_curve(
    run, whole, monkeypatch, step, seed
):
    with monkeypatch.context() as killing:
        kill_at(killing, step, seed)
        with pytest.raises(Killed):
            run("killed")
    output = run("killed")
    for each in ("5", "6"):
        assert weights(output / f"models/{each}") == weights(whole / f"models/{each}")
    assert (output / "curve.json").read_text() == (whole / "curve.json").read_text()


def test_a_run_that_went_well_leaves_no_scratch(run, tmp_path):
    run("out", n_seeds=1)
    assert list((tmp_path / ".scratch/alignment").iterdir()) == []


def test_a_training_that_diverges_is_refused_and_leaves_no_model(run, tmp_path):
    with pytest.raises(InputError, match=r"diverged with seed 5; lower train.learning_rate=1e\+30"):
        run("out", learning_rate=1e30, warmup_steps=0)
    assert not (tmp_path / "out/models").exists()


def test_checkpoints_between_points_of_the_curve_are_refused(run):
    with pytest.raises(InputError, match=r"save_steps=4 must be a multiple of .*logging_steps=3"):
        run("out", logging_steps=3)


def test_a_module_that_is_not_there_takes_no_adapter(run):
    with pytest.raises(InputError, match=r"train.lora.target_modules=nosuch: "):
        run("out", method="lora", **{"lora.target_modules": "nosuch"})


def test_a_reference_with_another_tokenizer_is_refused(run, folder):
    from tests.tiny_models import make_gpt2, make_tokenizer

    with written_whole(folder / "foreign") as partial:
        make_gpt2(280, END, n_embd=16).save_pretrained(partial)
        make_tokenizer(vocab_size=280).save_pretrained(partial)
    with pytest.raises(InputError, match=r"tokenizers of .* differ"):
        run("out", reference="foreign")


@pytest.mark.parametrize("beta", ["0", "-1"])
def test_a_beta_that_is_not_above_zero_is_refused_before_anything_is_read(folder, tmp_path, beta):
    result = CliRunner().invoke(train.app, arguments(tmp_path, folder, beta=beta))
    assert result.exit_code == 2 and "beta" in result.output
