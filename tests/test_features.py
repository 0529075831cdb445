"""What is known before the documents are read: exact on values small enough to check by hand."""

from __future__ import annotations

import math

import pytest

from selfroute.routing.features import Features, features
from selfroute.types import Chunk, Citation, Draft, Estimate, Hit, Hits, Question, Route

READING = Estimate(100, None, ("harbour",), True)
QUESTION = Question("Who approves night work at the quay?")
TEXTS = ("Olof Berg approves night work.", "The quay is long.", "Moose live there.")


def hits(*scores: float) -> Hits:
    places = zip(TEXTS, scores, strict=False)
    return tuple(Hit(Chunk("harbour", 0, len(text), text, 5), score) for text, score in places)


HITS = hits(0.9, 0.8, 0.3)
ANSWER = Draft(False, Route.RAG, "Olof Berg", (Citation("harbour", None, 0, 4, "Olof", None),), confidence=0.5)
JUDGED = Draft(False, Route.RAG, "Olof Berg", score=2.0, guess="Olof Berg", confidence=0.75)


def known(*args: Draft | None) -> Features:
    return features(QUESTION, HITS, READING, *args)


def test_retrieval_is_told_by_its_scores() -> None:
    made = known()
    assert (made.top, made.gap, made.share, made.length) == (0.9, pytest.approx(0.6), 0.15, math.log(100))
    assert made.mean == pytest.approx(2 / 3)
    assert made.cut == pytest.approx(2 / 3)  # the largest gap is between the second and the third
    assert made.mentioned == 1.0  # approves, night, work; at is a plain word, and so is who; quay


def test_entropy_is_one_for_equal_scores_and_none_for_a_single_hit() -> None:
    assert features(QUESTION, hits(0.5, 0.5), READING).entropy == pytest.approx(1)
    assert features(QUESTION, hits(0.5), READING).entropy == 0
    spread = features(QUESTION, hits(0.9, 0.8), READING).entropy
    low = 1 / (1 + math.exp(2))
    assert spread == pytest.approx(-(low * math.log(low) + (1 - low) * math.log(1 - low)) / math.log(2))


def test_without_hits_retrieval_is_unknown_and_not_nought() -> None:
    made = features(QUESTION, (), READING)
    assert {made.top, made.mean, made.gap, made.entropy, made.cut, made.mentioned} == {None}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Did revenue increase compared to 2023?", "compares"),
        ("How many ships are there?", "counts"),
        ("Why was the quay built?", "reasons"),
        ("What is the main purpose of the paper?", "whole"),
    ],
)
def test_the_kind_of_a_question_is_told_by_its_wording(text: str, kind: str) -> None:
    assert features(Question(text), HITS, READING).named()[kind] == 1
    assert features(Question("Who is Olof Berg?"), HITS, READING).named()[kind] == 0


def test_what_was_not_drafted_or_judged_is_unknown() -> None:
    assert (known().declined, known().judge_score) == (None, None)
    assert (known(ANSWER).judge_score, known(ANSWER).agreement) == (None, None)


def test_a_chunk_answer_is_told_by_its_words_its_evidence_and_its_own_odds() -> None:
    made = known(ANSWER, JUDGED)
    assert (made.declined, made.located, made.worded, made.confidence) == (0, 1, 1, 0)
    assert made.answer_words == pytest.approx(math.log(3))
    assert (made.judge_score, made.agreement) == (2.0, 1)
    assert made.judge_confidence == pytest.approx(math.log(3))


def test_a_decline_words_nothing_and_agrees_with_nothing() -> None:
    made = known(Draft(True, Route.RAG), JUDGED)
    assert (made.declined, made.answer_words, made.worded, made.agreement) == (1, 0, 0, 0)


def test_the_bundled_reader_is_its_own_judge_and_agreement_says_nothing() -> None:
    made = known(JUDGED, JUDGED)
    assert (made.judge_score, made.agreement, made.confidence) == (2.0, None, None)


def test_certainty_has_finite_odds() -> None:
    sure = Draft(False, Route.RAG, "Olof", confidence=1.0)
    assert math.isfinite(known(sure).confidence or math.inf)


def test_in_letters_of_which_no_words_are_known_nothing_is_told_of_words() -> None:
    foreign = features(Question("谁批准夜间工作？"), HITS, READING, Draft(False, Route.RAG, "港务长"))
    assert (foreign.mentioned, foreign.worded) == (None, None)
    figures = features(Question("1998?"), HITS, READING, Draft(False, Route.RAG, "42"))
    assert (figures.mentioned, figures.worded) == (0.0, 0.0)
