"""Whether the service lives, whether it can answer, and what it has done.

No key is asked for, but for what it has done: who asks is a machine.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from selfroute.server.access import Asker
from selfroute.server.parts import parts_of
from selfroute.server.problems import documented

router = APIRouter()


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Always answers while the process lives."""
    return {"status": "alive"}


@router.get("/readyz", responses={503: documented()[503]})
async def readyz(request: Request) -> Response:
    """Whether questions can be answered: the ledger can be written, the corpora read, the endpoints reached. What was
    found is good for some seconds; why a part fails stands in the log."""
    found = await parts_of(request).readiness.found()
    parts = {name: "ok" if ok else "fails" for name, ok in found.parts.items()}
    if not found.failing:
        return JSONResponse({"status": "ready", "parts": parts})
    detail = f"not ready: {', '.join(found.failing)}; the service's log says why"
    fields = {"type": "/problems/not-ready", "title": "Not ready", "status": 503, "detail": detail, "parts": parts}
    return JSONResponse(fields, 503, media_type="application/problem+json")


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={
        200: {"content": {"application/openmetrics-text": {"schema": {"type": "string"}}}},
        **{status: documented()[status] for status in (401, 403, 503)},
    },
)
async def metrics(request: Request, _: Asker) -> Response:
    """What the service has done since it began, for Prometheus. A key must let its bearer see what others do."""
    content, content_type = parts_of(request).metrics.told(request.headers.get("accept", ""))
    return Response(content, headers={"content-type": content_type})
