"""Means with bootstrap intervals, clustered by document. Pure.

Questions about one document share its difficulties, so documents are drawn, not questions (the cluster
bootstrap; Davison and Hinkley 1997, section 3.8). Intervals are percentiles; the seed is fixed, so that the
same rows always give the same interval.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

DRAWS = 2000
LEVEL = 0.95
SEED = 20240722
BATCH = 200
"""Draws made at once: bounds memory where there are many documents."""
TOO_MANY = 0.05


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
    columns = np.column_stack([np.asarray(values, dtype=float), np.ones(len(values))])
    sums = columns.sum(axis=0)
    drawn = drawn_sums(columns, clusters)
    return Interval(float(sums[0] / sums[1]), *(bounds(drawn[:, 0] / drawn[:, 1]) if len(drawn) else (None, None)))


def drawn_sums(columns: Numbers, clusters: Sequence[Hashable], draw: int = 0) -> Numbers:
    """The sums of each column (`(n, m)`) over the rows of documents drawn with replacement: `(DRAWS, m)`, so that any
    figure made of sums has an interval, and several figures are of the same draws. `(0, m)` for a single document.
    Another `draw` is independent of this one."""
    numbers = {cluster: number for number, cluster in enumerate(dict.fromkeys(clusters))}
    if len(numbers) < 2:
        return np.zeros((0, columns.shape[1]))
    sums = np.zeros((len(numbers), columns.shape[1]))
    np.add.at(sums, [numbers[cluster] for cluster in clusters], columns)
    return np.vstack([counts.astype(float) @ sums for counts in _counts(len(numbers), draw)])


def drawn_within(columns: Numbers, clusters: Sequence[Hashable], strata: Sequence[Hashable]) -> Numbers:
    """As `drawn_sums`, but each stratum has as many documents in each draw as it has: for figures that need some of
    each. All rows of a document are of one stratum. One of a single document is in each draw as it is."""
    total = np.zeros((DRAWS, columns.shape[1]))
    for number, stratum in enumerate(dict.fromkeys(strata)):
        held = [at for at, one in enumerate(strata) if one == stratum]
        drawn = drawn_sums(columns[held], [clusters[at] for at in held], number)
        total += drawn if len(drawn) else columns[held].sum(axis=0)
    return total


@lru_cache(maxsize=16)
def _counts(documents: int, draw: int) -> list[NDArray[np.uint16]]:
    """How often each of so many documents is in each draw, in batches. Kept, for a report asks for the same again and
    again and drawing takes longer than all that is made of it."""
    rng = np.random.default_rng(SEED + draw)
    even = np.full(documents, 1 / documents)
    return [rng.multinomial(documents, even, min(BATCH, DRAWS - at)).astype(np.uint16) for at in range(0, DRAWS, BATCH)]


def bounds(drawn: Numbers) -> tuple[float, float] | tuple[None, None]:
    """The 95 % interval of a figure from its draws; those where it is not defined (NaN) are left out, and where more
    than one in twenty are, there is no interval."""
    known = drawn[~np.isnan(drawn)]
    if not len(known) or len(known) < (1 - TOO_MANY) * len(drawn):
        return None, None
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(known, [tail, 100 - tail])
    return float(low), float(high)
