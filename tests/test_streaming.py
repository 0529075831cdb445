"""A question told as it happens: in order, nothing that may be taken back, and who leaves ends what is under way."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from stub_openai import Plan, StubOpenAI
from test_growing import HEAD, LONG, replies

from selfroute.embedders.hashing import HashingEmbedder
from selfroute.endpoints.openai import OpenAIEndpoint, Options
from selfroute.endpoints.scripted import ScriptedEndpoint
from selfroute.engine import Engine
from selfroute.errors import EmptyQuestion, EndpointFailed, EndpointUnreachable, UnusableReply
from selfroute.policies import POLICIES
from selfroute.prices import Prices
from selfroute.readers import Reader
from selfroute.readers.chat import ChatReader
from selfroute.readers.extractive import ExtractiveReader
from selfroute.readers.scripted import ScriptedReader, answers, declines, fails
from selfroute.streaming import MOST_WAITING, streamed
from selfroute.tokens import tokenizer
from selfroute.types import Answer, Call, Cited, Delta, Document, Done, Emit, Event, Question, Route, Stage, Step, Used

HARBOUR = Document(
    "port.md",
    "The harbour master is Olof Berg.\n\nNight work is approved by him.\n" * 20,
    "port.md",
)
WHO = "Who is the harbour master?"
FOUND = {"answerable": True, "answer": "Olof Berg, the harbour master", "quotes": ["is Olof Berg"]}


@dataclass
class Notes:
    """An account in memory."""

    calls: list[Call] = field(default_factory=list)
    finished: list[Answer] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    async def begin(self, id: str, question: Question, policy: str, corpus: str, key: str | None = None) -> None:  # noqa: A002
        pass

    async def record(self, question: str, call: Call) -> None:
        self.calls.append(call)

    async def finish(self, answer: Answer) -> None:
        self.finished.append(answer)

    def fail(self, id: str, error: str) -> None:  # noqa: A002
        self.failed.append(error)


def test_events_come_in_their_order_and_the_answer_in_its_words() -> None:
    events = told(ScriptedReader([declines(), answers("Olof Berg")]))
    assert [event for event in events if not isinstance(event, Used | Done)] == [
        Step("retrieve"),
        Step("read_chunks"),
        Step("read_chunks", declined=True),
        Step("read_documents"),
        Delta("Olof "),
        Delta("Berg"),
        Step("read_documents", declined=False),
        Cited(last(events).citations[0]),
    ]
    assert tuple(event.call for event in events if isinstance(event, Used)) == last(events).calls


def test_an_answer_told_is_the_answer_that_ask_gives() -> None:
    for script in ([answers("Olof Berg")], [declines(), answers("Olof Berg")], [declines(), declines()]):
        one = last(told(ScriptedReader(script)))
        other = asyncio.run(engine(ScriptedReader(script)).ask(WHO, corpus=HARBOUR))
        assert (one.answer, one.outcome, one.path) == (other.answer, other.outcome, other.path)
        assert (one.citations, one.explain) == (other.citations, other.explain)
        assert [call.usage for call in one.calls] == [call.usage for call in other.calls]


def test_a_draft_that_might_be_overruled_is_told_whole_once_it_stands() -> None:
    events = told(ScriptedReader([answers("Olof Berg")]))
    assert last(events).route is Route.RAG
    assert [event for event in events if isinstance(event, Delta)] == [Delta("Olof Berg")]
    assert events.index(Step("read_chunks", declined=False)) < events.index(Delta("Olof Berg"))


@pytest.mark.parametrize("policy", ["always_rag", "always_long"])
def test_a_draft_that_nothing_can_overrule_is_told_as_it_is_made(policy: str) -> None:
    events = told(ScriptedReader([answers("Olof Berg")]), policy)
    assert [event for event in events if isinstance(event, Delta)] == [Delta("Olof "), Delta("Berg")]


def test_without_an_answer_no_text_is_told() -> None:
    events = told(ScriptedReader([declines(), declines()]))
    assert not any(isinstance(event, Delta | Cited) for event in events)
    assert last(events).answer is None


def test_the_bundled_reader_tells_its_answer_at_once() -> None:
    text = "Night work is approved by the harbour master, Olof Berg."
    events = told(ExtractiveReader(), "always_long", "Who approves night work?", Document("a.md", text, "a.md"))
    assert [event.text for event in events if isinstance(event, Delta)] == [last(events).answer]
    assert "Olof Berg" in (last(events).answer or "")


def test_an_answer_stands_in_the_account_before_what_was_held_back_of_it_is_told() -> None:
    notes = Notes()

    async def followed() -> None:
        async for event in engine(ScriptedReader([answers("Olof Berg")]), notes).ask_stream(WHO, corpus=HARBOUR):
            assert not isinstance(event, Delta) or notes.finished
            assert not isinstance(event, Used) or event.call in notes.calls

    asyncio.run(followed())
    assert notes.finished


def test_an_error_after_the_first_word_ends_the_stream_and_nothing_is_read_again() -> None:
    notes, reader = Notes(), ScriptedReader([declines(), fails(EndpointUnreachable("x", "cut"), after="Olof Berg")])
    events: list[Event] = []
    with pytest.raises(EndpointUnreachable, match="cut"):
        asyncio.run(gathered(engine(reader, notes).ask_stream(WHO, corpus=HARBOUR), events))
    assert [event.text for event in events if isinstance(event, Delta)] == ["Olof ", "Berg"]
    assert not any(isinstance(event, Done) for event in events)
    assert (len(reader.readings), len(notes.failed), notes.finished) == (2, 1, [])


def test_an_error_before_anything_is_read_comes_out_of_the_stream_too() -> None:
    with pytest.raises(EmptyQuestion):
        told(ScriptedReader([]), question=" ")


@given(replies, st.integers(1, 40), st.booleans(), st.booleans())
@example(json.dumps(FOUND), 3, True, True)
@example(HEAD + 'Berg"}', 1, True, False)
@example(LONG + ". " + LONG + " \n<|end|> ", 5, False, False)
def test_what_is_told_is_the_answer_exactly_whatever_the_reply_and_its_pieces(
    reply: str, piece: int, schemas: bool, thinks: bool
) -> None:
    reader = ChatReader(ScriptedEndpoint([reply], schemas=schemas, thinks=thinks, piece=piece))
    events: list[Event] = []
    try:
        asyncio.run(gathered(engine(reader).ask_stream(WHO, "always_long", corpus=HARBOUR), events))
    except UnusableReply:
        shown = "".join(event.text for event in events if isinstance(event, Delta))
        assert not shown or (not schemas and not thinks and "</think" in reply.lower())
        return
    assert "".join(event.text for event in events if isinstance(event, Delta)) == (last(events).answer or "")


def test_a_reply_that_proves_to_be_thoughts_after_it_was_shown_is_refused_with_what_to_do() -> None:
    reader = ChatReader(ScriptedEndpoint([f"{LONG}. {LONG}\n</think>\nBerg"], schemas=False, piece=8))
    with pytest.raises(UnusableReply, match="were thoughts, and no answer: set its reasoning_tokens"):
        told(reader, "always_long")


@pytest.fixture
def stub() -> Iterator[StubOpenAI]:
    with StubOpenAI(lambda asked: Plan(json.dumps(FOUND))) as running:
        yield running


def test_an_endpoint_streams_what_is_final_and_nothing_else(stub: StubOpenAI) -> None:
    events = told(chat(stub), "always_long")
    assert len([event for event in events if isinstance(event, Delta)]) > 2
    assert "".join(event.text for event in events if isinstance(event, Delta)) == FOUND["answer"]
    told(chat(stub), "self_route")
    asyncio.run(engine(chat(stub)).ask(WHO, "always_long", corpus=HARBOUR))
    assert [bool(asked.body.get("stream")) for asked in stub.asked] == [True, False, False]


def test_text_is_told_before_the_reply_has_ended_and_leaving_stops_the_server_and_is_accounted(
    stub: StubOpenAI, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    stub.answer = lambda asked: Plan(json.dumps(FOUND), breaks="stall_at_end")
    notes = Notes()

    async def left() -> None:
        async with aclosing(engine(chat(stub), notes).ask_stream(WHO, "always_long", corpus=HARBOUR)) as events:
            async for event in events:
                if isinstance(event, Delta):
                    await asyncio.to_thread(wait_until, lambda: bool(stub.stalled))  # all that it sends is charged
                    break
        # The stream is closed, and so is the connection; what it took is in the account already.
        [call] = [call for call in notes.calls if call.stage is Stage.READ_DOCUMENTS]
        assert (call.error, call.estimated) == ("abandoned", True)
        assert call.usage.input_tokens == stub.charged["input_tokens"]
        assert 0 < call.usage.output_tokens <= stub.charged["output_tokens"]
        await asyncio.to_thread(wait_until, lambda: stub.gone == 1)

    asyncio.run(left())
    assert notes.failed
    assert "CancelledError" in notes.failed[0]


def test_a_stream_that_breaks_off_after_its_first_word_is_not_asked_for_again(stub: StubOpenAI) -> None:
    stub.answer = lambda asked: Plan(json.dumps({**FOUND, "answer": LONG * 3}), breaks="within")
    events: list[Event] = []
    with pytest.raises(EndpointUnreachable):
        asyncio.run(gathered(engine(chat(stub)).ask_stream(WHO, "always_long", corpus=HARBOUR), events))
    shown = "".join(event.text for event in events if isinstance(event, Delta))
    assert shown
    assert (LONG * 3).startswith(shown)
    assert len(stub.asked) == 1


def test_a_failure_before_the_first_word_is_tried_again(stub: StubOpenAI) -> None:
    stub.answer = lambda asked: Plan(status=503) if asked.number == 1 else Plan(json.dumps(FOUND))
    assert last(told(chat(stub), "always_long")).answer == FOUND["answer"]
    assert len(stub.asked) == 2


THOUGHT = f"<think>{LONG * 3}</think>"
ROLE = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}
THINKING = {"choices": [{"index": 0, "delta": {"reasoning_content": "Who is it?"}, "finish_reason": None}]}
BEGUN = {"choices": [{"index": 0, "delta": {"content": '{"answerable": true, "ans'}, "finish_reason": None}]}
ANSWERING = {"choices": [{"index": 0, "delta": {"content": json.dumps(FOUND)[:-40]}, "finish_reason": None}]}


def broken(begun: object, then: bytes) -> Plan:
    """A stream of one event, and what comes instead of the next."""
    return Plan(body=f"data: {json.dumps(begun)}\n\ndata: ".encode() + then, content_type="text/event-stream")


FAILED = b'{"error": {"message": "out of memory", "code": 503}}\n\n'
OVERLOADED = b'{"error": {"message": "too many of you", "type": "overloaded_error"}}\n\n'
GARBLED = b'{"choices": [{"index": 0, "del\n\n'


@pytest.mark.parametrize(
    ("first", "said"),
    [
        (Plan(THOUGHT + json.dumps(FOUND), breaks="within"), "the connection was cut"),
        (broken(BEGUN, FAILED), "out of memory"),
        (broken(BEGUN, OVERLOADED), "too many of you"),
        (broken(BEGUN, GARBLED), "no JSON"),
        (broken(THINKING, FAILED), "out of memory"),
        (broken(THINKING, GARBLED), "no JSON"),
        (broken(ROLE, GARBLED), "no JSON"),
        (broken(BEGUN, b"[]\n\n"), "no part of a reply"),
    ],
    ids=["cut", "failed", "overloaded", "garbled", "thought, failed", "thought, garbled", "garbled at once", "odd"],
)
def test_a_stream_that_breaks_before_its_first_word_is_asked_for_again_and_both_are_accounted(
    stub: StubOpenAI, first: Plan, said: str
) -> None:
    stub.answer = lambda asked: first if asked.number == 1 else Plan(json.dumps(FOUND))
    notes = Notes()
    events: list[Event] = []
    asyncio.run(gathered(engine(chat(stub), notes).ask_stream(WHO, "always_long", corpus=HARBOUR), events))
    pieces = [event.text for event in events if isinstance(event, Delta)]
    assert "".join(pieces) == FOUND["answer"]
    assert len(pieces) > 2  # as it was made, and not whole at the end
    failed, made = (call for call in notes.calls if call.stage is Stage.READ_DOCUMENTS)
    assert said in str(failed.error)
    assert made.error is None
    assert failed.usage.input_tokens + made.usage.input_tokens == stub.charged["input_tokens"]
    assert [event.call for event in events if isinstance(event, Used)][-2:] == [failed, made]


@pytest.mark.parametrize("then", [FAILED, GARBLED], ids=["failed", "garbled"])
def test_a_stream_that_breaks_in_whatever_way_after_its_first_word_is_not_asked_for_again(
    stub: StubOpenAI, then: bytes
) -> None:
    stub.answer = lambda asked: broken(ANSWERING, then)
    events: list[Event] = []
    with pytest.raises(EndpointFailed):
        asyncio.run(gathered(engine(chat(stub)).ask_stream(WHO, "always_long", corpus=HARBOUR), events))
    assert any(isinstance(event, Delta) for event in events)
    assert len(stub.asked) == 1


def test_a_stream_that_keeps_breaking_ends_with_the_retries(stub: StubOpenAI) -> None:
    stub.answer = lambda asked: broken(BEGUN, GARBLED)
    with pytest.raises(EndpointFailed, match="no JSON"):
        told(chat(stub, retries=2), "always_long")
    assert len(stub.asked) == 3


@pytest.mark.end_to_end
def test_who_follows_slowly_does_not_use_up_the_time_of_the_server(stub: StubOpenAI) -> None:
    stub.answer = lambda asked: Plan(json.dumps({**FOUND, "answer": LONG * 9}))  # more pieces than may wait

    async def followed() -> Event:
        reader = chat(stub, timeout=2)
        async with aclosing(engine(reader).ask_stream(WHO, "always_long", corpus=HARBOUR)) as events:
            slow = True
            async for event in events:
                if slow and isinstance(event, Delta):
                    await asyncio.sleep(2.5)  # more than the server may take
                    slow = False
        return event

    done = asyncio.run(followed())
    assert isinstance(done, Done)
    assert done.answer.answer == LONG * 9


def test_a_stream_that_is_only_left_is_closed_when_nobody_holds_it(
    stub: StubOpenAI, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    stub.answer = lambda asked: Plan(json.dumps(FOUND), breaks="stall_at_end")
    notes = Notes()

    async def left() -> None:
        async for event in engine(chat(stub), notes).ask_stream(WHO, "always_long", corpus=HARBOUR):
            if isinstance(event, Delta):
                break
        gc.collect()
        await asyncio.to_thread(wait_until, lambda: stub.gone == 1 and bool(notes.failed))

    asyncio.run(left())
    assert notes.calls[-1].error == "abandoned"


def test_a_cancellation_of_who_follows_is_one_of_the_work() -> None:
    async def cancelled() -> None:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def work(emit: Emit) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        async def follow() -> None:
            async for _ in streamed(work):
                pass

        task = asyncio.create_task(follow())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    asyncio.run(cancelled())


def test_work_waits_for_who_follows_it_and_leaving_then_ends_it() -> None:
    emitted: list[str] = []

    async def work(emit: Emit) -> None:
        try:
            while True:
                await emit(Delta("x"))
                emitted.append("x")
        finally:
            await emit(Delta("goes nowhere"))

    async def slowly() -> None:
        events = streamed(work)
        assert await anext(events) == Delta("x")
        for _ in range(1000):
            await asyncio.sleep(0)
        assert len(emitted) <= MOST_WAITING + 1
        await events.aclose()

    asyncio.run(slowly())


def engine(reader: Reader, notes: Notes | None = None, **more: Any) -> Engine:
    return Engine(
        home=Path("nowhere"),
        embedder=HashingEmbedder(),
        chunk_tokens=16,
        chunk_reader=reader,
        document_reader=reader,
        account=notes or Notes(),
        prices=Prices({}),
        policies={name: make() for name, make in POLICIES.items()},
        k=2,
        **more,
    )


def chat(stub: StubOpenAI, **more: Any) -> ChatReader:
    options = Options(name="small", base_url=stub.url, model="stub", window=8000, backoff=0.01, **more)
    return ChatReader(OpenAIEndpoint(options, tokenizer("stub")))


def told(reader: Reader, policy: str = "self_route", question: str = WHO, document: Document = HARBOUR) -> list[Event]:
    events: list[Event] = []
    asyncio.run(gathered(engine(reader).ask_stream(question, policy, corpus=document), events))
    return events


async def gathered(stream: AsyncIterator[Event], events: list[Event]) -> None:
    async for event in stream:
        events.append(event)


def last(events: list[Event]) -> Answer:
    assert isinstance(events[-1], Done)
    return events[-1].answer
