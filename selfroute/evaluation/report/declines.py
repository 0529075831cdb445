"""Declines and escalations against what reading the document would have given. Pure.

Whether to escalate was right is told by the two constants: the document was worth reading where `always_long` scores
more than `always_rag` on the same question. Where one of them failed nothing tells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from selfroute.evaluation.report.board import HYBRID, LONG, RAG, Board, Truths
from selfroute.evaluation.report.plane import constants
from selfroute.evaluation.statistics import Numbers
from selfroute.evaluation.summary import RIGHT

EQUAL = 1e-9
BINS = 10
DECLINE = "a decline of the chunks"
"""The row that judges the reader and not a policy."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """Of `n` questions. Escalated: `right` where the document gives more, `idle` where it gives the same, `wrong`
    where it gives less (`idle` and `wrong` are false escalations). Not escalated: `missed` where the document would
    have given more and the chunks' answer stood (a false accept), or nothing was answered (`silent`); `kept`."""

    policy: str
    kind: str
    n: int
    right: int
    idle: int
    wrong: int
    missed: int
    silent: int
    kept: int

    @property
    def precision(self) -> float | None:
        """The share of escalations that gained."""
        made = self.right + self.idle + self.wrong
        return self.right / made if made else None

    @property
    def recall(self) -> float | None:
        """The share of the questions for which the document gives more that were escalated."""
        wanted = self.right + self.missed + self.silent
        return self.right / wanted if wanted else None


def decisions(made: Board) -> tuple[Decisions, ...]:
    """Each policy that is no constant, over all, answerable and unanswerable questions that neither constant failed
    at; the chunk reader's declines first, as `self_route` or by themselves. Empty without such questions."""
    both = constants(made)
    if both is None:
        return ()
    rag, long = both
    gain = np.nan_to_num(long.score) - np.nan_to_num(rag.score)
    told = made.shared & ~rag.failed & ~long.failed
    kinds = [("all", told), ("answerable", told & made.answerable), ("unanswerable", told & ~made.answerable)]
    declined = np.array([row is not None and row.declined for row in rag.rows], dtype=bool)
    # With `self_route` among them the declines are its escalations, and need no row of their own.
    judged = [] if made.line(HYBRID) else [(DECLINE, declined, rag.answered)]
    judged += [(line.policy, line.read_long, line.answered) for line in made.compared if line.policy not in (RAG, LONG)]
    return tuple(
        _counted(name, kind, mask, escalated, answered, gain)
        for name, escalated, answered in judged
        for kind, mask in kinds
        if mask.any()
    )


def _counted(name: str, kind: str, mask: Truths, escalated: Truths, answered: Truths, gain: Numbers) -> Decisions:
    more, less = gain > EQUAL, gain < -EQUAL

    def count(which: Truths) -> int:
        return int((mask & which).sum())

    return Decisions(
        name,
        kind,
        int(mask.sum()),
        right=count(escalated & more),
        idle=count(escalated & ~more & ~less),
        wrong=count(escalated & less),
        missed=count(~escalated & more & answered),
        silent=count(~escalated & more & ~answered),
        kept=count(~escalated & ~more),
    )


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers whose confidence lies within `low` and `high`: how many, their mean confidence, the share right."""

    low: float
    high: float
    n: int
    confidence: float
    right: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """`error` is the expected calibration error (Naeini et al. 2015): the mean distance of confidence and share right
    over the bins, by their number of answers. Right is a score of 50 or more. `without`: answers that tell none."""

    policy: str
    n: int
    without: int
    error: float
    bins: tuple[Bin, ...]


def reliability(made: Board) -> tuple[Reliability, ...]:
    """Of every policy whose answers tell their confidence."""
    found = []
    for line in made.lines:
        answers = [row for row in line.made if row.outcome == "answered" and row.score is not None]
        told = [
            (row.confidence, row.score >= RIGHT)
            for row in answers
            if row.confidence is not None and row.score is not None
        ]
        if told:
            bins = _bins(told)
            error = sum(one.n * abs(one.confidence - one.right) for one in bins) / len(told)
            found.append(Reliability(line.policy, len(told), len(answers) - len(told), error, bins))
    return tuple(found)


def _bins(told: list[tuple[float, bool]]) -> tuple[Bin, ...]:
    sorted_in: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in told:
        sorted_in.setdefault(min(int(confidence * BINS), BINS - 1), []).append((confidence, right))
    return tuple(
        Bin(
            at / BINS,
            (at + 1) / BINS,
            len(inside),
            sum(confidence for confidence, _ in inside) / len(inside),
            sum(right for _, right in inside) / len(inside),
        )
        for at, inside in sorted(sorted_in.items())
    )
