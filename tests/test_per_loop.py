"""One thing for each event loop: started once, closed with its loop, replaced when it is dead."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from selfroute.endpoints.per_loop import PerLoop


@dataclass
class Engine:
    number: int
    alive: bool = True


@dataclass
class Works:
    """Starts engines and remembers what became of them."""

    fails: Exception | None = None
    started: int = 0
    closed: list[int] = field(default_factory=list)

    async def start(self) -> Engine:
        self.started += 1
        await asyncio.sleep(0)
        if self.fails:
            raise self.fails
        return Engine(self.started)

    def per_loop(self, again: bool = False) -> PerLoop[Engine]:
        return PerLoop(self.start, lambda engine: engine.alive, self.close, again)

    async def close(self, engine: Engine) -> None:
        self.closed.append(engine.number)


def test_all_who_ask_at_once_get_the_same_and_it_is_closed_with_the_loop() -> None:
    works = Works()
    engines = works.per_loop()

    async def ask() -> set[int]:
        found = await asyncio.gather(*(engines.get() for _ in range(5)))
        assert works.started == len(works.closed) + 1
        return {engine.number for engine in found}

    assert asyncio.run(ask()) == {1}
    assert works.closed == [1]
    assert asyncio.run(ask()) == {2}
    assert works.closed == [1, 2]


def test_one_that_is_cancelled_while_it_starts_leaves_it_to_the_others() -> None:
    works = Works()
    engines = works.per_loop()

    async def ask() -> int:
        first, second = (asyncio.create_task(engines.get()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        return (await second).number

    assert asyncio.run(ask()) == 1


def test_a_start_that_failed_is_told_to_all_and_not_tried_again_in_its_loop() -> None:
    works = Works(fails=LookupError("no such model"))
    engines = works.per_loop()

    async def ask() -> None:
        for _ in range(3):
            with pytest.raises(LookupError, match="no such model"):
                await engines.get()

    asyncio.run(ask())
    assert works.started == 1
    asyncio.run(ask())
    assert works.started == 2


def test_a_start_that_failed_is_tried_again_by_the_next_where_that_is_wanted() -> None:
    works = Works(fails=OSError("too many open files"))
    engines = works.per_loop(again=True)

    async def ask() -> list[int]:
        told = await asyncio.gather(*(engines.get() for _ in range(3)), return_exceptions=True)
        assert [str(error) for error in told] == ["too many open files"] * 3  # one start for all who waited for it
        works.fails = None
        return [(await engines.get()).number for _ in range(2)]

    assert asyncio.run(ask()) == [2, 2]
    assert works.closed == [2]


def test_one_that_died_is_closed_before_another_is_started_in_its_place() -> None:
    works = Works()
    engines = works.per_loop()

    async def ask() -> list[int]:
        first = await engines.get()
        first.alive = False
        found = await asyncio.gather(*(engines.get() for _ in range(3)))
        assert works.closed == [1]
        return [engine.number for engine in found]

    assert asyncio.run(ask()) == [2, 2, 2]
    assert works.closed == [1, 2]
