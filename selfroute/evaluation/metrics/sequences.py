"""Longest common subsequences of two sequences, by whole rows of bits. Knows nothing of words or scores.

The table of lengths L(i, j) grows by 0 or 1 from one column to the next, so a row is kept as one integer: its bit j
is 0 where L(i, j + 1) = L(i, j) + 1 (Hyyrö 2004). A row follows from the one above by one addition, which makes
5,000 x 5,000 a matter of milliseconds and 3 MB, without recursion.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence


def common_length(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """The length of the longest common subsequence."""
    short, long = sorted((one, other), key=len)
    places, row = _places(short), _full(short)
    for item in long:
        row = _next(row, places.get(item, 0), _full(short))
    return len(short) - row.bit_count()


def common_pairs(one: Sequence[Hashable], other: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Positions (in `one`, in `other`) of one longest common subsequence, in order.

    Which one matters to scores that look at its words. Traced from the end: equal items pair; otherwise the end of
    `one` is dropped if only that keeps the length, and else the end of `other`.
    """
    places, row, full = _places(other), _full(other), _full(other)
    rows = [row := _next(row, places.get(item, 0), full) for item in one]
    pairs = []
    i, j = len(one), len(other)
    while i and j:
        if one[i - 1] == other[j - 1]:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif rows[i - 1] >> (j - 1) & 1:
            j -= 1
        else:
            i -= 1
    return pairs[::-1]


def _places(items: Sequence[Hashable]) -> dict[Hashable, int]:
    """Item -> the bits of the positions where it stands."""
    places: dict[Hashable, int] = {}
    for position, item in enumerate(items):
        places[item] = places.get(item, 0) | 1 << position
    return places


def _full(items: Sequence[Hashable]) -> int:
    return (1 << len(items)) - 1


def _next(row: int, places: int, full: int) -> int:
    shared = row & places
    return (row + shared | row - shared) & full
