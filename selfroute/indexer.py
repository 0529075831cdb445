"""The write side: load, split, embed, publish. What is committed survives any interruption and is not embedded again.

Files are read and split in one thread, chunks are embedded in the caller's, documents are committed in a third; what
waits between them is bounded. Knows nothing of questions.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import file_digest
from pathlib import Path
from shlex import quote

import numpy as np

from selfroute import pipeline
from selfroute.embedders import Embedder
from selfroute.errors import NameTaken
from selfroute.index import Entry, Item, Kept, Writer, open_index, writing
from selfroute.index.claims import Claim, Claims, still_there
from selfroute.index.freshness import file_of, files_of
from selfroute.index.names import existing
from selfroute.ingest import finder, loaders
from selfroute.ingest.chunker import Chunker, rule
from selfroute.ingest.finder import Choice, File, one_name
from selfroute.ingest.loaders import Loaded
from selfroute.types import Chunk, Document, Vectors

BATCH_CHUNKS = 256
"""Chunks that are embedded at once, at most, and about as many as are committed together. An interruption costs those
of the documents under way and of the batch before, which may not be committed yet."""

MOST_SEARCHED = 32
"""Documents that are searched for when all is done, to see that they can be found; the others are looked up."""

MOST_NAMED = 10
"""Documents that a command names which removes them."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A document that was not indexed, and why."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Warned:
    """A document that was read now, and what of it could not be read or may have been read wrongly."""

    document: str
    warning: str


