"""Numbers in a prediction against one right number, as LongBench scores passage_count and passage_retrieval."""

from __future__ import annotations

import re

from selfroute.errors import UnscorableRecord


def count(prediction: str, answer: str) -> float:
    """The share of the numbers in the prediction that are `answer`, compared as text; 0 if there is none."""
    numbers = re.findall(r"\d+", prediction)
    return numbers.count(answer) / len(numbers) if numbers else 0.0


def retrieval(prediction: str, answer: str) -> float:
    """`count` for an answer such as "Paragraph 7". Raises `UnscorableRecord`."""
    return count(prediction, _number(answer, "Paragraph "))


def retrieval_zh(prediction: str, answer: str) -> float:
    """`count` for an answer such as "段落7". Raises `UnscorableRecord`."""
    return count(prediction, _number(answer, "段落"))


def _number(answer: str, word: str) -> str:
    found = re.search(rf"{word}(\d+)", answer)
    if not found:
        raise UnscorableRecord(f"the answer {answer!r} names no paragraph: it must hold '{word}' and a number")
    return found.group(1)
