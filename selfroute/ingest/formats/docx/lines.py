"""Lines of a Word file as they come together: pieces of paragraphs, paragraphs, rows of tables.

Knows nothing of XML.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from selfroute.ingest.formats.notation import fraction, lowered, mark, raised

MOST_COLUMNS = 512
"""Columns of a row; Word has no more than 63."""

LONGEST_REPEATED = 1000
"""Characters of a spanned cell that is repeated; one that is longer is text set in a table."""

MOST_REPEATED = 4 * 2**20
"""Characters that the spanned cells of one table repeat at most, with what stands between them."""

MOST_ACROSS = 400
"""Characters that a cell over many columns repeats in its row."""

MOST_NESTED = 12
"""Rows of a table inside of a cell that is written into the cell; around a longer one, the cells are places on the
page."""

APART = " | "
BULLET = "- "
"""Before the items of a list without numbers."""

SLASHES = ("/", "\u2044", "\u2215")
TYPED = re.compile(r"\d{1,4}|[a-z]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a paragraph: text, or what stands `raised`, `lowered`, as the `mark` of a note, as an `equation` or as
    a `word` apart from what is beside it."""

    text: str
    kind: str = ""


def joined(pieces: Sequence[Piece]) -> str:
    """The pieces of a paragraph as text, with what was raised and lowered in it written out."""
    merged: list[Piece] = []
    for piece in pieces:
        if merged and merged[-1].kind == piece.kind and piece.kind in ("", "raised", "lowered"):
            merged[-1] = Piece(merged[-1].text + piece.text, piece.kind)  # runs are cut anywhere
        elif piece.text:
            merged.append(piece)
    made: list[str] = []
    before = ""
    at = 0
    while at < len(merged):
        piece = merged[at]
        if _is_fraction(merged[at : at + 3]):
            text = fraction(before, piece.text.strip(), merged[at + 2].text.strip())
            at += 2
        else:
            text = _written(piece, before)
        if at and _runs_on(before, text, merged[at - 1].kind, piece.kind):
            text = " " + text
        made.append(text)
        before = (before + text)[-40:]
        at += 1
    return "".join(made)


def _written(piece: Piece, before: str) -> str:
    text = piece.text
    if piece.kind == "raised":
        # a line break or a space at the end is not raised
        return raised(before, text) + (" " if text[-1:].isspace() and text.strip() else "")
    if piece.kind == "lowered":
        return lowered(before, text) + (" " if text[-1:].isspace() and text.strip() else "")
    if piece.kind == "mark":
        return mark(before, text)
    if piece.kind == "equation":
        return (" " if before[-1:].isalnum() and text[:1].isdigit() else "") + text
    if piece.kind == "word":
        return text if not before or before[-1:].isspace() or before[-1:] in "([" else f" {text}"
    return text


def _is_fraction(pieces: Sequence[Piece]) -> bool:
    """Tell whether a fraction was typed: a raised number, a slash and a lowered one."""
    return (
        [piece.kind for piece in pieces] == ["raised", "", "lowered"]
        and pieces[1].text in SLASHES
        and bool(TYPED.fullmatch(pieces[0].text.strip()) and TYPED.fullmatch(pieces[2].text.strip()))
    )


