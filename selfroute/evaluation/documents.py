"""Documents of datasets, split and embedded once: a cache in SQLite keyed by content, chunking and embedder.

Its loss costs time and nothing else. Blocking: call it in a worker thread from async code.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import numpy as np

from selfroute.embedders import Embedder
from selfroute.errors import HomeNotWritable, UnusableIndex
from selfroute.index import Index
from selfroute.ingest.chunker import Chunker, rule
from selfroute.types import Chunk, Document, Vectors

NAME = "evaluation-cache.sqlite"
SCHEMA = "CREATE TABLE IF NOT EXISTS documents (key TEXT PRIMARY KEY, chunks TEXT NOT NULL, vectors BLOB NOT NULL)"


class DocumentCache:
    """`embedded` counts the chunks that were embedded because they were not in the cache."""

    def __init__(self, path: Path, embedder: Embedder, chunk_tokens: int, chunk_words: int | None = None) -> None:
        self._path = path
        self._embedder = embedder
        self._limits = (chunk_tokens, chunk_words)
        self._chunker: Chunker | None = None
        self._lock = threading.Lock()
        self.embedded = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HomeNotWritable(path.parent, (error.strerror or str(error)).lower()) from error
        with self._translated():
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=60)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")  # a lost row is embedded again
            self._connection.execute(SCHEMA)

    def index(self, document: Document) -> Index:
        """The document as an index in memory: `Engine.ask` answers from it. Close it after use."""
        chunks, vectors = self._found(document) or self._made(document)
        return Index.in_memory(document.id, self._embedder.name, [(document, chunks, vectors)], rule(*self._limits))

    def close(self) -> None:
        self._connection.close()

    def _found(self, document: Document) -> tuple[Sequence[Chunk], Vectors] | None:
        with self._lock, self._translated():
            row = self._connection.execute(
                "SELECT chunks, vectors FROM documents WHERE key = ?", (self._key(document),)
            ).fetchone()
        if row is None:
            return None
        spans = json.loads(row[0])
        chunks = [
            Chunk(document.id, start, end, document.text[start:end], tokens, header)
            for start, end, tokens, header in spans
        ]
        return chunks, np.frombuffer(row[1], dtype="<f4").reshape(len(chunks), self._embedder.dimension)

    def _made(self, document: Document) -> tuple[Sequence[Chunk], Vectors]:
        # Made at the first need: the splitter takes a second to import, and a run that goes on may not need it.
        self._chunker = self._chunker or Chunker(self._embedder.count_tokens, *self._limits)
        chunks = self._chunker.chunks(document)
        vectors = self._embedder.embed([chunk.shown for chunk in chunks]).vectors
        spans = json.dumps([(chunk.start, chunk.end, chunk.tokens, chunk.header) for chunk in chunks])
        with self._lock, self._translated():
            self._connection.execute(
                "INSERT OR REPLACE INTO documents VALUES (?, ?, ?)",
                (self._key(document), spans, vectors.astype("<f4").tobytes()),
            )
            self.embedded += len(chunks)
        return chunks, vectors

    def _key(self, document: Document) -> str:
        return sha256(f"{document.content_hash} {rule(*self._limits)} {self._embedder.name}".encode()).hexdigest()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise HomeNotWritable(self._path, str(error)) from error
        except sqlite3.DatabaseError as error:
            raise UnusableIndex(f"{self._path} cannot be read ({error}): remove it, it is only a cache") from error
