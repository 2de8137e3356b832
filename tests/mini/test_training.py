"""The mini trainings: which weight is turned by which optimizer, at which rate."""

import pytest

from genlab.mini.training import adamw_of_two_rates, train_mini, two_optimizers
from genlab.models.lora import Lora, add_lora
from tests.tiny_models import make_gpt2
from tests.tiny_t5 import make_t5


def test_muon_has_the_matrices_of_the_blocks_and_adamw_the_rest_each_with_its_rate():
    model = make_gpt2(tie_word_embeddings=True)
    muon, adamw = two_optimizers(model, 0.25, 0.125)
    names = {id(weight): name for name, weight in model.named_parameters()}
    [matrices], [others] = muon.param_groups, adamw.param_groups
    assert (type(muon).__name__, matrices["lr"]) == ("Muon", 0.25)
    assert (type(adamw).__name__, others["lr"]) == ("AdamW", 0.125)
    assert {names[id(weight)].split(".", 3)[-1] for weight in matrices["params"]} == {
        "attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight",
    }  # fmt: skip
    assert {"transformer.wte.weight", "transformer.wpe.weight", "transformer.ln_f.weight"} <= {
        names[id(weight)] for weight in others["params"]
    }
    assert len(matrices["params"]) + len(others["params"]) == len(names)


@pytest.mark.parametrize("still", ["matrices", "embeddings"])
def test_a_rate_of_zero_leaves_its_own_weights_as_they_are(still):
    import torch

    model = make_gpt2()
    block = model.transformer.h[0].mlp.c_fc.weight
    matrix, table = block.detach().clone(), model.transformer.wte.weight.detach().clone()
    ids = torch.tensor([[5, 9, 7, 2]])
    rates = (0.0, 0.1) if still == "matrices" else (0.1, 0.0)
    train_mini(model, [{"input_ids": ids, "labels": ids}] * 3, 3, *rates)
    assert torch.equal(block, matrix) == (still == "matrices")
    assert torch.equal(model.transformer.wte.weight, table) == (still == "embeddings")


def test_matrices_and_embeddings_have_the_rates_that_are_named_for_them():
    model = make_t5(tie_word_embeddings=True)
    groups = adamw_of_two_rates(model, 0.25, 0.125, 0.5).param_groups
    rates = {id(weight): group["lr"] for group in groups for weight in group["params"]}
    of = {name: rates.pop(id(weight)) for name, weight in model.named_parameters()}
    assert not rates and all(group["weight_decay"] == 0.5 for group in groups)
    assert of["shared.weight"] == 0.125
    assert of["encoder.block.0.layer.0.SelfAttention.q.weight"] == 0.25
    assert of["decoder.block.1.layer.2.DenseReluDense.wo.weight"] == 0.25
    assert of["encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"] == 0.125
    assert of["decoder.final_layer_norm.weight"] == 0.125


def test_adapters_have_the_matrices_rate():
    model = add_lora(make_t5(), Lora(4, 16, 0.0, "q,v"))
    matrices, others = adamw_of_two_rates(model, 0.25, 0.125, 0.0).param_groups
    assert matrices["lr"] == 0.25 and len(matrices["params"]) == 2 * 6 * 2  # A and B, q and v
    assert others["params"] == []


def test_the_two_rates_reach_the_matrices_and_the_rest_with_one_decay():
    groups = adamw_of_two_rates(make_gpt2(), 0.3, 0.7, 0.2).param_groups
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [(0.3, 0.2), (0.7, 0.2)]
    assert {weight.dim() for weight in groups[0]["params"]} == {2}
    assert 1 in {weight.dim() for weight in groups[1]["params"]}
