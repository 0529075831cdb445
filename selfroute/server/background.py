"""Our own API: jobs, and evaluations, which are jobs with a report."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from pydantic import Field, model_validator
from starlette.exceptions import HTTPException

from selfroute.errors import UnknownJob, UnknownPolicy
from selfroute.jobs import Evaluate, Job, Kind, Order, Progress, State
from selfroute.server.access import Asker, Caller
from selfroute.server.intake import Filled
from selfroute.server.parts import parts_of
from selfroute.server.problems import documented, named
from selfroute.server.schemas import Name, Sent
from selfroute.wire import to_json

router = APIRouter(prefix="/v1")

Token = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Sent again with the same key, a request is done once and answered alike. Kept for 30 days.",
    ),
]
REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox"
)
"""A report holds words of models and documents: it may show them, and do nothing."""


@dataclass(frozen=True, slots=True)
class JobFault:
    type: str
    title: str
    detail: str


@dataclass(frozen=True, slots=True)
class JobTold:
    """A job. `note` says what it waits for; `result` is there once it has ended, and lists what could not be read;
    `error` says why it failed. Times are ISO 8601, UTC."""

    id: str
    kind: Kind
    state: State
    corpus: str | None
    progress: Progress
    note: str | None
    result: Mapping[str, Any] | None
    error: JobFault | None
    created: str
    started: str | None
    ended: str | None


@dataclass(frozen=True, slots=True)
class JobsTold:
    """The newest first; `next` is the `before` of the next page, null on the last."""

    jobs: list[JobTold]
    next: str | None


@dataclass(frozen=True, slots=True)
class EvaluationsTold:
    """As jobs; `datasets` are those that can be named."""

    evaluations: list[JobTold]
    datasets: list[str]
    next: str | None


@dataclass(frozen=True, slots=True)
class EvaluationTold:
    """An evaluation as a job, and where its report is, once there is one."""

    job: JobTold
    report: str | None


class EvaluationSent(Sent):
    """Questions with known answers: datasets by name, or records that come with it, shaped as LongBench's."""

    datasets: list[Name] = Field(default=[], max_length=100)
    records: list[dict[str, Any]] = Field(
        default=[], max_length=100_000, description='As {"_id", "input", "context", "answers", "dataset"}.'
    )
    policies: list[str] = Field(default=["always_rag", "self_route", "always_long"], min_length=1, max_length=20)
    k: list[Annotated[int, Field(ge=1, le=1000)]] = Field(default=[], max_length=20)
    limit: int | None = Field(default=None, ge=1, description="The first so many questions of each dataset.")
    mode: Literal["strict", "fixed"] = Field(default="strict", description="How answers are scored.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.datasets and not self.records:
            raise ValueError("name datasets, or send records")
        return self


@router.get("/jobs", response_model=JobsTold, responses=documented(404))
async def jobs(
    request: Request,
    asker: Asker,
    kind: Kind | None = None,
    state: State | None = None,
    corpus: Name | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """The jobs that this caller submitted, the newest first; everybody's for a key that may audit."""
    found, next_ = await _listed(request, asker, kind, state, corpus, limit, before)
    return JSONResponse(to_json(JobsTold([tell(job) for job in found], next_)))


@router.get("/jobs/{id}", response_model=JobTold, responses=documented(404))
async def job(request: Request, id: str, asker: Asker) -> Response:  # noqa: A002 (the path's own name)
    """How far a job is, and what came of it."""
    return JSONResponse(to_json(tell(await seen(request, id, asker))))


@router.delete("/jobs/{id}", response_model=JobTold, responses=documented(404))
async def cancel(request: Request, id: str, asker: Asker) -> Response:  # noqa: A002
    """Cancels a job: at once while it is queued; one that runs ends soon, at a point where nothing is left half done.
    Nothing is undone: what it has stored already is shown with the corpus's next change."""
    found = await seen(request, id, asker)
    cancelled = await asyncio.to_thread(parts_of(request).intake.cancel, found.id)
    return JSONResponse(to_json(tell(cancelled)))


@router.post("/evaluations", status_code=202, response_model=JobTold, responses=documented(415))
async def evaluate(request: Request, sent: EvaluationSent, asker: Asker, token: Token = None) -> Response:
    """Asks questions by several policies and scores the answers, as a job. What one policy had the service's readers
    read is not read again for another. The limits of a key count each question that is read for as one of its own, and
    such a key's are asked one at a time: by its rate they wait for their turn, and where a daily budget is used up, the
    job fails with the rows that are done."""
    asker.require_write()
    parts = parts_of(request)
    for policy in sent.policies:
        if policy not in parts.policies:
            raise UnknownPolicy(policy, parts.policies)
    for name in sent.datasets:
        await asyncio.to_thread(parts.intake.benchmarks.require, name)

    async def fill(folder: Path) -> Filled:
        if sent.records:
            await asyncio.to_thread(_write_records, folder / RECORDS, sent.records)
        wanted = Evaluate(
            tuple(dict.fromkeys(sent.datasets)),
            RECORDS if sent.records else None,
            tuple(dict.fromkeys(sent.policies)),
            tuple(dict.fromkeys(sent.k)),
            sent.limit,
            sent.mode,
            limits=asker.limits,
            per_minute=asker.per_minute,
        )
        return Filled(Order(wanted, key=asker.key), fingerprint(sent.model_dump()))

    return accepted(*await parts.intake.submit(asker.key, token, fill))


@router.get("/evaluations", response_model=EvaluationsTold, responses=documented(404))
async def evaluations(
    request: Request,
    asker: Asker,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """The evaluations that this caller submitted, the newest first, and the datasets that there are."""
    found, next_ = await _listed(request, asker, Kind.EVALUATE, None, None, limit, before)
    names = await asyncio.to_thread(parts_of(request).intake.benchmarks.names)
    return JSONResponse(to_json(EvaluationsTold([tell(job) for job in found], names, next_)))


@router.get("/evaluations/{id}", response_model=EvaluationTold, responses=documented(404))
async def evaluation(request: Request, id: str, asker: Asker) -> Response:  # noqa: A002
    """An evaluation: its job, whose result holds the summary by dataset and policy."""
    found = await _evaluation(request, id, asker)
    there = await asyncio.to_thread(_report(request, found).is_file)
    told = EvaluationTold(tell(found), f"/v1/evaluations/{found.id}/report.html" if there else None)
    return JSONResponse(to_json(told))


@router.get(
    "/evaluations/{id}/report.html",
    response_class=FileResponse,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}, **documented(404)},
)
async def report(request: Request, id: str, asker: Asker) -> Response:  # noqa: A002
    """The report, as a page that stands alone and runs nothing."""
    path = _report(request, await _evaluation(request, id, asker))
    if not await asyncio.to_thread(path.is_file):
        raise HTTPException(404, "this evaluation has no report: its job says how far it is, or why it failed")
    headers = {
        "Content-Security-Policy": REPORT_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
    return FileResponse(path, media_type="text/html", headers=headers)


RECORDS = "records.jsonl"


def tell(job: Job) -> JobTold:
    """A job as its submitter sees it."""
    error = None if job.error is None else JobFault(**named(job.error.kind), detail=job.error.detail)
    same = {field.name: getattr(job, field.name) for field in fields(JobTold) if field.name != "error"}
    return JobTold(**same, error=error)


def accepted(job: Job, is_new: bool) -> Response:
    """202, with where to ask how far it is."""
    headers = {"Location": f"/v1/jobs/{job.id}"} | ({} if is_new else {"Idempotency-Replayed": "true"})
    return JSONResponse(to_json(tell(job)), 202, headers)


def fingerprint(sent: object) -> str:
    """A hash of what was sent: equal for equal requests."""
    return sha256(json.dumps(sent, sort_keys=True).encode()).hexdigest()


async def seen(request: Request, id: str, asker: Caller) -> Job:  # noqa: A002
    """Raises `UnknownJob`, also for another's."""
    found = await asyncio.to_thread(parts_of(request).intake.jobs.get, id)
    if not asker.sees(found.key):
        raise UnknownJob(id)
    return found


async def _evaluation(request: Request, id: str, asker: Caller) -> Job:  # noqa: A002
    found = await seen(request, id, asker)
    if found.kind is not Kind.EVALUATE:
        raise UnknownJob(id)
    return found


def _report(request: Request, job: Job) -> Path:
    return parts_of(request).intake.runs / job.id / "report.html"


async def _listed(
    request: Request,
    asker: Caller,
    kind: Kind | None,
    state: State | None,
    corpus: str | None,
    limit: int,
    before: str | None,
) -> tuple[list[Job], str | None]:
    """A page of jobs, and the `before` of the next one, if there is one."""
    if before is not None:
        await seen(request, before, asker)
    store = parts_of(request).intake.jobs
    found = await asyncio.to_thread(store.listed, asker.sees_only, kind, state, corpus, limit + 1, before)
    page = found[:limit]
    return page, page[-1].id if len(found) > limit else None


def _write_records(path: Path, records: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", errors="surrogatepass") as file:
        for record in records:
            file.write(json.dumps(record) + "\n")
