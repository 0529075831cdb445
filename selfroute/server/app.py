"""The application: its routes, its errors and its limits. Built by a function; importing does nothing."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI

from selfroute.server import health, rest
from selfroute.server.admission import Admission
from selfroute.server.body import BodyLimit
from selfroute.server.parts import Parts
from selfroute.server.problems import handle

ROUTERS = (health.router, rest.router)


def create_app(parts: Parts, *, body_bytes: int) -> FastAPI:
    """`body_bytes` bounds the body of a request."""
    app = FastAPI(
        title="selfroute",
        version=version("selfroute"),
        summary="Answers questions about long documents by reading as little as it needs.",
    )
    app.state.parts = parts
    for router in ROUTERS:
        app.include_router(router)
    handle(app)
    app.add_middleware(BodyLimit, most=body_bytes)
    app.add_middleware(Admission)  # added last, it is first
    return app
