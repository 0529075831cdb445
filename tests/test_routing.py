"""What speaks for an answer decides which of two stands."""

from __future__ import annotations

import pytest

from selfroute.routing import better_supported, supported
from selfroute.types import Citation, Draft, Route, Shape

QUOTE = (Citation("port", None, 0, 4, "text", 1.0),)
LIKE = (Citation("port", None, 0, 4, "text", 0.93),)


def draft(answer: str | None, citations: tuple[Citation, ...] = (), confidence: float | None = None) -> Draft:
    return Draft(answer is None, Route.RAG, answer, citations, confidence=confidence)


def test_an_answer_in_words_is_supported_by_text_and_another_needs_none() -> None:
    assert supported(draft("Olof", QUOTE), Shape.SPAN)
    assert not supported(draft("Olof"), Shape.SPAN)
    assert not supported(draft("Olof"), Shape.TEXT)
    assert supported(draft("B"), Shape.CHOICE)
    assert supported(draft("x = 1"), Shape.CODE)
    assert not supported(draft(None), Shape.CHOICE)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (draft("a"), draft(None)),
        (draft("a", QUOTE), draft("b", confidence=0.9)),
        (draft("a", QUOTE, 0.7), draft("b", QUOTE, 0.6)),
        (draft("a", QUOTE), draft("b", LIKE)),
    ],
)
def test_the_better_supported_draft_stands_whichever_comes_first(better: Draft, worse: Draft) -> None:
    assert better_supported((better, worse)) is better
    assert better_supported((worse, better)) is better


def test_the_first_of_equals_stands() -> None:
    first, second = draft("a", QUOTE), draft("b", QUOTE)
    assert better_supported((first, second)) is first
