"""The runs of a Word file say what stands on the page: raised digits, struck text, symbols, fields."""

from __future__ import annotations

from pathlib import Path

import pytest
from wordfiles import field, p, part, r, sub, sup, word

from selfroute.ingest.formats.docx import read
from selfroute.ingest.formats.symbols import symbol


@pytest.mark.parametrize(
    ("runs", "text"),
    [
        (("10", sup("6"), " litres"), "10^6 litres"),
        (("10", sup("-"), sup("3"), " m"), "10^-3 m"),
        (("10", sup("6 "), "litres"), "10^6 litres"),
        (("H", sub("2"), "O"), "H_2O"),
        (("x", sub("1"), "2"), "x_1 2"),
        (("120", sup("3"), " euros"), "120 [3] euros"),
        (("the 3", sup("rd"), " quay"), "the 3rd quay"),
        (("3", sup("1"), "/", sub("2"), " inches"), "3 1/2 inches"),
        ((sup("1"), "\u2044", sub("2"), " inch"), "1/2 inch"),
        (("10", r("6", '<w:position w:val="8"/>'), " litres"), "10^6 litres"),
        (("10", r("6", '<w:vertAlign w:val="baseline"/>')), "106"),
    ],
)
def test_raised_and_lowered_digits_are_no_part_of_the_number(tmp_path: Path, runs: tuple[str, ...], text: str) -> None:
    assert read(word(tmp_path, p(*runs))).text == text


def test_digits_are_raised_by_the_style_of_their_run(tmp_path: Path) -> None:
    styles = part(
        "styles",
        '<w:style w:type="character" w:styleId="Up"><w:rPr><w:vertAlign w:val="superscript"/></w:rPr></w:style>'
        '<w:style w:type="character" w:styleId="Mark"><w:basedOn w:val="Up"/></w:style>',
    )
    body = p("10", r("6", '<w:rStyle w:val="Mark"/>'), " litres")
    assert read(word(tmp_path, body, **{"word/styles.xml": styles})).text == "10^6 litres"


@pytest.mark.parametrize(
    "struck",
    ["<w:strike/>", '<w:strike w:val="1"/>', '<w:strike w:val="true"/>', "<w:dstrike/>", "<w:vanish/>"],
)
def test_a_struck_out_or_hidden_run_is_dropped(tmp_path: Path, struck: str) -> None:
    assert read(word(tmp_path, p("The fee is ", r("70 ", struck), "90 euros."))).text == "The fee is 90 euros."


@pytest.mark.parametrize("kept", ['<w:strike w:val="0"/>', '<w:dstrike w:val="false"/>', '<w:vanish w:val="off"/>'])
def test_a_run_that_is_not_struck_out_after_all_is_kept(tmp_path: Path, kept: str) -> None:
    assert read(word(tmp_path, p(r("70", kept)))).text == "70"


def test_text_is_struck_out_by_styles_unless_its_run_says_otherwise(tmp_path: Path) -> None:
    gone = "<w:rPr><w:strike/></w:rPr>"
    styles = part(
        "styles",
        f'<w:style w:type="character" w:styleId="Gone">{gone}</w:style>'
        f'<w:style w:type="paragraph" w:styleId="Old">{gone}</w:style>',
    )
    body = p(r("a", '<w:rStyle w:val="Gone"/>'), r("b", '<w:rStyle w:val="Gone"/><w:strike w:val="0"/>')) + p(
        "c", r("d", '<w:rStyle w:val="Gone"/>'), properties='<w:pStyle w:val="Old"/>'
    )
    # Two styles that strike out undo each other, as Word has it.
    assert read(word(tmp_path, body, **{"word/styles.xml": styles})).text == "b\n\nd"


def test_what_a_property_was_before_a_change_says_nothing(tmp_path: Path) -> None:
    was = "<w:rPrChange><w:rPr><w:strike/></w:rPr></w:rPrChange>"
    listed = "<w:pPrChange><w:pPr><w:numPr><w:numId w:val='1'/></w:numPr></w:pPr></w:pPrChange>"
    assert read(word(tmp_path, p(r("kept", was), properties=listed))).text == "kept"


def test_moved_text_stands_where_it_went(tmp_path: Path) -> None:
    body = p("<w:moveFrom>" + r("Moved") + "</w:moveFrom>", "Stays. ", "<w:moveTo>" + r("Moved") + "</w:moveTo>")
    assert read(word(tmp_path, body)).text == "Stays. Moved"


