"""FAISS segments: exact inner product over unit vectors, rebuildable from the store at any time.

Filters (scope, tombstones) act inside the search, so that they never eat the top k. Knows nothing of SQLite.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
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
    """The loaded segments of one generation."""

    def __init__(self, loaded: Sequence[Any], tombstones: Sequence[int] = ()) -> None:
        self._loaded = tuple(loaded)
        self._dead = np.asarray(tombstones, dtype=np.int64)

    @classmethod
    def of(cls, ids: Ids, vectors: Vectors) -> Segments:
        """One segment in memory."""
        return cls([_built(ids, vectors)])

    @classmethod
    def open(cls, folder: Path, segments: Sequence[Segment], tombstones: Sequence[int], dimension: int) -> Segments:
        """Raises `CorruptIndex` if a file is missing, differs from its checksum or holds other than it should."""
        return cls([_read(folder, segment, dimension) for segment in segments], tombstones)

    def search(self, vector: Vectors, k: int, allowed: Ids | None) -> list[tuple[int, float]]:
        """The `k` best `(id, cosine)` for a vector `(dimension,)`, best first, ties by id; `allowed` limits them."""
        dead = faiss.IDSelectorBatch(self._dead)
        selector = faiss.IDSelectorNot(dead) if allowed is None else faiss.IDSelectorBatch(allowed)
        found: list[tuple[int, float]] = []
        for index in self._loaded:
            if index.ntotal:
                parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
                scores, ids = index.search(vector[None, :], min(k, index.ntotal), params=parameters)
                found += [(int(i), float(s)) for i, s in zip(ids[0], scores[0], strict=True) if i >= 0]
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))[:k]


def write(folder: Path, file: str, ids: Ids, vectors: Vectors) -> Segment:
    """Writes a segment; durable and whole when it returns."""
    content = faiss.serialize_index(_built(ids, vectors)).tobytes()
    write_whole(folder / file, content)
    return Segment(file, len(ids), sha256(content).hexdigest())


def _built(ids: Ids, vectors: Vectors) -> Any:
    index = faiss.IndexIDMap2(faiss.IndexFlatIP(vectors.shape[1]))
    if len(ids):
        index.add_with_ids(vectors, ids)
    return index


def _read(folder: Path, segment: Segment, dimension: int) -> Any:
    try:
        content = (folder / segment.file).read_bytes()
    except OSError as error:
        raise CorruptIndex(folder, f"segment {segment.file} cannot be read ({error.strerror})") from error
    if sha256(content).hexdigest() != segment.sha256:
        raise CorruptIndex(folder, f"segment {segment.file} differs from its checksum")
    index = faiss.deserialize_index(np.frombuffer(content, dtype=np.uint8))
    if index.ntotal != segment.vectors or index.d != dimension:
        raise CorruptIndex(folder, f"segment {segment.file} holds {index.ntotal} vectors of {index.d} dimensions")
    return index
