"""Word's fields in a line: what shows on the page of a form field, and of a field without a stored result."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from selfroute.ingest.formats.notation import fraction, lowered, raised
from selfroute.ingest.formats.packages import number, switched, value
from selfroute.ingest.formats.symbols import symbol

CHECKED, UNCHECKED = "☒", "☐"
PAGES = frozenset(("PAGE", "NUMPAGES", "SECTIONPAGES"))
"""Fields that differ from page to page."""

DEEPEST = 20
"""Fields inside of a field's code that are kept apart."""

MOST_CODE = 2000
"""Characters of a field's code that are looked at."""


@dataclass(slots=True)
class Form:
    """An older form field: a check box, a list to choose from or a text."""

    box: bool = False
    checked: bool | None = None
    by_default: bool = False
    entries: list[str] = field(default_factory=list)
    chosen: int | None = None
    chosen_by_default: int = 0
    text: str = ""

    def take(self, name: str, parent: str, attributes: dict[str, str]) -> None:
        """Takes in one element of the field's data."""
        if name == "checkBox":
            self.box = True
        elif name == "checked":
            self.checked = switched(attributes)
        elif name == "default" and parent == "checkBox":
            self.by_default = switched(attributes)
        elif name == "default" and parent == "ddList":
            self.chosen_by_default = number(value(attributes))
        elif name == "default":
            self.text = value(attributes)
        elif name == "result":
            self.chosen = number(value(attributes))
        elif name == "listEntry":
            self.entries.append(value(attributes))

    def shown(self, *, cleared: bool = False) -> str:
        """Return what stands on the page where the field has no text of its own; a text that was `cleared` is empty."""
        if self.box:
            return CHECKED if (self.by_default if self.checked is None else self.checked) else UNCHECKED
        chosen = self.chosen_by_default if self.chosen is None else self.chosen
        return self.entries[chosen] if 0 <= chosen < len(self.entries) else "" if cleared else self.text


@dataclass(slots=True)
class Field:
    """A field that is open: its code, whether it hides what is in it, and what had been written before its result."""

    code: str = ""
    hides: bool = True
    separated: bool = False
    written: int = 0
    form: Form | None = None

    def add(self, text: str) -> None:
        if len(self.code) < MOST_CODE:
            self.code += text

    def word(self) -> str:
        """The kind of the field."""
        return (self.code.split(maxsplit=1) or [""])[0].upper()


def result(code: str, before: str = "") -> str:
    """Return what shows of a field that has only its code, behind the text `before` it: an equation, a symbol or a
    button's text."""
    code = code[:MOST_CODE].strip()
    word, _, rest = code.partition(" ")
    if word.upper() == "EQ":
        return _equation(rest, before)
    if word.upper() == "SYMBOL":
        found = re.match(r"\s*(0x[0-9a-f]+|\d+)", rest, re.IGNORECASE)
        font = re.search(r'\\f\s+"?([^"\\]+)', rest)
        place = int(found[1], 0) if found and not re.fullmatch(r"0\d+", found[1]) else 0
        return (symbol(font[1] if font else "", f"{place:X}") or "") if place else ""
    if word.upper() in ("MACROBUTTON", "GOTOBUTTON"):
        return rest.strip().partition(" ")[2].strip()
    return ""


def _equation(code: str, around: str) -> str:
    r"""The older way to set a fraction, a root or raised text: `\f(1,2)`, `\s\up8(2)`."""
    text = re.sub(r"\\(?=[(),;\\])", "", re.sub(r"\\([a-z]+)", "\ue001\\1", code, flags=re.IGNORECASE))
    for _ in range(DEEPEST):  # from the inside out
        found = re.search("((?:\ue001[a-z]+[ \\d]*)+)\\(([^()\ue001]*)\\)", text, re.IGNORECASE)
        if not found:
            break
        switches = re.findall("\ue001([a-z]+)", found[1].lower())
        parts = [part.strip() for part in re.split("[,;]", found[2])]
        before = text[: found.start()]
        made = _piece(before.rstrip() or around, switches, parts).replace("(", "\ue002").replace(")", "\ue003")
        text = before + made + text[found.end() :]
    text = re.sub("\ue001[a-z]+[ \\d]*", "", text, flags=re.IGNORECASE)
    text = text.replace("\ue002", "(").replace("\ue003", ")")
    return " " * text.startswith(" ") + " ".join(text.split())


def _piece(before: str, switches: list[str], parts: list[str]) -> str:
    if switches[0] == "f" and len(parts) == 2:
        return fraction(before, *parts)
    if switches[0] == "r":
        inside = lowered("", parts[-1]).removeprefix("_")
        return f"√{inside}" if len(parts) == 1 or parts[0] in ("", "2") else f"root({parts[0]}, {parts[-1]})"
    if "up" in switches:
        return raised(before, parts[0])
    if "do" in switches:
        return lowered(before, parts[0])
    if switches[0] == "b":
        return f"({', '.join(parts)})"
    return "; ".join(parts)
