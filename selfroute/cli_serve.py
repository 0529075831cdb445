"""The command `serve`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from selfroute.cli_parts import Config, settings


def serve(
    config: Config = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on.  [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0 takes a free one.  [default: 8000]")] = None,
) -> None:
    """Serve questions over HTTP: our own API (described at /docs) and OpenAI's (at /v1)."""
    from selfroute import build
    from selfroute.server.listening import serve

    chosen = settings(config)
    app = build.app(chosen)
    asyncio.run(
        serve(
            app,
            host if host is not None else chosen.server.host,
            port if port is not None else chosen.server.port,
            drain=chosen.server.drain_seconds,
        )
    )
