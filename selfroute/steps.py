"""The concrete steps of one question: texts, embedder and readers behind the `Steps` protocol.

Keeps what the question has read so far, so that coverage and the path can be told. Blocking work crosses to
a worker thread here. Knows nothing of policies or of how an answer is shown.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

from selfroute.embedders import QueryEmbedder
from selfroute.errors import NoQuery
from selfroute.index.corpus import Texts
from selfroute.prices import Prices
from selfroute.readers import Reader
from selfroute.types import (
    Call,
    Chunk,
    Citation,
    Draft,
    Estimate,
    Hits,
    Move,
    Passage,
    Question,
    Reading,
    Record,
    Route,
    Stage,
    Usage,
)


class QuestionSteps:
    """Steps for one question over one opened corpus. Make a new one for each question."""

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
    ) -> None:
        self._index = index
        self._embedder = embedder
        self._chunk_reader = chunk_reader
        self._document_reader = document_reader
        self._prices = prices
        self._record = record
        self._k = k
        self._deadline = deadline
        self._last: Call | None = None
        self._measured: Estimate | None = None
        self._read: dict[str, dict[int, int]] = {}  # document -> start of a chunk -> its tokens
        self._whole: set[str] = set()
        self.path: list[str] = []
        self.hits: Hits = ()
        self.drafts: list[Draft] = []
        self.warnings: list[str] = []

    async def retrieve(self, question: Question, k: int | None = None) -> Hits:
        if question.text is None:
            raise NoQuery
        self.path.append("retrieve")
        began = time.perf_counter()
        embedded = await asyncio.to_thread(self._embedder.embed, [question.text])
        usage = Usage(input_tokens=embedded.tokens)
        await self._record(Call(Stage.EMBED, self._embedder.name, usage, time.perf_counter() - began))
        self.hits = await asyncio.to_thread(self._index.search, embedded.vectors[0], k or self._k, question.scope)
        return self.hits

    def estimate(self, question: Question, hits: Hits, move: Move) -> Estimate:
        scope = self._index.scope(question.scope)
        if move is Move.READ_CHUNKS:
            reader, reading = self._chunk_reader, _of_chunks(question, hits)
            documents: tuple[str, ...] = ()
        else:
            reader, documents = self._document_reader, self._fitting(question, hits)
            reading = self._of_documents(question, hits, documents)
        tokens = reader.count_tokens(reading)
        cost = self._prices.cost(reader.model, Usage(input_tokens=tokens))
        return Estimate(tokens, cost, documents, complete=set(documents) == set(scope))

    async def read_chunks(self, question: Question, hits: Hits, *, final: bool = False) -> Draft:
        self.path.append("read_chunks")
        self._note([hit.chunk for hit in hits])
        return await self._drafted(self._chunk_reader, _of_chunks(question, hits))

    async def read_documents(self, question: Question, hits: Hits, *, final: bool = False) -> Draft:
        """Reads the documents that own the hits, best first, as many as the reader's window allows.

        A first document that alone exceeds the window is read in part: its best chunks, in document order.
        """
        self.path.append("read_documents")
        documents = await asyncio.to_thread(self._fitting, question, hits)
        reading = await asyncio.to_thread(self._of_documents, question, hits, documents)
        if documents:
            self._whole.update(documents)
        else:
            self._note_part(self._first(question, hits), reading)
        draft = await self._drafted(self._document_reader, reading)
        if (last := self._last) is not None and last.error is None and not last.estimated:
            complete = set(documents) == set(self._index.scope(question.scope))
            cost = self._prices.cost(last.model, last.usage)
            self._measured = Estimate(last.usage.input_tokens, cost, documents, complete)
        return draft

    def long_context(self, question: Question) -> Estimate:
        """What reading the documents takes: as it was measured if they were read, else estimated."""
        return self._measured or self.estimate(question, self.hits, Move.READ_DOCUMENTS)

    def coverage(self, question: Question) -> float:
        """The share of the tokens in scope that was read, 0 to 1, by the embedder's tokens of the chunks."""
        tokens = {id_: self._index.tokens(id_) for id_ in self._index.scope(question.scope)}
        read = sum(tokens[id_] if id_ in self._whole else sum(self._read.get(id_, {}).values()) for id_ in tokens)
        total = sum(tokens.values())
        return read / total if total else 0.0

    async def _drafted(self, reader: Reader, reading: Reading) -> Draft:
        self._last = None

        async def noted(call: Call) -> None:
            self._last = call
            await self._record(call)

        draft = await reader.read(replace(reading, deadline=self._deadline), noted)
        draft = replace(draft, citations=await asyncio.to_thread(self._paged, draft.citations))
        self.drafts.append(draft)
        self.warnings += [warning for warning in draft.warnings if warning not in self.warnings]
        return draft

    def _paged(self, citations: Sequence[Citation]) -> tuple[Citation, ...]:
        """Readers know passages and no pages: which page a citation stands on is told here, for all of them."""
        return tuple(replace(one, page=self._index.page(one.document, one.start)) for one in citations)

    def _fitting(self, question: Question, hits: Hits) -> tuple[str, ...]:
        """Documents that own hits (all in scope, if there are none), while they fit; () if not even one does."""
        owners = dict.fromkeys(hit.chunk.document for hit in hits)
        chosen: list[str] = []
        for id_ in owners or self._index.scope(question.scope):
            tokens = self._document_reader.count_tokens(self._whole_documents(question, [*chosen, id_]))
            if tokens > self._document_reader.window:
                break
            chosen.append(id_)
        return tuple(chosen)

    def _of_documents(self, question: Question, hits: Hits, documents: Sequence[str]) -> Reading:
        if documents:
            return self._whole_documents(question, documents)
        return self._best_part(question, self._first(question, hits), hits)

    def _first(self, question: Question, hits: Hits) -> str:
        return hits[0].chunk.document if hits else self._index.scope(question.scope)[0]

    def _whole_documents(self, question: Question, documents: Sequence[str]) -> Reading:
        passages = tuple(Passage(id_, 0, self._index.document(id_).text) for id_ in documents)
        return Reading(question, passages, Route.LONG_CONTEXT)

    def _best_part(self, question: Question, document: str, hits: Hits) -> Reading:
        """As many chunks of one document as the window allows: hits first, then from its start, in its order."""
        best = [hit.chunk for hit in hits if hit.chunk.document == document]
        rest = [chunk for chunk in self._index.chunks(document) if chunk not in best]
        wanted = [*best, *rest]

        def tokens(number: int) -> int:
            return self._document_reader.count_tokens(_part(question, wanted[:number]))

        fitting = bisect_right(range(1, len(wanted) + 1), self._document_reader.window, key=tokens)
        return _part(question, sorted(wanted[:fitting], key=lambda chunk: chunk.start))

    def _note(self, chunks: Sequence[Chunk]) -> None:
        for chunk in chunks:
            self._read.setdefault(chunk.document, {})[chunk.start] = chunk.tokens

    def _note_part(self, document: str, reading: Reading) -> None:
        starts = {passage.start for passage in reading.passages}
        chunks = self._index.chunks(document)
        self._note([chunk for chunk in chunks if chunk.start in starts])
        self.warnings.append(
            f"document {document!r} exceeds the reader's window of {self._document_reader.window} tokens: "
            f"{len(starts)} of its {len(chunks)} chunks were read, the retrieved ones and then from its start"
        )


def _of_chunks(question: Question, hits: Hits) -> Reading:
    passages = tuple(Passage(hit.chunk.document, hit.chunk.start, hit.chunk.text) for hit in hits)
    return Reading(question, passages, Route.RAG)


def _part(question: Question, chunks: Sequence[Chunk]) -> Reading:
    passages = tuple(Passage(chunk.document, chunk.start, chunk.text) for chunk in chunks)
    return Reading(question, passages, Route.LONG_CONTEXT)
