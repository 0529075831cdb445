"""Our own API: corpora and their documents. What changes documents is a job; the rest is done at once."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from starlette.exceptions import HTTPException

from selfroute.errors import BadInput, TooLarge, UnknownCorpus, UnusableIndex, UnusableUpload
from selfroute.index.names import folder_of
from selfroute.index.upkeep import DocumentInfo, Listed, Stats
from selfroute.ingest.loaders import DOTS, has_dots
from selfroute.jobs import Ingest, Once, Order, Spooled
from selfroute.server.access import Asker, Caller
from selfroute.server.background import JobTold, Token, accepted, fingerprint
from selfroute.server.intake import Fill, Filled
from selfroute.server.parts import Parts, parts_of
from selfroute.server.problems import documented, outward
from selfroute.server.schemas import Name, Sent
from selfroute.server.uploads import receive, unseen, write
from selfroute.wire import to_json

_CREATING = threading.Lock()
"""One corpus at a time: whether its request was made before must not change while it is carried out."""

router = APIRouter(prefix="/v1/corpora")

SOURCE = "upload:"
"""What a document that was uploaded is said to come from, with the file's name behind."""
MOST_ID = 1024


@dataclass(frozen=True, slots=True)
class CorporaTold:
    corpora: list[Listed]


@dataclass(frozen=True, slots=True)
class CorpusTold:
    """A corpus with its sizes. `problem` says why it cannot be opened; then there are no `stats`."""

    name: str
    documents: int
    chunks: int
    tokens: int
    problem: str | None
    embedder: str | None
    stats: Stats | None


@dataclass(frozen=True, slots=True)
class DocumentsTold:
    """Documents by id, without their text; `total` is how many the corpus has, and `next` the `after` of the next page,
    null on the last."""

    documents: list[DocumentInfo]
    total: int
    next: str | None


@dataclass(frozen=True, slots=True)
class Span:
    """A chunk's place: characters `start:end` of the document; `tokens` are the embedder's."""

    start: int
    end: int
    tokens: int


@dataclass(frozen=True, slots=True)
class DocumentTold:
    """A document: `text` are its characters `start:end` of `characters`, `chunks` those that lie in or reach into
    them. `pages` is where in the whole text each page begins, if it has pages; `warnings` name what of the file could
    not be read, and `readable` is the share that could."""

    id: str
    source: str
    hash: str
    tokens: int
    characters: int
    start: int
    end: int
    text: str
    pages: tuple[int, ...]
    warnings: tuple[str, ...]
    readable: float
    chunks: list[Span]


class CorpusSent(Sent):
    name: Name


class DocumentSent(Sent):
    id: str = Field(
        min_length=1,
        max_length=MOST_ID,
        description="Names it in its corpus; may hold slashes, but no . or .. between them.",
    )
    text: str = Field(min_length=1)
    source: str | None = Field(default=None, min_length=1, max_length=MOST_ID, description="Where it comes from.")

    @field_validator("id", "source")
    @classmethod
    def _can_be_seen(cls, value: str | None) -> str | None:
        if value is not None and (found := unseen(value)) is not None:
            raise ValueError(f"holds {found}, which cannot be seen: leave it out")
        return value

    @field_validator("id")
    @classmethod
    def _can_be_reached(cls, value: str) -> str:
        if has_dots(value):
            raise ValueError(f"cannot be {value!r}: {DOTS}")
        return value


class DocumentsSent(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    documents: list[DocumentSent] = Field(min_length=1)


UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "documents": {"type": "array", "minItems": 1, "items": DocumentSent.model_json_schema()}
                    },
                    "required": ["documents"],
                    "additionalProperties": False,
                }
            },
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}},
                    "required": ["files"],
                }
            },
        },
    }
}


@router.get("", response_model=CorporaTold, responses=documented())
async def corpora(request: Request, asker: Asker) -> Response:
    """The corpora that this caller may ask."""
    held = parts_of(request).corpora
    names = asker.among(await asyncio.to_thread(held.names))
    found = await asyncio.to_thread(lambda: [held.look(name, outward) for name in names])
    return JSONResponse(to_json(CorporaTold(found)))


