"""PDF files, with a map of their pages. By PDFium (pypdfium2), Chrome's own: it opens documents that only restrict
printing without another library.

It reads in a process of its own, one a file: a file that was made to do so can keep it busy for years, and a fault in
native code ends the process that it is in. A page is told by its text layer, its fields and its remarks. One that is
an image is read by OCR where that is wanted, and is named in a warning otherwise; a file of nothing else is refused.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.pdf import hyphens as pdf_hyphens
from selfroute.ingest.formats.pdf import text as pdf_text
from selfroute.ingest.formats.pdf.sheets import Kind, Sheet, told
from selfroute.ingest.formats.texts import MOST_BYTES, Text, content

MOST_PAGES = 50_000
MOST_SECONDS = 300
MOST_MEMORY = 4 * 2**30
MOST_LOOKS = 32
MOST_PIXELS = 300_000_000
"""Pages whose images are looked at, and their pixels; beyond them an empty image counts as one."""

SHORT = 800
"""Characters of a page on which it is not asked whether it is an image."""
XFA_SAYS = "not eventually replaced"
"""What a page says in place of a form that only Adobe's programs show."""

CHILD = "import sys; sys.path[:] = sys.argv[4:]; from selfroute.ingest.formats.pdf import child; child()"


def read(path: Path, seconds: int = MOST_SECONDS, *, ocr: bool = False) -> Text:
    """Raises `UnreadableFile`, also for what takes longer than so many seconds. With `ocr`, pages that are images are
    read too, and there is more time for each of them."""
    with path.open("rb"):  # what the system says of a file that cannot be opened is told as of any other
        pass
    # -I: neither the working folder nor the environment decide what it imports, but what this process imports from.
    command = [sys.executable, "-I", "-c", CHILD, os.fspath(path), str(seconds), str(int(ocr)), *sys.path]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if done.returncode == -signal.SIGALRM:
        much = "too long" if ocr else f"more than {seconds} s"
        raise UnreadableFile(path, f"takes {much} to read: print it to a new PDF")
    if done.returncode:
        raise UnreadableFile(path, "is broken: reading it as a PDF fails")
    made = json.loads(done.stdout)
    if made["reason"] is not None:
        raise UnreadableFile(path, made["reason"])
    text = made["text"]
    return Text(text["text"], tuple(text["pages"]), tuple(text["warnings"]), text["readable"])


def child() -> None:
    """The other process: reads the file that its arguments name and writes its text, or why there is none."""
    path, seconds, ocr = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "1"
    signal.alarm(seconds)  # ends it even if nobody waits for it any more
    if sys.platform == "linux":
        most = MOST_MEMORY * (2 if ocr else 1)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    output = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints is no part of the answer
    text = reason = None
    try:
        text = asdict(_text(content(path), path, seconds, ocr=ocr))
    except UnreadableFile as error:
        reason = error.reason
    with os.fdopen(output, "w", encoding="ascii") as answer:  # in ASCII: no locale can spoil it
        answer.write(json.dumps({"text": text, "reason": reason}))


def _text(data: bytes, path: Path, seconds: int, *, ocr: bool) -> Text:
    import pypdfium2
    from pypdfium2 import raw

    if not data.strip():
        raise UnreadableFile(path, "is empty")
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
            raise UnreadableFile(path, "is encrypted: save it without a password first") from error
        raise UnreadableFile(path, "is broken: it cannot be opened as a PDF") from error
    try:
        if len(document) > MOST_PAGES:
            raise UnreadableFile(path, f"has {len(document):,} pages, more than {MOST_PAGES:,}: split it")
        if not len(document):
            raise UnreadableFile(path, "is broken: it has no pages")
        return told(_sheets(document, path, seconds, ocr=ocr), path, ocr=ocr)
    finally:
        document.close()


def _sheets(document: Any, path: Path, seconds: int, *, ocr: bool) -> list[Sheet]:
    """The pages, with cut words whole, and those that are images read if that is wanted."""
    from pypdfium2 import PdfiumError

    if document.get_formtype():
        with suppress(PdfiumError):  # the pages can be read without their form
            document.init_forms()
    sheets: list[Sheet] = []
    size = 0
    for number in range(len(document)):
        sheets.append(_sheet(document, number))
        size += len(sheets[-1].text)
        if size > MOST_BYTES:
            raise UnreadableFile(path, f"holds more than {MOST_BYTES // 2**20} MB of text: split it")
    whole = pdf_hyphens.joined([sheet.text for sheet in sheets])
    sheets = [replace(sheet, text=_clean(text)) for sheet, text in zip(sheets, whole, strict=True)]
    if any(sheet.text for sheet in sheets) or ocr:
        sheets = _looked_at(document, sheets)
    if not ocr:
        return sheets
    from selfroute.ingest.formats.pdf import ocr as reading  # imported here: few files need it

    return reading.read(document, sheets, path, seconds)


def _sheet(document: Any, number: int) -> Sheet:
    """One page. What it is an image of is not looked at yet."""
    import pypdfium2
    from pypdfium2 import raw

    try:
        page = document[number]
    except pypdfium2.PdfiumError:
        return Sheet("", Kind.BROKEN)
    try:
        text = page.get_textpage()
        try:
            written = pdf_text.written(page, text)
            said, letters = written.text, len(written.text)
            if letters < SHORT:
                letters = len("".join(written.text.split()))
            if raw.FPDFPage_GetAnnotCount(page) > 0:
                said = _with_notes(document, page, text, written)
        finally:
            text.close()
        said = said.replace("\r\n", "\n").replace("\r", "\n").strip()
        if written.lost:
            return Sheet(said, Kind.NAMELESS, letters)
        if XFA_SAYS in said:
            return Sheet(said, Kind.XFA, letters)
        if letters < SHORT and _is_image(page, letters):
            return Sheet(said, Kind.IMAGE, letters)
        return Sheet(said, letters=letters)
    except pypdfium2.PdfiumError:
        return Sheet("", Kind.BROKEN)
    finally:
        page.close()


def _with_notes(document: Any, page: Any, text: Any, written: pdf_text.Written) -> str:
    from selfroute.ingest.formats.pdf import forms as pdf_forms  # imported here: most pages have links at most

    added = pdf_forms.notes(document, page, text)
    return pdf_forms.placed(text, written, added) if added else written.text


def _is_image(page: Any, letters: int) -> bool:
    from selfroute.ingest.formats.pdf import images as pdf_images  # imported here: most pages have text

    return pdf_images.is_image(page, letters, look=False)


def _looked_at(document: Any, sheets: list[Sheet]) -> list[Sheet]:
    """The sheets, without the images in which there is nothing to read. What would take long is not looked at."""
    from pypdfium2 import PdfiumError

    from selfroute.ingest.formats.pdf import images as pdf_images

    waiting = [number for number, sheet in enumerate(sheets) if sheet.kind is Kind.IMAGE]
    pixels = 0
    for number in waiting[:MOST_LOOKS]:
        page = document[number]
        try:
            more = pdf_images.seen(page).pixels
            if pixels + more > MOST_PIXELS:
                continue
            pixels += more
            with suppress(PdfiumError):  # what cannot be drawn stays named
                if not pdf_images.is_image(page, sheets[number].letters):
                    sheets[number] = replace(sheets[number], kind=Kind.READ)
        finally:
            page.close()
    return sheets


def _clean(text: str) -> str:
    text = re.sub(r"[ \t]+\n", "\n", text)
    # Fonts without a mapping give NULs and halves of pairs, which are no text.
    return re.sub("[\0\ufffe\uffff\x02\ud800-\udfff]", "", text).strip()
