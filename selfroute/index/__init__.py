"""A corpus on disk: opened at one published generation for reading, or held by one writer that publishes the next.

    indexes/NAME/store.sqlite      text, vectors and generations: the truth
    indexes/NAME/segment-*.faiss   what search runs on; rebuilt from the store when damaged
    indexes/NAME/manifest.json     which generation is published; replaced last, atomically

Every state on disk is the old or the new generation. Knows nothing of files to ingest, models or questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np

from selfroute.errors import CorruptIndex, UnknownDocument, UnusableIndex
from selfroute.index import manifest as manifests
from selfroute.index.corpus import FURTHER, one_text
from selfroute.index.manifest import Manifest
from selfroute.index.names import corpora, existing, known
from selfroute.index.store import Entry, Kept, Store
from selfroute.index.vectors import Ids, Segments
from selfroute.index.writer import Item, Writer, other_embedder, writing
from selfroute.types import Chunk, Document, Hit, Hits, Vectors

__all__ = ["Entry", "Index", "Item", "Kept", "Manifest", "Writer", "corpora", "open_index", "writing"]


MOST_FURTHER = 16
"""By how much more is asked for, at most, where even what was asked for on top of it were copies."""


class Index:
    """A corpus as of the generation that was published when it was opened."""

    def __init__(self, name: str, generation: int, store: Store, loaded: Segments) -> None:
        self.name = name
        self.generation = generation
        self._store = store
        self._segments = loaded
        self._entries = {entry.id: entry for entry in store.entries(generation)}
        self._texts: dict[int, bytes] = {}  # of chunks that were found: copies need not be fetched again

    @classmethod
    def in_memory(cls, name: str, embedder: str, items: Sequence[Item], chunking: str) -> Index:
        """An index that lives as long as this object: for one document that is not worth keeping."""
        store = Store.create(None)
        store.put(1, items, chunking, embedder)
        return cls(name, 1, store, Segments.of(*store.vectors(1, items[0][2].shape[1])))

    @property
    def entries(self) -> dict[str, Entry]:
        """The documents by id, without their text."""
        return self._entries

    def tokens(self, document: str) -> int:
        """The sum over its chunks, by the embedder's word pieces."""
        return self._entries[document].tokens

    def scope(self, ids: Sequence[str]) -> tuple[str, ...]:
        """`ids` checked and in order, or all documents for none. Raises `UnknownDocument`."""
        ids = known(ids, self._entries)
        unknown = [id_ for id_ in ids if id_ not in self._entries]
        if unknown:
            raise UnknownDocument(unknown, self.name, self._entries)
        return tuple(dict.fromkeys(ids)) or tuple(self._entries)

    def search(self, vector: Vectors, k: int, scope: Sequence[str] = ()) -> Hits:
        """The `k` best chunks for a unit vector `(dimension,)`, within the documents of `scope` if any. Of chunks of
        equal text the first counts."""
        allowed = self._rows(scope) if scope else None
        wanted, further = k, FURTHER
        chunks: dict[int, Chunk] = {}
        while True:
            found = self._segments.search(vector, wanted, allowed)
            chunks |= self._chunks([row for row, _ in found if row not in chunks and row not in self._texts])
            self._texts |= {row: _digest(chunk.shown) for row, chunk in chunks.items() if row not in self._texts}
            first: dict[bytes, tuple[int, float]] = {}
            for row, score in found:
                first.setdefault(self._texts[row], (row, score))
            if len(first) >= k or len(found) < wanted:
                best = list(first.values())[:k]
                chunks |= self._chunks([row for row, _ in best if row not in chunks])
                return tuple(Hit(chunks[row], score) for row, score in best)
            wanted, further = wanted * further, min(further * FURTHER, MOST_FURTHER)

    def chunks(self, document: str) -> list[Chunk]:
        """All chunks of a document, in its order."""
        rows = self._rows([document])
        return sorted(self._chunks([int(row) for row in rows]).values(), key=lambda chunk: chunk.start)

    def document(self, id: str) -> Document:  # noqa: A002 (the field's own name)
        found = self._store.document(self.scope([id])[0], self.generation)
        if found is None:
            raise self._replaced()
        return found

    def warnings(self, document: str) -> tuple[str, ...]:
        """Return what of a document could not be read."""
        return self._entries[document].warnings

    def readable(self, document: str) -> float:
        """The share of a document that could be read."""
        return self._entries[document].readable

    def page(self, document: str, at: int) -> int | None:
        """The page that holds the character at `at`; `None` without a page map."""
        return Document(document, "", "", self._store.pages(document, self.generation)).page(at)

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


@lru_cache(64)  # of copies there are many
def _digest(shown: str) -> bytes:
    return blake2b(one_text(shown).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def open_index(home: Path, name: str, embedder: str | None) -> Index:
    """Opens the published generation after checking all that the manifest promises; any embedder's for `None`.

    Raises `UnknownCorpus`, `CorruptIndex`, `ForeignIndex`, `OutdatedIndex` or `UnusableIndex`; never opens as empty
    what is not.
    """
    folder = existing(home, name)
    while True:
        manifest = manifests.read(folder)
        try:
            return _opened(folder, manifest, embedder)
        except CorruptIndex:
            if manifests.read(folder) == manifest:
                raise
            # Two publications since it was read: what it names may be gone, and the new one names what is there.


def _opened(folder: Path, manifest: Manifest, embedder: str | None) -> Index:
    if embedder not in (None, manifest.embedder):
        raise other_embedder(folder, manifest.embedder, str(embedder))
    store = Store.open(folder)
    try:
        id_, published = store.about()
        if id_ != manifest.store:
            raise CorruptIndex(folder, f"{manifests.NAME} belongs to another store")
        if published > manifest.generation:
            raise CorruptIndex(folder, f"{manifests.NAME} is that of generation {manifest.generation} of {published}")
        counts = store.counts(manifest.generation)
        if counts != (manifest.documents, manifest.chunks, manifest.tokens):
            raise CorruptIndex(folder, f"the store holds {counts[1]} chunks, {manifests.NAME} says {manifest.chunks}")
        if sum(s.vectors for s in manifest.segments) - len(manifest.tombstones) != manifest.chunks:
            raise CorruptIndex(folder, "its segments do not hold as many vectors as there are chunks")
        loaded = Segments.open(folder, manifest.segments, manifest.tombstones, manifest.dimension)
        index = Index(folder.name, manifest.generation, store, loaded)
        if len(index.entries) != manifest.documents:  # they were counted, and published over since
            raise CorruptIndex(folder, f"the store holds {len(index.entries)} documents, not {manifest.documents}")
        return index
    except BaseException:
        store.close()
        raise