def _runs_on(before: str, text: str, kind: str, next_kind: str) -> bool:
    """Tell whether text would read as one with the number, the mark, the word or the equation before it."""
    if kind == next_kind == "equation":
        return not before[-1:].isspace() and not text[:1].isspace()
    if not kind or next_kind:
        return False
    if kind in ("mark", "word"):
        return text[:1].isalnum()
    return before[-1:].isdigit() and text[:1].isdigit()


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, or other lines that belong together, behind what marks it as a heading or an item of a list."""

    text: str
    heading: str = ""
    number: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """The rows of a table."""

    rows: list[list[str]]


@dataclass(slots=True)
class Lines:
    """Blocks of text in their order: as lines, with blank ones between paragraphs and around tables and none between
    the items of a list, or flat in a cell."""

    blocks: list[Block | Grid] = field(default_factory=list)

    def text(self, *, headings: bool = True) -> str:
        lines: list[str] = []
        in_list = False
        for block in self.blocks:
            if isinstance(block, Grid):
                lines += ["", *(APART.join(row) for row in block.rows), ""]
                in_list = False
                continue
            if not block.text:
                continue
            item = bool(block.number) and not block.heading
            before = (block.heading if headings else "") + block.number
            if lines and lines[-1] and not (item and in_list):
                lines.append("")
            lines.append(before + (_line(block.text) if before else block.text))
            in_list = item
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")

    def flat(self) -> str:
        """In one line, for a cell; its list numbers are kept."""
        made, listed = "", False
        for block in self.blocks:
            grid = isinstance(block, Grid)
            part = _within(block.rows) if isinstance(block, Grid) else block.number.removeprefix(BULLET) + block.text
            item = grid or (isinstance(block, Block) and bool(block.number))
            part = _line(part)
            if not part:
                continue
            numbers = made[-1:].isdigit() and part[0].isdigit()
            made += ("; " if numbers or (listed and item) else " " if made else "") + part
            listed = item
        return made

    def nested(self) -> int:
        """Rows of the tables inside."""
        return sum(len(block.rows) for block in self.blocks if isinstance(block, Grid))


@dataclass(slots=True)
class Cell:
    """One cell of a row, and how it spans others: `continues` is what a cell in a vertical span is, `follows` one in
    a horizontal span of the older kind."""

    inside: Lines = field(default_factory=Lines)
    span: int = 1
    continues: bool = False
    follows: bool = False
    dropped: bool = False


@dataclass(slots=True)
class Row:
    cells: list[Cell] = field(default_factory=list)
    before: int = 0
    dropped: bool = False


@dataclass(slots=True)
class Table:
    """A table as its rows come in."""

    rows: list[Row] = field(default_factory=list)

    def into(self, around: Lines) -> None:
        """Writes the table into what is around it: as a grid, or as paragraphs where they were only set in cells."""
        rows = [row for row in self.rows if row.cells and not row.dropped]
        if not rows:
            return
        nested = max(cell.inside.nested() for row in rows for cell in row.cells)
        single = all(len(row.cells) == 1 for row in rows)
        if (single and (len(rows) == 1 or nested)) or nested > MOST_NESTED:
            around.blocks += [block for row in rows for cell in row.cells for block in cell.inside.blocks]
        elif grid := _grid(rows):
            around.blocks.append(Grid(grid))


def _grid(rows: Sequence[Row]) -> list[list[str]]:
    """The texts of a table's cells, those of spanned ones in every row and column that they span."""
    grid: list[list[str]] = []
    above: list[str] = []
    left = MOST_REPEATED
    for row in rows:
        texts = [""] * min(row.before, MOST_COLUMNS, left)
        left -= len(texts)
        for cell in row.cells:
            own = "" if cell.dropped else cell.inside.flat()
            repeats = True
            upper = above[len(texts)] if len(texts) < len(above) else ""
            if cell.continues and (upper or not own):  # what is written in such a cell is not on the page
                own = upper
            elif cell.follows and texts and (texts[-1] or not own):
                own = texts[-1]
            else:
                repeats = False
            columns = max(min(cell.span, MOST_COLUMNS - len(texts)), 1)
            cost = (columns - (not repeats)) * (len(own) + len(APART))
            if cost > left:
                columns = 1
            fits = len(own) <= LONGEST_REPEATED and cost <= left
            across = fits and (columns - 1) * len(own) <= MOST_ACROSS
            left -= cost if fits else columns
            texts += [own if across or (at == 0 and (fits or not repeats)) else "" for at in range(columns)]
        above = texts
        if any(texts):
            grid.append(texts)
    widest = max(map(len, grid), default=0)
    for texts in grid:
        missing = widest - len(texts)
        if missing * len(APART) <= left:  # a row without its last cells is one of the table all the same
            texts += [""] * missing
            left -= missing * len(APART)
    return grid


def _line(text: str) -> str:
    """In one line; numbers on lines of their own do not become one."""
    if "\n" in text:
        text = re.sub(r"(?<=\d)[^\S\n]*\n\s*(?=\d)", "; ", text)
    return " ".join(text.split())


def _within(rows: Sequence[Sequence[str]]) -> str:
    """A table in a line: `Length: 12 m; Draft: 3 m`, and each value with the name of its column if there are more."""
    heads, body = rows[0], rows[1:]
    width = max(map(len, rows))
    if width > 2 and body and all(heads) and not re.search(r"\d", "".join(heads)):
        named = [
            ", ".join(f"{heads[at]}: {text}" if at < len(heads) else text for at, text in enumerate(row) if text)
            for row in body
        ]
        return "; ".join(named)
    apart = ": " if width == 2 else ", "
    return "; ".join(apart.join(filter(None, row)) for row in rows)
