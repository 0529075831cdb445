"""Work that tells of itself as it goes, as a stream of events: who leaves the stream ends the work.

Knows nothing of questions.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable

from selfroute.types import Emit, Event

MOST_WAITING = 64
"""Events that may wait for who follows the stream. Then the work waits, and with it the server that it reads from."""


async def streamed(work: Callable[[Emit], Awaitable[object]]) -> AsyncGenerator[Event]:
    """The events that `work` emits, then its error if it raises one.

    Closing the stream, however that comes about, cancels the work and waits for its end: what it still had to write
    down is written down. What it emits after that goes nowhere.
    """
    waiting: deque[Event] = deque()
    news, room = asyncio.Event(), asyncio.Event()
    left = False

    async def emit(event: Event) -> None:
        while len(waiting) >= MOST_WAITING and not left:
            room.clear()
            await room.wait()
        if not left:
            waiting.append(event)
            news.set()

    async def begun() -> None:
        await work(emit)

    task = asyncio.create_task(begun())
    task.add_done_callback(lambda _: news.set())
    try:
        while waiting or not task.done():
            while waiting:
                event = waiting.popleft()
                room.set()
                yield event
            if not task.done():
                news.clear()
                await news.wait()
        task.result()
    finally:
        left = True
        room.set()
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # seen, or of no interest any more


class Withheld:
    """An `emit` that keeps events to itself until `release`: an error before that is the first that is heard of the
    work, and whoever follows it can still be told as of something that never began."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._kept: list[Event] | None = []

    async def __call__(self, event: Event) -> None:
        if self._kept is not None:
            self._kept.append(event)
        else:
            await self._emit(event)

    async def release(self) -> None:
        kept, self._kept = self._kept, None
        for event in kept or ():
            await self._emit(event)
