"""How often the project's 95 % intervals hold the truth: benchmarks/COVERAGE.md.

`python -m benchmarks.coverage`, about ten minutes. Every kind of interval that is printed is made,
by the functions that make it, from 2,000 samples of a world whose truth is known. Worlds are
skewed and tied as the metrics are. Below 93 % or above 97 % a line is marked, and the text below
the table says why.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import NormalDist

import numpy as np

from benchmarks import show_help
from genlab.core.markdown import markdown_table
from genlab.experiments.comparison import are_opposite, read_levels
from genlab.statistics.bootstrap import means_within, resample
from genlab.statistics.clusters import clustered_difference
from genlab.statistics.correlation import correlate_ranks
from genlab.statistics.crossed import crossed_interval
from genlab.statistics.differences import difference_limits, t_of
from genlab.statistics.intervals import (
    SHARE,
    Bounds,
    bootstrap_interval,
    finished_ends,
    mover,
    paired_shares_interval,
    ratio_interval,
    unpaired_difference,
    wilson_interval,
)
from genlab.statistics.prediction_powered import powered_share
from genlab.statistics.shares import score_ends
from genlab.statistics.significance import adjust_by_holm, bootstrap_p, is_significant
from genlab.statistics.strata import macro_interval
from genlab.statistics.trainings import difference_part, training_part, widen

RESULTS = Path("benchmarks/COVERAGE.md")
SIZES = (40, 200, 500)
N_WORLDS = 2000
N_RESAMPLES = 2000  # the project's 10,000 move an end by less than 1 % of its width
WITHIN = (93.0, 97.0)
Z = 1.959964

PLACES = np.arange(1, 12.0)
# Shares of the eleven places: spread as in the default run, and nearly always first.
SPREAD = np.array([0.34, 0.14, 0.1, 0.08, 0.07, 0.06, 0.05, 0.05, 0.04, 0.04, 0.03])
MOSTLY_FIRST = np.array([0.87, 0.05, 0.02, 0.02, 0.01, 0.01, 0.005, 0.005, 0.005, 0.0025, 0.0025])

Interval = tuple[np.ndarray, np.ndarray]
Row = tuple[str, str, int, float, float]  # kind, world, n, % held, median width


def drawn(
    values: np.ndarray, shares: np.ndarray, size: tuple[int, int], rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Return float64[n, worlds] of these values in these shares, and their true mean."""
    weights = shares / shares.sum()
    return rng.choice(values, size=size, p=weights), float(values @ weights)


def means(
    n: int, n_worlds: int, rng: np.random.Generator
) -> Iterator[tuple[str, np.ndarray, float, Bounds]]:
    """Yield each world of one value a unit: name, values, truth, bounds."""
    size = (n, n_worlds)
    yield "normal", rng.normal(size=size), 0.0, None
    yield "exponential (lengths)", rng.exponential(size=size), 1.0, None
    yield "lognormal, very skewed", rng.lognormal(size=size), float(np.exp(0.5)), None
    yield "places, spread", *drawn(PLACES, SPREAD, size, rng), (1.0, 11.0)
    yield "places, 87 % first", *drawn(PLACES, MOSTLY_FIRST, size, rng), (1.0, 11.0)
    ties = np.array([0, 0.25, 0.5, 1.0])
    yield "share with ties", *drawn(ties, np.array([70, 5, 10, 15.0]), size, rng), SHARE


def differences(
    n: int, n_worlds: int, rng: np.random.Generator
) -> Iterator[tuple[str, np.ndarray, float, Bounds]]:
    """Yield each world of one difference a unit: name, values, truth, bounds."""
    size = (n, n_worlds)
    bounds = difference_limits((1.0, 11.0), "", np.zeros(1), np.zeros(1))
    steps = np.array([-4.0, -1, 0, 1, 2, 6])
    yield "places, 60 % tied", *drawn(steps, np.array([3, 12, 60, 15, 7, 3.0]), size, rng), bounds
    steps = np.array([0, 1.0, 5])
    yield "places, 90 % tied, one way", *drawn(steps, np.array([90, 7, 3.0]), size, rng), bounds
    yield "skewed, no ties", rng.exponential(size=size) - rng.exponential(2, size), -1.0, None


