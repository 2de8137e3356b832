"""The names of verdicts, and the words beside them about the size of a difference."""

IDENTICAL = "identical"
NO_DIFFERENCE = "no difference beyond"
NOT_SETTLED = "not settled"
UNSTABLE = "unstable over trainings"
UNTESTABLE = "cannot be tested here"
SIGNIFICANT = ("supported", "contradicted", "better", "worse")  # of claims, and of two runs


def count_tests(n: int) -> str:
    """Return "1 test" or "3 tests"."""
    return f"{n} test{'s' * (n != 1)}"


def lies_within(low: float, high: float, margin: float | None) -> bool:
    """Return whether an interval lies between -margin and margin.

    An interval of width 0, as of equal values without bounds, does not count.
    """
    return margin is not None and -margin < low < high < margin


def tell_size(verdict: str, low: float, high: float, margin: float | None) -> str:
    """Return ", within 0.1" of a significant difference that is shown to be below the margin."""
    if verdict in SIGNIFICANT and lies_within(low, high, margin):
        return f", within {margin:g}"
    return ""
