"""Corpora of the version before open and answer as they did; what may be read or would be split differently now is
told, and files are read again where that is asked for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from selfroute import build, doctor
from selfroute.embedders.hashing import HashingEmbedder
from selfroute.index import Entry, Kept, open_index
from selfroute.index.freshness import Outdated, files_of, outdated
from selfroute.index.upkeep import Corpora
from selfroute.indexer import Indexer
from selfroute.ingest.chunker import rule
from selfroute.ingest.finder import File
from selfroute.ingest.loaders import VERSION
from selfroute.settings import Settings, load

HOMES = Path(__file__).parent / "cases" / "homes"
DOCUMENTS = Path(__file__).parent / "cases" / "documents"
"""The files that the corpora of the version before were made of."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A home as the version before wrote it, whose files stood in /srv/harbour."""
    shutil.copytree(HOMES / "2026-11", tmp_path / "home")
    return tmp_path / "home"


def test_a_corpus_of_the_version_before_opens_as_it_was(old: Path) -> None:
    index = open_index(old, "harbour", None)
    try:
        assert sorted(index.entries) == [
            *("a03-superscript.html", "a04-numbered-clauses.docx", "a11-mixed-scan.pdf", "d1-quays.txt"),
            *("d3-long-table.md", "n1"),
        ]
        assert {entry.chunking for entry in index.entries.values()} == {"240"}
        assert index.readable("a11-mixed-scan.pdf") == 1.0
        assert index.warnings("a11-mixed-scan.pdf") == ()
        chunks = [chunk for id_ in index.entries for chunk in index.chunks(id_)]
        assert len(chunks) == 10
        assert all(index.document(chunk.document).text[chunk.start : chunk.end] == chunk.text for chunk in chunks)
        assert {chunk.header for chunk in chunks} == {""}
        assert len(index.search(index._segments.vectors()[1][0], 3)) == 3
    finally:
        index.close()


def test_a_corpus_of_the_version_before_is_whole(old: Path) -> None:
    corpora = Corpora(old)
    assert corpora.verify("harbour") == ()
    assert [info.warnings for info in corpora.documents("harbour")] == [()] * 6
    assert corpora.stats("harbour").documents == 6


def test_a_corpus_of_the_version_before_can_be_changed(old: Path) -> None:
    corpora = Corpora(old)
    corpora.delete_documents("harbour", ["n1"])
    assert corpora.verify("harbour") == ()
    assert len(corpora.documents("harbour")) == 5


def test_doctor_names_what_may_be_read_and_would_be_split_differently(old: Path) -> None:
    said = {check.name: check for check in doctor.examined(lambda: settings(old))}
    reading, splitting = said["corpus harbour, reading"], said["corpus harbour, splitting"]
    assert reading.ok
    assert reading.said == (
        "4 documents may be read differently now (a03-superscript.html, a04-numbered-clauses.docx, "
        "a11-mixed-scan.pdf, d3-long-table.md): run `selfroute index rebuild --corpus harbour --from-files`; the files "
        "of 4 of them are not there (a03-superscript.html, a04-numbered-clauses.docx, a11-mixed-scan.pdf, "
        "d3-long-table.md)"
    )
    assert splitting.ok
    assert splitting.said.startswith("6 documents were split by another rule (a03-superscript.html, ")
    assert splitting.said.endswith("run `selfroute index rebuild --corpus harbour`")


def test_a_rebuild_splits_what_the_version_before_split(old: Path) -> None:
    made = build.indexer(settings(old)).rebuild("harbour")
    assert (made.updated, made.unchanged, made.failed) == (6, 0, [])
    index = open_index(old, "harbour", None)
    try:
        headers = {chunk.header for chunk in index.chunks("d3-long-table.md")}
        assert "| berth | length m | fee euros | built |" in headers
    finally:
        index.close()
    assert Corpora(old).verify("harbour") == ()
    checks = [check.name for check in doctor.examined(lambda: settings(old))]
    assert "corpus harbour, splitting" not in checks
    assert "corpus harbour, reading" in checks


def test_a_rebuild_from_files_names_the_files_that_are_gone(old: Path) -> None:
    made = build.indexer(settings(old)).rebuild("harbour", from_files=True)
    assert len(made.failed) == 6
    assert made.failed[0].reason == "its file is gone: 'a03-superscript.html' stays as it was read before"
    assert made.updated == 6


def test_a_rebuild_from_files_reads_them_again(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.txt").write_text("The quay is long.")
    (folder / "b.jsonl").write_text('{"id": "one", "text": "The mole is short."}\n')
    indexer = Indexer(tmp_path / "home", HashingEmbedder(), 16)
    indexer.index([folder], "harbour")
    (folder / "a.txt").write_text("The quay is very long.")
    (folder / "b.jsonl").unlink()
    made = indexer.rebuild("harbour", from_files=True)
    assert (made.added, made.updated, made.unchanged) == (0, 1, 1)
    assert [failure.reason for failure in made.failed] == ["its file is gone: 'one' stays as it was read before"]
    index = open_index(tmp_path / "home", "harbour", None)
    try:
        assert index.document("a.txt").text == "The quay is very long."
        assert index.document("one").text == "The mole is short."
    finally:
        index.close()


def test_what_came_by_upload_is_to_be_uploaded_again(tmp_path: Path) -> None:
    copy = tmp_path / "copy.txt"
    copy.write_text("The quay is long.")
    indexer = Indexer(tmp_path / "home", HashingEmbedder(), 16)
    indexer.add([(copy, "quay.txt", "upload:quay.txt")], "harbour")
    [failure] = indexer.rebuild("harbour", from_files=True).failed
    assert failure.reason == (
        "it came with no file that is here: 'quay.txt' stays as it was read before; upload it again"
    )


def test_documents_are_outdated_by_the_version_of_their_format_and_by_ocr(tmp_path: Path) -> None:
    now = rule(240)
    entries = [Entry(name, f"/files/{name}", "", now, 1) for name in ("a.txt", "b.pdf", "c.html", "moved.docx")]
    kept = {
        f"/files/{name}": Kept(f"/files/{name}", name, f"{version}:00", 1)
        for name, version in {"a.txt": 1, "b.pdf": VERSION, "c.html": VERSION - 1}.items()
    }
    assert outdated(entries, kept, now) == Outdated(("c.html",), ("c.html",))
    assert outdated(entries, kept, now, ocr=True).read == ("b.pdf", "c.html")
    assert outdated(entries, kept, rule(100)).split == ("a.txt", "b.pdf", "c.html", "moved.docx")


def test_a_file_of_many_documents_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text("{}")
    entries = [Entry(f"sub/lines.jsonl:{n}", f"{path}:{n}", "", "", 1) for n in (1, 2)]
    assert files_of(entries, {}) == ([File(path, "sub/lines.jsonl")], [])
    assert files_of(entries, {str(path): Kept(str(path), "named.jsonl", "", 2)})[0] == [File(path, "named.jsonl")]


def test_a_file_is_read_again_under_the_one_form_of_its_name(tmp_path: Path) -> None:
    path = tmp_path / "Tu\u0308r.txt"
    path.write_text("One.")
    [entry] = entries = [Entry("sub/Tu\u0308r.txt", str(path), "", "", 1)]
    for kept in ({}, {str(path): Kept(str(path), entry.id, "", 1)}):
        assert files_of(entries, kept)[0] == [File(path, "sub/T\u00fcr.txt")]


def settings(home: Path) -> Settings:
    return load(None).model_copy(update={"home": home})
