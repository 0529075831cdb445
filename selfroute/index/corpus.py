"""The seam for corpora: what a question is retrieved from and read in. Knows nothing of how texts are kept.

An opened index is one; `selfroute.integrations` has others. All methods are blocking.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from selfroute.embedders import QueryEmbedder
from selfroute.types import Chunk, Document, Hits, Vectors


class Texts(Protocol):
    """Documents with their chunks, searchable by vector."""

    @property
    def name(self) -> str: ...

    def scope(self, ids: Sequence[str]) -> tuple[str, ...]:
        """`ids` checked and in order, or all documents for none. Raises `UnknownDocument`."""
        ...

    def tokens(self, document: str) -> int:
        """The sum over its chunks."""
        ...

    def search(self, vector: Vectors, k: int, scope: Sequence[str] = ()) -> Hits:
        """The `k` best chunks for a vector `(dimension,)`, within the documents of `scope` if any."""
        ...

    def chunks(self, document: str) -> list[Chunk]:
        """All chunks of a document, in its order."""
        ...

    def document(self, id: str) -> Document:  # noqa: A002 (the field's own name)
        ...

    def page(self, document: str, at: int) -> int | None:
        """The page that holds the character at `at`; `None` without pages."""
        ...


class Corpus(Texts, Protocol):
    """Texts that bring what embeds questions about them: `Engine.ask` takes one in the place of a corpus's name."""

    @property
    def embedder(self) -> QueryEmbedder: ...
