"""Means with bootstrap intervals, clustered by document. Pure.

Questions about one document share its difficulties, so documents are drawn, not questions (the cluster
bootstrap; Davison and Hinkley 1997, section 3.8). Intervals are percentiles; the seed is fixed, so that the
same rows always give the same interval.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 2000
LEVEL = 0.95
SEED = 20240722
BATCH = 200
"""Draws made at once: bounds memory where there are many documents."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its interval; `low` and `high` are `None` where fewer than two clusters leave nothing to draw."""

    mean: float
    low: float | None
    high: float | None


def mean_interval(values: Sequence[float], clusters: Sequence[Hashable]) -> Interval:
    """The mean of `values` and its 95 % interval; `clusters` names each value's document. Raises `ValueError`
    for no values."""
    if not values:
        raise ValueError("no values to average")
    numbers = {cluster: number for number, cluster in enumerate(dict.fromkeys(clusters))}
    sums, sizes = np.zeros(len(numbers)), np.zeros(len(numbers))
    for value, cluster in zip(values, clusters, strict=True):
        sums[numbers[cluster]] += value
        sizes[numbers[cluster]] += 1
    mean = float(sums.sum() / sizes.sum())
    if len(numbers) < 2:
        return Interval(mean, None, None)
    rng = np.random.default_rng(SEED)
    means: list[float] = []
    for at in range(0, DRAWS, BATCH):
        drawn = rng.multinomial(len(numbers), np.full(len(numbers), 1 / len(numbers)), min(BATCH, DRAWS - at))
        means.extend((drawn @ sums) / (drawn @ sizes))
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    return Interval(mean, float(low), float(high))
