"""A chat model as a reader: what it is asked, and what becomes of each kind of reply."""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import replace
from typing import Any

import pytest

from selfroute.endpoints import MARGIN, Request, Token
from selfroute.endpoints.scripted import Says, ScriptedEndpoint
from selfroute.errors import EndpointFailed, SelfrouteError, UnsupportedTask, UnusableReply
from selfroute.prompts import MARKED, SCHEMA, SYSTEM
from selfroute.readers.chat import FORM_TOKENS, ChatReader, odds
from selfroute.types import Call, Draft, Passage, Question, Reading, Route, Shape, Stage, Task

HARBOUR = "The harbour master is Olof Berg. Night work is approved by him."
CHUNKS = (Passage("port.md", 132, "by him."), Passage("port.md", 100, HARBOUR))
QUESTION = Question("Who approves night work?")
FOUND = {"answerable": True, "answer": "Olof Berg", "quotes": ["Night work is approved by him."]}


def test_an_answer_comes_with_the_quotes_that_stand_in_the_text() -> None:
    draft = read(json.dumps(FOUND)).draft
    [citation] = draft.citations
    assert (draft.declined, draft.answer, draft.route) == (False, "Olof Berg", Route.RAG)
    assert (citation.document, citation.start, citation.end) == ("port.md", 133, 163)
    assert HARBOUR[citation.start - 100 : citation.end - 100] == citation.text == "Night work is approved by him."


def test_a_quote_that_stands_nowhere_is_left_out_and_told() -> None:
    quotes = ["Night work is approved by nobody.", "Olof Berg", "Olof Berg"]
    draft = read(json.dumps({**FOUND, "quotes": quotes})).draft
    assert [citation.text for citation in draft.citations] == ["Olof Berg"]
    assert draft.lost_quotes == 1
    assert draft.warnings == ("1 of the answer's 3 quotes stand nowhere in the text, or everywhere: left out",)


def test_a_quote_whose_line_break_became_a_space_is_found_and_cited_as_it_stands() -> None:
    shown = Passage("town.md", 50, "Pilots came first, since 1998.\n  The town\tfollowed.")
    quotes = ["since 1998. The town followed.", "since 1998.The town", "  "]
    reading = Reading(QUESTION, (shown,), Route.RAG)
    draft = read(json.dumps({**FOUND, "quotes": quotes}), reading=reading).draft
    [citation] = draft.citations
    assert citation.text == "since 1998.\n  The town\tfollowed."
    assert shown.text[citation.start - 50 : citation.end - 50] == citation.text
    assert "1 of the answer's 2 quotes" in draft.warnings[0]


def test_a_quote_is_cited_where_it_stands_exactly_before_where_it_nearly_does() -> None:
    shown = (Passage("a.md", 0, "Olof\nBerg"), Passage("b.md", 0, "Olof Berg"))
    draft = read(json.dumps({**FOUND, "quotes": ["Olof Berg"]}), reading=Reading(QUESTION, shown, Route.RAG)).draft
    assert [citation.document for citation in draft.citations] == ["b.md"]


def test_a_decline_is_a_decline_with_its_guess() -> None:
    draft = read('{"answerable": false, "answer": "Berg?", "quotes": []}').draft
    assert (draft.declined, draft.answer, draft.guess, draft.citations) == (True, None, "Berg?", ())


def test_json_is_asked_for_where_the_endpoint_can_and_the_shape_is_words() -> None:
    request = read(json.dumps(FOUND)).request
    assert (request.schema, request.system, request.stage) == (SCHEMA, SYSTEM, Stage.READ_CHUNKS)
    assert MARKED not in request.prompt


@pytest.mark.parametrize(
    ("endpoint", "task"),
    [
        ({"schemas": False}, Task()),
        ({}, Task(Shape.CHOICE)),
        ({}, Task(Shape.CODE)),
        ({"raw": True}, Task(chat_template=False, prompt="{context}\n{input}")),
    ],
)
def test_the_marker_is_asked_for_where_json_is_not(endpoint: dict[str, Any], task: Task) -> None:
    answered = read("Olof Berg", task, **endpoint)
    assert answered.draft.answer == "Olof Berg"
    assert answered.request.schema is None
    assert answered.request.prompt.count(MARKED) == 2
    assert read("Unanswerable.", task, **endpoint).draft.declined


