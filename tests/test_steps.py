"""The steps of one question: what is shown to the reader, what is recorded, and how much of the scope was read."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from stub_openai import Asked, Plan, StubOpenAI

from selfroute.embedders import Embedded
from selfroute.embedders.hashing import HashingEmbedder
from selfroute.endpoints.openai import OpenAIEndpoint, Options
from selfroute.errors import NoQuery, OverTerms, PromptTooLong, UnknownDocument, UnsupportedTask
from selfroute.fit import STRATEGIES
from selfroute.index import Index
from selfroute.policies import Steps
from selfroute.prices import Price, Prices
from selfroute.readers import Reader
from selfroute.readers.chat import ChatReader
from selfroute.readers.scripted import Line, ScriptedReader, answers, declines, fails
from selfroute.routing.dial import Decision, Dial
from selfroute.routing.features import Judged
from selfroute.steps import QuestionSteps
from selfroute.tokens import tokenizer
from selfroute.types import (
    Call,
    Chunk,
    Citation,
    Document,
    Draft,
    Estimate,
    Move,
    Question,
    Readers,
    Reading,
    Record,
    Route,
    Shown,
    Stage,
    Usage,
)

T = TypeVar("T")

HARBOUR = "The harbour master is Olof Berg.\n\nNight work is approved in writing.\n\nThe quay is long."
FOREST = "The forest has tall pines.\n\nMoose live there."
LIGHT = "The lighthouse was built by Anna Lind."
TEXTS = {"harbour": HARBOUR, "forest": FOREST, "light": LIGHT}

QUESTION = Question("harbour master Olof Berg")
OF_ALL = Question("harbour master Olof Berg forest tall pines")  # its hits: harbour's first, then forest's first


@dataclass
class Case:
    """Steps over an index in memory, with what they recorded."""

    steps: QuestionSteps
    index: Index
    calls: list[Call] = field(default_factory=list)


def case(
    *script: Line,
    window: int = 1000,
    k: int = 1,
    texts: Mapping[str, str] = TEXTS,
    prices: Mapping[str, Price] | None = None,
    embedder: HashingEmbedder | None = None,
    reader: Reader | None = None,
    index: Index | None = None,
    overflow: str = "fill",
) -> Case:
    embedder = embedder or HashingEmbedder()
    index = index or index_of(texts, embedder)
    calls: list[Call] = []

    async def record(call: Call) -> None:
        calls.append(call)

    reader = reader or ScriptedReader(script, window=window)
    steps = QuestionSteps(index, embedder, reader, reader, Prices(prices or {}), record, k, overflow=overflow)
    return Case(steps, index, calls)


def test_they_are_the_steps_that_policies_know() -> None:
    steps: Steps = case().steps
    assert steps is not None


def test_retrieving_records_one_embedding_call_with_its_tokens() -> None:
    made = case()
    run(made.steps.retrieve(QUESTION))
    [call] = made.calls
    assert (call.stage, call.model, call.usage) == (Stage.EMBED, "hashing-64", Usage(input_tokens=4))
    assert call.seconds >= 0
    assert not call.estimated


def test_hits_come_best_first() -> None:
    hits = run(case(k=6).steps.retrieve(OF_ALL))
    assert [hit.chunk.document for hit in hits[:2]] == ["harbour", "forest"]
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_as_many_hits_as_the_settings_say_unless_the_policy_asks_for_others() -> None:
    steps = case(k=2).steps
    assert len(run(steps.retrieve(QUESTION))) == 2
    assert len(run(steps.retrieve(QUESTION, k=4))) == 4
    assert len(run(steps.retrieve(QUESTION, k=100))) == 6


def test_only_the_scope_is_searched() -> None:
    hits = run(case(k=6).steps.retrieve(Question("harbour master", scope=("forest", "light"))))
    assert {hit.chunk.document for hit in hits} == {"forest", "light"}


def test_a_question_without_a_text_cannot_be_retrieved_for_and_costs_nothing() -> None:
    made = case()
    with pytest.raises(NoQuery):
        run(made.steps.retrieve(Question(None)))
    assert made.calls == []
    assert made.steps.path == []


def test_the_reader_is_shown_each_hit_as_it_stands_in_its_document() -> None:
    made, reader = scripted(answers("Olof Berg"), k=2)
    hits = run(made.steps.retrieve(OF_ALL))
    draft = run(made.steps.read_chunks(OF_ALL, hits))
    [reading] = reader.readings
    assert (reading.question, reading.route) == (OF_ALL, Route.RAG)
    assert [(p.document, p.start) for p in reading.passages] == [("harbour", 0), ("forest", 0)]
    assert all(TEXTS[p.document].startswith(p.text, p.start) for p in reading.passages)
    assert draft.answer == "Olof Berg"


def test_the_owners_of_the_hits_are_read_whole_best_first() -> None:
    made, reader = scripted(answers("Olof Berg"), k=2)
    hits = run(made.steps.retrieve(OF_ALL))
    run(made.steps.read_documents(OF_ALL, hits))
    [reading] = reader.readings
    assert reading.route is Route.LONG_CONTEXT
    assert [(p.document, p.start, p.text) for p in reading.passages] == [("harbour", 0, HARBOUR), ("forest", 0, FOREST)]


def test_a_document_that_owns_several_hits_is_read_once() -> None:
    made, reader = scripted(declines(), k=3)
    question = Question("harbour night quay", scope=("harbour",))
    run(made.steps.read_documents(question, run(made.steps.retrieve(question))))
    assert [p.document for p in reader.readings[0].passages] == ["harbour"]


def test_without_hits_everything_in_scope_is_read() -> None:
    made, reader = scripted(declines())
    run(made.steps.read_documents(Question(None), ()))
    assert [p.document for p in reader.readings[0].passages] == ["forest", "harbour", "light"]
    assert made.steps.coverage(Question(None)) == 1


def test_without_hits_a_scope_is_read_in_its_own_order() -> None:
    made, reader = scripted(declines())
    run(made.steps.read_documents(Question(None, scope=("light", "forest", "light")), ()))
    assert [p.document for p in reader.readings[0].passages] == ["light", "forest"]


def test_as_many_documents_are_read_as_the_window_allows() -> None:
    fits_both = words(HARBOUR) + words(FOREST) + words(OF_ALL.text)
    for window, whole in ((fits_both, [HARBOUR, FOREST]), (fits_both - 1, [HARBOUR])):
        made, reader = scripted(declines(), k=2, window=window)
        run(made.steps.read_documents(OF_ALL, run(made.steps.retrieve(OF_ALL))))
        assert [p.text for p in reader.readings[0].passages if p.text in TEXTS.values()] == whole
        assert bool(made.steps.warnings) == (len(whole) < 2)


@pytest.mark.parametrize("overflow", STRATEGIES)
def test_no_reading_is_larger_than_the_window(overflow: str) -> None:
    for window in range(40):
        made, reader = scripted(*[declines()] * 20, k=6, window=window, overflow=overflow)
        hits = run(made.steps.retrieve(OF_ALL))
        run(made.steps.read_chunks(OF_ALL, hits))
        run(made.steps.read_documents(OF_ALL, hits))
        assert all(not r.passages or reader.count_tokens(r) <= window for r in reader.readings)


def test_a_document_that_alone_exceeds_the_window_is_read_in_part_its_hits_first() -> None:
    question = Question("quay long", scope=("harbour",))
    made, reader = scripted(declines(), window=words("The quay is long.") + words(question.text))
    run(made.steps.read_documents(question, run(made.steps.retrieve(question))))
    [passage] = reader.readings[0].passages
    assert (passage.document, passage.start, passage.text) == (
        "harbour",
        HARBOUR.index("The quay"),
        "The quay is long.",
    )


def test_a_part_is_filled_up_from_the_start_and_shown_in_the_order_of_the_document() -> None:
    question = Question("quay long", scope=("harbour",))
    window = words("The quay is long.") + words("The harbour master is Olof Berg.") + words(question.text)
    made, reader = scripted(declines(), window=window)
    run(made.steps.read_documents(question, run(made.steps.retrieve(question))))
    assert [p.text for p in reader.readings[0].passages] == ["The harbour master is Olof Berg.", "The quay is long."]


def test_a_document_read_in_part_is_told_and_not_counted_as_read() -> None:
    question = Question("quay long", scope=("harbour",))
    made, _ = scripted(declines(), window=words("The quay is long.") + words(question.text))
    run(made.steps.read_documents(question, run(made.steps.retrieve(question))))
    [warning] = made.steps.warnings
    assert "'harbour' exceeds the reader's window of 6 tokens: 1 of 3 chunks were read, those most like" in warning
    assert 0 < made.steps.coverage(question) < 1


def test_a_window_too_small_for_anything_is_told_too() -> None:
    made, reader = scripted(declines(), window=1)
    run(made.steps.read_documents(QUESTION, run(made.steps.retrieve(QUESTION))))
    assert reader.readings == []
    assert "0 of 3 chunks were read" in made.steps.warnings[0]
    assert made.steps.coverage(QUESTION) == 0


def test_nothing_is_covered_before_anything_is_read() -> None:
    made = case()
    run(made.steps.retrieve(QUESTION))
    assert made.steps.coverage(QUESTION) == 0


def test_coverage_is_the_share_of_tokens_in_scope_that_was_read() -> None:
    for scope in ((), ("harbour",), ("harbour", "light")):
        made = case(declines())
        question = Question("harbour master Olof Berg", scope)
        hits = run(made.steps.retrieve(question))
        run(made.steps.read_chunks(question, hits))
        tokens = {name: sum(chunk.tokens for chunk in made.index.chunks(name)) for name in scope or TEXTS}
        assert made.steps.coverage(question) == hits[0].chunk.tokens / sum(tokens.values())


def test_a_chunk_that_is_read_again_is_counted_once() -> None:
    made = case(declines(), declines(), declines(), k=2)
    hits = run(made.steps.retrieve(OF_ALL))
    run(made.steps.read_chunks(OF_ALL, hits))
    once = made.steps.coverage(OF_ALL)
    run(made.steps.read_chunks(OF_ALL, hits))
    assert made.steps.coverage(OF_ALL) == once
    run(made.steps.read_documents(OF_ALL, hits))
    tokens = {name: sum(chunk.tokens for chunk in made.index.chunks(name)) for name in TEXTS}
    assert made.steps.coverage(OF_ALL) == (tokens["harbour"] + tokens["forest"]) / sum(tokens.values())


def test_all_chunks_of_the_scope_are_all_of_it() -> None:
    made = case(declines(), k=6)
    run(made.steps.read_chunks(QUESTION, run(made.steps.retrieve(QUESTION))))
    assert made.steps.coverage(QUESTION) == 1


def test_a_document_named_twice_in_the_scope_is_counted_once() -> None:
    question = Question("harbour master", scope=("harbour", "forest", "harbour"))
    made = case(declines(), k=1)
    run(made.steps.read_documents(question, run(made.steps.retrieve(question))))
    tokens = {name: sum(chunk.tokens for chunk in made.index.chunks(name)) for name in TEXTS}
    assert made.steps.coverage(question) == tokens["harbour"] / (tokens["harbour"] + tokens["forest"])


@pytest.mark.parametrize("window", [1, 8, 12, 20, 30, 1000])
@pytest.mark.parametrize("scope", [(), ("forest",), ("light", "harbour")])
def test_an_estimate_of_the_documents_is_what_reading_them_takes(window: int, scope: tuple[str, ...]) -> None:
    made, reader = scripted(declines(), k=3, window=window)
    question = Question("harbour master forest pines", scope)
    hits = run(made.steps.retrieve(question))
    estimate = run(made.steps.estimate(question, hits, Move.READ_DOCUMENTS))
    assert reader.readings == []
    assert len(made.calls) == 1
    run(made.steps.read_documents(question, hits))
    assert estimate.tokens == sum(call.usage.input_tokens for call in made.calls[1:])
    assert estimate.complete == (made.steps.coverage(question) == 1)


def test_an_estimate_of_the_chunks_is_what_reading_them_takes() -> None:
    made = case(declines(), k=3)
    hits = run(made.steps.retrieve(QUESTION))
    estimate = run(made.steps.estimate(QUESTION, hits, Move.READ_CHUNKS))
    run(made.steps.read_chunks(QUESTION, hits))
    assert estimate.tokens == made.calls[-1].usage.input_tokens
    assert estimate.documents == ()
    assert not estimate.complete


def test_an_estimate_names_the_documents_and_their_price() -> None:
    made = case(k=2, prices={"scripted": Price(Decimal(2), Decimal(9))})
    hits = run(made.steps.retrieve(OF_ALL))
    estimate = run(made.steps.estimate(OF_ALL, hits, Move.READ_DOCUMENTS))
    assert estimate.documents == ("harbour", "forest")
    assert estimate.cost == Decimal(2) * estimate.tokens / 1_000_000


def test_the_cost_of_reading_everything_holds_what_is_written_whether_measured_or_estimated() -> None:
    prices = {"scripted": Price(input=Decimal(2), output=Decimal(10))}
    from_chunks = case(answers("Olof Berg"), prices=prices)
    hits = run(from_chunks.steps.retrieve(QUESTION))
    unread = run(from_chunks.steps.long_context(QUESTION))
    run(from_chunks.steps.read_chunks(QUESTION, hits))
    estimated = run(from_chunks.steps.long_context(QUESTION))
    from_all = case(answers("Olof Berg"), prices=prices)
    run(from_all.steps.read_documents(QUESTION, run(from_all.steps.retrieve(QUESTION))))
    assert run(from_all.steps.long_context(QUESTION)) == estimated
    assert estimated.cost == Decimal(estimated.tokens * 2 + 2 * 10) / 1_000_000
    assert unread.cost == Decimal(unread.tokens * 2) / 1_000_000  # nothing is known to be written


def test_an_estimate_without_a_price_has_no_cost() -> None:
    made = case()
    assert run(made.steps.estimate(QUESTION, run(made.steps.retrieve(QUESTION)), Move.READ_DOCUMENTS)).cost is None


def test_in_parts_all_is_read_and_the_best_supported_answer_stands() -> None:
    made, reader = scripted(
        declines(), answers("somebody else"), answers("Olof Berg"), window=8, overflow="windows", k=1
    )
    question = Question("master?", scope=("harbour",))
    draft = run(made.steps.read_documents(question, run(made.steps.retrieve(question))))
    assert len(reader.readings) == 3
    assert (draft.answer, made.steps.coverage(question)) == ("somebody else", 1)  # neither stands in its part
    assert made.steps.drafts == [draft]
    measured = run(made.steps.long_context(question))
    assert (measured.tokens, measured.complete) == (sum(c.usage.input_tokens for c in made.calls[1:]), True)


def test_a_prompt_that_the_server_finds_too_long_is_read_once_more_with_less_of_it() -> None:
    too_long = PromptTooLong("endpoint 'x'", "the prompt is too long")
    for move in Move:
        made, reader = scripted(fails(too_long), answers("Olof Berg"), k=6)
        hits = run(made.steps.retrieve(OF_ALL))
        draft = run(getattr(made.steps, move.value)(OF_ALL, hits))
        sent, again = map(reader.count_tokens, reader.readings)
        assert draft.answer == "Olof Berg"
        assert 0 < again <= 0.8 * sent
        assert any("too long for the server" in warning for warning in made.steps.warnings)
        assert made.steps.coverage(OF_ALL) < 1


def test_a_prompt_that_is_too_long_twice_is_an_error_and_so_is_one_that_cannot_be_less() -> None:
    too_long = PromptTooLong("endpoint 'x'", "the prompt is too long")
    made, reader = scripted(fails(too_long), fails(too_long), k=6)
    with pytest.raises(PromptTooLong):
        run(made.steps.read_documents(OF_ALL, run(made.steps.retrieve(OF_ALL))))
    assert len(reader.readings) == 2
    made, reader = scripted(fails(too_long), k=1, window=15)
    with pytest.raises(PromptTooLong):
        run(made.steps.read_chunks(QUESTION, run(made.steps.retrieve(QUESTION))))
    assert len(reader.readings) == 1


@pytest.mark.end_to_end
def test_of_several_parts_only_the_one_that_the_server_finds_too_long_is_read_in_smaller_ones() -> None:
    text = "\n".join(f"Rule {n} is of ten words about boats and quays." for n in range(24))
    error = {"message": "the prompt is too long", "code": "context_length_exceeded"}

    def answer(asked: Asked) -> Plan:
        long = "Rule 8 " in asked.prompt and "Rule 15 " in asked.prompt
        return Plan(status=400, error=error) if long else Plan('{"answerable": false, "answer": null, "quotes": []}')

    with StubOpenAI(answer) as stub:
        options = Options("x", stub.url, "stub", window=500, max_output_tokens=50, retries=0)
        reader = ChatReader(OpenAIEndpoint(options, tokenizer("stub")))
        made = case(reader=reader, texts={"rules": text}, overflow="windows")
        draft = run(made.steps.read_documents(QUESTION, ()))
        asked = [[int(n) for n in re.findall(r"Rule (\d+)", one.prompt)] for one in stub.asked]
    assert [(rules[0], rules[-1]) for rules in asked] == [(0, 7), (8, 15), (8, 10), (11, 13), (14, 15), (16, 23)]
    assert (draft.declined, made.steps.coverage(QUESTION)) == (True, 1)
    assert sum(call.usage.input_tokens for call in made.calls) == stub.charged["input_tokens"]
    measured = run(made.steps.long_context(QUESTION))
    assert (measured.tokens, measured.complete) == (stub.charged["input_tokens"], True)
    assert any("a part of it was too long for the server" in warning for warning in made.steps.warnings)


def test_a_part_of_a_part_that_is_too_long_as_well_is_an_error_and_nothing_is_read_again() -> None:
    too_long = PromptTooLong("endpoint 'x'", "the prompt is too long")
    script = [declines(), fails(too_long), fails(too_long)]
    made, reader = scripted(*script, window=12, overflow="windows")
    question = Question("harbour", scope=("harbour",))
    with pytest.raises(PromptTooLong):
        run(made.steps.read_documents(question, ()))
    assert len(reader.readings) == 3
    first, second, *rest = (tuple(p.text for p in reading.passages) for reading in reader.readings)
    assert first not in [second, *rest]


def test_what_counts_the_tokens_is_told_for_each_reading() -> None:
    assert case().steps.counted_by == {"read_chunks": "words", "read_documents": "words"}


def test_the_path_is_the_steps_that_were_taken() -> None:
    made = case(declines(), declines())
    hits = run(made.steps.retrieve(QUESTION))
    run(made.steps.read_chunks(QUESTION, hits))
    run(made.steps.estimate(QUESTION, hits, Move.READ_DOCUMENTS))
    run(made.steps.read_documents(QUESTION, hits))
    assert made.steps.path == ["retrieve", "read_chunks", "read_documents"]
    assert [draft.route for draft in made.steps.drafts] == [Route.RAG, Route.LONG_CONTEXT]


def test_a_readers_warning_is_told_once_however_often_it_is_given() -> None:
    made = case(reader=WarningReader())
    hits = run(made.steps.retrieve(QUESTION))
    run(made.steps.read_chunks(QUESTION, hits))
    run(made.steps.read_documents(QUESTION, hits))
    assert made.steps.warnings == ["read with one eye"]


def test_a_citation_carries_the_page_that_it_stands_on() -> None:
    embedder = HashingEmbedder()
    documents = [Document("paged", "One. Two.", "a.pdf", (0, 5)), Document("plain", "One. Two.", "a.md")]
    items = [(d, [Chunk(d.id, 0, 9, d.text, 4)], embedder.embed([d.text]).vectors) for d in documents]
    made = case(reader=CitingReader(), index=Index.in_memory("test", embedder.name, items, "240"))
    for id_, pages in (("paged", [1, 2]), ("plain", [None, None])):
        question = Question("Two?", scope=(id_,))
        draft = run(made.steps.read_chunks(question, run(made.steps.retrieve(question))))
        assert [citation.page for citation in draft.citations] == pages
        assert made.steps.drafts[-1] == draft


def test_a_document_outside_the_corpus_is_refused_by_name() -> None:
    made = case()
    with pytest.raises(UnknownDocument, match="'moon'"):
        made.steps.coverage(Question("who?", scope=("moon",)))


def test_embedding_leaves_the_event_loop_to_others() -> None:
    embedder = NotingEmbedder()
    made = case(embedder=embedder)
    embedder.threads.clear()  # those of building the index
    run(made.steps.retrieve(QUESTION))
    assert embedder.threads
    assert threading.get_ident() not in embedder.threads


class NotingEmbedder(HashingEmbedder):
    """Notes the threads that it embeds in."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[int] = set()

    def embed(self, texts: Sequence[str]) -> Embedded:
        self.threads.add(threading.get_ident())
        return super().embed(texts)


