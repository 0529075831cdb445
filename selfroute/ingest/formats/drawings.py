"""Text in drawings of office files (DrawingML): paragraphs with their list marks, tables, what is said of pictures.

Struck-out runs are dropped; raised and lowered ones are written by `notation`.
"""

from __future__ import annotations

import re
from itertools import groupby
from operator import itemgetter

from selfroute.ingest.formats.notation import end, lowered, raised
from selfroute.ingest.formats.numbering import written
from selfroute.ingest.formats.omml import Equation
from selfroute.ingest.formats.packages import Element, child, children, local, named, number, switched, value

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

BY_MACHINE = re.compile(
    r"\s*(?:Description automatically generated|AI-generated content may be incorrect"
    r"|Automatisch generierte Beschreibung|KI-generierte Inhalte können fehlerhaft sein"
    r"|AI 生成的内容可能不正确)[\w ]*[.。]?$",
    re.IGNORECASE,
)
FILE_NAME = re.compile(r"\S*\.\w{3,4}|(?:image|picture|bild|grafik)\s*\d*", re.IGNORECASE)
LONGEST = 2000
"""Characters of what is said of a picture."""


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
    pieces: list[tuple[int, str]] = []
    for run in paragraph:
        kind = local(run)
        if kind == "br":
            pieces.append((0, " "))
        elif kind == "r" or (kind == "fld" and value(run, "type") not in FIELDS):
            pieces.append(_run(run))
        elif kind in ("AlternateContent", "m"):
            pieces.append((0, _formula(child(run, "Choice") if kind == "AlternateContent" else run)))
    made: list[str] = []
    for place, run_on in groupby((piece for piece in pieces if piece[1]), key=itemgetter(0)):
        said = "".join(text for _, text in run_on)  # a power may be written by several runs
        made.append(raised(end(made), said) if place > 0 else lowered(end(made), said) if place < 0 else said)
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


def _run(run: Element) -> tuple[int, str]:
    """Return what a run says, and whether above the line (1), below it (-1) or in it."""
    said = "".join(one.text or "" for one in children(run, "t"))
    about = child(run, "rPr")
    if about is None:
        return 0, said
    if value(about, "strike", "noStrike") != "noStrike":
        return 0, ""
    base = value(about, "baseline", "0").rstrip("%")
    return (-1 if base.startswith("-") else int(bool(base.strip("0.")))), said


def _marked(paragraph: Element, text: str, counts: dict[tuple[int, str], int]) -> str:
    about = child(paragraph, "pPr")
    level = 0 if about is None else max(number(value(about, "lvl")), 0)
    numbered = child(about, "buAutoNum")
    for key in [key for key in counts if key[0] > level or (key[0] == level and numbered is None)]:
        del counts[key]
    if numbered is not None:
        kind = value(numbered, "type", "arabicPeriod")
        counts[level, kind] = counts.get((level, kind), number(value(numbered, "startAt"), 1) - 1) + 1
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
            merged = switched(cell, "hMerge", "0"), switched(cell, "vMerge", "0")
            if merged[1] and rows and at < len(rows[-1]):
                cells.append(rows[-1][at])
            elif merged[0] and cells:
                cells.append(cells[-1])
            else:
                cells.append(" ".join(paragraphs(child(cell, "txBody"))))
        rows.append(cells)
    return "\n".join(" | ".join(row) for row in rows if any(row))


def described(text: str) -> tuple[str, bool]:
    """Return what is said of a picture to those who do not see it, if it is more than the name of its file; and whether
    a program says it."""
    said = " ".join(text[:LONGEST].split())
    plain = BY_MACHINE.sub("", said)
    return "" if FILE_NAME.fullmatch(plain) else plain, plain != said


def alternative(picture: Element) -> str:
    """The same of a picture on a slide or a sheet."""
    about = next(named(picture, "cNvPr"), None)
    return "" if about is None else described(value(about, "descr") or value(about, "title"))[0]
