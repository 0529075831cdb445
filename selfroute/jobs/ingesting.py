"""Ingestion as a job: the files of its spool into its corpus; done only when they can be found there.

Knows nothing of how files came or of who waits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from selfroute.changes import Failure, Warned
from selfroute.indexer import Indexer
from selfroute.jobs import Ended, Fault, Ingest, Job, Report
from selfroute.jobs.spool import Spool
from selfroute.wire import to_json


@dataclass(frozen=True, slots=True)
class Ingested:
    """What an ingestion did; after a restart, what was stored before it counts as unchanged. `failed` names what could
    not be read, and why; `warnings` what of the others could not. `documents` and `total_chunks` are what the corpus
    holds now; `chunks` and `tokens` (the embedder's) what was embedded."""

    added: int
    updated: int
    unchanged: int
    failed: tuple[Failure, ...]
    warnings: tuple[Warned, ...]
    chunks: int
    tokens: int
    seconds: float
    documents: int
    total_chunks: int


class Ingesting:
    """`indexer` is made when the first job comes: it loads a model."""

    def __init__(self, indexer: Callable[[], Indexer], spool: Spool) -> None:
        self._indexer = indexer
        self._spool = spool

    def __call__(self, job: Job, report: Report) -> Ended:
        request = job.request
        assert isinstance(request, Ingest)
        assert job.corpus is not None
        folder = self._spool.of(job.id)
        files = [(folder / one.file, one.id, one.source) for one in request.files]
        indexer = self._indexer()
        made, documents = indexer.add(files, job.corpus, lambda done, total: report(done, total, "bytes"))
        result = to_json(
            Ingested(
                added=made.added,
                updated=made.updated,
                unchanged=made.unchanged,
                failed=tuple(made.failed),
                warnings=tuple(made.warnings),
                chunks=made.chunks,
                tokens=made.tokens,
                seconds=round(made.seconds, 3),
                documents=made.total_documents,
                total_chunks=made.total_chunks,
            )
        )
        assert isinstance(result, dict)
        if not documents:
            said = f"none of {len(files)} files could be read" if len(files) > 1 else "the file could not be read"
            reason = made.failed[0].reason if made.failed else "it holds no document"
            return Ended(result, Fault("UnreadableFile", f"{said}: {reason}"))
        lost = indexer.findable(job.corpus, documents)
        if lost:
            what = f"{len(lost)} documents cannot be found, {lost[0]!r} first"
            return Ended(result, Fault("NotFindable", f"{what}: another process changed the corpus; upload them again"))
        return Ended(result)
