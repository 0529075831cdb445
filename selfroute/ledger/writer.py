"""Writes of one ledger, committed by a thread of their own: the disk is waited for once by all that wait at once.

Knows nothing of what is written.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from sqlalchemy import Connection, Executable
from sqlalchemy.exc import OperationalError


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """A statement with its values; `done` when it is durable, with the error of this write if it has one."""

    statement: Executable
    values: Mapping[str, object]
    done: Future[None] = field(default_factory=Future)


class Writer:
    """Safe to use from several threads, and after a fork."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        """`transaction` is committed as it is left."""
        self._transaction = transaction
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._thread = ThreadPoolExecutor(1, "selfroute-ledger")
        self._committing, self._lock = threading.Lock(), threading.Lock()
        self._waiting: list[Write] = []

    def submit(self, write: Write) -> Future[None]:
        """Writes come to stand in the order in which they were submitted."""
        if self._process != os.getpid():  # whose thread and locks a fork does not bring along
            self._begin()
        write.done.set_running_or_notify_cancel()  # who gives up waiting does not undo it
        with self._lock:
            self._waiting.append(write)
        try:
            self._thread.submit(self._commit)
        except RuntimeError:  # no thread can be started, or the interpreter ends
            self._commit()
        return write.done

    def _commit(self) -> None:
        """All that waits; for some of what is submitted that is nothing any more."""
        with self._committing:
            with self._lock:
                together, self._waiting = self._waiting, []
            if not together:
                return
            try:
                self._execute(together)
            except Exception as error:
                if len(together) > 1 and not isinstance(error.__cause__ or error, OperationalError):
                    self._commit_each(together)
                    return
                for write in together:  # the file is busy or its disk is full: so it is for all of them
                    write.done.set_exception(error)
            else:
                for write in together:
                    write.done.set_result(None)

    def _commit_each(self, writes: Sequence[Write]) -> None:
        """Each for itself: something is wrong with one of them, maybe."""
        for write in writes:
            try:
                self._execute([write])
            except Exception as error:
                write.done.set_exception(error)
            else:
                write.done.set_result(None)

    def _execute(self, writes: Sequence[Write]) -> None:
        with self._transaction() as connection:
            for write in writes:
                connection.execute(write.statement, write.values)
