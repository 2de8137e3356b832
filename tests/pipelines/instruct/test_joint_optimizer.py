"""Two optimizers that a Trainer drives as one: their rates, their schedule, their state."""

import io

import pytest
import torch

from pipelines.instruct.joint_optimizer import joint_optimizer

RATES = 0.01, 0.002  # of the matrix in a block, of all else
GRADIENTS = [[[1.0, 2.0], [0.5, -1.0]], [[-1.0, 0.5], [2.0, 1.0]], [[0.2, 1.0], [1.0, 3.0]]]


def tiny_model() -> torch.nn.Module:
    """Return a model with an embedding, and a matrix and a bias in a block; the same each time."""
    torch.manual_seed(17)
    model = torch.nn.Module()
    model.shared = torch.nn.Embedding(2, 2)
    model.encoder = torch.nn.Module()
    model.encoder.block = torch.nn.ModuleList([torch.nn.Linear(2, 2)])
    return model


def step(model: torch.nn.Module, optimizer: torch.optim.Optimizer, gradient: list) -> None:
    """Make one step, every weight's gradient being `gradient`; of the bias its first row."""
    for weight in model.parameters():
        weight.grad = torch.tensor(gradient[0] if weight.ndim == 1 else gradient)
    optimizer.step()


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def moves(before: dict, after: dict) -> dict[str, torch.Tensor]:
    return {name: after[name] - before[name] for name in before}


def test_matrices_in_blocks_and_all_else_have_a_rate_each():
    model = tiny_model()
    names = {id(weight): name for name, weight in model.named_parameters()}
    groups = joint_optimizer(model, *RATES).param_groups
    assert [(g["lr"], [names[id(each)] for each in g["params"]]) for g in groups] == [
        (0.01, ["encoder.block.0.weight"]),
        (0.002, ["shared.weight", "encoder.block.0.bias"]),
    ]


def test_a_schedule_moves_both_rates_and_the_steps_with_them():
    """Under one gradient AdamW's step is its rate, whatever the gradient; Muon's has one shape."""
    model = tiny_model()
    optimizer = joint_optimizer(model, *RATES)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: 1 / (1 + done))
    found = [weights(model)]
    for _ in range(2):
        step(model, optimizer, GRADIENTS[0])
        schedule.step()
        found.append(weights(model))
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.01 / 3, 0.002 / 3])
    first, second = moves(found[0], found[1]), moves(found[1], found[2])
    signs = torch.tensor(GRADIENTS[0]).sign()
    for each, rate in ((first, 0.002), (second, 0.001)):
        assert torch.allclose(each["shared.weight"], -rate * signs, rtol=1e-3)
        assert torch.allclose(each["encoder.block.0.bias"], -rate * signs[0], rtol=1e-3)
    # Muon reckons in bfloat16, of 8 bits; its matrix has singular values of 0.7 to 1.2.
    matrix, later = first["encoder.block.0.weight"], second["encoder.block.0.weight"]
    assert torch.allclose(later, matrix / 2, rtol=0.02, atol=1e-5)
    sizes = torch.linalg.svdvals(matrix) / 0.01
    assert 0.65 < sizes.min() <= sizes.max() < 1.25


def test_a_state_that_was_saved_and_loaded_goes_on_to_the_same_weights():
    model = tiny_model()
    optimizer = joint_optimizer(model, *RATES)
    for gradient in GRADIENTS[:2]:
        step(model, optimizer, gradient)
    for group in optimizer.param_groups:  # where a schedule has brought them
        group["lr"] /= 2
    kept, file = weights(model), io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    step(model, optimizer, GRADIENTS[2])

    def go_on(is_loaded: bool) -> dict[str, torch.Tensor]:
        resumed = tiny_model()
        resumed.load_state_dict(kept)
        other = joint_optimizer(resumed, *RATES)
        if is_loaded:
            file.seek(0)
            other.load_state_dict(torch.load(file, weights_only=True))
            assert [group["lr"] for group in other.param_groups] == [0.005, 0.001]
        step(resumed, other, GRADIENTS[2])
        after = weights(resumed)
        for group in other.param_groups:  # it still has the groups that the parts step by
            group["lr"] = 0.0
        step(resumed, other, GRADIENTS[2])
        assert not any(each.any() for each in moves(after, weights(resumed)).values())
        return after

    goal = weights(model)
    assert all(torch.equal(each, goal[name]) for name, each in go_on(True).items())
    assert not any(torch.equal(each, goal[name]) for name, each in go_on(False).items())
