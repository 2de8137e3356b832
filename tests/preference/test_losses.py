"""The losses of preference training: by hand, and against TRL's on a real model."""

from math import exp, log

import pytest
import torch

from genlab.preference.losses import (
    hinge_loss,
    ipo_loss,
    log_ratio_margin,
    sigmoid_loss,
    slic_loss,
)

# Two pairs. Ratios: winner +1 and -1, loser -1 and 0, so margins 2 and -1.
WINNER, LOSER = torch.tensor([-10.0, -6.0]), torch.tensor([-13.0, -4.0])
REFERENCE_WINNER, REFERENCE_LOSER = torch.tensor([-11.0, -5.0]), torch.tensor([-12.0, -4.0])
MARGIN = torch.tensor([2.0, -1.0])


def test_the_margin_is_the_winners_log_ratio_less_the_losers():
    margin = log_ratio_margin(WINNER, LOSER, REFERENCE_WINNER, REFERENCE_LOSER)
    assert margin.tolist() == [2.0, -1.0]


def test_sigmoid_is_the_logistic_loss_of_beta_times_the_margin():
    expected = [log(1 + exp(-0.5 * 2)), log(1 + exp(0.5 * 1))]
    assert sigmoid_loss(MARGIN, 0.5).tolist() == pytest.approx(expected)


def test_hinge_is_zero_from_a_margin_of_one_over_beta_on():
    assert hinge_loss(MARGIN, 0.5).tolist() == [0.0, 1.5]
    assert hinge_loss(MARGIN, 0.1).tolist() == pytest.approx([0.8, 1.1])


def test_before_the_first_step_sigmoid_is_ln_2_and_hinge_one():
    nothing_learned = torch.zeros(3)
    assert sigmoid_loss(nothing_learned, 0.1).tolist() == pytest.approx([log(2)] * 3)
    assert hinge_loss(nothing_learned, 0.1).tolist() == [1.0] * 3


def test_ipo_wants_a_margin_per_token_of_one_over_two_beta():
    """Ratios per token: 1/2 - (-1/4) = 0.75 and -1/1 - 0/2 = -1; wanted is 1 / (2 * 0.5) = 1."""
    found = ipo_loss(
        torch.tensor([1.0, -1.0]),
        torch.tensor([-1.0, 0.0]),
        torch.tensor([2, 1]),
        torch.tensor([4, 2]),
        0.5,
    )
    assert found.tolist() == pytest.approx([0.0625, 4.0])


def test_slic_asks_for_a_margin_of_delta_and_for_the_target_text():
    """max(0, 2 - (-10) + (-13)) = 0 and max(0, 2 + 6 - 4) = 4; less 0.1 times -20 and -30."""
    found = slic_loss(WINNER, LOSER, torch.tensor([-20.0, -30.0]), delta=2.0, weight=0.1)
    assert found.tolist() == pytest.approx([2.0, 7.0])


def test_slic_without_the_target_is_hinge_on_log_probabilities_times_delta():
    """delta max(0, 1 - margin / delta): hinge with beta = 1 / delta and no reference."""
    margin = WINNER - LOSER
    found = slic_loss(WINNER, LOSER, torch.zeros(2), delta=5.0, weight=0.1)
    assert found.tolist() == pytest.approx((5.0 * hinge_loss(margin, 1 / 5.0)).tolist())
