"""A document into chunks with exact offsets.

Promise: `document.text[chunk.start:chunk.end] == chunk.text`, starts strictly increase, and every character that is not
white space is in exactly one chunk. A chunk with its `header` is at most `limit` of the embedder's own tokens (a single
character that alone takes more is a chunk of its own). Paragraphs stay whole where they fit; then rows and lines; then
sentences; then clauses; then words (`cuts.py`). A row of a table that does not fit into one chunk has the table's
header beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import ceil

from selfroute.ingest import cuts
from selfroute.ingest.tables import Table, lines_of, tables
from selfroute.types import Chunk, Document
from selfroute.waiting import GivenUp, never

VERSION = 2
"""Raised when the same limits make other chunks: documents are split again."""

SECTION = 1_000_000
"""Characters of a document that are split at a time: what splitting takes beside the text does not grow with it."""

LONGEST_TOKEN = 100
"""Characters of the longest token that is thought of: a text so many times as long as the limit is not counted."""


def rule(limit: int, words: int | None = None) -> str:
    """The version and the limits of a chunk as an index keeps them: documents are split again when they change."""
    return f"{limit} tokens, {'' if words is None else f'{words} words, '}rule {VERSION}"


@dataclass(frozen=True, slots=True)
class _Unit:
    """Characters `start:end` of a text that stay together, `taken` units of the limit. `header` stands beside a chunk
    that begins with it. Units of another `group` are not in its chunk: cells have the names of their own cells."""

    start: int
    end: int
    taken: int
    header: str = ""
    group: int = 0


class Chunker:
    """`count` counts the embedder's tokens: a chunk longer than the embedder reads would not be embedded whole."""

    def __init__(
        self,
        count: Callable[[str], int],
        limit: int,
        words: int | None = None,
        given_up: Callable[[], bool] = never,
    ) -> None:
        """`words` is a second limit, for settings that are given in words. Once `given_up` says so, `chunks` raises
        `GivenUp`: a large text takes many seconds."""

        def counted(text: str) -> int:
            if given_up():
                raise GivenUp
            return count(text)

        self._count = counted
        self._words = words
        # What parts take is added up. In whole tokens the share of a limit in words would be rounded up for each of
        # them, and chunks would fall short of it.
        self._unit = 1 if words is None else 100
        self._limit = limit * self._unit
        self._levels: Sequence[cuts.Cuts] = (
            *(cuts.paragraphs, cuts.lines, partial(cuts.sentences, given_up=given_up), cuts.wrapped_lines),
            *(cuts.clauses, cuts.commas, cuts.words),
        )

    def chunks(self, document: Document) -> list[Chunk]:
        """The chunks in order; none for a text in which nothing is visible."""
        text = document.text
        return [
            Chunk(document.id, unit.start, unit.end, text[unit.start : unit.end], tokens, unit.header)
            for units in self._packed(text)
            for unit, tokens in self._fitting(text, units)
        ]

    def _packed(self, text: str) -> Iterator[list[_Unit]]:
        """As many units together as the limit allows."""
        packed: list[_Unit] = []
        taken = 0
        for unit in self._units(text):
            if packed and (unit.group != packed[0].group or taken + unit.taken > self._limit):
                yield packed
                packed, taken = [], 0
            if not packed:
                taken = self._taken(unit.header) if unit.header else 0
            packed.append(unit)
            taken += unit.taken
        if packed:
            yield packed

    def _units(self, text: str) -> Iterator[_Unit]:
        at = 0
        for table in tables(text):
            if self._countable(text[table.start : table.end]) > self._limit:
                yield from self._prose(text, at, table.body)
                names = self._countable(table.header)
                for start, end in lines_of(text, table.body, table.end):
                    yield from self._row(text, start, end, table, names)
                at = table.end
        yield from self._prose(text, at, len(text))

    def _prose(self, text: str, start: int, end: int) -> Iterator[_Unit]:
        for low, high in sections(text[start:end]):
            yield from self._parts(text, start + low, start + high, 0)

    def _parts(self, text: str, start: int, end: int, level: int) -> Iterator[_Unit]:
        part = text[start:end]
        visible = part.strip()
        if not visible:
            return
        start += len(part) - len(part.lstrip())
        end = start + len(visible)
        taken = self._countable(visible)
        if taken <= self._limit or level == len(self._levels):
            yield _Unit(start, end, taken)
            return
        for low, high in pairwise([0, *self._levels[level](visible), len(visible)]):
            yield from self._parts(text, start + low, start + high, level + 1)

    def _row(self, text: str, start: int, end: int, table: Table, names: int) -> Iterator[_Unit]:
        """A row with the table's header, of which the names take so much; without, if both do not fit; in groups of
        cells, each with the names of these, if not even the row does."""
        taken = self._countable(text[start:end])
        if taken <= self._limit:
            yield _Unit(start, end, taken, table.header if taken + names <= self._limit else "")
            return
        cells, named = table.cells(text[start:end]), table.cells(table.header)
        if len(named) != len(cells):
            named = []
        for first, last in self._groups(text[start:end], cells, [table.header[slice(*name)] for name in named]):
            header = table.header[named[first][0] : named[last - 1][1]] if named else ""
            room = self._limit - (self._taken(header) if header else 0)
            low = start + cells[first][0] if first else start
            high = start + cells[last][0] if last < len(cells) else end
            for unit in self._parts(text, low, high, 0):
                yield replace(unit, header=header if unit.taken <= room else "", group=low + 1)

    def _groups(self, row: str, cells: Sequence[tuple[int, int]], names: Sequence[str]) -> Iterator[tuple[int, int]]:
        """Cells, `first` to before `last`, that fit together with their names; one that alone does not ends a group."""
        first, taken = 0, 0
        for at, (start, end) in enumerate(cells):
            size = self._countable(row[start:end]) + (self._countable(names[at]) if names else 0) + 2 * self._unit
            if first < at and size <= self._limit < taken + size:
                yield first, at
                first, taken = at, 0
            taken += size
            if size > self._limit:
                yield first, at + 1
                first, taken = at + 1, 0
        if first < len(cells):
            yield first, len(cells)

    def _countable(self, text: str) -> int:
        """Return what a part takes. A whole document is not counted: that would take as long as its parts. A part of no
        tokens (a combining mark) takes something, so that a chunk of them ends."""
        if len(text) > LONGEST_TOKEN * self._limit // self._unit:
            return self._limit + 1
        return self._taken(text) or 1

    def _taken(self, text: str) -> int:
        """Tokens in units, or the share of the limit in words as so many, if that is more."""
        return self._in_units(text, self._count(text))

    def _in_units(self, text: str, counted: int) -> int:
        tokens = counted * self._unit
        return tokens if self._words is None else max(tokens, ceil(len(text.split()) * self._limit / self._words))

    def _fitting(self, text: str, units: Sequence[_Unit]) -> Iterator[tuple[_Unit, int]]:
        """Units as one, with its tokens, or in halves if they exceed the limit.

        For tokenizers whose tokens reach over the parts' borders, or that count the white space between them, the sum
        may be less than what the whole takes.
        """
        whole = replace(units[0], end=units[-1].end)
        shown = text[whole.start : whole.end]
        tokens = self._count(shown)
        header = f"{whole.header}\n" if whole.header else ""
        taken = self._in_units(header + shown, self._count(header + shown) if header else tokens)
        if taken <= self._limit or (len(shown) == 1 and not header):
            yield whole, tokens
        elif len(units) > 1:
            yield from self._fitting(text, units[: len(units) // 2])
            yield from self._fitting(text, units[len(units) // 2 :])
        elif header:
            yield from self._fitting(text, [replace(whole, header="")])
        else:
            cut = cuts.anywhere(shown)
            yield from self._fitting(text, [replace(whole, end=whole.start + len(shown[:cut].rstrip()))])
            yield from self._fitting(text, [replace(whole, start=whole.end - len(shown[cut:].lstrip()))])


def sections(text: str) -> Iterator[tuple[int, int]]:
    """Half-open stretches of at most `SECTION` characters that cover `text`, cut at the last paragraph's, line's or
    word's end in their second half, and not in a number."""
    start = 0
    while len(text) - start > SECTION:
        middle, end = start + SECTION // 2, start + SECTION
        while end > middle and cuts.of_a_number(text[end - 1]) and cuts.of_a_number(text[end]):
            end -= 1
        cut = next((at for mark in ("\n\n", "\n", " ") if (at := text.rfind(mark, middle, end)) > 0), end)
        yield start, cut
        start = cut
    yield start, len(text)
