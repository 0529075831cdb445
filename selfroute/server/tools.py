"""What a program that uses tools may do here: the same desk, callers and limits as for every other API.

Knows nothing of the protocol that it is called by.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from selfroute.index.upkeep import Listed
from selfroute.server.access import Caller
from selfroute.server.desk import Ask
from selfroute.server.parts import Parts
from selfroute.server.problems import outward
from selfroute.types import Answer, Found, Question, Terms


class Tools:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @property
    def policies(self) -> tuple[str, ...]:
        return self._parts.policies

    async def admit(self, bearer: str | None) -> Caller:
        """As `Access.admit`."""
        return await self._parts.access.admit(bearer)

    async def search(
        self, caller: Caller, query: str, corpus: str, k: int | None, documents: Sequence[str]
    ) -> tuple[Found, ...]:
        return await self._parts.desk.search(query, corpus, caller, k, documents)

    async def ask(
        self, caller: Caller, question: Question, policy: str, corpus: str, k: int | None, terms: Terms
    ) -> Answer:
        """Whoever calls this ends the question by cancelling it."""
        stays = asyncio.Event().wait
        return await self._parts.desk.ask(Ask(question, policy, corpus, k, terms), caller, stays)

    async def listed(self, caller: Caller) -> list[Listed]:
        """The corpora that the caller may ask, those that cannot be opened included."""
        held = self._parts.corpora
        names = caller.among(await asyncio.to_thread(held.names))
        return await asyncio.to_thread(lambda: [held.look(name, outward) for name in names])
