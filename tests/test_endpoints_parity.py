"""The ledger's totals are the provider's, to the token, whatever goes wrong on the way and whoever goes away."""

from __future__ import annotations

import asyncio
import json
import random
import re
import sqlite3
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from stub_openai import Asked, Plan, StubOpenAI

from selfroute.embedders.hashing import HashingEmbedder
from selfroute.endpoints.openai import OpenAIEndpoint, Options
from selfroute.engine import Engine
from selfroute.errors import DeadlineExceeded, EndpointError
from selfroute.index import writing
from selfroute.ledger import By, Ledger
from selfroute.ledger.account import LedgerAccount
from selfroute.policies import POLICIES
from selfroute.prices import Price, Prices
from selfroute.readers.chat import ChatReader
from selfroute.tokens import tokenizer
from selfroute.types import Answer, Chunk, Document, Outcome, Question, Route, Stage, Usage

pytestmark = pytest.mark.end_to_end

QUESTIONS = 200
IN_FLIGHT = 32
TEXT = "\n\n".join(f"Paragraph {n} of the handbook says that berth {n} is {n * 7} metres long." for n in range(30))
DECLINE = json.dumps({"answerable": False, "answer": "", "quotes": []})
PRICES = {
    "small": Price(Decimal("0.4"), Decimal("1.6"), Decimal("0.1"), Decimal("0.5")),
    "large": Price(Decimal("1.25"), Decimal(10), Decimal("0.125")),
    "hashing-64": Price(Decimal(0), Decimal(0)),
}
KINDS = (
    *("chunks_answer", "documents_answer", "nobody_answers", "busy_once", "broken_once", "cut_off_once"),
    *("no_usage", "refused", "leaves_at_chunks", "leaves_at_documents"),
)


class Provider:
    """Decides by a question's number how each of its requests is answered."""

    def __init__(self, seed: int) -> None:
        draw = random.Random(seed)
        self.kinds = [draw.choice(KINDS) for _ in range(QUESTIONS)]
        self.seeds = [draw.random() for _ in range(QUESTIONS)]
        self._attempts: Counter[tuple[int, str]] = Counter()

    def answer(self, asked: Asked) -> Plan:
        number, model = number_of(asked), asked.body["model"]
        self._attempts[number, model] += 1
        first = self._attempts[number, model] == 1
        draw = random.Random(f"{self.seeds[number]} {model}")
        kind = self.kinds[number]
        details: dict[str, Any] = {
            "cached": draw.choice([0, 16]),
            "written": draw.choice([0, 8]),
            "thought": draw.choice([0, 40]),
            "usage": draw.choice(["reported", "with_choices", "cumulative"]) if kind != "no_usage" else "none",
        }
        if kind == "no_usage":
            details |= {"cached": 0, "written": 0, "thought": 0}
        if kind == "refused" and model == "large":
            return Plan(status=400, error={"message": "no"})
        if kind == ("leaves_at_chunks" if model == "small" else "leaves_at_documents"):
            return Plan(stalls=True)
        if first and kind == "busy_once":
            return Plan(status=draw.choice([408, 409, 429, 500, 503]), headers={"retry-after-ms": "20"})
        if first and kind == "broken_once":
            return Plan(breaks="before")
        answer = json.dumps({"answerable": True, "answer": f"{number} metres", "quotes": [f"berth {number % 30} is"]})
        answers = kind in ("chunks_answer", "busy_once") or (model == "large" and kind != "nobody_answers")
        if first and kind == "cut_off_once" and asked.body.get("stream"):
            return Plan(DECLINE, breaks="within")
        return Plan(answer if answers else DECLINE, **details)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_the_ledgers_totals_are_the_providers_counters(tmp_path: Path, stream: bool) -> None:
    provider = Provider(seed=6)
    assert set(provider.kinds) == set(KINDS)
    with StubOpenAI(provider.answer) as stub:
        stub.hold = IN_FLIGHT
        engine, ledger = house(tmp_path, stub, stream=stream)
        ended = asyncio.run(all_asked(engine, stub, provider))
    rows = {row.key: row for row in ledger.usage(By.MODEL)}
    for model in ("small", "large"):
        assert rows[model].usage == Usage(**stub.charged_by[model]), model
        assert rows[model].calls == sum(asked.body["model"] == model for asked in stub.asked), model
        assert rows[model].cost == PRICES[model].cost(Usage(**stub.charged_by[model]))
    assert stub.most_in_flight == IN_FLIGHT
    for kind, how in (
        ("chunks_answer", (Outcome.ANSWERED, Route.RAG)),
        ("documents_answer", (Outcome.ANSWERED, Route.LONG_CONTEXT)),
        ("nobody_answers", (Outcome.NOT_IN_DOCUMENT, Route.LONG_CONTEXT)),
        ("busy_once", (Outcome.ANSWERED, Route.RAG)),
        ("broken_once", (Outcome.ANSWERED, Route.LONG_CONTEXT)),
        ("refused", EndpointError),
        ("leaves_at_chunks", asyncio.CancelledError),
        ("leaves_at_documents", asyncio.CancelledError),
    ):
        assert {ended[n] for n in range(QUESTIONS) if provider.kinds[n] == kind} == {how}, kind


