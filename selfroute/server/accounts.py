"""Our own API: what questions took."""

from __future__ import annotations

import asyncio
import re
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BeforeValidator

from selfroute.errors import BadInput
from selfroute.ledger import By
from selfroute.server.access import Asker
from selfroute.server.parts import parts_of
from selfroute.server.problems import documented
from selfroute.server.schemas import UsageTold
from selfroute.wire import to_json

router = APIRouter(prefix="/v1")


def _written_out(value: object) -> object:
    """A bare number would be taken for seconds since 1970, and a year for a day of that year."""
    if isinstance(value, str) and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        raise ValueError("give a day, as 2026-01-31")
    return value


Day = Annotated[
    date | None,
    BeforeValidator(_written_out),
    Query(description="A day, in UTC, as 2026-01-31; it is included."),
]


@router.get("/usage", response_model=UsageTold, responses=documented())
async def usage(
    request: Request,
    asker: Asker,
    group: Annotated[By, Query(description="What to group by.")] = By.DAY,
    first: Annotated[Day, Query(alias="from")] = None,
    last: Annotated[Day, Query(alias="to")] = None,
    corpus: Annotated[str | None, Query(max_length=1000, description="Only what was asked of this corpus.")] = None,
) -> Response:
    """What questions read and cost, by group. Who has a key is told of its own questions and no other's,
    unless it may audit."""
    if first and last and first > last:
        raise BadInput(f"'from' is {first}, which is after 'to', {last}: exchange them")
    ledger = parts_of(request).ledger
    rows = await asyncio.to_thread(ledger.usage, group, first=first, last=last, corpus=corpus, key=asker.sees_only)
    return JSONResponse(to_json(UsageTold(group, tuple(rows))))
