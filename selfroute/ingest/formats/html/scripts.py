"""Superscripts, subscripts and the marks of footnotes of a page, by the rules of `notation`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from selfroute.ingest.formats.html.lines import APART, APART_FROM_DIGITS, SPACE, Lines
from selfroute.ingest.formats.notation import SIGNS, fraction, lowered, mark, raised

SLASHES = {"/", "\u2044", "\u2215"}
LONGEST = 60
"""Characters of a superscript; what is longer is text that is set small."""

DEEPEST = 8
"""Scripts inside each other."""

SPACED = re.compile(r"(?<![\w.,])(?:10|[kcmdnµ]?m|ft|s) $|/(?:[kcmdnµ]?m|s|h) $")
"""A base or a unit that is written apart from its power."""

NAME = re.compile(r"[\w.,:;–*†‡ -]{1,16}")


class Scripts:
    """Scripts on the lines of one page. Each method returns how the element is left."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._inside = 0
        self._over: tuple[list[str], int, str, str] | None = None  # what was raised last, and where

    def is_full(self) -> bool:
        """Tell whether as many are inside each other as are told apart."""
        return self._inside >= DEEPEST

    def begin(self, is_raised: bool) -> Callable[[], None]:
        """A superscript or a subscript."""
        before = self._lines.tail()
        if SPACED.search(before):
            before = before.rstrip()
            self._lines.attach()
        self._inside += 1
        self._lines.capture()
        return lambda: self._end(before, is_raised)

    def begin_note(self) -> Callable[[], None]:
        """The mark of a footnote."""
        before = self._lines.tail()
        self._lines.capture()
        return lambda: self._end_note(before)

    def _end(self, before: str, is_raised: bool) -> None:
        lines = self._lines
        self._inside -= 1
        text = lines.captured()
        if len(text) > LONGEST or text.count(" ") > 3:
            lines.space()
            lines.add(text, SPACE)
        elif is_raised and text.startswith(":"):  # a page of the source that a mark names
            lines.add(text, APART)
        elif is_raised:
            self._over = (lines.parts, len(lines.parts), before, text)
            made = raised(before, text)
            lines.add(made, APART if "[" in made[:2] else APART_FROM_DIGITS)
        elif not self._end_fraction(text):
            lines.add(lowered(before, text), APART_FROM_DIGITS)

    def _end_fraction(self, under: str) -> bool:
        """Tell whether `under` stands below a slash, and what was raised just before above it: then it is one."""
        if self._over is None:
            return False
        parts, at, before, over = self._over
        self._over = None
        if parts is not self._lines.parts or not under or not over:
            return False
        made, slash = "".join(parts[at:-1]).strip(), "".join(parts[-1:]).strip()
        if slash not in SLASHES or made.strip("^ []()") != over.strip("()"):
            return False
        del parts[at:]
        if before.endswith(" "):
            self._lines.space()
        self._lines.add(fraction(before, over, under), APART_FROM_DIGITS)
        return True

    def _end_note(self, before: str) -> None:
        text = self._lines.captured()
        name = text.strip("[]() ")
        if name and set(name) <= SIGNS:
            self._lines.add(name)
        elif NAME.fullmatch(name) and name.count(" ") < 3:
            self._lines.add(mark(before, name), APART)
        else:
            self._lines.add(text)


def is_linked(node: Any) -> bool:
    """Tell whether a superscript leads somewhere, as the mark of a note does."""
    if node.css_first("a[href]") is not None:
        return True
    above = node.parent
    return above is not None and above.tag == "a" and (above.attributes.get("href") or "").startswith("#")
