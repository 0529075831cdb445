"""The text of an OpenDocument file in reading order: paragraphs, headings, lists with their numbers, tables and notes.

Texts, the cells of spreadsheets and the shapes of slides share this.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.archives import Archive
from selfroute.ingest.formats.notation import end, lowered, mark, raised
from selfroute.ingest.formats.odf.styles import Level, Styles
from selfroute.ingest.formats.packages import Element, child, children, local, named, number, tree, value

CONTENT = "content.xml"
DEEPEST = 150
"""Elements inside each other that are read: real files have a dozen."""
SHAPES = {"frame", "custom-shape", "g", "rect", "ellipse", "line", "caption", "text-box", "polygon", "path"}
SKIPPED = {
    *("tracked-changes", "sequence-decls", "variable-decls", "user-field-decls", "forms", "ruby-text", "dde-source"),
    *("page-number", "page-count", "hidden-paragraph", "hidden-text", "annotation-end", "scripts", "shapes"),
    *("automatic-update", "event-listeners", "alphabetical-index-mark", "toc-mark"),
}


@dataclass(slots=True)
class Story:
    """Lines as they are made of a tree."""

    archive: Archive
    path: Path
    styles: Styles
    lines: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    objects: list[str] = field(default_factory=list)
    pictures: int = 0
    _lists: list[str] = field(default_factory=list)  # the styles of those that are open
    _numbers: dict[str, dict[int, int]] = field(default_factory=dict)  # by list style: the last number of each level
    _pending: str = ""
    _outline: dict[int, int] = field(default_factory=dict)

    def inner(self) -> Story:
        """A story of its own, for a cell or a note."""
        return Story(self.archive, self.path, self.styles, objects=self.objects)

    def text(self) -> str:
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self.lines)).strip("\n")

    def walk(self, element: Element, depth: int) -> None:
        for one in element:
            self.walk_one(one, depth)

    def walk_one(self, element: Element, depth: int) -> None:
        if depth > DEEPEST:
            raise UnreadableFile(self.path, f"nests more than {DEEPEST} elements inside each other: it is not read")
        kind = local(element)
        if kind in SKIPPED or (kind == "section" and value(element, "display") == "none"):
            return
        if kind == "h":
            self._heading(element, depth)
        elif kind == "p":
            text = self._line(element, depth)
            level = self.styles.look(value(element, "style-name")).level if not self._lists else 0
            self._say(f"{'#' * min(level, 6)} {' '.join(text.split())}" if level and text else text)
        elif kind == "list":
            self._list(element, depth)
        elif kind == "table":
            self._table(element, depth)
        elif kind in ("image", "plugin"):
            self.pictures += 1
        elif kind in ("object", "object-ole"):
            self._object(element)
        elif kind in ("title", "desc"):
            if local(element) == "desc" and element.text:
                self._say(" ".join(element.text.split()))
        elif kind == "annotation":
            self._comment(element, depth)
        else:
            self.walk(element, depth + 1)

    def _heading(self, element: Element, depth: int) -> None:
        level = count(element, "outline-level", 10)
        text = self._line(element, depth)
        if not text:
            return
        number = ""
        marked = self.styles.outline.get(level)
        if marked is not None and marked.kind not in ("", "none") and value(element, "is-list-header") != "true":
            self._outline = {at: last for at, last in self._outline.items() if at <= level}
            self._outline[level] = self._outline.get(level, marked.start - 1) + 1
            numbers = [self._outline.get(at, 1) for at in range(1, level + 1)]
            number = marked.mark(numbers, self.styles.outline)
        self._pending = ""
        self._say(f"{'#' * min(level, 6)} {number}{text}")

    def _list(self, element: Element, depth: int) -> None:
        """A list; its items go on counting where it continues another."""
        name = value(element, "style-name") or (self._lists[-1] if self._lists else "")
        level = len(self._lists) + 1
        numbers = self._numbers.setdefault(name, {})
        goes_on = value(element, "continue-numbering") == "true" or value(element, "continue-list")
        if level == 1 and not goes_on:
            numbers.clear()
        self._lists.append(name)
        if level == 1 and self.lines and self.lines[-1]:
            self.lines.append("")
        for item in children(element, "list-item", "list-header"):
            shape = self.styles.lists.get(name, {}).get(level, Level())
            if local(item) == "list-item":
                last = number(value(item, "start-value"), numbers.get(level, shape.start - 1) + 1) - 1
                for deeper in [at for at in numbers if at > level]:
                    del numbers[deeper]
                numbers[level] = last + 1
                known = self.styles.lists.get(name, {})
                above = [numbers.get(at, known.get(at, Level()).start) for at in range(1, level + 1)]
                holds_text = bool(children(item, "p", "h"))
                self._pending = shape.mark(above, known) if holds_text else ""
            self.walk(item, depth + 2)
            self._pending = ""
        self._lists.pop()
        if level == 1:
            self.lines.append("")

    def _table(self, table: Element, depth: int) -> None:
        """A table as rows `a | b`; a spanned cell stands in each place it spans."""
        grid: list[dict[int, str]] = []
        reach: dict[int, tuple[int, str]] = {}  # column -> the last row that a cell above it spans, and its text
        for row in rows(table):
            cells: dict[int, str] = {}
            column = 0
            for cell in children(row, "table-cell", "covered-table-cell"):
                times = count(cell, "number-columns-repeated", 1_000)
                if local(cell) == "covered-table-cell":
                    for at in range(column, column + times):
                        last, text = reach.get(at, (-1, ""))
                        cells.setdefault(at, text if len(grid) <= last else "")
                    column += times
                    continue
                text = self._in_cell(cell, depth)
                wide, high = count(cell, "number-columns-spanned", 1_000), count(cell, "number-rows-spanned", 10_000)
                for at in range(column, column + max(wide, times)):
                    cells[at] = text
                    reach[at] = (len(grid) + high - 1, text)
                column += times
            grid += [cells] * count(row, "number-rows-repeated", 100)
        width = max((max(row, default=-1) for row in grid), default=-1) + 1
        lines = [" | ".join(row.get(at, "") for at in range(width)) for row in grid if any(row.values())]
        if lines:
            self.lines += ["", *lines, ""]

    def _in_cell(self, cell: Element, depth: int) -> str:
        """The text of a cell on one line; an item alone is no list."""
        inner = self.inner()
        inner.walk(cell, depth + 2)
        self.notes += inner.notes
        self.pictures += inner.pictures
        text = " ".join(inner.text().split())
        return text.removeprefix("- ") if text.count("- ") == 1 else text

    def _object(self, element: Element) -> None:
        """An embedded formula or table is a document of its own."""
        name = value(element, "href").removeprefix("./").strip("/")
        part = f"{name}/{CONTENT}"
        if part not in self.archive.names:
            return
        root = tree(self.archive.part(part), part, self.path)
        formula = next((one.text for one in named(root, "annotation") if one.text), None)
        if local(root) == "math":
            self._say(" ".join((formula or "".join(root.itertext())).split()))
            return
        tables = list(named(root, "table"))
        for table in tables:
            inner = self.inner()
            inner._table(table, 0)
            if said := inner.text():
                self.lines += ["", *said.split("\n"), ""]
        if not tables:
            self.objects.append(name)

    def _comment(self, element: Element, depth: int) -> None:
        inner = self.inner()
        for one in children(element, "p", "list"):
            inner.walk_one(one, depth + 1)
        if said := " ".join(inner.text().split()):
            self.notes.append(f"[comment: {said}]")

    def _line(self, element: Element, depth: int) -> str:
        """The text of a paragraph. What floats in it (a box, a picture's text) stands after it."""
        floating = self.inner()
        look = self.styles.look(value(element, "style-name"))
        runs: list[str] = []
        if not (look.hidden or look.struck):
            self._runs(element, runs, floating, depth + 1)
        said = "".join(runs)
        if floating.lines:
            self.lines += ["", *floating.lines, ""]
        self.notes += floating.notes
        self.pictures += floating.pictures
        lines = (line.strip() for line in re.sub(r" {2,}", " ", said).split("\n"))
        return "\n".join(filter(None, lines))

    def _runs(self, element: Element, made: list[str], floating: Story, depth: int) -> None:
        if depth > DEEPEST:
            raise UnreadableFile(self.path, f"nests more than {DEEPEST} elements inside each other: it is not read")
        made.append(_white(element.text))
        for one in element:
            self._run(one, made, floating, depth)
            made.append(_white(one.tail))

    def _run(self, one: Element, made: list[str], floating: Story, depth: int) -> None:
        kind = local(one)
        if kind == "s":
            made.append(" ")
        elif kind == "tab":
            made.append("\t")
        elif kind == "line-break":
            made.append("\n")
        elif kind == "soft-hyphen" or kind in SKIPPED:
            return
        elif kind == "note":
            made.append(self._note(one, end(made), depth))
        elif kind == "annotation":
            inner = self.inner()
            inner._comment(one, depth)
            made += [f" {said}" for said in inner.notes]
        elif kind in SHAPES:
            floating.walk_one(one, depth + 1)
        elif kind == "span":
            self._span(one, made, floating, depth)
        else:
            self._runs(one, made, floating, depth + 1)

    def _span(self, one: Element, made: list[str], floating: Story, depth: int) -> None:
        look = self.styles.look(value(one, "style-name"))
        if look.struck or look.hidden:
            return
        if not look.position:
            self._runs(one, made, floating, depth + 1)
            return
        inner: list[str] = []
        self._runs(one, inner, floating, depth + 1)
        write = raised if look.position > 0 else lowered
        made.append(write(end(made), "".join(inner)))

    def _note(self, note: Element, text: str, depth: int) -> str:
        """The mark of a note; what it says stands at the end, behind its mark."""
        cited = child(note, "note-citation")
        name = " ".join("".join(cited.itertext()).split()) if cited is not None else ""
        inner = self.inner()
        for body in children(note, "note-body"):
            inner.walk(body, depth + 1)
        said = " ".join(inner.text().split())
        name = name or "*"
        self.notes += [f"[{name}] {said}"] if said else []
        return mark(text, name)

    def _say(self, text: str) -> None:
        if not text:
            return
        marked, self._pending = self._pending, ""
        if not self._lists and self.lines and self.lines[-1]:
            self.lines.append("")
        self.lines += [f"{marked}{' '.join(text.split())}"] if marked else text.split("\n")


def _white(text: str | None) -> str:
    """Text as it is read: line breaks and runs of white space in the file are one space."""
    return re.sub(r"[ \t\r\n]+", " ", text) if text else ""


def rows(table: Element, depth: int = 0) -> Iterator[Element]:
    """Rows, those in groups and headers too."""
    for one in table:
        if local(one) == "table-row":
            yield one
        elif local(one) in ("table-header-rows", "table-rows", "table-row-group") and depth < DEEPEST:
            yield from rows(one, depth + 1)


def count(element: Element, name: str, most: int) -> int:
    return min(max(number(value(element, name), 1), 1), most)
