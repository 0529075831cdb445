"""Listens until it is told to stop, then finishes what runs."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from selfroute.errors import CannotListen
from selfroute.server.logs import configured

BACKLOG = 2048
"""Connections that wait to be taken; as uvicorn has it."""


def loops() -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes the event loop: uvloop's where it can be had."""
    try:
        import uvloop
    except ImportError:  # on Windows
        return asyncio.new_event_loop
    made: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return made


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there: all addresses that the host stands for are its own."""
    try:
        found = socket.getaddrinfo(host or "0.0.0.0", None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(str(one[4][0]).partition("%")[0]).is_loopback for one in found)


async def serve(app: ASGIApp, host: str, port: int, *, drain: int) -> None:
    """Returns after SIGTERM or SIGINT: no connection is taken any more, and questions in flight have `drain` seconds
    to end before they are cancelled, and recorded as such. What is logged goes to standard error as lines of JSON.

    Raises `CannotListen`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, for asyncio turns Nagle's algorithm off only where it is: else replies wait 40 ms.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(BACKLOG)  # before its address is told: who connects at once waits, and is not refused
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
