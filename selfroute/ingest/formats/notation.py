"""Superscripts, subscripts, fractions and footnote marks in a line of text: `10^6`, `x_2`, `1/2`, `120 [3]`.

A number is never joined with one that stood above, below or beside it on the page. HTML, MathML, Word and its equations
share these rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

POWERS = re.compile(r"(?<![\d.,])(?:10|\d)$")
"""A base that is raised to a power; other numbers before raised digits have a footnote mark: `120` and a raised 3."""

UNITS = re.compile(
    r"(?<![^\W\d_])(?:[^\W\d_]{1,2}|[kcmdnµμ]?m|ft|yd|mi|sec|min|rad|mol|sin|cos|tan|log|exp|var)$", re.IGNORECASE
)
"""A symbol or a unit, which is raised to a power; words have a footnote mark."""

ORDINALS = frozenset(("st", "nd", "rd", "th", "er", "re", "ère", "e", "ème", "o", "a", "os", "as", "er.", "º", "ª"))
SIGNS = frozenset("*†‡§¶#®™©℠°′″'\"")
SPELLED: Mapping[str, str] = MappingProxyType({"tm": "™", "sm": "℠", "(r)": "®", "(c)": "©", "®": "®", "™": "™"})


def end(parts: Sequence[str]) -> str:
    """The end of a text that is made of `parts`, as far as it decides how a power or a mark behind it is written."""
    return "".join(parts[-20:])


def raised(before: str, text: str) -> str:
    """Return what is written behind `before` for superscript `text`: a power, a footnote mark set apart, or the text
    itself where it is an ordinal's ending or a sign."""
    inside = " ".join(text.split())
    if not inside:
        return text and " "
    if inside.lower() in SPELLED:
        return SPELLED[inside.lower()]
    if set(inside) <= SIGNS:
        return inside
    if before[-1:].isdigit() and inside.lower() in ORDINALS - {"a", "o", "e"}:
        return inside
    bracketed = re.fullmatch(r"[\[(](\w{1,4}|\w+ \d{1,3})[\])]", inside)
    if bracketed:
        return mark(before, bracketed[1])
    if re.fullmatch(r"\d{1,3}(?: ?[,–-] ?\d{1,3})*", inside):
        power = POWERS.search(before) or UNITS.search(before) or before[-1:] in tuple(")]}|")
        return f"^{inside}" if power and inside.isdigit() else mark(before, inside)
    if re.fullmatch(r"[a-z]", inside) and (before[-1:].isdigit() or not UNITS.search(before)):
        return mark(before, inside)
    return "^" + _grouped(inside)


def lowered(before: str, text: str) -> str:
    """Return what is written behind `before` for subscript `text`: `_2`."""
    inside = " ".join(text.split())
    return "_" + _grouped(inside) if inside else text and " "


def mark(before: str, name: str) -> str:
    """The mark of a footnote or another note, set apart from what stands `before` it: ` [3]`."""
    return f"[{name}]" if not before or before[-1:].isspace() else f" [{name}]"


def fraction(before: str, over: str, under: str) -> str:
    """`1/2`, apart from a whole number `before` it: `3 1/2`."""
    apart = " " if before[-1:].isalnum() else ""
    return f"{apart}{_grouped(over.strip())}/{_grouped(under.strip())}"


def _grouped(text: str) -> str:
    """`text`, in parentheses where it would not be read as one: `2^(n+1)`, `(a + b)/2`."""
    return text if re.fullmatch(r"[-−–+±]?[\w.,′']+|\([^()]*\)", text) else f"({text})"
