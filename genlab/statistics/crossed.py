"""The median over templates of means over examples, where both could have been others."""

import numpy as np

from genlab.statistics.intervals import SHARE, bootstrap_interval, wilson_interval
from genlab.statistics.weighted_sums import exact_parts, weighted_sums

ROUNDING = 1e-9  # of equal values a resample's mean may differ from theirs by less than this


def crossed_interval(
    values: np.ndarray, seed: int, n_resamples: int = 2000, level: float = 0.95
) -> tuple[float, float]:
    """Return the interval of the median over templates of the mean over examples.

    values: float [templates, examples] in [0, 1], NaN where a template skips an example; every
    template has one that it does not skip. Templates
    and examples are both drawn anew, since answers to one template, and to one example, resemble
    each other: the pigeonhole bootstrap (Owen 2007, Annals of Applied Statistics 1(2)), which is
    somewhat too wide rather than too narrow. An end that no resample sets apart from the median, as
    where all answers agree, is Wilson's for so many examples. Of one template the interval is that
    of a mean over its examples (benchmarks/COVERAGE.md).
    """
    n_templates, n_examples = values.shape
    if n_templates == 1:
        low, high = bootstrap_interval(values[0], seed=seed, level=level, bounds=SHARE)
        return float(low), float(high)
    rng = np.random.default_rng(seed)
    counted = ~np.isnan(values)
    filled = np.where(counted, values, 0.0)
    weights = rng.multinomial(n_examples, np.full(n_examples, 1 / n_examples), n_resamples)
    right = weighted_sums(weights, exact_parts(filled.T, n_examples))
    with np.errstate(invalid="ignore"):  # 0 / 0: none of a template's examples was drawn
        means = right / (weights @ counted.T)
    drawn = rng.integers(0, n_templates, (n_resamples, n_templates))
    medians = np.nanmedian(np.take_along_axis(means, drawn, 1), axis=1)
    low, high = np.nanquantile(medians, [(1 - level) / 2, (1 + level) / 2])
    median = float(np.median(filled.sum(axis=1) / counted.sum(axis=1)))
    n = int(counted.any(axis=0).sum())
    least, most = wilson_interval(median * n, n, level)
    return (
        float(low) if low < median - ROUNDING else least,
        float(high) if high > median + ROUNDING else most,
    )
