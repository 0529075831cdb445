"""Spans of a text: widened to whole numbers with their signs, the sentence or row around one, and the parts that only
ask the question.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from selfroute.ingest import cuts

NEAR = 4_000
"""Characters before and after a span within which the ends of its sentence are looked for."""

AROUND = 40
"""Characters before and after an end of a span within which its number is looked for."""

LONGEST_SENTENCE = 1_000
"""A longer one is cited by its clause."""

LONGEST_QUESTION = 300

Span = tuple[int, int]

CURRENCY = "$€£¥₹₽₩฿₺₴₦¢"
SIGNS = "-−–+±∓<>≤≥~≈≃≅=" + CURRENCY
TIGHT = frozenset("-−–+")
"""Signs that belong to a number only where nothing that is written stands before them: else they are hyphens."""
UNITS_BEHIND = "%‰°′″" + CURRENCY
PART = r"[.,'’:/\u00a0\u202f\u2007，．]"  # noqa: RUF001 (as they are written)
"""What stands between the digits of a number, a date or a time."""

QUANTITY = re.compile(
    rf"\(\d{{2,5}}\) ?\d[\d /-]*\d"  # a telephone number
    rf"|(?:(?<!\d)\d{{1,3}}(?: \d{{3}}(?!\d))+(?:{PART}\d+)*|\d+(?:{PART}\d+)*)"  # 1 250 000,50 or 1,250.50
    rf"(?:[eE][-+−]?\d+)?(?:\^[-−+]?\d+)?(?:\s?[×·x*]\s?10\^?[-−+]?\d+)?"
)
NUMBER = re.compile(rf"[{re.escape(SIGNS)}\s]*\d(?:{PART}?\d)*[{re.escape(UNITS_BEHIND)}]*")
YEAR = re.compile(r"(?:1[5-9]|20)\d\d")
APART = re.compile(rf"(?<=\S) ((?:[±<>≤≥~≈]|[<>=]=|=<)[ \u00a0])$|(?:(?<=\s)|^)([{re.escape(CURRENCY)}][ \u00a0])$")
"""A sign one space before its number, which is not the first of its line: there it is a quotation's or an item's."""
BEHIND = re.compile(rf"[{re.escape(UNITS_BEHIND)}]+|[ \u00a0\u202f][%‰{re.escape(CURRENCY)}](?!\w)")
COUNTRY = re.compile(r"(?<![^\W_])[A-Z]{1,3}$")
"""Letters that touch a currency's sign: `US$`."""
BRACKETS = {"(": ")", "[": "]"}

ABBREVIATED = re.compile(
    r"(?:\b(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|Gen|Lt|Col|Sgt|Capt|Rev|Hon|Sen|Gov|St|Mt|Ave|Rd|No|Nos|Nr|approx|e\.g|i\.e"
    r"|vs|etc|cf|al|ed|vol|Fig|Figs|Art|art|Sec|sec|pp|ca|max|min|incl|excl|Inc|Ltd|Co|Corp"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec))\.$"
)
SENTENCE = re.compile(
    r"(?<![.!?…])[.!?…]+[\"'”’)\]]*(?:\s?\[\w{1,4}\])*\s+(?=\S)|[。！？]+[」』）”’]*"  # noqa: RUF001
)
CELL = re.compile(r"(?:^|(?<=\s))\|(?=\s|$)|\t")
LABELLED = re.compile(r"(?:^|; )[^;:\n]{1,60}: ")
"""A cell with its name, as rows of CSV are written."""

ASKS = re.compile(r"[?？](?=[\s\"'”’)\]»«|_*:;,.…]|$)")  # noqa: RUF001
HEADING = re.compile(r"[ \t]*#{1,6}[ \t]")
BEFORE = ".!?;:|\n\t？。"
"""What stands before a question on its line."""
CLOSING = re.compile(r"[\"'”’)\]»«_*:;,.… \t\r]*\n?")  # noqa: RUF001
REPEATS = 0.75
"""The share of a heading's words that are the question's, from which the heading repeats it."""
REPEATS_ASKING = 0.5
"""The same of a question."""


