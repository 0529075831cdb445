"""Two runs are compared over the questions that both scored."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from selfroute.evaluation.comparison import Lone, compared, lone
from selfroute.evaluation.rows import Row

ROW = Row(
    id="1",
    dataset="made",
    doc_id="a",
    policy="self_route",
    k=5,
    prediction="Ann",
    score=50.0,
    metric="qa_f1",
    answerable=True,
    outcome="answered",
    route="rag",
    path=("retrieve", "read_chunks"),
    confidence=None,
    usage={"input_tokens": 100},
    long_context_tokens=1000,
    cost=Decimal(0),
    seconds=0.1,
    error=None,
    na=None,
    length=700,
    simulated=False,
    asked="",
)


def rows(*scores: float | None, documents: str = "abcdefgh") -> list[Row]:
    return [replace(ROW, id=str(n), doc_id=documents[n], score=score) for n, score in enumerate(scores)]


def test_a_difference_is_right_less_left_question_by_question() -> None:
    [made] = compared(rows(0.0, 50.0, 100.0), rows(30.0, 60.0, 90.0))
    assert (made.left, made.right, made.n) == (50.0, 60.0, 3)
    assert made.difference == pytest.approx(10.0)


def test_a_run_does_not_differ_from_itself() -> None:
    [made] = compared(rows(0.0, 50.0, 100.0), rows(0.0, 50.0, 100.0))
    assert (made.difference, made.low, made.high, made.clear) == (0.0, 0.0, 0.0, False)


def test_the_same_gain_everywhere_is_clear_however_scores_scatter() -> None:
    scores = [0.0, 90.0, 10.0, 70.0, 30.0, 55.0]
    [made] = compared(rows(*scores), rows(*[score + 5 for score in scores]))
    assert (made.low, made.high) == (pytest.approx(5.0), pytest.approx(5.0))
    assert made.clear


def test_questions_of_one_document_give_no_interval() -> None:
    [made] = compared(rows(0.0, 10.0, documents="aa"), rows(50.0, 60.0, documents="aa"))
    assert (made.low, made.high, made.clear) == (None, None, False)


def test_questions_that_only_one_run_scored_are_left_out_and_counted() -> None:
    [made] = compared(rows(0.0, 50.0, None, 100.0), rows(10.0, None, 70.0))
    assert (made.n, made.difference) == (1, 10.0)
    assert (made.only_left, made.only_right) == (2, 1)


def test_a_failed_question_counts_as_the_zero_that_it_scored() -> None:
    failed = replace(ROW, id="1", doc_id="b", score=0.0, error="RuntimeError: dropped")
    [made] = compared(rows(10.0, 80.0), [*rows(10.0), failed])
    assert made.difference == pytest.approx(-40.0)


def test_datasets_policies_and_k_are_compared_apart() -> None:
    left = [ROW, replace(ROW, k=10), replace(ROW, policy="always_rag"), replace(ROW, dataset="other")]
    made = compared(left, left)
    assert [(d.dataset, d.policy, d.k, d.n) for d in made] == [
        ("made", "self_route", 5, 1),
        ("made", "self_route", 10, 1),
        ("made", "always_rag", 5, 1),
        ("other", "self_route", 5, 1),
    ]


def test_what_only_one_run_has_comes_last_and_is_counted_without_a_score() -> None:
    alone = [replace(ROW, policy="always_rag", id=str(n)) for n in range(3)]
    shared, left, right = compared([*alone, ROW], [replace(ROW, k=10), ROW])
    assert (shared.policy, shared.n, shared.only_left, shared.only_right) == ("self_route", 1, 0, 0)
    assert (left.policy, left.n, left.only_left, left.only_right) == ("always_rag", 0, 3, 0)
    assert (right.k, right.n, right.only_left, right.only_right) == (10, 0, 0, 1)
    assert (left.left, left.right, left.difference, left.low, left.clear) == (None, None, None, None, False)


def test_a_dataset_of_which_the_runs_asked_other_questions_is_left_out_of_both() -> None:
    [made] = compared(rows(0.0, 1.0), [replace(ROW, id="9")])
    assert (made.n, made.only_left, made.only_right) == (0, 2, 1)


def test_what_one_run_has_alone_is_told_in_as_few_parts_as_there_are() -> None:
    def several(datasets: str, policies: str, *ks: int) -> list[Row]:
        return [replace(ROW, dataset=d, policy=p, k=k) for d in datasets for p in policies for k in ks]

    made = compared([ROW, *several("ab", "xy", 1, 5), *several("a", "z", 5)], [ROW, *several("c", "x", 1)])
    assert lone(made, lambda row: row.only_left) == [
        Lone(("a", "b"), ("x", "y"), (1, 5), 8),
        Lone(("a",), ("z",), (5,), 1),
    ]
    assert lone(made, lambda row: row.only_right) == [Lone(("c",), ("x",), (1,), 1)]
