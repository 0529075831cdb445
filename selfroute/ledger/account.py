"""The ledger as an engine keeps it: no thread waits for the disk.

Knows nothing of how a question is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from selfroute.ledger import Ledger, rows
from selfroute.ledger.writer import Write
from selfroute.types import Answer, Call, Question, Usage


class LedgerAccount:
    """The `Account` of an engine that stands in a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def begin(self, id: str, question: Question, policy: str, corpus: str, key: str | None = None) -> None:  # noqa: A002
        await self._written(rows.asked(id, question, policy, corpus, key))

    async def record(self, question: str, call: Call) -> None:
        await self._written(rows.called(question, call))

    async def finish(self, answer: Answer) -> None:
        await self._written(rows.finished(answer))

    def fail(self, id: str, error: str) -> None:  # noqa: A002
        self._ledger.fail(id, error)

    def read(self, corpus: str, model: str, seconds: float) -> Sequence[Usage]:
        return self._ledger.read(corpus, model, seconds)

    async def _written(self, write: Write) -> None:
        await asyncio.wrap_future(self._ledger.writer.submit(write))
