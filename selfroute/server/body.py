"""Bounds what a request may bring, however it says so."""

from __future__ import annotations

import re

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from selfroute.errors import TooLarge

UPLOADS = re.compile(r"/v1/corpora/[^/]+/documents")
"""Where files are taken: written to disk as they come, so they have a limit of their own."""


class BodyLimit:
    """Refuses a body of more than `most` bytes, and of more than `uploads` one that brings files: by the length that
    it says, else as soon as more has come. Whoever reads the body meets a `TooLargeBody`, which is told as any other
    problem."""

    def __init__(self, app: ASGIApp, most: int, uploads: int) -> None:
        self._app = app
        self._most = most
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        brings_files = (
            scope["method"] == "POST"
            and UPLOADS.fullmatch(scope["path"]) is not None
            and headers.get(b"content-type", b"").lower().startswith(b"multipart/form-data")
        )
        most, setting = (self._uploads, "upload_bytes") if brings_files else (self._most, "body_bytes")
        said = headers.get(b"content-length", b"")
        read = int(said) if said.isdigit() else 0
        counts = not read

        async def counted() -> Message:
            nonlocal read
            message = await receive() if read <= most else {}
            read += len(message.get("body", b"")) if counts else 0
            if read > most:
                raise TooLargeBody(most, f"server.{setting}")
            return message

        await self._app(scope, counted, send)


class TooLargeBody(HTTPException):
    """As what reads bodies lets pass: other errors it takes for its own."""

    def __init__(self, most: int, setting: str) -> None:
        super().__init__(413, str(TooLarge("the body", f"{most:,} bytes", setting)))
