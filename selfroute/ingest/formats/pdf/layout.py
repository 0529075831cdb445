"""Columns of a PDF's page that were drawn row by row: found by where the pieces of text stand, and put in the order in
which people read them, column by column.

A page's own order is right nearly always. It is changed only where lines of running text stand side by side, with the
same gap between them, and were drawn from side to side; the rows of a table stay as they are. Knows no PDF: it gets
boxes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from selfroute.ingest.formats.pdf.text import Box

LEAST_ROWS = 3
UNCASED = r"[\u0590-\u08ff\u0900-\u0dff\u0e00-\u0eff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]"
"""Letters that are neither small nor large."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Boxes that stand beside each other on one line, `first` to `last` of those that were given."""

    first: int
    last: int
    left: float
    bottom: float
    right: float
    top: float

    @property
    def middle(self) -> float:
        return (self.bottom + self.top) / 2

    @property
    def width(self) -> float:
        return self.right - self.left


@dataclass(frozen=True, slots=True)
class Band:
    """Pieces `begin` to `end` (half open) that stand in columns, which begin at `edges`; `columns` name the column of
    each piece."""

    begin: int
    end: int
    edges: tuple[float, ...]


def median(numbers: Iterable[float]) -> float:
    """The middle one; `statistics` would take longer to import than most pages to read."""
    ordered = sorted(numbers)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def pieces(boxes: Sequence[Box]) -> list[Piece]:
    """Boxes joined to pieces of lines; a mark of a list belongs to what follows it."""
    height = median(box[3] - box[1] for box in boxes)
    made: list[Piece] = []
    for at, (left, bottom, right, top) in enumerate(boxes):
        if made:
            last = made[-1]
            level = min(last.top, top) - max(last.bottom, bottom) > 0.4 * min(last.top - last.bottom, top - bottom)
            reach = 3 * height if last.width <= 2 * height and last.first == last.last else 0.8 * height
            if level and -height < left - last.right < reach:
                made[-1] = Piece(
                    last.first,
                    at,
                    min(last.left, left),
                    min(last.bottom, bottom),
                    max(last.right, right),
                    max(last.top, top),
                )
                continue
        made.append(Piece(at, at, left, bottom, right, top))
    return made


def bands(found: Sequence[Piece]) -> list[Band]:
    """Where pieces stand in columns that were drawn from side to side."""
    if len(found) < 2 * LEAST_ROWS:
        return []
    height = median(piece.top - piece.bottom for piece in found)
    made: list[Band] = []
    for begin, end in _falling(found, height):
        made += [band for band in _banded(found, begin, end, height) if _is_wide(found, band, height)]
    return made


def _falling(found: Sequence[Piece], height: float) -> list[tuple[int, int]]:
    """Runs in which nothing stands above what came before."""
    runs, begin = [], 0
    for at in range(1, len(found) + 1):
        if at == len(found) or found[at].middle > found[at - 1].middle + 0.9 * height:
            if at - begin >= 2 * LEAST_ROWS:
                runs.append((begin, at))
            begin = at
    return runs


def _banded(found: Sequence[Piece], begin: int, end: int, height: float) -> list[Band]:
    """The bands of a run: from the first to the last jump to an edge that nothing crosses, and what stands in their
    columns before and after."""
    spans: list[tuple[int, int, float]] = []
    for edge in _edges(found, begin, end, height):
        at = begin
        for stop in [*(at for at in range(begin, end) if _crosses(found[at], edge, height)), end]:
            there = [one for one in range(at + 1, stop) if _jumps_to(found, one, edge, height)]
            if len(there) >= LEAST_ROWS:
                spans.append((there[0] - 1, there[-1] + 1, edge))
            at = stop + 1
    made: list[Band] = []
    for at in range(begin, end):
        edges = tuple(sorted(edge for start, stop, edge in spans if start <= at < stop))
        if made and made[-1].end == at and (both := _together(found, made[-1], edges, at, height)):
            made[-1] = Band(made[-1].begin, at + 1, both)
        elif edges:
            made.append(Band(at, at + 1, edges))
    return [_extended(found, made, at, (begin, end), height) for at in range(len(made))]


def _together(found: Sequence[Piece], band: Band, edges: Sequence[float], at: int, height: float) -> tuple[float, ...]:
    """The edges of a band that takes one more piece, with `edges`; none if it cannot."""
    both = tuple(sorted({*band.edges, *edges}))
    if not edges or any(_crosses(found[at], edge, height) for edge in both):
        return ()
    fresh = [edge for edge in edges if edge not in band.edges]
    crossed = any(_crosses(piece, edge, height) for piece in found[band.begin : band.end] for edge in fresh)
    return () if crossed else both


def _extended(found: Sequence[Piece], made: Sequence[Band], at: int, limits: tuple[int, int], height: float) -> Band:
    band = made[at]
    begin, end = band.begin, band.end
    low = made[at - 1].end if at else limits[0]
    high = made[at + 1].begin if at + 1 < len(made) else limits[1]
    while begin > low and not any(_crosses(found[begin - 1], edge, height) for edge in band.edges):
        begin -= 1
    while end < high and not any(_crosses(found[end], edge, height) for edge in band.edges):
        end += 1
    return Band(begin, end, band.edges)


