"""Segments find what brute force finds, whatever is filtered; those that differ from the manifest are refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfroute.errors import CorruptIndex
from selfroute.index.manifest import Segment
from selfroute.index.vectors import Ids, Segments, write
from selfroute.types import Vectors

DIMENSION = 8


@st.composite
def stocks(draw: st.DrawFn) -> tuple[Ids, Vectors, list[slice], list[int], list[int], int]:
    """(ids, vectors, segments, tombstones, allowed, k): ids ascend with gaps, as rows of a store do."""
    size = draw(st.integers(1, 60))
    ids = np.cumsum(draw(st.lists(st.integers(1, 5), min_size=size, max_size=size)), dtype=np.int64)
    vectors = unit(size, draw(st.integers(0, 2**32 - 1)))
    cuts = sorted(draw(st.lists(st.integers(0, size), max_size=4)))
    slices = [slice(a, b) for a, b in zip([0, *cuts], [*cuts, size], strict=True)]
    some = st.lists(st.sampled_from(ids.tolist()), unique=True)
    dead = draw(some)
    allowed = [id_ for id_ in draw(some) if id_ not in dead]
    return ids, vectors, slices, dead, allowed, draw(st.integers(1, 70))


@given(stocks(), st.booleans())
@settings(max_examples=150)
def test_a_search_finds_what_brute_force_finds(
    tmp_path: Path, stock: tuple[Ids, Vectors, list[slice], list[int], list[int], int], scoped: bool
) -> None:
    ids, vectors, slices, dead, allowed, k = stock
    segments = opened_in_parts(tmp_path, ids, vectors, slices, dead)
    query = unit(1, 1)[0]
    found = segments.search(query, k, np.asarray(allowed, dtype=np.int64) if scoped else None)
    scores = dict(zip(ids.tolist(), (vectors @ query).tolist(), strict=True))
    live = set(allowed) if scoped else scores.keys() - set(dead)
    best = sorted(live, key=lambda id_: -scores[id_])[:k]
    assert [id_ for id_, _ in found] == best
    assert [score for _, score in found] == pytest.approx([scores[id_] for id_ in best], abs=1e-6)


def test_ties_are_in_the_order_of_ids() -> None:
    vectors = np.repeat(unit(1, 0), 5, axis=0)
    segments = Segments.of(np.asarray([1, 3, 4, 7, 9]), vectors)
    assert [id_ for id_, _ in segments.search(vectors[0], 5, None)] == [1, 3, 4, 7, 9]


def test_tombstones_never_eat_the_best_places(tmp_path: Path) -> None:
    vectors = unit(100, 0)
    order = np.argsort(-(vectors @ vectors[0]))
    dead = order[:90].tolist()
    segments = opened_in_parts(tmp_path, np.arange(100), vectors, [slice(0, 100)], dead)
    assert [id_ for id_, _ in segments.search(vectors[0], 10, None)] == order[90:].tolist()


def test_a_scope_of_nothing_finds_nothing() -> None:
    assert Segments.of(np.arange(3), unit(3, 0)).search(unit(1, 0)[0], 2, np.asarray([], dtype=np.int64)) == []


def test_an_empty_segment_finds_nothing() -> None:
    nothing = np.zeros((0, DIMENSION), dtype=np.float32)
    assert Segments.of(np.asarray([], dtype=np.int64), nothing).search(unit(1, 0)[0], 2, None) == []
    assert Segments.open(Path(), [], [], DIMENSION).search(unit(1, 0)[0], 2, None) == []


def test_a_segment_is_read_as_it_was_written(tmp_path: Path) -> None:
    vectors = unit(20, 0)
    ids = np.arange(100, 120)
    segment = write(tmp_path, "segment-000001.faiss", ids, vectors)
    size = (tmp_path / segment.file).stat().st_size
    assert (segment.file, segment.vectors, segment.last, segment.size) == ("segment-000001.faiss", 20, 119, size)
    opened = Segments.open(tmp_path, [segment], [], DIMENSION)
    for id_, vector in zip(ids.tolist(), vectors, strict=True):
        [(found, score)] = opened.search(vector, 1, None)
        assert (found, round(score, 5)) == (id_, 1.0)


def test_a_missing_segment_is_damage(tmp_path: Path) -> None:
    segment = written(tmp_path)
    (tmp_path / segment.file).unlink()
    with pytest.raises(CorruptIndex, match=r"segment segment-000001\.faiss cannot be read \(No such file"):
        Segments.open(tmp_path, [segment], [], DIMENSION)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_segment_that_was_cut_is_damage(tmp_path: Path, share: float) -> None:
    segment = written(tmp_path)
    content = (tmp_path / segment.file).read_bytes()
    (tmp_path / segment.file).write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CorruptIndex, match="differs from its checksum"):
        Segments.open(tmp_path, [segment], [], DIMENSION)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.999])
def test_a_segment_with_one_bit_flipped_is_damage(tmp_path: Path, share: float) -> None:
    segment = written(tmp_path)
    content = bytearray((tmp_path / segment.file).read_bytes())
    content[int(len(content) * share)] ^= 1
    (tmp_path / segment.file).write_bytes(content)
    with pytest.raises(CorruptIndex, match="differs from its checksum"):
        Segments.open(tmp_path, [segment], [], DIMENSION)


def test_a_segment_that_holds_other_than_it_should_is_damage(tmp_path: Path) -> None:
    segment = written(tmp_path)
    with pytest.raises(CorruptIndex, match="holds 10 vectors of 8 dimensions"):
        Segments.open(tmp_path, [replace(segment, vectors=11)], [], DIMENSION)
    with pytest.raises(CorruptIndex, match="holds 10 vectors of 8 dimensions"):
        Segments.open(tmp_path, [segment], [], DIMENSION + 1)


def test_a_tombstone_of_what_is_in_no_segment_is_damage(tmp_path: Path) -> None:
    segment = written(tmp_path)
    with pytest.raises(CorruptIndex, match="its segments hold 1 of 2 deleted vectors"):
        Segments.open(tmp_path, [segment], [3, 11], DIMENSION)


def test_the_vectors_of_segments_are_known_by_id(tmp_path: Path) -> None:
    vectors = unit(10, 0)
    segments = opened_in_parts(tmp_path, np.arange(10), vectors, [slice(0, 6), slice(6, 10)], [2, 7])
    held, kept = segments.vectors()
    assert held.tolist() == [0, 1, 3, 4, 5, 6, 8, 9]
    assert kept.tobytes() == vectors[held].tobytes()


def opened_in_parts(folder: Path, ids: Ids, vectors: Vectors, parts: Sequence[slice], dead: Sequence[int]) -> Segments:
    """Segments that were written one by one and opened again; an empty one is not written."""
    made = [
        write(folder, f"segment-{number:06}.faiss", ids[part], vectors[part])
        for number, part in enumerate(parts)
        if len(ids[part])
    ]
    return Segments.open(folder, made, dead, DIMENSION)


def written(folder: Path) -> Segment:
    return write(folder, "segment-000001.faiss", np.arange(10), unit(10, 0))


def unit(size: int, seed: int) -> Vectors:
    vectors: Vectors = np.random.default_rng(seed).normal(size=(size, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors
