"""A reading is made once; replayed, it gives the same draft and is charged again as if it were made."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from selfroute.errors import BadInput
from selfroute.readers.recorded import AnswersReader, Recorded, RecordedReader, Said, key_of
from selfroute.readers.scripted import ScriptedReader, answers, declines, fails
from selfroute.types import Call, Draft, Passage, Question, Reading, Record, Route, Shape, Shown, Stage, Task, Usage

CHUNKS = Reading(Question("Who?"), (Passage("d", 0, "Ann did."), Passage("d", 40, "Bo did not.")), Route.RAG)
WHOLE = Reading(Question("Who?"), (Passage("d", 0, "Ann did. And so on. Bo did not."),), Route.LONG_CONTEXT)


@dataclass
class InMemory:
    """Readings that last as long as the test."""

    known: dict[str, Recorded] = field(default_factory=dict)
    wasted: list[Call] = field(default_factory=list)

    def find(self, key: str) -> Recorded | None:
        return self.known.get(key)

    def keep(self, key: str, recorded: Recorded) -> None:
        self.known[key] = recorded

    def waste(self, key: str, calls: Sequence[Call]) -> None:
        self.wasted += calls


def read(reader: RecordedReader | AnswersReader, *readings: Reading) -> tuple[list[Draft], list[Call]]:
    calls: list[Call] = []

    async def record(call: Call) -> None:
        calls.append(call)

    async def all_of(readings: Sequence[Reading]) -> list[Draft]:
        return [await reader.read(reading, record) for reading in readings]

    return asyncio.run(all_of(readings)), calls


def at_once(reader: RecordedReader, *readings: Reading) -> tuple[list[Draft | BaseException], list[Call]]:
    calls: list[Call] = []

    async def record(call: Call) -> None:
        await asyncio.sleep(0)
        calls.append(call)

    async def all_of() -> list[Draft | BaseException]:
        return await asyncio.gather(*(reader.read(one, record) for one in readings), return_exceptions=True)

    return asyncio.run(all_of()), calls


def test_a_second_policy_costs_no_second_reading() -> None:
    inner = ScriptedReader([answers("Ann"), declines()])
    drafts, calls = read(RecordedReader(inner, InMemory()), CHUNKS, WHOLE, CHUNKS, WHOLE)
    assert inner.readings == [CHUNKS, WHOLE]
    assert drafts[:2] == drafts[2:]
    assert calls[:2] == calls[2:]


def test_a_replayed_reading_is_charged_as_if_it_were_made() -> None:
    readings = InMemory()
    first = read(RecordedReader(ScriptedReader([answers("Ann")]), readings), CHUNKS)
    again = read(RecordedReader(ScriptedReader([]), readings), CHUNKS)
    assert again == first
    assert again[1][0].usage.input_tokens > 0


def test_a_reading_that_failed_is_made_again() -> None:
    inner = ScriptedReader([fails(RuntimeError("dropped")), answers("Ann")])
    reader = RecordedReader(inner, InMemory())
    with pytest.raises(RuntimeError, match="dropped"):
        read(reader, CHUNKS)
    drafts, _ = read(reader, CHUNKS)
    assert drafts[0].answer == "Ann"


@pytest.mark.parametrize("error", [RuntimeError("dropped"), asyncio.CancelledError()])
def test_what_a_reading_took_that_came_to_nothing_is_kept(error: BaseException) -> None:
    call = Call(Stage.READ_CHUNKS, "m", Usage(10), seconds=0.25)

    class Failing(ScriptedReader):
        async def read(self, reading: Reading, record: Record, shown: Shown | None = None) -> Draft:
            await record(call)
            raise error

    readings = InMemory()
    with pytest.raises(type(error)):
        read(RecordedReader(Failing([]), readings), CHUNKS)
    assert (readings.known, readings.wasted) == ({}, [call])


def test_a_reading_that_is_asked_for_twice_at_a_time_is_made_once_and_charged_twice() -> None:
    inner = ScriptedReader([answers("Ann"), answers("Bo")])
    drafts, calls = at_once(RecordedReader(inner, InMemory()), CHUNKS, CHUNKS, CHUNKS)
    assert inner.readings == [CHUNKS]
    assert [draft.answer for draft in drafts if isinstance(draft, Draft)] == ["Ann"] * 3
    assert calls == [calls[0]] * 3


def test_a_reading_that_another_waited_for_in_vain_is_made_by_it() -> None:
    inner = ScriptedReader([fails(RuntimeError("dropped")), answers("Ann")])
    first, second = at_once(RecordedReader(inner, InMemory()), CHUNKS, CHUNKS)[0]
    assert isinstance(first, RuntimeError)
    assert isinstance(second, Draft)
    assert second.answer == "Ann"


def test_different_readings_do_not_wait_for_each_other() -> None:
    two = asyncio.Barrier(2)

    class Meeting(ScriptedReader):
        async def read(self, reading: Reading, record: Record, shown: Shown | None = None) -> Draft:
            await asyncio.wait_for(two.wait(), 30)
            return await super().read(reading, record, shown)

    drafts, _ = at_once(RecordedReader(Meeting([answers("Ann"), answers("Ann")]), InMemory()), CHUNKS, WHOLE)
    assert [type(draft) for draft in drafts] == [Draft, Draft]


@pytest.mark.parametrize(
    "other",
    [
        WHOLE,
        replace(CHUNKS, question=Question("Whom?")),
        replace(CHUNKS, question=Question("Who?", task=Task(Shape.TEXT))),
        replace(CHUNKS, passages=CHUNKS.passages[:1]),
        replace(CHUNKS, passages=CHUNKS.passages[::-1]),
        replace(CHUNKS, passages=(Passage("d", 0, "Ann did!"), CHUNKS.passages[1])),
        replace(CHUNKS, passages=(Passage("e", 0, "Ann did."), CHUNKS.passages[1])),
    ],
)
def test_whatever_decides_a_reading_makes_it_another(other: Reading) -> None:
    assert key_of(other, "m") != key_of(CHUNKS, "m")


def test_another_model_reads_for_itself() -> None:
    assert key_of(CHUNKS, "m") != key_of(CHUNKS, "n")


def test_a_reading_is_another_with_a_header_beside_its_rows() -> None:
    passage = CHUNKS.passages[0]
    headed = replace(CHUNKS, passages=(replace(passage, header="quay | fee"), *CHUNKS.passages[1:]))
    assert key_of(headed, "m") != key_of(CHUNKS, "m")


def test_the_scope_of_the_question_does_not_make_it_another_reading() -> None:
    assert key_of(replace(CHUNKS, question=Question("Who?", ("d",))), "m") == key_of(CHUNKS, "m")


def test_model_window_and_counts_are_those_of_the_reader_behind() -> None:
    inner = ScriptedReader([], model="m", window=7)
    reader = RecordedReader(inner, InMemory())
    assert (reader.model, reader.window, reader.count_tokens(CHUNKS)) == ("m", 7, inner.count_tokens(CHUNKS))


RECORDED = AnswersReader(
    "gpt",
    {("d", "Who?"): Said(rag="It does not say.", long="Ann")},
    refuses=lambda text: "not say" in text,
    count=lambda text: len(text.split()),
)


def test_recorded_answers_are_given_by_route_and_a_refusal_is_a_decline() -> None:
    (chunks, whole), calls = read(RECORDED, CHUNKS, WHOLE)
    assert (chunks.declined, chunks.answer, chunks.guess) == (True, None, "It does not say.")
    assert (whole.declined, whole.answer) == (False, "Ann")
    assert [call.stage for call in calls] == [Stage.READ_CHUNKS, Stage.READ_DOCUMENTS]


def test_usage_of_recorded_answers_is_an_estimate() -> None:
    _, [call] = read(RECORDED, CHUNKS)
    assert call == Call(Stage.READ_CHUNKS, "gpt", Usage(input_tokens=6, output_tokens=4), 0.0, estimated=True)


def test_a_question_that_was_not_recorded_is_refused_by_name() -> None:
    with pytest.raises(BadInput, match="no answer of gpt is recorded"):
        read(RECORDED, replace(CHUNKS, question=Question("Why?")))
