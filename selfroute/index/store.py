"""The truth of an index: documents, chunks and vectors in SQLite, stamped with generations.

A document row is live in generation g when `added <= g` and it is not `deleted` by g. Rows of a generation
above the published one are committed but not yet shown: an interrupted run finds them and need not embed
again. Chunk rows are never reused: FAISS segments know vectors by them. Knows nothing of FAISS or manifests.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from selfroute.errors import CorruptIndex, ForeignIndex, HomeNotWritable, UnreadableFile
from selfroute.index import layout
from selfroute.index.layout import NAME
from selfroute.index.vectors import Ids
from selfroute.ingest.finder import one_name
from selfroute.types import Chunk, Document, Vectors

LATEST = 2**62
"""A generation above all: sees what is committed, published or not."""

AT_ONCE = 500
"""Rows that one statement asks for: fewer than any SQLite takes."""

OF_DOCUMENTS = ("chunks", "pages", "warnings")
"""Tables whose rows are of a document."""

LIVE = "d.added <= :g AND (d.deleted IS NULL OR d.deleted > :g)"


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a document without its text: `hash` is the hex SHA-256 of it, `chunking` the rule it was split
    by, `tokens` the sum over its chunks, `embedder` what its vectors were made with, `warnings` and `readable` as in
    `Document`."""

    id: str
    source: str
    hash: str
    chunking: str
    tokens: int
    embedder: str = ""
    warnings: tuple[str, ...] = ()
    readable: float = 1.0


