"""What a judge said of the answers, beside their scores, and how well judge, F1 and recall agree. Pure.

A decline is graded without a judge: 1 where the document holds no answer, else 0. A question that failed has 0. An
answer that the judge did not grade, or failed to, has no grade and is in no mean.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from selfroute.evaluation.grades import IN_WORDS, Grade, Place, failed_by_chunks, gradable, place_of
from selfroute.evaluation.report.board import Board
from selfroute.evaluation.report.spending import summed
from selfroute.evaluation.rows import Row, StageUse
from selfroute.evaluation.statistics import Interval, Numbers
from selfroute.prompts import REASONS
from selfroute.types import Call, Stage

FEWEST = 3
"""Answers from which there is a rank correlation."""


@dataclass(frozen=True, slots=True)
class Graded:
    """One policy: its mean grade and its mean score, both 0 to 100, over the same questions."""

    policy: str
    grade: Interval
    score: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Two ways to grade `n` answers: Spearman's rank correlation, null where one of them is constant, and the mean
    absolute difference in points."""

    one: str
    other: str
    n: int
    rank: float | None
    difference: float


@dataclass(frozen=True, slots=True)
class Judged:
    """Of the board's k. `graded` is over the `n` questions that have a grade under every compared policy; `ungraded`
    answers have none, `failed` of them since the judge failed. `why` counts the letters of `REASONS`. `use` is what all
    verdicts took, of whatever k."""

    judge: str
    n: int
    graded: tuple[Graded, ...]
    pairs: tuple[Pair, ...]
    ungraded: int
    failed: int
    why: Mapping[str, int]
    use: StageUse


def judged(made: Board, grades: Sequence[Grade]) -> Judged | None:
    """By the judge that was asked last; `None` where none was."""
    if not grades:
        return None
    judge = grades[-1].judge
    known = {grade.place: grade for grade in grades if grade.judge == judge and grade.value is not None}
    rows = [row for line in made.lines for row in line.made]
    answers = {place_of(row) for row in rows if gradable(row)}
    lost = {place_of(row, "why") for row in failed_by_chunks(rows)}
    waiting = answers - known.keys()
    tried = {grade.place for grade in grades if grade.judge == judge}
    columns = {line.policy: np.array([_grade(row, known) for row in line.rows]) for line in made.compared}
    mask = made.shared & ~np.isnan(np.vstack(list(columns.values()))).any(axis=0) if columns else made.shared
    graded = (
        tuple(
            Graded(line.policy, made.mean(columns[line.policy], mask), score=float(line.score[mask].mean()))
            for line in made.compared
        )
        if mask.any()
        else ()
    )
    asked = [grade for place, grade in known.items() if place in answers]
    letters = Counter(str(grade.value) for place, grade in known.items() if place in lost)
    return Judged(
        judge.split(" ")[0],
        int(mask.sum()),
        graded,
        _pairs(asked),
        len(waiting),
        len(waiting & tried),
        {letter: letters[letter] for letter in REASONS} if letters else {},
        _use([call for grade in grades for call in grade.calls]),
    )


def _grade(row: Row | None, known: Mapping[Place, Grade]) -> float:
    """0 to 100, NaN for none."""
    if row is None or row.score is None or row.metric not in IN_WORDS:
        return np.nan
    if row.error is not None:
        return 0.0
    if row.declined:
        return 0.0 if row.answerable else 100.0
    grade = known.get(place_of(row))
    return np.nan if grade is None or not isinstance(grade.value, float | int) else 100.0 * grade.value


def _pairs(asked: Sequence[Grade]) -> tuple[Pair, ...]:
    if not asked:
        return ()
    by = {
        "judge": np.array([float(grade.value or 0) for grade in asked]),
        "F1": np.array([grade.f1 for grade in asked]),
        "recall": np.array([grade.recall for grade in asked]),
    }
    return tuple(
        Pair(
            one,
            other,
            len(asked),
            rank_correlation(by[one], by[other]),
            100 * float(np.abs(by[one] - by[other]).mean()),
        )
        for one, other in (("judge", "F1"), ("judge", "recall"), ("F1", "recall"))
    )


def rank_correlation(one: Numbers, other: Numbers) -> float | None:
    """Spearman's, with mean ranks for equal values; `None` for a constant or for fewer than three values."""
    if len(one) < FEWEST or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(np.corrcoef(_ranks(one), _ranks(other))[0, 1])


def _ranks(values: Numbers) -> Numbers:
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Numbers = (ends - (counts - 1) / 2)[where]
    return ranks


def _use(calls: Sequence[Call]) -> StageUse:
    return summed(
        Stage.JUDGE,
        [
            StageUse(
                Stage.JUDGE,
                1,
                int(call.error is not None),
                call.usage.input_tokens,
                call.usage.cached_input_tokens,
                call.usage.cache_write_tokens,
                call.usage.output_tokens,
                call.usage.reasoning_tokens,
                call.cost,
                call.estimated,
            )
            for call in calls
        ],
    )
