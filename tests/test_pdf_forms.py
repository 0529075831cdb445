"""What is typed into a PDF is part of what it says: fields, remarks, comments."""

from __future__ import annotations

from pathlib import Path

import pytest
from pdfs import Page, composed, lines

from selfroute.ingest.formats.pdf import read
from selfroute.ingest.formats.texts import Text

pytestmark = pytest.mark.end_to_end  # a PDF is read in a process of its own

CASES = Path(__file__).parent / "cases" / "documents"
FORM = "/AcroForm << /Fields [] /DR << /Font << /Helv 3 0 R >> >> /DA (/Helv 0 Tf 0 g) >>"


def test_a_filled_field_is_a_line_with_its_name() -> None:
    text = read(CASES / "b1-form.pdf").text
    assert "Applicant: Ingrid Solberg" in text
    assert "Length: 11.4" in text
    assert "Approved by Nils on 4 May" in text


def test_a_field_stands_below_the_line_that_it_is_filled_in_at(tmp_path: Path) -> None:
    page = Page(
        lines("Name of the owner:", "Signed in the harbour.", step=40),
        [widget("/Tx", "owner", "(Ola Moe)", top=728)],
    )
    assert filled(tmp_path, page).text.split("\n") == [
        "Name of the owner:",
        "owner: Ola Moe",
        "Signed in the harbour.",
    ]


def test_the_name_for_people_is_preferred_to_the_name_for_programs(tmp_path: Path) -> None:
    given = widget("/Tx", "f1_02", "(Ola Moe)", more="/TU (Name of the owner)")
    assert "Name of the owner: Ola Moe" in filled(tmp_path, Page(lines("Form"), [given])).text


def test_a_name_that_a_program_made_gives_way_to_what_is_printed_beside_the_field(tmp_path: Path) -> None:
    page = Page(
        lines("Home port:", "Flag:"),
        [widget("/Tx", "Text12", "(Bodø)"), widget("/Tx", "undefined_3", "(Norway)", top=716)],
    )
    text = filled(tmp_path, page).text
    assert "Home port: Bodø" in text
    assert "Flag: Norway" in text


def test_names_with_the_path_of_their_form_are_told_without_it(tmp_path: Path) -> None:
    given = widget("/Tx", "topmostSubform[0].Page1[0].Draught[0]", "(1.9)")
    assert "\nDraught: 1.9" in filled(tmp_path, Page(lines("Form"), [given])).text


def test_a_field_without_a_value_adds_nothing(tmp_path: Path) -> None:
    assert filled(tmp_path, Page(lines("Form"), [widget("/Tx", "owner", "()")])).text == "Form"


def test_a_password_is_never_told(tmp_path: Path) -> None:
    given = widget("/Tx", "secret", "(hunter2)", more="/Ff 8192")
    assert "hunter2" not in filled(tmp_path, Page(lines("Form"), [given])).text


def test_a_hidden_field_is_not_told(tmp_path: Path) -> None:
    given = widget("/Tx", "hidden", "(unseen)", flags=2)
    assert "unseen" not in filled(tmp_path, Page(lines("Form"), [given])).text


def test_boxes_are_told_as_they_are_ticked(tmp_path: Path) -> None:
    states = "/AP << /N << /Yes 4 0 R /Off 4 0 R >> >>"
    page = Page(
        lines("Form"),
        [
            widget("/Btn", "insured", "/Yes", top=700, more=f"/AS /Yes {states}"),
            widget("/Btn", "crane needed", "/Off", top=680, more=f"/AS /Off {states}"),
        ],
    )
    text = filled(tmp_path, page).text
    assert "insured: yes" in text
    assert "crane needed: no" in text


def test_a_box_that_is_not_ticked_and_has_no_name_is_not_told(tmp_path: Path) -> None:
    states = "/AP << /N << /Yes 4 0 R /Off 4 0 R >> >>"
    boxes = [
        widget("/Btn", "c1_05(0)", "/Off", top=700, more=f"/AS /Off {states}"),
        widget("/Btn", "Check Box2", "/Off", top=680, more=f"/AS /Off {states}"),
        widget("/Btn", "c1_06(0)", "/Yes", top=660, more=f"/AS /Yes {states}"),
    ]
    assert filled(tmp_path, Page(lines("Form"), boxes)).text == "Form\nc1_06(0): yes"
    answers = lines("Yes", "Insured", left=405, top=690, step=20)
    assert filled(tmp_path, Page(answers, boxes[:2])).text == "Yes\nInsured\nInsured: no"