def test_a_client_that_goes_away_leaves_its_completed_calls_in_the_ledger(tmp_path: Path) -> None:
    provider = Provider(seed=6)
    provider.kinds = ["leaves_at_documents"]
    with StubOpenAI(provider.answer) as stub:
        engine, ledger = house(tmp_path, stub)
        assert asyncio.run(all_asked(engine, stub, provider)) == [asyncio.CancelledError]
        [(id_, error)] = in_ledger(tmp_path, "SELECT id, error FROM questions")
        assert error == "CancelledError: "
        calls = [call for call in ledger.calls(str(id_)) if call.stage is not Stage.EMBED]
        assert [(call.stage, call.error, call.estimated) for call in calls] == [
            (Stage.READ_CHUNKS, None, False),
            (Stage.READ_DOCUMENTS, "abandoned", True),
        ]
        assert sum((call.usage for call in calls), Usage()) == Usage(**stub.charged)


def test_a_deadline_ends_a_question_and_what_it_took_is_in_the_ledger(tmp_path: Path) -> None:
    with StubOpenAI(lambda asked: Plan(DECLINE)) as stub:  # loads what takes long to load
        asyncio.run(house(tmp_path / "first", stub)[0].ask("How long?", corpus="port"))
    with StubOpenAI(lambda asked: Plan(DECLINE, stalls=asked.body["model"] == "large")) as stub:
        engine, ledger = house(tmp_path / "then", stub, deadline=3)
        with pytest.raises(DeadlineExceeded, match=r"within 3 seconds: .* raise the setting 'deadline'"):
            asyncio.run(engine.ask(Question("How long is berth 3? number 0"), corpus="port"))
        rows = {row.key: row.usage for row in ledger.usage(By.MODEL)}
        assert rows["small"] + rows["large"] == Usage(**stub.charged)
    [(error,)] = in_ledger(tmp_path / "then", "SELECT error FROM questions")
    assert str(error).startswith("DeadlineExceeded: ")


def test_what_everything_would_cost_is_measured_where_it_was_read(tmp_path: Path) -> None:
    with StubOpenAI(lambda asked: Plan(DECLINE)) as stub:
        engine, _ = house(tmp_path, stub)
        answers = {p: asyncio.run(engine.ask("How long is berth 3? number 0", p, corpus="port")) for p in POLICIES}
    took = [call.usage.input_tokens for call in answers["always_long"].calls if call.stage is Stage.READ_DOCUMENTS]
    assert [answers[policy].long_context_tokens for policy in ("always_long", "self_route")] == took * 2
    assert answers["always_long"].saved_tokens == 0
    assert answers["always_rag"].long_context_tokens == pytest.approx(took[0], rel=0.01)


async def all_asked(engine: Engine, stub: StubOpenAI, provider: Provider) -> list[Any]:
    """How each question ended: outcome and route, or the kind of its error."""
    slots = asyncio.Semaphore(IN_FLIGHT)
    loop = asyncio.get_running_loop()
    tasks: dict[int, asyncio.Task[Answer]] = {}
    # The client goes away as soon as the server is at work for it.
    stub.on_stall = lambda asked: loop.call_soon_threadsafe(lambda: tasks[number_of(asked)].cancel()) and None

    async def one(number: int) -> Any:
        async with slots:
            question = Question(f"How long is berth {number % 30}? number {number}")
            tasks[number] = asyncio.create_task(engine.ask(question, corpus="port"))
            try:
                answer = await tasks[number]
                return answer.outcome, answer.route
            except EndpointError:
                return EndpointError
            except asyncio.CancelledError:
                return asyncio.CancelledError

    return await asyncio.gather(*(one(number) for number in range(len(provider.kinds))))


def house(
    tmp_path: Path, stub: StubOpenAI, stream: bool = False, deadline: float | None = None
) -> tuple[Engine, Ledger]:
    embedder = HashingEmbedder()
    chunks = [Chunk("port.md", m.start(), m.end(), m[0], 16) for m in re.finditer(r"[^\n]+", TEXT)]
    with writing(tmp_path, "port", embedder.name, embedder.dimension) as writer:
        vectors = embedder.embed([chunk.text for chunk in chunks]).vectors
        writer.put([(Document("port.md", TEXT, "port.md"), chunks, vectors)], 16)
        writer.publish()
    ledger = Ledger(tmp_path / "ledger.sqlite")

    def reader(model: str) -> ChatReader:
        options = Options(model, stub.url, model, window=8000, stream=stream, backoff=0.01, timeout=60)
        return ChatReader(OpenAIEndpoint(options, tokenizer(model)))

    engine = Engine(
        home=tmp_path,
        embedder=embedder,
        chunk_tokens=16,
        chunk_reader=reader("small"),
        document_reader=reader("large"),
        account=LedgerAccount(ledger),
        prices=Prices(PRICES),
        policies={name: make() for name, make in POLICIES.items()},
        k=3,
        deadline=deadline,
    )
    return engine, ledger


def number_of(asked: Asked) -> int:
    found = re.search(r"number (\d+)", asked.prompt)
    assert found is not None
    return int(found[1])


def in_ledger(home: Path, statement: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(home / "ledger.sqlite")
    rows = connection.execute(statement).fetchall()
    connection.close()
    return rows
