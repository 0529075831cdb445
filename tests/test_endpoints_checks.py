"""A check of an endpoint finds what is wrong with it and says what to do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from stub_openai import Plan, StubOpenAI

from selfroute.endpoints.checks import check_endpoint
from selfroute.endpoints.findings import Finding
from selfroute.endpoints.openai import OpenAIEndpoint, Options
from selfroute.tokens import tokenizer
from selfroute.types import Call, Usage

pytestmark = pytest.mark.end_to_end

KEY = "sk-secret-0123456789abcdef"
GOOD = json.dumps({"answerable": True, "answer": "yes", "quotes": []})


@pytest.fixture
def stub() -> Iterator[StubOpenAI]:
    with StubOpenAI(lambda asked: Plan(GOOD)) as running:
        running.models = [{"id": "stub", "object": "model", "created": 0, "owned_by": "x", "max_model_len": 8192}]
        yield running


@pytest.mark.parametrize("stream", [False, True])
def test_an_endpoint_that_works_is_fine_in_every_respect(stub: StubOpenAI, stream: bool) -> None:
    stub.keys = {KEY}
    found = checked(stub, key=KEY, key_variable="MY_KEY", stream=stream)
    assert {name: finding.fine for name, finding in found.items()} == dict.fromkeys(
        ["reachable", "model", "window", "key", "reply", "usage", "json_schema"], True
    )
    assert all(finding.todo is None for finding in found.values())
    assert KEY not in repr(found)


def test_a_server_that_is_not_there_is_all_that_is_found() -> None:
    options = Options("small", "http://127.0.0.1:9/v1", "stub", 8000)
    [finding] = asyncio.run(check_endpoint(OpenAIEndpoint(options, tokenizer("stub"))))
    assert (finding.name, finding.fine) == ("reachable", False)
    assert finding.todo == "check its base_url and that the server runs"


def test_a_key_that_is_wrong_or_not_set_is_found(stub: StubOpenAI) -> None:
    stub.keys = {KEY}
    found = checked(stub, key="sk-another-0123456789", key_variable="MY_KEY")
    assert list(found) == ["key"]
    assert "another" not in repr(found)
    assert found["key"].todo == "check the key in the environment variable that its api_key_env names"
    assert "set the environment variable MY_KEY" in checked(stub, key_variable="MY_KEY")["key"].said


def test_a_model_that_is_not_listed_is_found_with_those_that_are(stub: StubOpenAI) -> None:
    stub.models = [{"id": f"m{n}", "object": "model", "created": 0, "owned_by": "x"} for n in range(10)]
    finding = checked(stub)["model"]
    assert (finding.fine, finding.todo) == (False, "name one of these")
    assert finding.said == "'stub' is not listed; have: m0, m1, m2, m3, m4, m5, m6, m7 and 2 more"


def test_ollamas_latest_is_the_model(stub: StubOpenAI) -> None:
    stub.models = [{"id": "stub:latest", "object": "model", "created": 0, "owned_by": "x"}]
    assert checked(stub)["model"].fine


def test_a_window_that_is_larger_than_the_servers_is_found(stub: StubOpenAI) -> None:
    finding = checked(stub, window=9000)["window"]
    assert (finding.fine, finding.todo) == (False, "set window: 8192 for it")


def test_what_a_server_does_not_say_is_not_known(stub: StubOpenAI) -> None:
    stub.models = None
    found = checked(stub)
    assert [found[name].fine for name in ("reachable", "model", "window", "usage")] == [True, None, None, True]


@pytest.mark.parametrize("status", [400, 403, 404, 405, 429, 500])
def test_a_server_that_does_not_list_its_models_is_tried_all_the_same(stub: StubOpenAI, status: int) -> None:
    stub.models_status = status
    found = checked(stub)
    assert {name: finding.fine for name, finding in found.items()} == {
        "reachable": True,
        "model": None,
        "window": None,
        "key": True,
        "reply": True,
        "usage": True,
        "json_schema": True,
    }


def test_a_key_that_may_not_have_a_reply_is_found(stub: StubOpenAI) -> None:
    stub.models_status = 401
    assert list(checked(stub)) == ["key"]
    stub.models_status = 403
    stub.answer = lambda asked: Plan(status=403)
    found = checked(stub)
    assert (found["key"].fine, "reply" in found) == (False, False)


@pytest.mark.parametrize("stream", [False, True])
def test_a_reply_that_spent_its_tokens_on_thought_is_wrong_with_what_to_raise(stub: StubOpenAI, stream: bool) -> None:
    stub.answer = lambda asked: Plan("", finish="length", thought=100)
    found = checked(stub, stream=stream, logprobs=True)
    assert found["reply"].fine is False
    assert found["reply"].todo == "raise its reasoning_tokens, or its max_output_tokens"
    assert not {"json_schema", "logprobs"} & found.keys()


def test_a_refusal_and_an_empty_reply_are_wrong(stub: StubOpenAI) -> None:
    stub.answer = lambda asked: Plan(None, refusal="I cannot\nhelp")
    found = checked(stub)
    assert (found["reply"].fine, found["reply"].said) == (False, "the model refused: I cannot help")
    assert found["reply"].todo
    assert "json_schema" not in found
    stub.answer = lambda asked: Plan(" ", finish="content_filter")
    assert "the reply is empty (it ended with 'content_filter')" in checked(stub)["reply"].said


def test_of_a_reply_that_was_cut_off_it_is_not_known_whether_it_follows_the_schema(stub: StubOpenAI) -> None:
    stub.answer = lambda asked: Plan(GOOD[:20], finish="length")
    found = checked(stub)
    assert (found["reply"].fine, found["json_schema"].fine) == (True, None)


def test_an_account_without_credit_is_found_with_what_to_do(stub: StubOpenAI) -> None:
    stub.answer = lambda asked: Plan(status=429, error={"message": "no", "code": "insufficient_quota"})
    assert checked(stub)["reply"].todo == "its account has no credit left: see to it there"


@pytest.mark.parametrize("usage", ["none", "zeros"])
def test_tokens_that_are_not_reported_are_found(stub: StubOpenAI, usage: Any) -> None:
    stub.answer = lambda asked: Plan(GOOD, usage=usage)
    assert checked(stub)["usage"].fine is False


def test_a_schema_that_is_not_followed_and_odds_that_are_not_told_are_found(stub: StubOpenAI) -> None:
    stub.answer = lambda asked: Plan("yes")
    found = checked(stub, logprobs=True)
    assert found["json_schema"].todo == "set json_schema: false for it"
    assert found["logprobs"].todo == "set logprobs: false for it"
    assert "json_schema" not in checked(stub, schemas=False)


def test_a_reply_that_fails_is_found_after_one_attempt(stub: StubOpenAI) -> None:
    stub.answer = lambda asked: Plan(status=500)
    found = checked(stub)
    assert (found["key"].fine, found["reply"].fine) == (True, False)
    assert len(stub.asked) == 1


def test_another_model_behind_the_name_is_told(stub: StubOpenAI) -> None:
    stub.answer = lambda asked: Plan(GOOD, model="stub-2025-08-07")
    assert "(the server calls it 'stub-2025-08-07')" in checked(stub)["reply"].said


def test_what_a_check_took_is_recorded_for_who_wants_it(stub: StubOpenAI) -> None:
    calls: list[Call] = []

    async def record(call: Call) -> None:
        calls.append(call)

    asyncio.run(check_endpoint(endpoint(stub), record))
    [call] = calls
    assert call.usage == Usage(stub.charged["input_tokens"], output_tokens=stub.charged["output_tokens"])


def endpoint(stub: StubOpenAI, key: str | None = None, **options: Any) -> OpenAIEndpoint:
    given = {"name": "small", "base_url": stub.url, "model": "stub", "window": 8000} | options
    return OpenAIEndpoint(Options(**given), tokenizer("stub"), key)


def checked(stub: StubOpenAI, key: str | None = None, **options: Any) -> dict[str, Finding]:
    return {finding.name: finding for finding in asyncio.run(check_endpoint(endpoint(stub, key, **options)))}
