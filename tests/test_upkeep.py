"""Corpora are looked into, renamed and deleted; what damages one is noticed, mended where it can be, and else named."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfroute.embedders.hashing import HashingEmbedder
from selfroute.errors import (
    CorruptIndex,
    ForeignIndex,
    IndexBusy,
    InvalidName,
    NameTaken,
    OutdatedIndex,
    SelfrouteError,
    UnknownCorpus,
    UnknownDocument,
    UnusableIndex,
)
from selfroute.index import corpora, open_index, writing
from selfroute.index import manifest as manifests
from selfroute.index import vectors as segments
from selfroute.index.files import LOCK, only_writer
from selfroute.index.layout import NAME as STORE
from selfroute.index.store import Store
from selfroute.index.upkeep import Corpora, DocumentInfo, Listed, Repaired
from selfroute.indexer import Indexer
from selfroute.ingest.chunker import Chunker, rule
from selfroute.ingest.loaders import load_one
from selfroute.types import Chunk, Document

LIMIT = 4
TEXTS = {f"{name}.txt": f"Number {name} stands here. And here too, {name}." for name in "abcdef"}


# Looking


def test_documents_are_listed_with_where_they_came_from_and_what_they_take(home: Path, tmp_path: Path) -> None:
    index(home, tmp_path, {"b.txt": "One two. Three four five.", "a.txt": "Six."})
    held = Corpora(home).documents("harbour")
    assert held == [
        DocumentInfo(
            id=name,
            source=str((tmp_path / "files" / name).resolve()),
            chunks=chunks,
            tokens=tokens,
            hash=sha256(text.encode()).hexdigest(),
            chunking=rule(4),
            embedder="hashing-64",
        )
        for name, chunks, tokens, text in [("a.txt", 1, 2, "Six."), ("b.txt", 2, 7, "One two. Three four five.")]
    ]


def test_a_document_is_shown_with_its_text_and_its_chunks_in_order(home: Path, tmp_path: Path) -> None:
    index(home, tmp_path, TEXTS)
    shown = Corpora(home).document("harbour", "c.txt")
    assert shown.document.text == TEXTS["c.txt"]
    assert shown.info in Corpora(home).documents("harbour")
    assert [shown.document.text[chunk.start : chunk.end] for chunk in shown.chunks] == [c.text for c in shown.chunks]
    assert len(shown.chunks) == shown.info.chunks > 2
    with pytest.raises(UnknownDocument, match=r"no document 'c\.text' in corpus 'harbour'; did you mean 'c\.txt'"):
        Corpora(home).document("harbour", "c.text")


def test_a_corpus_whose_segments_are_damaged_can_still_be_looked_into(home: Path, tmp_path: Path) -> None:
    index(home, tmp_path, TEXTS)
    next((home / "harbour").glob("segment-*")).write_bytes(b"torn")
    assert len(Corpora(home).documents("harbour")) == len(TEXTS)
    assert Corpora(home).document("harbour", "a.txt").document.text == TEXTS["a.txt"]


def test_stats_are_what_is_on_disk(home: Path, tmp_path: Path) -> None:
    index(home, tmp_path, TEXTS)
    index(home, tmp_path, {"a.txt": "Changed."})
    stats = Corpora(home).stats("harbour")
    manifest = manifests.read(home / "harbour")
    assert (stats.name, stats.generation, stats.embedder, stats.dimension) == ("harbour", 2, "hashing-64", 64)
    assert (stats.documents, stats.chunks, stats.tokens) == (6, manifest.chunks, manifest.tokens)
    assert (stats.chunkings, stats.segments, stats.unpublished) == ((rule(4),), 2, 0)
    assert stats.tombstones == len(manifest.tombstones) > 0
    assert stats.segment_bytes == sum(path.stat().st_size for path in (home / "harbour").glob("segment-*"))
    assert stats.store_bytes >= (home / "harbour" / STORE).stat().st_size


def test_stats_tell_what_an_interrupted_run_left_unpublished(home: Path, tmp_path: Path) -> None:
    index(home, tmp_path, TEXTS)
    with Corpora(home)._changing("harbour") as writer:
        document = replace(writer.document("a.txt"), text="Changed.")
        writer.put([(document, [], np.zeros((0, 64), dtype=np.float32))], "4")
    assert Corpora(home).stats("harbour").unpublished == 1


@pytest.mark.parametrize("do", ["documents", "stats", "verify", "repair", "delete", "check"])
def test_an_unknown_corpus_is_refused_with_one_like_it(home: Path, tmp_path: Path, do: str) -> None:
    index(home, tmp_path, TEXTS)
    with pytest.raises(UnknownCorpus, match=r"no corpus 'harbor'; did you mean 'harbour'\?"):
        getattr(Corpora(home), do)("harbor")
    (home / "web").mkdir()
    (home / "web" / "notes.txt").write_text("mine")
    with pytest.raises(ForeignIndex, match="holds no index of selfroute"):
        getattr(Corpora(home), do)("web")
    with pytest.raises(InvalidName):
        getattr(Corpora(home), do)("../harbour")
    assert corpora(home) == ["harbour"]


# Deleting and renaming


def test_a_deleted_document_is_found_no_more_and_costs_no_place(home: Path, tmp_path: Path) -> None:
    index(home, tmp_path, {"good.txt": "Night work needs leave.", "bad.txt": "Day work. It needs none. Day work!"})
    left = Corpora(home).delete_documents("harbour", ["good.txt"])
    assert left == Listed("harbour", 1, 3, 10, None, "hashing-64")
    with closing(open_index(home, "harbour", None)) as opened:
        hits = opened.search(HashingEmbedder().embed(["Night work needs leave."]).vectors[0], 3)
        assert [hit.chunk.document for hit in hits] == ["bad.txt"] * 3
    assert Corpora(home).verify("harbour") == ()


def test_of_deleted_documents_no_row_is_left_after_the_next_publication(home: Path, tmp_path: Path) -> None:
    index(home, tmp_path, TEXTS)
    Corpora(home).delete_documents("harbour", ["a.txt", "b.txt"])
    Corpora(home).delete_documents("harbour", ["c.txt"])
    with closing(sqlite3.connect(home / "harbour" / STORE)) as raw:
        ids = [id_ for (id_,) in raw.execute("SELECT id FROM documents ORDER BY id")]
        [(chunks,)] = raw.execute("SELECT count(*) FROM chunks WHERE document NOT IN (SELECT row FROM documents)")
    assert ids == ["c.txt", "d.txt", "e.txt", "f.txt"]
    assert chunks == 0


def test_if_one_of_several_is_unknown_none_is_deleted(home: Path, tmp_path: Path) -> None:
    index(home, tmp_path, TEXTS)
    with pytest.raises(UnknownDocument, match=r"no document 'z\.txt'"):
        Corpora(home).delete_documents("harbour", ["a.txt", "z.txt"])
    assert len(Corpora(home).documents("harbour")) == len(TEXTS)


def test_what_was_deleted_can_be_indexed_again(home: Path, tmp_path: Path) -> None:
    files = index(home, tmp_path, TEXTS)
    before = content(home)
    Corpora(home).delete_documents("harbour", sorted(TEXTS))
    assert Corpora(home).listed() == [Listed("harbour", 0, 0, 0, None, "hashing-64")]
    assert Indexer(home, HashingEmbedder(), LIMIT).index([files], "harbour").added == len(TEXTS)
    assert content(home) == before


def test_deleting_needs_no_embedder_and_keeps_the_one_there_is(home: Path, tmp_path: Path) -> None:
    write(tmp_path / "files", TEXTS)
    Indexer(home, HashingEmbedder(8), LIMIT).index([tmp_path / "files"], "harbour")
    Corpora(home).delete_documents("harbour", ["a.txt"])
    assert Corpora(home).stats("harbour").embedder == "hashing-8"


def test_a_renamed_corpus_answers_under_its_new_name_only(home: Path, tmp_path: Path) -> None:
    index(home, tmp_path, TEXTS)
    before = content(home)
    Corpora(home).rename("harbour", "port")
    assert corpora(home) == ["port"]
    assert content(home, "port") == before
    with pytest.raises(UnknownCorpus, match="have: port"):
        open_index(home, "harbour", None)


def test_a_corpus_takes_no_name_that_another_has_or_none_can_have(home: Path, tmp_path: Path) -> None:
    index(home, tmp_path, TEXTS)
    index(home, tmp_path, TEXTS, "port")
    with pytest.raises(NameTaken, match="there is a corpus 'port' already"):
        Corpora(home).rename("harbour", "port")
    with pytest.raises(InvalidName):
        Corpora(home).rename("harbour", "../port")
    assert corpora(home) == ["harbour", "port"]


def test_a_deleted_corpus_leaves_nothing(home: Path, tmp_path: Path) -> None:
    index(home, tmp_path, TEXTS)
    (home / ".port.deleted-1").mkdir()  # what was left when one was interrupted
    Corpora(home).delete("harbour")
    assert os.listdir(home) == []


def test_a_corpus_with_other_files_in_its_folder_is_not_deleted(home: Path, tmp_path: Path) -> None:
    index(home, tmp_path, TEXTS)
    (home / "harbour" / "notes.txt").write_text("mine")
    with pytest.raises(ForeignIndex, match=r"also holds notes\.txt: move that elsewhere first"):
        Corpora(home).delete("harbour")
    assert len(Corpora(home).documents("harbour")) == len(TEXTS)


def test_what_changes_a_corpus_waits_for_nobody_and_says_who_is_writing(home: Path, tmp_path: Path) -> None:
    index(home, tmp_path, TEXTS)
    held = Corpora(home)
    next((home / "harbour").glob("segment-*")).unlink()
    with only_writer(home / "harbour"):
        changes: list[Callable[[], object]] = [
            lambda: held.delete("harbour"),
            lambda: held.rename("harbour", "port"),
            lambda: held.delete_documents("harbour", ["a.txt"]),
            lambda: held.repair("harbour"),
        ]
        for change in changes:
            with pytest.raises(IndexBusy, match=rf"another process \(process {os.getpid()} on .*, since 2"):
                change()


@pytest.mark.end_to_end
def test_a_reader_outlives_a_corpus_and_does_no_harm_to_another_of_its_name(
    home: Path, tmp_path: Path, processes: ForkServerContext
) -> None:
    """SQLite tidies up by name when the last connection to a file closes; here there is another file of that name."""
    index(home, tmp_path, TEXTS)
    before = content(home)
    reader = open_index(home, "harbour", None)
    Corpora(home).rename("harbour", "port")
    here, there = processes.Pipe()
    process = processes.Process(target=_writes_and_waits, args=(home, tmp_path / "files", there))
    process.start()
    assert here.recv() == "committed"
    assert {id_: reader.document(id_).text for id_ in reader.entries} == before["texts"]
    reader.close()
    process.kill()
    process.join()
    assert Indexer(home, HashingEmbedder(), LIMIT).index([tmp_path / "files"], "harbour").unchanged == len(TEXTS)
    assert content(home) == content(home, "port") == before


def _writes_and_waits(home: Path, files: Path, pipe: Connection) -> None:
    """Commits to a store that nobody has closed since: what it holds is still in the write-ahead log."""
    with writing(home, "harbour", HashingEmbedder().name, 64) as writer:
        embedder = HashingEmbedder()
        chunker = Chunker(embedder.count_tokens, LIMIT)
        for document in map(load_one, sorted(files.iterdir())):
            chunks = chunker.chunks(document)
            writer.put([(document, chunks, embedder.embed([chunk.text for chunk in chunks]).vectors)], rule(LIMIT))
        pipe.send("committed")
        pipe.recv()


# Damage


def test_a_whole_corpus_has_no_problems_and_repair_touches_nothing(home: Path, tmp_path: Path) -> None:
    index(home, tmp_path, TEXTS)
    index(home, tmp_path, {"a.txt": "Changed."})
    before = {path.name: path.read_bytes() for path in (home / "harbour").iterdir() if path.name != LOCK}
    assert Corpora(home).verify("harbour") == ()
    assert Corpora(home).repair("harbour") == Repaired((), ())
    assert {p.name: p.read_bytes() for p in (home / "harbour").iterdir() if p.name in before} == before


@pytest.mark.end_to_end
def test_verifying_while_others_publish_finds_nothing_wrong(home: Path, processes: ForkServerContext) -> None:
    index(home, home.parent, TEXTS)
    process = processes.Process(target=_publishes, args=(home, 30))
    process.start()
    times = 0
    while process.is_alive():
        assert Corpora(home).verify("harbour") == ()
        times += 1
    process.join()
    assert process.exitcode == 0
    assert times > 1


def _publishes(home: Path, times: int) -> None:
    for number in range(times):
        index(home, home.parent, {"a.txt": f"Text {number}."})


def _sql(statement: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        with closing(sqlite3.connect(folder / STORE)) as raw, raw:
            raw.execute(statement)

    return damage


ENTRY = "its entry, its chunks or its vectors differ from their checksum"
OF_B = "document = (SELECT row FROM documents WHERE id = 'b.txt')"
OF_A_DOCUMENT: Mapping[str, tuple[str, str]] = {
    "vector": (
        f"UPDATE chunks SET vector = zeroblob(256) WHERE {OF_B}",
        ENTRY,
    ),
    "offset": (
        f"UPDATE chunks SET start = start + 1 WHERE {OF_B}",
        ENTRY,
    ),
    "no chunk": (f"DELETE FROM chunks WHERE {OF_B}", ENTRY),
    "source": ("UPDATE documents SET source = 'elsewhere' WHERE id = 'b.txt'", ENTRY),
    "text": ("UPDATE documents SET text = text || '!' WHERE id = 'b.txt'", "its text differs from its checksum"),
    "no text": ("UPDATE documents SET text = CAST(x'ff80' AS TEXT) WHERE id = 'b.txt'", "it cannot be read"),
}


@pytest.mark.parametrize("damage", OF_A_DOCUMENT)
def test_damage_to_one_document_is_named_and_the_others_stay(home: Path, tmp_path: Path, damage: str) -> None:
    files = index(home, tmp_path, TEXTS)
    before = content(home)
    statement, reason = OF_A_DOCUMENT[damage]
    _sql(statement)(home / "harbour")
    found = Corpora(home).verify("harbour")
    assert (found[0].where, found[0].reason[: len(reason)]) == ("b.txt", reason)
    assert {problem.where for problem in found[1:]} <= {"harbour"}  # it may not open either
    assert "run `selfroute index repair --corpus harbour`" in found[0].remedy
    made = Corpora(home).repair("harbour")
    assert [problem.where for problem in made.lost] == ["b.txt"]
    assert Corpora(home).verify("harbour") == ()
    if "text" in damage:
        assert "again: the document was deleted from the corpus" in made.lost[0].remedy
        assert {info.id for info in Corpora(home).documents("harbour")} == TEXTS.keys() - {"b.txt"}
        Indexer(home, HashingEmbedder(), LIMIT).index([files], "harbour")
    else:
        assert "run `selfroute index rebuild --corpus harbour`: its text is whole" in made.lost[0].remedy
        assert Corpora(home).document("harbour", "b.txt").document.text == TEXTS["b.txt"]
        assert Indexer(home, HashingEmbedder(), LIMIT).rebuild("harbour").updated == 1
    assert content(home) == before


def test_segments_that_hold_other_vectors_than_the_store_are_noticed(home: Path, tmp_path: Path) -> None:
    """Whole by every checksum: only comparing them with the store tells."""
    index(home, tmp_path, TEXTS)
    before = content(home)
    folder = home / "harbour"
    manifest = manifests.read(folder)
    with closing(Store.open(folder)) as store:
        ids, vectors = store.vectors(1, 64)
    other = segments.write(folder, manifest.segments[0].file, ids, np.ascontiguousarray(vectors[::-1]))
    manifests.write(folder, replace(manifest, segments=(other,)))
    [problem] = Corpora(home).verify("harbour")
    assert problem.reason == "its segments hold other vectors than the store"
    assert Corpora(home).repair("harbour").mended == (problem,)
    assert content(home) == before


def test_the_manifest_of_another_embedder_is_noticed_and_mended(home: Path, tmp_path: Path) -> None:
    files = index(home, tmp_path, TEXTS)
    before = content(home)
    Indexer(home, HashingEmbedder(8), LIMIT).index([files], "other")
    shutil.copy(home / "other" / "manifest.json", home / "harbour" / "manifest.json")
    with pytest.raises(CorruptIndex, match="belongs to another store"):
        open_index(home, "harbour", None)
    assert Corpora(home).verify("harbour")
    made = Corpora(home).repair("harbour")
    assert made.lost == ()
    assert content(home) == before


@pytest.mark.parametrize("back", [1, 2])
def test_the_generations_of_an_index_cannot_be_exchanged(home: Path, tmp_path: Path, back: int) -> None:
    kept = []
    for number in range(3):
        index(home, tmp_path, {"a.txt": f"Text {number}."})
        kept.append((home / "harbour" / "manifest.json").read_bytes())
    before = content(home)
    (home / "harbour" / "manifest.json").write_bytes(kept[2 - back])
    with pytest.raises(CorruptIndex, match=f"is that of generation {3 - back} of 3"):
        open_index(home, "harbour", None)
    assert Corpora(home).repair("harbour").lost == ()
    assert content(home) == before


def test_an_index_that_sqlite_itself_keeps_is_made_anew(home: Path, tmp_path: Path) -> None:
    index(home, tmp_path, TEXTS)
    before = content(home)
    _sql("DROP INDEX documents_known")(home / "harbour")
    [problem] = Corpora(home).verify("harbour")
    assert problem.reason == f"{STORE} lacks documents_known"
    assert Corpora(home).repair("harbour") == Repaired((problem,), ())
    assert content(home) == before


def test_a_store_that_is_lost_is_named_and_not_guessed_at(home: Path, tmp_path: Path) -> None:
    index(home, tmp_path, TEXTS)
    (home / "harbour" / STORE).write_bytes(b"garbage " * 5_000)
    made = Corpora(home).repair("harbour")
    assert made.mended == ()
    assert [problem.where for problem in made.lost] == [STORE]
    assert f"remove {home / 'harbour'} and run `selfroute index`" in made.lost[0].remedy


def test_an_index_of_an_earlier_selfroute_is_brought_up_to_date_without_embedding(home: Path, tmp_path: Path) -> None:
    index(home, tmp_path, TEXTS)
    before = content(home)
    folder = home / "harbour"
    with closing(sqlite3.connect(folder / STORE)) as raw, raw:
        for statement in (
            "DROP TABLE pages",
            "DROP TABLE files",
            "DROP TABLE warnings",
            "ALTER TABLE chunks DROP COLUMN header",
            "DROP INDEX documents_known",
            "DROP INDEX documents_deleted",
            "ALTER TABLE documents DROP COLUMN seal",
            "ALTER TABLE documents DROP COLUMN embedder",
            "ALTER TABLE about DROP COLUMN published",
            "ALTER TABLE about ADD COLUMN embedder TEXT NOT NULL DEFAULT 'hashing-64'",
            "ALTER TABLE about ADD COLUMN dimension INTEGER NOT NULL DEFAULT 64",
            "PRAGMA user_version = 0",
        ):
            raw.execute(statement)
    row = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(row | {"format": 1}))
    with pytest.raises(OutdatedIndex, match="run `selfroute index repair --corpus harbour`"):
        open_index(home, "harbour", None)
    assert Corpora(home).repair("harbour").lost == ()
    assert content(home) == before
    assert Corpora(home).verify("harbour") == ()


@pytest.fixture(scope="module")
def two_generations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    index(folder / "indexes", folder, TEXTS | {"long.txt": "A long text goes on and on. " * 60})
    index(folder / "indexes", folder, {"a.txt": "Other words. And more."})
    return folder / "indexes"


def test_no_flipped_bit_of_the_store_ends_in_an_error_that_is_not_ours(home: Path, tmp_path: Path) -> None:
    """Bits all over a small store that has pages and files, its schema among them."""
    index(home, tmp_path, {"b.txt": "Two."})
    with writing(home, "harbour", HashingEmbedder().name, 64) as writer:
        vectors = HashingEmbedder().embed(["One."]).vectors
        writer.put([(Document("a", "One.", "a.pdf", (0, 2)), [Chunk("a", 0, 4, "One.", 1)], vectors)], rule(LIMIT))
        writer.publish()
    path = home / "harbour" / STORE
    whole = path.read_bytes()
    places = [at for at in range(len(whole)) if whole[at]][::23]
    noticed = 0
    for number, at in enumerate(places):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << number % 8
        path.write_bytes(flipped)
        try:
            noticed += bool(Corpora(home).verify("harbour"))
            Corpora(home).listed()
        except SelfrouteError:
            noticed += 1
    assert len(places) > 100
    assert noticed > len(places) / 2  # the rest are free bytes, or counters that mean nothing


def test_damage_to_what_is_known_of_files_loses_nothing(home: Path, tmp_path: Path) -> None:
    files = index(home, tmp_path, TEXTS)
    before = content(home)
    _sql("UPDATE files SET hash = 'another'")(home / "harbour")
    assert [problem.where for problem in Corpora(home).verify("harbour")] != []
    assert Corpora(home).repair("harbour").lost == ()
    assert Corpora(home).verify("harbour") == ()
    assert Indexer(home, HashingEmbedder(), LIMIT).index([files], "harbour").unchanged == len(TEXTS)
    assert content(home) == before


@pytest.mark.slow
@given(st.data())
@settings(max_examples=100)
def test_a_flipped_byte_is_noticed_or_changes_nothing_and_is_mended_or_named(
    tmp_path: Path, two_generations: Path, data: st.DataObject
) -> None:
    before = content(two_generations)
    home = tmp_path / "indexes"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(two_generations, home)
    files = sorted(path.name for path in (home / "harbour").iterdir() if path.stat().st_size and path.name != LOCK)
    path = home / "harbour" / data.draw(st.sampled_from(files))
    at = data.draw(st.integers(0, path.stat().st_size - 1))
    flipped = bytearray(path.read_bytes())
    flipped[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(flipped)
    try:
        found = Corpora(home).verify("harbour")
        made = Corpora(home).repair("harbour")
    except UnusableIndex:
        with pytest.raises(UnusableIndex):  # nor does it open
            open_index(home, "harbour", None)
        return
    if not found:
        assert content(home) == before
    if any(problem.where == STORE for problem in made.lost):
        return
    assert Corpora(home).verify("harbour") == ()
    lost = {problem.where for problem in made.lost}
    after = content(home)
    assert {id_: text for id_, text in after["texts"].items() if id_ not in lost} == {
        id_: text for id_, text in before["texts"].items() if id_ not in lost
    }
    assert [hit for hit in after["hits"] if hit[1] not in lost] == [h for h in before["hits"] if h[1] not in lost]


# What the tests above are told with


def write(folder: Path, texts: Mapping[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text)
    return folder


def index(home: Path, folder: Path, texts: Mapping[str, str], name: str = "harbour") -> Path:
    files = write(folder / "files", texts)
    Indexer(home, HashingEmbedder(), LIMIT).index([files], name)
    return files


def content(home: Path, name: str = "harbour") -> dict[str, Any]:
    """All that a corpus says: its texts, and every chunk with its score for one question."""
    with closing(open_index(home, name, None)) as opened:
        hits = opened.search(HashingEmbedder().embed(["Which number stands here?"]).vectors[0], 100_000)
        said = sorted((round(hit.score, 3), hit.chunk.document, hit.chunk.start, hit.chunk.end) for hit in hits)
        return {"texts": {id_: opened.document(id_).text for id_ in opened.entries}, "hits": said}
