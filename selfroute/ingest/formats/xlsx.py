"""Excel workbooks (xlsx, xlsm): each sheet under its name, its rows naming their columns, cells as Excel shows them.

A sheet is read as a stream of its cells that there are, so that one that claims all 17 billion takes no time. Values of
formulas are those that were saved: nothing is computed here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats import charts, drawings
from selfroute.ingest.formats.grids import Grid, Span, text_of
from selfroute.ingest.formats.notation import end, lowered, raised
from selfroute.ingest.formats.number_formats import BUILT_IN, shown
from selfroute.ingest.formats.numbering import written
from selfroute.ingest.formats.packages import (
    Element,
    Package,
    child,
    children,
    local,
    named,
    number,
    package,
    switched,
    value,
)
from selfroute.ingest.formats.texts import Text, emptiness, images, names_page

LAST_ROW, LAST_COLUMN = 1_048_576, 16_384
MOST_SPANS = 200_000
REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7})", re.IGNORECASE)
TRUE = ("1", "true")


def read(path: Path) -> Text:
    with package(path) as file:
        main = file.main
        book = file.tree(main)
        links = {link.id: link for link in file.links(main)}
        look = _look(file, main, book)
        grids: list[Grid] = []
        pictures: list[str] = []
        unsaved: list[str] = []
        cells = 0
        for sheet in children(child(book, "sheets"), "sheet"):
            link = links.get(value(sheet, "id"))
            if link is None or not file.has(link.target) or link.kind not in ("worksheet", "chartsheet"):
                continue
            hidden = value(sheet, "state", "visible") != "visible"
            grid, without_value, drawn = _sheet(file, link.target, value(sheet, "name"), hidden, look)
            grids.append(grid)
            cells += sum(map(len, grid.rows.values())) + len(without_value)
            if without_value:
                unsaved.append(
                    f"{', '.join(without_value[:5])}{' ...' if len(without_value) > 5 else ''} of {grid.name!r}"
                )
                cells_missing = len(without_value)
                look.missing += cells_missing
            if drawn and not grid.rows and not grid.around:
                pictures.append(repr(grid.name))
    text = text_of(grids)
    warnings = []
    if pictures:
        several = f"s {', '.join(pictures[:-1])} and" if len(pictures) > 1 else ""
        warnings.append(f"sheet{several} {pictures[-1]} {images(len(pictures))}")
    if unsaved:
        warnings.append(
            f"formulas were saved without their values ({'; '.join(unsaved[:5])}): open the file in a spreadsheet"
            " program and save it"
        )
    if not text:
        raise UnreadableFile(path, _nothing(pictures, unsaved))
    sheets = sum(bool(grid.rows or grid.around) for grid in grids)
    readable = sheets / (sheets + len(pictures)) * (1 - look.missing / max(cells, 1))
    return Text(text, warnings=tuple(warnings), readable=readable)


def _nothing(pictures: Sequence[str], unsaved: Sequence[str]) -> str:
    if unsaved and not pictures:
        return "holds formulas without saved values: open and save it in a spreadsheet program"
    return emptiness(pictures)


@dataclass(slots=True)
class _Look:
    """Describes what the sheets of a book share: their texts, and how cells are shown by their style."""

    texts: Sequence[str]
    codes: Sequence[str]
    struck: frozenset[int]
    from_1904: bool
    missing: int = 0


def _look(file: Package, main: str, book: Element) -> _Look:
    texts = _Texts()
    for name in file.linked(main, "sharedStrings")[:1]:
        file.stream(name, texts)
    codes: list[str] = []
    struck: set[int] = set()
    for name in file.linked(main, "styles")[:1]:
        styles = file.tree(name)
        custom = {
            value(one, "numFmtId"): value(one, "formatCode") for one in children(child(styles, "numFmts"), "numFmt")
        }
        fonts = [any(map(switched, children(font, "strike"))) for font in children(child(styles, "fonts"), "font")]
        for at, style in enumerate(children(child(styles, "cellXfs"), "xf")):
            code, font = value(style, "numFmtId", "0"), number(value(style, "fontId", "0"), -1)
            codes.append(custom.get(code, BUILT_IN.get(number(code), "General")))
            if 0 <= font < len(fonts) and fonts[font]:
                struck.add(at)
    about = child(book, "workbookPr")
    from_1904 = about is not None and switched(about, "date1904", "0")
    return _Look(texts.made, codes, frozenset(struck), from_1904)


def _sheet(file: Package, name: str, title: str, hidden: bool, look: _Look) -> tuple[Grid, list[str], bool]:
    """A sheet, its formulas without a saved value, and whether it holds pictures."""
    cells = _Cells(look)
    file.stream(name, cells)
    rows = cells.rows
    for (row, column), notes in _comments(file, name).items():
        cell = rows.setdefault(row, {})
        cell[column] = " ".join((cell.get(column, ""), *(f"[comment: {note}]" for note in notes))).strip()
    around, pictures = _drawn(file, name)
    grid = Grid(
        title,
        {row: found for row, found in rows.items() if found},
        cells.spans,
        hidden,
        cells.hidden_rows,
        sorted(cells.hidden_columns),
        (*cells.around, *around),
    )
    return grid, cells.unsaved, pictures


def _comments(file: Package, sheet: str) -> dict[tuple[int, int], list[str]]:
    """The comments of a sheet by their cell; those with answers are kept twice in a file, and read once."""
    made: dict[tuple[int, int], list[str]] = {}
    for kind in ("threadedComment", "comments"):
        found: dict[tuple[int, int], list[str]] = {}
        for name in file.linked(sheet, kind):
            for one in named(file.tree(name), "threadedComment", "comment"):
                place = _place(value(one, "ref"))
                text = " ".join("".join(part.text or "" for part in named(one, "text", "t") if part.text).split())
                if place and text and place not in made:
                    found.setdefault(place, []).append(text)
        made.update(found)
    return made


def _drawn(file: Package, sheet: str) -> tuple[list[str], bool]:
    """The text of boxes, charts and diagrams over a sheet, and whether there are pictures."""
    said: list[str] = []
    pictures = False
    for name in file.linked(sheet, "drawing"):
        root = file.tree(name)
        for shape in named(root, "sp"):
            said += drawings.paragraphs(child(shape, "txBody"))
        for picture in named(root, "pic"):
            pictures = True
            said += filter(None, [drawings.alternative(picture)])
        for link in file.links(name):
            if link.kind in ("chart", "chartEx") and file.has(link.target):
                said += charts.chart(file.tree(link.target))
            elif link.kind == "diagramData" and file.has(link.target):
                said += charts.diagram(file.tree(link.target))
    return said, pictures


def _place(reference: str) -> tuple[int, int] | None:
    found = REFERENCE.fullmatch(reference.partition(":")[0])
    if not found:
        return None
    column = 0
    for letter in found[1].upper():
        column = column * 26 + ord(letter) - ord("A") + 1
    row = int(found[2])
    return (row, column) if 1 <= row <= LAST_ROW and column <= LAST_COLUMN else None


class _Texts:
    """Reads the texts that the cells of a book share: runs that are struck out are dropped."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self._item = _Item()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = local(tag)
        if name == "si":
            self._item = _Item()
        else:
            self._item.start(name, attributes)

    def data(self, text: str) -> None:
        self._item.data(text)

    def end(self, tag: str) -> None:
        name = local(tag)
        if name == "si":
            self.made.append(self._item.text)
        else:
            self._item.end(name)

    def close(self) -> None:
        pass


