"""Notes, comments, headers, charts, pictures and files that are set in: read once, tied to their places, or named."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from wordfiles import field, p, part, r, relations, row, sup, table, word

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.docx import read


def note(kind: str, name: int | str, *blocks: str, more: str = "") -> str:
    return f'<w:{kind} w:id="{name}"{more}>{"".join(blocks)}</w:{kind}>'


def reference(kind: str, name: int | str, more: str = "") -> str:
    return f'<w:r><w:{kind}Reference w:id="{name}"{more}/></w:r>'


def notes(kind: str, *inside: str) -> dict[str, str | bytes]:
    return {f"word/{kind}s.xml": part(f"{kind}s", "".join(inside))}


def test_footnotes_and_endnotes_are_tied_to_their_places(tmp_path: Path) -> None:
    feet = notes(
        "footnote",
        note("footnote", 0, p("unseen"), more=' w:type="separator"'),
        note("footnote", 1, p("unseen"), more=' w:type="continuationNotice"'),
        note("footnote", 7, p("Only in summer."), p("And by day.")),
        note("footnote", 8, p()),
    )
    ends = notes("endnote", note("endnote", 7, p("By law.")))
    body = p("30 euros", reference("footnote", 7), " and 80", reference("endnote", 7), reference("footnote", 8), ".")
    body += p("Again", reference("footnote", 7))
    assert read(word(tmp_path, body, **feet, **ends)).text == (
        "30 euros [1] and 80 [i].\n\nAgain [1]\n\n[1] Only in summer.\n\nAnd by day.\n\n[i] By law."
    )


def test_endnotes_alone_are_numbered_in_digits_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    ends = notes("endnote", note("endnote", 2, p("By law.")))
    body = p("80 euros", reference("endnote", 2))
    assert read(word(tmp_path, body, **ends)).text == "80 euros [1]\n\n[1] By law."
    way = '<w:endnotePr><w:numFmt w:val="upperLetter"/><w:numStart w:val="3"/></w:endnotePr>'
    settings = {"word/settings.xml": part("settings", way)}
    assert read(word(tmp_path, body, **ends, **settings)).text == "80 euros [C]\n\n[C] By law."
    assert "[C]" in read(word(tmp_path, body + f"<w:sectPr>{way}</w:sectPr>", **ends)).text


def test_notes_of_two_kinds_have_two_marks(tmp_path: Path) -> None:
    both = notes("footnote", note("footnote", 1, p("Foot."))) | notes("endnote", note("endnote", 1, p("End.")))
    way = '<w:sectPr><w:endnotePr><w:numFmt w:val="decimal"/></w:endnotePr></w:sectPr>'
    text = read(word(tmp_path, p("a", reference("footnote", 1), reference("endnote", 1)) + way, **both)).text
    assert text == "a [1] [endnote 1]\n\n[1] Foot.\n\n[endnote 1] End."


def test_a_note_with_a_mark_of_its_own_has_that(tmp_path: Path) -> None:
    feet = notes("footnote", note("footnote", 1, p("* Only in summer.")))
    mark = '<w:r><w:footnoteReference w:id="1" w:customMarkFollows="1"/><w:t>*</w:t></w:r>'
    assert read(word(tmp_path, p("30 euros", mark, " a day"), **feet)).text == (
        "30 euros [*] a day\n\n[*] Only in summer."
    )


def test_a_deleted_reference_takes_its_note_with_it_and_an_unknown_one_has_no_mark(tmp_path: Path) -> None:
    feet = notes("footnote", note("footnote", 1, p("Gone.")), note("footnote", 2, p("Struck.")))
    struck = '<w:r><w:rPr><w:strike/></w:rPr><w:footnoteReference w:id="2"/></w:r>'
    body = p("Text", f"<w:del>{reference('footnote', 1)}</w:del>", struck, reference("footnote", 9), ".")
    assert read(word(tmp_path, body, **feet)).text == "Text."


def test_comments_are_tied_to_the_end_of_what_they_are_about(tmp_path: Path) -> None:
    said = notes(
        "comment",
        note("comment", 0, p("Paid on 3 May"), more=' w:author="Anna Berg"'),
        note("comment", 1, p("Why?"), more=' w:initials="OB"'),
        note("comment", 2, p("Nowhere")),
    )
    body = (
        p(
            '<w:commentRangeStart w:id="0"/>',
            "The fee",
            '<w:commentRangeEnd w:id="0"/>',
            reference("comment", 0),
            " is 40.",
        )
        + p("On", reference("comment", 1))
        + '<w:commentRangeEnd w:id="2"/>'
    )
    assert read(word(tmp_path, body, **said)).text == (
        "The fee [comment 1] is 40.\n\nOn [comment 2]\n\n"
        "[comment 1] Anna Berg: Paid on 3 May\n\n[comment 2] OB: Why?\n\n[comment] Nowhere"
    )


def test_headers_and_footers_are_read_once_each_without_page_numbers(tmp_path: Path) -> None:
    page = p("Page ", field("PAGE", "3"), " of ", '<w:fldSimple w:instr=" NUMPAGES ">' + r("9") + "</w:fldSimple>")
    parts: dict[str, str | bytes] = {
        "word/header1.xml": part("hdr", p("Contract K-1") + page),
        "word/header2.xml": part("hdr", p("Contract  K-1")),
        "word/header10.xml": part("hdr", p("Draft, page ", field("PAGE", "3"))),
        "word/footer1.xml": part("ftr", p("- 2 -")),
        "word/footer2.xml": part("ftr", p(field("PAGE"))),
        "word/footer3.xml": part("ftr", p("Contract K-1")),
        "word/footer4.xml": part("ftr", p("Error! No text of specified style in document.") + p("Harbour Ltd")),
    }
    assert read(word(tmp_path, p("Body"), **parts)).text == "Contract K-1\n\nDraft,\n\nBody\n\nHarbour Ltd"


def test_what_may_be_written_in_a_header_is_not_text_of_it(tmp_path: Path) -> None:
    held = f"<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent>{r('[Type here]')}</w:sdtContent></w:sdt>"
    text = read(word(tmp_path, p("Body ", held), **{"word/header1.xml": part("hdr", p(held, "Top"))})).text
    assert text == "Top\n\nBody [Type here]"


def chart(*series: str, title: str = "") -> str:
    top = f"<c:title><c:tx><a:p><a:r><a:t>{title}</a:t></a:r></a:p></c:tx></c:title>" if title else ""
    return part("chartSpace", f"<c:chart>{top}<c:plotArea>{''.join(series)}</c:plotArea></c:chart>")


def points(*texts: str, code: str = "") -> str:
    inside = "".join(f'<c:pt idx="{at}"><c:v>{text}</c:v></c:pt>' for at, text in enumerate(texts))
    return f"<c:numCache><c:formatCode>{code}</c:formatCode>{inside}</c:numCache>" if code else inside


def test_a_chart_is_a_table_of_its_values(tmp_path: Path) -> None:
    series = (
        f"<c:ser><c:tx>{points('Summer')}</c:tx><c:cat>{points('North', 'South')}</c:cat>"
        f"<c:val>{points('4.2999999999999998', '2', code='General')}</c:val></c:ser>"
        f"<c:ser><c:tx>{points('Share')}</c:tx><c:cat>{points('North', 'South')}</c:cat>"
        f"<c:val>{points('0.4', 'n/a', code='0%')}</c:val></c:ser>"
    )
    days = f"<c:ser><c:cat>{points('45415', code='m/d/yyyy')}</c:cat><c:val>{points('7', code='0')}</c:val></c:ser>"
    parts: dict[str, str | bytes] = {
        "word/_rels/document.xml.rels": relations(
            ("c1", "chart", "charts/chart1.xml"), ("c2", "chart", "charts/2.xml")
        ),
        "word/charts/chart1.xml": chart(series, title="Fees"),
        "word/charts/2.xml": chart(days),
    }
    body = p('<w:r><w:drawing><c:chart r:id="c1"/></w:drawing></w:r>', "Below.") + p('<w:r><c:chart r:id="c2"/></w:r>')
    assert read(word(tmp_path, body, **parts)).text == (
        "Fees\n\ncategory | Summer | Share\nNorth | 4.3 | 40%\nSouth | 2 | n/a\n\nBelow.\n\n"
        "category | series 1\n2024-05-03 | 7"
    )


def test_the_shapes_of_a_diagram_are_lines(tmp_path: Path) -> None:
    shape = '<dgm:pt type="{0}"><dgm:t><a:p><a:r><a:t>{1}</a:t></a:r></a:p></dgm:t></dgm:pt>'
    data = part("dataModel", shape.format("node", "Apply") + shape.format("pres", "x") + shape.format("node", "Pay"))
    parts = {
        "word/_rels/document.xml.rels": relations(("d", "diagramData", "diagrams/data1.xml")),
        "word/diagrams/data1.xml": data,
    }
    assert read(word(tmp_path, p('<w:r><dgm:relIds r:dm="d"/></w:r>'), **parts)).text == "Apply\nPay"


def test_a_chart_that_is_missing_or_broken_is_a_warning(tmp_path: Path) -> None:
    body = p("Text", '<w:r><c:chart r:id="none"/></w:r>', '<w:r><c:chart r:id="c"/></w:r>')
    parts = {"word/_rels/document.xml.rels": relations(("c", "chart", "c.xml")), "word/c.xml": "<x"}
    found = read(word(tmp_path, body, **parts))
    assert found.text == "Text"
    assert found.warnings[0] == "a chart could not be read"
    assert found.warnings[1].startswith("a chart (word/c.xml is no XML")
    assert found.readable < 0.5


PAGE = "<html><body><h1>Fees</h1><p>The fee is 70.</p></body></html>"
MAIL = (
    "MIME-Version: 1.0\nContent-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html; charset=latin-1\n"
    "Content-Transfer-Encoding: quoted-printable\n\n<p>Caf=E9: the fee is 70.</p>\n"
    "--b\nContent-Type: image/png\n\nx\n--b--\n"
)


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("c.html", PAGE, "# Fees\n\nThe fee is 70."),
        ("c.xhtml", PAGE, "# Fees\n\nThe fee is 70."),
        ("c.txt", "The fee\r\nis 70.", "The fee\nis 70."),
        ("c.mht", MAIL, "Café: the fee is 70."),
        ("c.mht", "MIME-Version: 1.0\nContent-Type: text/plain\n\nThe fee is 70.\n", "The fee is 70."),
        ("c.dat", PAGE, "# Fees\n\nThe fee is 70."),
    ],
)
def test_a_file_that_is_set_in_is_read_at_its_place(tmp_path: Path, name: str, data: str, text: str) -> None:
    parts = {"word/_rels/document.xml.rels": relations(("x", "aFChunk", name)), f"word/{name}": data}
    found = read(word(tmp_path, p("Before") + '<w:altChunk r:id="x"/>' + p("After"), **parts))
    assert found.text == f"Before\n\n{text}\n\nAfter"
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("c.rtf", r"{\rtf1 x}", "it is RTF"),
        ("c.bin", "\0\1", r"it is of the type \.bin"),
        ("c.mht", "MIME-Version: 1.0\nContent-Type: image/png\n\nx", "it holds no page"),
        ("c.html", "<p>\0</p>", "holds NUL|is binary"),
        ("c.docx", "PK\3\4 broken", "is broken"),
    ],
)
def test_a_file_that_is_set_in_and_cannot_be_read_is_a_warning(tmp_path: Path, name: str, data: str, why: str) -> None:
    found = read(word(tmp_path, p("Text") + '<w:altChunk r:id="c"/>', **{f"word/{name}": data}))
    assert found.text == "Text"
    assert found.readable == 0.5
    with pytest.raises(AssertionError, match=why):
        raise AssertionError(found.warnings[0])


def test_files_that_are_set_in_without_relationships_are_found_by_their_names(tmp_path: Path) -> None:
    body = '<w:altChunk r:id="rId7"/><w:altChunk r:id="rId8"/>' + p('<w:r><c:chart r:id="rId9"/></w:r>')
    parts: dict[str, str | bytes] = {
        "word/afchunk2.txt": "two",
        "word/afchunk1.html": "<p>one</p>",
        "word/charts/chart1.xml": chart(f"<c:ser><c:val>{points('7', code='0')}</c:val></c:ser>"),
    }
    assert read(word(tmp_path, body, **parts)).text == "one\n\ntwo\n\ncategory | series 1\n1 | 7"


def nested(depth: int) -> bytes:
    made = BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        inside = p(f"Depth {depth}") + ('<w:altChunk r:id="c"/>' if depth else "")
        file.writestr("word/document.xml", part("document", f"<w:body>{inside}</w:body>"))
        if depth:
            file.writestr("word/c.docx", nested(depth - 1))
    return made.getvalue()


def test_word_files_that_are_set_in_are_read_as_deep_as_people_do_it(tmp_path: Path) -> None:
    found = read(word(tmp_path, p("Top") + '<w:altChunk r:id="c"/>', **{"word/c.docx": nested(4)}))
    assert found.text == "Top\n\nDepth 4\n\nDepth 3\n\nDepth 2"
    assert found.warnings == (
        "a file that is set into the text (word/c.docx: more than 3 files are set into each other) could not be read",
    )


def test_files_that_are_set_in_unpack_to_no_more_than_one_file_may(tmp_path: Path) -> None:
    large = "x" + " " * 60 * 2**20
    found = read(word(tmp_path, p("Top") + '<w:altChunk r:id="c"/>' * 5, **{"word/c.txt": large}))
    assert found.text == "Top" + "\n\nx" * 4
    assert found.warnings == (
        "a file that is set into the text (word/c.txt: unpacks to more than 256 MB: it is not read) could not be read",
    )


def picture(description: str = "", width: int = 1, height: int = 1) -> str:
    return (
        f'<w:r><w:drawing><wp:inline><wp:extent cx="{width * 360_000}" cy="{height * 360_000}"/>'
        f'<wp:docPr id="1" name="Picture 1" descr="{description}"/><a:blip/></wp:inline></w:drawing></w:r>'
    )


@pytest.mark.parametrize(
    ("description", "text"),
    [
        ("Map of the quays", "See [image: Map of the quays]"),
        ("A map&#10;Description automatically generated with low confidence", "See [image: A map]"),
        ("image1.png", "See"),
        ("", "See"),
    ],
)
def test_what_is_said_of_a_picture_is_read(tmp_path: Path, description: str, text: str) -> None:
    found = read(word(tmp_path, p("See", picture(description))))
    assert (found.text, found.warnings) == (text, ())


def test_what_is_said_of_an_older_picture_is_read(tmp_path: Path) -> None:
    old = '<w:r><w:pict><v:shape alt="Map" style="width:90pt;height:90pt"><v:imagedata/></v:shape></w:pict></w:r>'
    assert read(word(tmp_path, p("See", old))).text == "See [image: Map]"


def test_pictures_as_large_as_a_page_are_a_warning(tmp_path: Path) -> None:
    scan = '<w:r><w:pict><v:shape style="width:500.5pt;height:700pt"><v:imagedata/></v:shape></w:pict></w:r>'
    found = read(word(tmp_path, p("Text", picture("", 16, 24), picture("Described", 16, 24), scan)))
    assert found.warnings == ("2 pictures as large as a page are not read",)
    assert found.readable < 0.5


@pytest.mark.parametrize(
    ("element", "warning"),
    [
        ('<w:object><o:OLEObject ProgID="Excel.Sheet.12"/></w:object>', "1 embedded object is not read: Excel sheet"),
        ('<w:object><o:OLEObject ProgID="Odd.1"/></w:object>', "1 embedded object is not read: Odd"),
        ('<w:object><o:OLEObject ProgID="Equation.3"/></w:object>', "1 equation in an older format is not read"),
        ('<w:control w:shapeid="x"/>', "1 ActiveX control is not read"),
    ],
)
def test_an_object_that_is_not_read_is_a_warning(tmp_path: Path, element: str, warning: str) -> None:
    found = read(word(tmp_path, p("Text", f"<w:r>{element}</w:r>")))
    assert found.warnings == (warning,)
    assert found.readable < 1


def test_a_picture_that_stands_in_an_older_form_too_is_counted_once(tmp_path: Path) -> None:
    old = '<w:pict><v:shape style="width:500pt;height:700pt"><v:imagedata/></v:shape></w:pict>'
    both = f"<mc:AlternateContent><mc:Choice>{picture('', 16, 24)}</mc:Choice><mc:Fallback>{old}</mc:Fallback>"
    found = read(word(tmp_path, p("Text", f"<w:r>{both}</mc:AlternateContent></w:r>")))
    assert found.warnings == ("1 picture as large as a page is not read",)


def test_embedded_files_are_a_warning_unless_they_hold_the_values_of_a_chart(tmp_path: Path) -> None:
    parts: dict[str, str | bytes] = {
        "word/embeddings/sheet1.xlsx": "x",
        "word/embeddings/sheet2.xlsx": "x",
        "word/embeddings/object.bin": "x",
        "word/charts/chart1.xml": chart(),
        "word/charts/_rels/chart1.xml.rels": relations(("e", "package", "../embeddings/sheet1.xlsx")),
    }
    shown = '<w:r><w:object><o:OLEObject ProgID="Package"/></w:object></w:r>'
    found = read(word(tmp_path, p("Text", shown), **parts))
    assert found.warnings == ("1 embedded object is not read: file", "1 embedded object is not read: Excel sheet")


def test_a_file_of_nothing_but_an_object_is_refused_as_such(tmp_path: Path) -> None:
    shown = '<w:r><w:object><o:OLEObject ProgID="Excel.Sheet.12"/></w:object></w:r>'
    with pytest.raises(UnreadableFile, match="holds no text: 1 embedded object is not read: Excel sheet"):
        read(word(tmp_path, p(shown)))


def test_a_part_of_the_text_in_another_file_is_a_warning(tmp_path: Path) -> None:
    found = read(word(tmp_path, p("Text") + '<w:subDoc r:id="x"/>'))
    assert found.warnings == ("a part of the text that is kept in another file could not be read",)


def test_a_mark_that_was_raised_by_hand_is_set_apart_in_a_table_too(tmp_path: Path) -> None:
    assert (
        read(word(tmp_path, table(row("Fee", p("120", sup("3")).join(("<w:tc>", "</w:tc>")))))).text == "Fee | 120 [3]"
    )