def test_a_choice_of_several_is_told_by_what_was_chosen(tmp_path: Path) -> None:
    def button(value: str, state: str, top: float) -> str:
        return (
            f"<< /Type /Annot /Subtype /Widget /Parent 5 0 R /F 4 /AS /{state} /Rect [200 {top - 12} 212 {top}] "
            f"/AP << /N << /{value} 4 0 R /Off 4 0 R >> >> >>"
        )

    page = Page(lines("Form"), [button("summer", "summer", 700), button("winter", "Off", 680)])
    field = "<< /FT /Btn /Ff 49152 /T (season) /V /summer /Kids [8 0 R 9 0 R] >>"
    text = filled(tmp_path, page, field, catalog="/AcroForm << /Fields [5 0 R] >>").text
    assert "season: summer" in text
    assert "winter" not in text


def test_a_list_is_told_by_the_label_of_what_was_chosen(tmp_path: Path) -> None:
    given = widget("/Ch", "quay", "(n)", more="/Ff 131072 /Opt [[(n) (North quay)] [(s) (South quay)]]")
    text = filled(tmp_path, Page(lines("Form"), [given])).text
    assert "quay: North quay" in text
    assert "South" not in text


def test_what_a_field_shows_is_not_doubled_where_it_was_printed_into_the_page(tmp_path: Path) -> None:
    page = Page(lines("Owner: Ola Moe"), [widget("/Tx", "owner", "(Ola Moe)", left=70)])
    assert filled(tmp_path, page).text == "Owner: Ola Moe"


@pytest.mark.parametrize(
    ("remark", "told"),
    [
        ("/FreeText /Contents (Berth 9 is closed)", "\nBerth 9 is closed"),
        ("/Text /Contents (Ask the master) /T (Nils)", "Comment by Nils: Ask the master"),
        (
            "/Highlight /Contents (Is this still so?) /QuadPoints [72 730 90 730 72 718 90 718]",
            "Comment: Is this still so?",
        ),
        ("/Stamp /Contents (Approved on 4 May)", "Stamp: Approved on 4 May"),
        ("/Stamp /Name /NotApproved", "Stamp: Not Approved"),
    ],
)
def test_remarks_are_told(tmp_path: Path, remark: str, told: str) -> None:
    page = Page(lines("The page."), [f"<< /Type /Annot /Subtype {remark} /F 4 /Rect [300 600 400 620] >>"])
    assert told in read(composed(tmp_path, page)).text


def test_links_and_highlights_without_words_add_nothing(tmp_path: Path) -> None:
    link = "<< /Type /Annot /Subtype /Link /Rect [72 716 120 730] /A << /S /URI /URI (https://example.org) >> >>"
    mark = "<< /Type /Annot /Subtype /Highlight /Rect [72 716 120 730] /QuadPoints [72 730 120 730 72 716 120 716] >>"
    assert read(composed(tmp_path, Page(lines("The page."), [link, mark]))).text == "The page."


def test_a_form_that_only_one_program_shows_is_a_warning(tmp_path: Path) -> None:
    page = Page(lines("Please wait...", "If this message is not eventually replaced by the contents of the document,"))
    told = read(composed(tmp_path, page))
    why = "page 1 of 1 holds a form (XFA) that only Adobe's programs show: print it to a new PDF"
    assert told.warnings == (why,)
    assert told.readable == 0


def filled(folder: Path, page: Page, *objects: str, catalog: str = FORM) -> Text:
    empty = "<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Length 1 >>\nstream\nq\nendstream"
    numbers = " ".join(f"{4 + 1 + len(objects) + 2 + number} 0 R" for number in range(len(page.annotations)))
    return read(composed(folder, page, catalog=catalog.replace("[]", f"[{numbers}]"), objects=[empty, *objects]))


def widget(
    kind: str, name: str, value: str, *, left: float = 200, top: float = 730, more: str = "", flags: int = 4
) -> str:
    return (
        f"<< /Type /Annot /Subtype /Widget /FT {kind} /T ({name}) /V {value} /F {flags} "
        f"/Rect [{left} {top - 14} {left + 200} {top}] {more} >>"
    )
