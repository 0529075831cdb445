"""Text in drawings of office files (DrawingML): paragraphs with their list marks, charts as tables, diagrams.

Slides and sheets share this. Struck-out runs are dropped; raised and lowered ones are written by `notation`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest

from selfroute.ingest.notation import lowered, raised
from selfroute.ingest.number_formats import shown
from selfroute.ingest.numbering import written
from selfroute.ingest.omml import Equation
from selfroute.ingest.packages import Element, child, children, local, named, value

KINDS = {
    "arabic": "decimal",
    "alphaLc": "lowerLetter",
    "alphaUc": "upperLetter",
    "romanLc": "lowerRoman",
    "romanUc": "upperRoman",
}
ENDS = {"Period": "{}.", "ParenR": "{})", "ParenBoth": "({})", "Plain": "{}", "Minus": "{}-"}
FIELDS = {"slidenum"}
"""Fields that say nothing outside of their page."""
MOST_POINTS = 20_000
"""Points of a chart that are read of each series."""


def paragraphs(body: Element | None, numbers: dict[tuple[int, str], int] | None = None) -> list[str]:
    """The lines of a text body; list items have their number or a dash."""
    made = []
    counts: dict[tuple[int, str], int] = {} if numbers is None else numbers
    for paragraph in children(body, "p"):
        text = line(paragraph)
        if text:
            made.append(_marked(paragraph, text, counts))
    return made


def line(paragraph: Element) -> str:
    """The text of a paragraph, on one line."""
    made: list[str] = []
    for run in paragraph:
        kind = local(run)
        if kind == "br":
            made.append(" ")
        elif kind == "r" or (kind == "fld" and value(run, "type") not in FIELDS):
            made.append(_run(run, "".join(made[-20:])))
        elif kind in ("AlternateContent", "m"):
            made.append(_formula(child(run, "Choice") if kind == "AlternateContent" else run))
    return " ".join("".join(made).split())


def _formula(element: Element | None) -> str:
    """The equations in an element, apart from what stands around them."""
    if element is None:
        return ""
    made = [_equation(math) for math in named(element, "oMath")]
    return f" {'; '.join(made)} " if made else "".join(one.text or "" for one in named(element, "t"))


def _equation(math: Element) -> str:
    equation = Equation()
    opened: list[tuple[Element, bool]] = [(one, True) for one in reversed(math)]
    while opened:
        element, entering = opened.pop()
        name = local(element)
        if not entering:
            equation.end(name)
            continue
        equation.start(name, dict(element.attrib))
        if name == "t":
            equation.text(element.text or "")
        opened.append((element, False))
        opened += [(one, True) for one in reversed(element)]
    return equation.line()


def _run(run: Element, before: str) -> str:
    """What a run says behind the text `before` it."""
    said = "".join(one.text or "" for one in children(run, "t"))
    about = child(run, "rPr")
    if about is None:
        return said
    if value(about, "strike", "noStrike") != "noStrike":
        return ""
    base = value(about, "baseline", "0").rstrip("%")
    if base.startswith("-"):
        return lowered(before, said)
    return raised(before, said) if base.strip("0.") else said


def _marked(paragraph: Element, text: str, counts: dict[tuple[int, str], int]) -> str:
    about = child(paragraph, "pPr")
    level = int(value(about, "lvl", "0")) if about is not None and value(about, "lvl", "0").isdigit() else 0
    numbered = child(about, "buAutoNum")
    for key in [key for key in counts if key[0] > level or (key[0] == level and numbered is None)]:
        del counts[key]
    if numbered is not None:
        kind = value(numbered, "type", "arabicPeriod")
        start = value(numbered, "startAt", "1")
        counts[level, kind] = counts.get((level, kind), (int(start) if start.isdigit() else 1) - 1) + 1
        shape = next((made for end, made in ENDS.items() if kind.endswith(end)), "{}.")
        numeral = next((name for start, name in KINDS.items() if kind.startswith(start)), "decimal")
        return f"{shape.format(written(counts[level, kind], numeral))} {text}"
    return f"- {text}" if child(about, "buChar") is not None or child(about, "buBlip") is not None else text


def table(frame: Element) -> str:
    """The rows of a table as lines `a | b`; a spanned cell stands in each place it spans."""
    rows: list[list[str]] = []
    for row in children(frame, "tr"):
        cells: list[str] = []
        for at, cell in enumerate(children(row, "tc")):
            merged = value(cell, "hMerge") in ("1", "true"), value(cell, "vMerge") in ("1", "true")
            if merged[1] and rows and at < len(rows[-1]):
                cells.append(rows[-1][at])
            elif merged[0] and cells:
                cells.append(cells[-1])
            else:
                cells.append(" ".join(paragraphs(child(cell, "txBody"))))
        rows.append(cells)
    return "\n".join(" | ".join(row) for row in rows if any(row))


def chart(root: Element) -> list[str]:
    """A chart: its titles, and a table of its categories and values."""
    said = [title for one in named(root, "title") if (title := _title(one))]
    heads: list[str] = []
    columns: list[list[str]] = []
    for at, series in enumerate(named(root, "ser"), start=1):
        names = child(series, "tx")
        heads.append(" ".join(_points(names)) or f"series {at}")
        categories = next(iter(children(series, "cat", "xVal")), None)
        values = next(iter(children(series, "val", "yVal")), None)
        if not columns:
            columns.append(_points(categories))
        columns.append(_points(values))
        if len(_points(categories)) > len(columns[0]):
            columns[0] = _points(categories)
        bubbles = child(series, "bubbleSize")
        if bubbles is not None:
            heads.append(f"{heads[-1]} size")
            columns.append(_points(bubbles))
    if columns and not any(columns[0]):
        columns[0] = [str(at) for at in range(1, max(map(len, columns)) + 1)]
    lines = [" | ".join(row) for row in zip_longest(*columns, fillvalue="")]
    if lines:
        said.append("\n".join((" | ".join(("category", *heads)), *lines)))
    elif not heads:  # a chart of the newer kind
        said += _newer(root)
    return said


def _title(element: Element) -> str:
    return " ".join(" ".join(paragraphs(rich)) for rich in named(element, "rich")).strip() or " ".join(
        one.text or "" for one in named(element, "v")
    )


def _points(element: Element | None) -> list[str]:
    """The values a chart keeps, in their order, shown by their format; of categories in levels all names of a level."""
    if element is None:
        return []
    levels = list(named(element, "lvl")) or [element]
    read = [_level(level) for level in levels]
    size = min(max((max(one, default=-1) for one in read), default=-1) + 1, MOST_POINTS)
    if len(read) == 1:
        return [read[0].get(at, "") for at in range(size)] or [one.text or "" for one in children(element, "v")]
    made = []
    for at in range(size):
        names = [next((one[back] for back in range(at, -1, -1) if back in one), "") for one in reversed(read[1:])]
        made.append(" ".join(filter(None, (*names, read[0].get(at, "")))))
    return made


def _level(element: Element) -> dict[int, str]:
    code = next((one.text or "" for one in named(element, "formatCode")), "General")
    made = {}
    for point in named(element, "pt"):
        at = value(point, "idx")
        text = next((one.text or "" for one in children(point, "v")), point.text or "").strip()
        if at.isdigit() and int(at) < MOST_POINTS:
            made[int(at)] = _shown(text, value(point, "formatCode") or code) if _is_numeric(element) else text
    return made


def _is_numeric(element: Element) -> bool:
    return any(True for _ in named(element, "numCache", "numLit"))


def _shown(text: str, code: str) -> str:
    try:
        return shown(float(text), code)
    except ValueError:
        return text


def _newer(root: Element) -> Iterable[str]:
    columns = [[(point.text or "").strip() for point in named(one, "pt")] for one in named(root, "strDim", "numDim")]
    rows = [" | ".join(row) for row in zip_longest(*columns[:8], fillvalue="")]
    return ["\n".join(rows[:MOST_POINTS])] if rows else []


def diagram(data: Element) -> list[str]:
    """The texts of a diagram (SmartArt), in the order of its points."""
    return [text for point in named(data, "pt") if (text := " ".join(paragraphs(child(point, "t"))))]
