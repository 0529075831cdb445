"""The numbers of a Word file's list items and headings, which it holds only as counters: `3.`, `1.2`, `(c)`.

Knows nothing of the text that is numbered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from selfroute.ingest.formats.docx.lines import BULLET
from selfroute.ingest.formats.numbering import written
from selfroute.ingest.formats.packages import Element, local, number, switched, value
from selfroute.ingest.formats.symbols import PRIVATE, WINGDINGS

DEPTH = 9
"""Levels of a numbering."""

BOXES: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        **{("", sign): f"{sign} " for sign in "☐☑☒✓✔✗✘🗹🗷"},
        **{("wingdings", chr(PRIVATE + place)): f"{WINGDINGS[place]} " for place in (0xA8, 0xFB, 0xFC, 0xFD, 0xFE)},
    }
)
"""Bullets that say something: boxes that are checked or not."""

LONGEST = 200
"""Characters of a number with all its levels."""

LINKS = 5
"""How often a numbering may point to another one by a style."""

CHINESE = "零一二三四五六七八九"
CIRCLED = "⓪①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳"
SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
NTH = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth"}
CYRILLIC = "абвгдежзиклмнопрстуфхцчшщыэюя"


@dataclass(slots=True)
class Level:
    """Describes how one level of a numbering counts and writes."""

    start: int = 1
    kind: str = "decimal"
    pattern: str = ""
    format: str = ""
    restart: int | None = None
    legal: bool = False
    style: str = ""
    font: str = ""


@dataclass(slots=True)
class Definition:
    """A numbering's levels; those of another one if it is `linked` to a style."""

    levels: dict[int, Level] = field(default_factory=dict)
    linked: str = ""
    named: str = ""


@dataclass(slots=True)
class List:
    """One use of a numbering, which may start anew or write another way."""

    definition: str = ""
    starts: dict[int, int] = field(default_factory=dict)
    levels: dict[int, Level] = field(default_factory=dict)


class Numbering:
    """The counters of all lists of a file, in the order of its text."""

    def __init__(
        self, root: Element | None = None, list_of: Callable[[str], tuple[str, int | None, list[str]]] | None = None
    ) -> None:
        self._definitions: dict[str, Definition] = {}
        self._lists: dict[str, List] = {}
        self._list_of = list_of
        self._counters: dict[str, list[int | None]] = {}
        self._begun: set[tuple[str, int]] = set()
        for element in root if root is not None else ():
            name = local(element)
            if name == "abstractNum":
                self._definitions[value(element, "abstractNumId")] = _definition(element)
            elif name == "num":
                self._lists[value(element, "numId")] = _list(element)

    def level_of(self, list_id: str, styles: list[str]) -> int:
        """The level that a numbering keeps for paragraphs of a style, or of what it is based on."""
        _, definition = self._definition(list_id)
        for style in styles:
            for at, level in definition.levels.items():
                if level.style == style:
                    return at
        return 0

    def next(self, list_id: str, level: int) -> str:
        """Counts one paragraph of a list and gives what Word writes before it, with a space behind; nothing for a
        list without marks."""
        level = min(max(level, 0), DEPTH - 1)
        used = self._lists.get(list_id)
        key, definition = self._definition(list_id)
        if used is None or not (definition.levels or used.levels):
            return BULLET
        levels = {
            at: used.levels.get(at) or definition.levels.get(at) or Level(pattern=f"%{at + 1}.") for at in range(9)
        }
        counters = self._count(key, list_id, level, levels, used.starts)
        own = levels[level]
        if own.kind == "bullet":
            return BULLET + BOXES.get((own.font, own.pattern), BOXES.get(("", own.pattern), "")) if own.pattern else ""
        numbers = {str(at + 1): _shown(counters[at], levels[at], own.legal and at <= level) for at in range(DEPTH)}
        text = re.sub(r"%([1-9])", lambda found: numbers[found[1]], own.pattern[:LONGEST])
        text = " ".join(text.split())[:LONGEST]
        return f"{text} " if text else ""

    def _count(self, key: str, list_id: str, level: int, levels: dict[int, Level], starts: dict[int, int]) -> list[int]:
        counters = self._counters.setdefault(key, [None] * DEPTH)
        if level in starts and (list_id, level) not in self._begun:
            counters[level] = starts[level]
        else:
            before = counters[level]
            counters[level] = levels[level].start if before is None else before + 1
        self._begun.add((list_id, level))
        for at in range(level + 1, DEPTH):
            restart = levels[at].restart
            if restart != 0 and level < (at if restart is None else min(restart, at)):
                counters[at] = None
                self._begun.discard((list_id, at))
        return [starts.get(at, levels[at].start) if count is None else count for at, count in enumerate(counters)]

    def _definition(self, list_id: str) -> tuple[str, Definition]:
        """The definition that a list uses, with its id; followed over the style that it may name instead of levels."""
        for _ in range(LINKS):
            key = self._lists[list_id].definition if list_id in self._lists else ""
            found = self._definitions.get(key, Definition())
            if found.levels or not found.linked:
                return key, found
            named = next((k for k, d in self._definitions.items() if d.named == found.linked and d.levels), None)
            if named is not None:
                return named, self._definitions[named]
            list_id = self._list_of(found.linked)[0] if self._list_of else ""
        return "", Definition()


def _definition(element: Element) -> Definition:
    made = Definition()
    for part in element:
        name = local(part)
        if name == "lvl":
            made.levels[number(value(part, "ilvl"))] = _level(part)
        elif name == "numStyleLink":
            made.linked = value(part)
        elif name == "styleLink":
            made.named = value(part)
    return made


