"""PDFs that tests make: from objects that are written here, or as scans whose letters are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Page:
    """What is drawn on a page, what is attached to it, and what else its dictionary says."""

    content: str = ""
    annotations: Sequence[str] = ()
    more: str = ""
    resources: str = ""


def lines(*shown: str, left: float = 72, top: float = 720, step: float = 14, size: float = 12) -> str:
    """Lines of text, from the top down."""
    drawn = "".join(f"({line}) Tj 0 -{step} Td " for line in shown)
    return f"BT /F1 {size} Tf {left} {top} Td {drawn}ET\n"


def at(left: float, bottom: float, text: str, size: float = 10) -> str:
    """A text that is drawn by itself."""
    return f"BT /F1 {size} Tf {left} {bottom} Td ({text}) Tj ET\n"


def composed(folder: Path, *pages: Page, catalog: str = "", objects: Sequence[str] = (), name: str = "a.pdf") -> Path:
    """A PDF of pages; `objects` are numbered from 4 on. The form, if there is one, is of `catalog`."""
    made = [
        f"<< /Type /Catalog /Pages 2 0 R {catalog} >>",
        "",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        *objects,
    ]
    kids = []
    for page in pages:
        annotations = [f"{len(made) + 3 + number} 0 R" for number in range(len(page.annotations))]
        kids.append(f"{len(made) + 1} 0 R")
        made.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {len(made) + 2} 0 R {page.more} "
            f"/Resources << /Font << /F1 3 0 R >> {page.resources} >> /Annots [{' '.join(annotations)}] >>"
        )
        made.append(stream("", page.content))
        made += page.annotations
    made[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    path = folder / name
    path.write_bytes(assembled(made))
    return path


def stream(about: str, content: str) -> str:
    return f"<< {about} /Length {len(content)} >>\nstream\n{content}\nendstream"


def assembled(objects: Sequence[str]) -> bytes:
    made, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(made))
        made += f"{number} 0 obj\n{content}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    made += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode()
    place = made.rindex(b"xref")
    return made + f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{place}\n%%EOF\n".encode()


def picture(width: int = 1240, height: int = 1754, *said: str, size: int = 36) -> Any:
    """An image of a page, with lines of letters on it."""
    image = pytest.importorskip("PIL.Image", reason="Pillow draws the scan")
    drawing = pytest.importorskip("PIL.ImageDraw")
    font = pytest.importorskip("PIL.ImageFont").load_default(size)
    made = image.new("L", (width, height), 255)
    pen = drawing.Draw(made)
    for number, line in enumerate(said):
        pen.text((width // 10, height // 10 + number * size * 2), line, fill=0, font=font)
    return made


def bound(folder: Path, *pages: Any, name: str = "scan.pdf") -> Path:
    """A PDF by fpdf2: a page for each text, and for each image one that it covers; a pair is an image with a text
    over it."""
    fpdf = pytest.importorskip("fpdf", reason="fpdf2 writes the PDF")
    file = fpdf.FPDF(unit="pt", format="A4")
    file.set_auto_page_break(False)
    file.set_font("helvetica", size=12)
    for page in pages:
        file.add_page()
        image, text = page if isinstance(page, tuple) else (None, page) if isinstance(page, str) else (page, "")
        if image is not None:
            file.image(image, x=0, y=0, w=595, h=842)
        for number, line in enumerate(text.split("\n")):
            file.text(56, 40 + 16 * number, line)
    path = folder / name
    file.output(str(path))
    return path
