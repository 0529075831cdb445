"""Where every question of the service is asked, whichever API it came by: admitted, limited, and ended if its asker
leaves.

Knows nothing of wire formats.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from typing import TypeVar

from selfroute.engine import Engine
from selfroute.errors import TooBusy, TooLarge
from selfroute.rates import Rates
from selfroute.server.access import Caller
from selfroute.server.watching import Ask, Observer, Watched
from selfroute.types import Answer, Document, Done, Event, Found, Question, Terms

__all__ = ["Ask", "Desk"]

T = TypeVar("T")

LAST = 10.0
QUESTION = "server.question_chars"
TEXT = "server.text_chars"


class Desk:
    """Asks at most `in_flight` questions at a time; more are refused with `TooBusy`, not kept waiting."""

    def __init__(
        self,
        engine: Engine,
        in_flight: int,
        question_chars: int,
        text_chars: int,
        observers: Sequence[Observer] = (),
        rates: Rates | None = None,
    ) -> None:
        """`text_chars` is the most of a text that comes with its question. `observers` see every question, those that
        are refused as well. `rates` is where else questions of the same keys are counted."""
        self._engine = engine
        self._observers = observers
        self._most = in_flight
        self._question_chars = question_chars
        self._text_chars = text_chars
        self._rates = rates or Rates()
        self.asking = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @asynccontextmanager
    async def to_the_end(self) -> AsyncIterator[None]:
        """Is left when no question is in flight, or after `LAST` seconds: those that are cut off as the service stops
        still have their calls to write down."""
        yield
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST):
                await self._idle.wait()

    async def ask(self, ask: Ask, caller: Caller, gone: Callable[[], Awaitable[object]]) -> Answer:
        """As `Engine.ask`. When `gone` returns first, the question is ended, what it took is written down, and
        `asyncio.CancelledError` is raised."""
        with self._asking(ask, caller) as watched:
            terms = _of(ask.terms, caller)
            asked = self._engine.ask(
                ask.question, ask.policy, corpus=ask.corpus, k=ask.k, terms=terms, watch=watched.saw
            )
            watched.answer = await _unless(gone, asked)
            return watched.answer

    async def search(
        self, query: str, corpus: str, caller: Caller, k: int | None = None, documents: Sequence[str] = ()
    ) -> tuple[Found, ...]:
        """As `Engine.search`; it counts as a question in flight."""
        self._check(Ask(Question(query), "", corpus), caller)
        with self._admitted(caller), caller.told_of_theirs():
            return await self._engine.search(query, corpus=corpus, k=k, scope=documents)

    @asynccontextmanager
    async def stream(
        self, ask: Ask, caller: Caller, gone: Callable[[], Awaitable[object]]
    ) -> AsyncIterator[AsyncGenerator[Event]]:
        """As `Engine.ask_stream`; leaving it ends the question. It begins at once: what can be refused before
        anything is read is raised on entering. `gone` is as in `ask`, until there is a first event: from then on it is
        for whoever sends them to see that nobody takes them."""
        with self._asking(ask, caller) as watched:
            terms = _of(ask.terms, caller)
            events = self._engine.ask_stream(
                ask.question, ask.policy, corpus=ask.corpus, k=ask.k, terms=terms, watch=watched.saw
            )
            async with aclosing(events):
                first = await _unless(gone, anext(events))
                async with aclosing(_with(first, events, watched)) as whole:
                    yield whole

    @contextmanager
    def _asking(self, ask: Ask, caller: Caller) -> Iterator[Watched]:
        """Watched from before it is admitted: a refusal is seen too."""
        with Watched(self._observers, ask, caller) as watched:
            self._check(ask, caller)
            with self._admitted(caller), caller.told_of_theirs():
                yield watched

    def _check(self, ask: Ask, caller: Caller) -> None:
        if isinstance(ask.corpus, str):
            caller.require(ask.corpus)
        said = [ask.question.text or "", *(part or "" for t in ask.question.history for part in (t.question, t.answer))]
        if sum(map(len, said)) > self._question_chars:
            raise TooLarge("the question with its history", f"{self._question_chars:,} characters", QUESTION)
        if isinstance(ask.corpus, Document) and len(ask.corpus.text) > self._text_chars:
            raise TooLarge("the text", f"{self._text_chars:,} characters", TEXT)

    @contextmanager
    def _admitted(self, caller: Caller) -> Iterator[None]:
        """One of the questions in flight."""
        if self.asking >= self._most:
            raise TooBusy(self._most)
        if caller.key is not None and caller.per_minute is not None:
            self._rates.take(caller.key, caller.per_minute)
        self.asking += 1
        self._idle.clear()
        try:
            yield
        finally:
            self.asking -= 1
            if not self.asking:
                self._idle.set()


def _of(terms: Terms, caller: Caller) -> Terms:
    return replace(terms, key=caller.key, limits=caller.limits)


async def _with(first: Event, rest: AsyncGenerator[Event], watched: Watched) -> AsyncGenerator[Event]:
    """All events. An error that ends them is noted here: who follows them may tell of it and go on."""
    try:
        yield first
        async for event in rest:
            if isinstance(event, Done):
                watched.answer = event.answer
            yield event
    except Exception as error:
        watched.error = error
        raise


async def _unless(gone: Callable[[], Awaitable[object]], work: Awaitable[T]) -> T:
    """What `work` returns, or its end if `gone` returns before."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(gone())
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
        return await working
    finally:
        leaving.cancel()
        working.cancel()
        await asyncio.wait({working, leaving})
