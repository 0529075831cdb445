"""Errors at the edge: one table from error to HTTP status, and the two shapes in which they are told.

Our own routes answer with RFC 9457's `application/problem+json`, OpenAI's with its `{"error": ...}`.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route

from selfroute import errors
from selfroute.errors import SelfrouteError
from selfroute.keys import without_keys
from selfroute.server.access import Caller

log = logging.getLogger(__name__)

STATUS: Mapping[type[SelfrouteError], int] = {
    errors.BadInput: 422,
    errors.UnknownCorpus: 404,
    errors.UnknownDocument: 404,
    errors.UnknownQuestion: 404,
    errors.ModelNotFound: 404,
    errors.UnknownJob: 404,
    errors.NameTaken: 409,
    errors.EmptyCorpus: 409,
    errors.InvalidSettings: 500,
    errors.TooLarge: 413,
    errors.UnusableIndex: 503,
    errors.IndexBusy: 409,
    errors.RunBusy: 409,
    errors.CorruptLedger: 503,
    errors.LedgerBusy: 503,
    errors.HomeNotWritable: 503,
    errors.DeadlineExceeded: 504,
    errors.QueueFull: 503,
    errors.CorruptJobs: 503,
    errors.OverTerms: 422,
    errors.OverBudget: 429,
    errors.UnknownPrice: 422,
    errors.OverRate: 429,
    errors.NotAdmitted: 401,
    errors.NotAllowed: 403,
    errors.ForeignSite: 403,
    errors.UnusableKeys: 503,
    errors.TooBusy: 503,
    errors.EndpointError: 502,
    errors.EndpointTimeout: 504,
    errors.EndpointBusy: 503,
    errors.MissingExtra: 501,
    errors.SelfrouteError: 500,
}
"""By error; one that is not named has the status of the nearest class above it."""

RETRY_AFTER: Mapping[type[SelfrouteError], int] = {
    errors.TooBusy: 1,
    errors.QueueFull: 10,
    errors.IndexBusy: 5,
    errors.EndpointBusy: 10,
}
"""Seconds that a client is told to wait."""

STAY = {"x-should-retry": "false"}
"""Heeded by OpenAI's clients."""

OPENAI = ("/v1/chat/", "/v1/models", "/v1/responses", "/v1/completions", "/v1/embeddings")
"""Where OpenAI's routes begin, those that are not here included: its clients read no other shape."""

INTERNAL = {
    "type": "/problems/internal",
    "title": "Internal error",
    "status": 500,
    "detail": "the service failed: its log says why",
}
"""An error that is none of ours, as a problem's fields."""


class Problem(BaseModel):
    """What is wrong and what to do about it (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Names the kind of problem; relative to this service.")
    title: str
    status: int
    detail: str = Field(description="What is wrong here, and what to do.")
    errors: list[dict[str, Any]] | None = Field(default=None, description="The fields that are wrong, if fields are.")


class OpenAIFault(BaseModel):
    """What is wrong and what to do about it, in OpenAI's shape. `code` names the kind, `param` the field that is
    wrong, if one is."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIProblem(BaseModel):
    error: OpenAIFault


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route may answer beside what it is for, for its description. Any may be refused, fail or be too much."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            "model": Problem,
        }
        for status in (401, 403, 413, 422, 429, 500, 503, *statuses)
    }


def documented_openai() -> dict[int | str, dict[str, Any]]:
    """As `documented`, of OpenAI's routes."""
    return {
        status: {"description": said, "model": OpenAIProblem}
        for status, said in {"4XX": "What was asked cannot be done", "5XX": "It failed here, or at an endpoint"}.items()
    }


def status_of(error: SelfrouteError) -> int:
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def told(error: SelfrouteError) -> dict[str, Any]:
    """An error as a problem's fields."""
    return {**named(type(error).__name__), "status": status_of(error), "detail": outward(error)} | _wrong(error)


def _wrong(error: SelfrouteError) -> dict[str, Any]:
    """The field that is wrong, if one is."""
    if not isinstance(error, errors.WrongField):
        return {}
    return {"errors": [{"field": error.field, "reason": outward(error)}]}


def outward(error: SelfrouteError) -> str:
    """What who asks is told of an error. Where that leaves out a folder of this machine, its operator is told in the
    log."""
    said = error.outward
    if said != str(error) and not isinstance(error, errors.IndexBusy | errors.EmptyCorpus):
        log.error("%s: %s", type(error).__name__, without_keys(str(error)))
    return without_keys(said)


def named(kind: str) -> dict[str, str]:
    """The type and title of a problem, by the name of its error's class."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind)
    return {"type": f"/problems/{words.lower().replace(' ', '-')}", "title": words.capitalize()}


def headers_of(error: SelfrouteError) -> dict[str, str]:
    """What a client's software is to know of an error: when to come again, and what it is to bring."""
    wait = getattr(error, "retry_after", None)
    if wait is None:
        wait = next((RETRY_AFTER[kind] for kind in type(error).__mro__ if kind in RETRY_AFTER), None)
    asked = {"WWW-Authenticate": "Bearer"} if isinstance(error, errors.NotAdmitted) else {}
    return asked if wait is None else {**asked, "Retry-After": str(wait)}


