"""Indexing takes what is new, embeds nothing twice, and survives any interruption with the old answers or the new."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, field
from functools import partial
from hashlib import sha256
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from selfroute.changes import Failure, Summary
from selfroute.embedders import Embedded
from selfroute.embedders.hashing import HashingEmbedder
from selfroute.errors import (
    CorruptIndex,
    ForeignIndex,
    HomeNotWritable,
    IndexBusy,
    InvalidName,
    NameTaken,
    UnknownCorpus,
    UnreadableFile,
    UnusableIndex,
)
from selfroute.index import Index, corpora, open_index, writing
from selfroute.index.files import staging
from selfroute.index.layout import NAME as STORE
from selfroute.index.store import LATEST, Kept, Store, _sealed_file
from selfroute.index.upkeep import Corpora
from selfroute.indexer import BATCH_CHUNKS, Indexer
from selfroute.ingest.chunker import rule
from selfroute.ingest.loaders import version as read_by
from selfroute.types import Chunk, Document

CASES = Path(__file__).parent / "cases" / "documents"
LIMIT = 4
DECOMPOSED, COMPOSED = "Gebu\u0308hr.txt", "Geb\u00fchr.txt"
"""One name in two forms."""
MANIFEST = "manifest.json"
Wait = Callable[[Callable[[], bool]], None]


@dataclass
class CountingEmbedder:
    """A hashing embedder that keeps what it was given."""

    inner: HashingEmbedder = field(default_factory=HashingEmbedder)
    texts: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def dimension(self) -> int:
        return self.inner.dimension

    @property
    def max_tokens(self) -> int:
        return self.inner.max_tokens

    def count_tokens(self, text: str) -> int:
        return self.inner.count_tokens(text)

    def embed(self, texts: Sequence[str]) -> Embedded:
        self.texts += texts
        return self.inner.embed(texts)


@dataclass
class AskingEmbedder(CountingEmbedder):
    """Says before each batch that it is about to embed, and waits for leave."""

    pipe: Connection | None = None

    def embed(self, texts: Sequence[str]) -> Embedded:
        assert self.pipe is not None
        self.pipe.send("embedding")
        self.pipe.recv()
        return super().embed(texts)


# What a run says


def test_a_first_run_counts_what_it_added(home: Path, tmp_path: Path) -> None:
    write(tmp_path / "files", {"a.txt": "One two three. Four five six.", "b/c.md": "One two three."})
    summary, embedder = indexed(home, tmp_path / "files")
    assert (summary.added, summary.updated, summary.unchanged, summary.failed) == (2, 0, 0, [])
    assert (summary.chunks, summary.tokens) == (3, 12)
    assert (summary.total_documents, summary.total_chunks) == (2, 3)
    assert summary.seconds > 0
    assert embedder.texts == ["One two three.", "Four five six.", "One two three."]


def test_a_second_run_embeds_nothing_and_touches_no_file(home: Path, tmp_path: Path) -> None:
    write(tmp_path / "files", {"a.txt": "One.", "b.md": "Two.", "rows.jsonl": json.dumps({"text": "Three."})})
    indexed(home, tmp_path / "files")
    before = state(home)
    summary, embedder = indexed(home, tmp_path / "files")
    assert (summary.added, summary.updated, summary.unchanged, summary.chunks, summary.tokens) == (0, 0, 3, 0, 0)
    assert (summary.total_documents, summary.total_chunks) == (3, 3)
    assert embedder.texts == []
    assert state(home) == before


def test_only_what_changed_is_embedded(home: Path, tmp_path: Path) -> None:
    write(tmp_path / "files", {"a.txt": "One two three. Four five six.", "b.txt": "Kept."})
    indexed(home, tmp_path / "files")
    write(tmp_path / "files", {"a.txt": "Other words.", "c.txt": "New."})
    summary, embedder = indexed(home, tmp_path / "files")
    assert (summary.added, summary.updated, summary.unchanged) == (1, 1, 1)
    assert (summary.chunks, summary.total_documents, summary.total_chunks) == (2, 3, 3)
    assert embedder.texts == ["Other words.", "New."]
    assert texts_in(home) == {"a.txt": "Other words.", "b.txt": "Kept.", "c.txt": "New."}


def test_a_file_that_is_not_named_again_stays(home: Path, tmp_path: Path) -> None:
    write(tmp_path / "files", {"a.txt": "One.", "b.txt": "Two."})
    indexed(home, tmp_path / "files" / "a.txt")
    summary, _ = indexed(home, tmp_path / "files" / "b.txt")
    assert (summary.added, summary.total_documents) == (1, 2)


def test_another_chunk_size_splits_all_again(home: Path, tmp_path: Path) -> None:
    write(tmp_path / "files", {"a.txt": "One two three. Four five six."})
    indexed(home, tmp_path / "files")
    summary, embedder = indexed(home, tmp_path / "files", limit=8)
    assert (summary.added, summary.updated, summary.unchanged, summary.total_chunks) == (0, 1, 0, 1)
    assert embedder.texts == ["One two three. Four five six."]
    assert indexed(home, tmp_path / "files", limit=8)[0].unchanged == 1


def test_equal_files_are_two_documents(home: Path, tmp_path: Path) -> None:
    write(tmp_path / "files", {"a.txt": "Same.", "b.txt": "Same."})
    assert indexed(home, tmp_path / "files")[0].total_documents == 2
    assert texts_in(home) == {"a.txt": "Same.", "b.txt": "Same."}


def test_a_file_that_moved_is_not_embedded_again_and_known_where_it_is(home: Path, tmp_path: Path) -> None:
    write(tmp_path / "old", {"a.txt": "One."})
    indexed(home, tmp_path / "old")
    (tmp_path / "old").rename(tmp_path / "new")
    summary, embedder = indexed(home, tmp_path / "new")
    assert (summary.unchanged, embedder.texts) == (1, [])
    with opened(home) as index:
        assert index.document("a.txt").source == str((tmp_path / "new" / "a.txt").resolve())


def test_a_file_that_moved_and_changed_is_updated(home: Path, tmp_path: Path) -> None:
    write(tmp_path / "old", {"a.txt": "One."})
    indexed(home, tmp_path / "old")
    (tmp_path / "old").rename(tmp_path / "new")
    write(tmp_path / "new", {"a.txt": "Two."})
    assert indexed(home, tmp_path / "new")[0].updated == 1
    assert texts_in(home) == {"a.txt": "Two."}


# What is kept of files


def test_a_file_that_is_the_same_is_hashed_and_not_read_again(home: Path, tmp_path: Path) -> None:
    """Told by a text that reading would refuse: its bytes are declared to be those that are in the store."""
    folder = write(tmp_path / "files", {"a.txt": "One.", "b.txt": "Two.", "rows.jsonl": '{"text": "Three."}\n' * 2})
    indexed(home, folder)
    with closing(sqlite3.connect(home / "harbour" / STORE)) as raw:
        kept = dict(raw.execute("SELECT name, documents FROM files").fetchall())
    assert kept == {"a.txt": 1, "b.txt": 1, "rows.jsonl": 2}
    (folder / "a.txt").write_text(" ")
    with closing(sqlite3.connect(home / "harbour" / STORE)) as raw, raw:
        digest = f"{read_by(folder / 'a.txt')}:{sha256(b' ').hexdigest()}"
        [(path, documents)] = raw.execute("SELECT path, documents FROM files WHERE name = 'a.txt'").fetchall()
        seal = _sealed_file(Kept(path, "a.txt", digest, documents))
        raw.execute("UPDATE files SET hash = ?, seal = ? WHERE name = 'a.txt'", (digest, seal))
    summary, embedder = indexed(home, folder)
    assert (summary.unchanged, summary.failed, embedder.texts) == (4, [], [])


def test_a_file_is_read_again_where_not_all_of_it_is_in_the_corpus(home: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "files", {"rows.jsonl": '{"id": 1, "text": "One."}\n{"id": 2, "text": "Two."}\n'})
    indexed(home, folder)
    embedder = HashingEmbedder()
    with writing(home, "harbour", embedder.name, embedder.dimension) as writer:
        writer.delete(["2"])
        writer.publish()
    assert texts_in(home) == {"1": "One."}
    summary, _ = indexed(home, folder)
    assert (summary.added, summary.unchanged) == (1, 1)
    assert texts_in(home) == {"1": "One.", "2": "Two."}


def test_a_file_with_a_failure_in_it_is_read_again(home: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "files", {"rows.jsonl": '{"text": "One."}\nbad\n'})
    for _ in range(2):
        assert len(indexed(home, folder)[0].failed) == 1


def test_a_file_that_has_another_id_now_is_another_document(home: Path, tmp_path: Path) -> None:
    write(tmp_path / "files", {"sub/a.txt": "One."})
    indexed(home, tmp_path / "files")
    summary, _ = indexed(home, tmp_path / "files" / "sub")
    assert (summary.added, summary.unchanged) == (1, 0)
    assert texts_in(home) == {"sub/a.txt": "One.", "a.txt": "One."}


def test_files_that_change_while_they_are_read_are_read_again_the_next_time(home: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "files", {"a.jsonl": '{"id": 1, "text": "One."}\n{"id": 2, "text": "Two."}\n'})

    class Changing(CountingEmbedder):
        def count_tokens(self, text: str) -> int:  # the splitter asks while the file is being read
            write(folder, {"a.jsonl": '{"id": 1, "text": "One."}\n{"id": 2, "text": "Too."}\n'})
            return super().count_tokens(text)

    Indexer(home, Changing(), LIMIT).index([folder], "harbour")
    indexed(home, folder)
    assert texts_in(home) == {"1": "One.", "2": "Too."}


# Syncing


def test_syncing_deletes_what_is_gone_in_the_generation_that_adds_what_is_new(home: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "files", {"a.txt": "One.", "sub/b.txt": "Two.", "c.txt": "Three."})
    indexed(home, folder)
    (folder / "sub" / "b.txt").unlink()
    write(folder, {"d.txt": "Four."})
    summary, embedder = indexed(home, folder, sync=True)
    assert (summary.added, summary.unchanged, summary.deleted) == (1, 2, 1)
    assert (summary.total_documents, embedder.texts) == (3, ["Four."])
    assert texts_in(home) == {"a.txt": "One.", "c.txt": "Three.", "d.txt": "Four."}
    with opened(home) as index:
        assert index.generation == 2
    assert indexed(home, folder, sync=True)[0].deleted == 0


def test_without_syncing_nothing_is_deleted(home: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "files", {"a.txt": "One.", "b.txt": "Two."})
    indexed(home, folder)
    (folder / "b.txt").unlink()
    summary, _ = indexed(home, folder)
    assert (summary.deleted, summary.total_documents) == (0, 2)


def test_syncing_one_folder_leaves_what_came_from_elsewhere(home: Path, tmp_path: Path) -> None:
    one = write(tmp_path / "files", {"a.txt": "One.", "b.txt": "Two."})
    other = write(tmp_path / "files2", {"c.txt": "Three."})
    indexed(home, one, other)
    (one / "b.txt").unlink()
    (other / "c.txt").unlink()
    assert indexed(home, one, sync=True)[0].deleted == 1
    assert texts_in(home) == {"a.txt": "One.", "c.txt": "Three."}


def test_syncing_keeps_what_is_there_and_left_out_or_unreadable_now(home: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "files", {"a.txt": "One.", "b.txt": "Two.", "c.txt": "Three."})
    indexed(home, folder)
    write(folder, {".gitignore": "a.txt\n", "b.txt": " "})
    summary, _ = indexed(home, folder, sync=True, exclude=["c.txt"])
    assert (summary.deleted, summary.total_documents, len(summary.failed)) == (0, 3, 1)


def test_lines_that_are_gone_from_a_file_are_deleted_unless_a_line_of_it_failed(home: Path, tmp_path: Path) -> None:
    rows = [f'{{"id": {n}, "text": "Number {n}."}}\n' for n in range(4)]
    folder = write(tmp_path / "files", {"rows.jsonl": "".join(rows)})
    indexed(home, folder)
    write(folder, {"rows.jsonl": rows[0] + "bad\n" + rows[3]})
    assert indexed(home, folder, sync=True)[0].deleted == 0
    write(folder, {"rows.jsonl": rows[0] + rows[3]})
    assert indexed(home, folder, sync=True)[0].deleted == 2
    assert indexed(home, folder, sync=True)[0].deleted == 0  # the file is the same and is not read
    assert texts_in(home) == {"0": "Number 0.", "3": "Number 3."}


def test_syncing_an_empty_folder_leaves_an_empty_corpus_that_takes_documents_again(home: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "files", {"a.txt": "One."})
    indexed(home, folder)
    (folder / "a.txt").unlink()
    summary, _ = indexed(home, folder, sync=True)
    assert (summary.deleted, summary.total_documents, summary.total_chunks) == (1, 0, 0)
    assert answers(home) == {"texts": {}, "hits": []}
    write(folder, {"b.txt": "Two."})
    assert indexed(home, folder, sync=True)[0].total_documents == 1
    assert texts_in(home) == {"b.txt": "Two."}


def test_a_named_path_that_is_not_there_is_refused_and_not_taken_for_deleted(home: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "files", {"a.txt": "One."})
    indexed(home, folder)
    (folder / "a.txt").unlink()
    folder.rmdir()
    with pytest.raises(UnreadableFile, match="there is no such file or folder"):
        indexed(home, folder, sync=True)
    assert texts_in(home) == {"a.txt": "One."}


# Large documents and many


def test_a_large_document_is_embedded_in_parts_and_committed_whole(home: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "files", {"a.txt": sentences(0, 1000), "b.txt": "One."})
    sizes: list[int] = []

    class Sizes(CountingEmbedder):
        def embed(self, texts: Sequence[str]) -> Embedded:
            sizes.append(len(texts))
            return super().embed(texts)

    embedder = Sizes()
    Indexer(home, embedder, LIMIT).index([folder], "harbour")
    assert sizes == [256, 256, 256, 232, 1]
    with opened(home) as index:
        assert [chunk.text for chunk in index.chunks("a.txt")] == embedder.texts[:1000]
        [hit] = index.search(embedder.inner.embed(["Document0 sentence999 stands."]).vectors[0], 1, ["a.txt"])
        assert hit.score == pytest.approx(1)


def test_reading_is_never_far_ahead_of_embedding(home: Path, tmp_path: Path, wait_until: Wait) -> None:
    folder = write(tmp_path / "files", {f"{n:03}.txt": sentences(n, 50) for n in range(60)})
    counted: list[str] = []
    held = threading.Event()

    class Holding(CountingEmbedder):
        def count_tokens(self, text: str) -> int:
            counted.append(text)
            return super().count_tokens(text)

        def embed(self, texts: Sequence[str]) -> Embedded:
            if not held.is_set():
                before = -1
                while before != len(counted):  # until reading stands still
                    before = len(counted)
                    held.wait(0.3)
                held.set()
                read_ahead.append(len({text.split()[0] for text in counted}))
            return super().embed(texts)

    read_ahead: list[int] = []
    Indexer(home, Holding(), LIMIT).index([folder], "harbour")
    assert read_ahead[0] <= 14  # a batch of 6, as many that wait, one that is given and one that is split


@pytest.mark.end_to_end
def test_the_pages_of_a_document_are_kept_with_it(home: Path, tmp_path: Path) -> None:
    fpdf = pytest.importorskip("fpdf", reason="fpdf2 writes the PDF")
    made = fpdf.FPDF()
    made.set_font("helvetica", size=12)
    for text in ("The harbour master.", "Night work."):
        made.add_page()
        made.cell(text=text)
    (tmp_path / "files").mkdir()
    made.output(str(tmp_path / "files" / "a.pdf"))
    for unchanged in (0, 1):
        assert indexed(home, tmp_path / "files")[0].unchanged == unchanged
        with opened(home) as index:
            text = index.document("a.pdf").text
            assert [index.page("a.pdf", text.index(word)) for word in ("harbour", "Night")] == [1, 2]


# What cannot be indexed


def test_a_bad_file_is_named_and_does_not_stop_the_others(home: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "files", {"a.txt": "One.", "empty.txt": " ", "z.txt": "Two."})
    (folder / "binary.txt").write_bytes(b"\xff\0")
    write(folder, {"rows.jsonl": '{"text": "Three."}\nnot JSON\n{"text": "Four."}\n'})
    summary, _ = indexed(home, folder)
    assert (summary.added, summary.total_documents) == (4, 4)
    assert [(Path(failure.source).name, failure.reason) for failure in summary.failed] == [
        ("binary.txt", "is binary, not text"),
        ("empty.txt", "is empty"),
        ("rows.jsonl:2", "not a line of JSON: Expecting value: line 1 column 1 (char 0)"),
    ]


def test_a_file_that_is_newly_encrypted_says_that_its_earlier_text_stays(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    shutil.copy(CASES / "a03-superscript.docx", folder / "a b.docx")
    indexed(home, folder)
    (folder / "a b.docx").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    [failure] = indexed(home, folder)[0].failed
    assert failure.reason.startswith("is encrypted")
    assert failure.reason.endswith("run `selfroute documents delete 'a b.docx' --corpus harbour`")


def test_a_line_that_went_bad_says_that_its_earlier_text_stays(home: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "files", {"a.jsonl": '{"id": "x", "text": "One."}\n{"id": "y", "text": "Two."}\n'})
    indexed(home, folder)
    write(folder, {"a.jsonl": '{"id": "x", "text": "One."}\n{"id": "y"}\n'})
    [failure] = indexed(home, folder)[0].failed
    assert failure.source.endswith("a.jsonl:2")
    assert failure.reason.endswith("run `selfroute documents delete y --corpus harbour`")


def test_files_that_no_loader_reads_are_counted_by_suffix(home: Path, tmp_path: Path) -> None:
    texts = {"a.txt": "One.", "b.xyz": "", "sub/C.XYZ": "", "LICENSE": "", ".hidden.xyz": "", "left.xyz": ""}
    summary, _ = indexed(home, write(tmp_path / "files", texts), exclude=["left.xyz"])
    assert summary.passed_over == {".xyz": 2, "": 1}


def test_what_could_not_be_read_is_a_warning_that_stays_with_the_document(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    shutil.copy(CASES / "c5-missing.epub", folder)
    summary, _ = indexed(home, folder)
    [told] = summary.warnings
    assert told.document == "c5-missing.epub"
    assert "b.xhtml" in told.warning
    with closing(open_index(home, "harbour", None)) as index:
        assert index.warnings("c5-missing.epub") == (told.warning,)
        assert index.readable("c5-missing.epub") == 0.5
    assert indexed(home, folder)[0].warnings == []
    (info,) = Corpora(home).documents("harbour")
    assert (info.warnings, info.readable) == ((told.warning,), 0.5)
    assert Corpora(home).verify("harbour") == ()


def test_a_name_is_one_in_whichever_form_of_unicode(home: Path, tmp_path: Path) -> None:
    decomposed, composed = DECOMPOSED, COMPOSED
    folder = write(tmp_path / "files", {decomposed: "One.", "b.jsonl": '{"id": "Tu\u0308r", "text": "Two."}\n'})
    indexed(home, folder)
    with closing(open_index(home, "harbour", None)) as index:
        assert sorted(index.entries) == [composed, "T\u00fcr"]
        assert index.scope([decomposed, composed]) == (composed,)
    (folder / decomposed).unlink()
    write(folder, {composed: "One and more."})
    summary, _ = indexed(home, folder)
    assert (summary.added, summary.updated, summary.failed) == (0, 1, [])
    assert indexed(home, folder, exclude=[decomposed], sync=True)[0].deleted == 0


def test_an_id_that_was_stored_in_another_form_gives_way_to_the_one_form(home: Path, tmp_path: Path) -> None:
    before(home, {DECOMPOSED: ("One.", Path("/gone"))})
    summary, _ = indexed(home, write(tmp_path / "files", {COMPOSED: "One and more."}))
    assert (summary.added, summary.updated, summary.total_documents) == (0, 1, 1)
    assert texts_in(home) == {COMPOSED: "One and more."}


def test_a_run_that_fails_loses_nothing_that_was_stored_under_another_form(home: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "files", {DECOMPOSED: "One and more."})
    before(home, {DECOMPOSED: ("One.", folder / DECOMPOSED), "a.txt": ("Other.", Path("/gone"))})

    class Failing(CountingEmbedder):
        def embed(self, texts: Sequence[str]) -> Embedded:
            raise UnusableIndex("no more")

    with pytest.raises(UnusableIndex, match="no more"):
        Indexer(home, Failing(), LIMIT).index([folder], "harbour")
    Corpora(home).delete_documents("harbour", ["a.txt"])
    assert texts_in(home) == {DECOMPOSED: "One."}
    indexed(home, folder)
    assert texts_in(home) == {COMPOSED: "One and more."}


def test_a_name_in_another_form_does_not_take_the_place_of_a_file_that_is_still_there(
    home: Path, tmp_path: Path
) -> None:
    old = write(tmp_path / "A", {DECOMPOSED: "One."}) / DECOMPOSED
    before(home, {DECOMPOSED: ("One.", old)})
    summary, _ = indexed(home, write(tmp_path / "B", {COMPOSED: "Two."}))
    [failure] = summary.failed
    assert failure.reason == f"its id {COMPOSED!r} belongs to {old}: index the folder above both, or another corpus"
    assert texts_in(home) == {DECOMPOSED: "One."}
    old.unlink()
    assert indexed(home, tmp_path / "B")[0].updated == 1
    assert texts_in(home) == {COMPOSED: "Two."}


def test_a_file_that_is_found_by_its_name_in_either_form_is_no_other_file(home: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "files", {COMPOSED: "One and more."})
    os.link(folder / COMPOSED, folder / DECOMPOSED)  # as some file systems find it by both
    before(home, {DECOMPOSED: ("One.", folder / DECOMPOSED)})
    summary, _ = indexed(home, folder / COMPOSED)
    assert (summary.updated, summary.failed) == (1, [])
    assert texts_in(home) == {COMPOSED: "One and more."}


def test_an_equal_text_of_a_name_in_another_form_is_there_already(home: Path, tmp_path: Path) -> None:
    one, other = write(tmp_path / "A", {DECOMPOSED: "One."}), write(tmp_path / "B", {COMPOSED: "One."})
    before(home, {DECOMPOSED: ("One.", one / DECOMPOSED)})
    summary, embedder = indexed(home, other, one, sync=True)
    assert (summary.unchanged, summary.deleted, embedder.texts) == (2, 0, [])
    assert texts_in(home) == {DECOMPOSED: "One."}
    indexed(home, one, sync=True)
    assert texts_in(home) == {COMPOSED: "One."}


def test_of_two_files_whose_names_differ_in_form_alone_both_stay_and_the_second_is_refused(
    home: Path, tmp_path: Path
) -> None:
    folder = write(tmp_path / "files", {DECOMPOSED: "One.", COMPOSED: "Two."})
    before(home, {name: (text, folder / name) for name, text in ((DECOMPOSED, "One."), (COMPOSED, "Two."))})
    for text in ("Two.", "Two and more."):
        write(folder, {COMPOSED: text})
        summary, _ = indexed(home, folder, sync=True)
        [failure] = summary.failed
        assert failure.source.endswith(DECOMPOSED)
        assert failure.reason == (
            f"its id {COMPOSED!r} is that of another text, {folder / COMPOSED}: give it another id or name; what was "
            "indexed of it before stays in the corpus: to remove that, run "
            f"`selfroute documents delete '{DECOMPOSED}' --corpus harbour`"
        )
        assert texts_in(home) == {DECOMPOSED: "One.", COMPOSED: text}
    assert Indexer(home, CountingEmbedder(), LIMIT).rebuild("harbour", from_files=True).failed == summary.failed
    assert texts_in(home) == {DECOMPOSED: "One.", COMPOSED: text}
    Corpora(home).delete_documents("harbour", [DECOMPOSED])
    assert texts_in(home) == {COMPOSED: text}


def test_two_lines_whose_ids_differ_in_form_alone_both_stay_where_they_were_both_stored(
    home: Path, tmp_path: Path
) -> None:
    lines = {"Tu\u0308r": "One.", "T\u00fcr": "Two."}
    rows = [json.dumps({"id": id_, "text": text}) for id_, text in lines.items()]
    path = write(tmp_path / "files", {"rows.jsonl": "\n".join(rows)}) / "rows.jsonl"
    before(home, {id_: (text, Path(f"{path}:{n}")) for n, (id_, text) in enumerate(lines.items(), 2)})
    summary, _ = indexed(home, tmp_path / "files")
    assert [failure.source for failure in summary.failed] == [f"{path}:1"]
    assert summary.failed[0].reason.endswith("documents delete 'Tu\u0308r' --corpus harbour`")
    assert texts_in(home) == lines


def test_a_text_that_another_file_has_now_is_taken_and_the_old_form_goes(home: Path, tmp_path: Path) -> None:
    one, other = write(tmp_path / "A", {DECOMPOSED: "Same."}), write(tmp_path / "B", {COMPOSED: "Same."})
    before(home, {DECOMPOSED: ("One.", one / DECOMPOSED), COMPOSED: ("Same.", other / COMPOSED)})
    summary, embedder = indexed(home, one)
    assert (summary.unchanged, embedder.texts, summary.failed) == (1, [], [])
    assert texts_in(home) == {COMPOSED: "Same."}


def test_what_is_told_to_stay_is_what_stays(home: Path, tmp_path: Path) -> None:
    rows = ['{"id": "a", "text": "One."}', '{"id": "b", "text": "Two."}']
    folder = write(tmp_path / "files", {"rows.jsonl": "\n".join(rows)})
    indexed(home, folder)
    write(folder, {"rows.jsonl": "\n".join(["", "bad", rows[0], rows[1].replace("Two", "Three")])})
    [failure] = indexed(home, folder)[0].failed  # where b was, which is elsewhere now
    assert failure.reason.startswith("not a line of JSON")
    assert "stays" not in failure.reason
    write(folder, {"rows.jsonl": "\n".join(["", "bad", rows[0], "bad"])})
    told = ["stays" in failure.reason for failure in indexed(home, folder)[0].failed]
    assert told == [False, True]
    assert texts_in(home) == {"a": "One.", "b": "Three."}


@pytest.mark.parametrize(
    ("ids", "told"),
    [
        (["b", "a c"], ": to remove that, run `selfroute documents delete 'a c' b --corpus harbour`"),
        (["-b", "a"], ": to remove that, run `selfroute documents delete --corpus harbour -- -b a`"),
        (
            [f"{n:02}" for n in range(11)],
            ", 11 documents: `selfroute documents list --corpus harbour` names them, and `selfroute documents delete "
            "00 --corpus harbour` removes one, or all whose ids are given",
        ),
    ],
)
def test_the_documents_of_a_file_that_went_bad_are_named(
    home: Path, tmp_path: Path, ids: Sequence[str], told: str
) -> None:
    rows = "\n".join(json.dumps({"id": id_, "text": f"Text {id_}."}) for id_ in ids)
    folder = write(tmp_path / "files", {"rows.jsonl": rows})
    indexed(home, folder)
    write(folder, {"rows.jsonl": ""})
    [failure] = indexed(home, folder)[0].failed
    assert failure.reason == f"is empty; what was indexed of it before stays in the corpus{told}"


def test_files_that_are_read_again_get_ids_of_one_form(home: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "files", {DECOMPOSED: "One.", "b.jsonl": '{"id": "Tu\u0308r", "text": "Two."}\n'})
    before(home, {DECOMPOSED: ("One.", folder / DECOMPOSED), "Tu\u0308r": ("Two.", folder / "b.jsonl:1")})
    made = Indexer(home, CountingEmbedder(), LIMIT).rebuild("harbour", from_files=True)
    assert (made.added, made.updated, made.unchanged, made.failed) == (0, 2, 0, [])
    assert texts_in(home) == {COMPOSED: "One.", "T\u00fcr": "Two."}
    assert Corpora(home).verify("harbour") == ()


def test_whoever_takes_back_a_rebuild_has_the_other_form_again(home: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "files", {DECOMPOSED: "One."})
    before(home, {DECOMPOSED: ("One.", folder / DECOMPOSED)})

    def stop(done: int, total: int) -> None:
        if not total:
            raise UnusableIndex("no more")  # all files are read, and nothing is published

    with pytest.raises(UnusableIndex, match="no more"):
        Indexer(home, HashingEmbedder(32), LIMIT).rebuild("harbour", stop, from_files=True)
    assert texts_in(home) == {DECOMPOSED: "One."}
    Corpora(home).delete_documents("harbour", [])  # by the old embedder
    indexed(home, write(tmp_path / "other", {"b.txt": "Two."}))
    assert texts_in(home) == {DECOMPOSED: "One.", "b.txt": "Two."}


def test_a_file_that_went_bad_keeps_what_was_indexed_of_it(home: Path, tmp_path: Path) -> None:
    write(tmp_path / "files", {"a.txt": "One."})
    indexed(home, tmp_path / "files")
    write(tmp_path / "files", {"a.txt": " "})
    assert [failure.reason for failure in indexed(home, tmp_path / "files")[0].failed] == [
        "is empty; what was indexed of it before stays in the corpus: to remove that, run "
        "`selfroute documents delete a.txt --corpus harbour`"
    ]
    assert texts_in(home) == {"a.txt": "One."}


def test_two_texts_under_one_id_are_refused(home: Path, tmp_path: Path) -> None:
    rows = [{"id": "a", "text": "One."}, {"id": "a", "text": "Two."}, {"id": "a", "text": "One."}]
    write(tmp_path / "files", {"rows.jsonl": "\n".join(map(json.dumps, rows))})
    summary, _ = indexed(home, tmp_path / "files")
    place = (tmp_path / "files" / "rows.jsonl").resolve()
    reason = f"its id 'a' is that of another text, {place}:1: give it another id or name"
    assert summary.failed == [Failure(f"{place}:2", reason)]
    assert (summary.added, summary.unchanged) == (1, 1)
    assert texts_in(home) == {"a": "One."}


def test_a_file_of_the_same_name_elsewhere_does_not_replace_the_first(home: Path, tmp_path: Path) -> None:
    write(tmp_path / "one", {"a.txt": "One."})
    write(tmp_path / "two", {"a.txt": "Two."})
    indexed(home, tmp_path / "one")
    summary, embedder = indexed(home, tmp_path / "two")
    source = (tmp_path / "one" / "a.txt").resolve()
    assert [failure.reason for failure in summary.failed] == [
        f"its id 'a.txt' belongs to {source}: index the folder above both, or another corpus"
    ]
    assert embedder.texts == []
    assert texts_in(home) == {"a.txt": "One."}
    summary, _ = indexed(home, tmp_path / "one", tmp_path / "two")
    assert [failure.reason for failure in summary.failed] == [
        f"its id 'a.txt' is that of another text, {source}: give it another id or name"
    ]


def test_a_corpus_of_failures_is_not_made(home: Path, tmp_path: Path) -> None:
    write(tmp_path / "files", {"a.txt": " ", "b.md": ""})
    summary, _ = indexed(home, tmp_path / "files")
    assert (len(summary.failed), summary.total_documents) == (2, 0)
    assert corpora(home) == []
    assert os.listdir(home) == []


@pytest.mark.parametrize(
    ("path", "corpus", "error"), [("gone", "harbour", UnreadableFile), ("a.txt", "../harbour", InvalidName)]
)
def test_a_run_that_cannot_begin_makes_nothing(
    home: Path, tmp_path: Path, path: str, corpus: str, error: type[Exception]
) -> None:
    write(tmp_path / "files", {"a.txt": "One."})
    with pytest.raises(error):
        Indexer(home, CountingEmbedder(), LIMIT).index([tmp_path / "files" / path], corpus)
    assert not home.exists()


# Progress


def test_progress_only_grows_and_ends_at_the_whole(home: Path, tmp_path: Path) -> None:
    folder = write(
        tmp_path / "files",
        {f"{n}.txt": sentences(n, 30) for n in range(5)} | {"bad.txt": "\0", "rows.jsonl": '{"text": "One."}\nbad\n\n'},
    )
    total = sum(path.stat().st_size for path in folder.iterdir())
    indexer = Indexer(home, CountingEmbedder(), LIMIT)
    for _ in range(2):  # the second finds all unchanged
        heard: list[tuple[int, int]] = []
        indexer.index([folder], "harbour", partial(_note, heard))
        assert heard == sorted(heard)
        assert {all_ for _, all_ in heard} == {total}
        assert heard[-1] == (total, total)
        assert len({done for done, _ in heard}) > 5


def _note(heard: list[tuple[int, int]], done: int, total: int) -> None:
    heard.append((done, total))


def test_progress_never_exceeds_the_whole_when_a_file_grows_meanwhile(home: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "files", {"a.txt": "One.", "b.txt": "Two."})
    heard: list[tuple[int, int]] = []

    def listen(done: int, total: int) -> None:
        heard.append((done, total))
        write(folder, {"b.txt": "Two and much more than before."})

    Indexer(home, CountingEmbedder(), LIMIT).index([folder], "harbour", listen)
    assert heard == sorted(heard)
    assert heard[-1] == (8, 8)


def test_what_is_committed_together_is_about_so_many_chunks(home: Path, tmp_path: Path) -> None:
    write(tmp_path / "files", {f"{n:02}.txt": sentences(n, 100) for n in range(6)})
    sizes: list[int] = []

    class Sizes(CountingEmbedder):
        def embed(self, texts: Sequence[str]) -> Embedded:
            sizes.append(len(texts))
            return super().embed(texts)

    Indexer(home, Sizes(), LIMIT).index([tmp_path / "files"], "harbour")
    assert sizes == [256, 44, 256, 44]
    assert BATCH_CHUNKS == 256


# Damage and failure


def _without(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        for path in folder.glob(name):
            path.unlink()

    return damage


def _torn(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        for path in folder.glob(name):
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return damage


@pytest.mark.parametrize("damage", [_without, _torn], ids=["missing", "torn"])
@pytest.mark.parametrize("name", [MANIFEST, "segment-000001.faiss", "segment-*.faiss"])
def test_indexing_again_mends_an_index_without_embedding(
    home: Path, tmp_path: Path, damage: Callable[[str], Callable[[Path], None]], name: str
) -> None:
    texts = {f"{n}.txt": sentences(n, 3) for n in range(5)}
    write(tmp_path / "files", texts)
    indexed(home, tmp_path / "files")
    write(tmp_path / "files", {"0.txt": "Other words."})
    indexed(home, tmp_path / "files")
    before = answers(home)
    damage(name)(home / "harbour")
    with pytest.raises(CorruptIndex, match="run `selfroute index repair"):
        answers(home)
    summary, embedder = indexed(home, tmp_path / "files")
    assert embedder.texts == []
    assert (summary.unchanged, summary.total_documents) == (5, 5)
    assert answers(home) == before


@pytest.mark.parametrize(
    ("file", "fault"),
    [("segment-000002.faiss", fault) for fault in ("open", "sync", "rename")]
    + [(MANIFEST, "open"), (MANIFEST, "sync")],
)
def test_a_publication_that_fails_leaves_the_old_generation_and_is_made_up_for_without_embedding(
    home: Path, tmp_path: Path, file: str, fault: str
) -> None:
    indexed(home, version(tmp_path, 1))
    before = answers(home)
    folder = version(tmp_path, 2)
    with broken(home / "harbour" / file, fault), pytest.raises(HomeNotWritable):
        indexed(home, folder)
    assert answers(home) == before
    summary, embedder = indexed(home, folder)
    assert embedder.texts == []
    assert (summary.unchanged, summary.total_documents) == (3, 3)
    assert answers(home) == at_one_go(tmp_path, folder)
    left = {path.name for path in (home / "harbour").iterdir()}
    assert left == {".lock", MANIFEST, "segment-000001.faiss", "segment-000002.faiss", STORE}


@pytest.mark.end_to_end
@pytest.mark.parametrize("most", [10_000, 60_000, 200_000, 320_000])
def test_a_disk_that_is_full_leaves_the_old_generation_and_what_was_committed(
    home: Path, tmp_path: Path, processes: ForkServerContext, most: int
) -> None:
    indexed(home, version(tmp_path, 1, BATCH_CHUNKS))
    before = answers(home)
    folder = version(tmp_path, 2, BATCH_CHUNKS)
    finish(processes, _finds_the_disk_full, home, folder, most)
    assert answers(home) == before
    left = 3 - unpublished(home)
    summary, embedder = indexed(home, folder)
    assert len(embedder.texts) == BATCH_CHUNKS * left
    assert summary.total_documents == 3
    assert answers(home) == at_one_go(tmp_path, folder)


def _finds_the_disk_full(home: Path, folder: Path, most: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most,) * 2)
    with pytest.raises((HomeNotWritable, UnusableIndex), match=r"make it writable|check .* the disk") as told:
        indexed(home, folder)
    assert not isinstance(told.value, CorruptIndex)


@pytest.mark.end_to_end
def test_a_segment_that_does_not_fit_on_the_disk_leaves_no_part_of_it(
    home: Path, tmp_path: Path, processes: ForkServerContext
) -> None:
    """Mending writes all vectors as one segment and puts nothing in the store: only the segment meets the limit."""
    folder = version(tmp_path, 1, BATCH_CHUNKS)
    indexed(home, folder)
    before = answers(home)
    _without("segment-*")(home / "harbour")
    finish(processes, _finds_the_disk_full, home, folder, 100_000)
    assert list((home / "harbour").glob("*segment*")) == []
    assert indexed(home, folder)[1].texts == []
    assert answers(home) == before


# Interruption


@pytest.mark.end_to_end
@pytest.mark.parametrize("batches", [0, 1, 2])
@pytest.mark.parametrize("first", [True, False], ids=["first run", "update"])
def test_a_run_killed_between_batches_goes_on_where_it_was(
    home: Path, tmp_path: Path, processes: ForkServerContext, wait_until: Wait, first: bool, batches: int
) -> None:
    if not first:
        indexed(home, version(tmp_path, 1, BATCH_CHUNKS))
    before = None if first else answers(home)
    folder = version(tmp_path, 2, BATCH_CHUNKS)
    process, pipe = started(processes, home, folder)
    for _ in range(batches):
        assert pipe.recv() == "embedding"
        pipe.send("go on")
    assert pipe.recv() == "embedding"
    wait_until(lambda: committed(home) == batches + (0 if first else 3))  # another thread is at it
    killed(process)
    if before is None:
        with pytest.raises(CorruptIndex, match="is missing; run `selfroute index repair"):
            answers(home)
    else:
        assert answers(home) == before
    summary, embedder = indexed(home, folder)
    assert len(embedder.texts) == BATCH_CHUNKS * (3 - batches)
    assert (summary.unchanged, summary.total_documents) == (batches, 3)
    assert answers(home) == at_one_go(tmp_path, folder)


@pytest.mark.end_to_end
@pytest.mark.parametrize("file", ["segment-000002.faiss", MANIFEST])
def test_a_run_killed_while_it_publishes_is_finished_without_embedding(
    home: Path, tmp_path: Path, processes: ForkServerContext, wait_until: Wait, file: str
) -> None:
    """A pipe in the place of a staging file holds the run at that moment: opening it waits for a reader."""
    indexed(home, version(tmp_path, 1))
    before = answers(home)
    folder = version(tmp_path, 2)
    os.mkfifo(staging(home / "harbour" / file))
    process, pipe = started(processes, home, folder)
    assert pipe.recv() == "embedding"
    pipe.send("go on")
    wait_until(lambda: unpublished(home) == 3)
    if file == MANIFEST:
        wait_until((home / "harbour" / "segment-000002.faiss").exists)
    killed(process)
    staging(home / "harbour" / file).unlink()
    assert answers(home) == before
    summary, embedder = indexed(home, folder)
    assert embedder.texts == []
    assert (summary.unchanged, summary.total_documents) == (3, 3)
    assert answers(home) == at_one_go(tmp_path, folder)


@pytest.mark.end_to_end
@pytest.mark.parametrize("moment", ["rows are committed", "a segment is staged", "the manifest is new"])
def test_a_run_killed_at_any_moment_leaves_the_old_or_the_new(
    home: Path, tmp_path: Path, processes: ForkServerContext, wait_until: Wait, moment: str
) -> None:
    """The run is not held: it may have gone on a little when the signal comes."""
    indexed(home, version(tmp_path, 1))
    before, manifest = answers(home), (home / "harbour" / MANIFEST).read_bytes()
    folder = version(tmp_path, 2)
    after = at_one_go(tmp_path, folder)
    conditions: Mapping[str, Callable[[], bool]] = {
        "rows are committed": lambda: committed(home) > 3,
        "a segment is staged": lambda: len(list((home / "harbour").glob("*segment*"))) > 1,
        "the manifest is new": lambda: (home / "harbour" / MANIFEST).read_bytes() != manifest,
    }
    process, pipe = started(processes, home, folder)
    assert pipe.recv() == "embedding"
    pipe.send("go on")
    wait_until(conditions[moment])
    killed(process)
    assert answers(home) in (before, after)
    summary, embedder = indexed(home, folder)
    assert embedder.texts == []
    assert (summary.unchanged, summary.total_documents) == (3, 3)
    assert answers(home) == after


@pytest.mark.end_to_end
def test_a_second_run_is_told_to_wait_until_the_first_has_died(
    home: Path, tmp_path: Path, processes: ForkServerContext
) -> None:
    folder = version(tmp_path, 1)
    process, pipe = started(processes, home, folder)
    assert pipe.recv() == "embedding"
    with pytest.raises(IndexBusy) as refused:
        indexed(home, folder)
    assert len(str(refused.value).splitlines()) == 1
    killed(process)
    assert indexed(home, folder)[0].total_documents == 3


def test_an_embedder_that_fails_leaves_the_old_generation_or_no_corpus(home: Path, tmp_path: Path) -> None:
    class Failing(CountingEmbedder):
        def embed(self, texts: Sequence[str]) -> Embedded:
            raise ZeroDivisionError

    folder = version(tmp_path, 1)
    with pytest.raises(ZeroDivisionError):
        Indexer(home, Failing(), LIMIT).index([folder], "harbour")
    assert corpora(home) == []
    indexed(home, folder)
    before = answers(home)
    with pytest.raises(ZeroDivisionError):
        Indexer(home, Failing(), LIMIT).index([version(tmp_path, 2)], "harbour")
    assert answers(home) == before


# Rebuilding


def test_a_rebuild_makes_all_anew_from_the_stored_text_and_the_corpus_answers_until_then(
    home: Path, tmp_path: Path
) -> None:
    files = version(tmp_path, 1)
    indexed(home, files)
    before = answers(home)
    for path in files.iterdir():
        path.unlink()  # nothing of it is read

    class Looking(CountingEmbedder):
        def embed(self, texts: Sequence[str]) -> Embedded:
            assert answers(home) == before
            return super().embed(texts)

    embedder = Looking(HashingEmbedder(8))
    summary = Indexer(home, embedder, LIMIT).rebuild("harbour")
    assert (summary.updated, summary.unchanged, summary.total_documents) == (3, 0, 3)
    assert len(embedder.texts) == summary.chunks == summary.total_chunks == 9
    with closing(open_index(home, "harbour", "hashing-8")) as index:
        assert {id_: index.document(id_).text for id_ in index.entries} == before["texts"]
        assert len(index.search(HashingEmbedder(8).embed(["Which sentence?"]).vectors[0], 50)) == 9
    with pytest.raises(ForeignIndex, match="run `selfroute index rebuild --corpus harbour`"):
        answers(home)


def test_a_rebuild_of_what_is_as_it_would_be_embeds_nothing_and_touches_no_file(home: Path, tmp_path: Path) -> None:
    indexed(home, version(tmp_path, 1))
    before = state(home)
    embedder = CountingEmbedder()
    assert Indexer(home, embedder, LIMIT).rebuild("harbour").unchanged == 3
    assert embedder.texts == []
    assert state(home) == before


def test_a_rebuild_for_another_chunk_size_is_what_indexing_with_it_makes(home: Path, tmp_path: Path) -> None:
    files = version(tmp_path, 1)
    indexed(home, files)
    heard: list[tuple[int, int]] = []
    Indexer(home, CountingEmbedder(), 8).rebuild("harbour", partial(_note, heard))
    assert (heard[0], heard[-1]) == ((0, 3), (3, 3))
    assert heard == sorted(heard)
    after = answers(home)
    Indexer(tmp_path / "other", CountingEmbedder(), 8).index([files], "harbour")
    assert after == answers(tmp_path / "other")


def test_an_interrupted_rebuild_goes_on_where_it_was(home: Path, tmp_path: Path) -> None:
    indexed(home, version(tmp_path, 1, BATCH_CHUNKS))
    before = answers(home)
    begun = begins_to_rebuild(home)
    assert len(begun.texts) == BATCH_CHUNKS
    assert answers(home) == before
    embedder = CountingEmbedder(HashingEmbedder(8))
    summary = Indexer(home, embedder, LIMIT).rebuild("harbour")
    assert (summary.updated, summary.unchanged) == (2, 1)
    assert not set(embedder.texts) & set(begun.texts)


def test_whoever_goes_back_to_the_old_embedder_takes_back_what_a_rebuild_had_begun(home: Path, tmp_path: Path) -> None:
    files = version(tmp_path, 1, BATCH_CHUNKS)
    indexed(home, files)
    before = answers(home)
    begins_to_rebuild(home)
    summary, embedder = indexed(home, files)
    assert (summary.unchanged, embedder.texts) == (3, [])
    assert answers(home) == before
    assert Corpora(home).stats("harbour").unpublished == 0


def test_a_half_rebuilt_corpus_without_a_manifest_is_mended_as_it_was_published_or_rebuilt(
    home: Path, tmp_path: Path
) -> None:
    """The store knows which generation was the published one."""
    indexed(home, version(tmp_path, 1, BATCH_CHUNKS))
    texts, before = texts_in(home), answers(home)
    begins_to_rebuild(home)
    (home / "harbour" / MANIFEST).unlink()
    copytree(home, tmp_path / "copy")
    assert Corpora(home).repair("harbour").lost == ()
    assert (texts_in(home), answers(home)) == (texts, before)
    Indexer(tmp_path / "copy", CountingEmbedder(), LIMIT).rebuild("harbour")
    assert texts_in(tmp_path / "copy") == texts


@pytest.mark.parametrize(("name", "error"), [("harbor", UnknownCorpus), ("../harbour", InvalidName)])
def test_only_a_corpus_that_is_there_can_be_rebuilt(home: Path, name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        Indexer(home, CountingEmbedder(), LIMIT).rebuild(name)
    assert not home.exists()


def test_what_a_rebuild_takes_back_is_read_from_its_files_again(home: Path, tmp_path: Path) -> None:
    """An update that was not published, then another embedder: the update goes, and its file is not known any more."""
    files = version(tmp_path, 1, BATCH_CHUNKS)
    indexed(home, files)
    version(tmp_path, 2, BATCH_CHUNKS)

    class Dying(CountingEmbedder):
        def embed(self, texts: Sequence[str]) -> Embedded:
            if len(self.texts) >= 2 * BATCH_CHUNKS:
                raise ZeroDivisionError
            return super().embed(texts)

    with pytest.raises(ZeroDivisionError):
        Indexer(home, Dying(), LIMIT).index([files], "harbour")
    assert unpublished(home) > 0
    other = HashingEmbedder(8)
    Indexer(home, other, LIMIT).rebuild("harbour")
    Indexer(home, other, LIMIT).index([files], "harbour")
    with closing(open_index(home, "harbour", other.name)) as index:
        found = {id_: index.document(id_).text for id_ in index.entries}
    assert found == {path.name: path.read_text() for path in files.iterdir()}


def test_sync_deletes_what_an_earlier_root_called_a_file_that_has_changed(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "files" / "a", {"z.txt": "Old."})
    monkeypatch.chdir(tmp_path / "files")
    indexed(home, Path("a/z.txt"))
    indexed(home, Path())
    write(tmp_path / "files" / "a", {"z.txt": "New."})
    indexed(home, Path(), sync=True)
    assert texts_in(home) == {"a/z.txt": "New."}


def test_sync_leaves_a_document_whose_first_file_still_stands(home: Path, tmp_path: Path) -> None:
    one, two = (write(tmp_path / name, {"LICENSE.txt": "Same."}) for name in ("a", "b"))
    indexed(home, one, two)
    indexed(home, two)
    (two / "LICENSE.txt").unlink()
    summary, _ = indexed(home, two, sync=True)
    assert summary.deleted == 0
    assert texts_in(home) == {"LICENSE.txt": "Same."}


def test_a_deleted_file_leaves_not_even_its_name(home: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "files", {"secret-name.txt": "One.", "b.txt": "Two."})
    indexed(home, folder)
    (folder / "secret-name.txt").unlink()
    indexed(home, folder, sync=True)
    with closing(Store.open(home / "harbour")) as store:
        assert [Path(kept.path).name for kept in store.files()] == ["b.txt"]


def begins_to_rebuild(home: Path) -> CountingEmbedder:
    """With another embedder, which fails at the second batch."""

    class Failing(CountingEmbedder):
        def embed(self, texts: Sequence[str]) -> Embedded:
            if self.texts:
                raise ZeroDivisionError
            return super().embed(texts)

    embedder = Failing(HashingEmbedder(8))
    with pytest.raises(ZeroDivisionError):
        Indexer(home, embedder, LIMIT).rebuild("harbour")
    return embedder


# What the tests above are told with


def indexed(
    home: Path, *paths: Path, limit: int = LIMIT, sync: bool = False, exclude: Sequence[str] = ()
) -> tuple[Summary, CountingEmbedder]:
    embedder = CountingEmbedder()
    return Indexer(home, embedder, limit).index(paths, "harbour", sync=sync, exclude=exclude), embedder


def before(home: Path, documents: Mapping[str, tuple[str, Path]]) -> None:
    """A corpus of documents by id, with text and source, as it was stored before ids had one form."""
    with writing(home, "harbour", "hashing-64", 64) as writer:
        for id_, (text, source) in documents.items():
            [vector] = HashingEmbedder().embed([text]).vectors
            writer.put(
                [(Document(id_, text, str(source)), [Chunk(id_, 0, len(text), text, 2)], vector[None])], rule(LIMIT)
            )
        writer.publish()


def write(folder: Path, texts: Mapping[str, str]) -> Path:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def sentences(document: int, size: int) -> str:
    """A text of `size` chunks."""
    return " ".join(f"Document{document} sentence{number} stands." for number in range(size))


def version(folder: Path, number: int, size: int = 3) -> Path:
    """Three files of `size` chunks each, whose names are the same in all versions and whose texts are not."""
    return write(folder / "files", {f"{n}.txt": sentences(10 * number + n, size) for n in range(3)})


def opened(home: Path) -> closing[Index]:
    return closing(open_index(home, "harbour", HashingEmbedder().name))


def answers(home: Path) -> dict[str, object]:
    """All that the corpus says: its texts, and every chunk with its score for one question."""
    question = HashingEmbedder().embed(["Which sentence of document10 stands?"]).vectors[0]
    with opened(home) as index:
        hits = sorted((round(hit.score, 3), astuple(hit.chunk)) for hit in index.search(question, 10_000))
        return {"texts": {id_: index.document(id_).text for id_ in index.entries}, "hits": hits}


def at_one_go(folder: Path, files: Path) -> dict[str, object]:
    """What a corpus says that is made of these files without any accident."""
    indexed(folder / "at one go", files)
    return answers(folder / "at one go")


def texts_in(home: Path) -> object:
    return answers(home)["texts"]


def unpublished(home: Path) -> int:
    """Documents that are committed and not yet published."""
    with closing(Store.open(home / "harbour")) as store, opened(home) as index:
        published = {(entry.id, entry.hash) for entry in index.entries.values()}
        return len({(entry.id, entry.hash) for entry in store.entries(LATEST)} - published)


def committed(home: Path) -> int:
    """Rows of documents in the store, published or not."""
    with closing(sqlite3.connect(home / "harbour" / STORE)) as raw:
        (rows,) = raw.execute("SELECT count(*) FROM documents").fetchone()
        return int(rows)


def state(home: Path) -> dict[str, tuple[int, bytes]]:
    files = [path for path in sorted(home.rglob("*")) if path.is_file() and path.name != ".lock"]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


@contextmanager
def broken(target: Path, fault: str) -> Iterator[None]:
    """Meanwhile the file cannot be opened for writing, or synced, or renamed to its name."""
    if fault == "sync":  # a pipe takes what is written and cannot be synced
        os.mkfifo(staging(target))
        reader = threading.Thread(target=staging(target).read_bytes, daemon=True)
        reader.start()
        yield
        reader.join(60)
    else:
        obstacle = staging(target) if fault == "open" else target
        obstacle.mkdir()
        yield
        obstacle.rmdir()


def started(processes: ForkServerContext, home: Path, folder: Path) -> tuple[BaseProcess, Connection]:
    """A process that indexes and asks for leave before each batch."""
    here, there = processes.Pipe()
    process = processes.Process(target=_indexes, args=(home, folder, there))
    process.start()
    return process, here


def _indexes(home: Path, folder: Path, pipe: Connection) -> None:
    Indexer(home, AskingEmbedder(pipe=pipe), LIMIT).index([folder], "harbour")


def killed(process: BaseProcess) -> None:
    process.kill()
    process.join()


def finish(processes: ForkServerContext, target: Callable[..., None], *arguments: object) -> None:
    process = processes.Process(target=target, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == 0


def _copies(folder: Path, **texts: str) -> list[tuple[Path, str, str]]:
    folder.mkdir(exist_ok=True)
    copies = []
    for number, (id_, text) in enumerate(texts.items()):
        path = folder / f"{number}.txt"
        path.write_text(text)
        copies.append((path, id_, f"upload:{id_}"))
    return copies


def test_a_copy_is_known_by_what_it_says_and_may_be_gone_afterwards(home: Path, tmp_path: Path) -> None:
    indexer = Indexer(home, HashingEmbedder(), 48)
    summary, documents = indexer.add(_copies(tmp_path / "one", a="Some text.", b="Other text."), "harbour")
    assert (summary.added, set(documents)) == (2, {"a", "b"})
    copies = _copies(tmp_path / "two", b="Other text.", a="Newer text.")
    for path in (tmp_path / "one").iterdir():
        path.unlink()
    summary, documents = indexer.add(copies, "harbour")
    assert (summary.updated, summary.unchanged, set(documents)) == (1, 1, {"a", "b"})
    assert {info.source for info in Corpora(home).documents("harbour")} == {"upload:a", "upload:b"}


def test_what_was_uploaded_is_not_gone_when_a_folder_is_brought_up_to_date(home: Path, tmp_path: Path) -> None:
    indexer = Indexer(home, HashingEmbedder(), 48)
    indexer.add(_copies(tmp_path / "one", a="Some text."), "harbour")
    assert indexer.index([tmp_path], "harbour", exclude=["one/"], sync=True).deleted == 0
    assert [info.id for info in Corpora(home).documents("harbour")] == ["a"]


def test_a_copy_does_not_overwrite_a_file_that_is_still_there(home: Path, tmp_path: Path) -> None:
    indexer = Indexer(home, HashingEmbedder(), 48)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a").with_suffix(".md").write_text("Of the file.")
    indexer.index([tmp_path / "files"], "harbour")
    summary, documents = indexer.add(_copies(tmp_path / "one", **{"a.md": "Of the copy."}), "harbour")
    assert (summary.updated, documents) == (0, {})
    assert "belongs to" in summary.failed[0].reason


def test_what_is_stopped_where_it_reports_is_not_shown_and_goes_on_the_next_time(home: Path, tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done:
            raise Enough

    indexer = Indexer(home, HashingEmbedder(), 48)
    indexer.add(_copies(tmp_path / "one", a="Some text."), "harbour")
    copies = _copies(tmp_path / "two", a="Newer text.", b="Other text.")
    with pytest.raises(Enough):
        indexer.add(copies, "harbour", stop)
    assert [(info.id, info.hash) for info in Corpora(home).documents("harbour")] == [
        ("a", sha256(b"Some text.").hexdigest())
    ]
    _, documents = indexer.add(copies, "harbour")
    assert indexer.findable("harbour", documents) == []


def test_what_cannot_be_found_as_it_was_added_is_named(home: Path, tmp_path: Path) -> None:
    indexer = Indexer(home, HashingEmbedder(), 48)
    _, documents = indexer.add(_copies(tmp_path / "one", a="Some text.", b="Other text."), "harbour")
    assert indexer.findable("harbour", documents) == []
    indexer.add(_copies(tmp_path / "two", a="Newer text."), "harbour")
    assert indexer.findable("harbour", {**documents, "c": "0"}) == ["a", "c"]


def test_a_corpus_is_made_without_documents_once(home: Path) -> None:
    indexer = Indexer(home, HashingEmbedder(), 48)
    indexer.create("harbour")
    assert Corpora(home).look("harbour").documents == 0
    assert Corpora(home).verify("harbour") == ()
    with pytest.raises(NameTaken):
        indexer.create("harbour")


def test_a_corpus_that_an_interrupted_run_began_is_not_made_anew(home: Path) -> None:
    embedder = HashingEmbedder()
    with writing(home, "harbour", embedder.name, embedder.dimension) as writer:
        document = Document("a", "Some text.", "a.md")
        writer.put([(document, (), np.zeros((0, 64), dtype=np.float32))], "48")
    with pytest.raises(NameTaken):
        Indexer(home, embedder, 48).create("harbour")
