"""How alike the answers from chunks and from documents are: the paper's Figure 2 (Li et al. 2024). Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from selfroute.evaluation.metrics.qa import normalized
from selfroute.evaluation.report.board import Board
from selfroute.evaluation.report.plane import constants
from selfroute.evaluation.rows import Row
from selfroute.evaluation.summary import RIGHT

NEAR, FAR = 10.0, 50.0
"""Points between the two scores up to which they are near, and from which they are opposite."""
EDGES = tuple(range(-100, 101, 10))


@dataclass(frozen=True, slots=True)
class Overlap:
    """Counts of the `n` questions that both constants scored and neither failed at; `failed` are those that one of
    them did. `identical`: the same words, or two declines; `near`: scores within 10 points, identical ones among them;
    `opposite`: scores 50 points or more apart. `both_wrong`: both below 50, `same_wrong` of them with the same words
    (shared errors). `histogram` counts the differences of score, chunks less document, between `EDGES`; a difference
    of exactly zero stands in `zero` and not in it."""

    n: int
    failed: int
    identical: int
    near: int
    opposite: int
    both_wrong: int
    same_wrong: int
    zero: int
    histogram: tuple[int, ...]


def overlap(made: Board) -> Overlap | None:
    """`None` without questions that both constants answered or declined: what failed agrees with nothing."""
    both = constants(made)
    if both is None:
        return None
    rag, long = both
    scored = [(a, b) for a, b in zip(rag.rows, long.rows, strict=True) if a is not None and b is not None]
    scored = [(a, b) for a, b in scored if a.score is not None and b.score is not None]
    pairs = [(a, b) for a, b in scored if a.error is None and b.error is None]
    if not pairs:
        return None
    same = np.array([_same(a, b) for a, b in pairs])
    scores = np.array([(a.score, b.score) for a, b in pairs], dtype=float)
    difference = scores[:, 0] - scores[:, 1]
    wrong = (scores < RIGHT).all(axis=1)
    level = np.abs(difference) < 1e-9
    return Overlap(
        len(pairs),
        failed=len(scored) - len(pairs),
        identical=int(same.sum()),
        near=int((np.abs(difference) <= NEAR).sum()),
        opposite=int((np.abs(difference) >= FAR).sum()),
        both_wrong=int(wrong.sum()),
        same_wrong=int((wrong & same).sum()),
        zero=int(level.sum()),
        histogram=tuple(int(count) for count in np.histogram(difference[~level], EDGES)[0]),
    )


def _same(one: Row, other: Row) -> bool:
    if one.prediction is None or other.prediction is None:
        return one.prediction == other.prediction
    return normalized(one.prediction) == normalized(other.prediction)
