"""Finds tables in a text: rows on lines of their own, their cells parted by `|` or tabs, as Markdown writes them and as
the loaders of this package do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

FEWEST_ROWS = 3
"""A header and two rows."""

ALIKE = 0.6
"""The share of rows that must have as many cells as the header: others hold spanned cells or stray signs."""

PART = re.compile(r"\t|(?<!\\)\|")
SEEN = re.compile(r"[^\s|]")

RULED = frozenset(" \t\r|:+=-")
"""What the line below the header of a Markdown table is made of."""

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Table:
    """Characters `start:end` of a text. `header` is its first row, which the rows from `body` on belong under; in an
    `edged` table the signs at both ends of a row part no cells."""

    start: int
    body: int
    end: int
    header: str
    edged: bool = False

    def cells(self, row: str) -> list[Span]:
        """Where the cells of a row stand in it."""
        return cells_of(row, self.edged)


def tables(text: str) -> list[Table]:
    """The tables in their order."""
    if not may_hold_tables(text):
        return []
    found: list[Table] = []
    rows: list[Span] = []
    before: Span | None = None
    for line in [*lines_of(text, 0, len(text)), (len(text), len(text))]:
        if _is_row(text, *line):
            if not rows and before is not None and PART.search(text, *before):
                rows.append(before)  # a header of which the first cells are empty
            rows.append(line)
            before = None
            continue
        if (table := _table(text, rows)) is not None:
            found.append(table)
        rows, before = [], line
    return found


def may_hold_tables(text: str) -> bool:
    """Tell whether it is worth looking: most texts have none of the signs."""
    return "|" in text or "\t" in text


def cells_of(row: str, edged: bool = False) -> list[Span]:
    """Where the cells of a row stand in it, without the white space around them, empty ones too; of an `edged` row
    without what is before its first sign and behind its last."""
    edges = [(0, 0), *(part.span() for part in PART.finditer(row)), (len(row), len(row))]
    spans = [_trimmed(row, before[1], after[0]) for before, after in pairwise(edges)]
    if edged and len(spans) > 1 and row.lstrip().startswith("|"):
        spans = spans[1:]
    if edged and len(spans) > 1 and row.rstrip().endswith("|"):
        spans = spans[:-1]
    return spans


def lines_of(text: str, start: int, end: int) -> Iterator[Span]:
    """The lines of a part of a text, without their ends."""
    while start < end:
        at = text.find("\n", start, end)
        at = end if at < 0 else at
        yield start, at - (at > start and text[at - 1] == "\r")
        start = at + 1


def _is_row(text: str, start: int, end: int) -> bool:
    """Tell whether a sign stands behind something that is seen: what only begins with tabs is indented."""
    seen = SEEN.search(text, start, end)
    return seen is not None and PART.search(text, seen.end(), end) is not None


def _table(text: str, rows: Sequence[Span]) -> Table | None:
    if len(rows) < FEWEST_ROWS:
        return None
    lines = [text[start:end].strip(" \r") for start, end in rows]
    ruled = set(lines[1]) <= RULED and "-" in lines[1]
    edged = all(line.startswith("|") and line.endswith("|") for line in ([lines[1]] if ruled else lines))
    width, *others = [len(cells_of(line, edged)) for line in lines]
    body = rows[1 + ruled :]
    if sum(other == width for other in others[ruled:]) < ALIKE * len(body):
        return None
    return Table(rows[0][0], body[0][0], rows[-1][1], lines[0], edged)


def _trimmed(text: str, start: int, end: int) -> Span:
    part = text[start:end]
    left = len(part) - len(part.lstrip())
    return (start + left, start + len(part.rstrip())) if part.strip() else (start, start)
