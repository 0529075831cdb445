"""An endpoint on OpenAI's wire: its account of every attempt, what it tries again, and that no key gets out of it."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import sqlite3
import traceback
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import _exceptions as theirs
from stub_openai import Asked, Plan, StubOpenAI

from selfroute.endpoints import Completion, Endpoint, Follow, Request
from selfroute.endpoints.failures import MAPPED, retry_after, translated
from selfroute.endpoints.openai import OpenAIEndpoint, Options
from selfroute.errors import (
    BadInput,
    EndpointBusy,
    EndpointError,
    EndpointFailed,
    EndpointTimeout,
    EndpointUnreachable,
    KeyRejected,
    MissingKey,
    PromptTooLong,
    RequestRejected,
    UnknownModel,
)
from selfroute.tokens import tokenizer
from selfroute.types import Call, Stage, Usage

pytestmark = pytest.mark.end_to_end

KEY = "sk-secret-0123456789abcdef"
REQUEST = Request(Stage.READ_CHUNKS, "Who approves night work? Show it.", system="Answer from the text.")
SAID = "the harbour master approves it"
both = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])


@pytest.fixture
def stub() -> Iterator[StubOpenAI]:
    with StubOpenAI(lambda asked: Plan(SAID)) as running:
        yield running


@both
@pytest.mark.parametrize("chat", [True, False], ids=["chat", "raw"])
def test_a_reply_comes_with_the_usage_that_the_server_charges(stub: StubOpenAI, stream: bool, chat: bool) -> None:
    completion, [call] = completed(stub, replace(REQUEST, chat=chat), stream=stream)
    assert (completion.text, completion.finish, completion.model) == (SAID, "stop", "stub")
    assert (call.stage, call.model, call.error, call.estimated) == (Stage.READ_CHUNKS, "stub", None, False)
    assert call.usage == completion.usage == charged(stub)
    assert stub.asked[0].path == ("/v1/chat/completions" if chat else "/v1/completions")


def test_the_request_is_put_as_the_server_wants_it(stub: StubOpenAI) -> None:
    request = replace(
        REQUEST, max_output_tokens=50, temperature=0.1, stop=("\n",), schema={"type": "object"}, logprobs=True
    )
    completed(stub, request, reasoning_tokens=8, parameters={"seed": 7})
    [asked] = stub.asked
    assert asked.body == {
        "model": "stub",
        "messages": [
            {"role": "system", "content": "Answer from the text."},
            {"role": "user", "content": "Who approves night work? Show it."},
        ],
        "temperature": 0.1,
        "max_completion_tokens": 58,
        "stop": ["\n"],
        "logprobs": True,
        "top_logprobs": 5,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "reply", "strict": True, "schema": {"type": "object"}},
        },
        "seed": 7,
    }
    completed(stub, request, omit=("temperature", "stop"), limit_field="max_tokens")
    assert not {"temperature", "stop", "max_completion_tokens"} & stub.asked[1].body.keys()
    assert stub.asked[1].body["max_tokens"] == 50


def test_no_reply_may_take_more_than_the_endpoint_allows(stub: StubOpenAI) -> None:
    completed(stub, replace(REQUEST, max_output_tokens=30_000), max_output_tokens=600)
    completed(stub, REQUEST, max_output_tokens=600)
    assert [asked.body["max_completion_tokens"] for asked in stub.asked] == [600, 600]


def test_a_reply_is_shown_piece_by_piece(stub: StubOpenAI) -> None:
    shown: list[str] = []
    completion, _ = completed(stub, shown=shown)
    assert len(shown) > 1
    assert "".join(shown) == completion.text == SAID


@both
def test_the_odds_of_tokens_are_handed_on(stub: StubOpenAI, stream: bool) -> None:
    stub.answer = lambda asked: Plan(SAID, odds=(("the", {"the": -0.1, "a": -2.5}), (" rest", {})))
    completion, _ = completed(stub, replace(REQUEST, logprobs=True), stream=stream)
    assert [(t.text, t.alternatives) for t in completion.tokens] == [
        ("the", (("the", -0.1), ("a", -2.5))),
        (" rest", ((" rest", 0.0),)),
    ]


# Token accounting: what users of comparable systems complain about.


# BerriAI/litellm#37923, #40100; run-llama/llama_index#19740
def test_a_streamed_call_is_never_accounted_as_nothing(stub: StubOpenAI) -> None:
    _, [call] = completed(stub, stream=True)
    assert stub.asked[0].body["stream_options"] == {"include_usage": True}
    assert call.usage.input_tokens > 0
    assert call.usage.output_tokens > 0
    assert call.usage == charged(stub)


# BerriAI/litellm#36168
@both
def test_usage_on_a_last_chunk_with_choices_counts_with_its_cached_tokens(stub: StubOpenAI, stream: bool) -> None:
    stub.answer = lambda asked: Plan(SAID, usage="with_choices", cached=12)
    _, [call] = completed(stub, stream=stream)
    assert call.usage == charged(stub)
    assert (call.usage.cached_input_tokens, call.estimated) == (12, False)


# BerriAI/litellm#18599
@both
def test_reasoning_tokens_are_counted_beside_the_others_and_not_instead(stub: StubOpenAI, stream: bool) -> None:
    stub.answer = lambda asked: Plan(SAID, thought=40, cached=3, written=5)
    _, [call] = completed(stub, stream=stream)
    assert call.usage == charged(stub)
    assert call.usage.output_tokens == stub.count(SAID) + 40
    assert (call.usage.reasoning_tokens, call.usage.cached_input_tokens, call.usage.cache_write_tokens) == (40, 3, 5)


# infiniflow/ragflow#8035; HKUDS/LightRAG#2572, #2325
@both
@pytest.mark.parametrize("usage", ["none", "zeros"])
def test_a_missing_usage_is_estimated_and_says_so_and_is_never_zero(stub: StubOpenAI, stream: bool, usage: Any) -> None:
    stub.answer = lambda asked: Plan(SAID, usage=usage)
    _, [call] = completed(stub, stream=stream)
    assert call.estimated
    assert call.usage == charged(stub)  # by the same tokenizer the estimate is exact


# run-llama/llama_index#8996
@both
def test_asynchronous_calls_are_counted_once_each(stub: StubOpenAI, stream: bool) -> None:
    made = endpoint(stub, stream=stream)
    calls: list[Call] = []

    async def many() -> None:
        await asyncio.gather(*(made.complete(REQUEST, recorder(calls)) for _ in range(10)))

    asyncio.run(many())
    assert len(calls) == len(stub.asked) == 10
    assert sum((call.usage for call in calls), Usage()) == charged(stub)


# run-llama/llama_index#12420
@both
def test_a_reply_of_nothing_is_not_counted_as_the_word_none(stub: StubOpenAI, stream: bool) -> None:
    stub.answer = lambda asked: Plan(None, usage="none")
    completion, [call] = completed(stub, stream=stream)
    assert completion.text == ""
    assert (call.usage.output_tokens, call.estimated) == (0, True)
    assert call.usage == charged(stub)


# langfuse/langfuse#8808
def test_cumulative_usage_on_every_chunk_is_not_summed(stub: StubOpenAI) -> None:
    stub.answer = lambda asked: Plan(SAID, usage="cumulative")
    _, [call] = completed(stub, stream=True)
    assert call.usage == charged(stub)


# vllm-project/vllm#44961
@both
def test_details_that_are_null_although_asked_for_lose_nothing_else(stub: StubOpenAI, stream: bool) -> None:
    stub.answer = lambda asked: Plan(SAID, usage="null_details")
    _, [call] = completed(stub, stream=stream)
    assert call.usage == charged(stub)
    assert not call.estimated


# What fails, and what is tried again.


@both
@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_what_may_pass_is_tried_again_and_each_attempt_is_a_call(stub: StubOpenAI, stream: bool, status: int) -> None:
    stub.answer = lambda asked: Plan(SAID, status=status if asked.number < 3 else 200)
    completion, calls = completed(stub, stream=stream)
    assert completion.text == SAID
    assert [call.error is None for call in calls] == [False, False, True]
    assert all(f"answered {status}: as planned" in (call.error or "") for call in calls[:2])
    assert [(call.usage, call.estimated) for call in calls[:2]] == [(Usage(), False)] * 2  # a refusal is not charged
    assert sum((call.usage for call in calls), Usage()) == charged(stub)


def test_a_dropped_connection_is_tried_again_and_what_it_may_have_cost_is_estimated(stub: StubOpenAI) -> None:
    stub.answer = lambda asked: Plan(SAID, breaks="before" if asked.number == 1 else None)
    _, calls = completed(stub)
    assert [(call.estimated, call.error is None) for call in calls] == [(True, False), (False, True)]
    assert sum((call.usage for call in calls), Usage()) == charged(stub)


def test_a_stream_that_breaks_off_is_tried_again_and_what_came_of_it_is_counted(stub: StubOpenAI) -> None:
    stub.answer = lambda asked: Plan(SAID, breaks="within" if asked.number == 1 else None)
    completion, calls = completed(stub, stream=True)
    assert completion.text == SAID
    assert calls[0].estimated
    assert calls[0].usage.output_tokens > 0
    assert sum((call.usage for call in calls), Usage()) == charged(stub)


def test_usage_that_was_told_before_a_stream_broke_off_is_what_counts(stub: StubOpenAI) -> None:
    stub.answer = lambda asked: Plan(SAID, usage="cumulative", breaks="within" if asked.number == 1 else None)
    _, calls = completed(stub, stream=True)
    assert [call.estimated for call in calls] == [False, False]
    assert sum((call.usage for call in calls), Usage()) == charged(stub)


def test_after_the_first_piece_was_shown_nothing_is_tried_again(stub: StubOpenAI) -> None:
    stub.answer = lambda asked: Plan(SAID, breaks="within")
    shown: list[str] = []
    error, calls = refused(stub, shown=shown)
    assert isinstance(error, EndpointUnreachable)
    assert len(stub.asked) == len(calls) == 1
    assert shown


@pytest.mark.parametrize("error", [TimeoutError("mine"), RuntimeError("mine"), BadInput("mine")])
def test_what_goes_wrong_where_a_reply_is_shown_is_no_fault_of_the_servers(stub: StubOpenAI, error: Exception) -> None:
    calls: list[Call] = []

    async def show(piece: str) -> None:
        raise error

    with pytest.raises(type(error), match="mine"):
        asyncio.run(endpoint(stub).complete(REQUEST, recorder(calls), following(show)))
    assert [call.error for call in calls] == ["abandoned"]
    assert len(stub.asked) == 1


def test_a_reply_that_lost_only_its_usage_is_a_reply(stub: StubOpenAI) -> None:
    stub.answer = lambda asked: Plan(SAID, breaks="after_finish")
    completion, [call] = completed(stub, stream=True)
    assert (completion.text, call.error, call.estimated) == (SAID, None, True)
    assert call.usage == charged(stub)


def test_attempts_end_with_the_retries_and_the_last_error_is_told(stub: StubOpenAI) -> None:
    stub.answer = lambda asked: Plan(status=503)
    error, calls = refused(stub, retries=2)
    assert isinstance(error, EndpointFailed)
    assert len(calls) == len(stub.asked) == 3
    assert str(error).startswith(f"endpoint 'small' ({stub.url}, model 'stub'): answered 503: as planned: ")


def test_the_server_is_not_asked_again_before_it_wants(stub: StubOpenAI) -> None:
    stub.answer = lambda asked: Plan(SAID, status=429 if asked.number == 1 else 200, headers={"Retry-After": "0.3"})
    completed(stub)
    first, second = stub.asked
    assert second.at - first.at >= 0.3


@pytest.mark.parametrize("wait", ["3600", "61"])
def test_a_longer_wait_than_is_reasonable_is_told_at_once(stub: StubOpenAI, wait: str) -> None:
    stub.answer = lambda asked: Plan(status=429, headers={"Retry-After": wait})
    error, calls = refused(stub)
    assert isinstance(error, EndpointBusy)
    assert len(calls) == 1


def test_nothing_is_tried_again_beyond_the_deadline(stub: StubOpenAI) -> None:
    stub.answer = lambda asked: Plan(status=429, headers={"Retry-After": "30"})

    async def soon() -> tuple[EndpointError, float]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(EndpointBusy) as busy:
            await endpoint(stub).complete(replace(REQUEST, deadline=began + 20), recorder([]))
        return busy.value, loop.time() - began

    _, took = asyncio.run(soon())
    assert took < 15
    assert len(stub.asked) == 1


def test_a_stall_past_the_timeout_is_told_and_what_it_may_have_cost_is_estimated(stub: StubOpenAI) -> None:
    stub.answer = lambda asked: Plan(stalls=True)
    error, [call] = refused(stub, timeout=0.3)
    assert isinstance(error, EndpointTimeout)
    assert "no reply within 0.3 seconds: raise its timeout" in str(error)
    assert (call.estimated, call.error) == (True, str(error))
    assert call.usage == charged(stub)


def test_the_time_that_a_piece_takes_to_be_shown_is_none_of_the_servers(stub: StubOpenAI) -> None:
    calls: list[Call] = []
    shown: list[str] = []

    async def show(piece: str) -> None:
        if not shown:
            await asyncio.sleep(2.5)  # more than the server may take
        shown.append(piece)

    completion = asyncio.run(endpoint(stub, timeout=2).complete(REQUEST, recorder(calls), following(show)))
    assert completion.text == "".join(shown) == SAID
    assert [call.error for call in calls] == [None]


def test_a_server_that_stalls_behind_a_slow_follower_is_still_given_up(stub: StubOpenAI) -> None:
    stub.answer = lambda asked: Plan(SAID, breaks="stall_at_end")

    async def show(piece: str) -> None:
        await asyncio.sleep(0.1)

    with pytest.raises(EndpointTimeout, match=r"no reply within 0\.3 seconds"):
        asyncio.run(endpoint(stub, timeout=0.3).complete(REQUEST, recorder([]), following(show)))


@both
def test_a_request_that_is_abandoned_is_recorded_and_ended(
    stub: StubOpenAI, stream: bool, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    stub.answer = lambda asked: Plan(stalls=True)
    calls: list[Call] = []

    async def abandoned() -> None:
        task = asyncio.create_task(endpoint(stub, stream=stream).complete(REQUEST, recorder(calls)))
        await asyncio.to_thread(wait_until, lambda: len(stub.stalled) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(abandoned())
    [call] = calls
    assert (call.error, call.estimated) == ("abandoned", True)
    assert call.usage == charged(stub)
    wait_until(lambda: stub.gone == 1)


@pytest.mark.parametrize("usage", ["reported", "cumulative"])
def test_of_a_stream_that_is_abandoned_what_came_is_counted(stub: StubOpenAI, usage: Any) -> None:
    stub.answer = lambda asked: Plan(SAID, usage=usage, breaks="stall_at_end")
    calls: list[Call] = []

    async def abandoned() -> None:
        pieces: list[str] = []
        seen = asyncio.Event()

        async def show(piece: str) -> None:
            pieces.append(piece)
            if "".join(pieces) == SAID:
                seen.set()

        task = asyncio.create_task(endpoint(stub).complete(REQUEST, recorder(calls), following(show)))
        await asyncio.wait_for(seen.wait(), 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(abandoned())
    [call] = calls
    assert (call.error, call.estimated) == ("abandoned", usage == "reported")
    assert call.usage == charged(stub)


@pytest.mark.parametrize(
    ("status", "error", "kind", "said"),
    [
        (400, {"message": "no such parameter"}, RequestRejected, "answered 400: no such parameter: name what it does"),
        (401, {"message": "wrong key"}, KeyRejected, "answered 401: wrong key: check the key"),
        (403, {"message": "not for you"}, KeyRejected, "answered 403"),
        (404, {"message": "no model x"}, UnknownModel, "answered 404: no model x: check its model and base_url"),
        (413, {"message": "too large"}, RequestRejected, "answered 413"),
        (422, {"message": "odd"}, RequestRejected, "answered 422"),
        (400, {"message": "x", "code": "context_length_exceeded"}, PromptTooLong, "lower its window"),
        (400, {"message": "This model's maximum context length is 8192 tokens"}, PromptTooLong, "lower its window"),
        (400, {"message": "the request exceeds the available context size"}, PromptTooLong, "lower its window"),
        (400, {"message": "The input token count (9) exceeds the maximum"}, PromptTooLong, "lower its window"),
        (
            400,
            {"message": "the string 'x' is too long for field 'user'"},
            RequestRejected,
            "name what it does not know",
        ),
        (429, {"message": "no credit", "code": "insufficient_quota"}, EndpointBusy, "has no credit left"),
    ],
)
@both
def test_what_will_not_pass_is_told_at_once(
    stub: StubOpenAI, stream: bool, status: int, error: dict[str, Any], kind: type[EndpointError], said: str
) -> None:
    stub.answer = lambda asked: Plan(status=status, error=error)
    raised, calls = refused(stub, stream=stream)
    assert type(raised) is kind
    assert said in str(raised)
    assert len(calls) == len(stub.asked) == 1
    assert len(str(raised).splitlines()) == 1


@both
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{not json", "application/json"),
        (b"", "application/json"),
        (b"null", "application/json"),
        (b"[]", "application/json"),
        (b'"words"', "application/json"),
        (b"<html>Sign in</html>", "text/html"),
        (b'{"object": "chat.completion"}', "application/json"),
        (b'{"choices": []}', "application/json"),
        (b'{"choices": "none"}', "application/json"),
        (b"data: {broken\n\n", "text/event-stream"),
        (b"data: []\n\n", "text/event-stream"),
        (b"data: null\n\n", "text/event-stream"),
        (b"\xff\xfe", "application/json"),
    ],
)
def test_what_is_no_reply_is_an_error_of_ours(stub: StubOpenAI, stream: bool, body: bytes, content_type: str) -> None:
    stub.answer = lambda asked: Plan(body=body, content_type=content_type)
    error, calls = refused(stub, stream=stream, retries=0)
    assert isinstance(error, EndpointFailed | EndpointUnreachable)
    assert calls[0].error == str(error)
    assert calls[0].estimated
    assert len(str(error).splitlines()) == 1


def test_an_error_within_a_stream_is_an_error_of_ours(stub: StubOpenAI) -> None:
    body = b'data: {"error": {"message": "out of memory", "code": 500}}\n\n'
    stub.answer = lambda asked: Plan(body=body, content_type="text/event-stream")
    error, _ = refused(stub, stream=True)
    assert isinstance(error, EndpointFailed)
    assert "out of memory" in str(error)


ODD = "broken \ud83d off\x00"


@both
@pytest.mark.parametrize("status", [200, 500])
def test_an_error_in_characters_that_nothing_can_keep_is_recorded(
    stub: StubOpenAI, stream: bool, status: int, tmp_path: Path
) -> None:
    body = json.dumps({"error": {"message": ODD, "code": status}}).encode()
    events = b"data: " + body + b"\n\n"
    streamed = stream and status == 200
    stub.answer = lambda asked: Plan(
        status=status,
        body=events if streamed else body,
        content_type="text/event-stream" if streamed else "application/json",
    )
    raised, [call] = refused(stub, stream=stream, retries=0)
    assert "broken \ufffd off\ufffd" in str(raised)
    assert kept(tmp_path, call.error) == str(raised)


@both
def test_a_reply_and_a_refusal_in_characters_that_nothing_can_keep_can_be_kept(
    stub: StubOpenAI, stream: bool, tmp_path: Path
) -> None:
    stub.answer = sent(stream, {"content": ODD, "refusal": f"{ODD} says {KEY}"}, model=f"m{ODD}")
    completion, _ = completed(stub, stream=stream, key=KEY)
    assert kept(tmp_path, completion.text) == "broken \ufffd off\ufffd"
    assert kept(tmp_path, completion.refusal) == "broken \ufffd off\ufffd says [key]"
    assert kept(tmp_path, completion.model) == "mbroken \ufffd off\ufffd"


@both
def test_a_content_in_parts_is_read_without_the_thoughts_among_them(stub: StubOpenAI, stream: bool) -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Who?"}]}
    odd: list[object] = [None, 7, "the", {"type": "text", "text": None}, {"type": "text"}]
    parts = [thought, {"type": "text", "text": "the harbour master "}, *odd, {"type": "text", "text": "approves it"}]
    stub.answer = sent(stream, {"content": parts})
    completion, [call] = completed(stub, stream=stream)
    assert (completion.text, completion.refusal, call.error) == (SAID, None, None)
    stub.answer = sent(stream, {"content": [{"type": "refusal", "refusal": "I will not."}]})
    unwilling, _ = completed(stub, stream=stream)
    assert (unwilling.text, unwilling.refusal) == ("", "I will not.")


def test_a_stream_of_contents_in_parts_is_shown_piece_by_piece(stub: StubOpenAI) -> None:
    deltas = [[{"type": "text", "text": piece}] for piece in ("the harbour ", "master ", "approves it")]
    stub.answer = lambda asked: events([*(part({"content": delta}) for delta in deltas), part({}, finish="stop")])
    shown: list[str] = []
    completion, _ = completed(stub, shown=shown)
    assert (completion.text, shown) == (SAID, ["the harbour ", "master ", "approves it"])


@both
def test_a_key_of_any_form_that_a_refusal_repeats_is_taken_out(stub: StubOpenAI, stream: bool) -> None:
    stub.answer = sent(stream, {"content": None, "refusal": "not for 3f9a0c77d1e24b55, nor for Bearer abc"})
    completion, _ = completed(stub, stream=stream, key="3f9a0c77d1e24b55")
    assert completion.refusal == "not for [key], nor for [key]"


@both
@pytest.mark.parametrize("number", [10**20, 2**53, 10**400])
def test_a_number_of_tokens_that_cannot_be_is_estimated(stub: StubOpenAI, stream: bool, number: int) -> None:
    usage = {"prompt_tokens": number, "completion_tokens": 1}
    stub.answer = sent(stream, {"content": SAID}, usage=usage)
    _, [call] = completed(stub, stream=stream)
    assert call.estimated
    assert 0 < call.usage.input_tokens < 100


@both
def test_of_odds_that_are_none_only_the_rest_is_handed_on(stub: StubOpenAI, stream: bool) -> None:
    good = {"token": "the", "logprob": -0.5}
    odd: list[object] = [{"token": None, "logprob": -1}, {}, None, 7, "the"]
    odd += [{"token": "a", "logprob": value} for value in (None, 1000, "-1", True, -(10**400), [])]
    content = [*odd, {**good, "top_logprobs": [*odd, good, {"token": "a", "logprob": -2}]}, {**good, "top_logprobs": 5}]
    stub.answer = sent(stream, {"content": SAID}, logprobs={"content": content})
    completion, _ = completed(stub, replace(REQUEST, logprobs=True), stream=stream)
    assert [(token.text, token.alternatives) for token in completion.tokens] == [
        ("the", (("the", -0.5), ("a", -2.0))),
        ("the", (("the", -0.5),)),
    ]


@both
@pytest.mark.parametrize("code", [408, 429, "429", 500, 502])
def test_an_error_within_a_reply_that_may_pass_is_tried_again(stub: StubOpenAI, stream: bool, code: object) -> None:
    failing = failed(stream, {"message": "upstream overloaded", "code": code})
    stub.answer = lambda asked: failing if asked.number < 3 else Plan(SAID)
    completion, calls = completed(stub, stream=stream)
    assert completion.text == SAID
    assert [f"replied with error {code}: upstream overloaded" in (call.error or "") for call in calls] == [1, 1, 0]
    assert [call.usage for call in calls[:2]] == [Usage()] * 2


@both
@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        ({"message": "odd", "code": 400}, RequestRejected, "replied with error 400: odd: name what it does not know"),
        ({"message": "wrong key", "code": 401}, KeyRejected, "replied with error 401: wrong key: check the key"),
        ({"message": "no model x", "code": 404}, UnknownModel, "replied with error 404: no model x"),
        ({"message": "x", "code": "context_length_exceeded"}, PromptTooLong, "lower its window"),
        ({"message": "no credit", "code": "insufficient_quota"}, EndpointFailed, "has no credit left"),
        ({"message": "x", "type": "invalid_request_error", "code": None}, EndpointFailed, "x"),
        ({"message": "wrong key", "type": "authentication_error"}, EndpointFailed, "wrong key"),
        ({"message": "This model's maximum context length is 8192 tokens"}, EndpointFailed, "8192 tokens"),
    ],
)
def test_an_error_within_a_reply_that_will_not_pass_is_told_at_once(
    stub: StubOpenAI, stream: bool, error: object, kind: type[EndpointError], said: str
) -> None:
    stub.answer = lambda asked: failed(stream, error)
    raised, calls = refused(stub, stream=stream)
    assert type(raised) is kind
    assert said in str(raised)
    assert len(calls) == 1


WITHOUT_A_STATUS = pytest.mark.parametrize(
    "error",
    [
        {"message": "it fell over", "type": "server_error", "param": None, "code": None},
        {"message": "it fell over", "type": "server_error", "code": "server_error"},
        {"message": "it fell over", "type": "overloaded_error"},
        {"message": "it fell over"},
        "it fell over",
    ],
)


@WITHOUT_A_STATUS
@pytest.mark.parametrize("begun", [[], [{"content": "the harbour"}], [{"reasoning_content": "Who is it?"}]])
def test_an_error_without_a_status_within_a_stream_is_tried_again(
    stub: StubOpenAI, error: object, begun: list[dict[str, Any]]
) -> None:
    failing = events([*map(part, begun), {"error": error}])
    stub.answer = lambda asked: failing if asked.number < 3 else Plan(SAID)
    completion, calls = completed(stub, stream=True)
    assert completion.text == SAID
    assert ["it fell over" in (call.error or "") for call in calls] == [True, True, False]
    assert [call.estimated for call in calls] == [True, True, False]
    assert sum(call.usage.input_tokens for call in calls) == stub.charged["input_tokens"]


@WITHOUT_A_STATUS
def test_an_error_without_a_status_instead_of_a_whole_reply_is_told_at_once(stub: StubOpenAI, error: object) -> None:
    stub.answer = lambda asked: failed(False, error)
    raised, calls = refused(stub)
    assert type(raised) is EndpointFailed
    assert "it fell over" in str(raised)
    assert len(calls) == 1


@pytest.mark.parametrize("code", [400, 503])
@pytest.mark.parametrize("delta", [{"content": "the"}, {"reasoning_content": "Who is it?"}, {"reasoning": "Who?"}])
def test_what_a_model_had_worked_before_an_error_is_estimated(
    stub: StubOpenAI, delta: dict[str, Any], code: int
) -> None:
    beginning = part({"role": "assistant", "content": ""})
    stub.answer = lambda asked: events([beginning, part(delta), {"error": {"message": "x", "code": code}}])
    _, [call] = refused(stub, stream=True, retries=0)
    assert (call.estimated, call.usage.input_tokens) == (True, stub.charged["input_tokens"])
    stub.answer = lambda asked: events([beginning, {"error": {"message": "x", "code": code}}])
    _, [unread] = refused(stub, stream=True, retries=0)
    assert (unread.estimated, unread.usage) == (False, Usage())


@pytest.mark.parametrize("fields", [("reasoning_content",), ("reasoning",), ("reasoning_content", "reasoning")])
def test_what_a_model_thought_before_its_stream_broke_is_estimated_as_written(
    stub: StubOpenAI, fields: tuple[str, ...]
) -> None:
    count = tokenizer("gpt-4o").count
    thoughts = ["Who is the harbour master, ", "and of which port?"]
    delta = [part(dict.fromkeys(fields, thought)) for thought in thoughts]
    stub.answer = lambda asked: events([*delta, part({"content": "the harbour"}), {"error": {"message": "x"}}])
    _, [call] = refused(stub, stream=True, retries=0)
    thought = count("".join(thoughts))
    assert call.estimated
    assert (call.usage.reasoning_tokens, call.usage.output_tokens) == (thought, thought + count("the harbour"))


@pytest.mark.parametrize("begun", [b"", b'data: {"choices": [{"delta": {"reasoning_content": "Who?"}}]}\n\n'])
def test_a_stream_that_is_garbled_is_tried_again_and_a_whole_reply_is_not(stub: StubOpenAI, begun: bytes) -> None:
    broken = Plan(body=begun + b'data: {"choices": [{"ind\n\n', content_type="text/event-stream")
    stub.answer = lambda asked: broken if asked.number == 1 else Plan(SAID)
    completion, calls = completed(stub, stream=True)
    assert completion.text == SAID
    assert [call.estimated for call in calls] == [True, False]
    stub.answer = lambda asked: Plan(body=b'{"choices": [{"ind')
    error, [_] = refused(stub)
    assert "it sent what is no JSON" in str(error)


@pytest.mark.parametrize("body", [b"", b"data: [DONE]\n\n"])
def test_a_stream_without_a_reply_is_a_failure_of_a_server_that_runs_and_is_tried_again(
    stub: StubOpenAI, body: bytes
) -> None:
    stub.answer = lambda asked: Plan(body=body, content_type="text/event-stream")
    error, calls = refused(stub, stream=True, retries=1)
    assert type(error) is EndpointFailed
    assert str(error).endswith("its stream ended without a reply: see what the server's log says")
    assert [call.estimated for call in calls] == [True, True]


@both
@pytest.mark.parametrize("finish", ["error", "abort"])
def test_a_reply_that_ended_with_a_failure_is_tried_again(stub: StubOpenAI, stream: bool, finish: str) -> None:
    stub.answer = lambda asked: Plan(SAID, finish=finish if asked.number == 1 else "stop")
    completion, calls = completed(stub, stream=stream)
    assert completion.finish == "stop"
    assert [f"its reply ended with '{finish}'" in (call.error or "") for call in calls] == [True, False]
    assert calls[0].usage.output_tokens > 0


@pytest.mark.parametrize("event", ["{}", '{"choices": null}'])
def test_an_event_of_nothing_does_not_end_a_reply(stub: StubOpenAI, event: str) -> None:
    whole = sent(True, {"content": SAID})(None).body
    assert whole is not None
    stub.answer = lambda asked: Plan(body=f"data: {event}\n\n".encode() + whole, content_type="text/event-stream")
    completion, [call] = completed(stub, stream=True)
    assert (completion.text, call.error) == (SAID, None)


def test_a_stream_that_ends_early_is_no_reply_although_its_usage_was_told_all_along(stub: StubOpenAI) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2}
    parts = [part({"role": "assistant", "content": ""}, usage=usage), part({"content": "the harbour"}, usage=usage)]
    stub.answer = lambda asked: events(parts) if asked.number == 1 else Plan(SAID)
    completion, calls = completed(stub, stream=True)
    assert completion.text == SAID
    assert ["the stream broke off" in (call.error or "") for call in calls] == [True, False]
    assert calls[0].usage == Usage(9, output_tokens=2)


def test_a_stream_that_never_says_why_it_ended_but_counted_to_the_end_is_a_reply(stub: StubOpenAI) -> None:
    parts = [part({"content": SAID}), {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 6}}]
    stub.answer = lambda asked: events(parts)
    completion, [call] = completed(stub, stream=True)
    assert (completion.text, completion.finish, call.estimated) == (SAID, "stop", False)


def test_what_a_server_does_not_take_is_left_out_with_what_is_nothing_without_it(stub: StubOpenAI) -> None:
    completed(stub, replace(REQUEST, logprobs=True), omit=("logprobs", "stream_options"), stream=True)
    assert not {"logprobs", "top_logprobs", "stream_options"} & stub.asked[0].body.keys()
    completed(stub, replace(REQUEST, logprobs=True), omit=("top_logprobs",))
    assert stub.asked[1].body["logprobs"] is True
    assert "top_logprobs" not in stub.asked[1].body


def test_a_server_that_is_not_there_is_told_and_costs_nothing() -> None:
    calls: list[Call] = []
    options = Options("small", "http://127.0.0.1:9/v1", "stub", 8000, retries=1, backoff=0.01)
    with pytest.raises(EndpointUnreachable, match=r"[^.]: check its base_url and that the server runs"):
        asyncio.run(OpenAIEndpoint(options, tokenizer("stub")).complete(REQUEST, recorder(calls)))
    assert [(call.usage, call.estimated) for call in calls] == [(Usage(), False)] * 2


def test_a_client_that_could_not_be_made_is_an_error_of_ours_and_is_made_by_the_next_request(
    stub: StubOpenAI, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = endpoint(stub)
    calls: list[Call] = []

    async def asked() -> Completion:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
        for ask in (made.complete(REQUEST, recorder(calls)), made.models(), made.metrics()):
            with pytest.raises(EndpointFailed, match=r"client did not start: .*No such file.*: see to it on this"):
                await ask
        monkeypatch.delenv("SSL_CERT_FILE")
        return await made.complete(REQUEST, recorder(calls))

    assert asyncio.run(asked()).text == SAID
    assert [call.error for call in calls] == [None]  # nothing was sent without a client
    assert len(stub.asked) == 1


def test_what_the_caller_does_wrong_with_a_piece_is_no_fault_of_the_servers(stub: StubOpenAI) -> None:
    calls: list[Call] = []

    async def fails(piece: str) -> None:
        raise BrokenPipeError("the terminal is gone")

    with pytest.raises(BrokenPipeError):
        asyncio.run(endpoint(stub).complete(REQUEST, recorder(calls), following(fails)))
    assert [call.error for call in calls] == ["abandoned"]


def test_every_exception_class_of_the_library_is_mapped() -> None:
    defined = {value for value in vars(theirs).values() if inspect.isclass(value) and issubclass(value, Exception)}
    assert len(defined) > 15
    assert {cls.__name__ for cls in defined} <= MAPPED.keys()


def test_an_exception_that_the_library_defines_elsewhere_is_what_its_nearest_relative_is() -> None:
    descended = set(descendants(openai.OpenAIError))
    assert openai.AuthenticationError in descended
    for cls in descended:
        nearest = next(one.__name__ for one in cls.__mro__ if one.__name__ in MAPPED)
        error = cls.__new__(cls)
        error.args = ("said",)
        assert type(translated(error, "endpoint", None)) is MAPPED[nearest], cls


def test_waits_are_read_in_seconds_in_milliseconds_and_as_a_date() -> None:
    now = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
    assert retry_after({"retry-after": "7"}, now) == 7
    assert retry_after({"retry-after-ms": "250", "retry-after": "7"}, now) == 0.25
    assert retry_after({"retry-after": "Thu, 01 Jan 2026 12:00:09 GMT"}, now) == 9
    assert retry_after({"retry-after": "Thu, 01 Jan 2026 11:00:00 GMT"}, now) == 0
    for given in ({}, {"retry-after": "soon"}, {"retry-after": "-1"}, {"retry-after": "inf"}, {"retry-after": ""}):
        assert retry_after(given, now) is None


# Keys.


def test_the_key_goes_to_the_server_and_nowhere_else(stub: StubOpenAI, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    stub.keys = {KEY}
    made = endpoint(stub, key=KEY)
    calls: list[Call] = []
    completion = asyncio.run(made.complete(REQUEST, recorder(calls)))
    assert stub.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in f"{made!r} {made} {made.where} {made.options!r} {completion!r} {calls!r} {caplog.text}"
    assert caplog.records


@both
@pytest.mark.parametrize("key", [KEY, "3f9a0c77d1e24b55", "some.other/form+of=key"])
@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_a_key_that_the_server_repeats_reaches_no_error_no_log_and_no_call(
    stub: StubOpenAI, stream: bool, status: int, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    error = {"message": f"Incorrect API key provided: {key}; Bearer {key}; sk-se*****def. See x", "code": None}
    stub.answer = lambda asked: Plan(status=status, error=error)
    raised, calls = refused(stub, stream=stream, key=key, retries=1)
    shown = "".join(traceback.format_exception(raised))
    assert key not in shown + repr(raised) + repr(calls) + caplog.text
    assert "sk-se" not in str(raised)
    assert "[key]" in str(raised)
    assert (raised.__cause__, raised.__context__) == (None, None)


def test_a_key_that_is_not_set_is_named_by_its_variable_and_nothing_is_sent(stub: StubOpenAI) -> None:
    made = OpenAIEndpoint(replace(endpoint(stub).options, key_variable="MY_KEY"), tokenizer("stub"))
    with pytest.raises(MissingKey, match="endpoint 'small' needs a key: set the environment variable MY_KEY"):
        asyncio.run(made.complete(REQUEST, recorder([])))
    assert stub.asked == []


def test_a_server_without_a_key_of_its_own_gets_nothing_that_is_meant_for_openai(
    stub: StubOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, f"{KEY}-{name}")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    completed(stub)
    assert KEY not in json.dumps(dict(stub.asked[0].headers))


def test_one_endpoint_serves_one_event_loop_after_another_and_leaves_no_connection_open(
    stub: StubOpenAI, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    made = endpoint(stub)
    calls: list[Call] = []
    for _ in range(3):
        asyncio.run(made.complete(REQUEST, recorder(calls)))
    assert [call.error for call in calls] == [None] * 3
    assert len(made._clients._kept) == 1
    wait_until(lambda: stub.connections == 0)


def kept(folder: Path, text: str | None) -> str | None:
    """The text as a database and a file give it back."""
    (folder / "kept").write_text(text or "", encoding="utf-8")
    with sqlite3.connect(":memory:") as database:
        return database.execute("select ?", (text,)).fetchone()[0]  # type: ignore[no-any-return]


def part(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def events(parts: list[dict[str, Any]]) -> Plan:
    """Parts of a stream that ends as it stands."""
    body = "".join(f"data: {json.dumps(one)}\n\n" for one in parts)
    return Plan(body=body.encode(), content_type="text/event-stream")


def sent(
    stream: bool, message: dict[str, Any], logprobs: object = None, usage: object = None, model: str = "stub"
) -> Callable[[Any], Plan]:
    """A whole reply with this message, as it stands."""
    choice = {"index": 0, "delta" if stream else "message": message, "finish_reason": "stop", "logprobs": logprobs}
    reply = {"choices": [choice], "usage": usage, "model": model}
    return lambda asked: events([reply]) if stream else Plan(body=json.dumps(reply).encode())


def failed(stream: bool, error: object) -> Plan:
    """A status of 200 with an error within."""
    return events([{"error": error}]) if stream else Plan(body=json.dumps({"error": error}).encode())


def endpoint(stub: StubOpenAI, key: str | None = None, **options: Any) -> OpenAIEndpoint:
    given = {"name": "small", "base_url": stub.url, "model": "stub", "window": 8000, "backoff": 0.01} | options
    made: Endpoint = OpenAIEndpoint(Options(**given), tokenizer("stub"), key)
    assert isinstance(made, OpenAIEndpoint)
    return made


def recorder(calls: list[Call]) -> Callable[[Call], Awaitable[None]]:
    async def record(call: Call) -> None:
        calls.append(call)

    return record


def following(show: Callable[[str], Awaitable[None]]) -> Follow:
    """Shows each piece as it comes."""

    async def hear(piece: str) -> bool:
        await show(piece)
        return True

    return lambda: hear


def completed(
    stub: StubOpenAI, request: Request = REQUEST, shown: list[str] | None = None, **options: Any
) -> tuple[Completion, list[Call]]:
    calls: list[Call] = []

    async def show(piece: str) -> None:
        assert shown is not None
        shown.append(piece)

    made = endpoint(stub, **options)
    return asyncio.run(made.complete(request, recorder(calls), None if shown is None else following(show))), calls


def refused(stub: StubOpenAI, shown: list[str] | None = None, **options: Any) -> tuple[EndpointError, list[Call]]:
    calls: list[Call] = []

    async def show(piece: str) -> None:
        assert shown is not None
        shown.append(piece)

    made = endpoint(stub, **options)
    with pytest.raises(EndpointError) as raised:
        asyncio.run(made.complete(REQUEST, recorder(calls), None if shown is None else following(show)))
    return raised.value, calls


def charged(stub: StubOpenAI) -> Usage:
    return Usage(**stub.charged)


def descendants(cls: type[Exception]) -> Iterator[type[Exception]]:
    yield cls
    for one in cls.__subclasses__():
        yield from descendants(one)


def test_the_stub_is_asked_as_it_says(stub: StubOpenAI) -> None:
    completed(stub)
    [asked] = stub.asked
    assert isinstance(asked, Asked)
    assert "night work" in asked.prompt
