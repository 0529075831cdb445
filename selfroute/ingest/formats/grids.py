"""The sheets of a spreadsheet as text: a heading a sheet, and its rows as in CSV, `name: value; ...`.

A header in two rows (years above seasons) becomes one, a spanned cell stands in each place it spans, and a title over
all columns is said once. Excel and OpenDocument share this. Knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from selfroute.ingest.formats.numbering import written
from selfroute.ingest.formats.rows import described
from selfroute.ingest.formats.texts import ranges

MOST_REPEATED = 1_000_000
"""Places that spanned cells may fill in one sheet."""


@dataclass(frozen=True, slots=True)
class Span:
    """Cells that are one, from the first row and column to the last, counted from 1."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True, slots=True)
class Grid:
    """A sheet: the texts of its cells that hold any, by row and column, counted from 1. `around` is text that floats
    over it or stands in its header and footer."""

    name: str
    rows: Mapping[int, Mapping[int, str]]
    spans: Sequence[Span] = ()
    hidden: bool = False
    hidden_rows: Sequence[int] = ()
    hidden_columns: Sequence[int] = ()
    around: Sequence[str] = ()


def text_of(grids: Sequence[Grid]) -> str:
    return "\n\n".join(filter(None, (_sheet(grid) for grid in grids)))


def _sheet(grid: Grid) -> str:
    """A sheet's text; nothing if it is empty."""
    rows = _filled(grid)
    paragraphs = [*_paragraphs(rows, grid.spans), *grid.around]
    if not paragraphs:
        return ""
    unseen = [row for row in grid.hidden_rows if row in rows]
    columns = [column for column in grid.hidden_columns if any(column in row for row in rows.values())]
    hidden = [f"rows {ranges(unseen)}"] if unseen else []
    hidden += [f"columns {', '.join(written(column, 'upperLetter') for column in columns)}"] if columns else []
    said = [f"(hidden in the sheet: {' and '.join(hidden)})"] if hidden else []
    heading = f"# {' '.join(grid.name.split())}{' (hidden sheet)' if grid.hidden else ''}"
    return "\n\n".join((heading, *paragraphs, *said))


def _filled(grid: Grid) -> dict[int, dict[int, str]]:
    """The rows with spanned cells repeated, within what the sheet holds: a cell may claim to span all columns."""
    rows = {number: dict(row) for number, row in grid.rows.items() if row}
    if not rows:
        return {}
    last, widest, left = max(rows), max(max(row) for row in rows.values()), MOST_REPEATED
    for span in grid.spans:
        text = rows.get(span.top, {}).get(span.left)
        if not text:
            continue
        right, bottom = min(span.right, widest), min(span.bottom, last)
        alone = (
            all(
                span.left <= column <= right for row in range(span.top, bottom + 1) for column in grid.rows.get(row, ())
            )
            if bottom - span.top < 1_000
            else False
        )
        if alone and right > span.left:  # a title
            continue
        for row in range(span.top, bottom + 1):
            for column in range(span.left, right + 1):
                left -= 1
                if left < 0:
                    return rows
                rows.setdefault(row, {}).setdefault(column, text)
    return rows


def _paragraphs(rows: Mapping[int, Mapping[int, str]], spans: Sequence[Span]) -> list[str]:
    """Rows in their order, with one blank row wherever there are some."""
    starts = {(span.top, span.left) for span in spans if span.right > span.left}
    made: list[list[str]] = []
    before = 0
    columns = sorted({column for row in rows.values() for column in row})
    places = _places(columns)
    joined: set[int] = set()
    for number in sorted(rows):
        if number in joined:
            before = number
            continue
        row = rows[number]
        if before and number > before + 1:
            made.append([])
        below = rows.get(number + 1)
        fresh = not made or not made[-1] or len([cell for cell in made[-1] if cell]) == 1
        if fresh and below and len(row) > 1 and any((number, column) in starts for column in row) and _are_names(below):
            row = {column: _both(row.get(column, ""), below.get(column, "")) for column in {*row, *below}}
            joined.add(number + 1)
        line = [""] * (max(places[column] for column in row) + 1)
        for column, cell in row.items():
            line[places[column]] = cell
        made.append(line)
        before = number
    return described(made, sure=False)


def _places(columns: Sequence[int]) -> dict[int, int]:
    """Where a column stands in a row that leaves out those that are empty throughout: there may be 16,384."""
    return {column: at for at, column in enumerate(columns)}


def _are_names(row: Mapping[int, str]) -> bool:
    return len(row) > 1 and not any(cell[:1].isdigit() or cell[:1] in "-€$£(" for cell in row.values())


def _both(above: str, below: str) -> str:
    return above if not below or above == below else f"{above} {below}".strip()
