"""Builds Word files for tests out of their XML."""

from __future__ import annotations

import zipfile
from pathlib import Path

MAIN = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
W = (
    f'xmlns:w="{MAIN}" xmlns:m="{OFFICE}/math" xmlns:r="{OFFICE}/relationships" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:w14="http://schemas.microsoft.com/office/word/2010/wordml" '
    'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart" '
    'xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram" '
    'xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"'
)


def word(folder: Path, body: str, document: str | None = None, **parts: str | bytes) -> Path:
    """A file with a body; further parts by their names."""
    return package(folder, {"word/document.xml": document or part("document", f"<w:body>{body}</w:body>"), **parts})


def package(folder: Path, parts: dict[str, str | bytes]) -> Path:
    """A file of the parts alone."""
    path = folder / "a.docx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in parts.items():
            file.writestr(name, text)
    return path


def part(name: str, inside: str) -> str:
    """A part with its root element."""
    return f"<w:{name} {W}>{inside}</w:{name}>"


def relations(*kinds: tuple[str, str, str], base: str = f"{OFFICE}/relationships") -> str:
    """A part of relationships: their ids, kinds and targets."""
    inside = "".join(
        f'<Relationship Id="{name}" Type="{base}/{kind}" Target="{target}"/>' for name, kind, target in kinds
    )
    return (
        f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{inside}</Relationships>'
    )


def p(*runs: str, properties: str = "") -> str:
    """A paragraph of runs and texts."""
    inside = "".join(run if run.startswith("<") else r(run) for run in runs)
    return f"<w:p>{f'<w:pPr>{properties}</w:pPr>' if properties else ''}{inside}</w:p>"


def r(text: str, properties: str = "") -> str:
    """A run of text."""
    look = f"<w:rPr>{properties}</w:rPr>" if properties else ""
    return f'<w:r>{look}<w:t xml:space="preserve">{text}</w:t></w:r>'


def sup(text: str) -> str:
    return r(text, '<w:vertAlign w:val="superscript"/>')


def sub(text: str) -> str:
    return r(text, '<w:vertAlign w:val="subscript"/>')


def field(code: str, shown: str | None = None, data: str = "") -> str:
    """A field with its code and, if it has one, its stored result."""
    middle = "" if shown is None else f'<w:r><w:fldChar w:fldCharType="separate"/></w:r>{r(shown)}'
    return (
        f'<w:r><w:fldChar w:fldCharType="begin">{data}</w:fldChar></w:r><w:r><w:instrText>{code}</w:instrText></w:r>'
        f'{middle}<w:r><w:fldChar w:fldCharType="end"/></w:r>'
    )


def table(*rows: str) -> str:
    return f"<w:tbl>{''.join(rows)}</w:tbl>"


def row(*cells: str, properties: str = "") -> str:
    """A row of cells and of texts, which become cells."""
    inside = "".join(c if c.startswith("<") else cell(c) for c in cells)
    return f"<w:tr>{f'<w:trPr>{properties}</w:trPr>' if properties else ''}{inside}</w:tr>"


def cell(*blocks: str, properties: str = "") -> str:
    """A cell of blocks and of texts, which become paragraphs."""
    inside = "".join(block if block.startswith("<") else p(block) for block in blocks) or p()
    return f"<w:tc>{f'<w:tcPr>{properties}</w:tcPr>' if properties else ''}{inside}</w:tc>"
