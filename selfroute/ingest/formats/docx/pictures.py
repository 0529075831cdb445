"""Pictures and embedded objects in a Word file's text: what is said of them, and which of them are lost to a reader of
text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from selfroute.ingest.formats.docx.writer import Writer
from selfroute.ingest.formats.drawings import described
from selfroute.ingest.formats.packages import number, switched, value

LARGE_WIDTH, LARGE_HEIGHT = 12 * 360_000, 16 * 360_000
"""Of a picture that may be a page, in Word's units: 12 and 16 cm."""

PROGRAMS = {
    "AcroExch": "PDF",
    "Excel": "Excel sheet",
    "Package": "file",
    "PowerPoint": "PowerPoint slides",
    "Visio": "Visio drawing",
    "Word": "Word document",
}
"""What programs make, by the names that objects have of them."""

POINT = 12_700


class Pictures:
    """The pictures and objects that are met. `names` are the names of the open elements."""

    def __init__(self, writer: Writer, names: list[str], *, margin: bool) -> None:
        self.met = 0
        self.counts = True
        """Whether what is met is counted: not where it stands a second time, in an older form."""
        self._writer, self._names, self._margin = writer, names, margin
        self._large = self._described = False

    def starts(self) -> Mapping[str, Callable[[dict[str, str]], None]]:
        return {
            "extent": self._size,
            "docPr": self._describe,
            "shape": self._draw,
            "blip": self._show,
            "imagedata": self._show,
            "OLEObject": self._embed,
            "control": self._control,
            "subDoc": self._elsewhere,
        }

    def _size(self, attributes: dict[str, str]) -> None:
        if self._names[-1:] in (["inline"], ["anchor"]):
            width, height = number(value(attributes, "cx")), number(value(attributes, "cy"))
            self._large = width >= LARGE_WIDTH and height >= LARGE_HEIGHT

    def _describe(self, attributes: dict[str, str]) -> None:
        if switched(attributes, "hidden", "0"):
            self._large = False
            return
        self._say(value(attributes, "descr") or value(attributes, "title"))

    def _draw(self, attributes: dict[str, str]) -> None:
        found = dict(re.findall(r"\b(width|height):\s*(\d{1,5})(?:\.\d+)?pt", value(attributes, "style")))
        width, height = (int(found.get(name, 0)) * POINT for name in ("width", "height"))
        self._large = width >= LARGE_WIDTH and height >= LARGE_HEIGHT
        self._say(value(attributes, "alt"))

    def _say(self, text: str) -> None:
        said, by_machine = described(text)
        self._described = bool(said) and not by_machine
        if said and self._writer.shows():
            self._writer.piece(f"[image: {said}]", "word")

    def _show(self, _: dict[str, str]) -> None:
        self.met += 1
        if self.counts and self._large and not self._described and not self._margin:
            self._writer.lost["picture"] += 1
        self._large = False

    def _embed(self, attributes: dict[str, str]) -> None:
        if not self.counts:
            return
        kind = value(attributes, "ProgID").partition(".")[0]
        self._writer.lost["equation" if kind.startswith("Equation") else f"object:{PROGRAMS.get(kind, kind)}"] += 1
        self._large = False

    def _elsewhere(self, _: dict[str, str]) -> None:
        self._writer.lost["part:a part of the text that is kept in another file"] += 1

    def _control(self, attributes: dict[str, str]) -> None:
        if value(attributes, "shapeid") or value(attributes, "id"):
            self._writer.lost["control"] += 1
