"""A Word document becomes its text in reading order, or is refused with what is wrong with it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from selfroute.errors import UnreadableFile
from selfroute.ingest.archives import MOST_UNPACKED
from selfroute.ingest.docx import read

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def test_a_document_of_word_is_read_in_its_order(tmp_path: Path) -> None:
    docx = pytest.importorskip("docx", reason="python-docx writes the document")
    made = docx.Document()
    made.add_heading("Harbour", 0)
    made.add_heading("Night work", 2)
    made.add_paragraph("The harbour master approves it.\nSecond line")
    made.add_paragraph("one", style="List Bullet")
    made.add_paragraph("two", style="List Number")
    table = made.add_table(rows=2, cols=2)
    for at, text in enumerate(("Ship", "Fee", "Ferry", "120\nkr")):
        table.cell(at // 2, at % 2).text = text
    table.cell(1, 0).add_table(rows=1, cols=1).cell(0, 0).text = "inner"
    made.add_paragraph("After the table.")
    made.save(tmp_path / "a.docx")
    assert read(tmp_path / "a.docx").text == (
        "# Harbour\n\n## Night work\n\nThe harbour master approves it.\nSecond line\n\n- one\n1. two\n\n"
        "Ship | Fee\nFerry inner | 120 kr\n\nAfter the table."
    )


def test_insertions_controls_links_and_text_boxes_are_read_and_what_was_deleted_is_not(tmp_path: Path) -> None:
    body = (
        "<w:p><w:r><w:t>Kept </w:t></w:r><w:ins><w:r><w:t>inserted </w:t></w:r></w:ins>"
        "<w:del><w:r><w:delText>deleted</w:delText></w:r></w:del>"
        "<w:hyperlink><w:r><w:t>linked</w:t></w:r></w:hyperlink><w:r><w:noBreakHyphen/><w:t>on</w:t></w:r></w:p>"
        "<w:sdt><w:sdtContent><w:p><w:r><w:t>Controlled</w:t></w:r></w:p></w:sdtContent></w:sdt>"
        "<w:p><w:r><w:txbxContent><w:p><w:r><w:t>Boxed</w:t></w:r></w:p></w:txbxContent>"
        "<w:Fallback><w:p><w:r><w:t>Boxed</w:t></w:r></w:p></w:Fallback></w:r><w:r><w:t>Around</w:t></w:r></w:p>"
        "<w:p><w:r><w:instrText>PAGEREF</w:instrText><w:tab/><w:t>field</w:t></w:r></w:p>"
    )
    assert read(word(tmp_path, body)).text == "Kept inserted linked-on\n\nControlled\n\nBoxed\n\nAround\n\nfield"


def test_styles_are_headings_by_what_they_are_based_on_and_footnotes_come_last(tmp_path: Path) -> None:
    styles = (
        f'<w:styles {W}><w:style w:styleId="Rubrik2"><w:name w:val="heading 2"/></w:style>'
        '<w:style w:styleId="Egen"><w:basedOn w:val="Rubrik2"/></w:style>'
        '<w:style w:styleId="Ring"><w:basedOn w:val="Ring"/></w:style></w:styles>'
    )
    body = "".join(
        f'<w:p><w:pPr><w:pStyle w:val="{s}"/></w:pPr><w:r><w:t>{s}</w:t></w:r></w:p>' for s in ("Egen", "Ring")
    )
    notes = f"<w:footnotes {W}><w:footnote><w:p><w:r><w:t>Noted</w:t></w:r></w:p></w:footnote></w:footnotes>"
    path = word(tmp_path, body, **{"word/styles.xml": styles, "word/footnotes.xml": notes})
    assert read(path).text == "## Egen\n\nRing\n\nNoted"


def test_nesting_without_end_is_read(tmp_path: Path) -> None:
    deep = "<w:sdt>" * 50_000 + "<w:p><w:r><w:t>Deep</w:t></w:r></w:p>" + "</w:sdt>" * 50_000
    assert read(word(tmp_path, deep)).text == "Deep"


def test_a_document_that_unpacks_to_too_much_is_refused_before_it_is(tmp_path: Path) -> None:
    path = tmp_path / "bomb.docx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, file.open("word/document.xml", "w") as part:
        for _ in range(MOST_UNPACKED // 2**20 + 1):
            part.write(b" " * 2**20)
    assert path.stat().st_size < 2**20
    with pytest.raises(UnreadableFile, match="unpacks to more than 256 MB: it is not read"):
        read(path)


def test_entities_that_grow_are_refused(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    path = word(tmp_path, "", document=f'<!DOCTYPE d [<!ENTITY e0 "word">{entities}]><d>&e11;</d>')
    with pytest.raises(UnreadableFile, match=r"is broken: word/document\.xml is no XML"):
        read(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"plain words", "is broken"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "is encrypted or of an older format: save it anew without"),
        (b"PK\x03\x04" + bytes(100), "is broken"),
    ],
)
def test_what_is_no_document_of_word_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.docx"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=reason):
        read(path)


def test_a_document_that_is_cut_short_or_damaged_or_lacks_its_text_is_refused(tmp_path: Path) -> None:
    whole = word(tmp_path, "<w:p><w:r><w:t>Text that is long enough to be cut.</w:t></w:r></w:p>").read_bytes()
    damaged = bytearray(whole)
    damaged[60:80] = bytes(20)
    with zipfile.ZipFile(tmp_path / "bare.docx", "w") as file:
        file.writestr("other.xml", "<x/>")
    for content in (whole[:-30], bytes(damaged), (tmp_path / "bare.docx").read_bytes()):
        (tmp_path / "b.docx").write_bytes(content)
        with pytest.raises(UnreadableFile, match="is broken"):
            read(tmp_path / "b.docx")


def word(folder: Path, body: str, document: str | None = None, **parts: str) -> Path:
    path = folder / "a.docx"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("word/document.xml", document or f"<w:document {W}><w:body>{body}</w:body></w:document>")
        for name, part in parts.items():
            file.writestr(name, part)
    return path
