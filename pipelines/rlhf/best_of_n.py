"""Best-of-n: of n answers the one with the highest reward, for every n from one generation.

Its KL from the model that wrote them is at most log n - (n - 1) / n, which is exact only if no two
answers are alike (Beirami et al. 2024, arXiv 2401.01879): short answers often are, so it is drawn
as the bound it is.
"""

import numpy as np


def expected_best(proxy: np.ndarray, values: np.ndarray, n: int) -> float:
    """Return the mean of `values` at the highest of n proxies, drawn from N without replacement.

    Unbiased for n fresh answers, without resampling: the i-th lowest of N is the best of n with
    probability C(i - 1, n - 1) / C(N, n); tied answers share theirs.
    """
    order = np.argsort(proxy, kind="stable")
    weights = best_weights(len(proxy), n)
    ranked = values[order].astype(np.float64)
    _, starts, sizes = np.unique(proxy[order], return_index=True, return_counts=True)
    means = np.add.reduceat(ranked, starts) / sizes
    return float((np.add.reduceat(weights, starts) * means).sum())


def best_weights(n_all: int, n: int) -> np.ndarray:
    """Return [N]: the probability that the i-th lowest of N is the best of n of them."""
    if not 1 <= n <= n_all:
        raise ValueError(f"n is {n}, and there are {n_all} answers")
    weights = np.zeros(n_all)
    weights[-1] = n / n_all
    # w[i-1] / w[i] = C(i-2, n-1) / C(i-1, n-1) = (i - n) / (i - 1)
    for i in range(n_all, n, -1):
        weights[i - 2] = weights[i - 1] * (i - n) / (i - 1)
    return weights


def kl_bound(n: int | np.ndarray) -> float | np.ndarray:
    """Return log n - (n - 1) / n, the most that best-of-n moves away, in nats."""
    return np.log(n) - (n - 1) / n
