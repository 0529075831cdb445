"""The rows of a page's tables as lines: cells that span rows and columns stand in each of them.

Knows nothing of how a cell's text is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from selfroute.ingest.formats.html.shown import has_blocks

SPANS = 20
"""Columns that a cell spans without a look at how many there are: pages write 100 for "all"."""

MOST_REPEATED = 2**22
"""Characters of spanned cells that are repeated in a page at most."""

LONGEST = 200
"""Characters of a cell that are repeated in each column: more is a paragraph, set over the width of the table."""

PICTURE = re.compile(r"\[image: [^\[\]]*\]")
"""A cell that shows a picture alone, which is not what every row is about."""

PLACED = ("table", "h1", "h2", "h3", "h4", "h5", "h6")
"""What a cell of a table that holds data has not: one that has is a place on the page."""

PLACES = ", ".join(f"td {name}, th {name}" for name in PLACED)

WHOLE = re.compile(r"\s*\+?(\d{1,9})")


@dataclass(slots=True)
class Cell:
    """The text of a cell, and over how many rows it goes on."""

    text: str
    rows: int


class Budget:
    """Describes how much a page may still repeat."""

    def __init__(self) -> None:
        self._left = MOST_REPEATED

    def repeated(self, text: str) -> str:
        """`text`, or nothing once too much was repeated."""
        self._left -= len(text)
        return text if self._left > 0 else ""


class Table:
    """One table, read row by row."""

    def __init__(self, node: Any, budget: Budget) -> None:
        self._node = node
        self._budget = budget
        self._has_places = node.css_first(PLACES) is not None
        cells = list(_some_cells(node))
        self._is_one_row = len({row for row, _ in cells}) == 1
        self._is_place = len(cells) == 1 and has_blocks(cells[0][1])
        self._columns: int | None = None
        self._going_on: dict[int, Cell] = {}  # by column
        self._row: list[tuple[str, int, int]] | None = None

    def holds_data(self, cell: Any) -> bool:
        """Tell whether a cell's text is read on one line. One that holds a heading or another table is a place on the
        page, and so is one that holds code in a table of one row, which stands beside its line numbers."""
        if self._is_place:
            return False
        if self._has_places and any(cell.css_first(name) is not None for name in PLACED):
            return False
        return not (self._is_one_row and any("\n" in pre.text() for pre in cell.css("pre")))

    def begin_row(self) -> None:
        self._row = []

    def add(self, text: str, attributes: Mapping[str, str | None]) -> None:
        """Adds a cell to the row."""
        columns = _span(attributes.get("colspan"), 1) or 1
        if columns > SPANS:
            columns = max(1, min(columns, self._width() - sum(span for _, span, _ in self._row or ())))
        rows = _span(attributes.get("rowspan"), 1)
        if self._row is None:
            self._row = []
        self._row.append((text, columns, rows or 2**31))  # 0: to the end of the group

    def row(self) -> str | None:
        """The row's line, if it has cells of its own, with those that go on from rows above."""
        if not self._row:
            if self._row is not None:  # a row without cells takes part in what spans it
                self._going_on = {
                    at: Cell(one.text, one.rows - 1) for at, one in self._going_on.items() if one.rows > 1
                }
                self._row = None
            return None
        made: list[str] = []
        own = iter(self._row)
        self._row = None
        below: dict[int, Cell] = {}
        for text, columns, rows in own:
            self._pass_on(made, below)
            for at in range(columns):
                if rows > 1:
                    below[len(made)] = Cell(text, rows - 1)
                made.append(self._repeated(text, LONGEST) if at else text)
        self._pass_on(made, below)
        while any(at > len(made) for at in self._going_on):  # the row is shorter than those above
            made.append("")
            self._pass_on(made, below)
        self._going_on = below
        return " | ".join(made)

    def _repeated(self, text: str, longest: int | None = None) -> str:
        too_long = longest is not None and len(text) > longest
        return "" if too_long or PICTURE.fullmatch(text) else self._budget.repeated(text)

    def _pass_on(self, made: list[str], below: dict[int, Cell]) -> None:
        while (above := self._going_on.get(len(made))) is not None:
            if above.rows > 1:
                below[len(made)] = Cell(above.text, above.rows - 1)
            made.append(self._repeated(above.text))

    def end_group(self) -> None:
        """No cell goes on beyond the head, the body or the foot in which it stands."""
        self._going_on = {}

    def _width(self) -> int:
        """The columns of the table's widest row."""
        if self._columns is None:
            widths: dict[int, int] = {}
            for row, cell in _cells(self._node):
                span = _span(cell.attributes.get("colspan"), 1) or 1
                widths[row] = widths.get(row, 0) + (span if span <= SPANS else 1)
            self._columns = max(widths.values(), default=1)
        return self._columns


def groups(node: Any) -> list[Any] | None:
    """A table's children in the order in which they are shown: head first, foot last. None where they stand so."""
    children = list(node.iter())
    order = [{"caption": 0, "colgroup": 0, "thead": 1, "tfoot": 3}.get(child.tag, 2) for child in children]
    if order == sorted(order):
        return None
    return [child for _, child in sorted(zip(order, children, strict=True), key=lambda pair: pair[0])]


def _cells(table: Any) -> Iterator[tuple[int, Any]]:
    """A table's own cells with the number of their row."""
    row = 0
    for group in table.iter():
        for tr in (group,) if group.tag == "tr" else group.iter():
            if tr.tag == "tr":
                row += 1
                yield from ((row, cell) for cell in tr.iter() if cell.tag in ("td", "th"))


def _some_cells(table: Any) -> Iterator[tuple[int, Any]]:
    """The cells of the first row, and one more."""
    for row, cell in _cells(table):
        yield row, cell
        if row > 1:
            return


def _span(value: str | None, missing: int) -> int:
    found = WHOLE.match(value) if value else None
    return int(found[1]) if found else missing
