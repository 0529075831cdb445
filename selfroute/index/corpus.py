"""The seam for corpora: what a question is retrieved from and read in. Knows nothing of how texts are kept.

An opened index is one; `selfroute.integrations` has others. All methods are blocking.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from selfroute.embedders import QueryEmbedder
from selfroute.types import Chunk, Document, Hit, Hits, Vectors

FURTHER = 4
"""By how much more is asked for where copies, or what is out of scope, take the place of what is looked for."""


def distinct(hits: Iterable[Hit]) -> Hits:
    """The first of each text: copies would fill the place of what else there is to read."""
    first: dict[str, Hit] = {}
    for hit in hits:
        first.setdefault(one_text(hit.chunk.shown), hit)
    return tuple(first.values())


def one_text(shown: str) -> str:
    """Return what the copies of a chunk have in common: how lines are broken makes no other text."""
    return " ".join(shown.split())


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
        """The `k` best chunks for a vector `(dimension,)`, within the documents of `scope` if any, and of equal texts
        one."""
        ...

    def chunks(self, document: str) -> list[Chunk]:
        """All chunks of a document, in its order."""
        ...

    def document(self, id: str) -> Document:  # noqa: A002 (the field's own name)
        ...

    def warnings(self, document: str) -> tuple[str, ...]:
        """Return what of a document could not be read."""
        ...

    def readable(self, document: str) -> float:
        """The share of a document that could be read, 0 to 1."""
        ...

    def page(self, document: str, at: int) -> int | None:
        """The page that holds the character at `at`; `None` without pages."""
        ...


class Corpus(Texts, Protocol):
    """Texts that bring what embeds questions about them: `Engine.ask` takes one in the place of a corpus's name."""

    @property
    def embedder(self) -> QueryEmbedder: ...
