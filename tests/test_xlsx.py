"""Workbooks: cells as they are shown, rows that name their columns, and nothing that a sheet only claims to hold."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from wordfiles import OFFICE, relations

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.xlsx import read

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATED = f"{OFFICE}/relationships"
QUAYS = (
    '<row r="1"><c r="A1" t="inlineStr"><is><t>quay</t></is></c><c r="B1" t="inlineStr"><is><t>fee</t></is></c></row>'
)


def test_each_row_names_its_columns_below_the_name_of_its_sheet(tmp_path: Path) -> None:
    path = book(tmp_path, {"Fees": rows(["quay", "fee"], ["North", 40], ["South", 25.5]), "Posts": rows(["a"], ["b"])})
    assert read(path).text == "# Fees\n\nquay: North; fee: 40\n\nquay: South; fee: 25.5\n\n# Posts\n\na\n\nb"


FORMATS = {
    "percent": (0.25, "0%", "25%"),
    "percent with decimals": (0.2567, "0.0%", "25.7%"),
    "date": (45292, "dd/mm/yyyy", "2024-01-01"),
    "date and time": (45292.5, "m/d/yy h:mm", "2024-01-01 12:00"),
    "month": (45292, "[$-409]mmmm\\ yyyy", "January 2024"),
    "time": (0.75, "h:mm AM/PM", "18:00"),
    "hours": (1.1, "[h]:mm", "26:24"),
    "dollars": (1234.5, '"$"#,##0.00', "$1,234.50"),
    "euros": (1234.5, '#,##0.00\\ "€"', "1,234.50 €"),
    "a land's currency": (1234.5, "[$€-407] #,##0.00", "€ 1,234.50"),
    "account": (-1234.5, '_($* #,##0.00_);_($* \\(#,##0.00\\);_($* "-"??_);_(@_)', "$(1,234.50)"),
    "red": (-5, "0.00;[Red]-0.00", "-5.00"),
    "millions": (12_345_678, '0.0,,"M"', "12.3M"),
    "fraction": (1.5, "# ?/?", "1 1/2"),
    "leading zeros": (5, "000", "005"),
    "unit": (12, '0" kg"', "12 kg"),
    "text": (12, "@", "12"),
    "hidden by its format": (12, ";;;", "12"),
    "words": (1, '"yes";;"no"', "yes"),
    "no format": (0.1 + 0.2, "General", "0.3"),
    "a date that is none": (9e9, "yyyy-mm-dd", "9000000000"),
}


@pytest.mark.parametrize(("number", "code", "shown"), FORMATS.values(), ids=FORMATS)
def test_numbers_are_read_as_they_are_shown(tmp_path: Path, number: float, code: str, shown: str) -> None:
    sheet = (
        QUAYS + f'<row r="2"><c r="A2" t="inlineStr"><is><t>North</t></is></c><c r="B2" s="1"><v>{number}</v></c></row>'
    )
    assert read(book(tmp_path, {"Fees": sheet}, codes=[code])).text == f"# Fees\n\nquay: North; fee: {shown}"


def test_days_may_be_counted_from_1904(tmp_path: Path) -> None:
    sheet = QUAYS + '<row r="2"><c r="B2" s="1"><v>0</v></c></row>'
    path = book(tmp_path, {"Fees": sheet}, codes=["yyyy-mm-dd"], about='<workbookPr date1904="1"/>')
    assert "fee: 1904-01-01" in read(path).text


def test_truths_errors_and_saved_values_of_formulas_are_read(tmp_path: Path) -> None:
    sheet = QUAYS + (
        '<row r="2"><c r="A2" t="b"><v>1</v></c><c r="B2"><f>SUM(C1:C9)</f><v>40</v></c></row>'
        '<row r="3"><c r="A3" t="e"><v>#N/A</v></c><c r="B3" t="str"><f>A1&amp;"x"</f><v>quayx</v></c></row>'
        '<row r="4"><c r="A4" t="d"><v>2024-05-01T00:00:00</v></c><c r="B4" t="str"><f>IF(1,"")</f></c></row>'
    )
    made = read(book(tmp_path, {"Fees": sheet}))
    assert made.text == "# Fees\n\nquay: TRUE; fee: 40\n\nquay: #N/A; fee: quayx\n\nquay: 2024-05-01"
    assert (made.warnings, made.readable) == ((), 1.0)


def test_a_formula_that_was_saved_without_its_value_is_said(tmp_path: Path) -> None:
    sheet = QUAYS + '<row r="2"><c r="A2" t="inlineStr"><is><t>North</t></is></c><c r="B2"><f>20*2</f></c></row>'
    made = read(book(tmp_path, {"Fees": sheet}))
    assert "North" in made.text
    assert "20*2" not in made.text
    [warning] = made.warnings
    assert warning.startswith("formulas were saved without their values (B2 of 'Fees')")
    assert made.readable == 0.75


def test_shared_texts_keep_powers_and_drop_what_is_struck_out(tmp_path: Path) -> None:
    shared = (
        "<si><t>quay</t></si><si><t>fee</t></si>"
        "<si><r><rPr><strike/></rPr><t>70 </t></r><r><t>90 per 10</t></r>"
        '<r><rPr><vertAlign val="superscript"/></rPr><t>6</t></r><rPh sb="0" eb="1"><t>kana</t></rPh></si>'
    )
    sheet = (
        '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>'
        '<row r="2"><c r="A2" t="s"><v>2</v></c><c r="B2"><v>4</v></c></row>'
    )
    assert read(book(tmp_path, {"Fees": sheet}, shared=shared)).text == "# Fees\n\nquay: 90 per 10^6; fee: 4"


def test_a_cell_of_a_struck_out_style_is_dropped(tmp_path: Path) -> None:
    sheet = QUAYS + '<row r="2"><c r="A2" s="2"><v>70</v></c><c r="B2"><v>90</v></c></row>'
    assert read(book(tmp_path, {"Fees": sheet}, codes=["0"])).text == "# Fees\n\nfee: 90"


def test_spanned_cells_stand_in_each_row_and_a_header_of_two_rows_is_one(tmp_path: Path) -> None:
    sheet = rows(["quay", "2023", "", "2024", ""], ["", "summer", "winter", "summer", "winter"])
    sheet += '<row r="3"><c r="A3" t="inlineStr"><is><t>North</t></is></c><c r="B3"><v>1</v></c><c r="C3"><v>2</v></c>'
    sheet += '<c r="D3"><v>3</v></c><c r="E3"><v>4</v></c></row><row r="4"><c r="B4"><v>5</v></c></row>'
    text = read(book(tmp_path, {"Fees": sheet}, spans=["A1:A2", "B1:C1", "D1:E1", "A3:A4"])).text
    assert text == (
        "# Fees\n\nquay: North; 2023 summer: 1; 2023 winter: 2; 2024 summer: 3; 2024 winter: 4\n\n"
        "quay: North; 2023 summer: 5"
    )


def test_a_title_over_all_columns_is_said_once(tmp_path: Path) -> None:
    sheet = rows(["Fees of 2024", "", ""], ["quay", "season", "fee"], ["North", "summer", 40])
    text = read(book(tmp_path, {"Fees": sheet}, spans=["A1:C1"])).text
    assert text == "# Fees\n\nFees of 2024\n\nquay: North; season: summer; fee: 40"


def test_rows_without_a_header_are_rows(tmp_path: Path) -> None:
    assert (
        read(book(tmp_path, {"A": rows(["Widget A", 120], ["Widget B", 180])})).text
        == "# A\n\nWidget A | 120\nWidget B | 180"
    )


def test_hidden_sheets_rows_and_columns_are_read_with_a_mention(tmp_path: Path) -> None:
    sheet = '<cols><col min="2" max="2" hidden="1"/></cols><sheetData>' + QUAYS
    sheet += '<row r="2" hidden="1"><c r="A2"><v>1</v></c><c r="B2"><v>2</v></c></row></sheetData>'
    text = read(book(tmp_path, {"Fees": sheet}, state="veryHidden")).text
    assert text == "# Fees (hidden sheet)\n\nquay: 1; fee: 2\n\n(hidden in the sheet: rows 2 and columns B)"


def test_comments_stand_in_their_cell(tmp_path: Path) -> None:
    text = "<text><r><t>not in </t></r><r><t>May</t></r></text>"
    comments = f'<comments xmlns="{MAIN}"><commentList><comment ref="B2">{text}</comment></commentList></comments>'
    parts = {"xl/comments1.xml": comments}
    path = book(
        tmp_path, {"Fees": rows(["quay", "fee"], ["North", 40])}, parts=parts, links={"comments": "../comments1.xml"}
    )
    assert read(path).text == "# Fees\n\nquay: North; fee: 40 [comment: not in May]"


def test_boxes_and_charts_over_a_sheet_are_read(tmp_path: Path) -> None:
    box = "<xdr:sp><xdr:txBody><a:p><a:r><a:t>Closed in May</a:t></a:r></a:p></xdr:txBody></xdr:sp>"
    path = book(
        tmp_path,
        {"Fees": ""},
        parts={"xl/drawings/drawing1.xml": drawing(box)},
        links={"drawing": "../drawings/drawing1.xml"},
    )
    assert read(path).text == "# Fees\n\nClosed in May"


def test_a_sheet_that_holds_only_a_picture_is_said(tmp_path: Path) -> None:
    parts = {
        "xl/drawings/drawing1.xml": drawing(
            '<xdr:pic><xdr:nvPicPr><xdr:cNvPr id="1" descr="logo.png"/></xdr:nvPicPr></xdr:pic>'
        )
    }
    links = {"drawing": "../drawings/drawing1.xml"}
    made = read(book(tmp_path, {"Fees": "", "Posts": rows(["a"], ["b"])}, parts=parts, links=links))
    assert made.warnings == ("sheet 'Fees' holds no text: it is an image",)
    assert made.readable == 0.5
    with pytest.raises(UnreadableFile, match="holds images only"):
        read(book(tmp_path, {"Fees": ""}, parts=parts, links=links))


def test_headers_and_footers_are_read_without_their_fields(tmp_path: Path) -> None:
    sheet = "<sheetData>" + QUAYS + '<row r="2"><c r="B2"><v>4</v></c></row></sheetData><headerFooter>'
    sheet += '<oddHeader>&amp;L&amp;"Arial,Bold"Harbour office&amp;R&amp;D</oddHeader>'
    sheet += "<oddFooter>Page &amp;P</oddFooter></headerFooter>"
    assert read(book(tmp_path, {"Fees": sheet})).text == "# Fees\n\nfee: 4\n\nHarbour office"


# Files of other kinds and hostile ones


def test_a_header_of_signs_takes_no_time(tmp_path: Path) -> None:
    sheet = f"<sheetData>{QUAYS}</sheetData><headerFooter><oddHeader>{'/' * 5_000}x</oddHeader></headerFooter>"
    began = time.perf_counter()
    assert read(book(tmp_path, {"Fees": sheet})).text.endswith("/x")
    assert time.perf_counter() - began < 5


def test_the_parts_of_the_strict_kind_and_of_other_names_are_found(tmp_path: Path) -> None:
    path = book(tmp_path, {"Fees": rows(["quay", "fee"], ["North", 40])}, main="book/main1.xml", strict=True)
    assert read(path).text == "# Fees\n\nquay: North; fee: 40"


def test_a_sheet_that_claims_all_cells_takes_no_time(tmp_path: Path) -> None:
    sheet = '<dimension ref="A1:XFD1048576"/><sheetData>' + QUAYS
    sheet += '<row r="1048576"><c r="XFD1048576"><v>7</v></c></row></sheetData>'
    path = book(tmp_path, {"Fees": sheet}, spans=["A1:XFD1048576", "A2:XFD1048576"])
    start = time.monotonic()
    assert "7" in read(path).text
    assert time.monotonic() - start < 5


def test_cells_in_places_that_there_are_not_are_put_in_the_next(tmp_path: Path) -> None:
    sheet = '<row><c t="inlineStr"><is><t>quay</t></is></c><c t="inlineStr"><is><t>fee</t></is></c></row>'
    sheet += '<row r="9999999"><c r="ZZZ1"><v>1</v></c><c r="nonsense"><v>2</v></c></row>'
    assert read(book(tmp_path, {"Fees": sheet})).text == "# Fees\n\nquay: 1; fee: 2"


BROKEN = {
    "no zip": (b"words", "is broken"),
    "empty": (b"", "is empty"),
    "a password": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "is encrypted"),
}


@pytest.mark.parametrize(("content", "reason"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_workbook_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.xlsx").write_bytes(content)
    with pytest.raises(UnreadableFile, match=reason):
        read(tmp_path / "a.xlsx")


def test_a_workbook_without_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="is empty"):
        read(book(tmp_path, {"Fees": ""}))
    with pytest.raises(UnreadableFile, match="formulas without saved values"):
        read(book(tmp_path, {"Fees": '<row r="1"><c r="A1"><f>1+1</f></c></row>'}))


def test_entities_and_broken_xml_are_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "cccccccc"><!ENTITY d "&b;&b;&b;&b;">]>'
    with pytest.raises(UnreadableFile, match="declares a type of its own"):
        read(book(tmp_path, {"Fees": rows(["a"], ["b"])}, before=bomb))
    with pytest.raises(UnreadableFile, match="is no XML"):
        read(book(tmp_path, {"Fees": "<row>"}))


def test_a_package_without_a_main_part_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as file:
        file.writestr("readme.txt", "words")
    with pytest.raises(UnreadableFile, match="does not say which part is its main one"):
        read(tmp_path / "a.xlsx")


def rows(*found: list[str | float]) -> str:
    made = ""
    for row, cells in enumerate(found, start=1):
        made += f'<row r="{row}">'
        for at, cell in enumerate(cells):
            place = f"{chr(ord('A') + at)}{row}"
            if isinstance(cell, str):
                made += f'<c r="{place}" t="inlineStr"><is><t>{cell}</t></is></c>' if cell else ""
            else:
                made += f'<c r="{place}"><v>{cell}</v></c>'
        made += "</row>"
    return made


def drawing(inside: str) -> str:
    return (
        '<xdr:wsDr xmlns:xdr="http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing"'
        f' xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main">{inside}</xdr:wsDr>'
    )


def related(links: Mapping[str, str], kind: str = RELATED) -> str:
    named = ((f"r{at}", name.split(":")[0], target) for at, (name, target) in enumerate(links.items(), start=1))
    return relations(*named, base=kind)


def book(
    folder: Path,
    sheets: Mapping[str, str],
    *,
    codes: list[str] | None = None,
    shared: str = "",
    spans: list[str] | None = None,
    state: str = "visible",
    about: str = "",
    parts: Mapping[str, str] | None = None,
    links: Mapping[str, str] | None = None,
    main: str = "xl/workbook.xml",
    strict: bool = False,
    before: str = "",
) -> Path:
    """A workbook of these sheets; `parts` and `links` belong to the first of them. Styles: 0 none, 1 the first of
    `codes`, 2 struck out."""
    kind = "http://purl.oclc.org/ooxml/officeDocument/relationships" if strict else RELATED
    space = "http://purl.oclc.org/ooxml/spreadsheetml/main" if strict else MAIN
    names = {f"worksheet:{at}": f"sheets/part{at}.xml" for at in range(len(sheets))}
    listed = "".join(
        f'<sheet name="{name}" sheetId="{at}" state="{state}" r:id="r{at}"/>' for at, name in enumerate(sheets, start=1)
    )
    merged = "".join(f'<mergeCell ref="{span}"/>' for span in spans or ())
    formats = "".join(
        f'<numFmt numFmtId="{164 + at}" formatCode="{escaped(code)}"/>' for at, code in enumerate(codes or ())
    )
    styled = "".join(f'<xf numFmtId="{164 + at}" fontId="0"/>' for at in range(len(codes or ())))
    home = main.rpartition("/")[0]
    path = folder / "a.xlsx"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("_rels/.rels", related({"officeDocument": main}, kind))
        file.writestr(main, f'<workbook xmlns="{space}" xmlns:r="{kind}">{about}<sheets>{listed}</sheets></workbook>')
        others = {"sharedStrings": "texts.xml", "styles": "look.xml"}
        file.writestr(f"{home}/_rels/{main.rpartition('/')[2]}.rels", related({**names, **others}, kind))
        file.writestr(f"{home}/texts.xml", f'<sst xmlns="{space}">{shared}</sst>')
        file.writestr(
            f"{home}/look.xml",
            f'<styleSheet xmlns="{space}"><numFmts>{formats}</numFmts><fonts><font/><font><strike/></font></fonts>'
            f'<cellXfs><xf numFmtId="0" fontId="0"/>{styled}<xf numFmtId="0" fontId="1"/></cellXfs></styleSheet>',
        )
        for at, sheet in enumerate(sheets.values()):
            inside = sheet if "<sheetData" in sheet else f"<sheetData>{sheet}</sheetData>"
            file.writestr(
                f"{home}/sheets/part{at}.xml",
                f'{before}<worksheet xmlns="{space}">{inside}<mergeCells>{merged}</mergeCells></worksheet>',
            )
        for name, text in (parts or {}).items():
            file.writestr(name, text)
        if links:
            file.writestr(f"{home}/sheets/_rels/part0.xml.rels", related(links, kind))
    return path


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;")
