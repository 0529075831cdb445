"""The policies: each decides what is read, in which order, until an answer stands.

A policy sees only `Steps`. Knows nothing of models, prompts, storage or money; `final=True` says that
nothing can overrule this draft, so it may be streamed as it is made.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Protocol

from selfroute.types import Draft, Estimate, Forecast, Hits, Move, Question, Route, sum_cost


class Steps(Protocol):
    """The moves a policy can make."""

    async def retrieve(self, question: Question, k: int | None = None) -> Hits: ...

    def estimate(self, question: Question, hits: Hits, move: Move) -> Estimate:
        """What a reading would take; makes no call."""
        ...

    async def read_chunks(self, question: Question, hits: Hits, *, final: bool = False) -> Draft: ...

    async def read_documents(self, question: Question, hits: Hits, *, final: bool = False) -> Draft: ...


Policy = Callable[[Question, Steps], Awaitable[Draft]]


async def self_route(question: Question, steps: Steps) -> Draft:
    """Read the chunks; read the documents only if the reader declines (Li et al., EMNLP 2024)."""
    hits = await steps.retrieve(question)
    draft = await steps.read_chunks(question, hits)
    return await steps.read_documents(question, hits, final=True) if draft.declined else draft


async def always_rag(question: Question, steps: Steps) -> Draft:
    """Read the chunks and leave it at that."""
    hits = await steps.retrieve(question)
    return await steps.read_chunks(question, hits, final=True)


async def always_long(question: Question, steps: Steps) -> Draft:
    """Read the documents at once. Hits only choose which documents, so a task without a query can do without."""
    hits = await steps.retrieve(question) if question.text is not None else ()
    return await steps.read_documents(question, hits, final=True)


class _Imagined:
    """Steps that retrieve and estimate but read nothing: every reading declines, or the first one answers."""

    def __init__(self, steps: Steps, declines: bool) -> None:
        self._steps = steps
        self._declines = declines
        self.hits: Hits = ()
        self.moves: list[tuple[Move, Estimate]] = []

    async def retrieve(self, question: Question, k: int | None = None) -> Hits:
        self.hits = await self._steps.retrieve(question, k)
        return self.hits

    def estimate(self, question: Question, hits: Hits, move: Move) -> Estimate:
        return self._steps.estimate(question, hits, move)

    async def read_chunks(self, question: Question, hits: Hits, *, final: bool = False) -> Draft:
        return self._imagined(question, hits, Move.READ_CHUNKS, Route.RAG)

    async def read_documents(self, question: Question, hits: Hits, *, final: bool = False) -> Draft:
        return self._imagined(question, hits, Move.READ_DOCUMENTS, Route.LONG_CONTEXT)

    def _imagined(self, question: Question, hits: Hits, move: Move, route: Route) -> Draft:
        self.moves.append((move, self._steps.estimate(question, hits, move)))
        return Draft(self._declines, route, None if self._declines else "")


async def forecast(policy: Policy, question: Question, steps: Steps, name: str, corpus: str) -> Forecast:
    """What a policy, whichever, would read if its first reading answered, and if all declined. No reader is asked."""
    most, least = _Imagined(steps, declines=True), _Imagined(steps, declines=False)
    await policy(question, most)
    await policy(question, least)
    full = steps.estimate(question, most.hits, Move.READ_DOCUMENTS)
    return Forecast(
        question=question.text,
        policy=name,
        corpus=corpus,
        moves=tuple(most.moves),
        least_tokens=sum(estimate.tokens for _, estimate in least.moves),
        least_cost=sum_cost([estimate.cost for _, estimate in least.moves]),
        most_tokens=sum(estimate.tokens for _, estimate in most.moves),
        most_cost=sum_cost([estimate.cost for _, estimate in most.moves]),
        long_context_tokens=full.tokens,
        long_context_cost=full.cost,
    )


POLICIES: Mapping[str, Callable[[], Policy]] = MappingProxyType(
    {
        "self_route": lambda: self_route,
        "always_rag": lambda: always_rag,
        "always_long": lambda: always_long,
    }
)
"""From name to factory; what a policy needs beyond `Steps` is given to its factory in `build.py`."""
