"""A second model that grades answers in words, and says why retrieval failed a question. Knows nothing of files.

A judge that fails gives no grade: a failure is never a 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from selfroute.endpoints import Endpoint, Request
from selfroute.errors import UnusableReply
from selfroute.prompts import REASONS, Prompt, diagnosis, grading, judging_fingerprint, verdict_schema
from selfroute.replies import Unreadable, read_object
from selfroute.types import Record, Stage

ROOM = 400
"""Tokens of a reply: a sentence and a number."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer to be judged. `references` are alternatives."""

    question: str | None
    references: tuple[str, ...]
    answer: str
    answerable: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """`value` is a grade from 0 to 1, or a letter of `REASONS`; `reason` is the judge's own."""

    value: float | str
    reason: str


class Judge(Protocol):
    @property
    def name(self) -> str:
        """The model and the words it is asked in: verdicts of another do not compare."""
        ...

    async def grade(self, asked: Asked, record: Record) -> Verdict:
        """How far the answer is right, 0 to 1. Raises what its endpoint raises, `UnusableReply` among it."""
        ...

    async def why(self, asked: Asked, record: Record) -> Verdict:
        """Why retrieval failed the question: a letter of `REASONS`. Raises as `grade`."""
        ...


@dataclass(frozen=True, slots=True)
class ModelJudge:
    """A judge behind an endpoint."""

    endpoint: Endpoint

    @property
    def name(self) -> str:
        return f"{self.endpoint.model} {judging_fingerprint()}"

    async def grade(self, asked: Asked, record: Record) -> Verdict:
        prompt = grading(asked.question, asked.references, asked.answer, answerable=asked.answerable)
        value, reason = await self._said(prompt, "grade", record)
        if isinstance(value, str):
            value = _number(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:  # nor NaN
            raise self._unusable("the reply gives no grade from 0 to 1")
        return Verdict(float(value), reason)

    async def why(self, asked: Asked, record: Record) -> Verdict:
        value, reason = await self._said(diagnosis(asked.question, asked.references, asked.answer), "letter", record)
        letter = str(value).strip().upper()
        if letter not in REASONS:
            raise self._unusable(f"the reply gives none of the letters {', '.join(REASONS)}")
        return Verdict(letter, reason)

    async def _said(self, prompt: Prompt, name: str, record: Record) -> tuple[object, str]:
        request = Request(
            Stage.JUDGE,
            prompt.text,
            prompt.system,
            max_output_tokens=min(ROOM, self.endpoint.max_output_tokens),
            schema=verdict_schema(name) if self.endpoint.schemas else None,
        )
        completion = await self.endpoint.complete(request, record)
        if completion.refusal or completion.finish == "content_filter":
            raise self._unusable("the model refused to judge")
        try:
            fields = read_object(completion.text)
        except Unreadable as error:
            raise self._unusable(f"the reply {error}") from error
        return fields.get(name), " ".join(str(fields.get("reason") or "").split())

    def _unusable(self, reason: str) -> UnusableReply:
        return UnusableReply(self.endpoint.where, reason)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
