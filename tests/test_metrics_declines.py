"""Declines are right or wrong, and some are missed; every question is counted once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from selfroute.evaluation.metrics.declines import Declines, Judged, count_declines

judged = st.lists(st.builds(Judged, st.booleans(), st.booleans(), st.booleans()))


def test_each_kind_is_counted() -> None:
    questions = [
        Judged(answerable=True, declined=False, right=True),
        Judged(answerable=True, declined=False, right=True),
        Judged(answerable=True, declined=False, right=False),
        Judged(answerable=True, declined=True),
        Judged(answerable=False, declined=True),
        Judged(answerable=False, declined=True),
        Judged(answerable=False, declined=False),
    ]
    counts = count_declines(questions)
    assert counts == Declines(answered=4, right_answers=2, right_declines=2, wrong_declines=1, missed_declines=1)
    assert counts.questions == 7
    assert counts.accuracy == (2 + 2) / 7
    assert counts.precision == 2 / 3
    assert counts.recall == 2 / 3


def test_an_answer_to_a_question_without_one_is_never_right() -> None:
    assert count_declines([Judged(answerable=False, declined=False, right=True)]) == Declines(
        answered=1, missed_declines=1
    )


def test_a_decline_is_judged_by_the_document_alone() -> None:
    assert count_declines([Judged(answerable=False, declined=True, right=True)]) == Declines(right_declines=1)
    assert count_declines([Judged(answerable=True, declined=True, right=True)]) == Declines(wrong_declines=1)


def test_a_share_of_nothing_is_unknown() -> None:
    nothing = count_declines([])
    assert nothing == Declines()
    assert nothing.accuracy is nothing.precision is nothing.recall is None


@given(judged)
def test_every_question_is_counted_once(questions: list[Judged]) -> None:
    counts = count_declines(questions)
    assert counts.questions == len(questions)
    assert counts.right_answers + counts.missed_declines <= counts.answered
    assert counts.right_declines + counts.wrong_declines == sum(one.declined for one in questions)
    assert counts.right_declines + counts.missed_declines == sum(not one.answerable for one in questions)
