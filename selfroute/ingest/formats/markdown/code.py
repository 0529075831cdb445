"""Where Markdown holds code: blocks between fences or indented, in lists and quotes too, and pieces between ticks."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

FENCE = re.compile(r"[ \t>]*+(?:(?:[-*+]|\d{1,9}[.)])[ \t]++)*+(`{3,}+|~{3,}+)([^\r\n]*+)")
BLOCK = re.compile(r"[ \t]{0,3}(?:#{1,6}[ \t]|(?:[-*_][ \t]*+){3,}+$|>|[-*+][ \t]|\d{1,9}[.)][ \t]|\|)")
"""The first line of a block, in which nothing goes on from the line before."""

QUOTE = re.compile(r" {0,3}> ?")
ITEM = re.compile(r"([-*+]|\d{1,9}[.)])( *+)")
TICKS = re.compile(r"`++")
BLANK = re.compile(r"\n[ \t]*+\r?\n")

CODE = 4
"""Columns by which code is indented."""


@dataclass(slots=True)
class _Place:
    """Describes how far into quotes and lists the lines are."""

    quotes: int = 0
    items: list[int] = field(default_factory=list)
    """The columns in which the text of the open list items begins, outermost first."""

    def enter(self, line: str, after_blank: bool) -> tuple[bool, int]:
        """Take the next line. Whether it may begin a block of code for what is before it, and the columns by which it
        is indented."""
        written = line.expandtabs(4)
        at = quotes = 0
        while quote := QUOTE.match(written, at):
            at, quotes = quote.end(), quotes + 1
        rest = written[at:]
        if quotes != self.quotes and (after_blank or quotes > self.quotes):
            self.items = []
            after_blank = after_blank or quotes > self.quotes
            self.quotes = quotes
        indent = len(rest) - len(rest.lstrip(" "))
        if indent == len(rest):
            return True, 0
        is_block = after_blank or BLOCK.match(rest, indent) is not None
        while self.items and indent < self.items[-1] and is_block:
            self.items.pop()
        within = indent - (self.items[-1] if self.items else 0)
        if within < CODE and self._open(rest, indent):
            return True, CODE
        return after_blank, within

    def _open(self, rest: str, at: int) -> bool:
        """Open the list items that begin in a line, one in another. Whether code begins in the last one."""
        while (item := ITEM.match(rest, at)) and (item[2] or item.end() == len(rest)):
            is_empty, is_code = item.end() == len(rest), len(item[2]) > CODE
            at = item.end(1) + 1 if is_empty or is_code else item.end()
            self.items.append(at)
            if is_empty or is_code:
                return not is_empty
        return False


def parts(text: str) -> Iterator[tuple[str, bool]]:
    """The text in parts, and whether each is a block of code, fenced or indented."""
    part: list[str] = []
    fence = ""
    after_blank = True
    is_code = False
    place = _Place()
    for line in text.splitlines(keepends=True):
        bare = line.rstrip("\r\n")
        if fence:
            part.append(line)
            closing = FENCE.fullmatch(bare)
            if closing and closing[1].startswith(fence) and not closing[2].strip():
                yield "".join(part), True
                part, fence, after_blank = [], "", True
            continue
        may_be_code, within = place.enter(bare, after_blank)
        is_shallow = within < CODE or (bool(place.items) and not may_be_code)
        opening = FENCE.match(bare) if is_shallow else None
        if opening and not (opening[1][0] == "`" and "`" in opening[2]):
            yield "".join(part), is_code
            part, fence, is_code = [line], opening[1], False
            continue
        is_blank = not bare.strip(" \t>")
        if not is_blank and is_code != (within >= CODE and (may_be_code or is_code)):
            yield "".join(part), is_code
            part, is_code = [], not is_code
        part.append(line)
        after_blank = is_blank
    yield "".join(part), is_code or bool(fence)


def spans(text: str) -> Iterator[tuple[str, bool]]:
    """A part in pieces, and whether each is code in a line."""
    at = 0
    begin = 0
    closings: dict[int, list[int]] = {}
    runs = [(found.start(), found.end()) for found in TICKS.finditer(text)]
    blanks = [found.start() for found in BLANK.finditer(text)] if runs else []
    for start, end in reversed(runs):
        closings.setdefault(end - start, []).append(start)
    for start, end in runs:
        if start < at or is_escaped(text, start):
            continue
        same = closings[end - start]
        while same and same[-1] <= start:
            same.pop()
        if not same or bisect_left(blanks, end) < bisect_left(blanks, same[-1]):
            continue
        yield text[begin:start], False
        at = begin = same[-1] + end - start
        yield text[start:at], True
    yield text[begin:], False


def in_spans(text: str) -> bytearray:
    """1 for each character that is code in a line."""
    made = bytearray(len(text))
    at = 0
    for piece, is_code in spans(text):
        if is_code:
            made[at : at + len(piece)] = b"\1" * len(piece)
        at += len(piece)
    return made


def is_escaped(text: str, at: int) -> bool:
    slashes = 0
    while at - slashes > 0 and text[at - slashes - 1] == "\\":
        slashes += 1
    return slashes % 2 == 1
