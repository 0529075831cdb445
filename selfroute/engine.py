"""`Engine.ask`: a question in, an `Answer` out; every call in the ledger before the answer is shown.

Knows nothing of the command line, HTTP or configuration: it receives plain values.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from selfroute.embedders import Embedder
from selfroute.errors import BadInput, EmptyQuestion, UnknownPolicy
from selfroute.index import Index, open_index
from selfroute.ingest.chunker import Chunker
from selfroute.ledger import Ledger
from selfroute.policies import Policy
from selfroute.prices import Prices
from selfroute.readers import Reader
from selfroute.steps import QuestionSteps
from selfroute.types import (
    Answer,
    Call,
    Document,
    Draft,
    Estimate,
    Move,
    Outcome,
    Question,
    Record,
    Shape,
    Stage,
    Totals,
    Usage,
    sum_cost,
)


class Engine:
    """Answers questions over the corpora under `home`, or over one document that is not indexed."""

    def __init__(
        self,
        *,
        home: Path,
        embedder: Embedder,
        chunk_tokens: int,
        chunk_reader: Reader,
        document_reader: Reader,
        ledger: Ledger,
        prices: Prices,
        policies: Mapping[str, Policy],
        k: int = 5,
    ) -> None:
        self._home = home
        self._embedder = embedder
        self._chunk_tokens = chunk_tokens
        self._chunk_reader = chunk_reader
        self._document_reader = document_reader
        self._prices = prices
        self._policies = policies
        self._k = k
        self.ledger = ledger

    async def ask(
        self, question: Question | str, policy: str = "self_route", *, corpus: str | Document, k: int | None = None
    ) -> Answer:
        """Answers from a corpus by name, or from one `Document` that is not indexed.

        Raises `EmptyQuestion`, `UnknownPolicy`, `UnknownCorpus`, `UnknownDocument`, `UnusableIndex` and what the
        reader raises. A failed question stays in the ledger with its calls.
        """
        question = Question(question) if isinstance(question, str) else question
        if question.text is not None and not question.text.strip():
            raise EmptyQuestion
        if policy not in self._policies:
            raise UnknownPolicy(policy, self._policies)
        if k is not None and k < 1:
            raise BadInput(f"k is {k}: ask for at least one chunk")
        name = corpus if isinstance(corpus, str) else corpus.source
        if isinstance(corpus, str):
            with closing(await asyncio.to_thread(self._open, corpus)) as index:
                index.scope(question.scope)
                return await self._ask(question, policy, name, index, k)
        return await self._ask(question, policy, name, corpus, k)

    async def _ask(self, question: Question, policy: str, name: str, source: Index | Document, k: int | None) -> Answer:
        id_ = uuid4().hex
        began = time.perf_counter()
        await asyncio.to_thread(self.ledger.begin, id_, question, policy, name)
        calls: list[Call] = []

        async def record(call: Call) -> None:
            priced = replace(call, cost=self._prices.cost(call.model, call.usage))
            await asyncio.to_thread(self.ledger.record, id_, priced)
            calls.append(priced)

        try:
            index = source if isinstance(source, Index) else await self._transient(source, record)
            steps = QuestionSteps(
                index, self._embedder, self._chunk_reader, self._document_reader, self._prices, record, k or self._k
            )
            draft = await self._policies[policy](question, steps)
            full = await asyncio.to_thread(steps.estimate, question, steps.hits, Move.READ_DOCUMENTS)
            answer = _answer(id_, question, policy, name, draft, steps, full, calls, time.perf_counter() - began)
            await asyncio.to_thread(self.ledger.finish, answer)
            return answer
        except BaseException as error:
            # Cancellation too: what was spent must not look like a question still under way.
            self.ledger.fail(id_, f"{type(error).__name__}: {error}")
            raise

    def _open(self, corpus: str) -> Index:
        return open_index(self._home, corpus, self._embedder.name)

    async def _transient(self, document: Document, record: Record) -> Index:
        chunks = await asyncio.to_thread(
            lambda: Chunker(self._embedder.count_tokens, self._chunk_tokens).chunks(document)
        )
        began = time.perf_counter()
        embedded = await asyncio.to_thread(self._embedder.embed, [chunk.text for chunk in chunks])
        usage = Usage(input_tokens=embedded.tokens)
        await record(Call(Stage.EMBED, self._embedder.name, usage, time.perf_counter() - began))
        return await asyncio.to_thread(
            Index.in_memory,
            document.source,
            self._embedder.name,
            [(document, chunks, embedded.vectors)],
            self._chunk_tokens,
        )


def _answer(
    id_: str,
    question: Question,
    policy: str,
    corpus: str,
    draft: Draft,
    steps: QuestionSteps,
    full: Estimate,
    calls: list[Call],
    seconds: float,
) -> Answer:
    coverage = steps.coverage(question)
    if not draft.declined:
        outcome = Outcome.ANSWERED
    else:
        outcome = Outcome.NOT_IN_DOCUMENT if coverage >= 1 else Outcome.INSUFFICIENT
    answered = outcome is Outcome.ANSWERED
    citations = draft.citations if answered else ()
    totals = _totals(calls, seconds)
    return Answer(
        id=id_,
        question=question.text,
        answer=draft.answer if answered else None,
        outcome=outcome,
        likely_absent=None,
        route=draft.route,
        policy=policy,
        path=tuple(steps.path),
        corpus=corpus,
        confidence=draft.confidence if answered else None,
        coverage=coverage,
        citations=citations,
        unsupported=answered and question.task.shape in (Shape.SPAN, Shape.TEXT) and not citations,
        calls=tuple(calls),
        totals=totals,
        long_context_tokens=full.tokens,
        long_context_cost=full.cost,
        saved_tokens=full.tokens - totals.reader_input_tokens,
        warnings=tuple(steps.warnings),
        explain={
            "hits": [
                {"document": h.chunk.document, "start": h.chunk.start, "end": h.chunk.end, "score": round(h.score, 4)}
                for h in steps.hits
            ],
            "drafts": [
                {"route": d.route.value, "declined": d.declined, "score": d.score, "guess": d.guess}
                for d in steps.drafts
            ],
        },
    )


def _totals(calls: list[Call], seconds: float) -> Totals:
    return Totals(
        usage=sum((call.usage for call in calls), Usage()),
        embedding_tokens=sum(call.usage.input_tokens for call in calls if call.stage is Stage.EMBED),
        estimated=any(call.estimated for call in calls),
        cost=sum_cost([call.cost for call in calls]),
        seconds=seconds,
    )
