"""The application: its routes, its errors and its limits. Built by a function; importing does nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from selfroute.server import accounts, background, health, library, openai_api, responses_api, rest
from selfroute.server.admission import Admission
from selfroute.server.body import BodyLimit
from selfroute.server.heads import Heads
from selfroute.server.logs import QUIET, RequestLog
from selfroute.server.parts import Parts
from selfroute.server.problems import handle
from selfroute.server.site import router as page

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

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


Alongside = Callable[[], AbstractAsyncContextManager[object]]
"""What runs as long as the application: entered as it begins to serve, left when it has ended."""


def create_app(
    parts: Parts,
    *,
    body_bytes: int,
    upload_bytes: int,
    mounted: Mapping[str, Mounted] | None = None,
    alongside: Sequence[Alongside] = (),
    spans: TracerProvider | None = None,
) -> FastAPI:
    """`body_bytes` bounds the body of a request, `upload_bytes` one that brings files; `mounted` takes what is posted
    to its paths; `spans` is where requests, too, are told of as spans."""
    beside = mounted or {}
    lasting = (
        *alongside,
        lambda: parts.intake.working(parts.drain),
        *(one.running for one in beside.values()),
        parts.desk.to_the_end,
    )
    app = _Described(
        title="selfroute",
        version=version("selfroute"),
        summary="Answers questions about long documents by reading as little as it needs.",
        lifespan=_lasting(lasting),
        docs_url=None,  # FastAPI's pages load their scripts from another host; ours is in `site`
        redoc_url=None,
        **_telemetry(spans),
    )
    app.state.parts = parts
    for router in ROUTERS:
        app.include_router(router)
    app.router.routes.extend(Route(path, one, methods=["POST"]) for path, one in beside.items())
    handle(app, [route for router in ROUTERS for route in router.routes])
    app.add_middleware(Heads)
    app.add_middleware(BodyLimit, most=body_bytes, uploads=upload_bytes)
    app.add_middleware(Admission)
    app.add_middleware(RequestLog)  # added last, it is first
    return app


class _Described(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """A problem is sent as `application/problem+json` alone, where the framework lists JSON beside it."""
        if self.openapi_schema is None:
            paths = super().openapi()["paths"].values()
            for reply in (reply for path in paths for said in path.values() for reply in said["responses"].values()):
                if "application/problem+json" in reply.get("content", {}):
                    reply["content"].pop("application/json", None)
        return super().openapi()


def _lasting(alongside: Sequence[Alongside]) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for one in alongside:
                await stack.enter_async_context(one())
            yield

    return lifespan


def _telemetry(spans: TracerProvider | None) -> dict[str, Any]:
    """FastAPI's own, where it has any (vLLM wants one that has not): a span a request, which goes on with the client's
    trace. Its metrics and logs we make ourselves, and it must not set itself up from the environment behind the
    settings' back."""
    if find_spec("fastapi.telemetry") is None:
        return {}
    off = {"metrics": False, "logs": False, "operation_spans": False, "auto_configure": False}
    if spans is None:
        return {"telemetry": {**off, "tracing": False}}
    traced = {"tracing": True, "tracer_provider": spans, "exclude": lambda scope: scope.get("path") in QUIET}
    return {"telemetry": {**off, **traced}}
