"""Readings that are made once: a reader that answers from a record of what was read before, and reads only
what is not in it. Ten policies over one question then cost two readings.

A reading is known by all that decides its outcome: the reader's model, the question, its task and every
passage that is shown. Knows nothing of files: where readings are kept is `Readings`' concern.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Protocol
from weakref import WeakValueDictionary

from selfroute.errors import BadInput
from selfroute.readers import Before, Reader
from selfroute.types import Call, Citation, Draft, Reading, Record, Route, Shown, Usage


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one reading gave, and the calls it took (without their cost: they are priced when they are replayed)."""

    draft: Draft
    calls: tuple[Call, ...]


class Readings(Protocol):
    """Where readings are kept by key."""

    def find(self, key: str) -> Recorded | None: ...

    def keep(self, key: str, recorded: Recorded) -> None:
        """Durable against the end of the process when it returns."""
        ...

    def waste(self, key: str, calls: Sequence[Call]) -> None:
        """Keeps what a reading took that came to nothing. It is not found again, but it was paid for."""
        ...


class RecordedReader(Before):
    """Stands before `reader` and asks it only for readings that `readings` does not hold.

    A replayed reading hands its recorded calls to `record` again, with their usage and seconds, so that each
    policy is charged what it would have cost alone. A reading that failed is not kept, its calls are.
    """

    def __init__(self, reader: Reader, readings: Readings) -> None:
        super().__init__(reader)
        self._readings = readings
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def read(self, reading: Reading, record: Record, shown: Shown | None = None) -> Draft:
        key = key_of(reading, self._reader.model)
        # The same question may be in flight twice, as in a dataset and in a selection from it.
        turn = self._turns.setdefault(key, asyncio.Lock())
        async with turn:
            return await self._read(key, reading, record, shown)

    async def _read(self, key: str, reading: Reading, record: Record, shown: Shown | None) -> Draft:
        known = self._readings.find(key)
        if known is not None:
            for call in known.calls:
                await record(call)
            return known.draft
        calls: list[Call] = []

        async def noted(call: Call) -> None:
            calls.append(call)
            await record(call)

        try:
            draft = await self._reader.read(reading, noted, shown)
        except BaseException:  # a cancellation too
            if calls:
                self._readings.waste(key, calls)
            raise
        self._readings.keep(key, Recorded(draft, tuple(calls)))
        return draft


@dataclass(frozen=True, slots=True)
class Said:
    """What a real model answered to a question from chunks (`rag`) and from the whole document (`long`)."""

    rag: str
    long: str


@dataclass(frozen=True, slots=True)
class AnswersReader:
    """Replays a real model's recorded answers, whatever text it is shown: a test bed for policies.

    `said` is by (document, question); `refuses` tells a decline by its words; `count` counts tokens, by another
    tokenizer than the model's own, so that usage is an estimate; `cites` finds evidence for an answer in what would
    have been shown, since none was recorded. Raises `BadInput` for what was not recorded.
    """

    model: str
    said: Mapping[tuple[str, str], Said]
    refuses: Callable[[str], bool]
    count: Callable[[str], int]
    cites: Callable[[str, Reading], tuple[Citation, ...]] = lambda answer, reading: ()
    window: int = 1_000_000
    max_output_tokens: int = 4_096

    @property
    def counted_by(self) -> str:
        return "another model's tokenizer, an approximation"

    def count_tokens(self, reading: Reading) -> int:
        return self.count(reading.question.text or "") + sum(self.count(passage.shown) for passage in reading.passages)

    async def read(self, reading: Reading, record: Record, shown: Shown | None = None) -> Draft:
        document = reading.passages[0].document if reading.passages else ""
        said = self.said.get((document, reading.question.text or ""))
        if said is None:
            raise BadInput(f"no answer of {self.model} is recorded for this question about {document!r}")
        text = said.rag if reading.route is Route.RAG else said.long
        usage = Usage(input_tokens=self.count_tokens(reading), output_tokens=self.count(text))
        await record(Call(reading.stage, self.model, usage, seconds=0.0, estimated=True))
        if self.refuses(text):
            return Draft(True, reading.route, guess=text)
        cited = await asyncio.to_thread(self.cites, text, reading)
        return Draft(False, reading.route, text, cited, guess=text)


def key_of(reading: Reading, model: str) -> str:
    """Hex SHA-256 over all that decides what a reader makes of a reading."""
    shown = [
        (p.document, p.start, sha256(p.shown.encode("utf-8", "surrogatepass")).hexdigest()) for p in reading.passages
    ]
    known = [model, reading.route, reading.question.text, asdict(reading.question.task), shown]
    return sha256(json.dumps(known).encode()).hexdigest()
