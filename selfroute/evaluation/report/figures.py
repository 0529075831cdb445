"""All figures of a report, computed from rows alone. Equal rows give equal figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from selfroute.evaluation.grades import Grade
from selfroute.evaluation.report import absence, agreement, declines, overlap, scores, spending
from selfroute.evaluation.report.board import Board, board
from selfroute.evaluation.report.examples import Losses, losses
from selfroute.evaluation.report.plane import Plane, by_dataset, plane
from selfroute.evaluation.rows import Row


@dataclass(frozen=True, slots=True)
class Figures:
    """`plane`, `overlap` and `losses` are null without both constants, `judged` where no judge was asked. `by_dataset`
    are the planes of single datasets, where there are several."""

    board: Board
    table1: tuple[scores.Entry, ...]
    curve: scores.Curve
    plane: Plane | None
    by_dataset: Mapping[str, Plane]
    absence: absence.Absence
    decisions: tuple[declines.Decisions, ...]
    reliability: tuple[declines.Reliability, ...]
    overlap: overlap.Overlap | None
    spending: spending.Spending
    losses: Losses | None
    judged: agreement.Judged | None


def figures(rows: Sequence[Row], grades: Sequence[Grade] = ()) -> Figures:
    made = board(rows)
    return Figures(
        made,
        scores.table1(made),
        scores.curve(rows),
        plane(made),
        by_dataset(made),
        absence.absence(made),
        declines.decisions(made),
        declines.reliability(made),
        overlap.overlap(made),
        spending.spending(made),
        losses(made),
        agreement.judged(made, grades),
    )
