"""Where a policy lost most: the question, what each policy said, the chunks, and the span that was missed.

The span is what the better reading cites, else the first place where the reference stands word for word. Rows keep
places and not texts: those come from the datasets, where they are at hand. Pure.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from selfroute.evaluation.report.board import HYBRID, LONG, RAG, Board, Line
from selfroute.evaluation.report.plane import constants
from selfroute.evaluation.rows import Row, Span
from selfroute.evaluation.summary import RIGHT
from selfroute.evaluation.texts import Text

MOST = 10
AROUND = 160
"""Characters shown on either side of a missed span."""
LEFT_OUT = "answered"
SHORTEST = 3
"""A shorter reference stands in too many places by chance."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one policy answered (`None`: it declined), for how many points."""

    policy: str
    prediction: str | None
    score: float


@dataclass(frozen=True, slots=True)
class Piece:
    """A retrieved chunk. `text` is null where the dataset is not at hand; `holds`: the missed span lies within."""

    span: Span
    text: str | None
    holds: bool


@dataclass(frozen=True, slots=True)
class Missed:
    """Characters `start:end` of the document; the texts are null where it is not at hand."""

    start: int
    end: int
    cited: bool
    before: str
    text: str | None
    after: str


@dataclass(frozen=True, slots=True)
class Example:
    """`lost` points under the best policy. `pieces` is null where the row keeps no chunks, `question` and `references`
    where the dataset is not at hand."""

    dataset: str
    id: str
    document: str
    policy: str
    lost: float
    answerable: bool
    question: str | None
    references: tuple[str, ...] | None
    said: tuple[Said, ...]
    pieces: tuple[Piece, ...] | None
    missed: Missed | None
    verdict: str


@dataclass(frozen=True, slots=True)
class Losses:
    """Answers from chunks that score under 50 where the document gives 50 or more: of `n`, no chunk held what the
    document's answer cites (`not_retrieved`), one did (`not_read`), or nothing tells (`unknown`). `declined` of them
    are declines of the chunks."""

    n: int
    not_retrieved: int
    not_read: int
    unknown: int
    declined: int


def subject(made: Board) -> Line | None:
    """The policy whose losses are shown: `self_route`, else the first that is no constant, else a constant."""
    named = made.line(HYBRID) or next((line for line in made.compared if line.policy not in (RAG, LONG)), None)
    return named or made.line(RAG) or next(iter(made.compared), None)


def worst(made: Board) -> list[int]:
    """The places of up to `MOST` questions on which the subject lost most, taken in turn from the datasets
    and from questions with and without an answer."""
    line = subject(made)
    if line is None or len(made.compared) < 2:
        return []
    best = np.max(np.vstack([np.nan_to_num(other.score) for other in made.compared]), axis=0)
    lost = np.where(made.shared, best - np.nan_to_num(line.score), 0)
    turns: Counter[tuple[str, bool, float]] = Counter()
    found = []
    for at in np.flatnonzero(lost > 0):
        turn = (made.questions[at][0], bool(made.answerable[at]), float(lost[at]))
        found.append((-float(lost[at]), turns[turn], not made.answerable[at], int(at)))
        turns[turn] += 1
    return [at for _, _, _, at in sorted(found)[:MOST]]


def examples(made: Board, texts: Mapping[tuple[str, str], Text]) -> tuple[Example, ...]:
    line = subject(made)
    return () if line is None else tuple(_example(made, line, at, texts.get(made.questions[at])) for at in worst(made))


def wordless(shown: Sequence[Example]) -> tuple[Example, ...]:
    """Without the words of questions, answers and documents: places and verdicts alone."""
    return tuple(
        replace(
            one,
            question=None,
            references=None,
            said=tuple(replace(said, prediction=None if said.prediction is None else LEFT_OUT) for said in one.said),
            pieces=None if one.pieces is None else tuple(replace(piece, text=None) for piece in one.pieces),
            missed=None if one.missed is None else replace(one.missed, before="", text=None, after=""),
        )
        for one in shown
    )


