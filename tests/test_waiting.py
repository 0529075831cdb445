"""Work in a thread that is given up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from selfroute.waiting import GivenUp, in_thread


def test_work_that_is_given_up_is_waited_for_also_when_it_is_cancelled_twice() -> None:
    begun, told, may_end = threading.Event(), threading.Event(), threading.Event()

    def work(given_up: Callable[[], bool]) -> None:
        begun.set()
        while not given_up():
            told.wait(0.01)
        told.set()
        assert may_end.wait(30)
        raise GivenUp

    async def cancelled() -> None:
        with ThreadPoolExecutor(1) as threads:
            waiting = asyncio.create_task(in_thread(threads, work))
            await asyncio.to_thread(begun.wait, 30)
            waiting.cancel()
            await asyncio.to_thread(told.wait, 30)
            waiting.cancel()
            await asyncio.sleep(0)  # it has seen both by now
            assert not waiting.done()
            may_end.set()
            with pytest.raises(asyncio.CancelledError):
                await waiting

    asyncio.run(cancelled())


def test_work_that_has_not_begun_when_it_is_given_up_never_does() -> None:
    may_end, begun = threading.Event(), []

    async def cancelled() -> None:
        with ThreadPoolExecutor(1) as threads:
            first = asyncio.create_task(in_thread(threads, lambda _: may_end.wait(30)))
            second = asyncio.create_task(in_thread(threads, lambda _: begun.append(1)))
            await asyncio.sleep(0)  # both are handed over
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
            assert not may_end.is_set()
            may_end.set()
            assert await first

    asyncio.run(cancelled())
    assert begun == []


def test_work_that_fails_says_so() -> None:
    async def failing() -> None:
        with ThreadPoolExecutor(1) as threads:
            await in_thread(threads, lambda _: {}["none"])

    with pytest.raises(KeyError):
        asyncio.run(failing())
