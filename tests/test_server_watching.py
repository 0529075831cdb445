"""Every question is watched from its beginning to its end, whatever the end is, and no watcher can spoil it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from service import KNOWN, WHO, House, corpus, events, served

from selfroute.errors import EndpointFailed
from selfroute.readers.scripted import KnowingReader, ScriptedReader, fails
from selfroute.server.access import Caller
from selfroute.server.watching import Ask, Ended, Remembering, Watcher
from selfroute.types import Event, Step, Used

pytestmark = pytest.mark.end_to_end


@pytest.fixture
def house(home: Path) -> House:
    corpus(home)
    return House(home, observers=(Remembering(),))


def seen(house: House) -> list[list[Event | Ended]]:
    [observer] = house.observers
    assert isinstance(observer, Remembering)
    return [told for _, _, told in observer.seen]


def ended(house: House) -> Ended:
    [told] = seen(house)
    [end] = [event for event in told if isinstance(event, Ended)]
    assert told[-1] is end
    return end


@pytest.mark.parametrize("stream", [False, True])
def test_a_question_is_watched_with_its_steps_its_calls_and_its_answer(house: House, stream: bool) -> None:
    with served(house.app()) as client:
        reply = client.post("/v1/ask", json={"question": WHO, "corpus": "port", "stream": stream})
        assert reply.status_code == 200
    [told] = seen(house)
    steps = [(event.name, event.declined) for event in told if isinstance(event, Step)]
    assert steps == [("retrieve", None), ("read_chunks", None), ("read_chunks", False)]
    calls = tuple(event.call for event in told if isinstance(event, Used))
    end = ended(house)
    assert end.answer is not None
    assert (end.answer.answer, end.error, end.calls) == ("Olof Berg", None, calls)
    assert end.seconds >= end.answer.totals.seconds


@pytest.mark.parametrize("stream", [False, True])
def test_a_question_that_is_refused_is_watched_with_why(house: House, stream: bool) -> None:
    with served(house.app()) as client:
        client.post("/v1/ask", json={"question": WHO, "corpus": "nope", "stream": stream})
    assert type(ended(house).error).__name__ == "UnknownCorpus"


@pytest.mark.parametrize("stream", [False, True])
def test_a_question_that_fails_at_its_reading_is_watched_with_the_call_that_failed(house: House, stream: bool) -> None:
    house.reader = ScriptedReader([fails(EndpointFailed("stub", "out of paper"))])
    with served(house.app()) as client:
        reply = client.post("/v1/ask", json={"question": WHO, "corpus": "port", "stream": stream})
        assert reply.status_code == (200 if stream else 502)
    end = ended(house)
    assert (end.answer, type(end.error)) == (None, EndpointFailed)
    assert "out of paper" in (end.calls[-1].error or "")


def test_a_question_whose_asker_leaves_is_watched_as_left(
    house: House, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    house.reader = KnowingReader(KNOWN, seconds=30)
    app = house.app()
    with served(app) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.post("/v1/ask", json={"question": WHO, "corpus": "port"}, timeout=0.5)
        with client.stream("POST", "/v1/ask", json={"question": WHO, "corpus": "port", "stream": True}) as reply:
            assert next(reply.iter_lines()).startswith("event: step")
        wait_until(lambda: app.state.parts.desk.asking == 0)
        wait_until(lambda: all(isinstance(told[-1], Ended) for told in seen(house)))
    ends = [told[-1] for told in seen(house)]
    assert len(ends) == 2
    assert all(isinstance(end, Ended) and isinstance(end.error, asyncio.CancelledError) for end in ends)


class Fails:
    """An observer that fails: at once, or at what it is told."""

    def __init__(self, at_once: bool) -> None:
        self._at_once = at_once

    def begin(self, ask: Ask, caller: Caller) -> Watcher:
        if self._at_once:
            raise RuntimeError("no paper")

        def watch(event: Event | Ended) -> None:
            raise RuntimeError("no ink")

        return watch


@pytest.mark.parametrize("at_once", [True, False])
def test_an_observer_that_fails_is_logged_and_spoils_nothing(
    house: House, at_once: bool, caplog: pytest.LogCaptureFixture
) -> None:
    house.observers = (Fails(at_once), *house.observers)
    with served(house.app()) as client:
        reply = client.post("/v1/ask", json={"question": WHO, "corpus": "port", "stream": True})
        assert events(reply.text.splitlines())[-1][0] == "done"
    assert any(isinstance(event, Ended) for _, _, told in house.observers[1].seen for event in told)  # type: ignore[attr-defined]
    assert len([record for record in caplog.records if "an observer failed" in record.message]) == 1
