"""The application: its routes, its errors and its limits. Built by a function; importing does nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import Protocol

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from selfroute.server import accounts, background, health, library, openai_api, responses_api, rest
from selfroute.server.body import BodyLimit
from selfroute.server.parts import Parts
from selfroute.server.problems import handle
from selfroute.server.site import router as page

ROUTERS = (
    health.router,
    rest.router,
    accounts.router,
    library.router,
    background.router,
    openai_api.router,
    responses_api.router,
    page,
)


class Mounted(Protocol):
    """What is served beside the routes and is no part of this room. It is called while it is `running`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    def running(self) -> AbstractAsyncContextManager[None]: ...


def create_app(
    parts: Parts, *, body_bytes: int, upload_bytes: int, mounted: Mapping[str, Mounted] | None = None
) -> FastAPI:
    """`body_bytes` bounds the body of a request, `upload_bytes` one that brings files; `mounted` takes
    what is posted to its paths."""
    beside = mounted or {}

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(parts.intake.working(parts.drain))
            for one in beside.values():
                await stack.enter_async_context(one.running())
            yield

    app = FastAPI(
        title="selfroute",
        version=version("selfroute"),
        summary="Answers questions about long documents by reading as little as it needs.",
        lifespan=running,
    )
    app.state.parts = parts
    for router in ROUTERS:
        app.include_router(router)
    app.router.routes.extend(Route(path, one, methods=["POST"]) for path, one in beside.items())
    handle(app)
    app.add_middleware(BodyLimit, most=body_bytes, uploads=upload_bytes)
    return app