def handle(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Has every error told in one of the two shapes. `routes` are those that a wrong method is told of."""
    app.add_exception_handler(SelfrouteError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, partial(_http, routes))
    app.add_exception_handler(Exception, _unforeseen)


def is_openai(path: str) -> bool:
    return path.startswith(OPENAI)


def respond(request: Request, fields: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """A problem in the shape that the route's clients expect. OpenAI's have no 422; and they try again by themselves,
    which is of use only where the problem may pass: what a question has taken till then is paid for each time."""
    status = fields["status"]
    question = getattr(request.state, "question", None)
    headers = {**(headers or {}), **({"x-selfroute-question": question} if question else {})}
    if not is_openai(request.url.path):
        return _Told(fields, status, headers, media_type="application/problem+json")
    status = 400 if status == 422 else status
    passes = status == 429 or "Retry-After" in headers
    return _Told(openai_error(fields), status, {**headers, **({} if passes else STAY)})


class _Told(JSONResponse):
    """What a client called its fields may hold half of a surrogate pair, which is no text."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def openai_error(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A problem as OpenAI tells it; `code` is our kind of error, `param` the first field that is wrong."""
    wrong = fields.get("errors") or [{}]
    kind = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}.get(
        fields["status"], "invalid_request_error" if fields["status"] < 500 else "server_error"
    )
    code = fields["type"].rpartition("/")[2].replace("-", "_")
    return {"error": {"message": fields["detail"], "type": kind, "param": wrong[0].get("field"), "code": code}}


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, SelfrouteError)
    caller: Caller | None = getattr(request.state, "caller", None)
    if isinstance(error, errors.UnknownCorpus) and caller is not None:
        return respond(request, told(caller.discreet(error)))
    return respond(request, told(error), headers_of(error))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if isinstance(error.body, bytes):  # left as it came: the framework reads what is called JSON alone
        return respond(request, _by_status(415, "send the body as JSON, under 'Content-Type: application/json'"))
    if unreadable := _unreadable(error.__cause__):
        return _fields_wrong(request, [{"field": None, "reason": unreadable}])
    return _fields_wrong(
        request, [{"field": _field(one), "reason": without_keys(one["msg"])} for one in error.errors()]
    )


def _fields_wrong(request: Request, wrong: Sequence[Mapping[str, Any]]) -> Response:
    first = wrong[0]
    detail = f"{first['field'] or 'the body'}: {first['reason']}"
    if more := len(wrong) - 1:
        detail += f" (and {more} more)"
    fields = {"type": "/problems/invalid-request", "title": "Invalid request", "status": 422, "detail": detail}
    return respond(request, {**fields, "errors": wrong})


def _unreadable(cause: BaseException | None) -> str | None:
    """Why a body could not be read as JSON, by what the framework met: it tells of the first alone, without the place,
    and of the others nothing but that they are."""
    match cause:
        case json.JSONDecodeError():
            return f"no JSON: {cause.msg.removesuffix(' at')} at line {cause.lineno}, column {cause.colno}"
        case UnicodeDecodeError():
            return f"not UTF-8 from its byte {cause.start + 1:,} on: send it in UTF-8"
        case RecursionError():
            return "nests too deeply: send fewer lists and objects within each other"
        case ValueError():
            return "holds a number of too many digits: send such a number as a text"
    return None


def _field(wrong: Mapping[str, Any]) -> str | None:
    """Dotted, or `None` for the whole body. In parentheses stands which of several kinds a value was taken for."""
    path = [str(part) for part in wrong["loc"][1:] if part not in ("(list)", "(text)")]
    return ".".join(path) or None


async def _http(routes: Sequence[BaseRoute], request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 400 and (unreadable := _unreadable(error.__cause__)):
        return _fields_wrong(request, [{"field": None, "reason": unreadable}])
    detail, headers = str(error.detail), error.headers
    if error.status_code == 405 and (allowed := _allowed(routes, request)):
        detail = f"{request.method} is not done here, but {', '.join(allowed)}: /docs describes what there is"
        headers = {**(headers or {}), "Allow": ", ".join(allowed)}
    if error.status_code == 404 and detail == HTTPStatus.NOT_FOUND.phrase:
        detail = f"there is nothing at {request.url.path}: /docs describes what there is"
    return respond(request, _by_status(error.status_code, detail), headers)


def _by_status(status: int, detail: str) -> dict[str, Any]:
    """A problem's fields where it has no kind but its status."""
    phrase = HTTPStatus(status).phrase
    kind = phrase.lower().replace(" ", "-")
    return {"type": f"/problems/{kind}", "title": phrase, "status": status, "detail": without_keys(detail)}


def _allowed(routes: Sequence[BaseRoute], request: Request) -> list[str]:
    """The methods of all routes at a path: the framework names those of the first alone."""
    at = [route for route in routes if isinstance(route, Route) and route.matches(request.scope)[0] != Match.NONE]
    return sorted({method for route in at for method in route.methods or ()})


async def _unforeseen(request: Request, error: Exception) -> Response:
    """Starlette raises it again after this, for the server's log."""
    return respond(request, INTERNAL)
