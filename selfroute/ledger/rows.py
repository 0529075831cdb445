"""Rows of the ledger: what is written of a question and its calls, and what is read of it again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import bindparam, insert, update
from sqlalchemy.engine import Row

from selfroute.ledger.schema import calls, feedback, questions
from selfroute.ledger.sums import JUDGING
from selfroute.ledger.writer import Write
from selfroute.types import Answer, Call, Outcome, Question, Route, Stage, Usage
from selfroute.wire import to_json

ASKED, CALLED, SAID = insert(questions), insert(calls), insert(feedback)
ENDED = update(questions).where(questions.c.id == bindparam("of"))
"""Made once: SQLAlchemy takes longer to make a statement than SQLite to do it."""


class Verdict(StrEnum):
    """What a user says of an answer."""

    RIGHT = "right"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Feedback:
    """A verdict, and what would have been the better answer, if the user says so. `at` is ISO 8601, UTC."""

    verdict: Verdict
    better_answer: str | None
    at: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """All that is known of a question. `answer` is the whole `Answer` as JSON, null unless it was finished (and for
    questions of an earlier selfroute); `key` the id of the API key that asked; `error` why it failed."""

    id: str
    asked_at: str
    question: str | None
    policy: str
    corpus: str
    key: str | None
    outcome: str | None
    error: str | None
    answer: Mapping[str, object] | None
    calls: tuple[Call, ...]
    feedback: tuple[Feedback, ...]


@dataclass(frozen=True, slots=True)
class Spent:
    """A call that a question of an API key took, in the order of the ledger by `number`."""

    number: int
    question: str
    call: Call


def asked(
    id: str,  # noqa: A002
    question: Question,
    policy: str,
    corpus: str,
    key: str | None = None,
    at: datetime | None = None,
) -> Write:
    """Until it is finished its outcome is null."""
    return Write(
        ASKED,
        {
            "id": id,
            "asked_at": (at or datetime.now(UTC)).isoformat(timespec="milliseconds"),
            "question": question.text,
            "policy": policy,
            "corpus": corpus,
            "key": key,
        },
    )


def judging(id: str, question: str | None, run: str) -> Write:  # noqa: A002
    return Write(
        ASKED,
        {
            "id": id,
            "asked_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "question": question,
            "policy": JUDGING,
            "corpus": run,
            "run": run,
        },
    )


def called(question: str, call: Call) -> Write:
    usage = call.usage
    return Write(
        CALLED,
        {
            "question": question,
            "stage": call.stage.value,
            "model": call.model,
            "input_tokens": usage.input_tokens,
            "cached_input_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "output_tokens": usage.output_tokens,
            "reasoning_tokens": usage.reasoning_tokens,
            "estimated": call.estimated,
            "cost": None if call.cost is None else str(call.cost),
            "seconds": call.seconds,
            "error": call.error,
        },
    )


def finished(answer: Answer) -> Write:
    return Write(
        ENDED,
        {
            "of": answer.id,
            "answer": answer.answer,
            "outcome": answer.outcome.value,
            "route": answer.route.value,
            "coverage": answer.coverage,
            "long_context_tokens": answer.long_context_tokens,
            "saved_tokens": answer.saved_tokens,
            "seconds": answer.totals.seconds,
            "rewritten": answer.explain.get("rewritten"),
            "record": json.dumps(to_json(answer)),
        },
    )


def read(id: str, answer: str | None, route: Route) -> Write:  # noqa: A002
    outcome = None if answer is None else Outcome.ANSWERED.value
    return Write(ENDED, {"of": id, "answer": answer, "outcome": outcome, "route": route.value})


def judged(id: str, verdict: str) -> Write:  # noqa: A002
    return Write(ENDED, {"of": id, "answer": verdict})


def failed(id: str, error: str) -> Write:  # noqa: A002
    return Write(ENDED, {"of": id, "error": error})


def said(question: str, one: Feedback) -> Write:
    row = {"question": question, "at": one.at, "verdict": one.verdict.value, "better_answer": one.better_answer}
    return Write(SAID, row)


def recorded(row: Row[Any], made: Iterable[Row[Any]], said: Iterable[Row[Any]]) -> Recorded:
    """From a row of questions, and those of its calls and its feedback."""
    return Recorded(
        id=row.id,
        asked_at=row.asked_at,
        question=row.question,
        policy=row.policy,
        corpus=row.corpus,
        key=row.key,
        outcome=row.outcome,
        error=row.error,
        answer=None if row.record is None else json.loads(row.record),
        calls=tuple(map(call_of, made)),
        feedback=tuple(Feedback(Verdict(one.verdict), one.better_answer, one.at) for one in said),
    )


def call_of(row: Row[tuple[object, ...]]) -> Call:
    call = Call(
        Stage(row.stage),
        row.model,
        Usage(
            row.input_tokens,
            row.cached_input_tokens,
            row.cache_write_tokens,
            row.output_tokens,
            row.reasoning_tokens,
        ),
        row.seconds,
        bool(row.estimated),
        error=row.error,
    )
    return call if row.cost is None else replace(call, cost=Decimal(row.cost))
