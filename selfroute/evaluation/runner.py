"""Runs policies over the questions of a plan: one row each, appended as it is done, nothing done twice.

Questions are grouped by document, so that a document is split and embedded once and a server's prefix cache is
reused. A question that fails is a row with its error and scores 0; the run goes on. Knows nothing of files of
datasets or of settings.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from selfroute.engine import IndexEngine
from selfroute.errors import (
    CorruptLedger,
    HomeNotWritable,
    LedgerBusy,
    MissingExtra,
    NoQuery,
    RunStopped,
    UnsupportedTask,
)
from selfroute.evaluation.charging import Charged, uncharged
from selfroute.evaluation.datasets import Sample
from selfroute.evaluation.documents import DocumentCache
from selfroute.evaluation.plan import Group, Plan
from selfroute.evaluation.rows import Key, Row, Rows, Span, StageUse
from selfroute.evaluation.scorer import Scorer
from selfroute.index import Index
from selfroute.types import Answer, Call, Document, Question, Stage, Usage, sum_cost

FATAL = (HomeNotWritable, MissingExtra, RunStopped, CorruptLedger, LedgerBusy)
"""What ends a run: it is no fault of a question, and no other would fare better."""


class Tally:
    """The calls of one question, kept even if it fails: an evaluation's `Account`."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    async def begin(self, id: str, question: Question, policy: str, corpus: str, key: str | None = None) -> None:  # noqa: A002
        """A row is the record of a question."""

    async def record(self, question: str, call: Call) -> None:
        self.calls.append(call)

    async def finish(self, answer: Answer) -> None:
        """As `begin`."""

    def fail(self, id: str, error: str) -> None:  # noqa: A002
        """As `begin`."""

    def read(self, corpus: str, model: str, seconds: float) -> Sequence[Usage]:
        """Nothing is warm: rows must not depend on their order."""
        return ()


