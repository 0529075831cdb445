"""Whether the service lives, and whether it can answer."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Always answers while the process lives."""
    return {"status": "alive"}
