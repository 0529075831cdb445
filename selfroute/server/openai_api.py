"""OpenAI's API: the models that can be asked, and chat completions. A model is a policy at a corpus.

See `responses_api` for responses, and `openai_wire` for what requests may say.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from sse_starlette import ServerSentEvent

from selfroute.errors import InvalidName, ModelNotFound, UnknownCorpus, UnknownPolicy
from selfroute.server.access import Asker, Caller
from selfroute.server.desk import Ask
from selfroute.server.events import failing, sending
from selfroute.server.openai_wire import ChatSent, chat_usage, extension
from selfroute.server.parts import Parts, parts_of
from selfroute.server.problems import documented_openai, openai_error
from selfroute.server.rest import STREAMED, accounted, begun, gone
from selfroute.types import Answer, Delta, Done, Event
from selfroute.wire import said

router = APIRouter(prefix="/v1", tags=["OpenAI"])


class Model(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "selfroute"


class Models(BaseModel):
    object: Literal["list"] = "list"
    data: list[Model]


class AssistantSaid(BaseModel):
    role: Literal["assistant"]
    content: str
    refusal: None
    selfroute: dict[str, Any]


class Choice(BaseModel):
    index: Literal[0]
    message: AssistantSaid
    finish_reason: Literal["stop", "length"]
    logprobs: None


class Completion(BaseModel):
    """The answer as a chat completion. `message.selfroute` holds the id, outcome, route, citations and account."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: dict[str, Any]


@router.get("/models", response_model=Models, responses=documented_openai())
async def models(request: Request, asker: Asker) -> Models:
    """Every policy at every corpus that may be asked."""
    return Models(data=[Model(id=id_) for id_ in await _offered(parts_of(request), asker)])


@router.get("/models/{model}", response_model=Model, responses=documented_openai())
async def model(request: Request, model: str, asker: Asker) -> Model:
    """One of the models."""
    if model not in await _offered(parts_of(request), asker):
        raise ModelNotFound(model)
    return Model(id=model)


@router.post(
    "/chat/completions",
    response_model=Completion,
    responses={200: {"content": STREAMED}, **documented_openai()},
)
async def chat(request: Request, sent: ChatSent, asker: Asker) -> Response:
    """Answers the last message from the corpus that the model names. Usage is the sum over all calls that this took.
    Without an answer the content says so, and `selfroute.outcome` why."""
    desk = parts_of(request).desk
    with found(sent.model):
        ask, warnings = sent.as_ask()
        begun(request, ask)
        chunks = _Chunks(ask, sent.model, warnings, usage=sent.stream_options.include_usage)
        if sent.stream:
            return await sending(desk, ask, asker, gone(request), chunks.told)
        answer = await desk.ask(ask, asker, gone(request))
    choice = {"index": 0, "message": chunks.message(answer), "finish_reason": _finish(answer), "logprobs": None}
    completion = chunks.envelope("chat.completion") | {"choices": [choice], "usage": chat_usage(answer.totals.usage)}
    return JSONResponse(completion, headers=accounted(answer))


@contextmanager
def found(model: str) -> Iterator[None]:
    """What says that there is no such policy or corpus, as OpenAI's clients know it. Raises `ModelNotFound`."""
    try:
        yield
    except (UnknownPolicy, UnknownCorpus, InvalidName) as error:
        raise ModelNotFound(model) from error


class _Chunks:
    """One completion, whole or in chunks."""

    def __init__(self, ask: Ask, model: str, warnings: Sequence[str], *, usage: bool) -> None:
        self._id, self._model, self._warnings, self._usage = f"chatcmpl-{ask.terms.id}", model, warnings, usage
        self._created = int(time.time())

    def envelope(self, kind: str) -> dict[str, Any]:
        return {"id": self._id, "object": kind, "created": self._created, "model": self._model}

    def message(self, answer: Answer) -> dict[str, Any]:
        message = {"role": "assistant", "content": said(answer), "refusal": None}
        return message | {"selfroute": extension(answer, self._warnings)}

    async def told(self, events: AsyncIterator[Event]) -> AsyncIterator[ServerSentEvent]:
        yield self._chunk({"role": "assistant", "content": ""})
        try:
            async for event in events:
                match event:
                    case Delta(text):
                        yield self._chunk({"content": text})
                    case Done(answer):
                        for chunk in self._end(answer):
                            yield chunk
        except Exception as error:
            yield _data(openai_error(failing(error)))

    def _end(self, answer: Answer) -> Iterator[ServerSentEvent]:
        if answer.answer is None:
            yield self._chunk({"content": said(answer)})
        yield self._chunk({"selfroute": extension(answer, self._warnings)}, _finish(answer))
        if self._usage:
            usage = {"choices": [], "usage": chat_usage(answer.totals.usage)}
            yield _data(self.envelope("chat.completion.chunk") | usage)
        yield ServerSentEvent("[DONE]", sep="\n")

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> ServerSentEvent:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        usage = {"usage": None} if self._usage else {}
        return _data(self.envelope("chat.completion.chunk") | {"choices": [choice]} | usage)


def _finish(answer: Answer) -> str:
    """Why the answer ended, as OpenAI names it."""
    return "length" if answer.cut_off else "stop"


def _data(value: object) -> ServerSentEvent:
    return ServerSentEvent(json.dumps(value), sep="\n")


async def _offered(parts: Parts, caller: Caller) -> list[str]:
    names = await asyncio.to_thread(parts.corpora.names)  # clients ask often: opening each would read it from disk
    return [f"{policy}@{name}" for name in caller.among(names) for policy in parts.policies]