def of_columns(values: np.ndarray, bounds: Bounds) -> Interval:
    """Return the interval of each column, float64[n, worlds]."""
    return bootstrap_interval(values, N_RESAMPLES, seed=17, bounds=bounds)


def of_differences(values: np.ndarray, bounds: Bounds) -> Interval:
    """Return the interval of each column as genlab compare makes it."""
    limits = [bounds] * values.shape[1]
    return finished_ends(values, resample(values, N_RESAMPLES, 17), limits)


def paired_shares(n: int, n_worlds: int, rng: np.random.Generator) -> Iterator[tuple]:
    """Yield name, interval and truth of differences of two shares of the same units."""
    for name, cells in (  # both, only a, only b, neither
        ("half, 20 % differ", [0.35, 0.07, 0.13, 0.45]),
        ("near 1, 6 % differ", [0.93, 0.01, 0.05, 0.01]),
        ("none differ", [0.3, 0.0, 0.0, 0.7]),
    ):
        kinds = rng.choice(4, size=(n_worlds, n), p=cells)
        a, b = np.isin(kinds, (0, 1)).astype(float), np.isin(kinds, (0, 2)).astype(float)
        ends = np.array([paired_shares_interval(x, y) for x, y in zip(a, b, strict=True)])
        yield name, (ends[:, 0], ends[:, 1]), cells[2] - cells[1]


def shares(n: int, n_worlds: int, rng: np.random.Generator) -> Iterator[tuple]:
    """Yield name, interval and truth of Wilson's interval, over more than one true share."""
    for name, least, most in (("near 0", 0.01, 0.05), ("in the middle", 0.2, 0.8)):
        # The coverage of one share jumps with it, so it is drawn anew for each world.
        truth = rng.uniform(least, most, n_worlds)
        counts = rng.binomial(n, truth)
        ends = np.array([wilson_interval(count, n) for count in counts])
        yield name, (ends[:, 0], ends[:, 1]), truth


def fdaro(n: int, n_worlds: int, rng: np.random.Generator) -> Iterator[tuple]:
    """Yield name, interval and truth of a share of the two thirds of units that are answerable."""
    for name, share, tied in (("0.6, no ties", 0.6, 0.0), ("0.9, ties", 0.9, 0.05)):
        values = np.array([0.0, 0.5, 1.0])
        table, truth = drawn(values, np.array([1 - share - tied, tied, share]), (n, n_worlds), rng)
        table[rng.random((n, 1)).ravel() < 1 / 3] = np.nan
        yield name, of_columns(table, SHARE), truth


