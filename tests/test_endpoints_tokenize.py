"""Tokens are counted by the server where it can, and by an approximation that says so where it cannot."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from selfroute.endpoints.tokenize import served
from selfroute.tokens import approximation, tokenizer

pytestmark = pytest.mark.end_to_end


class Counting(ThreadingHTTPServer):
    """Counts letters as tokens at `/tokenize`, as vLLM answers; `status` makes it fail."""

    def __init__(self, status: int = 200, body: bytes | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = status
        self.body = body
        self.location = ""
        self.asked: list[tuple[str, str | None, dict[str, Any]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Counting

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers.get("Authorization"), asked))
        said = self.server.body or json.dumps({"count": len(asked["prompt"]), "max_model_len": 9}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(said)))
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *args: object) -> None:
        """Quiet."""


@contextmanager
def counting(status: int = 200, body: bytes | None = None) -> Iterator[Counting]:
    with Counting(status, body) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_the_servers_own_tokenizer_counts_a_model_that_is_not_known() -> None:
    with counting() as server:
        made = tokenizer("mine", None, served(server.url, "mine", "the-key"))
        assert made.count("twelve marks") == 12
        assert (made.split.name, made.split.approximate) == ("the server's own tokenizer", False)
        path, key, asked = server.asked[-1]
        assert (path, key) == ("/tokenize", "Bearer the-key")
        assert asked == {"model": "mine", "prompt": "twelve marks", "add_special_tokens": False}


def test_a_text_is_counted_once_however_often_it_is_asked_for() -> None:
    with counting() as server:
        made = tokenizer("mine", None, served(server.url, "mine"))
        assert {made.count("twelve marks") for _ in range(3)} == {12}
        assert len(server.asked) == 2  # the first asks whether it counts at all


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, None), (401, None), (200, b"no json"), (200, b"[]"), (200, b'{"count": "many"}'), (200, b"[" * 5000)],
)
def test_a_server_that_does_not_count_leaves_an_approximation_that_says_so(status: int, body: bytes | None) -> None:
    with counting(status, body) as server:
        made = tokenizer("mine", None, served(server.url, "mine"))
        assert made.count("the harbour master") == approximation().count("the harbour master")
        assert (made.split.name, made.split.approximate) == ("tiktoken o200k_base, an approximation", True)
        made.count("more text")
        assert len(server.asked) == 1


def test_a_server_that_is_not_there_leaves_an_approximation() -> None:
    with counting() as server:
        url = server.url
    assert tokenizer("mine", None, served(url, "mine")).split.approximate


def test_a_server_that_stops_counting_is_stood_in_for() -> None:
    with counting() as server:
        made = tokenizer("mine", None, served(server.url, "mine"))
        assert made.count("abc") == 3
        server.status = 500
        assert made.count("the harbour master") == approximation().count("the harbour master")


def test_the_key_does_not_follow_a_redirect_to_another_host() -> None:
    with counting() as other, counting(302) as server:
        server.location = other.url.replace("127.0.0.1", "localhost")
        assert tokenizer("mine", None, served(server.url, "mine", "the-key")).split.approximate
        assert other.asked == []


def test_a_server_that_did_not_count_is_left_alone_for_a_while() -> None:
    with counting() as server:
        made = tokenizer("mine", None, served(server.url, "mine"))
        assert made.count("abc") == 3
        server.status = 500
        asked = len(server.asked)
        for text in ("one", "two", "three"):
            made.count(text)
        assert len(server.asked) == asked + 1


def test_no_server_is_asked_where_the_model_or_the_settings_say_what_counts() -> None:
    with counting() as server:
        assert tokenizer("gpt-4o", None, served(server.url, "gpt-4o")).count("night") == 1
        assert tokenizer("mine", "cl100k_base", served(server.url, "mine")).count("night") == 1
        assert server.asked == []
