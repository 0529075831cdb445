"""CSV and its kin (tsv, tab) as lines that can be read alone: each row names its columns.

Knows how rows and cells are told apart; what they are is for `rows`.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.rows import LOOKED_AT, described
from selfroute.ingest.formats.texts import MOST_BYTES, Text, checked, content, decoded

DELIMITERS = "\t;|,"
"""In the order in which they are preferred where they part the rows equally well: a comma may be a decimal one."""
NONE = "\x1f"
"""A delimiter that does not occur: the file has one column."""
SEPARATOR = re.compile(r"""\s*"?sep=(\\t|[^\r\n"])"?[,;\t|]*[ ]*(?:\r\n|\r|\n|$)""", re.IGNORECASE)
"""The line by which a file tells Excel its delimiter."""
COMMENT = re.compile(r"[ \t]*#+[ \t]*([^\r\n]*)[\r\n]*")


def read(path: Path) -> Text:
    """Rows are paragraphs, so that a chunk ends between two of them."""
    text = checked(decoded(content(path), path), path)
    csv.field_size_limit(
        max(csv.field_size_limit(), MOST_BYTES)
    )  # the library's limit, of the whole process, is 128 kB
    told = SEPARATOR.match(text)
    text = text[told.end() :] if told else text
    comments, text = _comments(text)
    delimiter = ("\t" if told[1] == "\\t" else told[1]) if told else _delimiter(text)
    quoting = _quoting(text, delimiter, path)
    try:
        rows = list(_reader(io.StringIO(text, newline=""), delimiter, quoting))
    except csv.Error as error:
        raise UnreadableFile(path, f"is broken ({error})") from error
    return Text("\n\n".join((*comments, *described(rows))))


def _reader(lines: Iterable[str], delimiter: str, quoting: int = csv.QUOTE_MINIMAL) -> Iterable[list[str]]:
    return csv.reader(lines, delimiter=delimiter, quoting=quoting, skipinitialspace=True)  # type: ignore[arg-type]


def _quoting(text: str, delimiter: str, path: Path) -> int:
    """A quotation mark that is never closed would take the rest of the file for one cell. Between tabs it may be one
    that was written as it is."""
    try:
        for _ in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True):
            pass
    except csv.Error as error:
        if delimiter == "\t":
            return csv.QUOTE_NONE
        if "unexpected end of data" in str(error):
            raise UnreadableFile(path, "is broken: a quotation mark is opened and never closed") from error
    return csv.QUOTE_MINIMAL


def _comments(text: str) -> tuple[list[str], str]:
    """The lines `# ...` on top, and the rest. The last of them is the header if it has as many cells as the rows."""
    found: list[re.Match[str]] = []
    at = 0
    while match := COMMENT.match(text, at):
        found.append(match)
        at = match.end()
    rest = text[at:]
    if found and _is_header(found[-1][1], rest):
        rest = f"{found.pop()[1]}\n{rest}"
    return [" ".join(match[1].split()) for match in found if match[1].strip()], rest


def _is_header(line: str, rest: str) -> bool:
    delimiter = _delimiter(rest)
    first = next(iter(_reader(rest[:100_000].splitlines(keepends=True)[:50], delimiter)), [])
    return len(first) > 1 and len(next(iter(_reader([line], delimiter)), [])) == len(first)


def _delimiter(text: str) -> str:
    """The one that parts the most rows into equally many cells; none if the file is one column of text."""
    start = text[:100_000].splitlines(keepends=True)[:LOOKED_AT]
    best, most = "", (0, 0)
    for delimiter in DELIMITERS:
        try:
            quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL  # between tabs a mark may be text
            rows = [row for row in _reader(start, delimiter, quoting) if any(cell.strip() for cell in row)]
        except csv.Error:
            continue
        if delimiter == "," and _is_text(rows, start):
            continue
        widths = Counter(len(row) for row in rows if len(row) > 1)
        alike, parted = max(widths.values(), default=0), sum(widths.values())
        if (alike > 1 or parted * 2 > len(rows) - (delimiter != ",")) and (alike, parted) > most:
            best, most = delimiter, (alike, parted)
    return best or NONE


def _is_text(rows: list[list[str]], lines: list[str]) -> bool:
    """Tell whether commas part no cells: the first row has none, and all others are followed by a space or are
    decimal."""
    if not rows or len(rows[0]) > 1:
        return False
    with_commas = [line.strip() for line in lines if "," in line]
    return all(re.fullmatch(r"(?:[^,]|,\s)*", line) for line in with_commas) or all(
        re.fullmatch(r'"?[-−+]?[\d.\s]*\d,\d+\s?[€$%]?"?', line) for line in with_commas
    )
