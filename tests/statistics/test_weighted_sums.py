"""Sums that no order of additions changes."""

from fractions import Fraction

import numpy as np
import pytest

from genlab.statistics.weighted_sums import weighted_sums


@pytest.mark.parametrize("n", [1, 7, 500])
@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_no_order_of_the_rows_changes_a_bit(n: int, scale: float) -> None:
    rng = np.random.default_rng(n)
    weights = rng.multinomial(n, np.full(n, 1 / n), 60)
    values = rng.standard_normal((n, 3)) * [scale, 1.0, 1e-3] + [0.0, 100.0, 0.0]
    found = weighted_sums(weights, values)
    for _ in range(5):
        order = rng.permutation(n)
        assert found.tobytes() == weighted_sums(weights[:, order], values[order]).tobytes()


def test_they_are_the_exact_sums_but_for_the_last_bits_of_the_largest_value() -> None:
    rng = np.random.default_rng(0)
    weights = rng.multinomial(200, np.full(200, 1 / 200), 20)
    values = rng.standard_normal((200, 2)) * [1.0, 1e6]
    for row, found in zip(weights, weighted_sums(weights, values), strict=True):
        for column, each in zip(values.T, found, strict=True):
            exact = sum(int(w) * Fraction(x) for w, x in zip(row, column, strict=True))
            assert abs(exact - Fraction(each)) < 200 * abs(column).max() * 2**-45


def test_whole_numbers_stay_as_they_are() -> None:
    weights = np.array([[3, 0, 1], [0, 4, 0]])
    values = np.array([[1.0, 0.0], [2.0, 0.0], [-5.0, 0.0]])
    assert weighted_sums(weights, values).tolist() == [[-2.0, 0.0], [8.0, 0.0]]
