"""Reads what styles say of a text's meaning: struck out, raised, lowered, not shown, numbered. Inline styles are read,
and of style sheets the rules for one class, as word processors write them.

Not a reader of CSS: a rule that depends on more than one class is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from selfroute.ingest.formats.html.lists import kind_of

MOST_STYLES = 2**20
"""Characters of style sheets that are looked at."""

STRUCK = re.compile(r"text-decoration(?:-line)?\s*:[^;]*\bline-through", re.IGNORECASE)
RAISED = re.compile(r"vertical-align\s*:\s*(?:super|text-top)\b|font-variant-position\s*:\s*super", re.IGNORECASE)
LOWERED = re.compile(r"vertical-align\s*:\s*sub\b|font-variant-position\s*:\s*sub\b", re.IGNORECASE)
UNSEEN = re.compile(r"(?:^|[;\s])(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse))", re.IGNORECASE)
BLOCK = re.compile(r"(?:^|[;\s])display\s*:\s*(?:block|flex|grid|table|list-item)\b", re.IGNORECASE)
KEPT = re.compile(r"white-space\s*:\s*(?:pre|break-spaces)", re.IGNORECASE)
MATTERS = re.compile(r"line-through|vertical-align|font-variant|display|visibility|white-space", re.IGNORECASE)
WANTED = tuple(
    re.compile(words)  # each begins with plain letters, for which they are found in no time
    for words in ("line-through", r"vertical-align\s*:\s*(?:su|text-top)", "font-variant-position", "list-style")
)
LONGEST_RULE = 5000
CLASS = re.compile(r"(?:[a-z]+)?\.([\w-]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Style:
    """Describes what matters of an element's style."""

    struck: bool = False
    raised: bool = False
    lowered: bool = False
    unseen: bool = False
    kept: bool = False
    """Its white space is."""

    block: bool = False


PLAIN = Style()


@dataclass(frozen=True, slots=True)
class Sheets:
    """Describes what the style sheets of a page say of its classes."""

    styles: Mapping[str, Style]
    lists: Mapping[str, str]
    """Kinds of numbering."""

    def style(self, names: str) -> Style:
        for name in names.split() if self.styles else ():
            if name in self.styles:
                return self.styles[name]
        return PLAIN

    def kind(self, names: str | None) -> str | None:
        return next((self.lists[name] for name in (names or "").split() if name in self.lists), None)


NO_SHEETS = Sheets(MappingProxyType({}), MappingProxyType({}))


@lru_cache(maxsize=4096)
def inline(style: str) -> Style:
    """The declarations of one element."""
    if MATTERS.search(style) is None:
        return PLAIN
    return Style(*(bool(rule.search(style)) for rule in (STRUCK, RAISED, LOWERED, UNSEEN, KEPT, BLOCK)))


def sheets(text: str) -> Sheets:
    """The rules of style sheets. What a class hides is not among them: scripts show it when it is asked for."""
    text = text[:MOST_STYLES]
    if not any(words.search(text.lower()) for words in WANTED):
        return NO_SHEETS
    text = _unconditional(re.sub(r"/\*.*?(?:\*/|\Z)", "", text, flags=re.DOTALL))
    styles: dict[str, Style] = {}
    lists: dict[str, str] = {}
    counts = "counter(" in text  # numbers that a sheet takes away it may write itself
    for selectors, rules in _wanted(text):
        style = Style(*(bool(rule.search(rules)) for rule in (STRUCK, RAISED, LOWERED)))
        kind = kind_of(rules)
        for selector in selectors.split(","):
            found = CLASS.fullmatch(selector.strip())
            if found and style != PLAIN:
                styles[found[1]] = style
            if found and kind is not None and not (kind == "none" and counts):
                lists[found[1]] = kind
    return Sheets(styles, lists)


def _wanted(text: str) -> Iterator[tuple[str, str]]:
    """Rules that matter: their selectors and their declarations."""
    last = -1
    lower = text.lower()
    lower = lower if len(lower) == len(text) else text
    for at in sorted(found.start() for words in WANTED for found in words.finditer(lower)):
        begin = text.rfind("{", max(last, at - LONGEST_RULE, 0), at)
        end = text.find("}", at, at + LONGEST_RULE)
        if begin < 0 or end < 0 or begin <= last or "}" in text[begin:at]:
            continue
        before = max(text.rfind(sign, max(0, begin - LONGEST_RULE), begin) for sign in "{}")
        yield text[before + 1 : begin], text[begin + 1 : end]
        last = begin


def _unconditional(text: str) -> str:
    """The rules outside of `@media` and its like, which may be for paper or for another width."""
    made: list[str] = []
    at = 0
    while (begin := text.find("@", at)) >= 0:
        made.append(text[at:begin])
        brace, semicolon = text.find("{", begin), text.find(";", begin)
        if brace < 0 or 0 <= semicolon < brace:
            at = len(text) if semicolon < 0 else semicolon + 1
            continue
        depth, at = 1, brace + 1
        while depth:
            found = re.compile(r"[{}]").search(text, at)
            if found is None:
                return "".join(made)
            depth += 1 if found[0] == "{" else -1
            at = found.end()
    return "".join([*made, text[at:]])
