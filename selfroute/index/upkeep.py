"""The corpora under a home: listed, looked into, renamed, deleted, verified and mended. Loads no model.

Blocking: call it in a worker thread from async code. Knows nothing of files to ingest or of questions.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from selfroute.errors import (
    CorruptIndex,
    ForeignIndex,
    HomeNotWritable,
    NameTaken,
    OutdatedIndex,
    UnknownDocument,
    UnusableIndex,
)
from selfroute.index import manifest as manifests
from selfroute.index import open_index, writing
from selfroute.index.files import is_ours, only_writer, sync_folder
from selfroute.index.freshness import Outdated, outdated
from selfroute.index.layout import NAME as STORE
from selfroute.index.manifest import Manifest
from selfroute.index.names import corpora, existing, folder_of, inside, known
from selfroute.index.store import LATEST, Fault, Store
from selfroute.index.vectors import Segments
from selfroute.index.writer import Writer
from selfroute.types import Chunk, Document


@dataclass(frozen=True, slots=True)
class Listed:
    """A corpus with its sizes; `tokens` are the embedder's. `problem` says why it cannot be opened; then the rest is 0
    and `embedder` unknown."""

    name: str
    documents: int
    chunks: int
    tokens: int
    problem: str | None = None
    embedder: str | None = None


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """A document of a corpus without its text: `hash` is the hex SHA-256 of it, `chunking` the rule it was split by,
    `tokens` the embedder's, summed over its chunks, `warnings` and `readable` as in `Document`."""

    id: str
    source: str
    chunks: int
    tokens: int
    hash: str
    chunking: str
    embedder: str
    warnings: tuple[str, ...] = ()
    readable: float = 1.0


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document of a corpus as it is stored, with its chunks in order."""

    info: DocumentInfo
    document: Document
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class Stats:
    """What a corpus takes. `tombstones` are vectors in segments whose chunks are deleted; `unpublished` counts the
    documents that an interrupted run committed and that the next one shows. Sizes are bytes on disk."""

    name: str
    generation: int
    embedder: str
    dimension: int
    chunkings: tuple[str, ...]
    documents: int
    chunks: int
    tokens: int
    unpublished: int
    segments: int
    tombstones: int
    store_bytes: int
    segment_bytes: int


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, where (a file or a document of the corpus), and what to do about it."""

    where: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Repaired:
    """What `repair` found and mended, and what is `lost`: only the remedy of each brings it back."""

    mended: tuple[Problem, ...]
    lost: tuple[Problem, ...]


