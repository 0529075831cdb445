"""The runner asks by document, in order and never more at once than it may, and closes what it opened."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import pytest

from selfroute.embedders import Embedded
from selfroute.embedders.hashing import HashingEmbedder
from selfroute.engine import IndexEngine
from selfroute.errors import HomeNotWritable, MissingExtra, UnscorableRecord, UnsupportedTask, UnusableIndex
from selfroute.evaluation.datasets import Sample
from selfroute.evaluation.documents import DocumentCache
from selfroute.evaluation.plan import Plan
from selfroute.evaluation.rows import Row, Rows
from selfroute.evaluation.runner import Runner, Tally
from selfroute.evaluation.scorer import DatasetScorer, Scorer
from selfroute.index import Index
from selfroute.policies import POLICIES
from selfroute.prices import Price, Prices
from selfroute.readers import Reader
from selfroute.types import Call, Document, Draft, Question, Reading, Record, Shown, Stage, Usage

SAMPLE = Sample("1", Question("Who?"), "", ("Ann",), None, "made", "a", True, 2, "en")


def samples(*documents: str, each: int = 3) -> list[Sample]:
    """Questions named as `a1`, so many of each document."""
    return [
        replace(SAMPLE, id=f"{doc}{n}", question=Question(f"{doc}{n}"), doc_id=doc, context=f"The text of {doc}. " * 50)
        for doc in documents
        for n in range(each)
    ]


Behaviour = Callable[[str], Awaitable[object]]


async def at_once(question: str) -> None:
    """A reader that takes no time."""


@dataclass
class WatchedReader:
    """Answers everything with "Ann" after `behaviour`; keeps what was asked, and how many were in flight."""

    behaviour: Behaviour = at_once
    started: list[str] = field(default_factory=list)
    in_flight: int = 0
    most: int = 0
    model: str = "watched"
    window: int = 1_000_000
    counted_by: str = "passages"

    def count_tokens(self, reading: Reading) -> int:
        return len(reading.passages)

    async def read(self, reading: Reading, record: Record, shown: Shown | None = None) -> Draft:
        question = reading.question.text or ""
        self.started.append(question)
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            await self.behaviour(question)
        finally:
            self.in_flight -= 1
        await record(Call(reading.stage, self.model, Usage(10, output_tokens=1), seconds=0.5))
        return Draft(False, reading.route, "Ann")


class KeptCache(DocumentCache):
    """Keeps every index that it gave, in order."""

    def __init__(self, path: Path, embedder: HashingEmbedder) -> None:
        super().__init__(path, embedder, 40)
        self.given: list[Index] = []

    def index(self, document: Document) -> Index:
        self.given.append(super().index(document))
        return self.given[-1]

    @property
    def open(self) -> list[str]:
        """The documents whose index is open."""
        return [index.name for index in self.given if _is_open(index)]


class FailingEmbedder(HashingEmbedder):
    """Cannot embed a text that holds `bad`."""

    def embed(self, texts: Sequence[str]) -> Embedded:
        if any("bad" in text for text in texts):
            raise MemoryError("too much of it")
        return super().embed(texts)


@dataclass(frozen=True)
class FailingScorer(DatasetScorer):
    error: Exception = field(default_factory=lambda: UnscorableRecord("no classes"))

    def score(self, sample: Sample, prediction: str | None) -> float:
        raise self.error


@dataclass
class Stand:
    """A runner with all around it; `begun` are the questions in the order in which they were started."""

    plan: Plan
    documents: KeptCache
    rows: Rows
    runner: Runner
    begun: list[str]

    @property
    def made(self) -> list[Row]:
        return list(self.rows.done.values())

    def run(self) -> list[Row]:
        asyncio.run(asyncio.wait_for(self.runner.run(self.plan), 60))
        return self.made


@contextmanager
def standing(
    folder: Path,
    reader: Reader,
    asked: Sequence[Sample],
    *,
    policies: Sequence[str] = ("always_rag",),
    ks: Sequence[int] = (2,),
    concurrency: int = 3,
    scorer: Scorer | None = None,
) -> Iterator[Stand]:
    embedder = FailingEmbedder()
    engine = IndexEngine(
        home=folder,
        embedder=embedder,
        chunk_tokens=40,
        chunk_reader=reader,
        document_reader=reader,
        account=Tally(),
        prices=Prices({"watched": Price(Decimal(1), Decimal(1)), "hashing-64": Price(Decimal(2), Decimal(0))}),
        policies={name: make() for name, make in POLICIES.items()},
    )
    with closing(Plan(folder)) as plan, closing(KeptCache(folder / "cache.sqlite", embedder)) as documents:
        plan.add(asked)
        with closing(Rows(folder, plan.asked)) as rows:
            begun: list[str] = []

            def engine_of(sample: Sample) -> IndexEngine:
                begun.append(sample.id)
                return engine

            runner = Runner(engine_of, documents, rows, scorer or DatasetScorer(), policies, ks, concurrency)
            yield Stand(plan, documents, rows, runner, begun)
            assert documents.open == []


def _is_open(index: Index) -> bool:
    try:
        index.document(index.name)
    except UnusableIndex:
        return False
    return True


def test_the_questions_of_one_document_are_started_together_and_in_order(tmp_path: Path) -> None:
    """Each waits until as many are in flight as may be: started one by one, they would wait for ever."""
    three = asyncio.Barrier(3)
    reader = WatchedReader(lambda question: asyncio.wait_for(three.wait(), 30))
    with standing(tmp_path, reader, samples("b", "a", "c")) as stand:
        stand.run()
    assert stand.begun == ["b0", "b1", "b2", "a0", "a1", "a2", "c0", "c1", "c2"]


def test_one_at_a_time_questions_are_asked_in_the_order_of_the_plan(tmp_path: Path) -> None:
    reader = WatchedReader()
    asked = samples("a", "b")
    with standing(tmp_path, reader, [*asked[::2], *asked[1::2]], concurrency=1) as stand:
        stand.run()
    assert reader.started == ["a0", "a2", "a1", "b1", "b0", "b2"]
    assert reader.most == 1


@pytest.mark.parametrize("concurrency", [1, 2, 5])
def test_as_many_questions_are_in_flight_as_may_be_and_never_more(tmp_path: Path, concurrency: int) -> None:
    full = asyncio.Event()

    async def until_full(question: str) -> None:
        if reader.in_flight == concurrency:
            full.set()
        await asyncio.wait_for(full.wait(), 30)
        await asyncio.sleep(0)

    reader = WatchedReader(until_full)
    with standing(tmp_path, reader, samples("a", "b", "c", "d", each=4), concurrency=concurrency) as stand:
        assert len(stand.run()) == 16
    assert reader.most == concurrency


def test_a_document_is_opened_once_for_all_its_rows_and_closed_with_its_last(tmp_path: Path) -> None:
    opened_at_most = 0

    async def look(question: str) -> None:
        nonlocal opened_at_most
        opened_at_most = max(opened_at_most, len(stand.documents.open))

    reader = WatchedReader(look)
    asked = samples("a", "b", "c", "d", "e")
    with standing(tmp_path, reader, asked, policies=list(POLICIES), ks=(1, 2), concurrency=2) as stand:
        assert len(stand.run()) == 15 * len(POLICIES) * 2
        assert [index.name for index in stand.documents.given] == ["a", "b", "c", "d", "e"]
    assert opened_at_most <= 3  # of the two in flight, and the next


def test_rows_that_are_there_are_not_made_again_nor_their_documents_opened(tmp_path: Path) -> None:
    with standing(tmp_path, WatchedReader(), samples("a", each=2)) as stand:
        first = stand.run()
    reader = WatchedReader()
    with standing(tmp_path, reader, samples("a", "b"), policies=("always_rag", "always_long")) as stand:
        made = stand.run()
    assert sorted(reader.started) == ["a0", "a1", "a2", "a2", "b0", "b0", "b1", "b1", "b2", "b2"]
    assert made[:2] == first
    assert len(made) == 12
    with standing(tmp_path, WatchedReader(), samples("a", "b")) as stand:
        stand.run()
        assert stand.documents.given == []


def test_progress_hears_of_each_new_row_once_it_is_kept(tmp_path: Path) -> None:
    heard: list[Row] = []
    with standing(tmp_path, WatchedReader(), samples("a", "b")) as stand:

        def hear(row: Row) -> None:
            assert stand.rows.done[row.key] is row
            heard.append(row)

        asyncio.run(stand.runner.run(stand.plan, hear))
        assert heard == stand.made
    assert len(heard) == 6


def test_a_row_sums_the_readers_calls_and_keeps_embedding_apart(tmp_path: Path) -> None:
    with standing(tmp_path, WatchedReader(), samples("a", each=1)) as stand:
        [row] = stand.run()
    assert row.usage["input_tokens"] == 10
    assert row.usage["output_tokens"] == 1
    assert row.usage["embedding_tokens"] == 1
    assert row.cost == Decimal(10 + 1 + 2 * 1) / 1_000_000
    assert row.seconds >= 0.5
    assert (row.prediction, row.score, row.outcome, row.route) == ("Ann", 100.0, "answered", "rag")
    assert row.path == ("retrieve", "read_chunks")
    assert row.asked == stand.plan.asked["made", "a0"]


def test_a_row_keeps_its_chunks_and_what_each_stage_took(tmp_path: Path) -> None:
    with standing(tmp_path, WatchedReader(), samples("a", each=1)) as stand:
        [row] = stand.run()
    assert row.hits is not None
    assert len(row.hits) == 2
    assert all(hit.document == row.doc_id and hit.start < hit.end for hit in row.hits)
    assert row.stages is not None
    embed, read = row.stages
    assert (embed.stage, embed.input_tokens, embed.cost) == (Stage.EMBED, 1, Decimal(2) / 1_000_000)
    assert (read.stage, read.calls, read.failed) == (Stage.READ_CHUNKS, 1, 0)
    assert (read.input_tokens, read.output_tokens, read.cost) == (10, 1, Decimal(11) / 1_000_000)


def test_what_prevents_a_document_is_the_error_of_its_questions_and_of_no_others(tmp_path: Path) -> None:
    asked = [replace(s, context="A bad text.") if s.doc_id == "b" else s for s in samples("a", "b", "c")]
    with standing(tmp_path, WatchedReader(), asked) as stand:
        made = stand.run()
    assert {row.id: row.error for row in made} == {
        s.id: "MemoryError: too much of it" if s.doc_id == "b" else None for s in asked
    }
    assert {row.score for row in made if row.error} == {0.0}


def test_what_a_reader_raises_is_the_error_of_its_row(tmp_path: Path) -> None:
    async def lost(question: str) -> None:
        if question == "a1":
            raise ConnectionError("connection\nreset")

    with standing(tmp_path, WatchedReader(lost), samples("a")) as stand:
        made = {row.id: row for row in stand.run()}
    assert made["a1"].error == "ConnectionError: connection\nreset"
    assert (made["a1"].score, made["a1"].outcome, made["a1"].prediction) == (0.0, None, None)
    assert made["a1"].usage["embedding_tokens"] == 1  # what it took before it failed
    assert [made[id_].score for id_ in ("a0", "a2")] == [100.0, 100.0]


def test_what_a_reader_cannot_do_is_not_applicable(tmp_path: Path) -> None:
    async def cannot(question: str) -> None:
        raise UnsupportedTask("spans only")

    with standing(tmp_path, WatchedReader(cannot), samples("a", each=1)) as stand:
        [row] = stand.run()
    assert (row.na, row.error, row.score) == ("spans only", None, None)


def test_a_record_that_cannot_be_scored_is_a_failed_row(tmp_path: Path) -> None:
    with standing(tmp_path, WatchedReader(), samples("a", each=2), scorer=FailingScorer()) as stand:
        made = stand.run()
    assert [(row.error, row.score) for row in made] == [("UnscorableRecord: no classes", 0.0)] * 2
    assert made[0].usage["input_tokens"] == 10


@pytest.mark.parametrize("error", [MissingExtra("jieba", "chinese"), HomeNotWritable(Path("runs"), "disk full")])
def test_what_concerns_all_rows_ends_the_run(tmp_path: Path, error: Exception) -> None:
    with standing(tmp_path, WatchedReader(), samples("a", "b", each=5), scorer=FailingScorer(error=error)) as stand:
        with pytest.raises(type(error)) as raised:
            stand.run()
        assert raised.value is error
        assert stand.made == []


def test_a_run_that_is_cancelled_keeps_its_rows_and_leaves_nothing_under_way(tmp_path: Path) -> None:
    full = asyncio.Event()

    async def hang(question: str) -> None:
        if question not in ("a0", "a1"):
            if reader.in_flight == 3:
                full.set()
            await asyncio.Event().wait()

    reader = WatchedReader(hang)

    async def cancelled() -> None:
        running = asyncio.create_task(stand.runner.run(stand.plan))
        await asyncio.wait_for(full.wait(), 30)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert reader.in_flight == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with standing(tmp_path, reader, samples("a", "b", "c")) as stand:
        asyncio.run(cancelled())
        assert {row.id for row in stand.made} == {"a0", "a1"}


def test_a_tally_belongs_to_one_question(tmp_path: Path) -> None:
    """Rows made side by side are not charged for each other."""
    three = asyncio.Barrier(3)
    reader = WatchedReader(lambda question: asyncio.wait_for(three.wait(), 30))
    with standing(tmp_path, reader, samples("a")) as stand:
        assert [row.usage["input_tokens"] for row in stand.run()] == [10, 10, 10]
