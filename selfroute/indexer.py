"""The write side: load, split, embed, publish. What is committed survives any interruption and is not embedded again.

Knows nothing of questions.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from selfroute.embedders import Embedder
from selfroute.index import Entry, Writer, writing
from selfroute.index.names import existing
from selfroute.ingest import loaders
from selfroute.ingest.chunker import Chunker, rule
from selfroute.ingest.loaders import File, Loaded
from selfroute.types import Chunk, Document

BATCH_CHUNKS = 256
"""Chunks that are embedded and committed together: an interruption costs no more than these."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A document that was not indexed, and why."""

    source: str
    reason: str


@dataclass(slots=True)
class Summary:
    """What an indexing run did. `chunks` and `tokens` (the embedder's) count what was embedded now;
    `total_documents` and `total_chunks` what the corpus holds after it."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: list[Failure] = field(default_factory=list)
    chunks: int = 0
    tokens: int = 0
    seconds: float = 0.0
    total_documents: int = 0
    total_chunks: int = 0


class Indexer:
    """Indexes files into corpora under `home`."""

    def __init__(self, home: Path, embedder: Embedder, chunk_tokens: int, chunk_words: int | None = None) -> None:
        self._home = home
        self._embedder = embedder
        self._chunking = rule(chunk_tokens, chunk_words)
        self._chunker = Chunker(embedder.count_tokens, chunk_tokens, chunk_words)

    def index(
        self, paths: Sequence[Path], corpus: str, progress: Callable[[int, int], None] = lambda done, total: None
    ) -> Summary:
        """Adds or updates the documents of `paths`; blocking. `progress` hears of bytes done and in all.

        A document whose text is unchanged is left alone. One that cannot be read is in `failed` and the rest goes
        on. Raises `UnreadableFile` for a path that does not exist, and what `index.writing` raises.
        """
        began = time.perf_counter()
        files = loaders.find(paths)
        summary = Summary()
        with writing(self._home, corpus, self._embedder.name, self._embedder.dimension) as writer:
            for batch in _batches(self._wanted(files, writer, summary, progress), self._chunker):
                self._commit(batch, writer, summary)
            if writer.entries():
                published = writer.publish()
                summary.total_documents, summary.total_chunks = published.documents, published.chunks
        summary.seconds = time.perf_counter() - began
        return summary

    def rebuild(self, corpus: str, progress: Callable[[int, int], None] = lambda done, total: None) -> Summary:
        """Splits and embeds what is stored anew, where another embedder or another rule made it; blocking.

        Reads no file. `updated` counts what was made anew; `progress` hears of documents done and in all. Until it
        is published the corpus answers as before; after an interruption it goes on where it was. Raises
        `UnknownCorpus` and what `index.writing` raises.
        """
        began = time.perf_counter()
        existing(self._home, corpus)
        summary = Summary()
        with writing(self._home, corpus, self._embedder.name, self._embedder.dimension, rebuild=True) as writer:
            entries = writer.entries()
            wanted = [id_ for id_, entry in entries.items() if not self._is_as_now(entry, entry.hash)]
            progress(0, len(wanted))
            for batch in _batches((writer.document(id_) for id_ in wanted), self._chunker):
                self._commit(batch, writer, summary)
                summary.updated += len(batch)
                progress(summary.updated, len(wanted))
            summary.unchanged = len(entries) - len(wanted)
            published = writer.publish()
            summary.total_documents, summary.total_chunks = published.documents, published.chunks
        summary.seconds = time.perf_counter() - began
        return summary

    def _wanted(
        self, files: Sequence[File], writer: Writer, summary: Summary, progress: Callable[[int, int], None]
    ) -> Iterator[Document]:
        """The documents that are new or changed; counts all others in `summary`."""
        have = writer.entries()
        seen: dict[str, Entry] = {}
        sizes = {file: loaders.size(file.path) for file in files}
        done, total = 0, sum(sizes.values())
        for file in files:
            inside = 0
            for loaded in loaders.load(file):
                document = loaded.document
                reason = loaded.reason or _collision(loaded, seen, have)
                if document is None or reason is not None:
                    summary.failed.append(Failure(loaded.source, reason or "holds no document"))
                elif document.id in seen or self._unchanged(document, have, writer):
                    summary.unchanged += 1
                else:
                    yield document
                    if document.id in have:
                        summary.updated += 1
                    else:
                        summary.added += 1
                if document is not None and reason is None:
                    seen.setdefault(
                        document.id, Entry(document.id, document.source, document.content_hash, self._chunking, 0)
                    )
                inside = min(inside + loaded.size, sizes[file])  # the file may have grown since
                progress(done + inside, total)
            done += sizes[file]
            progress(done, total)

    def _unchanged(self, document: Document, have: dict[str, Entry], writer: Writer) -> bool:
        entry = have.get(document.id)
        if entry is None or not self._is_as_now(entry, document.content_hash):
            return False
        if entry.source != document.source:
            writer.moved(document.id, document.source)
        return True

    def _is_as_now(self, entry: Entry, hash_: str) -> bool:
        """Whether this indexer would make the same of a text of this hash."""
        return (entry.hash, entry.chunking, entry.embedder) == (hash_, self._chunking, self._embedder.name)

    def _commit(self, batch: Sequence[tuple[Document, list[Chunk]]], writer: Writer, summary: Summary) -> None:
        embedded = self._embedder.embed([chunk.text for _, chunks in batch for chunk in chunks])
        items, at = [], 0
        for document, chunks in batch:
            items.append((document, chunks, embedded.vectors[at : at + len(chunks)]))
            at += len(chunks)
        writer.put(items, self._chunking)
        summary.chunks += at
        summary.tokens += embedded.tokens


def _batches(documents: Iterator[Document], chunker: Chunker) -> Iterator[list[tuple[Document, list[Chunk]]]]:
    batch: list[tuple[Document, list[Chunk]]] = []
    size = 0
    for document in documents:
        chunks = chunker.chunks(document)
        batch.append((document, chunks))
        size += len(chunks)
        if size >= BATCH_CHUNKS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _collision(loaded: Loaded, seen: dict[str, Entry], have: dict[str, Entry]) -> str | None:
    """Two different texts under one id would overwrite each other in turn: the second is refused."""
    document = loaded.document
    if document is None:
        return None
    other = seen.get(document.id)
    if other is not None and other.hash != document.content_hash:
        return f"its id {document.id!r} is that of another text, {other.source}: give it another id or name"
    entry = have.get(document.id)
    if entry is not None and entry.hash != document.content_hash and _still_there(entry.source, document.source):
        return f"its id {document.id!r} belongs to {entry.source}: index the folder above both, or another corpus"
    return None


def _still_there(old: str, new: str) -> bool:
    """Whether the old source is another file that still exists (a line of a jsonl file is found by its file)."""
    return _file(old) != _file(new) and os.path.exists(_file(old))


def _file(source: str) -> str:
    head, _, line = source.rpartition(":")
    return head if head.endswith(".jsonl") and line.isdigit() else source
