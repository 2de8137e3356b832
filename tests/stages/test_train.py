"""Training: what carries loss, what the validation loss is, and that a killed run loses nothing."""

import json
import math
import os
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from genlab.core.program import InputError
from genlab.core.tables import write_arrow
from genlab.models import training
from genlab.models.batches import IGNORED, LengthGroupedOrder, collate, row_lengths
from genlab.models.training import last_whole_checkpoint, token_mean_trainer, training_curve
from genlab.passages.documents import ROW_SCHEMA, block_schema
from stages import train
from tests.handed_on import adapter_settings, checkpoint_steps, run_until_there, stopped_at
from tests.option_words import option_words
from tests.project_copy import ROOT
from tests.tiny_models import TEXTS, make_gpt2, save_base

OPTIONS = {
    "method": "full",
    "epochs": 3,
    "learning_rate": 0.003,
    "lr_scheduler_type": "linear",
    "warmup_steps": 2,
    "weight_decay": 0.0,
    "dropout": 0.1,
    "batch_size": 4,
    "gradient_accumulation_steps": 1,
    "early_stopping_patience": 0,
    "save_steps": 4,
    "dtype": "float32",
    "seed": 5,
    "lora.r": 2,
    "lora.alpha": 4,
    "lora.dropout": 0.1,
    "lora.target_modules": "all-linear",
}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A folder with a tiny GPT-2 that has dropout, as a real one has."""
    folder = tmp_path_factory.mktemp("train") / "base"
    return save_base(folder, n_embd=16, initializer_range=0.1)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory, base):
    """40 training rows (10 steps an epoch) and 9 validation rows, of 4 to 22 tokens."""
    from genlab.models.loading import load_tokenizer

    tokenizer = load_tokenizer(base)
    rows = [
        ([*ids[: 3 + number % 19], tokenizer.eos_token_id], number % 3)
        for number, ids in enumerate(tokenizer(TEXTS[:49])["input_ids"])
    ]
    folder = tmp_path_factory.mktemp("train") / "tokens"
    write_arrow(folder / "train.arrow", rows[:40], ROW_SCHEMA)
    write_arrow(folder / "validation.arrow", rows[40:], ROW_SCHEMA)
    return folder


def arguments(folder, tokens, base, **options):
    names = ("output", "metrics.json", "curve.json")
    output, metrics, curve = (str(folder / name) for name in names)
    words = [str(tokens), str(base), output, "--metrics", metrics, "--curve", curve]
    return words + option_words(OPTIONS | options)


@pytest.fixture
def run(monkeypatch, tokens, base):
    """Return a function that runs the stage in a folder, which is its DVC_ROOT too."""

    def run_in(folder, tokens=tokens, **options):
        words = arguments(folder, tokens, base, **options)
        monkeypatch.setattr(sys, "argv", ["train", *words])
        monkeypatch.setenv("DVC_ROOT", str(folder))
        return CliRunner().invoke(train.app, words, catch_exceptions=False)

    return run_in


def weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "output" / "model.safetensors")


def same_weights(one, other):
    one, other = weights(one), weights(other)
    assert one.keys() == other.keys()
    return all((one[name] == other[name]).all() for name in one)


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def curve(folder, split):
    points = json.loads((folder / "curve.json").read_text())
    return [(point["epoch"], point["loss"]) for point in points if point["split"] == split]


def token_losses(model, rows):
    """Return the negative log likelihood of every token that carries loss, row by row, unpadded."""
    import torch

    losses = []
    for row in rows:
        ids = torch.tensor(row["input_ids"])
        with torch.inference_mode():
            log_probabilities = model(ids[None]).logits[0].log_softmax(-1)
        for at in range(max(1, row["n_prompt"]), len(ids)):
            losses.append(-log_probabilities[at - 1, ids[at]].item())
    return losses


def test_padding_and_prompt_carry_no_loss_and_end_of_text_does():
    rows = [
        {"input_ids": [0, 5, 6, 0], "n_prompt": 2},  # 0 is the end-of-text, and the padding too
        {"input_ids": [7, 0], "n_prompt": 0},
        {"input_ids": [8, 9, 0], "n_prompt": 1},
    ]
    batch = {name: tensor.tolist() for name, tensor in collate(rows, pad_id=0).items()}
    assert batch == {
        "input_ids": [[0, 5, 6, 0], [7, 0, 0, 0], [8, 9, 0, 0]],
        "attention_mask": [[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0]],
        "labels": [[-100, -100, 6, 0], [7, 0, -100, -100], [-100, 9, 0, -100]],
    }
    assert IGNORED == -100


@pytest.mark.parametrize("eval_batch_size", [1, 2, 5])
def test_validation_loss_is_the_mean_over_tokens_whatever_the_batch_size(tmp_path, eval_batch_size):
    from datasets import Dataset
    from transformers import TrainingArguments

    rows = [
        {"input_ids": [3, 9, 4, 0], "n_prompt": 0},
        {"input_ids": [8, 1, 7, 7, 2, 5, 0], "n_prompt": 3},
        {"input_ids": [6, 0], "n_prompt": 1},
        {"input_ids": [5, 5, 9, 2, 8, 3, 1, 4, 0], "n_prompt": 2},
        {"input_ids": [2, 4, 0], "n_prompt": 0},
    ]
    model = make_gpt2(10)
    trainer = token_mean_trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(tmp_path),
            per_device_eval_batch_size=eval_batch_size,
            remove_unused_columns=False,
            report_to="none",
            use_cpu=True,
        ),
        eval_dataset=Dataset.from_list(rows),
        data_collator=lambda rows: collate(rows, 0),
    )
    losses = token_losses(model, rows)
    assert len(losses) == 3 + 4 + 1 + 7 + 2
    assert trainer.evaluate()["eval_loss"] == pytest.approx(sum(losses) / len(losses), rel=1e-5)


def test_the_curve_has_a_point_for_every_logged_loss():
    log = [
        {"loss": 3.0, "grad_norm": 1.0, "learning_rate": 0.1, "epoch": 0.123456, "step": 20},
        {"eval_loss": 2.5, "epoch": 1.0, "step": 160},
        {"train_runtime": 9.0, "train_loss": 2.0, "epoch": 1.0, "step": 160},
    ]
    assert training_curve(log) == [
        {"epoch": 0.1235, "split": "train", "loss": 3.0, "perplexity": math.exp(3.0)},
        {"epoch": 1.0, "split": "validation", "loss": 2.5, "perplexity": math.exp(2.5)},
    ]


def test_every_epoch_is_another_order_of_all_rows_and_depends_on_seed_and_epoch_alone():
    lengths = [1 + number % 7 for number in range(50)]

    def order(seed, epoch):
        rows = LengthGroupedOrder(lengths, 4, seed)
        rows.set_epoch(epoch)
        return list(rows)

    orders = [order(seed, epoch) for seed in (1, 9) for epoch in (0, 1, 2)]
    assert all(sorted(rows) == list(range(50)) for rows in orders)
    assert len({tuple(rows) for rows in orders}) == 6
    assert order(1, 2) == orders[2]


def test_rows_of_a_batch_have_similar_lengths():
    lengths = [1 + number % 100 for number in range(800)]
    order = list(LengthGroupedOrder(lengths, 8, seed=1))
    batches = [[lengths[i] for i in order[start : start + 8]] for start in range(0, 800, 8)]
    # 100 drawn at random: 78 on average; sorted within groups of 200 rows: a twenty-fifth of 100,
    # but for where two groups meet and for the longest row, which is put first.
    spans = sorted(max(batch) - min(batch) for batch in batches)
    assert spans[50] <= 8


@pytest.mark.parametrize("schema", [ROW_SCHEMA, block_schema(3)], ids=["rows", "blocks"])
def test_row_lengths_are_those_of_the_arrow_file(tmp_path, schema):
    from datasets import Dataset

    rows = [[1, 2, 3], [4, 5, 6]] if schema != ROW_SCHEMA else [[1], [2, 3, 4], []]
    write_arrow(tmp_path / "rows.arrow", [(row, 0) for row in rows], schema)
    assert row_lengths(Dataset.from_file(str(tmp_path / "rows.arrow"))) == [*map(len, rows)]


def test_a_checkpoint_cut_off_while_it_was_written_is_passed_over(tmp_path):
    assert last_whole_checkpoint(tmp_path) is None
    for step, state in ((9, "{}"), (10, "{}"), (20, '{"global_'), (100, None)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if state is not None:
            (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(state)
    assert last_whole_checkpoint(tmp_path) == tmp_path / "checkpoint-10"


def test_training_learns_and_writes_a_whole_model(tmp_path, run, tokens, base):
    from datasets import Dataset

    from genlab.models.loading import load_causal_model, load_tokenizer

    run(tmp_path, epochs=6, save_steps=1000)
    losses = [loss for _, loss in curve(tmp_path, "validation")]
    assert [epoch for epoch, _ in curve(tmp_path, "validation")] == [1, 2, 3, 4, 5, 6]
    assert [epoch for epoch, _ in curve(tmp_path, "train")] == [2, 4, 6]  # every 20 steps
    rows = Dataset.from_file(str(tokens / "validation.arrow")).to_list()
    before = token_losses(load_causal_model(base).eval(), rows)
    assert sum(before) / len(before) > losses[0] > losses[-1] + 0.3

    tuned = load_causal_model(tmp_path / "output").eval()
    after = token_losses(tuned, rows)
    assert metrics(tmp_path) == {
        "validation_loss": losses[-1],
        "validation_perplexity": math.exp(losses[-1]),
        "steps": 60,
        "trainable_parameters": sum(weight.numel() for weight in tuned.parameters()),
    }
    assert losses[-1] == pytest.approx(sum(after) / len(after), rel=1e-5)
    assert {path.name for path in (tmp_path / "output").iterdir()} == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert load_tokenizer(tmp_path / "output")(TEXTS[0]) == load_tokenizer(base)(TEXTS[0])
    assert list((tmp_path / ".scratch" / "train").iterdir()) == []


def test_bfloat16_is_the_precision_of_products_and_not_of_weights(tmp_path, run):
    run(tmp_path / "exact", epochs=1)
    run(tmp_path / "rough", epochs=1, dtype="bfloat16")
    exact, rough = metrics(tmp_path / "exact"), metrics(tmp_path / "rough")
    assert exact["validation_loss"] != rough["validation_loss"]
    assert rough["validation_loss"] == pytest.approx(exact["validation_loss"], rel=0.01)
    for name, weight in weights(tmp_path / "rough").items():
        assert str(weight.dtype) == "torch.float32"
        # AdamW moves a weight by a learning rate a step; bfloat16's grain at 1 is 0.008.
        assert (weight.bfloat16().float() != weight).any(), name


def test_two_runs_give_the_same_weights_and_another_seed_others(tmp_path, run):
    for name, seed in (("one", 5), ("two", 5), ("other", 6)):
        run(tmp_path / name, epochs=1, seed=seed)
    assert same_weights(tmp_path / "one", tmp_path / "two")
    assert not same_weights(tmp_path / "one", tmp_path / "other")


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_row_of_either_split_beyond_the_models_positions_is_refused_first(
    tmp_path, monkeypatch, run, split
):
    monkeypatch.setattr(train, "train_resumably", None)  # not come to
    (tmp_path / "tokens").mkdir()
    for name in ("train", "validation"):
        long = [([3] * 129, 1)] * (name == split)  # the base has 128 positions
        write_arrow(tmp_path / f"tokens/{name}.arrow", [([3, 4, 0], 1), *long], ROW_SCHEMA)
    with pytest.raises(InputError, match=r"a row of 129 tokens exceeds the model's 128 positions"):
        run(tmp_path, tokens=tmp_path / "tokens")
    assert not (tmp_path / "output").exists()


def test_packed_blocks_are_trained_on(tmp_path, run):
    blocks = [([(7 * number + i) % 50 for i in range(16)], 0) for number in range(12)]
    for split in ("train", "validation"):
        write_arrow(tmp_path / "blocks" / f"{split}.arrow", blocks, block_schema(16))
    run(tmp_path, tmp_path / "blocks", epochs=8)
    losses = [loss for _, loss in curve(tmp_path, "validation")]
    assert losses[-1] < losses[0] - 0.3


def test_accumulated_steps_weigh_every_token_alike(tmp_path, run):
    # Rows of one token beside rows of 21: a mean of batch means would differ from a mean of tokens.
    options = {"epochs": 1, "dropout": 0.0}
    run(tmp_path / "one", batch_size=8, **options)
    run(tmp_path / "four", batch_size=2, gradient_accumulation_steps=4, **options)
    one, four = weights(tmp_path / "one"), weights(tmp_path / "four")
    assert max((one[name] - four[name]).abs().max().item() for name in one) < 1e-4
    assert metrics(tmp_path / "one")["steps"] == metrics(tmp_path / "four")["steps"] == 5


def test_lora_trains_adapters_only_and_saves_them_merged(tmp_path, run, base, monkeypatch):
    import torch

    from genlab.models.loading import load_causal_model

    ids = torch.arange(1, 9)[None]
    adapted, logits = [], {}
    add_lora, written_whole = train.add_lora, train.written_whole

    def add_and_keep(*options):
        adapted.append(add_lora(*options))
        return adapted[0]

    def look_before_merging(path):
        with torch.inference_mode():
            logits["unmerged"] = adapted[0].eval()(ids).logits
        return written_whole(path)

    monkeypatch.setattr(train, "add_lora", add_and_keep)
    monkeypatch.setattr(train, "written_whole", look_before_merging)
    run(tmp_path, method="lora", **{"lora.target_modules": "c_attn", "learning_rate": 0.02})

    # c_attn maps 16 to 48 in two layers: r (16 + 48) numbers each, r = 2.
    assert metrics(tmp_path)["trainable_parameters"] == 2 * 2 * (16 + 48)
    merged = load_causal_model(tmp_path / "output").eval()
    with torch.inference_mode():
        logits["merged"] = merged(ids).logits
        logits["base"] = load_causal_model(base).eval()(ids).logits
    torch.testing.assert_close(logits["merged"], logits["unmerged"], atol=1e-5, rtol=1e-4)
    assert (logits["merged"] - logits["base"]).abs().max() > 0.01
    before, after = load_causal_model(base).state_dict(), merged.state_dict()
    changed = {name for name in before if (before[name] != after[name]).any()}
    assert changed == {f"transformer.h.{layer}.attn.c_attn.weight" for layer in (0, 1)}
    losses = [loss for _, loss in curve(tmp_path, "validation")]
    assert losses[-1] < losses[0]


def test_lora_on_a_module_that_is_not_there_is_an_error_naming_the_key(tmp_path, run):
    with pytest.raises(InputError, match=r"lora\.target_modules=no_such"):
        run(tmp_path, method="lora", **{"lora.target_modules": "no_such"})
    assert not (tmp_path / "output").exists()


def test_early_stopping_ends_the_training_and_keeps_the_best_epoch(tmp_path, run, tokens):
    from datasets import Dataset

    from genlab.models.loading import load_causal_model

    # A rate so high that the loss rises after a while.
    options = {"epochs": 40, "learning_rate": 0.05, "lr_scheduler_type": "constant"}
    run(tmp_path, early_stopping_patience=2, **options)
    losses = [loss for _, loss in curve(tmp_path, "validation")]
    best = losses.index(min(losses))
    assert len(losses) == best + 1 + 2 < 40
    assert metrics(tmp_path)["validation_loss"] == losses[best]
    assert metrics(tmp_path)["steps"] == 10 * len(losses)
    rows = Dataset.from_file(str(tokens / "validation.arrow")).to_list()
    kept = token_losses(load_causal_model(tmp_path / "output").eval(), rows)
    assert sum(kept) / len(kept) == pytest.approx(losses[best], rel=1e-4)


@pytest.mark.parametrize(
    ("option", "value"),
    [("lr_scheduler_type", "linaer"), ("method", "lorra"), ("epochs", 0), ("lora.r", 0)],
)
def test_a_misspelt_or_out_of_range_option_is_refused(tmp_path, run, option, value):
    result = run(tmp_path, **{option: value})
    assert result.exit_code == 2
    assert option.replace("_", "-") in result.output.replace("_", "-")
    assert list(tmp_path.iterdir()) == []


class Killed(Exception):
    pass


def kill_at(monkeypatch, step, event="on_step_begin"):
    """Let the next run die at an event when `step` steps are done."""
    from transformers import TrainerCallback

    def die(self, args, state, control, **options):
        if state.global_step == step:
            raise Killed

    Kill = type("Kill", (TrainerCallback,), {event: die})

    def trainer_that_dies(**options):
        return token_mean_trainer(**(options | {"callbacks": [*options["callbacks"], Kill()]}))

    monkeypatch.setattr(training, "token_mean_trainer", trainer_that_dies)


def resumed_from(monkeypatch):
    """Return a list that the names of the checkpoints that runs begin with are put in."""
    seen = []

    def note(folder):
        checkpoint = last_whole_checkpoint(folder)
        seen.append(checkpoint and checkpoint.name)
        return checkpoint

    monkeypatch.setattr(training, "last_whole_checkpoint", note)
    return seen


@pytest.mark.parametrize(
    ("step", "event", "checkpoint", "options"),
    [
        (6, "on_step_begin", "checkpoint-4", {}),  # in the first epoch
        (25, "on_step_begin", "checkpoint-24", {}),  # in a later one, with another order
        (20, "on_step_begin", "checkpoint-20", {}),  # between two epochs
        (20, "on_evaluate", "checkpoint-16", {}),  # step 20 is saved only when it is evaluated
        (25, "on_step_begin", "checkpoint-24", {"gradient_accumulation_steps": 2, "batch_size": 2}),
        (25, "on_step_begin", "checkpoint-24", {"method": "lora", "learning_rate": 0.02}),
    ],
)
def test_a_run_that_died_goes_on_to_the_very_same_weights(
    tmp_path, run, monkeypatch, capfd, step, event, checkpoint, options
):
    run(tmp_path / "whole", **options)
    with monkeypatch.context() as killing:
        kill_at(killing, step, event)
        with pytest.raises(Killed):
            run(tmp_path / "killed", **options)
    assert not (tmp_path / "killed" / "output").exists()
    began_with = resumed_from(monkeypatch)
    capfd.readouterr()
    again = run(tmp_path / "killed", **options)
    n_done, n_steps = checkpoint.removeprefix("checkpoint-"), metrics(tmp_path / "killed")["steps"]
    said = again.stderr + capfd.readouterr().err
    assert f"training: resuming from step {n_done} of {n_steps}\n" in said
    assert "it/s]" not in said + again.stdout  # a bar of a library's
    assert began_with == [checkpoint]
    assert same_weights(tmp_path / "killed", tmp_path / "whole")
    assert curve(tmp_path / "killed", "validation") == curve(tmp_path / "whole", "validation")
    assert metrics(tmp_path / "killed") == metrics(tmp_path / "whole")
    assert list((tmp_path / "killed" / ".scratch" / "train").iterdir()) == []


@pytest.mark.parametrize(
    ("n_left", "event"),
    [
        (5, "on_step_begin"),  # one epoch without gain behind it, the next one not ended
        (0, "on_train_end"),  # stopped, and nothing written
    ],
)
def test_a_run_that_died_keeps_count_of_its_patience(tmp_path, run, monkeypatch, n_left, event):
    options = {"epochs": 40, "learning_rate": 0.05, "lr_scheduler_type": "constant"}
    options["early_stopping_patience"] = 2
    run(tmp_path / "whole", **options)
    steps = metrics(tmp_path / "whole")["steps"]
    with monkeypatch.context() as killing:
        kill_at(killing, steps - n_left, event)
        with pytest.raises(Killed):
            run(tmp_path / "killed", **options)
    run(tmp_path / "killed", **options)
    assert metrics(tmp_path / "killed") == metrics(tmp_path / "whole")
    assert curve(tmp_path / "killed", "validation") == curve(tmp_path / "whole", "validation")
    assert same_weights(tmp_path / "killed", tmp_path / "whole")


def test_a_changed_parameter_does_not_resume(tmp_path, run, monkeypatch):
    with monkeypatch.context() as killing:
        kill_at(killing, 6)
        with pytest.raises(Killed):
            run(tmp_path)
    began_with = resumed_from(monkeypatch)
    run(tmp_path, learning_rate=0.004, epochs=1)
    assert began_with == [None]


def test_a_process_that_was_killed_goes_on_to_the_very_same_weights(
    tmp_path, run, monkeypatch, tokens, base
):
    options = {"epochs": 12, "save_steps": 7}
    environment = os.environ | {"DVC_ROOT": str(tmp_path), "PYTHONPATH": str(ROOT)}
    with open(tmp_path / "stderr", "w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "stages.train", *arguments(tmp_path, tokens, base, **options)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
        try:
            while process.poll() is None:
                checkpoints = list(tmp_path.glob(".scratch/train/*/checkpoint-*"))
                if any(int(path.name.split("-")[1]) > 30 for path in checkpoints):
                    break
                time.sleep(0.01)
            # A second run of the same work is refused while the first is alive.
            with pytest.raises(InputError, match=f"process {process.pid} is doing this very train"):
                run(tmp_path, **options)
        finally:
            process.kill()
    assert process.wait() == -signal.SIGKILL, (tmp_path / "stderr").read_text()
    assert not (tmp_path / "output").exists()
    began_with = resumed_from(monkeypatch)
    run(tmp_path, **options)
    run(tmp_path / "whole", **options)
    assert int(began_with[0].split("-")[1]) >= 28 and began_with[1] is None
    assert same_weights(tmp_path, tmp_path / "whole")
    assert list((tmp_path / ".scratch" / "train").iterdir()) == []


def test_a_model_that_is_not_saved_as_it_was_trained_ends_the_stage(tmp_path, run, monkeypatch):
    import torch

    from genlab.models.loading import load_causal_model

    def load_another(folder):
        model = load_causal_model(folder)
        with torch.no_grad():  # only what is saved is another; the base is loaded by name, too
            if folder.name != "base":
                model.transformer.h[0].mlp.c_fc.weight.mul_(1.1)
        return model

    monkeypatch.setattr(train, "load_causal_model", load_another)
    with pytest.raises(InputError, match="in memory, but"):
        run(tmp_path, epochs=0.1)
    assert not (tmp_path / "output").exists() and not (tmp_path / "metrics.json").exists()


# ---- what the seed changes


def test_the_seed_draws_what_dropout_drops_and_the_param_says_how_much(tmp_path, run):
    """All rows in one batch of each epoch: their order changes nothing, so what differs is dropped.

    The tiny base has settings of its own (0.1), which must not count.
    """
    options = {"batch_size": 40, "learning_rate": 0.01, "warmup_steps": 0}
    for name, seed, dropout in (("a", 5, 0.0), ("b", 6, 0.0), ("c", 5, 0.5), ("d", 6, 0.5)):
        run(tmp_path / name, seed=seed, dropout=dropout, **options)
    none, other_none, some, other_some = (
        metrics(tmp_path / name)["validation_loss"] for name in "abcd"
    )
    assert none == pytest.approx(other_none, abs=1e-4)
    assert abs(some - other_some) > 1e-3 and abs(none - some) > 1e-3


def test_adapters_start_from_the_seed(tmp_path, run):
    options = {"method": "lora", "batch_size": 40, "dropout": 0.0, "lora.dropout": 0.0}
    options |= {"learning_rate": 0.03, "warmup_steps": 0}
    for name, seed in (("a", 5), ("b", 6), ("c", 5)):
        run(tmp_path / name, seed=seed, **options)
    assert not same_weights(tmp_path / "a", tmp_path / "b")
    assert same_weights(tmp_path / "a", tmp_path / "c")


# ---- what is handed on

UNLIKE = {
    "method": "lora",
    "epochs": 7.0,
    "learning_rate": 0.0123,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 11,
    "weight_decay": 0.07,
    "batch_size": 3,
    "gradient_accumulation_steps": 5,
    "early_stopping_patience": 2,
    "save_steps": 13,
    "seed": 23,
    "lora.r": 3,
    "lora.alpha": 10,
    "lora.dropout": 0.25,
    "lora.target_modules": "c_proj",
}


def test_every_option_arrives_at_the_trainer(tmp_path, run, monkeypatch):
    import torch

    notes = stopped_at(monkeypatch, training, "token_mean_trainer")
    run_until_there(lambda: run(tmp_path, **UNLIKE))
    seed = torch.initial_seed()
    (options,) = notes
    args = options["args"]
    assert {
        "epochs": args.num_train_epochs,
        "learning_rate": args.learning_rate,
        "lr_scheduler_type": args.lr_scheduler_type,
        "warmup_steps": args.warmup_steps,
        "weight_decay": args.weight_decay,
        "batch_size": args.per_device_train_batch_size,
        "gradient_accumulation_steps": args.gradient_accumulation_steps,
        "seed": args.seed,
    } == {name: UNLIKE[name] for name in list(UNLIKE)[1:8]} | {"seed": 23}
    assert seed == 23  # the adapters' first values
    assert options["optimizers"] == (None, None)
    assert adapter_settings(options["model"]) == {
        "r": {3},
        "scale": {10 / 3},
        "dropout": {0.25},
        "names": {"c_proj"},
    }
    saving, stopping = options["callbacks"]
    assert checkpoint_steps([saving], 26) == [13, 26]
    assert (stopping.early_stopping_patience, args.load_best_model_at_end) == (2, True)
    assert (args.bf16, len(options["train_dataset"]), len(options["eval_dataset"])) == (
        False,
        40,
        9,
    )


def test_the_weights_start_without_adapters_and_without_early_stopping_where_both_are_off(
    tmp_path, run, monkeypatch
):
    notes = stopped_at(monkeypatch, training, "token_mean_trainer")
    run_until_there(lambda: run(tmp_path, dtype="bfloat16"))
    (options,) = notes
    assert options["args"].bf16 and not options["args"].load_best_model_at_end
    assert adapter_settings(options["model"])["names"] == set()
    assert len(options["callbacks"]) == 1
