"""Reads what the styles of an OpenDocument file say of text: struck out, raised, hidden, and how its lists are
numbered.

Knows nothing of the text itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from selfroute.ingest.formats.numbering import SIGNS, written
from selfroute.ingest.formats.packages import Element, children, local, named, number, value

DEEPEST = 20
"""How many styles a style may be based on, one on the other."""
KINDS = {**SIGNS, "": "none"}


@dataclass(frozen=True, slots=True)
class Look:
    """Describes what a style says; None where it says nothing, and the style it is based on decides."""

    struck: bool | None = None
    hidden: bool | None = None
    position: int | None = None
    """Above 0 for superscript, below for subscript."""
    list_style: str = ""
    level: int = 0
    """Of a heading, by its style."""


@dataclass(frozen=True, slots=True)
class Level:
    """Describes how the items of a list are marked at one level; `kind` is empty for bullets."""

    kind: str = ""
    before: str = ""
    after: str = ""
    start: int = 1
    shown: int = 1
    """How many levels a number shows: `1.2` shows two."""

    def mark(self, numbers: list[int], above: Mapping[int, Level]) -> str:
        """The mark of an item by the numbers of the levels down to its own."""
        if not self.kind:
            return "- "
        if self.kind == "none":
            return ""
        first = max(len(numbers) - self.shown, 0)
        parts = [
            written(number, above[at].kind if at in above and above[at].kind not in ("", "none") else "decimal")
            for at, number in enumerate(numbers[first:], start=first + 1)
        ]
        return f"{self.before}{'.'.join(parts)}{self.after} "


@dataclass(slots=True)
class Styles:
    """The styles of a file by name, and its numbered lists."""

    looks: dict[str, Look] = field(default_factory=dict)
    based: dict[str, str] = field(default_factory=dict)
    lists: dict[str, dict[int, Level]] = field(default_factory=dict)
    outline: dict[int, Level] = field(default_factory=dict)

    def look(self, name: str) -> Look:
        """Return what a style says, with what those say that it is based on."""
        struck: bool | None = None
        hidden: bool | None = None
        position: int | None = None
        list_style, level = "", 0
        for _ in range(DEEPEST):
            own = self.looks.get(name)
            if own is not None:
                struck = own.struck if struck is None else struck
                hidden = own.hidden if hidden is None else hidden
                position = own.position if position is None else position
                list_style = list_style or own.list_style
                level = level or own.level
            if name not in self.based:
                break
            name = self.based[name]
        return Look(struck, hidden, position, list_style, level)


def styles(roots: Iterable[Element]) -> Styles:
    """The styles of all parts of a file."""
    made = Styles()
    for root in roots:
        for one in named(root, "style"):
            name = value(one, "name")
            made.looks[name] = _look(one)
            if value(one, "parent-style-name"):
                made.based[name] = value(one, "parent-style-name")
        for one in named(root, "list-style"):
            made.lists[value(one, "name")] = _levels(one)
        for one in named(root, "outline-style"):
            made.outline = _levels(one)
    return made


def _look(style: Element) -> Look:
    outline = number(value(style, "default-outline-level"), int(value(style, "name") == "Title"))
    found = Look(list_style=value(style, "list-style-name"), level=outline)
    for about in children(style, "text-properties", "table-properties"):
        line = value(about, "text-line-through-style") or value(about, "text-line-through-type")
        display = value(about, "display")
        found = Look(
            line != "none" if line else found.struck,
            display in ("none", "false") if display else found.hidden,
            _position(value(about, "text-position")),
            found.list_style,
            found.level,
        )
    return found


def _position(said: str) -> int | None:
    """`super 58%`, `sub`, or a share of the height with its sign."""
    first = said.split()[0] if said.split() else ""
    if not first:
        return None
    if first in ("super", "sub"):
        return 1 if first == "super" else -1
    number = first.rstrip("%")
    return -1 if number.startswith("-") else int(number.strip("0.") != "")


def _levels(style: Element) -> dict[int, Level]:
    made = {}
    for one in style:
        at = number(value(one, "level"), -1)
        if at < 0:
            continue
        if local(one) in ("list-level-style-number", "outline-level-style"):
            made[at] = Level(
                KINDS.get(value(one, "num-format"), "decimal"),
                value(one, "num-prefix"),
                value(one, "num-suffix"),
                number(value(one, "start-value"), 1),
                number(value(one, "display-levels"), 1),
            )
        else:
            made[at] = Level()
    return made
