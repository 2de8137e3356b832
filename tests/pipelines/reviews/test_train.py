"""train: arms on a tiny T5, what is trained, saved, resumed and tracked."""

import json
import math
import sqlite3
import sys

import pytest
from typer.testing import CliRunner

from genlab.core.chosen import write_chosen
from genlab.core.program import InputError
from genlab.core.tables import write_arrow
from genlab.models import training
from genlab.models.batches import collate_pairs
from genlab.models.lora import Lora, add_lora
from genlab.models.training import check_rows_fit
from pipelines.reviews.encoded_reviews import SCHEMA
from pipelines.reviews.stages import train
from pipelines.reviews.stages.choose import with_starts
from pipelines.reviews.tracking import check_store, tracking_uri
from tests.handed_on import adapter_settings, checkpoint_steps, run_until_there, stopped_at
from tests.tiny_t5 import TEXTS, make_t5, make_tokenizer, save_t5

OPTIONS = {
    "method": "full",
    "epochs": 2,
    "learning_rate": 0.01,
    "embedding_learning_rate": 0.02,
    "lr_scheduler_type": "constant",
    "warmup_steps": 0,
    "weight_decay": 0.0,
    "dropout": 0.1,
    "batch_size": 4,
    "gradient_accumulation_steps": 1,
    "early_stopping_patience": 0,
    "save_steps": 2,
    "mlflow_store": "none",
    "seed": 5,
    "lora.r": 4,
    "lora.alpha": 16,
    "lora.dropout": 0.0,
    "lora.target_modules": "q,v",
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder with a tiny T5 of one layer, and 15 reviews a split of ratings 1, 2 and 5."""
    folder = tmp_path_factory.mktemp("inputs")
    save_t5(folder / "base", num_layers=1)
    tokenizer = make_tokenizer()
    for split in ("train", "validation"):
        rows = []
        for i in range(15):
            rating, text = (1, 2, 5)[i % 3], TEXTS[3 * i % 60]
            prompt = f"Оценка {rating} | {text.split(',')[0]}"
            ids = [tokenizer(side)["input_ids"] for side in (prompt, text)]
            rows.append((f"{split}{i}", rating, prompt, *ids))
        write_arrow(folder / "tokens" / f"{split}.arrow", rows, SCHEMA)
    return folder


@pytest.fixture
def run(inputs, monkeypatch):
    def run_in(folder, ratings=(1, 2, 3, 4, 5), wanted=True, **options):
        words = [inputs / "tokens", folder / "arm", "--metrics", folder / "metrics.json"]
        words += ["--curve", folder / "curve.json", "--start", inputs / "base"]
        chosen = inputs / f"choose-{wanted}"
        write_chosen(chosen, {"arms": {"arm": wanted}})
        words += ["--chosen", chosen / "arms/arm.json"]
        for rating in ratings:
            words += ["--ratings", rating]
        for name, value in (OPTIONS | options).items():
            words += [f"--{name}", value]
        words = [str(word) for word in words]
        monkeypatch.setattr(sys, "argv", ["train", *words])
        monkeypatch.setenv("DVC_ROOT", str(folder))
        folder.mkdir(exist_ok=True)
        return CliRunner().invoke(train.app, words, catch_exceptions=False)

    return run_in


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())["training"]


def validation(folder):
    points = json.loads((folder / "curve.json").read_text())
    return [point["loss"] for point in points if point["split"] == "validation"]


def weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "arm" / "model.safetensors")


def same_weights(one, other):
    one, other = weights(one), weights(other)
    return one.keys() == other.keys() and all((one[name] == other[name]).all() for name in one)


def test_an_arm_that_is_not_compared_is_not_trained(tmp_path, run):
    assert run(tmp_path / "out", wanted=False).exit_code == 0
    assert [each.name for each in (tmp_path / "out/arm").iterdir()] == ["left_out.json"]
    assert metrics(tmp_path / "out") == {"steps": 0}


def test_wanted_arms_are_those_compared_and_those_they_start_from():
    arms = {"full": {"start": "data/fetch/base"}, "low": {"start": "data/train/full"}}
    arms |= {"more": {"start": "data/train/low"}, "alone": {"start": "/models/low"}}
    assert with_starts(arms, ["full"]) == {"full"}
    assert with_starts(arms, ["more"]) == {"full", "low", "more"}
    assert with_starts(arms, ["alone"]) == {"alone"}


def test_pairs_are_padded_by_position_each_side_to_its_longest():
    rows = [{"input_ids": [5, 1], "labels": [7, 0, 1]}, {"input_ids": [6, 4, 1], "labels": [1]}]
    assert {name: t.tolist() for name, t in collate_pairs(rows, 0).items()} == {
        "input_ids": [[5, 1, 0], [6, 4, 1]],
        "attention_mask": [[1, 1, 0], [1, 1, 1]],
        "labels": [[7, 0, 1], [1, -100, -100]],
    }


def test_a_full_arm_learns_and_its_validation_loss_is_the_mean_over_tokens(tmp_path, run, inputs):
    import torch
    from datasets import Dataset

    from genlab.models.loading import load_text_to_text_model

    assert run(tmp_path).exit_code == 0
    found, losses = metrics(tmp_path), validation(tmp_path)
    model = load_text_to_text_model(tmp_path / "arm").eval()
    rows = Dataset.from_file(str(inputs / "tokens/validation.arrow")).to_list()
    total = n_tokens = 0
    for row in rows:
        with torch.inference_mode():
            loss = model(
                input_ids=torch.tensor([row["input_ids"]]), labels=torch.tensor([row["labels"]])
            ).loss
        total, n_tokens = total + loss.item() * len(row["labels"]), n_tokens + len(row["labels"])
    assert found["validation_loss"] == losses[-1] == pytest.approx(total / n_tokens, rel=1e-4)
    assert found["validation_perplexity"] == math.exp(losses[-1])
    assert losses[1] < losses[0]
    assert (found["steps"], found["train_rows"], found["epochs"]) == (8, 15, 2)
    assert found["trained_parameters"] == model.num_parameters()


def test_a_lora_arm_of_low_ratings_counts_as_worked_out_by_hand(tmp_path, run, inputs):
    import torch
    from peft import PeftModel

    from genlab.models.loading import load_text_to_text_model

    run(tmp_path, ratings=(1, 2), method="lora", learning_rate=0.05)
    found = metrics(tmp_path)
    # q and v map 16 to 16: r (16 + 16) numbers each; one attention in the encoder, two in the
    # decoder, so 6 matrices.
    assert found["trained_parameters"] == 6 * 4 * 32 and found["lora_matrices"] == 6
    assert found["lora_scale"] == 4.0 and found["train_rows"] == 10
    before = load_text_to_text_model(inputs / "base").eval()
    merged = load_text_to_text_model(tmp_path / "arm").eval()
    sides = {"input_ids": torch.tensor([[9, 5, 1]]), "decoder_input_ids": torch.tensor([[0, 7, 8]])}
    with torch.inference_mode():
        start = before(**sides).logits.clone()
        adapted = PeftModel.from_pretrained(before, tmp_path / "arm/adapter").eval()
        unmerged, logits = adapted(**sides).logits, merged(**sides).logits
    torch.testing.assert_close(logits, unmerged, atol=1e-5, rtol=1e-4)
    assert (logits - start).abs().max() > 0.01


@pytest.mark.parametrize(
    ("names", "r", "expected"), [("q,v", 4, 172_032), ("q,k,v", 16, 1_032_192)]
)
def test_rut5_small_has_the_published_numbers_of_trained_parameters(names, r, expected):
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    # mT5-small's sizes with fewer tokens; 8 layers a side, 6 heads of 64.
    config = T5Config(
        vocab_size=100, d_model=512, d_kv=64, d_ff=1024, num_layers=8, num_heads=6,
        feed_forward_proj="gated-gelu",
    )  # fmt: skip
    with torch.device("meta"):
        model = add_lora(T5ForConditionalGeneration(config), Lora(r, 16, 0.01, names))
    assert model.num_parameters(only_trainable=True) == expected


@pytest.mark.parametrize("names", ["v,q,k", "all-linear"])
def test_adapters_are_saved_with_their_modules_in_one_order(tmp_path, names):
    add_lora(make_t5(), Lora(4, 16, 0.0, names)).save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "adapter_config.json").read_text())["target_modules"]
    everything = ["k", "o", "q", "v", "wi_0", "wi_1", "wo"]
    assert saved == (["k", "q", "v"] if names == "v,q,k" else everything)


@pytest.mark.parametrize("names", ["nope", "q,nope"])
def test_modules_that_are_not_there_are_an_error_naming_the_key(names):
    with pytest.raises(InputError, match=f"lora.target_modules={names}.*nope"):
        add_lora(make_t5(), Lora(4, 16, 0.0, names))


def test_with_a_rate_of_zero_the_embeddings_stay_and_the_matrices_move(tmp_path, run, inputs):
    from safetensors.torch import load_file

    run(tmp_path, embedding_learning_rate=0.0, learning_rate=0.01)
    before, after = load_file(inputs / "base/model.safetensors"), weights(tmp_path)
    changed = {name for name in before if (before[name] != after[name]).any()}
    assert "shared.weight" not in changed
    assert "encoder.block.0.layer.0.SelfAttention.q.weight" in changed


def test_ratings_that_no_review_has_are_an_error_and_those_outside_1_to_5_refused(tmp_path, run):
    with pytest.raises(InputError, match="no review is rated 3, 4"):
        run(tmp_path, ratings=(3, 4))
    result = run(tmp_path, ratings=(1, 6))
    assert result.exit_code == 2 and "--ratings" in result.output
    assert not (tmp_path / "arm").exists()


@pytest.mark.parametrize("key", ["max_prompt", "max_text"])
def test_rows_longer_than_a_models_positions_are_refused(inputs, key):
    from transformers import BartConfig, BartForConditionalGeneration

    from pipelines.reviews.adapters import read_rows

    rows = read_rows(inputs / "tokens", "train", [1, 2, 5])
    longest = [max(map(len, rows[column])) for column in ("input_ids", "labels")]
    config = BartConfig(
        vocab_size=300, d_model=16, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=16,
        decoder_ffn_dim=16, encoder_attention_heads=2, decoder_attention_heads=2,
        max_position_embeddings=longest[key == "max_text"] - 1,
    )  # fmt: skip
    limits = {"input_ids": "max_prompt", "labels": "max_text"}
    only = {name: limit for name, limit in limits.items() if limit == key}
    with pytest.raises(InputError, match=f"tokens exceeds the model's .* positions; lower {key}"):
        check_rows_fit(inputs, rows, BartForConditionalGeneration(config), only)


def test_early_stopping_keeps_the_best_epoch_and_metrics_say_which(tmp_path, run):
    run(tmp_path, epochs=40, learning_rate=0.1, early_stopping_patience=2)
    losses, found = validation(tmp_path), metrics(tmp_path)
    best = losses.index(min(losses)) + 1
    assert found["best_epoch"] == best and found["epochs"] == best + 2 < 40
    assert found["validation_loss"] == min(losses)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_run_that_died_goes_on_to_the_very_same_weights(tmp_path, run, monkeypatch, method):
    from tests.stages.test_train import Killed, kill_at

    run(tmp_path / "whole", method=method)
    with monkeypatch.context() as killing:
        kill_at(killing, 7)
        with pytest.raises(Killed):
            run(tmp_path / "killed", method=method)
    began_with = []
    last = training.last_whole_checkpoint
    monkeypatch.setattr(
        training, "last_whole_checkpoint", lambda f: began_with.append(last(f)) or began_with[-1]
    )
    run(tmp_path / "killed", method=method)
    assert began_with[0].name == "checkpoint-6"
    assert same_weights(tmp_path / "whole", tmp_path / "killed")
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "killed")


def test_a_store_gets_params_and_the_curve_and_no_folder_is_left(tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(tmp_path, mlflow_store="mlflow.db")
    with sqlite3.connect(tmp_path / "mlflow.db") as store:
        names = store.execute("select name, status from runs").fetchall()
        params = dict(store.execute("select key, value from params"))
        losses = store.execute("select value from metrics where key = 'eval_loss' order by step")
        assert [loss for (loss,) in losses] == pytest.approx(validation(tmp_path))
    assert names == [("arm", "FINISHED")]
    assert (
        params["genlab.learning_rate"] == "0.01" and params["genlab.ratings"] == "[1, 2, 3, 4, 5]"
    )
    assert not list(tmp_path.rglob("mlruns"))


def test_nothing_is_tracked_without_a_store_and_a_store_out_of_reach_is_an_error(tmp_path, run):
    run(tmp_path / "one", epochs=0.3)
    assert {path.name for path in (tmp_path / "one").iterdir()} == {
        "arm", "metrics.json", "curve.json", ".scratch",
    }  # fmt: skip
    (tmp_path / "two").mkdir()
    (tmp_path / "two/file").write_text("no database")
    with pytest.raises(InputError, match="mlflow_store=file: cannot be written"):
        run(tmp_path / "two", mlflow_store="file")


@pytest.mark.parametrize(
    ("store", "uri"),
    [
        ("http://host:5000", "http://host:5000"),
        ("postgresql+psycopg2://me@host/db", "postgresql+psycopg2://me@host/db"),
        ("env", "http://me:secret@host:5000"),
        ("databricks://profile", "databricks://profile"),
        ("my.db", "sqlite:////checkout/my.db"),
        ("sqlite:///my.db", "sqlite:////checkout/my.db"),
        ("sqlite:////other/my.db", "sqlite:////other/my.db"),
    ],
)
def test_a_url_goes_to_mlflow_as_it_is_and_a_file_is_of_the_original_checkout(
    store, uri, monkeypatch
):
    monkeypatch.setenv("DVC_ROOT", "/checkout")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@host:5000")
    assert tracking_uri(store)[0] == uri
    check_store(store)


@pytest.mark.parametrize(
    ("store", "told"),
    [
        ("http://me:secret@host:5000", "http://me:***@host:5000: leave the password out"),
        ("http://me:se@cret/x#@host", "http://me:***@host: leave the password out"),
        ("http:/me:secret@host", "http:***@host: leave the password out"),
        ("me:secret@host:5000", "me:***@host:5000: leave the password out"),
        ("postgresql://host/db?password=secret", "host/db?password=***: leave the password out"),
        ("mlflow-artifacts://host/x", "mlflow-artifacts://host/x: no store of MLflow's begins so"),
        ("localhost:5000", "localhost:5000: no store of MLflow's begins so"),
    ],
)
def test_an_address_with_a_password_or_of_no_server_is_refused_and_the_password_not_told(
    store, told
):
    with pytest.raises(InputError) as error:
        check_store(store)
    assert told in str(error.value)
    assert "cret" not in str(error.value)


def test_a_server_out_of_reach_is_an_error_that_hides_the_password(tmp_path, run, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)  # MLflow sets it itself
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="MLFLOW_TRACKING_URI is not set"):
        run(tmp_path, mlflow_store="env")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@localhost:9")
    with pytest.raises(InputError, match=r"mlflow_store=env: cannot be reached") as error:
        run(tmp_path, mlflow_store="env")
    assert "secret" not in str(error.value)
    with pytest.raises(InputError, match=r"http://me:\*\*\*@localhost:9: leave the pass") as error:
        run(tmp_path, mlflow_store="http://me:secret@localhost:9")
    assert "secret" not in str(error.value)
    assert not [path for path in tmp_path.rglob("*") if "secret" in path.name]


def test_an_mlflow_that_is_not_installed_is_an_error(tmp_path, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(InputError, match="needs MLflow, which is not installed"):
        run(tmp_path, mlflow_store="mlflow.db")


# ---- what is handed on


def test_every_option_arrives_at_the_trainer(tmp_path, run, monkeypatch):
    notes = stopped_at(monkeypatch, training, "token_mean_trainer")
    unlike = {
        "epochs": 7.0,
        "learning_rate": 0.0123,
        "embedding_learning_rate": 0.0456,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 11,
        "weight_decay": 0.07,
        "batch_size": 3,
        "gradient_accumulation_steps": 5,
        "early_stopping_patience": 2,
        "save_steps": 13,
        "seed": 23,
    }
    run_until_there(lambda: run(tmp_path / "full", ratings=(1, 5), **unlike))
    (options,) = notes
    args, model = options["args"], options["model"]
    named = {
        "epochs": args.num_train_epochs,
        "lr_scheduler_type": args.lr_scheduler_type,
        "warmup_steps": args.warmup_steps,
        "batch_size": args.per_device_train_batch_size,
        "gradient_accumulation_steps": args.gradient_accumulation_steps,
        "seed": args.seed,
    }
    assert named == {name: unlike[name] for name in named}
    optimizer, scheduler = options["optimizers"]
    rates = {
        id(weight): (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for weight in group["params"]
    }
    assert scheduler is None and len(rates) == len(list(model.parameters()))
    attention = model.encoder.block[0].layer[0].SelfAttention
    assert rates[id(attention.q.weight)] == (0.0123, 0.07)
    assert rates[id(model.shared.weight)] == (0.0456, 0.07)
    assert rates[id(attention.relative_attention_bias.weight)] == (0.0456, 0.07)
    saving, stopping = options["callbacks"]
    assert checkpoint_steps([saving], 26) == [13, 26]
    assert (stopping.early_stopping_patience, args.load_best_model_at_end) == (2, True)
    for split in ("train_dataset", "eval_dataset"):
        assert set(options[split]["rating"]) == {1, 5} and len(options[split]) == 10
    assert options["train_dataset"]["review_id"][0] == "train0"


def test_the_adapters_options_arrive_at_the_adapters_and_their_rate_is_the_matrices(
    tmp_path, run, monkeypatch
):
    import torch

    notes = stopped_at(monkeypatch, training, "token_mean_trainer")
    lora = {"r": 3, "alpha": 10, "dropout": 0.25, "target_modules": "k,o"}
    options = {f"lora.{name}": value for name, value in lora.items()}
    run_until_there(lambda: run(tmp_path / "lora", method="lora", seed=23, **options))
    assert torch.initial_seed() == 23
    found = notes[0]
    assert adapter_settings(found["model"]) == {
        "r": {3},
        "scale": {10 / 3},
        "dropout": {0.25},
        "names": {"k", "o"},
    }
    groups = found["optimizers"][0].param_groups
    assert [(group["lr"], len(group["params"]) > 0) for group in groups] == [
        (OPTIONS["learning_rate"], True),
        (OPTIONS["embedding_learning_rate"], False),
    ]
