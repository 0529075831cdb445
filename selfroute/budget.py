"""What questions may take: reserved before a call, settled by what the provider reports of it.

A question has limits of its own, and those that its API key has for the day. What a key has spent is read from the
ledger, so that it survives a restart and other processes count; what is reserved is known in this process only, so
several processes can exceed a budget together by what they have in flight. What a call will read is an estimate: a
provider that counts more is charged with what it counts. Knows nothing of readers, HTTP or where keys are kept.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from typing import Protocol

from selfroute.errors import BadInput, OverBudget, OverTerms, UnknownPrice
from selfroute.ledger import Spent
from selfroute.prices import Prices
from selfroute.types import ABANDONED, Call, Limits, Stage, Terms, Usage
from selfroute.waiting import to_its_end

WHAT = {
    Stage.EMBED: "embedding",
    Stage.READ_CHUNKS: "reading the chunks",
    Stage.READ_DOCUMENTS: "reading the documents",
    Stage.REWRITE: "rewriting the question",
    Stage.JUDGE: "judging the chunks",
}


class Spending(Protocol):
    """Where it stands what keys have spent; blocking. The ledger."""

    def spent(self, key: str, day: date, after: int = 0) -> Sequence[Spent]: ...


@dataclass(frozen=True, slots=True)
class Taken:
    """What calls took, or may take at most. `unpriced` names a model among them whose price is not known."""

    tokens: int = 0
    cost: Decimal = Decimal(0)
    escalations: int = 0
    unpriced: str | None = None

    def __add__(self, other: Taken) -> Taken:
        return Taken(
            self.tokens + other.tokens,
            self.cost + other.cost,
            self.escalations + other.escalations,
            self.unpriced or other.unpriced,
        )

    def __or__(self, other: Taken) -> Taken:
        """Whatever is more."""
        return Taken(
            max(self.tokens, other.tokens),
            max(self.cost, other.cost),
            max(self.escalations, other.escalations),
            self.unpriced or other.unpriced,
        )


def taken(stage: Stage, model: str, usage: Usage, cost: Decimal | None) -> Taken:
    """What a call counts for: tokens of what is asked to read and to rewrite, money of all. Embedding and the judge
    run on this machine."""
    counts = stage.reads or stage is Stage.REWRITE
    tokens = usage.input_tokens + usage.output_tokens if counts else 0
    return Taken(tokens, cost or Decimal(0), int(stage is Stage.READ_DOCUMENTS), model if cost is None else None)


class Budgets:
    """The budgets of all keys in this process; safe to use from several threads."""

    def __init__(
        self,
        prices: Prices,
        spending: Spending | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Without `spending` only the limits of questions themselves can be kept."""
        self._prices = prices
        self._spending = spending
        self._now = now
        self._lock = threading.Lock()
        self._purses: dict[tuple[str, date], _Purse] = {}

    def open(self, terms: Terms) -> QuestionAllowance | None:
        """What a question that is asked now may take; close it when the question has ended. `None` where nothing limits
        it. Raises `BadInput` for limits of a key that cannot be kept."""
        limited = terms.limits != Limits()
        if not limited and terms.max_cost is None and terms.max_input_tokens is None:
            return None
        return QuestionAllowance(terms, self._prices, self._purse(terms) if limited else None)

    def _purse(self, terms: Terms) -> _Purse:
        if terms.key is None or self._spending is None:
            raise BadInput("the limits of an API key need the key and a ledger: this engine was built without")
        today = self._now().date()
        with self._lock:
            for key, purse in list(self._purses.items()):
                if key[1] != today and not purse.asking:
                    del self._purses[key]
            return self._purses.setdefault((terms.key, today), _Purse(terms.key, today, self._spending, self._now))


class Begun(Protocol):
    """Hears that a question is going to be read for: from then on it is not refused but ended."""

    async def release(self) -> None: ...


class QuestionAllowance:
    """An `Allowance` for one question; `begun` hears of the first call to a reader or a rewriter that may be made."""

    begun: Begun | None = None

    def __init__(self, terms: Terms, prices: Prices, purse: _Purse | None) -> None:
        self._terms = terms
        self._prices = prices
        self._purse = purse
        self._spent = Taken()
        self._read = 0
        self._open: tuple[Stage, str, Usage] | None = None

    async def reserve(self, stage: Stage, model: str, most: Usage) -> None:
        cost = self._prices.most(model, most)
        if cost is None and self._terms.max_cost is not None:
            raise UnknownPrice(model, "the question's max_cost")
        self._check(stage, most, cost)
        if self._purse is not None:
            need = taken(stage, model, most, cost)
            # To its end: a reservation that is made after its question was closed would never be free again.
            await to_its_end(asyncio.to_thread(self._purse.claim, self._terms, self._spent, need, WHAT[stage]))
        self._open = (stage, model, most)
        if self.begun is not None and stage is not Stage.EMBED:
            await self.begun.release()

    async def settle(self, call: Call) -> None:
        """A call stands in the account, priced. If it failed and took something all the same, another attempt needs a
        reservation of its own: raises as `reserve` where there is no room for one."""
        failed = call.error not in (None, ABANDONED)
        if failed and call.usage == Usage():
            return  # what was reserved for it is there for the next
        self._spent += taken(call.stage, call.model, call.usage, call.cost)
        self._spent = replace(self._spent, escalations=min(self._spent.escalations, 1))
        self._read += call.usage.input_tokens if call.stage.reads else 0
        made, self._open = self._open, None
        if self._purse is not None:
            await to_its_end(asyncio.to_thread(self._purse.settle, self._terms.id, self._spent))
        if made is not None and failed:
            await self.reserve(*made)

    async def close(self) -> None:
        """What is still reserved is free again."""
        if self._purse is not None:
            await to_its_end(asyncio.to_thread(self._purse.close, self._terms.id))

    def _check(self, stage: Stage, most: Usage, cost: Decimal | None) -> None:
        """Raises `OverTerms` if the question's own limits leave no room for the call."""
        terms, what = self._terms, WHAT[stage]
        if terms.max_input_tokens is not None and stage.reads:
            left = max(terms.max_input_tokens - self._read, 0)
            if most.input_tokens > left:
                needed = f"{most.input_tokens:,} tokens"
                raise OverTerms(what, "max_input_tokens", needed, f"{left:,}", f"{terms.max_input_tokens:,}")
        if terms.max_cost is not None and cost is not None:
            rest = max(terms.max_cost - self._spent.cost, Decimal(0))
            if cost > rest:
                raise OverTerms(what, "max_cost", _dollars(cost), _dollars(rest), _dollars(terms.max_cost))


