"""Digits of a PDF's page that are small and stand above the line: powers and the marks of footnotes, which would make
one number out of two with the number that they stand behind.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from selfroute.ingest.formats import notation

BEFORE = "[\\w.,;:!?)\\]}%\"'\u2019\u201d\u2212\u2013+-]"
DIGITS = re.compile(rf"\d(?:(?<={BEFORE}\d)|(?<={BEFORE}\r\n\d))\d*")
"""Digits behind something, also on the line before: PDFium takes a rise for the end of the line. Begins with a set, by
which it is found quickly."""

SIGNS = "-\u2212\u2013+"
MOST = 200
"""More places of a page than this are not looked at."""

SMALLER = 0.85
LEAST_RISE, MOST_RISE = 0.2, 0.75
"""Shares of the size of what stands before."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Describes what stands for the text from `begin` to `end`; `character` is PDFium's number for where it begins."""

    begin: int
    end: int
    character: int
    text: str


def edits(text: Any, told: str) -> list[Edit]:
    """Where digits are raised, and what is written there; `told` is the text as its text page has it."""
    from pypdfium2 import raw

    handle, size_of, number_of = text.raw, raw.FPDFText_GetFontSize, raw.FPDFText_GetCharIndexFromTextIndex
    shifted = raw.FPDFText_CountChars(handle) != len(told)
    # One question a place: what is not smaller than most of the page is not raised.
    usual = SMALLER * max(size_of(handle, len(told) * part // 8) for part in range(1, 8))
    made: list[Edit] = []
    for found in islice(DIGITS.finditer(told), MOST):
        begin, end = found.span()
        shift = number_of(handle, begin) - begin if shifted else 0
        if size_of(handle, end - 1 + shift) >= usual or (made and begin < made[-1].end):
            continue
        if told[begin - 1] in SIGNS:
            begin -= 1
        elif told[begin - 1] == "\n":
            begin -= 2
        if begin and (edit := _edit(text, told, begin, end, shift)):
            made.append(edit)
    return made


def applied(part: str, changes: Sequence[Edit], start: int | None = None) -> str:
    """The text with the edits, or the part of it that begins at the character `start`."""
    for edit in reversed(changes):
        begin = edit.begin if start is None else edit.character - start
        part = part[:begin] + edit.text + part[begin + edit.end - edit.begin :]
    return part


def _edit(text: Any, told: str, begin: int, end: int, shift: int) -> Edit | None:
    size, level = _size(text, begin - 1 + shift), _level(text, begin - 1 + shift)
    small = _size(text, end - 1 + shift)
    if small >= SMALLER * size:
        return None
    place = begin  # PDFium takes the way up for the end of the line, and the way back down too
    if told[begin] in "\r\n":
        begin += 2 if told[begin] == "\r" else 1
        gap = _sides(text, begin + shift)[0] - _sides(text, place - 1 + shift)[1]
        if not -0.3 * size < gap < 0.4 * size:
            return None
    else:
        while begin < end and _size(text, begin + shift) > small + 0.1:
            size, level = _size(text, begin + shift), _level(text, begin + shift)
            begin += 1
        place = begin
    rise = _level(text, begin + shift) - level
    if begin == end or not LEAST_RISE * size <= rise <= MOST_RISE * size:
        return None
    while end < len(told) and told[end] in "0123456789,-\u2013\u2212" and abs(_size(text, end + shift) - small) < 0.1:
        end += 1
    while not told[end - 1].isdigit():
        end -= 1
    before, digits = told[max(0, place - 24) : place], told[begin:end].replace("\u2212", "-")
    if over := re.match(r"\s*(?=[/\u2044])", told[end:]):  # the upper half of a fraction
        whole = " " if before[-1:].isdigit() else ""
        return Edit(place, end + over.end(), place + shift, f"{whole}{digits}")
    if re.search(r"[$\u20ac\u00a3]\s?\d[\d,.]*$", before) and len(digits) == 2:  # the cents of a price
        return Edit(place, end, place + shift, f".{digits}")
    written = notation.raised(before, digits)
    line = re.match(r"\r?\n", told[end:])
    if line and abs(_level(text, end + line.end() + shift) - level) < 0.1 * size:
        end += line.end()
        written += "" if re.match(r"[\s.,;:!?)\]]", told[end:]) else " "
    return Edit(place, end, place + shift, written)


def _size(text: Any, character: int) -> float:
    from pypdfium2 import raw

    return float(raw.FPDFText_GetFontSize(text, character))


def _level(text: Any, character: int) -> float:
    from pypdfium2 import raw

    across, up = ctypes.c_double(), ctypes.c_double()
    raw.FPDFText_GetCharOrigin(text, character, across, up)
    return up.value


def _sides(text: Any, character: int) -> tuple[float, float]:
    """Where a character begins and ends on its line."""
    from pypdfium2 import raw

    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    raw.FPDFText_GetCharBox(text, character, left, right, bottom, top)
    return left.value, right.value
