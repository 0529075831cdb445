"""Words of a PDF that are cut at the end of a line: what belongs together is joined, and a hyphen that belongs to the
word stays: `A-12`, `COVID-19`, `self-employed`.

A page does not say which hyphens are the word's own. What else the document says does: a form that stands within a
line somewhere is the one that is meant.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

MARKS = "\ufffe\u00ad"
"""A hyphen at the end of a line, as PDFium writes it (it takes the line's end away), and the soft hyphen."""

CUT = re.compile(rf"[{MARKS}\u2010\u2011-](?:(?<=[{MARKS}])(?<=[\w.)].)\s*|(?<=\w[\u2010\u2011-])[ \t]*\n[ \t]*)(?=\w)")
"""Begins with a set, by which it is found quickly."""

LEFT = re.compile(r"[\w.&'\u2019\u2010\u2011-]*\w$")
RIGHT = re.compile(r"\w+(?:[-\u2010\u2011]\w+)*")
DASHED = re.compile(r"-\d+")
"""A number between hyphens, as forms write zero: the second one cuts no word."""
AROUND = "()[]{}<>.,;:!?\"'\u2018\u2019\u201c\u201d\u00ab\u00bb\u2026*/"
BEFORE = ("", "(", "\u201c", '"')
AFTER = ("", ",", ".", ";", ":", ")", "?", "\u201d")

ALWAYS = frozenset(("self", "ex", "quasi", "vice", "à", "non-self"))
"""First halves that are written with a hyphen in nearly every word that they begin."""

OPEN = frozenset(("based", "related", "driven", "oriented", "specific", "term", "scale", "level", "known", "called"))
"""Second halves that are hyphenated to a word of four letters or more."""

SMALL = frozenset(("of", "to", "in", "the", "and", "by", "on", "up", "at", "or", "as", "for", "de", "la", "le", "en"))
"""Words within a compound: `up-to-date`."""


def joined(pages: Sequence[str]) -> list[str]:
    """The pages with each cut word whole, also one that is cut at the end of its page: it goes to the first."""
    told = [*pages]
    for at in range(len(told) - 1):
        told[at], told[at + 1] = _over(told[at], told[at + 1])
    if not any(CUT.search(page) for page in told):
        return told
    forms = _forms(told)
    return [CUT.sub(lambda cut, page=page: _hyphen(page, cut, forms), page) for page in told]  # type: ignore[misc]


def _over(page: str, following: str) -> tuple[str, str]:
    """Two pages, with the rest of a word that the first one cuts moved there."""
    if not re.fullmatch(rf"[^\W\d_]{{2}}[-\u2010{MARKS}]", page[-3:]):
        return page, following
    rest = re.match(r"[^\W\d_]+[.,;:!?)]*", following)
    if not rest or not rest[0][0].islower():
        return page, following
    return f"{page[:-1]}\ufffe{rest[0]}", following[rest.end() :].lstrip()


def _forms(pages: Sequence[str]) -> Counter[str]:
    """Tell how often each word stands within a line, with the signs around it, and each hyphenated form without any."""
    # The halves of cut words stand for nothing. Few words are asked for: those without a hyphen stay as they stand.
    counted = Counter(_plain("\n".join(CUT.sub("\n\n", page) for page in pages)).split())
    for token in [token for token in counted if "-" in token]:
        parts = token.strip(AROUND).split("-")
        forms = {"-".join(parts), *map("-".join, pairwise(parts))} - {token}
        for form in forms:
            counted[form] += counted[token]
    return counted


def _count(forms: Counter[str], word: str) -> int:
    return sum(forms[f"{before}{word}{after}"] for before in BEFORE for after in AFTER)


def _hyphen(page: str, cut: re.Match[str], forms: Counter[str]) -> str:
    """Return what stands between the halves of a word: a hyphen or nothing."""
    before, after = LEFT.search(page[max(0, cut.start() - 60) : cut.start()]), RIGHT.match(page, cut.end())
    left, right = _plain(before[0] if before else ""), _plain(after[0] if after else "")
    if not left or not right:
        return "-"
    first, second = (before[0] if before else ""), (after[0] if after else "")
    last, head = left.split("-")[-1], right.split("-")[0]
    if DASHED.fullmatch(first):
        return "-\n"
    if second[0].isdigit() or first[-1].isdigit():
        return "-"
    kept = max(forms[f"{left}-{right}"], forms[f"{last}-{head}"])
    whole = max(_count(forms, left + right), _count(forms, last + head))
    if kept or whole:
        return "-" if kept >= whole else ""
    if second[0].isupper() or first[-1].isupper() or len(last) == 1 or last in ALWAYS:
        return "-"
    if (last in SMALL and "-" in left) or (head in SMALL and "-" in right):
        return "-"
    return "-" if head in OPEN and len(last) >= 4 else ""


def _plain(word: str) -> str:
    return word.replace("\u2010", "-").replace("\u2011", "-").casefold()
