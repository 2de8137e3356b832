"""Sums that no order of additions changes."""

from fractions import Fraction

import numpy as np
import pytest

from genlab.statistics.weighted_sums import exact_parts, weighted_sums


@pytest.mark.parametrize("n", [1, 7, 500])
@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_no_order_of_the_rows_changes_a_bit(n: int, scale: float) -> None:
    rng = np.random.default_rng(n)
    weights = rng.multinomial(n, np.full(n, 1 / n), 60)
    values = rng.standard_normal((n, 3)) * [scale, 1.0, 1e-3] + [0.0, 100.0, 0.0]
    found = weighted_sums(weights, exact_parts(values, n))
    for _ in range(5):
        order = rng.permutation(n)
        again = weighted_sums(weights[:, order], exact_parts(values[order], n))
        assert found.tobytes() == again.tobytes()


def test_they_are_the_exact_sums_but_for_a_last_bit() -> None:
    rng = np.random.default_rng(0)
    weights = rng.multinomial(200, np.full(200, 1 / 200), 20)
    values = rng.standard_normal((200, 2)) * [1.0, 1e6]
    sums = weighted_sums(weights, exact_parts(values, 200))
    for row, found in zip(weights, sums, strict=True):
        for column, each in zip(values.T, found, strict=True):
            exact = sum(int(w) * Fraction(x) for w, x in zip(row, column, strict=True))
            assert abs(exact - Fraction(each)) <= np.spacing(abs(each))


def test_whole_numbers_stay_as_they_are() -> None:
    weights = np.array([[3, 0, 1], [0, 4, 0]])
    values = np.array([[1.0, 0.0], [2.0, 0.0], [-5.0, 0.0]])
    assert weighted_sums(weights, exact_parts(values, 4)).tolist() == [[-2.0, 0.0], [8.0, 0.0]]
