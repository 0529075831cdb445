"""Charts and diagrams of a Word file as lines: titles, and what they are drawn of as a table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from xml.etree.ElementTree import Element

from selfroute.ingest.docx_package import local, number

FIRST_DAY = date(1899, 12, 30)
"""Day 0 of the days that spreadsheets count."""

LAST_DAY = 2_900_000


@dataclass(frozen=True, slots=True)
class _Series:
    name: str
    categories: tuple[str, ...]
    values: tuple[str, ...]


def chart(root: Element) -> str:
    """A chart's titles and its values in rows, each with its category."""
    titles = list(dict.fromkeys(filter(None, (_words(e) for e in root.iter() if local(e.tag) == "title"))))
    series = [_series(e) for e in root.iter() if local(e.tag) == "ser"]
    if not series:
        series = [_modern(e) for e in root.iter() if local(e.tag) == "data"]
    series = [one for one in series if one.values]
    blocks = ["\n".join(titles)]
    if series and all(one.categories == series[0].categories for one in series):
        blocks.append(_rows(series))
    else:
        blocks += [_rows([one]) for one in series]
    return "\n\n".join(filter(None, blocks))


def diagram(root: Element) -> str:
    """What stands in the shapes of a diagram (SmartArt), a line each."""
    points = (e for e in root.iter() if local(e.tag) == "pt" and e.get("type", "node") in ("node", "asst", "doc"))
    return "\n".join(filter(None, (_words(point) for point in points)))


def _words(element: Element) -> str:
    """The text of all paragraphs in an element."""
    paragraphs = [
        "".join(t.text or "" for t in paragraph.iter() if local(t.tag) == "t")
        for paragraph in element.iter()
        if local(paragraph.tag) == "p"
    ]
    return " ".join(" ".join(paragraphs).split())


def _rows(series: list[_Series]) -> str:
    longest = max(max(len(one.values), len(one.categories)) for one in series)
    rows = [["", *(one.name for one in series)]] if any(one.name for one in series) else []
    for at in range(longest):
        category = series[0].categories[at] if at < len(series[0].categories) else str(at + 1)
        rows.append([category, *(one.values[at] if at < len(one.values) else "" for one in series)])
    return "\n".join(" | ".join(row) for row in rows)


def _series(element: Element) -> _Series:
    name, categories, values = "", (), ()  # type: str, tuple[str, ...], tuple[str, ...]
    for part in element:
        kind = local(part.tag)
        if kind == "tx":
            name = _words(part) or " ".join("".join(v.text or "" for v in part.iter() if local(v.tag) == "v").split())
        elif kind in ("cat", "xVal"):
            categories = _categories(part)
        elif kind in ("val", "yVal"):
            values = _points(part)
    return _Series(name, categories, values)


def _modern(element: Element) -> _Series:
    """The data of a newer kind of chart."""
    categories, values = (), ()  # type: tuple[str, ...], tuple[str, ...]
    for part in element:
        if local(part.tag) == "strDim":
            categories = _categories(part)
        elif local(part.tag) == "numDim":
            values = _points(part)
    return _Series("", categories, values)


def _categories(element: Element) -> tuple[str, ...]:
    """The categories; those that have levels (a year over its quarters) with all of them."""
    levels = [_points(level) for level in element.iter() if local(level.tag) == "lvl"]
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
    code = next((e.text or "" for e in element.iter() if local(e.tag) == "formatCode"), "")
    code = code or next((e.get("formatCode", "") for e in element.iter() if e.get("formatCode")), "")
    numeric = any(local(e.tag) in ("numRef", "numLit", "numCache", "numDim") for e in element.iter())
    points = dict(_indexed(element))
    most = min(max(points, default=-1), 4 * len(points) + 100)
    shown = (points.get(at, "") for at in range(most + 1))
    return tuple(_shown(text, code) if numeric else text for text in shown)


def _indexed(element: Element) -> Iterator[tuple[int, str]]:
    for point in element.iter():
        if local(point.tag) == "pt":
            text = "".join(e.text or "" for e in point.iter() if local(e.tag) in ("v", "pt"))
            yield number(point.get("idx", "")), " ".join(text.split())


def _shown(text: str, code: str) -> str:
    """A number as its format shows it, as far as that changes what it says: percent and days."""
    try:
        value = float(text)
    except ValueError:
        return text
    plain = re.sub(r'"[^"]*"|\[[^\]]*\]|\\.', "", code).lower()
    if "%" in plain:
        return f"{value * 100:.10g} %"
    if re.search(r"yy|d.*m|m.*d", plain) and 0 < value < LAST_DAY:
        return (FIRST_DAY + timedelta(days=int(value))).isoformat()
    return f"{value:.12g}" if abs(value) < 1e15 else text
