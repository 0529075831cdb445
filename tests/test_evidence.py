"""A reader's evidence becomes a probability: monotone, bounded, and the same from its file."""

from __future__ import annotations

import pytest

from selfroute.readers.evidence import FEATURES, LEAD, Calibration, Evidence, lead, probability

CALIBRATION = Calibration((0.5, 0.25, 1.0, -0.5), -2.0, 0.1)


def test_a_probability_lies_between_nought_and_one_however_great_the_odds() -> None:
    assert probability(0.0) == 0.5
    assert probability(-1000.0) == pytest.approx(0.0)
    assert probability(1000.0) == pytest.approx(1.0)
    assert probability(-1.0) + probability(1.0) == pytest.approx(1.0)


def test_log_odds_are_the_weighted_sum_of_the_evidence() -> None:
    assert CALIBRATION.log_odds(Evidence(score=4.0, lead=2.0, named=0.5, size=1.0)) == pytest.approx(0.5)


def test_a_better_span_is_more_probable() -> None:
    weak, strong = (CALIBRATION.log_odds(Evidence(score, 2.0, 0.5, 1.0)) for score in (1.0, 3.0))
    assert probability(strong) > probability(weak)


def test_a_calibration_survives_its_file() -> None:
    assert Calibration.of(CALIBRATION.about()) == CALIBRATION
    assert set(CALIBRATION.about()["weights"]) == set(FEATURES)  # type: ignore[call-overload]


def test_an_answer_without_a_rival_has_the_whole_lead() -> None:
    assert lead(3.0, []) == LEAD
    assert lead(3.0, [1.0, 2.5]) == 0.5
    assert lead(3.0, [-50.0]) == LEAD