class WarningReader:
    """Declines, each time with the same warning."""

    model = "warning"
    window = 1000
    counted_by = "nothing"

    def count_tokens(self, reading: Reading) -> int:
        return 1

    async def read(self, reading: Reading, record: Record, shown: Shown | None = None) -> Draft:
        return Draft(True, reading.route, warnings=("read with one eye",))


class CitingReader(WarningReader):
    """Cites both sentences of what it is shown."""

    async def read(self, reading: Reading, record: Record, shown: Shown | None = None) -> Draft:
        cited = tuple(Citation(reading.passages[0].document, None, at, at + 4, "....", None) for at in (0, 5))
        return Draft(False, reading.route, "One", cited)


def scripted(*script: Line, window: int = 1000, k: int = 1, overflow: str = "fill") -> tuple[Case, ScriptedReader]:
    reader = ScriptedReader(script, window=window)
    return case(k=k, reader=reader, overflow=overflow), reader


def index_of(texts: Mapping[str, str], embedder: HashingEmbedder) -> Index:
    """One chunk a paragraph."""
    items = []
    for name, text in texts.items():
        chunks = [
            Chunk(name, m.start(), m.end(), m[0], embedder.count_tokens(m[0])) for m in re.finditer(r"[^\n]+", text)
        ]
        items.append((Document(name, text, f"{name}.md"), chunks, embedder.embed([c.text for c in chunks]).vectors))
    return Index.in_memory("test", embedder.name, items, 240)


