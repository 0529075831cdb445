"""The application: its routes, its errors and its limits. Built by a function; importing does nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from opentelemetry.trace import TracerProvider  # the interface, which FastAPI brings; the SDK is an extra

from selfroute.server import accounts, health, rest
from selfroute.server.body import BodyLimit
from selfroute.server.logs import QUIET, RequestLog
from selfroute.server.parts import Parts
from selfroute.server.problems import handle

ROUTERS = (health.router, rest.router, accounts.router)


Alongside = Callable[[], AbstractAsyncContextManager[object]]
"""What runs as long as the application: entered as it begins to serve, left when it has ended."""


def create_app(
    parts: Parts, *, body_bytes: int, alongside: Sequence[Alongside] = (), spans: TracerProvider | None = None
) -> FastAPI:
    """`body_bytes` bounds the body of a request. `spans` is where requests, too, are told of as spans."""
    app = FastAPI(
        title="selfroute",
        version=version("selfroute"),
        summary="Answers questions about long documents by reading as little as it needs.",
        lifespan=_lasting(alongside),
        telemetry=_telemetry(spans),
    )
    app.state.parts = parts
    for router in ROUTERS:
        app.include_router(router)
    handle(app)
    app.add_middleware(BodyLimit, most=body_bytes)
    app.add_middleware(RequestLog)
    return app


def _lasting(alongside: Sequence[Alongside]) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for one in alongside:
                await stack.enter_async_context(one())
            yield

    return lifespan


def _telemetry(spans: TracerProvider | None) -> TelemetryConfig:
    """FastAPI's own: a span a request, which goes on with the client's trace. Its metrics and logs we make ourselves,
    and it must not set itself up from the environment behind the settings' back."""
    off: TelemetryConfig = {"metrics": False, "logs": False, "operation_spans": False, "auto_configure": False}
    if spans is None:
        return {**off, "tracing": False}
    return {**off, "tracing": True, "tracer_provider": spans, "exclude": lambda scope: scope.get("path") in QUIET}