@router.post("", status_code=201, response_model=CorpusTold, responses=documented(404, 409, 415))
async def create(request: Request, sent: CorpusSent, asker: Asker, token: Token = None) -> Response:
    """Makes an empty corpus. Uploading documents makes one too."""
    asker.require_write(sent.name)
    parts = parts_of(request)
    await asyncio.to_thread(_create, parts, sent.name, asker.key, token)
    told = await asyncio.to_thread(_told_of_made, parts, sent.name)
    return JSONResponse(to_json(told), 201, {"Location": f"/v1/corpora/{sent.name}"})


@router.get("/{name}", response_model=CorpusTold, responses=documented(404))
async def corpus(request: Request, name: str, asker: Asker) -> Response:
    """A corpus with its sizes, or with what is wrong with it."""
    asker.require(name)
    return JSONResponse(to_json(await asyncio.to_thread(_told, parts_of(request), name)))


@router.delete("/{name}", status_code=204, responses=documented(404, 409))
async def delete(request: Request, name: str, asker: Asker) -> Response:
    """Deletes a corpus with all its documents, at once; jobs that wait for it are cancelled."""
    asker.require_write(name)
    parts = parts_of(request)
    await asyncio.to_thread(parts.corpora.delete, name)
    await asyncio.to_thread(parts.intake.drop, name)
    return Response(status_code=204)


@router.get("/{name}/documents", response_model=DocumentsTold, responses=documented(404))
async def documents(
    request: Request,
    name: str,
    asker: Asker,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[str | None, Query(max_length=MOST_ID, description="The last id of the page before.")] = None,
) -> Response:
    """The documents of a corpus by id, without their text."""
    asker.require(name)
    found = await asyncio.to_thread(parts_of(request).corpora.documents, name)
    rest = [info for info in sorted(found, key=lambda info: info.id) if after is None or info.id > after]
    shown = [replace(info, source=_source(info.source, asker)) for info in rest[:limit]]
    return JSONResponse(
        to_json(DocumentsTold(shown, len(found), shown[-1].id if len(rest) > limit else None)),
    )


@router.post(
    "/{name}/documents",
    status_code=202,
    response_model=JobTold,
    responses=documented(400, 404, 408, 409, 415),
    openapi_extra=UPLOAD,
)
async def add(request: Request, name: str, asker: Asker, token: Token = None) -> Response:
    """Adds documents to a corpus, or updates those of the same id, as a job: texts as JSON, or files (txt, md, jsonl,
    pdf, docx, xlsx, pptx, html, epub, csv and more) as a multipart form, whose ids are their names. The corpus is made
    if it is new."""
    asker.require_write(name)
    parts = parts_of(request)
    folder_of(Path(), name)  # raises `InvalidName`
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        fill = _files(request, parts, name, asker.key)
    elif kind == "application/json":
        fill = _texts(await asyncio.to_thread(_read, await request.body()), parts.upload_files, name, asker.key)
    else:
        raise HTTPException(415, "send documents as application/json, or files as multipart/form-data")
    return accepted(*await parts.intake.submit(asker.key, token, fill))


@router.get("/{name}/documents/{id:path}", response_model=DocumentTold, responses=documented(404))
async def document(
    request: Request,
    name: str,
    id: str,  # noqa: A002 (the path's own name)
    asker: Asker,
    start: Annotated[int, Query(alias="from", ge=0, description="The first character.")] = 0,
    end: Annotated[int | None, Query(alias="to", ge=0, description="The character after the last.")] = None,
) -> Response:
    """A document's text, or characters `from`:`to` of it, with its pages and where its chunks lie."""
    asker.require(name)
    if end is not None and end < start:
        raise BadInput(f"from is {start} and to is {end}: to must not be below from")
    found = await asyncio.to_thread(parts_of(request).corpora.document, name, id)
    text = found.document.text
    start, end = min(start, len(text)), min(len(text) if end is None else end, len(text))
    told = DocumentTold(
        id=found.info.id,
        source=_source(found.info.source, asker),
        hash=found.info.hash,
        tokens=found.info.tokens,
        characters=len(text),
        start=start,
        end=end,
        text=text[start:end],
        pages=found.document.pages,
        warnings=found.info.warnings,
        readable=found.info.readable,
        chunks=[Span(c.start, c.end, c.tokens) for c in found.chunks if c.start < end and c.end > start],
    )
    return JSONResponse(to_json(told))


