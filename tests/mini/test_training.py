"""The mini trainings: which weight is turned by which optimizer, at which rate."""

import pytest

from genlab.mini.training import train_mini, two_optimizers
from tests.tiny_models import make_gpt2


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
