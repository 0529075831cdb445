"""The numbers of a Word file's lists and headings are written out as Word shows them."""

from __future__ import annotations

from pathlib import Path

import pytest
from wordfiles import cell, p, part, row, table, word

from selfroute.ingest.formats.docx import read
from selfroute.ingest.formats.docx.numbering import shown


def level(at: int, pattern: str, kind: str = "decimal", more: str = "", start: str = '<w:start w:val="1"/>') -> str:
    return f'<w:lvl w:ilvl="{at}">{start}<w:numFmt w:val="{kind}"/>{more}<w:lvlText w:val="{pattern}"/></w:lvl>'


def definition(name: int, *inside: str) -> str:
    return f'<w:abstractNum w:abstractNumId="{name}">{"".join(inside)}</w:abstractNum>'


def use(name: int, of: int, more: str = "") -> str:
    return f'<w:num w:numId="{name}"><w:abstractNumId w:val="{of}"/>{more}</w:num>'


def item(text: str, list_id: int | str = 1, at: int = 0) -> str:
    return p(text, properties=f'<w:numPr><w:ilvl w:val="{at}"/><w:numId w:val="{list_id}"/></w:numPr>')


def text_of(folder: Path, body: str, *numbering: str, styles: str = "") -> str:
    parts: dict[str, str | bytes] = {
        "word/numbering.xml": part("numbering", "".join(numbering)),
        "word/styles.xml": part("styles", styles),
    }
    return read(word(folder, body, **parts)).text


LEGAL = definition(0, level(0, "%1."), level(1, "%1.%2"), level(2, "(%3)", "lowerLetter"))


def test_clauses_have_the_numbers_of_all_their_levels(tmp_path: Path) -> None:
    body = item("Term") + item("Length", at=1) + item("a", at=2) + item("b", at=2) + item("End", at=1) + item("Rent")
    body += item("Sum", at=1) + item("c", at=2)
    assert text_of(tmp_path, body, LEGAL, use(1, 0)) == (
        "1. Term\n1.1 Length\n(a) a\n(b) b\n1.2 End\n2. Rent\n2.1 Sum\n(a) c"
    )


def test_a_level_above_that_was_not_used_counts_from_its_start(tmp_path: Path) -> None:
    assert text_of(tmp_path, item("Deep", at=1) + item("Flat"), LEGAL, use(1, 0)) == "1.1 Deep\n1. Flat"


def test_numbers_go_on_behind_other_text_and_in_another_use_of_the_list(tmp_path: Path) -> None:
    body = item("a") + p("Between.") + item("b") + item("c", 2)
    assert text_of(tmp_path, body, LEGAL, use(1, 0), use(2, 0)) == "1. a\n\nBetween.\n\n2. b\n3. c"


def test_a_list_that_starts_anew_does_so_once(tmp_path: Path) -> None:
    anew = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="7"/></w:lvlOverride>'
    body = item("a") + item("b", 2) + item("c", 2)
    assert text_of(tmp_path, body, LEGAL, use(1, 0), use(2, 0, anew)) == "1. a\n7. b\n8. c"


def test_a_use_of_a_list_may_write_its_numbers_another_way(tmp_path: Path) -> None:
    other = f'<w:lvlOverride w:ilvl="0">{level(0, "Article %1:", "upperRoman")}</w:lvlOverride>'
    assert text_of(tmp_path, item("a") + item("b", 2), LEGAL, use(1, 0), use(2, 0, other)) == "1. a\nArticle II: b"


@pytest.mark.parametrize(
    ("start", "first"), [('<w:start w:val="5"/>', "5."), ("", "0."), ('<w:start w:val="x"/>', "1.")]
)
def test_a_list_counts_from_its_start(tmp_path: Path, start: str, first: str) -> None:
    assert text_of(tmp_path, item("a"), definition(0, level(0, "%1.", start=start)), use(1, 0)) == f"{first} a"


@pytest.mark.parametrize(("restart", "third"), [("", "1.1"), ('<w:lvlRestart w:val="0"/>', "1.2")])
def test_a_level_starts_anew_below_a_new_item_unless_told_not_to(tmp_path: Path, restart: str, third: str) -> None:
    own = definition(0, level(0, "%1."), level(1, "1.%2", more=restart))
    body = item("a") + item("b", at=1) + item("c") + item("d", at=1)
    assert text_of(tmp_path, body, own, use(1, 0)) == f"1. a\n1.1 b\n2. c\n{third} d"


def test_a_legal_number_is_decimal_on_all_levels(tmp_path: Path) -> None:
    own = definition(0, level(0, "%1", "upperRoman"), level(1, "%1.%2", more="<w:isLgl/>"))
    assert text_of(tmp_path, item("a") + item("b", at=1), own, use(1, 0)) == "I a\n1.1 b"


def test_bullets_are_hyphens_and_boxes_are_kept(tmp_path: Path) -> None:
    font = '<w:rPr><w:rFonts w:ascii="Wingdings"/></w:rPr>'
    own = definition(
        0,
        level(0, "\uf0b7", "bullet"),
        level(1, "☒", "bullet"),
        level(2, "\uf0a8", "bullet", more=font),
        level(3, "", "bullet"),
    )
    body = item("a") + item("b", at=1) + item("c", at=2) + item("d", at=3)
    assert text_of(tmp_path, body, own, use(1, 0)) == "- a\n- ☒ b\n- ☐ c\n\nd"


