"""The numbers of list items as they are written: `3`, `c`, `iv`. HTML and Word share these rules."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc")),
    *((50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)


SIGNS: Mapping[str, str] = MappingProxyType(
    {"1": "decimal", "a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
)
"""The kinds by the sign that HTML and OpenDocument have for them."""


def written(number: int, kind: str) -> str:
    """`number` in the numbering `kind`, one of Word's names: `decimal`, `decimalZero`, `lowerLetter`, `upperLetter`,
    `lowerRoman`, `upperRoman`, `none`. An unknown kind, and a number that a kind cannot write, is decimal."""
    if kind == "none":
        return ""
    if kind == "decimalZero":
        return f"{number:02}"
    if kind in ("lowerLetter", "upperLetter") and number > 0:
        letters = _letters(number)
        return letters.upper() if kind == "upperLetter" else letters
    if kind in ("lowerRoman", "upperRoman") and 0 < number < 4000:
        roman = _roman(number)
        return roman.upper() if kind == "upperRoman" else roman
    return str(number)


def _letters(number: int) -> str:
    """a to z, then aa, ab as in a spreadsheet and in HTML."""
    made = ""
    while number:
        number, at = divmod(number - 1, 26)
        made = chr(ord("a") + at) + made
    return made


def _roman(number: int) -> str:
    made = ""
    for value, sign in ROMAN:
        times, number = divmod(number, value)
        made += sign * times
    return made
