"""Table 1, the curve over k and the point where the hybrid costs more than reading everything, computed by hand."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from boards import CHUNKS, FULL, declined, escalated, failed, row, three, unable

from selfroute.evaluation.report.board import board
from selfroute.evaluation.report.scores import MACRO, MICRO, Entry, Few, curve, table1
from selfroute.evaluation.rows import Row
from selfroute.evaluation.statistics import mean_interval


def entry(rows: list[Row], policy: str, dataset: str = "made") -> Entry:
    [found] = [e for e in table1(board(rows)) if (e.policy, e.dataset) == (policy, dataset)]
    return found


def mean(made: Entry) -> float:
    assert made.score is not None
    return made.score.mean


def test_an_entry_is_what_the_rows_come_to() -> None:
    made = entry(three([(100, 0, False), (40, 60, True)]), "self_route")
    assert mean(made) == 80.0
    assert (made.n, made.failed, made.na, made.from_chunks) == (2, 0, 0, 0.5)
    assert made.token_share == (CHUNKS + CHUNKS + FULL) / (2 * FULL)
    assert made.cost == Decimal("1.0")


def test_its_interval_is_that_of_documents_drawn() -> None:
    rows = [row(str(n), score=float(10 * n), doc_id=f"doc-{n // 2}") for n in range(8)]
    assert entry(rows, "always_rag").score == mean_interval([10.0 * n for n in range(8)], [n // 2 for n in range(8)])


def test_a_failed_question_scores_zero_stays_in_the_mean_and_was_not_answered_from_chunks() -> None:
    rows = [row("0"), failed("1", "always_rag"), row("0", "always_long"), row("1", "always_long")]
    made = entry(rows, "always_rag")
    assert (mean(made), made.n, made.failed, made.from_chunks) == (50.0, 2, 1, 0.5)
    assert made.token_share == CHUNKS / (2 * FULL)  # of both questions


def test_what_is_na_is_counted_and_is_in_no_mean() -> None:
    made = entry([row("0", score=70.0), unable("1", "always_rag")], "always_rag")
    assert (mean(made), made.n, made.na) == (70.0, 1, 1)


def test_a_dataset_without_a_score_has_none() -> None:
    made = entry([unable("0", "always_rag")], "always_rag")
    assert (made.score, made.from_chunks, made.token_share, made.n, made.na) == (None, None, None, 0, 1)


def test_a_decline_is_no_answer_from_chunks() -> None:
    assert entry([row("0"), declined("1", "always_rag", 0.0)], "always_rag").from_chunks == 0.5


def test_an_answer_of_the_chunks_that_stands_after_the_documents_were_read_is_not_from_chunks() -> None:
    rows = [row("0", "self_route"), escalated("1", 100.0, route="rag")]
    assert entry(rows, "self_route").from_chunks == 0.5


def test_an_unknown_price_makes_the_sum_unknown() -> None:
    assert entry([row("0"), row("1", cost=None)], "always_rag").cost is None


def test_the_mean_of_datasets_counts_each_alike_and_the_other_counts_questions() -> None:
    rows = [row(str(n), score=100.0, dataset="large") for n in range(3)] + [row("9", score=0.0, dataset="small")]
    assert mean(entry(rows, "always_rag", MACRO)) == 50.0
    assert mean(entry(rows, "always_rag", MICRO)) == 75.0


def test_the_mean_of_datasets_has_an_interval_where_each_has_documents_to_draw() -> None:
    large = [row(str(n), score=float(n), dataset="large") for n in range(40)]
    small = [row(f"s{n}", score=50.0 * n, dataset="small") for n in range(2)]
    score = entry([*large, *small], "always_rag", MACRO).score
    assert score is not None
    assert score.low is not None
    assert score.high is not None
    assert score.low < score.mean < score.high
    one = entry([*large, small[0]], "always_rag", MACRO).score
    assert one is not None
    assert (one.low, one.high) == (None, None)


def test_the_mean_of_datasets_has_no_interval_where_a_dataset_has_no_document_to_draw_instead() -> None:
    """Of `b` one document is its own, and the other is the only one that it shares with `a`."""
    rows = [row(str(n), score=float(n), dataset="a", doc_id=f"a{n}") for n in range(10)]
    rows += [row("s", score=0.0, dataset="a", doc_id="shared"), row("s", score=0.0, dataset="b", doc_id="shared")]
    rows += [row("o", score=100.0, dataset="b", doc_id="own")]
    score = entry(rows, "always_rag", MACRO).score
    assert score is not None
    assert (score.low, score.high) == (None, None)


def test_averages_are_over_the_questions_that_all_policies_scored() -> None:
    rows = [row("0", score=10.0), row("1", score=90.0), row("0", "always_long", 50.0), unable("1", "always_long")]
    assert mean(entry(rows, "always_rag", MICRO)) == 10.0
    assert mean(entry(rows, "always_rag")) == 50.0


def test_one_dataset_has_no_mean_of_datasets() -> None:
    assert {e.dataset for e in table1(board([row("0")]))} == {"made", MICRO}


def at_k(k: int, chunks: int, escalates: int, of: int = 10) -> list[Row]:
    """`of` questions, the first `escalates` of them read from their document too."""
    rows = []
    for n in range(of):
        usage = {"input_tokens": chunks + (FULL if n < escalates else 0)}
        made = (
            escalated(str(n), 50.0, k=k, usage=usage) if n < escalates else row(str(n), "self_route", k=k, usage=usage)
        )
        rows.append(made)
    return rows


def test_with_one_k_the_crossing_is_estimated_by_the_chunk() -> None:
    found = curve(at_k(5, 100, 5)).crossing
    assert found is not None
    assert (found.at, found.chunks, found.escalated) == (5, pytest.approx(0.1), 0.5)
    assert (found.k, found.estimated) == (pytest.approx(25.0), True)  # 0.02 a chunk for the other half


def test_between_two_k_the_crossing_lies_on_the_line() -> None:
    found = curve([*at_k(10, 400, 4), *at_k(20, 800, 4)]).crossing  # 80 % and 120 %
    assert found is not None
    assert (found.k, found.estimated) == (pytest.approx(15.0), False)


def test_a_hybrid_that_costs_more_from_the_first_k_crosses_there() -> None:
    found = curve(at_k(1, 100, 10)).crossing
    assert found is not None
    assert (found.k, found.estimated) == (1.0, False)


def test_without_the_hybrid_there_is_no_crossing() -> None:
    assert curve([row("0")]).crossing is None


def test_the_curve_has_a_point_for_each_policy_and_k_that_was_asked() -> None:
    rows = [row("0", k=1, score=20.0), row("0", k=5, score=60.0), row("0", "always_long", 80.0, k=5)]
    made = curve(rows)
    assert made.ks == (1, 5)
    assert [(p.k, p.policy, p.score.mean, p.token_share) for p in made.points] == [
        (1, "always_rag", 20.0, 0.1),
        (5, "always_rag", 60.0, 0.1),
        (5, "always_long", 80.0, 1.0),
    ]


def test_every_k_of_the_curve_is_over_the_questions_that_all_of_them_share() -> None:
    rows = [replace(r, k=5) for r in three([(80, 60, False), *[(0, 0, False)] * 9])]
    made = curve([*rows, *[replace(r, k=10) for r in three([(90, 60, False)])]])
    assert [(p.k, p.policy, p.score.mean, p.n) for p in made.points] == [
        *((5, "always_rag", 80.0, 1), (5, "self_route", 80.0, 1), (5, "always_long", 60.0, 1)),
        *((10, "always_rag", 90.0, 1), (10, "self_route", 90.0, 1), (10, "always_long", 60.0, 1)),
    ]
    assert (made.n, made.left_out, made.few) == (1, 9, ())


def test_the_crossing_is_over_the_questions_that_all_k_share() -> None:
    shared = [*at_k(10, 400, 4), *at_k(20, 800, 4)]  # 80 % and 120 %
    cheap = [replace(r, id=f"only-{r.id}") for r in at_k(10, 0, 0, of=30)]
    assert curve([*shared, *cheap]).crossing == curve(shared).crossing


def test_k_of_different_questions_make_no_curve_and_no_crossing() -> None:
    made = curve([*at_k(10, 400, 4), *[replace(r, dataset="other") for r in at_k(20, 800, 4)]])
    assert (made.ks, made.points, made.crossing) == ((10, 20), (), None)
    assert (made.n, made.left_out) == (0, 20)


def test_a_policy_that_scored_few_of_the_shared_questions_at_a_k_is_told() -> None:
    rows = [row(str(n), k=k) for n in range(10) for k in (5, 10)]
    made = curve([*rows, *at_k(5, 100, 0), row("0", "self_route", k=10)])
    assert [(p.k, p.policy, p.n) for p in made.points] == [
        *((5, "always_rag", 10), (5, "self_route", 10), (10, "always_rag", 10)),
    ]
    assert made.few == (Few(10, "self_route", 1),)


def test_always_long_that_was_asked_for_the_whole_run_does_not_hide_the_others_at_its_k() -> None:
    long = [row(str(n), "always_long", k=5) for n in range(10)]
    made = curve([*long, row("0", k=5), row("0", k=10)])
    assert [(p.k, p.policy, p.n) for p in made.points] == [
        *((5, "always_rag", 1), (5, "always_long", 1), (10, "always_rag", 1)),
    ]