class Corpora:
    """The corpora under `home`. A corpus that is not there raises `UnknownCorpus`, a name that cannot be one
    `InvalidName`, and whatever changes a corpus `IndexBusy` while another process does."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def names(self) -> list[str]:
        """What corpora are called, whole or damaged: opens none."""
        return corpora(self._home)

    def listed(self) -> list[Listed]:
        """All corpora, whatever embedder made them, each opened to see whether it can be."""
        return [self.look(name) for name in corpora(self._home)]

    def look(self, corpus: str, said: Callable[[Any], str] = str) -> Listed:
        """One corpus, opened to see whether it can be; `said` words its problem from the error."""
        self.check(corpus)
        try:
            open_index(self._home, corpus, None).close()
            return _listed(corpus, manifests.read(self._home / corpus))
        except UnusableIndex as error:
            return Listed(corpus, 0, 0, 0, said(error))

    def check_readable(self) -> None:
        """Raises what is wrong with the corpora if there are some and no manifest can be read; a damaged one among
        others is no reason to answer nothing. Opens no index, so that it can be called every few seconds."""
        names = corpora(self._home)
        damaged: list[UnusableIndex] = []
        for name in names:
            try:
                manifests.read(self._home / name)
            except UnusableIndex as error:
                damaged.append(error)
        if damaged and len(damaged) == len(names):
            raise damaged[0]

    def check(self, corpus: str) -> None:
        """Raises `InvalidName`, `UnknownCorpus` or `ForeignIndex` unless there is such a corpus, whole or damaged."""
        existing(self._home, corpus)

    def documents(self, corpus: str) -> list[DocumentInfo]:
        """The documents by id."""
        with self._reading(corpus) as (manifest, store):
            return list(_documents(store, manifest.generation).values())

    def outdated(self, corpus: str, chunking: str, ocr: bool = False) -> Outdated:
        """Tell which documents may be read differently now, with `ocr` or without, or split by the rule `chunking`."""
        with self._reading(corpus) as (manifest, store):
            kept = {one.path: one for one in store.files()}
            return outdated(store.entries(manifest.generation), kept, chunking, ocr)

    def document(self, corpus: str, id: str) -> StoredDocument:  # noqa: A002 (the field's own name)
        """Raises `UnknownDocument`."""
        with self._reading(corpus) as (manifest, store):
            infos = _documents(store, manifest.generation)
            [id] = known([id], infos)  # noqa: A001
            document = store.document(id, manifest.generation)
            if document is None:
                raise UnknownDocument([id], corpus, infos)
            rows = [int(row) for row in store.chunk_rows([id], manifest.generation)]
            chunks = sorted(store.chunks(rows).values(), key=lambda chunk: chunk.start)
            return StoredDocument(infos[id], document, tuple(chunks))

    def delete_documents(self, corpus: str, ids: Sequence[str]) -> Listed:
        """Deletes all of them or, where one is not there, none; returns the corpus without them.

        Raises `UnknownDocument`. Their text leaves the disk with the publication after this one.
        """
        with self._changing(corpus) as writer:
            writer.delete(list(dict.fromkeys(ids)))
            return _listed(corpus, writer.publish())

    def rename(self, corpus: str, name: str) -> None:
        """At once or not at all. Raises `NameTaken`. What the ledger says of the old name stays so."""
        folder, new = existing(self._home, corpus), folder_of(self._home, name)
        if os.path.lexists(new):
            raise NameTaken(name)
        with only_writer(folder):
            try:
                folder.rename(new)
                sync_folder(self._home)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    raise NameTaken(name) from error
                raise HomeNotWritable(self._home, (error.strerror or str(error)).lower()) from error

    def delete(self, corpus: str) -> None:
        """The corpus is gone at once; what is left of its files when this is interrupted goes with the next one."""
        folder = existing(self._home, corpus)
        foreign = [name for name in sorted(inside(folder)) if not _is_of_a_corpus(folder / name)]
        if foreign:
            raise ForeignIndex(folder, f"it also holds {foreign[0]}: move that elsewhere first")
        try:
            with only_writer(folder):
                folder.rename(self._home / f".{corpus}.deleted-{uuid4().hex}")
                sync_folder(self._home)
        except OSError as error:
            raise HomeNotWritable(self._home, (error.strerror or str(error)).lower()) from error
        for left in self._home.glob(".*.deleted-*"):
            shutil.rmtree(left, ignore_errors=True)

    def stats(self, corpus: str) -> Stats:
        with self._reading(corpus) as (manifest, store):
            folder = self._home / corpus
            shown = store.entries(manifest.generation)
            published = {(entry.id, entry.hash, entry.chunking, entry.embedder) for entry in shown}
            committed = {(e.id, e.hash, e.chunking, e.embedder) for e in store.entries(LATEST)}
            return Stats(
                name=corpus,
                generation=manifest.generation,
                embedder=manifest.embedder,
                dimension=manifest.dimension,
                chunkings=tuple(sorted({entry.chunking for entry in shown})),
                documents=manifest.documents,
                chunks=manifest.chunks,
                tokens=manifest.tokens,
                unpublished=len(committed - published),
                segments=len(manifest.segments),
                tombstones=len(manifest.tombstones),
                store_bytes=sum(_bytes(path) for path in folder.glob(f"{STORE}*")),
                segment_bytes=sum(segment.size for segment in manifest.segments),
            )

    def verify(self, corpus: str) -> tuple[Problem, ...]:
        """Reads every byte of what is published and compares it with its checksums; () if all is well."""
        folder = existing(self._home, corpus)
        while True:
            try:
                manifest = manifests.read(folder)
            except (CorruptIndex, OutdatedIndex) as error:
                remedy = f"run `selfroute index repair --corpus {corpus}`"
                return (Problem(manifests.NAME, _reason(error), remedy), *self._faults(folder, LATEST))
            found = self._faults(folder, manifest.generation)
            try:
                open_index(self._home, corpus, None).close()
                found += _differing(folder, manifest) if not found else []
            except CorruptIndex as error:
                found.append(Problem(corpus, error.reason, error.remedy))
            if not found or manifests.read(folder) == manifest:
                return tuple(dict.fromkeys(found))
            # Published meanwhile: what seemed wrong may only have been overtaken.

    def repair(self, corpus: str) -> Repaired:
        """Mends what `verify` finds, from the store, without embedding anything.

        A document whose text is damaged is deleted, so that its file is taken for new; one whose text alone is whole
        keeps that, and has no chunks until a rebuild. Both are in `lost`, as is a store that cannot be read.
        """
        found = self.verify(corpus)
        if not found:
            return Repaired((), ())
        folder = self._home / corpus
        try:
            with self._changing(corpus) as writer:
                lost = self._mend_store(folder, writer)
                if not any(problem.where == STORE for problem in lost):
                    writer.publish(compact=True)
        except CorruptIndex as error:
            lost = [Problem(STORE, error.reason, error.remedy)]
        names = {problem.where for problem in lost}
        if STORE in names:
            return Repaired((), tuple(lost))
        return Repaired(tuple(problem for problem in found if problem.where not in names), tuple(lost))

    def _mend_store(self, folder: Path, writer: Writer) -> list[Problem]:
        """What is lost of it."""
        lost = []
        for fault in writer.mend():
            if fault.document is None:
                lost.append(Problem(STORE, fault.reason, _again(folder)))
            elif fault.text:
                source = writer.entries()[fault.document].source
                writer.delete([fault.document])
                remedy = f"index {source} again: the document was deleted from the corpus"
                lost.append(Problem(fault.document, fault.reason, remedy))
            else:
                writer.drop_chunks(fault.document)
                remedy = f"run `selfroute index rebuild --corpus {folder.name}`: its text is whole"
                lost.append(Problem(fault.document, fault.reason, remedy))
        return lost

    def _faults(self, folder: Path, generation: int) -> list[Problem]:
        """Of what is live in the generation, and of what is committed and not yet published."""
        try:
            with closing(Store.open(folder)) as store:
                faults = dict.fromkeys([*store.faults(generation), *store.faults(LATEST)])
        except CorruptIndex as error:
            return [Problem(STORE, error.reason, error.remedy)]
        return [_problem(folder, fault) for fault in faults]

    @contextmanager
    def _reading(self, corpus: str) -> Iterator[tuple[Manifest, Store]]:
        """The published generation, whether or not its segments are whole."""
        folder = existing(self._home, corpus)
        while True:
            manifest = manifests.read(folder)
            with closing(Store.open(folder)) as store:
                if store.counts(manifest.generation) == (manifest.documents, manifest.chunks, manifest.tokens):
                    yield manifest, store
                    return
            if manifests.read(folder) == manifest:
                raise CorruptIndex(folder, f"the store does not hold what {manifests.NAME} says")

    @contextmanager
    def _changing(self, corpus: str) -> Iterator[Writer]:
        """A writer that goes on with the embedder that made the corpus, whatever the settings name."""
        embedder, dimension = _made_with(existing(self._home, corpus))
        with writing(self._home, corpus, embedder, dimension) as writer:
            yield writer


def _made_with(folder: Path) -> tuple[str, int]:
    """The embedder of a corpus and its dimension: the manifest's if it is this store's, else that of what is stored."""
    with only_writer(folder), closing(Store.create(folder)) as store:
        with suppress(CorruptIndex, OutdatedIndex):
            manifest = manifests.read(folder)
            if manifest.store == store.about()[0]:
                return manifest.embedder, manifest.dimension
        made_with = store.made_with()
        if len(made_with) > 1:
            raise UnusableIndex(
                f"corpus {folder.name!r} has vectors of {' and '.join(made_with)}: "
                f"run `selfroute index rebuild --corpus {folder.name}`"
            )
        return (made_with or [""])[0], store.width() or 0


def _documents(store: Store, generation: int) -> dict[str, DocumentInfo]:
    counts = store.chunk_counts(generation)
    return {
        e.id: DocumentInfo(
            *(e.id, e.source, counts.get(e.id, 0), e.tokens, e.hash, e.chunking, e.embedder, e.warnings, e.readable)
        )
        for e in store.entries(generation)
    }


def _listed(name: str, manifest: Manifest) -> Listed:
    return Listed(name, manifest.documents, manifest.chunks, manifest.tokens, None, manifest.embedder)


def _differing(folder: Path, manifest: Manifest) -> list[Problem]:
    """Segments that are whole and hold other vectors than the store: they can only have been made so."""
    held, built = Segments.open(folder, manifest.segments, manifest.tombstones, manifest.dimension).vectors()
    with closing(Store.open(folder)) as store:
        ids, vectors = store.vectors(manifest.generation, manifest.dimension)
    if not np.array_equal(held, ids) or built.tobytes() != vectors.tobytes():
        remedy = f"run `selfroute index repair --corpus {folder.name}`"
        return [Problem(manifests.NAME, "its segments hold other vectors than the store", remedy)]
    return []


def _problem(folder: Path, fault: Fault) -> Problem:
    where = STORE if fault.document is None else fault.document
    return Problem(where, fault.reason, f"run `selfroute index repair --corpus {folder.name}`")


def _reason(error: UnusableIndex) -> str:
    return error.reason if isinstance(error, CorruptIndex) else "was written by an earlier selfroute"


def _again(folder: Path) -> str:
    return f"remove {folder} and run `selfroute index` on its files again"


def _is_of_a_corpus(path: Path) -> bool:
    name = path.name
    return is_ours(path) or name == manifests.NAME or name.startswith((STORE, f".{STORE}", "segment-"))


def _bytes(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
