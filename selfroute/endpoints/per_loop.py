"""One of a thing for each event loop: started when it is first wanted, closed as its loop ends.

For what takes long to start and can only be used from the loop that did. Knows nothing of what it keeps.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class _Kept(Generic[T]):
    """`ready` ends when `value` is there. `held` closes it."""

    def __init__(self) -> None:
        self.value: T | None = None
        self.ready: asyncio.Task[None]
        self.held: AsyncGenerator[None]


class PerLoop(Generic[T]):
    """`works` tells whether a thing can still be used: one that cannot is closed, and another started in its place.
    `again` tells whether a start that failed is tried again by the next who asks, for what is quick to start."""

    def __init__(
        self,
        start: Callable[[], Awaitable[T]],
        works: Callable[[T], bool],
        close: Callable[[T], Awaitable[None]],
        again: bool = False,
    ) -> None:
        self._start = start
        self._works = works
        self._close = close
        self._again = again
        self._kept: dict[asyncio.AbstractEventLoop, _Kept[T]] = {}

    async def get(self) -> T:
        """This loop's. Raises what the start raises: to all who wait for it and, unless it is tried `again`, to all
        who ask later in this loop.

        Who is cancelled while it starts leaves it to the others.
        """
        loop = asyncio.get_running_loop()
        kept = self._kept.get(loop)
        if kept is None or self._is_over(kept):
            self._kept = {one: of for one, of in self._kept.items() if not one.is_closed()}
            old, kept = kept, _Kept()
            kept.held = self._hold(kept)
            kept.ready = loop.create_task(_opened(kept.held, old))
            self._kept[loop] = kept
        await asyncio.shield(kept.ready)
        assert kept.value is not None
        return kept.value

    def _is_over(self, kept: _Kept[T]) -> bool:
        if kept.value is not None:
            return not self._works(kept.value)
        ended = self._again and kept.ready.done()
        return ended and (kept.ready.cancelled() or kept.ready.exception() is not None)

    async def _hold(self, kept: _Kept[T]) -> AsyncGenerator[None]:
        """A generator, because `asyncio.run` closes those that are open before it closes its loop."""
        value = kept.value = await self._start()
        try:
            yield
        finally:
            kept.value = None
            await self._close(value)


async def _opened(held: AsyncGenerator[None], old: _Kept[T] | None) -> None:
    if old is not None:
        await old.held.aclose()
    await anext(held)
