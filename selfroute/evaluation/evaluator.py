"""A run in a folder: what is asked, what was read, one row each, and what it comes to.

    run.json        configuration, versions, the weights' hashes, and what was malformed or failed
    rows.jsonl      one row a question, policy and k, appended as it is done
    readings.jsonl  what was really read; every policy is computed from it
    summary.json    scores, shares and costs by dataset and policy

The same folder goes on where it stopped, and takes further datasets, policies and k. Knows nothing of settings
files or of the command line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from selfroute.embedders import Embedder
from selfroute.engine import IndexEngine
from selfroute.errors import BadInput, RunBusy, UnknownPolicy
from selfroute.evaluation.charging import Charges, charged, uncharged
from selfroute.evaluation.datasets import Malformed, Sample, open_samples
from selfroute.evaluation.documents import DocumentCache
from selfroute.evaluation.lines import unwritable
from selfroute.evaluation.metrics import Mode
from selfroute.evaluation.plan import Plan
from selfroute.evaluation.readings import KeptReadings
from selfroute.evaluation.record import RunRecord
from selfroute.evaluation.replay import read_answers
from selfroute.evaluation.rows import Row, Rows
from selfroute.evaluation.runner import Runner, Tally
from selfroute.evaluation.scorer import DatasetScorer, ReplayScorer
from selfroute.evaluation.suite import Suite
from selfroute.evaluation.summary import Summary, summarised, write_summary
from selfroute.index.files import only_writer
from selfroute.policies import Policy
from selfroute.prices import Prices
from selfroute.readers import Reader
from selfroute.readers.recorded import AnswersReader, RecordedReader
from selfroute.types import Usage, sum_cost

Run = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]
"""Runs what is to be awaited to its end; blocking."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: rows done and in all (those of an earlier start among both), the mean score (0 to 100),
    reader input tokens and cost in US dollars of the rows so far, and how many of them failed."""

    done: int
    total: int
    score: float | None
    input_tokens: int
    cost: Decimal | None
    failed: int


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to. `readings` were really made, in this start or an earlier one, and took `read`."""

    folder: Path
    summary: Summary
    rows: int
    failed: int
    malformed: tuple[Malformed, ...]
    readings: int
    read: Usage
    mode: Mode


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Runs suites with one set of models. `identity` is what makes two runs comparable row by row (settings,
    weights): a folder does not take rows of another. `cache` is the file that keeps embedded documents.
    `document_reader` reads whole documents if it is another than `reader`; `deadline` is in seconds a question.
    `charges` is what its readings stand in beside the run's own account."""

    reader: Reader
    embedder: Embedder
    chunk_tokens: int
    chunk_words: int | None
    prices: Prices
    policies: Mapping[str, Policy]
    k: int
    cache: Path
    identity: Mapping[str, object]
    document_reader: Reader | None = None
    deadline: float | None = None
    overflow: str = "fill"
    judge: Callable[[], Reader] | None = None
    charges: Charges | None = None

    def run(
        self,
        suite: Suite,
        folder: Path,
        *,
        concurrency: int = 4,
        longbench: Path | None = None,
        data: Path | None = None,
        progress: Callable[[Progress], None] = lambda progress: None,
        run: Run = lambda questions: asyncio.run(questions()),
    ) -> Result:
        """Runs `suite` in `folder` to its end; blocking. What an earlier start has done is not done again. `run` is
        what runs its questions, and may end them early by cancelling them.

        Raises `UnknownPolicy`, `BadInput`, `RunBusy`, `UnreadableFile`, `UnknownDataset`, `InvalidSettings` (the
        folder holds a run with other settings) and `HomeNotWritable`.
        """
        for policy in suite.policies:
            if policy not in self.policies:
                raise UnknownPolicy(policy, self.policies)
        if concurrency < 1 or any(k < 1 for k in suite.ks):
            raise BadInput("concurrency and k must be at least 1")
        suite = replace(suite, ks=suite.ks or (self.k,))
        # All that is read is opened first, so that a run that cannot be done leaves no folder.
        opened = {source: open_samples(source, longbench=longbench, folder=data) for source in suite.sources}
        recorded = read_answers(suite.replay, self.embedder.count_tokens) if suite.replay else []
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(folder, error) from error
        with closing(Plan(folder)) as plan, only_writer(folder, RunBusy(folder)):
            record = RunRecord.begin(folder, suite, self.identity, concurrency)
            self._gather(plan, opened, suite.limit, [reader.model for reader in recorded])
            result = self._answered(plan, suite, recorded, folder, concurrency, progress, run)
            record.end(result.rows, result.failed, result.malformed, result.readings, result.read)
        return result

    def _gather(
        self,
        plan: Plan,
        opened: dict[str, Iterator[Sample | Malformed]],
        limit: int | None,
        models: Sequence[str],
    ) -> None:
        def by_model(sample: Sample) -> list[Sample]:
            """Recorded answers make each model a dataset of its own."""
            return [replace(sample, dataset=model, id=f"{sample.dataset}/{sample.id}") for model in models]

        for source in list(opened):
            before = len(plan) + len(plan.malformed)
            several = source.lower().endswith(".zip")
            # Taken out, so that a file of which only the first questions are asked is not held open.
            plan.add(opened.pop(source), limit, several, by_model if models else lambda sample: [sample])
            if len(plan) + len(plan.malformed) == before:
                raise BadInput(f"{source} holds no questions")

    def _answered(
        self,
        plan: Plan,
        suite: Suite,
        recorded: Sequence[AnswersReader],
        folder: Path,
        concurrency: int,
        progress: Callable[[Progress], None],
        run: Run,
    ) -> Result:
        with (
            closing(KeptReadings(folder)) as readings,
            closing(DocumentCache(self.cache, self.embedder, self.chunk_tokens, self.chunk_words)) as documents,
            closing(Rows(folder, plan.asked)) as rows,
        ):
            chunks, other = RecordedReader(charged(self.reader, self.charges), readings), self.document_reader
            whole = chunks
            if other is not None and other is not self.reader:
                whole = RecordedReader(charged(other, self.charges), readings)
            judge = self.judge and cache(
                lambda make=self.judge: RecordedReader(charged(make(), self.charges, judging=True), readings)
            )
            engine = self.engine(chunks, whole, judge)
            engines = {reader.model: self.engine(reader, reader, judge) for reader in recorded}
            runner = Runner(
                engine_of=lambda sample: engines[sample.dataset] if recorded else engine,
                documents=documents,
                rows=rows,
                scorer=ReplayScorer() if recorded else DatasetScorer(suite.mode),
                policies=suite.policies,
                ks=suite.ks,
                concurrency=concurrency,
                simulated=bool(recorded),
                charged=uncharged if self.charges is None else self.charges.question,
            )
            wanted = [key for group in plan.groups() for sample in group.samples for key in runner.keys(sample)]
            meter = _Meter([rows.done[key] for key in wanted if key in rows.done], len(wanted), progress)
            run(lambda: runner.run(plan, meter.add))
            made = rows.sort(_order(plan, suite))
            summary = summarised(made)
            write_summary(folder, summary)
            failed = sum(row.error is not None for row in made)
            return Result(
                folder, summary, len(made), failed, tuple(plan.malformed), len(readings), readings.spent(), suite.mode
            )

    def engine(
        self,
        chunk_reader: Reader,
        document_reader: Reader,
        judge: Callable[[], Reader] | None = None,
        policies: Mapping[str, Policy] | None = None,
    ) -> IndexEngine:
        """Answers each question from the index that it is given, by these readers."""
        return IndexEngine(
            home=self.cache.parent,
            embedder=self.embedder,
            chunk_tokens=self.chunk_tokens,
            chunk_words=self.chunk_words,
            chunk_reader=chunk_reader,
            document_reader=document_reader,
            account=Tally(),
            prices=self.prices,
            policies=self.policies if policies is None else policies,
            k=self.k,
            deadline=self.deadline,
            overflow=self.overflow,
            judge=judge,
        )


