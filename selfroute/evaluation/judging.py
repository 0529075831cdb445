"""Has a run's answers judged: only what its folder does not hold yet, a few at a time, each kept as it is done.

Each call is in the ledger as it completes, failed ones too, under the run's folder: a judge is paid.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from selfroute.errors import (
    CorruptLedger,
    EndpointUnreachable,
    HomeNotWritable,
    KeyRejected,
    MissingKey,
    RunBusy,
    SelfrouteError,
    UnknownModel,
)
from selfroute.evaluation.grades import NAME, Grade, Place, failed_by_chunks, gradable, place_of, read_grades, to_json
from selfroute.evaluation.judge import Asked, Judge, Verdict
from selfroute.evaluation.lines import Lines
from selfroute.evaluation.metrics.qa import best_f1
from selfroute.evaluation.metrics.replay import recall
from selfroute.evaluation.record import read_record
from selfroute.evaluation.rows import Row, read_rows
from selfroute.evaluation.texts import Text, Where, find_texts
from selfroute.index.files import only_writer
from selfroute.ledger import Ledger
from selfroute.prices import Prices
from selfroute.types import Call
from selfroute.waiting import to_its_end

HOPELESS = (KeyRejected, MissingKey, UnknownModel, EndpointUnreachable, HomeNotWritable, CorruptLedger)
"""What the next request would meet too."""
NO_ANSWER = "It said that the passages do not answer the question."


@dataclass(frozen=True, slots=True)
class Judged:
    """What judging came to: `made` verdicts, `failed` ones, `known` from before, and answers whose question is not at
    hand (`unseen`), with what could not be read."""

    made: int
    failed: int
    known: int
    unseen: int
    problems: tuple[str, ...]


def judge_run(
    folder: Path,
    judge: Judge,
    prices: Prices,
    ledger: Ledger,
    where: Where,
    *,
    concurrency: int = 4,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Judged:
    """Judges what can be judged in `folder` and is not yet judged by this judge; blocking.

    Raises `UnreadableFile`, `RunBusy`, `HomeNotWritable`, `CorruptLedger`, and what would meet every request: a refused
    key, an unknown model, a server that is not there. What was judged until then is kept.
    """
    rows = read_rows(folder)
    wanted = {place_of(row): row for row in rows if gradable(row)}
    wanted |= {place_of(row, "why"): row for row in failed_by_chunks(rows)}
    with only_writer(folder, RunBusy(folder)):
        known = {grade.place for grade in read_grades(folder) if grade.judge == judge.name and grade.value is not None}
        open_ = {place: row for place, row in wanted.items() if place not in known}
        asked = {(row.dataset, row.id): row.asked for row in open_.values()}
        found = find_texts(read_record(folder), asked, where, contexts=False)
        seen = [
            (place, row, text)
            for place, row in open_.items()
            if (text := found.texts.get((row.dataset, row.id))) is not None
        ]
        with closing(Lines(folder / NAME)) as lines:
            failed = asyncio.run(_Session(judge, prices, _Kept(folder, lines, ledger), concurrency, progress).all(seen))
    unseen = len(open_) - len(seen)
    return Judged(len(seen) - failed, failed, len(wanted) - len(open_), unseen, found.problems if unseen else ())


@dataclass(frozen=True, slots=True)
class _Kept:
    """Where verdicts and calls are kept."""

    folder: Path
    lines: Lines
    ledger: Ledger


class _Session:
    def __init__(
        self, judge: Judge, prices: Prices, kept: _Kept, concurrency: int, progress: Callable[[int, int], None]
    ) -> None:
        self._judge = judge
        self._prices = prices
        self._kept = kept
        self._slots = asyncio.Semaphore(concurrency)
        self._progress = progress
        self._done = self._failed = 0

    async def all(self, asked: Sequence[tuple[Place, Row, Text]]) -> int:
        """How many failed."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for place, row, text in asked:
                    tasks.create_task(self._one(place, row, text, len(asked)))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return self._failed

    async def _one(self, place: Place, row: Row, text: Text, total: int) -> None:
        id_ = uuid4().hex
        calls: list[Call] = []
        ledger = self._kept.ledger

        async def record(call: Call) -> None:
            priced = replace(call, cost=self._prices.cost(call.model, call.usage))
            calls.append(priced)
            await to_its_end(asyncio.to_thread(ledger.record, id_, priced))

        async with self._slots:
            said = "" if row.declined else row.prediction or ""
            asked = Asked(text.question, text.answers, said or NO_ANSWER, row.answerable)
            judged = self._judge.grade if place[0] == "grade" else self._judge.why
            try:
                begun = asyncio.to_thread(ledger.begin_judging, id_, text.question, str(self._kept.folder.resolve()))
                await to_its_end(begun)
                verdict = await judged(asked, record)
                self._keep(place, said, text, calls, verdict=verdict)
            except BaseException as error:  # a cancellation too: what was spent is kept
                self._keep(place, said, text, calls, error=error)
                with suppress(SelfrouteError):  # which must not hide the cause
                    ledger.fail(id_, f"{type(error).__name__}: {error}")
                if isinstance(error, HOPELESS) or not isinstance(error, SelfrouteError):
                    raise
                self._failed += 1
            else:
                await to_its_end(asyncio.to_thread(ledger.finish_judging, id_, str(verdict.value)))
        self._done += 1
        self._progress(self._done, total)

    def _keep(
        self,
        place: Place,
        said: str,
        text: Text,
        calls: Sequence[Call],
        *,
        verdict: Verdict | None = None,
        error: BaseException | None = None,
    ) -> None:
        if verdict is None and not calls:
            return  # it never began
        kind, asked, answer = place
        grade = Grade(
            kind=kind,
            judge=self._judge.name,
            asked=asked,
            answer=answer,
            value=verdict.value if verdict else None,
            reason=verdict.reason if verdict else "",
            error=f"{type(error).__name__}: {error}" if error else None,
            f1=best_f1(said, text.answers),
            recall=max((recall(said, reference) for reference in text.answers), default=0.0),
            calls=tuple(calls),
        )
        self._kept.lines.append(to_json(grade))
