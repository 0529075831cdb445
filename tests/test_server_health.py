"""Whether the service can answer: the failing part is named, why stands in the log, and looking costs little."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from service import House, corpus, served
from stub_openai import StubOpenAI

from selfroute import build_service, settings
from selfroute.errors import DiskFull, HomeNotWritable, LedgerBusy, UnusableIndex
from selfroute.index.upkeep import Corpora
from selfroute.ledger import Ledger
from selfroute.server.readiness import Readiness

pytestmark = pytest.mark.end_to_end


async def fine() -> None:
    """Finds nothing."""


async def fails() -> None:
    raise HomeNotWritable(Path("/secret/place"), "read-only file system")


async def hangs() -> None:
    await asyncio.Event().wait()


async def breaks() -> None:
    raise ZeroDivisionError


def test_a_service_whose_parts_are_there_is_ready(home: Path) -> None:
    house = House(home, checks={"ledger": fine, "corpora": fine})
    with served(house.app()) as client:
        reply = client.get("/readyz")
        assert (reply.status_code, client.get("/healthz").status_code) == (200, 200)
    assert reply.json() == {"status": "ready", "parts": {"ledger": "ok", "corpora": "ok"}}


def test_the_part_that_fails_is_named_and_why_is_for_the_log_alone(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(home, checks={"ledger": fails, "corpora": fine})
    with served(house.app()) as client:
        reply = client.get("/readyz")
        assert client.get("/healthz").status_code == 200
    assert (reply.status_code, reply.headers["content-type"]) == (503, "application/problem+json")
    assert reply.json()["detail"].startswith("not ready: ledger;")
    assert reply.json()["parts"] == {"ledger": "fails", "corpora": "ok"}
    assert "secret" not in reply.text
    assert "ledger: cannot write to /secret/place" in caplog.text


def test_a_check_that_hangs_or_breaks_is_a_part_that_fails() -> None:
    found = asyncio.run(Readiness({"a": fine, "b": hangs, "c": breaks}, patience=0.05).found())
    assert found.failing == ("b", "c")


def test_what_was_found_is_good_for_a_while_and_those_who_ask_at_once_wait_for_one_look() -> None:
    looks = 0

    async def counted() -> None:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0)

    async def looked(readiness: Readiness, times: int) -> int:
        before = looks
        await asyncio.gather(*(readiness.found() for _ in range(8)))
        for _ in range(times - 1):
            await readiness.found()
        return looks - before

    assert asyncio.run(looked(Readiness({"a": counted}, good_for=60), 3)) == 1
    assert asyncio.run(looked(Readiness({"a": counted}, good_for=0), 3)) == 3


def test_a_ledger_that_another_process_holds_cannot_be_written(home: Path) -> None:
    ledger = Ledger(home / "ledger.sqlite")
    ledger.check_writable()
    with sqlite3.connect(home / "ledger.sqlite", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerBusy, match=r"ledger\.sqlite"):
            ledger.check_writable()
        other.execute("ROLLBACK")
    ledger.check_writable()


def test_a_ledger_whose_disk_is_full_says_so(home: Path) -> None:
    """SQLite's own limit stands for the disk's."""
    ledger = Ledger(home / "ledger.sqlite")
    with ledger._reading() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(DiskFull, match="make room there"):
        ledger.begin_judging("a", "x" * 500_000, "run")


def test_corpora_are_there_unless_none_can_be_opened(home: Path) -> None:
    corpora = Corpora(home)
    corpora.check_readable()
    corpus(home)
    corpus(home, "second")
    (home / "port" / "manifest.json").write_text("torn")
    corpora.check_readable()
    (home / "second" / "manifest.json").write_text("torn")
    with pytest.raises(UnusableIndex):
        corpora.check_readable()


def test_the_service_as_it_is_built_is_ready_while_its_endpoint_can_be_reached(
    home: Path, tmp_path: Path, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    config = tmp_path / "mine.yaml"
    with StubOpenAI() as stub:
        endpoint = f"{{base_url: '{stub.url}', model: stub, window: 8000}}"
        config.write_text(f"home: {home}\nreader: {{kind: chat, chunks: here}}\nendpoints: {{here: {endpoint}}}\n")
        chosen = settings.load(config)
        with served(build_service.app(chosen)) as client:
            wait_until(lambda: client.get("/readyz").status_code == 200)  # once the endpoint's library is loaded
            reply = client.get("/readyz")
            assert (reply.status_code, reply.json()["parts"]) == (
                200,
                {"ledger": "ok", "corpora": "ok", "endpoint here": "ok"},
            )
        assert stub.asked == []
    with served(build_service.app(chosen)) as client:
        reply = client.get("/readyz")
    assert (reply.status_code, reply.json()["parts"]["endpoint here"]) == (503, "fails")


def test_what_health_and_metrics_answer_is_described(home: Path) -> None:
    with served(House(home).app()) as client:
        paths = client.get("/openapi.json").json()["paths"]
    answers = paths["/metrics"]["get"]["responses"]
    assert set(answers["200"]["content"]) == {"text/plain", "application/openmetrics-text"}
    assert {"401", "403"} < set(answers)
    assert set(paths["/readyz"]["get"]["responses"]["503"]["content"]) == {"application/problem+json"}
