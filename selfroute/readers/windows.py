"""The windows in which the bundled reader is shown a passage: stretches that overlap, rows of a table with its header
before them, and once more what follows a heading that asks the question.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from selfroute.ingest.tables import Table, may_hold_tables, tables
from selfroute.readers.spans import borders, repeats, sections
from selfroute.tokens import Counts
from selfroute.types import Passage

SPECIAL_PIECES = 3
"""[CLS] question [SEP] text [SEP]"""

WINDOW_PIECES = 240
"""Text in one window: a whole chunk, and the length that the reader was trained on."""

OVERLAP_PIECES = 60
"""By how much neighbouring windows of a document overlap, so that a sentence at an edge is seen whole."""

HEADER_PIECES = 64
"""The longest header of a table that is shown before its rows."""

MOST_ANSWERS = 8
"""Headings that repeat the question of which what stands under them is read by itself."""

BARRED = -1


class Encoding(Protocol):
    """Word pieces of a text and where in it each stands."""

    @property
    def ids(self) -> list[int]: ...

    @property
    def offsets(self) -> list[tuple[int, int]]: ...


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a passage: word piece ids with character offsets in the passage. `header` are the pieces of `named`,
    a table's header, shown before it. An answer lies within one of the `parts` that the pieces are of; none is of a
    piece that is `BARRED`."""

    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]
    parts: tuple[int, ...]
    header: tuple[int, ...] = ()
    named: str = ""


class Windows:
    """Makes windows; `encode` makes word pieces."""

    def __init__(self, encode: Callable[[str], Encoding]) -> None:
        self._encode = encode
        self._pieces = Counts(lambda text: len(encode(text).ids))
        self._taken = Counts(self._counted)

    def of(self, passage: Passage, question: str) -> tuple[Window, ...]:
        """All windows of a passage."""
        encoding = self._encode(passage.text)
        ids, offsets = encoding.ids, encoding.offsets  # each time they are asked for, a list is made
        asked = _Asked(passage.text, repeats(passage.text, question))
        headers = _Headers(passage)
        places = [*_stretches(len(offsets))]
        places += [place for place in asked.answers(offsets) if place not in places]
        return tuple(self._window(ids[a:b], offsets[a:b], asked, headers) for a, b in places)

    def pieces(self, passage: Passage, question: str) -> tuple[int, int]:
        """(pieces of text and headers in all windows of a passage, how many windows)."""
        if not passage.header and not may_hold_tables(passage.text) and not repeats(passage.text, question):
            sizes = [b - a for a, b in _stretches(self._pieces.of(passage.text))]
            return sum(sizes), len(sizes)
        return self._taken.of("\0".join((question, passage.header, passage.text)))

    def _counted(self, shown: str) -> tuple[int, int]:
        question, header, text = shown.split("\0", 2)
        windows = self.of(Passage("", 0, text, header), question)
        return sum(len(window.ids) + len(window.header) for window in windows), len(windows)

    def _window(self, ids: list[int], offsets: list[tuple[int, int]], asked: _Asked, headers: _Headers) -> Window:
        start, end = offsets[0][0], offsets[-1][1]
        named = headers.above(start)
        header = tuple(self._encode(named).ids) if named else ()
        if len(header) > HEADER_PIECES:
            header, named = (), ""
        return Window(tuple(ids), tuple(offsets), asked.parts(start, end, offsets), header, named)


class _Asked:
    """The parts of a text between which no answer runs, and those that only ask the question."""

    def __init__(self, text: str, repeated: Sequence[tuple[int, int]]) -> None:
        self._text = text
        self._repeated = repeated
        self._ends = [end for _, end in repeated]

    def parts(self, start: int, end: int, offsets: Sequence[tuple[int, int]]) -> tuple[int, ...]:
        """For each piece within `start:end` the part that it is of."""
        near: list[tuple[int, int]] = []
        for low, high in self._repeated[bisect_right(self._ends, start) :]:
            if low >= end:
                break
            near.append((low, high))
        cuts = sorted({*borders(self._text, start, end), *(place for span in near for place in span)})
        barred = [any(low <= at < high for low, high in near) for at, _ in offsets] if near else [False] * len(offsets)
        return tuple(BARRED if bar else bisect_right(cuts, at) for bar, (at, _) in zip(barred, offsets, strict=True))

    def answers(self, offsets: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """The pieces of what stands under each of the first headings that ask the question, with the heading; beside
        other questions and answers the reader finds it less likely."""
        starts = [start for start, _ in offsets] if self._repeated else []
        for start, end in sections(self._text, self._repeated[:MOST_ANSWERS]):
            first, last = bisect_left(starts, start), bisect_left(starts, end)
            if first < last:
                yield first, min(last, first + WINDOW_PIECES)


class _Headers:
    """The headers of the tables in a passage, by where the rows below them stand."""

    def __init__(self, passage: Passage) -> None:
        found = tables(passage.text)
        if passage.header:  # the passage begins in the rows of a table
            first = found.pop(0) if found and not found[0].start else None
            end = first.end if first else len(passage.text.split("\n", 1)[0])
            found.insert(0, Table(0, 0, end, passage.header))
        self._tables = found

    def above(self, at: int) -> str:
        """The header of the rows at a place; empty where there is none, or where it stands there itself."""
        return next((table.header for table in self._tables if table.body <= at < table.end), "")


def slides(length: int, size: int, stride: int) -> Iterator[tuple[int, int]]:
    """Half-open stretches of at most `size` that cover `length`; none for an empty text."""
    start = 0
    while start < length:
        yield start, min(start + size, length)
        if start + size >= length:
            return
        start += stride


def _stretches(pieces: int) -> Iterator[tuple[int, int]]:
    return slides(pieces, WINDOW_PIECES, WINDOW_PIECES - OVERLAP_PIECES)
