"""A manifest is read as it was written, or refused: no torn or altered one passes for another."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from selfroute.errors import CorruptIndex, ForeignIndex, OutdatedIndex, UnusableIndex
from selfroute.index.files import staging
from selfroute.index.manifest import FORMAT, NAME, Manifest, Segment, read, write

MANIFEST = Manifest(
    store="8d0f",
    generation=7,
    embedder="hashing-64",
    dimension=64,
    documents=2,
    chunks=11,
    tokens=130,
    segments=(
        Segment("segment-000003.faiss", 9, 12, 880, "ab" * 32),
        Segment("segment-000007.faiss", 4, 16, 480, "cd" * 32),
    ),
    tombstones=(3, 8),
)


@pytest.mark.parametrize("manifest", [MANIFEST, replace(MANIFEST, segments=(), tombstones=())], ids=["full", "bare"])
def test_a_manifest_is_read_as_it_was_written(tmp_path: Path, manifest: Manifest) -> None:
    write(tmp_path, manifest)
    assert read(tmp_path) == manifest


def test_a_manifest_can_be_read_by_people(tmp_path: Path) -> None:
    write(tmp_path, MANIFEST)
    row = json.loads((tmp_path / NAME).read_text())
    assert (row["format"], row["generation"], row["segments"][1]["file"]) == (FORMAT, 7, "segment-000007.faiss")


def test_a_manifest_replaces_the_one_before_it(tmp_path: Path) -> None:
    write(tmp_path, MANIFEST)
    write(tmp_path, replace(MANIFEST, generation=8))
    assert read(tmp_path).generation == 8
    assert not staging(tmp_path / NAME).exists()


def test_a_missing_manifest_is_damage_that_indexing_mends(tmp_path: Path) -> None:
    with pytest.raises(CorruptIndex, match=r"manifest\.json is missing; run `selfroute index repair"):
        read(tmp_path)


def test_a_manifest_cut_anywhere_is_refused(tmp_path: Path) -> None:
    write(tmp_path, MANIFEST)
    content = (tmp_path / NAME).read_bytes()
    for end in range(len(content)):
        (tmp_path / NAME).write_bytes(content[:end])
        with pytest.raises(CorruptIndex):
            read(tmp_path)


@pytest.mark.parametrize("bit", [1, 4, 32, 128])
def test_a_manifest_with_one_bit_flipped_is_refused_or_means_the_same(tmp_path: Path, bit: int) -> None:
    write(tmp_path, MANIFEST)
    content = (tmp_path / NAME).read_bytes()
    refused = 0
    for at in range(len(content)):
        (tmp_path / NAME).write_bytes(content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :])
        try:
            assert read(tmp_path) == MANIFEST  # white space became other white space
        except UnusableIndex:
            refused += 1
    assert refused > len(content) / 2


@pytest.mark.parametrize("key", ["store", "generation", "segments", "tombstones", "sha256"])
def test_a_manifest_that_lacks_an_entry_is_damaged(tmp_path: Path, key: str) -> None:
    altered(tmp_path, lambda row: row.pop(key))
    with pytest.raises(CorruptIndex, match="differs from its checksum"):
        read(tmp_path)


def test_a_manifest_that_was_edited_is_damaged(tmp_path: Path) -> None:
    altered(tmp_path, lambda row: row.update(tombstones=[3, 9]))
    with pytest.raises(CorruptIndex, match="differs from its checksum"):
        read(tmp_path)


@pytest.mark.parametrize("content", ['{"name": "web app", "icons": []}', "[]", "null", '"text"'])
def test_the_manifest_of_another_program_is_foreign(tmp_path: Path, content: str) -> None:
    (tmp_path / NAME).write_text(content)
    with pytest.raises(ForeignIndex, match="was not written by selfroute; use another corpus name"):
        read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\0" * 700, b"\xff\xfe{}", b"{", b"[" * 200_000, b'{"format": 1'])
def test_what_is_no_json_is_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(CorruptIndex, match="cannot be read"):
        read(tmp_path)


def test_a_manifest_of_a_newer_format_asks_for_an_update(tmp_path: Path) -> None:
    altered(tmp_path, lambda row: row.update(format=FORMAT + 1))
    with pytest.raises(
        ForeignIndex, match=rf"has format {FORMAT + 1}, this selfroute reads {FORMAT}; update selfroute"
    ):
        read(tmp_path)


@pytest.mark.parametrize("version", [0, 1])
def test_a_manifest_of_an_earlier_format_asks_for_a_repair(tmp_path: Path, version: int) -> None:
    altered(tmp_path, lambda row: row.update(format=version))
    with pytest.raises(OutdatedIndex, match=r"by an earlier selfroute: run `selfroute index repair --corpus"):
        read(tmp_path)


def test_a_manifest_that_may_not_be_read_is_not_called_damaged(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(UnusableIndex, match=r"is a directory.*check its permissions") as refused:
        read(tmp_path)
    assert not isinstance(refused.value, CorruptIndex)


def altered(folder: Path, alter: object) -> None:
    write(folder, MANIFEST)
    row = json.loads((folder / NAME).read_text())
    assert callable(alter)
    alter(row)
    (folder / NAME).write_text(json.dumps(row))
