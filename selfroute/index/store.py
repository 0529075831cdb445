"""The truth of an index: documents, chunks and vectors in SQLite, stamped with generations.

A document row is live in generation g when `added <= g` and it is not `deleted` by g. Rows of a generation
above the published one are committed but not yet shown: an interrupted run finds them and need not embed
again. Chunk rows are never reused: FAISS segments know vectors by them. Knows nothing of FAISS or manifests.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from selfroute.errors import CorruptIndex, ForeignIndex, HomeNotWritable, UnreadableFile, UnusableIndex
from selfroute.index.files import publish, staging
from selfroute.index.vectors import Ids
from selfroute.types import Chunk, Document, Vectors

NAME = "store.sqlite"
APPLICATION = 0x53524458  # "SRDX": tells our files from other SQLite databases
HEADER = 100
"""Bytes at the start of every SQLite database. It takes a file of none or one for a new database."""
LATEST = 2**62
"""A generation above all: sees what is committed, published or not."""

SCHEMA = """
CREATE TABLE about (store TEXT NOT NULL, embedder TEXT NOT NULL, dimension INTEGER NOT NULL);
CREATE TABLE documents (
    row INTEGER PRIMARY KEY, id TEXT NOT NULL, source TEXT NOT NULL, hash TEXT NOT NULL, text TEXT NOT NULL,
    chunking TEXT NOT NULL, tokens INTEGER NOT NULL, added INTEGER NOT NULL, deleted INTEGER
);
CREATE INDEX documents_by_id ON documents (id);
CREATE TABLE chunks (
    row INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents, start INTEGER NOT NULL,
    "end" INTEGER NOT NULL, tokens INTEGER NOT NULL, vector BLOB NOT NULL
);
CREATE INDEX chunks_by_document ON chunks (document);
"""
LIVE = "d.added <= :g AND (d.deleted IS NULL OR d.deleted > :g)"


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a document without its text: `chunking` is the rule it was split by, `tokens` the sum over
    its chunks."""

    id: str
    source: str
    hash: str
    chunking: str
    tokens: int