def _crosses(piece: Piece, edge: float, height: float) -> bool:
    return piece.left < edge - 1 and piece.right > edge - 0.3 * height


def _edges(found: Sequence[Piece], begin: int, end: int, height: float) -> list[float]:
    """Where columns may begin: places to which the pieces jump."""
    places = sorted(
        found[at].left
        for at in range(begin + 1, end)
        if found[at].left > found[at - 1].right + 0.7 * height
        and abs(found[at].middle - found[at - 1].middle) < 1.2 * height
    )
    groups: list[list[float]] = []
    for place in places:
        if groups and place - groups[-1][0] < 2.5 * height:
            groups[-1].append(place)
        else:
            groups.append([place])
    return [group[0] for group in groups if len(group) >= LEAST_ROWS]


def _is_wide(found: Sequence[Piece], band: Band, height: float) -> bool:
    """Tell whether two columns hold lines that are as long as those of running text: a look that needs no text."""
    wide = 0
    for place in range(len(band.edges) + 1):
        widths = [piece.width for piece in found[band.begin : band.end] if column(piece, band.edges) == place]
        wide += len(widths) >= LEAST_ROWS and max(widths) >= 6 * height and median(widths) >= 0.6 * max(widths)
    return wide >= 2


def _jumps_to(found: Sequence[Piece], at: int, edge: float, height: float) -> bool:
    return edge - 1 <= found[at].left < edge + 2.5 * height and found[at - 1].right < edge


def column(piece: Piece, edges: Sequence[float]) -> int:
    return sum(piece.left >= edge - 1 for edge in edges)


def reordered(found: Sequence[Piece], texts: Sequence[str], band: Band) -> list[list[int]] | None:
    """The pieces of a band in the order of reading, a list for each line; none if they are no running text."""
    height = median(piece.top - piece.bottom for piece in found[band.begin : band.end])
    blocks = _blocks(found, band, height)
    kinds = [_is_prose(found, texts, block, band.edges, height) for block in blocks]
    if not any(kinds):
        return None
    told: list[list[int]] = []
    at = 0
    while at < len(blocks):
        together = [*blocks[at]]
        prose = kinds[at]
        at += 1
        while (
            at < len(blocks) and (prose is True or kinds[at] is True) and kinds[at] is not False and prose is not False
        ):
            together += blocks[at]
            prose = prose or kinds[at]
            at += 1
        if prose:
            for place in range(len(band.edges) + 1):
                told += _lines(found, [one for one in together if column(found[one], band.edges) == place], height)
        else:
            told += _lines(found, together, height)
    return told


def _blocks(found: Sequence[Piece], band: Band, height: float) -> list[list[int]]:
    """The band cut where all of its columns have a gap at once."""
    low = found[band.begin].bottom
    steps = []
    for at in range(band.begin, band.end):
        steps.append(low - found[at].top)
        low = min(low, found[at].bottom)
    usual = median([step for step in steps if step > -0.5 * height] or [0.0])
    blocks: list[list[int]] = []
    for at, step in zip(range(band.begin, band.end), steps, strict=True):
        if not blocks or step > max(usual, 0) + 0.8 * height:
            blocks.append([])
        blocks[-1].append(at)
    return blocks


def _lines(found: Sequence[Piece], block: Sequence[int], height: float) -> list[list[int]]:
    """Pieces that stand on one line together, in the order in which they came."""
    lines: list[list[int]] = []
    for at in block:
        if lines and abs(found[lines[-1][-1]].middle - found[at].middle) < 0.6 * height:
            lines[-1].append(at)
        else:
            lines.append([at])
    return lines


def _is_prose(
    found: Sequence[Piece], texts: Sequence[str], block: Sequence[int], edges: Sequence[float], height: float
) -> bool | None:
    """Tell whether each column holds running text; none where there are too few lines to say."""
    told: list[bool] = []
    for place in range(len(edges) + 1):
        lines = _lines(found, [at for at in block if column(found[at], edges) == place], height)
        if len(lines) < LEAST_ROWS:
            continue
        written = [" ".join(texts[at].strip() for at in line) for line in lines]
        widths = [found[line[-1]].right - found[line[0]].left for line in lines]
        told.append(_runs(written, widths, height))
    if not all(told):
        return False
    return True if len(told) >= 2 else None


def _runs(lines: Sequence[str], widths: Sequence[float], height: float) -> bool:
    """Tell whether lines are one text: long, about as wide as each other, with sentences that go on from line to
    line."""
    longest = max(widths)
    uncased = sum(len(re.findall(UNCASED, line)) for line in lines) > sum(map(len, lines)) // 3
    long = median(len(line) / 3 if uncased else len(line.split()) for line in lines) >= 3
    filled = median(widths[:-1]) >= 0.7 * longest and longest >= 6 * height
    figures = sum(map(len, re.findall(r"[\d.,%€$£()+−-]", "".join(lines)))) > 0.35 * sum(map(len, lines))
    follow = [bool(uncased or _begins_small(after) or before.endswith((",", "-"))) for before, after in pairwise(lines)]
    dots = any(re.search(r"[.,;:!?。，、]", line) for line in lines)
    return long and filled and not figures and dots and sum(follow) >= max(1, 0.3 * len(follow))


def _begins_small(line: str) -> bool:
    first = re.search(r"\w", line)
    return first is not None and first[0].islower()
