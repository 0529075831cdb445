"""FAISS segments: exact inner product over unit vectors, rebuildable from the store at any time.

Filters (scope, tombstones) act inside the search, so that they never eat the top k. Knows nothing of SQLite.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from selfroute.errors import CorruptIndex
from selfroute.index.files import write_whole
from selfroute.index.manifest import Segment
from selfroute.types import Vectors

Ids = NDArray[np.int64]


class Segments:
    """The live vectors of one generation, in memory: one flat index, so that a search is one call of FAISS."""

    def __init__(self, ids: Ids, flat: Any) -> None:
        """`ids` ascend; the vector of `ids[n]` is the nth in `flat`."""
        self._ids = ids
        self._flat = flat

    @classmethod
    def of(cls, ids: Ids, vectors: Vectors) -> Segments:
        """From vectors in memory; `ids` ascend."""
        flat = faiss.IndexFlatIP(vectors.shape[1])
        if len(ids):
            flat.add(vectors)
        return cls(ids, flat)

    @classmethod
    def open(cls, folder: Path, segments: Sequence[Segment], tombstones: Sequence[int], dimension: int) -> Segments:
        """Leaves out the `tombstones`: they cost no search anything. Raises `CorruptIndex` if a file is missing,
        differs from its checksum or holds other than it should."""
        dead = np.asarray(tombstones, dtype=np.int64)
        parts = [np.zeros(0, dtype=np.int64)]
        whole: Any = None
        for segment in segments:
            ids, flat = _read(folder, segment, dimension)
            gone = np.flatnonzero(np.isin(ids, dead)) if len(dead) else dead
            if len(gone):
                flat.remove_ids(faiss.IDSelectorBatch(gone))  # in place, and the others keep their order
            parts.append(np.delete(ids, gone))
            if whole is None:
                whole = flat
            else:
                whole.add(flat.reconstruct_n(0, flat.ntotal))
        ids = np.concatenate(parts)
        left_out = sum(segment.vectors for segment in segments) - len(ids)
        if left_out != len(dead):
            raise CorruptIndex(folder, f"its segments hold {left_out} of {len(dead)} deleted vectors")
        return cls(ids, whole or faiss.IndexFlatIP(dimension))

    def search(self, vector: Vectors, k: int, allowed: Ids | None) -> list[tuple[int, float]]:
        """The `k` best `(id, cosine)` for a vector `(dimension,)`, best first, ties by id; `allowed` limits them."""
        if not len(self._ids):
            return []
        limits = {}
        if allowed is not None:
            places = np.searchsorted(self._ids, allowed)
            limits["params"] = faiss.SearchParameters(sel=faiss.IDSelectorBatch(places))  # type: ignore[call-arg]
        scores, places = self._flat.search(vector[None, :], min(k, len(self._ids)), **limits)
        there = places[0] >= 0
        ids, best = self._ids[places[0][there]], scores[0][there]
        order = np.lexsort((ids, -best))
        return list(zip(ids[order].tolist(), best[order].tolist(), strict=True))

    def vectors(self) -> tuple[Ids, Vectors]:
        """Ids and vectors, for comparing with the store's."""
        return self._ids, self._flat.reconstruct_n(0, self._flat.ntotal)


def write(folder: Path, file: str, ids: Ids, vectors: Vectors) -> Segment:
    """Writes a segment of at least one vector, ids ascending; durable and whole when it returns."""
    content: memoryview = faiss.serialize_index(_built(ids, vectors)).data
    write_whole(folder / file, content)
    return Segment(file, len(ids), int(ids[-1]), len(content), sha256(content).hexdigest())


def _built(ids: Ids, vectors: Vectors) -> Any:
    index = faiss.IndexIDMap(faiss.IndexFlatIP(vectors.shape[1]))
    if len(ids):
        index.add_with_ids(vectors, ids)
    return index


def _read(folder: Path, segment: Segment, dimension: int) -> tuple[Ids, Any]:
    """(ids, flat index)."""
    path = folder / segment.file
    try:
        with path.open("rb") as file:
            found = file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CorruptIndex(folder, f"segment {segment.file} cannot be read ({error.strerror})") from error
    if found != segment.sha256:
        raise CorruptIndex(folder, f"segment {segment.file} differs from its checksum")
    try:
        index: Any = faiss.read_index(str(path))
    except RuntimeError as error:  # gone since: its generation was overtaken
        raise CorruptIndex(folder, f"segment {segment.file} cannot be read any more") from error
    if index.ntotal != segment.vectors or index.d != dimension:
        raise CorruptIndex(folder, f"segment {segment.file} holds {index.ntotal} vectors of {index.d} dimensions")
    flat: Any = faiss.downcast_index(index.index)
    flat.referenced_objects = [index]  # which owns its memory
    return faiss.vector_to_array(index.id_map), flat
