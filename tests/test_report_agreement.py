"""Mean grades are over the questions that all policies have one for, and agreement is by rank and by distance."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from boards import declined, failed, row

from selfroute.evaluation.grades import Grade, place_of
from selfroute.evaluation.report.agreement import Judged, judged, rank_correlation
from selfroute.evaluation.report.board import board
from selfroute.evaluation.rows import Row
from selfroute.types import Call, Stage, Usage

CALL = Call(Stage.JUDGE, "judge", Usage(100, 20, output_tokens=5), 0.5, cost=Decimal("0.25"))


def grade(of: Row, value: float | str | None, f1: float = 0.5, recall: float = 0.5, kind: str = "grade") -> Grade:
    _, asked, answer = place_of(of)
    error = "EndpointTimeout: slow" if value is None else None
    return Grade(kind, "judge words", asked, answer, value, "so", error, f1, recall, (CALL,))  # type: ignore[arg-type]


def made(rows: list[Row], *grades: Grade) -> Judged:
    found = judged(board(rows), grades)
    assert found is not None
    return found


def test_a_policys_grade_is_the_mean_beside_its_score_on_the_same_questions() -> None:
    rows = [row("0", score=20.0), row("1", score=40.0, prediction="other")]
    found = made(rows, grade(rows[0], 1.0), grade(rows[1], 0.5))
    [one] = found.graded
    assert (one.policy, one.grade.mean, one.score, found.n) == ("always_rag", 75.0, 30.0, 2)


def test_declines_and_failures_are_graded_without_a_judge() -> None:
    rows = [
        *(row("0"), declined("1", "always_rag", 100.0, answerable=False)),
        *(declined("2", "always_rag", 0.0), failed("3", "always_rag")),
    ]
    found = made(rows, grade(rows[0], 1.0))
    assert found.graded[0].grade.mean == (100 + 100 + 0 + 0) / 4


def test_an_answer_without_a_grade_is_left_out_for_all_policies_and_counted() -> None:
    rows = [row("0"), row("0", "always_long", prediction="x"), row("1"), row("1", "always_long", prediction="y")]
    found = made(rows, grade(rows[0], 1.0), grade(rows[1], 0.0), grade(rows[2], 1.0), grade(rows[3], None))
    assert (found.n, found.ungraded, found.failed) == (1, 1, 1)
    assert [g.grade.mean for g in found.graded] == [100.0, 0.0]


def test_a_failure_that_was_tried_again_is_none() -> None:
    rows = [row("0")]
    found = made(rows, grade(rows[0], None), grade(rows[0], 0.5))
    assert (found.ungraded, found.failed, found.graded[0].grade.mean) == (0, 0, 50.0)


def test_agreement_is_by_rank_and_by_mean_distance() -> None:
    rows = [row(str(n), prediction=f"p{n}") for n in range(4)]
    values = [(1.0, 0.9, 0.4), (0.5, 0.5, 0.3), (0.25, 0.4, 0.2), (0.0, 0.0, 0.9)]
    found = made(rows, *[grade(r, *v) for r, v in zip(rows, values, strict=True)])
    by = {(p.one, p.other): p for p in found.pairs}
    assert by["judge", "F1"].rank == pytest.approx(1.0)
    assert by["judge", "F1"].difference == pytest.approx(100 * (0.1 + 0 + 0.15 + 0) / 4)
    assert by["judge", "recall"].rank == pytest.approx(-0.2)  # ranks 4 3 2 1 and 3 2 1 4
    assert by["judge", "recall"].n == 4


def test_equal_values_share_their_mean_rank() -> None:
    one, other = np.array([1.0, 1.0, 2.0, 3.0]), np.array([1.0, 2.0, 2.0, 4.0])
    # Ranks 1.5 1.5 3 4 and 1 2.5 2.5 4: covariance 3.75, variances 4.5 each.
    assert rank_correlation(one, other) == pytest.approx(3.75 / 4.5)


def test_a_constant_has_no_rank_correlation() -> None:
    assert rank_correlation(np.ones(4), np.arange(4.0)) is None
    assert rank_correlation(np.array([1.0, 2.0]), np.array([1.0, 2.0])) is None


def test_what_judging_took_is_summed_over_all_that_was_asked() -> None:
    rows = [row("0")]
    found = made(rows, grade(rows[0], None), grade(rows[0], 0.5))
    assert (found.use.calls, found.use.input_tokens, found.use.cached_input_tokens) == (2, 200, 40)
    assert found.use.cost == Decimal("0.5")


def test_the_judge_that_was_asked_last_counts() -> None:
    rows = [row("0")]
    other = replace(grade(rows[0], 0.0), judge="large words")
    found = made(rows, grade(rows[0], 1.0), other)
    assert (found.judge, found.graded[0].grade.mean) == ("large", 0.0)


def test_reasons_are_counted_by_letter() -> None:
    rows = [row(str(n), score=0.0, prediction=f"p{n}") for n in range(3)]
    letters = [grade(r, letter, kind="why") for r, letter in zip(rows, "ADA", strict=True)]
    found = made([*rows, *[row(str(n), "always_long") for n in range(3)]], *letters)
    assert found.why == {"A": 2, "B": 0, "C": 0, "D": 1, "E": 0}
    assert found.graded == ()


def test_letters_and_agreement_are_of_one_k() -> None:
    """A question that the chunks failed at two k is diagnosed once, and answers of the other k agree with nobody."""
    here = [row("0", score=0.0, prediction="near", k=5), row("0", "always_long", k=5)]
    other = row("0", score=0.0, prediction="far", k=1)
    grades = [grade(r, letter, kind="why") for r, letter in ((here[0], "A"), (other, "B"))]
    grades += [grade(r, 0.5) for r in (*here, other)]
    found = made([*here, other], *grades)
    assert (found.why["A"], found.why["B"]) == (1, 0)
    assert found.pairs[0].n == 2


def test_a_metric_that_is_no_matter_of_words_is_not_graded() -> None:
    rows = [row("0"), row("1", metric="multiple_choice")]
    assert made(rows, grade(rows[0], 1.0)).n == 1


def test_without_a_judge_there_is_nothing() -> None:
    assert judged(board([row("0")]), []) is None
