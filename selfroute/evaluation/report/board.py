"""The rows of a run as a board: its questions down, its policies across. Every figure of a report is made of it.

A comparison of policies is over the questions that all of them scored, so that a difference is never one of which
questions were asked; what that leaves out is counted. Pure. Knows nothing of files, pictures or words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from selfroute.evaluation.ks import ALWAYS_LONG, main_k
from selfroute.evaluation.report.looks import ordered
from selfroute.evaluation.rows import Row
from selfroute.evaluation.statistics import Interval, Numbers, drawn_sums, drawn_within, mean_interval

Truths = NDArray[np.bool_]

RAG, LONG, HYBRID = "always_rag", ALWAYS_LONG, "self_route"
ENOUGH = 0.5
"""A policy is compared with the others if it scored at least this share of the questions."""


@dataclass(frozen=True, eq=False)
class Line:
    """One policy at one k. All arrays are over the board's questions. `score` is NaN where there is none (not asked,
    n/a); a failed question has 0. `tokens` is reader input, `read_long` whether a document was read."""

    policy: str
    k: int
    rows: tuple[Row | None, ...]
    score: Numbers
    tokens: Numbers
    answered: Truths
    read_long: Truths

    @cached_property
    def scored(self) -> Truths:
        return ~np.isnan(self.score)

    @cached_property
    def failed(self) -> Truths:
        """A score of 0 that says nothing of an answer."""
        return np.array([row is not None and row.error is not None for row in self.rows], dtype=bool)

    @cached_property
    def made(self) -> tuple[Row, ...]:
        """The rows that there are."""
        return tuple(row for row in self.rows if row is not None)


@dataclass(frozen=True, eq=False)
class Board:
    """`questions` are (dataset, id); `full` is what `always_long` read, or else would have read, NaN if unknown.
    `lines` are the policies at this `k`, in the order of `looks`. `shared` marks the questions that all `compared`
    lines scored; `partial` are the lines that scored too few to be compared."""

    k: int
    questions: tuple[tuple[str, str], ...]
    documents: tuple[str, ...]
    datasets: tuple[str, ...]
    answerable: Truths
    full: Numbers
    lines: tuple[Line, ...]

    def line(self, policy: str) -> Line | None:
        return next((line for line in self.compared if line.policy == policy), None)

    @cached_property
    def compared(self) -> tuple[Line, ...]:
        most = max((line.scored.sum() for line in self.lines), default=0)
        return tuple(line for line in self.lines if most and line.scored.sum() >= ENOUGH * most)

    @cached_property
    def partial(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line not in self.compared)

    @cached_property
    def shared(self) -> Truths:
        masks = [line.scored for line in self.compared]
        return np.logical_and.reduce(masks) if masks else np.zeros(len(self.questions), dtype=bool)

    @cached_property
    def left_out(self) -> int:
        """Questions that some compared line scored and another did not."""
        masks = [line.scored for line in self.compared]
        return int(np.logical_or.reduce(masks).sum() - self.shared.sum()) if masks else 0

    def drawn(self, columns: Numbers, mask: Truths) -> Numbers:
        """`drawn_sums` over the questions of `mask`; `columns` is over all."""
        return drawn_sums(columns[mask], [self.documents[at] for at in np.flatnonzero(mask)])

    def drawn_within_datasets(self, columns: Numbers, mask: Truths) -> Numbers:
        """As `drawn`, with as many documents of each dataset in each draw as it has: documents that the same datasets
        share are drawn among themselves. `(0, m)` where a dataset has none that could be another instead."""
        places = np.flatnonzero(mask)
        documents = [self.documents[at] for at in places]
        of: dict[str, dict[str, None]] = {}
        for at, document in zip(places, documents, strict=True):
            of.setdefault(document, {})[self.questions[at][0]] = None
        sharing = Counter(frozenset(datasets) for datasets in of.values())
        varying = frozenset[str]().union(*(datasets for datasets, number in sharing.items() if number > 1))
        if any(not datasets <= varying for datasets in sharing):
            return np.zeros((0, columns.shape[1]))
        return drawn_within(columns[mask], documents, [frozenset(of[document]) for document in documents])

    def mean(self, values: Numbers, mask: Truths) -> Interval:
        """The mean of `values` over `mask`, which must not be empty."""
        return mean_interval(values[mask].tolist(), [self.documents[at] for at in np.flatnonzero(mask)])

    def share(self, line: Line, mask: Truths) -> float | None:
        """Reader input over what reading everything takes, of the questions where that is known."""
        known = mask & ~np.isnan(self.full)
        full = self.full[known].sum()
        return float(line.tokens[known].sum() / full) if full else None


def board(rows: Sequence[Row], k: int | None = None) -> Board:
    """The board at `k`, else at the one that most rows have. Where `always_long` was not asked at this k its rows of
    another stand in, for they read the same document: but only for questions that others were asked at this k, so
    that they do not make those look few."""
    k = main_k(rows) if k is None else k
    places: dict[tuple[str, str], int] = {}
    for row in rows:
        places.setdefault((row.dataset, row.id), len(places))
    here = {places[row.dataset, row.id] for row in rows if row.k == k and row.policy != LONG}
    by_policy: dict[str, dict[int, Row]] = {}
    for row in rows:
        at = places[row.dataset, row.id]
        if row.k == k:
            by_policy.setdefault(row.policy, {})[at] = row
        elif row.policy == LONG and at in here:
            by_policy.setdefault(LONG, {}).setdefault(at, row)
    first: dict[int, Row] = {}
    for row in rows:
        first.setdefault(places[row.dataset, row.id], row)
    return Board(
        k=k,
        questions=tuple(places),
        documents=tuple(row.doc_id for row in first.values()),
        datasets=tuple(dict.fromkeys(row.dataset for row in rows)),
        answerable=np.array([row.answerable for row in first.values()], dtype=bool),
        full=_full(rows, places),
        lines=tuple(_line(policy, k, by_policy[policy], len(places)) for policy in ordered(by_policy)),
    )


def _line(policy: str, k: int, rows: dict[int, Row], size: int) -> Line:
    made = tuple(rows.get(at) for at in range(size))
    return Line(
        policy,
        k,
        made,
        score=np.array([np.nan if row is None or row.score is None else row.score for row in made], dtype=float),
        tokens=np.array([row.usage["input_tokens"] if row else 0 for row in made], dtype=float),
        answered=np.array([row is not None and row.outcome == "answered" for row in made], dtype=bool),
        read_long=np.array([row is not None and row.read_documents for row in made], dtype=bool),
    )


def _full(rows: Sequence[Row], places: dict[tuple[str, str], int]) -> Numbers:
    """What `always_long` read is the truth; else what another policy says that it would have."""
    full = np.full(len(places), np.nan)
    for row in sorted(rows, key=lambda row: row.policy == LONG):
        if row.long_context_tokens and row.error is None:
            full[places[row.dataset, row.id]] = row.long_context_tokens
    return full
