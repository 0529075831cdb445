"""Where what becomes a job is taken in: received into the spool, made durable, and only then acknowledged.

Knows nothing of wire formats or of what jobs do.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from selfroute.errors import ReceivingMost
from selfroute.jobs import Job, Once, Order, State
from selfroute.jobs.spool import Spool
from selfroute.jobs.store import Jobs
from selfroute.jobs.worker import Worker

RECEIVING = 16
"""Uploads that are received at once; each may take as much disk as one may be large. One key may have half of them."""


class Benchmarks(Protocol):
    """The datasets that an evaluation may name."""

    def names(self) -> list[str]: ...

    def require(self, name: str) -> None:
        """Raises `UnknownDataset`."""
        ...


@dataclass(frozen=True, slots=True)
class Filled:
    """What was received: the job that it is, and a hash of what was sent."""

    order: Order
    fingerprint: str


Fill = Callable[[Path], Awaitable[Filled]]
"""Writes what comes with a job into its folder."""


class Intake:
    """`queue` jobs may wait at most. `runs` is the folder of evaluations, each named as its job."""

    def __init__(
        self,
        jobs: Jobs,
        spool: Spool,
        worker: Worker,
        benchmarks: Benchmarks,
        runs: Path,
        queue: int,
        receiving: int = RECEIVING,
    ) -> None:
        self.jobs = jobs
        self.benchmarks = benchmarks
        self.runs = runs
        self._spool = spool
        self._worker = worker
        self._queue = queue
        self._most_receiving = receiving
        self._receiving: Counter[str | None] = Counter()

    @asynccontextmanager
    async def working(self, drain: float) -> AsyncIterator[None]:
        """Jobs are done meanwhile; on leaving, those that run have `drain` seconds to come to a point from which they
        can go on."""
        self._worker.start()
        try:
            yield
        finally:
            await asyncio.to_thread(self._worker.stop, drain)

    async def submit(self, key: str | None, token: str | None, fill: Fill) -> tuple[Job, bool]:
        """(the job, whether it is new): what came with the same token before is not taken twice.

        Raises `QueueFull`, `KeyReused`, `ReceivingMost`, `HomeNotWritable` and what `fill` raises: nothing is left.
        """
        self._require_place(key)
        self._receiving[key] += 1
        try:
            if token is None or not await asyncio.to_thread(self.jobs.known, key, token):
                await asyncio.to_thread(self.jobs.require_room, self._queue)
            id_ = uuid4().hex
            with self._spool.receiving(id_) as folder:
                filled = await fill(folder)
                job, is_new = await asyncio.to_thread(self._accepted, id_, filled, token)
        finally:
            self._receiving[key] -= 1
            self._receiving += Counter()  # forgets who has none
        if is_new:
            self._worker.wake()
        else:
            await asyncio.to_thread(self._spool.remove, id_)
        return job, is_new

    def _require_place(self, key: str | None) -> None:
        if self._receiving.total() >= self._most_receiving:
            raise ReceivingMost(self._most_receiving)
        share = max(1, self._most_receiving // 2)
        if key is not None and self._receiving[key] >= share:
            raise ReceivingMost(share, " of this key")

    def cancel(self, id: str) -> Job:  # noqa: A002 (the job's own)
        """Blocking. As `Jobs.cancel`; the files of one that had not begun go with it."""
        job = self.jobs.cancel(id)
        if job.state is State.CANCELLED:
            self._spool.remove(id)
        return job

    def drop(self, corpus: str) -> None:
        """Blocking. As `Jobs.drop`."""
        for id_ in self.jobs.drop(corpus):
            self._spool.remove(id_)

    def _accepted(self, id: str, filled: Filled, token: str | None) -> tuple[Job, bool]:  # noqa: A002
        self._spool.sync(id)
        once = None if token is None else Once(token, filled.fingerprint)
        return self.jobs.submit(id, filled.order, self._queue, once)
