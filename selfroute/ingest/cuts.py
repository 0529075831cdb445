"""Places at which a text may be cut, from the best to the worst: paragraphs, lines, sentences, wrapped lines, clauses,
words. A cut stands before a visible character that follows white space, or after a Chinese or Japanese mark; never
inside of a number or a word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from selfroute.waiting import GivenUp

STRETCH = 20_000
"""Characters in which sentences are looked for at a time: NLTK gives up on a text after some seconds."""

NEIGHBOURS = 3
"""Lines before and after one that say how wide its text is set."""

FULL = 0.85
"""The share of the width that a line takes which was wrapped, at least."""

SET_WIDE = 40
"""Characters from which the longest line of some may be one that was wrapped."""

Cuts = Callable[[str], Iterable[int]]
"""The places at which a text may be cut, in order."""

PARAGRAPH = re.compile(r"(?>\r\n?|\n)[^\S\r\n]*(?>\r\n?|\n)\s*")
LINE = re.compile(r"(?>\r\n?|\n)\s*")
IDEOGRAPHIC = re.compile(r"[。！？][」』）”’]*(?=[^\s」』）”’])")  # noqa: RUF001 (as they are written)
CLAUSE = re.compile(r"[;；]\s+|[；](?=\S)")  # noqa: RUF001
COMMA = re.compile(r"[,:]\s+|(?:(?<!\d)[，、：]|[，、：](?!\d))(?=\S)")
SPACE = re.compile(r"(?!(?<=\d) (?=\d{3}(?!\d)))[^\S\u00a0\u202f\u2007]+")
"""White space that parts words: not what stands in a number, as in `1 250`."""
ITEM = re.compile(r"[-*•–]\s|#{1,6}\s|\(?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,5})[.)]\s|\d+(?:\.\d+)+\s")
"""The beginning of a list's item or a heading."""
COLUMNS = re.compile(r"\S(?:[ \u00a0]{2,}|\t+)\S|\s\|\s|^\|")
ENDED = re.compile(r"[.!?:;。！？][\"'”’)\]]*$")  # noqa: RUF001


def paragraphs(text: str) -> list[int]:
    return [found.end() for found in PARAGRAPH.finditer(text)]


def lines(text: str) -> list[int]:
    """Before lines that begin something of their own: rows, items, headings, verse. A line that goes on with the
    sentence of the line before it, since that was full, is none."""
    starts = [0, *_line_starts(text)]
    spans = [(start, end) for start, end in pairwise([*starts, len(text)])]
    shown = [text[start:end].strip() for start, end in spans]
    cut = []
    for at in range(1, len(shown)):
        near = [*shown[max(at - NEIGHBOURS, 0) : at - 1], *shown[at + 1 : at + NEIGHBOURS]]
        if not _wrapped(shown[at - 1], shown[at], near):
            cut.append(starts[at])
    return cut


def wrapped_lines(text: str) -> list[int]:
    return _line_starts(text)


def sentences(text: str, given_up: Callable[[], bool]) -> list[int]:
    """NLTK's, at white space only, looked for a stretch at a time, and those that end in an ideographic full stop.

    NLTK also cuts inside of `!!!`, and beside white space that is not ASCII, but only once in a text.
    """
    from llama_index.core.utils import globals_helper

    made = {found.end() for found in IDEOGRAPHIC.finditer(text)}
    at = 0
    while at < len(text):
        if given_up():
            raise GivenUp
        plain = re.sub(r"\s", " ", text[at : at + STRETCH])
        starts = [start for start, _ in globals_helper.punkt_tokenizer.span_tokenize(plain)]
        cut = [start for start in starts if start and plain[start - 1] == " "]
        if at + STRETCH >= len(text):
            made |= {at + start for start in cut}
            break
        # The last sentence goes on: the next stretch begins with it.
        made |= {at + start for start in cut}
        at += cut[-1] if cut else STRETCH
    return sorted(made)


def clauses(text: str) -> list[int]:
    return _ends(CLAUSE, text)


def commas(text: str) -> list[int]:
    return _ends(COMMA, text)


def words(text: str) -> list[int]:
    return _ends(SPACE, text)


def anywhere(text: str) -> int:
    """The place near the middle of a text at which to cut it if nothing else is left: at white space in its first
    half, else between two characters that are not both of one number."""
    middle = len(text) // 2
    spaces = [found.start() for found in SPACE.finditer(text, 0, middle + 1) if found.start()]
    if spaces:
        return spaces[-1]
    for away in range(middle):
        for at in (middle - away, middle + away):
            if 0 < at < len(text) and not (of_a_number(text[at - 1]) and of_a_number(text[at])):
                return at
    return middle


def of_a_number(character: str) -> bool:
    """Tell whether a character may stand within a number."""
    return character.isdigit() or character in ".,'’:/ \u00a0\u202f\u2007，．"  # noqa: RUF001 (as they are written)


def _ends(pattern: re.Pattern[str], text: str) -> list[int]:
    return [found.end() for found in pattern.finditer(text) if 0 < found.end() < len(text)]


def _line_starts(text: str) -> list[int]:
    return _ends(LINE, text)


def _wrapped(before: str, line: str, near: Sequence[str]) -> bool:
    """Tell whether a line goes on with the one before it, beside others."""
    width = max(map(len, (before, line, *near)))
    if not before or not line or width < SET_WIDE or ENDED.search(before):
        return False
    if ITEM.match(line) or COLUMNS.search(before) or COLUMNS.search(line):
        return False
    if _goes_on(line):
        return len(before) * 4 >= width * 3
    # A name or a number may begin a line of a sentence, too: there the lines are as long as they can be, and others
    # begin within a sentence.
    first = line.split(maxsplit=1)[0]
    full = len(before) + 1 + len(first) > width and any(len(other) > width * FULL for other in near)
    return full and any(_goes_on(other) for other in near)


def _goes_on(line: str) -> bool:
    first = line.lstrip("\"'“‘«([")[:1]  # noqa: RUF001 (as they are written)
    return bool(first) and not (first.isupper() or first.isdigit())