def _list(element: Element) -> List:
    made = List()
    for part in element:
        name = local(part)
        if name == "abstractNumId":
            made.definition = value(part)
        elif name == "lvlOverride":
            at = number(value(part, "ilvl"))
            for inner in part:
                if local(inner) == "startOverride":
                    made.starts[at] = number(value(inner), 1)
                elif local(inner) == "lvl":
                    made.levels[at] = _level(inner)
    return made


def _level(element: Element) -> Level:
    level = Level(start=0)  # what Word counts from if it says nothing
    kind = None
    for part in element.iter():
        name = local(part)
        if name == "start":
            level.start = number(value(part), 1)
        elif name == "numFmt" and kind is None:  # an older one may follow for older programs
            level.kind = kind = value(part) or "decimal"
            level.format = value(part, "format")
        elif name == "lvlText":
            level.pattern = value(part)
        elif name == "lvlRestart":
            level.restart = number(value(part))
        elif name == "isLgl":
            level.legal = switched(part)
        elif name == "pStyle":
            level.style = value(part)
        elif name == "rFonts":
            level.font = value(part, "ascii").lower()
        elif name == "lvlPicBulletId":
            level.kind = kind = "bullet"
    return level


def _shown(count: int, level: Level, legal: bool) -> str:
    if legal and level.kind not in ("none", "bullet"):
        return str(count)
    if level.kind == "bullet":
        return ""
    if level.kind == "custom":
        first = level.format.split(",")[0].strip()
        return str(count).zfill(len(first)) if first.isdigit() else str(count)
    return shown(count, level.kind)


def shown(count: int, kind: str) -> str:
    """A number as Word writes it in one of its kinds; those that are not known are decimal."""
    if kind in ("lowerLetter", "upperLetter") and count > 26:  # aa, bb, cc: not as in a spreadsheet
        letter = chr(ord("a") + (count - 1) % 26) * min((count - 1) // 26 + 1, 100)
        return letter.upper() if kind == "upperLetter" else letter
    special = _KINDS.get(kind)
    return special(count) if special else written(count, kind)


def _ordinal(count: int) -> str:
    ending = "th" if 10 <= count % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th")
    return f"{count}{ending}"


def _cardinal(count: int) -> str:
    if not 0 <= count < 1000:
        return str(count)
    if count >= 100:
        rest = f" {_cardinal(count % 100)}" if count % 100 else ""
        return f"{SMALL[count // 100]} hundred{rest}"
    if count < 20:
        return SMALL[count]
    return TENS[count // 10] + (f"-{SMALL[count % 10]}" if count % 10 else "")


def _ordinal_text(count: int) -> str:
    text = _cardinal(count)
    start, last = text[: len(text) - len(re.split(r"[ -]", text)[-1])], re.split(r"[ -]", text)[-1]
    if last.isdigit():
        return _ordinal(count)
    if last in NTH:
        return start + NTH[last]
    return start + (last[:-2] + "fth" if last == "twelve" else last[:-1] + "ieth" if last[-1] == "y" else last + "th")


def _chinese(count: int) -> str:
    """一, 十, 十二, 二十, 一百零三: as it is read."""
    if not 0 < count < 10_000:
        return str(count)
    made, gap = "", False
    for unit, sign in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = count // unit % 10
        if digit:
            made += ("零" if gap and made else "") + CHINESE[digit] + sign
        gap = not digit
    return made.removeprefix("一") if made.startswith("一十") else made


def _digits(zero: str) -> Callable[[int], str]:
    return lambda count: "".join(chr(ord(zero) + int(d)) if d.isdigit() else d for d in str(count))


def _of(signs: str) -> Callable[[int], str]:
    return lambda count: signs[count - 1] if 0 < count <= len(signs) else str(count)


def _circled(count: int) -> str:
    return CIRCLED[count] if 0 <= count < len(CIRCLED) else f"({count})"


_KINDS: Mapping[str, Callable[[int], str]] = MappingProxyType(
    {
        "ordinal": _ordinal,
        "cardinalText": lambda count: _cardinal(count).capitalize(),
        "ordinalText": lambda count: _ordinal_text(count).capitalize(),
        "numberInDash": lambda count: f"- {count} -",
        "hex": lambda count: f"{count:X}",
        "decimalFullWidth": _digits("\uff10"),
        "decimalFullWidth2": _digits("\uff10"),
        "thaiNumbers": _digits("\u0e50"),
        "hindiNumbers": _digits("\u0966"),
        "decimalEnclosedCircle": _circled,
        "decimalEnclosedCircleChinese": _circled,
        "decimalEnclosedParen": lambda count: f"({count})",
        "decimalEnclosedFullstop": lambda count: f"{count}.",
        "chineseCounting": _chinese,
        "chineseCountingThousand": _chinese,
        "taiwaneseCounting": _chinese,
        "taiwaneseCountingThousand": _chinese,
        "japaneseCounting": _chinese,
        "ideographDigital": lambda count: "".join(CHINESE[int(d)] for d in str(abs(count))),
        "ideographTraditional": _of("甲乙丙丁戊己庚辛壬癸"),
        "ideographZodiac": _of("子丑寅卯辰巳午未申酉戌亥"),
        "russianLower": _of(CYRILLIC),
        "russianUpper": _of(CYRILLIC.upper()),
        "chicago": lambda count: "*†‡§"[(count - 1) % 4] * min((count + 3) // 4, 10),
    }
)
