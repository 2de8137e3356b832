"""From differences to verdicts: Holm's correction, the verdict, and the n that would settle it."""

from dataclasses import replace
from functools import partial
from math import ceil, sqrt

from genlab.experiments.comparison import OF_TRAININGS, Difference
from genlab.experiments.verdict_words import (
    IDENTICAL,
    NO_DIFFERENCE,
    NOT_SETTLED,
    UNSTABLE,
    lies_within,
)
from genlab.statistics.significance import (
    FEWEST_PAIRS,
    adjust_by_holm,
    is_significant,
    number_to_settle,
)


def with_verdicts(differences: list[Difference]) -> list[Difference]:
    """Return the differences with p adjusted for testing them together, and their verdicts.

    A difference in which no pair differs, or which has too few pairs, could not become significant.
    It does not count as a test.
    """
    tests = [
        each.p if each.n_different and has_enough_pairs(each) else float("nan")
        for each in differences
    ]
    n_tests = sum(p == p for p in tests)
    settled = []
    for each, p_adjusted in zip(differences, adjust_by_holm(tests), strict=True):
        if each.n == 0:
            verdict = "no pair counts"
        elif each.same_rows and not each.n_different:
            verdict = IDENTICAL
        elif each.is_unstable:
            verdict = UNSTABLE
        elif is_significant(each.low, each.high, p_adjusted):
            found = "lower" if each.difference < 0 else "higher"
            verdict = "better" if found == each.better else "worse"
        elif is_within_margin(each):
            verdict = f"{NO_DIFFERENCE} {each.margin:g}"
        else:
            verdict = NOT_SETTLED
            pairs, trainings = numbers_needed(each, n_tests or 1)
            each = replace(each, needed=pairs, needed_trainings=trainings)
        settled.append(replace(each, p_adjusted=p_adjusted, verdict=verdict, n_tests=n_tests))
    return settled


def numbers_needed(found: Difference, n_asked: int) -> tuple[int | None, int | None]:
    """Return how many pairs, or else how many trainings, would settle a difference.

    More pairs or more trainings: whichever contributes more to the error, or the other one if no
    number of the first would be enough. If neither alone would, both grow by one factor.
    """
    if found.test in OF_TRAININGS:
        spread = found.error * sqrt(found.n_trainings) if found.test == "t" else 0.0
        needed = number_to_settle(found.difference, spread, found.margin, n_asked, fewest=2)
        return None, needed and max(needed, found.n_trainings + 1)
    if not has_enough_pairs(found):
        return ceil(found.n * FEWEST_PAIRS / (found.n_clusters or found.n)), None
    if not found.n_different:
        return pairs_within_margin(found), None
    of_trainings = found.training_variance
    of_units = max(0.0, found.error**2 - of_trainings)
    ask = partial(number_to_settle, found.difference, margin=found.margin, n_asked=n_asked)
    pairs = ask(sqrt(of_units * found.n), beyond=of_trainings)
    trainings = ask(sqrt(of_trainings * found.n_trainings), beyond=of_units, fewest=2)
    if trainings is not None and (pairs is None or of_trainings > of_units):
        return None, max(trainings, found.n_trainings + 1)
    if pairs is None and of_trainings > 0 and (both := ask(found.error * sqrt(found.n))):
        return both, ceil(found.n_trainings * both / found.n)
    return pairs and max(pairs, found.n + 1), None


def pairs_within_margin(found: Difference) -> int | None:
    """Return how many pairs, if none differed, would bring the interval within the margin.

    The interval's width is proportional to 1 / n.
    """
    half = max(-found.low, found.high)
    if found.margin is None or half <= found.margin:
        return None
    return ceil(found.n * half / found.margin) + 1


def has_enough_pairs(found: Difference) -> bool:
    """Return whether there are enough pairs (or clusters) for a significant difference."""
    n = found.n_clusters or found.n
    return found.test in OF_TRAININGS or n >= FEWEST_PAIRS


def is_within_margin(found: Difference) -> bool:
    """Return whether a difference is shown to be smaller than the margin (equivalence).

    By two one-sided tests, each at 2.5 %: the 95 % interval lies between -margin and margin. With
    too few units, or clusters of them, nothing is shown: all could agree by chance.
    """
    return has_enough_pairs(found) and lies_within(found.low, found.high, found.margin)
