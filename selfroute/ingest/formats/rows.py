"""Rows of cells as lines that can be read alone: each row names its columns, `name: Olof Berg; post: harbour master`.

What stands above the header and below the table stays as paragraphs of its own, and a table that follows with a header
of its own has it. CSV and spreadsheets share this. Knows nothing of types: a cell is text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

LOOKED_AT = 200
"""Rows from which the width of a table is told."""
MOST_ABOVE = 40
"""Rows that may stand above a header."""
NUMBER = re.compile(
    r"""[-−–+(]*\s*[$€£¥%]?\s*[-−+]?\s*\d[\d.,:/\s'\u2019 -]*(?:[eE][-+]?\d+)?\s*[$€£¥%‰]?\s*\)?   # 1,234.50 € or 12:30
    |\d{4}-\d{2}-\d{2}[T\s]\d{2}:\d{2}(?::[\d.]+)?(?:Z|\s?[-+]\d{2}:?\d{2})?""",
    re.VERBOSE,
)

Row = Sequence[str]


def described(rows: Sequence[Row], *, sure: bool = True) -> list[str]:
    """Paragraphs of the rows. Unless it is `sure` that the first row of a table names its columns (in CSV it is), a
    row that does not look like names is read as data, and its table as rows `a | b`."""
    cells = [tuple(_flat(cell) for cell in row) for row in rows]
    start = min((_first(row) for row in cells if any(row)), default=0)
    trimmed = [_trimmed(row[start:]) for row in cells]
    found: list[str] = []
    table: _Table | None = None
    blocks = _joined([list(block) for filled, block in groupby(trimmed, key=bool) if filled])
    for at, part in enumerate(blocks):
        if table is None and at + 1 < len(blocks) and _stands_above(part, blocks[at + 1]):
            found += [_pair(row) for row in part]
            continue
        following = _table(part, table, sure)
        if following is None and table is not None:
            found += table.paragraphs(part, after=True)
            continue
        above, table, below = following or (part, None, [])
        found += [_pair(row) if table or not sure else _aside(row) for row in above]
        found += table.paragraphs(below) if table else []
    return found


def _table(part: list[Row], before: _Table | None, sure: bool) -> tuple[list[Row], _Table, list[Row]] | None:
    """Return what stands above the table in a block of rows, the table, and its rows; None where the block has none of
    its own: the rows go on from the table `before`, or are text."""
    widths = Counter(len(row) for row in part[:LOOKED_AT] if len(row) > 1)
    if not widths:
        if sure and before is None and len(part) > 1 and not _prose(part):
            return [], _Table(_names(part[0])), part[1:]
        return None
    width = max(widths, key=lambda size: (widths[size], size))
    at = _header_at(part, width)
    if before is not None and not _is_new(part, at, before):
        return None
    if before is None and len(part) == 1:
        return None
    above, header, below = part[:at], part[at], part[at + 1 :]
    if all(len(row) == 2 and row[0].endswith(":") for row in part[at:]):
        return above, _Table(()), part[at:]
    if _is_data(header, below):
        return above, _Table(tuple(f"column {n}" for n in range(1, len(header) + 1))), part[at:]
    if not sure and not _names_columns(header, width, below):
        return above, _Table(None), part[at:]
    return above, _Table(_names(header), header), below


class _Table:
    """Describes how the rows of a table are written: with the names of their columns; without, as pairs `name: value`
    (no names) or as rows `a | b` (None)."""

    def __init__(self, names: tuple[str, ...] | None, header: Row = ()) -> None:
        self.names = names
        self.header = header

    def paragraphs(self, rows: Sequence[Row], after: bool = False) -> list[str]:
        """`after` a blank line, and in sentences at the end, a text alone is no row of the table but stands below."""
        if self.names is None:
            columns = sorted({at for row in rows for at, cell in enumerate(row) if cell})
            lines = (" | ".join(row[at] if at < len(row) else "" for at in columns) for row in rows)
            return ["\n".join(line.rstrip() for line in lines)] if rows else []
        last = max((at for at, row in enumerate(rows) if len(row) > 1), default=-1)
        repeats = bool(self.header) and _looks_like_names(self.header)  # as a header does from page to page
        made = [
            self._paragraph(row, after or (at > last and _prose([row])))
            for at, row in enumerate(rows)
            if not (repeats and row == self.header)
        ]
        return made if made or after or not self.header else [_aside(self.header)]

    def _paragraph(self, row: Row, aside: bool) -> str:
        if not self.names:
            return _pair(row)
        if len(row) == 1 < len(self.names) and aside:
            return _aside(row)
        names = (*self.names, *(f"column {at}" for at in range(len(self.names) + 1, len(row) + 1)))
        return "; ".join(f"{name}: {cell}" for name, cell in zip(names, row, strict=False) if cell)


def _header_at(part: list[Row], width: int) -> int:
    """Tell which row of a block names its columns: rows above it are narrower, and do not look like it."""
    widest = 0
    for at, row in enumerate(part[:MOST_ABOVE]):
        if len(row) >= width and len(row) > widest and at + 1 < len(part):
            if at == 0 or _looks_like_names(row) or widest < 2:
                narrow = widest > 1 and not any(map(_is_number, (c for r in part[at + 1 :][:20] for c in r)))
                return 0 if narrow else at
            break
        widest = max(widest, len(row))
    return next((at for at, row in enumerate(part) if len(row) > 1), 0)


def _joined(blocks: list[list[Row]]) -> list[list[Row]]:
    """Blocks of rows; a header that a blank row parts from its rows is one with them."""
    made: list[list[Row]] = []
    for block in blocks:
        header = made[-1][-1] if made else ()
        names = header[_first(header) :]  # a title further left may have kept columns that are empty below it
        alone = len(header) > 1 and all(len(row) == 1 for row in made[-1][:-1]) and _looks_like_names(names)
        if (
            alone
            and len(block[0]) == len(header)
            and not (_looks_like_names(block[0]) and any(_is_number(cell) for row in block[1:20] for cell in row))
        ):
            made[-1] += block
        else:
            made.append(block)
    return made


def _stands_above(part: list[Row], following: list[Row]) -> bool:
    """Tell whether the first block of a file is no table but lines above the one that follows: names with values, or
    sentences that hold delimiters."""
    widest = max(map(len, part))
    if len(part) > MOST_ABOVE or len(following) < 2 or not _looks_like_names(following[0]):
        return False
    if widest == 2 < len(following[0]):
        values = [row[1] for row in part[1:] if len(row) > 1]
        return len(part) <= 2 or not _looks_like_names(part[0]) or not all(map(_is_number, values))
    return widest > 1 and len({len(row) for row in part}) == len(part) and len(following[0]) > 1


def _is_new(part: list[Row], at: int, before: _Table) -> bool:
    """Tell whether the block that follows a table has a header of its own, clearly: names above numbers, where the
    table has numbers or another width or a title stands above it."""
    header, below = part[at], part[at + 1 :]
    if not below or not _looks_like_names(header) or header == before.header:
        return False
    numbers = any(
        _is_number(row[column]) for row in below[:20] for column in range(min(len(row), len(header))) if row[column]
    )
    other = len(header) != len(before.names or header)
    alike = all(len(row) == len(header) for row in below)
    return (numbers or alike) if at or other else numbers


def _looks_like_names(row: Row) -> bool:
    return all(cell and not _is_number(cell) for cell in row) and len(set(row)) == len(row)


def _names_columns(row: Row, width: int, below: list[Row]) -> bool:
    """Tell whether a row of a spreadsheet, which may be anything, is a header: most columns have a short name."""
    texts = [cell for cell in row if cell and len(cell) <= 100]
    years = [cell for cell in row if re.fullmatch(r"(?:19|20)\d\d", cell)]
    numbers = [cell for cell in row if _is_number(cell)]
    return bool(below) and len(texts) * 3 >= width * 2 and (len(numbers) * 4 <= len(texts) or numbers == years)


def _is_data(row: Row, below: Sequence[Row]) -> bool:
    """Tell whether the first row is not names but numbers as all others are. Years above numbers that are none are
    names."""
    if not all(map(_is_number, row)) or not below:
        return False
    years = [int(cell) for cell in row if re.fullmatch(r"(?:19|20)\d\d", cell)]
    ascending = len(years) == len(row) > 1 and years == list(range(years[0], years[0] + len(years)))
    others = [cell for line in below[:20] for cell in line if cell]
    return all(map(_is_number, others)) and not ascending


def _names(row: Row) -> tuple[str, ...]:
    """A name for every column: its number where it has none, and another where one repeats."""
    made: list[str] = []
    seen: Counter[str] = Counter()
    for at, cell in enumerate(row, start=1):
        name = cell.rstrip(" :") or f"column {at}"
        seen[name] += 1
        made.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(made)


def _aside(row: Row) -> str:
    """A row that is no row of a table: a title or a note."""
    return "; ".join(filter(None, row))


def _pair(row: Row) -> str:
    """A row above a table, which is a name with its value if it has two cells."""
    filled = [cell for cell in row if cell]
    return f"{filled[0].rstrip(' :')}: {filled[1]}" if len(filled) == 2 else _aside(row)


def _prose(rows: Sequence[Row]) -> bool:
    """Tell whether lines of one cell each are sentences, not values."""
    return all(len(row) == 1 and re.search(r"\S+ \S+ \S+|\S: \S|\w[.!?]$|^[*#]", row[0]) for row in rows)


def _is_number(cell: str) -> bool:
    return NUMBER.fullmatch(cell) is not None


def _first(row: Row) -> int:
    """The first column that is filled."""
    return next((at for at, cell in enumerate(row) if cell), 0)


def _trimmed(row: Row) -> Row:
    end = len(row)
    while end and not row[end - 1]:
        end -= 1
    return row[:end]


def _flat(cell: str) -> str:
    return " ".join(cell.split())
