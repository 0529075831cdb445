"""Quality over tokens: every policy between the two constants, the random router and the oracle. Pure.

The random router reads the document for a share of the questions drawn by lot, so it lies on the line between the
constants. The oracle knows for each question which of the two reads better (of equals the cheaper) and pays for
nothing else. The gap closed is (policy - better constant) / (oracle - better constant): 0 for that constant, 1 for
the oracle, below 0 for a policy that does harm. The better constant is the one of all questions, in each draw too: the
better of each draw would be the larger of two noisy means, and every policy's gap look smaller than it is. That it was
chosen on the same questions flatters a policy, so whether one is better than reading always the same is told by its
difference to either constant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from selfroute.evaluation.report.board import LONG, RAG, Board, Line, Truths
from selfroute.evaluation.statistics import Interval, Numbers, bounds

ORACLE = "the oracle"


@dataclass(frozen=True, slots=True)
class Point:
    """`tokens` is the share of reading everything. `gap` is the share of the gap closed, `over_rag` and `over_long` how
    many points the policy scores above either constant on the same questions, and `above_random` above the random
    router that reads as much; null where they are not defined."""

    policy: str
    score: Interval
    tokens: float
    gap: Interval | None
    over_rag: Interval
    over_long: Interval
    above_random: Interval | None


@dataclass(frozen=True, slots=True)
class Plane:
    """Over the `n` questions that all compared policies scored; `points` end with the oracle. `better` is the
    constant that scores more. `documents_needed` is the share of questions for which the oracle reads a document."""

    n: int
    points: tuple[Point, ...]
    better: str
    documents_needed: float


def by_dataset(made: Board) -> dict[str, Plane]:
    """One for each dataset that has one; empty where there are not several datasets."""
    if len(made.datasets) < 2:
        return {}
    names = np.array([dataset for dataset, _ in made.questions], dtype=object)
    found = {dataset: plane(made, names == dataset) for dataset in made.datasets}
    return {dataset: one for dataset, one in found.items() if one is not None}


def plane(made: Board, of: Truths | None = None) -> Plane | None:
    """Of all questions, or of those that `of` marks. `None` where a constant or its tokens are missing: without them
    there is nothing to compare with."""
    rag, long = made.line(RAG), made.line(LONG)
    mask = made.shared & ~np.isnan(made.full)
    mask = mask if of is None else mask & of
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
        least = score(sums, better)
        return _ratio(score(sums, policy) - least, score(sums, ORACLE) - least)

    def above(sums: Numbers) -> Numbers:
        r = tokens(sums, RAG)
        read = np.clip(_ratio(tokens(sums, policy) - r, 1 - r), 0, 1)
        return score(sums, policy) - ((1 - read) * score(sums, RAG) + read * score(sums, LONG))

    def interval(figure: Callable[[Numbers], Numbers]) -> Interval:
        return Interval(float(figure(whole)[0]), *(bounds(figure(drawn)) if len(drawn) else (None, None)))

    def known(figure: Callable[[Numbers], Numbers]) -> Interval | None:
        found = interval(figure)
        return None if np.isnan(found.mean) else found

    return Point(
        policy,
        interval(lambda sums: score(sums, policy)),
        float(tokens(whole, policy)[0]),
        known(gap),
        interval(lambda sums: score(sums, policy) - score(sums, RAG)),
        interval(lambda sums: score(sums, policy) - score(sums, LONG)),
        known(above),
    )


def _ratio(above: Numbers, below: Numbers) -> Numbers:
    """NaN where there is nothing to divide by."""
    ratio: Numbers = np.full(len(below), np.nan)
    np.divide(above, below, out=ratio, where=np.abs(below) > 1e-9)
    return ratio


def constants(made: Board) -> tuple[Line, Line] | None:
    """Both arms, where they can be compared."""
    rag, long = made.line(RAG), made.line(LONG)
    return None if rag is None or long is None or not made.shared.any() else (rag, long)
