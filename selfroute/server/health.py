"""Whether the service lives, whether it can answer, and what it has done.

No key is asked for: who asks is a machine.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from selfroute.server.parts import parts_of
from selfroute.server.problems import Problem

router = APIRouter()

NOT_READY: dict[int | str, dict[str, Any]] = {
    503: {"description": "A part that answering needs fails; `parts` says which.", "model": Problem}
}


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Always answers while the process lives."""
    return {"status": "alive"}


@router.get("/readyz", responses=NOT_READY)
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


@router.get("/metrics", responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})
async def metrics(request: Request) -> Response:
    """What the service has done since it began, for Prometheus."""
    content, content_type = parts_of(request).metrics.told(request.headers.get("accept", ""))
    return Response(content, headers={"content-type": content_type})
