"""Tells what stands on a page of a PDF that has little or no text: an image of a page (a scan, also in strips, as a
mask or as outlines of letters), or nothing that anybody would read."""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

LITTLE = 200
"""Fewer characters than this are a stamp, a header or a page's number, where an image covers the page."""

OUTLINED = 40
"""The same where letters are drawn as outlines: charts are drawings too, and have words in them."""

STAMPED_COVER = 0.5
BARE_COVER = 0.05
"""The share of a page that an image covers, on one with little text and on one with none; logos cover less."""

MOST_OBJECTS = 20_000
MOST_DEPTH = 4
GRID = 40
LEAST_OUTLINES = 120
LOOK_SIDE = 400
"""Pixels of the longer side of a page that is looked at."""

Matrix = tuple[float, float, float, float, float, float]
Place = tuple[float, float, float, float]
UNCHANGED: Matrix = (1, 0, 0, 1, 0, 0)


@dataclass(frozen=True, slots=True)
class Seen:
    """Describes what is drawn on a page: the share of it that images cover, how many pixels these have, how many
    outlines have the size of letters, and whether text lies over it unseen, as that of a scan does which was read
    before."""

    cover: float
    pixels: int
    outlines: int
    unseen: bool


def is_image(page: Any, letters: int, look: bool = True) -> bool:
    """Tell whether the page is an image of something to read, with no more text than so many `letters`. Without a
    `look` at it, an empty image counts too."""
    if letters >= LITTLE:
        return False
    found = seen(page)
    if letters and found.unseen:
        return False
    if letters < OUTLINED and found.outlines >= LEAST_OUTLINES:
        return True
    if found.cover < (STAMPED_COVER if letters else BARE_COVER):
        return False
    return not look or _is_read(page, bare=not letters)


def seen(page: Any) -> Seen:
    """Return what is drawn on the page, also within forms."""
    from pypdfium2 import raw

    left, bottom, right, top = page.get_bbox()
    width, height = max(right - left, 1.0), max(top - bottom, 1.0)
    covered: set[tuple[int, int]] = set()
    outlines = pixels = 0
    unseen = False
    across, down = ctypes.c_uint(), ctypes.c_uint()
    for drawn, box in _drawn(page):
        kind = raw.FPDFPageObj_GetType(drawn)
        if kind == raw.FPDF_PAGEOBJ_TEXT:
            unseen = unseen or raw.FPDFTextObj_GetTextRenderMode(drawn) == raw.FPDF_TEXTRENDERMODE_INVISIBLE
        elif kind == raw.FPDF_PAGEOBJ_IMAGE:
            if raw.FPDFImageObj_GetImagePixelSize(drawn, across, down):
                pixels += across.value * down.value
            columns = _cells((box[0] - left) / width, (box[2] - left) / width)
            rows = _cells((box[1] - bottom) / height, (box[3] - bottom) / height)
            covered.update((column, row) for column in columns for row in rows)
        else:
            outlines += 2 <= box[3] - box[1] <= 30 and 1 <= box[2] - box[0] <= 40
    return Seen(len(covered) / GRID**2, pixels, outlines, unseen)


def _cells(low: float, high: float) -> range:
    """The cells of the grid whose middles lie between two shares of the page."""
    return range(max(0, round(low * GRID)), min(GRID, round(high * GRID)))


def _drawn(page: Any) -> Iterator[tuple[Any, Place]]:
    """The images, outlines and texts of a page, with their places on it."""
    from pypdfium2 import raw

    kinds = (raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_TEXT)
    waiting: list[tuple[Any, Matrix, int]] = []
    total = 0
    for at in range(min(raw.FPDFPage_CountObjects(page), MOST_OBJECTS)):
        waiting.append((raw.FPDFPage_GetObject(page, at), UNCHANGED, 0))
    sides = [ctypes.c_float() for _ in range(4)]
    while waiting and total < MOST_OBJECTS:
        drawn, matrix, depth = waiting.pop()
        total += 1
        kind = raw.FPDFPageObj_GetType(drawn)
        if kind == raw.FPDF_PAGEOBJ_FORM and depth < MOST_DEPTH:
            own = raw.FS_MATRIX()
            inner = matrix
            if raw.FPDFPageObj_GetMatrix(drawn, own):
                inner = _times((own.a, own.b, own.c, own.d, own.e, own.f), matrix)
            for at in range(min(raw.FPDFFormObj_CountObjects(drawn), MOST_OBJECTS - len(waiting))):
                waiting.append((raw.FPDFFormObj_GetObject(drawn, at), inner, depth + 1))
        elif kind in kinds and raw.FPDFPageObj_GetBounds(drawn, *sides):
            yield drawn, _moved(tuple(side.value for side in sides), matrix)  # type: ignore[arg-type]


def _times(one: Matrix, other: Matrix) -> Matrix:
    a, b, c, d, e, f = one
    k, m, n, o, p, q = other
    return (a * k + b * n, a * m + b * o, c * k + d * n, c * m + d * o, e * k + f * n + p, e * m + f * o + q)


def _moved(place: Place, matrix: Matrix) -> Place:
    a, b, c, d, e, f = matrix
    corners = [(a * x + c * y + e, b * x + d * y + f) for x in (place[0], place[2]) for y in (place[1], place[3])]
    across, up = [corner[0] for corner in corners], [corner[1] for corner in corners]
    return min(across), min(up), max(across), max(up)


def _is_read(page: Any, *, bare: bool) -> bool:
    """Tell whether anything stands out from the colour of the page; behind a line of text also whether there is paper,
    since a photograph behind a title is a decoration."""
    from pypdfium2 import raw

    texts = [
        drawn
        for at in range(min(raw.FPDFPage_CountObjects(page), MOST_OBJECTS))
        if raw.FPDFPageObj_GetType(drawn := raw.FPDFPage_GetObject(page, at)) == raw.FPDF_PAGEOBJ_TEXT
    ]
    for drawn in texts:  # a stamp says nothing about what stands below it
        raw.FPDFPageObj_SetIsActive(drawn, False)
    try:
        shades = Counter(_shades(page))
    finally:
        for drawn in texts:
            raw.FPDFPageObj_SetIsActive(drawn, True)
    total = sum(shades.values())
    paper = max(range(256), key=lambda shade: sum(shades[near] for near in range(shade - 16, shade + 17)))
    same = sum(count for shade, count in shades.items() if abs(shade - paper) <= 32)
    return total - same >= max(12, 0.0003 * total) and (bare or same >= 0.4 * total)


def _shades(page: Any) -> bytes:
    """The page in small, a byte a pixel."""
    width, height = page.get_size()
    scale = LOOK_SIDE / max(width, height, 1.0)
    bitmap = page.render(scale=scale, grayscale=True)
    try:
        return b"".join(
            bytes(bitmap.buffer[row * bitmap.stride : row * bitmap.stride + bitmap.width])
            for row in range(bitmap.height)
        )
    finally:
        bitmap.close()