@dataclass
class _Asking:
    """A question in flight: what it has `claimed`, its calls so far and what is reserved for the next, and what of it
    `stands` in the ledger as far as that was read."""

    claimed: Taken = field(default_factory=Taken)
    stands: Taken = field(default_factory=Taken)


class _Purse:
    """What one key spends on one day."""

    def __init__(self, key: str, day: date, spending: Spending, now: Callable[[], datetime]) -> None:
        self._key = key
        self._day = day
        self._spending = spending
        self._now = now
        self._lock = threading.Lock()
        self._after = 0
        self._ended = Taken()  # of all questions that are not in flight here
        self._escalated: set[str] = set()  # of them, those that read documents; kept only where they are limited
        self.asking: dict[str, _Asking] = {}

    def claim(self, terms: Terms, spent: Taken, need: Taken, what: str) -> None:
        """Reserves `need` beyond what the question has `spent`. Blocking. Raises `OverBudget` or `UnknownPrice`."""
        with self._lock:
            self._catch_up(terms.limits)
            asking = self.asking.setdefault(terms.id, _Asking())
            others = sum((o.claimed | o.stands for o in self.asking.values() if o is not asking), self._ended)
            self._check(terms.limits, others + spent, need, what, escalated=bool(spent.escalations))
            wanted = spent + need
            asking.claimed = replace(wanted, escalations=min(wanted.escalations, 1))

    def settle(self, question: str, spent: Taken) -> None:
        with self._lock:
            if question in self.asking:
                self.asking[question].claimed = spent

    def close(self, question: str) -> None:
        """Of what it took, the ledger has the account."""
        with self._lock:
            if asking := self.asking.pop(question, None):
                self._ended += replace(asking.stands, escalations=0)
                if asking.stands.escalations:
                    self._count_escalation(question)

    def _catch_up(self, limits: Limits) -> None:
        """Reads what the ledger has beyond what was read of it."""
        for spent in self._spending.spent(self._key, self._day, self._after):
            self._after = spent.number
            call = spent.call
            took = taken(call.stage, call.model, call.usage, call.cost)
            if asking := self.asking.get(spent.question):
                asking.stands += took
                asking.stands = replace(asking.stands, escalations=min(asking.stands.escalations, 1))
                continue
            self._ended += replace(took, escalations=0)
            if took.escalations and limits.escalations is not None:
                self._count_escalation(spent.question)

    def _count_escalation(self, question: str) -> None:
        self._escalated.add(question)
        self._ended = replace(self._ended, escalations=len(self._escalated))

    def _check(self, limits: Limits, spent: Taken, need: Taken, what: str, *, escalated: bool) -> None:
        if limits.tokens is not None and spent.tokens + need.tokens > limits.tokens:
            budget = f"budget of {limits.tokens:,} tokens a day"
            raise self._over(what, budget, f"{need.tokens:,} tokens", f"{max(limits.tokens - spent.tokens, 0):,}")
        if limits.cost is not None:
            if unpriced := need.unpriced or spent.unpriced:
                raise UnknownPrice(unpriced, "the API key's budget of money")
            if spent.cost + need.cost > limits.cost:
                left = _dollars(max(limits.cost - spent.cost, Decimal(0)))
                raise self._over(what, f"budget of {_dollars(limits.cost)} a day", _dollars(need.cost), left)
        begins = need.escalations and not escalated
        if limits.escalations is not None and begins and spent.escalations >= limits.escalations:
            raise self._over(what, f"cap of {limits.escalations:,} escalations a day", "one", "none")

    def _over(self, what: str, budget: str, needed: str, left: str) -> OverBudget:
        renewed = datetime.combine(self._day + timedelta(days=1), time_of_day(), UTC)
        wait = max(math.ceil((renewed - self._now()).total_seconds()), 1)
        return OverBudget(what, budget, needed, left, f"{renewed:%Y-%m-%d %H:%M} UTC", wait)


def _dollars(amount: Decimal) -> str:
    return f"$ {format(amount.normalize(), 'f')}"
