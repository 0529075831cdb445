"""A reader's evidence becomes a probability: monotone, bounded, and the same from its file."""

from __future__ import annotations

import pytest

from selfroute.readers.evidence import LEAD, Calibration, Evidence, lead, logistic, mentioned

CALIBRATION = Calibration(bias=-2.0, score=0.5, lead=0.25)


def test_a_probability_lies_between_nought_and_one_however_great_the_odds() -> None:
    assert logistic(0.0) == 0.5
    assert logistic(-1000.0) == pytest.approx(0.0)
    assert logistic(1000.0) == pytest.approx(1.0)
    assert logistic(-1.0) + logistic(1.0) == pytest.approx(1.0)


def test_log_odds_are_the_weighted_sum_of_the_evidence() -> None:
    assert CALIBRATION.probability(Evidence(score=4.0, lead=2.0)) == pytest.approx(logistic(0.5))


def test_a_better_span_is_more_probable_and_so_is_one_without_a_rival() -> None:
    at = CALIBRATION.probability(Evidence(1.0, 2.0))
    assert CALIBRATION.probability(Evidence(3.0, 2.0)) > at
    assert CALIBRATION.probability(Evidence(1.0, 4.0)) > at


def test_a_calibration_survives_its_file() -> None:
    assert Calibration.of(CALIBRATION.about()) == CALIBRATION


def test_an_answer_without_a_rival_has_the_whole_lead() -> None:
    assert lead(3.0, []) == LEAD
    assert lead(3.0, [1.0, 2.5]) == 0.5
    assert lead(3.0, [-50.0]) == LEAD


def test_a_text_that_mentions_more_of_the_question_has_the_greater_share() -> None:
    texts = ["The mole at Lund.", "The lighthouse at Skarvik was painted.", "Tugs and pilots.", "Lighthouses abound."]
    shares = mentioned("Who painted the lighthouse at Skarvik?", texts)
    assert shares[1] == pytest.approx(1.0)
    assert shares[0] == shares[2] == 0.0
    assert 0 < shares[3] < shares[1]


def test_a_rare_word_of_the_question_weighs_more_than_a_common_one() -> None:
    texts = ["harbour of Lund", "harbour and town", "harbour and tugs", "harbour"]
    shares = mentioned("harbour Lund", texts)
    assert shares[0] - shares[1] > shares[1]


@pytest.mark.parametrize("question", ["", "Who is it?", "???"])
def test_a_question_without_telling_words_favours_no_text(question: str) -> None:
    assert mentioned(question, ["One text.", "Another one."]) == [0.0, 0.0]
    assert mentioned(question, []) == []
