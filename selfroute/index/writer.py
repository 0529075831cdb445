"""The one process that may change a corpus: what it puts is durable at once and shown when it is published.

Publishing takes as long as what changed is large, not as the corpus is. New vectors become a segment of their own,
joined with those before it while they are not much larger; so segments grow from the last to the first, there are
few of them, and a vector is written again only when the segment it is in at least doubles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from selfroute.errors import CorruptIndex, ForeignIndex, OutdatedIndex, UnknownDocument, UnusableIndex
from selfroute.index import manifest as manifests
from selfroute.index import vectors as segments
from selfroute.index.files import LOCK, is_ours, make_folder, only_writer
from selfroute.index.layout import NAME as STORE
from selfroute.index.manifest import Manifest
from selfroute.index.names import KEPT, folder_of, inside, known
from selfroute.index.store import LATEST, Entry, Fault, Kept, Store
from selfroute.ingest.finder import one_name
from selfroute.types import Chunk, Document, Vectors

GROWTH = 2
"""A segment is joined with the new vectors behind it while it holds no more than so many times as many."""
MOST_DEAD = 0.3
"""Past this share of tombstones publishing rewrites all segments as one."""

Item = tuple[Document, Sequence[Chunk], Vectors]


class Writer:
    """Made by `writing`."""

    def __init__(self, folder: Path, store: Store, published: Manifest | None, embedder: str, dimension: int) -> None:
        self._folder = folder
        self._store = store
        self._published = published
        self._embedder = embedder
        self._dimension = dimension
        self._generation = (published.generation if published else max(store.last_stamp(), store.about()[1])) + 1

    @property
    def name(self) -> str:
        """The corpus's."""
        return self._folder.name

    def entries(self) -> dict[str, Entry]:
        """All committed documents by id, those of an interrupted run included."""
        return {entry.id: entry for entry in self._store.entries(LATEST)}

    def document(self, id: str) -> Document:  # noqa: A002 (the field's own name)
        """A committed document with its text. Raises `UnknownDocument`."""
        found = self._store.document(id, LATEST)
        if found is None:
            raise UnknownDocument([id], self._folder.name, self.entries())
        return found

    def files(self) -> dict[str, Kept]:
        """The files, by path, of which all is committed."""
        return {kept.path: kept for kept in self._store.files()}

    def put(
        self, items: Iterable[Item], chunking: str, files: Iterable[Kept] = (), replaced: Iterable[str] = ()
    ) -> None:
        """Adds documents with their chunks and vectors; each replaces the one of its id. `files` are those of which
        all is committed with them, `replaced` the ids of others that they take the place of."""
        self._store.put(self._generation, items, chunking, self._embedder, files, replaced)

    def delete(self, ids: Sequence[str]) -> None:
        """All of them or, where one is not there, none. Raises `UnknownDocument`.

        One that an interrupted run has deleted is still there until that is published.
        """
        latest = self.entries()
        shown = {entry.id for entry in self._store.entries(self._published.generation)} if self._published else set()
        have = {*latest, *shown}
        ids = known(ids, have)
        unknown = [id_ for id_ in ids if id_ not in have]
        if unknown:
            raise UnknownDocument(unknown, self._folder.name, have)
        # What an interrupted run has put in the place of one of them, under its name in another form.
        forms = {one_name(id_) for id_ in ids if id_ not in latest}
        instead = [id_ for id_ in latest if forms and id_ not in shown and one_name(id_) in forms]
        self._store.delete(self._generation, [*ids, *instead])

    def drop_chunks(self, id: str) -> None:  # noqa: A002
        """Leaves a document its text alone: the next rebuild splits and embeds it."""
        self._store.drop_chunks(self._generation, id)

    def moved(self, id: str, source: str) -> None:  # noqa: A002
        self._store.moved(id, source)

    @property
    def is_new(self) -> bool:
        """Whether there was no such corpus."""
        return self._published is None and not self.used()

    def used(self) -> bool:
        """Whether anything was ever put, published or not."""
        return self._store.last_stamp() > 0

    def mend(self) -> list[Fault]:
        """Makes the store's own indexes anew if need be; returns what else is wrong with it."""
        faults = self._store.faults(LATEST)
        if any(fault.document is None for fault in faults):
            self._store.mend()
            faults = self._store.faults(LATEST)
        return faults

    def publish(self, *, compact: bool = False) -> Manifest:
        """Shows what is committed. With nothing new and nothing damaged, changes nothing; `compact` makes one new
        segment of all there are, and leaves no tombstone."""
        old, new = self._published, self._generation
        if old is not None and self._store.last_stamp() < new and not compact and old.embedder == self._embedder:
            return old
        kept, dead = self._kept(old, new, compact)
        counts = self._counts(old, new) if kept else self._store.counts(new)
        after = kept[-1].last if kept else 0
        ids, vectors = self._store.vectors(new, self._dimension, after)
        if len(ids):
            kept = (*kept, segments.write(self._folder, f"segment-{new:06}.faiss", ids, vectors))
        store, _ = self._store.about()
        manifest = Manifest(store, new, self._embedder, self._dimension, *counts, kept, dead)
        manifests.write(self._folder, manifest)
        self._published, self._generation = manifest, new + 1
        self._clean(old, manifest)
        return manifest

    def _kept(
        self, old: Manifest | None, new: int, compact: bool
    ) -> tuple[tuple[manifests.Segment, ...], tuple[int, ...]]:
        """(the segments that stay, their tombstones); all else is written as one new segment."""
        if old is None or compact or old.embedder != self._embedder:
            made_with = self._store.embedders(new)
            if made_with not in ([], [self._embedder]):
                raise UnusableIndex(
                    f"corpus {self._folder.name!r} has vectors of {' and '.join(made_with)}: "
                    f"run `selfroute index rebuild --corpus {self._folder.name}`"
                )
            return (), ()
        kept = old.segments
        dead = sorted({*old.tombstones, *self._store.dead_rows(old.generation, new)})
        fresh = self._store.size(kept[-1].last if kept else 0, new)
        if len(dead) > MOST_DEAD * (sum(segment.vectors for segment in kept) + fresh):
            return (), ()
        while fresh and kept and kept[-1].vectors <= GROWTH * fresh:
            fresh += kept[-1].vectors
            kept = kept[:-1]
        last = kept[-1].last if kept else 0
        return kept, tuple(row for row in dead if row <= last)

    def _counts(self, old: Manifest | None, new: int) -> tuple[int, int, int]:
        """Without counting what was there before."""
        if old is None:
            return self._store.counts(new)
        documents, chunks, tokens = self._store.gained(old.generation, new)
        return old.documents + documents, old.chunks + chunks, old.tokens + tokens

    def _clean(self, old: Manifest | None, new: Manifest) -> None:
        """Removes what neither the new generation nor a reader of the one before it needs."""
        self._store.purge(old.generation if old else 0, new.generation)
        needed = {segment.file for m in (old, new) if m is not None for segment in m.segments}
        left = [path for path in self._folder.glob("segment-*.faiss") if path.name not in needed]
        left += [path for path in self._folder.iterdir() if is_ours(path) and path.name != LOCK]
        for path in left:
            with suppress(OSError):  # the generation is published all the same; the next one tries again
                path.unlink()


