"""Intervals draw documents, not questions, and say nothing where there is nothing to draw."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfroute.evaluation.statistics import DRAWS, Interval, bounds, drawn_sums, drawn_within, mean_interval

SCORES = st.lists(st.tuples(st.floats(0, 100), st.integers(0, 5)), min_size=1, max_size=40)


@given(SCORES)
def test_the_mean_is_that_of_the_values_and_lies_in_its_interval(pairs: list[tuple[float, int]]) -> None:
    values, documents = [value for value, _ in pairs], [document for _, document in pairs]
    made = mean_interval(values, documents)
    assert made.mean == pytest.approx(sum(values) / len(values), abs=1e-9)
    if made.low is not None and made.high is not None:
        assert min(values) - 1e-9 <= made.low <= made.high <= max(values) + 1e-9


def test_each_stratum_has_as_many_documents_in_each_draw_as_it_has() -> None:
    strata = ["large"] * 30 + ["small"] * 2 + ["one"]
    columns = np.column_stack([[one == name for one in strata] for name in ("large", "small", "one")]).astype(float)
    drawn = drawn_within(columns, range(len(strata)), strata)
    assert drawn.shape == (DRAWS, 3)
    assert (drawn == [30.0, 2.0, 1.0]).all()


def test_strata_of_one_size_are_drawn_independently() -> None:
    values = np.arange(20.0)
    columns = np.column_stack([np.append(values, np.zeros(20)), np.append(np.zeros(20), values)])
    drawn = drawn_within(columns, range(40), ["a"] * 20 + ["b"] * 20)
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.1


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


def test_columns_are_summed_over_the_same_draws() -> None:
    columns = np.column_stack([np.arange(6.0), 2 * np.arange(6.0), np.ones(6)])
    drawn = drawn_sums(columns, list("aabbcc"))
    assert drawn.shape == (DRAWS, 3)
    assert np.allclose(drawn[:, 1], 2 * drawn[:, 0])
    assert set(drawn[:, 2]) == {6.0}  # three documents of two questions, however they are drawn


def test_one_document_has_no_draws() -> None:
    assert drawn_sums(np.ones((3, 2)), ["a"] * 3).shape == (0, 2)


def test_draws_in_which_a_figure_is_not_defined_are_left_out_unless_they_are_many() -> None:
    drawn = np.concatenate([np.linspace(0, 1, 97), np.full(3, np.nan)])
    low, high = bounds(drawn)
    assert (low, high) == (pytest.approx(0.025), pytest.approx(0.975))
    assert bounds(np.concatenate([np.linspace(0, 1, 90), np.full(10, np.nan)])) == (None, None)


def _width(made: Interval) -> float:
    assert made.low is not None
    assert made.high is not None
    return made.high - made.low