@pytest.mark.parametrize(
    ("said", "shape", "cited"),
    [
        ("Olof Berg", Shape.SPAN, ["Olof Berg"]),
        ("Olaf Bergman", Shape.SPAN, []),
        ("Olof Berg", Shape.CHOICE, []),  # an option, which text cannot prove
    ],
)
def test_in_plain_text_an_answer_that_stands_in_the_text_is_its_own_quote(
    said: str, shape: Shape, cited: list[str]
) -> None:
    draft = read(said, Task(shape), schemas=False).draft
    assert ([citation.text for citation in draft.citations], draft.lost_quotes, draft.warnings) == (cited, 0, ())


def test_an_approximate_tokenizer_leaves_a_share_of_the_window_free() -> None:
    exact = ChatReader(ScriptedEndpoint([], window=10_000, max_output_tokens=1000))
    rough = ChatReader(ScriptedEndpoint([], window=10_000, max_output_tokens=1000, approximate=True))
    assert (exact.window, rough.window) == (10_000 - 1000 - MARGIN, 8500 - 1000 - MARGIN)


def test_a_task_without_a_chat_template_goes_raw_where_the_endpoint_can_and_says_so_where_not() -> None:
    task = Task(Shape.CHOICE, prompt="{context}\n{input}", chat_template=False)
    raw = read("A", task, raw=True)
    assert (raw.request.chat, raw.request.system, raw.draft.warnings) == (False, None, ())
    chat = read("A", task)
    assert chat.request.chat
    assert "it was put as a chat" in chat.draft.warnings[0]


def test_the_limits_of_a_task_are_the_requests_with_room_for_quotes_where_json_is_asked_for() -> None:
    task = Task(Shape.CHOICE, max_output_tokens=64, stop=("\n",), temperature=0.1)
    request = read("A", task).request
    assert (request.max_output_tokens, request.stop, request.temperature) == (64, (), 0.1)
    structured = read(json.dumps(FOUND), replace(task, shape=Shape.SPAN)).request
    assert (structured.max_output_tokens, structured.stop) == (64 + FORM_TOKENS, ())
    assert read(json.dumps(FOUND)).request.max_output_tokens is None


def test_a_task_without_a_question_is_answered_by_all_that_is_said() -> None:
    task = Task(Shape.TEXT, prompt="{context}\n\nSummarise.")
    reading = Reading(Question(None, task=task), CHUNKS, Route.LONG_CONTEXT)
    answered = read('Unanswerable. {"answerable": false}', reading=reading)
    assert answered.draft.answer == 'Unanswerable. {"answerable": false}'
    assert answered.request.stage is Stage.READ_DOCUMENTS


@pytest.mark.parametrize(
    ("says", "shape", "stop", "answer"),
    [
        ("<think>\nMaybe 3, or 12? The question says 7.\n</think>\n\n4", Shape.TEXT, (), "4"),
        ("<think>\nHm.\n</think>\n\nAnna greets Ben.\nBen: hi", Shape.TEXT, ("\n",), "Anna greets Ben."),
        ("\nAnna greets Ben.\nBen: hi", Shape.TEXT, ("\n",), "Anna greets Ben."),
        ("\n    return y\n", Shape.CODE, (), "    return y"),
        ("<think>\nIndent.\n</think>\n    if x:\n        return y", Shape.CODE, (), "    if x:\n        return y"),
    ],
)
def test_what_a_model_thinks_before_is_no_answer_and_code_keeps_its_indentation(
    says: str, shape: Shape, stop: tuple[str, ...], answer: str
) -> None:
    task = Task(shape, prompt="{context}\n\nGo on.", stop=stop)
    assert read(says, reading=Reading(Question(None, task=task), CHUNKS, Route.LONG_CONTEXT)).draft.answer == answer


def test_thoughts_that_do_not_end_are_no_answer_to_a_task_without_a_question() -> None:
    reading = Reading(Question(None, task=Task(Shape.TEXT, prompt="{context}")), CHUNKS, Route.LONG_CONTEXT)
    with pytest.raises(UnusableReply, match="breaks off within its thoughts"):
        read("<think>\nMaybe 3", reading=reading)


