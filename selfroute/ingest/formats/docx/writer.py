"""Writes paragraphs, runs and tables of a Word file into lines as they open and close.

Knows nothing of XML.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from selfroute.ingest.formats.docx.lines import BULLET, Block, Cell, Lines, Piece, Row, Table, joined
from selfroute.ingest.formats.docx.numbering import Numbering
from selfroute.ingest.formats.docx.styles import Look, Styles
from selfroute.ingest.formats.symbols import FONTS, symbol, translated

MOST_TABLES = 8
"""Tables inside of each other; the rows of those that are deeper are paragraphs."""

RAISED = re.compile(r"[-−–+]?\d{1,3}|[*†‡§]")
HIGH = 4
"""Half points from which a short text that was moved up or down is raised or lowered."""

PAGE = "\ue010"
"""Stands for a page's number until its line is whole."""

PAGE_WORDS = r"(?:page|seite|sida|side|pagina|página|pág\.?|strona|p\.|s\.|第|no\.?)"
OF_WORDS = r"(?:of|von|av|af|van|de|di|sur|z|/|\||-|–|页共|页|共)"
PAGE_NUMBER = re.compile(
    rf"[-–—|(\[]?\s*(?:{PAGE_WORDS}\s*)?{PAGE}(?:\s*{OF_WORDS}?\s*{PAGE})?(?:\s*页)?\s*[-–—|)\]]?", re.IGNORECASE
)


@dataclass(slots=True)
class Run:
    """Text that looks the same: `look` is what is said of it where it stands."""

    look: Look = field(default_factory=Look)
    resolved: Look | None = None


@dataclass(slots=True)
class Paragraph:
    """An open paragraph."""

    pieces: list[Piece] = field(default_factory=list)
    style: str = ""
    heading: int | None = None
    list: str | None = None
    level: int | None = None
    removed: bool = False  # its end was deleted, or it is a large first letter: it goes on in the next one
    hidden: bool = False
    number: str | None = None
    run: Run | None = None
    loose: bool = False  # text without a paragraph around it


