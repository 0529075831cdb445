"""What several test files share: a steady run of the property tests, a home, and processes that can be killed."""

from __future__ import annotations

import codecs
import multiprocessing
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples each time: a red run on one machine is a red run on all. No deadline: machines differ.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("steady")

# A job that a script starts in the background inherits an interruption that is ignored, and so would every process
# that these tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "indexes"


@pytest.fixture
def open_home() -> Iterator[Path]:
    """A home that every user may enter: pytest's own folders are closed to others than the one that runs it."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def processes() -> ForkServerContext:
    """Starts processes that have imported already what indexing needs."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["selfroute.indexer", "llama_index.core.node_parser", "nltk"])
    return context


@pytest.fixture(scope="session")
def wait_until() -> Callable[[Callable[[], bool]], None]:
    """Waits for a condition; fails after a minute."""

    def wait(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end, "waited a minute in vain"
            time.sleep(0.001)

    return wait


@pytest.fixture(scope="session")
def as_nobody() -> Callable[[], None]:
    """Run in a process of its own: gives up the rights of root, to whom no file is closed."""
    return _as_nobody


def _as_nobody() -> None:
    codecs.lookup("utf-8-sig")  # Python itself may stand where nobody can read what is imported late
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
