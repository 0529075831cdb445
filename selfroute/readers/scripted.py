"""Readers for tests and measurements: one follows a script, one knows its answers. Both count words as tokens."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from selfroute.types import Call, Citation, Draft, Reading, Record, Shown, Usage


@dataclass(frozen=True, slots=True)
class Line:
    """What the reader does at one reading: `answer` or, with `None`, decline; `error` makes the call fail, after the
    answer was shown."""

    answer: str | None
    error: Exception | None = None


def answers(text: str) -> Line:
    return Line(text)


def declines() -> Line:
    return Line(None)


def fails(error: Exception, after: str | None = None) -> Line:
    return Line(after, error)


@dataclass(slots=True)
class ScriptedReader:
    """Follows `script` line by line and keeps the readings it was given in `readings`. Shows answers word by word."""

    script: Sequence[Line]
    model: str = "scripted"
    window: int = 1_000_000
    max_output_tokens: int = 10
    readings: list[Reading] = field(default_factory=list)

    @property
    def counted_by(self) -> str:
        return "words"

    def count_tokens(self, reading: Reading) -> int:
        return _words(reading)

    async def read(self, reading: Reading, record: Record, shown: Shown | None = None) -> Draft:
        line = self.script[len(self.readings)]
        self.readings.append(reading)
        usage = Usage(input_tokens=self.count_tokens(reading), output_tokens=len((line.answer or "").split()))
        error = None if line.error is None else str(line.error)
        if shown is not None:
            for word in re.findall(r"\S+\s*", line.answer or ""):
                await shown(word)
        await record(Call(reading.stage, self.model, usage, seconds=0.0, error=error))
        if line.error is not None:
            raise line.error
        if line.answer is None:
            return Draft(declined=True, route=reading.route)
        return Draft(False, reading.route, line.answer, _located(line.answer, reading))


@dataclass(frozen=True, slots=True)
class KnowingReader:
    """Knows the answers by question: gives one if it stands in the text it is shown, else declines. Takes `seconds`
    for a reading, and raises for the questions in `fails`. Nothing in it depends on what it read before."""

    known: Mapping[str, str]
    seconds: float = 0.0
    fails: frozenset[str] = frozenset()
    model: str = "knowing"
    window: int = 1_000_000
    max_output_tokens: int = 10

    @property
    def counted_by(self) -> str:
        return "words"

    def count_tokens(self, reading: Reading) -> int:
        return _words(reading)

    async def read(self, reading: Reading, record: Record, shown: Shown | None = None) -> Draft:
        question = reading.question.text or ""
        await asyncio.sleep(self.seconds)
        usage = Usage(input_tokens=self.count_tokens(reading))
        error = "asked to fail" if question in self.fails else None
        await record(Call(reading.stage, self.model, usage, seconds=self.seconds, error=error))
        if error is not None:
            raise RuntimeError(error)
        answer = self.known.get(question)
        found = _located(answer, reading) if answer is not None else ()
        return Draft(not found, reading.route, answer if found else None, found)


def _words(reading: Reading) -> int:
    texts = [reading.question.text or "", *(passage.text for passage in reading.passages)]
    return sum(len(text.split()) for text in texts)


def _located(answer: str, reading: Reading) -> tuple[Citation, ...]:
    for passage in reading.passages:
        at = passage.text.find(answer)
        if at >= 0:
            start = passage.start + at
            return (Citation(passage.document, None, start, start + len(answer), answer, None),)
    return ()
