"""OpenAI's API, asked by OpenAI's own client and by LlamaIndex's: answers, streams, accounts and errors as they know
them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI
from service import ABSENT, KNOWN, NIGHT, WHO, House, corpus, served
from stub_openai import Plan, StubOpenAI

from selfroute.endpoints.openai import OpenAIEndpoint, Options
from selfroute.errors import EndpointFailed
from selfroute.policies import POLICIES
from selfroute.readers.chat import ChatReader
from selfroute.readers.scripted import KnowingReader, ScriptedReader, answers, declines, fails
from selfroute.server.access import Caller
from selfroute.tokens import tokenizer

pytestmark = pytest.mark.end_to_end

MODEL = "self_route@port"


def asking(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


@pytest.fixture
def house(home: Path) -> House:
    corpus(home)
    return House(home)


@pytest.fixture
def http(house: House) -> Iterator[httpx.Client]:
    with served(house.app()) as client:
        yield client


@pytest.fixture
def client(http: httpx.Client) -> Iterator[OpenAI]:
    with client_of(http) as client:
        yield client


def client_of(http: httpx.Client, key: str = "none") -> OpenAI:
    return OpenAI(base_url=f"{http.base_url}/v1", api_key=key, timeout=30)


def test_models_are_every_policy_at_every_corpus(home: Path, client: OpenAI) -> None:
    corpus(home, "wood", {"forest": "The forest has tall pines."})
    listed = client.models.list().data
    assert [one.id for one in listed] == [f"{policy}@{name}" for name in ("port", "wood") for policy in POLICIES]
    assert client.models.retrieve(MODEL).id == MODEL


def test_a_chat_is_answered_with_its_account_in_the_message(http: httpx.Client, client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=asking(WHO))
    completion = raw.parse()
    [choice] = completion.choices
    told = choice.message.model_extra["selfroute"]
    assert (choice.message.content, choice.finish_reason, completion.model) == ("Olof Berg", "stop", MODEL)
    assert (told["outcome"], told["route"], told["corpus"]) == ("answered", "rag", "port")
    assert [one["text"] for one in told["citations"]] == ["Olof Berg"]
    assert completion.id == f"chatcmpl-{told['id']}"
    assert http.get(f"/v1/questions/{told['id']}").json()["answer"]["answer"] == "Olof Berg"
    assert raw.headers["x-selfroute-question"] == told["id"]
    assert raw.headers["x-litellm-total-tokens"] == str(completion.usage.total_tokens)
    assert Decimal(raw.headers["x-litellm-response-cost"]) == sum(Decimal(call["cost"]) for call in told["calls"])


def test_usage_is_the_sum_over_all_calls_of_the_question(house: House) -> None:
    house.reader = ScriptedReader([declines(), answers("Olof Berg")])
    with served(house.app()) as http, client_of(http) as client:
        completion = client.chat.completions.create(model=MODEL, messages=asking(WHO))
    told = completion.choices[0].message.model_extra["selfroute"]
    calls = [call["usage"] for call in told["calls"]]
    assert [call["stage"] for call in told["calls"]] == ["embed", "read_chunks", "read_documents"]
    assert told["route"] == "long_context"
    assert completion.usage.prompt_tokens == sum(usage["input_tokens"] for usage in calls)
    assert completion.usage.completion_tokens == sum(usage["output_tokens"] for usage in calls) == 2
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens
    assert completion.usage.prompt_tokens_details.cached_tokens == 0
    assert completion.usage.completion_tokens_details.reasoning_tokens == 0


def test_without_an_answer_the_content_says_so_and_the_extension_why(client: OpenAI) -> None:
    completion = client.chat.completions.create(model=MODEL, messages=asking(ABSENT))
    read_little = client.chat.completions.create(model="always_rag@port", messages=asking(ABSENT))
    told = [one.choices[0].message for one in (completion, read_little)]
    assert told[0].content == told[1].content == "What was read of the documents does not answer this question."
    assert [one.model_extra["selfroute"]["outcome"] for one in told] == ["insufficient", "insufficient"]
    assert told[0].model_extra["selfroute"]["citations"] == []


def test_a_stream_gives_the_answer_in_pieces_then_its_account_then_its_usage(house: House) -> None:
    house.reader = ScriptedReader([answers("Olof Berg of the harbour")])
    with served(house.app()) as http, client_of(http) as client:
        chunks = list(
            client.chat.completions.create(
                model="always_rag@port", messages=asking(WHO), stream=True, stream_options={"include_usage": True}
            )
        )
    *spoken, ended, usage = chunks
    pieces = [chunk.choices[0].delta.content for chunk in spoken]
    told = ended.choices[0].delta.model_extra["selfroute"]
    assert spoken[0].choices[0].delta.role == "assistant"
    assert pieces == ["", "Olof ", "Berg ", "of ", "the ", "harbour"]
    assert [chunk.choices[0].finish_reason for chunk in (*spoken, ended)] == [None] * 6 + ["stop"]
    assert told["outcome"] == "answered"
    assert all(chunk.usage is None for chunk in (*spoken, ended))
    assert usage.choices == []
    assert usage.usage.prompt_tokens == told["totals"]["usage"]["input_tokens"]
    assert usage.usage.completion_tokens == 5
    assert {chunk.id for chunk in chunks} == {f"chatcmpl-{told['id']}"}


def test_a_stream_that_nobody_asked_usage_of_tells_none(client: OpenAI) -> None:
    chunks = list(client.chat.completions.create(model=MODEL, messages=asking(ABSENT), stream=True))
    assert all(len(chunk.choices) == 1 and chunk.usage is None for chunk in chunks)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert said == "What was read of the documents does not answer this question."


def test_the_client_s_own_stream_puts_the_message_together(client: OpenAI) -> None:
    with client.chat.completions.stream(model=MODEL, messages=asking(WHO)) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.content == "Olof Berg"
    assert message.model_extra["selfroute"]["route"] == "rag"


def test_the_wire_of_a_stream_is_data_alone_and_ends_with_done(http: httpx.Client) -> None:
    asked = {"model": MODEL, "messages": asking(WHO), "stream": True}
    with http.stream("POST", "/v1/chat/completions", json=asked) as reply:
        text = reply.read().decode()
    *frames, end = text.split("\n\n")
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert all(frame.startswith("data: ") and "\n" not in frame for frame in frames)
    assert (frames[-1], end) == ("data: [DONE]", "")


def test_a_conversation_is_the_history_of_its_last_question(house: House) -> None:
    house.reader = reader = ScriptedReader([answers("Olof Berg"), answers("in writing")])
    talk = [*asking(WHO)]
    with served(house.app()) as http, client_of(http) as client:
        for follows in (NIGHT, None):
            chunks = client.chat.completions.create(model="always_rag@port", messages=talk, stream=True)
            deltas = [chunk.choices[0].delta for chunk in chunks]
            told = deltas[-1].model_extra["selfroute"]
            talk.append({"role": "assistant", "content": "".join(one.content or "" for one in deltas)})
            talk += asking(follows) if follows else []
    assert [reading.question.text for reading in reader.readings] == [WHO, NIGHT]
    assert "without the earlier turns" in told["warnings"][0]
    assert talk[1]["content"] == "Olof Berg"


def test_a_message_of_ours_can_be_sent_back_as_it_came(client: OpenAI) -> None:
    first = client.chat.completions.create(model=MODEL, messages=asking(ABSENT)).choices[0].message
    talk = [*asking(ABSENT), first, {"role": "user", "content": [{"type": "text", "text": WHO}]}]
    completion = client.chat.completions.create(model=MODEL, messages=talk)
    assert completion.choices[0].message.content == "Olof Berg"


def test_a_system_message_is_taken_and_said_not_to_be_shown(client: OpenAI) -> None:
    talk = [{"role": "system", "content": "You are a pirate."}, *asking(WHO)]
    told = client.chat.completions.create(model=MODEL, messages=talk).choices[0].message.model_extra["selfroute"]
    assert told["warnings"][0].startswith("the system message was not shown to the model")


def test_what_changes_nothing_is_taken(client: OpenAI) -> None:
    completion = client.chat.completions.create(
        model=MODEL,
        messages=asking(WHO),
        n=1,
        user="someone",
        metadata={"for": "a test"},
        store=False,
        temperature=0.7,
        top_p=1,
        max_tokens=400,
        tools=[],
        stop=None,
        response_format={"type": "text"},
    )
    assert completion.choices[0].message.content == "Olof Berg"


def test_temperature_and_limit_reach_the_reader(house: House) -> None:
    house.reader = reader = ScriptedReader([answers("Olof Berg")])
    with served(house.app()) as http, client_of(http) as client:
        client.chat.completions.create(
            model="always_rag@port", messages=asking(WHO), temperature=0.5, max_completion_tokens=99
        )
    task = reader.readings[0].question.task
    assert (task.temperature, task.max_output_tokens) == (0.5, 99)


def test_more_can_be_said_of_a_question_under_selfroute(client: OpenAI) -> None:
    def ask(**options: object) -> Any:
        return client.chat.completions.create(
            model="always_rag@port", messages=asking(ABSENT), extra_body={"selfroute": options}
        ).choices[0]

    assert len(client.chat.completions.create(model="always_rag@port", messages=asking(WHO)).choices) == 1
    assert ask(k=3).message.model_extra["selfroute"]["coverage"] > ask(k=1).message.model_extra["selfroute"]["coverage"]
    with pytest.raises(openai.NotFoundError, match="'nope'"):
        ask(documents=["nope"])
    with pytest.raises(openai.BadRequestError) as refused:
        ask(colour="red")
    assert refused.value.param == "selfroute.colour"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"n": 2}, "n"),
        ({"n": True}, "n"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"logprobs": True}, "logprobs"),
        ({"stop": ["\n"]}, "stop"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"seed": 7}, "seed"),
        ({"top_p": 0.5}, "top_p"),
        ({"store": True}, "store"),
        ({"reasoning_effort": "high"}, "reasoning_effort"),
        ({"colour": "red"}, "colour"),
        ({"messages": [{"role": "assistant", "tool_calls": [{}]}, *asking(WHO)]}, "messages.tool_calls"),
    ],
)
def test_what_is_not_done_here_is_refused_by_name(
    shared: httpx.Client, stream: bool, change: dict[str, object], param: str
) -> None:
    asked = {"model": MODEL, "messages": asking(WHO), "stream": stream, **change}
    reply = shared.post("/v1/chat/completions", json=asked)
    error = reply.json()["error"]
    assert (reply.status_code, error["param"], error["code"]) == (400, param, "unsupported_parameter")
    assert error["type"] == "invalid_request_error"
    assert f"'{param}' is not supported" in error["message"]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"temperature": 3}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.role"),
        ({"messages": [{"role": "boss", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0.text"),
        ({"messages": asking(" ")}, None),
        ({"messages": [*asking(WHO), {"role": "assistant", "content": "Berg"}]}, None),
        ({"model": None}, "model"),
    ],
)
def test_what_is_no_request_is_a_400_as_openai_says_it(
    http: httpx.Client, change: dict[str, object], param: str | None
) -> None:
    reply = http.post("/v1/chat/completions", json={"model": MODEL, "messages": asking(WHO), **change})
    error = reply.json()["error"]
    assert (reply.status_code, error["param"], error["type"]) == (400, param, "invalid_request_error")
    assert error["message"]


def test_a_picture_is_refused_by_its_place(client: OpenAI) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:,"}}
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": [picture]}])  # type: ignore
    assert "content" in (refused.value.param or "")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["gpt-4o", "self_route", "self_route@nope", "nope@port", "self_route@../port", "@"])
def test_a_model_that_is_not_there_is_not_found(shared: httpx.Client, stream: bool, model: str) -> None:
    with client_of(shared) as client:
        with pytest.raises(openai.NotFoundError) as missing:
            client.chat.completions.create(model=model, messages=asking(WHO), stream=stream)
        with pytest.raises(openai.NotFoundError):
            client.responses.create(model=model, input=WHO, stream=stream)
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve(model)
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")


def test_what_is_not_offered_answers_in_the_same_shape(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="nothing at /v1/embeddings"):
        client.embeddings.create(model="any", input="x")
    with pytest.raises(openai.NotFoundError, match="nothing at /v1/completions"):
        client.completions.create(model=MODEL, prompt="x")


class OnlyForest:
    async def admit(self, bearer: str | None) -> Caller:
        return Caller("one", frozenset({"wood"}))


def test_a_key_sees_and_asks_the_models_of_its_corpora_alone(house: House) -> None:
    corpus(house.home, "wood", {"forest": "The forest has tall pines."})
    house.access = OnlyForest()
    with served(house.app()) as http, client_of(http) as client:
        assert {one.id.partition("@")[2] for one in client.models.list()} == {"wood"}
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve(MODEL)
        with pytest.raises(openai.NotFoundError) as hidden:
            client.chat.completions.create(model=MODEL, messages=asking(WHO))
        with pytest.raises(openai.NotFoundError) as absent:
            client.chat.completions.create(model="self_route@none", messages=asking(WHO))
        assert client.chat.completions.create(model="self_route@wood", messages=asking(ABSENT)).choices
    assert str(hidden.value).replace("port", "none") == str(absent.value)


def test_a_damaged_corpus_is_a_model_and_says_what_to_do_when_it_is_asked(home: Path, client: OpenAI) -> None:
    (home / "port" / "manifest.json").write_text("{")
    assert client.models.retrieve(MODEL).id == MODEL
    with pytest.raises(openai.InternalServerError, match="log says what") as damaged:
        client.chat.completions.create(model=MODEL, messages=asking(WHO))
    assert (damaged.value.status_code, damaged.value.code) == (503, "corrupt_index")


def test_a_failing_endpoint_is_the_clients_server_error_and_is_not_asked_again(house: House) -> None:
    house.reader = reader = ScriptedReader([fails(EndpointFailed("stub (m)", "it broke"))] * 3)
    with served(house.app()) as http, client_of(http) as client, pytest.raises(openai.InternalServerError) as broke:
        client.chat.completions.create(model=MODEL, messages=asking(WHO))
    assert (broke.value.status_code, broke.value.code, broke.value.type) == (502, "endpoint_failed", "server_error")
    assert len(reader.readings) == 1


def test_past_the_most_in_flight_the_client_comes_again_and_is_answered(
    house: House, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    house.in_flight, house.reader = 1, KnowingReader(KNOWN, seconds=0.5)
    app = house.app()
    with served(app) as http, client_of(http) as client:
        first = client.chat.completions.create(model=MODEL, messages=asking(WHO), stream=True)
        wait_until(lambda: app.state.parts.desk.asking == 1)
        with pytest.raises(openai.InternalServerError) as busy:
            client.with_options(max_retries=0).chat.completions.create(model=MODEL, messages=asking(NIGHT))
        second = client.with_options(max_retries=4).chat.completions.create(model=MODEL, messages=asking(NIGHT))
        list(first)
    assert (busy.value.status_code, busy.value.response.headers["retry-after"]) == (503, "1")
    assert second.choices[0].message.content == "in writing"


@pytest.mark.parametrize("error", [EndpointFailed("stub (m)", "it broke"), RuntimeError("sk-secret")])
def test_a_stream_that_breaks_is_the_clients_api_error(house: House, error: Exception) -> None:
    house.reader = ScriptedReader([fails(error, after="Olof Berg"), answers("in writing")])
    said = []
    with served(house.app()) as http, client_of(http) as client:
        stream = client.chat.completions.create(model="always_rag@port", messages=asking(WHO), stream=True)
        with pytest.raises(openai.APIError) as broke:
            said += (chunk.choices[0].delta.content for chunk in stream)
        after = client.chat.completions.create(model="always_rag@port", messages=asking(NIGHT))
    assert after.choices[0].message.content == "in writing"
    assert said == ["", "Olof ", "Berg"]
    assert broke.value.code == ("endpoint_failed" if isinstance(error, EndpointFailed) else "internal")
    assert "secret" not in str(broke.value)


@pytest.fixture
def stub() -> Iterator[StubOpenAI]:
    with StubOpenAI() as stub:
        yield stub


def reading_at(stub: StubOpenAI) -> ChatReader:
    options = Options(name="small", base_url=stub.url, model="stub", window=8000, backoff=0.01)
    return ChatReader(OpenAIEndpoint(options, tokenizer("stub")))


@pytest.mark.parametrize("stream", [False, True])
def test_usage_and_its_details_are_what_the_endpoint_charged(house: House, stub: StubOpenAI, stream: bool) -> None:
    """A decline and an answer, cached and thought, one attempt of which failed."""
    found = json.dumps({"answerable": True, "answer": "Olof Berg", "quotes": ["is Olof Berg"]})
    plans = {1: Plan(cached=3, thought=2), 2: Plan(status=503), 3: Plan(found, cached=5, thought=7, written=1)}
    stub.answer = lambda asked: plans[asked.number]
    house.reader = reading_at(stub)
    with served(house.app()) as http, client_of(http) as client:
        asked: dict[str, Any] = {"model": MODEL, "messages": asking(WHO), "stream": stream}
        told = client.chat.completions.create(**asked | ({"stream_options": {"include_usage": True}} if stream else {}))
        usage = list(told)[-1].usage if stream else told.usage
    account = sqlite3.connect(house.home / "ledger.sqlite")
    [(embedded,)] = account.execute("SELECT sum(input_tokens) FROM calls WHERE stage = 'embed'").fetchall()
    assert usage.prompt_tokens - embedded == stub.charged["input_tokens"]
    assert usage.completion_tokens == stub.charged["output_tokens"]
    assert usage.prompt_tokens_details.cached_tokens == stub.charged["cached_input_tokens"] == 8
    assert usage.completion_tokens_details.reasoning_tokens == stub.charged["reasoning_tokens"] == 9
    assert usage.prompt_tokens_details.cache_write_tokens == 1


def test_a_stream_that_the_endpoint_cuts_off_is_an_api_error_and_on_record(house: House, stub: StubOpenAI) -> None:
    answer = "Olof Berg, who has been the harbour master since he came. " * 6
    found = json.dumps({"answerable": True, "answer": answer, "quotes": []})
    stub.answer = lambda asked: Plan(found, breaks="within") if asked.number == 1 else Plan(found)
    house.reader = reading_at(stub)
    said: list[str | None] = []
    with served(house.app()) as http, client_of(http) as client:
        stream = client.chat.completions.create(model="always_rag@port", messages=asking(WHO), stream=True)
        with pytest.raises(openai.APIError) as broke:
            said += (chunk.choices[0].delta.content for chunk in stream)
        after = client.chat.completions.create(model="always_rag@port", messages=asking(WHO))
    assert broke.value.code == "endpoint_unreachable"
    assert len("".join(map(str, said))) > 20
    assert answer.startswith("".join(map(str, said)))
    assert after.choices[0].message.content == answer.strip()
    account = sqlite3.connect(house.home / "ledger.sqlite")
    [(error,)] = account.execute("SELECT error FROM questions WHERE error IS NOT NULL").fetchall()
    assert error.startswith("EndpointUnreachable")


CUT = "Olof Berg, who has been the harbour master for as long as anybody can remember, and who before that"
WHOLE = json.dumps({"answerable": True, "answer": "Olof Berg", "quotes": ["is Olof Berg"]})


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("plan", "finish"),
    [
        (Plan(CUT, finish="length"), "length"),
        (Plan(WHOLE[:-20], finish="length"), "length"),
        (Plan(WHOLE), "stop"),
        (Plan("unanswerable", finish="length"), "stop"),
    ],
)
def test_a_chat_is_told_where_its_limit_of_tokens_ended_the_reply(
    house: House, stub: StubOpenAI, plan: Plan, finish: str, stream: bool
) -> None:
    """A decline is whole, whatever the model would have gone on to say: its words are ours."""
    stub.answer = lambda asked: plan
    house.reader = reading_at(stub)
    with served(house.app()) as http, client_of(http) as client:
        told = client.chat.completions.create(model="always_rag@port", messages=asking(WHO), stream=stream)
        choices = [chunk.choices[0] for chunk in told] if stream else told.choices
    assert [one.finish_reason for one in choices] == [None] * (len(choices) - 1) + [finish]
    last = choices[-1].delta if stream else choices[-1].message
    assert last.model_extra["selfroute"]["cut_off"] == (finish == "length")


@pytest.mark.parametrize(("finish", "status"), [("length", "incomplete"), ("stop", "completed")])
def test_a_response_is_incomplete_where_its_limit_of_tokens_ended_the_reply(
    house: House, stub: StubOpenAI, finish: str, status: str
) -> None:
    stub.answer = lambda asked: Plan(CUT, finish=finish)
    house.reader = reading_at(stub)
    with served(house.app()) as http, client_of(http) as client:
        whole = client.responses.create(model="always_rag@port", input=WHO)
        streamed = list(client.responses.create(model="always_rag@port", input=WHO, stream=True))
    why = "max_output_tokens" if status == "incomplete" else None
    assert streamed[-1].type == f"response.{status}"
    for told in (whole, streamed[-1].response):
        assert (told.status, told.output[0].status, told.output_text) == (status, status, CUT)
        assert (told.incomplete_details and told.incomplete_details.reason) == why


def test_the_answer_that_stands_says_whether_it_was_cut_off_and_not_one_before_it(
    house: House, stub: StubOpenAI
) -> None:
    stub.answer = lambda asked: Plan("unanswerable", finish="length") if asked.number == 1 else Plan(WHOLE)
    house.reader = reading_at(stub)
    with served(house.app()) as http:
        answer = http.post("/v1/ask", json={"question": WHO, "corpus": "port", "policy": "self_route"}).json()
    assert (answer["path"], answer["cut_off"]) == (["retrieve", "read_chunks", "read_documents"], False)
    assert any("cut off at its limit" in warning for warning in answer["warnings"])


def test_a_client_that_leaves_ends_its_question(house: House, wait_until: Callable[[Callable[[], bool]], None]) -> None:
    house.reader = KnowingReader(KNOWN, seconds=30)
    app = house.app()
    with served(app) as http, client_of(http) as client:
        stream = client.chat.completions.create(model=MODEL, messages=asking(WHO), stream=True)
        wait_until(lambda: app.state.parts.desk.asking == 1)
        stream.close()
        wait_until(lambda: app.state.parts.desk.asking == 0)
        with pytest.raises(openai.APITimeoutError):
            client.with_options(timeout=0.5, max_retries=0).responses.create(model=MODEL, input=WHO)
        wait_until(lambda: app.state.parts.desk.asking == 0)


def test_a_response_is_answered_with_its_account(client: OpenAI) -> None:
    raw = client.responses.with_raw_response.create(model=MODEL, input=WHO)
    response = raw.parse()
    told = response.model_extra["selfroute"]
    [note] = response.output[0].content[0].annotations
    assert (response.output_text, response.status, response.id) == ("Olof Berg", "completed", f"resp_{told['id']}")
    assert (note.type, note.file_id) == ("file_citation", "harbour")
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    assert response.usage.input_tokens == sum(call["usage"]["input_tokens"] for call in told["calls"])
    assert raw.headers["x-litellm-total-tokens"] == str(response.usage.total_tokens)


def test_a_response_takes_a_conversation_and_instructions(house: House) -> None:
    house.reader = reader = ScriptedReader([answers("in writing")])
    talk: list[Any] = [
        *asking(WHO),
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Olof Berg"}]},
        {"role": "user", "content": [{"type": "input_text", "text": NIGHT}]},
    ]
    with served(house.app()) as http, client_of(http) as client:
        response = client.responses.create(model="always_rag@port", input=talk, instructions="Be brief.")
    assert reader.readings[0].question.text == NIGHT
    assert response.model_extra["selfroute"]["warnings"][0].startswith("the system message was not shown")
    assert response.instructions == "Be brief."


def test_a_streamed_response_tells_its_events_in_order(house: House) -> None:
    house.reader = ScriptedReader([answers("Olof Berg")])
    with served(house.app()) as http, client_of(http) as client:
        events = list(client.responses.create(model="always_rag@port", input=WHO, stream=True))
    assert [event.type.removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.annotation.added",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event.sequence_number for event in events] == list(range(11))
    assert events[-1].response.output_text == events[-4].text == "Olof Berg"
    assert events[-1].response.usage.output_tokens == 2


def test_the_clients_own_response_stream_puts_the_response_together(client: OpenAI) -> None:
    for question, said in (
        (WHO, "Olof Berg"),
        (ABSENT, "What was read of the documents does not answer this question."),
    ):
        with client.responses.stream(model=MODEL, input=question) as stream:
            deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
            response = stream.get_final_response()
        assert "".join(deltas) == response.output_text == said


def test_a_streamed_response_that_breaks_says_so_and_raises(house: House) -> None:
    house.reader = ScriptedReader([fails(EndpointFailed("stub (m)", "it broke"), after="Olof")])
    told = []
    with served(house.app()) as http, client_of(http) as client, pytest.raises(openai.APIError, match="it broke"):
        told += client.responses.create(model="always_rag@port", input=WHO, stream=True)
    assert told[-1].type == "response.failed"
    assert told[-1].response.status == "failed"
    assert "it broke" in told[-1].response.error.message


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"store": True}, "store"),
        ({"background": True}, "background"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"text": {"format": {"type": "json_object"}}}, "text"),
        ({"reasoning": {"effort": "high"}}, "reasoning"),
    ],
)
def test_what_is_not_done_of_responses_is_refused_by_name(client: OpenAI, change: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model=MODEL, input=WHO, **change)
    assert (refused.value.param, refused.value.code) == (param, "unsupported_parameter")


@pytest.mark.parametrize("metadata", [None, {}, {"for": "a test", "run": "7"}])
def test_a_response_tells_the_client_s_metadata_back(client: OpenAI, metadata: dict[str, str] | None) -> None:
    whole = client.responses.create(model=MODEL, input=WHO, metadata=metadata)
    events: list[Any] = list(client.responses.create(model=MODEL, input=WHO, metadata=metadata, stream=True))
    told = [event.response.metadata for event in events if hasattr(event, "response")]
    assert whole.metadata == (metadata or {})
    assert told == [metadata or {}] * 3
    assert whole.output_text == "Olof Berg"


@pytest.mark.parametrize(
    ("metadata", "param"),
    [
        ({str(n): "x" for n in range(17)}, "metadata"),
        ({"n": 7}, "metadata.n"),
        ({"n": "\ud800"}, "metadata.n"),
        ({"n": "x" * 513}, "metadata.n"),
    ],
)
def test_metadata_that_openai_would_not_take_is_refused(http: httpx.Client, metadata: object, param: str) -> None:
    sent = json.dumps({"model": MODEL, "input": WHO, "metadata": metadata})
    reply = http.post("/v1/responses", content=sent, headers={"Content-Type": "application/json"})
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize(
    "item",
    [
        {"type": "function_call_output", "call_id": "c", "output": "y"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "item_reference", "id": "msg_1"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
    ],
)
def test_an_item_that_is_no_message_is_refused_by_its_kind(client: OpenAI, item: dict[str, Any]) -> None:
    with pytest.raises(openai.BadRequestError, match="but as message") as refused:
        client.responses.create(model=MODEL, input=[*asking(WHO), item, *asking(NIGHT)])  # type: ignore
    assert (refused.value.param, refused.value.code) == (f"input.{item['type']}", "unsupported_parameter")


@pytest.mark.parametrize(
    ("sent", "param", "message"),
    [
        ([], "input", "at least 1 item"),
        (5, "input", "valid string"),
        ([{"role": "user", "content": 5}], "input.0.content", "valid string"),
    ],
)
def test_an_input_that_cannot_be_read_is_named_with_what_is_wrong(
    client: OpenAI, sent: Any, param: str, message: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=message) as refused:
        client.responses.create(model=MODEL, input=sent)
    assert refused.value.param == param


def test_what_is_sent_is_what_openai_s_own_types_say(http: httpx.Client) -> None:
    """The client builds its types without checking them; here they are checked."""
    from openai.types.chat import ChatCompletion, ChatCompletionChunk
    from openai.types.responses import Response

    asked = {"model": MODEL, "messages": asking(WHO)}
    ChatCompletion.model_validate(http.post("/v1/chat/completions", json=asked).json())
    Response.model_validate(http.post("/v1/responses", json={"model": MODEL, "input": WHO}).json())
    streamed = http.post(
        "/v1/chat/completions", json={**asked, "stream": True, "stream_options": {"include_usage": True}}
    ).text
    frames = [line.removeprefix("data: ") for line in streamed.splitlines() if line.startswith("data: {")]
    chunks = [ChatCompletionChunk.model_validate(json.loads(frame)) for frame in frames]
    assert len(chunks) == 4


def test_every_streamed_event_is_what_openai_s_own_types_say(http: httpx.Client) -> None:
    from openai.types.responses import ResponseStreamEvent
    from pydantic import TypeAdapter

    adapter: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
    text = http.post("/v1/responses", json={"model": MODEL, "input": WHO, "stream": True}).text
    events = [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]
    assert [adapter.validate_python(event).type for event in events] == [event["type"] for event in events]
    named = [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]
    assert named == [event["type"] for event in events]


def test_llamaindex_completes_chats_and_streams(http: httpx.Client) -> None:
    module = pytest.importorskip("llama_index.llms.openai_like", reason="needs llama-index-llms-openai-like")
    from llama_index.core.llms import ChatMessage

    llm = module.OpenAILike(model=MODEL, api_base=f"{http.base_url}/v1", api_key="none", is_chat_model=True)
    talk = [ChatMessage(role="user", content=WHO), ChatMessage(role="assistant", content="Olof Berg")]
    chat = llm.chat([*talk, ChatMessage(role="user", content=NIGHT)])
    assert llm.complete(WHO).text == "Olof Berg"
    assert chat.message.content == "in writing"
    assert chat.raw.choices[0].message.model_extra["selfroute"]["outcome"] == "answered"
    assert chat.raw.usage.prompt_tokens == chat.additional_kwargs["prompt_tokens"] > 0
    assert [piece.delta for piece in llm.stream_complete(WHO)][-2:] == ["Olof Berg", ""]
    assert list(llm.stream_chat([ChatMessage(role="user", content=WHO)]))[-1].message.content == "Olof Berg"
