"""The write side: load, split, embed, publish. What is committed survives any interruption and is not embedded again.

Files are read and split in one thread, chunks are embedded in the caller's, documents are committed in a third; what
waits between them is bounded. Knows nothing of questions.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from selfroute import pipeline
from selfroute.changes import Changes, Failure, How, Part, Summary
from selfroute.embedders import Embedder
from selfroute.errors import NameTaken
from selfroute.index import Entry, Item, Kept, Writer, open_index, writing
from selfroute.index.freshness import files_of
from selfroute.index.names import existing
from selfroute.ingest import finder
from selfroute.ingest.chunker import Chunker, rule
from selfroute.ingest.finder import Choice, File
from selfroute.types import Vectors

BATCH_CHUNKS = 256
"""Chunks that are embedded at once, at most, and about as many as are committed together. An interruption costs those
of the documents under way and of the batch before, which may not be committed yet."""

MOST_SEARCHED = 32
"""Documents that are searched for when all is done, to see that they can be found; the others are looked up."""


@dataclass(slots=True)
class _Batch:
    items: list[Item]
    kept: list[Kept]
    replaced: list[str]


class Indexer:
    """Indexes files into corpora under `home`."""

    def __init__(
        self,
        home: Path,
        embedder: Embedder,
        chunk_tokens: int,
        chunk_words: int | None = None,
        ocr: bool = False,
    ) -> None:
        """With `ocr`, pages of files that are images of text are read too."""
        self._home = home
        self._embedder = embedder
        self._ocr = ocr
        self._chunking = rule(chunk_tokens, chunk_words)
        self._chunker = Chunker(embedder.count_tokens, chunk_tokens, chunk_words)

    def index(
        self,
        paths: Sequence[Path],
        corpus: str,
        progress: Callable[[int, int], None] = lambda done, total: None,
        *,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        sync: bool = False,
    ) -> Summary:
        """Adds or updates the documents of `paths`; blocking. `progress` hears of bytes done and in all.

        Of folders, files are taken that match one of the globs `include` (all, if there are none) and none of
        `exclude`, written as in `.gitignore`. A document whose file or text is unchanged is left alone. One that
        cannot be read is in `failed` and the rest goes on. With `sync`, documents whose files below `paths` (or lines
        of jsonl files) are gone are deleted. Raises `UnreadableFile` for a path that does not exist, `BadInput` for a
        glob that is none, and what `index.writing` raises.
        """
        found = finder.find(paths, Choice(tuple(include), tuple(exclude)), empty=sync)
        made, _ = self._index(found.files, corpus, progress, paths if sync else ())
        made.passed_over = found.passed_over
        return made

    def add(
        self,
        copies: Sequence[tuple[Path, str, str]],
        corpus: str,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> tuple[Summary, dict[str, str]]:
        """As `index`, of copies that will be gone: (path, id of the document, what the corpus says it came from).
        Returns with the summary the documents that are in the corpus for them, changed or not: id -> hex SHA-256 of
        the text."""
        return self._index([File(*copy) for copy in copies], corpus, progress)

    def create(self, corpus: str) -> None:
        """Makes a corpus without documents. Raises `NameTaken` and what `index.writing` raises."""
        with writing(self._home, corpus, self._embedder.name, self._embedder.dimension) as writer:
            if not writer.is_new:
                raise NameTaken(corpus)
            writer.publish()

    def findable(self, corpus: str, documents: Mapping[str, str]) -> list[str]:
        """Which of `documents`, id -> hash of the text, cannot be found by search in the published corpus as they are:
        none, where all is well. Raises what `open_index` raises."""
        index = open_index(self._home, corpus, self._embedder.name)
        try:
            stored = {id_: entry.hash for id_, entry in index.entries.items()}
            lost = [id_ for id_, hash_ in documents.items() if stored.get(id_) != hash_]
            vector = np.eye(1, self._embedder.dimension, dtype=np.float32)[0]  # in one document, any finds something
            looked_for = [id_ for id_ in documents if id_ not in lost][:MOST_SEARCHED]
            return lost + [id_ for id_ in looked_for if not index.search(vector, 1, [id_])]
        finally:
            index.close()

    def _index(
        self,
        files: Sequence[File],
        corpus: str,
        progress: Callable[[int, int], None],
        synced: Sequence[Path] = (),
    ) -> tuple[Summary, dict[str, str]]:
        """With `synced`, what is gone below those paths is deleted."""
        began = time.perf_counter()
        summary = Summary()
        with writing(self._home, corpus, self._embedder.name, self._embedder.dimension) as writer:
            reading = Changes(files, writer, self._how(), summary)
            self._run(writer, reading.parts(), summary, progress, reading.total)
            if synced:
                deleted = reading.gone(synced, writer.entries())
                writer.delete(deleted)
                summary.deleted = len(deleted)
            if writer.used():
                published = writer.publish()
                summary.total_documents, summary.total_chunks = published.documents, published.chunks
        summary.seconds = time.perf_counter() - began
        return summary, reading.taken()

    def rebuild(
        self,
        corpus: str,
        progress: Callable[[int, int], None] = lambda done, total: None,
        *,
        from_files: bool = False,
    ) -> Summary:
        """Splits and embeds what is stored anew, where another embedder or another rule made it; blocking.

        With `from_files`, the files are read again first, changed or not: after an update that reads them better.
        `failed` then names the documents whose files cannot be read, which stay as they are; without, no file is read.
        `updated` counts what was made anew; `progress` hears of documents (while files are read, of bytes) done and in
        all. Until it is published the corpus answers as before; after an interruption it goes on where it was. Raises
        `UnknownCorpus` and what `index.writing` raises.
        """
        began = time.perf_counter()
        existing(self._home, corpus)
        summary = Summary()
        with writing(self._home, corpus, self._embedder.name, self._embedder.dimension, rebuild=True) as writer:
            if from_files:
                files, lost = files_of(writer.entries().values(), writer.files())
                reading = Changes(files, writer, self._how(), summary, again=True)
                self._run(writer, reading.parts(), summary, progress, reading.total)
                summary.failed += [Failure(entry.source, _lost(entry)) for entry in lost]
            entries = writer.entries()
            wanted = [id_ for id_, entry in entries.items() if not self._is_as_now(entry)]
            progress(0, len(wanted))
            self._run(writer, self._stored(writer, wanted), summary, progress, len(wanted))
            summary.unchanged = len(entries) - summary.updated - summary.added
            published = writer.publish()
            summary.total_documents, summary.total_chunks = published.documents, published.chunks
        summary.seconds = time.perf_counter() - began
        return summary

    def _how(self) -> How:
        return How(self._chunker, self._chunking, self._embedder.name, self._ocr)

    def _run(
        self,
        writer: Writer,
        parts: Iterator[Part],
        summary: Summary,
        progress: Callable[[int, int], None],
        total: int,
    ) -> None:
        """Embeds and commits the documents of `parts`, which are made ahead of that."""
        with (
            pipeline.ahead(parts, _weight, BATCH_CHUNKS) as ahead,
            pipeline.behind(partial(self._put, writer), _always_one, 1) as put,
        ):
            self._embed(ahead, put, summary, progress, total)

    def _stored(self, writer: Writer, wanted: Sequence[str]) -> Iterator[Part]:
        for id_ in wanted:
            document = writer.document(id_)
            yield Part(1, document, self._chunker.chunks(document), known=True)

    def _is_as_now(self, entry: Entry) -> bool:
        """Tell whether this indexer would make the same chunks and vectors of the text."""
        return (entry.chunking, entry.embedder) == (self._chunking, self._embedder.name)

    def _embed(
        self,
        parts: Iterator[Part],
        put: Callable[[_Batch], None],
        summary: Summary,
        progress: Callable[[int, int], None],
        total: int,
    ) -> None:
        done = 0
        for batch in _batches(parts):
            texts = [chunk.shown for part in batch for chunk in part.chunks]
            made: list[Vectors] = []
            waiting, before, at = list(reversed(batch)), 0, 0
            while waiting:
                if at < len(texts):
                    embedded = self._embedder.embed(texts[at : at + BATCH_CHUNKS])
                    made.append(embedded.vectors)
                    at += len(embedded.vectors)
                    summary.chunks += len(embedded.vectors)
                    summary.tokens += embedded.tokens
                while waiting and before + len(waiting[-1].chunks) <= at:
                    part = waiting.pop()
                    before += len(part.chunks)
                    done += part.advance
                    progress(done, total)
                if waiting:
                    share = (at - before) / len(waiting[-1].chunks)
                    progress(done + int(waiting[-1].advance * share), total)
            kept = [part.kept for part in batch if part.kept is not None]
            put(_Batch(_items(batch, made), kept, [id_ for part in batch for id_ in part.replaced]))
            summary.added += sum(part.document is not None and not part.known for part in batch)
            summary.updated += sum(part.document is not None and part.known for part in batch)

    def _put(self, writer: Writer, batch: _Batch) -> None:
        if batch.items or batch.kept or batch.replaced:
            writer.put(batch.items, self._chunking, batch.kept, batch.replaced)


def _batches(parts: Iterator[Part]) -> Iterator[list[Part]]:
    batch: list[Part] = []
    size = 0
    for part in parts:
        batch.append(part)
        size += _weight(part)
        if size >= BATCH_CHUNKS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _weight(part: Part) -> int:
    return max(len(part.chunks), 1)


def _always_one(batch: _Batch) -> int:
    return 1


def _items(batch: Sequence[Part], made: Sequence[Vectors]) -> list[Item]:
    items: list[Item] = []
    vectors = np.concatenate(made) if made else np.zeros((0, 0), dtype=np.float32)
    at = 0
    for part in batch:
        if part.document is not None:
            items.append((part.document, part.chunks, vectors[at : at + len(part.chunks)]))
            at += len(part.chunks)
    return items


def _lost(entry: Entry) -> str:
    """Return what is said of a document whose file cannot be read again."""
    if os.path.isabs(entry.source):
        return f"its file is gone: {entry.id!r} stays as it was read before"
    return f"it came with no file that is here: {entry.id!r} stays as it was read before; upload it again"
