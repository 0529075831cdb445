"""Our own API: questions and what is on record of them."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from selfroute.errors import UnknownQuestion
from selfroute.ledger import Feedback, Recorded
from selfroute.server.access import Asker
from selfroute.server.events import streaming
from selfroute.server.parts import parts_of
from selfroute.server.problems import documented
from selfroute.server.schemas import AskSent, FeedbackSent
from selfroute.types import Answer
from selfroute.wire import to_json

router = APIRouter(prefix="/v1")

STREAMED: dict[str, Any] = {"text/event-stream": {"schema": {"type": "string"}}}


@router.post(
    "/ask", response_model=Answer, responses={200: {"content": STREAMED}, **documented(404, 409, 501, 502, 504)}
)
async def ask(request: Request, sent: AskSent, asker: Asker) -> Response:
    """Answers a question from a corpus, or from a text that comes with it. With `stream`, server-sent events tell of
    it as it happens: step, call, delta, citation, and done with the whole answer, or error with a problem."""
    desk = parts_of(request).desk
    if sent.stream:
        return await streaming(desk, sent.as_ask(), asker, gone(request))
    answer = await desk.ask(sent.as_ask(), asker, gone(request))
    return JSONResponse(to_json(answer), headers=accounted(answer))


@router.get("/questions/{id}", response_model=Recorded, responses=documented(404))
async def question(request: Request, id: str, asker: Asker) -> Response:  # noqa: A002 (the path's own name)
    """All that is on record of a question: its answer, its calls, and what was said of it."""
    return JSONResponse(to_json(await _recorded(request, id, asker)))


@router.post("/questions/{id}/feedback", status_code=201, response_model=Feedback, responses=documented(404))
async def feedback(request: Request, id: str, sent: FeedbackSent, asker: Asker) -> Response:  # noqa: A002
    """Says whether an answer is right. What was said before stays on record."""
    await _recorded(request, id, asker)
    ledger = parts_of(request).ledger
    said = await asyncio.to_thread(ledger.add_feedback, id, sent.verdict, sent.better_answer)
    return JSONResponse(to_json(said), 201)


def accounted(answer: Answer) -> dict[str, str]:
    """Headers by which proxies in front see what a question took: US dollars, if known, and tokens."""
    totals = answer.totals
    cost = {} if totals.cost is None else {"x-litellm-response-cost": format(totals.cost.normalize(), "f")}
    tokens = totals.usage.input_tokens + totals.usage.output_tokens
    return {"x-selfroute-question": answer.id, "x-litellm-total-tokens": str(tokens), **cost}


def gone(request: Request) -> Any:
    """Returns when the client has left. Its body must have been read."""

    async def left() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    return left


async def _recorded(request: Request, id: str, asker: Asker) -> Recorded:  # noqa: A002
    """Raises `UnknownQuestion`, also for one that another key asked."""
    found = await asyncio.to_thread(parts_of(request).ledger.question, id)
    if found is None or not asker.sees(found.key):
        raise UnknownQuestion(id)
    return found
