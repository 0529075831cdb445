"""Spans of a text: widened to whole numbers with their signs, the sentence or row around one, and the lines that only
repeat the question.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from selfroute.ingest import cuts

NEAR = 4_000
"""Characters before and after a span within which the ends of its sentence are looked for."""

LONGEST_SENTENCE = 1_000
"""A longer one is cited by its clause."""

CURRENCY = "$€£¥₹₽₩฿₺₴₦¢"
SIGNS = "-−–+±∓<>≤≥~≈≃≅=" + CURRENCY
TIGHT = frozenset("-−–+")
"""Signs that belong to a number only where nothing that is written stands before them: else they are hyphens."""
UNITS_BEHIND = "%‰°′″" + CURRENCY
WITHIN_NUMBERS = ".,'’:/\u00a0\u202f"  # noqa: RUF001 (as it is written)
NUMBER = re.compile(rf"[{re.escape(SIGNS)}\s]*\d[\d{re.escape(WITHIN_NUMBERS)}]*[{re.escape(UNITS_BEHIND)}]*")
YEAR = re.compile(r"(?:1[5-9]|20)\d\d")
BRACKETS = {"(": ")", "[": "]"}

ABBREVIATED = re.compile(
    r"(?:\b(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|No|Nos|Nr|approx|e\.g|i\.e|vs|etc|cf|Fig|Figs|Art|art|Sec|sec|pp|ca|max|min"
    r"|incl|excl|Inc|Ltd|Co|Corp|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec))\.$"
)
SENTENCE = re.compile(r"[.!?…]+[\"'”’)\]]*\s+(?=\S)|[。！？]+[」』）”’]*")  # noqa: RUF001
QUESTION_LINE = re.compile(r"^[ \t]*(?:#{1,6}[ \t].*|.*[?？][ \t\"'”’*_]*)$", re.MULTILINE)  # noqa: RUF001
LINE = re.compile(r"[^\n]*\n|[^\n]+")
CELL = re.compile(r"(?:^|(?<=\s))\|(?=\s|$)|\t")
REPEATS = 0.75
"""The share of a heading's words that are the question's, from which the heading repeats it."""
REPEATS_ASKING = 0.5
"""The same of a line that is a question itself."""


def widened(text: str, start: int, end: int) -> tuple[int, int]:
    """A span with the rest of the words and numbers at its ends, and the signs, currency marks and parentheses that
    belong to its numbers."""
    while start > 0 and _joined(text, start):
        start -= 1
    while end < len(text) and _joined(text, end):
        end += 1
    if text[start:end].strip() and (text[start].isdigit() or text[start] in SIGNS + "."):
        start = _with_signs(text, start)
    while end < len(text) and text[end - 1].isdigit() | (text[end - 1] in UNITS_BEHIND) and text[end] in UNITS_BEHIND:
        end += 1
    return _bracketed(text, start, end)


def sentence_around(text: str, start: int, end: int) -> tuple[int, int]:
    """The sentence, or the row or item, that holds a span: whole, but for one of more than `LONGEST_SENTENCE`
    characters, of which it is the clause."""
    low, high = _near(text, start, end)
    for cut in (cuts.paragraphs, cuts.lines, _sentences):
        low, high = _part(text, low, high, start, end, cut(text[low:high]))
    for cut in (cuts.wrapped_lines, cuts.clauses, cuts.commas):
        if high - low > LONGEST_SENTENCE:
            low, high = _part(text, low, high, start, end, cut(text[low:high]))
    part = text[low:high]
    return low + len(part) - len(part.lstrip()), high - len(part) + len(part.rstrip())


def repeats(text: str, question: str) -> list[tuple[int, int]]:
    """The headings, and the lines that are questions themselves, that say what `question` says: they never answer."""
    asked = set(_words(question))
    found = []
    for line in QUESTION_LINE.finditer(text):
        words = _words(line[0])
        share = sum(word in asked for word in words) / len(words) if words else 0.0
        asks = line[0].rstrip(" \t\"'”’*_").endswith(("?", "？"))  # noqa: RUF001
        if share >= (REPEATS_ASKING if asks else REPEATS):
            found.append(line.span())
    return found


def sections(text: str, headings: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Each of `headings` with what stands under it: to the next heading, or line that is a question."""
    starts = [line.start() for line in QUESTION_LINE.finditer(text)] if headings else []
    ends = [next((start for start in starts if start >= end), len(text)) for _, end in headings]
    return [(start, end) for (start, _), end in zip(headings, ends, strict=True)]


