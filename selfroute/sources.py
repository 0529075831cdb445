"""What a question is asked of: a corpus on the shelf, a document that is not indexed, or another's corpus.

Knows nothing of policies, readers or answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from selfroute.embedders import Embedder, embed_all
from selfroute.errors import EmptyCorpus, UnknownDocument
from selfroute.index import Index
from selfroute.index.corpus import Corpus
from selfroute.index.shelf import Shelf
from selfroute.ingest.chunker import Chunker, rule
from selfroute.ingest.finder import one_name
from selfroute.types import Allowance, Call, Document, Record, Stage, Usage
from selfroute.waiting import in_thread, long_threads


class Sources:
    """Opens corpora meanwhile. A document that is not indexed is split into chunks of at most `chunk_tokens`
    of the embedder's own tokens and, if given, `chunk_words`."""

    def __init__(self, shelf: Shelf, embedder: Embedder, chunk_tokens: int, chunk_words: int | None = None) -> None:
        self._shelf = shelf
        self._embedder = embedder
        self._chunk_tokens = chunk_tokens
        self._chunk_words = chunk_words
        self._threads = long_threads()

    @asynccontextmanager
    async def opened(
        self, scope: Sequence[str], corpus: str | Document | Corpus
    ) -> AsyncIterator[tuple[str, Index | Document | Corpus]]:
        """The name and the text of what is asked: a corpus, open meanwhile, a document that is not indexed, or what
        its owner opened. Raises `UnknownCorpus`, `EmptyCorpus`, `UnusableIndex` and, for the scope, `UnknownDocument`.
        """
        if isinstance(corpus, Document):
            unknown = [id_ for id_ in scope if one_name(id_) != one_name(corpus.id)]
            if unknown:
                raise UnknownDocument(unknown, corpus.source, [corpus.id])
            yield corpus.source, corpus
            return
        if not isinstance(corpus, str):
            await asyncio.to_thread(corpus.scope, scope)
            yield corpus.name, corpus
            return
        index = await self._taken(corpus)
        try:
            index.scope(scope)
            if not index.entries:
                raise EmptyCorpus(corpus)
            yield corpus, index
        finally:
            self._shelf.give(index)

    async def searchable(
        self, source: Index | Document | Corpus, record: Record, allowance: Allowance | None = None
    ) -> Index | Corpus:
        """The source, or an index in memory of a document that has none, embedded by a call that goes to `record`."""
        return await self._in_memory(source, record, allowance) if isinstance(source, Document) else source

    async def _taken(self, corpus: str) -> Index:
        """From the shelf; who is cancelled meanwhile leaves nothing taken."""
        # A future and no task: the end of the loop cancels tasks, and what their threads took would stay taken.
        taking = asyncio.get_running_loop().run_in_executor(None, self._shelf.take, corpus)
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            taking.add_done_callback(self._given_back)
            raise

    def _given_back(self, taken: asyncio.Future[Index]) -> None:
        if not taken.cancelled() and taken.exception() is None:
            self._shelf.give(taken.result())

    async def _in_memory(self, document: Document, record: Record, allowance: Allowance | None) -> Index:
        count, limits = self._embedder.count_tokens, (self._chunk_tokens, self._chunk_words)
        chunks = await in_thread(self._threads, lambda given_up: Chunker(count, *limits, given_up).chunks(document))
        if allowance is not None:
            most = Usage(sum(chunk.tokens + count(chunk.header) + 2 for chunk in chunks))
            await allowance.reserve(Stage.EMBED, self._embedder.name, most)
        began = time.perf_counter()
        texts = [chunk.shown for chunk in chunks]
        embedded = await in_thread(self._threads, lambda given_up: embed_all(self._embedder, texts, given_up))
        usage = Usage(input_tokens=embedded.tokens)
        await record(Call(Stage.EMBED, self._embedder.name, usage, time.perf_counter() - began))
        return await asyncio.to_thread(
            Index.in_memory,
            document.source,
            self._embedder.name,
            [(document, chunks, embedded.vectors)],
            rule(self._chunk_tokens, self._chunk_words),
        )