def test_a_paragraph_whose_end_was_deleted_goes_on_in_the_next(tmp_path: Path) -> None:
    deleted = "<w:rPr><w:del/></w:rPr>"
    body = p("The fee ", properties=deleted) + p("is 40.") + "<w:tbl><w:tr><w:tc>" + p("x", properties=deleted)
    assert read(word(tmp_path, body + "</w:tc></w:tr></w:tbl>")).text == "The fee is 40.\n\nx"


def test_a_large_first_letter_belongs_to_its_word(tmp_path: Path) -> None:
    letter = p(r("T", '<w:position w:val="-9"/>'), properties='<w:framePr w:dropCap="drop" w:lines="3"/>')
    assert read(word(tmp_path, letter + p("he harbour"))).text == "The harbour"


@pytest.mark.parametrize(
    ("font", "code", "character"),
    [
        ("Symbol", "F0B1", "±"),
        ("Symbol", "00B1", "±"),
        ("Symbol", "F0A3", "≤"),
        ("Symbol", "F06D", "μ"),
        ("Wingdings", "F0FE", "☑"),
        ("Wingdings", "F0A8", "☐"),
        ("Wingdings", "F0E0", "→"),
        ("Wingdings 2", "F052", "☑"),
        ("Times New Roman", "00BD", "½"),
        ("Unheard Of", "F041", None),
        ("Symbol", "nonsense", None),
        ("Symbol", "FFFFFFFFFF", None),
    ],
)
def test_a_symbol_is_the_character_that_it_shows(font: str, code: str, character: str | None) -> None:
    assert symbol(font, code) == character


def test_symbols_in_a_text_are_read_and_unknown_ones_are_a_warning(tmp_path: Path) -> None:
    body = p(
        '<w:r><w:sym w:font="Symbol" w:char="F0B1"/><w:t>5 mm, </w:t></w:r>',
        r("\uf0a3", '<w:rFonts w:ascii="Symbol"/>'),
        "3 ",
        r("m", '<w:rFonts w:ascii="Symbol"/>'),
        "m",
        '<w:r><w:sym w:font="Unheard Of" w:char="F041"/></w:r>',
    )
    found = read(word(tmp_path, body))
    assert found.text == "±5 mm, ≤3 μm"
    assert found.warnings == ("1 symbol of the font Unheard Of is not known",)
    assert found.readable == 1


def test_what_stands_between_words_is_kept(tmp_path: Path) -> None:
    body = p(
        "<w:r><w:t>A</w:t><w:noBreakHyphen/><w:t>12</w:t><w:ptab/><w:t>co\xadop</w:t><w:softHyphen/><w:t>s</w:t></w:r>"
    )
    assert read(word(tmp_path, body)).text == "A-12\tcoops"


@pytest.mark.parametrize("order", ["{rt}{base}", "{base}{rt}"])
def test_a_reading_beside_its_base_is_set_apart(tmp_path: Path, order: str) -> None:
    both = order.format(rt=f"<w:rt>{r('note')}</w:rt>", base=f"<w:rubyBase>{r('base')}</w:rubyBase>")
    assert read(word(tmp_path, p(f"<w:r><w:ruby>{both}</w:ruby></w:r>", " on"))).text == "base (note) on"


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ("<w:checkBox><w:default w:val='0'/><w:checked/></w:checkBox>", "☒"),
        ("<w:checkBox><w:default w:val='1'/></w:checkBox>", "☒"),
        ("<w:checkBox><w:default w:val='1'/><w:checked w:val='0'/></w:checkBox>", "☐"),
        ("<w:ddList><w:result w:val='1'/><w:listEntry w:val='red'/><w:listEntry w:val='blue'/></w:ddList>", "blue"),
        ("<w:ddList><w:listEntry w:val='red'/></w:ddList>", "red"),
        ("<w:ddList><w:result w:val='7'/><w:listEntry w:val='red'/></w:ddList>", ""),
        ("<w:textInput><w:default w:val='as it was'/></w:textInput>", "as it was"),
    ],
)
def test_a_form_field_shows_its_value(tmp_path: Path, data: str, shown: str) -> None:
    body = p("Value: ", field("FORM", data=f"<w:ffData>{data}</w:ffData>"), ".")
    assert read(word(tmp_path, body)).text == f"Value: {shown}."


