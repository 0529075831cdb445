"""The seam for embedders: texts in, unit vectors and the tokens it took out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from selfroute.types import Vectors
from selfroute.waiting import GivenUp

BATCH = 32
"""Texts that are embedded before it is asked whether anybody still waits: about half a second on two cores."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """Unit vectors `(len(texts), dimension)` and the word pieces really processed."""

    vectors: Vectors
    tokens: int


class QueryEmbedder(Protocol):
    """What embeds questions as the texts of a corpus were embedded."""

    @property
    def name(self) -> str: ...

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Blocking: call it in a worker thread from async code."""
        ...


class Embedder(Protocol):
    """`name` is stored with an index: an index opens only with the embedder that made it."""

    @property
    def name(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    @property
    def max_tokens(self) -> int:
        """The longest text, in its own tokens, that is embedded whole."""
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens of `text` without special ones."""
        ...

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Blocking: call it in a worker thread from async code."""
        ...


def embed_all(embedder: Embedder, texts: Sequence[str], given_up: Callable[[], bool]) -> Embedded:
    """As `Embedder.embed`, a batch at a time; raises `GivenUp` before the next once `given_up` says so."""
    made = []
    for at in range(0, max(len(texts), 1), BATCH):
        if given_up():
            raise GivenUp
        made.append(embedder.embed(texts[at : at + BATCH]))
    return Embedded(np.concatenate([one.vectors for one in made]), sum(one.tokens for one in made))
