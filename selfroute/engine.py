"""`Engine.ask`: a question in, an `Answer` out; every call in the ledger before the answer is shown.

Knows nothing of the command line, HTTP or configuration: it receives plain values.
"""

from __future__ import annotations

import copy
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from weakref import finalize

from selfroute.answering import answer_of
from selfroute.budget import Budgets
from selfroute.embedders import Embedder
from selfroute.errors import (
    BadInput,
    EmptyQuestion,
    OverLimit,
    SelfrouteError,
    UnknownPolicy,
)
from selfroute.index import Index
from selfroute.index.corpus import Corpus
from selfroute.index.shelf import Shelf
from selfroute.index.upkeep import Corpora
from selfroute.policies import Policy, forecast
from selfroute.prices import Prices
from selfroute.readers import Reader
from selfroute.sources import Sources
from selfroute.steps import QuestionSteps
from selfroute.streaming import Withheld, streamed
from selfroute.types import (
    Allowance,
    Answer,
    Call,
    Cited,
    Delta,
    Document,
    Done,
    Emit,
    Event,
    Forecast,
    Found,
    Question,
    Record,
    Terms,
    Usage,
    Used,
    Watch,
)
from selfroute.waiting import to_its_end, until

if TYPE_CHECKING:
    from selfroute.rewriter import Rewriter


class Account(Protocol):
    """Where questions and their calls are written down; each method returns when that is done.

    The ledger's is one; an evaluation keeps another, so that its questions are not mixed with a user's.
    """

    async def begin(self, id: str, question: Question, policy: str, corpus: str, key: str | None = None) -> None: ...  # noqa: A002

    async def record(self, question: str, call: Call) -> None: ...

    async def finish(self, answer: Answer) -> None: ...

    def fail(self, id: str, error: str) -> None:  # noqa: A002
        """Blocking: a question may end where nothing can be awaited."""
        ...

    def read(self, corpus: str, model: str, seconds: float) -> Sequence[Usage]:
        """What `model` read of the documents of `corpus` in the last so many seconds, newest first. Blocking."""
        ...


