"""Lines as they are made of the text of an RTF file: paragraphs, list items, tables, headers and notes.

Knows nothing of control words but of those that shape paragraphs and tables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from selfroute.ingest.formats.notation import end, lowered, mark, raised
from selfroute.ingest.formats.texts import names_page

NEAR = 30
"""Twentieths of a point: edges of cells that are this close are one."""


@dataclass(slots=True)
class _Cell:
    """Describes how a cell of a row is defined: its right edge, and whether it goes on from the one on its left or
    above it."""

    edge: int
    left: bool = False
    above: bool = False


@dataclass(slots=True)
class _Flow:
    """Text that is being made, apart from others: the body, a note, a box."""

    kind: str = "body"
    lines: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    run: list[str] = field(default_factory=list)
    base: int = 0
    level: int = 0
    marked: str = ""
    in_table: bool = False
    nested: int = 1
    cells: list[str] = field(default_factory=list)
    cell: list[str] = field(default_factory=list)
    inner: list[str] = field(default_factory=list)  # cells of a table in the cell
    defined: list[_Cell] = field(default_factory=list)
    flags: list[bool] = field(default_factory=lambda: [False, False])
    rows: list[tuple[list[str], list[_Cell]]] = field(default_factory=list)
    item: bool = False


class Story:
    """The document as it is read."""

    def __init__(self) -> None:
        self._flow = _Flow()
        self._open: list[_Flow] = []
        self._framing: list[str] = []
        self._notes: list[str] = []
        self._numbered = 0
        self._marked = False

    def say(self, text: str, base: int) -> None:
        flow = self._flow
        if base != flow.base:
            self._flush()
            flow.base = base
        flow.run.append(text)

    def styled(self, level: int) -> None:
        self._flow.level = level

    def end(self) -> None:
        """Ends the paragraph."""
        text = self._taken()
        flow = self._flow
        if flow.in_table and flow.kind == "body":
            flow.cell += [f"{flow.marked}{text}"] if text else []
            flow.marked = ""
            return
        if text:
            self._table()
            self._add(text)
        flow.marked = ""

    def note_mark(self) -> None:
        """The number of the note that follows; within the note it is known."""
        if self._flow.kind == "footnote":
            return
        self._flush()
        self._flow.text.append(mark(end(self._flow.text), str(self._numbered + 1)))
        self._marked = True

    def control(self, word: str, number: int | None) -> None:
        """Return what shapes paragraphs and tables."""
        flow = self._flow
        if word == "pard":
            flow.in_table, flow.level, flow.nested = False, 0, 1
        elif word == "intbl":
            flow.in_table = True
        elif word == "itap" and number is not None:
            flow.nested, flow.in_table = number, number > 0
        elif word == "trowd":
            flow.defined, flow.flags = [], [False, False]
        elif word in ("clmrg", "clvmrg"):
            flow.flags[word == "clvmrg"] = True
        elif word == "cellx" and number is not None and len(flow.defined) < 1_000:
            flow.defined.append(_Cell(number, *flow.flags))
            flow.flags = [False, False]
        elif word == "cell":
            self._end_cell()
        elif word == "row":
            self._end_row()
        elif word == "nestcell":
            text = " ".join(filter(None, (*flow.cell, self._taken())))
            flow.cell = []
            flow.inner.append(text)
        elif word == "nestrow":
            inner, flow.inner = " | ".join(flow.inner), []
            flow.cell = [*flow.cell, inner]

    def open(self, kind: str) -> None:
        """Text follows that stands apart: a header, a note, a box, or the mark of a list item."""
        if kind == "footnote":
            self._numbered += 1
        self._open.append(self._flow)
        self._flow = _Flow(kind)

    def close(self, kind: str) -> None:
        if not self._open or self._flow.kind != kind:
            return
        made = self._flow
        self.end()
        self._table()
        self._flow = self._open.pop()
        text = "\n".join(made.lines).strip("\n")
        flat = " ".join(text.split())
        if kind == "mark":
            flow = self._flow
            flow.marked = "- " if re.fullmatch(r"[^\w(\[]+|o|§|[a-zA-Z]?\ufffd", flat) or not flat else f"{flat} "
        elif kind == "header":
            if not names_page(re.sub(r"\d+", " ", flat)) and text not in self._framing:
                self._framing.append(text)
        elif kind == "footnote":
            named, self._marked = self._marked, False
            if flat:
                self._notes.append(f"[{self._numbered}] {flat}" if named else flat)
            self._numbered -= not named
        elif kind == "annotation":
            self._flush()
            self._flow.text += [f" [comment: {flat}]"] if flat else []
        elif text:
            self._flow.lines += [*text.split("\n"), ""] if self._flow.kind == "body" else text.split("\n")

    def text(self) -> str:
        while self._open:
            self.close(self._flow.kind)
        self.end()
        self._table()
        body = re.sub(r"\n{3,}", "\n\n", "\n".join(self._flow.lines)).strip("\n")
        return "\n\n".join(filter(None, (*self._framing, body, *self._notes)))

    def _flush(self) -> None:
        flow = self._flow
        run, flow.run = flow.run, []
        if run and flow.base:
            write = raised if flow.base > 0 else lowered
            run = [write(end(flow.text), "".join(run))]
        flow.text += run

    def _taken(self) -> str:
        """The text of the paragraph so far, which begins anew."""
        self._flush()
        flow = self._flow
        text, flow.text = "".join(flow.text), []
        lines = (re.sub(r"[ \u00a0]{2,}", " ", line).strip() for line in text.split("\n"))
        return "\n".join(filter(None, lines))

    def _add(self, text: str) -> None:
        flow = self._flow
        item = bool(flow.marked) and flow.kind != "mark"
        if flow.lines and flow.lines[-1] and not (item and flow.item):
            flow.lines.append("")
        if item:
            flow.lines.append(flow.marked + " ".join(text.split()))
        elif flow.level:
            flow.lines.append("#" * min(flow.level, 6) + " " + " ".join(text.split()))
        else:
            flow.lines += text.split("\n")
        flow.item = item

    def _end_cell(self) -> None:
        flow = self._flow
        text = self._taken()
        text = f"{flow.marked}{text}" if flow.marked and text else text
        flow.marked = ""
        flow.cells.append(" ".join(" ".join((*flow.cell, text)).split()))
        flow.cell = []

    def _end_row(self) -> None:
        flow = self._flow
        if flow.cells:
            flow.rows.append((flow.cells, list(flow.defined)))
        flow.cells = []

    def _table(self) -> None:
        """The rows so far as lines `a | b`; a cell stands in each column that it is as wide as."""
        flow = self._flow
        self._end_row()
        rows, flow.rows = flow.rows, []
        if not rows:
            return
        edges = _edges([cell.edge for _, cells in rows for cell in cells])
        lines: list[list[str]] = []
        for texts, cells in rows:
            line: list[str] = []
            at = 0
            for number, text in enumerate(texts):
                about = cells[number] if number < len(cells) else None
                width = 1
                if about is not None:
                    width = max(sum(edge <= about.edge + NEAR for edge in edges) - at, 1)
                above = lines[-1] if lines else []
                if about is not None and about.above and not text and at < len(above):
                    text = above[at]
                elif about is not None and about.left and not text and line:
                    text = line[-1]
                line += [text] * width
                at += width
            lines.append(line)
        if flow.lines and flow.lines[-1]:
            flow.lines.append("")
        flow.lines += [*(" | ".join(line) for line in lines if any(line)), ""]
        flow.item = False


def _edges(found: list[int]) -> list[int]:
    """The right edges of columns, those that are next to each other taken for one."""
    made: list[int] = []
    for edge in sorted(found):
        if not made or edge > made[-1] + NEAR:
            made.append(edge)
    return made
