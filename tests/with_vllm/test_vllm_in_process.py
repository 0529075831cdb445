"""vLLM's engine in this process: the same replies, counts and errors as over the wire, and what only it has.

The model is tiny and its weights lean to one reply (`tiny.py`), so that it declines because of its weights and not of
what it read. What is proved is the way of a reply: template, grammar, logprobs, cache, abort, and the engine's death.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest

pytest.importorskip("vllm", reason="vLLM is not installed: make test-vllm")

import psutil
from commands import in_process
from test_endpoints_openai import following

from selfroute.embedders.hashing import HashingEmbedder
from selfroute.endpoints import Request
from selfroute.endpoints.checks import check_in_process
from selfroute.endpoints.vllm import MAPPED, Options, VLLMEndpoint
from selfroute.engine import Engine
from selfroute.errors import (
    EndpointBusy,
    EndpointError,
    EndpointFailed,
    EndpointTimeout,
    InvalidSettings,
    PromptTooLong,
    RequestRejected,
)
from selfroute.ledger import Ledger
from selfroute.ledger.account import LedgerAccount
from selfroute.policies import POLICIES
from selfroute.prices import Prices
from selfroute.readers.chat import ChatReader
from selfroute.settings import shipped
from selfroute.types import Answer, Document, Outcome, Passage, Question, Reading, Route, Stage, Usage
from with_vllm import tiny
from with_vllm.parts import HANDBOOK, Calls

pytestmark = pytest.mark.end_to_end

NIGHT = Question("Who approves night work?")
ENDLESS = Request(Stage.READ_CHUNKS, "Go on.")
"""Without a grammar the model never ends of itself."""
WORDS = {
    "VLLMValidationError": ("too long",),
    "LoRAAdapterNotFoundError": ("name", "path"),
    "VLLMUnprocessableEntityError": ("no such image",),
    "GracefulHTTPError": ("busy", HTTPStatus.SERVICE_UNAVAILABLE),
}
"""What those of its exceptions are made with that are made with something."""
LIGHT = {"enforce_eager": True, "distributed_executor_backend": "uni"}
"""A process less to start."""


@pytest.fixture(scope="module")
def endpoint(model: Path) -> VLLMEndpoint:
    return VLLMEndpoint(Options("local", str(model), tiny.WINDOW, 2000, engine=LIGHT))


def narrowed(endpoint: VLLMEndpoint, **more: object) -> VLLMEndpoint:
    """With other options, on the same engine."""
    other = VLLMEndpoint(replace(endpoint.options, **more))  # type: ignore[arg-type]
    other._engines = endpoint._engines
    return other


def engine_of(endpoint: VLLMEndpoint, home: Path) -> Engine:
    reader = ChatReader(endpoint)
    return Engine(
        home=home,
        embedder=HashingEmbedder(),
        chunk_tokens=200,
        chunk_reader=reader,
        document_reader=reader,
        account=LedgerAccount(Ledger(home / "ledger.sqlite")),
        prices=Prices({}),
        policies={name: make() for name, make in POLICIES.items()},
    )


@pytest.fixture
def ask(loop: asyncio.Runner, tmp_path: Path) -> Callable[..., Answer]:
    def run(endpoint: VLLMEndpoint, document: Document, policy: str = "self_route") -> Answer:
        return loop.run(engine_of(endpoint, tmp_path).ask(NIGHT, policy, corpus=document))

    return run


def test_a_structured_decline_of_chunks_and_document_ends_as_not_in_document(
    endpoint: VLLMEndpoint, handbook: Document, ask: Callable[..., Answer]
) -> None:
    answer = ask(endpoint, handbook)
    assert (answer.outcome, answer.route, answer.coverage) == (Outcome.NOT_IN_DOCUMENT, Route.LONG_CONTEXT, 1.0)
    assert [call.stage for call in answer.calls][-2:] == [Stage.READ_CHUNKS, Stage.READ_DOCUMENTS]
    assert all(not call.estimated and call.usage.input_tokens for call in answer.calls)


def test_a_reply_that_is_biased_to_true_is_an_answer(
    endpoint: VLLMEndpoint, model: Path, handbook: Document, ask: Callable[..., Answer]
) -> None:
    true = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]["true"]
    answer = ask(narrowed(endpoint, parameters={"logit_bias": {true: tiny.LEAN + 1}}), handbook, "always_rag")
    assert (answer.outcome, answer.answer, answer.route) == (Outcome.ANSWERED, tiny.LAND, Route.RAG)


def test_the_confidence_is_what_the_weights_give_to_true(
    endpoint: VLLMEndpoint, loop: asyncio.Runner, handbook: Document, calls: Calls
) -> None:
    reading = Reading(NIGHT, (Passage("harbour.md", 0, handbook.text[:500]),), Route.RAG)
    draft = loop.run(ChatReader(endpoint).read(reading, calls))
    assert draft.declined
    assert draft.confidence == pytest.approx(1 / (1 + math.exp(tiny.LEAN)), abs=0.02)


def test_a_reply_is_shown_piece_by_piece_as_it_is_made(
    endpoint: VLLMEndpoint, loop: asyncio.Runner, calls: Calls
) -> None:
    pieces: list[str] = []

    async def shown(piece: str) -> None:
        pieces.append(piece)

    completion = loop.run(endpoint.complete(replace(ENDLESS, max_output_tokens=20), calls, following(shown)))
    assert "".join(pieces) == completion.text
    assert len(pieces) > 2
    assert (completion.finish, completion.usage.output_tokens) == ("length", 20)


@pytest.mark.parametrize("chat", [True, False])
def test_a_prompt_is_counted_as_the_engine_counts_it(
    endpoint: VLLMEndpoint, loop: asyncio.Runner, handbook: Document, calls: Calls, chat: bool
) -> None:
    system = "Read." if chat else None
    request = Request(Stage.READ_DOCUMENTS, handbook.text[:9000], system, chat, max_output_tokens=2)
    loop.run(endpoint.complete(request, calls))
    assert len(endpoint.prompt_tokens(request)) == calls.made[0].usage.input_tokens
    assert not calls.made[0].estimated


def test_a_second_question_on_a_document_reads_it_from_the_cache(
    endpoint: VLLMEndpoint, loop: asyncio.Runner, handbook: Document, calls: Calls
) -> None:
    reader = ChatReader(endpoint)
    document = Passage("harbour.md", 0, "Another beginning. " + handbook.text)
    for question in (NIGHT, Question("Which certificate do officers in port control hold?")):
        loop.run(reader.read(Reading(question, (document,), Route.LONG_CONTEXT), calls))
    first, second = (call.usage for call in calls.made)
    assert first.cached_input_tokens == 0
    assert second.cached_input_tokens > 0.9 * second.input_tokens


def test_questions_on_one_document_that_come_at_once_read_it_once(
    endpoint: VLLMEndpoint, loop: asyncio.Runner, handbook: Document, calls: Calls
) -> None:
    reader = ChatReader(endpoint)
    document = Passage("harbour.md", 0, "Yet another beginning. " + handbook.text)
    readings = [Reading(Question(f"Who approves work {n}?"), (document,), Route.LONG_CONTEXT) for n in range(4)]

    async def at_once() -> None:
        await asyncio.gather(*(reader.read(reading, calls) for reading in readings))

    loop.run(at_once())
    cached = sorted(call.usage.cached_input_tokens for call in calls.made)
    assert cached[0] == 0
    assert min(cached[1:]) > 0.9 * calls.made[0].usage.input_tokens


def test_a_document_over_the_window_is_read_in_part_and_the_answer_says_so(
    endpoint: VLLMEndpoint, handbook: Document, ask: Callable[..., Answer]
) -> None:
    answer = ask(narrowed(endpoint, window=8192, max_output_tokens=200), handbook, "always_long")
    assert answer.outcome is Outcome.INSUFFICIENT
    assert 0.3 < answer.coverage < 0.8
    assert any("exceeds the reader's window" in warning for warning in answer.warnings)
    assert 7000 < answer.calls[-1].usage.input_tokens + 200 <= 8192


def test_a_prompt_over_the_window_is_refused_and_costs_nothing(
    endpoint: VLLMEndpoint, loop: asyncio.Runner, calls: Calls
) -> None:
    with pytest.raises(PromptTooLong, match="show it less"):
        loop.run(endpoint.complete(Request(Stage.READ_DOCUMENTS, "harbour " * tiny.WINDOW), calls))
    assert calls.made[0].usage == Usage()


def test_a_question_that_is_cancelled_stops_the_engine_and_is_accounted(
    endpoint: VLLMEndpoint, loop: asyncio.Runner, calls: Calls
) -> None:
    async def cancelled() -> int:
        begun = asyncio.Event()

        async def shown(piece: str) -> None:
            begun.set()

        task = asyncio.create_task(endpoint.complete(ENDLESS, calls, following(shown)))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        engine = await endpoint._engines.get()
        return engine.llm.get_num_unfinished_requests()

    assert loop.run(cancelled()) == 0
    [call] = calls.made
    assert (call.error, call.estimated) == ("abandoned", False)
    assert 0 < call.usage.output_tokens < 2000


def test_a_reply_that_takes_too_long_is_a_time_out_and_is_accounted(
    endpoint: VLLMEndpoint, loop: asyncio.Runner, calls: Calls
) -> None:
    with pytest.raises(EndpointTimeout, match="raise its timeout"):
        loop.run(narrowed(endpoint, timeout=0.3).complete(ENDLESS, calls))
    assert calls.made[0].usage.input_tokens > 0


def test_what_showing_raises_is_no_fault_of_the_engines(
    endpoint: VLLMEndpoint, loop: asyncio.Runner, calls: Calls
) -> None:
    async def shown(piece: str) -> None:
        raise LookupError("the page is gone")

    with pytest.raises(LookupError, match="the page is gone"):
        loop.run(endpoint.complete(ENDLESS, calls, following(shown)))
    assert calls.made[0].error == "abandoned"


@pytest.mark.parametrize("parameters", [{"top_p": 7.0}, {"no_such_parameter": 1}, {"logit_bias": {"harbour": "much"}}])
def test_parameters_that_the_sampler_does_not_take_are_an_error_that_says_so(
    endpoint: VLLMEndpoint, loop: asyncio.Runner, calls: Calls, parameters: dict[str, object]
) -> None:
    with pytest.raises(RequestRejected, match="see its parameters"):
        loop.run(narrowed(endpoint, parameters=parameters).complete(ENDLESS, calls))
    assert calls.made[0].usage == Usage()


def test_a_schema_that_no_grammar_can_be_made_of_is_an_error_that_says_so(
    endpoint: VLLMEndpoint, loop: asyncio.Runner, calls: Calls
) -> None:
    with pytest.raises(EndpointError, match="json_schema"):
        loop.run(endpoint.complete(replace(ENDLESS, schema={"type": "no such type"}), calls))
    assert loop.run(endpoint.complete(replace(ENDLESS, max_output_tokens=2), calls)).text


def test_the_doctor_looks_at_the_model_without_starting_an_engine(endpoint: VLLMEndpoint, tmp_path: Path) -> None:
    assert [(found.name, found.fine) for found in check_in_process(endpoint)] == [("library", True), ("model", True)]
    nowhere = VLLMEndpoint(replace(endpoint.options, model=str(tmp_path / "nowhere")))
    [_, wrong] = check_in_process(nowhere)
    assert (wrong.fine, "name a folder that holds the model" in wrong.said) == (False, True)


def test_a_model_that_is_not_there_and_an_unknown_argument_are_errors_that_say_so(
    endpoint: VLLMEndpoint, model: Path, calls: Calls, tmp_path: Path
) -> None:
    nowhere = VLLMEndpoint(Options("local", str(tmp_path / "nowhere"), 4096))
    with pytest.raises(InvalidSettings, match="name a folder that holds the model"):
        asyncio.run(nowhere.complete(ENDLESS, calls))
    odd = VLLMEndpoint(replace(endpoint.options, engine={"no_such_argument": 1}))
    with pytest.raises(InvalidSettings, match="no_such_argument"):
        asyncio.run(odd.complete(ENDLESS, calls))


def test_an_engine_that_does_not_start_is_an_error_that_says_where_to_look(
    endpoint: VLLMEndpoint, model: Path, calls: Calls
) -> None:
    long = VLLMEndpoint(replace(endpoint.options, window=100 * tiny.WINDOW))
    with pytest.raises(EndpointFailed, match=r"did not start.*under engine"):
        asyncio.run(long.complete(ENDLESS, calls))


def test_every_error_of_the_library_is_one_of_ours(endpoint: VLLMEndpoint) -> None:
    from vllm import exceptions
    from vllm.v1.engine import exceptions as of_engine

    found = {
        value.__name__: value
        for module in (exceptions, of_engine)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert found.keys() > {"VLLMValidationError", "EngineDeadError", "QueueOverflowError"}
    for name, class_ in found.items():
        error = class_(*WORDS.get(name, ()))
        ours = endpoint._translated(error)
        assert isinstance(ours, EndpointError), name
        assert any(c.__name__ in MAPPED for c in class_.__mro__), name
    assert isinstance(endpoint._translated(exceptions.QueueOverflowError()), EndpointBusy)


def test_an_evaluation_runs_in_process_as_the_shipped_configuration_says(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the tiny model in the place of the one that the file names, and without a GPU."""
    text = shipped("vllm-inprocess.yaml").read_text(encoding="utf-8")
    text = text.replace("Qwen/Qwen2.5-7B-Instruct", str(model)).replace("window: 32768", f"window: {tiny.WINDOW}")
    text = text.replace("gpu_memory_utilization: 0.9", "enforce_eager: true")
    mine, run = tmp_path / "mine.yaml", tmp_path / "run"
    mine.write_text(text + "embedder: {kind: hashing}\n", encoding="utf-8")
    monkeypatch.setenv("SELFROUTE_HOME", str(tmp_path / "home"))
    words = ["eval", str(HANDBOOK.with_suffix(".jsonl")), "--config", str(mine), "--limit", "3", "--out", str(run)]
    code, out, err = in_process(monkeypatch, capsys, *words, "--policies", "always_rag,self_route")
    assert code == 0, out + err
    rows = [json.loads(line) for line in (run / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["error"] for row in rows] == [None] * 6
    routed = [row["usage"] for row in rows if row["policy"] == "self_route"]
    # The document of three questions was read once, and twice from the cache.
    assert sum(usage["cached_input_tokens"] > 10_000 for usage in routed) == 2


def test_an_engine_that_dies_mid_answer_is_an_error_that_says_so_and_the_next_question_starts_another(
    endpoint: VLLMEndpoint, loop: asyncio.Runner, calls: Calls
) -> None:
    before = set(psutil.Process().children())

    async def shown(piece: str) -> None:
        for process in before:
            if "EngineCore" in process.name():
                os.kill(process.pid, signal.SIGKILL)

    with pytest.raises(EndpointFailed, match="the next question starts it anew"):
        loop.run(endpoint.complete(ENDLESS, calls, following(shown)))
    [call] = calls.made
    assert (call.error is not None, call.estimated) == (True, False)
    assert call.usage.output_tokens > 0
    assert loop.run(endpoint.complete(replace(ENDLESS, max_output_tokens=2), calls)).text
