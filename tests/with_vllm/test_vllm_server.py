"""vLLM's own server, read through the OpenAI endpoint: what its documentation promises is what we count on.

The model is tiny and its weights lean to one reply (`tiny.py`), so that it declines because of its weights and not of
what it read. What is proved is the way of a reply: grammar, logprobs, stream, usage, window, and the server's death.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.request import Request as Post
from urllib.request import urlopen

import pytest

pytest.importorskip("vllm", reason="vLLM is not installed: make test-vllm")

from test_endpoints_openai import following

from selfroute import build
from selfroute.embedders.hashing import HashingEmbedder
from selfroute.endpoints import MARGIN, Request
from selfroute.endpoints.checks import check_endpoint
from selfroute.endpoints.openai import OpenAIEndpoint, Options
from selfroute.endpoints.tokenize import served
from selfroute.engine import Engine
from selfroute.errors import EndpointUnreachable, PromptTooLong
from selfroute.ledger import Ledger
from selfroute.ledger.account import LedgerAccount
from selfroute.policies import POLICIES
from selfroute.prices import Prices
from selfroute.readers.chat import ChatReader
from selfroute.settings import load, shipped
from selfroute.tokens import tokenizer
from selfroute.types import Answer, Document, Outcome, Passage, Question, Reading, Route, Stage
from with_vllm import tiny
from with_vllm.parts import Calls, Server

pytestmark = pytest.mark.end_to_end

NIGHT = Question("Who approves night work?")
ENDLESS = Request(Stage.READ_CHUNKS, "Go on.", max_output_tokens=4000)
"""Without a grammar the model never ends of itself."""

Made = Callable[..., OpenAIEndpoint]


@pytest.fixture
def endpoint(server: Server, model: Path) -> Made:
    def make(**more: object) -> OpenAIEndpoint:
        options = Options(
            "local", server.url, "tiny", tiny.WINDOW, limit_field="max_tokens", logprobs=True, retries=0,
            max_output_tokens=200,
        )  # fmt: skip
        return OpenAIEndpoint(replace(options, **more), tokenizer("tiny", str(model / "tokenizer.json")))  # type: ignore[arg-type]

    return make


def ask(endpoint: OpenAIEndpoint, document: Document, home: Path, policy: str = "self_route") -> Answer:
    reader = ChatReader(endpoint)
    engine = Engine(
        home=home,
        embedder=HashingEmbedder(),
        chunk_tokens=200,
        chunk_reader=reader,
        document_reader=reader,
        account=LedgerAccount(Ledger(home / "ledger.sqlite")),
        prices=Prices({}),
        policies={name: make() for name, make in POLICIES.items()},
    )
    return asyncio.run(engine.ask(NIGHT, policy, corpus=document))


def test_a_structured_decline_of_chunks_and_document_ends_as_not_in_document(
    endpoint: Made, handbook: Document, tmp_path: Path
) -> None:
    answer = ask(endpoint(), handbook, tmp_path)
    assert (answer.outcome, answer.route, answer.coverage) == (Outcome.NOT_IN_DOCUMENT, Route.LONG_CONTEXT, 1.0)
    assert [call.stage for call in answer.calls][-2:] == [Stage.READ_CHUNKS, Stage.READ_DOCUMENTS]
    assert all(not call.estimated and call.usage.input_tokens for call in answer.calls)


def test_a_reply_that_is_biased_to_true_is_an_answer(
    endpoint: Made, model: Path, handbook: Document, tmp_path: Path
) -> None:
    true = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]["true"]
    answer = ask(endpoint(parameters={"logit_bias": {str(true): tiny.LEAN + 1}}), handbook, tmp_path, "always_rag")
    assert (answer.outcome, answer.answer, answer.route) == (Outcome.ANSWERED, tiny.LAND, Route.RAG)
    assert answer.unsupported  # it quotes nothing


def test_the_confidence_is_what_the_weights_give_to_true(endpoint: Made, handbook: Document, calls: Calls) -> None:
    reading = Reading(NIGHT, (Passage("harbour.md", 0, handbook.text[:500]),), Route.RAG)
    draft = asyncio.run(ChatReader(endpoint()).read(reading, calls))
    assert draft.declined
    assert draft.confidence == pytest.approx(1 / (1 + math.exp(tiny.LEAN)), abs=0.02)


def test_a_reply_is_shown_piece_by_piece_as_it_is_made(endpoint: Made, calls: Calls) -> None:
    pieces: list[str] = []

    async def shown(piece: str) -> None:
        pieces.append(piece)

    completion = asyncio.run(endpoint().complete(replace(ENDLESS, max_output_tokens=20), calls, following(shown)))
    assert "".join(pieces) == completion.text
    assert len(pieces) > 2
    assert (completion.finish, completion.usage.output_tokens) == ("length", 20)
    assert not calls.made[0].estimated


def test_a_documents_words_are_counted_as_the_server_counts_them(
    server: Server, endpoint: Made, handbook: Document
) -> None:
    body = {"model": "tiny", "prompt": handbook.text, "add_special_tokens": False}
    post = Post(
        f"http://127.0.0.1:{server.port}/tokenize", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urlopen(post) as reply:
        counted = json.load(reply)["count"]
    assert endpoint().count_tokens(handbook.text) == counted


def test_without_a_tokenizer_in_the_settings_the_server_itself_counts(server: Server, handbook: Document) -> None:
    made = tokenizer("tiny", None, served(server.url, "tiny"))
    body = json.dumps({"model": "tiny", "prompt": handbook.text, "add_special_tokens": False}).encode()
    address = server.url.removesuffix("/v1") + "/tokenize"
    with urlopen(Post(address, body, {"Content-Type": "application/json"}), timeout=30) as said:
        assert made.count(handbook.text) == json.load(said)["count"] > 0
    assert (made.split.name, made.split.approximate) == ("the server's own tokenizer", False)


def test_a_prompt_is_counted_within_the_margin_of_what_the_server_counts(
    endpoint: Made, handbook: Document, calls: Calls
) -> None:
    """To be tightened to equality where the server itself is asked to count."""
    reader = ChatReader(endpoint())
    reading = Reading(NIGHT, (Passage("harbour.md", 0, handbook.text),), Route.LONG_CONTEXT)
    asyncio.run(reader.read(reading, calls))
    assert abs(reader.count_tokens(reading) - calls.made[0].usage.input_tokens) <= MARGIN


def test_a_second_question_on_a_document_reads_it_from_the_cache(
    endpoint: Made, handbook: Document, calls: Calls
) -> None:
    reader = ChatReader(endpoint())
    document = Passage("harbour.md", 0, "Another beginning. " + handbook.text)
    for question in (NIGHT, Question("Which certificate do officers in port control hold?")):
        asyncio.run(reader.read(Reading(question, (document,), Route.LONG_CONTEXT), calls))
    first, second = (call.usage for call in calls.made)
    assert first.cached_input_tokens == 0
    assert second.cached_input_tokens > 0.9 * second.input_tokens


def test_a_document_over_the_window_is_read_in_part_and_the_answer_says_so(
    endpoint: Made, handbook: Document, tmp_path: Path
) -> None:
    answer = ask(endpoint(window=8192), handbook, tmp_path, "always_long")
    assert answer.outcome is Outcome.INSUFFICIENT
    assert 0.3 < answer.coverage < 0.8
    assert any("exceeds the reader's window" in warning for warning in answer.warnings)
    assert 7000 < answer.calls[-1].usage.input_tokens + 200 <= 8192


def test_a_prompt_over_the_servers_own_window_is_refused_and_costs_nothing(endpoint: Made, calls: Calls) -> None:
    request = Request(Stage.READ_DOCUMENTS, "harbour " * (tiny.WINDOW + 10))
    with pytest.raises(PromptTooLong, match="lower its window"):
        asyncio.run(endpoint(window=100_000).complete(request, calls))
    assert calls.made[0].usage.input_tokens == 0


def test_the_doctor_sees_window_prefix_cache_and_cached_counts(endpoint: Made) -> None:
    found = {finding.name: finding for finding in asyncio.run(check_endpoint(endpoint()))}
    assert {name for name, finding in found.items() if finding.fine is not True} == {"json_schema"}, found
    assert f"{tiny.WINDOW:,}" in found["window"].said
    assert "on" in found["prefix cache"].said
    assert "of a second reading" in found["cached tokens"].said


def test_the_shipped_configuration_for_a_server_speaks_to_it(server: Server, tmp_path: Path) -> None:
    text = shipped("vllm.yaml").read_text(encoding="utf-8")
    text = text.replace("http://localhost:8000/v1", server.url).replace("Qwen/Qwen2.5-7B-Instruct", "tiny")
    mine = tmp_path / "mine.yaml"
    mine.write_text(text.replace("window: 32768", f"window: {tiny.WINDOW}"), encoding="utf-8")
    local = build.endpoints(load(mine))["local"]
    assert isinstance(local, OpenAIEndpoint)
    found = asyncio.run(check_endpoint(local))
    assert {f.name for f in found if f.fine} >= {"reachable", "model", "window", "usage", "logprobs"}, found


def test_a_server_that_dies_mid_answer_is_an_error_that_says_so_and_its_tokens_are_accounted(
    server: Server, endpoint: Made, calls: Calls
) -> None:
    """The last test here: the server is gone after it."""

    async def shown(piece: str) -> None:
        if server.runs:
            server.die()

    with pytest.raises(EndpointUnreachable, match="check its base_url and that the server runs"):
        asyncio.run(endpoint().complete(ENDLESS, calls, following(shown)))
    [call] = calls.made
    assert call.error is not None
    assert call.estimated
    assert call.usage.output_tokens > 0
    with pytest.raises(EndpointUnreachable):
        asyncio.run(endpoint().complete(ENDLESS, calls))
