"""Reads files and splits what is new or changed of them, and says what is neither, or could not be read.

Knows nothing of embedding or of how documents are committed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import file_digest
from pathlib import Path
from shlex import quote

from selfroute.index import Entry, Kept, Writer
from selfroute.index.claims import Claim, Claims, still_there
from selfroute.index.freshness import file_of
from selfroute.ingest import finder, loaders
from selfroute.ingest.chunker import Chunker
from selfroute.ingest.finder import File, one_name
from selfroute.ingest.loaders import Loaded
from selfroute.types import Chunk, Document

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
class Part:
    """Describes what reading hands on: a document to embed, if there is one; how many of the files' bytes are done with
    it; the ids of others that go when it is in the store; and the file, if this is its end and all of it is or will be
    there."""

    advance: int
    document: Document | None = None
    chunks: Sequence[Chunk] = ()
    known: bool = False
    replaced: Sequence[str] = ()
    kept: Kept | None = None


@dataclass(frozen=True, slots=True)
class How:
    """Describes how files become chunks."""

    chunker: Chunker
    chunking: str
    embedder: str
    ocr: bool


class Changes:
    """Reads files and splits what is new or changed; counts in `summary` what is neither. `total` are the bytes of
    all files."""

    def __init__(
        self,
        files: Sequence[File],
        writer: Writer,
        how: How,
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

    def parts(self) -> Iterator[Part]:
        for file in self._files:
            path = file.origin
            state, fingerprint = _state(file.path), _fingerprint(file.path, self._how.ocr)
            if self._is_kept(path, file, fingerprint):
                entries = self._of_file[path]
                self._seen.update({one_name(entry.id): entry for entry in entries})
                self._done.update(entry.id for entry in entries)
                self._summary.unchanged += len(entries)
                self._whole.add(path)
                yield Part(self._sizes[file])
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
            yield Part(left, kept=kept)
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

    def _part(self, loaded: Loaded, advance: int) -> Part:
        document = loaded.document
        seen = self._seen.get(document.id) if document is not None else None
        claim = self._claims.of(document, seen) if document is not None else Claim()
        reason = loaded.reason or claim.reason
        if document is None or reason is not None:
            self._refused.append((len(self._summary.failed), claim.others))
            self._summary.failed.append(Failure(loaded.source, reason or "holds no document"))
            return Part(advance)
        new = Entry(document.id, document.source, document.content_hash, self._how.chunking, 0, self._how.embedder)
        replaced = [entry.id for entry in claim.others]
        self._done.update(replaced)
        if seen is not None or self._unchanged(new, claim.held):
            self._summary.unchanged += 1
            if seen is None and claim.held is not None:
                self._took(replace(new, id=claim.held.id))
            return Part(advance, replaced=replaced)
        self._took(new)
        self._summary.warnings += [Warned(document.id, warning) for warning in document.warnings]
        chunks = self._how.chunker.chunks(document)
        return Part(advance, document, chunks, document.id in self._have or bool(replaced), replaced)

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
