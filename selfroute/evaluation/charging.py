"""What an evaluation really reads, in the ledger and within the limits of the API key that wants it.

A question of a dataset is one question of the ledger, however many policies are computed from its readings, and only
what is read for it counts: what is replayed costs nothing. Knows nothing of jobs or of HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from selfroute.budget import Budgets, QuestionAllowance
from selfroute.errors import OverLimit, RunStopped, SelfrouteError
from selfroute.ledger import Ledger
from selfroute.prices import Prices
from selfroute.readers import Reader
from selfroute.types import Call, Draft, Limits, Question, Reading, Record, Route, Shown, Stage, Terms, Usage
from selfroute.waiting import to_its_end

__all__ = ["POLICY", "Charges", "charged", "uncharged"]

POLICY = "evaluation"
"""In the place of a policy: a reading is of all policies that are computed from it."""

Charged = Callable[[Question], AbstractAsyncContextManager[object]]
"""What a question's readings stand in."""


def uncharged(question: Question) -> AbstractAsyncContextManager[object]:
    """For runs that keep an account of their own alone."""
    return nullcontext()


@dataclass
class _Charge:
    """A question under way. `begun`: it stands in the ledger, for something was read for it."""

    question: Question
    terms: Terms
    allowance: QuestionAllowance | None
    begun: bool = False
    draft: Draft | None = None
    error: str | None = None


class _Flight:
    """The questions of a run that are being asked: so many are `asking`, of which so many are `stuck`, for what they
    would read next has no room beside what others have reserved."""

    def __init__(self) -> None:
        self.asking = self.stuck = self.settled = 0
        self._news = asyncio.Event()

    def begun(self) -> None:
        self.asking += 1

    def ended(self) -> None:
        self.asking -= 1
        self.has_settled()

    def has_settled(self) -> None:
        """Something that was reserved may be free again."""
        self.settled += 1
        self._tell()

    async def others(self, settled: int) -> bool:
        """Waits until something has settled since `settled` was read. False where nothing will, for all are stuck: so
        a run that comes to its limit ends when what it has begun to read is a row."""
        self.stuck += 1
        self._tell()
        try:
            while self.settled == settled:
                if self.stuck >= self.asking:
                    return False
                await self._news.wait()
            return True
        finally:
            self.stuck -= 1

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


_NOW: ContextVar[_Charge] = ContextVar("charge")
"""Readers are shared by all questions, and each question is asked in a task of its own."""


@dataclass(frozen=True, slots=True)
class Charges:
    """To the API key `key`, if there is one, within its `limits`; `corpus` is what the questions are listed under.
    `budgets` must be those that the key's other questions are asked within, for what is reserved is known there."""

    ledger: Ledger
    budgets: Budgets
    prices: Prices
    corpus: str
    key: str | None = None
    limits: Limits = field(default_factory=Limits)
    _flight: _Flight = field(default_factory=_Flight)

    @asynccontextmanager
    async def question(self, question: Question) -> AsyncIterator[None]:
        """All that is read within, by this task, is charged as this question."""
        terms = Terms(key=self.key, limits=self.limits)
        charge = _Charge(question, terms, self.budgets.open(terms))
        held = _NOW.set(charge)
        self._flight.begun()
        try:
            yield
        except BaseException as error:
            charge.error, charge.draft = f"{type(error).__name__}: {error}", None
            with suppress(SelfrouteError):  # an account that fails as well must not hide the cause
                await self._end(charge)
            raise
        else:
            await self._end(charge)
        finally:
            _NOW.reset(held)
            if charge.allowance is not None:
                await charge.allowance.close()
            self._flight.ended()

    async def _end(self, charge: _Charge) -> None:
        id_, draft, ledger = charge.terms.id, charge.draft, self.ledger
        if not charge.begun:
            return
        if draft is None:
            await to_its_end(asyncio.to_thread(ledger.fail, id_, charge.error or "nothing was read"))
        else:
            answer = None if draft.declined else draft.answer
            await to_its_end(asyncio.to_thread(ledger.finish_reading, id_, answer, draft.route))

    async def reserve(self, charge: _Charge, stage: Stage, model: str, most: Usage) -> None:
        """As `Allowance.reserve`, once nothing else of the run can make room."""
        while charge.allowance is not None:
            settled = self._flight.settled
            try:
                await charge.allowance.reserve(stage, model, most)
                break
            except OverLimit:
                if not await self._flight.others(settled):
                    raise
        if not charge.begun:
            told = (charge.terms.id, charge.question, POLICY, self.corpus, self.key)
            await to_its_end(asyncio.to_thread(self.ledger.begin, *told))
            charge.begun = True

    async def made(self, charge: _Charge, call: Call) -> None:
        priced = replace(call, cost=self.prices.cost(call.model, call.usage))
        await to_its_end(asyncio.to_thread(self.ledger.record, charge.terms.id, priced))
        if charge.allowance is not None:
            await charge.allowance.settle(priced)
            self._flight.has_settled()


def charged(reader: Reader, charges: Charges | None, *, judging: bool = False) -> Reader:
    """A reader whose every reading is charged; `judging` says that it judges chunks, which is no reading."""
    return reader if charges is None else ChargedReader(reader, charges, judging)


class ChargedReader:
    """Stands before the reader that is really asked. Its readings must be made within `Charges.question`."""

    def __init__(self, reader: Reader, charges: Charges, judging: bool) -> None:
        self._reader = reader
        self._charges = charges
        self._judging = judging

    @property
    def model(self) -> str:
        return self._reader.model

    @property
    def window(self) -> int:
        return self._reader.window

    @property
    def max_output_tokens(self) -> int:
        return self._reader.max_output_tokens

    @property
    def counted_by(self) -> str:
        return self._reader.counted_by

    def count_tokens(self, reading: Reading) -> int:
        return self._reader.count_tokens(reading)

    async def read(self, reading: Reading, record: Record, shown: Shown | None = None) -> Draft:
        """Raises `RunStopped` for what the key's limits leave no room for: the run ends there, for rows that a limit
        cut short would be no policy's."""
        charge = _NOW.get()
        stage = Stage.JUDGE if self._judging else reading.stage

        async def noted(call: Call) -> None:
            await record(call)
            await self._charges.made(charge, replace(call, stage=stage))

        try:
            most = Usage()
            if charge.allowance is not None:  # where nothing is limited nothing is counted
                read = await asyncio.to_thread(self._reader.count_tokens, reading)
                most = Usage(read, output_tokens=self._reader.max_output_tokens)
            await self._charges.reserve(charge, stage, self.model, most)
            draft = await self._reader.read(reading, noted, shown)
        except OverLimit as limit:
            raise RunStopped(limit) from limit
        except BaseException as error:
            charge.error = f"{type(error).__name__}: {error}"
            raise
        if not self._judging and (charge.draft is None or reading.route is Route.LONG_CONTEXT):
            charge.draft = draft
        return draft
