"""How much of an answer the text that was shown words: evidence for answers that come without quotes.

Pure. English: words are runs of Latin letters and digits. Weak evidence: a text may hold an answer's words and say
something else.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

STRETCH, STEP = 120, 60
"""Words that are looked at together, and from one such stretch to the next."""

_WORD = re.compile(r"[a-z0-9][a-z0-9.,]*")
_WORDS = """
a an the and are as at be by did do does for from had has have he her his how if in into is it its no not of on or our
she so than that their them there these they this those to was we were what when where which who whom whose why will
with would you your
"""
_PLAIN = frozenset(_WORDS.split())


@dataclass(frozen=True, slots=True)
class Worded:
    """The stretch that words an answer best: characters `start:end` of text number `text`, and the `share` (0 to 1)
    of the answer's own words in it, each weighted by its inverse document frequency over the stretches."""

    share: float
    text: int
    start: int
    end: int


def worded(answer: str, question: str, texts: Sequence[str]) -> Worded | None:
    """Where `texts` word an answer best. Words of the question do not count; `None` if no others are left, or no
    text."""
    wanted = words(answer) - words(question)
    stretches = [(number, *stretch) for number, text in enumerate(texts) for stretch in _stretches(text)]
    if not wanted or not stretches:
        return None
    common = Counter(word for *_, held in stretches for word in held & wanted)
    worth = {word: math.log((len(stretches) + 1) / (common[word] + 0.5)) for word in wanted}
    total = math.fsum(worth.values())
    best = max(stretches, key=lambda stretch: math.fsum(worth[word] for word in wanted & stretch[3]))
    return Worded(math.fsum(worth[word] for word in wanted & best[3]) / total, *best[:3])


def words(text: str) -> set[str]:
    """Its words and numbers, without those that tell nothing; thousands' commas do not count."""
    return {_plain(word) for word in _WORD.findall(text.lower())} - _PLAIN


def _stretches(text: str) -> list[tuple[int, int, set[str]]]:
    found = [(match.start(), match.end(), _plain(match[0])) for match in _WORD.finditer(text.lower())]
    starts = range(0, max(len(found) - STEP, 1), STEP) if found else ()
    parts = [found[at : at + STRETCH] for at in starts]
    return [(part[0][0], part[-1][1], {word for *_, word in part}) for part in parts]


def _plain(word: str) -> str:
    return word.rstrip(".,").replace(",", "")