def widened(text: str, start: int, end: int) -> Span:
    """A span with the rest of the words and numbers at its ends, and the signs, currency marks and parentheses that
    belong to its numbers."""
    while start > 0 and text[start - 1].isalnum() and text[start].isalnum():
        start -= 1
    while end < len(text) and text[end - 1].isalnum() and text[end].isalnum():
        end += 1
    if text[start] in TIGHT and start and text[start - 1].isalnum():  # ISO-9001
        while start > 0 and text[start - 1].isalnum():
            start -= 1
    start, end = _whole_numbers(text, start, end)
    start, end = _with_signs(text, start), _with_units(text, end)
    low, high = _bracketed(text, start, end)
    return (_with_signs(text, low), high) if low < start and high > end else (low, high)


def sentence_around(text: str, start: int, end: int) -> Span:
    """The sentence, or the row or item, that holds a span: whole, but for one of more than `LONGEST_SENTENCE`
    characters, of which it is the clause."""
    low, high = _near(text, start, end)
    for cut in (cuts.paragraphs, cuts.lines):
        low, high = _part(text, low, high, start, end, cut(text[low:high]))
    if not _is_row(text[low:high].strip()):
        low, high = _part(text, low, high, start, end, _sentences(text[low:high]))
    for cut in (cuts.wrapped_lines, cuts.clauses, cuts.commas):
        if high - low > LONGEST_SENTENCE:
            low, high = _part(text, low, high, start, end, cut(text[low:high]))
    part = text[low:high]
    return low + len(part) - len(part.lstrip()), high - len(part) + len(part.rstrip())


def repeats(text: str, question: str) -> list[Span]:
    """The headings and questions of a text that say what `question` says: they never answer. In order."""
    asked = set(_words(question))
    return [(start, end) for start, end, asks in _asking(text) if _alike(text[start:end], asked, asks)]


def sections(text: str, repeated: Sequence[Span]) -> list[Span]:
    """Each of `repeated` with what stands under it: to the next heading or question."""
    starts = [start for start, _, _ in _asking(text)] if repeated else []
    made = []
    for start, end in repeated:
        at = bisect_left(starts, end)
        made.append((start, starts[at] if at < len(starts) else len(text)))
    return made


def borders(text: str, start: int, end: int) -> list[int]:
    """The places within `start:end` that no answer runs over: between paragraphs, around headings and lines that ask,
    and between the cells and rows of a table."""
    found: set[int] = set()
    at = start
    while at < end:
        stop = text.find("\n", at, end)
        stop = end if stop < 0 else stop + 1
        line = text[at:stop]
        cells = [at + place for sign in CELL.finditer(line) for place in sign.span()]
        if cells or not line.strip() or HEADING.match(line):
            found |= {at, stop, *cells}
        found |= {place for low, high, _ in _asking(line) for place in (at + low, at + high)}
        at = stop
    return sorted(found)


def _asking(text: str) -> Iterator[tuple[int, int, bool]]:
    """The headings, and the questions wherever they stand, each with whether it asks; in order."""
    found = [(*_question(text, at.start()), True) for at in ASKS.finditer(text)]
    if "#" in text:
        asking = {text.rfind("\n", 0, end - 1) for _, end, _ in found}
        found += [(start, end, False) for start, end in _headings(text) if start - 1 not in asking]
    return iter(sorted(set(found)))


def _question(text: str, at: int) -> Span:
    """From where the question begins that ends at a place, behind a label or another sentence, to behind its signs."""
    low = max(at - LONGEST_QUESTION, 0)
    start = max(low, *(text.rfind(sign, low, at) + 1 for sign in BEFORE))
    start += len(text[start:at]) - len(text[start:at].lstrip())
    closing = CLOSING.match(text, at + 1)
    return min(start, at), closing.end() if closing else at + 1


