"""Token F1 by hand-computed cases and invariants."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfroute.evaluation.metrics.qa import best_f1, normalized, token_f1


@pytest.mark.parametrize(
    ("prediction", "reference", "score"),
    [
        ("the Port-Master", "portmaster", 1.0),
        ("Ann Reid", "Ann", 2 / 3),
        ("two two", "two", 2 / 3),
        ("no", "yes", 0.0),
        ("", "yes", 0.0),
        ("the", "a", 0.0),
        ("14 May 1987", "on 14 May 1987", 6 / 7),
    ],
)
def test_f1_is_the_harmonic_mean_over_normalised_tokens(prediction: str, reference: str, score: float) -> None:
    assert token_f1(prediction, reference) == pytest.approx(score)


def test_the_best_reference_counts() -> None:
    assert best_f1("Ann", ["Bob", "Ann Reid", "ann."]) == 1.0


def test_a_decline_is_scored_as_unanswerable() -> None:
    assert best_f1(None, ["unanswerable"]) == 1.0
    assert best_f1(None, ["Ann"]) == 0.0
    assert best_f1("Ann", ["unanswerable"]) == 0.0


@given(st.text(), st.text())
def test_f1_is_symmetric_bounded_and_one_for_itself(one: str, other: str) -> None:
    assert 0.0 <= token_f1(one, other) <= 1.0
    assert token_f1(one, other) == pytest.approx(token_f1(other, one))
    assert token_f1(one, one) == (1.0 if normalized(one) else 0.0)


@given(st.text(), st.text(), st.text())
def test_one_more_reference_never_lowers_the_score(prediction: str, one: str, other: str) -> None:
    assert best_f1(prediction, [one, other]) >= best_f1(prediction, [one])
