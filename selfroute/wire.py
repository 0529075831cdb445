"""Answers and sums as JSON values, and a conversation from them: the contract of `--json` and of the service.

Costs are decimal strings in US dollars, so that no digit is lost; null when a price is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from pathlib import Path

from selfroute.errors import BadInput
from selfroute.types import Answer, Outcome, Turn

DECLINED: Mapping[Outcome, str] = {
    Outcome.NOT_IN_DOCUMENT: "The documents do not answer this question.",
    Outcome.INSUFFICIENT: "What was read of the documents does not answer this question.",
}
"""What is said where there is no answer, to those who know no null."""


def said(answer: Answer) -> str:
    """The answer, or a sentence that says that there is none."""
    return answer.answer if answer.answer is not None else DECLINED[answer.outcome]


def to_json(value: object) -> object:
    """Frozen nouns, decimals and enums as what `json.dumps` takes; field names stay as they are."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [to_json(item) for item in value]
    return value


def turns(value: object) -> tuple[Turn, ...]:
    """The turns of a conversation from a list of objects, each with a `question` and an `answer`, which may be null.
    Other fields are left alone, so that whole answers can be given. Raises `BadInput`."""
    if not isinstance(value, list):
        raise BadInput('it must be a list of turns: [{"question": "...", "answer": "..."}]')
    return tuple(_turn(item, number) for number, item in enumerate(value, 1))


def _turn(item: object, number: int) -> Turn:
    if not isinstance(item, Mapping):
        raise BadInput(f"turn {number} is no object: give it a question and an answer")
    question, answer = item.get("question"), item.get("answer")
    if not isinstance(question, str) or not question.strip():
        raise BadInput(f'turn {number} has no question: write what was asked under "question"')
    if "answer" not in item or not isinstance(answer, str | None):
        raise BadInput(f'turn {number} has no answer: write it under "answer", or null where there was none')
    return Turn(question, answer)
