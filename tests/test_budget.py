"""What questions may take: nothing is begun that would exceed it, whatever is in flight, and what was read stands."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from service import ABSENT, FREE, KNOWN, PRICES, WHO, corpus
from stub_openai import Plan, StubOpenAI

from selfroute.budget import Budgets
from selfroute.embedders.hashing import HashingEmbedder
from selfroute.endpoints.openai import OpenAIEndpoint, Options
from selfroute.endpoints.scripted import ScriptedEndpoint
from selfroute.engine import Engine
from selfroute.errors import BadInput, OverBudget, OverLimit, OverTerms, UnknownPrice
from selfroute.ledger import Ledger
from selfroute.ledger.account import LedgerAccount
from selfroute.policies import POLICIES
from selfroute.prices import Price, Prices
from selfroute.readers import Reader
from selfroute.readers.chat import ChatReader
from selfroute.readers.scripted import KnowingReader, ScriptedReader, answers, declines
from selfroute.rewriter import Rewriter
from selfroute.tokens import tokenizer
from selfroute.types import (
    Answer,
    Call,
    Document,
    Done,
    Limits,
    Outcome,
    Question,
    Route,
    Stage,
    Terms,
    Turn,
    Usage,
)

BERTHS = "\n\n".join(f"Berth {n} lies in the north basin, and a ship of {n} metres fits there." for n in range(6))
TEXTS = {"harbour": f"The harbour master is Olof Berg. {BERTHS}", "forest": "The forest has tall pines."}

RESERVED = 28
"""Tokens that reading one chunk takes at most, 18 and a reply of 10. Its document takes 101."""


@pytest.fixture
def ledger(home: Path) -> Ledger:
    corpus(home, texts=TEXTS)
    return Ledger(home / "ledger.sqlite")


def engine(
    home: Path, ledger: Ledger, reader: Reader, prices: dict[str, Price] | None = None, rewriter: Rewriter | None = None
) -> Engine:
    priced = Prices({**PRICES, **FREE} if prices is None else prices)
    return Engine(
        home=home,
        embedder=HashingEmbedder(),
        chunk_tokens=16,
        chunk_reader=reader,
        document_reader=reader,
        account=LedgerAccount(ledger),
        prices=priced,
        policies={name: make() for name, make in POLICIES.items()},
        k=1,
        rewriter=rewriter,
        budgets=Budgets(priced, ledger),
    )


def ask(made: Engine, terms: Terms, question: str = ABSENT, policy: str = "self_route", source: str = "port") -> Answer:
    return asyncio.run(made.ask(question, policy, corpus=source, terms=terms))


def keyed(**limits: object) -> Terms:
    return Terms(key="team", limits=Limits(**limits))  # type: ignore[arg-type]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("terms", "named"),
    [
        (Terms(max_input_tokens=100), "max_input_tokens of 100"),
        (Terms(max_cost=Decimal("0.0003")), "max_cost of $ 0.0003"),
        (keyed(tokens=120), "budget of 120 tokens a day"),
        (keyed(cost=Decimal("0.0003")), "budget of $ 0.0003 a day"),
        (keyed(escalations=0), "cap of 0 escalations a day"),
    ],
)
def test_a_reading_that_would_exceed_a_limit_is_not_begun_and_the_decline_before_it_stands(
    home: Path, ledger: Ledger, terms: Terms, named: str, stream: bool
) -> None:
    reader = ScriptedReader([declines()])
    made = engine(home, ledger, reader)
    answer = asyncio.run(streamed(made, terms)) if stream else ask(made, terms)
    assert [reading.route for reading in reader.readings] == [Route.RAG]
    assert (answer.outcome, answer.answer, answer.route) == (Outcome.INSUFFICIENT, None, Route.RAG)
    [warning] = [w for w in answer.warnings if named in w]
    assert warning.startswith("the question ended with what was read before: reading the documents would take")


def test_an_answer_from_the_chunks_without_evidence_stands_where_the_documents_may_not_be_read(
    home: Path, ledger: Ledger
) -> None:
    reader = ScriptedReader([answers("a wild guess")])
    answer = ask(engine(home, ledger, reader), Terms(max_input_tokens=100), policy="evidence_gated")
    assert (answer.answer, answer.outcome, len(reader.readings)) == ("a wild guess", Outcome.ANSWERED, 1)
    assert "max_input_tokens" in answer.warnings[0]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("terms", "kind", "named"),
    [
        (Terms(max_input_tokens=2), OverTerms, "tokens, and of the question's max_input_tokens of 2 there is 2 left"),
        (Terms(max_cost=Decimal("0.00001")), OverTerms, "of the question's max_cost of $ 0.00001 there is"),
        (keyed(tokens=5), OverBudget, "of the API key's budget of 5 tokens a day there is 5 left: wait until it is"),
        (keyed(cost=Decimal(0)), OverBudget, "of the API key's budget of $ 0 a day there is $ 0 left"),
    ],
)
def test_where_nothing_was_read_yet_the_limit_is_an_error(
    home: Path, ledger: Ledger, terms: Terms, kind: type[OverLimit], named: str, stream: bool
) -> None:
    reader = ScriptedReader([])
    made = engine(home, ledger, reader)
    with pytest.raises(kind, match="reading the chunks would take up to") as raised:
        asyncio.run(streamed(made, terms)) if stream else ask(made, terms)
    assert named in str(raised.value)
    assert reader.readings == []


def test_the_cap_on_escalations_holds_for_reading_documents_at_once_too(home: Path, ledger: Ledger) -> None:
    made = engine(home, ledger, KnowingReader(KNOWN))
    assert ask(made, keyed(escalations=1), WHO, "always_long").answer == "Olof Berg"
    with pytest.raises(OverBudget, match="cap of 1 escalations a day there is none left"):
        ask(made, keyed(escalations=1), WHO, "always_long")
    assert ask(made, keyed(escalations=1), WHO).answer == "Olof Berg"  # from the chunks


@pytest.mark.parametrize("limits", [Limits(tokens=10_000_000), Limits(escalations=1)])
def test_a_limit_that_has_room_changes_nothing(home: Path, ledger: Ledger, limits: Limits) -> None:
    made = engine(home, ledger, KnowingReader(KNOWN))
    free, held = ask(made, Terms()), ask(made, Terms(key="team", limits=limits))
    assert (held.path, held.outcome, held.warnings) == (free.path, free.outcome, free.warnings)


@pytest.mark.parametrize("terms", [Terms(max_cost=Decimal(100)), keyed(cost=Decimal(100))])
@pytest.mark.parametrize("unpriced", ["knowing", "hashing-64"])
def test_with_a_limit_on_money_a_model_without_a_price_is_refused_and_never_free(
    home: Path, ledger: Ledger, terms: Terms, unpriced: str
) -> None:
    prices = {name: price for name, price in {**PRICES, **FREE}.items() if name != unpriced}
    made = engine(home, ledger, KnowingReader(KNOWN), prices)
    with pytest.raises(UnknownPrice, match=f"what model '{unpriced}' costs is not known"):
        ask(made, terms)


def test_what_was_spent_at_a_price_that_is_not_known_any_more_blocks_a_budget_of_money(
    home: Path, ledger: Ledger
) -> None:
    ask(engine(home, ledger, KnowingReader(KNOWN), FREE), Terms(key="team"), WHO)
    made = engine(home, ledger, KnowingReader(KNOWN))
    with pytest.raises(UnknownPrice, match="'knowing'"):
        ask(made, keyed(cost=Decimal(100)), WHO)


def test_questions_in_flight_together_cannot_exceed_a_budget_that_each_alone_would_keep(
    home: Path, ledger: Ledger
) -> None:
    limit = 5 * RESERVED
    made = engine(home, ledger, KnowingReader(KNOWN, seconds=0.2))

    async def together() -> Sequence[Answer | BaseException]:
        asked = [made.ask(WHO, "always_rag", corpus="port", terms=keyed(tokens=limit)) for _ in range(16)]
        return await asyncio.gather(*asked, return_exceptions=True)

    ended = asyncio.run(together())
    told = [one for one in ended if isinstance(one, Answer)]
    assert 1 <= len(told) <= 5
    assert all(isinstance(one, Answer | OverBudget) for one in ended)
    assert spent(ledger) <= limit


def test_what_was_reserved_and_not_used_is_free_for_the_next_question(home: Path, ledger: Ledger) -> None:
    made = engine(home, ledger, KnowingReader(KNOWN))
    assert answered(made, keyed(tokens=100)) == 5  # and not 100 // RESERVED: replies are short


def test_what_was_spent_today_counts_after_a_restart_and_from_another_process(home: Path, ledger: Ledger) -> None:
    terms = keyed(tokens=18 + RESERVED)
    first = engine(home, ledger, KnowingReader(KNOWN))
    assert ask(first, terms, WHO).answer
    other = engine(home, Ledger(home / "ledger.sqlite"), KnowingReader(KNOWN))
    assert ask(other, replace(terms, id="b"), WHO).answer
    for made in (first, other, engine(home, Ledger(home / "ledger.sqlite"), KnowingReader(KNOWN))):
        assert answered(made, terms) == 0
    assert spent(ledger) == 36


def test_one_keys_spending_is_not_anothers(home: Path, ledger: Ledger) -> None:
    made = engine(home, ledger, KnowingReader(KNOWN))
    limits = Limits(tokens=RESERVED)
    assert ask(made, Terms(key="a", limits=limits), WHO).answer
    assert ask(made, Terms(key="b", limits=limits), WHO).answer
    with pytest.raises(OverBudget):
        ask(made, Terms(key="a", limits=limits), WHO)


def test_a_budget_is_renewed_at_midnight_utc_and_says_how_long_that_is(home: Path, ledger: Ledger) -> None:
    day = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    clock = [day]
    budgets = Budgets(Prices({}), ledger, lambda: clock[0])
    most = Usage(50)

    async def reserved(terms: Terms) -> None:
        allowance = budgets.open(terms)
        assert allowance is not None
        await allowance.reserve(Stage.READ_CHUNKS, "m", most)

    asyncio.run(reserved(keyed(tokens=60)))
    with pytest.raises(OverBudget) as raised:
        asyncio.run(reserved(keyed(tokens=60)))
    assert raised.value.retry_after == 12 * 3600
    assert f"renewed at {day + timedelta(days=1):%Y-%m-%d} 00:00 UTC" in str(raised.value)
    clock[0] += timedelta(days=1)
    asyncio.run(reserved(keyed(tokens=60)))


def test_a_cancelled_question_leaves_nothing_reserved(home: Path, ledger: Ledger) -> None:
    made, terms = engine(home, ledger, KnowingReader(KNOWN, seconds=30)), keyed(tokens=RESERVED)

    async def cancelled() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await made.ask(WHO, corpus="port", terms=terms)

    asyncio.run(cancelled())
    made._chunk_reader = KnowingReader(KNOWN)
    assert ask(made, replace(terms, id="next"), WHO).answer


def test_embedding_and_the_judge_are_no_tokens_of_a_budget_and_rewriting_is(home: Path, ledger: Ledger) -> None:
    endpoint = ScriptedEndpoint([WHO], max_output_tokens=20)
    prices = {**PRICES, **FREE}
    made = engine(home, ledger, KnowingReader(KNOWN), prices, Rewriter(endpoint))
    asked = Question("And he?", history=(Turn("Who is the forester?", None),))
    with pytest.raises(OverBudget, match="rewriting the question would take up to"):
        asyncio.run(made.ask(asked, corpus="port", terms=keyed(tokens=20)))
    assert endpoint.requests == []
    assert asyncio.run(made.ask(asked, corpus="port", terms=keyed(tokens=500))).answer == "Olof Berg"


def test_a_text_that_comes_with_the_question_counts_as_a_corpus_does(home: Path, ledger: Ledger) -> None:
    made = engine(home, ledger, KnowingReader(KNOWN))
    text = Document("text", TEXTS["harbour"], "text")
    with pytest.raises(OverTerms):
        asyncio.run(made.ask(WHO, corpus=text, terms=Terms(max_input_tokens=2)))


@pytest.mark.end_to_end
def test_another_attempt_needs_a_reservation_of_its_own(home: Path, ledger: Ledger) -> None:
    with StubOpenAI(lambda asked: Plan(stalls=True) if asked.number < 3 else Plan()) as server:
        options = Options(
            "stub", server.url, "m", 4000, max_output_tokens=50, timeout=3, retries=4, backoff=0.001, schemas=False
        )
        endpoint = OpenAIEndpoint(options, tokenizer("stub"))
        made = engine(home, ledger, ChatReader(endpoint))
        with pytest.raises(OverBudget) as raised:
            ask(made, keyed(tokens=350), WHO, "always_rag")
        assert len(server.asked) == 1, raised.value
    assert 0 < spent(ledger) <= 350


def test_a_reading_of_several_parts_ends_with_those_that_there_is_room_for(home: Path, ledger: Ledger) -> None:
    reader = ScriptedReader([declines(), declines(), declines()], window=45)
    made = engine(home, ledger, reader)
    made._overflow = "windows"
    answer = ask(made, Terms(max_input_tokens=60), policy="always_long")
    assert 1 <= len(reader.readings) < 3
    assert (answer.outcome, answer.coverage < 1) == (Outcome.INSUFFICIENT, True)
    assert any("parts were read: reading the documents would take" in warning for warning in answer.warnings)
    assert answer.totals.reader_input_tokens <= 60
    whole = ask(engine(home, ledger, ScriptedReader([declines()])), policy="always_long", terms=Terms())
    assert answer.long_context_tokens > answer.totals.reader_input_tokens  # of all parts, not of those that were read
    assert answer.long_context_tokens >= whole.long_context_tokens


def test_limits_of_a_key_that_cannot_be_kept_are_refused(home: Path) -> None:
    with pytest.raises(BadInput, match="need the key and a ledger"):
        Budgets(Prices({})).open(keyed(tokens=1))


def test_the_account_of_what_is_spent_goes_on_where_it_was_read(ledger: Ledger) -> None:
    ledger.begin("a", Question(WHO), "self_route", "port", "team")
    ledger.begin("b", Question(WHO), "self_route", "port", "other")
    today = datetime.now(UTC).date()
    call = Call(Stage.READ_CHUNKS, "m", Usage(5), 0.0)
    ledger.record("a", call)
    [first] = ledger.spent("team", today)
    ledger.record("b", call)
    ledger.record("a", replace(call, usage=Usage(7)))
    assert [(one.question, one.call.usage.input_tokens) for one in ledger.spent("team", today, first.number)] == [
        ("a", 7)
    ]
    assert ledger.spent("team", today - timedelta(days=1)) == []


@pytest.mark.parametrize("terms", [keyed(tokens=10_000), Terms(max_input_tokens=100)])
def test_a_stream_with_limits_tells_all_that_one_without_tells_in_the_same_order(
    home: Path, ledger: Ledger, terms: Terms
) -> None:
    made = engine(home, ledger, KnowingReader(KNOWN))

    async def told(terms: Terms) -> list[type]:
        return [type(event) async for event in made.ask_stream(WHO, corpus="port", terms=terms)]

    assert asyncio.run(told(terms)) == asyncio.run(told(Terms()))


def test_a_stream_that_nothing_is_read_for_ends_with_its_answer_all_the_same(home: Path, ledger: Ledger) -> None:
    made = engine(home, ledger, ScriptedReader([], window=10))
    made._overflow = "refuse"

    async def told() -> list[object]:
        asked = made.ask_stream(WHO, "always_long", corpus="port", terms=keyed(tokens=10_000))
        return [event async for event in asked]

    assert isinstance(asyncio.run(told())[-1], Done)


async def streamed(made: Engine, terms: Terms) -> Answer:
    events = [event async for event in made.ask_stream(ABSENT, corpus="port", terms=terms)]
    assert isinstance(events[-1], Done)
    return events[-1].answer


def answered(made: Engine, terms: Terms) -> int:
    """How many questions are, until one is over the budget."""
    for number in range(100):
        try:
            ask(made, replace(terms, id=Terms().id), WHO, "always_rag")
        except OverBudget:
            return number
    raise AssertionError("no budget held")


def spent(ledger: Ledger) -> int:
    """Tokens of readers, of all questions of the key."""
    rows = sqlite3.connect(ledger._path).execute(
        "SELECT input_tokens + output_tokens FROM calls JOIN questions ON questions.id = calls.question "
        "WHERE key = 'team' AND stage <> 'embed'"
    )
    return sum(row[0] for row in rows)


@pytest.mark.parametrize("terms", [Terms(max_input_tokens=100), Terms(max_cost=Decimal("0.0001"))])
def test_what_just_fits_the_limits_of_a_question_is_read_and_a_token_more_is_not(terms: Terms) -> None:
    budgets = Budgets(Prices({"m": Price(Decimal(1), Decimal(0))}))  # dollars for a million tokens

    def reserve(tokens: int) -> None:
        allowance = budgets.open(terms)
        assert allowance is not None
        asyncio.run(allowance.reserve(Stage.READ_CHUNKS, "m", Usage(tokens)))

    reserve(100)
    with pytest.raises(OverTerms):
        reserve(101)
