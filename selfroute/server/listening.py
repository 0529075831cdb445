"""Listens until it is told to stop, then finishes what runs."""

from __future__ import annotations

import socket

import uvicorn
from starlette.types import ASGIApp

from selfroute.errors import CannotListen
from selfroute.server.logs import configured


async def serve(app: ASGIApp, host: str, port: int, *, drain: int) -> None:
    """Returns after SIGTERM or SIGINT: no connection is taken any more, and questions in flight have `drain` seconds
    to end before they are cancelled, and recorded as such. What is logged goes to standard error as lines of JSON.

    Raises `CannotListen`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(2048)  # who reads the line below may connect at once
        except OSError as error:
            raise CannotListen(host, port, (error.strerror or str(error)).lower()) from error
        shown = f"[{host}]" if family == socket.AF_INET6 else host
        print(f"selfroute serves http://{shown}:{listener.getsockname()[1]} (its API: /docs)", flush=True)
        config = uvicorn.Config(
            app,
            log_config=configured(),
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=drain,
            timeout_keep_alive=75,
        )
        await uvicorn.Server(config).serve([listener])
