"""CSV as lines that can be read alone: each row names its columns, `name: Olof Berg; post: harbour master`.

Knows nothing of types: a cell is text.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from selfroute.errors import UnreadableFile
from selfroute.ingest.texts import MOST_BYTES, Text, checked, content, decoded

DELIMITERS = ",;\t|"


def read(path: Path) -> Text:
    """Rows are paragraphs, so that a chunk ends between two of them. The first row is the header."""
    text = checked(decoded(content(path), path), path)
    csv.field_size_limit(
        max(csv.field_size_limit(), MOST_BYTES)
    )  # the library's limit, of the whole process, is 128 kB
    delimiter = _delimiter(text)
    _require_closed(text, delimiter, path)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(row)]
    except csv.Error as error:
        raise UnreadableFile(path, f"is broken ({error})") from error
    if len(rows) < 2:
        return Text("\n\n".join("; ".join(map(_flat, row)) for row in rows))
    header = [_flat(name) or f"column {at}" for at, name in enumerate(rows[0], start=1)]
    return Text("\n\n".join(_line(header, row) for row in rows[1:]))


def _require_closed(text: str, delimiter: str, path: Path) -> None:
    """A quotation mark that is never closed would take the rest of the file for one cell."""
    try:
        for _ in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            pass
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            raise UnreadableFile(path, "is broken: a quotation mark is opened and never closed") from error


def _line(header: list[str], row: list[str]) -> str:
    names = header + [f"column {at}" for at in range(len(header) + 1, len(row) + 1)]
    return "; ".join(f"{name}: {_flat(cell)}" for name, cell in zip(names, row, strict=False) if cell.strip())


def _flat(cell: str) -> str:
    return " ".join(cell.split())


def _delimiter(text: str) -> str:
    """The one that parts the first rows into the most cells, as long as it does so alike in all."""
    start = text[:100_000].splitlines(keepends=True)[:50]
    best, most = ",", 1
    for delimiter in DELIMITERS:
        try:
            rows = [row for row in csv.reader(start, delimiter=delimiter) if row]
        except csv.Error:
            continue
        widths = [len(row) for row in rows[:-1] or rows]  # the last may be cut
        alike = bool(widths) and widths.count(widths[0]) * 2 > len(widths)
        if alike and widths[0] > most:
            best, most = delimiter, widths[0]
    return best
