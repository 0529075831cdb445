"""Two runs side by side, question by question. Pure: rows in, differences out.

Only questions that both runs scored are compared, so that a difference is never one of which questions were
asked. Intervals are paired bootstraps, clustered by document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selfroute.evaluation.rows import Key, Row
from selfroute.evaluation.statistics import mean_interval


@dataclass(frozen=True, slots=True)
class Difference:
    """One dataset under one policy and k, `left` and `right` being mean scores (0 to 100) over the `n` shared
    questions. `difference` is right less left with its 95 % interval, null bounds where one document is too few.
    `left_tokens` and `right_tokens` are reader input. `only_left` and `only_right` count questions left out."""

    dataset: str
    policy: str
    k: int
    n: int
    left: float
    right: float
    difference: float
    low: float | None
    high: float | None
    left_tokens: int
    right_tokens: int
    only_left: int
    only_right: int

    @property
    def clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def compared(left: Sequence[Row], right: Sequence[Row]) -> list[Difference]:
    """A difference for each dataset, policy and k that both runs have questions of; in the left run's order."""
    one, other = _scored(left), _scored(right)
    shared: dict[tuple[str, str, int], list[Key]] = {}
    for key in one:
        if key in other:
            shared.setdefault(_cell(key), []).append(key)
    return [_difference(cell, keys, one, other) for cell, keys in shared.items()]


def _difference(
    cell: tuple[str, str, int], keys: Sequence[Key], one: dict[Key, Row], other: dict[Key, Row]
) -> Difference:
    before, after = [_score(one[key]) for key in keys], [_score(other[key]) for key in keys]
    change = mean_interval([b - a for a, b in zip(before, after, strict=True)], [one[key].doc_id for key in keys])
    return Difference(
        *cell,
        n=len(keys),
        left=sum(before) / len(keys),
        right=sum(after) / len(keys),
        difference=change.mean,
        low=change.low,
        high=change.high,
        left_tokens=sum(one[key].usage["input_tokens"] for key in keys),
        right_tokens=sum(other[key].usage["input_tokens"] for key in keys),
        only_left=sum(_cell(key) == cell for key in one.keys() - other.keys()),
        only_right=sum(_cell(key) == cell for key in other.keys() - one.keys()),
    )


def _scored(rows: Sequence[Row]) -> dict[Key, Row]:
    return {row.key: row for row in rows if row.score is not None}


def _cell(key: Key) -> tuple[str, str, int]:
    dataset, _, policy, k = key
    return dataset, policy, k


def _score(row: Row) -> float:
    return row.score if row.score is not None else 0.0
