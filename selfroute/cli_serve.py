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
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen beyond this machine though there is no API key.")
    ] = False,
) -> None:
    """Serve questions over HTTP: our own API (described at /docs) and OpenAI's (at /v1)."""
    from selfroute import build, build_service
    from selfroute.errors import Unprotected
    from selfroute.server.listening import is_loopback, loops, serve

    chosen = settings(config)
    address = host if host is not None else chosen.server.host
    if not insecure and not is_loopback(address) and not build.keyring(chosen).read().held:
        raise Unprotected(address)
    app = build_service.app(chosen)
    with asyncio.Runner(loop_factory=loops()) as runner:
        runner.run(
            serve(
                app,
                address,
                port if port is not None else chosen.server.port,
                drain=chosen.server.drain_seconds,
            )
        )
