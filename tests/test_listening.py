"""The service takes connections from the moment that it tells its address, and answers without waiting."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from commands import Command

pytestmark = pytest.mark.end_to_end


@pytest.fixture
def url(home: Path) -> Iterator[str]:
    with Command("serve", "--port", "0", SELFROUTE_HOME=str(home), SELFROUTE_EMBEDDER__KIND="hashing") as service:
        assert service.stdout is not None
        yield service.stdout.readline().split()[2]
        service.terminate()
        service.wait()


def test_who_connects_at_once_is_not_refused(url: str) -> None:
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port or 0), timeout=60) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")


def test_a_reply_does_not_wait_for_the_client_to_acknowledge_its_head(url: str) -> None:
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        taken = []
        for _ in range(30):
            began = time.perf_counter()
            assert client.get("/healthz").status_code == 200
            taken.append(time.perf_counter() - began)
    assert min(taken[5:]) < 0.03  # with Nagle's algorithm each takes 40 ms and more
