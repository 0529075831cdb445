"""Reads one part of a Word file that holds text (the body, the notes, a header) into lines.

Fed with elements one by one, so that no tree is built of a long text. What stands in other parts (notes, charts, files
that are set in) is asked of `Surroundings`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from selfroute.ingest.formats.docx.controls import Controls
from selfroute.ingest.formats.docx.equations import TEXTS, Equations
from selfroute.ingest.formats.docx.lines import Lines
from selfroute.ingest.formats.docx.numbering import Numbering
from selfroute.ingest.formats.docx.pictures import Pictures
from selfroute.ingest.formats.docx.styles import LEVELS, Styles
from selfroute.ingest.formats.docx.writer import Writer
from selfroute.ingest.formats.packages import local, number, switched, value

BREAKS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
DROPPED = frozenset(
    (
        *("del", "moveFrom", "delText", "rPrChange", "pPrChange", "tblPrChange", "trPrChange", "tcPrChange"),
        *("sectPrChange", "tblPrExChange", "tblGridChange", "numberingChange", "binData"),
    )
)
"""Deleted text, and what properties were before they were changed."""

LOOKS = ("strike", "dstrike", "vanish", "vertAlign", "rFonts", "rStyle", "position")
NOTES = frozenset(("footnote", "endnote", "comment"))
REFERENCES = {"footnoteReference": "footnote", "endnoteReference": "endnote", "commentReference": "comment"}
PLAIN = ("", "normal")
"""Types of notes that hold a note and not the line above them."""


class Surroundings(Protocol):
    """Describes what a story asks of the file around it."""

    def label(self, kind: str, id: str, own: str = "") -> str | None:  # noqa: A002 (Word's own name)
        """The mark of a note at its place (`own` if it has one), None if there is no such note."""

    def forget(self, kind: str, id: str) -> None:  # noqa: A002
        """A reference to a note was deleted."""

    def part(self, kind: str, id: str) -> str:  # noqa: A002
        """The text of another part: a `chart`, a `diagram`, a `file` that is set in."""


@dataclass(slots=True)
class _Choice:
    written: int = 0
    met: int = 0
    made: bool = False


class _Names(dict[str, str]):
    """Names without their namespaces; those of equations with `m:` before them."""

    def __missing__(self, tag: str) -> str:
        namespace, name = tag.rpartition("}")[0], local(tag)
        self[tag] = f"m:{name}" if namespace.endswith("/math") else name
        return self[tag]


class Story:
    """Takes the elements of a part, and has its lines and notes in the end. `margin` is a header or a footer."""

    def __init__(self, styles: Styles, numbering: Numbering, around: Surroundings, *, margin: bool = False) -> None:
        self.root = ""
        self.lines = Lines()
        self.notes: dict[str, tuple[str, Lines]] = {}
        """Their authors and lines by their ids."""
        self.writer = Writer(styles, numbering)
        self._around = around
        self._names = _Names()
        self._open: list[str] = []
        self._skipped = self._texts = 0
        self._controls = Controls(self.writer, self._open, margin=margin)
        self._equations = Equations(self.writer, self._open)
        self._pictures = Pictures(self.writer, self._open, margin=margin)
        self._choices: list[_Choice] = []
        self._ruby = ""  # the reading of the open one
        self._reading_at = 0
        self._custom: tuple[str, str] | None = None
        self._commented: set[str] = set()
        self._note = ("", "")
        self._starts = self._handlers_of_starts()
        self._ends = self._handlers_of_ends()
        self.writer.open()

    @property
    def pictures(self) -> int:
        """Tell how many pictures were met."""
        return self._pictures.met

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = self._names[tag]
        if self._skipped:
            self._skipped += 1
            if name in REFERENCES:
                self._around.forget(REFERENCES[name], value(attributes, "id"))
            return
        if self._equations.open and name not in DROPPED:
            self._texts += name in TEXTS
            self._equations.start(name, attributes)
        elif (handler := self._starts.get(name)) is not None and handler(attributes) is False:
            self._skipped = 1
            return
        if not self._open:
            self.root = self.root or name
        self._open.append(name)

    def data(self, text: str) -> None:
        if self._skipped:
            return
        if self._texts:
            self._say(text)
        else:
            self._controls.code(text)

    def end(self, tag: str) -> None:
        if self._skipped:
            self._skipped -= 1
            return
        name = self._open.pop()
        if self._equations.open:
            self._texts -= name in TEXTS
            self._equations.end(name, shows=not self._controls.coded)
        elif (handler := self._ends.get(name)) is not None:
            handler()

    def close(self) -> None:
        self.lines = self.writer.close()

    def _handlers_of_starts(self) -> dict[str, Callable[[dict[str, str]], bool | None]]:
        """Return what is done where an element opens; False skips all that is in it."""
        return {
            **self._controls.starts(),
            **self._pictures.starts(),
            **dict.fromkeys(DROPPED, lambda _: False),
            "del": self._deletes,
            "moveFrom": self._moves,
            **{name: self._looks(name) for name in LOOKS},
            **{name: self._breaks(text) for name, text in BREAKS.items()},
            **{name: self._refers(kind) for name, kind in REFERENCES.items()},
            **dict.fromkeys(NOTES, self._begins_note),
            "p": lambda _: self.writer.begin_paragraph(),
            "r": lambda _: self.writer.begin_run(),
            "t": self._begins_text,
            "m:t": self._begins_text,
            "pStyle": self._styles_paragraph,
            "outlineLvl": self._outlines,
            "framePr": self._drops_capital,
            "ilvl": self._sets_level,
            "numId": self._sets_list,
            "tbl": lambda _: self.writer.begin_table(),
            "tr": lambda _: self.writer.begin_row(),
            "tc": lambda _: self.writer.begin_cell(),
            "gridBefore": self._sets_before,
            "hidden": self._hides_row,
            "gridSpan": self._spans,
            "vMerge": self._merges,
            "hMerge": self._merges_across,
            "cellDel": self._drops_cell,
            "m:oMath": self._equations.begin,
            "m:oMathPara": self._equations.begin_line,
            "sym": self._signs,
            "commentRangeEnd": self._ends_comment,
            "AlternateContent": lambda _: self._choices.append(_Choice()),
            "Choice": self._begins_choice,
            "Fallback": self._begins_fallback,
            "ruby": self._begins_ruby,
            "rt": self._begins_reading,
            "altChunk": lambda a: self.writer.block(self._around.part("file", value(a, "id"))),
            "chart": lambda a: self.writer.block(self._around.part("chart", value(a, "id"))),
            "relIds": lambda a: self.writer.block(self._around.part("diagram", value(a, "dm"))),
        }

    def _handlers_of_ends(self) -> dict[str, Callable[[], None]]:
        return {
            **self._controls.ends(),
            **dict.fromkeys(NOTES, self._ends_note),
            "p": self._ends_paragraph,
            "pPr": self._ends_properties,
            "r": self._ends_run,
            "t": self._ends_text,
            "m:t": self._ends_text,
            "tbl": self.writer.end_table,
            "tc": self.writer.end_cell,
            "AlternateContent": self._ends_choices,
            "Choice": self._ends_choice,
            "Fallback": self._ends_fallback,
            "ruby": self._ends_ruby,
            "rt": self._ends_reading,
        }

    # What was deleted

    def _deletes(self, attributes: dict[str, str]) -> bool:
        if self._open[-1:] == ["trPr"] and self.writer.row is not None:
            self.writer.row.dropped = True
        return self._moves(attributes)

    def _moves(self, _: dict[str, str]) -> bool:
        if self._open[-2:] == ["pPr", "rPr"]:
            self.writer.paragraph.removed = True
        return False

    # Text

    def _say(self, text: str) -> None:
        if self._equations.open:
            self._equations.say(text)
        elif self._controls.coded:
            return
        elif self._custom is not None:
            self._mark(*self._custom, text.strip())
            self._custom = None
        else:
            self.writer.text(text)

    def _begins_text(self, _: dict[str, str]) -> None:
        self._texts += 1

    def _ends_text(self) -> None:
        self._texts -= 1

    def _breaks(self, text: str) -> Callable[[dict[str, str]], None]:
        def write(_: dict[str, str]) -> None:
            if self._open and self._open[-1] == "r" and not self._controls.coded and self.writer.shows():
                self.writer.piece(text)

        return write

    def _signs(self, attributes: dict[str, str]) -> None:
        if not self._controls.coded:
            self.writer.symbol(value(attributes, "font"), value(attributes, "char"))

    def _looks(self, name: str) -> Callable[[dict[str, str]], None]:
        def take(attributes: dict[str, str]) -> None:
            if self._open[-1:] != ["rPr"]:
                return
            paragraph = self.writer.paragraph
            if self._open[-2:-1] == ["r"] and paragraph.run is not None:
                paragraph.run.look.take(name, attributes)
            elif self._open[-2:-1] == ["pPr"] and name == "vanish":
                paragraph.hidden = switched(attributes)

        return take

    def _ends_run(self) -> None:
        self._custom = None
        self.writer.end_run()

    # Paragraphs

    def _styles_paragraph(self, attributes: dict[str, str]) -> None:
        self.writer.paragraph.style = value(attributes)

    def _outlines(self, attributes: dict[str, str]) -> None:
        level = value(attributes)
        self.writer.paragraph.heading = int(level) + 1 if level in LEVELS else 0

    def _drops_capital(self, attributes: dict[str, str]) -> None:
        if value(attributes, "dropCap") in ("drop", "margin"):
            self.writer.paragraph.removed = True

    def _sets_level(self, attributes: dict[str, str]) -> None:
        self.writer.paragraph.level = number(value(attributes))

    def _sets_list(self, attributes: dict[str, str]) -> None:
        self.writer.paragraph.list = value(attributes)

    def _ends_properties(self) -> None:
        if self._open[-1:] == ["p"]:
            self.writer.count()

    def _ends_paragraph(self) -> None:
        self._controls.end_paragraph()
        self.writer.end_paragraph()

    # Tables

    def _sets_before(self, attributes: dict[str, str]) -> None:
        if self.writer.row is not None:
            self.writer.row.before = max(number(value(attributes)), 0)

    def _hides_row(self, attributes: dict[str, str]) -> None:
        if self._open[-1:] == ["trPr"] and self.writer.row is not None and switched(attributes):
            self.writer.row.dropped = True

    def _spans(self, attributes: dict[str, str]) -> None:
        if self.writer.cell is not None:
            self.writer.cell.span = max(number(value(attributes), 1), 1)

    def _merges(self, attributes: dict[str, str]) -> None:
        if self.writer.cell is not None:
            self.writer.cell.continues = value(attributes) in ("", "continue")

    def _merges_across(self, attributes: dict[str, str]) -> None:
        if self.writer.cell is not None:
            self.writer.cell.follows = value(attributes) in ("", "continue")

    def _drops_cell(self, _: dict[str, str]) -> None:
        if self.writer.cell is not None:
            self.writer.cell.dropped = True

    # Notes

    def _begins_note(self, attributes: dict[str, str]) -> bool:
        if value(attributes, "type") not in PLAIN:
            return False
        self._note = (value(attributes, "id"), value(attributes, "author") or value(attributes, "initials"))
        self.writer.open()
        return True

    def _ends_note(self) -> None:
        name, author = self._note
        while name in self.notes or not name:  # ids that are missing or stand twice
            name += "+"
        self.notes[name] = (" ".join(author.split()), self.writer.close())

    def _refers(self, kind: str) -> Callable[[dict[str, str]], None]:
        def refer(attributes: dict[str, str]) -> None:
            name = value(attributes, "id")
            if self._controls.coded or not self.writer.shows():
                self._around.forget(kind, name)
            elif kind == "comment":
                self._comment(name)
            elif switched(attributes, "customMarkFollows", "0"):
                self._custom = (kind, name)
            else:
                self._mark(kind, name)

        return refer

    def _ends_comment(self, attributes: dict[str, str]) -> None:
        if "p" in self._open:
            self._comment(value(attributes, "id"))

    def _comment(self, name: str) -> None:
        """A comment is marked where its range ends, or else where it is referred to."""
        if name not in self._commented:
            self._commented.add(name)
            self._mark("comment", name)

    def _mark(self, kind: str, name: str, own: str = "") -> None:
        label = self._around.label(kind, name, own)
        if label is not None:
            self.writer.piece(label, "mark")
        elif own:
            self.writer.text(own)

    # What is there in two forms, or beside its reading

    def _begins_choice(self, _: dict[str, str]) -> bool:
        if not self._choices:
            return True
        self._choices[-1].written = self.writer.written
        self._choices[-1].met = self._pictures.met
        return not self._choices[-1].made

    def _ends_choices(self) -> None:
        self._choices.pop()

    def _ends_choice(self) -> None:
        if self._choices:
            self._choices[-1].made |= self.writer.written > self._choices[-1].written
            self._choices[-1].met = self._pictures.met - self._choices[-1].met

    def _begins_fallback(self, _: dict[str, str]) -> bool:
        if not self._choices or self._choices[-1].made:
            return False
        self._pictures.counts = not self._choices[-1].met
        return True

    def _ends_fallback(self) -> None:
        self._pictures.counts = True

    def _begins_ruby(self, _: dict[str, str]) -> None:
        self._ruby = ""

    def _begins_reading(self, _: dict[str, str]) -> None:
        self._reading_at = len(self.writer.paragraph.pieces)

    def _ends_reading(self) -> None:
        pieces = self.writer.paragraph.pieces
        self._ruby = "".join(piece.text for piece in pieces[self._reading_at :])
        del pieces[self._reading_at :]

    def _ends_ruby(self) -> None:
        if self._ruby:
            self.writer.piece(f" ({self._ruby})")
        self._ruby = ""
