"""The policies: each decides what is read, in which order, until an answer stands.

A policy sees only `Steps`. Knows nothing of models, prompts, storage or money; `final=True` says that
nothing can overrule this draft, so it may be streamed as it is made.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Protocol

from selfroute.types import Draft, Estimate, Hits, Move, Question


class Steps(Protocol):
    """The moves a policy can make."""

    async def retrieve(self, question: Question, k: int | None = None) -> Hits: ...

    def estimate(self, question: Question, hits: Hits, move: Move) -> Estimate:
        """What a reading would take; makes no call."""
        ...

    async def read_chunks(self, question: Question, hits: Hits, *, final: bool = False) -> Draft: ...

    async def read_documents(self, question: Question, hits: Hits, *, final: bool = False) -> Draft: ...


Policy = Callable[[Question, Steps], Awaitable[Draft]]


async def self_route(question: Question, steps: Steps) -> Draft:
    """Read the chunks; read the documents only if the reader declines (Li et al., EMNLP 2024)."""
    hits = await steps.retrieve(question)
    draft = await steps.read_chunks(question, hits)
    return await steps.read_documents(question, hits, final=True) if draft.declined else draft


async def always_rag(question: Question, steps: Steps) -> Draft:
    """Read the chunks and leave it at that."""
    hits = await steps.retrieve(question)
    return await steps.read_chunks(question, hits, final=True)


async def always_long(question: Question, steps: Steps) -> Draft:
    """Read the documents at once. Hits only choose which documents, so a task without a query can do without."""
    hits = await steps.retrieve(question) if question.text is not None else ()
    return await steps.read_documents(question, hits, final=True)


POLICIES: Mapping[str, Callable[[], Policy]] = MappingProxyType(
    {
        "self_route": lambda: self_route,
        "always_rag": lambda: always_rag,
        "always_long": lambda: always_long,
    }
)
"""From name to factory; what a policy needs beyond `Steps` is given to its factory in `build.py`."""
