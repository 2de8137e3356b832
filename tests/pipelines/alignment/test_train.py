"""train: a model and its curve, every loss, adapters, kills, and what is refused."""

import json

import polars as pl
import pytest
import torch
from typer.testing import CliRunner

from genlab.core.chosen import write_chosen
from genlab.core.files import written_whole
from genlab.core.program import InputError
from genlab.models.loading import load_causal_model, load_tokenizer
from genlab.preference import trainer as training
from genlab.preference.trainer import preference_trainer
from pipelines.alignment.stages import train
from tests.handed_on import run_until_there, stopped_at
from tests.option_words import option_words
from tests.tiny_preferences import END, write_preferences

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
    "seed": 5,
    "lora.r": 2,
    "lora.alpha": 4,
    "lora.dropout": 0.0,
    "lora.target_modules": "all-linear",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_preferences(tmp_path_factory.mktemp("preferences"))


def arguments(output, folder, reference="policy", wanted=True, **options):
    words = [str(folder / name) for name in ("pairs.parquet", "corpus.parquet", "policy")]
    words += [str(folder / reference), str(output / "models")]
    words += ["--metrics", str(output / "metrics.json")]
    write_chosen(folder / "choose", {"arms": {"yes": True, "no": False}})
    words += ["--chosen", str(folder / f"choose/arms/{'yes' if wanted else 'no'}.json")]
    return words + option_words({"precompute_reference": False} | OPTIONS | options)


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
    monkeypatch.setattr("sys.argv", ["train", *words[:4], *words[7:]])  # outputs left out
    result = CliRunner().invoke(train.app, words)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return root / name


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


def test_an_arm_that_is_not_compared_is_not_trained(run):
    output = run("unwanted", wanted=False)
    assert [each.name for each in (output / "models").iterdir()] == ["left_out.json"]
    assert json.loads((output / "metrics.json").read_text()) == {"trainings": 0}


def test_a_training_has_a_model_and_a_curve_with_its_seed(whole):
    curve = json.loads((whole / "models/curve.json").read_text())
    assert [(point["seed"], point["step"]) for point in curve] == [("5", i) for i in range(1, 11)]
    assert curve[0]["loss"] == pytest.approx(1.0, abs=1e-4)
    metrics = json.loads((whole / "metrics.json").read_text())
    assert metrics["steps"] == 10 and metrics["margin"] == curve[-1]["margin"]


def test_another_seed_is_another_order_of_pairs_and_the_same_seed_the_same_weights(run, whole):
    assert weights(run("other", seed=6) / "models") != weights(whole / "models")
    assert weights(run("again") / "models") == weights(whole / "models")


def test_adapters_start_from_the_seed(run, monkeypatch):
    starts = []

    def watched(*arguments, **options):
        made = preference_trainer(*arguments, **options)
        named = made.model.named_parameters()
        starts.append({name: w.detach().clone() for name, w in named if "lora_A" in name})
        return made

    monkeypatch.setattr(training, "preference_trainer", watched)
    for name, seed in (("a", 5), ("b", 6), ("c", 5)):
        run(name, seed=seed, method="lora", epochs=0.1)
    one, other, again = starts
    assert one and all(not torch.equal(weight, other[name]) for name, weight in one.items())
    assert all(torch.equal(weight, again[name]) for name, weight in one.items())


@pytest.mark.parametrize("loss", ["sigmoid", "hinge+sft", "ipo", "slic"])
def test_every_loss_teaches_to_prefer_the_winner(run, loss):
    output = run(loss.replace("+", "_"), loss=loss, epochs=3)
    curve = json.loads((output / "models/curve.json").read_text())
    assert curve[-1]["margin"] > curve[0]["margin"] + 0.1


def test_adapters_are_merged_and_the_reference_is_the_model_without_them(run, folder):
    output = run("lora", method="lora", learning_rate=0.02)
    curve = json.loads((output / "models/curve.json").read_text())
    assert curve[0]["loss"] == pytest.approx(1.0, abs=1e-4)
    model = load_causal_model(output / "models")
    assert not any("lora" in name for name, _ in model.named_parameters())
    assert weights(output / "models") != weights(folder / "policy")


def test_a_reference_computed_before_training_gives_the_same_weights(run, whole):
    before = run("before", precompute_reference=True)
    first, second = (load_causal_model(each / "models").state_dict() for each in (whole, before))
    for name, weight in first.items():
        assert torch.allclose(weight, second[name], atol=1e-5), name


class Killed(BaseException):
    """Not an Exception: nothing may catch it, as nothing catches a SIGKILL."""


def kill_at(monkeypatch, step):
    from transformers import TrainerCallback

    class Kill(TrainerCallback):
        def on_step_begin(self, args, state, control, **options):
            if state.global_step == step:
                raise Killed

    def dies(*arguments, **options):
        return preference_trainer(*arguments, **options, callbacks=[Kill()])

    monkeypatch.setattr(training, "preference_trainer", dies)


def test_a_run_that_died_goes_on_to_the_very_same_weights_and_curve(run, whole, monkeypatch):
    with monkeypatch.context() as killing:
        kill_at(killing, step=6)
        with pytest.raises(Killed):
            run("killed")
    output = run("killed")
    assert weights(output / "models") == weights(whole / "models")
    assert (output / "models/curve.json").read_text() == (whole / "models/curve.json").read_text()


def test_a_run_that_went_well_leaves_no_scratch(run, tmp_path):
    run("out")
    assert list((tmp_path / ".scratch/alignment").iterdir()) == []


