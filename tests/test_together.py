"""Requests that begin alike wait for the first of them and keep its place; others go their own way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from selfroute.endpoints.together import AT_MOST, BEGINNING, Together, Turn

A, B = [1] * BEGINNING, [2] * BEGINNING
SHORT = [3] * (BEGINNING - 1)

Step = Callable[[Turn], Coroutine[None, None, None]]


async def settled() -> None:
    """Every task has gone as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


class Run:
    """Requests under way: who was let in, in order."""

    def __init__(self) -> None:
        self.together = Together()
        self.entered: list[str] = []
        self.turns: dict[str, Turn] = {}
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def send(self, name: str, prompt: list[int]) -> None:
        self.ends[name] = asyncio.Event()

        async def request() -> None:
            async with self.together.turn(prompt) as turn:
                self.entered.append(name)
                self.turns[name] = turn
                await self.ends[name].wait()

        self.tasks[name] = asyncio.create_task(request())
        await settled()

    async def end(self, *names: str) -> None:
        for name in names:
            self.ends[name].set()
            await self.tasks[name]
        await settled()


def test_the_others_wait_until_the_first_was_read() -> None:
    async def play() -> None:
        run = Run()
        for name in ("a1", "a2", "a3"):
            await run.send(name, [*A, len(name)])
        assert run.entered == ["a1"]
        run.turns["a1"].warmed()
        await settled()
        assert run.entered == ["a1", "a2", "a3"]
        await run.end("a1", "a2", "a3")

    asyncio.run(play())


def test_a_first_that_fails_or_is_cancelled_leaves_its_part_to_the_next() -> None:
    async def play() -> None:
        run = Run()
        for name in ("a1", "a2", "a3"):
            await run.send(name, A)
        run.tasks["a1"].cancel()
        await settled()
        assert run.entered == ["a1", "a2"]
        await run.end("a2")
        assert run.entered == ["a1", "a2", "a3"]
        await run.end("a3")

    asyncio.run(play())


def test_one_that_is_cancelled_while_it_waits_holds_up_nobody() -> None:
    async def play() -> None:
        run = Run()
        for name in ("a1", "a2", "a3"):
            await run.send(name, A)
        run.tasks["a2"].cancel()
        await run.end("a1")
        assert run.entered == ["a1", "a3"]
        await run.end("a3")

    asyncio.run(play())


def test_a_family_has_the_place_of_its_first_whatever_came_between() -> None:
    async def play() -> None:
        run = Run()
        for name, prompt in (("a1", A), ("b1", B), ("short", SHORT), ("a2", A), ("b2", B)):
            await run.send(name, prompt)
            if name in ("a1", "b1"):
                run.turns[name].warmed()
        places = {name: turn.place for name, turn in run.turns.items()}
        assert places["a1"] == places["a2"] < places["b1"] == places["b2"] < places["short"]
        await run.end(*run.tasks)

    asyncio.run(play())


@pytest.mark.parametrize("prompt", [SHORT, []])
def test_short_prompts_wait_for_nobody(prompt: list[int]) -> None:
    async def play() -> None:
        run = Run()
        for name in ("1", "2"):
            await run.send(name, prompt)
        assert run.entered == ["1", "2"]
        await run.end("1", "2")

    asyncio.run(play())


def test_a_family_that_goes_on_asking_gives_up_its_place() -> None:
    async def play() -> None:
        run = Run()
        await run.send("a0", A)
        run.turns["a0"].warmed()
        await run.send("b", B)
        for number in range(1, AT_MOST + 1):
            await run.send(f"a{number}", A)
        assert run.turns[f"a{AT_MOST - 1}"].place < run.turns["b"].place < run.turns[f"a{AT_MOST}"].place
        await run.end(*run.tasks)

    asyncio.run(play())


def test_a_family_that_is_gone_is_forgotten() -> None:
    async def play() -> None:
        run = Run()
        await run.send("a1", A)
        run.turns["a1"].warmed()
        await run.end("a1")
        assert not run.together._families
        await run.send("a2", A)
        await run.send("a3", A)
        assert run.entered == ["a1", "a2"]  # what was kept of it may be gone too
        await run.end("a2", "a3")

    asyncio.run(play())
