"""What a judge said of a run's answers, kept in `grades.jsonl` so that nothing is judged, and paid, twice.

Equal answers to one question are judged once, whichever policies gave them. A decline is not judged: it is right
where the document holds no answer, and else wrong. What failed is kept with its calls, and is tried again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, cast

from selfroute.errors import UnreadableFile
from selfroute.evaluation.columns import Check, amount, cost, counts, maybe, odd, one_of, share, shown, text, truth
from selfroute.evaluation.lines import read_lines
from selfroute.evaluation.rows import Row
from selfroute.evaluation.summary import RIGHT
from selfroute.prompts import REASONS
from selfroute.types import Call, Stage, Usage

NAME = "grades.jsonl"
IN_WORDS = frozenset({"qa_f1", "qa_f1_zh", "rouge", "rouge_zh", "rouge_lsum", "character_f1_zh", "squad_f1", "replay"})
"""Metrics that compare words. A choice, a count or code is right or wrong without a judge."""
MOST_DIAGNOSED = 50
"""Questions of a run that the judge is asked about why retrieval failed them."""
Kind = Literal["grade", "why"]
Place = tuple[Kind, str, str]
"""What is judged: the kind, the row's `asked`, and a hash of the answer."""


@dataclass(frozen=True, slots=True)
class Grade:
    """`value` is a grade from 0 to 1 or a letter, null where the judge failed (`error` says how). `f1` and `recall` are
    of the same answer against the same references, 0 to 1."""

    kind: Kind
    judge: str
    asked: str
    answer: str
    value: float | str | None
    reason: str
    error: str | None
    f1: float
    recall: float
    calls: tuple[Call, ...]

    @property
    def place(self) -> Place:
        return (self.kind, self.asked, self.answer)


def place_of(row: Row, kind: Kind = "grade") -> Place:
    return (kind, row.asked, sha256((row.prediction or "").encode("utf-8", "surrogatepass")).hexdigest()[:16])


def gradable(row: Row) -> bool:
    """Whether a judge would be asked: an answer in words that did not fail."""
    return row.metric in IN_WORDS and row.error is None and row.outcome == "answered" and row.prediction is not None


def failed_by_chunks(rows: Sequence[Row]) -> list[Row]:
    """The rows of `always_rag` that answer wrongly what `always_long` answers rightly. `rows` are of one k, lest a
    question is asked about twice."""
    right = {
        (row.dataset, row.id)
        for row in rows
        if row.policy == "always_long" and row.answerable and _scores(row) >= RIGHT
    }
    lost = [r for r in rows if r.policy == "always_rag" and (r.dataset, r.id) in right and _scores(r) < RIGHT]
    return [row for row in lost if row.error is None and row.metric in IN_WORDS]


def read_grades(folder: Path) -> list[Grade]:
    """All that was kept, in its order; nothing where nothing was judged. Raises `UnreadableFile`."""
    path = folder / NAME
    return [_grade(path, number, value) for number, value in read_lines(path)]


def to_json(grade: Grade) -> dict[str, object]:
    """A line of the file."""
    calls = [
        asdict(call) | {"cost": None if call.cost is None else format(call.cost.normalize(), "f")}
        for call in grade.calls
    ]
    return asdict(grade) | {"calls": calls}


def _grade(path: Path, number: int, value: dict[str, Any]) -> Grade:
    try:
        if told := odd(value, COLUMNS) or _odd_value(value) or _odd_call(value["calls"]):
            raise ValueError(told)
        calls = tuple(
            Call(
                **call
                | {
                    "stage": Stage(call["stage"]),
                    "usage": Usage(**call["usage"]),
                    "cost": None if call["cost"] is None else Decimal(call["cost"]),
                }
            )
            for call in value["calls"]
        )
        return Grade(**value | {"kind": cast(Kind, value["kind"]), "calls": calls})
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableFile(
            path, f"line {number} is no grade of this version of selfroute ({error}): move the file away"
        ) from error


def _scores(row: Row) -> float:
    return row.score if row.score is not None else 0.0


def _odd_value(value: Mapping[str, Any]) -> str | None:
    given = value["value"]
    fits = given is None or (share(given) if value["kind"] == "grade" else one_of(REASONS)(given))
    return None if fits else f"its 'value' is {shown(given)}"


def _odd_call(calls: Sequence[object]) -> str | None:
    for call in calls:
        if not isinstance(call, dict):
            return f"a call of it is {shown(call)}"
        if told := odd(call, CALL):
            return f"of a call of it, {told}"
    return None


COLUMNS: Mapping[str, Check] = {
    "kind": one_of(("grade", "why")),
    "judge": lambda value: text(value) and bool(value),
    **dict.fromkeys(("asked", "answer", "reason"), text),
    "value": lambda value: True,  # depends on the kind
    "error": maybe(text),
    "f1": share,
    "recall": share,
    "calls": lambda value: isinstance(value, list),
}
CALL: Mapping[str, Check] = {
    "stage": one_of([stage.value for stage in Stage]),
    "model": text,
    "usage": counts,
    "seconds": amount,
    "estimated": truth,
    "cost": maybe(cost),
    "error": maybe(text),
}
"""What each column may be."""