def test_a_training_that_diverges_is_refused_and_leaves_no_model(run, tmp_path):
    with pytest.raises(InputError, match=r"diverged with seed 5; lower train.learning_rate=1e\+30"):
        run("out", learning_rate=1e30, warmup_steps=0)
    assert not (tmp_path / "out/models").exists()


def test_checkpoints_between_points_of_the_curve_are_refused(run):
    with pytest.raises(InputError, match=r"save_steps=4 must be a multiple of .*logging_steps=3"):
        run("out", logging_steps=3)


def test_a_training_shorter_than_a_point_of_the_curve_has_its_last_step(run):
    output = run("out", logging_steps=1000, save_steps=1000)
    points = json.loads((output / "models/curve.json").read_text())
    assert [point["step"] for point in points] == [10]


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


def test_tied_layers_take_no_adapters_and_nothing_is_trained(tmp_path, monkeypatch):
    from tests.tiny_models import save_base

    folder = write_preferences(tmp_path / "tied")
    save_base(folder / "policy", n_embd=16, initializer_range=0.1, tie_word_embeddings=True)
    with pytest.raises(InputError, match=r"target_modules=wte: lm_head and transformer.wte"):
        run_program(
            folder,
            tmp_path,
            monkeypatch,
            "out",
            method="lora",
            **{"lora.target_modules": "wte"},
        )


def test_a_policy_that_is_not_saved_as_it_was_trained_ends_the_stage(run, monkeypatch, tmp_path):
    from genlab.models import saved

    calls = []
    monkeypatch.setattr(saved, "mean_losses", lambda model, few: calls.append(0) or [len(calls)])
    with pytest.raises(InputError, match="in memory, but"):
        run("out", epochs=0.1)
    assert not (tmp_path / "out/models").exists()


# ---- what is handed on


UNLIKE = {
    "beta": 0.7,
    "slic.delta": 5.5,
    "slic.weight": 0.35,
    "sft_weight": 0.6,
    "optimizer": "adamw_torch",
    "epochs": 7.0,
    "learning_rate": 0.0123,
    "warmup_steps": 11,
    "batch_size": 3,
    "gradient_accumulation_steps": 5,
    "precompute_reference": True,
    "logging_steps": 2,
    "save_steps": 6,
    "seed": 23,
}


def test_every_option_arrives_at_trls_trainer(run, monkeypatch):
    notes = stopped_at(monkeypatch, training, "preference_trainer")
    lora = {"r": 3, "alpha": 10, "dropout": 0.25, "target_modules": "c_proj"}
    options = {f"lora.{name}": value for name, value in lora.items()}
    run_until_there(lambda: run("out", loss="hinge+sft", method="lora", **UNLIKE, **options))
    args = notes[0]["args"]
    expected = {name: value for name, value in UNLIKE.items() if "slic" not in name}
    assert {
        "beta": args.beta,
        "sft_weight": args.loss_weights[1],
        "optimizer": args.optim,
        "epochs": args.num_train_epochs,
        "learning_rate": args.learning_rate,
        "warmup_steps": args.warmup_steps,
        "batch_size": args.per_device_train_batch_size,
        "gradient_accumulation_steps": args.gradient_accumulation_steps,
        "precompute_reference": args.precompute_ref_log_probs,
        "logging_steps": args.logging_steps,
        "save_steps": args.save_steps,
        "seed": args.seed,
    } == expected
    assert (args.loss_type, args.loss_weights[0]) == (["hinge", "sft"], 1.0)
    adapters = notes[0]["peft_config"]
    assert (adapters.r, adapters.lora_alpha, adapters.lora_dropout) == (3, 10, 0.25)
    assert adapters.target_modules == {"c_proj"}
    assert notes[0]["ref_model"] is None


@pytest.mark.parametrize("loss", ["sigmoid", "hinge", "ipo"])
def test_a_loss_without_an_sft_part_has_no_weights_and_without_lora_no_adapters(
    run, monkeypatch, loss
):
    notes = stopped_at(monkeypatch, training, "preference_trainer")
    run_until_there(lambda: run("out", loss=loss))
    assert (notes[0]["args"].loss_type, notes[0]["args"].loss_weights) == ([loss], None)
    assert notes[0]["peft_config"] is None and notes[0]["ref_model"] is not None


def test_slics_margin_and_weight_arrive_at_its_loss(run, monkeypatch):
    notes = stopped_at(monkeypatch, training, "slic_loss")
    run_until_there(lambda: run("out", loss="slic", **(UNLIKE | {"precompute_reference": False})))
    assert (notes[0]["delta"], notes[0]["weight"]) == (5.5, 0.35)


def test_slics_targets_are_texts_of_the_train_split(folder, tmp_path, monkeypatch):
    from genlab.core.tables import write_table
    from tests.tiny_preferences import CORPUS

    other = CORPUS.with_columns(text=pl.lit("quiet market"), split=pl.lit("validation"))
    mixed = pl.concat([other, CORPUS, other])
    write_table(tmp_path / "corpus.parquet", [mixed], mixed.schema)
    for name in ("policy", "pairs.parquet"):
        (tmp_path / name).symlink_to(folder / name)
    notes = stopped_at(monkeypatch, training, "preference_trainer")
    run_until_there(lambda: run_program(tmp_path, tmp_path, monkeypatch, "out", loss="slic"))
    tokenizer = load_tokenizer(folder / "policy")
    trained = tokenizer(CORPUS["text"].to_list())["input_ids"]
    targets = notes[0]["train_dataset"]["target_ids"]
    assert len(targets) == 20
    for target in targets:
        assert any(ids[: len(target) - 1] == target[:-1] for ids in trained)
