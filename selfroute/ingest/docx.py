"""Word documents (docx) in reading order: headings marked as in Markdown, list items on lines, a table's rows on
lines with their cells apart; footnotes at the end.

The XML is read as a stream, so no tree is built and pictures are not unpacked. Text in content controls, tracked
insertions and text boxes is kept, text that was deleted is not.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from selfroute.errors import UnreadableFile
from selfroute.ingest.archives import Archive, opened
from selfroute.ingest.texts import Text

BODY, STYLES = "word/document.xml", "word/styles.xml"
NOTES = ("word/footnotes.xml", "word/endnotes.xml")
BREAKS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "softHyphen": ""}
ITEM = "- "
LEVELS = tuple("012345678")
DEEPEST = 20
"""How many styles a style may be based on, one on the other."""
SKIPPED = {"del", "moveFrom", "Fallback", "instrText", "delText"}
"""Deleted text, the second copy of a text box, and the code of a field."""


def read(path: Path) -> Text:
    with opened(path) as archive:
        marks = _marks(archive, path)
        parts = [_story(archive, name, path, marks) for name in (BODY, *NOTES) if name == BODY or name in archive.names]
    return Text("\n\n".join(part for part in parts if part))


def _story(archive: Archive, name: str, path: Path, marks: dict[str, str]) -> str:
    story = _Story(marks)
    _parse(archive.part(name), name, path, story)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(story.lines)).strip("\n")


def _marks(archive: Archive, path: Path) -> dict[str, str]:
    styles = _Styles()
    if STYLES in archive.names:
        _parse(archive.part(STYLES), STYLES, path, styles)
    return styles.marks()


def _parse(data: bytes, name: str, path: Path, target: object) -> None:
    try:
        parser = ElementTree.XMLParser(target=target)
        parser.feed(data)
        parser.close()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise UnreadableFile(path, f"is broken: {name} is no XML ({error})") from error


def _heading(level: int) -> str:
    return "#" * min(level, 6) + " "


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _value(attributes: dict[str, str], wanted: str = "val") -> str:
    return next((value for name, value in attributes.items() if _local(name) == wanted), "")


class _Styles:
    """Reads what the styles of paragraphs stand for, in whatever language they are named."""

    def __init__(self) -> None:
        self._marks: dict[str, str] = {}
        self._based: dict[str, str] = {}
        self._id = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name, value = _local(tag), _value(attributes)
        if name == "style":
            self._id = _value(attributes, "styleId")
        elif name == "basedOn":
            self._based[self._id] = value
        elif name == "name":
            found = re.fullmatch(r"heading ([1-9])", value.lower())
            if found or value.lower() == "title":
                self._marks[self._id] = _heading(int(found[1]) if found else 1)
        elif name == "outlineLvl" and value in LEVELS:
            self._marks.setdefault(self._id, _heading(int(value) + 1))
        elif name == "numPr":
            self._marks.setdefault(self._id, ITEM)

    def marks(self) -> dict[str, str]:
        """Style id -> what stands before its paragraphs; a style that has none takes that of the one it is based on."""
        for style in self._based:
            ancestor = style
            for _ in range(DEEPEST):
                if ancestor in self._marks or ancestor not in self._based:
                    break
                ancestor = self._based[ancestor]
            if ancestor in self._marks:
                self._marks[style] = self._marks[ancestor]
        return self._marks

    def close(self) -> None:
        pass


class _Story:
    """Lines as they are made of a stream of elements."""

    def __init__(self, marks: dict[str, str]) -> None:
        self.lines: list[str] = []
        self._marks = marks
        self._skipped = 0
        self._texts = 0  # inside of w:t
        self._cells = 0  # inside of table cells
        self._tables = 0
        self._row: list[str] = []
        self._paragraphs: list[tuple[list[str], list[str]]] = []  # open ones: their text, and what stands before it

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = _local(tag)
        if self._skipped or name in SKIPPED:
            self._skipped += 1
        elif name == "p":
            self._paragraphs.append(([], [""]))
        elif name == "t":
            self._texts += 1
        elif name in BREAKS and self._paragraphs:
            self._paragraphs[-1][0].append(BREAKS[name])
        elif name == "pStyle" and self._paragraphs:
            self._paragraphs[-1][1][0] = self._marks.get(_value(attributes), "")
        elif name == "outlineLvl" and self._paragraphs and _value(attributes) in LEVELS:
            self._paragraphs[-1][1][0] = _heading(int(_value(attributes)) + 1)
        elif name == "numPr" and self._paragraphs and not self._paragraphs[-1][1][0]:
            self._paragraphs[-1][1][0] = ITEM
        elif name == "tbl":
            self._tables += 1
            if self._tables == 1:
                self.lines.append("")
        elif name == "tr" and self._tables == 1:
            self._row = []
        elif name == "tc":
            self._cells += 1
            if self._cells == 1:
                self._row.append("")

    def data(self, text: str) -> None:
        if self._texts and not self._skipped and self._paragraphs:
            self._paragraphs[-1][0].append(text)

    def end(self, tag: str) -> None:
        name = _local(tag)
        if self._skipped:
            self._skipped -= 1
        elif name == "p":
            self._say(*self._paragraphs.pop())
        elif name == "t":
            self._texts -= 1
        elif name == "tc":
            self._cells -= 1
        elif name == "tr" and self._tables == 1:
            if any(cell.strip() for cell in self._row):
                self.lines.append(" | ".join(self._row))
        elif name == "tbl":
            self._tables -= 1
            if not self._tables:
                self.lines.append("")

    def close(self) -> None:
        pass

    def _say(self, parts: list[str], before: list[str]) -> None:
        text = "".join(parts).strip()
        if not text:
            return
        if self._cells and self._row:
            self._row[-1] = f"{self._row[-1]} {' '.join(text.split())}".strip()
            return
        following = before[0] == ITEM and bool(self.lines) and self.lines[-1].startswith(ITEM)
        if self.lines and self.lines[-1] and not following:
            self.lines.append("")
        self.lines.append(before[0] + (" ".join(text.split()) if before[0] else text))
