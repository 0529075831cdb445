"""Reads what the styles of a Word file stand for: headings, list numbers, struck, hidden, raised and lowered text.

Knows nothing of the text that is set in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from selfroute.ingest.formats.packages import Element, local, number, switched, value

DEEPEST = 20
"""How many styles a style may be based on, one on the other."""

ALIGNMENTS = {"superscript": "raised", "subscript": "lowered"}
LEVELS = tuple("012345678")


@dataclass(slots=True)
class Look:
    """Describes how a run of text looks, as far as that changes what it says; None is what nothing was said of."""

    struck: bool | None = None
    double: bool | None = None
    hidden: bool | None = None
    aligned: str | None = None  # "raised", "lowered", or "" on the line
    font: str | None = None
    position: int = 0  # half points above the line
    style: str = ""

    def take(self, name: str, attributes: dict[str, str]) -> None:
        """Takes in one property (`strike`, `vertAlign`, ...); others say nothing here."""
        if name == "strike":
            self.struck = switched(attributes)
        elif name == "dstrike":
            self.double = switched(attributes)
        elif name == "vanish":
            self.hidden = switched(attributes)
        elif name == "vertAlign":
            self.aligned = ALIGNMENTS.get(value(attributes), "")
        elif name == "rFonts":
            self.font = value(attributes, "ascii") or value(attributes, "hAnsi") or self.font
        elif name == "position":
            self.position = number(value(attributes))
        elif name == "rStyle":
            self.style = value(attributes)


@dataclass(slots=True)
class Style:
    """One style as it is written down, without what it is based on."""

    id: str
    based: str = ""
    heading: int | None = None  # 0 is no heading, whatever it is based on
    list: str | None = None  # the id of a numbering
    level: int | None = None
    look: Look = field(default_factory=Look)


class Styles:
    """The styles of a file by their ids, each with what it is based on."""

    def __init__(self, root: Element | None = None) -> None:
        self._styles: dict[str, Style] = {}
        self._default: dict[str, str] = {}
        self._looks: dict[tuple[str, str], Look] = {}
        for element in root if root is not None else ():
            if local(element) == "style":
                style = _style(element)
                self._styles.setdefault(style.id, style)
                if switched(element, "default", "0"):
                    self._default.setdefault(value(element, "type"), style.id)

    def heading(self, style: str) -> int:
        """The level of a paragraph's style as a heading, 0 for none."""
        return next((s.heading for s in self._line(style, "paragraph") if s.heading is not None), 0)

    def list_of(self, style: str) -> tuple[str, int | None, list[str]]:
        """The numbering of a paragraph's style and its level there, if it says one, and the styles that it comes
        from: a numbering may name them beside its levels."""
        line = list(self._line(style, "paragraph"))
        lists = [at for at, one in enumerate(line) if one.list is not None]
        if not lists:
            return "", None, []
        level = next((one.level for one in line[: lists[0] + 1] if one.level is not None), None)
        return line[lists[0]].list or "", level, [one.id for one in line]

    def look(self, paragraph: str, run: str) -> Look:
        """Tell how text of these two styles looks."""
        known = self._looks.get((paragraph, run))
        if known is None:
            of_run, of_paragraph = list(self._line(run, "character")), list(self._line(paragraph, "paragraph"))
            known = Look(
                _toggled(of_run, of_paragraph, "struck"),
                _first(of_run, "double") or _first(of_paragraph, "double"),
                _toggled(of_run, of_paragraph, "hidden"),
                next((s.look.aligned for s in (*of_run, *of_paragraph) if s.look.aligned is not None), None),
                next((s.look.font for s in (*of_run, *of_paragraph) if s.look.font), None),
            )
            self._looks[paragraph, run] = known
        return known

    def _line(self, style: str, kind: str) -> Iterator[Style]:
        """A style and those that it is based on, the nearest first."""
        at = style or self._default.get(kind, "")
        for _ in range(DEEPEST):
            found = self._styles.get(at)
            if found is None:
                return
            yield found
            at = found.based


def _style(element: Element) -> Style:
    style = Style(value(element, "styleId"))
    named = outline = None
    for part in element:
        name = local(part)
        if name == "basedOn":
            style.based = value(part)
        elif name == "name":
            found = re.fullmatch(r"heading ([1-9])", value(part).lower())
            named = int(found[1]) if found else 1 if value(part).lower() == "title" else None
        elif name == "pPr":
            for inner in part.iter():
                setting = local(inner)
                if setting == "outlineLvl":
                    outline = int(value(inner)) + 1 if value(inner) in LEVELS else 0
                elif setting == "numId":
                    style.list = value(inner)
                elif setting == "ilvl":
                    style.level = number(value(inner))
        elif name == "rPr":
            for inner in part:
                style.look.take(local(inner), inner.attrib)
    style.heading = outline if named is None else named
    return style


def _first(styles: list[Style], name: str) -> bool | None:
    return next((found for style in styles if (found := getattr(style.look, name)) is not None), None)


def _toggled(of_run: list[Style], of_paragraph: list[Style], name: str) -> bool:
    """A property that both styles have is off, as Word has it of bold and struck text."""
    return bool(_first(of_run, name)) != bool(_first(of_paragraph, name))