@dataclass(frozen=True, slots=True)
class Fault:
    """Damage in the store: to the document of this id, or to the file itself (`None`). `text`: even that is lost."""

    document: str | None
    reason: str
    text: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of which all is in the store: its path, its name below the folder that was indexed, a hash of its bytes
    and how many documents it held. One that is the same need not be read again."""

    path: str
    name: str
    hash: str
    documents: int


class Store:
    """One SQLite file (or `:memory:`). Usable from several threads, one at a time."""

    def __init__(self, folder: Path | None, connection: sqlite3.Connection, version: int = layout.VERSION) -> None:
        self._folder = folder or Path(":memory:")
        self._connection = connection
        self._version = version  # an earlier one until a writer has it
        self._lock = threading.Lock()

    @classmethod
    def create(cls, folder: Path | None) -> Store:
        """A new store in `folder`, or in memory. An existing one is opened, and brought up to date if an earlier
        selfroute made it."""
        if folder is None:
            connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
            layout.lay_out(connection)
            return cls(None, connection)
        if not (folder / NAME).exists():
            layout.make(folder / NAME)
        store = cls.open(folder)
        try:
            store._bring_up_to_date()
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Raises `CorruptIndex` or `ForeignIndex` if the file is not a whole store of ours, `UnusableIndex` if it
        may not be read."""
        path = folder / NAME
        if not path.exists() or path.stat().st_size < layout.HEADER:
            raise CorruptIndex(
                folder, f"{NAME} is {'cut short' if path.exists() else 'missing'}", layout.remedy(folder)
            )
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(
                layout.address(path), uri=True, check_same_thread=False, isolation_level=None, timeout=30
            )
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            if application != layout.APPLICATION:
                raise ForeignIndex(folder, f"its {NAME} was not written by selfroute; use another corpus name")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > layout.VERSION:
                raise ForeignIndex(folder, f"its {NAME} has version {version}, not {layout.VERSION}; update selfroute")
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, layout.DAMAGE):
                raise layout.translated(error, folder) from error
            raise
        return cls(folder, connection, version)

    def close(self) -> None:
        """Waits for what another thread reads: a question that is cancelled leaves its worker threads running, and
        SQLite would crash the process."""
        with self._lock:
            self._connection.close()

    def about(self) -> tuple[str, int]:
        """(the store's own id, the generation that was last published)."""
        rows = self._all("SELECT store, published FROM about")
        if len(rows) != 1 or not isinstance(rows[0][0], str) or not isinstance(rows[0][1], int):
            raise CorruptIndex(self._folder, f"{NAME} does not say which it is", layout.remedy(self._folder))
        return rows[0][0], rows[0][1]

    def last_stamp(self) -> int:
        """The highest generation that any row names; 0 for an empty store."""
        [(added, deleted)] = self._all(
            "SELECT (SELECT max(added) FROM documents), (SELECT max(deleted) FROM documents)"
        )
        return max(added or 0, deleted or 0)

    def entries(self, generation: int) -> list[Entry]:
        """The live documents by id."""
        rows = self._all(
            f"SELECT row, id, source, hash, chunking, tokens, embedder FROM documents d WHERE {LIVE} ORDER BY id",
            g=generation,
        )
        warnings = self._warnings()
        none: tuple[tuple[str, ...], float] = ((), 1.0)
        entries = []
        for row, id_, source, hash_, chunking, tokens, embedder in rows:
            told, readable = warnings.get(row, none)
            entries.append(Entry(id_, source, hash_, chunking, tokens, embedder, told, readable))
        return entries

    def counts(self, generation: int) -> tuple[int, int, int]:
        """(documents, chunks, tokens) that are live."""
        [(documents, tokens)] = self._all(
            f"SELECT count(*), coalesce(sum(tokens), 0) FROM documents d WHERE {LIVE}", g=generation
        )
        [(chunks,)] = self._all(
            f"SELECT count(*) FROM chunks c JOIN documents d ON d.row = c.document WHERE {LIVE}", g=generation
        )
        return documents, chunks, tokens

    def gained(self, after: int, generation: int) -> tuple[int, int, int]:
        """(documents, chunks, tokens) that `generation` has more than the earlier `after`; a part may be negative.
        Takes as long as they are many, however many there are beside them."""
        [row] = self._all(
            "SELECT coalesce(sum(sign), 0), coalesce(sum(sign * size), 0), coalesce(sum(sign * tokens), 0) FROM "
            "(SELECT sign, tokens, (SELECT count(*) FROM chunks c WHERE c.document = n.row) AS size FROM ("
            f"SELECT row, tokens, 1 AS sign FROM documents d WHERE d.added > :after AND {LIVE} UNION ALL "
            "SELECT row, tokens, -1 FROM documents WHERE deleted > :after AND deleted <= :g AND added <= :after) n)",
            after=after,
            g=generation,
        )
        return row[0], row[1], row[2]

    def embedders(self, generation: int) -> list[str]:
        """What made the vectors of the live documents that have any."""
        rows = self._all(f"SELECT DISTINCT embedder FROM documents d WHERE {LIVE} AND tokens > 0", g=generation)
        return sorted(embedder for (embedder,) in rows)

    def made_with(self) -> list[str]:
        """What made the vectors that were last published; of those that are there, if none were."""
        return self.embedders(self.about()[1]) or self.embedders(LATEST)

    def chunk_counts(self, generation: int) -> dict[str, int]:
        """Live documents by id, each with the number of its chunks."""
        return dict(
            self._all(
                f"SELECT d.id, (SELECT count(*) FROM chunks WHERE document = d.row) FROM documents d WHERE {LIVE}",
                g=generation,
            )
        )

    def document(self, id: str, generation: int) -> Document | None:  # noqa: A002 (the field's own name)
        rows = self._all(
            f"SELECT row, id, text, source FROM documents d WHERE d.id = :id AND {LIVE}", g=generation, id=id
        )
        for row, id_, text, source in rows:
            return Document(id_, text, source, self._pages(row), *self._warnings(row).get(row, ((), 1.0)))
        return None

    def pages(self, id: str, generation: int) -> tuple[int, ...]:  # noqa: A002
        """The page map of a document; empty if it has none."""
        rows = self._all(f"SELECT row FROM documents d WHERE d.id = :id AND {LIVE}", g=generation, id=id)
        return self._pages(rows[0][0]) if rows else ()

    def files(self) -> list[Kept]:
        """The files that need not be read again while they are the same and their documents are there; without those
        of which what is known is damaged."""
        try:
            rows = self._all("SELECT path, name, hash, documents, seal FROM files")
        except CorruptIndex:
            return []
        return [Kept(*known) for *known, seal in rows if _sealed_file(Kept(*known)) == seal]

    def _pages(self, row: int) -> tuple[int, ...]:
        found = self._all("SELECT starts FROM pages WHERE document = :row", row=row)
        return tuple(json.loads(found[0][0])) if found else ()

    def _warnings(self, row: int | None = None) -> dict[int, tuple[tuple[str, ...], float]]:
        """By the row of a document: what could not be read of it, and the share that could. Few have any."""
        if self._version < layout.VERSION:
            return {}
        only = "" if row is None else " WHERE document = :row"
        found = self._all(f"SELECT document, warnings, readable FROM warnings{only}", row=row)
        return {document: (tuple(json.loads(warnings)), readable) for document, warnings, readable in found}

    @property
    def _header(self) -> str:
        return "c.header" if self._version >= layout.VERSION else "''"

    def chunks(self, rows: Sequence[int]) -> dict[int, Chunk]:
        """Chunks by row, with their text; those that are there."""
        places: dict[int, list[tuple[int, str, int, int, int, str]]] = {}  # by their document's row
        for document, *place in self._among(
            f'SELECT d.row, c.row, d.id, c.start, c."end", c.tokens, {self._header} '
            "FROM chunks c JOIN documents d ON d.row = c.document WHERE c.row IN",
            rows,
        ):
            places.setdefault(document, []).append(tuple(place))
        pieces = dict(
            self._among(
                'SELECT c.document, substr(text, c.start + 1, c."end" - c.start) '
                "FROM chunks c JOIN documents d ON d.row = c.document WHERE c.row IN",
                [chunks[0][0] for chunks in places.values() if len(chunks) == 1],
            )
        )
        found: dict[int, Chunk] = {}
        for document, chunks in places.items():
            first, last = min(start for *_, start, _, _, _ in chunks), max(end for *_, end, _, _ in chunks)
            if len(chunks) > 1:  # in one piece: to cut something out of a text SQLite reads all of it
                pieces |= self._all(
                    "SELECT row, substr(text, :first + 1, :last - :first) FROM documents WHERE row = :row "
                    # Which may by now be another document's; a chunk's row is never another's.
                    "AND EXISTS (SELECT 1 FROM chunks WHERE row = :chunk AND document = :row)",
                    first=first,
                    last=last,
                    row=document,
                    chunk=chunks[0][0],
                )
            text = pieces.get(document)
            if text is not None:
                for chunk, id_, start, end, tokens, header in chunks:
                    found[chunk] = Chunk(id_, start, end, text[start - first : end - first], tokens, header)
        return {row: found[row] for row in rows if row in found}

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

    def vectors(self, generation: int, dimension: int, after: int = 0) -> tuple[Ids, Vectors]:
        """Rows and vectors of the live chunks whose rows are above `after`, ascending."""
        ids: list[int] = []
        blob = bytearray()
        for row, vector in self._each(
            "SELECT c.row, c.vector FROM chunks c JOIN documents d ON d.row = c.document "
            f"WHERE c.row > :after AND {LIVE} ORDER BY c.row",
            g=generation,
            after=after,
        ):
            if len(vector) != 4 * dimension:
                raise CorruptIndex(self._folder, f"chunk {row} has no vector of {dimension} dimensions")
            ids.append(row)
            blob += vector
        return np.asarray(ids, dtype=np.int64), np.frombuffer(blob, dtype="<f4").reshape(len(ids), dimension)

    def width(self) -> int | None:
        """The dimension of any one vector, or `None` if there is none."""
        rows = self._all("SELECT length(vector) / 4 FROM chunks LIMIT 1")
        return int(rows[0][0]) if rows else None

    def size(self, after: int, generation: int) -> int:
        """How many live chunks have rows above `after`."""
        [(chunks,)] = self._all(
            f"SELECT count(*) FROM chunks c JOIN documents d ON d.row = c.document WHERE c.row > :after AND {LIVE}",
            after=after,
            g=generation,
        )
        return int(chunks)

    def dead_rows(self, after: int, generation: int) -> list[int]:
        """Rows of chunks that were deleted after generation `after`, by `generation`."""
        found = self._all(
            "SELECT c.row FROM chunks c JOIN documents d ON d.row = c.document "
            "WHERE d.deleted > :after AND d.deleted <= :g",
            after=after,
            g=generation,
        )
        return [row for (row,) in found]

    def put(
        self,
        generation: int,
        items: Iterable[tuple[Document, Sequence[Chunk], Vectors]],
        chunking: str,
        embedder: str,
        files: Iterable[Kept] = (),
        replaced: Iterable[str] = (),
    ) -> None:
        """In one transaction, adds documents with chunks and vectors, and deletes what they replace: what has their
        ids, and `replaced`, the ids of others. `files` are those of which all documents are in the store with this."""
        with self._transaction() as connection:
            for id_ in replaced:
                self._forget_file(connection, id_)
                self._bury(connection, generation, id_)
            for document, chunks, vectors in items:
                if "\0" in document.text:  # SQLite would end every chunk behind it
                    raise UnreadableFile(document.source, "holds NUL characters: it is not text")
                self._bury(connection, generation, document.id)
                tokens = sum(chunk.tokens for chunk in chunks)
                row = connection.execute(
                    "INSERT INTO documents (id, source, hash, text, chunking, tokens, added, embedder) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        *(document.id, document.source, document.content_hash, document.text),
                        *(chunking, tokens, generation, embedder),
                    ),
                ).lastrowid
                connection.executemany(
                    'INSERT INTO chunks (document, start, "end", tokens, vector, header) VALUES (?, ?, ?, ?, ?, ?)',
                    [
                        (row, chunk.start, chunk.end, chunk.tokens, vector.astype("<f4").tobytes(), chunk.header)
                        for chunk, vector in zip(chunks, vectors, strict=True)
                    ],
                )
                if document.pages:
                    connection.execute("INSERT INTO pages VALUES (?, ?)", (row, json.dumps(document.pages)))
                if document.warnings:
                    connection.execute(
                        "INSERT INTO warnings VALUES (?, ?, ?)",
                        (row, json.dumps(document.warnings), document.readable),
                    )
                _seal(connection, row)
            connection.executemany(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)",
                [(*astuple(file), _sealed_file(file)) for file in files],
            )

    def delete(self, generation: int, ids: Iterable[str]) -> None:
        """In one transaction, deletes documents, and what is known of their files."""
        with self._transaction() as connection:
            for id_ in ids:
                self._forget_file(connection, id_)
                self._bury(connection, generation, id_)

    def drop_chunks(self, generation: int, id: str) -> None:  # noqa: A002
        """Leaves a document its text alone, by no rule of splitting: whatever splits it next makes its chunks anew."""
        document = self.document(id, LATEST)
        if document is not None:
            self.put(generation, [(document, [], np.zeros((0, 1), dtype=np.float32))], "", "")

    def moved(self, id: str, source: str) -> None:  # noqa: A002
        """The same text is now found elsewhere."""
        with self._transaction() as connection:
            rows = connection.execute("SELECT row FROM documents WHERE id = ? AND deleted IS NULL", (id,)).fetchall()
            self._forget_file(connection, id)
            for (row,) in rows:
                connection.execute("UPDATE documents SET source = ? WHERE row = ?", (source, row))
                _seal(connection, row)

    def forget(self, generation: int, embedder: str) -> None:
        """Takes back what another embedder has made since `generation`: what an interrupted rebuild leaves, if the
        settings are those from before it again."""
        with self._transaction() as connection:
            pending = connection.execute(
                "SELECT row, id FROM documents WHERE added > ? AND embedder NOT IN (?, '')", (generation, embedder)
            ).fetchall()
            if pending:  # what is known of files is of what is taken back
                connection.execute("DELETE FROM files")
            for row, _ in pending:
                for table in OF_DOCUMENTS:
                    connection.execute(f"DELETE FROM {table} WHERE document = ?", (row,))
                connection.execute("DELETE FROM documents WHERE row = ?", (row,))
            names = {one_name(id_) for _, id_ in pending}
            deleted = connection.execute("SELECT row, id FROM documents WHERE deleted > ?", (generation,)).fetchall()
            for row, id_ in deleted:
                if one_name(id_) in names:  # it may have been replaced under its name in another form
                    connection.execute("UPDATE documents SET deleted = NULL WHERE row = ?", (row,))

    def purge(self, generation: int, published: int) -> None:
        """Removes rows that were already dead in `generation`, and notes that `published` is."""
        with self._transaction() as connection:
            dead = "SELECT row FROM documents WHERE deleted <= ?"
            for table in OF_DOCUMENTS:
                connection.execute(f"DELETE FROM {table} WHERE document IN ({dead})", (generation,))
            connection.execute("DELETE FROM documents WHERE deleted <= ?", (generation,))
            connection.execute("UPDATE about SET published = ?", (published,))

    def faults(self, generation: int) -> list[Fault]:
        """All that is wrong with what is live, found by reading every byte of it. Reads on where it can."""
        found: list[Fault] = []
        try:
            found += [Fault(None, f"{NAME}: {said}") for (said,) in self._all("PRAGMA integrity_check") if said != "ok"]
            rows = self._all(f"SELECT row, id FROM documents d WHERE {LIVE} ORDER BY id", g=generation)
        except CorruptIndex as error:
            return [*found, Fault(None, str(error.__cause__ or error))]
        schema = {name for (name,) in self._all("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")}
        lost = layout.names(self._version) - schema
        found += [Fault(None, f"{NAME} lacks {', '.join(sorted(lost))}")] if lost else []
        for row, id_ in rows:
            fault = self._fault(row, id_)
            found += [fault] if fault else []
        try:
            found += [
                Fault(None, f"what {NAME} knows of a file differs from its checksum") for _ in self._damaged_files()
            ]
        except CorruptIndex as error:
            found.append(Fault(None, str(error.__cause__ or error)))
        [(highest, sequence)] = self._all(
            "SELECT coalesce((SELECT max(row) FROM chunks), 0), "
            "coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'chunks'), 0)"
        )
        if not (isinstance(sequence, int) and isinstance(highest, int)) or sequence < highest:
            found.append(
                Fault(None, f"{NAME} counts {sequence} chunks ever made and holds one with the number {highest}")
            )
        return found

    def mend(self) -> None:
        """Makes SQLite's own indexes anew from the tables, and forgets files of which not all is known: they are read
        again."""
        with self._transaction() as connection:
            for statement in layout.statements(layout.INDEXES):
                name = statement.split()[2]
                connection.execute(f"DROP INDEX IF EXISTS {name}")
                connection.execute(statement)
            connection.execute("REINDEX")
        try:
            whole = not self._damaged_files()
        except CorruptIndex:
            whole = False
        if not whole:
            with self._transaction() as connection:
                connection.execute("DROP TABLE files")
                connection.execute(layout.FILES_TABLE)

    def _damaged_files(self) -> list[int]:
        rows = self._all("SELECT rowid, path, name, hash, documents, seal FROM files")
        return [row for row, *known, seal in rows if _sealed_file(Kept(*known)) != seal]

    def _fault(self, row: int, id_: str) -> Fault | None:
        try:
            [(text, hash_, seal)] = self._all("SELECT text, hash, seal FROM documents WHERE row = :row", row=row)
            warnings = self._warnings(row).get(row, ((), 1.0))
            if Document(id_, text, "", self._pages(row), *warnings).content_hash != hash_:
                return Fault(id_, "its text differs from its checksum", text=True)
            with self._lock:
                whole = _sealed(self._connection, row) == seal
            return None if whole else Fault(id_, "its entry, its chunks or its vectors differ from their checksum")
        except (CorruptIndex, sqlite3.DatabaseError, AttributeError, TypeError, ValueError, OverflowError) as error:
            return Fault(id_, f"it cannot be read ({error})", text=True)

    def _bring_up_to_date(self) -> None:
        (version,) = self._all("PRAGMA user_version")[0]
        if version == layout.VERSION:
            return
        earliest = layout.EARLIER + layout.FILES + layout.INDEXES if version == 0 else ""
        with self._transaction() as connection:
            for statement in layout.statements(earliest + layout.HEADERS + layout.WARNINGS):
                connection.execute(statement)
            if earliest:
                for (row,) in connection.execute("SELECT row FROM documents").fetchall():
                    _seal(connection, row)
            connection.execute(f"PRAGMA user_version = {layout.VERSION}")
        self._version = layout.VERSION

    def _forget_file(self, connection: sqlite3.Connection, id_: str) -> None:
        """The document's file, or the one that it is a line of."""
        for (source,) in connection.execute(
            "SELECT source FROM documents WHERE id = ? AND deleted IS NULL", (id_,)
        ).fetchall():
            connection.execute("DELETE FROM files WHERE path IN (?, ?)", (source, source.rpartition(":")[0]))

    def _bury(self, connection: sqlite3.Connection, generation: int, id_: str) -> None:
        """Deletes the live row of a document; one that was never published goes at once."""
        for table in OF_DOCUMENTS:
            connection.execute(
                f"DELETE FROM {table} WHERE document IN (SELECT row FROM documents WHERE id = ? AND added = ?)",
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
                if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:  # the schema is not what it was
                    raise layout.translated(error, self._folder) from error
                raise HomeNotWritable(self._folder, str(error)) from error
            except layout.DAMAGE as error:
                raise layout.translated(error, self._folder) from error
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def _each(self, statement: str, **values: object) -> Iterator[tuple[Any, ...]]:
        """Row by row, for what would not fit in memory twice."""
        with self._lock:
            try:
                yield from self._connection.execute(statement, values)
            except layout.DAMAGE as error:
                raise layout.translated(error, self._folder) from error

    def _among(self, statement: str, rows: Sequence[int]) -> Iterator[tuple[Any, ...]]:
        """Return what a statement that ends with `IN` finds, some rows at once: a statement a row takes several times
        as long."""
        for at in range(0, len(rows), AT_ONCE):
            some = rows[at : at + AT_ONCE]
            yield from self._all(f"{statement} ({', '.join('?' * len(some))})", *some)

    def _all(self, statement: str, *places: object, **values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._connection.execute(statement, places or values).fetchall()
            except layout.DAMAGE as error:
                raise layout.translated(error, self._folder) from error


def _seal(connection: sqlite3.Connection, row: int | None) -> None:
    connection.execute("UPDATE documents SET seal = ? WHERE row = ?", (_sealed(connection, row), row))


def _sealed_file(kept: Kept) -> str:
    return sha256(json.dumps(astuple(kept), default=repr).encode()).hexdigest()


def _sealed(connection: sqlite3.Connection, row: int | None) -> str:
    """SHA-256 over all that is known of a document but its text and warnings (of which `hash` is) and when it was
    deleted. A chunk without a header is sealed as it was when chunks had none."""
    columns = "id, source, hash, chunking, tokens, added, embedder"
    [entry] = connection.execute(f"SELECT {columns} FROM documents WHERE row = ?", (row,)).fetchall()
    made = sha256(json.dumps(entry, default=repr).encode())
    headed = connection.execute("SELECT 1 FROM pragma_table_info('chunks') WHERE name = 'header'").fetchone()
    for start, end, tokens, vector, header in connection.execute(
        f'SELECT start, "end", tokens, vector, {"header" if headed else repr("")} FROM chunks WHERE document = ? '
        "ORDER BY row",
        (row,),
    ):
        made.update(json.dumps((start, end, tokens, *([header] if header else [])), default=repr).encode())
        made.update(vector)
    return made.hexdigest()
