"""A question's events as server-sent events of our own API.

`event` is one of step, call, delta, citation, done and error; `data` is JSON. Comments keep the connection alive.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

from sse_starlette import EventSourceResponse, ServerSentEvent

from selfroute.errors import SelfrouteError
from selfroute.server.access import Caller
from selfroute.server.desk import Ask, Desk
from selfroute.server.problems import told
from selfroute.types import Cited, Delta, Done, Event, Step, Used
from selfroute.wire import to_json

KEEP_ALIVE = 15
"""Seconds between comments: proxies cut connections that are silent for a minute."""


async def streaming(desk: Desk, ask: Ask, caller: Caller) -> EventSourceResponse:
    """The stream, begun: what is refused before anything is read is raised here and has a status of its own. Leaving
    it ends the question."""
    stack = AsyncExitStack()
    events = await stack.enter_async_context(desk.stream(ask, caller))

    async def sent() -> AsyncIterator[ServerSentEvent]:
        async with stack:
            try:
                async for event in events:
                    yield _sent(event)
            except SelfrouteError as error:
                yield ServerSentEvent(json.dumps(told(error)), event="error")

    return EventSourceResponse(sent(), headers={"x-selfroute-question": ask.terms.id}, ping=KEEP_ALIVE)


def _sent(event: Event) -> ServerSentEvent:
    name, data = _told(event)
    return ServerSentEvent(json.dumps(data), event=name)


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
