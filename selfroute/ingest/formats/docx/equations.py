"""Equations in a Word file's text as they open and close."""

from __future__ import annotations

from selfroute.ingest.formats.docx.styles import Look
from selfroute.ingest.formats.docx.writer import Writer
from selfroute.ingest.formats.omml import Equation
from selfroute.ingest.formats.packages import value
from selfroute.ingest.formats.symbols import symbol

TEXTS, RUNS = ("m:t", "t"), ("m:r", "r")


class Equations:
    """The equation that is open, if one is. `names` are the names of the open elements."""

    def __init__(self, writer: Writer, names: list[str]) -> None:
        self._writer, self._names = writer, names
        self._equation: Equation | None = None
        self._at = 0  # how many elements are open around it
        self._look = Look()

    @property
    def open(self) -> bool:
        return self._equation is not None

    def begin(self, _: dict[str, str]) -> None:
        """An equation opens."""
        self._equation, self._at, self._look = Equation(), len(self._names), Look()

    def begin_line(self, _: dict[str, str]) -> None:
        """Equations follow that stand on lines of their own."""
        self._writer.piece("\n")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element opens in the equation."""
        if name in RUNS:
            self._look = Look()
        elif name == "sym":
            self.say(symbol(value(attributes, "font"), value(attributes, "char")) or "")
        elif self._equation is not None and name.startswith("m:"):
            self._equation.start(name[2:], attributes)
        elif self._names[-1] == "rPr" and self._names[-2] in RUNS:
            self._look.take(name, attributes)

    def say(self, text: str) -> None:
        """Text of a run of the equation."""
        if self._equation is not None and not (self._look.struck or self._look.double or self._look.hidden):
            self._equation.text(text)

    def end(self, name: str, *, shows: bool) -> None:
        """An element closes in the equation, or the equation itself; whether it `shows` on the page."""
        if self._equation is None:
            return
        if len(self._names) > self._at:
            if name.startswith("m:"):
                self._equation.end(name[2:])
            return
        text = self._equation.line()
        self._equation = None
        if text and shows:
            self._writer.piece(text, "equation")
            if self._names[-1:] == ["m:oMathPara"]:
                self._writer.piece("\n")