class Store:
    """One SQLite file (or `:memory:`). Usable from several threads, one at a time."""

    def __init__(self, folder: Path | None, connection: sqlite3.Connection) -> None:
        self._folder = folder or Path(":memory:")
        self._connection = connection
        self._lock = threading.Lock()

    @classmethod
    def create(cls, folder: Path | None, embedder: str, dimension: int) -> Store:
        """A new store in `folder`, or in memory. An existing one is opened."""
        if folder is None:
            connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
            _lay_out(connection, embedder, dimension)
            return cls(None, connection)
        if not (folder / NAME).exists():
            _make(folder / NAME, embedder, dimension)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Raises `CorruptIndex` or `ForeignIndex` if the file is not a whole store of ours, `UnusableIndex` if it
        may not be read."""
        path = folder / NAME
        if not path.exists() or path.stat().st_size < HEADER:
            raise CorruptIndex(folder, f"{NAME} is {'cut short' if path.exists() else 'missing'}", _remedy(folder))
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(
                _address(path), uri=True, check_same_thread=False, isolation_level=None, timeout=30
            )
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            if application != APPLICATION:
                raise ForeignIndex(folder, f"its {NAME} was not written by selfroute; use another corpus name")
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, sqlite3.DatabaseError):
                raise _translated(error, folder) from error
            raise
        return cls(folder, connection)

    def close(self) -> None:
        """Waits for what another thread reads: a question that is cancelled leaves its worker threads running, and
        SQLite would crash the process."""
        with self._lock:
            self._connection.close()

    def about(self) -> tuple[str, str, int]:
        """(the store's own id, embedder, dimension)."""
        [(store, embedder, dimension)] = self._all("SELECT store, embedder, dimension FROM about")
        return store, embedder, dimension

    def last_stamp(self) -> int:
        """The highest generation that any row names; 0 for an empty store."""
        [(stamp,)] = self._all("SELECT max(max(added), coalesce(max(deleted), 0)) FROM documents")
        return stamp or 0

    def entries(self, generation: int) -> list[Entry]:
        """The live documents by id."""
        rows = self._all(
            f"SELECT id, source, hash, chunking, tokens FROM documents d WHERE {LIVE} ORDER BY id", g=generation
        )
        return [Entry(*row) for row in rows]

    def counts(self, generation: int) -> tuple[int, int, int]:
        """(documents, chunks, tokens) that are live."""
        [(documents, tokens)] = self._all(
            f"SELECT count(*), coalesce(sum(tokens), 0) FROM documents d WHERE {LIVE}", g=generation
        )
        [(chunks,)] = self._all(
            f"SELECT count(*) FROM chunks c JOIN documents d ON d.row = c.document WHERE {LIVE}", g=generation
        )
        return documents, chunks, tokens

    def document(self, id: str, generation: int) -> Document | None:  # noqa: A002 (the field's own name)
        rows = self._all(f"SELECT id, text, source FROM documents d WHERE d.id = :id AND {LIVE}", g=generation, id=id)
        return Document(*rows[0]) if rows else None

    def chunks(self, rows: Sequence[int]) -> dict[int, Chunk]:
        """Chunks by row, with their text."""
        found: dict[int, Chunk] = {}
        for row in rows:
            for id_, start, end, text, tokens in self._all(
                'SELECT d.id, c.start, c."end", substr(d.text, c.start + 1, c."end" - c.start), c.tokens '
                "FROM chunks c JOIN documents d ON d.row = c.document WHERE c.row = :row",
                row=row,
            ):
                found[row] = Chunk(id_, start, end, text, tokens)
        return found

    def chunk_rows(self, ids: Sequence[str], generation: int) -> Ids:
        """Rows of the live chunks of these documents."""
        rows: list[int] = []
        for id_ in ids:
            rows += [
                row
                for (row,) in self._all(
                    f"SELECT c.row FROM chunks c JOIN documents d ON d.row = c.document WHERE d.id = :id AND {LIVE}",
                    g=generation,
                    id=id_,
                )
            ]
        return np.asarray(rows, dtype=np.int64)

    def vectors(self, generation: int, after: int = 0) -> tuple[Ids, Vectors]:
        """Rows and vectors of the live chunks whose documents were added after generation `after`."""
        [(_, _, dimension)] = [self.about()]
        rows = self._all(
            "SELECT c.row, c.vector FROM chunks c JOIN documents d ON d.row = c.document "
            f"WHERE {LIVE} AND d.added > :after ORDER BY c.row",
            g=generation,
            after=after,
        )
        ids = np.asarray([row for row, _ in rows], dtype=np.int64)
        blob = b"".join(vector for _, vector in rows)
        return ids, np.frombuffer(blob, dtype="<f4").reshape(len(rows), dimension)

    def dead_rows(self, after: int, generation: int) -> list[int]:
        """Rows of chunks that were deleted after generation `after`, by `generation`."""
        found = self._all(
            "SELECT c.row FROM chunks c JOIN documents d ON d.row = c.document "
            "WHERE d.deleted > :after AND d.deleted <= :g",
            after=after,
            g=generation,
        )
        return [row for (row,) in found]

    def put(self, generation: int, items: Iterable[tuple[Document, Sequence[Chunk], Vectors]], chunking: str) -> None:
        """In one transaction, adds documents with chunks and vectors, and deletes what they replace."""
        with self._transaction() as connection:
            for document, chunks, vectors in items:
                if "\0" in document.text:  # SQLite would end every chunk behind it
                    raise UnreadableFile(document.source, "holds NUL characters: it is not text")
                self._bury(connection, generation, document.id)
                tokens = sum(chunk.tokens for chunk in chunks)
                row = connection.execute(
                    "INSERT INTO documents (id, source, hash, text, chunking, tokens, added) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        *(document.id, document.source, document.content_hash, document.text),
                        *(chunking, tokens, generation),
                    ),
                ).lastrowid
                connection.executemany(
                    'INSERT INTO chunks (document, start, "end", tokens, vector) VALUES (?, ?, ?, ?, ?)',
                    [
                        (row, chunk.start, chunk.end, chunk.tokens, vector.astype("<f4").tobytes())
                        for chunk, vector in zip(chunks, vectors, strict=True)
                    ],
                )

    def moved(self, id: str, source: str) -> None:  # noqa: A002
        """The same text is now found elsewhere."""
        with self._transaction() as connection:
            connection.execute("UPDATE documents SET source = ? WHERE id = ? AND deleted IS NULL", (source, id))

    def purge(self, generation: int) -> None:
        """Removes rows that were already dead in `generation`."""
        with self._transaction() as connection:
            dead = "SELECT row FROM documents WHERE deleted <= ?"
            connection.execute(f"DELETE FROM chunks WHERE document IN ({dead})", (generation,))
            connection.execute("DELETE FROM documents WHERE deleted <= ?", (generation,))

    def _bury(self, connection: sqlite3.Connection, generation: int, id_: str) -> None:
        """Deletes the live row of a document; one that was never published goes at once."""
        connection.execute(
            "DELETE FROM chunks WHERE document IN (SELECT row FROM documents WHERE id = ? AND added = ?)",
            (id_, generation),
        )
        connection.execute("DELETE FROM documents WHERE id = ? AND added = ?", (id_, generation))
        connection.execute("UPDATE documents SET deleted = ? WHERE id = ? AND deleted IS NULL", (generation, id_))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing. Raises `HomeNotWritable` if the disk is full or may not be written."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except sqlite3.OperationalError as error:
                raise HomeNotWritable(self._folder, str(error)) from error
            except sqlite3.DatabaseError as error:
                raise _translated(error, self._folder) from error
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def _all(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._connection.execute(statement, values).fetchall()
            except sqlite3.DatabaseError as error:
                raise _translated(error, self._folder) from error


def _make(path: Path, embedder: str, dimension: int) -> None:
    """Makes the file under a staging name: one that a killed process left half made would look like another
    program's. A WAL that stood beside an older file of this name would be played into the new one."""
    new = staging(path)
    try:
        for left in (*path.parent.glob(f"{new.name}*"), *path.parent.glob(f"{path.name}-*")):
            left.unlink()
        with closing(sqlite3.connect(new, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            _lay_out(connection, embedder, dimension)
            connection.execute("PRAGMA journal_mode = WAL")
        publish(path)
    except sqlite3.OperationalError as error:
        raise HomeNotWritable(path.parent, str(error)) from error
    except OSError as error:
        raise HomeNotWritable(path.parent, (error.strerror or str(error)).lower()) from error


def _lay_out(connection: sqlite3.Connection, embedder: str, dimension: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement in SCHEMA.split(";\n"):
        connection.execute(statement)
    connection.execute("INSERT INTO about VALUES (?, ?, ?)", (str(uuid4()), embedder, dimension))
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute("COMMIT")


def _translated(error: sqlite3.DatabaseError, folder: Path) -> UnusableIndex:
    """A damaged file, or one that is whole but could not be read just now: only the first should be removed."""
    if isinstance(error, sqlite3.ProgrammingError):
        return UnusableIndex(f"the index in {folder} was closed while it was read: ask again")
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)  # none if the text in it is not UTF-8
    if isinstance(error, sqlite3.OperationalError) and code != sqlite3.SQLITE_ERROR:
        return UnusableIndex(f"{folder / NAME} cannot be opened ({error}): check its permissions and the disk")
    return CorruptIndex(folder, f"{NAME} cannot be read ({error})", _remedy(folder))


def _remedy(folder: Path) -> str:
    return f"remove {folder} and run `selfroute index` on its files again"


def _address(path: Path) -> str:
    """The file as an SQLite URI. Beside a database in WAL mode SQLite must write, even to read; on a read-only
    disk it can only be opened as unchanging, which leaves a WAL unread: so only if there is none."""
    wal = path.with_name(path.name + "-wal")
    unchanging = not os.access(path.parent, os.W_OK, effective_ids=True) and not (wal.exists() and wal.stat().st_size)
    return path.resolve().as_uri() + ("?immutable=1" if unchanging else "?mode=rw")
