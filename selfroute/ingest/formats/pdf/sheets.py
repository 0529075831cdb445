"""The pages of a PDF as they were read, and the text that they make with what has to be said about it: which pages
could not be read and why, and which were read by OCR.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.texts import Text, images, ranges


class Kind(StrEnum):
    """Describes how a page was read."""

    READ = "read"
    IMAGE = "image"
    NAMELESS = "nameless"
    XFA = "xfa"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page: its text, of which so many `letters` are in the page itself, and the confidence of OCR where that read
    it."""

    text: str
    kind: Kind = Kind.READ
    letters: int = 0
    confidence: float | None = None

    @property
    def is_unread(self) -> bool:
        return self.kind is not Kind.READ

    @property
    def is_for_ocr(self) -> bool:
        return self.kind in (Kind.IMAGE, Kind.NAMELESS)


def told(sheets: Sequence[Sheet], path: Path, *, ocr: bool = False) -> Text:
    """The document. Raises `UnreadableFile` if no page has any text."""
    if not any(sheet.text for sheet in sheets):
        raise UnreadableFile(path, _refusal(sheets, ocr=ocr))
    starts, at = [], 0
    for sheet in sheets:
        starts.append(at)
        at += len(sheet.text) + 1 if sheet.text else 0
    text = "\n".join(sheet.text for sheet in sheets if sheet.text)
    held = [sheet for sheet in sheets if sheet.text or sheet.is_unread]
    readable = 1 - sum(sheet.is_unread for sheet in held) / len(held)
    return Text(text, tuple(min(start, len(text)) for start in starts), tuple(_warnings(sheets)), readable)


def _refusal(sheets: Sequence[Sheet], *, ocr: bool) -> str:
    kinds = {sheet.kind for sheet in sheets}
    broken = sum(sheet.kind is Kind.BROKEN for sheet in sheets)
    if broken and not kinds & {Kind.IMAGE, Kind.NAMELESS}:
        return f"is broken: {broken} of its {len(sheets)} pages cannot be read"
    if ocr:
        return "has no text layer, and OCR finds no text in its images"
    how = (
        'make one with an OCR program first, or read it by OCR: pip install "selfroute[ocr]", then ingest.ocr: true or'
    )
    how += " selfroute index --ocr"
    if Kind.NAMELESS in kinds:
        return f"has no text that can be told, as its fonts name no characters: {how}"
    return f"has no text layer (a scan?): {how}"


def _warnings(sheets: Sequence[Sheet]) -> Iterable[str]:
    total = len(sheets)

    def those(kind: Kind, stamped: bool | None = None) -> list[int]:
        return [
            number
            for number, sheet in enumerate(sheets, start=1)
            if sheet.kind is kind and (stamped is None or bool(sheet.text) is stamped)
        ]

    if bare := those(Kind.IMAGE, stamped=False):
        yield f"{_pages(bare)} of {total} {images(len(bare))}"
    if stamped := those(Kind.IMAGE, stamped=True):
        one = len(stamped) == 1
        holds, are = ("holds", "it is an image") if one else ("hold", "they are images")
        yield f"{_pages(stamped)} of {total} {holds} no text but a few words: {are}"
    if nameless := those(Kind.NAMELESS):
        whose = "its font names" if len(nameless) == 1 else "their fonts name"
        yield f"the text of {_pages(nameless)} cannot be told: {whose} no characters"
    if forms := those(Kind.XFA):
        holds = "holds" if len(forms) == 1 else "hold"
        yield f"{_pages(forms)} of {total} {holds} a form (XFA) that only Adobe's programs show: print it to a new PDF"
    if broken := those(Kind.BROKEN):
        one = len(broken) == 1
        yield f"{_pages(broken)} of {total} cannot be read: {'it is' if one else 'they are'} broken"
    sure = {number: sheet.confidence for number, sheet in enumerate(sheets, start=1) if sheet.confidence is not None}
    if sure:
        worst = min(sure, key=lambda number: sure[number])
        mean = sum(sure.values()) / len(sure)
        least = f" ({_share(sure[worst])} on page {worst})" if mean - sure[worst] >= 0.05 else ""
        were = "was" if len(sure) == 1 else "were"
        how = f"read by OCR, with a confidence of {_share(mean)}{least}: check what you rely on"
        yield f"{_pages([*sure])} of {total} {were} {how}"


def _share(confidence: float) -> str:
    return f"{min(confidence, 0.99):.2f}"  # nothing that was guessed is certain


def _pages(numbers: Sequence[int]) -> str:
    return f"page{'s' * (len(numbers) > 1)} {ranges(numbers)}"
