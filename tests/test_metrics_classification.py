"""A prediction names the right class or shares the credit with the other classes it names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfroute.evaluation.metrics.classification import classification

CLASSES = ["Food", "Date", "Abbreviation", "expression", "Abbreviation expression"]
names = st.lists(st.text("ab ", min_size=1, max_size=4), min_size=1, max_size=6, unique=True)


@pytest.mark.parametrize(
    ("prediction", "answer", "score"),
    [
        ("Date", "Date", 1.0),
        ("Type: Date.", "Date", 1.0),
        ("Date or Food", "Food", 1 / 2),
        ("date", "Date", 0.0),  # letter case counts
        ("Food", "Date", 0.0),
        ("", "Date", 0.0),
        ("Abbreviation", "Abbreviation expression", 0.0),
        ("Abbreviation expression", "expression", 1 / 3),  # the two others are no parts of the answer
        ("Date", "Weekday", 0.0),  # an answer that is no class is never named
    ],
)
def test_the_credit_is_shared_among_the_named_classes(prediction: str, answer: str, score: float) -> None:
    assert classification(prediction, answer, CLASSES) == pytest.approx(score)
    assert classification(prediction, answer, CLASSES, "fixed") == pytest.approx(score)


def test_strict_skips_the_class_after_a_removed_one_and_fixed_does_not() -> None:
    # named: Abbreviation, expression, Abbreviation expression; removing the first makes the loop miss the second
    assert classification("Abbreviation expression", "Abbreviation expression", CLASSES) == 1 / 2
    assert classification("Abbreviation expression", "Abbreviation expression", CLASSES, "fixed") == 1


@given(names, st.text("ab ", max_size=12), st.data())
def test_fixed_never_scores_below_strict(classes: list[str], prediction: str, data: st.DataObject) -> None:
    answer = data.draw(st.sampled_from(classes))
    strict, fixed = (classification(prediction, answer, classes, mode) for mode in ("strict", "fixed"))
    assert 0 <= strict <= fixed <= 1
    assert (fixed > 0) == (answer in prediction)


@given(names, st.data())
def test_fixed_scores_the_answer_itself_1(classes: list[str], data: st.DataObject) -> None:
    answer = data.draw(st.sampled_from(classes))
    assert classification(answer, answer, classes, "fixed") == 1
