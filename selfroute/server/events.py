"""A question's events as server-sent events of our own API.

`event` is one of step, call, delta, citation, done and error; `data` is JSON. Comments keep the connection alive.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from selfroute.errors import SelfrouteError
from selfroute.server.access import Caller
from selfroute.server.desk import Ask, Desk
from selfroute.server.problems import INTERNAL, told
from selfroute.types import Cited, Delta, Done, Event, Step, Used
from selfroute.wire import to_json

log = logging.getLogger(__name__)

Gone = Callable[[], Awaitable[object]]
"""Returns when the client has left."""

KEEP_ALIVE = 15
"""Seconds between comments: proxies cut connections that are silent for a minute."""


async def streaming(desk: Desk, ask: Ask, caller: Caller, gone: Gone) -> Response:
    """A question of our own API, as `sending`."""
    return await sending(desk, ask, caller, gone, _ours)


async def sending(
    desk: Desk,
    ask: Ask,
    caller: Caller,
    gone: Gone,
    told: Callable[[AsyncIterator[Event]], AsyncIterator[ServerSentEvent]],
) -> Response:
    """The stream of a question, begun: what is refused before anything is read is raised here and has a status of its
    own. `told` makes what is sent of what happens. Leaving it ends the question, and so does
    `gone` when it returns before there is anything to send."""
    stack = AsyncExitStack()
    events = await stack.enter_async_context(desk.stream(ask, caller, gone))
    return _Stream(told(events), stack, ask.terms.id)


class _Stream(EventSourceResponse):
    """Told to stop, the service lets a stream come to its end: it is the server that cuts off what takes longer than
    it drains."""

    def __init__(self, sent: AsyncIterator[ServerSentEvent], asked: AsyncExitStack, id: str) -> None:  # noqa: A002
        super().__init__(
            sent, headers={"x-selfroute-question": id}, ping=KEEP_ALIVE, sep="\n", shutdown_grace_period=86_400
        )
        self._asked = asked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._asked:  # here, since a client may leave before the first of it is sent
            await super().__call__(scope, receive, send)


async def _ours(events: AsyncIterator[Event]) -> AsyncIterator[ServerSentEvent]:
    try:
        async for event in events:
            yield _sent(event)
    except Exception as error:
        yield ServerSentEvent(json.dumps(failing(error)), event="error", sep="\n")


def failing(error: Exception) -> dict[str, Any]:
    """An error within a stream as a problem's fields; one that is none of ours is logged, since nobody else will."""
    if isinstance(error, SelfrouteError):
        return told(error)
    log.error("a question failed within its stream", exc_info=error)
    return dict(INTERNAL)


def _sent(event: Event) -> ServerSentEvent:
    name, data = _told(event)
    return ServerSentEvent(json.dumps(data), event=name, sep="\n")


def _told(event: Event) -> tuple[str, Any]:
    match event:
        case Step():
            return "step", to_json(event)
        case Used(call):
            return "call", to_json(call)
        case Delta():
            return "delta", to_json(event)
        case Cited(citation):
            return "citation", to_json(citation)
        case Done(answer):
            return "done", to_json(answer)
