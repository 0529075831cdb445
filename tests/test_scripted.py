"""The reader for tests does what its script says and counts words, so that tests can say what a reading costs."""

from __future__ import annotations

import asyncio

import pytest

from selfroute.readers import Reader
from selfroute.readers.scripted import Line, ScriptedReader, answers, declines, fails
from selfroute.types import Call, Draft, Passage, Question, Reading, Route, Stage, Usage

TEXT = "The harbour master is Olof Berg."


def test_it_is_a_reader() -> None:
    reader: Reader = ScriptedReader([])
    assert reader.window == 1_000_000


def test_it_follows_its_script_line_by_line() -> None:
    reader = ScriptedReader([declines(), answers("Olof Berg")])
    first, _ = read(reader)
    second, _ = read(reader)
    assert (first.declined, first.answer) == (True, None)
    assert (second.declined, second.answer) == (False, "Olof Berg")


def test_it_keeps_what_it_was_shown() -> None:
    reader = ScriptedReader([declines()])
    read(reader)
    assert reader.readings == [reading()]


def test_a_reading_that_the_script_does_not_know_of_is_an_error_of_the_test() -> None:
    with pytest.raises(IndexError):
        read(ScriptedReader([]))


def test_a_token_is_a_word_of_the_question_or_of_a_passage() -> None:
    _, [call] = read(ScriptedReader([answers("Olof Berg")]))
    assert call == Call(Stage.READ_CHUNKS, "scripted", Usage(input_tokens=2 + 6, output_tokens=2), seconds=0.0)
    assert ScriptedReader([]).count_tokens(reading()) == 8


def test_a_question_without_a_text_has_no_tokens() -> None:
    asked = Reading(Question(None), (Passage("d", 0, TEXT),), Route.LONG_CONTEXT)
    assert ScriptedReader([]).count_tokens(asked) == 6


def test_it_cites_the_answer_where_it_stands_in_the_document() -> None:
    draft, _ = read(ScriptedReader([answers("Olof Berg")]))
    [citation] = draft.citations
    at = 100 + TEXT.index("Olof Berg")
    assert (citation.document, citation.start, citation.end, citation.text) == ("d", at, at + 9, "Olof Berg")


def test_it_cites_nothing_for_an_answer_that_is_not_there() -> None:
    draft, _ = read(ScriptedReader([answers("Anna Lind")]))
    assert (draft.answer, draft.citations) == ("Anna Lind", ())


def test_a_reading_that_fails_is_recorded_first() -> None:
    calls: list[Call] = []
    reader = ScriptedReader([fails(TimeoutError("too slow"))])
    with pytest.raises(TimeoutError, match="too slow"):
        asyncio.run(reader.read(reading(), Keeping(calls)))
    assert [(call.error, call.usage) for call in calls] == [("too slow", Usage(input_tokens=8))]


@pytest.mark.parametrize("line", [answers("Olof Berg"), declines()])
@pytest.mark.parametrize("route", Route)
def test_a_draft_is_of_the_route_that_was_read(line: Line, route: Route) -> None:
    draft, [call] = read(ScriptedReader([line]), route)
    assert draft.route is route
    assert call.stage is reading(route).stage


def reading(route: Route = Route.RAG) -> Reading:
    return Reading(Question("harbour master?"), (Passage("d", 100, TEXT),), route)


def read(reader: ScriptedReader, route: Route = Route.RAG) -> tuple[Draft, list[Call]]:
    calls: list[Call] = []
    return asyncio.run(reader.read(reading(route), Keeping(calls))), calls


class Keeping:
    """A `Record` that keeps the calls in a list."""

    def __init__(self, calls: list[Call]) -> None:
        self._calls = calls

    async def __call__(self, call: Call) -> None:
        self._calls.append(call)
