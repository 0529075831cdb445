"""Raised digits are told apart from the number or the word that they stand behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from pdfs import Page, at, composed, lines

from selfroute.ingest.formats.pdf import read

pytestmark = pytest.mark.end_to_end  # a PDF is read in a process of its own


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        (["holds 10", "^6", " litres"], "holds 10^6 litres"),
        (["pays 120", "^3", " euros"], "pays 120 [3] euros"),
        (["is 10", "^-3", " m"], "is 10^-3 m"),
        (["of 40 m", "^2", ", at most"], "of 40 m^2, at most"),
        (["said the board.", "^12", " It"], "said the board. [12] It"),
        (["of the board", "^1,2", " it"], "of the board [1,2] it"),
        (["takes 3", "^1", "/2 hours"], "takes 3 1/2 hours"),
        (["costs $19", "^99", " now"], "costs $19.99 now"),
        (["costs 19", "99", " now"], "costs 1999 now"),
    ],
)
def test_raised_digits_are_told_apart(tmp_path: Path, parts: list[str], told: str) -> None:
    assert read(composed(tmp_path, Page(drawn(parts)))).text == told


def test_smaller_digits_on_the_line_stay_as_they_are(tmp_path: Path) -> None:
    page = Page("BT /F1 12 Tf 72 700 Td (It costs 19) Tj /F1 8 Tf (99) Tj /F1 12 Tf ( euros) Tj ET")
    assert read(composed(tmp_path, page)).text == "It costs 1999 euros"


def test_digits_of_another_line_stay_as_they_are(tmp_path: Path) -> None:
    page = Page(at(72, 700, "The fee is 40", size=12) + at(72, 660, "2 of 3", size=8))
    assert read(composed(tmp_path, page)).text == "The fee is 40\n2 of 3"


def test_a_mark_within_columns_is_told_apart_too(tmp_path: Path) -> None:
    left = ["The board keeps a register", "of vessels, and the fee is", "paid by card, at the office"]
    right = ["Visitors report within the", "hour, and they pay the fee", "to the master of the port."]
    page = "".join(at(x, 700 - 14 * row, column[row]) for row in range(3) for x, column in ((40, left), (310, right)))
    page = page.replace("pay the fee) Tj", "pay the fee) Tj 4 Ts /F1 6 Tf (7) Tj 0 Ts")
    text = read(composed(tmp_path, Page(page))).text
    assert text.startswith("\n".join(left))
    assert "they pay the fee [7]" in text


def test_a_page_of_numbers_is_read_as_it_stands(tmp_path: Path) -> None:
    shown = [f"{number} {number * 7919}" for number in range(100, 140)]
    assert read(composed(tmp_path, Page(lines(*shown)))).text == "\n".join(shown)


def drawn(parts: list[str]) -> str:
    """Text of which what begins with `^` is small and raised."""
    shown = "".join(
        f"5 Ts /F1 7 Tf ({part[1:]}) Tj " if part.startswith("^") else f"0 Ts /F1 12 Tf ({part}) Tj " for part in parts
    )
    return f"BT 72 700 Td {shown} ET"
