"""Two runs side by side, question by question. Pure: rows in, differences out.

Only questions that both runs scored are compared, so that a difference is never one of which questions were
asked. Intervals are paired bootstraps, clustered by document.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeVar

from selfroute.evaluation.rows import Key, Row
from selfroute.evaluation.statistics import mean_interval

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Cell = tuple[str, str, int]
"""Dataset, policy and k."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One dataset under one policy and k, `left` and `right` being mean scores (0 to 100) over the `n` shared
    questions. `difference` is right less left with its 95 % interval, null bounds where one document is too few.
    `left_tokens` and `right_tokens` are reader input. `only_left` and `only_right` count questions left out. Where none
    is shared `n` and the tokens are 0, scores and difference null."""

    dataset: str
    policy: str
    k: int
    n: int
    left: float | None
    right: float | None
    difference: float | None
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


@dataclass(frozen=True, slots=True)
class Lone:
    """All of these datasets under all of these policies and ks, of which one run has `rows` and shares none."""

    datasets: tuple[str, ...]
    policies: tuple[str, ...]
    ks: tuple[int, ...]
    rows: int


def compared(left: Sequence[Row], right: Sequence[Row]) -> list[Difference]:
    """A difference for each dataset, policy and k that either run scored questions of, in the left run's order; those
    of which no question is shared come last."""
    one, other = _scored(left), _scored(right)
    cells = _grouped((_cell(key), key) for key in one | other)
    return sorted((_difference(cell, keys, one, other) for cell, keys in cells.items()), key=lambda made: made.n == 0)


def lone(rows: Sequence[Difference], count: Callable[[Difference], int]) -> list[Lone]:
    """What `rows` say that one run has alone, `count` being `only_left` or `only_right`; in as few parts as there are
    to tell apart."""
    counts = {(row.dataset, row.policy, row.k): count(row) for row in rows if row.n == 0 and count(row)}
    ks = _grouped(((dataset, policy), k) for dataset, policy, k in counts)
    datasets = _grouped(((policy, at), dataset) for (dataset, policy), at in ks.items())
    policies = _grouped(((at, of), policy) for (policy, at), of in datasets.items())
    return [Lone(of, by, at, sum(counts[cell] for cell in product(of, by, at))) for (at, of), by in policies.items()]


def _difference(cell: Cell, keys: Sequence[Key], one: dict[Key, Row], other: dict[Key, Row]) -> Difference:
    shared = [key for key in keys if key in one and key in other]
    before, after = [_score(one[key]) for key in shared], [_score(other[key]) for key in shared]
    changes = [b - a for a, b in zip(before, after, strict=True)]
    change = mean_interval(changes, [one[key].doc_id for key in shared]) if shared else None
    return Difference(
        *cell,
        n=len(shared),
        left=sum(before) / len(shared) if shared else None,
        right=sum(after) / len(shared) if shared else None,
        difference=change.mean if change else None,
        low=change.low if change else None,
        high=change.high if change else None,
        left_tokens=sum(one[key].usage["input_tokens"] for key in shared),
        right_tokens=sum(other[key].usage["input_tokens"] for key in shared),
        only_left=sum(key not in other for key in keys),
        only_right=sum(key not in one for key in keys),
    )


def _grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, tuple[V, ...]]:
    """By the first of each pair, in the order in which they come."""
    found: dict[K, list[V]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in found.items()}


def _scored(rows: Sequence[Row]) -> dict[Key, Row]:
    return {row.key: row for row in rows if row.score is not None}


def _cell(key: Key) -> Cell:
    dataset, _, policy, k = key
    return dataset, policy, k


def _score(row: Row) -> float:
    return row.score if row.score is not None else 0.0