def _headings(text: str) -> Iterator[Span]:
    start = 0
    while start < len(text):
        stop = text.find("\n", start)
        stop = len(text) if stop < 0 else stop + 1
        if text[start : start + 1] in "# \t" and HEADING.match(text, start):
            yield start, stop
        start = stop


def _alike(text: str, asked: set[str], asks: bool) -> bool:
    words = _words(text)
    share = sum(word in asked for word in words) / len(words) if words else 0.0
    return share >= (REPEATS_ASKING if asks else REPEATS)


def _whole_numbers(text: str, start: int, end: int) -> Span:
    """With the rest of the numbers that the span begins or ends within."""
    low = max(start - AROUND, 0)
    for found in QUANTITY.finditer(text, low, min(end + AROUND, len(text))):
        if found.start() < start < found.end() and (found.start() > low or not low):
            start = found.start()
        if found.start() < end < found.end():
            end = found.end()
    return start, end


def _with_signs(text: str, start: int) -> int:
    """Where a number begins with its signs: those that touch it, or stand one space before it on its line."""
    if not (text[start].isdigit() or text[start] in SIGNS + ".("):
        return start
    if start > 1 and text[start - 1] == "." and not text[start - 2].isalnum():
        start -= 1  # .5
    while start > 0 and text[start - 1] in SIGNS:
        if text[start - 1] in TIGHT and start > 1 and (text[start - 2].isalnum() or text[start - 2] in ")]"):
            break
        start -= 1
    if text[start] in CURRENCY and (letters := COUNTRY.search(text, max(start - 4, 0), start)):
        start = letters.start()
    apart = APART.search(text[max(start - 5, 0) : start])
    return start - len(apart[1] or apart[2]) if apart else start


def _with_units(text: str, end: int) -> int:
    """Where a number ends with its unit's sign."""
    behind = BEHIND.match(text, end) if text[end - 1].isdigit() or text[end - 1] in UNITS_BEHIND else None
    return behind.end() if behind else end


def _bracketed(text: str, start: int, end: int) -> Span:
    """With the other half of a parenthesis that the span opens or closes, and with both around a number: so accounts
    write what is less than nothing."""
    for opening, closing in BRACKETS.items():
        inside = text[start:end]
        if inside.count(opening) > inside.count(closing) and text[end : end + 1] == closing:
            end += 1
        elif inside.count(closing) > inside.count(opening) and text[max(start - 1, 0) : start] == opening:
            start -= 1
    inside = text[start:end]
    number = NUMBER.fullmatch(inside) and not YEAR.fullmatch(inside)
    if number and text[max(start - 1, 0) : start] == "(" and text[end : end + 1] == ")":
        return start - 1, end + 1
    return start, end


def _near(text: str, start: int, end: int) -> Span:
    """The stretch in which the sentence is looked for, from white space to white space."""
    low, high = max(start - NEAR, 0), min(end + NEAR, len(text))
    if low and (found := cuts.SPACE.search(text, low, start)):
        low = found.end()
    if high < len(text):
        spaces = [found.start() for found in cuts.SPACE.finditer(text, end, high)]
        high = spaces[-1] if spaces else high
    return low, high


def _part(text: str, low: int, high: int, start: int, end: int, places: Sequence[int]) -> Span:
    """From the last place before the span to the first place behind it."""
    before = [low + at for at in places if low + at <= start]
    behind = [low + at for at in places if low + at >= end]
    return (before[-1] if before else low), (behind[0] if behind else high)


def _is_row(text: str) -> bool:
    """Tell whether a text is one row of a table, whose cells belong together."""
    return "\n" not in text and (CELL.search(text) is not None or len(LABELLED.findall(text)) > 1)


def _sentences(text: str) -> list[int]:
    return [found.end() for found in SENTENCE.finditer(text) if _ends(text, found)]


def _ends(text: str, found: re.Match[str]) -> bool:
    """Tell whether a sentence ends there: not behind an abbreviation, and not where the next word is a small one."""
    abbreviated = ABBREVIATED.search(text[max(found.start() - 8, 0) : found.start() + 1])
    return not abbreviated and not text[found.end() : found.end() + 1].islower()


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