def borders(text: str, start: int, end: int) -> list[int]:
    """The places within `start:end` that no answer runs over: between paragraphs, around headings and lines that are
    questions, and between the cells and rows of a table."""
    found: set[int] = set()
    for line in LINE.finditer(text, start, end):
        alone = not line[0].strip() or QUESTION_LINE.fullmatch(line[0].rstrip())
        cells = [place for sign in CELL.finditer(line[0]) for place in sign.span()]
        if alone or cells:
            found |= {line.start(), line.end(), *(line.start() + place for place in cells)}
    return sorted(found)


def _joined(text: str, at: int) -> bool:
    """Whether the characters before and at a place are of one word or number."""
    before, behind = text[at - 1], text[at]
    if before.isalnum() and behind.isalnum():
        return True
    if behind in WITHIN_NUMBERS and at + 1 < len(text):
        return before.isdigit() and text[at + 1].isdigit()
    return before in WITHIN_NUMBERS and at > 1 and text[at - 2].isdigit() and behind.isdigit()


def _with_signs(text: str, start: int) -> int:
    """Where a number begins with its signs: those that touch it, or stand one space before it on its line."""
    if start > 1 and text[start - 1] == "." and not text[start - 2].isalnum():
        start -= 1  # .5
    while start > 0 and text[start - 1] in SIGNS:
        if text[start - 1] in TIGHT and start > 1 and (text[start - 2].isalnum() or text[start - 2] in ")]"):
            break
        start -= 1
    apart = re.search(r"(?<=\S) [±<>≤≥~≈] $", text[max(start - 4, 0) : start])
    return start - 2 if apart else start


def _bracketed(text: str, start: int, end: int) -> tuple[int, int]:
    """With the other half of a parenthesis that the span opens or closes, and with both around a number: so accounts
    write what is less than nothing."""
    for opening, closing in BRACKETS.items():
        inside = text[start:end]
        if inside.count(opening) > inside.count(closing) and text[end : end + 1] == closing:
            end += 1
        elif inside.count(closing) > inside.count(opening) and text[start - 1 : start] == opening:
            start -= 1
    inside = text[start:end]
    number = NUMBER.fullmatch(inside) and not YEAR.fullmatch(inside)
    if number and text[max(start - 1, 0) : start] == "(" and text[end : end + 1] == ")":
        return start - 1, end + 1
    return start, end


def _near(text: str, start: int, end: int) -> tuple[int, int]:
    """The stretch in which the sentence is looked for, from white space to white space."""
    low, high = max(start - NEAR, 0), min(end + NEAR, len(text))
    if low and (found := cuts.SPACE.search(text, low, start)):
        low = found.end()
    if high < len(text):
        spaces = [found.start() for found in cuts.SPACE.finditer(text, end, high)]
        high = spaces[-1] if spaces else high
    return low, high


def _part(text: str, low: int, high: int, start: int, end: int, places: list[int]) -> tuple[int, int]:
    """From the last place before the span to the first place behind it."""
    before = [low + at for at in places if low + at <= start]
    behind = [low + at for at in places if low + at >= end]
    return (before[-1] if before else low), (behind[0] if behind else high)


def _sentences(text: str) -> list[int]:
    return [found.end() for found in SENTENCE.finditer(text) if _ends(text, found)]


def _ends(text: str, found: re.Match[str]) -> bool:
    """Whether a sentence ends there: not behind an abbreviation, and not where the next word is a small one."""
    abbreviated = ABBREVIATED.search(text[max(found.start() - 8, 0) : found.start() + 1])
    return not abbreviated and not text[found.end() : found.end() + 1].islower()


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