def words(text: str | None) -> int:
    return len((text or "").split())


def run(step: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(step)


def judged(judge: Reader, reader: Reader, documents: Reader | None = None) -> tuple[Judged, Draft, list[Call]]:
    made = case(reader=reader)
    calls: list[Call] = []

    async def record(call: Call) -> None:
        calls.append(call)

    embedder = HashingEmbedder()
    steps = QuestionSteps(made.index, embedder, reader, documents or reader, Prices({}), record, 1, judge=lambda: judge)

    async def both() -> tuple[Judged, Draft]:
        hits = await steps.retrieve(QUESTION)
        chunks = await steps.read_chunks(QUESTION, hits)
        return await steps.judged(QUESTION, hits, chunks), chunks

    return *run(both()), calls


def test_a_judge_reads_the_same_hits_and_its_call_is_no_reading() -> None:
    judge = ScriptedReader([answers("Olof Berg")], model="judge")
    told, chunks, calls = judged(judge, ScriptedReader([declines()]))
    assert told.draft is not None
    assert (told.draft.answer, chunks.declined) == ("Olof Berg", True)
    assert (told.readers, told.retrieval) == (Readers.CHAT, ("hashing-64", 1))
    assert [(call.stage, call.model) for call in calls[-2:]] == [
        (Stage.READ_CHUNKS, "scripted"),
        (Stage.JUDGE, "judge"),
    ]


def test_a_reader_that_is_the_judge_is_not_asked_twice() -> None:
    reader = ScriptedReader([answers("Olof Berg")])
    told, chunks, calls = judged(reader, reader)
    assert told.draft is chunks
    assert told.readers is Readers.BUNDLED
    assert Stage.JUDGE not in {call.stage for call in calls}


@pytest.mark.parametrize("reads_chunks", [True, False])
def test_readers_are_mixed_where_the_judge_reads_only_one_of_chunks_and_documents(reads_chunks: bool) -> None:
    judge = ScriptedReader([answers("Olof Berg")], model="judge")
    other = ScriptedReader([declines()])
    told, chunks, _ = judged(judge, judge, other) if reads_chunks else judged(judge, other, judge)
    assert told.readers is Readers.MIXED
    assert (told.draft is chunks) is reads_chunks


def test_a_caveat_of_a_decision_is_said_once() -> None:
    steps = case(answers("Olof Berg")).steps
    decision = Decision(False, "share", None, 0.1, Estimate(10, None, (), True), Dial(), "another embedder")
    assert steps.decided(decision) is steps.decided(decision) is False
    assert steps.warnings == ["another embedder"]


def test_a_judge_that_cannot_read_the_question_says_nothing() -> None:
    judge = ScriptedReader([fails(UnsupportedTask("English only"))], model="judge")
    assert judged(judge, ScriptedReader([declines()]))[0].draft is None


def test_without_a_judge_nothing_is_judged() -> None:
    made = case(answers("Olof Berg"))
    hits = run(made.steps.retrieve(QUESTION))
    assert run(made.steps.judged(QUESTION, hits, Draft(True, Route.RAG))).draft is None


PRICED = Price(Decimal(10), Decimal(0), Decimal(1))
TOKENS = 20  # of the question and the document that it is about


@pytest.mark.parametrize(
    ("lately", "price", "cached"),
    [
        ((), PRICED, 0),
        ((Usage(TOKENS),), PRICED, TOKENS),
        ((Usage(TOKENS * 2),), PRICED, 0),
        ((Usage(TOKENS, cached_input_tokens=TOKENS), Usage(TOKENS)), PRICED, TOKENS),
        ((Usage(TOKENS), Usage(TOKENS)), PRICED, 0),
        ((Usage(TOKENS),), Price(Decimal(10), Decimal(0)), 0),
    ],
)
def test_a_document_is_warm_that_was_read_lately_by_a_provider_that_keeps_it_for_less(
    lately: Sequence[Usage], price: Price, cached: int
) -> None:
    made = case()
    reader = ScriptedReader([])
    steps = QuestionSteps(
        made.index,
        HashingEmbedder(),
        reader,
        reader,
        Prices({"scripted": price}),
        made.steps._record,
        1,
        read_lately=lambda model: lately if model == "scripted" else (),
    )
    hits = run(steps.retrieve(QUESTION))
    estimate = run(steps.estimate(QUESTION, hits, Move.READ_DOCUMENTS))
    assert (estimate.tokens, estimate.cached_tokens) == (TOKENS, cached)
    assert estimate.cost == price.cost(Usage(TOKENS, cached))
    assert run(steps.estimate(QUESTION, hits, Move.READ_CHUNKS)).cached_tokens == 0


def test_where_a_limit_ends_a_question_its_last_draft_stands_unless_other_text_was_shown_already() -> None:
    limit = OverTerms("reading the documents", "max_input_tokens", "900 tokens", "10", "100")
    steps = case(declines()).steps
    with pytest.raises(OverTerms):
        steps.stopped(limit)  # nothing was read
    hits = run(steps.retrieve(QUESTION))
    draft = run(steps.read_chunks(QUESTION, hits))
    assert steps.stopped(limit) == draft
    assert "the question ended with what was read before: reading the documents" in steps.warnings[-1]
    steps.shown = "The first words of an answer from the documents"
    with pytest.raises(OverTerms):
        steps.stopped(limit)