@router.delete("/{name}/documents/{id:path}", status_code=204, responses=documented(404, 409))
async def remove(request: Request, name: str, id: str, asker: Asker) -> Response:  # noqa: A002
    """Deletes a document at once: the next question does not find it. Its text leaves the disk with the change after
    this one."""
    asker.require_write(name)
    await asyncio.to_thread(parts_of(request).corpora.delete_documents, name, [id])
    return Response(status_code=204)


def _source(source: str, asker: Caller) -> str:
    """Where a document comes from: of a file of this machine only what it is called, for who may not see all."""
    return source if asker.sees_only is None or source.startswith(SOURCE) else Path(source).name


def _create(parts: Parts, name: str, key: str | None, token: str | None) -> None:
    """With a token that made this corpus before nothing is done, whatever became of the corpus."""
    folder_of(Path(), name)
    jobs, once = parts.intake.jobs, Once(token, fingerprint(["corpus", name])) if token else None
    with _CREATING:
        if once and jobs.remembers(key, once):
            return
        parts.create(name)
        # Only now, for a request that failed must not be answered as one that was done. Where the process ends in
        # between, or another process has the same request, that one is answered with 409: the corpus is there.
        if once:
            jobs.remember(key, once)


def _told(parts: Parts, name: str) -> CorpusTold:
    listed = parts.corpora.look(name, outward)
    stats, problem = None, listed.problem
    if problem is None:
        try:
            stats = parts.corpora.stats(name)
        except UnusableIndex as error:
            problem = outward(error)
    return CorpusTold(name, listed.documents, listed.chunks, listed.tokens, problem, listed.embedder, stats)


def _told_of_made(parts: Parts, name: str) -> CorpusTold:
    """As `_told`, also of one that is gone where making it is answered again."""
    try:
        return _told(parts, name)
    except UnknownCorpus:
        problem = "it was deleted since this request made it: take a new Idempotency-Key to make it anew"
        return CorpusTold(name, 0, 0, 0, problem, None, None)


def _read(body: bytes) -> Sequence[DocumentSent]:
    """Raises as FastAPI does for a body that it reads."""
    try:
        return DocumentsSent.model_validate_json(body).documents
    except ValidationError as error:
        wrong = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
        raise RequestValidationError(wrong) from None


def _files(request: Request, parts: Parts, corpus: str, key: str | None) -> Fill:
    async def fill(folder: Path) -> Filled:
        received = await receive(request, folder, parts.upload_files, parts.upload_idle)
        files = tuple(Spooled(one.file, one.name, SOURCE + one.name) for one in received)
        sent = ["files", corpus, [[one.name, one.hash] for one in received]]
        return Filled(Order(Ingest(files), corpus, key), fingerprint(sent))

    return fill


def _texts(sent: Sequence[DocumentSent], most: int, corpus: str, key: str | None) -> Fill:
    if len(sent) > most:
        raise TooLarge("the upload", f"{most:,} documents", "server.upload_files")
    twice = [id_ for id_, times in Counter(one.id for one in sent).items() if times > 1]
    if twice:
        raise UnusableUpload(f"two documents have the id {twice[0]!r}: give each its own")

    async def fill(folder: Path) -> Filled:
        written = await asyncio.to_thread(_write, folder, sent)
        files = tuple(
            Spooled(file, one.id, SOURCE + (one.source or one.id)) for file, one in zip(written, sent, strict=True)
        )
        said = ["texts", corpus, [one.model_dump() for one in sent]]
        return Filled(Order(Ingest(files), corpus, key), await asyncio.to_thread(fingerprint, said))

    return fill


def _write(folder: Path, sent: Sequence[DocumentSent]) -> list[str]:
    """Each text as a file; returns their names."""
    names = [f"{number:05}.txt" for number in range(len(sent))]
    for name, one in zip(names, sent, strict=True):
        with (folder / name).open("xb", buffering=0) as file:
            write(file, one.text.encode())
    return names
