"""A corpus on disk: opened at one published generation for reading, or held by one writer that publishes the next.

    indexes/NAME/store.sqlite      text, vectors and generations: the truth
    indexes/NAME/segment-*.faiss   what search runs on; rebuilt from the store when damaged
    indexes/NAME/manifest.json     which generation is published; replaced last, atomically

Every state on disk is the old or the new generation. Knows nothing of files to ingest, models or questions.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selfroute.errors import CorruptIndex, ForeignIndex, InvalidName, UnknownCorpus, UnknownDocument, UnusableIndex
from selfroute.index import manifest as manifests
from selfroute.index import vectors as segments
from selfroute.index.files import LOCK, is_ours, make_folder, only_writer
from selfroute.index.manifest import Manifest
from selfroute.index.store import LATEST, Entry, Store
from selfroute.index.store import NAME as STORE
from selfroute.index.vectors import Ids, Segments
from selfroute.types import Chunk, Document, Hit, Hits, Vectors

__all__ = ["Entry", "Index", "Listed", "Manifest", "Writer", "corpora", "listed", "open_index", "writing"]

MOST_SEGMENTS = 16
MOST_DEAD = 0.3
"""Publishing rewrites all segments as one past this many files or this share of tombstones."""

Item = tuple[Document, Sequence[Chunk], Vectors]


def corpora(home: Path) -> list[str]:
    """Names of the corpora under `home`, whole or damaged."""
    if not os.path.isdir(home):
        return []
    kept = (manifests.NAME, STORE)
    return sorted(
        name for name in _inside(home) if _is_name(name) and any(os.path.exists(home / name / file) for file in kept)
    )


@dataclass(frozen=True, slots=True)
class Listed:
    """A corpus as `selfroute corpora` shows it; `problem` says why it cannot be opened."""

    name: str
    documents: int
    chunks: int
    tokens: int
    problem: str | None = None


def listed(home: Path) -> list[Listed]:
    """All corpora with their sizes, without regard to the embedder that the settings name."""
    rows = []
    for name in corpora(home):
        try:
            manifest = manifests.read(home / name)
            open_index(home, name, manifest.embedder).close()
            rows.append(Listed(name, manifest.documents, manifest.chunks, manifest.tokens))
        except UnusableIndex as error:
            rows.append(Listed(name, 0, 0, 0, str(error)))
    return rows


class Index:
    """A corpus as of the generation that was published when it was opened."""

    def __init__(self, name: str, generation: int, store: Store, loaded: Segments) -> None:
        self.name = name
        self.generation = generation
        self._store = store
        self._segments = loaded
        self._entries = {entry.id: entry for entry in store.entries(generation)}

    @classmethod
    def in_memory(cls, name: str, embedder: str, items: Sequence[Item], chunking: str) -> Index:
        """An index that lives as long as this object: for one document that is not worth keeping."""
        store = Store.create(None, embedder, items[0][2].shape[1])
        store.put(1, items, chunking)
        return cls(name, 1, store, Segments.of(*store.vectors(1)))

    @property
    def entries(self) -> dict[str, Entry]:
        """The documents by id, without their text."""
        return self._entries

    def scope(self, ids: Sequence[str]) -> tuple[str, ...]:
        """`ids` checked and in order, or all documents for none. Raises `UnknownDocument`."""
        unknown = [id_ for id_ in ids if id_ not in self._entries]
        if unknown:
            raise UnknownDocument(unknown, self.name, self._entries)
        return tuple(dict.fromkeys(ids)) or tuple(self._entries)

    def search(self, vector: Vectors, k: int, scope: Sequence[str] = ()) -> Hits:
        """The `k` best chunks for a unit vector `(dimension,)`, within the documents of `scope` if any."""
        allowed = self._rows(scope) if scope else None
        found = self._segments.search(vector, k, allowed)
        chunks = self._chunks([row for row, _ in found])
        return tuple(Hit(chunks[row], score) for row, score in found)

    def chunks(self, document: str) -> list[Chunk]:
        """All chunks of a document, in its order."""
        rows = self._rows([document])
        return sorted(self._chunks([int(row) for row in rows]).values(), key=lambda chunk: chunk.start)

    def document(self, id: str) -> Document:  # noqa: A002 (the field's own name)
        self.scope([id])
        found = self._store.document(id, self.generation)
        if found is None:
            raise self._replaced()
        return found

    def close(self) -> None:
        self._store.close()

    def _rows(self, ids: Sequence[str]) -> Ids:
        by_document = {id_: self._store.chunk_rows([id_], self.generation) for id_ in self.scope(ids)}
        if any(self._entries[id_].tokens and not len(rows) for id_, rows in by_document.items()):
            raise self._replaced()
        return np.concatenate(list(by_document.values()))

    def _chunks(self, rows: Sequence[int]) -> dict[int, Chunk]:
        found = self._store.chunks(rows)
        if len(found) != len(rows):
            raise self._replaced()
        return found

    def _replaced(self) -> UnusableIndex:
        """Rows of this generation are gone: nothing found must not look like nothing there."""
        return UnusableIndex(f"corpus {self.name!r} was replaced more than once during this question: ask again")


def open_index(home: Path, name: str, embedder: str) -> Index:
    """Opens the published generation after checking all that the manifest promises.

    Raises `UnknownCorpus`, `CorruptIndex`, `ForeignIndex` or `UnusableIndex`; never opens as empty what is not.
    """
    folder = _folder(home, name)
    if not os.path.isdir(folder):
        raise UnknownCorpus(name, corpora(home))
    if not {manifests.NAME, STORE} & _inside(folder):
        raise ForeignIndex(folder, "it holds no index of selfroute; use another corpus name")
    while True:
        manifest = manifests.read(folder)
        try:
            return _opened(folder, manifest, embedder)
        except CorruptIndex:
            if manifests.read(folder) == manifest:
                raise
            # Two publications since it was read: what it names may be gone, and the new one names what is there.


def _opened(folder: Path, manifest: Manifest, embedder: str) -> Index:
    _check_embedder(folder, manifest.embedder, embedder)
    store = Store.open(folder)
    try:
        if store.about() != (manifest.store, manifest.embedder, manifest.dimension):
            raise CorruptIndex(folder, f"{manifests.NAME} belongs to another store")
        counts = store.counts(manifest.generation)
        if counts != (manifest.documents, manifest.chunks, manifest.tokens):
            raise CorruptIndex(folder, f"the store holds {counts[1]} chunks, {manifests.NAME} says {manifest.chunks}")
        if sum(s.vectors for s in manifest.segments) - len(manifest.tombstones) != manifest.chunks:
            raise CorruptIndex(folder, "its segments do not hold as many vectors as there are chunks")
        loaded = Segments.open(folder, manifest.segments, manifest.tombstones, manifest.dimension)
        return Index(folder.name, manifest.generation, store, loaded)
    except BaseException:
        store.close()
        raise


class Writer:
    """The one process that may change a corpus. What it puts is durable at once and shown when published."""

    def __init__(self, folder: Path, store: Store, published: Manifest | None) -> None:
        self._folder = folder
        self._store = store
        self._published = published
        self._generation = (published.generation if published else store.last_stamp()) + 1

    def entries(self) -> dict[str, Entry]:
        """All committed documents by id, those of an interrupted run included."""
        return {entry.id: entry for entry in self._store.entries(LATEST)}

    def put(self, items: Iterable[Item], chunking: str) -> None:
        self._store.put(self._generation, items, chunking)

    def moved(self, id: str, source: str) -> None:  # noqa: A002
        self._store.moved(id, source)

    def publish(self) -> Manifest:
        """Shows what is committed. With nothing new and nothing damaged, changes nothing."""
        old, new = self._published, self._generation
        if old is not None and self._store.last_stamp() < new:
            return old
        ids, vectors = self._store.vectors(new, after=old.generation if old else 0)
        kept = old.segments if old else ()
        dead = sorted({*old.tombstones, *self._store.dead_rows(old.generation, new)}) if old else []
        held = sum(segment.vectors for segment in kept) + len(ids)
        if len(kept) >= MOST_SEGMENTS or len(dead) > MOST_DEAD * held:
            ids, vectors = self._store.vectors(new)
            kept, dead = (), []
        if len(ids):
            kept = (*kept, segments.write(self._folder, f"segment-{new:06}.faiss", ids, vectors))
        store, embedder, dimension = self._store.about()
        counts = self._store.counts(new)
        manifest = Manifest(store, new, embedder, dimension, *counts, kept, tuple(dead))
        manifests.write(self._folder, manifest)
        self._published, self._generation = manifest, new + 1
        self._clean(old, manifest)
        return manifest

    def _clean(self, old: Manifest | None, new: Manifest) -> None:
        """Removes what neither the new generation nor a reader of the one before it needs."""
        if old is not None:
            self._store.purge(old.generation)
        needed = {segment.file for m in (old, new) if m is not None for segment in m.segments}
        left = [path for path in self._folder.glob("segment-*.faiss") if path.name not in needed]
        left += [path for path in self._folder.iterdir() if is_ours(path) and path.name != LOCK]
        for path in left:
            with suppress(OSError):  # the generation is published all the same; the next one tries again
                path.unlink()


@contextmanager
def writing(home: Path, name: str, embedder: str, dimension: int) -> Iterator[Writer]:
    """Holds the corpus for writing; makes it if it is new. A damaged manifest or segment is mended from the store.

    Raises `IndexBusy`, `HomeNotWritable`, `ForeignIndex`, `CorruptIndex` if the store itself is damaged, or
    `UnusableIndex` if it may not be read.
    """
    folder = _folder(home, name)
    make_folder(folder)
    names = _inside(folder)
    if not {manifests.NAME, STORE} & names and not all(is_ours(folder / name) for name in names):
        raise ForeignIndex(folder, "it holds other files and no index of selfroute; use another corpus name")
    with only_writer(folder):
        published = _whole(home, name, embedder)
        store = Store.create(folder, embedder, dimension)
        try:
            _check_embedder(folder, store.about()[1], embedder)
            if store.about()[2] != dimension:
                raise ForeignIndex(
                    folder,
                    f"its vectors have {store.about()[2]} dimensions and those of {embedder!r} now {dimension}; "
                    "index into another corpus",
                )
            yield Writer(folder, store, published)
        finally:
            unused = _unused(folder, store)
            store.close()
            if unused:
                _remove(folder)


def _whole(home: Path, name: str, embedder: str) -> Manifest | None:
    """The published manifest if all that it promises is there, else `None`: then everything is published anew."""
    folder = _folder(home, name)
    if not {manifests.NAME, STORE} & _inside(folder):
        return None
    try:
        open_index(home, name, embedder).close()
    except CorruptIndex:
        return None
    return manifests.read(folder)


def _unused(folder: Path, store: Store) -> bool:
    """Whether nothing was ever put."""
    try:
        return store.last_stamp() == 0 and not (folder / manifests.NAME).exists()
    except UnusableIndex:
        return False


def _remove(folder: Path) -> None:
    """Leaves no corpus behind, and nothing else touched."""
    for path in folder.iterdir():
        if is_ours(path) or path.name.startswith(STORE):
            path.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def _check_embedder(folder: Path, made_with: str, asked: str) -> None:
    if made_with != asked:
        raise ForeignIndex(
            folder,
            f"it was made with the embedder {made_with!r} and the settings name {asked!r}; "
            "set the embedder back or index into another corpus",
        )


def _folder(home: Path, name: str) -> Path:
    if not _is_name(name):
        raise InvalidName(name)
    return home / name


def _is_name(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name) is not None and not name.endswith(".sqlite")


def _inside(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UnusableIndex(f"{folder} cannot be listed ({why}): check its permissions") from error
