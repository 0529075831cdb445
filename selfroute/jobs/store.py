"""The jobs in one SQLite file: durable when `submit` returns, one state each, safe from several threads and processes.

Nothing is made on disk before the first job. Knows nothing of threads or of what jobs do.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from selfroute.errors import CorruptJobs, HomeNotWritable, KeyReused, QueueFull, UnknownJob
from selfroute.index.files import make_folder
from selfroute.jobs import (
    FOLDER,
    Ended,
    Evaluate,
    Fault,
    Ingest,
    Job,
    Kind,
    Once,
    Order,
    Progress,
    Spooled,
    State,
)
from selfroute.types import Limits

NAME = "jobs.sqlite"
PATIENCE = 30.0
"""Seconds that a connection waits for another's transaction."""
KEPT = timedelta(days=30)
"""How long an ended ingestion is remembered, and an `Idempotency-Key`."""
VERSION = 1
SCHEMA = (
    "CREATE TABLE jobs (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, "
    "state TEXT NOT NULL, corpus TEXT, key TEXT, request TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0, "
    "total INTEGER NOT NULL DEFAULT 0, unit TEXT NOT NULL DEFAULT 'bytes', note TEXT, result TEXT, error_kind TEXT, "
    "error TEXT, cancelled INTEGER NOT NULL DEFAULT 0, created TEXT NOT NULL, started TEXT, ended TEXT)",
    "CREATE INDEX jobs_by_state ON jobs (state, number)",
    "CREATE TABLE tokens (caller TEXT NOT NULL, token TEXT NOT NULL, fingerprint TEXT NOT NULL, job TEXT, "
    "created TEXT NOT NULL, PRIMARY KEY (caller, token))",
)
COLUMNS = "id, kind, state, corpus, key, request, done, total, unit, note, result, error_kind, error, created, started"
QUEUED, RUNNING = State.QUEUED.value, State.RUNNING.value