@contextmanager
def writing(home: Path, name: str, embedder: str, dimension: int, *, rebuild: bool = False) -> Iterator[Writer]:
    """Holds the corpus for writing; makes it if it is new. A manifest or segment that is missing, torn or cut short
    is mended from the store by the next publication; `rebuild` lets another embedder take over.

    Raises `IndexBusy`, `HomeNotWritable`, `ForeignIndex`, `CorruptIndex` if the store itself is damaged, or
    `UnusableIndex` if it may not be read.
    """
    folder = folder_of(home, name)
    make_folder(folder)
    names = inside(folder)
    if not KEPT & names and not all(is_ours(folder / name) for name in names):
        raise ForeignIndex(folder, "it holds other files and no index of selfroute; use another corpus name")
    with only_writer(folder):
        published = _published(folder)
        store = Store.create(folder)
        try:
            published = published if published and _agree(folder, store, published) else None
            if not rebuild:
                _check_embedder(folder, store, published, embedder, dimension)
            if published is not None:
                store.forget(published.generation, embedder)
            elif not rebuild and (last := store.about()[1]):
                store.forget(last, embedder)  # the manifest is gone, and the store knows what was published
            yield Writer(folder, store, published, embedder, dimension)
        finally:
            unused = _unused(folder, store)
            store.close()
            if unused:
                _remove(folder)


def other_embedder(folder: Path, made_with: str, asked: str) -> ForeignIndex:
    return ForeignIndex(
        folder,
        f"it was made with the embedder {made_with!r} and the settings name {asked!r}; set the embedder back, "
        f"or run `selfroute index rebuild --corpus {folder.name}`",
    )


def _published(folder: Path) -> Manifest | None:
    """The published manifest, or `None` where it is missing, damaged or of an earlier selfroute."""
    try:
        return manifests.read(folder)
    except (CorruptIndex, OutdatedIndex):
        return None


def _agree(folder: Path, store: Store, published: Manifest) -> bool:
    """Whether manifest, store and segments are of one generation, as far as that can be told without reading the
    segments: else everything is published anew. Opening and `verify` read them."""
    id_, generation = store.about()
    if id_ != published.store or generation > published.generation or store.last_stamp() > published.generation + 1:
        return False
    return all(_size(folder / segment.file) == segment.size for segment in published.segments)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _check_embedder(folder: Path, store: Store, published: Manifest | None, embedder: str, dimension: int) -> None:
    made_with = [published.embedder] if published else store.made_with()
    for other in made_with:
        if other != embedder:
            raise other_embedder(folder, other, embedder)
    width = published.dimension if published else store.width()
    if width not in (None, dimension):
        raise ForeignIndex(
            folder,
            f"its vectors have {width} dimensions and those of {embedder!r} now {dimension}; "
            f"run `selfroute index rebuild --corpus {folder.name}`",
        )


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
