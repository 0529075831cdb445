"""The longest common subsequence is one by definition, and the one that the traced table gives."""

from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from selfroute.evaluation.metrics.sequences import common_length, common_pairs

short = st.text("abc", max_size=9)
long = st.text("abcd", max_size=80)


def test_the_pairs_are_positions_in_both() -> None:
    assert common_pairs("abcd", "xbyd") == [(1, 1), (3, 3)]


def test_sequences_of_words_will_do() -> None:
    assert common_pairs(["the", "ship", "left"], ["a", "ship", "has", "left"]) == [(1, 1), (2, 3)]


def test_nothing_is_common_with_an_empty_sequence() -> None:
    assert common_pairs("", "abc") == common_pairs("abc", "") == common_pairs("", "") == []
    assert common_length("", "abc") == common_length("abc", "") == 0


def test_of_two_as_long_the_one_found_is_that_which_drops_the_end_of_the_second() -> None:
    assert common_pairs("ab", "ba") == [(1, 0)]  # b, not a


@given(short, short)
def test_no_common_subsequence_is_longer(one: str, other: str) -> None:
    assert common_length(one, other) == max(len(part) for part in subsequences(one) & subsequences(other))


@given(long, long)
def test_the_pairs_are_equal_in_order_and_as_many_as_the_length(one: str, other: str) -> None:
    pairs = common_pairs(one, other)
    assert all(one[i] == other[j] for i, j in pairs)
    assert all(before[0] < after[0] and before[1] < after[1] for before, after in pairwise(pairs))
    assert len(pairs) == common_length(one, other)


@given(long, long)
def test_the_length_is_symmetric(one: str, other: str) -> None:
    assert common_length(one, other) == common_length(other, one)


@given(long, long)
def test_the_pairs_are_those_of_the_traced_table(one: str, other: str) -> None:
    assert common_pairs(one, other) == traced(one, other)


def subsequences(text: str) -> set[str]:
    return {"".join(part) for size in range(len(text) + 1) for part in combinations(text, size)}


def traced(one: str, other: str) -> list[tuple[int, int]]:
    """The table of lengths, cell by cell, and the way back through it."""
    lengths = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, a in enumerate(one, start=1):
        for j, b in enumerate(other, start=1):
            lengths[i][j] = lengths[i - 1][j - 1] + 1 if a == b else max(lengths[i - 1][j], lengths[i][j - 1])
    pairs = []
    i, j = len(one), len(other)
    while i and j:
        if one[i - 1] == other[j - 1]:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif lengths[i - 1][j] > lengths[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return pairs[::-1]
