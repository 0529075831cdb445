"""Quality over tokens: every policy between the two constants, the random router and the oracle. Pure.

The random router reads the document for a share of the questions drawn by lot, so it lies on the line between the
constants. The oracle knows for each question which of the two reads better (of equals the cheaper) and pays for
nothing else. The gap closed is (policy - better constant) / (oracle - better constant): 0 for that constant, 1 for
the oracle, below 0 for a policy that does harm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from selfroute.evaluation.report.board import LONG, RAG, Board, Line
from selfroute.evaluation.statistics import Numbers, bounds

ORACLE = "oracle"


@dataclass(frozen=True, slots=True)
class Point:
    """`tokens` is the share of reading everything. `gap` is the share of the gap closed, and `above_random` how many
    points the policy scores above the random router that reads as much; null where they are not defined."""

    policy: str
    score: float
    low: float | None
    high: float | None
    tokens: float
    gap: float | None
    gap_low: float | None
    gap_high: float | None
    above_random: float | None
    random_low: float | None
    random_high: float | None

    @property
    def gap_unclear(self) -> bool:
        """Whether the interval of the gap holds zero, or there is none."""
        return self.gap_low is None or self.gap_high is None or self.gap_low <= 0 <= self.gap_high


@dataclass(frozen=True, slots=True)
class Plane:
    """Over the `n` questions that all compared policies scored; `points` end with the oracle. `better` is the
    constant that scores more. `documents_needed` is the share of questions for which the oracle reads a document."""

    n: int
    points: tuple[Point, ...]
    better: str
    documents_needed: float


def plane(made: Board) -> Plane | None:
    """`None` where a constant or its tokens are missing: without them there is nothing to compare with."""
    rag, long = made.line(RAG), made.line(LONG)
    mask = made.shared & ~np.isnan(made.full)
    if rag is None or long is None or not mask.any():
        return None
    needed = long.score > rag.score
    best = np.where(needed, long.score, rag.score), np.where(needed, made.full, rag.tokens)
    arms = [(line.policy, line.score, line.tokens) for line in made.compared]
    arms = [(policy, score, made.full if policy == LONG else tokens) for policy, score, tokens in arms]
    every = [*arms, (ORACLE, *best)]
    columns = np.column_stack([np.nan_to_num(c) for _, score, tokens in every for c in (score, tokens)])
    columns = np.column_stack([columns, np.nan_to_num(made.full), np.ones(len(mask))])
    whole = columns[mask].sum(axis=0)[None, :]
    drawn = made.drawn(columns, mask)
    names = [policy for policy, _, _ in every]
    better = LONG if long.score[mask].sum() > rag.score[mask].sum() else RAG
    points = tuple(_point(policy, names, better, whole, drawn) for policy in names)
    return Plane(int(mask.sum()), points, better, float(needed[mask].mean()))


def _point(policy: str, names: list[str], better: str, whole: Numbers, drawn: Numbers) -> Point:
    def score(sums: Numbers, name: str) -> Numbers:
        return sums[:, 2 * names.index(name)] / sums[:, -1]

    def tokens(sums: Numbers, name: str) -> Numbers:
        return sums[:, 2 * names.index(name) + 1] / sums[:, -2]

    def gap(sums: Numbers) -> Numbers:
        room = score(sums, ORACLE) - score(sums, better)
        return _ratio(score(sums, policy) - score(sums, better), room)

    def above(sums: Numbers) -> Numbers:
        r = tokens(sums, RAG)
        read = np.clip(_ratio(tokens(sums, policy) - r, 1 - r), 0, 1)
        return score(sums, policy) - ((1 - read) * score(sums, RAG) + read * score(sums, LONG))

    return Point(
        policy,
        float(score(whole, policy)[0]),
        *_bounds(score(drawn, policy)),
        float(tokens(whole, policy)[0]),
        _known(gap(whole)[0]),
        *_bounds(gap(drawn)),
        _known(above(whole)[0]),
        *_bounds(above(drawn)),
    )


def _ratio(above: Numbers, below: Numbers) -> Numbers:
    """NaN where there is nothing to divide by."""
    ratio: Numbers = np.full(len(below), np.nan)
    np.divide(above, below, out=ratio, where=np.abs(below) > 1e-9)
    return ratio


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _bounds(drawn: Numbers) -> tuple[float, float] | tuple[None, None]:
    return bounds(drawn) if len(drawn) else (None, None)


def constants(made: Board) -> tuple[Line, Line] | None:
    """Both arms, where they can be compared."""
    rag, long = made.line(RAG), made.line(LONG)
    return None if rag is None or long is None or not made.shared.any() else (rag, long)
