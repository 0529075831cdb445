"""Lines of JSON on standard error: one a question, one a request, and whatever else is logged in the same form.

No line holds a key. What users wrote and what was answered stands in none either, unless `text` is asked for: then in
a question's line. Knows nothing of where the lines go from there.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from selfroute.errors import EndpointError, SelfrouteError
from selfroute.keys import without_keys
from selfroute.server.access import Caller
from selfroute.server.watching import Ask, Ended, Watcher
from selfroute.types import Event, Usage, sum_cost
from selfroute.wire import to_json

questions = logging.getLogger("selfroute.questions")
requests = logging.getLogger("selfroute.requests")

QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""What is asked every few seconds: logged only where it fails."""

LONGEST = 200
"""Characters of what may repeat what was sent."""

FIELDS = "fields"
"""The attribute of a log record that holds what stands beside its message."""


class JsonLines(logging.Formatter):
    """One object a line: `time` (UTC), `level`, `logger`, `message`, the record's own fields, and `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_keys(record.getMessage()),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            told["exception"] = without_keys(self.formatException(record.exc_info))
        return json.dumps(told, default=str)


def configured(level: str = "INFO") -> dict[str, Any]:
    """For `logging.config.dictConfig`, uvicorn's included. What other libraries have to say begins with warnings."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": JsonLines}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "lines", "stream": "ext://sys.stderr"},
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "selfroute": {"level": level},
            "uvicorn": {"level": level, "handlers": []},
            "uvicorn.access": {"level": "WARNING"},
        },
    }


class QuestionLog:
    """An observer that writes a line as each question ends."""

    def __init__(self, text: bool = False) -> None:
        self._text = text

    def begin(self, ask: Ask, caller: Caller) -> Watcher:
        def watch(event: Event | Ended) -> None:
            if isinstance(event, Ended):
                said = "ended" if event.answer is not None else "failed"
                level = logging.INFO if event.answer is not None else logging.WARNING
                questions.log(level, "question %s", said, extra={FIELDS: self._fields(ask, caller, event)})

        return watch

    def _fields(self, ask: Ask, caller: Caller, end: Ended) -> Mapping[str, object]:
        usage = sum((call.usage for call in end.calls), Usage())
        told: dict[str, object] = {
            "question": ask.terms.id,
            "key": caller.key,
            "corpus": ask.shown_corpus,
            "policy": ask.shown_policy,
            "route": end.answer and end.answer.route.value,
            "outcome": end.answer and end.answer.outcome.value,
            "seconds": round(end.seconds, 4),
            "calls": len(end.calls),
            "input_tokens": usage.input_tokens,
            "cached_input_tokens": usage.cached_input_tokens,
            "output_tokens": usage.output_tokens,
            "cost": to_json(sum_cost([call.cost for call in end.calls])),
        }
        if end.error is not None:
            told["error"] = type(end.error).__name__
            if (why := reason(end.error, self._text)) is not None:
                told["reason"] = why
        if self._text:
            told["text"] = without_keys(ask.question.text or "")
            told["answer"] = end.answer and end.answer.answer and without_keys(end.answer.answer)
        return told


def reason(error: BaseException, text: bool) -> str | None:
    """What an error says, as far as it may be logged: a server may repeat what it was sent, so of an endpoint's only
    what to do, and of others the beginning. The ledger has all of it, under the question's id."""
    if not isinstance(error, SelfrouteError):
        return None
    if isinstance(error, EndpointError) and not text:
        return f"status {error.status}: {error.remedy}" if error.status else error.remedy
    return _cut(str(error), text)


def _cut(said: str, text: bool = False) -> str:
    """An error repeats names that were sent, and a path is one: no more of either than is of use."""
    said = without_keys(said)
    return said if text or len(said) <= LONGEST else f"{said[:LONGEST]}..."


LEFT = 499
"""The status of a request whose client left before it was answered; nobody is sent it."""


class RequestLog:
    """Writes a line as each request ends. Its query is left out: it may hold anything. That a client leaves is no
    failure: the server is not told of it as of one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})
        began, status = time.perf_counter(), 0

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, seen)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # the service stops
                status = status or 500
                raise
            status = status or LEFT
        except BaseException:
            status = status or 500
            raise
        finally:
            if scope["path"] not in QUIET or status >= 500:
                caller = scope["state"].get("caller")
                told = {
                    "method": scope["method"],
                    "path": _cut(scope["path"]),
                    "status": status,
                    "seconds": round(time.perf_counter() - began, 4),
                    "key": caller.key if isinstance(caller, Caller) else None,
                    "question": scope["state"].get("question"),
                }
                level = logging.WARNING if status >= 500 else logging.INFO
                requests.log(level, "%s %s", told["method"], told["path"], extra={FIELDS: told})
