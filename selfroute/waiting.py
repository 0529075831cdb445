"""Ends of waiting: a moment at which work is given up, work that must not be given up halfway, and work in a thread,
which ends only if it looks whether anybody still waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import copy_context
from typing import TypeVar

from selfroute.errors import DeadlineExceeded, SelfrouteError

T = TypeVar("T")

LONG_AT_ONCE = 16
"""Threads for what may take minutes, of one kind; each keeps a core busy, so more would only wait for each other."""


class GivenUp(Exception):
    """Nobody waits for this work any more."""


def never() -> bool:
    """Work that nobody gives up."""
    return False


def long_threads() -> ThreadPoolExecutor:
    """Threads for work that may take long: in the loop's own it would keep the ledger and the probes waiting."""
    return ThreadPoolExecutor(LONG_AT_ONCE, "selfroute-long")


@asynccontextmanager
async def until(setting: float | None, own: float | None) -> AsyncIterator[float | None]:
    """Ends what runs inside after the fewer seconds of those that the settings give a question and its own; gives the
    moment, by the loop's clock. Raises `DeadlineExceeded`."""
    seconds = min((one for one in (setting, own) if one is not None), default=None)
    if seconds is None:
        yield None
        return
    moment = asyncio.get_running_loop().time() + seconds
    try:
        async with asyncio.timeout_at(moment) as limit:
            yield moment
    except TimeoutError:
        if limit.expired():
            raise DeadlineExceeded(seconds, own=seconds != setting) from None
        raise


class Patience:
    """How long another is still waited for; it is held still while it is not they who keep us waiting."""

    def __init__(self, limit: asyncio.Timeout) -> None:
        self._limit = limit

    @contextmanager
    def resting(self) -> Iterator[None]:
        """What passes inside does not count."""
        end = self._limit.when()
        if end is None or self._limit.expired():
            yield
            return
        clock = asyncio.get_running_loop().time
        left = end - clock()
        self._limit.reschedule(None)
        try:
            yield
        finally:
            self._limit.reschedule(clock() + left)


@asynccontextmanager
async def patience(seconds: float) -> AsyncIterator[Patience]:
    """Ends what runs inside after so many seconds of waiting for another. Raises `TimeoutError`."""
    async with asyncio.timeout(seconds) as limit:
        yield Patience(limit)


async def to_its_end(writing: Awaitable[None]) -> None:
    """Awaits what must not be left half done: a cancellation meanwhile, even a second one, waits for its end."""
    task = asyncio.ensure_future(writing)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
        except Exception:  # told below, once it is known whether the question was cancelled
            break
    if cancelled is not None:
        with suppress(SelfrouteError):
            task.result()
        raise cancelled
    task.result()


async def in_thread(threads: ThreadPoolExecutor, work: Callable[[Callable[[], bool]], T]) -> T:
    """What `work` returns. Cancelled meanwhile, it says so by the callable that `work` is given, which then raises
    `GivenUp`, and waits for its end: who counts what runs must not take a thread for free that is not."""
    given_up = threading.Event()
    working = threads.submit(copy_context().run, work, given_up.is_set)
    ended = asyncio.wrap_future(working)
    cancelled: asyncio.CancelledError | None = None
    while not ended.done():
        try:
            await asyncio.wait({ended})
        except asyncio.CancelledError as error:
            cancelled = error
            given_up.set()
            working.cancel()  # what has not begun
    if cancelled is not None:
        if not ended.cancelled():
            ended.exception()  # seen, and of no interest any more
        raise cancelled
    return ended.result()
