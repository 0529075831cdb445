"""OpenDocument texts, spreadsheets and presentations are read in order, without what was deleted or struck out."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.odf import read

SPACES = " ".join(
    f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for short, name in (
        *(("office", "office"), ("text", "text"), ("table", "table"), ("style", "style"), ("draw", "drawing")),
        *(("presentation", "presentation"), ("fo", "xsl-fo-compatible"), ("svg", "svg-compatible")),
    )
)
SPACES += ' xmlns:xlink="http://www.w3.org/1999/xlink"'


def test_headings_paragraphs_and_white_space_are_read(tmp_path: Path) -> None:
    body = (
        '<text:p text:style-name="Title">Port of\n   Visby</text:p><text:h text:outline-level="2">Fees</text:h>'
        '<text:p>The<text:s text:c="3"/>fee<text:tab/>is<text:line-break/>40 <text:a>euros</text:a>.</text:p><text:p/>'
    )
    look = '<style:style style:name="Title" style:family="paragraph"/>'
    assert read(text(tmp_path, body, look)).text == "# Port of Visby\n\n## Fees\n\nThe fee\tis\n40 euros."


def test_struck_out_hidden_and_deleted_text_is_dropped(tmp_path: Path) -> None:
    look = (
        '<style:style style:name="Old"><style:text-properties style:text-line-through-style="solid"/></style:style>'
        '<style:style style:name="T1" style:parent-style-name="Old"/>'
        '<style:style style:name="T2"><style:text-properties text:display="none"/></style:style>'
        '<style:style style:name="T3"><style:text-properties style:text-line-through-style="none"/></style:style>'
    )
    body = (
        "<text:tracked-changes><text:deletion><text:p>gone</text:p></text:deletion></text:tracked-changes>"
        '<text:p>The fee is <text:span text:style-name="T1">70 </text:span>90'
        '<text:span text:style-name="T2"> x</text:span>'
        '<text:change text:change-id="1"/><text:span text:style-name="T3"> euros</text:span>.</text:p>'
        '<text:p text:style-name="T1">An old line</text:p>'
        '<text:section text:display="none"><text:p>hidden</text:p></text:section>'
    )
    assert read(text(tmp_path, body, look)).text == "The fee is 90 euros."


def test_raised_and_lowered_text_is_never_one_number(tmp_path: Path) -> None:
    look = (
        '<style:style style:name="Up"><style:text-properties style:text-position="super 58%"/></style:style>'
        '<style:style style:name="Down"><style:text-properties style:text-position="-8% 58%"/></style:style>'
    )
    body = (
        '<text:p>10<text:span text:style-name="Up">6</text:span> litres of '
        'H<text:span text:style-name="Down">2</text:span>O, '
        '120<text:span text:style-name="Up">3</text:span> euros</text:p>'
    )
    assert read(text(tmp_path, body, look)).text == "10^6 litres of H_2O, 120 [3] euros"


def test_notes_are_tied_to_their_place_and_comments_stand_there(tmp_path: Path) -> None:
    body = (
        "<text:p>The fee<text:note><text:note-citation>1</text:note-citation>"
        "<text:note-body><text:p>In summer.</text:p>"
        "</text:note-body></text:note> is 40<office:annotation><dc:creator xmlns:dc='d'>Olof</dc:creator>"
        "<text:p>check this</text:p></office:annotation>.</text:p><text:p>End</text:p>"
    )
    assert read(text(tmp_path, body)).text == "The fee [1] is 40 [comment: check this].\n\nEnd\n\n[1] In summer."


def test_list_items_have_their_numbers(tmp_path: Path) -> None:
    look = (
        '<text:list-style style:name="L1"><text:list-level-style-number text:level="1" style:num-format="1"'
        ' style:num-suffix="." text:start-value="3"/><text:list-level-style-number text:level="2"'
        ' style:num-format="a" style:num-suffix=")" text:display-levels="2"/></text:list-style>'
        '<text:list-style style:name="L2"><text:list-level-style-bullet text:level="1"/></text:list-style>'
    )
    item = "<text:list-item><text:p>{}</text:p></text:list-item>"
    inner = f"<text:list>{item.format('by card')}{item.format('by bill')}</text:list>"
    body = (
        f'<text:list text:style-name="L1"><text:list-item><text:p>Pay</text:p>{inner}</text:list-item>'
        f"{item.format('Moor')}</text:list><text:p>Then</text:p>"
        f'<text:list text:style-name="L1" text:continue-numbering="true">{item.format("Leave")}</text:list>'
        f'<text:list text:style-name="L2">{item.format("Bring a rope")}</text:list>'
    )
    assert read(text(tmp_path, body, look)).text == (
        "3. Pay\n3.a) by card\n3.b) by bill\n4. Moor\n\nThen\n\n5. Leave\n\n- Bring a rope"
    )


def test_headings_have_the_numbers_of_the_outline(tmp_path: Path) -> None:
    look = (
        '<text:outline-style><text:outline-level-style text:level="1" style:num-format="1"/>'
        '<text:outline-level-style text:level="2" style:num-format="1" text:display-levels="2"/></text:outline-style>'
    )
    body = "".join(
        f'<text:h text:outline-level="{level}">{said}</text:h>' for level, said in ((1, "A"), (2, "B"), (1, "C"))
    )
    assert read(text(tmp_path, body, look)).text == "# 1 A\n\n## 1.1 B\n\n# 2 C"


def test_spanned_cells_stand_in_each_place(tmp_path: Path) -> None:
    body = (
        "<table:table><table:table-header-rows><table:table-row>"
        f"{cell('quay')}{cell('fees', wide=2)}<table:covered-table-cell/></table:table-row></table:table-header-rows>"
        f"<table:table-row>{cell('North', high=2)}{cell('summer')}{cell('40')}</table:table-row>"
        f"<table:table-row><table:covered-table-cell/>{cell('winter')}{cell('25')}</table:table-row></table:table>"
    )
    assert read(text(tmp_path, body)).text == "quay | fees | fees\nNorth | summer | 40\nNorth | winter | 25"


def test_boxes_pictures_and_formulas_are_read(tmp_path: Path) -> None:
    body = (
        "<text:p>A box:<draw:frame><draw:text-box><text:p>Closed in May</text:p></draw:text-box></draw:frame></text:p>"
        "<text:p><draw:frame><svg:desc>The quay</svg:desc><draw:image/></draw:frame></text:p>"
        '<text:p><draw:frame><draw:object xlink:href="./Object 1"/></draw:frame></text:p>'
    )
    formula = "<math><semantics><mn>1</mn><annotation>1 over 2</annotation></semantics></math>"
    made = read(text(tmp_path, body, parts={"Object 1/content.xml": formula})).text
    assert made == "Closed in May\n\nA box:\n\nThe quay\n\n1 over 2"


def test_a_type_that_is_only_named_does_no_harm_and_entities_are_refused(tmp_path: Path) -> None:
    body = '<text:p>Area:<draw:frame><draw:object xlink:href="./Object 1"/></draw:frame></text:p>'
    formula = (
        '<!DOCTYPE math PUBLIC "-//OpenOffice.org//DTD Modified W3C MathML 1.01//EN" "math.dtd"><math><mi>x</mi></math>'
    )
    assert "x" in read(text(tmp_path, body, parts={"Object 1/content.xml": formula})).text
    for declared in ('<!ENTITY b "cc">', '<!ATTLIST math b CDATA "cc">'):
        path = text(tmp_path, body, parts={"Object 1/content.xml": f"<!DOCTYPE math [{declared}]><math/>"})
        with pytest.raises(UnreadableFile, match="declares a type of its own"):
            read(path)


def test_an_embedded_object_that_is_not_read_is_said(tmp_path: Path) -> None:
    body = '<text:p>Chart:<draw:frame><draw:object xlink:href="./Object 1"/></draw:frame></text:p>'
    assert read(text(tmp_path, body, parts={"Object 1/content.xml": "<chart/>"})).warnings == (
        "an embedded object is not read: Object 1",
    )
    rows = f"<chart><table:table {SPACES}>{row(cell('quay'), cell('40'))}</table:table></chart>"
    made = read(text(tmp_path, body, parts={"Object 1/content.xml": rows}))
    assert "quay | 40" in made.text
    assert made.warnings == ()


def test_headers_and_footers_are_read_once(tmp_path: Path) -> None:
    look = (
        "<style:master-page><style:header><text:p>Harbour office</text:p></style:header>"
        "<style:footer><text:p>Page <text:page-number>1</text:page-number></text:p></style:footer></style:master-page>"
        "<style:master-page><style:header><text:p>Harbour office</text:p></style:header></style:master-page>"
    )
    assert read(text(tmp_path, "<text:p>Fees</text:p>", look)).text == "Harbour office\n\nFees"


# Spreadsheets


def test_the_rows_of_a_sheet_name_their_columns(tmp_path: Path) -> None:
    sheet = f"{row(cell('quay'), cell('fee'))}{row(cell('North'), cell('40,50 €'))}"
    assert read(sheets(tmp_path, sheet)).text == "# Sheet 1\n\nquay: North; fee: 40,50 €"


def test_repeated_cells_are_repeated_and_claims_of_all_cells_take_no_time(tmp_path: Path) -> None:
    empty = '<table:table-cell table:number-columns-repeated="16384"/>'
    sheet = (
        row(cell("quay"), cell("summer"), cell("winter"))
        + row(cell("North"), cell("40", repeated=2), empty)
        + f'<table:table-row table:number-rows-repeated="1048576">{empty}</table:table-row>'
    )
    assert read(sheets(tmp_path, sheet)).text == "# Sheet 1\n\nquay: North; summer: 40; winter: 40"
    bomb = f'<table:table-row table:number-rows-repeated="1048576">{cell("x", repeated=16384)}</table:table-row>'
    start = time.monotonic()
    assert "x" in read(sheets(tmp_path, bomb * 5)).text
    assert time.monotonic() - start < 10


def test_hidden_sheets_and_rows_are_read_with_a_mention(tmp_path: Path) -> None:
    look = '<style:style style:name="ta1"><style:table-properties table:display="false"/></style:style>'
    sheet = row(cell("quay"), cell("fee")) + row(cell("North"), cell("40")).replace(
        "<table:table-row>", '<table:table-row table:visibility="collapse">'
    )
    assert read(sheets(tmp_path, sheet, look)).text == (
        "# Sheet 1 (hidden sheet)\n\nquay: North; fee: 40\n\n(hidden in the sheet: rows 2)"
    )


def test_spanned_cells_and_comments_of_a_sheet(tmp_path: Path) -> None:
    note = "<office:annotation><text:p>not in May</text:p></office:annotation>"
    sheet = (
        row(cell("quay"), cell("season"), cell("fee"))
        + row(cell("North", high=2), cell("summer"), cell("40").replace("<text:p>", f"{note}<text:p>"))
        + row("<table:covered-table-cell/>", cell("winter"), cell("25"))
    )
    assert read(sheets(tmp_path, sheet)).text == (
        "# Sheet 1\n\nquay: North; season: summer; fee: 40 [comment: not in May]\n\n"
        "quay: North; season: winter; fee: 25"
    )


# Presentations


def test_slides_are_read_under_their_titles_with_notes(tmp_path: Path) -> None:
    frame = '<draw:frame presentation:class="{}"><draw:text-box><text:p>{}</text:p></draw:text-box></draw:frame>'
    notes = (
        f"<presentation:notes>{frame.format('notes', 'Say it slowly')}{frame.format('page', '1')}</presentation:notes>"
    )
    pages = (
        f"<draw:page>{frame.format('subtitle', 'In summer')}{frame.format('title', 'Fees')}{notes}</draw:page>"
        "<draw:page><draw:frame><draw:image/></draw:frame></draw:page><draw:page/>"
    )
    made = read(written(tmp_path, f"<office:presentation>{pages}</office:presentation>"))
    assert made.text == "# Fees\n\nIn summer\n\nNotes: Say it slowly"
    assert made.warnings == ("slide 2 of 3 holds no text: it is an image",)
    assert made.readable == 0.5
    assert len(made.pages) == 3


# What is refused


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    manifest = f'<m:manifest xmlns:m="m" {SPACES}><m:file-entry><m:encryption-data/></m:file-entry></m:manifest>'
    with pytest.raises(UnreadableFile, match="is encrypted"):
        read(text(tmp_path, "<text:p>x</text:p>", parts={"META-INF/manifest.xml": manifest}))


REFUSED = {
    "no text": ("<text:p/>", "is empty"),
    "a picture": ("<text:p><draw:frame><draw:image/></draw:frame></text:p>", "holds images only"),
    "too deep": ("<text:section>" * 400 + "</text:section>" * 400, "nests more than"),
    "spans that are too deep": (f"<text:p>{'<text:span>' * 400}x{'</text:span>' * 400}</text:p>", "nests more than"),
    "no XML": ("<text:p>", "is no XML"),
}


@pytest.mark.parametrize(("body", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_refused(tmp_path: Path, body: str, reason: str) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        read(text(tmp_path, body))


def test_a_file_without_its_parts_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.odt", "w") as file:
        file.writestr("mimetype", "x")
    with pytest.raises(UnreadableFile, match=r"holds no content\.xml"):
        read(tmp_path / "a.odt")
    with pytest.raises(UnreadableFile, match="holds no text, spreadsheet or presentation"):
        read(written(tmp_path, "<office:drawing/>"))


def cell(said: str, wide: int = 1, high: int = 1, repeated: int = 1) -> str:
    about = f'table:number-columns-spanned="{wide}" table:number-rows-spanned="{high}"'
    about += f' table:number-columns-repeated="{repeated}"'
    return f"<table:table-cell {about}><text:p>{said}</text:p></table:table-cell>"


def row(*cells: str) -> str:
    return f"<table:table-row>{''.join(cells)}</table:table-row>"


def text(folder: Path, body: str, look: str = "", parts: Mapping[str, str] | None = None) -> Path:
    return written(folder, f"<office:text>{body}</office:text>", look, parts)


def sheets(folder: Path, rows: str, look: str = "") -> Path:
    table = f'<table:table table:name="Sheet 1" table:style-name="ta1">{rows}</table:table>'
    return written(folder, f"<office:spreadsheet>{table}</office:spreadsheet>", look)


def written(folder: Path, body: str, look: str = "", parts: Mapping[str, str] | None = None) -> Path:
    path = folder / "a.odt"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(
            "content.xml",
            f"<office:document-content {SPACES}><office:body>{body}</office:body></office:document-content>",
        )
        file.writestr("styles.xml", f"<office:document-styles {SPACES}>{look}</office:document-styles>")
        for name, part in (parts or {}).items():
            file.writestr(name, part)
    return path