def test_a_form_field_that_was_filled_in_shows_that(tmp_path: Path) -> None:
    data = "<w:ffData><w:textInput><w:default w:val='your name'/></w:textInput></w:ffData>"
    assert read(word(tmp_path, p("Name: ", field("FORMTEXT", "Ola", data)))).text == "Name: Ola"
    assert read(word(tmp_path, p("Name:", field("FORMTEXT", " ", data)))).text == "Name:"


@pytest.mark.parametrize(
    ("before", "code", "text"),
    [
        ("x ", r"EQ \f(1,2)", "x 1/2"),
        ("3", r"EQ \f(1;2)", "3 1/2"),
        ("10", r"EQ \s\up8(6)", "10^6"),
        ("H", r"EQ \s\do4(2)", "H_2"),
        ("x ", r"EQ \r(3,x)", "x root(3, x)"),
        ("x ", r"EQ \r(,2)", "x √2"),
        ("x ", r"EQ \b(\f(a,b))", "x (a/b)"),
        ("x ", r"EQ \i\su(1,2,x)", "x 1; 2; x"),
        ("x ", r'SYMBOL 177 \f "Symbol" \s 11', "x ±"),
        ("x ", "SYMBOL x", "x"),
        ("x ", "MACROBUTTON NoMacro [click here]", "x [click here]"),
        ("x ", "PAGEREF x", "x"),
        ("x ", "EQ " + r"\f(" * 1000, "x " + "(" * 665),
    ],
)
def test_a_field_without_a_stored_result_shows_what_its_code_says(
    tmp_path: Path, before: str, code: str, text: str
) -> None:
    assert read(word(tmp_path, p(before, field(code)))).text == text


def test_the_code_of_a_field_is_no_text_and_its_result_is(tmp_path: Path) -> None:
    begin, separate, end = (f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>' for kind in ("begin", "separate", "end"))
    inner = field("MERGEFIELD x", "inside the code")
    outer = f"{begin}<w:r><w:instrText>IF </w:instrText></w:r>{inner}{separate}{r('the result')}{end}"
    simple = '<w:fldSimple w:instr="DATE">' + r(", 3 May") + "</w:fldSimple>"
    assert read(word(tmp_path, p(outer, simple))).text == "the result, 3 May"


def test_a_field_that_never_ends_hides_no_more_than_its_paragraph(tmp_path: Path) -> None:
    body = p('<w:r><w:fldChar w:fldCharType="begin"/></w:r>', "code") + p("Text.")
    assert read(word(tmp_path, body)).text == "Text."


@pytest.mark.parametrize(
    ("properties", "content", "shown"),
    [
        ("<w14:checkbox><w14:checked w14:val='1'/></w14:checkbox>", "", "☒"),
        ("<w14:checkbox><w14:checked w14:val='0'/></w14:checkbox>", "", "☐"),
        ("<w14:checkbox><w14:checked w14:val='1'/></w14:checkbox>", r("☑"), "☑"),
        (
            "<w:dropDownList w:lastValue='b'><w:listItem w:displayText='Bee' w:value='b'/></w:dropDownList>",
            "",
            "Bee",
        ),
        ("<w:dropDownList w:lastValue='b'/>", r("Chosen"), "Chosen"),
        ("<w:date w:fullDate='2024-05-03T00:00:00Z'/>", "", "2024-05-03"),
        ("<w:text/>", r("typed"), "typed"),
    ],
)
def test_a_content_control_shows_its_value(tmp_path: Path, properties: str, content: str, shown: str) -> None:
    control = f"<w:sdt><w:sdtPr>{properties}</w:sdtPr><w:sdtContent>{content}</w:sdtContent></w:sdt>"
    assert read(word(tmp_path, p("Value: ", control))).text == f"Value: {shown}"


def test_a_text_box_is_read_once_in_the_form_that_has_text(tmp_path: Path) -> None:
    def choice(new: str, old: str) -> str:
        return p(
            f"<w:r><mc:AlternateContent><mc:Choice Requires='wps'>{new}</mc:Choice><mc:Choice Requires='x'>{new}"
            f"</mc:Choice><mc:Fallback>{old}</mc:Fallback></mc:AlternateContent></w:r>"
        )

    box = f"<w:txbxContent>{p('Boxed')}</w:txbxContent>"
    assert read(word(tmp_path, choice(box, box))).text == "Boxed"
    assert read(word(tmp_path, choice("<w:drawing/>", box))).text == "Boxed"
