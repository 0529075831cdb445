"""A reader for tests: answers or declines as its script says, counting words as tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from selfroute.types import Call, Citation, Draft, Reading, Record, Usage


@dataclass(frozen=True, slots=True)
class Line:
    """What the reader does at one reading: `answer` or, with `None`, decline; `error` makes the call fail."""

    answer: str | None
    error: Exception | None = None


def answers(text: str) -> Line:
    return Line(text)


def declines() -> Line:
    return Line(None)


def fails(error: Exception) -> Line:
    return Line(None, error)


@dataclass(slots=True)
class ScriptedReader:
    """Follows `script` line by line and keeps the readings it was given in `readings`."""

    script: Sequence[Line]
    model: str = "scripted"
    window: int = 1_000_000
    readings: list[Reading] = field(default_factory=list)

    def count_tokens(self, reading: Reading) -> int:
        texts = [reading.question.text or "", *(passage.text for passage in reading.passages)]
        return sum(len(text.split()) for text in texts)

    async def read(self, reading: Reading, record: Record) -> Draft:
        line = self.script[len(self.readings)]
        self.readings.append(reading)
        usage = Usage(input_tokens=self.count_tokens(reading), output_tokens=len((line.answer or "").split()))
        error = None if line.error is None else str(line.error)
        await record(Call(reading.stage, self.model, usage, seconds=0.0, error=error))
        if line.error is not None:
            raise line.error
        if line.answer is None:
            return Draft(declined=True, route=reading.route)
        return Draft(False, reading.route, line.answer, self._located(line.answer, reading))

    def _located(self, answer: str, reading: Reading) -> tuple[Citation, ...]:
        for passage in reading.passages:
            at = passage.text.find(answer)
            if at >= 0:
                start = passage.start + at
                return (Citation(passage.document, None, start, start + len(answer), answer, None),)
        return ()
