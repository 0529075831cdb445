"""Stages of work that overlap in threads, each a bounded distance ahead of or behind the next.

What waits between two stages is bounded by its weight, whatever the length of the whole. Knows nothing of what is
worked on.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")
PATIENCE = 5.0
"""Seconds that a stage which is no longer wanted has to end its piece of work; then it is left alone."""


@contextmanager
def ahead(items: Iterable[T], weigh: Callable[[T], int], most: int) -> Iterator[Iterator[T]]:
    """The items, made in a thread of their own; it waits while items of `most` or more weight are not yet taken.

    What making them raises is raised where they are taken.
    """
    channel: _Channel[T] = _Channel(weigh, most)

    def make() -> None:
        try:
            for item in items:
                if not channel.give(item):
                    return
            channel.close()
        except BaseException as error:
            channel.close(error)

    thread = threading.Thread(target=make, name="ahead", daemon=True)
    thread.start()
    try:
        yield channel.taken()
    finally:
        channel.stop()
        thread.join(PATIENCE)


@contextmanager
def behind(work: Callable[[T], None], weigh: Callable[[T], int], most: int) -> Iterator[Callable[[T], None]]:
    """Gives a function that has `work` done in a thread of its own, in order; it waits while `most` or more weight
    is not yet done. On leaving, all is done.

    What `work` raises is raised by the next call or on leaving. If the caller fails, what is not begun is left out.
    """
    channel: _Channel[T] = _Channel(weigh, most)
    failed: list[BaseException] = []

    def do() -> None:
        try:
            for item in channel.taken():
                work(item)
                del item  # it may be large, and the next may be long in coming
        except BaseException as error:
            failed.append(error)
            channel.stop()

    def hand_over(item: T) -> None:
        if not channel.give(item):
            raise failed[0]

    thread = threading.Thread(target=do, name="behind")
    thread.start()
    try:
        yield hand_over
        channel.close()
    finally:
        if not channel.closed:
            channel.stop()
        thread.join()
    if failed:
        raise failed[0]


class _Channel(Generic[T]):
    """Items on their way from one thread to another."""

    def __init__(self, weigh: Callable[[T], int], most: int) -> None:
        self._weigh = weigh
        self._most = most
        self._items: deque[T] = deque()
        self._weight = 0
        self._changed = threading.Condition()
        self._stopped = False
        self._error: BaseException | None = None
        self.closed = False

    def give(self, item: T) -> bool:
        """Waits for room. False if nobody takes any more."""
        weight = self._weigh(item)
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._weight < self._most)
            if self._stopped:
                return False
            self._items.append(item)
            self._weight += weight
            self._changed.notify_all()
            return True

    def taken(self) -> Iterator[T]:
        """Items until it is closed. An item weighs until the next one is asked for."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or self.closed or self._items)
                if self._stopped:
                    return
                if not self._items:
                    if self._error is not None:
                        raise self._error
                    return
                item = self._items.popleft()
            weight = self._weigh(item)
            yield item
            del item
            with self._changed:
                self._weight -= weight
                self._changed.notify_all()

    def close(self, error: BaseException | None = None) -> None:
        """Nothing more will be given."""
        with self._changed:
            self._error, self.closed = error, True
            self._changed.notify_all()

    def stop(self) -> None:
        """Nothing more will be taken."""
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._changed.notify_all()
