"""Questions that the document answers and questions that it does not, apart, and every policy over their mix. Pure.

What share of the questions has no answer decides which policy is best, and no benchmark knows that share of yours: so
both means are shown, and what they come to for every share from none to a half.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from selfroute.evaluation.report.board import Board
from selfroute.evaluation.statistics import Interval

SHARES = tuple(round(0.05 * step, 2) for step in range(11))


@dataclass(frozen=True, slots=True)
class Parts:
    """One policy: its mean over either kind, null where there is no such question, and `mixed`, its score at each of
    `SHARES`, where there are both."""

    policy: str
    answerable: Interval | None
    unanswerable: Interval | None
    mixed: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Absence:
    answerable: int
    unanswerable: int
    parts: tuple[Parts, ...]

    def best(self, at: int) -> str:
        """The policy with the highest score at `SHARES[at]`; of equals the first."""
        return max(self.parts, key=lambda part: part.mixed[at]).policy


def absence(made: Board) -> Absence:
    """Over the questions that all compared policies scored."""
    there, absent = made.shared & made.answerable, made.shared & ~made.answerable
    parts = []
    for line in made.compared:
        means = [made.mean(line.score, mask) if mask.any() else None for mask in (there, absent)]
        one, other = means
        mixed = tuple((1 - u) * one.mean + u * other.mean for u in SHARES) if one and other else ()
        parts.append(Parts(line.policy, one, other, mixed))
    return Absence(int(there.sum()), int(np.sum(absent)), tuple(parts))
