"""The concrete steps of one question: texts, embedder and readers behind the `Steps` protocol.

Keeps what the question has read so far, so that coverage and the path can be told. Blocking work crosses to
a worker thread here. Knows nothing of policies or of how an answer is shown.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from selfroute.embedders import QueryEmbedder
from selfroute.errors import NoQuery, OverLimit, PromptTooLong, UnsupportedTask
from selfroute.fit import Fit, Fitter, within
from selfroute.index.corpus import Texts
from selfroute.prices import Prices
from selfroute.readers import Reader
from selfroute.routing import better_supported
from selfroute.routing.dial import Decision
from selfroute.routing.features import Judged
from selfroute.types import (
    Allowance,
    Call,
    Chunk,
    Citation,
    Delta,
    Draft,
    Emit,
    Estimate,
    Hits,
    Move,
    Passage,
    Question,
    Readers,
    Reading,
    Record,
    Route,
    Shown,
    Stage,
    Step,
    Usage,
    Vectors,
    Watch,
    sum_cost,
)

SMALLER = 0.8
"""By how much less is shown after a server found a prompt too long."""

ALIKE = 0.02
"""By what share the lengths of two readings may differ for them to be taken as the same documents."""

LEAST_READABLE = 0.01
"""The share of a document that is counted as read where next to nothing of it could be."""

MOST_NAMED = 5
"""Documents that a decline names of those that could not be read whole."""

ROUTES: Mapping[Move, Route] = {Move.READ_CHUNKS: Route.RAG, Move.READ_DOCUMENTS: Route.LONG_CONTEXT}


class QuestionSteps:
    """Steps for one question over one opened corpus. Make a new one for each question.

    With `emit` what happens is told as it happens, and a final answer as it is made; `shown` is what was told of it.
    `rewritten` is the question as it is read, if it is not as it was asked.
    """

    def __init__(
        self,
        index: Texts,
        embedder: QueryEmbedder,
        chunk_reader: Reader,
        document_reader: Reader,
        prices: Prices,
        record: Record,
        k: int,
        deadline: float | None = None,
        overflow: str = "fill",
        emit: Emit | None = None,
        judge: Callable[[], Reader] | None = None,
        read_lately: Callable[[str], Sequence[Usage]] = lambda model: (),
        allowance: Allowance | None = None,
        watch: Watch | None = None,
    ) -> None:
        """`judge` gives the bundled reader; `read_lately`, by model, what it read of these documents while its
        provider keeps it, newest first; `allowance` is what the calls are reserved of, if anything limits them."""
        self._index = index
        self._embedder = embedder
        self._chunk_reader = chunk_reader
        self._document_reader = document_reader
        self._prices = prices
        self._record = record
        self.k = k
        self._deadline = deadline
        self._overflow = overflow
        self._emit = emit
        self._judge = judge
        self._read_lately = read_lately
        self._allowance = allowance
        self._watch = watch
        self._vector: Vectors | None = None
        self._calls: list[Call] = []
        self._measured: Estimate | None = None
        self._cut_short = False  # by a limit, within a reading of several parts
        self._seen: dict[str, dict[int, int]] = {}  # document -> start of a chunk that was read -> its tokens
        self._whole: dict[str, None] = {}  # documents that were read whole, in order
        self.path: list[str] = []
        self.hits: Hits = ()
        self.drafts: list[Draft] = []
        self.warnings: list[str] = []
        self.shown = ""
        self.rewritten: str | None = None
        self.decisions: list[Decision] = []

    @property
    def counted_by(self) -> dict[str, str]:
        """What counts the tokens of each reading before it is made."""
        return {move.value: self._reader(move).counted_by for move in Move}

    async def retrieve(self, question: Question, k: int | None = None) -> Hits:
        if question.text is None:
            raise NoQuery
        await self.begin("retrieve")
        if self._allowance is not None:  # no embedder makes more tokens than there are characters, and its two marks
            await self._allowance.reserve(Stage.EMBED, self._embedder.name, Usage(len(question.text) + 2))
        began = time.perf_counter()
        embedded = await asyncio.to_thread(self._embedder.embed, [question.text])
        usage = Usage(input_tokens=embedded.tokens)
        await self._record(Call(Stage.EMBED, self._embedder.name, usage, time.perf_counter() - began))
        self._vector = embedded.vectors[0]
        self.hits = await asyncio.to_thread(self._index.search, self._vector, k or self.k, question.scope)
        return self.hits

    async def estimate(self, question: Question, hits: Hits, move: Move) -> Estimate:
        return await asyncio.to_thread(self._estimate, question, hits, move)

    async def read_chunks(self, question: Question, hits: Hits, *, final: bool = False) -> Draft:
        """Reads as many of the hits as the reader's window allows, best first."""
        await self.begin("read_chunks")
        return await self._read(question, hits, Move.READ_CHUNKS, final)

    async def read_documents(self, question: Question, hits: Hits, *, final: bool = False) -> Draft:
        """Reads the documents that own the hits, whole if they fit the reader's window, else as the setting
        `reader.overflow` says."""
        await self.begin("read_documents")
        began = len(self._calls)
        draft = await self._read(question, hits, Move.READ_DOCUMENTS, final)
        made = [call for call in self._calls[began:] if call.error is None]
        if made and not self._cut_short and not any(call.estimated for call in made):
            usage = sum((call.usage for call in made), Usage())
            cost = sum_cost([self._prices.cost(call.model, call.usage) for call in made])
            complete = set(self._index.scope(question.scope)) <= self._whole.keys()
            self._measured = Estimate(usage.input_tokens, cost, tuple(self._whole), complete)
        return draft

    async def judged(self, question: Question, hits: Hits, chunks: Draft) -> Judged:
        """What the judge takes is no reading."""
        retrieval = (self._embedder.name, self.k)
        if self._judge is None:
            return Judged(None, Readers.CHAT, retrieval)
        judge = await asyncio.to_thread(self._judge)
        own = [reader.model == judge.model for reader in (self._chunk_reader, self._document_reader)]
        readers = Readers.MIXED if len(set(own)) > 1 else Readers.BUNDLED if all(own) else Readers.CHAT
        draft = chunks if own[0] else await self._judgement(judge, question, hits)
        return Judged(draft, readers, retrieval)

    async def _judgement(self, judge: Reader, question: Question, hits: Hits) -> Draft | None:
        if question.text is None:
            return None
        passages = tuple(Passage(hit.chunk.document, hit.chunk.start, hit.chunk.text, hit.chunk.header) for hit in hits)
        reading = Reading(Question(question.text, question.scope), passages, Route.RAG, self._deadline)
        await self._reserve(judge, reading, Stage.JUDGE)
        try:
            return await judge.read(reading, lambda call: self._record(replace(call, stage=Stage.JUDGE)))
        except UnsupportedTask:
            return None

    def decided(self, decision: Decision) -> bool:
        self.decisions.append(decision)
        if decision.caveat is not None:
            self._warn(decision.caveat)
        return decision.escalates

    async def long_context(self, question: Question) -> Estimate:
        """What reading the documents takes: as it was measured if they were read, else estimated. Its cost is that of
        the whole call: an estimate takes it that the reader would write as much as was written last."""
        if self._measured is not None:
            return self._measured
        read = await self.estimate(question, self.hits, Move.READ_DOCUMENTS)
        written = self._calls[-1].usage.output_tokens if self._calls else 0
        usage = Usage(input_tokens=read.tokens, output_tokens=written)
        return replace(read, cost=self._prices.cost(self._document_reader.model, usage))

    def stopped(self, limit: OverLimit) -> Draft:
        """What stands where a limit ends the question: the last draft, with a warning. Raises the limit where nothing
        was read, or where text of what it ended was shown already."""
        if not self.drafts or self.shown:
            raise limit
        self._warn(f"the question ended with what was read before: {limit}")
        return self.drafts[-1]

    def coverage(self, question: Question) -> float:
        """The share of the tokens in scope that was read, 0 to 1, by the embedder's tokens of the chunks. What could
        not be read of a document when it was indexed counts as if it held as much as the rest of it."""
        tokens = {id_: self._index.tokens(id_) for id_ in self._index.scope(question.scope)}
        read = sum(tokens[id_] if id_ in self._whole else sum(self._seen.get(id_, {}).values()) for id_ in tokens)
        total = sum(taken / max(self._index.readable(id_), LEAST_READABLE) for id_, taken in tokens.items())
        return read / total if total else 0.0

    def unread(self, question: Question) -> tuple[str, ...]:
        """Return what of the documents in scope could not be read when they were indexed, and may hold the answer."""
        ids = [id_ for id_ in self._index.scope(question.scope) if self._index.readable(id_) < 1]
        told = [f"{id_}: {warning}" for id_ in ids[:MOST_NAMED] for warning in self._index.warnings(id_)]
        if len(ids) > MOST_NAMED:
            told.append(f"{len(ids) - MOST_NAMED} more documents in scope could not be read whole")
        return tuple(told)

    async def begin(self, name: str) -> None:
        """Notes a step, and tells of it."""
        self.path.append(name)
        await self._tell(Step(name))

    async def _tell(self, step: Step) -> None:
        if self._watch is not None:
            self._watch(step)
        if self._emit is not None:
            await self._emit(step)

    async def _read(self, question: Question, hits: Hits, move: Move, final: bool) -> Draft:
        """Reads what fits. If the server finds it too long all the same, once more with less: counts before a call
        may be estimates, and a server's window smaller than the settings say."""
        fit = await asyncio.to_thread(self._fit, question, hits, move)
        try:
            return await self._drafted(fit, hits, move, final)
        except PromptTooLong as error:
            if len(fit.readings) > 1:
                raise  # what of it could be read in smaller parts was
            sent = await asyncio.to_thread(self._tokens, fit, move)
            window = int(min(sent, self._reader(move).window) * SMALLER)
            fit = await asyncio.to_thread(self._fit, question, hits, move, window)
            if self.shown or not any(reading.passages for reading in fit.readings):
                raise
            self._warn(f"the text was too long for the server: {error}; it was read once more, with less of it")
            return await self._drafted(fit, hits, move, final)

    async def _drafted(self, fit: Fit, hits: Hits, move: Move, final: bool) -> Draft:
        """The best supported draft of the readings of a fit. Of several, none is shown before all are read, and one
        that the server finds too long is read in smaller ones: what was read before it is not paid for again."""
        shown = self._show if final and self._emit is not None and len(fit.readings) == 1 else None
        drafts: list[Draft] = []
        read: list[Reading] = []
        left = deque((reading, len(fit.readings) > 1) for reading in fit.readings)  # and whether it may be divided
        while left:
            reading, divisible = left.popleft()
            try:
                drafts.append(await self._drafted_once(reading, move, shown))
                read.append(reading)
            except PromptTooLong as error:
                smaller = await asyncio.to_thread(self._divided, reading, move) if divisible else ()
                if not smaller:
                    raise
                self._warn(f"a part of it was too long for the server: {error}; it was read in {len(smaller)} parts")
                left.extendleft((part, False) for part in reversed(smaller))
            except OverLimit as limit:
                if not drafts:
                    raise
                self._cut_short = True
                self._warn(f"only {len(read)} of {len(read) + 1 + len(left)} parts were read: {limit}")
                fit = replace(fit, documents=())
                break
        if fit.warning:
            self._warn(fit.warning)
        await self._note(replace(fit, readings=tuple(read)), hits, move)
        draft = better_supported(tuple(drafts)) if drafts else Draft(True, ROUTES[move])
        self.drafts.append(draft)
        await self._tell(Step(self.path[-1], draft.declined))
        return draft

    async def _drafted_once(self, reading: Reading, move: Move, shown: Shown | None) -> Draft:
        async def noted(call: Call) -> None:
            self._calls.append(call)
            await self._record(call)

        await self._reserve(self._reader(move), reading, reading.stage)
        draft = await self._reader(move).read(replace(reading, deadline=self._deadline), noted, shown)
        for warning in draft.warnings:
            self._warn(warning)
        return replace(draft, citations=await asyncio.to_thread(self._paged, draft.citations))

    async def _reserve(self, reader: Reader, reading: Reading, stage: Stage) -> None:
        """Where nothing is limited nothing is counted."""
        if self._allowance is not None:
            read = await asyncio.to_thread(reader.count_tokens, reading)
            await self._allowance.reserve(stage, reader.model, Usage(read, output_tokens=reader.max_output_tokens))

    async def _show(self, text: str) -> None:
        assert self._emit is not None
        self.shown += text
        await self._emit(Delta(text))

    def _reader(self, move: Move) -> Reader:
        return self._chunk_reader if move is Move.READ_CHUNKS else self._document_reader

    def _fit(self, question: Question, hits: Hits, move: Move, window: int | None = None) -> Fit:
        reader = self._reader(move)
        fitter = Fitter(self._index, reader, question, reader.window if window is None else window)
        if move is Move.READ_CHUNKS:
            return fitter.chunks(hits)
        owners = tuple(dict.fromkeys(hit.chunk.document for hit in hits)) or self._index.scope(question.scope)
        return fitter.documents(owners, lambda ids: self._ranked(ids, hits), self._overflow)

    def _divided(self, reading: Reading, move: Move) -> tuple[Reading, ...]:
        """What was too long, in parts; none if it cannot be less."""
        reader = self._reader(move)
        window = int(min(reader.count_tokens(reading), reader.window) * SMALLER)
        return Fitter(self._index, reader, reading.question, window).parts_of(reading)

    def _ranked(self, documents: Sequence[str], hits: Hits) -> list[Chunk]:
        """All chunks of some documents: hits first, then by likeness to the question; as they stand without one."""
        chunks = self._chunks_of(documents)
        found = [hit.chunk for hit in hits if hit.chunk.document in documents]
        if self._vector is not None:
            found += [hit.chunk for hit in self._index.search(self._vector, len(chunks), documents)]
        return list({(chunk.document, chunk.start): chunk for chunk in [*found, *chunks]}.values())

    def _estimate(self, question: Question, hits: Hits, move: Move) -> Estimate:
        fit = self._fit(question, hits, move)
        tokens, model = self._tokens(fit, move), self._reader(move).model
        cached = self._cached(model, tokens) if move is Move.READ_DOCUMENTS else 0
        cost = self._prices.cost(model, Usage(input_tokens=tokens, cached_input_tokens=cached))
        scope = self._index.scope(question.scope)
        return Estimate(tokens, cost, fit.documents, set(fit.documents) == set(scope), cached)

    def _cached(self, model: str, tokens: int) -> int:
        """How many of the tokens the provider likely still holds: those of the last reading, if it was about as long.
        None where a second reading found none cached: that provider keeps nothing."""
        if not self._prices.discounts(model):
            return 0
        alike = [u for u in self._read_lately(model) if abs(u.input_tokens - tokens) <= ALIKE * tokens]
        if not alike or (len(alike) > 1 and not alike[0].cached_input_tokens):
            return 0
        return min(tokens, alike[0].input_tokens)

    def _tokens(self, fit: Fit, move: Move) -> int:
        return sum(map(self._reader(move).count_tokens, fit.readings))

    async def _note(self, fit: Fit, hits: Hits, move: Move) -> None:
        """What was read: documents, and the chunks that lie within what was shown of others."""
        self._whole |= dict.fromkeys(fit.documents)
        shown = [passage for reading in fit.readings for passage in reading.passages]
        chunks = [hit.chunk for hit in hits]
        if move is Move.READ_DOCUMENTS:
            partly = dict.fromkeys(passage.document for passage in shown if passage.document not in self._whole)
            chunks = await asyncio.to_thread(self._chunks_of, tuple(partly)) if partly else []
        for chunk in within(chunks, shown):
            self._seen.setdefault(chunk.document, {})[chunk.start] = chunk.tokens

    def _chunks_of(self, documents: Sequence[str]) -> list[Chunk]:
        return [chunk for id_ in documents for chunk in self._index.chunks(id_)]

    def _warn(self, warning: str) -> None:
        if warning not in self.warnings:
            self.warnings.append(warning)

    def _paged(self, citations: Sequence[Citation]) -> tuple[Citation, ...]:
        """Readers know passages and no pages: which page a citation stands on is told here, for all of them."""
        return tuple(replace(one, page=self._index.page(one.document, one.start)) for one in citations)
