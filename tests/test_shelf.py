"""Corpora that stay open: opened once, fresh at each question, closed when nobody can ask them any more."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Sized
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from service import WHO, House, corpus

from selfroute.embedders.hashing import HashingEmbedder
from selfroute.errors import CorruptIndex, UnknownCorpus
from selfroute.index import Index, shelf
from selfroute.index.shelf import Shelf
from selfroute.index.upkeep import Corpora
from selfroute.readers.scripted import KnowingReader
from selfroute.sources import Sources


@pytest.fixture
def kept(home: Path) -> Shelf:
    corpus(home)
    return Shelf(home, HashingEmbedder().name)


def test_a_corpus_is_opened_once_for_all_who_ask_it(kept: Shelf) -> None:
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(kept.take, ["port"] * 8))
    assert len({id(index) for index in taken}) == 1
    for index in taken:
        kept.give(index)
    assert kept.take("port") is taken[0]


def test_a_new_generation_is_seen_by_the_next_and_the_old_one_serves_who_has_it(home: Path, kept: Shelf) -> None:
    old = kept.take("port")
    Corpora(home).delete_documents("port", ["forest"])
    new = kept.take("port")
    assert (set(old.entries), set(new.entries)) == ({"forest", "harbour"}, {"harbour"})
    assert old.document("harbour").text
    kept.give(old)
    with pytest.raises(Exception, match="closed"):
        old.document("harbour")
    assert new.document("harbour").text


def test_a_corpus_that_was_deleted_or_damaged_is_not_served_from_what_is_open(home: Path, kept: Shelf) -> None:
    corpus(home, "quay")
    for name in ("port", "quay"):
        kept.give(kept.take(name))
    Corpora(home).delete("port")
    (home / "quay" / "manifest.json").unlink()
    with pytest.raises(UnknownCorpus):
        kept.take("port")
    with pytest.raises(CorruptIndex):
        kept.take("quay")


def test_names_that_are_no_corpus_leave_nothing_behind(kept: Shelf) -> None:
    def held() -> int:
        return sum(len(value) for value in vars(kept).values() if isinstance(value, Sized))

    before = held()
    for number in range(1000):
        with pytest.raises(UnknownCorpus):
            kept.take(f"nope{number}")
    assert held() == before


def test_only_so_many_stay_open_while_nobody_asks_them(home: Path, kept: Shelf) -> None:
    names = [f"c{number}" for number in range(shelf.MOST_IDLE + 4)]
    for name in names:
        corpus(home, name, {"only": "The quay is long."})
    before = _descriptors()
    for name in names:
        kept.give(kept.take(name))
    assert _descriptors() - before <= 3 * shelf.MOST_IDLE  # SQLite's file, its log and its shared memory
    kept.close()
    assert _descriptors() <= before


class Slow(Shelf):
    """Opens nothing before its gate is."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, HashingEmbedder().name)
        self.entered = threading.Event()
        self.gate = threading.Event()

    def take(self, name: str) -> Index:
        self.entered.set()
        self.gate.wait()
        return super().take(name)


@pytest.fixture
def slow(home: Path) -> Slow:
    corpus(home)
    return Slow(home)


def test_a_question_that_is_cancelled_while_its_corpus_opens_leaves_nothing_open(
    home: Path, slow: Slow, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    async def cancelled() -> None:
        await _cancelled(home, slow)
        slow.gate.set()
        await asyncio.to_thread(wait_until, lambda: bool(slow._kept) and not slow._used)

    asyncio.run(cancelled())


def test_nor_does_one_whose_corpus_opens_after_its_loop_has_ended(home: Path, slow: Slow) -> None:
    async def opens_last() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            slow.gate.set()

    async def cancelled() -> asyncio.Task[None]:
        await _cancelled(home, slow)
        ending = asyncio.create_task(opens_last())
        await asyncio.sleep(0)
        return ending

    assert asyncio.run(cancelled()).cancelled()
    assert slow._kept
    assert not slow._used


async def _cancelled(home: Path, slow: Slow) -> None:
    engine = House(home, KnowingReader({WHO: "Olof Berg"})).engine()
    engine._sources = Sources(slow, HashingEmbedder(), 16)
    asking = asyncio.create_task(engine.ask(WHO, corpus="port"))
    await asyncio.to_thread(slow.entered.wait)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
