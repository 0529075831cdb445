"""The policies: each decides what is read, in which order, until an answer stands.

A policy sees only `Steps`. Knows nothing of models, prompts, storage or money; `final=True` says that
nothing can overrule this draft, so it may be streamed as it is made.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Protocol

from selfroute.routing import better_supported, supported
from selfroute.routing.dial import Decision, Dial
from selfroute.routing.features import Judged, features
from selfroute.routing.score import Router
from selfroute.types import Citation, Draft, Estimate, Forecast, Hits, Move, Question, Readers, Route, sum_cost


class Steps(Protocol):
    """The moves a policy can make."""

    async def retrieve(self, question: Question, k: int | None = None) -> Hits: ...

    async def estimate(self, question: Question, hits: Hits, move: Move) -> Estimate:
        """What a reading would take; asks no model."""
        ...

    async def read_chunks(self, question: Question, hits: Hits, *, final: bool = False) -> Draft: ...

    async def read_documents(self, question: Question, hits: Hits, *, final: bool = False) -> Draft: ...

    async def judged(self, question: Question, hits: Hits, chunks: Draft) -> Judged:
        """What the bundled reader makes of the hits, once `chunks` was made of them, and which readers there are."""
        ...

    def decided(self, decision: Decision) -> bool:
        """Keeps a decision for `explain`; whether to escalate."""
        ...


Policy = Callable[[Question, Steps], Awaitable[Draft]]

LIKELY = 0.5
"""Probability that the documents answer what the chunks did not, below which they likely do not, whatever it costs."""


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


async def evidence_gated(question: Question, steps: Steps) -> Draft:
    """As `self_route`, but only evidence ends the reading: an answer from the chunks stands if text that was shown
    proves it. If one reading declined and the other answered without evidence, the documents do not hold the answer;
    if both answered, the better supported answer stands.

    Reads the documents at once where the chunks would take as much.
    """
    hits = await steps.retrieve(question)
    reading = await steps.estimate(question, hits, Move.READ_DOCUMENTS)
    if not await _saves(question, hits, reading, steps):
        return await steps.read_documents(question, hits, final=True)
    chunks = await steps.read_chunks(question, hits)
    if supported(chunks, question.task.shape):
        return chunks
    documents = await steps.read_documents(question, hits)
    if (chunks.declined or documents.declined) and not supported(documents, question.task.shape):
        return _withheld(documents)
    return better_supported((chunks, documents))


def calibrated(router: Router, dial: Dial) -> Policy:
    """Reads the chunks, and the documents where the right answers that this is expected to add are worth what it
    takes. A decline that is not worth it stands, and says whether the documents likely do not answer either.

    Reads the documents at once where the chunks would take as much.
    """

    async def policy(question: Question, steps: Steps) -> Draft:
        hits = await steps.retrieve(question)
        reading = await steps.estimate(question, hits, Move.READ_DOCUMENTS)
        if dial.affords(reading) and not await _saves(question, hits, reading, steps):
            steps.decided(dial.at_once(reading))
            return await steps.read_documents(question, hits, final=True)
        chunks = await steps.read_chunks(question, hits)
        judged = await steps.judged(question, hits, chunks)
        odds = router.odds(features(question, hits, reading, chunks, judged.draft), judged.readers)
        caveat = router.caveat(*judged.retrieval) if odds is not None else router.lack(judged.readers)
        decision = dial.decide(odds, chunks.declined, reading).doubted(caveat)
        if not steps.decided(decision):
            if not chunks.declined or odds is None:
                return chunks
            return replace(chunks, likely_absent=odds.gain < LIKELY)
        return standing(chunks, await steps.read_documents(question, hits), question)

    return policy


def standing(chunks: Draft, documents: Draft, question: Question) -> Draft:
    """Which of two readings stands, after an escalation that was worth it: a decline of the chunks is overruled by
    evidence only; of two answers whose reader tells how likely they are right, the likelier; else the longer read."""
    if chunks.declined and not supported(documents, question.task.shape):
        return _withheld(documents)
    if not chunks.declined and not documents.declined and chunks.confidence and documents.confidence:
        return max((documents, chunks), key=lambda draft: draft.confidence or 0.0)
    return documents


async def _saves(question: Question, hits: Hits, documents: Estimate, steps: Steps) -> bool:
    """Whether the chunks take less than the documents: in money if both prices are known, else in tokens."""
    chunks = await steps.estimate(question, hits, Move.READ_CHUNKS)
    if not documents.tokens:
        return True  # nothing would be read of them
    if chunks.cost is not None and documents.cost is not None and (chunks.cost or documents.cost):
        return chunks.cost < documents.cost
    return chunks.tokens < documents.tokens


def _withheld(draft: Draft) -> Draft:
    """The draft as a decline, with its answer as a guess."""
    return replace(draft, declined=True, answer=None, citations=(), guess=draft.answer or draft.guess)


class _Imagined:
    """Steps that retrieve and estimate but read nothing: every reading declines, or the first one answers. What is
    decided by odds goes on where readings decline, and ends where they answer."""

    def __init__(self, steps: Steps, declines: bool) -> None:
        self._steps = steps
        self._declines = declines
        self.hits: Hits = ()
        self.moves: list[tuple[Move, Estimate]] = []

    async def retrieve(self, question: Question, k: int | None = None) -> Hits:
        self.hits = await self._steps.retrieve(question, k)
        return self.hits

    async def estimate(self, question: Question, hits: Hits, move: Move) -> Estimate:
        return await self._steps.estimate(question, hits, move)

    async def read_chunks(self, question: Question, hits: Hits, *, final: bool = False) -> Draft:
        return await self._imagined(question, hits, Move.READ_CHUNKS, Route.RAG)

    async def read_documents(self, question: Question, hits: Hits, *, final: bool = False) -> Draft:
        return await self._imagined(question, hits, Move.READ_DOCUMENTS, Route.LONG_CONTEXT)

    async def judged(self, question: Question, hits: Hits, chunks: Draft) -> Judged:
        return Judged(None, Readers.CHAT, ("", 0))

    def decided(self, decision: Decision) -> bool:
        return self._declines and decision.by != "max_cost"

    async def _imagined(self, question: Question, hits: Hits, move: Move, route: Route) -> Draft:
        self.moves.append((move, await self._steps.estimate(question, hits, move)))
        if self._declines:
            return Draft(True, route)
        return Draft(False, route, "", (Citation("", None, 0, 0, "", None),))  # an answer with its evidence


async def forecast(policy: Policy, question: Question, steps: Steps, name: str, corpus: str) -> Forecast:
    """What a policy, whichever, would read if its first reading answered, and if all declined. No reader is asked."""
    most, least = _Imagined(steps, declines=True), _Imagined(steps, declines=False)
    await policy(question, most)
    await policy(question, least)
    full = await steps.estimate(question, most.hits, Move.READ_DOCUMENTS)
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
        "evidence_gated": lambda: evidence_gated,
        "always_rag": lambda: always_rag,
        "always_long": lambda: always_long,
    }
)
"""From name to factory; what a policy needs beyond `Steps` is given to its factory in `build.py`."""
