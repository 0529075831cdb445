"""A PDF becomes its text with a map of its pages, or is refused with what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pdfs import assembled

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.pdf import MOST_PAGES, read
from selfroute.types import Document

pytestmark = pytest.mark.end_to_end  # a PDF is read in a process of its own


def test_each_page_is_known_by_the_text_on_it(tmp_path: Path) -> None:
    read_ = read(pdf(tmp_path, "The harbour master.", "", "Night work.\nSecond line.", ""))
    assert read_.text == "The harbour master.\nNight work.\nSecond line."
    document = Document("a.pdf", read_.text, "a.pdf", read_.pages)
    assert len(read_.pages) == 4
    pages = {word: document.page(read_.text.index(word)) for word in ("The", "master.", "Night", "Second", "line.")}
    assert pages == {"The": 1, "master.": 1, "Night": 3, "Second": 3, "line.": 3}
    assert document.page(len(read_.text) - 1) == 3


def test_pages_of_a_pdf_of_another_program_are_read(tmp_path: Path) -> None:
    made = written(tmp_path, lambda file: None, "Först Å page “one” har-\nbour", "Second page")
    assert "harbour" in read(made).text
    assert len(read(made).pages) == 2


def test_a_word_that_is_cut_at_the_end_of_a_line_is_one_word(tmp_path: Path) -> None:
    assert read(pdf(tmp_path, "The har-\nbour master")).text == "The harbour master"


def test_a_scan_is_refused_and_its_missing_text_layer_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"has no text layer \(a scan\?\): make one with an OCR program first"):
        read(pdf(tmp_path, "", ""))


def test_a_pdf_that_wants_a_password_is_refused_and_one_that_only_restricts_is_read(tmp_path: Path) -> None:
    locked = written(tmp_path, lambda file: file.set_encryption("owner", "user"), "Secret")
    with pytest.raises(UnreadableFile, match="is encrypted: save it without a password first"):
        read(locked)
    assert read(written(tmp_path, lambda file: file.set_encryption("owner"), "Open")).text == "Open"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b"%PDF-1.7", "cannot be opened as a PDF"), (b"\x89PNG\r\n\0", "cannot be opened as a PDF")],
)
def test_what_is_no_pdf_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=reason):
        read(path)


def test_a_pdf_that_is_cut_short_is_refused_or_mended_and_never_crashes(tmp_path: Path) -> None:
    whole = pdf(tmp_path, *["Some words on a page."] * 5).read_bytes()
    refused = 0
    for end in range(0, len(whole), 311):
        (tmp_path / "b.pdf").write_bytes(whole[:end])
        try:
            assert "Some words" in read(tmp_path / "b.pdf").text
        except UnreadableFile:
            refused += 1
    assert refused > 3


def test_a_page_count_beyond_reason_is_refused_at_once(tmp_path: Path) -> None:
    path = pdf(tmp_path, "Words")
    path.write_bytes(path.read_bytes().replace(b"/Count 1", b"/Count 900000"))
    with pytest.raises(UnreadableFile, match=rf"has 900,000 pages, more than {MOST_PAGES:,}|is broken"):
        read(path)


def test_pages_that_contain_themselves_come_to_an_end(tmp_path: Path) -> None:
    path = pdf(tmp_path, "Words")
    path.write_bytes(path.read_bytes().replace(b"/Kids [4 0 R]", b"/Kids [2 0 R]"))
    with pytest.raises(UnreadableFile, match="is broken"):
        read(path)


def test_a_file_that_would_be_read_for_years_is_given_up(tmp_path: Path) -> None:
    """Twelve forms, each of which shows the next ten times."""
    path = tmp_path / "a.pdf"
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>"]
    for level in range(12):
        stream = "/X Do " * 10
        kind = "/Page /Parent 2 0 R /Contents 16 0 R" if not level else "/XObject /Subtype /Form"
        objects.append(
            f"<< /Type {kind} /MediaBox [0 0 9 9] /BBox [0 0 9 9] /Resources << /XObject << /X {level + 4} 0 R >> >> "
            f"/Length {len(stream)} >>" + f"\nstream\n{stream}\nendstream" * bool(level)
        )
    objects.append("<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Length 1 >>\nstream\nq\nendstream")
    objects.append("<< /Length 5 >>\nstream\n/X Do\nendstream")
    path.write_bytes(assembled(objects))
    with pytest.raises(UnreadableFile, match="takes more than 1 s to read: print it to a new PDF"):
        read(path, seconds=1)


def test_a_file_that_is_not_there_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "gone.pdf")


@pytest.mark.skipif(os.uname().sysname == "Darwin", reason="file names are always UTF-8 on macOS")
def test_a_name_that_is_no_utf_8_is_no_obstacle(tmp_path: Path) -> None:
    path = pdf(tmp_path, "Words").rename(tmp_path / os.fsdecode(b"caf\xe9.pdf"))
    assert read(path).text == "Words"


def test_what_stands_in_the_working_folder_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("json.py", "pypdfium2.py", "selfroute.py"):
        (tmp_path / name).write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    assert read(pdf(tmp_path, "Words")).text == "Words"


def pdf(folder: Path, *pages: str) -> Path:
    """A PDF with a line of text for each line of each page, written here: it needs no library."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for text in pages:
        shown = "".join(f"({line}) Tj 0 -14 Td " for line in text.split("\n") if line)
        stream = f"BT /F1 12 Tf 72 720 Td {shown}ET"
        kids.append(f"{len(objects) + 1} 0 R")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {len(objects) + 2} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    path = folder / "a.pdf"
    path.write_bytes(assembled(objects))
    return path


def written(folder: Path, also: Callable[[Any], None], *pages: str) -> Path:
    """A PDF by fpdf2."""
    fpdf = pytest.importorskip("fpdf", reason="fpdf2 writes the PDF")
    file = fpdf.FPDF()
    also(file)
    file.set_font("helvetica", size=12)
    for text in pages:
        file.add_page()
        file.multi_cell(0, 6, text.replace("“", '"').replace("”", '"'))
    path = folder / "b.pdf"
    file.output(str(path))
    return path
