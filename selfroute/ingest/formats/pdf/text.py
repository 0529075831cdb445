"""The text of one page of a PDF, by PDFium, in the order in which people read it, without what is cut off the page and
without characters that nothing names.

PDFium gives the text of a page at once, and where each part of it stands only by a call a part: what costs a call a
character is done for the few pages that need it.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from selfroute.ingest.formats.pdf import raised as pdf_raised

SAMPLE = 8
PART = 300
"""Characters of a page that tell whether its fonts name them: single ones, and those of two parts of it."""

LEAST_JUMPS = 3
SPREAD = 24.0
MOST_BOXES = 4_000
"""A page with more boxes is left as it is."""

Box = tuple[float, float, float, float]
"""Left, bottom, right and top of what was drawn at once, upwards as on paper."""

PRIVATE = "[\ue000-\uf8ff\ufffd\U000f0000-\U0010ffff\x00-\x01\x03-\x08\x0e-\x1f\x7f-\x9f]"

VOWELS = (
    "aeiouy\u00e0-\u00e6\u00e8-\u00ef\u00f2-\u00f6\u00f8-\u00fc\u0430\u0435\u0438\u043e\u0443\u044b\u044d-\u044f\u0451"
)
LETTERS = r"[\w'\u2019-]*"
WORDLIKE = rf"\W*(?:[^\W\d_]{{1,3}}|{LETTERS}[{VOWELS}]{LETTERS}|{LETTERS}[^\x00-\u04ff\W]{LETTERS}|[\d.,:/%-]+)\W*"
BETWEEN_WORDS = re.compile(r"[\s\u3000-\u303f\uff00-\uff0f\uff1a-\uff1f]+")
"""White space, and the marks of Chinese and Japanese, which stand between words without any."""
CID = r"\(cid:\d+\)"


@dataclass(frozen=True, slots=True)
class Written:
    """Describes what a page says; `lost` is whether most of its characters cannot be told, `moved` whether the text is
    another than its text page has."""

    text: str
    lost: bool = False
    moved: bool = False


def written(page: Any, text: Any) -> Written:
    """The text of a page from its text page."""
    from pypdfium2 import raw

    told = text.get_text_range()
    if not told.strip():
        return Written("")
    marks = pdf_raised.edits(text, told) if page.get_rotation() in (0, 180) else []
    if "\ufffe" in told:
        told = _hyphenated(text, told)
    plain = Written(pdf_raised.applied(told, marks), moved=True) if marks else Written(told)
    if _looks_lost(text, told):
        return _named(text)
    count = raw.FPDFText_CountRects(text, 0, -1)
    if count > MOST_BOXES:
        return plain
    window = max(6, 2 * count // (told.count("\n") + 1))  # two lines at least, also where each word is drawn by itself
    if count > 3 * window + 2:
        starts = (count // 6, (count - window) // 2, count * 5 // 6 - window)
        some = _boxes(text, [0, *(at for start in starts for at in range(start, start + window)), count - 1])
        shown = _turned(page, some)
        runs = [shown[at : at + window] for at in range(1, 3 * window, window)]
        if not any(map(jumps, runs)) and not _outside(page, some):
            return plain
    boxes = _boxes(text, range(count))
    outside = _outside(page, boxes)
    boxes = _turned(page, boxes)
    if not outside and not _in_columns(jumps(boxes)):
        return plain
    arranged = _arranged(text, boxes, outside, marks)
    return plain if arranged is None else Written(arranged, moved=True)


def _hyphenated(text: Any, told: str) -> str:
    """The text, in which a mark stands for a hyphen at the end of a line and nothing else: fonts number other signs
    alike."""
    from pypdfium2 import raw

    parts = told.split("\ufffe")
    made, at = parts[0], len(parts[0])
    for part in parts[1:]:
        character = raw.FPDFText_GetCharIndexFromTextIndex(text, at)
        made += ("\ufffe" if raw.FPDFText_IsHyphen(text, character) == 1 else "\x02") + part
        at += len(part) + 1
    return made


def _looks_lost(text: Any, told: str) -> bool:
    """Tell whether much of a page may be no text, from a few of its characters; a font that names none of them may
    still number them as letters are."""
    from pypdfium2 import raw

    part = told if len(told) <= 2 * PART else told[:PART] + told[len(told) // 2 : len(told) // 2 + PART]
    odd = len(re.findall(PRIVATE, part))
    if odd * 4 > len(part) or part.count("(cid:") * 12 > len(part):
        return True
    count = raw.FPDFText_CountChars(text)
    step = max(1, count // SAMPLE)
    handle = text.raw
    unnamed = sum([raw.FPDFText_HasUnicodeMapError(handle, at) == 1 for at in range(step // 2, count, step)])
    return unnamed * 4 > min(count, SAMPLE) and (odd * 20 > len(part) or not _is_language(told))


def _is_language(told: str) -> bool:
    """Tell whether most of a text is words and numbers."""
    tokens = BETWEEN_WORDS.split(told)
    like = sum(map(len, filter(re.compile(WORDLIKE, re.IGNORECASE).fullmatch, tokens)))
    return like * 2 >= sum(map(len, tokens))


def _named(text: Any) -> Written:
    """The characters of a page that are told by their font, and whether most are not."""
    from pypdfium2 import raw

    kept: list[str] = []
    good = bad = 0
    for at in range(raw.FPDFText_CountChars(text)):
        character = chr(min(raw.FPDFText_GetUnicode(text, at), 0x10FFFF))
        if raw.FPDFText_HasUnicodeMapError(text, at) == 1 or re.match(PRIVATE, character):
            bad += 1
            continue
        good += not character.isspace()
        kept.append("\ufffe" if raw.FPDFText_IsHyphen(text, at) == 1 else character)
    whole, cids = re.subn(CID, "", "".join(kept))
    good = len("".join(whole.split())) if cids else good
    return Written(whole, bad + cids > good, moved=True)


def jumps(boxes: Sequence[Box]) -> list[float]:
    """Where a word or more follows far to the right on about the same line: no page has columns that were drawn from
    side to side where that is rare."""
    places = []
    right = top = bottom = 0.0
    for box in boxes:
        height = top - bottom
        if (
            box[0] > right + 0.7 * height
            and box[1] < top
            and box[3] > bottom - height
            and box[2] - box[0] > 1.6 * height
        ):
            places.append(box[0])
        _, bottom, right, top = box
    return places


def _in_columns(places: list[float]) -> bool:
    """Tell whether some of the places are about one place."""
    places.sort()
    return any(last - first < SPREAD for first, last in zip(places, places[LEAST_JUMPS - 1 :], strict=False))


def _boxes(text: Any, numbers: Iterable[int]) -> list[Box]:
    from pypdfium2 import raw

    left, top, right, bottom = (ctypes.c_double() for _ in range(4))
    places = [ctypes.byref(one) for one in (left, top, right, bottom)]
    handle, get = text.raw, raw.FPDFText_GetRect
    boxes: list[Box] = []
    for at in numbers:
        get(handle, at, *places)
        boxes.append((left.value, bottom.value, right.value, top.value))
    return boxes


def _turned(page: Any, boxes: list[Box]) -> list[Box]:
    """The boxes as the page shows them, which may be turned."""
    turn = page.get_rotation()
    if turn == 90:
        return [(bottom, -right, top, -left) for left, bottom, right, top in boxes]
    if turn == 180:
        return [(-right, -top, -left, -bottom) for left, bottom, right, top in boxes]
    if turn == 270:
        return [(-top, left, -bottom, right) for left, bottom, right, top in boxes]
    return boxes


def _outside(page: Any, boxes: Sequence[Box]) -> set[int]:
    """Boxes that the page does not show: they stand beyond its edges."""
    left, bottom, right, top = page.get_bbox()
    if right - left < 1 or top - bottom < 1:
        return set()
    return {
        at
        for at, box in enumerate(boxes)
        if box[2] < left + 1 or box[0] > right - 1 or box[3] < bottom + 1 or box[1] > top - 1
    }


def _arranged(text: Any, boxes: Sequence[Box], outside: set[int], marks: Sequence[pdf_raised.Edit]) -> str | None:
    """The page's text with its columns in order and without what stands outside; none where it is right already."""
    from selfroute.ingest.formats.pdf import layout as pdf_layout  # imported here: few pages need it

    found = pdf_layout.pieces(boxes)
    bands = pdf_layout.bands(found)
    if not bands and not outside:
        return None
    spans = _spans(text)
    if len(spans) != len(boxes):  # counted otherwise: better the order of the page than a wrong one
        return None
    parts: list[str] = []
    at, changed = 0, bool(outside)

    def plain(begin: int, end: int) -> None:
        for box in sorted(outside):
            first, last = spans[box]
            if begin <= first and last < end:
                parts.append(_slice(text, begin, first, marks))
                begin = last + 1
        parts.append(_slice(text, begin, end, marks))

    for band in bands:
        texts = [
            _slice(text, spans[piece.first][0], spans[piece.last][1] + 1, marks)
            if band.begin <= number < band.end
            else ""
            for number, piece in enumerate(found)
        ]
        lines = pdf_layout.reordered(found, texts, band)
        if lines is None:
            continue
        changed = True
        begin, end = spans[found[band.begin].first][0], spans[found[band.end - 1].last][1] + 1
        plain(at, begin)
        parts.append("\n".join(" ".join(" ".join(texts[one].split()) for one in line) for line in lines))
        at = end
    if not changed:
        return None
    plain(at, text.count_chars())
    whole = "".join(parts)
    return "\n".join(line.strip() for line in whole.splitlines() if line.strip()) if outside else whole