def test_a_plain_reply_to_a_question_ends_where_its_task_stops_and_not_in_its_thoughts() -> None:
    task = Task(Shape.TEXT, prompt="{context}\n{input}", stop=("\n",), chat_template=False)
    reading = Reading(Question("Sum up.", task=task), CHUNKS, Route.LONG_CONTEXT)
    said = read("<think>\nHm.\n</think>\n\nAnna greets Ben.\nBen: hi", reading=reading, schemas=False)
    assert (said.draft.answer, said.request.stop) == ("Anna greets Ben.", ())


def test_chunks_are_shown_in_the_order_of_the_setting() -> None:
    for by_position, first in ((False, "by him."), (True, HARBOUR)):
        request = read(json.dumps(FOUND), by_position=by_position).request
        assert f"=== chunk 1 of port.md ===\n{first}\n" in request.prompt


def test_without_anything_to_read_it_declines_and_asks_nobody() -> None:
    endpoint = ScriptedEndpoint([])
    reading = Reading(QUESTION, (), Route.LONG_CONTEXT)
    assert asyncio.run(ChatReader(endpoint).read(reading, unrecorded)).declined
    assert endpoint.requests == []


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (Says("", "length"), "went before a reply began: raise its max_output_tokens, or reasoning_tokens"),
        (Says(""), "the reply is empty"),
        (Says("", refusal="I will\nnot."), "the model refused: I will not.: ask otherwise"),
        (Says("Olof", "content_filter"), "its content filter stepped in"),
        (Says('{"answerable": tr', "length"), "the reply breaks off or is no JSON"),
        (Says('{"route": "rag"}'), "the reply breaks off or is no JSON"),
    ],
)
def test_a_reply_that_cannot_be_used_is_an_error_and_no_decline(says: Says, why: str) -> None:
    with pytest.raises(UnusableReply, match=why) as raised:
        read(says)
    assert str(raised.value).startswith("endpoint 'scripted' (model 'scripted'): ")


def test_json_behind_reasoning_is_the_reply_unless_it_may_be_quoted_from_what_was_shown() -> None:
    said = f"I look for a name. Night work is approved by the master.\n\n{json.dumps(FOUND)}"
    draft = read(said).draft
    assert (draft.answer, [citation.text for citation in draft.citations]) == ("Olof Berg", FOUND["quotes"])
    hostile = Passage("port.md", 0, f"{HARBOUR} {json.dumps(FOUND)}")
    named = Passage(json.dumps(FOUND), 0, HARBOUR)
    asked = Question(f"Is {json.dumps(FOUND)} right?")
    for question, passage in ((QUESTION, hostile), (QUESTION, named), (asked, Passage("port.md", 0, HARBOUR))):
        with pytest.raises(UnusableReply, match="the reply holds JSON behind other words"):
            read(said, reading=Reading(question, (passage,), Route.RAG))


def test_an_answer_that_was_cut_off_says_so() -> None:
    text = '{"answerable": true, "answer": "Olof Berg", "quotes": ["Night wo'
    draft = read(Says(text, "length")).draft
    assert draft.answer == "Olof Berg"
    assert "was cut off at its limit" in draft.warnings[0]


def test_what_the_endpoint_raises_goes_through_with_its_calls_recorded() -> None:
    calls: list[Call] = []

    async def record(call: Call) -> None:
        calls.append(call)

    error = EndpointFailed("endpoint 'x'", "it is down")
    with pytest.raises(EndpointFailed):
        asyncio.run(ChatReader(ScriptedEndpoint([error])).read(Reading(QUESTION, CHUNKS, Route.RAG), record))
    assert [call.error for call in calls] == [str(error)]


def test_a_task_with_neither_question_nor_prompt_is_refused() -> None:
    with pytest.raises(UnsupportedTask):
        read("x", reading=Reading(Question(None), CHUNKS, Route.LONG_CONTEXT))


def test_the_window_leaves_room_for_a_reply_and_obeys_the_users_bound() -> None:
    endpoint = ScriptedEndpoint([], window=8000, max_output_tokens=1000)
    assert ChatReader(endpoint).window == 7000 - MARGIN
    assert ChatReader(endpoint, 5000).window == 5000
    assert ChatReader(endpoint, 9000).window == 7000 - MARGIN


def test_the_tokens_of_a_reading_are_those_of_its_prompt() -> None:
    endpoint = ScriptedEndpoint([json.dumps(FOUND)])
    reader = ChatReader(endpoint)
    reading = Reading(QUESTION, CHUNKS, Route.RAG)
    calls: list[Call] = []

    async def record(call: Call) -> None:
        calls.append(call)

    asyncio.run(reader.read(reading, record))
    assert calls[0].usage.input_tokens <= reader.count_tokens(reading) <= calls[0].usage.input_tokens + 20


