"""Numbers in a prediction share the credit; those equal to the answer have it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfroute.errors import UnscorableRecord
from selfroute.evaluation.metrics.counting import count, retrieval, retrieval_zh


@pytest.mark.parametrize(
    ("prediction", "answer", "score"),
    [
        ("19", "19", 1.0),
        ("17 19 19", "19", 2 / 3),
        ("There are 19 of 30.", "19", 1 / 2),
        ("none", "19", 0.0),
        ("", "19", 0.0),
        ("190", "19", 0.0),
        ("019", "19", 0.0),  # compared as text
        ("1.5", "5", 1 / 2),  # a point parts numbers
        ("-5", "5", 1.0),  # a sign is none
    ],
)
def test_the_score_is_the_share_of_right_numbers(prediction: str, answer: str, score: float) -> None:
    assert count(prediction, answer) == pytest.approx(score)


def test_a_number_longer_than_an_integer_may_be_is_no_matter() -> None:
    assert count("9" * 5_000, "9" * 5_000) == 1


def test_retrieval_asks_for_the_number_of_the_paragraph() -> None:
    assert retrieval("Paragraph 7", "Paragraph 7") == 1
    assert retrieval("7", "Paragraph 7") == 1
    assert retrieval("Paragraph 7 or 8", "Paragraph 7") == 1 / 2
    assert retrieval("7", "Paragraph 7 or Paragraph 8") == 1  # the answer's first number counts
    assert retrieval_zh("段落7", "段落7") == 1


@pytest.mark.parametrize("answer", ["7", "paragraph 7", "Paragraph seven", "段落7"])
def test_an_answer_without_its_paragraph_cannot_be_scored(answer: str) -> None:
    with pytest.raises(UnscorableRecord, match="'Paragraph ' and a number"):
        retrieval("7", answer)


def test_a_chinese_answer_without_its_paragraph_cannot_be_scored() -> None:
    with pytest.raises(UnscorableRecord, match="'段落' and a number"):
        retrieval_zh("7", "Paragraph 7")


@given(st.text("012 a"), st.text("012", min_size=1, max_size=2))
def test_the_score_is_bounded_and_1_for_the_answer_alone(prediction: str, answer: str) -> None:
    assert 0 <= count(prediction, answer) <= 1
    assert count(answer, answer) == 1