class Engine:
    """Answers questions over the corpora under `home`, or over one document that is not indexed."""

    def __init__(
        self,
        *,
        home: Path,
        embedder: Embedder,
        chunk_tokens: int,
        chunk_words: int | None = None,
        chunk_reader: Reader,
        document_reader: Reader,
        account: Account,
        prices: Prices,
        policies: Mapping[str, Policy],
        k: int = 5,
        deadline: float | None = None,
        overflow: str = "fill",
        rewriter: Rewriter | None = None,
        judge: Callable[[], Reader] | None = None,
        cache_seconds: float = 0.0,
        budgets: Budgets | None = None,
    ) -> None:
        """`judge` gives the bundled reader, for policies that ask what it makes of the chunks. A provider is taken to
        keep what it read for `cache_seconds`. `budgets` are what the limits of API keys are kept by, shared with
        whoever else reads for the same keys: without them no question that brings any is answered."""
        self._home = home
        self._embedder = embedder
        self._chunk_reader = chunk_reader
        self._document_reader = document_reader
        self._prices = prices
        self._policies = policies
        self._k = k
        self._deadline = deadline
        self._overflow = overflow
        self._rewriter = rewriter
        self._judge = judge
        self._cache_seconds = cache_seconds
        self._account = account
        shelf = Shelf(home, embedder.name)
        finalize(self, shelf.close)
        self._sources = Sources(shelf, embedder, chunk_tokens, chunk_words)
        self.budgets = budgets or Budgets(prices)

    async def ask(
        self,
        question: Question | str,
        policy: str = "self_route",
        *,
        corpus: str | Document | Corpus,
        k: int | None = None,
        terms: Terms | None = None,
        watch: Watch | None = None,
    ) -> Answer:
        """Answers from a corpus by name, from one `Document` that is not indexed, or from another's `Corpus`.

        A question with a `history` is first made to stand alone, where a rewriter is set; else, and where that fails,
        it is used as it is, with a warning.
        `policy` is one of `policies.POLICIES`; `k` chunks are retrieved (else as in the settings).
        Of the deadlines of the settings and of `terms` the nearer one holds. A call that would exceed what `terms`
        allow is not made: the question ends with what was read before, and a warning, or with an `OverLimit`. `watch`
        looks on.
        Raises `EmptyQuestion`, `UnknownPolicy`, `UnknownCorpus`, `EmptyCorpus`, `UnknownDocument`, `UnusableIndex`,
        `DeadlineExceeded` and what the reader raises. A failed question stays in the ledger with its calls.
        """
        question = self._checked(question, policy, k)
        async with self._sources.opened(question.scope, corpus) as (name, source):
            return await self._ask(question, policy, name, source, k, terms, watch=watch)

    async def ask_stream(
        self,
        question: Question | str,
        policy: str = "self_route",
        *,
        corpus: str | Document,
        k: int | None = None,
        terms: Terms | None = None,
        watch: Watch | None = None,
    ) -> AsyncGenerator[Event]:
        """As `ask`, told as it happens: steps, calls, the answer's text as it is made, its citations, and `Done`.

        A draft that the policy may yet overrule is not shown before it stands. Once text was shown nothing is tried
        again: an error after that ends the stream, and is raised here as `ask` raises it. Closing the stream, or
        leaving it, cancels what is under way and puts down what that took.
        """

        async def asked(emit: Emit) -> None:
            checked = self._checked(question, policy, k)
            async with self._sources.opened(checked.scope, corpus) as (name, source):
                await self._ask(checked, policy, name, source, k, terms, emit, watch)

        async with aclosing(streamed(asked)) as events:
            async for event in events:
                yield event

    async def search(
        self, query: str, *, corpus: str | Document | Corpus, k: int | None = None, scope: Sequence[str] = ()
    ) -> tuple[Found, ...]:
        """The chunks that `ask` would retrieve for `query`, best first. Asks no reader and writes nothing down: all it
        takes is the embedder's, which runs here.

        Raises what `ask` raises before it reads.
        """
        question = self._checked(Question(query, tuple(scope)), None, k)
        async with self._sources.opened(question.scope, corpus) as (name, source):
            index = await self._sources.searchable(source, _unrecorded)
            hits = await self._steps(name, index, _unrecorded, k).retrieve(question)
            return tuple(
                Found(c.document, index.page(c.document, c.start), c.start, c.end, c.text, hit.score, c.header)
                for hit in hits
                for c in (hit.chunk,)
            )

    @property
    def corpora(self) -> Corpora:
        """What there is to ask: its documents can be listed, shown and deleted, and the corpora renamed, verified and
        mended. Its methods are blocking."""
        return Corpora(self._home)

    async def forecast(
        self,
        question: Question | str,
        policy: str = "self_route",
        *,
        corpus: str | Document | Corpus,
        k: int | None = None,
    ) -> Forecast:
        """What `ask` would read and what that would cost: retrieves, asks no reader, writes nothing down. A question
        with a `history` is taken as it is; rewriting it comes on top.

        Raises what `ask` raises before it reads.
        """
        question = self._checked(question, policy, k)
        async with self._sources.opened(question.scope, corpus) as (name, source):
            index = await self._sources.searchable(source, _unrecorded)
            steps = self._steps(name, index, _unrecorded, k)
            return await forecast(self._policies[policy], question, steps, policy, name)

    def _checked(self, question: Question | str, policy: str | None, k: int | None) -> Question:
        question = Question(question) if isinstance(question, str) else question
        if question.text is not None and not question.text.strip():
            raise EmptyQuestion
        said = [question.text, *(part for turn in question.history for part in (turn.question, turn.answer))]
        if any("\ud800" <= c <= "\udfff" for text in said for c in text or ""):
            raise BadInput("the question holds bytes that are no text: write it in UTF-8")
        if policy is not None and policy not in self._policies:
            raise UnknownPolicy(policy, self._policies)
        if k is not None and k < 1:
            raise BadInput(f"k is {k}: ask for at least one chunk")
        return question

    async def _ask(
        self,
        question: Question,
        policy: str,
        name: str,
        source: Index | Document | Corpus,
        k: int | None,
        terms: Terms | None = None,
        emit: Emit | None = None,
        watch: Watch | None = None,
    ) -> Answer:
        terms = terms or Terms()
        began = time.perf_counter()
        calls: list[Call] = []
        allowance = self.budgets.open(terms)
        if allowance is not None and emit is not None:
            emit = allowance.begun = Withheld(emit)

        async def record(call: Call) -> None:
            priced = replace(call, cost=self._prices.cost(call.model, call.usage))
            calls.append(priced)
            await to_its_end(self._account.record(terms.id, priced))
            if watch is not None:
                watch(Used(priced))
            if emit is not None:
                await emit(Used(priced))
            if allowance is not None:
                await allowance.settle(priced)

        try:
            await to_its_end(self._account.begin(terms.id, question, policy, name, terms.key))
            async with until(self._deadline, terms.deadline) as deadline:
                index = await self._sources.searchable(source, record, allowance)
                steps = self._steps(name, index, record, k, deadline, emit, allowance, watch)
                alone = await self._alone(question, steps, record, deadline, allowance)
                try:
                    draft = await self._policies[policy](alone, steps)
                except OverLimit as limit:
                    draft = steps.stopped(limit)
            full = await steps.long_context(alone)
            answer = answer_of(terms.id, question, policy, name, draft, steps, full, calls, time.perf_counter() - began)
            await to_its_end(self._account.finish(answer))
        except BaseException as error:
            # Cancellation too: what was spent must not look like a question still under way. An account that fails
            # as well must not hide the cause.
            with suppress(SelfrouteError):
                self._account.fail(terms.id, f"{type(error).__name__}: {error}")
            raise
        finally:
            if allowance is not None:
                await allowance.close()
        if allowance is not None and allowance.begun is not None:
            await allowance.begun.release()
        if emit is not None:
            await _tell(answer, steps.shown, emit)
        return answer

    async def _alone(
        self,
        question: Question,
        steps: QuestionSteps,
        record: Record,
        deadline: float | None,
        allowance: Allowance | None,
    ) -> Question:
        """The question without its history, in words that stand alone as far as they can be had."""
        if not question.history or question.text is None:
            return question
        if self._rewriter is None:
            steps.warnings.append(
                "the question was used as it is, without the earlier turns: name an endpoint under the setting "
                "'rewriter'"
            )
            return replace(question, history=())
        await steps.begin("rewrite")
        rewritten = await self._rewriter.rewrite(question.text, question.history, record, deadline, allowance)
        steps.warnings += [rewritten.warning] if rewritten.warning else []
        steps.rewritten = rewritten.text
        return replace(question, text=rewritten.text or question.text, history=())

    def _steps(
        self,
        corpus: str,
        index: Index | Corpus,
        record: Record,
        k: int | None,
        deadline: float | None = None,
        emit: Emit | None = None,
        allowance: Allowance | None = None,
        watch: Watch | None = None,
    ) -> QuestionSteps:
        return QuestionSteps(
            index,
            self._embedder if isinstance(index, Index) else index.embedder,
            self._chunk_reader,
            self._document_reader,
            self._prices,
            record,
            k or self._k,
            deadline,
            self._overflow,
            emit,
            self._judge,
            lambda model: self._account.read(corpus, model, self._cache_seconds),
            allowance,
            watch,
        )


class IndexEngine(Engine):
    """An engine that answers from an index that its caller has opened, to the account that its caller names: for
    evaluation, which opens a document once for all its questions and keeps an account of its own."""

    async def ask_index(
        self, question: Question, policy: str, index: Index, account: Account, k: int | None = None
    ) -> Answer:
        """As `ask`."""
        question = self._checked(question, policy, k)
        index.scope(question.scope)
        accounted = copy.copy(self)
        accounted._account = account
        return await accounted._ask(question, policy, index.name, index, k)


async def _tell(answer: Answer, shown: str, emit: Emit) -> None:
    """The rest of an answer that stands, of which `shown` was told."""
    if rest := (answer.answer or "").removeprefix(shown):
        await emit(Delta(rest))
    for citation in answer.citations:
        await emit(Cited(citation))
    await emit(Done(answer))


async def _unrecorded(call: Call) -> None:
    """Neither a forecast nor a search is a question: what embedding they take stands in no account."""