@dataclass(slots=True)
class Summary:
    """What an indexing run did. `chunks` and `tokens` (the embedder's) count what was embedded now;
    `total_documents` and `total_chunks` what the corpus holds after it. `passed_over` counts, by their suffix, the
    files of folders that no loader reads."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    failed: list[Failure] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)
    passed_over: Mapping[str, int] = field(default_factory=dict)
    chunks: int = 0
    tokens: int = 0
    seconds: float = 0.0
    total_documents: int = 0
    total_chunks: int = 0


@dataclass(slots=True)
class _Part:
    """Describes what reading hands on: a document to embed, if there is one; how many of the files' bytes are done with
    it; the ids of others that go when it is in the store; and the file, if this is its end and all of it is or will be
    there."""

    advance: int
    document: Document | None = None
    chunks: Sequence[Chunk] = ()
    known: bool = False
    replaced: Sequence[str] = ()
    kept: Kept | None = None


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
            lost = [id_ for id_, hash_ in documents.items() if index.entries.get(id_, _NONE).hash != hash_]
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
            reading = _Reading(files, writer, self._how(), summary)
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
                reading = _Reading(files, writer, self._how(), summary, again=True)
                self._run(writer, reading.parts(), summary, progress, reading.total)
                summary.failed += [Failure(entry.source, _lost(entry)) for entry in lost]
            entries = writer.entries()
            wanted = [id_ for id_, entry in entries.items() if not self._is_as_now(entry, entry.hash)]
            progress(0, len(wanted))
            self._run(writer, self._stored(writer, wanted), summary, progress, len(wanted))
            summary.unchanged = len(entries) - summary.updated - summary.added
            published = writer.publish()
            summary.total_documents, summary.total_chunks = published.documents, published.chunks
        summary.seconds = time.perf_counter() - began
        return summary

    def _how(self) -> _How:
        return _How(self._chunker, self._chunking, self._embedder.name, self._ocr)

    def _run(
        self,
        writer: Writer,
        parts: Iterator[_Part],
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

    def _stored(self, writer: Writer, wanted: Sequence[str]) -> Iterator[_Part]:
        for id_ in wanted:
            document = writer.document(id_)
            yield _Part(1, document, self._chunker.chunks(document), known=True)

    def _is_as_now(self, entry: Entry, hash_: str) -> bool:
        """Whether this indexer would make the same of a text of this hash."""
        return (entry.hash, entry.chunking, entry.embedder) == (hash_, self._chunking, self._embedder.name)

    def _embed(
        self,
        parts: Iterator[_Part],
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


@dataclass(frozen=True, slots=True)
class _How:
    """Describes how files become chunks."""

    chunker: Chunker
    chunking: str
    embedder: str
    ocr: bool


class _Reading:
    """Reads files and splits what is new or changed; counts in `summary` what is neither. `total` are the bytes of
    all files."""

    def __init__(
        self,
        files: Sequence[File],
        writer: Writer,
        how: _How,
        summary: Summary,
        again: bool = False,
    ) -> None:
        """With `again`, files that are known are read too."""
        self._files = files
        self._writer = writer
        self._how = how
        self._summary = summary
        self._have = writer.entries()
        self._claims = Claims(self._have)
        self._kept = {} if again else writer.files()
        self._of_file: dict[str, list[Entry]] = {}
        for entry in self._have.values():
            self._of_file.setdefault(file_of(entry.source), []).append(entry)
        self._seen: dict[str, Entry] = {}  # by composed id, each under the id that it has in the store
        self._done: set[str] = set()  # ids of stored documents that are up to date, or gone, with this run
        self._refused: list[tuple[int, tuple[Entry, ...]]] = []  # the number of a failure, what is stored of it
        self._whole: set[str] = set()
        self._sizes = {file: finder.size(file.path) for file in files}
        self.total = sum(self._sizes.values())

    def parts(self) -> Iterator[_Part]:
        for file in self._files:
            path = file.origin
            state, fingerprint = _state(file.path), _fingerprint(file.path, self._how.ocr)
            if self._is_kept(path, file, fingerprint):
                entries = self._of_file[path]
                self._seen.update({one_name(entry.id): entry for entry in entries})
                self._done.update(entry.id for entry in entries)
                self._summary.unchanged += len(entries)
                self._whole.add(path)
                yield _Part(self._sizes[file])
                continue
            owned, left, failures = set(), self._sizes[file], len(self._summary.failed)
            loaded_all = 0
            for loaded in loaders.load(file, self._how.ocr):
                advance = min(loaded.size, left)  # the file may have grown since
                left -= advance
                loaded_all += 1
                part = self._part(loaded, advance)
                document = loaded.document
                if document is not None and self._seen.get(document.id, _NONE).source == document.source:
                    owned.add(document.id)
                yield part
            kept = None
            if len(self._summary.failed) == failures:
                self._whole.add(path)
                if fingerprint is not None and len(owned) == loaded_all and _state(file.path) == state:
                    kept = Kept(path, file.id, fingerprint, loaded_all)
            yield _Part(left, kept=kept)
        for number, stored in self._refused:  # only now is known what has been overwritten
            failure = self._summary.failed[number]
            told = f"{failure.reason}{self._earlier(failure.source, stored)}"
            self._summary.failed[number] = Failure(failure.source, told)

    def taken(self) -> dict[str, str]:
        """The documents that are in the corpus for these files: id -> hash. To be called after all parts were taken."""
        return {entry.id: entry.hash for entry in self._seen.values()}

    def gone(self, paths: Sequence[Path], entries: dict[str, Entry]) -> list[str]:
        """Ids of documents below `paths` whose files are not there any more, or whose lines are not in their files.
        To be called after all parts were taken."""
        roots = [finder.shown(os.path.realpath(path)).rstrip("/") for path in paths]
        found = {file.origin for file in self._files}
        refused = {entry.id for _, stored in self._refused for entry in stored}
        deleted = []
        for entry in entries.values():
            path = file_of(entry.source)
            if entry.id in refused or not any(path == root or path.startswith(root + "/") for root in roots):
                continue
            if (path in self._whole and entry.id not in self._done) or (path not in found and finder.gone(path)):
                deleted.append(entry.id)
        return deleted

    def _part(self, loaded: Loaded, advance: int) -> _Part:
        document = loaded.document
        seen = self._seen.get(document.id) if document is not None else None
        claim = self._claims.of(document, seen) if document is not None else Claim()
        reason = loaded.reason or claim.reason
        if document is None or reason is not None:
            self._refused.append((len(self._summary.failed), claim.others))
            self._summary.failed.append(Failure(loaded.source, reason or "holds no document"))
            return _Part(advance)
        new = Entry(document.id, document.source, document.content_hash, self._how.chunking, 0, self._how.embedder)
        replaced = [entry.id for entry in claim.others]
        self._done.update(replaced)
        if seen is not None or self._unchanged(new, claim.held):
            self._summary.unchanged += 1
            if seen is None and claim.held is not None:
                self._took(replace(new, id=claim.held.id))
            return _Part(advance, replaced=replaced)
        self._took(new)
        self._summary.warnings += [Warned(document.id, warning) for warning in document.warnings]
        chunks = self._how.chunker.chunks(document)
        return _Part(advance, document, chunks, document.id in self._have or bool(replaced), replaced)

    def _took(self, new: Entry) -> None:
        self._seen[one_name(new.id)] = new
        self._done.add(new.id)

    def _earlier(self, source: str, stored: Sequence[Entry]) -> str:
        """Return what is said of a file that cannot be read any more, or is refused, and of which there is earlier
        text."""
        of_it = [entry for entry in self._of_file.get(file_of(source), []) if source in (entry.source, file_of(source))]
        ids = list(dict.fromkeys(entry.id for entry in (*of_it, *stored) if entry.id not in self._done))
        if not ids:
            return ""
        stays, corpus = "; what was indexed of it before stays in the corpus", f"--corpus {self._writer.name}"
        if len(ids) > MOST_NAMED:
            return (
                f"{stays}, {len(ids):,} documents: `selfroute documents list {corpus}` names them, and `selfroute "
                f"documents delete {quote(ids[0])} {corpus}` removes one, or all whose ids are given"
            )
        named = " ".join(map(quote, ids))
        options = f"{corpus} -- {named}" if any(id_.startswith("-") for id_ in ids) else f"{named} {corpus}"
        return f"{stays}: to remove that, run `selfroute documents delete {options}`"

    def _unchanged(self, new: Entry, held: Entry | None) -> bool:
        if held is None or (held.hash, *_made(held)) != (new.hash, *_made(new)):
            return False
        if still_there(held.source, new.source):
            return True
        if held.id != new.id:  # it takes the one form
            return False
        if held.source != new.source:
            self._writer.moved(new.id, new.source)
        return True

    def _is_kept(self, path: str, file: File, fingerprint: str | None) -> bool:
        """Whether all that reading the file would give is known to be in the store already."""
        entries = self._of_file.get(path, [])
        return (
            fingerprint is not None
            and self._kept.get(path) == Kept(path, file.id, fingerprint, len(entries))
            and all(
                _made(entry) == (self._how.chunking, self._how.embedder) and one_name(entry.id) not in self._seen
                for entry in entries
            )
        )


def _made(entry: Entry) -> tuple[str, str]:
    """By which rule and by which embedder its chunks were made."""
    return entry.chunking, entry.embedder


_NONE = Entry("", "", "", "", 0)


def _batches(parts: Iterator[_Part]) -> Iterator[list[_Part]]:
    batch: list[_Part] = []
    size = 0
    for part in parts:
        batch.append(part)
        size += _weight(part)
        if size >= BATCH_CHUNKS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _weight(part: _Part) -> int:
    return max(len(part.chunks), 1)


def _always_one(batch: _Batch) -> int:
    return 1


def _items(batch: Sequence[_Part], made: Sequence[Vectors]) -> list[Item]:
    items: list[Item] = []
    vectors = np.concatenate(made) if made else np.zeros((0, 0), dtype=np.float32)
    at = 0
    for part in batch:
        if part.document is not None:
            items.append((part.document, part.chunks, vectors[at : at + len(part.chunks)]))
            at += len(part.chunks)
    return items


def _fingerprint(path: Path, ocr: bool) -> str | None:
    """A hash of the file's bytes and of how they are read; `None` for what is no file that can be read."""
    try:
        if not path.is_file():  # opening a pipe could wait for ever
            return None
        with path.open("rb") as file:
            return f"{loaders.version(path, ocr)}:{file_digest(file, 'sha256').hexdigest()}"
    except OSError:
        return None


def _state(path: Path) -> tuple[int, int] | None:
    """What changes when a file is written to."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size


def _lost(entry: Entry) -> str:
    """Return what is said of a document whose file cannot be read again."""
    if os.path.isabs(entry.source):
        return f"its file is gone: {entry.id!r} stays as it was read before"
    return f"it came with no file that is here: {entry.id!r} stays as it was read before; upload it again"
