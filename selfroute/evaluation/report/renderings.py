"""A page as HTML that stands alone, as Markdown, and its tables as CSV. Pure.

The HTML holds its pictures and needs no script and no other host. What models and documents say is text in all three:
it can neither be markup nor a formula.
"""

from __future__ import annotations

import csv
import re
from base64 import b64encode
from collections.abc import Mapping
from importlib.resources import files
from io import StringIO

from jinja2 import Environment, StrictUndefined

from selfroute.evaluation.report.examples import Example
from selfroute.evaluation.report.page import NONE, Page, Picture, Table, Value

LONGEST = 400
"""Characters of a chunk or an answer in Markdown; the HTML has them whole."""
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What would do something to a terminal or turn the direction of writing."""
_BLANK = re.compile(r"\s*\n\s*\n\s*")
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~])")


def html(page: Page, pictures: Mapping[str, bytes]) -> str:
    template = files(__package__).joinpath("page.html.jinja").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    environment.filters["squeezed"] = lambda text: _BLANK.sub("\n\n", text)
    images = {name: b64encode(content).decode() for name, content in pictures.items()}
    shown = [block for section in page.sections for block in section.blocks if isinstance(block, Example)]
    return environment.from_string(template).render(page=page, images=images, opened=shown[:1]) + "\n"


def markdown(page: Page, pictures: Mapping[str, bytes], folder: str) -> str:
    """`folder` is where the pictures are, seen from the file."""
    parts = [f"# {_plain(page.title)}", *map(_plain, page.facts)]
    for number, section in enumerate(page.sections, 1):
        parts.append(f"## {number}. {_plain(section.title)}")
        for block in section.blocks:
            if isinstance(block, str):
                parts.append(_plain(block))
            elif isinstance(block, Table):
                parts.append(_table(block))
            elif isinstance(block, Picture):
                parts += [f"![{_plain(block.alt)}]({folder}/{block.name}.png)"] * (block.name in pictures)
            else:
                parts.append(_example(block))
    return "\n\n".join(parts) + "\n"


def csv_of(table: Table) -> str:
    """The values themselves; pairs are two columns."""
    file = StringIO()
    writer = csv.writer(file, lineterminator="\n")
    head: list[str] = []
    for column in table.columns:
        pair = column.kind in ("interval", "shares")
        head += [f"{column.name} low", f"{column.name} high"] if pair else [column.name]
    writer.writerow(head)
    for row in table.rows:
        cells: list[Value] = []
        for value in row:
            cells += value if isinstance(value, tuple) else [value]
        writer.writerow(["" if cell is None else _cell(cell) for cell in cells])
    return file.getvalue()


def _cell(value: Value) -> str:
    if isinstance(value, float):
        return format(value, ".6g")
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text[:1] in ("=", "+", "@", "\t", "\r") else text


def _table(table: Table) -> str:
    head = "| " + " | ".join(_plain(column.name) for column in table.columns) + " |"
    rule = "|" + "|".join("---" if column.is_text else "--:" for column in table.columns) + "|"
    return "\n".join([head, rule, *("| " + " | ".join(map(_plain, row)) + " |" for row in table.written)])


def _example(shown: Example) -> str:
    title = shown.question if shown.question is not None else shown.id
    lines = [
        f"**{_short(title)}** ({_plain(shown.dataset)}, {_plain(shown.id)}), lost {shown.lost:.0f}: {shown.verdict}.",
        "",
    ]
    if shown.references is not None:
        lines.append(f"- reference: {_short(' | '.join(shown.references))}")
    for said in shown.said:
        answer = "declined" if said.prediction is None else _short(said.prediction)
        lines.append(f"- {_plain(said.policy)}, {said.score:.0f}: {answer}")
    if shown.missed is not None:
        span = "" if shown.missed.text is None else f": “{_short(shown.missed.text)}”"
        lines.append(f"- missed: characters {shown.missed.start} to {shown.missed.end}{span}")
    if shown.pieces is None:
        lines.append("- the chunks were not recorded")
    else:
        spans = [f"{piece.span.start} to {piece.span.end}{' (holds it)' * piece.holds}" for piece in shown.pieces]
        lines.append(f"- chunks, best first: {', '.join(spans) or 'none'}")
    return "\n".join(lines)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return _plain(line if len(line) <= LONGEST else line[: LONGEST - 1] + "…") or NONE


def _shown(value: object) -> object:
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) else value


def _plain(text: str) -> str:
    """On one line, without anything that Markdown would take for a mark; names keep their underscores in words."""
    line = " ".join(_CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text).split())
    return re.sub(r"(?<=\w)\\_(?=\w)", "_", _MARKUP.sub(r"\\\1", line))
