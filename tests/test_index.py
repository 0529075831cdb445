"""An index answers from one whole generation, whatever is written beside it, or says what is wrong and what to do."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import replace
from itertools import pairwise
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from selfroute.embedders.hashing import HashingEmbedder
from selfroute.errors import (
    CorruptIndex,
    ForeignIndex,
    HomeNotWritable,
    IndexBusy,
    InvalidName,
    UnknownCorpus,
    UnknownDocument,
    UnusableIndex,
)
from selfroute.index import Index, Item, Writer, corpora, open_index, writing
from selfroute.index import manifest as manifests
from selfroute.index.layout import NAME as STORE
from selfroute.index.manifest import Manifest
from selfroute.index.names import known
from selfroute.index.upkeep import Corpora, Listed
from selfroute.index.writer import GROWTH, MOST_DEAD
from selfroute.types import Chunk, Document, Vectors

EMBEDDER = HashingEmbedder()
LIMIT = 8
HARBOUR = {
    "master.md": "Olof Berg is the harbour master. He approves night work. He approves it in writing.",
    "berths.md": "Berth one is for ferries. Berth two is for timber. Night work needs two lamps at a berth.",
    "fees.md": "A berth costs ten crowns a night. Ferries pay by the year.",
}
QUERY = "Who approves night work at a berth?"


# Searching


def test_the_best_hit_is_the_chunk_that_says_it(home: Path) -> None:
    publish(home, HARBOUR)
    with opened(home) as index:
        [hit] = search(index, "Olof Berg is the harbour master", 1)
    assert (hit.document, hit.start, hit.text) == ("master.md", 0, "Olof Berg is the harbour master.")


@pytest.mark.parametrize("k", [1, 3, 8, 50])
@pytest.mark.parametrize("scope", [(), ("fees.md",), ("fees.md", "berths.md"), ("berths.md",) * 3, tuple(HARBOUR)])
def test_a_search_finds_the_best_of_its_scope(home: Path, scope: tuple[str, ...], k: int) -> None:
    publish(home, HARBOUR)
    with opened(home) as index:
        agrees(index, HARBOUR, QUERY, k, scope)


def test_a_scope_with_k_chunks_gives_k_hits_however_good_the_others_are(home: Path) -> None:
    texts = {f"good{n}": QUERY for n in range(200)} | {"bad": "Nothing of it. Nothing at all. Nothing ever."}
    publish(home, texts)
    with opened(home) as index:
        assert [hit.chunk.document for hit in index.search(vector(QUERY), 3, ["bad"])] == ["bad"] * 3


def test_a_scope_is_checked_kept_in_order_and_means_all_when_it_is_empty(home: Path) -> None:
    publish(home, HARBOUR)
    with opened(home) as index:
        assert index.scope(["fees.md", "berths.md", "fees.md"]) == ("fees.md", "berths.md")
        assert set(index.scope([])) == set(HARBOUR)
        for ask in (index.scope, lambda ids: index.search(vector(QUERY), 1, ids)):
            with pytest.raises(UnknownDocument, match=r"no document 'gone\.md' in corpus 'harbour'"):
                ask(["fees.md", "gone.md"])


def test_a_document_and_its_chunks_come_back_as_they_were_put(home: Path) -> None:
    publish(home, HARBOUR)
    document, chunks, _ = item("berths.md", HARBOUR["berths.md"])
    with opened(home) as index:
        assert index.document("berths.md") == document
        assert index.chunks("berths.md") == chunks
        for ask in (index.document, index.chunks):
            with pytest.raises(UnknownDocument):
                ask("gone.md")


def test_documents_of_equal_content_stay_two(home: Path) -> None:
    publish(home, {"a": "Night work.", "b": "Night work."})
    with opened(home) as index:
        assert sorted(index.entries) == ["a", "b"]
        assert [hit.chunk.document for hit in index.search(vector("Night work."), 5)] == ["a"]
        assert [hit.chunk.document for hit in index.search(vector("Night work."), 5, ["b"])] == ["b"]
        assert index.document("a").text == index.document("b").text


def test_copies_do_not_fill_the_place_of_what_else_there_is(home: Path) -> None:
    copies = {f"copy{n}": "Night work needs leave." for n in range(9)}
    publish(home, copies | {"fee": "Night fee: 75 euros.", "ice": "Ice is sold."})
    with opened(home) as index:
        found = [hit.chunk.document for hit in index.search(vector("Night work needs leave."), 3)]
        assert found[0] == "copy0"
        assert set(found[1:]) == {"fee", "ice"}
        assert len(index.search(vector("Night work needs leave."), 50)) == 3


def test_a_chunk_is_fetched_once_however_many_copies_there_are(home: Path) -> None:
    publish(home, {f"copy{n:03}": "Night work needs leave." for n in range(600)} | {"fee": "Night fee: 75 euros."})
    with opened(home) as index:
        statements: list[str] = []
        index._store._connection.set_trace_callback(statements.append)
        for most in (12, 4):  # those that are known as copies need not be looked at again
            statements.clear()
            found = [hit.chunk.document for hit in index.search(vector("Night work needs leave."), 8)]
            assert found == ["copy000", "fee"]
            assert len(statements) <= most


def test_texts_whose_vectors_are_equal_are_no_copies(home: Path) -> None:
    texts = {f"copy{n:02}": "Night work needs leave." for n in range(60)}
    publish(home, texts | {"mixed": "Leave needs night work.", "broken": "Night work\nneeds leave."})
    with opened(home) as index:
        one, other = index.search(vector("Night work needs leave."), 8)
        assert one.score == other.score
        assert (one.chunk.document, other.chunk.document) == ("copy00", "mixed")
        [scoped] = index.search(vector("Night work needs leave."), 8, ["broken"])
        assert scoped.chunk.text == "Night work\nneeds leave."


@pytest.mark.slow
def test_a_search_among_many_copies_takes_no_longer_than_one_waits(home: Path) -> None:
    document, chunks, vectors = item("copy", "Night work needs leave.")
    with writer(home) as held:
        held.put([(replace(document, id=f"{n}"), chunks, vectors) for n in range(20_000)], LIMIT)
        held.publish()
    with opened(home) as index:
        index.search(vector("Night work."), 8)
        began = time.thread_time()
        assert len(index.search(vector("Night work."), 8)) == 1
        assert time.thread_time() - began < 0.1


def test_a_document_is_found_by_its_name_in_any_form_of_unicode(home: Path) -> None:
    publish(home, {"Gebu\u0308hr.txt": "Night work.", "hafen.txt": "Day work."})
    with opened(home) as index:
        assert index.scope(["Geb\u00fchr.txt"]) == ("Gebu\u0308hr.txt",)
        assert index.document("Geb\u00fchr.txt").text == "Night work."
        with pytest.raises(UnknownDocument):
            index.scope(["Gebuhr.txt"])


def test_one_document_can_be_searched_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(
        Index.in_memory("berths.md", EMBEDDER.name, [item("berths.md", HARBOUR["berths.md"])], LIMIT)
    ) as index:
        agrees(index, {"berths.md": HARBOUR["berths.md"]}, QUERY, 2)
    assert os.listdir(tmp_path) == []


def test_many_names_are_looked_up_in_other_forms_at_once_and_exact_ones_come_first() -> None:
    looked: list[str] = []

    class Watched(list[str]):
        def __iter__(self) -> Iterator[str]:
            looked.append("all")
            return super().__iter__()

    both = Watched(["u\u0308", "\u00fc", "o\u0308"])
    assert known(["\u00fc", "u\u0308"], both) == ["\u00fc", "u\u0308"]
    assert looked == []
    assert known(["\u00f6", "gone", "lost"], both) == ["o\u0308", "gone", "lost"]
    assert looked == ["all"]


# Generations


def test_what_takes_the_place_of_others_is_put_as_they_go(home: Path) -> None:
    publish(home, {"Gebu\u0308hr.txt": "Night work.", "a.txt": "Day work."})
    with writer(home) as held:
        held.put([item("Geb\u00fchr.txt", "Night work now.")], LIMIT, (), ["Gebu\u0308hr.txt"])
        assert sorted(held.entries()) == ["Geb\u00fchr.txt", "a.txt"]
    with opened(home) as index:
        assert sorted(index.entries) == ["Gebu\u0308hr.txt", "a.txt"]
    with writer(home) as held:
        held.delete(["Gebu\u0308hr.txt"])  # as it is shown, whatever an interrupted run has put in its place
        held.publish()
    with opened(home) as index:
        assert list(index.entries) == ["a.txt"]


def test_what_is_put_is_shown_when_it_is_published(home: Path) -> None:
    publish(home, HARBOUR)
    with writer(home) as held:
        held.put([item("fees.md", "Free of charge.")], LIMIT)
        with opened(home) as index:
            agrees(index, HARBOUR, QUERY, 50)
        held.publish()
        with opened(home) as index:
            agrees(index, HARBOUR | {"fees.md": "Free of charge."}, QUERY, 50)


def test_an_update_brings_back_no_chunk_of_the_old_text(home: Path) -> None:
    publish(home, HARBOUR)
    publish(home, {"berths.md": "Nothing is left."})
    with opened(home) as index:
        hits = index.search(vector(HARBOUR["berths.md"]), 50)
        assert {hit.chunk.text for hit in hits if hit.chunk.document == "berths.md"} == {"Nothing is left."}
        agrees(index, HARBOUR | {"berths.md": "Nothing is left."}, QUERY, 50)


def test_a_reader_keeps_its_generation_while_the_next_is_published(home: Path) -> None:
    publish(home, HARBOUR)
    with opened(home) as old:
        publish(home, {"berths.md": "Nothing is left.", "new.md": QUERY})
        agrees(old, HARBOUR, QUERY, 50)
        agrees(old, HARBOUR, QUERY, 2, ["berths.md"])
        assert old.document("berths.md").text == HARBOUR["berths.md"]
        assert old.chunks("berths.md") == item("berths.md", HARBOUR["berths.md"])[1]
        assert set(old.entries) == set(HARBOUR)
        with opened(home) as new:
            assert new.generation == old.generation + 1
            assert search(new, QUERY, 1)[0].document == "new.md"


def test_a_reader_that_is_two_generations_behind_says_so_and_never_finds_nothing(home: Path) -> None:
    publish(home, {"a": "Night work."})
    with opened(home) as old:
        publish(home, {"a": "Day work."})
        publish(home, {"a": "No work."})
        for ask in (
            lambda: old.search(vector("Night"), 1),
            lambda: old.search(vector("Night"), 1, ["a"]),
            lambda: old.document("a"),
            lambda: old.chunks("a"),
        ):
            with pytest.raises(UnusableIndex, match="was replaced more than once during this question: ask again"):
                ask()


def test_publishing_nothing_new_changes_no_file(home: Path) -> None:
    first = publish(home, HARBOUR)
    before = state(home / "harbour")
    with writer(home) as held:
        assert held.publish() == first
    assert state(home / "harbour") == before


def test_an_update_writes_a_small_segment_and_leaves_the_others(home: Path) -> None:
    first = publish(home, HARBOUR)
    before = state(home / "harbour")
    second = publish(home, {"fees.md": "Free."})
    assert second.segments[:1] == first.segments
    assert [segment.vectors for segment in second.segments[1:]] == [1]
    assert len(second.tombstones) == len(item("fees.md", HARBOUR["fees.md"])[1])
    kept = first.segments[0].file
    assert state(home / "harbour")[kept] == before[kept]


def test_segments_grow_from_the_last_to_the_first_however_many_updates_there_are(home: Path) -> None:
    texts = dict(HARBOUR)
    sizes = []
    before = publish(home, texts)
    for number in range(34):
        added = {f"note{number}": f"Note {number} is about night work."}
        texts |= added
        manifest = publish(home, added)
        held = [segment.vectors for segment in manifest.segments]
        assert all(one > GROWTH * other for one, other in pairwise(held))
        sizes.append(len(held))
        # Those of the generation before stay for whoever has just read its manifest.
        assert segment_files(home) == {segment.file for segment in (*before.segments, *manifest.segments)}
        before = manifest
        with opened(home) as index:
            agrees(index, texts, QUERY, 10)
    assert 1 < max(sizes) <= 4


def test_too_many_tombstones_are_cleared_away(home: Path) -> None:
    texts = {f"doc{n}": f"Document {n} on night work." for n in range(20)}
    publish(home, texts)
    shares = []
    for number in range(20):
        texts[f"doc{number}"] = f"Document {number} on day work."
        manifest = publish(home, {f"doc{number}": texts[f"doc{number}"]})
        held = sum(segment.vectors for segment in manifest.segments)
        shares.append(len(manifest.tombstones) / held)
        with opened(home) as index:
            agrees(index, texts, "night work", 30)
    assert max(shares) <= MOST_DEAD
    assert 0.0 in shares


def test_what_is_dead_does_not_pile_up_in_the_store(home: Path) -> None:
    for number in range(6):
        publish(home, {"a": f"Text {number}."})
    with closing(sqlite3.connect(home / "harbour" / STORE)) as raw:
        assert raw.execute("SELECT count(*) FROM documents").fetchone() == (2,)


def test_what_an_interrupted_run_put_is_there_for_the_next(home: Path) -> None:
    publish(home, HARBOUR)
    with writer(home) as held:
        held.put([item("new.md", QUERY), item("fees.md", "Free.")], LIMIT)
    with opened(home) as index:
        agrees(index, HARBOUR, QUERY, 50)
    with writer(home) as held:
        assert set(held.entries()) == {*HARBOUR, "new.md"}
        held.publish()
    with opened(home) as index:
        agrees(index, HARBOUR | {"new.md": QUERY, "fees.md": "Free."}, QUERY, 50)


def test_a_reader_that_is_overtaken_while_it_opens_opens_the_newest_generation(home: Path) -> None:
    """A pipe in the place of the manifest gives the reader the old one after the new one has come."""
    path = home / "harbour" / "manifest.json"
    publish(home, {"a": "Text 1."})
    old = path.read_bytes()
    publish(home, {"a": "Text 2."})
    publish(home, {"a": "Text 3."})
    new = path.rename(home / "new.json")
    os.mkfifo(path)

    def overtake() -> None:
        with path.open("wb") as pipe:
            new.rename(path)
            pipe.write(old)

    thread = threading.Thread(target=overtake, daemon=True)
    thread.start()
    with opened(home) as index:
        assert (index.generation, index.document("a").text) == (3, "Text 3.")
    thread.join()


@pytest.mark.end_to_end
def test_readers_that_open_while_others_publish_never_see_damage(home: Path, processes: ForkServerContext) -> None:
    publish(home, {"a": "Text 0.", "b": "Text 0.", "c": "Kept."})
    process = processes.Process(target=_publishes, args=(home, 40))
    process.start()
    seen, whole = set(), 0
    while process.is_alive():
        with opened(home) as index:
            seen.add(index.generation)
            with suppress(UnusableIndex):  # two publications since it was opened: said, and nothing half is shown
                texts = {index.document(id_).text for id_ in ("a", "b")}
                found = {hit.chunk.text for hit in index.search(vector("Text"), 3)}
                whole += 1
                assert (len(texts), found) == (1, texts | {"Kept."})
    process.join()
    assert process.exitcode == 0
    assert len(seen) > 2
    assert whole > 2


def _publishes(home: Path, times: int) -> None:
    for number in range(times):
        publish(home, {"a": f"Text {number}.", "b": f"Text {number}."})


def test_a_reader_waits_for_no_writer(home: Path) -> None:
    """Not even for one in the middle of a transaction."""
    publish(home, HARBOUR)
    with writer(home) as held, closing(sqlite3.connect(home / "harbour" / STORE, isolation_level=None)) as raw:
        held.put([item("new.md", QUERY)], LIMIT)
        raw.execute("BEGIN IMMEDIATE")
        raw.execute("UPDATE documents SET text = 'half'")
        with opened(home) as index:
            agrees(index, HARBOUR, QUERY, 50)
        raw.execute("ROLLBACK")


# Writers


def test_a_second_writer_is_told_so_in_one_line(home: Path) -> None:
    with writer(home):
        with pytest.raises(IndexBusy) as refused, writer(home):
            pytest.fail("two writers hold one corpus")
        assert len(str(refused.value).splitlines()) == 1
    publish(home, HARBOUR)


def test_a_writer_does_not_keep_readers_out(home: Path) -> None:
    publish(home, HARBOUR)
    with writer(home) as held:
        held.put([item("new.md", QUERY)], LIMIT)
        with opened(home) as index:
            agrees(index, HARBOUR, QUERY, 3)


def test_writers_of_two_corpora_do_not_meet(home: Path) -> None:
    with writer(home, "one") as one, writer(home, "two") as two:
        for held in (one, two):
            held.put([item("a", "Text.")], LIMIT)
            held.publish()
    assert corpora(home) == ["one", "two"]


def test_a_writer_that_puts_nothing_leaves_no_corpus(home: Path) -> None:
    with writer(home):
        pass
    with pytest.raises(ZeroDivisionError), writer(home):
        _ = 1 / 0
    assert os.listdir(home) == []


def test_what_a_killed_first_run_left_is_no_obstacle(home: Path) -> None:
    (home / "harbour").mkdir(parents=True)
    for name in (".lock", f".{STORE}.staging", ".segment-000001.faiss.staging", ".manifest.json.staging"):
        (home / "harbour" / name).write_bytes(b"half")
    publish(home, HARBOUR)
    with opened(home) as index:
        agrees(index, HARBOUR, QUERY, 3)
    assert sorted(os.listdir(home / "harbour")) == [".lock", "manifest.json", "segment-000001.faiss", STORE]


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "ledger.sqlite", "x" * 65, "två", "a b"])
def test_a_name_that_could_lead_elsewhere_is_refused(home: Path, name: str) -> None:
    with pytest.raises(InvalidName):
        open_index(home, name, EMBEDDER.name)
    with pytest.raises(InvalidName), writer(home, name):
        pytest.fail("it was taken")


def test_a_folder_of_other_things_is_left_alone(home: Path) -> None:
    (home / "harbour").mkdir(parents=True)
    (home / "harbour" / "notes.txt").write_text("mine")
    with pytest.raises(ForeignIndex, match="holds other files and no index of selfroute; use another corpus name"):
        publish(home, HARBOUR)
    with pytest.raises(ForeignIndex, match="holds no index of selfroute"):
        open_index(home, "harbour", EMBEDDER.name)
    assert os.listdir(home / "harbour") == ["notes.txt"]


@pytest.mark.parametrize(
    ("name", "content"), [("manifest.json", b'{"name": "a web app"}'), (STORE, b"")], ids=["manifest", "database"]
)
def test_a_folder_of_another_program_is_left_alone(home: Path, name: str, content: bytes) -> None:
    (home / "harbour").mkdir(parents=True)
    if content:
        (home / "harbour" / name).write_bytes(content)
    else:
        with closing(sqlite3.connect(home / "harbour" / name)) as raw:
            raw.execute("CREATE TABLE mine (a)")
    before = (home / "harbour" / name).read_bytes()
    with pytest.raises(ForeignIndex, match="was not written by selfroute; use another corpus name"):
        publish(home, HARBOUR)
    assert (home / "harbour" / name).read_bytes() == before
    assert {path.name for path in (home / "harbour").iterdir()} <= {name, ".lock"}


# Opening


def test_an_unknown_corpus_is_named_with_those_there_are(home: Path) -> None:
    with pytest.raises(UnknownCorpus, match="have none yet"):
        open_index(home, "harbor", EMBEDDER.name)
    publish(home, HARBOUR)
    with pytest.raises(UnknownCorpus, match=r"no corpus 'harbor'; did you mean 'harbour'\? have: harbour"):
        open_index(home, "harbor", EMBEDDER.name)


def test_another_embedder_is_refused_by_readers_and_writers(home: Path) -> None:
    publish(home, HARBOUR)
    message = r"made with the embedder 'hashing-64' and the settings name 'hashing-32'; set the embedder back, or run"
    with pytest.raises(ForeignIndex, match=message):
        open_index(home, "harbour", "hashing-32")
    before = state(home / "harbour")
    with pytest.raises(ForeignIndex, match=message), writing(home, "harbour", "hashing-32", 32):
        pytest.fail("it was taken")
    (home / "harbour" / "manifest.json").unlink()
    with pytest.raises(ForeignIndex, match=message), writing(home, "harbour", "hashing-32", 32):
        pytest.fail("it was taken")
    assert state(home / "harbour") == {name: kept for name, kept in before.items() if name != "manifest.json"}


def test_an_embedder_whose_vectors_have_changed_is_refused(home: Path) -> None:
    publish(home, HARBOUR)
    with pytest.raises(ForeignIndex, match="have 64 dimensions"), writing(home, "harbour", EMBEDDER.name, 32):
        pytest.fail("it was taken")


def test_a_manifest_of_a_newer_format_is_refused_by_readers_and_writers(home: Path) -> None:
    publish(home, HARBOUR)
    edited(home / "harbour", format=3)
    before = state(home / "harbour")
    with pytest.raises(ForeignIndex, match="update selfroute"):
        open_index(home, "harbour", EMBEDDER.name)
    with pytest.raises(ForeignIndex, match="update selfroute"):
        publish(home, {"a": "New."})
    assert state(home / "harbour") == before


def edited(folder: Path, **entries: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def _segment(folder: Path, number: int = 0) -> Path:
    return folder / manifests.read(folder).segments[number].file


def _swap(folder: Path) -> None:
    one, other = _segment(folder, 0), _segment(folder, 1)
    one.rename(folder / "between")
    other.rename(one)
    (folder / "between").rename(other)


def _flip(path: Path, at: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(len(content) * at)] ^= 1
    path.write_bytes(content)


def _cut(path: Path, at: float) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * at)])


def _from_another(folder: Path) -> None:
    publish(folder.parent, HARBOUR, "other")
    shutil.copy(folder.parent / "other" / "manifest.json", folder / "manifest.json")


DAMAGES: Mapping[str, tuple[Callable[[Path], object], str]] = {
    "no segment": (lambda folder: _segment(folder).unlink(), "cannot be read"),
    "a segment cut": (lambda folder: _cut(_segment(folder), 0.5), "differs from its checksum"),
    "an empty segment": (lambda folder: _cut(_segment(folder), 0), "differs from its checksum"),
    "a flipped bit at a segment's start": (lambda folder: _flip(_segment(folder), 0), "differs from its checksum"),
    "a flipped bit in a later segment": (lambda folder: _flip(_segment(folder, 1), 0.9), "differs from its checksum"),
    "segments exchanged": (_swap, "differs from its checksum"),
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), "is missing"),
    "an empty manifest": (lambda folder: _cut(folder / "manifest.json", 0), "cannot be read"),
    "a torn manifest": (lambda folder: _cut(folder / "manifest.json", 0.5), "cannot be read"),
    "an edited manifest": (lambda folder: edited(folder, tombstones=[]), "differs from its checksum"),
    "a manifest of another store": (_from_another, "belongs to another store"),
}
"""What is mended from the store: damage to a corpus of two segments, and what opening says of it."""


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_damage_is_said_and_mended_from_the_store(home: Path, damage: Callable[[Path], object], message: str) -> None:
    texts = HARBOUR | {"fees.md": "Free of charge. Free for ever."}
    publish(home, HARBOUR)
    publish(home, {"fees.md": texts["fees.md"]})
    damage(home / "harbour")
    with pytest.raises(CorruptIndex, match=rf"damaged: .*{message}.*; run `selfroute index repair --corpus harbour`"):
        open_index(home, "harbour", EMBEDDER.name)
    assert [problem.reason for problem in Corpora(home).verify("harbour") if re.search(message, problem.reason)]
    assert Corpora(home).repair("harbour").lost == ()
    assert Corpora(home).verify("harbour") == ()
    with opened(home) as index:
        agrees(index, texts, QUERY, 50)
        agrees(index, texts, QUERY, 2, ["fees.md"])


@pytest.mark.parametrize("damage", [name for name in DAMAGES if "flipped" not in name and "exchanged" not in name])
def test_what_is_missing_or_cut_short_is_mended_by_the_next_run_too(home: Path, damage: str) -> None:
    publish(home, HARBOUR)
    publish(home, {"fees.md": "Free of charge. Free for ever."})
    DAMAGES[damage][0](home / "harbour")
    publish(home, {"a": "New."})
    with opened(home) as index:
        agrees(index, HARBOUR | {"fees.md": "Free of charge. Free for ever.", "a": "New."}, QUERY, 50)


def _database(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE mine (a)")


LOSSES: Mapping[str, tuple[Callable[[Path], object], type[UnusableIndex]]] = {
    "missing": (lambda store: store.unlink(), CorruptIndex),
    "empty": (lambda store: _cut(store, 0), CorruptIndex),
    "cut": (lambda store: _cut(store, 0.7), CorruptIndex),
    "garbage": (lambda store: store.write_bytes(b"garbage " * 5_000), CorruptIndex),
    "foreign": (_database, ForeignIndex),
}


@pytest.mark.parametrize(("lose", "error"), LOSSES.values(), ids=LOSSES)
def test_the_loss_of_the_store_is_said_and_not_guessed_at(
    home: Path, lose: Callable[[Path], object], error: type[UnusableIndex]
) -> None:
    folder = home / "harbour"
    publish(home, HARBOUR | {"long.md": "Long. " * 5_000})
    lose(folder / STORE)
    remedy = rf"remove {folder} and run `selfroute index`|use another corpus name"
    with pytest.raises(error, match=remedy):
        open_index(home, "harbour", EMBEDDER.name)
    if lose is not LOSSES["missing"][0]:
        with pytest.raises(error, match=remedy):
            publish(home, {"a": "New."})
    shutil.rmtree(folder)
    publish(home, HARBOUR)
    with opened(home) as index:
        agrees(index, HARBOUR, QUERY, 3)


def test_a_missing_store_is_made_anew_by_the_next_run(home: Path) -> None:
    publish(home, HARBOUR)
    publish(home, {"fees.md": "Free."})
    (home / "harbour" / STORE).unlink()
    publish(home, {"a": "New."})
    with opened(home) as index:
        agrees(index, {"a": "New."}, QUERY, 3)


def test_the_manifest_of_an_older_generation_is_refused(home: Path) -> None:
    publish(home, {"a": "Text one."})
    old = (home / "harbour" / "manifest.json").read_bytes()
    publish(home, {"a": "Text two."})
    publish(home, {"a": "Text three."})
    (home / "harbour" / "manifest.json").write_bytes(old)
    with pytest.raises(CorruptIndex, match=r"manifest\.json is that of generation 1 of 3"):
        open_index(home, "harbour", EMBEDDER.name)


# Listing


def test_corpora_are_listed_with_their_sizes_and_what_is_wrong_with_them(home: Path) -> None:
    assert listed(home) == []
    manifest = publish(home, HARBOUR, "whole")
    publish(home, HARBOUR, "torn")
    (home / "torn" / "manifest.json").unlink()
    (home / "not a corpus").mkdir()
    (home / "not a corpus" / "manifest.json").write_text("{}")
    (home / "empty").mkdir()
    (home / "ledger.sqlite").write_bytes(b"")
    torn, whole = listed(home)
    assert (whole.name, whole.documents, whole.chunks, whole.tokens) == ("whole", 3, manifest.chunks, manifest.tokens)
    assert whole.problem is None
    assert torn.name == "torn"
    assert "manifest.json is missing" in (torn.problem or "")


def test_corpora_are_listed_whatever_embedder_made_them(home: Path) -> None:
    publish(home, HARBOUR)
    with writing(home, "small", "hashing-32", 32) as held:
        document, chunks, _ = item("a", "Text.")
        held.put([(document, chunks, HashingEmbedder(32).embed([chunk.text for chunk in chunks]).vectors)], LIMIT)
        held.publish()
    assert [(row.name, row.problem) for row in listed(home)] == [("harbour", None), ("small", None)]


# Permissions


@pytest.mark.end_to_end
def test_an_index_on_a_read_only_disk_answers(
    open_home: Path, processes: ForkServerContext, as_nobody: Callable[[], None]
) -> None:
    publish(open_home, HARBOUR)
    closed(open_home)
    finish(processes, _reads_only, as_nobody, open_home)


def _reads_only(as_nobody: Callable[[], None], home: Path) -> None:
    _answers(as_nobody, home)
    assert [row.problem for row in listed(home)] == [None]
    with pytest.raises(HomeNotWritable):
        publish(home, {"a": "New."})
    with pytest.raises(HomeNotWritable):
        publish(home, {"a": "New."}, "new")


@pytest.mark.end_to_end
@pytest.mark.parametrize("whole", [True, False], ids=["with what SQLite needs to read its log", "without"])
def test_what_a_killed_writer_left_on_a_read_only_disk_answers_or_says_why_not(
    open_home: Path, processes: ForkServerContext, as_nobody: Callable[[], None], whole: bool
) -> None:
    publish(open_home, HARBOUR)
    here, there = processes.Pipe()
    process = processes.Process(target=_puts_and_waits, args=(open_home, there))
    process.start()
    assert here.recv() == "put"
    process.kill()
    process.join()
    assert (open_home / "harbour" / f"{STORE}-wal").stat().st_size > 0
    if not whole:
        (open_home / "harbour" / f"{STORE}-shm").unlink()
    closed(open_home)
    finish(processes, _answers if whole else _says_why_not, as_nobody, open_home)


def _puts_and_waits(home: Path, pipe: Connection) -> None:
    with writer(home) as held:
        held.put([item("new.md", QUERY)], LIMIT)
        pipe.send("put")
        pipe.recv()


def _answers(as_nobody: Callable[[], None], home: Path) -> None:
    as_nobody()
    with opened(home) as index:
        agrees(index, HARBOUR, QUERY, 3)


def _says_why_not(as_nobody: Callable[[], None], home: Path) -> None:
    as_nobody()
    with pytest.raises(UnusableIndex, match=r"cannot be opened.*check its permissions") as refused:
        opened(home)
    assert not isinstance(refused.value, CorruptIndex)


@pytest.mark.end_to_end
def test_a_folder_that_may_not_be_listed_is_not_called_foreign(
    open_home: Path, processes: ForkServerContext, as_nobody: Callable[[], None]
) -> None:
    publish(open_home, HARBOUR)
    (open_home / "harbour").chmod(0)
    finish(processes, _may_not_list, as_nobody, open_home)


def _may_not_list(as_nobody: Callable[[], None], home: Path) -> None:
    as_nobody()
    for ask in (lambda: open_index(home, "harbour", EMBEDDER.name), lambda: publish(home, HARBOUR)):
        with pytest.raises(UnusableIndex, match=r"cannot be listed \(permission denied\): check its permissions"):
            ask()


# Any order of things


WORDS = ["night", "day", "work", "berth", "ferry", "lamp", "fee.", "year.", "crown.", "Olof"]


class Anything(RuleBasedStateMachine):
    """Puts, deletions, publications, interruptions, damage, mending, compaction, rebuilding and renaming in any order,
    beside a dictionary and brute force."""

    words = st.lists(st.sampled_from(WORDS), min_size=1, max_size=30)
    ids = st.sampled_from(["a", "b", "c", "d", "e"])

    @initialize()
    def begin(self) -> None:
        self.home = Path(mkdtemp())
        self.shown: dict[str, str] = {}
        self.put: dict[str, str] = {}
        self.old: tuple[Index, dict[str, str]] | None = None
        self.behind = 0
        self.damaged = False
        self.name = "harbour"

    @rule(texts=st.dictionaries(ids, words.map(" ".join), min_size=1))
    def put_and_publish(self, texts: dict[str, str]) -> None:
        publish(self.home, texts, self.name)
        self.put |= texts
        self._published()

    @rule(texts=st.dictionaries(ids, words.map(" ".join), min_size=1))
    def put_only(self, texts: dict[str, str]) -> None:
        with writer(self.home, self.name) as held:
            held.put([item(id_, text) for id_, text in texts.items()], LIMIT)
        self.put |= texts

    @rule(gone=st.sets(ids, min_size=1))
    def delete_only(self, gone: set[str]) -> None:
        if self.put:
            with writer(self.home, self.name) as held:
                if gone <= self.put.keys():
                    held.delete(sorted(gone))
                else:
                    # What is there no longer, and what never was; one whose deletion is only not published is there.
                    gone -= self.put.keys() | self.shown.keys()
                    with pytest.raises(UnknownDocument) if gone else nullcontext():
                        held.delete(sorted(gone))
                    return
            self.put = {id_: text for id_, text in self.put.items() if id_ not in gone}

    @rule(gone=ids)
    def delete_and_publish(self, gone: str) -> None:
        if gone in self.put and not self.damaged:
            left = Corpora(self.home).delete_documents(self.name, [gone])
            del self.put[gone]
            assert left.documents == len(self.put)
            self._published()

    @rule(compact=st.booleans())
    def publish_what_is_put(self, compact: bool) -> None:
        if not (self.put or self.shown):
            return
        before = self._generation()
        with writer(self.home, self.name) as held:
            assert set(held.entries()) == set(self.put)
            manifest = held.publish(compact=compact)
        if compact:
            assert (len(manifest.segments), manifest.tombstones) == (bool(manifest.chunks), ())
        if self._generation() != before:
            self._published()
        assert self.shown == self.put

    @rule(name=st.sampled_from(["harbour", "port", "quay"]))
    def rename(self, name: str) -> None:
        if self.shown and name != self.name:
            Corpora(self.home).rename(self.name, name)
            self.name = name

    @rule()
    def repair(self) -> None:
        if self.shown:
            made = Corpora(self.home).repair(self.name)
            assert (bool(made.mended), made.lost) == (self.damaged, ())
            if self.damaged:
                self._published()
            assert Corpora(self.home).verify(self.name) == ()

    @rule()
    def begin_to_rebuild_with_another_embedder_and_give_up(self) -> None:
        """Of what it has put, and of what was put and not published before it, nothing stays."""
        if self.shown and not self.damaged and self.put == self.shown and self.put:
            other = HashingEmbedder(7)
            document, chunks, _ = item(min(self.put), "By another embedder.")
            vectors = other.embed([chunk.text for chunk in chunks]).vectors
            with writing(self.home, self.name, other.name, other.dimension, rebuild=True) as held:
                held.put([(document, chunks, vectors)], LIMIT)

    @rule(damage=st.sampled_from(["manifest", "segment"]))
    def damage(self, damage: str) -> None:
        if self.shown and not self.damaged:
            folder = self.home / self.name
            if damage == "segment" and not manifests.read(folder).segments:
                return
            (folder / "manifest.json" if damage == "manifest" else _segment(folder)).unlink()
            self.damaged = True

    @rule()
    def open_and_keep(self) -> None:
        if self.shown and not self.damaged:
            self._close()
            self.old, self.behind = (open_index(self.home, self.name, EMBEDDER.name), dict(self.shown)), 0

    @rule(query=words.map(" ".join), k=st.integers(1, 12), scope=st.sets(ids))
    def search(self, query: str, k: int, scope: set[str]) -> None:
        if self.shown and not self.damaged:
            with opened(self.home, self.name) as index:
                agrees(index, self.shown, query, k, sorted(scope & self.shown.keys()))

    @invariant()
    def damage_is_said_and_what_is_whole_is_found(self) -> None:
        if self.damaged:
            with pytest.raises(CorruptIndex):
                open_index(self.home, self.name, EMBEDDER.name)
        elif self.shown:
            with opened(self.home, self.name) as index:
                assert {id_: index.document(id_).text for id_ in index.entries} == self.shown

    @invariant()
    def a_reader_keeps_what_it_opened(self) -> None:
        if self.old is not None and self.behind <= 1:
            index, texts = self.old
            agrees(index, texts, "night work. Olof", 6)

    def teardown(self) -> None:
        self._close()
        shutil.rmtree(self.home)

    def _published(self) -> None:
        self.shown, self.damaged = dict(self.put), False
        self.behind += 1

    def _generation(self) -> int | None:
        try:
            return manifests.read(self.home / self.name).generation
        except CorruptIndex:
            return None

    def _close(self) -> None:
        if self.old is not None:
            self.old[0].close()
            self.old = None


Anything.TestCase.settings = settings(max_examples=30, stateful_step_count=20)
test_anything_in_any_order = Anything.TestCase


# What the tests above are told with


def item(id_: str, text: str) -> Item:
    """A document whose chunks are its sentences."""
    found = [(match.start(), match.group().rstrip()) for match in re.finditer(r"\S[^.]*\.?", text)]
    chunks = [Chunk(id_, at, at + len(said), said, EMBEDDER.count_tokens(said)) for at, said in found]
    return Document(id_, text, f"/files/{id_}"), chunks, EMBEDDER.embed([chunk.text for chunk in chunks]).vectors


def vector(text: str) -> Vectors:
    [found] = EMBEDDER.embed([text]).vectors
    return np.asarray(found, dtype=np.float32)


@contextmanager
def writer(home: Path, name: str = "harbour") -> Iterator[Writer]:
    with writing(home, name, EMBEDDER.name, EMBEDDER.dimension) as held:
        yield held


def publish(home: Path, texts: Mapping[str, str], name: str = "harbour") -> Manifest:
    with writer(home, name) as held:
        held.put([item(id_, text) for id_, text in texts.items()], LIMIT)
        return held.publish()


def listed(home: Path) -> list[Listed]:
    return Corpora(home).listed()


def opened(home: Path, name: str = "harbour") -> closing[Index]:
    return closing(open_index(home, name, EMBEDDER.name))


def search(index: Index, text: str, k: int) -> list[Chunk]:
    return [hit.chunk for hit in index.search(vector(text), k)]


def agrees(index: Index, texts: Mapping[str, str], query: str, k: int, scope: Sequence[str] = ()) -> None:
    """The hits are the best of the scope by brute force: each is a chunk of now with its score, none is better, and of
    copies there is one."""
    live: dict[Chunk, float] = {}
    for id_ in scope or texts:
        _, chunks, vectors = item(id_, texts[id_])
        live |= dict(zip(chunks, (vectors @ vector(query)).tolist(), strict=True))
    best = {chunk.text: score for chunk, score in live.items()}
    hits = index.search(vector(query), k, scope)
    assert len({hit.chunk.text for hit in hits}) == len(hits) == min(k, len(best))
    assert [hit.score for hit in hits] == pytest.approx([live[hit.chunk] for hit in hits], abs=1e-5)
    assert [hit.score for hit in hits] == pytest.approx(sorted(best.values(), reverse=True)[: len(hits)], abs=1e-5)


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Each file's time of change and content; the lock is no part of the index."""
    return {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in sorted(folder.iterdir()) if p.name != ".lock"}


def segment_files(home: Path) -> set[str]:
    return {path.name for path in (home / "harbour").glob("segment-*.faiss")}


def closed(home: Path) -> None:
    """No file or folder of it may be written."""
    for path in (*home.rglob("*"), home):
        path.chmod(0o555 if path.is_dir() else 0o444)


def finish(processes: ForkServerContext, target: Callable[..., None], *arguments: object) -> None:
    process = processes.Process(target=target, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == 0