@dataclass(frozen=True, slots=True)
class Runner:
    """`engine_of` gives the engine that answers a sample. `simulated` marks rows whose usage and cost are
    estimates, for no model was asked. `charged` is what a question's readings stand in."""

    engine_of: Callable[[Sample], IndexEngine]
    documents: DocumentCache
    rows: Rows
    scorer: Scorer
    policies: Sequence[str]
    ks: Sequence[int]
    concurrency: int
    simulated: bool = False
    charged: Charged = uncharged

    def keys(self, sample: Sample) -> list[Key]:
        """The rows that a sample gives."""
        return [(sample.dataset, sample.id, policy, k) for policy in self.policies for k in self.ks]

    async def run(self, plan: Plan, progress: Callable[[Row], None] = lambda row: None) -> None:
        """Makes every row that is not yet there. `progress` hears of each new one.

        Raises `HomeNotWritable` when a row cannot be written, `MissingExtra` when a dataset cannot be scored, and
        `RunStopped` when a limit leaves no room for a reading, and `CorruptLedger` or `LedgerBusy` when what is read
        cannot be charged: the rows written before it stay.
        """
        slots = asyncio.Semaphore(self.concurrency)
        try:
            async with asyncio.TaskGroup() as tasks:
                for group in plan.groups():
                    await self._start(group, plan, slots, tasks, progress)
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _start(
        self,
        group: Group,
        plan: Plan,
        slots: asyncio.Semaphore,
        tasks: asyncio.TaskGroup,
        progress: Callable[[Row], None],
    ) -> None:
        """Starts the questions of one document as slots come free; the index goes when the last is done."""
        waiting = [sample for sample in group.samples if any(key not in self.rows.done for key in self.keys(sample))]
        if not waiting:
            return
        index = await self._opened(group, plan)
        users = 1  # this method

        async def answered(sample: Sample) -> None:
            async with self.charged(sample.question):
                for key in [key for key in self.keys(sample) if key not in self.rows.done]:
                    made = await self._row(sample, key, index, plan.asked[sample.dataset, sample.id])
                    self.rows.append(made)
                    progress(made)

        def left() -> None:
            nonlocal users
            users -= 1
            if not users and isinstance(index, Index):
                index.close()

        def ended(_: asyncio.Task[None]) -> None:
            """Called for a task that was cancelled before its first step too."""
            slots.release()
            left()

        try:
            for sample in waiting:
                await slots.acquire()
                users += 1
                tasks.create_task(answered(sample)).add_done_callback(ended)
        finally:
            left()

    async def _opened(self, group: Group, plan: Plan) -> Index | Exception:
        """The document as an index; what prevented it is the error of all its questions."""
        document = Document(group.doc_id, plan.context(group), group.doc_id)
        try:
            return await asyncio.to_thread(self.documents.index, document)
        except HomeNotWritable:
            raise
        except Exception as error:
            return error

    async def _row(self, sample: Sample, key: Key, index: Index | Exception, asked: str) -> Row:
        _, _, policy, k = key
        tally = Tally()
        try:
            if isinstance(index, Exception):
                raise index
            answer = await self.engine_of(sample).ask_index(sample.question, policy, index, tally, k)
            prediction = self.scorer.prediction(answer)
            score = await asyncio.to_thread(self.scorer.score, sample, prediction)
        except (UnsupportedTask, NoQuery) as error:
            return self._made(sample, policy, k, asked, tally, na=str(error))
        except FATAL:
            raise
        except Exception as error:  # whatever a reader does, the row says it and the run goes on
            return self._made(sample, policy, k, asked, tally, score=0.0, error=f"{type(error).__name__}: {error}")
        return self._made(sample, policy, k, asked, tally, answer, prediction, score)

    def _made(
        self,
        sample: Sample,
        policy: str,
        k: int,
        asked: str,
        tally: Tally,
        answer: Answer | None = None,
        prediction: str | None = None,
        score: float | None = None,
        error: str | None = None,
        na: str | None = None,
    ) -> Row:
        return Row(
            id=sample.id,
            dataset=sample.dataset,
            doc_id=sample.doc_id,
            policy=policy,
            k=k,
            prediction=prediction,
            score=score,
            metric=self.scorer.metric(sample),
            answerable=sample.answerable,
            outcome=answer.outcome.value if answer else None,
            route=answer.route.value if answer else None,
            path=answer.path if answer else (),
            confidence=answer.confidence if answer else None,
            usage=_usage(tally.calls),
            long_context_tokens=answer.long_context_tokens if answer else 0,
            cost=sum_cost([call.cost for call in tally.calls]),
            seconds=round(sum(call.seconds for call in tally.calls), 4),
            error=error,
            na=na,
            length=sample.length,
            simulated=self.simulated,
            asked=asked,
            hits=_hits(answer) if answer else None,
            citations=tuple(Span(c.document, c.start, c.end, c.score) for c in answer.citations) if answer else None,
            stages=_stages(tally.calls),
        )


def _usage(calls: Sequence[Call]) -> dict[str, int]:
    """Sums of the reader's calls; embedding stands apart, and what a judge took is no reading."""
    read = sum((call.usage for call in calls if call.stage.reads), Usage())
    embedded = sum(call.usage.input_tokens for call in calls if call.stage is Stage.EMBED)
    return asdict(read) | {"embedding_tokens": embedded}


def _hits(answer: Answer) -> tuple[Span, ...]:
    hits = answer.explain["hits"]
    assert isinstance(hits, list)
    return tuple(Span(**hit) for hit in hits)


def _stages(calls: Sequence[Call]) -> tuple[StageUse, ...]:
    """One for each stage that there were calls of, in the order of `Stage`."""
    return tuple(
        StageUse(
            stage,
            len(made),
            sum(call.error is not None for call in made),
            **asdict(sum((call.usage for call in made), Usage())),
            cost=sum_cost([call.cost for call in made]),
            estimated=any(call.estimated for call in made),
        )
        for stage in Stage
        if (made := [call for call in calls if call.stage is stage])
    )
