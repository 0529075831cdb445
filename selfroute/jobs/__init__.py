"""Durable background work: what was accepted is done, whatever happens to the process in between.

    .jobs/jobs.sqlite      every job, its progress and its result
    .jobs/spool/ID/        the files that came with a job, until it has ended
    .jobs/evaluations/ID/  the run of an evaluation, which stays

These are the nouns; knows nothing of HTTP, of how a job is kept or of what does it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

from selfroute.types import Limits

FOLDER = ".jobs"
"""Below home. No corpus is called so."""


class Kind(StrEnum):
    INGEST = "ingest"
    EVALUATE = "evaluate"


class State(StrEnum):
    """`queued` and `running` jobs go on after a restart; the others have ended."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Spooled:
    """A file that came with a job: its name in the spool, and the id and source of what is in it."""

    file: str
    id: str
    source: str


@dataclass(frozen=True, slots=True)
class Ingest:
    """Put these files into the corpus of the job."""

    files: tuple[Spooled, ...]


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Ask the questions of `datasets`, by name, or those in the file `records` of the spool, within the `limits` and
    the rate `per_minute` that the key had as it submitted the job: a key cannot be changed, and what a revoked one was
    asking is finished."""

    datasets: tuple[str, ...]
    records: str | None
    policies: tuple[str, ...]
    ks: tuple[int, ...]
    limit: int | None
    mode: Literal["strict", "fixed"]
    concurrency: int = 4
    limits: Limits = field(default_factory=Limits)
    per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted, and the id of the API key that wants it, if one does."""

    request: Ingest | Evaluate
    corpus: str | None = None
    key: str | None = None

    @property
    def kind(self) -> Kind:
        return Kind.INGEST if isinstance(self.request, Ingest) else Kind.EVALUATE


@dataclass(frozen=True, slots=True)
class Once:
    """What a client calls a write, so that sending it again does it once; `fingerprint` is a hash of what it sent."""

    token: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` `unit`s; 0 of 0 until that is known."""

    done: int = 0
    total: int = 0
    unit: str = "bytes"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a job failed: the name of the error's class, and its message."""

    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Job:
    """`note` says what it waits for. `result` is there once it is done, and where it failed in part. Times are ISO
    8601, UTC; `started` is that of its last start."""

    id: str
    kind: Kind
    state: State
    corpus: str | None
    progress: Progress
    note: str | None
    result: Mapping[str, object] | None
    error: Fault | None
    created: str
    started: str | None
    ended: str | None
    key: str | None
    request: Ingest | Evaluate

    @property
    def has_ended(self) -> bool:
        return self.state not in (State.QUEUED, State.RUNNING)


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of the work; with `error` it failed all the same."""

    result: Mapping[str, object]
    error: Fault | None = None


class Stopped(Exception):
    """Unwinds a job at a point where nothing is left half done: it was cancelled, or goes on after a restart."""


class Report(Protocol):
    """What work tells of itself, often."""

    def __call__(self, done: int, total: int, unit: str) -> None:
        """Raises `Stopped` when it is to end."""
        ...

    def is_stopped(self) -> bool:
        """Whether it is to end, for work that must not be unwound where it reports."""
        ...


class Work(Protocol):
    """Does jobs of one kind. Doing one again that was interrupted must go on with it, or do no harm."""

    def __call__(self, job: Job, report: Report) -> Ended:
        """Blocking. Raises `Stopped` once the report says so, and `IndexBusy` to be called again later."""
        ...
