"""Does jobs, each in a thread of its own: one at a time for each corpus, the oldest first.

Of several processes on one home one works, and another takes over when it ends. A job that finds its corpus held by
another process is tried again until patience ends. Knows nothing of what jobs do.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping

from selfroute.errors import CorruptJobs, HomeNotWritable, IndexBusy, RunBusy, SelfrouteError
from selfroute.index.files import only_writer
from selfroute.jobs import Ended, Fault, Job, Kind, Progress, Report, State, Stopped, Work
from selfroute.jobs.spool import Spool
from selfroute.jobs.store import Jobs

log = logging.getLogger(__name__)

PATIENCE = 600.0
"""Seconds that a job waits for a corpus which another process writes."""
POLL = 1.0
"""Seconds between looks at what other processes did: jobs they took in, corpora they let go of."""
TOLD = 0.25
"""Seconds between writing down how far a job is."""
AT_ONCE: Mapping[Kind, int] = {Kind.INGEST: 2, Kind.EVALUATE: 1}


class Worker:
    def __init__(
        self, jobs: Jobs, spool: Spool, works: Mapping[Kind, Work], *, patience: float = PATIENCE, poll: float = POLL
    ) -> None:
        self._jobs = jobs
        self._spool = spool
        self._works = works
        self._patience = patience
        self._poll = poll
        self._stopping = threading.Event()
        self._woken = threading.Condition()
        self._news = False
        self._running: dict[threading.Thread, Job] = {}
        self._again: dict[str, float] = {}
        """Corpora that another process holds, and when to try again."""
        self._since: dict[str, float] = {}
        """Jobs that wait for it, and since when."""
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._stopping.clear()
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Begins nothing more. What runs is ended at the next point where nothing is left half done, and goes on with
        the next start; so does what has not come to such a point in so many seconds."""
        self._stopping.set()
        self.wake()
        until = time.monotonic() + seconds
        if self._thread is not None:
            self._thread.join(max(until - time.monotonic(), 0))
        for thread in list(self._running):  # begun, now that nothing begins any more
            thread.join(max(until - time.monotonic(), 0))

    def wake(self) -> None:
        """There is something new to do."""
        with self._woken:
            self._news = True
            self._woken.notify_all()

    def _work(self) -> None:
        told = False
        while not self._stopping.is_set():
            try:
                if self._jobs.exist():
                    with only_writer(self._jobs.folder):
                        told = False
                        self._serve()
            except IndexBusy:
                pass  # another process works: it may end
            except (HomeNotWritable, CorruptJobs) as error:
                if not told:
                    log.warning("jobs wait: %s", error)
                told = True
            except Exception:
                log.exception("the worker failed, and goes on")
            self._wait()

    def _serve(self) -> None:
        """While this process is the one that works."""
        self._jobs.recover()
        self._spool.sweep(self._jobs.waiting)
        try:
            while not self._stopping.is_set():
                job = self._next()
                if job is None:
                    self._wait()
                    continue
                thread = threading.Thread(target=self._do, args=(job,), name=f"job {job.id}", daemon=True)
                with self._woken:
                    self._running[thread] = job
                thread.start()
        finally:
            for thread in list(self._running):
                thread.join()

    def _wait(self) -> None:
        with self._woken:
            self._woken.wait_for(lambda: self._news, self._poll)
            self._news = False

    def _next(self) -> Job | None:
        with self._woken:
            running = list(self._running.values())
        free = [kind for kind in self._works if sum(job.kind is kind for job in running) < AT_ONCE[kind]]
        now = time.monotonic()
        held = {corpus for corpus, at in self._again.items() if at > now}
        busy = {job.corpus for job in running if job.corpus is not None} | held
        return self._jobs.next(free, busy) if free else None

    def _do(self, job: Job) -> None:
        try:
            self._ended(job, *self._outcome(job))
        except Exception:  # it stays as running, and is done again with the next start
            log.exception("what came of job %s could not be written down", job.id)
        finally:
            with self._woken:
                del self._running[threading.current_thread()]
            self.wake()

    def _outcome(self, job: Job) -> tuple[State, Ended | None, str | None]:
        """(its state, what came of it, what it waits for)"""
        try:
            ended = self._works[job.kind](job, _Told(self._jobs, job, self._stopping))
        except Stopped:
            return (State.QUEUED if self._stopping.is_set() else State.CANCELLED), None, None
        except (IndexBusy, RunBusy) as error:
            if time.monotonic() - self._since.setdefault(job.id, time.monotonic()) < self._patience:
                self._again[str(job.corpus)] = time.monotonic() + self._poll
                return State.QUEUED, None, error.outward
            return State.FAILED, _fault(job, error), None
        except SelfrouteError as error:
            return State.FAILED, _fault(job, error), None
        except Exception:
            log.exception("job %s failed", job.id)
            return State.FAILED, Ended({}, Fault("Internal", "the service failed: its log says why")), None
        return (State.DONE if ended.error is None else State.FAILED), ended, None

    def _ended(self, job: Job, state: State, ended: Ended | None, note: str | None) -> None:
        while True:
            try:
                if state is State.QUEUED:
                    self._jobs.put_back(job.id, note)
                else:
                    self._jobs.end(job.id, state, ended)
                break
            except HomeNotWritable as error:
                log.warning("what came of job %s is not yet written down: %s", job.id, error)
                if self._stopping.wait(self._poll):
                    return
        if state is not State.QUEUED or self._jobs.get(job.id).has_ended:
            self._since.pop(job.id, None)
            self._spool.remove(job.id)


def _fault(job: Job, error: SelfrouteError) -> Ended:
    """Whoever submitted it is told of no folder of this machine; its operator is, in the log."""
    if error.outward != str(error):
        log.error("job %s failed: %s", job.id, error)
    return Ended({}, Fault(type(error).__name__, error.outward))


class _Told(Report):
    """Writes down how far a job is, now and then, and tells it when it is to end."""

    def __init__(self, jobs: Jobs, job: Job, stopping: threading.Event) -> None:
        self._jobs = jobs
        self._id = job.id
        self._stopping = stopping
        self._next = 0.0
        self._looked = 0.0
        self._cancelled = False

    def __call__(self, done: int, total: int, unit: str) -> None:
        now = time.monotonic()
        if now >= self._next or done == total:
            self._next = now + TOLD
            self._jobs.progress(self._id, Progress(done, total, unit))
        if self.is_stopped():
            raise Stopped

    def is_stopped(self) -> bool:
        now = time.monotonic()
        if now >= self._looked:
            self._looked = now + TOLD
            self._cancelled = self._cancelled or self._jobs.is_cancelled(self._id)
        return self._cancelled or self._stopping.is_set()
