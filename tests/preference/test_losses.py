"""The loss of preference training that is not TRL's: by hand."""

import pytest
import torch

from genlab.preference.losses import slic_loss

WINNER, LOSER = torch.tensor([-10.0, -6.0]), torch.tensor([-13.0, -4.0])


def test_slic_asks_for_a_margin_of_delta_and_for_the_target_text():
    """max(0, 2 - (-10) + (-13)) = 0 and max(0, 2 + 6 - 4) = 4; less 0.1 times -20 and -30."""
    found = slic_loss(WINNER, LOSER, torch.tensor([-20.0, -30.0]), delta=2.0, weight=0.1)
    assert found.tolist() == pytest.approx([2.0, 7.0])


def test_slic_without_the_target_is_hinge_on_log_probabilities_times_delta():
    """delta max(0, 1 - margin / delta): hinge with beta = 1 / delta and no reference."""
    hinge = (1 - (WINNER - LOSER) / 5.0).relu()
    found = slic_loss(WINNER, LOSER, torch.zeros(2), delta=5.0, weight=0.1)
    assert found.tolist() == pytest.approx((5.0 * hinge).tolist())
