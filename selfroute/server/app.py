"""The application: its routes, its errors and its limits. Built by a function; importing does nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from selfroute.server import background, health, library, rest
from selfroute.server.body import BodyLimit
from selfroute.server.parts import Parts
from selfroute.server.problems import handle

ROUTERS = (health.router, rest.router, library.router, background.router)


def create_app(parts: Parts, *, body_bytes: int, upload_bytes: int) -> FastAPI:
    """`body_bytes` bounds the body of a request, `upload_bytes` one that brings files."""
    app = FastAPI(
        title="selfroute",
        version=version("selfroute"),
        summary="Answers questions about long documents by reading as little as it needs.",
        lifespan=_lifespan,
    )
    app.state.parts = parts
    for router in ROUTERS:
        app.include_router(router)
    handle(app)
    app.add_middleware(BodyLimit, most=body_bytes, uploads=upload_bytes)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """What runs beside the requests."""
    parts: Parts = app.state.parts
    async with parts.intake.working(parts.drain):
        yield
