"""Our own API: questions and what is on record of them."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from selfroute.errors import UnknownQuestion
from selfroute.jobs import Once
from selfroute.ledger import Feedback, Recorded
from selfroute.server.access import Asker
from selfroute.server.background import Token, fingerprint
from selfroute.server.desk import Ask
from selfroute.server.events import streaming
from selfroute.server.parts import parts_of
from selfroute.server.problems import documented
from selfroute.server.schemas import AskSent, FeedbackSent
from selfroute.types import Answer
from selfroute.wire import to_json

router = APIRouter(prefix="/v1")

STREAMED: dict[str, Any] = {
    "text/event-stream": {
        "itemSchema": {
            "type": "object",
            "properties": {"event": {"type": "string"}, "data": {"type": "string", "description": "JSON."}},
            "required": ["data"],
        }
    }
}
"""Each event of a stream, as OpenAPI 3.2 has it and FastAPI writes it: a schema would be of all of them together."""


@router.post(
    "/ask",
    response_model=Answer,
    responses={200: {"content": STREAMED}, **documented(404, 409, 415, 501, 502, 504)},
)
async def ask(request: Request, sent: AskSent, asker: Asker) -> Response:
    """Answers a question from a corpus, or from a text that comes with it. With `stream`, server-sent events tell of
    it as it happens: step, call, delta, citation, and done with the whole answer, or error with a problem."""
    desk, asked = parts_of(request).desk, sent.as_ask()
    begun(request, asked)
    if sent.stream:
        return await streaming(desk, asked, asker, gone(request))
    answer = await desk.ask(asked, asker, gone(request))
    return JSONResponse(to_json(answer), headers=accounted(answer))


@router.get("/questions/{id}", response_model=Recorded, responses=documented(404))
async def question(request: Request, id: str, asker: Asker) -> Response:  # noqa: A002 (the path's own name)
    """All that is on record of a question: its answer, its calls, and what was said of it."""
    return JSONResponse(to_json(await _recorded(request, id, asker)))


@router.post("/questions/{id}/feedback", status_code=201, response_model=Feedback, responses=documented(404, 415))
async def feedback(
    request: Request,
    id: str,  # noqa: A002
    sent: FeedbackSent,
    asker: Asker,
    token: Token = None,
) -> Response:
    """Says whether an answer is right. What was said before stays on record."""
    await _recorded(request, id, asker)
    parts = parts_of(request)
    if token is not None:
        once = Once(token, fingerprint(["feedback", id, sent.model_dump(mode="json")]))
        if not await asyncio.to_thread(parts.intake.jobs.remember, asker.key, once):
            before = (await _recorded(request, id, asker)).feedback
            said = next((one for one in reversed(before) if _is_same(one, sent)), None)
            if said is not None:
                return JSONResponse(to_json(said), 201, {"Idempotency-Replayed": "true"})
    said = await asyncio.to_thread(parts.ledger.add_feedback, id, sent.verdict, sent.better_answer)
    return JSONResponse(to_json(said), 201)


def _is_same(said: Feedback, sent: FeedbackSent) -> bool:
    return (said.verdict, said.better_answer) == (sent.verdict, sent.better_answer)


def begun(request: Request, asked: Ask) -> None:
    """Puts the question's id where whoever tells of a failure, or logs the request, finds it."""
    request.state.question = asked.terms.id


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
