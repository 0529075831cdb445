"""Bounds what a request may bring, however it says so."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from selfroute.errors import TooLarge


class BodyLimit:
    """Refuses a body of more than `most` bytes: by the length that it says, else as soon as more has come. Whoever
    reads the body meets a `TooLargeBody`, which is told as any other problem."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = dict(scope["headers"]).get(b"content-length", b"")
        read = int(said) if said.isdigit() else 0
        counts = not read

        async def counted() -> Message:
            nonlocal read
            message = await receive() if read <= self._most else {}
            read += len(message.get("body", b"")) if counts else 0
            if read > self._most:
                raise TooLargeBody(self._most)
            return message

        await self._app(scope, counted, send)


class TooLargeBody(HTTPException):
    """As what reads bodies lets pass: other errors it takes for its own."""

    def __init__(self, most: int) -> None:
        super().__init__(413, str(TooLarge("the body", f"{most:,} bytes", "server.body_bytes")))