def _order(plan: Plan, suite: Suite) -> Callable[[Row], tuple[int, ...]]:
    """As the suite names them; rows that an earlier suite made in the same folder come last."""
    policies = {policy: number for number, policy in enumerate(suite.policies)}

    def place(row: Row) -> tuple[int, ...]:
        return (plan.places.get((row.dataset, row.id), len(plan)), policies.get(row.policy, len(policies)), row.k)

    return place


class _Meter:
    """Adds rows up for `progress`."""

    def __init__(self, rows: Iterable[Row], total: int, progress: Callable[[Progress], None]) -> None:
        self._progress = progress
        self._scores = 0.0
        self._scored = 0
        self._now = Progress(0, total, None, 0, Decimal(0), 0)
        for row in rows:
            self._count(row)
        progress(self._now)

    def add(self, row: Row) -> None:
        self._count(row)
        self._progress(self._now)

    def _count(self, row: Row) -> None:
        if row.score is not None:
            self._scores += row.score
            self._scored += 1
        self._now = Progress(
            self._now.done + 1,
            self._now.total,
            self._scores / self._scored if self._scored else None,
            self._now.input_tokens + row.usage["input_tokens"],
            sum_cost([self._now.cost, row.cost]),
            self._now.failed + (row.error is not None),
        )