class Writer:
    """Describes what is open, and the lines of what was closed."""

    def __init__(self, styles: Styles, numbering: Numbering) -> None:
        self.lost: Counter[str] = Counter()
        """What could not be read, by what it is."""
        self.written = 0
        """Pieces of text so far, to see whether something gave any."""
        self._styles, self._numbering = styles, numbering
        self._sinks: list[Lines] = []
        self._paragraphs: list[Paragraph] = []
        self._carried: list[Piece] = []
        self._tables: list[Table] = []
        self._cells: list[bool] = []
        self._beyond = 0

    def open(self) -> None:
        """Begins lines of their own, in which the next paragraphs are."""
        self._loose()
        self._sinks.append(Lines())

    def close(self) -> Lines:
        """Ends the lines that were begun last."""
        self._settle()
        return self._sinks.pop()

    @property
    def paragraph(self) -> Paragraph:
        """The open paragraph; one is begun for text that has none."""
        if not self._paragraphs:
            self._paragraphs.append(Paragraph(loose=True))
        return self._paragraphs[-1]

    @property
    def row(self) -> Row | None:
        return self._tables[-1].rows[-1] if self._tables and self._tables[-1].rows and not self._beyond else None

    @property
    def cell(self) -> Cell | None:
        row = self.row
        return row.cells[-1] if row and row.cells else None

    def begin_paragraph(self) -> None:
        self._loose()
        self._paragraphs.append(Paragraph())

    def end_paragraph(self) -> None:
        self._end(self._paragraphs.pop())

    def count(self) -> None:
        """Gives the open paragraph its number, now that its properties are known."""
        paragraph = self.paragraph
        if not paragraph.removed and not paragraph.hidden:
            paragraph.number = self._number(paragraph)

    def begin_run(self) -> None:
        self.paragraph.run = Run()

    def end_run(self) -> None:
        if self._paragraphs:
            self._paragraphs[-1].run = None

    def shows(self) -> bool:
        """Tell whether text of the open run is on the page: it is neither struck out nor hidden."""
        look = self._look()
        return not (look.struck or look.double or look.hidden)

    def text(self, text: str) -> None:
        """Text of the open run."""
        look = self._look()
        if look.struck or look.double or look.hidden:
            return
        if not text.isascii() or (look.font and look.font.lower() in FONTS):
            text, unknown = translated(look.font or "", text.replace("\xad", ""))
            if unknown:
                self.lost[f"symbol:{look.font or 'an unknown font'}"] += unknown
        aligned = look.aligned or ""
        if not aligned and abs(look.position) >= HIGH and RAISED.fullmatch(text):
            aligned = "raised" if look.position > 0 else "lowered"
        self.piece(text, aligned)

    def symbol(self, font: str, code: str) -> None:
        """A character by its place in a font."""
        found = symbol(font, code)
        if found is not None:
            look = self._look()
            if self.shows():
                self.piece(found, look.aligned or "")
        elif self.shows():
            self.lost[f"symbol:{font}"] += 1

    def piece(self, text: str, kind: str = "") -> None:
        """Text that looks like no other."""
        self.paragraph.pieces.append(Piece(text, kind))
        self.written += bool(text.strip())

    def block(self, text: str) -> None:
        """Lines that were written elsewhere."""
        if text.strip():
            self._loose()
            self._sinks[-1].blocks.append(Block(text))
            self.written += 1

    def begin_table(self) -> None:
        self._loose()
        if len(self._tables) >= MOST_TABLES:
            self._beyond += 1
        else:
            self._tables.append(Table())

    def end_table(self) -> None:
        self._settle()
        if self._beyond:
            self._beyond -= 1
        else:
            self._tables.pop().into(self._sinks[-1])

    def begin_row(self) -> None:
        self._settle()
        if self._tables and not self._beyond:
            self._tables[-1].rows.append(Row())

    def begin_cell(self) -> None:
        self._settle()
        row = self.row
        self._cells.append(row is not None)
        if row is not None:
            row.cells.append(Cell())
            self._sinks.append(row.cells[-1].inside)

    def end_cell(self) -> None:
        self._settle()
        if self._cells.pop():
            self._sinks.pop()

    def _look(self) -> Look:
        paragraph = self.paragraph
        run = paragraph.run
        if run is None:
            return self._styles.look(paragraph.style, "")
        if run.resolved is None:
            own, base = run.look, self._styles.look(paragraph.style, run.look.style)
            run.resolved = Look(
                base.struck if own.struck is None else own.struck,
                base.double if own.double is None else own.double,
                base.hidden if own.hidden is None else own.hidden,
                base.aligned if own.aligned is None else own.aligned,
                own.font or base.font,
                own.position,
            )
        return run.resolved

    def _number(self, paragraph: Paragraph) -> str:
        of_style, level_of_style, styles = self._styles.list_of(paragraph.style)
        used = of_style if paragraph.list is None else paragraph.list
        if not used or used == "0":
            return ""
        level = paragraph.level if paragraph.level is not None else level_of_style
        if level is None:
            level = self._numbering.level_of(used, styles)
        return self._numbering.next(used, level)

    def _end(self, paragraph: Paragraph) -> None:
        if paragraph.removed:
            self._carried += paragraph.pieces
            return
        text = joined([*self._carried, *paragraph.pieces] if self._carried else paragraph.pieces).strip()
        self._carried = []
        if PAGE in text:
            text = " ".join(PAGE_NUMBER.sub(" ", text).split())
        if paragraph.number is None and (text or not paragraph.hidden) and not paragraph.loose:
            paragraph.number = self._number(paragraph)
        number = paragraph.number or ""
        if not text and not (number and self._cells and self._cells[-1]):
            return
        level = self._styles.heading(paragraph.style) if paragraph.heading is None else paragraph.heading
        heading = "#" * min(level, 6) + " " if level and text else ""
        if heading and number.startswith(BULLET):
            number = ""
        self._sinks[-1].blocks.append(Block(text, heading, number))

    def _loose(self) -> None:
        """Ends text that has no paragraph."""
        if self._paragraphs and self._paragraphs[-1].loose:
            self._end(self._paragraphs.pop())

    def _settle(self) -> None:
        """Ends text that goes on in no other paragraph."""
        self._loose()
        if self._carried and self._sinks:
            self._end(Paragraph(loose=True))
