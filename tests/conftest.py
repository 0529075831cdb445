"""What several test files share: a steady run of the property tests, a home, and processes that can be killed."""

from __future__ import annotations

import codecs
import fcntl
import multiprocessing
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    import httpx
    from service import House

# The same examples each time: a red run on one machine is a red run on all. No deadline: machines differ.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.register_profile("fast", settings.get_profile("steady"), max_examples=10)
settings.load_profile("steady")

# A job that a script starts in the background inherits an interruption that is ignored, and so would every process
# that these tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


OF_A_MODULE = re.compile(r"^pytestmark = (?:.*\n)*?(?=\n)", re.MULTILINE)
"""The marks that are those of all tests of a module."""
UNWANTED = {"not slow": ("slow",), "not slow and not end_to_end": ("slow", "end_to_end")}
STARTING = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "commands.Command")
ASKED = ("uname", "lsb_release")
"""What Python's own `platform`, or the client of OpenAI, asks once in each process, whichever test comes first."""
starts: list[str] | None = None


def pytest_configure(config: pytest.Config) -> None:
    """Has what tests start read bytecode but write none: a process whose disk is made full leaves half a file behind,
    which Python takes for a whole one."""
    if hasattr(config, "workerinput") or not getattr(config.option, "numprocesses", None):
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A module of which no test is wanted by `make test` or `make test-fast` is not imported, which for some takes
    seconds in each process."""
    unwanted = UNWANTED.get(config.option.markexpr, ())
    if not unwanted or collection_path.suffix != ".py":
        return None
    marks = OF_A_MODULE.search(collection_path.read_text(encoding="utf-8"))
    return True if marks and any(f"pytest.mark.{mark}" in marks[0] for mark in unwanted) else None


def _notice(event: str, arguments: tuple[object, ...]) -> None:
    if starts is not None and event in STARTING and (not arguments or arguments[0] not in ASKED):
        starts.append(f"{event} {arguments[:2]}")


sys.addaudithook(_notice)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    global starts
    starts = [] if item.get_closest_marker("end_to_end") is None else None
    if starts is not None and "processes" in getattr(item, "fixturenames", ()):
        starts.append("a fork server")  # of which Python tells no hook
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fails a test that starts a process and is not marked so: `make test-fast` promises to run none of those."""
    global starts
    try:
        result = yield
    finally:
        started, starts = starts, None
    assert not started, f"mark this test end_to_end, since it starts processes: {started}"
    return result


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Makes a folder once a run, in whichever of its processes comes first. It is not to be written to: copy it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def made(name: str, make: Callable[[Path], None]) -> Path:
        folder, part = shared / f"once-{name}", shared / f"part-{name}"
        with (shared / f"lock-{name}").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                shutil.rmtree(part, ignore_errors=True)  # of one that failed
                part.mkdir()
                make(part)
                part.rename(folder)
        return folder

    return made


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "indexes"


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A house without a corpus, for the tests that leave it as it is."""
    from service import House

    return House(tmp_path_factory.mktemp("untouched") / "indexes")


@pytest.fixture(scope="module")
def refusing(untouched: House) -> Iterator[httpx.Client]:
    """A client of its service: to start one takes longer than to be refused by it."""
    from service import served

    with served(untouched.app()) as client:
        yield client


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a service with the corpus `port`, for the tests that leave it as it is."""
    from service import House, corpus, served

    home = tmp_path_factory.mktemp("shared") / "indexes"
    corpus(home)
    with served(House(home).app()) as client:
        yield client


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
            time.sleep(0.01)  # a shorter one would take the processor from what is waited for

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
