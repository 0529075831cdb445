"""The lines that a page's text is made of: white space as a browser collapses it, headings' and items' marks, captured
stretches (a cell, a superscript) in which everything is on one line.

Knows nothing of elements.
"""

from __future__ import annotations

TAIL = 60
"""Characters before a superscript or an equation from which it is told how it is written."""

NONE, SPACE, APART, APART_FROM_DIGITS = range(4)
"""What is owed before the next words: nothing, a space, or one if they begin with a letter or a digit, or a digit."""

BULLET = "- "
NO_TICK = "[ ]"
"""A box that nobody ticked: alone on its line it says nothing."""


class Lines:
    """Text in the order of the page. `say` takes what stands in the source, `end` a line's end."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.pre = 0
        """Inside of so many elements that keep white space."""
        self.parts: list[str] = []
        self._owed = NONE
        self._prefix = ""
        self._exact = 0  # inside of so many elements that keep spaces, though not lines
        self._outer: list[tuple[list[str], int]] = []

    def say(self, text: str) -> None:
        if self.pre and not self._outer:
            first, *rest = text.split("\n")
            self.parts.append(first)
            for line in rest:
                self._end_kept()
                self.parts.append(line)
            return
        words = text.split()
        if not words:
            self._owed = SPACE if text else self._owed
            return
        if self.parts and (text[0].isspace() or (self._owed and self._is_due(words[0][0]))):
            self.parts.append(" ")
        self.parts.append(" ".join(words) if not self._exact or "\n" in text else text.strip())
        self._owed = SPACE if text[-1].isspace() else NONE

    def add(self, text: str, owed: int = NONE) -> None:
        """Adds what was made of an element: nothing in it collapses, and `owed` says what comes behind it."""
        if not text:
            return
        if not self.parts:
            text = text.lstrip()
        elif self._owed and self._is_due(text[0]):
            self.parts.append(" ")
        self.parts.append(text)
        self._owed = owed

    def space(self) -> None:
        self._owed = SPACE

    def attach(self) -> None:
        """Takes back the space that is owed."""
        self._owed = NONE

    def tail(self) -> str:
        """The end of the line so far."""
        last = "".join(self.parts[-1:] if self.parts and len(self.parts[-1]) >= TAIL else self.parts[-TAIL:])
        return last[-TAIL:] + (" " if self._owed == SPACE and last else "")

    def is_empty(self) -> bool:
        """Tell whether nothing stands on the line yet."""
        return not self.parts

    def mark(self, prefix: str) -> None:
        """Begins a line with a heading's or an item's mark, which waits for its text."""
        if self._outer:
            self.add(prefix.strip() if prefix.strip("#- ") else "", SPACE)
        elif prefix.startswith("#"):
            self._prefix = prefix + ("" if self._prefix == BULLET else self._prefix)
        else:
            self._prefix = prefix if self._prefix == BULLET else self._prefix + prefix

    def unmark(self) -> None:
        """Takes back a mark whose text did not come."""
        self._prefix = ""

    def end(self, blank: bool = False) -> None:
        """Ends the line; `blank` leaves a line free after it. In a captured stretch a line's end is a space."""
        if self._outer:
            self._owed = SPACE
            return
        self._owed = NONE
        if self.parts:
            line = "".join(self.parts)
            line = line.rstrip() if self.pre else line.strip()
            self.parts = []
            if (line.strip(" -#|") and line != NO_TICK) or (self.pre and line):
                self.done.append(self._prefix + line)
                self._prefix = ""
        if blank and self.done and self.done[-1] and not self._prefix and not self.pre:
            self.done.append("")

    def _end_kept(self) -> None:
        """Ends a line of preformatted text, which stays though it is blank."""
        line = "".join(self.parts).rstrip()
        self.parts = []
        if line or self.done:
            self.done.append(self._prefix + line)
            self._prefix = "" if line else self._prefix

    def keep_lines(self) -> None:
        self.end(blank=True)
        self.pre += 1

    def collapse_lines(self) -> None:
        self.end()
        self.pre -= 1
        self.end(blank=True)

    def keep_spaces(self) -> None:
        self._exact += 1

    def collapse_spaces(self) -> None:
        self._exact -= 1

    def capture(self) -> None:
        """Begins a stretch of its own, which `captured` ends."""
        self._outer.append((self.parts, self._owed))
        self.parts, self._owed = [], NONE

    def captured(self) -> str:
        """The text since `capture`, on one line; the line goes on as if nothing had been said. A space is owed where
        the stretch began or ended with one."""
        text = "".join(self.parts)
        ended = self._owed
        self.parts, self._owed = self._outer.pop()
        self._owed = self._owed or (ended if not text.strip() else NONE)
        return text.strip()

    def is_captured(self) -> bool:
        return bool(self._outer)

    def reopen(self) -> bool:
        """Goes on with the last line that ended, if there is one and no other has begun."""
        if self.parts or self._outer or self._prefix:
            return False
        while self.done and not self.done[-1]:
            self.done.pop()
        if not self.done:
            return False
        self.parts, self._owed = [self.done.pop()], SPACE
        return True

    def text(self) -> str:
        self.end()
        return "\n".join(self.done).strip("\n")

    def _is_due(self, first: str) -> bool:
        return self._owed == SPACE or (first.isalnum() if self._owed == APART else first.isdigit())
