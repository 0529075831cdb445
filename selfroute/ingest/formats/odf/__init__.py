"""OpenDocument files: texts (odt), spreadsheets (ods) and presentations (odp) in reading order.

Headings are marked as in Markdown, list items have their numbers, notes are tied to their place by a mark; struck-out,
hidden and deleted text is dropped. In a spreadsheet the text of each cell is in the file as it was shown.
"""

from __future__ import annotations

import re
from pathlib import Path

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.archives import Archive, opened
from selfroute.ingest.formats.grids import Grid, Span, text_of
from selfroute.ingest.formats.odf.story import CONTENT, Story, count, rows
from selfroute.ingest.formats.odf.styles import styles
from selfroute.ingest.formats.packages import Element, child, children, local, named, tree, value
from selfroute.ingest.formats.texts import Text, emptiness, images, names_page, paged, ranges

STYLES, MANIFEST = "styles.xml", "META-INF/manifest.xml"
MOST_COLUMNS, MOST_ROWS = 16_384, 1_048_576
MOST_REPEATED = 200_000
"""Cells with text that a sheet may repeat by a count."""
FRAMING = {"header", "footer", "header-left", "footer-left", "header-first", "footer-first"}


def read(path: Path) -> Text:
    with opened(path) as archive:
        if CONTENT not in archive.names:
            raise UnreadableFile(path, f"is broken: it holds no {CONTENT}")
        if _is_encrypted(archive, path):
            raise UnreadableFile(path, "is encrypted: save it without a password first")
        content = tree(archive.part(CONTENT), CONTENT, path)
        look = tree(archive.part(STYLES), STYLES, path) if STYLES in archive.names else None
        body = child(content, "body")
        kind = next((one for one in body if local(one) in _READERS), None) if body is not None else None
        if kind is None:
            raise UnreadableFile(path, "is broken: it holds no text, spreadsheet or presentation")
        story = Story(archive, path, styles([one for one in (look, content) if one is not None]))
        made = _READERS[local(kind)](kind, look, story)
    if not made.text:
        raise UnreadableFile(path, emptiness(story.pictures))
    return made


def _is_encrypted(archive: Archive, path: Path) -> bool:
    if MANIFEST not in archive.names:
        return False
    return next(named(tree(archive.part(MANIFEST), MANIFEST, path), "encryption-data"), None) is not None


def _document(body: Element, look: Element | None, story: Story) -> Text:
    story.walk(body, 0)
    text = story.text()
    framing = _framing(look, story)
    warnings = [f"an embedded object is not read: {name}" for name in dict.fromkeys(story.objects)]
    return Text("\n\n".join(filter(None, (*framing, text, *story.notes))), warnings=tuple(warnings))


def _framing(look: Element | None, story: Story) -> list[str]:
    """Headers and footers, once."""
    made: list[str] = []
    for part in named(look, *FRAMING) if look is not None else ():
        inner = story.inner()
        inner.walk(part, 0)
        said = inner.text()
        if re.search(r"\w{2}|\d \w", said) and not names_page(said):
            made.append(said)
    return list(dict.fromkeys(made))


def _presentation(body: Element, _look: Element | None, story: Story) -> Text:
    """Slides under their titles; a slide is a page."""
    parts: list[str] = []
    pictures: list[int] = []
    blank = 0
    slides = children(body, "page")
    for number, slide in enumerate(slides, start=1):
        inner = story.inner()
        title = _title(slide, story)
        for shape in slide:
            if local(shape) != "notes" and not (title and value(shape, "class") == "title"):
                inner.walk_one(shape, 0)
        said, told = inner.text(), story.inner()
        for notes in children(slide, "notes"):
            for shape in notes:
                if value(shape, "class") == "notes":
                    told.walk_one(shape, 0)
        if not (said or title):
            pictures += [number] if inner.pictures else []
            blank += not inner.pictures
        spoken = [f"Notes: {told.text()}"] if told.text() else []
        heading = f"# {title or f'Slide {number}'}"
        told_of = (heading, *filter(None, [said]), *spoken, *inner.notes) if said or title or spoken else ()
        story.pictures += inner.pictures
        parts.append("\n\n".join(told_of))
    counted = len(slides) - blank
    warnings = []
    if pictures:
        which = f"slide{'s' * (len(pictures) > 1)} {ranges(pictures)} of {len(slides)}"
        warnings.append(f"{which} {images(len(pictures))}")
    readable = (counted - len(pictures)) / counted if counted else 1.0
    return Text(*paged(parts), tuple(warnings), readable)


def _title(slide: Element, story: Story) -> str:
    for shape in children(slide, "frame"):
        if value(shape, "class") == "title":
            inner = story.inner()
            inner.walk(shape, 0)
            return " ".join(inner.text().split())
    return ""


def _spreadsheet(body: Element, _look: Element | None, story: Story) -> Text:
    hidden = {name for name in story.styles.looks if story.styles.looks[name].hidden}
    grids = [_grid(table, story, value(table, "style-name") in hidden) for table in children(body, "table")]
    return Text(text_of(grids))


def _grid(table: Element, story: Story, hidden: bool) -> Grid:
    """A sheet. Cells and rows are repeated by a count, which may claim all that a sheet can hold."""
    found: dict[int, dict[int, str]] = {}
    spans: list[Span] = []
    unseen: list[int] = []
    around = story.inner()
    left = MOST_REPEATED
    number = 1
    for shapes in children(table, "shapes"):
        around.walk(shapes, 0)
    for row in rows(table):
        times = count(row, "number-rows-repeated", MOST_ROWS)
        cells: dict[int, str] = {}
        column = 1
        for cell in children(row, "table-cell", "covered-table-cell"):
            again = count(cell, "number-columns-repeated", MOST_COLUMNS)
            text = _cell(cell, story) if local(cell) == "table-cell" or len(cell) else ""
            if text and local(cell) == "table-cell":
                wide, high = (
                    count(cell, "number-columns-spanned", MOST_COLUMNS),
                    count(cell, "number-rows-spanned", MOST_ROWS),
                )
                if wide > 1 or high > 1:
                    spans.append(Span(number, column, number + high - 1, column + wide - 1))
            for at in range(column, column + again) if text else ():
                left -= 1
                if left >= 0:
                    cells[at] = text
            column = min(column + again, MOST_COLUMNS)
        for at in range(number, number + times) if cells else ():
            if left < 0:
                break
            found[at] = dict(cells)
            left -= len(cells) if at > number else 0
            if value(row, "visibility") in ("collapse", "filter"):
                unseen.append(at)
        number = min(number + times, MOST_ROWS)
    return Grid(value(table, "name"), found, spans, hidden, unseen, (), [text] if (text := around.text()) else [])


def _cell(cell: Element, story: Story) -> str:
    inner = story.inner()
    inner.walk(cell, 0)
    return " ".join((*inner.text().split(), *inner.notes))


_READERS = {"text": _document, "spreadsheet": _spreadsheet, "presentation": _presentation}
