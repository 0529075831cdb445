"""The store keeps documents, chunks and vectors by generation, whole or not at all, and says when it is not itself."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from multiprocessing.context import ForkServerContext
from pathlib import Path

import numpy as np
import pytest

from selfroute.errors import CorruptIndex, ForeignIndex, HomeNotWritable, UnreadableFile, UnusableIndex
from selfroute.index.files import staging
from selfroute.index.layout import NAME, VERSION
from selfroute.index.store import LATEST, Entry, Kept, Store
from selfroute.types import Chunk, Document, Vectors

Item = tuple[Document, Sequence[Chunk], Vectors]


def test_a_new_store_is_empty_and_nothing_of_it_is_published(tmp_path: Path) -> None:
    with made(tmp_path) as store:
        assert store.about()[1] == 0
        assert (store.last_stamp(), store.counts(LATEST), store.entries(LATEST)) == (0, (0, 0, 0), [])


def test_no_two_stores_have_one_id(tmp_path: Path) -> None:
    with made(tmp_path / "a") as one, made(tmp_path / "b") as other:
        assert one.about()[0] != other.about()[0]


def test_what_is_put_is_found_by_whoever_opens_the_store(tmp_path: Path) -> None:
    put, *_ = items = [item("a", "Night work. Day work."), item("b", "Other.")]
    with made(tmp_path) as store:
        store.put(1, items, 240, "hashing-4")
    with opened(tmp_path) as store:
        assert store.document("a", 1) == put[0]
        assert store.entries(1) == [
            Entry("a", "a.txt", put[0].content_hash, "240", 6, "hashing-4"),
            Entry("b", "b.txt", items[1][0].content_hash, "240", 2, "hashing-4"),
        ]
        assert store.counts(1) == (2, 3, 8)
        rows = store.chunk_rows(["a"], 1).tolist()
        assert list(store.chunks(rows).values()) == put[1]


def test_the_text_of_a_chunk_is_sliced_by_characters(tmp_path: Path) -> None:
    text = "😀é e\u0301 港口\r\n work"
    chunks = [Chunk("a", at, at + 1, text[at], 1) for at in range(len(text)) if not text[at].isspace()]
    with made(tmp_path) as store:
        store.put(1, [(Document("a", text, "a.txt"), chunks, vectors(len(chunks)))], 240, "hashing-4")
        assert list(store.chunks(store.chunk_rows(["a"], 1).tolist()).values()) == chunks


def test_chunks_come_in_the_order_of_their_rows_and_those_that_are_gone_are_left_out(tmp_path: Path) -> None:
    one, other = item("a", "Night work. Day work. Rest."), item("b", "Other. More.")
    with made(tmp_path) as store:
        store.put(1, [one, other], 240, "hashing-4")
        a, b = (store.chunk_rows([id_], 1).tolist() for id_ in "ab")
        wanted = [b[1], a[2], 999, a[0], b[0]]
        found = store.chunks(wanted)
        assert list(found) == [b[1], a[2], a[0], b[0]]
        assert list(found.values()) == [other[1][1], one[1][2], one[1][0], other[1][0]]


def test_the_text_of_a_document_is_read_once_for_all_its_chunks(tmp_path: Path) -> None:
    statements: list[str] = []
    with made(tmp_path) as store:
        store.put(1, [item("a", "Work. " * 50), item("b", "Other.")], 240, "hashing-4")
        rows = store.chunk_rows(["a", "b"], 1).tolist()
        store._connection.set_trace_callback(statements.append)
        assert len(store.chunks(rows)) == len(rows) > 10
    assert len([one for one in statements if "substr(" in one]) == 2


def test_more_rows_are_found_than_one_statement_asks_for(tmp_path: Path) -> None:
    items = [item(f"{n}", f"Work {n}." + " More." * (n % 2)) for n in range(1100)]
    with made(tmp_path) as store:
        store.put(1, items, 240, "hashing-4")
        rows = store.chunk_rows([f"{n}" for n in reversed(range(1100))], 1).tolist()
        found = store.chunks(rows)
        assert list(found) == rows
        assert list(found.values()) == [chunk for _, chunks, _ in reversed(items) for chunk in chunks]


def test_a_chunk_never_has_the_text_of_a_document_that_came_into_the_place_of_its_own(tmp_path: Path) -> None:
    with made(tmp_path) as store:
        store.put(1, [item("a", "Night work.")], 240, "hashing-4")
    other = sqlite3.connect(tmp_path / NAME, isolation_level=None)

    def replaced(statement: str) -> None:
        if "substr(" in statement:
            other.execute("DELETE FROM chunks")
            other.execute("UPDATE documents SET id = 'b', text = 'What nobody asked for.'")

    with closing(other), opened(tmp_path) as store:
        rows = store.chunk_rows(["a"], 1).tolist()
        store._connection.set_trace_callback(replaced)
        assert store.chunks(rows) == {}


def test_vectors_come_back_as_they_were_put_by_row(tmp_path: Path) -> None:
    put = item("a", "One. Two. Three.")
    with made(tmp_path) as store:
        store.put(1, [put], 240, "hashing-4")
        ids, found = store.vectors(1, 4)
        assert ids.tolist() == store.chunk_rows(["a"], 1).tolist()
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, put[2])


def test_a_generation_sees_what_was_added_by_it_and_not_yet_deleted(tmp_path: Path) -> None:
    with made(tmp_path) as store:
        store.put(1, [item("a", "Old."), item("b", "Kept.")], 240, "hashing-4")
        store.put(2, [item("a", "New.")], 240, "hashing-4")
        store.put(3, [item("c", "Late.")], 240, "hashing-4")
        seen = {g: [text(store, id_, g) for id_ in "abc"] for g in (0, 1, 2, 3, LATEST)}
        assert seen == {
            0: [None, None, None],
            1: ["Old.", "Kept.", None],
            2: ["New.", "Kept.", None],
            3: ["New.", "Kept.", "Late."],
            LATEST: ["New.", "Kept.", "Late."],
        }
        assert store.last_stamp() == 3


def test_vectors_after_a_row_are_those_that_were_added_since(tmp_path: Path) -> None:
    with made(tmp_path) as store:
        store.put(1, [item("a", "Old."), item("b", "Kept.")], 240, "hashing-4")
        store.put(2, [item("a", "New. Newer.")], 240, "hashing-4")
        since, _ = store.vectors(2, 4, after=2)
        assert since.tolist() == store.chunk_rows(["a"], 2).tolist() == [3, 4]
        assert (store.size(0, 2), store.size(2, 2)) == (3, 2)
        assert store.dead_rows(1, 2) == store.chunk_rows(["a"], 1).tolist()
        assert store.dead_rows(2, 2) == []


def test_what_was_never_published_goes_at_once_when_it_is_replaced(tmp_path: Path) -> None:
    with made(tmp_path) as store:
        store.put(1, [item("a", "Old.")], 240, "hashing-4")
        store.put(2, [item("a", "Draft. Long draft.")], 240, "hashing-4")
        store.put(2, [item("a", "New.")], 240, "hashing-4")
        assert store.counts(2) == (1, 1, 2)
        assert text(store, "a", 1) == "Old."
    with closing(sqlite3.connect(tmp_path / NAME)) as raw:
        assert raw.execute("SELECT count(*) FROM chunks").fetchone() == (2,)


def test_purging_removes_what_a_generation_no_longer_sees_and_nothing_else(tmp_path: Path) -> None:
    with made(tmp_path) as store:
        store.put(1, [item("a", "First.")], 240, "hashing-4")
        store.put(2, [item("a", "Second.")], 240, "hashing-4")
        store.put(3, [item("a", "Third.")], 240, "hashing-4")
        store.purge(2, 3)
        assert [text(store, "a", g) for g in (1, 2, 3)] == [None, "Second.", "Third."]


def test_the_row_of_a_chunk_is_never_given_to_another(tmp_path: Path) -> None:
    """Not even that of the last chunk put, which goes at once when it is replaced before it is published."""
    rows: set[int] = set()
    with made(tmp_path) as store:
        for generation in (1, 1, 2, 2, 3):
            store.put(generation, [item("a", "One. Two.")], 240, "hashing-4")
            now = set(store.chunk_rows(["a"], generation).tolist())
            assert not now & rows
            rows |= now
            store.purge(generation - 1, generation)


def test_a_document_that_moved_keeps_its_text_and_has_another_source(tmp_path: Path) -> None:
    with made(tmp_path) as store:
        store.put(1, [item("a", "Night.")], 240, "hashing-4")
        store.moved("a", "elsewhere.txt")
        assert store.document("a", 1) == Document("a", "Night.", "elsewhere.txt")
        assert store.last_stamp() == 1


def test_a_page_map_is_kept_with_its_document_and_goes_with_it(tmp_path: Path) -> None:
    document, chunks, made_ = item("a", "Night work. Day work.")
    paged = Document("a", document.text, "a.txt", (0, 0, 12))
    with made(tmp_path) as store:
        store.put(1, [(paged, chunks, made_), item("b", "Other.")], 240, "hashing-4")
        assert store.document("a", 1) == paged
        assert (store.pages("a", 1), store.pages("b", 1), store.pages("none", 1)) == ((0, 0, 12), (), ())
        store.put(2, [item("a", "Other. Words.")], 240, "hashing-4")
        assert (store.pages("a", 1), store.pages("a", 2)) == ((0, 0, 12), ())
        store.purge(2, 2)
        assert rows(tmp_path, "pages") == 0
        store.put(3, [(paged, chunks, made_)], 240, "hashing-4")
        store.put(3, [item("a", "Once more.")], 240, "hashing-4")
        assert rows(tmp_path, "pages") == 0


def test_a_file_is_known_with_the_last_of_its_documents_or_not_at_all(tmp_path: Path) -> None:
    kept = Kept("/files/a.txt", "a.txt", "1:00", 1)
    with made(tmp_path) as store:
        with pytest.raises(UnreadableFile):
            store.put(1, [item("a", "Night\0")], 240, "hashing-4", [kept])
        assert store.files() == []
        store.put(1, [item("a", "Night work.")], 240, "hashing-4", [kept])
        store.put(1, [], 240, "hashing-4", [replace(kept, hash="1:11")])
        assert store.files() == [replace(kept, hash="1:11")]


def test_a_deleted_document_is_gone_from_the_generation_on(tmp_path: Path) -> None:
    with made(tmp_path) as store:
        store.put(1, [item("a", "One."), item("b", "Two.")], 240, "hashing-4")
        store.delete(2, ["a", "none"])
        assert [entry.id for entry in store.entries(1)] == ["a", "b"]
        assert [entry.id for entry in store.entries(2)] == ["b"]
        assert store.last_stamp() == 2


def test_a_store_of_a_later_version_is_left_to_it(tmp_path: Path) -> None:
    made(tmp_path).__enter__()
    with closing(sqlite3.connect(tmp_path / NAME)) as raw:
        raw.execute(f"PRAGMA user_version = {VERSION + 1}")
    for open_ in (opened, made):
        with pytest.raises(ForeignIndex, match=f"has version {VERSION + 1}, not {VERSION}; update selfroute"):
            open_(tmp_path)


def test_a_put_that_fails_leaves_nothing(tmp_path: Path) -> None:
    document, chunks, _ = item("b", "One. Two.")
    with made(tmp_path) as store:
        store.put(1, [item("a", "Old.")], 240, "hashing-4")
        with pytest.raises(ValueError, match="shorter"):
            store.put(2, [item("a", "New."), (document, chunks, vectors(1))], 240, "hashing-4")
        assert (text(store, "a", LATEST), store.last_stamp()) == ("Old.", 1)
        store.put(2, [item("a", "New.")], 240, "hashing-4")
        assert text(store, "a", LATEST) == "New."


@pytest.mark.end_to_end
@pytest.mark.slow
def test_a_full_disk_is_an_error_of_ours_and_leaves_what_was_committed(
    tmp_path: Path, processes: ForkServerContext
) -> None:
    with made(tmp_path) as store:
        store.put(1, [item("a", "Old.")], 240, "hashing-4")
    process = processes.Process(target=_finds_the_disk_full, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == 0
    with opened(tmp_path) as store:
        assert [text(store, id_, LATEST) for id_ in "ab"] == ["Old.", None]


def _finds_the_disk_full(folder: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000,) * 2)
    with opened(folder) as store:
        with pytest.raises(HomeNotWritable, match=r"disk .*: make it writable or set SELFROUTE_HOME"):
            store.put(2, [item("b", "Too much. " * 20_000)], 240, "hashing-4")
        assert text(store, "a", LATEST) == "Old."
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000,) * 2)
    (folder / "new").mkdir()
    with pytest.raises(HomeNotWritable):
        Store.create(folder / "new")
    assert not (folder / "new" / NAME).exists()


def test_threads_may_share_a_store(tmp_path: Path) -> None:
    with made(tmp_path) as store:
        store.put(1, [item(str(n), f"Number {n}. More.") for n in range(20)], 240, "hashing-4")
        wrong: list[str] = []

        def read() -> None:
            wrong.extend(str(n) for n in range(20) if text(store, str(n), 1) != f"Number {n}. More.")

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


def test_a_store_in_memory_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(Store.create(None)) as store:
        store.put(1, [item("a", "Night.")], 240, "hashing-4")
        assert text(store, "a", 1) == "Night."
    assert os.listdir(tmp_path) == []


# Making


def test_making_a_store_again_opens_the_one_that_is_there(tmp_path: Path) -> None:
    with made(tmp_path) as store:
        store.put(1, [item("a", "Night.")], 240, "hashing-4")
    with closing(Store.create(tmp_path)) as store:
        assert text(store, "a", 1) == "Night."


def test_a_store_that_was_half_made_is_made_again(tmp_path: Path) -> None:
    """What a process leaves that was killed while it made one."""
    half = staging(tmp_path / NAME)
    half.write_bytes(b"SQLite format 3\0")
    half.with_name(f"{half.name}-journal").write_bytes(b"\xd9\xd5\x05\xf9 ")
    with made(tmp_path) as store:
        store.put(1, [item("a", "Night.")], 240, "hashing-4")
    assert sorted(os.listdir(tmp_path)) == [NAME]


@pytest.mark.end_to_end
def test_what_a_removed_store_left_is_not_played_into_a_new_one(tmp_path: Path, processes: ForkServerContext) -> None:
    """A writer that dies leaves a write-ahead log; removing the store alone leaves it beside the next one."""
    process = processes.Process(target=_dies_writing, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == 7
    assert (tmp_path / f"{NAME}-wal").stat().st_size > 0
    (tmp_path / NAME).unlink()
    with made(tmp_path) as store:
        assert store.entries(LATEST) == []


def _dies_writing(folder: Path) -> None:
    store = Store.create(folder)
    store.put(1, [item("a", "Old.")], 240, "hashing-4")
    os._exit(7)


# Damage


def test_a_missing_store_says_what_to_remove(tmp_path: Path) -> None:
    with pytest.raises(CorruptIndex, match=rf"{NAME} is missing; remove {tmp_path} and run `selfroute index`"):
        Store.open(tmp_path)


@pytest.mark.parametrize("content", [b"", b"x", b"garbage " * 2_000, b"SQLite format 3\0"])
def test_what_is_no_store_is_damage(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(CorruptIndex, match=rf"remove {tmp_path} and run `selfroute index`"), opened(tmp_path):
        pass


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_a_store_that_was_cut_is_damage_before_anything_is_read_from_it(tmp_path: Path, share: float) -> None:
    with made(tmp_path) as store:
        store.put(1, [item(str(n), f"Number {n}. {'More. ' * 500}") for n in range(10)], 240, "hashing-4")
    content = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CorruptIndex, match="cannot be read"), opened(tmp_path) as store:
        store.counts(1)


def test_the_database_of_another_program_is_foreign_and_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / NAME)) as raw:
        raw.execute("CREATE TABLE documents (id TEXT)")
    before = (tmp_path / NAME).read_bytes()
    with pytest.raises(ForeignIndex, match="was not written by selfroute; use another corpus name"):
        Store.create(tmp_path)
    assert (tmp_path / NAME).read_bytes() == before


def test_a_store_without_its_tables_is_damage(tmp_path: Path) -> None:
    Store.create(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / NAME)) as raw:
        raw.execute("DROP TABLE chunks")
    with pytest.raises(CorruptIndex, match="no such table"), opened(tmp_path) as store:
        store.counts(1)


def test_text_that_is_no_text_any_more_is_damage(tmp_path: Path) -> None:
    with made(tmp_path) as store:
        store.put(1, [item("a", "Night.")], 240, "hashing-4")
    with closing(sqlite3.connect(tmp_path / NAME)) as raw, raw:
        raw.execute("UPDATE documents SET text = CAST(x'ff80' AS TEXT)")
    with pytest.raises(CorruptIndex, match="cannot be read"), opened(tmp_path) as store:
        store.document("a", 1)


# Permissions


@pytest.mark.end_to_end
def test_a_store_on_a_read_only_disk_can_be_read_and_not_written(
    open_home: Path, processes: ForkServerContext, as_nobody: Callable[[], None]
) -> None:
    with made(open_home) as store:
        store.put(1, [item("a", "Night.")], 240, "hashing-4")
    open_home.chmod(0o555)
    process = processes.Process(target=_reads_only, args=(as_nobody, open_home))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert os.listdir(open_home) == [NAME]


def _reads_only(as_nobody: Callable[[], None], folder: Path) -> None:
    late = item("a", "Day.")  # made before: nobody may not be able to import what this takes
    as_nobody()
    with opened(folder) as store:
        assert text(store, "a", 1) == "Night."
        with pytest.raises(HomeNotWritable, match="readonly"):
            store.put(2, [late], 240, "hashing-4")


@pytest.mark.end_to_end
def test_a_store_that_may_not_be_read_is_not_called_damaged(
    open_home: Path, processes: ForkServerContext, as_nobody: Callable[[], None]
) -> None:
    Store.create(open_home).close()
    (open_home / NAME).chmod(0)
    process = processes.Process(target=_may_not_read, args=(as_nobody, open_home))
    process.start()
    process.join()
    assert process.exitcode == 0


def _may_not_read(as_nobody: Callable[[], None], folder: Path) -> None:
    as_nobody()
    with pytest.raises(UnusableIndex, match="check its permissions") as refused:
        Store.open(folder)
    assert not isinstance(refused.value, CorruptIndex)


def made(folder: Path) -> closing[Store]:
    folder.mkdir(exist_ok=True)
    return closing(Store.create(folder))


def rows(folder: Path, table: str) -> int:
    with closing(sqlite3.connect(folder / NAME)) as raw:
        (found,) = raw.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(found)


def opened(folder: Path) -> closing[Store]:
    return closing(Store.open(folder))


def item(id_: str, text: str) -> Item:
    """A document whose chunks are its sentences."""
    document = Document(id_, text, f"{id_}.txt")
    chunks: list[Chunk] = []
    at = 0
    for sentence in text.split(". "):
        end = at + len(sentence) + (not sentence.endswith("."))
        chunks.append(Chunk(id_, at, end, text[at:end], len(text[at:end].split()) + 1))
        at = end + 1
    return document, chunks, vectors(len(chunks))


def vectors(size: int) -> Vectors:
    return np.random.default_rng(size).normal(size=(size, 4)).astype(np.float32)


def text(store: Store, id_: str, generation: int) -> str | None:
    found = store.document(id_, generation)
    return found.text if found else None


def test_a_text_that_sqlite_would_cut_is_refused(tmp_path: Path) -> None:
    with made(tmp_path) as store, pytest.raises(UnreadableFile, match="holds NUL characters"):
        store.put(1, [item("a", "Night.\0 Day.")], "240", "hashing-4")


@pytest.mark.end_to_end
def test_closing_waits_for_a_thread_that_still_reads(tmp_path: Path) -> None:
    """In a process of its own, since what this guards against is a crash of the whole process."""
    program = f"""
import sys, threading
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
import numpy as np
from selfroute.errors import UnusableIndex
from selfroute.index.store import Store
from selfroute.types import Chunk, Document
for turn in range(60):
    store = Store.create(None)
    text = "x" * 200_000
    chunks = [Chunk("d", n, n + 1, "x", 1) for n in range(50)]
    store.put(1, [(Document("d", text, "d"), chunks, np.ones((50, 2), np.float32))], 240, "hashing-4")
    begun = threading.Event()
    def read():
        try:
            while True:
                store.document("d", 1)
                begun.set()
                store.chunks(range(1, 51))
        except UnusableIndex:
            pass
    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    begun.wait()
    store.close()
    for thread in threads:
        thread.join()
print("whole")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "whole\n"), done.stderr[-2000:]
