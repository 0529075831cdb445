"""Two ends of waiting: a moment at which work is given up, and work that must not be given up halfway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress

from selfroute.errors import DeadlineExceeded, SelfrouteError


@asynccontextmanager
async def until(seconds: float | None) -> AsyncIterator[float | None]:
    """Ends what runs inside after so many seconds; gives the moment, by the loop's clock. Raises `DeadlineExceeded`."""
    if seconds is None:
        yield None
        return
    moment = asyncio.get_running_loop().time() + seconds
    try:
        async with asyncio.timeout_at(moment) as limit:
            yield moment
    except TimeoutError:
        if limit.expired():
            raise DeadlineExceeded(seconds) from None
        raise


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
