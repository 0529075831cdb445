"""The paper's Table 1 for a run (Li et al. 2024), and the same over k. Pure: boards in, numbers out.

Scores are 0 to 100 and shares 0 to 1. A failed question scores 0 and stays in every denominator; one that is n/a is
in none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from selfroute.evaluation.ks import ks
from selfroute.evaluation.report.board import HYBRID, LONG, Board, Line, Truths, board
from selfroute.evaluation.rows import Row
from selfroute.evaluation.statistics import Interval, bounds
from selfroute.types import sum_cost

MACRO, MICRO = "mean of datasets", "all questions"


@dataclass(frozen=True, slots=True)
class Entry:
    """One dataset (or average) under one policy. `n` questions are in the mean, `failed` of them with 0; `na` are not.
    `from_chunks` is the share that was answered without a document; `token_share` is reader input over that of
    reading everything; `cost` is the sum in US dollars, null where a price is unknown or nothing was `asked`."""

    dataset: str
    policy: str
    score: Interval | None
    n: int
    failed: int
    na: int
    from_chunks: float | None
    token_share: float | None
    cost: Decimal | None

    @property
    def asked(self) -> bool:
        return self.n + self.na > 0


def table1(made: Board) -> tuple[Entry, ...]:
    """Each dataset by each policy over all that it scored; then both averages of the compared policies over the
    questions that all of them scored."""
    names = np.array([dataset for dataset, _ in made.questions], dtype=object)
    of = [(dataset, names == dataset) for dataset in made.datasets]
    entries = [_entry(made, line, dataset, mask) for dataset, mask in of for line in made.lines]
    if made.shared.any():
        if len(of) > 1:
            entries += [_macro(made, line, [mask & made.shared for _, mask in of]) for line in made.compared]
        entries += [_entry(made, line, MICRO, made.shared) for line in made.compared]
    return tuple(entries)


def _entry(made: Board, line: Line, dataset: str, mask: Truths) -> Entry:
    rows = [row for row, inside in zip(line.rows, mask, strict=True) if row is not None and inside]
    scored = mask & line.scored
    n = int(scored.sum())
    return Entry(
        dataset,
        line.policy,
        made.mean(line.score, scored) if n else None,
        n,
        failed=sum(row.error is not None for row in rows),
        na=len(rows) - n,
        from_chunks=float((line.answered & ~line.read_long)[scored].mean()) if n else None,
        token_share=made.share(line, scored),
        cost=sum_cost([row.cost for row in rows]) if rows else None,
    )


def _macro(made: Board, line: Line, masks: Sequence[Truths]) -> Entry:
    """The mean of the datasets' own figures, each counting alike. Documents are drawn within their datasets, else small
    ones would be missing from some draws."""
    masks = [mask for mask in masks if mask.any()]
    values = np.nan_to_num(line.score)
    columns = np.column_stack([column for mask in masks for column in (values * mask, mask.astype(float))])
    drawn = made.drawn_within_datasets(columns, made.shared)
    low, high = bounds((drawn[:, ::2] / drawn[:, 1::2]).mean(axis=1)) if len(drawn) else (None, None)
    whole = _entry(made, line, MICRO, made.shared)
    shares = [share for mask in masks if (share := made.share(line, mask)) is not None]
    return Entry(
        MACRO,
        line.policy,
        Interval(float(np.mean([line.score[mask].mean() for mask in masks])), low, high),
        whole.n,
        whole.failed,
        whole.na,
        from_chunks=float(np.mean([(line.answered & ~line.read_long)[mask].mean() for mask in masks])),
        token_share=float(np.mean(shares)) if shares else None,
        cost=whole.cost,
    )


@dataclass(frozen=True, slots=True)
class AtK:
    """One policy at one k, over the questions of the curve."""

    k: int
    policy: str
    score: Interval
    n: int
    token_share: float | None


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where the hybrid reads more than reading everything would: at `k` chunks, null if at no k that was asked or can
    be told. `chunks` is r, what the chunks take at `at` chunks, and `escalated` e, the tokens of the documents that
    were read nevertheless, both as shares of reading everything: the hybrid takes r + e. `estimated`: beyond what was
    asked, with r growing by the chunk and e as it was."""

    at: int
    chunks: float
    escalated: float
    k: float | None
    estimated: bool


@dataclass(frozen=True, slots=True)
class Few:
    """A policy that scored too few of the questions that all k share, `n`, to be compared at this k."""

    k: int
    policy: str
    n: int


@dataclass(frozen=True, slots=True)
class Curve:
    """All of it is over the same `n` questions, which every compared policy scored at every k, so that what changes
    with k is never which questions were asked. `left_out` counts the run's other questions."""

    ks: tuple[int, ...]
    points: tuple[AtK, ...]
    crossing: Crossing | None
    n: int
    left_out: int
    few: tuple[Few, ...]


def curve(rows: Sequence[Row]) -> Curve:
    every = ks(rows)
    questions = {(row.dataset, row.id) for row in rows}
    common = questions.intersection(*(_asked_at(rows, k) for k in every))
    inside = [row for row in rows if (row.dataset, row.id) in common]
    boards = [board(inside, k) for k in every]
    few = tuple(Few(made.k, line.policy, int(line.scored.sum())) for made in boards for line in made.partial)
    boards = [made for made in boards if made.compared]
    shared = np.logical_and.reduce([made.shared for made in boards]) if boards else np.zeros(0, dtype=bool)
    n = int(shared.sum())
    points = [_at(made, line, shared) for made in boards if n for line in made.compared if _asked(line)]
    return Curve(tuple(every), tuple(points), _crossing(boards, shared), n, len(questions) - n, few)


def _asked_at(rows: Sequence[Row], k: int) -> set[tuple[str, str]]:
    """`always_long` counts where it alone was asked: it may have been asked elsewhere for the whole run."""
    here = [row for row in rows if row.k == k]
    return {(row.dataset, row.id) for row in [row for row in here if row.policy != LONG] or here}


def _asked(line: Line) -> bool:
    """Not where another k's rows stand in."""
    return any(row.k == line.k for row in line.made)


def _at(made: Board, line: Line, mask: Truths) -> AtK:
    return AtK(
        made.k,
        line.policy,
        made.mean(line.score, mask),
        n=int(mask.sum()),
        token_share=made.share(line, mask),
    )


def _crossing(boards: Sequence[Board], mask: Truths) -> Crossing | None:
    found = [(made.k, *parts) for made in boards if (parts := _parts(made, mask)) is not None]
    if not found:
        return None
    above = [number for number, (_, r, e) in enumerate(found) if r + e >= 1]
    if above and above[0] == 0:
        k, r, e = found[0]
        return Crossing(k, r, e, float(k), estimated=False)
    if above:
        (k0, r0, e0), (k1, r1, e1) = found[above[0] - 1], found[above[0]]
        along = (1 - (r0 + e0)) / ((r1 + e1) - (r0 + e0))
        return Crossing(k1, r1, e1, k0 + along * (k1 - k0), estimated=False)
    k, r, e = found[-1]
    return Crossing(k, r, e, k * (1 - e) / r if r > 0 else None, estimated=True)


def _parts(made: Board, mask: Truths) -> tuple[float, float] | None:
    """r and e of the hybrid, from what it read. `Board.share` is their sum."""
    line = made.line(HYBRID)
    known = mask & ~np.isnan(made.full)
    if line is None or not known.any():
        return None
    full = made.full[known].sum()
    escalated = made.full[known & line.read_long].sum() / full
    return float(line.tokens[known].sum() / full - escalated), float(escalated)
