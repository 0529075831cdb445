"""Jupyter notebooks (ipynb): cells of text and code with what they put out, pictures and the marks of colours left out.

A notebook is JSON, of version 4 or of the older ones that keep their cells in worksheets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats import html
from selfroute.ingest.formats.texts import Text, content, decoded, ranges

ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
EMBEDDED = re.compile(r"!\[([^\[\]]{0,2000})\]\((?:data:|attachment:)[^)\s]*(?:\s+\"[^\"]{0,2000}\")?\)")
SOURCE = re.compile(r"<img\b[^<>]{0,2000}?\bsrc\s*=\s*[\"']?data:[^<>]*>", re.IGNORECASE)
NOTHING = re.compile(
    r"<(?:Figure size|[\w.]+ (?:object|at 0x|size))[^>]*>|\[?<[\w.]+ at 0x[0-9a-f]+>\]?|<[\w.]+(?:: [^>]*)?>"
)
"""What a program says of an object that it shows in another way: `<Figure size 640x480 with 1 Axes>`."""
OLDER = {"text": "text/plain", "html": "text/html", "markdown": "text/markdown", "latex": "text/latex"}
"""How version 3 names the kinds of its outputs."""


def read(path: Path) -> Text:
    try:
        book = json.loads(decoded(content(path), path))
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(path, f"is broken: it is no JSON ({error})") from error
    cells = _cells(book)
    if cells is None:
        raise UnreadableFile(path, "is no notebook: it has no list of cells")
    language = _language(book)
    parts: list[str] = []
    images: list[int] = []
    counted = 0
    for number, cell in enumerate(cells, start=1):
        text, image = _cell(cell, language, path)
        images += [number] if image else []
        counted += bool(text or image)
        parts.append(text)
    text = "\n\n".join(filter(None, parts))
    if not text:
        raise UnreadableFile(path, "is empty")
    if not images:
        return Text(text)
    if len(images) == 1:
        said = f"an output of cell {images[0]} of {len(cells)} is an image, which is not read"
    else:
        said = f"outputs of cells {ranges(images)} of {len(cells)} are images, which are not read"
    return Text(text, warnings=(said,), readable=(counted - len(images) / 2) / counted)


def _cells(book: Any) -> list[Mapping[str, Any]] | None:
    if not isinstance(book, dict):
        return None
    found = book.get("cells")
    if found is None and isinstance(book.get("worksheets"), list):
        sheets = [sheet for sheet in book["worksheets"] if isinstance(sheet, dict)]
        found = [cell for sheet in sheets for cell in sheet.get("cells") or () if isinstance(sheet.get("cells"), list)]
    return [cell for cell in found if isinstance(cell, dict)] if isinstance(found, list) else None


def _language(book: Mapping[str, Any]) -> str:
    about = book.get("metadata")
    for key, inner in (("language_info", "name"), ("kernelspec", "language")):
        named = about.get(key) if isinstance(about, dict) else None
        name = named.get(inner) if isinstance(named, dict) else ""
        if isinstance(name, str) and re.fullmatch(r"[\w+#.-]{1,30}", name):
            return name.lower()
    return ""


def _cell(cell: Mapping[str, Any], language: str, path: Path) -> tuple[str, bool]:
    """The text of a cell, and whether it put out images that hold what no text says."""
    kind = cell.get("cell_type")
    source = _joined(cell.get("source", cell.get("input"))).strip("\n")
    if kind == "heading":
        level = cell.get("level")
        return f"{'#' * min(max(level if isinstance(level, int) else 1, 1), 6)} {source.strip()}", False
    if kind == "markdown":
        return SOURCE.sub("", EMBEDDED.sub(r"\1", source)).strip(), False
    if kind != "code":
        return source, False
    parts = [_fenced(source, language)] if source.strip() else []
    image = False
    for output in cell.get("outputs") or ():
        if isinstance(output, dict):
            text, picture = _output(output, path)
            image = image or picture
            parts += [text] if text else []
    return "\n\n".join(parts), image


def _fenced(source: str, language: str) -> str:
    """Code between fences, so that its comments are not taken for headings."""
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", source)), 3)
    return f"{fence}{language}\n{source}\n{fence}"


def _output(output: Mapping[str, Any], path: Path) -> tuple[str, bool]:
    kind = output.get("output_type")
    if kind == "stream":
        return _said(_joined(output.get("text"))), False
    if kind in ("error", "pyerr"):
        lines = output.get("traceback")
        trace = "\n".join(line for line in lines if isinstance(line, str)) if isinstance(lines, list) else ""
        name = f"{output.get('ename', '')}: {output.get('evalue', '')}".strip(": ")
        text = _said(trace)
        return (text if name and name in text else "\n".join(filter(None, (text, name)))), False
    data = output.get("data")
    if not isinstance(data, dict):
        data = {OLDER[key]: output[key] for key in OLDER if key in output}
        data.update({f"image/{key}": True for key in ("png", "jpeg", "svg") if key in output})
    text = next(_texts(data, path), "")
    image = any(key.startswith(("image/", "application/pdf")) for key in data if isinstance(key, str))
    return text, image and not text


def _texts(data: Mapping[str, Any], path: Path) -> Iterator[str]:
    """The readings of an output from the best to the least: what is written for people first."""
    if text := _said(EMBEDDED.sub(r"\1", _joined(data.get("text/markdown")))):
        yield text
    plain = _said(_joined(data.get("text/plain")))
    if plain and not NOTHING.fullmatch(plain) and not re.match(r"<IPython\.", plain):
        yield plain
    markup = _joined(data.get("text/html"))
    if markup and (text := html.text_of(markup.encode("utf-8", "replace"), path)):
        yield text
    if text := _said(_joined(data.get("text/latex"))):
        yield text


def _joined(source: Any) -> str:
    """A text of a notebook, which may be a list of its lines."""
    if isinstance(source, str):
        return source
    return "".join(line for line in source if isinstance(line, str)) if isinstance(source, list) else ""


def _said(text: str) -> str:
    """Return what a terminal would show in the end: without colours, and of a line that is written anew, the last."""
    lines = [line.rstrip("\r").rpartition("\r")[2].rstrip() for line in ANSI.sub("", text).split("\n")]
    return "\n".join(lines).strip("\n").replace("\x08", "")