def _spans(text: Any) -> list[tuple[int, int]]:
    """The first and the last character of each box, told as PDFium tells boxes: by what was drawn at once."""
    from pypdfium2 import raw

    spans: list[tuple[int, int]] = []
    current = None
    handle, drawn_by = text.raw, raw.FPDFText_GetTextObject
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    first = last = 0
    for at in range(text.count_chars()):
        drawn = drawn_by(handle, at)
        if not drawn:
            continue
        place = ctypes.addressof(drawn.contents)
        if place != current:
            if raw.FPDFText_IsGenerated(handle, at) == 1:
                continue
            raw.FPDFText_GetCharBox(handle, at, left, right, bottom, top)
            if right.value - left.value < 1e-4 or top.value - bottom.value < 1e-4:  # a space
                continue
            if current is not None:
                spans.append((first, last))
            current, first = place, at
        last = at
    return [*spans, (first, last)] if current is not None else spans


def _slice(text: Any, begin: int, end: int, marks: Sequence[pdf_raised.Edit]) -> str:
    """A part of the text, from one character to another."""
    if end <= begin:
        return ""
    part = str(text.get_text_range(begin, end - begin))
    within = [mark for mark in marks if begin <= mark.character < end] if len(part) == end - begin else []
    return pdf_raised.applied(part, within, begin)