class _Item:
    """A text as it is made of its runs."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._run: list[str] = []
        self._in_text = False
        self._phonetic = False
        self._struck = False
        self._base = ""

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "t":
            self._in_text = not self._phonetic
        elif name == "rPh":
            self._phonetic = True
        elif name == "strike":
            self._struck = switched(attributes)
        elif name == "vertAlign":
            self._base = attributes.get("val", "")
        elif name == "r":
            self._struck, self._base = False, ""

    def data(self, text: str) -> None:
        if self._in_text:
            self._run.append(text)

    def end(self, name: str) -> None:
        if name == "t" and self._in_text:
            self._in_text = False
            said, self._run = "".join(self._run), []
            if self._struck:
                return
            write = {"superscript": raised, "subscript": lowered}.get(self._base)
            self._parts.append(write(end(self._parts), said) if write else said)
        elif name == "rPh":
            self._phonetic = False


@dataclass(slots=True)
class _Cells:
    """Reads the cells of a sheet that hold something."""

    look: _Look
    rows: dict[int, dict[int, str]] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    hidden_rows: list[int] = field(default_factory=list)
    hidden_columns: set[int] = field(default_factory=set)
    unsaved: list[str] = field(default_factory=list)
    around: list[str] = field(default_factory=list)
    _row: int = 0
    _column: int = 0
    _kind: str = "n"
    _style: int = 0
    _formula: bool = False
    _value: list[str] | None = None
    _text: list[str] = field(default_factory=list)
    _inline: _Item | None = None
    _hidden: bool = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = local(tag)
        if name == "c":
            place = _place(attributes.get("r", ""))
            self._row, self._column = place or (self._row, self._column + 1)
            self._kind = attributes.get("t", "n")
            style = attributes.get("s", "0")
            self._style = int(style) if style.isdigit() else 0
            self._formula, self._value, self._inline = False, None, None
        elif name == "v":
            self._value = self._text = []
        elif name == "f":
            self._formula = True
            self._text = []
        elif name == "is":
            self._inline = _Item()
        elif self._inline is not None:
            self._inline.start(name, attributes)
        elif name == "row":
            row = number(attributes.get("r", ""), -1)
            self._row = row if 0 <= row <= LAST_ROW else self._row + 1
            self._column = 0
            self._hidden = switched(attributes, "hidden", "0")
        elif name == "mergeCell" and len(self.spans) < MOST_SPANS:
            first, _, last = attributes.get("ref", "").partition(":")
            top, bottom = _place(first), _place(last or first)
            if top and bottom:
                self.spans.append(Span(*top, *bottom))
        elif name == "col" and switched(attributes, "hidden", "0") and len(self.hidden_columns) < LAST_COLUMN:
            low, high = number(attributes.get("min", "")), number(attributes.get("max", ""))
            self.hidden_columns.update(range(max(low, 1), min(high, LAST_COLUMN) + 1))
        elif name in HEADERS:
            self._text = []

    def data(self, text: str) -> None:
        if self._inline is not None:
            self._inline.data(text)
        else:
            self._text.append(text)

    def end(self, tag: str) -> None:
        name = local(tag)
        if name == "c":
            self._say()
            self._inline = None
        elif self._inline is not None:
            self._inline.end(name)
        elif name in ("v", "f"):
            self._text = []
        elif name in HEADERS:
            said = _header("".join(self._text))
            if said and said not in self.around:
                self.around.append(said)

    def close(self) -> None:
        pass

    def _say(self) -> None:
        if self._inline is not None:
            text = self._inline.text
        elif self._value is None:
            if self._formula and self._kind != "str":
                self.unsaved.append(f"{written(self._column, 'upperLetter')}{self._row}")
            return
        else:
            text = self._shown("".join(self._value))
        if text.strip() and self._style not in self.look.struck:
            row = self.rows.get(self._row)
            if row is None:
                row = self.rows[self._row] = {}
                if self._hidden:
                    self.hidden_rows.append(self._row)
            row[self._column] = text.strip()

    def _shown(self, raw: str) -> str:
        look = self.look
        if self._kind == "s":
            return look.texts[int(raw)] if raw.strip().isdigit() and int(raw) < len(look.texts) else ""
        if self._kind == "b":
            return "TRUE" if raw.strip() in TRUE else "FALSE"
        if self._kind in ("str", "e", "inlineStr"):
            return raw
        if self._kind == "d":
            return _day(raw)
        code = look.codes[self._style] if self._style < len(look.codes) else "General"
        try:
            return shown(float(raw), code, look.from_1904)
        except (ValueError, OverflowError):
            return raw


HEADERS = {"oddHeader", "oddFooter", "evenHeader", "evenFooter", "firstHeader", "firstFooter"}


def _header(code: str) -> str:
    """The words of a sheet's header or footer, without its fields and fonts."""
    text = re.sub(r'&(?:"[^"]*"|K[0-9A-Fa-f]{6}|K\d\d[+-]\d{3}|\d{1,3}|[PNDTZFABIUESXYOHG])', "", code)
    parts = [" ".join(part.replace("&&", "&").split()) for part in re.split(r"&[LCR]", text)]
    said = "; ".join(part for part in parts if re.search(r"\w", part))
    return "" if names_page(said) else said


def _day(raw: str) -> str:
    try:
        moment = datetime.fromisoformat(raw.strip())
    except ValueError:
        return raw
    return f"{moment:%Y-%m-%d}" if moment.time() == datetime.min.time() else f"{moment:%Y-%m-%d %H:%M:%S}"
