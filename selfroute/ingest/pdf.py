"""PDF files, with a map of their pages. By PDFium (pypdfium2), Chrome's own: it opens documents that only restrict
printing without another library.

It reads in a process of its own, one a file: a file that was made to do so can keep it busy for years, and a fault in
native code ends the process that it is in. A page is told by its text layer; a scan has none, and is refused with that
reason.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

from selfroute.errors import UnreadableFile
from selfroute.ingest.texts import MOST_BYTES, Text, content

MOST_PAGES = 50_000
MOST_SECONDS = 300
MOST_MEMORY = 4 * 2**30
CHILD = "import sys; sys.path[:] = sys.argv[3:]; from selfroute.ingest.pdf import child; child()"

HYPHENS = re.compile(r"(?<=\w)[\ufffe\u00ad\x02]\s*(?=\w)")
"""A word that is cut at the end of a line: PDFium marks the hyphen and takes the line's end away."""


def read(path: Path, seconds: int = MOST_SECONDS) -> Text:
    """Raises `UnreadableFile`, also for what takes longer than so many seconds."""
    with path.open("rb"):  # what the system says of a file that cannot be opened is told as of any other
        pass
    # -I: neither the working folder nor the environment decide what it imports, but what this process imports from.
    command = [sys.executable, "-I", "-c", CHILD, os.fspath(path), str(seconds), *sys.path]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if done.returncode == -signal.SIGALRM:
        raise UnreadableFile(path, f"takes more than {seconds} s to read: print it to a new PDF")
    if done.returncode:
        raise UnreadableFile(path, "is broken: reading it as a PDF fails")
    told = json.loads(done.stdout)
    if told["reason"] is not None:
        raise UnreadableFile(path, told["reason"])
    return _joined(told["pages"], path)


def child() -> None:
    """The other process: reads the file that its arguments name and writes the pages, or why there are none."""
    path, seconds = Path(sys.argv[1]), int(sys.argv[2])
    signal.alarm(seconds)  # ends it even if nobody waits for it any more
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    pages: list[str] = []
    reason = None
    try:
        pages = _pages(content(path), path)
    except UnreadableFile as error:
        reason = error.reason
    print(json.dumps({"pages": pages, "reason": reason}))  # in ASCII: no locale can spoil it


def _pages(data: bytes, path: Path) -> list[str]:
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
        pages: list[str] = []
        size = broken = 0
        for number in range(len(document)):
            try:
                page = document[number]
                try:
                    text = page.get_textpage()
                    pages.append(_clean(text.get_text_range()))
                    text.close()
                finally:
                    page.close()
            except pypdfium2.PdfiumError:
                pages.append("")
                broken += 1
            size += len(pages[-1])
            if size > MOST_BYTES:
                raise UnreadableFile(path, f"holds more than {MOST_BYTES // 2**20} MB of text: split it")
        if broken:
            raise UnreadableFile(path, f"is broken: {broken} of its {len(pages)} pages cannot be read")
        return pages
    finally:
        document.close()


def _clean(text: str) -> str:
    text = HYPHENS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = re.sub(r"[ \t]+\n", "\n", text)
    # Fonts without a mapping give NULs and halves of pairs, which are no text.
    return re.sub("[\0\ufffe\uffff\x02\ud800-\udfff]", "", text).strip()


def _joined(pages: list[str], path: Path) -> Text:
    if not any(pages):
        raise UnreadableFile(path, "has no text layer (a scan?): make one with an OCR program first")
    starts, at = [], 0
    for page in pages:
        starts.append(at)
        at += len(page) + 1 if page else 0
    end = at - 1
    return Text("\n".join(page for page in pages if page), tuple(min(start, end) for start in starts))
