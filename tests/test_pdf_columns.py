"""Columns are read one after the other, in whichever order they were drawn, and rows of tables stay rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap

import pytest
from pdfs import Page, at, composed

from selfroute.ingest.formats.pdf import read

pytestmark = pytest.mark.end_to_end  # a PDF is read in a process of its own

CASES = Path(__file__).parent / "cases" / "documents"
REGISTER = (
    "The harbour board keeps a register of all vessels that lie in the port. Each entry names the owner, the length "
    "and the draught of the vessel, and the fee that was paid for it. The register is open to the public on working "
    "days, from nine until noon. Whoever wants a copy pays two euros a page."
)
VISITORS = (
    "Visitors report to the office within an hour of their arrival. A berth is given for one night at a time, and it "
    "must be left by noon. The fee is 25 euros a night for vessels up to ten metres, and 3 euros for each metre more."
)
PILOTS = (
    "Pilots are called on channel 12, two hours ahead. Their fee is fixed by the council each spring, and it is paid "
    "with the dues. In fog the master may close the fairway. Tugs stand by in winter, when the wind turns."
)
TABLE = [
    ("Quay", "Season", "Fee"),
    ("North", "summer", "40,50"),
    ("South", "winter", "25,00"),
    ("East", "all year", "12,00"),
]


def test_columns_that_were_drawn_row_by_row_are_read_column_by_column() -> None:
    text = read(CASES / "b6-columns.pdf").text
    assert "the south quay, where the\nfee is 25 euros a night" in text


@pytest.mark.parametrize("steps", [(14, 14), (14, 11.5), (11, 13)])
def test_two_columns_whose_lines_need_not_stand_beside_each_other(tmp_path: Path, steps: Sequence[float]) -> None:
    drawn = rows([(40, REGISTER, 44), (310, VISITORS, 44)], steps=steps)
    assert read(composed(tmp_path, Page(drawn))).text == flowing(REGISTER, VISITORS, width=44)


def test_columns_whose_words_were_drawn_one_by_one(tmp_path: Path) -> None:
    fpdf = pytest.importorskip("fpdf", reason="fpdf2 knows how wide words are")
    file = fpdf.FPDF(unit="pt")
    file.set_font("helvetica", size=10)
    file.add_page()
    for row in range(6):
        for left, text in ((40, REGISTER), (300, VISITORS)):
            at_ = left
            for word in (wrap(text, 40) + [""] * 6)[row].split():
                file.text(at_, 100 + 14 * row, word)
                at_ += file.get_string_width(f"{word} ")
    file.output(str(tmp_path / "words.pdf"))
    told = " ".join(read(tmp_path / "words.pdf").text.split())
    assert told == " ".join([*wrap(REGISTER, 40)[:6], *wrap(VISITORS, 40)[:6]])


def test_three_columns(tmp_path: Path) -> None:
    drawn = rows([(40, REGISTER, 30), (220, VISITORS, 30), (400, PILOTS, 30)])
    assert read(composed(tmp_path, Page(drawn))).text == flowing(REGISTER, VISITORS, PILOTS, width=30)


def test_a_heading_over_the_columns_parts_them_and_a_table_below_stays_in_rows(tmp_path: Path) -> None:
    drawn = at(60, 800, "Rules of the harbour and the fees that are due within the whole of the port")
    drawn += rows([(40, REGISTER, 44), (310, VISITORS, 44)], top=780)
    drawn += at(60, 620, "A second heading that stands over both of the columns of this page as well")
    drawn += rows([(40, PILOTS, 44), (310, REGISTER, 44)], top=600)
    drawn += "".join(
        at(x, 400 - 14 * row, cell)
        for row, cells in enumerate(TABLE)
        for x, cell in zip((40, 200, 350), cells, strict=True)
    )
    text = read(composed(tmp_path, Page(drawn))).text
    first, second = flowing(REGISTER, VISITORS, width=44), flowing(PILOTS, REGISTER, width=44)
    assert first in text
    assert second in text
    assert text.endswith("\n".join(" ".join(cells) for cells in TABLE))


def test_a_table_whose_cells_stand_below_the_columns_stays_in_rows(tmp_path: Path) -> None:
    cells = [("Quay", "Fee for one night"), ("North quay", "40,50 euros"), ("South quay", "25,00 euros")]
    drawn = rows([(40, REGISTER, 44), (310, VISITORS, 44)])
    drawn += "".join(
        at(x, 560 - 14 * row, cell) for row, pair in enumerate(cells) for x, cell in zip((40, 310), pair, strict=True)
    )
    text = read(composed(tmp_path, Page(drawn))).text
    assert text == flowing(REGISTER, VISITORS, width=44) + "\n" + "\n".join(" ".join(pair) for pair in cells)


@pytest.mark.parametrize(
    "table",
    [
        [
            ("Item of the register", "What it means"),
            ("Mooring of small boats", "paid in advance, by card"),
            ("Power at the berth", "paid by the meter, monthly"),
            ("Water at the berth", "free of charge, for visitors"),
        ],
        [
            ("berth", "a place where a boat may lie"),
            ("draught", "how deep it lies, in metres"),
            ("fairway", "water that is kept free"),
            ("quay", "a wall, with rings"),
        ],
        [
            ("Who keeps the register of vessels?", "The clerk keeps it, at the office."),
            ("When is the office open to visitors?", "It is open from nine until noon."),
            ("What does a copy of a page cost?", "It costs two euros, in cash."),
            ("Who may close the fairway in fog?", "The master may, by radio."),
        ],
    ],
)
def test_a_table_of_words_stays_in_rows(tmp_path: Path, table: Sequence[tuple[str, str]]) -> None:
    drawn = "".join(
        at(x, 700 - 15 * row, cell) for row, pair in enumerate(table) for x, cell in zip((40, 300), pair, strict=True)
    )
    assert read(composed(tmp_path, Page(drawn))).text == "\n".join(" ".join(pair) for pair in table)


def test_columns_that_were_drawn_one_by_one_stay_as_they_are(tmp_path: Path) -> None:
    drawn = rows([(40, REGISTER, 44)]) + rows([(310, VISITORS, 44)])
    assert read(composed(tmp_path, Page(drawn))).text == flowing(REGISTER, VISITORS, width=44)


def test_a_word_that_is_cut_in_a_column_is_one_word(tmp_path: Path) -> None:
    left = ["The board keeps a regis-", "ter of all vessels, and", "the clerk signs it."]
    right = ["Visitors pay in the of-", "fice of the master, who", "is there until noon."]
    drawn = "".join(at(x, 700 - 14 * row, column[row]) for row in range(3) for x, column in ((40, left), (310, right)))
    text = read(composed(tmp_path, Page(drawn))).text
    assert "a register of all" in text
    assert "the office of the master" in text


def test_what_stands_beyond_the_edges_of_the_page_is_not_read(tmp_path: Path) -> None:
    drawn = at(72, 700, "Seen.") + at(700, 700, "Beyond the media box.") + at(72, 500, "Cut off by the crop box.")
    text = read(composed(tmp_path, Page(drawn, more="/CropBox [0 600 595 842]"))).text
    assert text == "Seen."


def test_a_text_that_is_drawn_twice_for_bold_letters_is_read_once(tmp_path: Path) -> None:
    drawn = at(72, 700, "The bold fee is 40 euros") + at(72.3, 700, "The bold fee is 40 euros")
    assert read(composed(tmp_path, Page(drawn))).text == "The bold fee is 40 euros"


@pytest.mark.parametrize(
    ("turn", "matrix"), [(90, "0 1 -1 0 595 0"), (180, "-1 0 0 -1 595 842"), (270, "0 -1 1 0 0 842")]
)
def test_a_page_that_is_turned_is_read(tmp_path: Path, turn: int, matrix: str) -> None:
    drawn = f"q {matrix} cm " + at(72, 400, "The fee is 40 euros.") + at(72, 380, "It is paid on arrival.") + "Q"
    text = read(composed(tmp_path, Page(drawn, more=f"/Rotate {turn}"))).text
    assert text == "The fee is 40 euros.\nIt is paid on arrival."


@pytest.mark.parametrize(("turn", "matrix"), [(90, "0 1 -1 0 595 0"), (270, "0 -1 1 0 0 842")])
def test_columns_of_a_page_that_is_turned_are_read_one_after_the_other(tmp_path: Path, turn: int, matrix: str) -> None:
    drawn = f"q {matrix} cm {rows([(40, REGISTER, 44), (310, VISITORS, 44)], top=560)} Q"
    text = read(composed(tmp_path, Page(drawn, more=f"/Rotate {turn}"))).text
    assert text == flowing(REGISTER, VISITORS, width=44)


def rows(columns: Sequence[tuple[float, str, int]], *, top: float = 780, steps: Sequence[float] = (14, 14, 14)) -> str:
    """Columns, drawn from side to side."""
    drawn = [
        (-(top - row * step), x, line)
        for (x, text, width), step in zip(columns, steps, strict=False)
        for row, line in enumerate(wrap(text, width))
    ]
    return "".join(at(x, -down, line) for down, x, line in sorted(drawn))


def flowing(*texts: str, width: int) -> str:
    return "\n".join(line for text in texts for line in wrap(text, width))
