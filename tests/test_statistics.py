"""Intervals draw documents, not questions, and say nothing where there is nothing to draw."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfroute.evaluation.statistics import Interval, mean_interval

SCORES = st.lists(st.tuples(st.floats(0, 100), st.integers(0, 5)), min_size=1, max_size=40)


@given(SCORES)
def test_the_mean_is_that_of_the_values_and_lies_in_its_interval(pairs: list[tuple[float, int]]) -> None:
    values, documents = [value for value, _ in pairs], [document for _, document in pairs]
    made = mean_interval(values, documents)
    assert made.mean == pytest.approx(sum(values) / len(values), abs=1e-9)
    if made.low is not None and made.high is not None:
        assert min(values) - 1e-9 <= made.low <= made.high <= max(values) + 1e-9


def test_one_document_gives_no_interval() -> None:
    assert mean_interval([10.0, 90.0, 50.0], ["a", "a", "a"]) == Interval(50.0, None, None)


def test_the_same_rows_give_the_same_interval() -> None:
    values, documents = [1.0, 5.0, 9.0, 30.0], ["a", "b", "c", "d"]
    assert mean_interval(values, documents) == mean_interval(values, documents)


def test_questions_of_one_document_count_as_one_piece_of_evidence() -> None:
    rng = random.Random(1)
    documents = [number for number in range(10) for _ in range(30)]
    level = {number: rng.uniform(0, 100) for number in range(10)}
    values = [level[document] for document in documents]
    clustered = mean_interval(values, documents)
    alone = mean_interval(values, range(300))
    assert _width(clustered) > 3 * _width(alone)


def test_about_95_of_100_intervals_hold_the_truth() -> None:
    rng = random.Random(2)
    held = 0
    for _ in range(100):
        values = [rng.gauss(50, 10) for _ in range(80)]
        made = mean_interval(values, range(80))
        assert made.low is not None
        assert made.high is not None
        held += made.low <= 50 <= made.high
    assert 88 <= held <= 100


def test_no_values_have_no_mean() -> None:
    with pytest.raises(ValueError, match="no values"):
        mean_interval([], [])


def _width(made: Interval) -> float:
    assert made.low is not None
    assert made.high is not None
    return made.high - made.low
