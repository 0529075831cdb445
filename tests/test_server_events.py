"""A stream whose client leaves: whenever that is, its question ends and no longer counts."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from service import KNOWN, WHO, House, Slow, corpus, left, served

from selfroute.readers.scripted import KnowingReader

pytestmark = pytest.mark.end_to_end


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/v1/ask", {"question": WHO, "corpus": "port"}),
        ("/v1/chat/completions", {"model": "self_route@port", "messages": [{"role": "user", "content": WHO}]}),
        ("/v1/responses", {"model": "self_route@port", "input": WHO}),
    ],
)
def test_a_client_that_leaves_before_the_first_byte_ends_its_question(
    home: Path, path: str, asked: dict[str, Any]
) -> None:
    corpus(home)
    app = House(home, reader=KnowingReader(KNOWN, seconds=60)).app()
    body = json.dumps({**asked, "stream": True}).encode()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"host", b"here")],
    }

    async def left() -> None:
        sending = asyncio.Event()
        came: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if came:
                return came.pop()
            await sending.wait()
            return {"type": "http.disconnect"}

        async def send(_: Any) -> None:
            sending.set()
            await asyncio.Event().wait()  # nobody takes it

        await asyncio.wait_for(app(scope, receive, send), 30)
        assert app.state.parts.desk.asking == 0  # now, and not when the loop or a collection ends what was left

    asyncio.run(left())
    [(error,)] = sqlite3.connect(home / "ledger.sqlite").execute("SELECT error FROM questions").fetchall()
    assert error.startswith("CancelledError")


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/v1/ask", {"question": WHO, "corpus": "port", "max_cost": 1}),
        (
            "/v1/chat/completions",
            {
                "model": "self_route@port",
                "messages": [{"role": "user", "content": WHO}],
                "selfroute": {"max_cost": 1},
            },
        ),
        ("/v1/responses", {"model": "self_route@port", "input": WHO, "selfroute": {"max_cost": 1}}),
    ],
)
def test_a_client_that_leaves_before_there_is_an_event_ends_its_question(
    home: Path, wait_until: Callable[[Callable[[], bool]], None], path: str, asked: dict[str, Any]
) -> None:
    """A question that may cost only so much shows nothing before it is known that a reader may be asked."""
    corpus(home)
    slow = Slow()
    app = House(home, asking=slow).app()
    with served(app) as client:
        with left(client, path, {**asked, "stream": True}):
            wait_until(slow.waiting.is_set)
            assert app.state.parts.desk.asking == 1
        try:
            wait_until(lambda: app.state.parts.desk.asking == 0)
        finally:
            slow.open.set()
    [(error,)] = sqlite3.connect(home / "ledger.sqlite").execute("SELECT error FROM questions").fetchall()
    assert error.startswith("CancelledError")
