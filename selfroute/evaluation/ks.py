"""Of which k the figures of a run with several k are. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from selfroute.evaluation.rows import Row

ALWAYS_LONG = "always_long"
"""Reads no chunks: its rows at one k are as good as at another."""
USUAL_K = 5
"""The paper's: taken where several k were asked equally often."""


def ks(rows: Sequence[Row]) -> list[int]:
    return sorted({row.k for row in rows})


def main_k(rows: Sequence[Row]) -> int:
    """The k with the most rows; of several, the paper's, else the middle one."""
    counts = Counter(row.k for row in rows if row.policy != ALWAYS_LONG) or Counter(row.k for row in rows)
    most = sorted(k for k, count in counts.items() if count == max(counts.values()))
    return USUAL_K if USUAL_K in most or not most else most[len(most) // 2]


def at_k(rows: Sequence[Row], k: int) -> list[Row]:
    """The rows at `k`, and those of `always_long` at another k for questions that it was not asked at this one."""
    here = {(row.dataset, row.id) for row in rows if row.policy == ALWAYS_LONG and row.k == k}
    stand_in: dict[tuple[str, str], Row] = {}
    for row in rows:
        if row.policy == ALWAYS_LONG and (row.dataset, row.id) not in here:
            stand_in.setdefault((row.dataset, row.id), row)
    return [row for row in rows if row.k == k or stand_in.get((row.dataset, row.id)) is row]
