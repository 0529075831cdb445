"""Charts and diagrams of office files as blocks of lines: titles, and what they are drawn of as a table.

Word files, slides and sheets share this.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from selfroute.ingest.formats.drawings import line, paragraphs
from selfroute.ingest.formats.number_formats import shown
from selfroute.ingest.formats.packages import Element, child, children, local, named, number, value

MOST_CELLS = 500_000
"""Cells of a chart's table: a few series of many points, or many of a few."""

NUMBERS = ("numRef", "numLit", "numCache", "numDim")


@dataclass(frozen=True, slots=True)
class _Series:
    name: str
    categories: tuple[str, ...]
    values: tuple[str, ...]


def chart(root: Element) -> list[str]:
    """A chart's titles, and its values in rows, each with its category."""
    series = [made for at, one in enumerate(named(root, "ser"), start=1) for made in _series(one, at)]
    if not series:
        series = [made for one in named(root, "data") for made in _newer(one)]
    series = [one for one in series if one.values]
    longest = max((one.categories for one in series), key=len, default=())
    alike = all(one.categories == longest[: len(one.categories)] for one in series)
    groups: dict[tuple[str, ...], list[_Series]] = {}
    for one in series:
        groups.setdefault(longest if alike else one.categories, []).append(one)
    tables = [_rows(group, categories) for categories, group in groups.items()]
    return [*dict.fromkeys(filter(None, map(_said, named(root, "title")))), *tables]


def diagram(root: Element) -> list[str]:
    """Return what stands in the shapes of a diagram (SmartArt), in the order of its points."""
    points = (one for one in named(root, "pt") if value(one, "type", "node") in ("node", "asst", "doc"))
    return [text for point in points if (text := " ".join(paragraphs(child(point, "t"))))]


def _said(element: Element) -> str:
    """The text of a title or a name: its own, or that of the cells it shows."""
    written = " ".join(map(line, named(element, "p")))
    return " ".join((written if written.strip() else " ".join(one.text or "" for one in named(element, "v"))).split())


def _rows(series: Sequence[_Series], categories: tuple[str, ...]) -> str:
    categories = categories if any(categories) else ()
    longest = max(len(categories), *(len(one.values) for one in series))
    rows = [["category", *(one.name for one in series)]]
    for at in range(min(longest, max(MOST_CELLS // len(series), 1))):
        category = categories[at] if at < len(categories) else "" if categories else str(at + 1)
        rows.append([category, *(one.values[at] if at < len(one.values) else "" for one in series)])
    return "\n".join(" | ".join(row) for row in rows)


def _series(element: Element, at: int) -> Iterator[_Series]:
    """The series that stands `at` a place, and the sizes of its bubbles."""
    name = " ".join(filter(None, map(_said, children(element, "tx")))) or f"series {at}"
    categories = next(map(_categories, children(element, "cat", "xVal")), ())
    for kind in children(element, "val", "yVal", "bubbleSize"):
        yield _Series(f"{name} size" if local(kind) == "bubbleSize" else name, categories, _points(kind))


def _newer(element: Element) -> Iterator[_Series]:
    """The data of a newer kind of chart."""
    categories = next(map(_categories, children(element, "strDim")), ())
    for at, values in enumerate(children(element, "numDim"), start=1):
        yield _Series(f"series {at}", categories, _points(values))


def _categories(element: Element) -> tuple[str, ...]:
    """The categories; those that have levels (a year over its quarters) with all of them."""
    levels = [_points(level) for level in named(element, "lvl")]
    if len(levels) < 2:
        return _points(element)
    made = list(levels[0])
    for level in levels[1:]:
        last = ""
        for at in range(len(made)):
            last = (level[at] if at < len(level) else "") or last
            made[at] = f"{last} {made[at]}".strip()
    return tuple(made)


def _points(element: Element) -> tuple[str, ...]:
    """The values a chart keeps, in their order, shown by their format."""
    code = next((one.text for one in named(element, "formatCode") if one.text), "")
    code = code or next((one.get("formatCode", "") for one in element.iter() if one.get("formatCode")), "")
    numeric = any(True for _ in named(element, *NUMBERS))
    points: dict[int, str] = {}
    for point in named(element, "pt"):
        held = "".join(one.text or "" for one in children(point, "v")) or point.text or ""
        text = " ".join(held.split())
        points[number(value(point, "idx"))] = _shown(text, value(point, "formatCode") or code) if numeric else text
    most = min(max(points, default=-1), 4 * len(points) + 100)
    return tuple(points.get(at, "") for at in range(most + 1))


def _shown(text: str, code: str) -> str:
    try:
        return shown(float(text), code)
    except (ValueError, OverflowError):
        return text
