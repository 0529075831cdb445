"""OpenAI's responses: a question and its answer as one `response`, whole or as its events. Nothing is kept for a
`previous_response_id`: a client sends the conversation each time."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import count
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict
from sse_starlette import ServerSentEvent

from selfroute.server.access import Asker
from selfroute.server.desk import Ask
from selfroute.server.events import failing, sending
from selfroute.server.openai_api import found
from selfroute.server.openai_wire import ResponseSent, extension, response_usage
from selfroute.server.parts import parts_of
from selfroute.server.problems import documented_openai, openai_error
from selfroute.server.rest import STREAMED, accounted, begun, gone
from selfroute.types import Answer, Citation, Delta, Done, Event
from selfroute.wire import said

router = APIRouter(prefix="/v1", tags=["OpenAI"])

CUT_OFF = {"reason": "max_output_tokens"}
"""Why a response is incomplete."""


class Responded(BaseModel):
    """The answer as a response. `selfroute` holds the id, outcome, route, citations and account; the citations are
    annotations of the text as well, `file_id` being the document."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: Literal["response"]
    created_at: int
    model: str
    status: Literal["completed", "incomplete"]
    incomplete_details: dict[str, Any] | None
    output: list[dict[str, Any]]
    usage: dict[str, Any]
    selfroute: dict[str, Any]


@router.post(
    "/responses",
    response_model=Responded,
    responses={200: {"content": STREAMED}, **documented_openai()},
)
async def respond(request: Request, sent: ResponseSent, asker: Asker) -> Response:
    """Answers the last message of the input from the corpus that the model names, as `/v1/chat/completions` does."""
    desk = parts_of(request).desk
    with found(sent.model):
        ask, warnings = sent.as_ask()
        begun(request, ask)
        response = _Response(ask, sent, warnings)
        if sent.stream:
            return await sending(desk, ask, asker, gone(request), response.told)
        answer = await desk.ask(ask, asker, gone(request))
    return JSONResponse(response.ended(answer), headers=accounted(answer))


class _Response:
    """One response as it grows."""

    def __init__(self, ask: Ask, sent: ResponseSent, warnings: Sequence[str]) -> None:
        self._id, self._item = f"resp_{ask.terms.id}", f"msg_{ask.terms.id}"
        self._sent, self._warnings = sent, warnings
        self._created, self._numbers = int(time.time()), count()

    async def told(self, events: AsyncIterator[Event]) -> AsyncIterator[ServerSentEvent]:
        began = False
        for name in ("created", "in_progress"):
            yield self._event(f"response.{name}", response=self._as("in_progress"))
        try:
            async for event in events:
                if isinstance(event, Delta | Done) and not began:
                    began = True
                    for one in self._begin():
                        yield one
                match event:
                    case Delta(text):
                        yield self._of_part("response.output_text.delta", delta=text, logprobs=[])
                    case Done(answer):
                        for one in self._end(answer):
                            yield one
        except Exception as error:
            for one in self._failed(failing(error)):
                yield one

    def ended(self, answer: Answer) -> dict[str, Any]:
        ours = {"usage": response_usage(answer.totals.usage), "selfroute": extension(answer, self._warnings)}
        why = {"incomplete_details": CUT_OFF} if answer.cut_off else {}
        return self._as(_status(answer), [self._message(answer)]) | why | ours

    def _begin(self) -> Iterator[ServerSentEvent]:
        item = {"id": self._item, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        yield self._event("response.output_item.added", output_index=0, item=item)
        yield self._of_part("response.content_part.added", part=_part(""))

    def _end(self, answer: Answer) -> Iterator[ServerSentEvent]:
        text, message = said(answer), self._message(answer)
        if answer.answer is None:
            yield self._of_part("response.output_text.delta", delta=text, logprobs=[])
        for at, citation in enumerate(answer.citations):
            note = _annotation(at, citation)
            yield self._of_part("response.output_text.annotation.added", annotation_index=at, annotation=note)
        yield self._of_part("response.output_text.done", text=text, logprobs=[])
        yield self._of_part("response.content_part.done", part=message["content"][0])
        yield self._event("response.output_item.done", output_index=0, item=message)
        yield self._event(f"response.{_status(answer)}", response=self.ended(answer))

    def _failed(self, problem: dict[str, Any]) -> Iterator[ServerSentEvent]:
        """Ends the response, then says so once more in the form that OpenAI's own client raises."""
        error = openai_error(problem)["error"]
        told = {"code": "server_error", "message": error["message"]}
        yield self._event("response.failed", response=self._as("failed") | {"error": told})
        fields = {"code": error["code"], "message": error["message"], "param": error["param"]}
        yield self._event("error", **fields, error=error)

    def _message(self, answer: Answer) -> dict[str, Any]:
        part = _part(said(answer), [_annotation(at, one) for at, one in enumerate(answer.citations)])
        status = _status(answer)
        return {"id": self._item, "type": "message", "role": "assistant", "status": status, "content": [part]}

    def _as(self, status: str, output: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "model": self._sent.model,
            "output": list(output),
            "error": None,
            "incomplete_details": None,
            "instructions": self._sent.instructions,
            "max_output_tokens": self._sent.max_output_tokens,
            "metadata": self._sent.metadata,
            "parallel_tool_calls": False,
            "previous_response_id": None,
            "store": False,
            "temperature": self._sent.temperature,
            "text": {"format": {"type": "text"}},
            "tool_choice": "none",
            "tools": [],
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": None,
        }

    def _of_part(self, name: str, **fields: Any) -> ServerSentEvent:
        return self._event(name, item_id=self._item, output_index=0, content_index=0, **fields)

    def _event(self, name: str, **fields: Any) -> ServerSentEvent:
        data = {"type": name, "sequence_number": next(self._numbers), **fields}
        return ServerSentEvent(json.dumps(data), event=name, sep="\n")


def _status(answer: Answer) -> str:
    """Of a response, and of the message in it."""
    return "incomplete" if answer.cut_off else "completed"


def _part(text: str, annotations: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": list(annotations), "logprobs": []}


def _annotation(at: int, citation: Citation) -> dict[str, Any]:
    return {"type": "file_citation", "index": at, "file_id": citation.document, "filename": citation.document}
