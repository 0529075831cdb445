"""LongBench v2's answers are found where its prompt asks for them, and nowhere else."""

from __future__ import annotations

import pytest

from selfroute.evaluation.metrics.choice import chosen, multiple_choice


@pytest.mark.parametrize(
    ("prediction", "letter"),
    [
        ("The correct answer is (B)", "B"),
        ("The correct answer is B", "B"),
        ("**The correct answer is (B)**.", "B"),
        ("The correct answer is **(B)**.", "B"),
        ("The correct answer is A. No: The correct answer is (C)", "C"),  # parentheses first
        ("The correct answer is (A), not: The correct answer is (C)", "A"),
        ("The correct answer is Definitely not known", "D"),  # the official pattern asks for no end of the word
        ("the correct answer is (B)", "B"),
        ("The correct answer is (E)", None),
        ("The correct answer is: (B)", "B"),
        ("B", "B"),
        ("(B)", "B"),
        ("**B**.", "B"),
        ("[C]", "C"),
        ("Answer: D", "D"),
        ("B. noon, when the tide is high", "B"),
        ("(B) noon", "B"),
        ("A dog barked at noon.", None),
        ("Both A and B", None),
        ("The answer is a dog.", None),
        ("", None),
    ],
)
def test_the_letter_follows_the_phrase(prediction: str, letter: str | None) -> None:
    assert chosen(prediction) == letter


def test_an_option_that_is_repeated_is_chosen() -> None:
    options = ("at dawn", "at noon", "at dusk", "at night")
    assert chosen("At noon.", options) == "B"
    assert chosen("At noon or at dusk.", options) is None
    assert chosen("The same", ("the same", "The same.", "no", "yes")) is None


def test_only_the_right_letter_scores() -> None:
    assert multiple_choice("The correct answer is (B)", "B") == 1
    assert multiple_choice("The correct answer is (B)", "C") == 0


def test_a_prediction_that_chooses_nothing_is_wrong() -> None:
    assert multiple_choice("", "A") == 0
