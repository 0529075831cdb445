"""A question in, an answer out: its outcome, its account, and a ledger that knows all of it before it is given."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from selfroute.embedders.hashing import HashingEmbedder
from selfroute.engine import Account, Engine
from selfroute.errors import (
    BadInput,
    CorruptLedger,
    DeadlineExceeded,
    EmptyQuestion,
    InvalidName,
    NoQuery,
    SelfrouteError,
    UnknownCorpus,
    UnknownDocument,
    UnknownPolicy,
    UnsupportedTask,
)
from selfroute.index import writing
from selfroute.ledger import By, Ledger
from selfroute.ledger.account import LedgerAccount
from selfroute.policies import POLICIES, calibrated
from selfroute.prices import Price, Prices
from selfroute.readers import Reader
from selfroute.readers.extractive import ExtractiveReader
from selfroute.readers.scripted import Line, ScriptedReader, answers, declines, fails
from selfroute.routing.dial import Dial
from selfroute.routing.score import read_router
from selfroute.types import (
    Answer,
    Call,
    Chunk,
    Document,
    Draft,
    Outcome,
    Question,
    Reading,
    Record,
    Route,
    Shape,
    Shown,
    Stage,
    Task,
    Usage,
)

HARBOUR = "The harbour master is Olof Berg.\n\nNight work is approved in writing.\n\nThe quay is long."
FOREST = "The forest has tall pines.\n\nMoose live there."
TEXTS = {"forest": FOREST, "harbour": HARBOUR}

WHO = "Who is the harbour master?"  # its best chunk is the first of `harbour`
WHO_HERE = Question(WHO, scope=("harbour",))
FREE = {"scripted": Price(Decimal("2.5"), Decimal(10)), "hashing-64": Price(Decimal(0), Decimal(0))}


@dataclass
class House:
    """A home with one corpus, `port`, and what asks it."""

    home: Path
    ledger: Ledger

    def engine(
        self,
        *script: Line,
        reader: Reader | None = None,
        window: int = 1000,
        k: int = 1,
        prices: Mapping[str, Price] | None = None,
        deadline: float | None = None,
        account: Account | None = None,
    ) -> Engine:
        reader = reader or ScriptedReader(script, window=window)
        return Engine(
            home=self.home,
            embedder=HashingEmbedder(),
            chunk_tokens=16,
            chunk_reader=reader,
            document_reader=reader,
            account=account or LedgerAccount(self.ledger),
            prices=Prices(FREE if prices is None else prices),
            policies={name: make() for name, make in POLICIES.items()},
            k=k,
            deadline=deadline,
        )

    def ask(
        self,
        question: Question | str,
        policy: str,
        *script: Line,
        corpus: str | Document = "port",
        window: int = 1000,
        k: int = 1,
        prices: Mapping[str, Price] | None = None,
    ) -> Answer:
        return asyncio.run(self.engine(*script, window=window, k=k, prices=prices).ask(question, policy, corpus=corpus))

    def in_ledger(self, statement: str) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(self.home / "ledger.sqlite")
        with connection:
            rows = connection.execute(statement).fetchall()
        connection.close()
        return rows


@pytest.fixture
def house(tmp_path: Path) -> House:
    embedder = HashingEmbedder()
    with writing(tmp_path, "port", embedder.name, embedder.dimension) as writer:
        for name, text in TEXTS.items():
            chunks = chunks_of(name, text, embedder)
            vectors = embedder.embed([chunk.text for chunk in chunks]).vectors
            writer.put([(Document(name, text, f"{name}.md"), chunks, vectors)], 16)
        writer.publish()
    return House(tmp_path, Ledger(tmp_path / "ledger.sqlite"))


def test_what_the_chunks_answer_is_answered_by_rag(house: House) -> None:
    answer = house.ask(WHO, "self_route", answers("Olof Berg"))
    assert (answer.answer, answer.outcome, answer.route) == ("Olof Berg", Outcome.ANSWERED, Route.RAG)
    assert answer.path == ("retrieve", "read_chunks")
    assert (answer.question, answer.policy, answer.corpus) == (WHO, "self_route", "port")
    assert (answer.likely_absent, answer.confidence, answer.unsupported) == (None, None, False)


def test_what_the_chunks_do_not_answer_is_looked_for_in_the_document(house: House) -> None:
    answer = house.ask(WHO, "self_route", declines(), answers("Olof Berg"))
    assert (answer.answer, answer.outcome, answer.route) == ("Olof Berg", Outcome.ANSWERED, Route.LONG_CONTEXT)
    assert answer.path == ("retrieve", "read_chunks", "read_documents")


def test_a_decline_after_all_in_scope_was_read_is_not_in_the_document(house: House) -> None:
    answer = house.ask(WHO_HERE, "self_route", declines(), declines())
    assert (answer.answer, answer.outcome, answer.route) == (None, Outcome.NOT_IN_DOCUMENT, Route.LONG_CONTEXT)
    assert answer.coverage == 1


def test_a_decline_before_all_in_scope_was_read_is_insufficient(house: House) -> None:
    answer = house.ask(WHO, "self_route", declines(), declines())
    assert (answer.answer, answer.outcome) == (None, Outcome.INSUFFICIENT)
    assert 0 < answer.coverage < 1


def test_chunks_alone_are_insufficient_unless_they_are_all_there_is(house: House) -> None:
    some, all_ = (house.ask(WHO_HERE, "always_rag", declines(), k=k) for k in (2, 3))
    assert (some.outcome, some.route) == (Outcome.INSUFFICIENT, Route.RAG)
    assert (all_.outcome, all_.route, all_.coverage) == (Outcome.NOT_IN_DOCUMENT, Route.RAG, 1)


def test_a_document_read_in_part_is_insufficient_and_says_so(house: House) -> None:
    answer = house.ask(WHO_HERE, "always_long", declines(), window=12)
    assert answer.outcome is Outcome.INSUFFICIENT
    assert 0 < answer.coverage < 1
    assert len(answer.warnings) == 1
    assert "'harbour' exceeds the reader's window of 12 tokens" in answer.warnings[0]


def test_an_answer_from_part_of_a_document_is_an_answer_and_says_so_too(house: House) -> None:
    answer = house.ask(WHO_HERE, "always_long", answers("Olof Berg"), window=12)
    assert answer.outcome is Outcome.ANSWERED
    assert answer.coverage < 1
    assert answer.warnings


def test_a_citation_stands_in_its_document_where_it_says(house: House) -> None:
    for policy, script in (("self_route", [answers("tall pines")]), ("always_long", [answers("Moose live")])):
        [citation] = house.ask("forest tall pines", policy, *script).citations
        assert citation.document == "forest"
        assert FOREST[citation.start : citation.end] == citation.text


def test_an_answer_without_a_citation_is_marked_as_unsupported(house: House) -> None:
    answer = house.ask(WHO, "self_route", answers("Anna Lind"))
    assert answer.citations == ()
    assert answer.unsupported


def test_no_answer_has_no_citations_and_is_not_unsupported(house: House) -> None:
    answer = house.ask(WHO, "always_rag", declines())
    assert (answer.citations, answer.unsupported) == ((), False)


def test_a_choice_needs_no_citation(house: House) -> None:
    answer = house.ask(Question(WHO, task=Task(Shape.CHOICE)), "always_rag", answers("B"))
    assert not answer.unsupported


def test_the_calls_stand_in_their_order_each_with_its_price(house: House) -> None:
    answer = house.ask(WHO, "self_route", declines(), answers("Olof Berg"))
    assert [call.stage for call in answer.calls] == [Stage.EMBED, Stage.READ_CHUNKS, Stage.READ_DOCUMENTS]
    assert [call.model for call in answer.calls] == ["hashing-64", "scripted", "scripted"]
    chunks = words(WHO) + words("The harbour master is Olof Berg.")
    assert answer.calls[1].usage == Usage(input_tokens=chunks)
    assert answer.calls[2].usage == Usage(input_tokens=words(WHO) + words(HARBOUR), output_tokens=2)
    assert [call.cost for call in answer.calls] == [FREE[call.model].cost(call.usage) for call in answer.calls]


def test_the_totals_are_the_sums_of_the_calls_with_embedding_apart(house: House) -> None:
    answer = house.ask(WHO, "self_route", declines(), answers("Olof Berg"))
    embed, *reads = answer.calls
    assert answer.totals.usage == sum((call.usage for call in answer.calls), Usage())
    assert answer.totals.embedding_tokens == embed.usage.input_tokens
    assert answer.totals.reader_input_tokens == sum(call.usage.input_tokens for call in reads)
    assert answer.totals.cost == sum((call.cost or Decimal(0) for call in answer.calls), Decimal(0))
    assert answer.totals.cost > 0
    assert answer.totals.seconds >= sum(call.seconds for call in answer.calls)
    assert not answer.totals.estimated


@pytest.mark.parametrize("window", [8, 12, 30, 1000])
@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("scope", [(), ("harbour",), ("forest", "harbour"), ("harbour", "harbour")])
def test_reading_everything_is_put_at_what_always_long_really_reads(
    house: House, window: int, k: int, scope: tuple[str, ...]
) -> None:
    question = Question(WHO, scope)
    made = [house.ask(question, policy, declines(), declines(), window=window, k=k) for policy in POLICIES]
    [read] = {a.totals.reader_input_tokens for a in made if a.policy == "always_long"}
    assert {answer.long_context_tokens for answer in made} == {read}
    assert {answer.long_context_cost for answer in made} == {FREE["scripted"].cost(Usage(input_tokens=read))}
    assert all(a.saved_tokens == read - a.totals.reader_input_tokens for a in made)


def test_chunks_that_answer_save_the_rest_of_the_document(house: House) -> None:
    answer = house.ask(WHO, "self_route", answers("Olof Berg"))
    whole, chunk = words(WHO) + words(HARBOUR), words(WHO) + words("The harbour master is Olof Berg.")
    assert (answer.long_context_tokens, answer.saved_tokens) == (whole, whole - chunk)


def test_an_escalation_that_paid_twice_saved_less_than_nothing(house: House) -> None:
    answer = house.ask(WHO, "self_route", declines(), answers("Olof Berg"))
    assert answer.saved_tokens == -answer.calls[1].usage.input_tokens < 0


def test_reading_everything_saves_nothing(house: House) -> None:
    assert house.ask(WHO, "always_long", answers("Olof Berg")).saved_tokens == 0


def test_an_unknown_price_makes_the_costs_unknown_and_never_nothing(house: House) -> None:
    answer = house.ask(WHO, "self_route", answers("Olof Berg"), prices={"hashing-64": FREE["hashing-64"]})
    assert [call.cost for call in answer.calls] == [0, None]
    assert answer.totals.cost is None
    assert answer.long_context_cost is None


def test_a_scope_of_one_document_reads_no_other(house: House) -> None:
    engine = house.engine(declines(), declines(), k=5)
    answer = asyncio.run(engine.ask(Question(WHO, scope=("forest",)), "self_route", corpus="port"))
    assert {hit["document"] for hit in explained(answer, "hits")} == {"forest"}
    assert answer.outcome is Outcome.NOT_IN_DOCUMENT
    assert answer.long_context_tokens == words(WHO) + words(FOREST)


def test_a_document_named_twice_in_the_scope_is_read_once(house: House) -> None:
    twice = house.ask(Question(WHO, scope=("forest", "forest")), "self_route", declines(), declines(), k=5)
    assert twice.outcome is Outcome.NOT_IN_DOCUMENT
    assert twice.coverage == 1
    assert len(explained(twice, "hits")) == 2
    assert twice.long_context_tokens == words(WHO) + words(FOREST)


def test_k_is_how_many_chunks_are_retrieved(house: House) -> None:
    engine = house.engine(declines(), declines(), k=2)
    for k, hits in ((None, 2), (1, 1), (4, 4), (50, 5)):
        answer = asyncio.run(house.engine(declines(), k=2).ask(WHO, "always_rag", corpus="port", k=k))
        assert len(explained(answer, "hits")) == hits
    with pytest.raises(BadInput, match="k is 0"):
        asyncio.run(engine.ask(WHO, "always_rag", corpus="port", k=0))


def test_what_was_found_and_thought_on_the_way_is_explained(house: House) -> None:
    answer = house.ask(WHO, "self_route", declines(), answers("Olof Berg"))
    [hit] = explained(answer, "hits")
    assert HARBOUR[int(str(hit["start"])) : int(str(hit["end"]))] == "The harbour master is Olof Berg."
    drafts = explained(answer, "drafts")
    assert [(d["route"], d["declined"]) for d in drafts] == [("rag", True), ("long_context", False)]


def test_a_bundled_reader_before_a_chat_model_is_told_that_the_shipped_router_has_no_rule_for_both(
    house: House,
) -> None:
    document = Document("long.md", "\n\n".join(f"Rule {n} is about boats and quays." for n in range(60)), "long.md")
    bundled = ExtractiveReader()
    scripted = ScriptedReader([answers("1998")])
    for chunk_reader, document_reader, said in ((bundled, scripted, True), (bundled, bundled, False)):
        made = Engine(
            home=house.home,
            embedder=HashingEmbedder(),
            chunk_tokens=16,
            chunk_reader=chunk_reader,
            document_reader=document_reader,
            account=LedgerAccount(house.ledger),
            prices=Prices({}),
            policies={"calibrated": calibrated(read_router(), Dial())},
            k=1,
            judge=lambda: bundled,
        )
        answer = asyncio.run(made.ask("When was the forest of the moose planted?", "calibrated", corpus=document))
        [decision] = explained(answer, "decisions")
        assert any("no rule for the bundled reader and a chat model together" in w for w in answer.warnings) is said
        assert (decision["by"], decision["rule"]) == (("decline", None) if said else ("share", "bundled"))


def test_a_question_without_a_text_is_answered_from_whole_documents_alone(house: House) -> None:
    summary = Question(None, task=Task(Shape.TEXT))
    answer = house.ask(summary, "always_long", answers("The forest has tall pines."))
    assert (answer.answer, answer.question) == ("The forest has tall pines.", None)
    assert answer.path == ("read_documents",)
    assert [call.stage for call in answer.calls] == [Stage.READ_DOCUMENTS]
    assert answer.coverage == 1
    assert answer.saved_tokens == 0
    for policy in ("self_route", "always_rag"):
        with pytest.raises(NoQuery):
            house.ask(summary, policy)


def test_a_question_may_be_a_string_about_the_whole_corpus(house: House) -> None:
    assert house.ask(WHO, "always_rag", declines()).question == WHO


@pytest.mark.parametrize(
    ("question", "policy", "corpus", "error"),
    [
        ("", "self_route", "port", EmptyQuestion),
        (" \n\t", "self_route", "port", EmptyQuestion),
        ("half a pair \ud800", "self_route", "port", BadInput),
        (WHO, "best", "port", UnknownPolicy),
        (WHO, "self_route", "airport", UnknownCorpus),
        (WHO, "self_route", "../port", InvalidName),
        (Question(WHO, scope=("harbour", "moon")), "self_route", "port", UnknownDocument),
        (Question(WHO, scope=("moon",)), "self_route", Document("harbour", HARBOUR, "h.md"), UnknownDocument),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_recorded(
    house: House, question: Question | str, policy: str, corpus: str | Document, error: type[SelfrouteError]
) -> None:
    with pytest.raises(error):
        house.ask(question, policy, corpus=corpus)
    assert house.in_ledger("SELECT * FROM questions") == []


def test_the_answer_is_in_the_ledger_call_by_call_when_it_is_given(house: House) -> None:
    answer = house.ask(WHO, "self_route", declines(), answers("Olof Berg"))
    assert tuple(house.ledger.calls(answer.id)) == answer.calls
    [row] = house.in_ledger(
        "SELECT id, question, policy, corpus, answer, outcome, route, long_context_tokens, saved_tokens FROM questions"
    )
    assert row == (
        *(answer.id, WHO, "self_route", "port", "Olof Berg", "answered", "long_context"),
        *(answer.long_context_tokens, answer.saved_tokens),
    )


def test_the_sums_of_the_ledger_are_those_of_the_answers(house: House) -> None:
    one = house.ask(WHO, "self_route", answers("Olof Berg"))
    other = house.ask(WHO, "self_route", declines(), declines())
    [row] = house.ledger.usage(By.POLICY)
    assert row.usage.input_tokens == one.totals.reader_input_tokens + other.totals.reader_input_tokens
    assert row.embedding_tokens == one.totals.embedding_tokens + other.totals.embedding_tokens
    assert row.cost == (one.totals.cost or 0) + (other.totals.cost or 0)
    assert row.saved_tokens == one.saved_tokens + other.saved_tokens


def test_each_question_has_an_id_of_its_own(house: House) -> None:
    assert house.ask(WHO, "always_rag", declines()).id != house.ask(WHO, "always_rag", declines()).id


def test_questions_at_the_same_time_keep_their_accounts_apart(house: House) -> None:
    async def many() -> list[Answer]:
        asking = [
            house.engine(*script).ask(WHO, "self_route", corpus="port")
            for script in ([answers("Olof Berg")], [declines(), declines()]) * 5
        ]
        return await asyncio.gather(*asking)

    made = asyncio.run(many())
    assert [len(answer.calls) for answer in made] == [2, 3] * 5
    assert all(tuple(house.ledger.calls(answer.id)) == answer.calls for answer in made)


def test_a_reader_that_fails_leaves_the_question_and_its_calls_in_the_ledger(house: House) -> None:
    with pytest.raises(UnsupportedTask, match="cannot do that"):
        house.ask(WHO, "self_route", declines(), fails(UnsupportedTask("cannot do that")))
    [(id_, outcome, error)] = house.in_ledger("SELECT id, outcome, error FROM questions")
    assert (outcome, error) == (None, "UnsupportedTask: cannot do that")
    calls = house.ledger.calls(str(id_))
    assert [(call.stage, call.error) for call in calls] == [
        (Stage.EMBED, None),
        (Stage.READ_CHUNKS, None),
        (Stage.READ_DOCUMENTS, "cannot do that"),
    ]
    assert calls[-1].cost == FREE["scripted"].cost(calls[-1].usage) > 0


def test_a_question_that_is_cancelled_leaves_its_calls_and_the_reason_in_the_ledger(house: House) -> None:
    asyncio.run(cancelled(house))
    [(id_, outcome, error)] = house.in_ledger("SELECT id, outcome, error FROM questions")
    assert outcome is None
    assert str(error).startswith("CancelledError")
    assert [call.stage for call in house.ledger.calls(str(id_))] == [Stage.EMBED, Stage.READ_CHUNKS]


def test_a_question_that_is_cancelled_while_a_call_is_written_down_has_it_written_down(house: House) -> None:
    async def meanwhile() -> None:
        account = SlowAccount(house.ledger)
        task = asyncio.create_task(house.engine(declines(), account=account).ask(WHO, "always_rag", corpus="port"))
        await asyncio.wait_for(account.asked.wait(), 30)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()  # twice, as a server does whose client has gone
        await asyncio.wait({task}, timeout=0.2)
        assert not task.done()
        account.let.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert house.in_ledger("SELECT stage FROM calls") == [("embed",)]

    asyncio.run(meanwhile())
    assert house.in_ledger("SELECT error FROM questions") == [("CancelledError: ",)]


def test_a_deadline_ends_a_question_and_says_what_to_do(house: House) -> None:
    engine = house.engine(reader=WaitingReader(), deadline=0.2)
    with pytest.raises(DeadlineExceeded, match=r"within 0.2 seconds: .*'deadline'"):
        asyncio.run(engine.ask(WHO, "self_route", corpus="port"))
    [(error,)] = house.in_ledger("SELECT error FROM questions")
    assert str(error).startswith("DeadlineExceeded: ")
    assert len(house.in_ledger("SELECT id FROM calls")) == 2


def test_a_reader_knows_the_deadline_and_how_sure_a_decline_was_stands_with_its_draft(house: House) -> None:
    reader = SureReader()
    answer = asyncio.run(house.engine(reader=reader, deadline=30).ask(WHO, "always_rag", corpus="port"))
    assert answer.confidence is None  # it would be that of an answer
    assert explained(answer, "drafts")[0]["confidence"] == 0.25
    assert reader.deadline is not None


def test_a_search_finds_what_would_be_retrieved_and_is_no_question(house: House) -> None:
    found = asyncio.run(house.engine().search("tall pines", corpus="port", k=2))
    assert found[0].text == FOREST[found[0].start : found[0].end]
    assert (found[0].document, found[0].page) == ("forest", None)
    assert found[0].score > found[1].score
    assert sqlite3.connect(house.home / "ledger.sqlite").execute("SELECT count(*) FROM questions").fetchone() == (0,)


def test_a_search_keeps_to_its_scope_and_refuses_what_a_question_refuses(house: House) -> None:
    def search(query: str, corpus: str = "port", scope: Sequence[str] = (), k: int | None = None) -> list[str]:
        found = asyncio.run(house.engine().search(query, corpus=corpus, scope=scope, k=k))
        return [one.document for one in found]

    assert search("tall pines", scope=["harbour"]) == ["harbour"]
    for error, asked in (
        (EmptyQuestion, {"query": " "}),
        (UnknownCorpus, {"query": "x", "corpus": "nope"}),
        (UnknownDocument, {"query": "x", "scope": ["nope"]}),
        (BadInput, {"query": "x", "k": 0}),
    ):
        with pytest.raises(error):
            search(**asked)  # type: ignore[arg-type]


def test_a_forecast_is_what_asking_takes_and_leaves_no_account(house: House) -> None:
    forecast = asyncio.run(house.engine().forecast(WHO_HERE, "self_route", corpus="port"))
    assert house.in_ledger("SELECT count(*) FROM questions") == [(0,)]
    answer = house.ask(WHO_HERE, "self_route", declines(), declines())
    assert forecast.most_tokens == answer.totals.reader_input_tokens
    assert forecast.long_context_tokens == answer.long_context_tokens
    with pytest.raises(UnknownPolicy):
        asyncio.run(house.engine().forecast(WHO, "best", corpus="port"))
    with pytest.raises(UnknownDocument):
        asyncio.run(house.engine().forecast(Question(WHO, ("moon",)), corpus=Document("a", HARBOUR, "a.md")))


def test_a_cancellation_stays_one_even_if_the_ledger_fails(house: House) -> None:
    house.in_ledger("CREATE TRIGGER full BEFORE UPDATE ON questions BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    asyncio.run(cancelled(house))
    assert house.in_ledger("SELECT outcome, error FROM questions") == [(None, None)]


def test_an_answer_that_is_not_durable_is_not_given(house: House) -> None:
    house.in_ledger("CREATE TRIGGER full BEFORE UPDATE ON questions BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    with pytest.raises(CorruptLedger, match="disk full"):
        house.ask(WHO, "self_route", answers("Olof Berg"))


def test_no_answer_is_made_of_a_call_that_is_not_durable(house: House) -> None:
    house.in_ledger("CREATE TRIGGER full BEFORE INSERT ON calls BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    reader = ScriptedReader([answers("Olof Berg")])
    with pytest.raises(CorruptLedger, match="disk full"):
        asyncio.run(house.engine(reader=reader).ask(WHO, "self_route", corpus="port"))
    assert reader.readings == []
    [(error,)] = house.in_ledger("SELECT error FROM questions")
    assert "disk full" in str(error)


def test_a_document_that_is_not_indexed_is_embedded_and_asked(house: House) -> None:
    document = Document("notes.md", HARBOUR, "/home/me/notes.md")
    answer = house.ask(WHO, "self_route", answers("Olof Berg"), corpus=document)
    assert (answer.answer, answer.route, answer.corpus) == ("Olof Berg", Route.RAG, "/home/me/notes.md")
    assert [call.stage for call in answer.calls] == [Stage.EMBED, Stage.EMBED, Stage.READ_CHUNKS]
    embedder = HashingEmbedder()
    assert answer.calls[0].usage.input_tokens == embedder.count_tokens(HARBOUR)
    assert answer.totals.embedding_tokens == embedder.count_tokens(HARBOUR) + embedder.count_tokens(WHO)
    [citation] = answer.citations
    assert citation.document == "notes.md"
    assert HARBOUR[citation.start : citation.end] == citation.text
    assert tuple(house.ledger.calls(answer.id)) == answer.calls


def test_a_document_that_is_not_indexed_leaves_nothing_but_the_account(house: House) -> None:
    before = sorted(path.name for path in house.home.iterdir())
    house.ask(WHO, "always_long", answers("Olof Berg"), corpus=Document("notes.md", HARBOUR, "notes.md"))
    assert sorted(path.name for path in house.home.iterdir() if "ledger" not in path.name) == [
        name for name in before if "ledger" not in name
    ]


def test_a_document_that_is_not_indexed_can_be_named_as_the_scope(house: House) -> None:
    document = Document("notes.md", HARBOUR, "notes.md")
    answer = house.ask(Question(WHO, scope=("notes.md",)), "always_long", declines(), corpus=document)
    assert answer.outcome is Outcome.NOT_IN_DOCUMENT


class WaitingReader:
    """Makes its call and then waits for ever."""

    model = "scripted"
    window = 1000
    counted_by = "words"

    def __init__(self) -> None:
        self.waits = asyncio.Event()

    def count_tokens(self, reading: Reading) -> int:
        return 1

    async def read(self, reading: Reading, record: Record, shown: Shown | None = None) -> Draft:
        await record(Call(reading.stage, self.model, Usage(input_tokens=1), 0.0))
        self.waits.set()
        await asyncio.Event().wait()
        raise AssertionError("it waits for ever")


class SureReader(WaitingReader):
    """Declines, and tells how sure it is that the text answers."""

    async def read(self, reading: Reading, record: Record, shown: Shown | None = None) -> Draft:
        self.deadline = reading.deadline
        return Draft(True, reading.route, confidence=0.25)


class SlowAccount(LedgerAccount):
    """Writes a call down only when it is let."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self.asked, self.let = asyncio.Event(), asyncio.Event()

    async def record(self, question: str, call: Call) -> None:
        self.asked.set()
        await asyncio.wait_for(self.let.wait(), 30)
        await super().record(question, call)


async def cancelled(house: House) -> None:
    """Asks, and cancels while the reader waits."""
    reader = WaitingReader()
    task = asyncio.create_task(house.engine(reader=reader).ask(WHO, "self_route", corpus="port"))
    await asyncio.wait_for(reader.waits.wait(), timeout=30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def chunks_of(name: str, text: str, embedder: HashingEmbedder) -> Sequence[Chunk]:
    """One chunk a paragraph."""
    return [Chunk(name, m.start(), m.end(), m[0], embedder.count_tokens(m[0])) for m in re.finditer(r"[^\n]+", text)]


def explained(answer: Answer, what: str) -> list[dict[str, object]]:
    found = answer.explain[what]
    assert isinstance(found, list)
    return found


def words(text: str) -> int:
    return len(text.split())
