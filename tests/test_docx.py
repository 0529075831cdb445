"""A Word document becomes its text in reading order, or is refused with what is wrong with it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from wordfiles import OFFICE, W, p, package, part, r, relations, row, table, word

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.archives import MOST_UNPACKED
from selfroute.ingest.formats.docx import read

CASES = Path(__file__).parent / "cases" / "documents"


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
    with pytest.raises(UnreadableFile, match=r"is broken: word/document\.xml declares a type of its own"):
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


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a01-office365", "The deposit for the boathouse key is 45 euros."),
        ("a02-omml", "1/2 of the input, and the cell count is 3×10^6 per litre.\n\nE=mc\n\nThe end."),
        ("a03-superscript", "The tank holds 10^6 litres of brine."),
        (
            "a04-numbered-clauses",
            "1. Term\n1.1 The lease runs for nine years.\n1.2 Either side may end it with six months' notice.\n"
            "2. Rent\n2.1 The rent is 900 euros a month.\n\nClause 2.1 is reviewed every year.",
        ),
        (
            "a05-tables",
            "Contract number K-4471\n\nBerth fees | Berth fees | Year\nNorth quay | Summer 40 | 2024\n"
            "North quay | Winter 25 | 2025\n\n[comment] Paid on 3 May",
        ),
        (
            "c1-footnotes",
            "The toll is 30 euros [1] a day and the fine 80 euros [2].\n\nLater text.\n\n"
            "[1] Only in summer.\n\n[2] Doubled at night.",
        ),
        ("c3-misc", "±5 mm\n\n3 May 2024\n\nbase (note)\n\nChunk text: the fee is 70.\n\nMr. Anderson lives"),
    ],
)
def test_a_case_of_the_public_reports_is_read_right(name: str, text: str) -> None:
    read_text = read(CASES / f"{name}.docx")
    assert text in read_text.text
    assert (read_text.warnings, read_text.readable) == ((), 1.0)


@pytest.mark.parametrize(
    ("target", "main"),
    [
        ("word/document2.xml", "word/document2.xml"),
        ("/text/main.xml", "text/main.xml"),
        ("word/my%20text.xml", "word/my text.xml"),
        ("Word/Document.xml", "word/document.xml"),
    ],
)
def test_the_main_part_is_found_by_its_relationship(tmp_path: Path, target: str, main: str) -> None:
    roots = relations(("rId1", "officeDocument", target))
    path = package(tmp_path, {"_rels/.rels": roots, main: part("document", f"<w:body>{p('Found')}</w:body>")})
    assert read(path).text == "Found"


def test_the_strict_form_of_the_format_is_read(tmp_path: Path) -> None:
    strict = "http://purl.oclc.org/ooxml/officeDocument"
    body = p("Half is ", f"<m:oMath><m:f><m:num>{r('1')}</m:num><m:den>{r('2')}</m:den></m:f></m:oMath>")
    main = part("document", f"<w:body>{body}</w:body>").replace(OFFICE, strict)
    roots = relations(("a", "officeDocument", "word/main.xml"), base=f"{strict}/relationships")
    assert read(package(tmp_path, {"_rels/.rels": roots, "word/main.xml": main})).text == "Half is 1/2"


@pytest.mark.parametrize("kind", ["document.main", "template.main", "document.macroEnabled.main"])
def test_the_main_part_is_found_by_its_content_type(tmp_path: Path, kind: str) -> None:
    types = (
        f'<Types><Override PartName="/main/text.xml" ContentType="application/wordprocessingml.{kind}+xml"/></Types>'
    )
    path = package(
        tmp_path, {"[Content_Types].xml": types, "main/text.xml": part("document", f"<w:body>{p('Found')}</w:body>")}
    )
    assert read(path).text == "Found"


def test_parts_are_found_by_the_relationships_of_the_main_part_whatever_their_names(tmp_path: Path) -> None:
    links = relations(("s", "styles", "/looks.xml"), ("n", "footnotes", "../notes/f.xml"), ("h", "header", "top.xml"))
    parts = {
        "word/_rels/document.xml.rels": links,
        "looks.xml": part("styles", '<w:style w:styleId="K"><w:name w:val="heading 2"/></w:style>'),
        "notes/f.xml": part("footnotes", f'<w:footnote w:id="5">{p("Noted")}</w:footnote>'),
        "word/top.xml": part("hdr", p("On top")),
    }
    body = p("Text", '<w:r><w:footnoteReference w:id="5"/></w:r>', properties='<w:pStyle w:val="K"/>')
    assert read(word(tmp_path, body, **parts)).text == "On top\n\n## Text [1]\n\n[1] Noted"


def test_broken_relationships_and_content_types_do_no_harm(tmp_path: Path) -> None:
    broken = {"_rels/.rels": "<x", "[Content_Types].xml": "<x", "word/_rels/document.xml.rels": "<x"}
    assert (
        read(word(tmp_path, p("Whole"), **broken, **{"word/header1.xml": part("hdr", p("Top"))})).text == "Top\n\nWhole"
    )


def test_names_with_backslashes_are_read(tmp_path: Path) -> None:
    path = package(tmp_path, {"word\\document.xml": part("document", f"<w:body>{p('Text')}</w:body>")})
    assert read(path).text == "Text"


def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    parts = {"_rels/.rels": relations(("a", "officeDocument", "xl/workbook.xml")), "xl/workbook.xml": "<workbook/>"}
    with pytest.raises(UnreadableFile, match=r"is no Word document: its main part is xl/workbook\.xml"):
        read(package(tmp_path, parts))


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        (
            "word/comments.xml",
            "the comments (word/comments.xml is no XML (unclosed token: line 1, column 0))",
        ),
        ("word/footnotes.xml", "the footnotes (word/footnotes.xml is no XML"),
        ("word/header1.xml", "a header (word/header1.xml is no XML"),
        ("word/footer3.xml", "a footer (word/footer3.xml is no XML"),
    ],
)
def test_a_broken_part_that_is_not_needed_is_a_warning(tmp_path: Path, name: str, warning: str) -> None:
    found = read(word(tmp_path, p("Whole"), **{name: "<w:x"}))
    assert found.text == "Whole"
    assert found.warnings[0].startswith(warning)
    assert found.readable < 1


@pytest.mark.parametrize(("name", "what"), [("styles", "the styles"), ("numbering", "the numbers of lists")])
def test_a_broken_part_without_text_is_a_warning_and_no_loss(tmp_path: Path, name: str, what: str) -> None:
    found = read(word(tmp_path, p("Whole"), **{f"word/{name}.xml": "<w:x"}))
    assert found.text == "Whole"
    assert found.warnings[0].startswith(what)
    assert found.readable == 1


def test_a_damaged_part_that_is_not_needed_is_a_warning(tmp_path: Path) -> None:
    path = word(tmp_path, p("Whole"), **{"word/comments.xml": part("comments", "x" * 500)})
    data = path.read_bytes()
    at = data.rindex(b"word/comments.xml", 0, data.index(b"PK\x01\x02")) + 20
    path.write_bytes(data[:at] + bytes(8) + data[at + 8 :])
    found = read(path)
    assert found.text == "Whole"
    assert found.warnings[0].startswith("the comments (")


def test_a_part_without_a_relationship_that_is_too_large_is_a_warning(tmp_path: Path) -> None:
    large = part("numbering", " " * 65 * 2**20)
    found = read(word(tmp_path, p("Whole"), **{"word/numbering.xml": large}))
    assert found.warnings == (
        "the numbers of lists (word/numbering.xml holds more than 64 MB of XML) could not be read",
    )


def test_a_file_of_pictures_alone_is_refused_as_such(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="holds no text: its pictures are not read"):
        read(word(tmp_path, p("<w:r><w:drawing><a:blip/></w:drawing></w:r>")))


def test_elements_that_stand_where_they_may_not_are_read(tmp_path: Path) -> None:
    body = (
        f"<w:tc>{p('a')}</w:tc><w:tr>{p('b')}</w:tr>{r('loose')}<w:tbl>{p('in')}<w:tr>{p('row')}<w:tc>{r('cell')}"
        "</w:tc></w:tr></w:tbl><w:rPr><w:strike/></w:rPr><w:pPr/><mc:Choice/><mc:Fallback/><w:rt/><w:ruby/><m:t>x</m:t>"
        "<m:e/><w:fldChar w:fldCharType='end'/><w:checked/><w:vMerge/><w:gridSpan/><w:listItem/><w:numPr/><w:del/>"
    )
    assert read(word(tmp_path, body)).text == "a\n\nb\n\nloose\n\nin\n\nrow\n\ncell\n\nx"


def test_tables_and_equations_nested_without_end_are_read(tmp_path: Path) -> None:
    deep = "<w:tbl><w:tr><w:tc>" * 20_000 + p("Deep") + "</w:tc></w:tr></w:tbl>" * 20_000
    assert read(word(tmp_path, deep)).text == "Deep"
    equation = "<m:f><m:num>" * 20_000 + r("7") + "</m:num></m:f>" * 20_000
    assert "7" in read(word(tmp_path, f"<m:oMath>{equation}</m:oMath>")).text


def test_spans_cannot_make_a_small_file_a_huge_text(tmp_path: Path) -> None:
    wide = row(*["<w:tc><w:tcPr><w:gridSpan w:val='999999999'/></w:tcPr><w:p><w:r><w:t>x</w:t></w:r></w:p></w:tc>"])
    assert len(read(word(tmp_path, table(wide * 20_000))).text) < 8 * 2**20
