"""Texts are cut at the best places there are, and never in a number or a word."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfroute.ingest import cuts
from selfroute.waiting import GivenUp, never

WRAPPED = (
    "The harbour master keeps a list of all berths, and of whoever has rented one\n"
    "of them since the new mole was built. It is read by the board each January,\n"
    "and shown at the gate. Whoever wants a berth asks Olof Berg, who keeps it in\n"
    "Norrvik, or writes a letter to the board before the end of the season, which\n"
    "ends in October."
)
ROWS = (
    "The Alder quay earned 4,706,657.26 euros in the year\n"
    "The Birch quay earned 6,718,585.90 euros in the year\n"
    "The Cedar quay earned 2,720,113.70 euros in the year\n"
    "The Dogwood quay earned 5,664,339.34 euros in the year"
)


def test_lines_of_prose_that_was_wrapped_go_on() -> None:
    assert cuts.lines(WRAPPED) == []
    assert parts(WRAPPED, cuts.wrapped_lines(WRAPPED)) == WRAPPED.split("\n")


@pytest.mark.parametrize(
    "text",
    [
        ROWS,
        "quay | fee\nnorth | 40\nsouth | 25",
        "- The north quay is long and has room for forty boats\n- The south quay is short and has room for four",
        "north quay      40 euros a night\nsouth quay      25 euros a night\neast quay       31 euros a night",
        "Roses are red\nViolets are blue\nSugar is sweet",
        "# A heading of some length that fills its line\nand what stands below it",
    ],
)
def test_lines_that_begin_something_are_apart(text: str) -> None:
    assert parts(text, cuts.lines(text))[:2] == text.split("\n")[:2] or text.startswith("# ")


def test_paragraphs_end_at_blank_lines() -> None:
    assert parts("One.\n \nTwo.\r\n\r\nThree.", cuts.paragraphs("One.\n \nTwo.\r\n\r\nThree.")) == [
        *("One.", "Two.", "Three.")
    ]


def test_sentences_end_in_other_scripts_too() -> None:
    text = "港口夜间作业。须经港务长书面批准。"
    assert parts(text, cuts.sentences(text, never)) == ["港口夜间作业。", "须经港务长书面批准。"]


def test_clauses_end_at_semicolons_and_commas_before_white_space() -> None:
    text = "the fee is 1,250.50 euros; the fine, if any, is 2,000"
    assert parts(text, cuts.clauses(text)) == ["the fee is 1,250.50 euros;", "the fine, if any, is 2,000"]
    assert parts(text, cuts.commas(text))[-1] == "is 2,000"


def test_looking_for_sentences_can_be_given_up() -> None:
    with pytest.raises(GivenUp):
        cuts.sentences("One. Two.", lambda: True)


@pytest.mark.parametrize(
    ("text", "cut"),
    [("one two", "one"), ("x1,234.5y", "x"), ("12345678", "1234"), ("abcdef", "abc")],
)
def test_at_the_last_a_text_is_cut_between_words_or_outside_of_numbers(text: str, cut: str) -> None:
    assert text[: cuts.anywhere(text)] == cut


@given(st.text(alphabet="ab 1,.;:\n|\t。、-#", max_size=300))
def test_no_cut_is_in_a_number_or_a_word(text: str) -> None:
    found = (
        *(cuts.paragraphs, cuts.lines, cuts.wrapped_lines, cuts.clauses, cuts.commas, cuts.words),
        lambda part: cuts.sentences(part, never),
    )
    for cut in found:
        for at in cut(text):
            before, behind = text[at - 1], text[at : at + 1]
            assert before.isspace() or before in "。、"
            assert not (before.isalnum() and behind.isalnum())


def parts(text: str, places: list[int]) -> list[str]:
    return [text[start:end].strip() for start, end in pairwise([0, *places, len(text)])]
