"""What is saved is what was measured: a saved model is loaded again and its loss compared."""

from types import MethodType

import numpy as np
import pytest

from genlab.core.program import InputError
from genlab.models.batches import collate, collate_pairs
from genlab.models.loading import load_causal_model, load_text_to_text_model
from genlab.models.lora import Lora, add_lora
from genlab.models.saved import check_same_scores, mean_losses, row_batches, save_checked
from tests.broken_saves import save_zeroed
from tests.tiny_models import make_gpt2, make_tokenizer
from tests.tiny_t5 import make_t5
from tests.tiny_t5 import make_tokenizer as make_t5_tokenizer

ROWS = [{"input_ids": [5, 9, 7, 2 + n], "n_prompt": 0} for n in range(5)]
PAIRS = [{"input_ids": [5, 9, 1], "labels": [7, 2 + n, 1]} for n in range(5)]


def batches():
    return row_batches(ROWS, lambda rows: collate(rows, 0), 2)


def pair_batches():
    return row_batches(PAIRS, lambda rows: collate_pairs(rows, 0), 2)


def adapted(model, names, task_type="CAUSAL_LM"):
    """Return the model with trained adapters, tied or not."""
    import torch
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(task_type=task_type, r=2, lora_alpha=4, target_modules=names)
    model = get_peft_model(model, config)
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_" in name:
                weight.normal_(std=0.3)
    return model


def test_rows_come_in_batches_in_order_the_last_one_smaller():
    sizes = [batch["input_ids"][:, -1].tolist() for batch in batches()]
    assert sizes == [[2, 3], [4, 5], [6]]


@pytest.mark.parametrize("tied", [True, False])
def test_a_model_that_is_saved_whole_is_loaded_with_the_same_loss(tmp_path, tied):
    model = make_gpt2(tie_word_embeddings=tied)
    save_checked(model, make_tokenizer(), tmp_path, batches(), load_causal_model)
    assert mean_losses(load_causal_model(tmp_path), list(batches())) == pytest.approx(
        mean_losses(model, list(batches()))
    )


def test_a_model_that_was_trained_in_mixed_precision_is_compared_without_it(tmp_path):
    """As Accelerate wraps it: with the products in bfloat16 its loss is off by 1e-3."""
    import torch

    model = make_gpt2()
    plain, own = mean_losses(model, list(batches())), model.forward
    model._original_forward = own
    rounded = torch.autocast("cpu", torch.bfloat16)(type(model).forward)
    model.forward = MethodType(rounded, model)
    batch = next(iter(batches()))
    assert model(**batch).loss.item() != pytest.approx(plain[0], rel=1e-4)
    save_checked(model, make_tokenizer(), tmp_path, batches(), load_causal_model)
    assert mean_losses(model, list(batches())) == plain


def test_merged_adapters_have_the_loss_that_they_had_apart(tmp_path):
    model = adapted(make_gpt2(), ["c_attn"])
    before = mean_losses(model, list(batches()))
    save_checked(model, make_tokenizer(), tmp_path, batches(), load_causal_model)
    after = mean_losses(load_causal_model(tmp_path), list(batches()))
    assert after == pytest.approx(before, rel=1e-5)
    assert abs(after[0] - mean_losses(make_gpt2(), list(batches()))[0]) > 0.01


def test_adapters_of_a_mixtures_experts_are_saved_as_they_were_trained(tmp_path):
    import torch
    from transformers import MixtralConfig, MixtralForCausalLM

    torch.manual_seed(1)
    config = MixtralConfig(
        vocab_size=60, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=2, num_local_experts=2,
    )  # fmt: skip
    model = add_lora(MixtralForCausalLM(config).eval(), Lora(2, 4, 0.0, "all-linear"))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_" in name:
                weight.normal_(std=0.3)
    before = mean_losses(model, list(batches()))
    save_checked(model, make_tokenizer(), tmp_path, batches(), load_causal_model)
    after = mean_losses(load_causal_model(tmp_path), list(batches()))
    assert after == pytest.approx(before, rel=1e-5)


def test_a_layer_that_takes_no_adapter_is_named_on_one_line():
    with pytest.raises(InputError, match=r"=attn: Target module GPT2Attention\([^\n]*\.\.\.$"):
        add_lora(make_gpt2(), Lora(2, 4, 0.0, "attn"))


@pytest.mark.parametrize("name", ["lm_head", "wte"])
def test_an_adapter_of_a_tied_matrix_is_not_what_is_saved_and_ends_in_an_error(tmp_path, name):
    model = adapted(make_gpt2(tie_word_embeddings=True), [name])
    with pytest.raises(InputError, match=r"loss .* in memory, but .* when it is saved and loaded"):
        save_checked(model, make_tokenizer(), tmp_path, batches(), load_causal_model)


def test_a_model_without_adapters_that_is_saved_otherwise_is_told_nothing_of_them(
    tmp_path, monkeypatch
):
    model = make_gpt2()
    save_zeroed(monkeypatch, type(model))
    with pytest.raises(InputError, match="as they were trained; see that the disk is in order"):
        save_checked(model, make_tokenizer(), tmp_path, batches(), load_causal_model)


def test_scores_may_differ_by_rounding_alone():
    check_same_scores(np.array([1.0, -20.0]), np.array([1.0005, -20.01]), "mine")
    with pytest.raises(InputError, match=r"^mine: saved and loaded again, .* \(by up to 0\.5\)"):
        check_same_scores(np.array([1.0, -20.0]), np.array([0.5, -20.0]), "mine")


def test_a_text_to_text_model_is_compared_too(tmp_path):
    model = adapted(make_t5(tie_word_embeddings=True), ["lm_head"], "SEQ_2_SEQ_LM")
    with pytest.raises(InputError, match="not saved as they were trained"):
        save_checked(model, make_t5_tokenizer(), tmp_path, pair_batches(), load_text_to_text_model)
    model = adapted(make_t5(tie_word_embeddings=True), ["q", "v"], "SEQ_2_SEQ_LM")
    save_checked(model, make_t5_tokenizer(), tmp_path, pair_batches(), load_text_to_text_model)


@pytest.mark.parametrize("names", ["lm_head", "wte", "c_attn,lm_head"])
def test_tied_layers_take_no_adapters_and_are_named(names):
    tied = make_gpt2(tie_word_embeddings=True)
    with pytest.raises(InputError, match=f"target_modules={names}: lm_head and transformer.wte"):
        add_lora(tied, Lora(2, 4, 0.0, names))


def test_layers_that_are_not_tied_and_all_linear_take_adapters():
    add_lora(make_gpt2(tie_word_embeddings=False), Lora(2, 4, 0.0, "lm_head"))
    add_lora(make_gpt2(tie_word_embeddings=True), Lora(2, 4, 0.0, "all-linear"))
    add_lora(make_t5(tie_word_embeddings=True), Lora(2, 4, 0.0, "all-linear"))
    with pytest.raises(InputError, match=r"lora\.target_modules=shared"):
        add_lora(make_t5(tie_word_embeddings=True), Lora(2, 4, 0.0, "shared"))