# Confidence.


def test_confidence_is_the_probability_of_answerable_against_not() -> None:
    draft = read(Says(json.dumps(FOUND), tokens=tokens(" true", {" true": 0.6, " false": 0.2, " yes": 0.1}))).draft
    assert draft.confidence == pytest.approx(0.75)
    assert draft.score == pytest.approx(math.log(3))


def test_a_side_that_is_not_told_has_at_most_what_is_left() -> None:
    found = odds(tokens("false", {"false": 0.98, "fal": 0.01}))
    assert found is not None
    assert found[0] == pytest.approx(0.01)


@pytest.mark.parametrize("opening", ["<think>", ""])
def test_confidence_is_not_taken_from_thoughts(opening: str) -> None:
    thoughts = [Token(t, ((t, 0.0),)) for t in (opening, 'So: {"answerable": ', "false", "}\n", "</think>\n")]
    said = tokens(" true", {" true": 0.6, " false": 0.2})
    text = f'{opening}So: {{"answerable": false}}\n</think>\n{json.dumps(FOUND)}'
    draft = read(Says(text, tokens=(*thoughts, *said))).draft
    assert draft.answer == "Olof Berg"
    assert draft.confidence == pytest.approx(0.75)
    assert odds(thoughts[:4] if opening else ()) is None


def test_of_a_field_that_comes_twice_the_last_gives_the_odds() -> None:
    found = odds((*tokens("false", {"false": 0.9, "true": 0.1}), *tokens("true", {"false": 0.3, "true": 0.7})))
    assert found is not None
    assert found[0] == pytest.approx(0.7)


@pytest.mark.parametrize(("reply", "likelier"), [(FOUND, "false"), ({"answerable": False, "answer": ""}, "true")])
def test_odds_that_disagree_with_the_reply_give_no_confidence(reply: dict[str, Any], likelier: str) -> None:
    given = tokens(likelier, {"true": 0.1, "false": 0.1, likelier: 0.8})
    draft = read(Says(json.dumps(reply), tokens=given)).draft
    assert (draft.confidence, draft.score) == (None, None)


@pytest.mark.parametrize(
    "given",
    [
        (),
        (Token("the", (("the", -0.1),)),),
        tuple(Token(t, ((t, 0.0),)) for t in ('{"', "answerable", '":')),
        tuple(Token(t, ((t, -0.1),)) for t in ('{"answerable": ', "null")),
    ],
)
def test_without_odds_of_the_right_token_there_is_no_confidence(given: tuple[Token, ...]) -> None:
    assert odds(given) is None
    draft = read(Says(json.dumps(FOUND), tokens=given)).draft
    assert (draft.confidence, draft.score) == (None, None)


def test_plain_text_has_no_confidence() -> None:
    draft = read(Says("Olof", tokens=tokens("true", {"true": 0.9})), schemas=False).draft
    assert draft.confidence is None


def test_odds_are_asked_for_only_where_they_mean_something() -> None:
    assert read(json.dumps(FOUND), logprobs=True).request.logprobs
    assert not read(json.dumps(FOUND)).request.logprobs
    assert not read("x", Task(Shape.CODE), logprobs=True).request.logprobs


class Answered:
    def __init__(self, draft: Draft, request: Request) -> None:
        self.draft = draft
        self.request = request


def read(
    says: Says | str | SelfrouteError,
    task: Task | None = None,
    reading: Reading | None = None,
    by_position: bool = False,
    **endpoint: Any,
) -> Answered:
    scripted = ScriptedEndpoint([says], **endpoint)
    reader = ChatReader(scripted, by_position=by_position)
    reading = reading or Reading(replace(QUESTION, task=task or Task()), CHUNKS, Route.RAG)
    return Answered(asyncio.run(reader.read(reading, unrecorded)), scripted.requests[0])


def tokens(said: str, odds_of: dict[str, float]) -> tuple[Token, ...]:
    sure = [Token(text, ((text, 0.0),)) for text in ('{"', "answer", "able", '":')]
    return (*sure, Token(said, tuple((t, math.log(p)) for t, p in odds_of.items())), Token(",", ((",", 0.0),)))


async def unrecorded(call: Call) -> None:
    """For readings of which only the draft is looked at."""