def _example(made: Board, line: Line, at: int, text: Text | None) -> Example:
    rows = [(other.policy, other.rows[at]) for other in made.compared]
    asked = [(policy, row) for policy, row in rows if row is not None]
    best = max((row for _, row in asked), key=_score)
    row = next(row for policy, row in asked if policy == line.policy)
    # A recorded answer was given to other chunks than those that are retrieved here.
    known = [r.hits for r in (row, *(r for _, r in asked)) if r.hits is not None and not r.simulated]
    chunks = known[0] if known else None
    missed = _missed(best, text, row.answerable)
    pieces = None if chunks is None else tuple(_piece(hit, text, missed) for hit in chunks)
    return Example(
        dataset=row.dataset,
        id=row.id,
        document=row.doc_id,
        policy=line.policy,
        lost=_score(best) - _score(row),
        answerable=row.answerable,
        question=text.question if text else None,
        references=text.answers if text else None,
        said=tuple(Said(policy, None if r.declined else r.prediction, _score(r)) for policy, r in asked),
        pieces=pieces,
        missed=missed,
        verdict=_verdict(row, pieces, missed),
    )


def _verdict(row: Row, pieces: Sequence[Piece] | None, missed: Missed | None) -> str:
    if row.error is not None:
        return "the question failed"
    if not row.answerable:
        return "the document holds no answer, and one was made up"
    if missed is None:
        return "where the answer stands cannot be told"
    if row.read_documents:
        return "the document was read, and the span was not taken"
    if pieces is None:
        return "which chunks were shown was not recorded"
    if any(piece.holds for piece in pieces):
        return "a chunk held the span, and the reader did not take it"
    return "no chunk held the span"


def _missed(best: Row, text: Text | None, answerable: bool) -> Missed | None:
    if not answerable:
        return None
    if best.citations and _score(best) >= RIGHT:
        return _around(best.citations[0].start, best.citations[0].end, True, text)
    for reference in text.answers if text else ():
        words = reference.strip(string.punctuation + string.whitespace).split()
        pattern = r"\s+".join(map(re.escape, words))
        if (
            sum(map(len, words)) >= SHORTEST
            and text
            and (found := re.search(rf"(?<!\w){pattern}(?!\w)", text.context, re.I))
        ):
            return _around(found.start(), found.end(), False, text)
    return None


def _around(start: int, end: int, cited: bool, text: Text | None) -> Missed:
    if text is None:
        return Missed(start, end, cited, "", None, "")
    context = text.context
    before, after = context[max(start - AROUND, 0) : start], context[end : end + AROUND]
    return Missed(start, end, cited, before, context[start:end], after)


def _piece(hit: Span, text: Text | None, missed: Missed | None) -> Piece:
    shown = text.context[hit.start : hit.end] if text else None
    return Piece(hit, shown, missed is not None and _holds(hit, shown, missed))


def _holds(hit: Span, shown: str | None, missed: Missed) -> bool:
    """A reference may stand in several places, each as good as the first."""
    again = not missed.cited and shown is not None and missed.text is not None and missed.text in shown
    return again or (hit.start < missed.end and missed.start < hit.end)


def losses(made: Board) -> Losses | None:
    """`None` without both constants."""
    both = constants(made)
    if both is None:
        return None
    pairs = [(a, b) for a, b in zip(both[0].rows, both[1].rows, strict=True) if a is not None and b is not None]
    lost = [(a, b) for a, b in pairs if a.answerable and _score(a) < RIGHT <= _score(b)]
    told = Counter(_held(a, b) for a, b in lost)
    return Losses(len(lost), told[False], told[True], told[None], sum(a.declined for a, _ in lost))


def _held(chunks: Row, document: Row) -> bool | None:
    if chunks.hits is None or not document.citations:
        return None
    cited = document.citations[0]
    return any(
        hit.document == cited.document and hit.start < cited.end and cited.start < hit.end for hit in chunks.hits
    )


def _score(row: Row) -> float:
    return row.score if row.score is not None else 0.0
