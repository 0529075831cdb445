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
from datetime import UTC, datetime

from selfroute.budget import Budgets, QuestionAllowance
from selfroute.errors import OverLimit, OverRate, RunStopped, SelfrouteError
from selfroute.ledger import EVALUATION, Ledger
from selfroute.prices import Prices
from selfroute.rates import Rates
from selfroute.readers import Before, Reader
from selfroute.types import Call, Draft, Limits, Question, Reading, Record, Route, Shown, Stage, Terms, Usage
from selfroute.waiting import to_its_end

__all__ = ["Charges", "charged", "uncharged"]

Charged = Callable[[Question], AbstractAsyncContextManager[object]]
"""What a question's readings stand in."""


def uncharged(question: Question) -> AbstractAsyncContextManager[object]:
    """For runs that keep an account of their own alone."""
    return nullcontext()


@dataclass
class _Charge:
    """A question under way, since `asked`. `begun`: it stands in the ledger, for a call was made for it. `draft` is the
    best that its readings came to, the furthest of them by `route`."""

    question: Question
    terms: Terms
    allowance: QuestionAllowance | None
    asked: datetime
    begun: bool = False
    draft: Draft | None = None
    route: Route = Route.RAG
    error: str | None = None

    def read(self, draft: Draft, route: Route) -> None:
        """An answer stands whatever is declined behind it, and that of a document before that of its chunks."""
        whole = route is Route.LONG_CONTEXT
        self.route = route if whole else self.route
        if self.draft is None or self.draft.declined or (whole and not draft.declined):
            self.draft = draft


_NOW: ContextVar[_Charge] = ContextVar("charge")
"""Readers are shared by all questions, and each question is asked in a task of its own."""


@dataclass(frozen=True, slots=True)
class Charges:
    """To the API key `key`, if there is one, within its `limits` and its rate `per_minute`; `corpus` is what the
    questions are listed under. `budgets` and `rates` must be those that the key's other questions are asked within, for
    what is reserved and what was asked is known there.

    A run that is `limited` must ask one question at a time: what another had reserved would be a reason to end it, and
    its end would cut off what the other reads."""

    ledger: Ledger
    budgets: Budgets
    prices: Prices
    corpus: str
    key: str | None = None
    limits: Limits = field(default_factory=Limits)
    rates: Rates = field(default_factory=Rates)
    per_minute: int | None = None

    @property
    def limited(self) -> bool:
        return self.limits != Limits() or self.per_minute is not None

    @asynccontextmanager
    async def question(self, question: Question) -> AsyncIterator[None]:
        """All that is read within, by this task, is charged as this question. Waits for a place by the key's rate,
        which is free again if nothing was read."""
        place = await self._place()
        terms = Terms(key=self.key, limits=self.limits)
        charge = _Charge(question, terms, self.budgets.open(terms), datetime.now(UTC))
        held = _NOW.set(charge)
        try:
            yield
        except BaseException as error:
            charge.error = f"{type(error).__name__}: {error}"
            with suppress(SelfrouteError):  # an account that fails as well must not hide the cause
                await self._end(charge)
            raise
        else:
            await self._end(charge)
        finally:
            _NOW.reset(held)
            if place is not None and self.key is not None and not charge.begun:
                self.rates.give_back(self.key, place)
            if charge.allowance is not None:
                await charge.allowance.close()

    async def _place(self) -> float | None:
        """Before anything is begun: what waits here uses up no question's time."""
        if self.key is None or self.per_minute is None:
            return None
        while True:
            try:
                return self.rates.take(self.key, self.per_minute)
            except OverRate as full:
                await asyncio.sleep(full.retry_after)

    async def _end(self, charge: _Charge) -> None:
        """A question that was read for has not failed, whatever befell it later: a policy has its row of that."""
        id_, draft, ledger = charge.terms.id, charge.draft, self.ledger
        if not charge.begun:
            return
        if draft is not None:
            answer = None if draft.declined else draft.answer
            await to_its_end(asyncio.to_thread(ledger.finish_reading, id_, answer, charge.route))
        elif charge.error is not None:
            await to_its_end(asyncio.to_thread(ledger.fail, id_, charge.error))

    async def made(self, charge: _Charge, call: Call) -> None:
        if not charge.begun:
            told = (charge.terms.id, charge.question, EVALUATION, self.corpus, self.key, charge.asked)
            await to_its_end(asyncio.to_thread(self.ledger.begin, *told))
            charge.begun = True
        priced = replace(call, cost=self.prices.cost(call.model, call.usage))
        await to_its_end(asyncio.to_thread(self.ledger.record, charge.terms.id, priced))
        if charge.allowance is not None:
            await charge.allowance.settle(priced)


def charged(reader: Reader, charges: Charges | None, *, judging: bool = False) -> Reader:
    """A reader whose every reading is charged; `judging` says that it judges chunks, which is no reading."""
    return reader if charges is None else ChargedReader(reader, charges, judging)


class ChargedReader(Before):
    """Stands before the reader that is really asked. Its readings must be made within `Charges.question`."""

    def __init__(self, reader: Reader, charges: Charges, judging: bool) -> None:
        super().__init__(reader)
        self._charges = charges
        self._judging = judging

    async def read(self, reading: Reading, record: Record, shown: Shown | None = None) -> Draft:
        """Raises `RunStopped` for what the key's limits leave no room for: the run ends there, for rows that a limit
        cut short would be no policy's."""
        charge = _NOW.get()
        stage = Stage.JUDGE if self._judging else reading.stage

        async def noted(call: Call) -> None:
            await record(call)
            await self._charges.made(charge, replace(call, stage=stage))

        try:
            if charge.allowance is not None:  # where nothing is limited nothing is counted
                read = await asyncio.to_thread(self.count_tokens, reading)
                most = Usage(read, output_tokens=self.max_output_tokens)
                await charge.allowance.reserve(stage, self.model, most)
            draft = await self._reader.read(reading, noted, shown)
        except OverLimit as limit:
            raise RunStopped(limit) from limit
        except BaseException as error:
            charge.error = f"{type(error).__name__}: {error}"
            raise
        if not self._judging:
            charge.read(draft, reading.route)
        return draft
