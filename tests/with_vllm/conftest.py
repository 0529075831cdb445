"""What the tests with vLLM share: a tiny model, a server of it, and one event loop. They need no GPU.

`make test-vllm` installs vLLM and runs them; where it is not installed they are skipped.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfroute.types import Document
from with_vllm import tiny
from with_vllm.parts import HANDBOOK, QUIET, Calls, Server


@pytest.fixture(scope="session", autouse=True)
def quiet() -> None:
    """For the engine in this process, which reads its environment when it is imported."""
    os.environ.update(QUIET)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="session")
def handbook() -> Document:
    return Document("harbour.md", HANDBOOK.read_text(encoding="utf-8"), "harbour.md")


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    """One event loop for all tests: an engine belongs to one, and takes long to start."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture(scope="session", autouse=True)
def starting(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Starts while the other tests run."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Server.started(model, port, tmp_path_factory.mktemp("server") / "log")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def server(starting: Server) -> Server:
    starting.wait()
    return starting