def macro(n: int, n_worlds: int, rng: np.random.Generator) -> Iterator[tuple]:
    """Yield name, interval and truth of means over five groups of n / 5 units."""
    sizes = np.full(5, n // 5)
    for name, each in (
        ("shares, all near 0", [0.02, 0.02, 0.03, 0.04, 0.05]),
        ("shares, from 0.1 to 0.9", [0.1, 0.3, 0.5, 0.7, 0.9]),
        ("shares, four of 0.97", [0.97, 0.97, 0.97, 0.97, 0.5]),
    ):
        counts = rng.binomial(sizes, each, (n_worlds, 5)).astype(float)
        yield name, score_ends(counts, sizes.astype(float), Z), float(np.mean(each))
    scales = np.arange(1, 6.0)
    groups = [rng.exponential(scale, (n // 5, n_worlds)) for scale in scales]
    found = [of_columns(group, None) for group in groups]
    lows, highs = zip(*found, strict=True)
    ends = mover([group.mean(axis=0) for group in groups], lows, highs, [0.2] * 5)
    yield "means, skewed", ends, float(scales.mean())


def unpaired(n: int, n_worlds: int, rng: np.random.Generator) -> Iterator[tuple]:
    """Yield name, interval and truth of differences of n / 4 units from n others."""
    a, _ = drawn(PLACES, SPREAD, (n, n_worlds), rng)
    b, _ = drawn(PLACES, SPREAD, (n // 4, n_worlds), rng)
    _, low, high = unpaired_difference(a, b, N_RESAMPLES, seed=17, bounds=(1.0, 11.0))
    yield "places", (low, high), 0.0
    a, b = (rng.binomial(1, 0.1, (size, n_worlds)).astype(float) for size in (n, n // 4))
    _, low, high = unpaired_difference(a, b, 200, seed=17, bounds=SHARE)
    yield "shares of 0.1", (low, high), 0.0


def over_seeds(n: int, n_worlds: int, rng: np.random.Generator) -> Iterator[tuple]:
    """Yield name, interval and truth of Student's t over trainings of n units each."""
    from scipy.stats import t

    for k in (3, 5):
        of_seed = rng.normal(0, 0.2, (k, n_worlds))  # what a training changes
        values = of_seed + rng.exponential(size=(k, n, n_worlds)).mean(axis=1)
        half = t.ppf(0.975, k - 1) * values.std(axis=0, ddof=1) / np.sqrt(k)
        mean = values.mean(axis=0)
        yield f"{k} seeds, texts of their own", (mean - half, mean + half), 1.0
        texts = rng.exponential(size=(n, n_worlds)).mean(axis=0)
        values = of_seed + texts  # the same streams, prompts and base for every seed
        half = t.ppf(0.975, k - 1) * values.std(axis=0, ddof=1) / np.sqrt(k)
        mean = values.mean(axis=0)
        yield f"{k} seeds that share their texts", (mean - half, mean + half), 1.0


def two_levels(n: int, n_worlds: int, rng: np.random.Generator) -> Iterator[tuple]:
    """Yield name, interval and truth of means over trainings that share their units.

    Units and what a training makes of one are skewed. A training's own effect has the standard
    deviation told: none, as much as 500 units' noise, and far more.
    """
    for k in (3, 5):
        for effect in (0.0, 0.05, 0.3):
            units = rng.exponential(size=(n, n_worlds))
            values = units + rng.exponential(size=(k, n, n_worlds)) - 1
            values += rng.normal(0, effect, (k, 1, n_worlds))
            of_units = values.mean(axis=0)
            ends = bootstrap_interval(of_units, N_RESAMPLES, seed=17)
            part = training_part(values)
            ends = widen(of_units.mean(axis=0), ends, part, [None] * n_worlds)
            yield f"{k} trainings, effect {effect:g}", ends, 1.0
    few = values[:, :, : min(n_worlds, 500)] + rng.normal(0, 1, (k, 1, min(n_worlds, 500)))
    yield "5 trainings, effect 1, by resampling both", resampled_twice(few, rng), 1.0


def two_trainings(n: int, n_worlds: int, rng: np.random.Generator) -> Iterator[tuple]:
    """Yield name, interval and truth of means over two trainings, as in `two_levels`."""
    for effect in (0.0, 0.05, 0.3):
        units = rng.exponential(size=(n, n_worlds))
        values = units + rng.exponential(size=(2, n, n_worlds)) - 1
        values += rng.normal(0, effect, (2, 1, n_worlds))
        of_units = values.mean(axis=0)
        ends = bootstrap_interval(of_units, N_RESAMPLES, seed=17)
        ends = widen(of_units.mean(axis=0), ends, training_part(values), [None] * n_worlds)
        yield f"2 trainings, effect {effect:g}", ends, 1.0


def two_level_clusters(n: int, n_worlds: int, rng: np.random.Generator) -> Iterator[tuple]:
    """Yield name, interval and truth of means over 5 trainings of n units in n / 5 clusters."""
    clusters = np.arange(n) // 5
    own = rng.exponential(size=(n // 5, n_worlds))
    for effect in (0.0, 0.3):
        values = own[clusters] + rng.exponential(size=(5, n, n_worlds)) - 1
        values += rng.normal(0, effect, (5, 1, n_worlds))
        of_units = values.mean(axis=0)
        ends = bootstrap_interval(of_units, N_RESAMPLES, seed=17, clusters=clusters)
        part = training_part(values, clusters)
        ends = widen(of_units.mean(axis=0), ends, part, [None] * n_worlds)
        yield f"5 trainings, effect {effect:g}", ends, 1.0


def two_sets(n: int, n_worlds: int, rng: np.random.Generator) -> Iterator[tuple]:
    """Yield name, interval and truth of differences of two sets of trainings, of unlike spread."""
    for sizes in ((5, 5), (3, 5)):
        units = rng.exponential(size=(n, n_worlds))
        sets = [
            units + rng.exponential(size=(k, n, n_worlds)) + rng.normal(0, effect, (k, 1, n_worlds))
            for k, effect in zip(sizes, (0.1, 0.3), strict=True)
        ]
        a, b = (values.mean(axis=0) for values in sets)
        ends = bootstrap_interval(b - a, N_RESAMPLES, seed=17)
        part = difference_part(*map(training_part, sets))
        ends = widen((b - a).mean(axis=0), ends, part, [None] * n_worlds)
        yield f"{sizes[0]} trainings against {sizes[1]} others", ends, 0.0


def resampled_twice(
    values: np.ndarray, rng: np.random.Generator, n_resamples: int = 500
) -> Interval:
    """Return the percentiles of means of resampled trainings and units: what is not done."""
    k, n, n_worlds = values.shape
    ends = []
    for world in range(n_worlds):
        trainings = rng.multinomial(k, np.full(k, 1 / k), n_resamples) / k
        units = rng.multinomial(n, np.full(n, 1 / n), n_resamples) / n
        means = ((trainings @ values[:, :, world]) * units).sum(axis=1)
        ends.append(np.quantile(means, [0.025, 0.975]))
    low, high = np.array(ends).T
    return low, high


def clustered(n: int, n_worlds: int, rng: np.random.Generator) -> Iterator[tuple]:
    """Yield name, interval and truth of means of n units in n / 10 clusters, of unequal sizes."""
    clusters = np.sort(np.concatenate([np.arange(n // 10), rng.integers(0, n // 10, n - n // 10)]))
    own = rng.exponential(size=(n // 10, n_worlds))
    values = 0.5 * own[clusters] + rng.exponential(size=(n, n_worlds)) - 0.5
    found = resample(values, N_RESAMPLES, 17, clusters)
    drawn = means_within(values, clusters)
    yield "by cluster", finished_ends(drawn, found, [None] * n_worlds), 1.0
    yield "as if units were independent", of_columns(values, None), 1.0


def clustered_shares(n: int, n_worlds: int, rng: np.random.Generator) -> Iterator[tuple]:
    """Yield name, interval and truth of shares of n units, 5 a cluster, half of which are alike."""
    clusters = np.arange(n) // 5
    for share in (0.01, 0.03, 0.1):
        common = rng.random((n // 5, n_worlds))[clusters]
        is_common = rng.random((n, n_worlds)) < 0.5
        chance = np.where(is_common, common, rng.random((n, n_worlds)))
        values = (chance < share).astype(float)
        ends = bootstrap_interval(values, N_RESAMPLES, seed=17, bounds=SHARE, clusters=clusters)
        yield f"share of {share}", ends, share


def clustered_ratios(n: int, n_worlds: int, rng: np.random.Generator) -> Iterator[tuple]:
    """Yield name, interval and truth of nats a token: of n texts, 5 a cluster, unequally long."""
    n_worlds = min(n_worlds, 500)  # each is resampled by itself
    clusters = np.arange(n) // 5
    ends = []
    for _ in range(n_worlds):
        tokens = rng.integers(2, 30, n).astype(float)
        loss = 0.5 + rng.exponential(0.3, n // 5)[clusters] + rng.exponential(0.2, n)
        ends.append(ratio_interval(loss * tokens, tokens, clusters, seed=17)[1:])
    low, high = np.array(ends).T
    yield f"loss of texts, {n_worlds} worlds", (low, high), 1.0


def clustered_strata(n: int, n_worlds: int, rng: np.random.Generator) -> Iterator[tuple]:
    """Yield name, interval and truth of means over five strata that n / 2 clusters cross.

    Some clusters are four times as frequent as others. A share of 0.1 or 0.03 of what a unit of any
    cluster succeeds in; a skewed value whose mean differs by stratum.
    """
    n_worlds = min(n_worlds, 500)  # each is resampled by itself
    strata = np.arange(n) % 5
    weights = np.arange(1, n // 2 + 1) ** -0.5
    for name in ("share of 0.1", "share of 0.03", "skewed"):
        share = {"share of 0.1": 0.1, "share of 0.03": 0.03}.get(name)
        truth = 3.0 if share is None else share
        ends = []
        for _ in range(n_worlds):
            drawn = rng.choice(n // 2, n, p=weights / weights.sum())
            if share is None:
                of_cluster = rng.exponential(size=n // 2)[drawn]
                values = (strata + 1) * (of_cluster + rng.exponential(size=n)) / 2
            else:  # correlated by 0.1 within a cluster
                chances = rng.beta(9 * share, 9 * (1 - share), n // 2)
                values = (rng.random(n) < chances[drawn]).astype(float)
            clusters = np.unique(drawn, return_inverse=True)[1]
            bounds = [None if share is None else SHARE]
            found = macro_interval(values[:, None], strata, clusters, seed=17, bounds=bounds)
            ends.append([float(end[0]) for end in found[1:]])
        low, high = np.array(ends).T
        yield f"{name}, {n_worlds} worlds", (low, high), truth


N_TOPICS = 20  # about as many as the default corpus has


def clustered_differences(n: int, n_worlds: int, rng: np.random.Generator) -> Iterator[tuple]:
    """Yield name, interval and truth of differences of n / 4 units from n others of 20 clusters."""
    of_a, of_b = rng.integers(0, N_TOPICS, n), rng.integers(0, N_TOPICS, n // 4)
    effect = rng.exponential(size=(N_TOPICS, n_worlds))
    a, b = (effect[own] + rng.exponential(size=(len(own), n_worlds)) for own in (of_a, of_b))
    bounds = [None] * n_worlds
    _, low, high = clustered_difference(a, b, (of_a, of_b), seed=17, bounds=bounds)
    yield "n / 4 units from n, 20 clusters", (low, high), 0.0


def clustered_correlations(n: int, n_worlds: int, rng: np.random.Generator) -> Iterator[tuple]:
    """Yield name, interval and truth of Spearman's correlation of units of 20 clusters."""
    truth = 6 / np.pi * np.arcsin(0.4 / 2)
    n_worlds = min(n_worlds, 1000)  # each is resampled by itself
    by_cluster, alone = [], []
    for _ in range(n_worlds):
        clusters = rng.integers(0, N_TOPICS, n)
        parts = (rng.normal(size=(2, N_TOPICS))[:, clusters], rng.normal(size=(2, n)))
        # Both parts have a correlation of 0.4, so their sum has.
        x, y = sum(np.stack([u, 0.4 * u + np.sqrt(1 - 0.4**2) * v]) for u, v in parts)
        by_cluster.append(correlate_ranks(x, y, 17, 500, clusters=clusters)[1:])
        alone.append(correlate_ranks(x, y, 17, 500)[1:])
    for name, ends in (("20 clusters", by_cluster), ("as if independent", alone)):
        low, high = np.array(ends).T
        yield f"{name}, {n_worlds} worlds", (low, high), truth


def crossed(n: int, n_worlds: int, rng: np.random.Generator) -> Iterator[tuple]:
    """Yield name, interval and truth of a median over templates of shares of n examples right.

    Half of what decides an answer is its example's; all templates have the same share.
    """
    n_worlds = min(n_worlds, 200)  # each is resampled by itself
    for k in (1, 3, 5):
        for share in (0.5, 0.9, 0.97, 0.99):
            limit = NormalDist().inv_cdf(share)
            ends = []
            for _ in range(n_worlds):
                of_examples = rng.normal(0, np.sqrt(0.5), n)
                rest = rng.normal(0, np.sqrt(0.5), (k, n))
                values = (limit + of_examples + rest > 0).astype(float)
                ends.append(crossed_interval(values, 17, n_resamples=500))
            low, high = np.array(ends).T
            yield f"{k} templates, share of {share}, {n_worlds} worlds", (low, high), share


def correlations(n: int, n_worlds: int, rng: np.random.Generator) -> Iterator[tuple]:
    """Yield name, interval and truth of Spearman's correlation."""
    truth = 6 / np.pi * np.arcsin(0.4 / 2)  # of a bivariate normal with correlation 0.4
    ends = []
    for _ in range(n_worlds):
        x = rng.normal(size=n)
        y = 0.4 * x + np.sqrt(1 - 0.4**2) * rng.normal(size=n)
        ends.append(correlate_ranks(x, y, 17, n_resamples=500)[1:])
    low, high = np.array(ends).T
    yield "normal", (low, high), truth


def powered(n: int, n_worlds: int, rng: np.random.Generator) -> Iterator[tuple]:
    """Yield name, interval and truth of shares of n labels and guesses about 900 texts more."""
    for share, right in ((0.5, 0.5), (0.5, 0.8), (0.87, 0.95), (0.97, 0.8), (0.87, 1.0)):
        labels = (rng.random((n_worlds, n + 900)) < share).astype(float)
        guesses = np.where(rng.random(labels.shape) < right, labels, 1 - labels)
        found = [
            powered_share(of_world[:n], guessed[:n], guessed[n:])
            for of_world, guessed in zip(labels, guesses, strict=True)
        ]
        ends = np.array([(each.low, each.high) for each in found])
        name = f"share of {share}, guesses {100 * right:.0f} % right"
        yield name, (ends[:, 0], ends[:, 1]), share


KINDS: dict[str, Callable] = {
    "share": shares,
    "fdaro": fdaro,
    "paired shares": paired_shares,
    "macro": macro,
    "unpaired": unpaired,
    "over seeds": over_seeds,
    "two levels": two_levels,
    "two levels, clusters": two_level_clusters,
    "two levels, other trainings": two_sets,
    "clustered": clustered,
    "clustered share": clustered_shares,
    "clustered ratio": clustered_ratios,
    "crossed median": crossed,
    "rank correlation": correlations,
    "prediction-powered": powered,
    "clustered difference": clustered_differences,
    "clustered rank correlation": clustered_correlations,
    "two levels, two trainings": two_trainings,
    "clustered macro": clustered_strata,
}


def called_unstable(
    n: int,
    rng: np.random.Generator,
    effect: float = 0.0,
    *,
    matched: bool,
    n_worlds: int = N_WORLDS,
) -> float:
    """Return in how many of 100 comparisons without a mean effect trainings are called unstable.

    Five trainings a side, of the same n units; effect: the standard deviation of what a training
    changes, where that of a unit's value in one training is 1. matched: the sides share seeds.
    """
    units = rng.exponential(size=(n, n_worlds))
    sides = [
        units + rng.exponential(size=(5, n, n_worlds)) + rng.normal(0, effect, (5, 1, n_worlds))
        for _ in range(2)
    ]
    levels = read_levels(*sides, None, matched=matched)
    return 100 * float(are_opposite(levels, [None] * n_worlds, N_RESAMPLES).mean())


def false_families(
    n: int, rng: np.random.Generator, n_families: int = 200, n_tests: int = 48, n_groups: int = 3
) -> float:
    """Return in how many of 100 ledgers without any effect at least one claim is supported.

    A ledger is of n_tests differences of places, most of them ties. The rankers of one claim see
    the same texts, so their differences are correlated.
    """
    families, at_once = [], 10
    for _ in range(n_families // at_once):
        common = rng.normal(size=(n, at_once * n_tests // n_groups)).repeat(n_groups, axis=1)
        own = rng.normal(size=(n, at_once * n_tests))
        moved = np.exp(np.abs(common + own) / 1.5) * np.sign(common + own)
        values = np.where(np.abs(moved) > 2, np.round(moved), 0.0)
        found = resample(values, 10_000, int(rng.integers(2**32)))
        low, high = finished_ends(values, found, [(-10.0, 10.0)] * values.shape[1])
        p = [
            bootstrap_p(values[:, i], t_of(found.mean[i], found.error[i]), found.pivots[:, i])
            for i in range(values.shape[1])
        ]
        for start in range(0, len(p), n_tests):
            own_p = adjust_by_holm(p[start : start + n_tests])
            ends = zip(low[start:], high[start:], own_p, strict=False)
            # Either way: a claim expects one of them, so about half of these are "supported".
            families.append(any(is_significant(*each) for each in ends))
    return 100 * float(np.mean(families))


def measure(n: int, n_worlds: int = N_WORLDS) -> list[Row]:
    """Return a row for each kind of interval and world of n units."""
    rng = np.random.default_rng(n)
    rows = []
    for kind, worlds, make in (
        ("plain", means, of_columns),
        ("paired", differences, of_differences),
    ):
        for name, values, truth, bounds in worlds(n, n_worlds, rng):
            rows.append(row_of(kind, name, n, make(values, bounds), truth))
    for kind, made in KINDS.items():
        rows += [row_of(kind, name, n, ends, truth) for name, ends, truth in made(n, n_worlds, rng)]
    return rows


def row_of(kind: str, world: str, n: int, ends: Interval, truth: float | np.ndarray) -> Row:
    """Return how many of 100 intervals hold the truth, and the median width."""
    low, high = ends
    held = (low <= truth + 1e-9) & (truth - 1e-9 <= high)
    return kind, world, n, 100 * float(held.mean()), float(np.median(high - low))


def table_of(rows: list[Row]) -> str:
    """Return a line per kind and world, with the sizes side by side; * beyond 93 to 97 %."""
    cells: dict[tuple[str, str], list[str]] = {}
    for kind, world, _, held, width in rows:
        mark = "" if WITHIN[0] <= held <= WITHIN[1] else "*"
        cells.setdefault((kind, world), []).append(f"{held:.1f}{mark} ({width:.3f})")
    lines = [[*key, *found] for key, found in cells.items()]
    return markdown_table([["interval", "world", *(f"n = {n}" for n in SIZES)], *lines])


HEAD = """# How often the intervals hold the truth

Made by `python -m benchmarks.coverage`: {n} worlds each (the standard error of 95 % is 0.5 %), all
intervals by the project's own functions. A cell says in how many of 100 worlds the 95 % interval
holds the truth, and its median width; * is outside 93 to 97.

"""
LEDGER = (
    "of 200 ledgers of 48 tests without effect in which any is called significant (at most 5 %)"
)
UNSTABLE = (
    "of {n} comparisons of 5 trainings with 5 {how}, effect {effect:g} of a training and none of "
    "the side, that are called unstable"
)
PAIRED = {True: "of the same seeds", False: "others"}
NOTES = Path("benchmarks/coverage_notes.md")


def main() -> None:
    """Write the table."""
    show_help(__doc__)
    table = table_of([row for n in SIZES for row in measure(n)])
    notes = NOTES.read_text(encoding="utf-8") if NOTES.is_file() else ""
    rng = np.random.default_rng(0)
    ledgers = [["", *(f"n = {n}" for n in SIZES)]]
    ledgers.append([LEDGER, *(f"{false_families(n, rng):.1f} %" for n in SIZES)])
    for effect in (0.0, 0.1, 0.3):
        for matched in (True, False):
            found = [called_unstable(n, rng, effect, matched=matched) for n in SIZES]
            name = UNSTABLE.format(n=f"{N_WORLDS:,}", effect=effect, how=PAIRED[matched])
            ledgers.append([name, *(f"{share:.1f} %" for share in found)])
    parts = [HEAD.format(n=f"{N_WORLDS:,}") + table, markdown_table(ledgers), notes]
    text = "\n\n".join(parts)
    RESULTS.write_text(text, encoding="utf-8")
    print(table)


if __name__ == "__main__":
    main()
