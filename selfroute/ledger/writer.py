"""Writes of one ledger, committed by a thread of their own: the disk is waited for once by all that wait at once.

Knows nothing of what is written.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from sqlalchemy import Connection, Executable


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """A statement with its values; `done` when it is durable, with the error of this write if it has one."""

    statement: Executable
    values: Mapping[str, object]
    done: Future[None] = field(default_factory=Future)


class Writer:
    """Safe to use from several threads."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]]) -> None:
        """`transaction` is committed as it is left."""
        self._transaction = transaction
        self._thread = ThreadPoolExecutor(1, "selfroute-ledger")
        self._lock = threading.Lock()
        self._waiting: list[Write] = []

    def submit(self, write: Write) -> Future[None]:
        """Writes come to stand in the order in which they were submitted."""
        write.done.set_running_or_notify_cancel()  # who gives up waiting does not undo it
        with self._lock:
            self._waiting.append(write)
            if len(self._waiting) == 1:
                self._thread.submit(self._commit)
        return write.done

    def _commit(self) -> None:
        with self._lock:
            together, self._waiting = self._waiting, []
        try:
            self._execute(together)
        except Exception:  # of one of them, maybe: then each for itself
            for write in together:
                try:
                    self._execute([write])
                except Exception as error:
                    write.done.set_exception(error)
                else:
                    write.done.set_result(None)
        else:
            for write in together:
                write.done.set_result(None)

    def _execute(self, writes: Sequence[Write]) -> None:
        with self._transaction() as connection:
            for write in writes:
                connection.execute(write.statement, write.values)
