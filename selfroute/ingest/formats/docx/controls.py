"""Fields, form fields and content controls of a Word file as they open and close in its text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from selfroute.ingest.formats.docx.fields import CHECKED, PAGES, UNCHECKED, Field, Form, result
from selfroute.ingest.formats.docx.lines import joined
from selfroute.ingest.formats.docx.writer import PAGE, Writer
from selfroute.ingest.formats.packages import switched, value


@dataclass(slots=True)
class _Control:
    """A content control: what stands for its value if it holds no text."""

    written: int
    value: str = ""
    last: str = ""
    holds: bool = False  # it shows only what may be written in its place


class Controls:
    """The fields and controls that are open. `names` are the names of the open elements; `margin` is a header or a
    footer, in which the page's number is not text."""

    def __init__(self, writer: Writer, names: list[str], *, margin: bool) -> None:
        self.coded = 0
        """Open fields of which the code is read: nothing in them is on the page."""
        self._writer, self._names, self._margin = writer, names, margin
        self._fields: list[Field] = []
        self._simple: list[Field] = []
        self._controls: list[_Control] = []
        self._codes = 0

    def starts(self) -> Mapping[str, Callable[[dict[str, str]], bool | None]]:
        """Return what is done where an element opens; False skips what is in it."""
        return {
            "fldChar": self._turn,
            "instrText": self._begin_code,
            "fldSimple": self._begin_simple,
            **{name: self._form(name) for name in ("checkBox", "default", "result", "listEntry")},
            "checked": self._check,
            "sdt": self._begin_control,
            "showingPlcHdr": self._hold,
            "sdtContent": lambda _: not (self._margin and self._controls and self._controls[-1].holds),
            "dropDownList": self._choose,
            "comboBox": self._choose,
            "listItem": self._list,
            "date": self._date,
        }

    def ends(self) -> Mapping[str, Callable[[], None]]:
        return {
            "instrText": self._end_code,
            "fldSimple": self._end_simple,
            "sdt": self._end_control,
        }

    def code(self, text: str) -> bool:
        """Takes in text, if it is a field's code."""
        if self._codes and self._fields:
            self._fields[-1].add(text)
        return bool(self._codes)

    def end_paragraph(self) -> None:
        """Codes do not go on over paragraphs: a field that never ends would hide all that follows."""
        if self.coded:
            for one in self._fields:
                one.hides = False
            self.coded = 0

    def _turn(self, attributes: dict[str, str]) -> None:
        kind = value(attributes, "fldCharType")
        if kind == "begin":
            self._fields.append(Field())
            self.coded += 1
        elif kind == "separate" and self._fields and self._fields[-1].hides:
            one = self._fields[-1]
            one.written, one.separated = self._writer.written, True
            if not self._page(one):
                one.hides = False
                self.coded -= 1
        elif kind == "end" and self._fields:
            one = self._fields.pop()
            self.coded -= one.hides
            if self.coded:
                return
            if self._page(one):
                self._writer.piece(PAGE)
            elif not one.separated or self._writer.written == one.written:
                self._show(one)

    def _show(self, one: Field) -> None:
        before = joined(self._writer.paragraph.pieces[-3:])
        shown = one.form.shown(cleared=one.separated) if one.form else result(one.code, before)
        if shown and self._writer.shows():
            self._writer.piece(shown)

    def _page(self, one: Field) -> bool:
        return self._margin and one.word() in PAGES

    def _begin_code(self, _: dict[str, str]) -> None:
        self._codes += 1

    def _end_code(self) -> None:
        self._codes -= 1

    def _begin_simple(self, attributes: dict[str, str]) -> bool:
        one = Field(written=self._writer.written)
        one.add(value(attributes, "instr"))
        if self._page(one):
            if not self.coded:
                self._writer.piece(PAGE)
            return False
        self._simple.append(one)
        return True

    def _end_simple(self) -> None:
        one = self._simple.pop()
        if not self.coded and self._writer.written == one.written:
            self._show(one)

    def _form(self, name: str) -> Callable[[dict[str, str]], None]:
        def take(attributes: dict[str, str]) -> None:
            if self._fields and "ffData" in self._names[-2:]:
                one = self._fields[-1]
                one.form = one.form or Form()
                one.form.take(name, self._names[-1], attributes)

        return take

    def _check(self, attributes: dict[str, str]) -> None:
        if self._names[-1:] == ["checkbox"] and self._controls:
            self._controls[-1].value = CHECKED if switched(attributes) else UNCHECKED
        else:
            self._form("checked")(attributes)

    def _begin_control(self, _: dict[str, str]) -> None:
        self._controls.append(_Control(self._writer.written))

    def _hold(self, attributes: dict[str, str]) -> None:
        if self._controls:
            self._controls[-1].holds = switched(attributes)

    def _choose(self, attributes: dict[str, str]) -> None:
        if self._controls:
            self._controls[-1].last = value(attributes, "lastValue")

    def _list(self, attributes: dict[str, str]) -> None:
        if self._controls and self._controls[-1].last == value(attributes, "value"):
            self._controls[-1].value = value(attributes, "displayText") or self._controls[-1].last

    def _date(self, attributes: dict[str, str]) -> None:
        if self._controls and self._names[-1:] == ["sdtPr"]:
            self._controls[-1].value = value(attributes, "fullDate").partition("T")[0]

    def _end_control(self) -> None:
        control = self._controls.pop()
        stands = not self.coded and self._names[-1:] not in (["tr"], ["tbl"])
        if stands and control.value and self._writer.written == control.written:
            self._writer.piece(control.value, "word")
