"""The durable record of every question and call, in SQLite through SQLAlchemy.

A call is committed before `record` returns and a question before its answer is shown. Costs are stored as
decimal text and summed as decimals. Answers of an evaluation that a judge is asked about stand beside the questions,
and are never summed with them. Knows nothing of indexes, readers or policies.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy import URL, Connection, create_engine, event, select, text
from sqlalchemy.exc import DatabaseError, OperationalError

from selfroute.errors import CorruptLedger, DiskFull, HomeNotWritable, LedgerBusy
from selfroute.ledger import rows
from selfroute.ledger.rows import Feedback, Recorded, Spent, Verdict
from selfroute.ledger.schema import MIGRATIONS, calls, feedback, questions
from selfroute.ledger.sums import EVALUATION, By, DecimalSum, UsageRow, Within, summed
from selfroute.ledger.writer import Write, Writer
from selfroute.types import Answer, Call, Question, Route, Stage, Usage

__all__ = ["EVALUATION", "NAME", "By", "Feedback", "Ledger", "Recorded", "Spent", "UsageRow", "Verdict"]

NAME = "ledger.sqlite"
ELSEWHERE = "SELFROUTE_LEDGER to a file elsewhere"
PATIENCE = 30.0
"""Seconds to wait for another writer."""
QUICK = 1000.0
"""Milliseconds that a look waits for another writer."""
LEAST_DISK = 16 << 20
"""Bytes. With less, a question may be answered that cannot be written down."""


class Ledger:
    """One file; safe to use from several threads and processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HomeNotWritable(path.parent, (error.strerror or str(error)).lower(), ELSEWHERE) from error
        self._engine = create_engine(URL.create("sqlite", database=str(path)), connect_args={"timeout": PATIENCE})
        event.listen(self._engine, "connect", _durable)
        self.writer = Writer(self._writing)
        self._migrate()

    def begin(
        self,
        id: str,  # noqa: A002
        question: Question,
        policy: str,
        corpus: str,
        key: str | None = None,
        asked: datetime | None = None,
    ) -> None:
        """A question was asked, by the API key of this id if by any; until it is finished its outcome is null. It was
        `asked` now unless that is told (UTC)."""
        self._write(rows.asked(id, question, policy, corpus, key, asked))

    def begin_judging(self, id: str, question: str | None, run: str) -> None:  # noqa: A002
        """A judge is asked about an answer to `question` of the evaluation in the folder `run`. Its calls are recorded
        as a question's are, and it ends by `finish_judging` or `fail`."""
        self._write(rows.judging(id, question, run))

    def record(self, question: str, call: Call) -> None:
        self._write(rows.called(question, call))

    def finish(self, answer: Answer) -> None:
        self._write(rows.finished(answer))

    def finish_reading(self, id: str, answer: str | None, route: Route) -> None:  # noqa: A002
        """A question of an evaluation was read for, by this route at the furthest, and came to `answer`; `None`
        where every reading was declined. What that means no reading knows, so that the outcome is null then: what
        policies make of it stands in the run."""
        self._write(rows.read(id, answer, route))

    def finish_judging(self, id: str, verdict: str) -> None:  # noqa: A002
        """`verdict` is the grade or the letter, as text."""
        self._write(rows.judged(id, verdict))

    def fail(self, id: str, error: str) -> None:  # noqa: A002
        """The question ended without an answer; its calls stay."""
        self._write(rows.failed(id, error))

    def question(self, id: str) -> Recorded | None:  # noqa: A002
        """All that is known of a question; `None` if there is none of this id."""
        with self._reading() as connection:
            row = connection.execute(select(questions).where(questions.c.id == id)).one_or_none()
            if row is None:
                return None
            made = connection.execute(select(calls).where(calls.c.question == id).order_by(calls.c.id)).all()
            said = connection.execute(select(feedback).where(feedback.c.question == id).order_by(feedback.c.id)).all()
        return rows.recorded(row, made, said)

    def add_feedback(self, id: str, verdict: Verdict, better_answer: str | None = None) -> Feedback:  # noqa: A002
        """Puts down what a user says of an answer; what was said before stays. The question must be there."""
        said = Feedback(verdict, better_answer, datetime.now(UTC).isoformat(timespec="milliseconds"))
        self._write(rows.said(id, said))
        return said

    def calls(self, question: str) -> list[Call]:
        """The calls of one question in the order of their completion."""
        with self._reading() as connection:
            made = connection.execute(select(calls).where(calls.c.question == question).order_by(calls.c.id)).all()
        return [rows.call_of(row) for row in made]

    def read(self, corpus: str, model: str, seconds: float) -> list[Usage]:
        """What `model` read of the documents of `corpus` in the last so many seconds, newest first. Which documents
        they were is not written down."""
        since = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
        wanted = select(calls).join(questions, questions.c.id == calls.c.question)
        wanted = wanted.where(questions.c.corpus == corpus, questions.c.asked_at >= since, calls.c.model == model)
        wanted = wanted.where(calls.c.stage == Stage.READ_DOCUMENTS.value, calls.c.error.is_(None))
        with self._reading() as connection:
            return [rows.call_of(row).usage for row in connection.execute(wanted.order_by(calls.c.id.desc()))]

    def spent(self, key: str, day: date, after: int = 0) -> list[Spent]:
        """The calls of what the API key of this id asked on that day (UTC), beyond the number `after`, in their order.
        A question counts on the day that it was asked, whenever its calls end."""
        # Which table is gone through: all that the key asked that day, or all that has come since. SQLite would take
        # the former for the quicker also where but a few calls are new.
        tables = (
            "questions CROSS JOIN calls ON calls.question = questions.id"
            if not after
            else "calls CROSS JOIN questions ON questions.id = calls.question"
        )
        wanted = text(
            f"SELECT calls.* FROM {tables} WHERE questions.key = :key AND questions.asked_at >= :day "
            "AND questions.asked_at < :next AND calls.id > :after ORDER BY calls.id"
        )
        given = {"key": key, "day": day.isoformat(), "next": (day + timedelta(days=1)).isoformat(), "after": after}
        with self._reading() as connection:
            return [Spent(row.id, row.question, rows.call_of(row)) for row in connection.execute(wanted, given)]

    def usage(
        self,
        by: By,
        *,
        first: date | None = None,
        last: date | None = None,
        corpus: str | None = None,
        key: str | None = None,
    ) -> list[UsageRow]:
        """Sums by group, ordered by its key, those of evaluations and of judging last. Questions that failed or were
        cut off count with their calls. Only of those asked from the day `first` to the day `last` (UTC, both included),
        of one corpus, or by the API key of one id, where given."""
        with self._reading() as connection:
            return summed(connection, by, Within(first, last, corpus, key))

    def _write(self, write: Write) -> None:
        """Returns when it is durable."""
        self.writer.submit(write).result()

    def check_writable(self) -> None:
        """Raises unless a question could be written down now: the file can be written, no other writer holds it, and
        its disk has room. Writes nothing."""
        with self._translated(), self._engine.connect() as connection:
            try:
                connection.execute(text(f"PRAGMA busy_timeout = {QUICK:.0f}"))
                connection.execute(text("BEGIN IMMEDIATE"))
                connection.execute(select(questions.c.id).limit(1)).all()
                connection.rollback()
            finally:
                connection.execute(text(f"PRAGMA busy_timeout = {PATIENCE * 1000:.0f}"))
        free = shutil.disk_usage(self._path.parent).free
        if free < LEAST_DISK:
            raise DiskFull(self._path, f"{free // 1024:,} KiB are left")

    def _migrate(self) -> None:
        """Brings the file to the newest schema, one version after another, all or nothing."""
        with self._reading() as connection:
            version = connection.execute(text("PRAGMA user_version")).scalar_one()
            tables = connection.execute(text("SELECT count(*) FROM sqlite_master")).scalar_one()
        if version == 0 and tables:
            raise CorruptLedger(self._path, "another program wrote it")
        if version > len(MIGRATIONS):
            raise CorruptLedger(self._path, f"a newer selfroute wrote it (version {version})")
        if version == len(MIGRATIONS):
            return
        self._to_wal()
        with self._writing() as connection:
            version = connection.execute(text("PRAGMA user_version")).scalar_one()
            for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
                for statement in statements:
                    connection.execute(text(statement))
                connection.execute(text(f"PRAGMA user_version = {number}"))

    def _to_wal(self) -> None:
        """Then readers and a writer do not wait for each other; the file stays so.

        Of two connections that switch a new file at once, SQLite refuses one without waiting: so wait here.
        """
        until = time.monotonic() + PATIENCE
        with self._translated():
            while True:
                try:
                    with self._engine.connect() as connection:
                        connection.execute(text("PRAGMA journal_mode = WAL"))
                    return
                except OperationalError as error:
                    if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                        raise
                    time.sleep(0.01)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._translated(), self._engine.connect() as connection:
            connection.execute(text("BEGIN IMMEDIATE"))
            yield connection
            connection.commit()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """One snapshot for all that is read: a question that another process begins meanwhile is not half seen."""
        with self._translated(), self._engine.connect() as connection:
            connection.execute(text("BEGIN"))
            yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            match _code(error):
                case sqlite3.SQLITE_ERROR:  # "no such table" and the like: not our file
                    raise CorruptLedger(self._path, str(error.orig)) from error
                case sqlite3.SQLITE_FULL:
                    raise DiskFull(self._path, "nothing is left") from error
                case sqlite3.SQLITE_BUSY:
                    raise LedgerBusy(self._path) from error
            raise HomeNotWritable(self._path, str(error.orig), ELSEWHERE) from error
        except DatabaseError as error:
            raise CorruptLedger(self._path, str(error.orig)) from error


def _durable(connection: object, _: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    connection.isolation_level = None  # type: ignore[attr-defined]
    connection.create_aggregate("decimal_sum", 1, DecimalSum)  # type: ignore[attr-defined]
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA secure_delete = ON")  # what is deleted or changed is overwritten: texts may have to be gone
    cursor.close()


def _code(error: OperationalError) -> int | None:
    """SQLite's primary result code."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
