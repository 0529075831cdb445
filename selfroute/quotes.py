"""Finds quotes in the text that was shown, so that each becomes a citation with its place, or is dropped.

Pure: knows nothing of models, replies or documents beyond the passages it is given.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice

from rapidfuzz import fuzz

from selfroute.types import Citation, Passage

SIMILAR = 90.0
"""RapidFuzz's partial ratio (0 to 100) from which a passage counts as what a quote means."""

LEAST_SIMILAR = 20
"""Characters that a quote must have to be found by likeness: of fewer, too much is alike."""

LEAST_TELLING = 8
"""Characters from which a quote proves something wherever it stands. A shorter one must stand once in all that was
shown: `the` is no evidence."""

_FOLDED = str.maketrans(
    "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u00ab\u00bb\u2010\u2011\u2012\u2013\u2014\u2212\u00a0\t\r\n",
    '\'\'\'\'"""""------    ',
)
"""What models write otherwise than the text does; letter for letter, so that places stay what they are."""
_ELLIPSIS = re.compile(r"\s*[\[(]?(?:\.{3,}|\u2026)[\])]?\s*")
_LEAST_PIECE = 3
"""Words that each part of a quote with an ellipsis must have."""


def located(quotes: Sequence[str], passages: Sequence[Passage]) -> tuple[tuple[Citation, ...], int]:
    """The places of the quotes, each once, and how many quotes stand nowhere.

    A quote is looked for letter by letter; then with typography, case and runs of white space taken as equal; then by
    likeness, if it holds the same figures; then piece by piece around its ellipses. `Citation.score` is the likeness,
    0 to 1.
    """
    found: dict[Citation, None] = {}
    lost = 0
    for quote in quotes:
        cited = _cited(quote.strip(), passages)
        found |= dict.fromkeys(cited)
        lost += not cited
    return tuple(found), lost


def _cited(quote: str, passages: Sequence[Passage]) -> tuple[Citation, ...]:
    if one := _whole(quote, passages):
        return (one,)
    pieces = [piece for piece in _ELLIPSIS.split(quote) if piece]
    if len(pieces) < 2 or any(len(piece.split()) < _LEAST_PIECE for piece in pieces):
        return ()
    cited = [_whole(piece, passages) for piece in pieces]
    return tuple(one for one in cited if one is not None) if all(cited) else ()


def _whole(quote: str, passages: Sequence[Passage]) -> Citation | None:
    if not any(c.isalnum() for c in quote):
        return None
    if len(quote) < LEAST_TELLING:
        found = list(islice(_loose(quote, passages), 2))
        return found[0] if len(found) == 1 else None
    first = next(chain(_exact(quote, passages), _loose(quote, passages)), None)
    return first or (_alike(quote, passages) if len(quote) >= LEAST_SIMILAR else None)


def _exact(quote: str, passages: Sequence[Passage]) -> Iterator[Citation]:
    for passage in passages:
        at = passage.text.find(quote)
        while at >= 0:
            end = at + len(quote)
            if _on_words(passage.text, at, end):
                yield _citation(passage, at, end, 1.0)
            at = passage.text.find(quote, end)


def _loose(quote: str, passages: Sequence[Passage]) -> Iterator[Citation]:
    pattern = re.compile(r"\s+".join(map(re.escape, quote.translate(_FOLDED).split())), re.I)
    for passage in passages:
        for match in pattern.finditer(passage.text.translate(_FOLDED)):
            if _on_words(passage.text, match.start(), match.end()):
                yield _citation(passage, match.start(), match.end(), 1.0)


def _alike(quote: str, passages: Sequence[Passage]) -> Citation | None:
    """The most similar stretch, whole words. Other figures make another quote, however alike the rest is."""
    wanted, best = _plain(quote), None
    figures = Counter(re.findall(r"\d+", quote))
    for passage in passages:
        text = _plain(passage.text)
        if len(text) < len(wanted):
            continue  # the library would look for the text in the quote
        cutoff = max(SIMILAR, best.score * 100 if best and best.score else 0.0)
        match = fuzz.partial_ratio_alignment(wanted, text, score_cutoff=cutoff)
        if match is None:
            continue
        start, end = _to_words(passage.text, match.dest_start, match.dest_end)
        if Counter(re.findall(r"\d+", passage.text[start:end])) != figures:
            continue
        if best is None or match.score / 100 > (best.score or 0.0):
            best = _citation(passage, start, end, match.score / 100)
    return best


def _plain(text: str) -> str:
    """For comparing: the same length, whatever the language."""
    folded = text.translate(_FOLDED)
    lowered = folded.lower()
    return lowered if len(lowered) == len(folded) else folded


def _on_words(text: str, start: int, end: int) -> bool:
    """Whether a place begins and ends where words do: `art` is not in `party`. In scripts without spaces, anywhere."""
    return not (_joined(text, start) or _joined(text, end))


def _joined(text: str, at: int) -> bool:
    return 0 < at < len(text) and _in_word(text[at - 1]) and _in_word(text[at])


def _in_word(letter: str) -> bool:
    return letter.isalnum() and letter < "\u2e80"


def _to_words(text: str, start: int, end: int) -> tuple[int, int]:
    """The stretch without words that it cuts into at its ends; a letter or two outside it are taken in."""
    while _joined(text, start):
        start -= 1
    while _joined(text, end):
        end += 1
    return start + len(text[start:end]) - len(text[start:end].lstrip()), start + len(text[start:end].rstrip())


def _citation(passage: Passage, start: int, end: int, score: float) -> Citation:
    at = passage.start
    return Citation(passage.document, None, at + start, at + end, passage.text[start:end], score)
