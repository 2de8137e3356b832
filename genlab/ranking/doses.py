"""Dose response of places: the best dose, the gain of the first, the loss after the best.

A straight line would give the same slope to a ranker that is saturated after one copy of a query
and to one that never is.
"""

import numpy as np

from genlab.statistics.bootstrap import percentile_ends
from genlab.statistics.clusters import clustered_means
from genlab.statistics.intervals import Bounds, bootstrap_interval, interval

N_RESAMPLES = 10_000


def dose_response(
    doses: list[int],
    place_at: np.ndarray,
    seed: int,
    *,
    bounds: Bounds = None,
    clusters: np.ndarray | None = None,
) -> dict[str, dict[str, float]]:
    """Return best_dose, gained_by_first and lost_after_best, each {value, low, high}.

    doses: ascending, the first is 0; place_at: float64[doses, queries], lower is better.
    best_dose has the lowest mean place, of equal ones the smallest; its ends are the middle 95 % of
    the best doses of resampled queries. gained_by_first: places, of dose 0 less the first dose.
    lost_after_best: places, of the last dose less the best, which was chosen on the same queries
    and is therefore a little too large; 0 if the last is the best.
    bounds: of a gain, in places; clusters: int[queries], from 0, where whole clusters are drawn.
    """
    best = int(place_at.mean(axis=1).round(9).argmin())
    means = clustered_means(place_at.T, N_RESAMPLES, seed, clusters)
    best_doses = np.array(doses, dtype=np.float64)[means.round(9).argmin(axis=1)]
    low, high = percentile_ends(best_doses)
    changes = np.stack([place_at[0] - place_at[1], place_at[-1] - place_at[best]], axis=1)
    # What is lost after the last dose is 0 whatever other queries would say: it has no bounds.
    lows, highs = bootstrap_interval(changes, seed=seed, bounds=[bounds, None], clusters=clusters)
    gained, lost = changes.mean(axis=0)
    return {
        "best_dose": interval(doses[best], low, high),
        "gained_by_first": interval(gained, lows[0], highs[0]),
        "lost_after_best": interval(lost, lows[1], highs[1]),
    }
