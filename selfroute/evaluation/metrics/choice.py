"""The letter that a prediction chooses among LongBench v2's options: as its own scorer finds it, and where that finds
none, in the shorter forms that models give.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_uppercase

LETTER = r"[(\[]?([A-D])[)\]]?"
ALONE = re.compile(rf"\W*{LETTER}\W*")
SAID = re.compile(rf"\b(?i:(?:correct )?(?:answer|choice|option)\b(?: is)?)\W{{0,3}} ?{LETTER}(?!\w)")
FIRST = re.compile(r"\W*?(?:[(\[]([A-D])[)\]]|([A-D])[).:])(?=\s)")
"""A letter with its sign before the option's text: `B. noon`."""


def chosen(prediction: str, options: Sequence[str] = ()) -> str | None:
    """The letter after "The correct answer is", in parentheses if there is one such, asterisks ignored (the official
    scorer's rule); else a letter that stands alone, that is said to be the answer, or that stands before the option's
    text; else the letter of the one of `options` that the prediction repeats.
    """
    plain = prediction.replace("*", "")
    found = re.search(r"The correct answer is \(([A-D])\)", plain) or re.search(r"The correct answer is ([A-D])", plain)
    if found:
        return found[1]
    if found := ALONE.fullmatch(plain) or FIRST.match(plain) or SAID.search(plain):
        letter: str = next(filter(None, found.groups()))
        return letter
    same = [letter for letter, option in zip(ascii_uppercase, options, strict=False) if _same(plain, option)]
    return same[0] if len(same) == 1 else None


def multiple_choice(prediction: str, answer: str, options: Sequence[str] = ()) -> float:
    """1 if the chosen letter is `answer`, else 0; a prediction that chooses nothing is wrong, not left out."""
    return float(chosen(prediction, options) == answer)


def _same(one: str, other: str) -> bool:
    return bool(other.strip()) and re.findall(r"\w+", one.lower()) == re.findall(r"\w+", other.lower())
