"""A document into chunks with exact offsets, on LlamaIndex's `SentenceSplitter`.

Promise: `document.text[chunk.start:chunk.end] == chunk.text`, starts strictly increase, and every
character that is not white space is in exactly one chunk. Chunks are at most `limit` of the embedder's own
tokens, at sentence boundaries where a sentence fits. Knows nothing of files or vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from selfroute.types import Chunk, Document


class Chunker:
    """`count` counts the embedder's tokens: a chunk longer than the embedder reads would not be embedded whole."""

    def __init__(self, count: Callable[[str], int], limit: int) -> None:
        # Imported here: LlamaIndex takes a second to import and only ingestion needs it.
        from llama_index.core.node_parser import SentenceSplitter

        self._count = count
        self._splitter = SentenceSplitter(
            chunk_size=limit, chunk_overlap=0, tokenizer=lambda text: range(count(text)), paragraph_separator="\n\n"
        )

    def chunks(self, document: Document) -> list[Chunk]:
        """The splitter's pieces, found again in the document by their visible characters.

        The splitter strips and drops white space but keeps every other character in its order, so counting
        visible characters finds each piece even where paragraphs repeat, which searching for its text does not.
        """
        visible = [at for at, character in enumerate(document.text) if not character.isspace()]
        made: list[Chunk] = []
        at = 0
        for piece in self._pieces(document.text):
            size = sum(not character.isspace() for character in piece)
            if size:
                start, end = visible[at], visible[at + size - 1] + 1
                text = document.text[start:end]
                made.append(Chunk(document.id, start, end, text, self._count(text)))
                at += size
        if at != len(visible):
            raise AssertionError(f"the splitter lost {len(visible) - at} characters of {document.id!r}")
        return made

    def _pieces(self, text: str) -> Iterator[str]:
        if text.strip():
            yield from self._splitter.split_text(text)
