"""Finds tables in a text: rows on lines of their own, their cells parted by `|` or tabs, as Markdown writes them and as
the loaders of this package do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

FEWEST_ROWS = 3
"""A header and two rows."""

ALIKE = 0.6
"""The share of rows that must have as many cells as the header: others hold spanned cells or stray signs."""

PART = re.compile(r"\t+|(?<!\\)\|")
RULE = re.compile(r"[\s|:+=-]*-[\s|:+=-]*")
"""The line below the header of a Markdown table."""


@dataclass(frozen=True, slots=True)
class Table:
    """Characters `start:end` of a text. `header` is its first row, which the rows from `body` on belong under."""

    start: int
    body: int
    end: int
    header: str

    def beside(self, row: str, cells: tuple[int, int]) -> str:
        """The names of some cells of a row, `first` to before `last`; none where the row has other cells than the
        header."""
        names = cells_of(self.header)
        if len(names) != len(cells_of(row)):
            return ""
        return self.header[names[cells[0]][0] : names[cells[1] - 1][1]]


def tables(text: str) -> list[Table]:
    """The tables in their order."""
    if not may_hold_tables(text):
        return []
    found: list[Table] = []
    rows: list[tuple[int, int]] = []
    for start, end in [*lines_of(text, 0, len(text)), (len(text), len(text))]:
        if len(cells_of(text[start:end])) > 1:
            rows.append((start, end))
            continue
        if (table := _table(text, rows)) is not None:
            found.append(table)
        rows = []
    return found


def may_hold_tables(text: str) -> bool:
    """Whether it is worth looking: most texts have none of the signs."""
    return "|" in text or "\t" in text


def cells_of(row: str) -> list[tuple[int, int]]:
    """Where the cells of a row stand in it, without the white space around them; empty cells too, but not those beyond
    the row's first and last sign."""
    edges = [(0, 0), *((part.start(), part.end()) for part in PART.finditer(row)), (len(row), len(row))]
    spans = [_trimmed(row, before[1], after[0]) for before, after in pairwise(edges)]
    if len(spans) > 1 and row.lstrip().startswith("|"):
        spans = spans[1:]
    if len(spans) > 1 and row.rstrip().endswith("|"):
        spans = spans[:-1]
    return spans


def _table(text: str, rows: list[tuple[int, int]]) -> Table | None:
    if len(rows) < FEWEST_ROWS:
        return None
    header = text[slice(*rows[0])].strip()
    ruled = RULE.fullmatch(text[slice(*rows[1])]) is not None
    body = rows[2:] if ruled else rows[1:]
    width = len(cells_of(header))
    alike = sum(len(cells_of(text[start:end])) == width for start, end in body)
    if alike < ALIKE * len(body):
        return None
    return Table(rows[0][0], body[0][0], rows[-1][1], header)


def lines_of(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The lines of a part of a text, without their ends."""
    while start < end:
        at = text.find("\n", start, end)
        at = end if at < 0 else at
        yield start, at
        start = at + 1


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    part = text[start:end]
    left = len(part) - len(part.lstrip())
    return (start + left, start + len(part.rstrip())) if part.strip() else (start, start)
