"""The board puts a run's rows side by side, compares what can be compared, and counts what it leaves out."""

from __future__ import annotations

import numpy as np
import pytest
from boards import FULL, failed, row, three, unable

from selfroute.evaluation.ks import at_k, main_k
from selfroute.evaluation.report.board import board
from selfroute.evaluation.report.looks import LOOKS, looks, ordered
from selfroute.evaluation.rows import Row


def test_only_questions_that_all_policies_scored_are_compared_and_the_rest_is_counted() -> None:
    rows = three([(100, 0, False), (50, 50, False), (0, 100, True)])
    rows = [unable("1", "always_rag") if (r.id, r.policy) == ("1", "always_rag") else r for r in rows]
    made = board(rows)
    assert made.shared.tolist() == [True, False, True]
    assert made.left_out == 1


def test_a_failed_question_is_scored_zero_and_stays_among_the_compared() -> None:
    made = board([failed("0", "always_rag"), row("0", "always_long")])
    assert made.lines[0].score.tolist() == [0.0]
    assert made.shared.tolist() == [True]


def test_a_policy_that_scored_few_questions_does_not_shrink_the_comparison_of_the_others() -> None:
    made = board([*three([(100, 0, False)] * 4), row("0", "knn")])
    assert [line.policy for line in made.compared] == ["always_rag", "self_route", "always_long"]
    assert [line.policy for line in made.partial] == ["knn"]
    assert made.shared.sum() == 4


def test_reading_everything_takes_what_always_long_was_measured_to_read() -> None:
    made = board([row("0", long_context_tokens=900), row("0", "always_long", long_context_tokens=FULL)])
    assert made.full.tolist() == [FULL]


def test_what_reading_everything_takes_is_unknown_where_every_row_failed() -> None:
    assert np.isnan(board([failed("0", "always_rag")]).full).all()


@pytest.mark.parametrize(("ks", "chosen"), [([1, 5, 10], 5), ([1, 3, 10], 3), ([2, 2, 9], 2), ([7], 7)])
def test_figures_are_of_the_k_that_most_rows_have_else_of_the_papers_else_of_the_middle_one(
    ks: list[int], chosen: int
) -> None:
    assert main_k([row(str(n), k=k) for n, k in enumerate(ks)]) == chosen


def test_the_rows_of_one_k_are_those_and_the_documents_that_were_read_at_another() -> None:
    mine, long = row("0", k=5), row("1", "always_long", k=5)
    stands_in = [row("0", "always_long", k=k) for k in (1, 10)]
    assert at_k([mine, row("0", k=1), long, *stands_in, row("1", "always_long", k=1)], 5) == [mine, long, stands_in[0]]


def test_always_long_at_another_k_stands_in_for_it_read_the_same_document() -> None:
    made = board([row("0", k=1), row("0", k=5), row("0", "always_long", 30.0, k=5)], 1)
    line = made.line("always_long")
    assert line is not None
    assert line.score.tolist() == [30.0]


def test_always_long_stands_in_only_for_what_others_were_asked_at_this_k() -> None:
    rows = [row(str(n), policy, k=5) for n in range(10) for policy in ("always_rag", "always_long")]
    made = board([*rows, row("0", k=10), row("0", "self_route", k=10)], 10)
    assert [line.policy for line in made.compared] == ["always_rag", "self_route", "always_long"]
    assert made.partial == ()
    assert made.shared.sum() == 1


def test_the_order_and_look_of_a_policy_are_the_same_whichever_others_there_are() -> None:
    names = ["always_long", "knn", "always_rag", "the oracle", "calibrated", "self_route", "evidence_gated"]
    assert ordered(names) == [
        *("always_rag", "self_route", "evidence_gated", "calibrated", "always_long", "knn", "the oracle")
    ]
    assert looks(names)["self_route"] == looks(["self_route"])["self_route"]


def test_no_two_policies_look_alike_in_colour_sign_or_dashes() -> None:
    made = looks([*LOOKS, "ladder", "mine"])
    for name in ("colour", "marker", "dashes"):
        assert len({getattr(look, name) for look in made.values()}) == len(made), name


def test_a_policy_without_a_look_of_its_own_stands_before_always_long() -> None:
    assert ordered(["always_long", "ladder", "calibrated"]) == ["calibrated", "ladder", "always_long"]


def test_a_board_of_rows_without_a_score_compares_nothing() -> None:
    rows: list[Row] = [unable("0", "always_rag"), unable("0", "always_long")]
    made = board(rows)
    assert (made.compared, made.shared.sum(), made.left_out) == ((), 0, 0)
