"""The ledger as its keeper sees it: what it holds, all of it as records, and what is old taken out of it for good.

Knows nothing of how long anything is to be kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    and_,
    case,
    delete,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)

from selfroute.errors import BadInput
from selfroute.ledger import Ledger, Recorded
from selfroute.ledger.rows import recorded
from selfroute.ledger.schema import calls, feedback, questions
from selfroute.ledger.sums import Within

BATCH = 500
"""Questions that are taken out, or read, at a time: between two batches others can write."""
LONGEST = timedelta(days=2)
"""Longer than any question is under way: one that has not ended after it was cut off."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a ledger holds. `with_text` of the questions, judged answers included, still have theirs or their answer's;
    `first` and `last` were asked then (ISO 8601, UTC); `bytes` are those on disk."""

    questions: int
    judged: int
    with_text: int
    calls: int
    feedback: int
    first: str | None
    last: str | None
    bytes: int


@dataclass(frozen=True, slots=True)
class Purged:
    """Of how many questions what was asked for is gone. `wiped`: none of it stands in a file any more; else another
    process still reads an older state of the ledger, and it goes when that one lets go."""

    questions: int
    wiped: bool


class Upkeep(Ledger):
    """As `Ledger`, and what a user of it has no need of."""

    def stats(self) -> Holdings:
        with self._reading() as connection:
            counted = select(
                func.count(),
                func.coalesce(func.sum(case((questions.c.run.isnot(None), 1), else_=0)), 0),
                func.coalesce(func.sum(case((_has_text(), 1), else_=0)), 0),
                func.min(questions.c.asked_at),
                func.max(questions.c.asked_at),
            )
            asked, judged, with_text, first, last = connection.execute(counted).one()
            made = connection.execute(select(func.count()).select_from(calls)).scalar_one()
            said = connection.execute(select(func.count()).select_from(feedback)).scalar_one()
        files = (self._path, _wal(self._path))
        return Holdings(
            questions=asked - judged,
            judged=judged,
            with_text=with_text,
            calls=made,
            feedback=said,
            first=first,
            last=last,
            bytes=sum(file.stat().st_size for file in files if file.exists()),
        )

    def records(
        self, *, first: date | None = None, last: date | None = None, corpus: str | None = None
    ) -> Iterator[Recorded]:
        """All that is on record of each question, in the order in which they were asked, as of one moment; judged
        answers among them, under the policy `judge`. Reads a batch at a time."""
        within, at = Within(first, last, corpus).condition(), literal_column("questions.rowid", Integer())
        with self._reading() as connection:
            past = 0
            while True:
                wanted = select(questions, at.label("at")).where(within, at > past).order_by(at).limit(BATCH)
                rows = connection.execute(wanted).all()
                if not rows:
                    return
                ids = [row.id for row in rows]
                made = connection.execute(select(calls).where(calls.c.question.in_(ids)).order_by(calls.c.id)).all()
                said = connection.execute(select(feedback).where(feedback.c.question.in_(ids)).order_by(feedback.c.id))
                told = said.all()
                for row in rows:
                    yield recorded(
                        row,
                        [call for call in made if call.question == row.id],
                        [one for one in told if one.question == row.id],
                    )
                past = rows[-1].at

    def purge(self, before: date, *, text_only: bool = False) -> Purged:
        """Takes out what was asked before this day (UTC): whole questions, with their calls and feedback; or with
        `text_only` what users wrote, what was answered and what went wrong in words, so that sums stay as they are.

        What is taken out is overwritten in the file. Questions under way stay. Raises `BadInput` for a day after
        today: budgets are counted by today's questions."""
        today = datetime.now(UTC).date()
        if before > today:
            raise BadInput(f"{before} is after today, {today} in UTC: budgets need today's questions")
        ended = or_(
            questions.c.outcome.isnot(None),
            questions.c.error.isnot(None),
            questions.c.route.isnot(None),  # of an evaluation, which may know no outcome
            questions.c.run.isnot(None) & questions.c.answer.isnot(None),
            questions.c.asked_at < (datetime.now(UTC) - LONGEST).isoformat(),
        )
        old = and_(questions.c.asked_at < before.isoformat(), ended)
        wanted = select(questions.c.id).where(old, *([_has_text()] if text_only else [])).limit(BATCH)
        count = 0
        while True:
            with self._writing() as connection:
                ids = connection.execute(wanted).scalars().all()
                (_forget_texts if text_only else _forget)(connection, ids)
            count += len(ids)
            if len(ids) < BATCH:
                return Purged(count, self._wiped())

    def compact(self) -> bool:
        """Rewrites the file without what is free in it, and returns whether nothing of that stands in a file any more.
        Others wait meanwhile; needs as much disk again. Raises `DiskFull` and `LedgerBusy`."""
        with self._translated(), self._engine.connect() as connection:
            connection.execute(text("VACUUM"))
        return self._wiped()

    def _wiped(self) -> bool:
        """Brings what was written into the file itself, and empties the log beside it, if nobody reads there."""
        with self._translated(), self._engine.connect() as connection:
            busy, _, _ = connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)")).one()
        return not busy


def _has_text() -> ColumnElement[bool]:
    """Whether a question has words left. Errors begin with their kind."""
    words = (questions.c.question, questions.c.answer, questions.c.rewritten, questions.c.record)
    return or_(*(column.isnot(None) for column in words), func.instr(questions.c.error, ":") > 0)


def _forget(connection: Connection, ids: Sequence[str]) -> None:
    connection.execute(delete(calls).where(calls.c.question.in_(ids)))
    connection.execute(delete(feedback).where(feedback.c.question.in_(ids)))
    connection.execute(delete(questions).where(questions.c.id.in_(ids)))


def _forget_texts(connection: Connection, ids: Sequence[str]) -> None:
    kind = func.instr(questions.c.error, ":")
    error = case((kind > 0, func.substr(questions.c.error, 1, kind - 1)), else_=questions.c.error)
    asked = update(questions).where(questions.c.id.in_(ids))
    connection.execute(asked.values(question=None, answer=None, rewritten=None, record=None, error=error))
    failed = update(calls).where(calls.c.question.in_(ids), calls.c.error.isnot(None))
    connection.execute(failed.values(error="failed"))
    connection.execute(update(feedback).where(feedback.c.question.in_(ids)).values(better_answer=None))


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")
