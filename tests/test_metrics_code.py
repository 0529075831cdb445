"""Code is compared by its first line of code, to a whole percent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfroute.evaluation.metrics.code import code_similarity, percent

lines = st.text("abc ()=", max_size=30)


@pytest.mark.parametrize(
    ("one", "other", "score"),
    [
        ("abc", "abc", 100),
        ("", "", 100),
        ("", "abc", 0),
        ("abc", "", 0),
        ("abc", "xyz", 0),
        ("abcd", "abxd", 75),  # 3 of 4 and 4 in common: 6 / 8
        ("abc", "abd", 67),  # 4 / 6 = 66.7
        ("aabbbbbb", "aaxxxxxx", 25),  # 4 / 16
        ("abbbbbbb", "axxxxxxx", 12),  # 2 / 16 = 12.5, to even
        ("aaabbbbb", "aaaxxxxx", 38),  # 6 / 16 = 37.5, to even
    ],
)
def test_the_percentage_is_twice_the_common_over_both_rounded_to_even(one: str, other: str, score: int) -> None:
    assert percent(one, other) == score


@pytest.mark.parametrize(
    "prediction",
    [
        "return x",
        "\n\n\nreturn x\nreturn y",
        "# a comment\nreturn x",
        "// a comment\nreturn x",
        "```python\nreturn x\n```",
    ],
)
def test_the_first_line_of_code_is_compared(prediction: str) -> None:
    assert code_similarity(prediction, "return x") == 1


def test_a_blank_line_after_code_would_be_is_a_line_of_code() -> None:
    assert code_similarity("# a comment\n\nreturn x", "return x") == 0


def test_a_prediction_without_code_is_an_empty_line() -> None:
    assert code_similarity("# nothing", "return x") == 0
    assert code_similarity("# nothing", "") == 1


@given(lines, lines)
def test_likeness_is_symmetric_and_bounded(one: str, other: str) -> None:
    assert 0 <= percent(one, other) == percent(other, one) <= 100


@given(lines)
def test_a_line_is_like_itself(line: str) -> None:
    assert code_similarity(line, line) == 1
