"""A document into chunks with exact offsets, on LlamaIndex's `SentenceSplitter`.

Promise: `document.text[chunk.start:chunk.end] == chunk.text`, starts strictly increase, and every
character that is not white space is in exactly one chunk. Chunks are at most `limit` of the embedder's own
tokens (a single character that alone takes more is a chunk of its own), at sentence boundaries where a sentence
fits. Knows nothing of files or vectors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from math import ceil

from selfroute.types import Chunk, Document
from selfroute.waiting import GivenUp, never

STRETCH = 20_000
"""Characters in which sentences are looked for at a time: NLTK gives up on a text after some seconds."""

SECTION = 1_000_000
"""Characters of a document that are split at a time: what splitting takes beside the text does not grow with it."""

LONGEST_TOKEN = 100
"""Characters of the longest token that is thought of: a text so many times as long as the limit is not counted."""


def rule(limit: int, words: int | None = None) -> str:
    """The limits of a chunk as an index keeps them: documents are split again when they change."""
    return f"{limit}" if words is None else f"{limit} tokens, {words} words"


class Chunker:
    """`count` counts the embedder's tokens: a chunk longer than the embedder reads would not be embedded whole."""

    def __init__(
        self,
        count: Callable[[str], int],
        limit: int,
        words: int | None = None,
        given_up: Callable[[], bool] = never,
    ) -> None:
        """`words` is a second limit, for settings that are given in words. Once `given_up` says so, `chunks` raises
        `GivenUp`: a large text takes many seconds."""
        # Imported here: LlamaIndex takes a second to import and only ingestion needs it.
        from llama_index.core.node_parser import SentenceSplitter

        def counted(text: str) -> int:
            if given_up():
                raise GivenUp
            return count(text)

        def sentences(text: str) -> list[str]:
            return _sentences(text, given_up)

        self._count = counted
        self._words = words
        # The splitter adds up what sentences take. In whole tokens the share of a limit in words would be rounded up
        # for each of them, and chunks would fall short of it.
        self._unit = 1 if words is None else 100
        self._limit = limit * self._unit
        self._splitter = SentenceSplitter(
            chunk_size=self._limit,
            chunk_overlap=0,
            tokenizer=lambda text: range(self._countable(text)),
            paragraph_separator="\n\n",
            chunking_tokenizer_fn=sentences,
        )

    def chunks(self, document: Document) -> list[Chunk]:
        """The splitter's pieces, found again in the document by their visible characters.

        The splitter strips and drops white space but keeps every other character in its order, so counting
        visible characters finds each piece even where paragraphs repeat, which searching for its text does not.
        """
        made: list[Chunk] = []
        for start, end in sections(document.text):
            made += self._section(document, start, document.text[start:end])
        return made

    def _section(self, document: Document, start: int, text: str) -> Iterator[Chunk]:
        visible = [at for at, character in enumerate(text, start) if not character.isspace()]
        at = 0
        for piece in self._pieces(text):
            size = len("".join(piece.split()))
            if size:
                yield from self._fitting(document, visible[at], visible[at + size - 1] + 1)
                at += size
        if at != len(visible):
            raise AssertionError(f"the splitter lost {len(visible) - at} characters of {document.id!r}")

    def _pieces(self, text: str) -> Iterator[str]:
        if text.strip():
            yield from self._splitter.split_text(text)

    def _countable(self, text: str) -> int:
        """What the splitter is told. A character cannot be split, and it refuses a document for one that exceeds the
        limit; parts of no tokens (a combining mark) it repeats in the next chunk, as overlap that costs nothing."""
        if (
            len(text) > LONGEST_TOKEN * self._limit // self._unit
        ):  # a whole document: counting it would take as long as its parts
            return self._limit + 1
        tokens = self._taken(text)
        if len(text) == 1:
            tokens = min(tokens, self._limit)
        return tokens if tokens or text.isspace() else 1

    def _taken(self, text: str) -> int:
        """Tokens in units, or the share of the limit in words as so many, if that is more."""
        return self._in_units(text, self._count(text))

    def _in_units(self, text: str, counted: int) -> int:
        tokens = counted * self._unit
        return tokens if self._words is None else max(tokens, ceil(len(text.split()) * self._limit / self._words))

    def _fitting(self, document: Document, start: int, end: int) -> Iterator[Chunk]:
        """The text between two visible characters as one chunk, or in halves if it exceeds the limit.

        The splitter adds up the tokens of parts. For tokenizers whose tokens reach over the parts' borders, or
        that count the white space it dropped, the sum may be less than what the whole takes.
        """
        text = document.text[start:end]
        tokens = self._count(text)
        if self._in_units(text, tokens) <= self._limit or len(text) == 1:
            yield Chunk(document.id, start, end, text, tokens)
            return
        middle = len(text) // 2
        cut = next((at for at in range(middle, 0, -1) if text[at].isspace()), middle)
        yield from self._fitting(document, start, start + len(text[:cut].rstrip()))
        yield from self._fitting(document, end - len(text[cut:].lstrip()), end)


def sections(text: str) -> Iterator[tuple[int, int]]:
    """Half-open stretches of at most `SECTION` characters that cover `text`, cut at the last paragraph's, line's or
    word's end in their second half."""
    start = 0
    while len(text) - start > SECTION:
        middle, end = start + SECTION // 2, start + SECTION
        cut = next((at for mark in ("\n\n", "\n", " ") if (at := text.rfind(mark, middle, end)) > 0), end)
        yield start, cut
        start = cut
    yield start, len(text)


def _sentences(text: str, given_up: Callable[[], bool]) -> list[str]:
    """The sentences of `text`, without loss: NLTK's, cut at white space only, looked for a stretch at a time.

    NLTK also cuts inside of `!!!`, and beside white space that is not ASCII, but only once in a text. The splitter
    asks again for each rest, so a thousand such places would exceed the recursion limit.
    """
    from llama_index.core.utils import globals_helper

    made: list[str] = []
    at = 0
    while at < len(text):
        if given_up():
            raise GivenUp
        stretch = text[at : at + STRETCH]
        plain = re.sub(r"\s", " ", stretch)
        starts = [start for start, _ in globals_helper.punkt_tokenizer.span_tokenize(plain)]
        cuts = [0, *(start for start in starts if start and plain[start - 1] == " "), len(stretch)]
        if at + STRETCH < len(text) and len(cuts) > 2:
            cuts.pop()  # the last sentence goes on: the next stretch begins with it
        made += [stretch[cut:end] for cut, end in pairwise(cuts)]
        at += cuts[-1]
    return made