def test_text_alone_may_mark_a_list(tmp_path: Path) -> None:
    own = definition(0, level(0, "Note:", "none"), level(1, "", "none"))
    assert text_of(tmp_path, item("a") + item("b", at=1), own, use(1, 0)) == "Note: a\n\nb"


def test_a_list_may_have_its_levels_by_a_style(tmp_path: Path) -> None:
    for styles in (
        '<w:style w:type="numbering" w:styleId="L"><w:pPr><w:numPr><w:numId w:val="2"/></w:numPr></w:pPr></w:style>',
        "",
    ):
        own = definition(1, '<w:styleLink w:val="L"/>', level(0, "%1)"))
        linked = definition(0, '<w:numStyleLink w:val="L"/>')
        assert text_of(tmp_path, item("a"), linked, own, use(1, 0), use(2, 1), styles=styles) == "1) a"


def test_lists_that_point_to_each_other_without_end_are_bullets(tmp_path: Path) -> None:
    numbered = '<w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr>'
    styles = f'<w:style w:type="numbering" w:styleId="L">{numbered}</w:style>'
    linked = definition(0, '<w:numStyleLink w:val="L"/>')
    assert text_of(tmp_path, item("a") + item("b", 9), linked, use(1, 0), styles=styles) == "- a\n- b"


def test_paragraphs_are_numbered_by_their_style_and_headings_too(tmp_path: Path) -> None:
    style = '<w:style w:type="paragraph" w:styleId="{0}"><w:name w:val="{1}"/>{2}</w:style>'
    numbered = '<w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr>'
    styles = (
        style.format("H1", "heading 1", numbered)
        + style.format("H2", "heading 2", numbered)
        + style.format("Own", "Own", '<w:basedOn w:val="H2"/>')
    )
    own = definition(0, level(0, "%1", more='<w:pStyle w:val="H1"/>'), level(1, "%1.%2", more='<w:pStyle w:val="H2"/>'))
    body = "".join(
        p(text, properties=f'<w:pStyle w:val="{name}"/>{more}')
        for text, name, more in (
            ("Term", "H1", ""),
            ("Rent", "H2", ""),
            ("Costs", "Own", ""),
            ("Plain", "H2", '<w:numPr><w:numId w:val="0"/></w:numPr>'),
            ("Deeper", "H1", '<w:numPr><w:ilvl w:val="1"/></w:numPr>'),
        )
    )
    assert text_of(tmp_path, body, own, use(1, 0), styles=styles) == (
        "# 1 Term\n\n## 1.1 Rent\n\n## 1.2 Costs\n\n## Plain\n\n# 1.3 Deeper"
    )


def test_numbers_in_a_table_are_kept_even_in_empty_cells(tmp_path: Path) -> None:
    body = table(row(cell(item("")), "North"), row(cell(item("")), cell(item("a") + item("b"))))
    assert text_of(tmp_path, body, LEGAL, use(1, 0)) == "1. | North\n2. | 3. a; 4. b"


def test_empty_items_count_and_deleted_ones_do_not(tmp_path: Path) -> None:
    number = '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>'
    deleted = p(properties=f"{number}<w:rPr><w:del/></w:rPr>")
    hidden = p(properties=f"{number}<w:rPr><w:vanish/></w:rPr>")
    assert text_of(tmp_path, item("a") + item("") + deleted + hidden + item("b"), LEGAL, use(1, 0)) == "1. a\n3. b"


def test_an_older_form_of_a_number_is_not_taken_for_the_newer(tmp_path: Path) -> None:
    both = (
        '<mc:AlternateContent><mc:Choice Requires="w14"><w:numFmt w:val="custom" w:format="001, 002, 003, ..."/>'
        '</mc:Choice><mc:Fallback><w:numFmt w:val="decimal"/></mc:Fallback></mc:AlternateContent>'
    )
    own = definition(0, f'<w:lvl w:ilvl="0"><w:start w:val="7"/>{both}<w:lvlText w:val="%1."/></w:lvl>')
    assert text_of(tmp_path, item("a"), own, use(1, 0)) == "007. a"


def test_a_number_is_no_longer_than_a_line(tmp_path: Path) -> None:
    own = definition(0, level(0, "%1" * 500, "lowerLetter", start='<w:start w:val="99999999"/>'))
    assert len(text_of(tmp_path, item("a"), own, use(1, 0))) < 300


@pytest.mark.parametrize(
    ("number", "kind", "text"),
    [
        (4, "decimal", "4"),
        (4, "decimalZero", "04"),
        (4, "upperRoman", "IV"),
        (27, "lowerLetter", "aa"),
        (28, "upperLetter", "BB"),
        (22, "ordinal", "22nd"),
        (13, "ordinal", "13th"),
        (42, "cardinalText", "Forty-two"),
        (105, "cardinalText", "One hundred five"),
        (12, "ordinalText", "Twelfth"),
        (20, "ordinalText", "Twentieth"),
        (21, "ordinalText", "Twenty-first"),
        (5000, "ordinalText", "5000th"),
        (3, "decimalEnclosedCircle", "③"),
        (60, "decimalEnclosedCircle", "(60)"),
        (7, "numberInDash", "- 7 -"),
        (12, "chineseCounting", "十二"),
        (103, "japaneseCounting", "一百零三"),
        (20, "ideographDigital", "二零"),
        (2, "ideographTraditional", "乙"),
        (3, "russianLower", "в"),
        (12, "decimalFullWidth", "\uff11\uff12"),
        (5, "chicago", "**"),
        (5, "unheardOf", "5"),
    ],
)
def test_a_number_is_written_in_its_kind(number: int, kind: str, text: str) -> None:
    assert shown(number, kind) == text