class Jobs:
    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER
        self._path = self.folder / NAME

    def exist(self) -> bool:
        """Whether there ever was a job."""
        return self._path.exists()

    def submit(self, id: str, order: Order, most: int, once: Once | None = None) -> tuple[Job, bool]:  # noqa: A002
        """(the job, whether it is new): one that was submitted with the same token before is given again.

        Raises `QueueFull` where `most` are queued, and `KeyReused` for a token that came with something else.
        """
        with self._writing() as connection:
            if once is not None and (seen := _seen(connection, order.key, once)) is not None:
                return _job(_row(connection, seen)), False
            self._require_room(connection, most)
            connection.execute(
                "INSERT INTO jobs (id, kind, state, corpus, key, request, created) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (id, order.kind.value, QUEUED, order.corpus, order.key, _written(order.request), _now()),
            )
            if once is not None:
                _remember(connection, order.key, once, id)
            return _job(_row(connection, id)), True

    def require_room(self, most: int) -> None:
        """Raises `QueueFull` where `most` are queued: before anything is received for one more."""
        if self.exist():
            with self._reading() as connection:
                self._require_room(connection, most)

    def known(self, key: str | None, token: str) -> bool:
        """Whether anything came with this token."""
        if not self.exist():
            return False
        with self._reading() as connection:
            found = connection.execute(
                "SELECT 1 FROM tokens WHERE caller = ? AND token = ?", (key or "", token)
            ).fetchone()
            return found is not None

    def remembers(self, key: str | None, once: Once) -> bool:
        """Whether `remember` put this token down. Raises `KeyReused`."""
        if not self.exist():
            return False
        with self._reading() as connection:
            return _seen(connection, key, once, of_job=False) is not None

    def remember(self, key: str | None, once: Once) -> bool:
        """Puts the token of a write down that is no job. False if it was there. Raises `KeyReused`."""
        with self._writing() as connection:
            if _seen(connection, key, once, of_job=False) is not None:
                return False
            _remember(connection, key, once, None)
            return True

    def get(self, id: str) -> Job:  # noqa: A002
        """Raises `UnknownJob`."""
        if not self.exist():
            raise UnknownJob(id)
        with self._reading() as connection:
            return _job(_row(connection, id))

    def listed(
        self,
        key: str | None = None,
        kind: Kind | None = None,
        state: State | None = None,
        corpus: str | None = None,
        most: int = 100,
        before: str | None = None,
    ) -> list[Job]:
        """The newest first; `before` is the id of the last one of the page before. With `key`, only those of it."""
        if not self.exist():
            return []
        wanted = {"kind": kind, "state": state, "corpus": corpus}
        given = {name: str(value) for name, value in wanted.items() if value is not None}
        where = ["1"] + [f"{name} = :{name}" for name in given]
        if key is not None:
            where.append("key = :key")
        if before is not None:
            where.append("number < (SELECT number FROM jobs WHERE id = :before)")
        with self._reading() as connection:
            rows = connection.execute(
                f"SELECT {COLUMNS}, ended FROM jobs WHERE {' AND '.join(where)} ORDER BY number DESC LIMIT :most",
                {**given, "key": key, "before": before, "most": most},
            ).fetchall()
        return [_job(row) for row in rows]

    def cancel(self, id: str) -> Job:  # noqa: A002
        """Ends a queued job; a running one ends at the next point where nothing is left half done."""
        self.get(id)
        with self._writing() as connection:
            connection.execute(
                "UPDATE jobs SET state = ?, ended = ? WHERE id = ? AND state = ?",
                (State.CANCELLED.value, _now(), id, QUEUED),
            )
            connection.execute("UPDATE jobs SET cancelled = 1 WHERE id = ? AND state = ?", (id, RUNNING))
            return _job(_row(connection, id))

    def drop(self, corpus: str) -> list[str]:
        """Cancels what is queued for a corpus that was deleted: it must not bring it back. Returns their ids."""
        if not self.exist():
            return []
        with self._writing() as connection:
            rows = connection.execute(
                "UPDATE jobs SET state = ?, ended = ?, note = 'its corpus was deleted' "
                "WHERE corpus = ? AND state = ? RETURNING id",
                (State.CANCELLED.value, _now(), corpus, QUEUED),
            ).fetchall()
        return [id_ for (id_,) in rows]

    def next(self, kinds: Collection[Kind], without: Collection[str]) -> Job | None:
        """Begins the oldest queued job of one of the kinds whose corpus is not in `without`."""
        with self._writing() as connection:
            rows = connection.execute(
                "SELECT id, kind, corpus FROM jobs WHERE state = ? ORDER BY number", (QUEUED,)
            ).fetchall()
            for id_, kind, corpus in rows:
                if kind in kinds and corpus not in without:
                    connection.execute(
                        "UPDATE jobs SET state = ?, started = ?, note = NULL WHERE id = ?", (RUNNING, _now(), id_)
                    )
                    return _job(_row(connection, id_))
        return None

    def progress(self, id: str, progress: Progress) -> None:  # noqa: A002
        with self._writing() as connection:
            connection.execute(
                "UPDATE jobs SET done = ?, total = ?, unit = ? WHERE id = ?",
                (progress.done, progress.total, progress.unit, id),
            )

    def is_cancelled(self, id: str) -> bool:  # noqa: A002
        with self._reading() as connection:
            row = connection.execute("SELECT cancelled FROM jobs WHERE id = ?", (id,)).fetchone()
            return row is None or bool(row[0])

    def end(self, id: str, state: State, ended: Ended | None = None) -> None:  # noqa: A002
        """Of a running job."""
        result = None if ended is None else json.dumps(ended.result)
        error = ended.error if ended is not None else None
        with self._writing() as connection:
            connection.execute(
                "UPDATE jobs SET state = ?, result = ?, error_kind = ?, error = ?, ended = ?, note = NULL "
                "WHERE id = ? AND state = ?",
                (state.value, result, error and error.kind, error and error.detail, _now(), id, RUNNING),
            )

    def put_back(self, id: str, note: str | None) -> None:  # noqa: A002
        """A running job is queued again, in its old place; one that was cancelled meanwhile has ended."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE jobs SET state = CASE WHEN cancelled THEN ? ELSE ? END, "
                "ended = CASE WHEN cancelled THEN ? END, note = ? WHERE id = ? AND state = ?",
                (State.CANCELLED.value, QUEUED, _now(), note, id, RUNNING),
            )

    def recover(self) -> None:
        """What a process left running is queued again, and what ended long ago is forgotten. For the only worker."""
        long_ago = (datetime.now(UTC) - KEPT).isoformat(timespec="milliseconds")
        with self._reading() as connection:
            left = connection.execute("SELECT id FROM jobs WHERE state = ?", (RUNNING,)).fetchall()
        for (id_,) in left:
            self.put_back(id_, None)
        with self._writing() as connection:
            connection.execute("DELETE FROM jobs WHERE kind = ? AND ended < ?", (Kind.INGEST.value, long_ago))
            connection.execute("DELETE FROM tokens WHERE created < ?", (long_ago,))

    def waiting(self) -> set[str]:
        """Ids of the jobs that have not ended: their files are still needed."""
        with self._reading() as connection:
            rows = connection.execute("SELECT id FROM jobs WHERE state IN (?, ?)", (QUEUED, RUNNING)).fetchall()
        return {id_ for (id_,) in rows}

    def _require_room(self, connection: sqlite3.Connection, most: int) -> None:
        (queued,) = connection.execute("SELECT count(*) FROM jobs WHERE state = ?", (QUEUED,)).fetchone()
        if queued >= most:
            raise QueueFull(most)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        make_folder(self.folder)
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in SCHEMA:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {VERSION}")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._connected() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:  # another process is about to make it
                connection.close()
                with self._writing():
                    pass
                with self._connected() as again:
                    yield again
                return
            yield connection

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(self._path, timeout=PATIENCE, isolation_level=None)
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                raise CorruptJobs(self._path, f"a newer selfroute wrote it (version {version})")
            connection.execute("PRAGMA synchronous = FULL")
            yield connection
        except sqlite3.OperationalError as error:
            raise HomeNotWritable(self._path, str(error)) from error
        except sqlite3.DatabaseError as error:
            raise CorruptJobs(self._path, str(error)) from error
        finally:
            if connection is not None:
                connection.close()


def _seen(connection: sqlite3.Connection, key: str | None, once: Once, of_job: bool = True) -> str | None:
    """The job that came with the token; an empty string where it was no job."""
    row = connection.execute(
        "SELECT fingerprint, job FROM tokens WHERE caller = ? AND token = ?", (key or "", once.token)
    ).fetchone()
    if row is None:
        return None
    if row[0] != once.fingerprint or of_job == (row[1] is None):
        raise KeyReused(once.token)
    return row[1] or ""


def _remember(connection: sqlite3.Connection, key: str | None, once: Once, job: str | None) -> None:
    connection.execute(
        "INSERT INTO tokens (caller, token, fingerprint, job, created) VALUES (?, ?, ?, ?, ?)",
        (key or "", once.token, once.fingerprint, job, _now()),
    )


Row = Sequence[Any]


def _row(connection: sqlite3.Connection, id: str) -> Row:  # noqa: A002
    """Raises `UnknownJob`."""
    row: Row | None = connection.execute(f"SELECT {COLUMNS}, ended FROM jobs WHERE id = ?", (id,)).fetchone()
    if row is None:
        raise UnknownJob(id)
    return row


def _job(row: Row) -> Job:
    id_, kind, state, corpus, key, request, done, total, unit, note, result, fault, error, created, started, ended = (
        row  # as in COLUMNS
    )
    return Job(
        id=id_,
        kind=Kind(kind),
        state=State(state),
        corpus=corpus,
        progress=Progress(done, total, unit),
        note=note,
        result=None if result is None else json.loads(result),
        error=None if fault is None else Fault(fault, error),
        created=created,
        started=started,
        ended=ended,
        key=key,
        request=_request(Kind(kind), request),
    )


def _written(request: Ingest | Evaluate) -> str:
    return json.dumps(asdict(request), default=str)  # a `Decimal`, which is read from its text


def _request(kind: Kind, text: str) -> Ingest | Evaluate:
    values: dict[str, Any] = json.loads(text)
    if kind is Kind.INGEST:
        return Ingest(tuple(Spooled(**file) for file in values["files"]))
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return Evaluate(**{**values, **lists, "limits": _limits(**(values.get("limits") or {}))})


def _limits(tokens: int | None = None, cost: str | None = None, escalations: int | None = None) -> Limits:
    return Limits(tokens, None if cost is None else Decimal(cost), escalations)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
