"""Superscripts, subscripts, fractions and marks in a line of text."""

import pytest

from selfroute.ingest.formats.notation import fraction, lowered, mark, raised


@pytest.mark.parametrize(
    ("before", "text", "written"),
    [
        ("holds 10", "6", "^6"),
        ("Time 10", "-3", "^-3"),
        ("Time 10", "−3", "^−3"),
        ("2", "n+1", "^(n+1)"),
        ("area in m", "2", "^2"),
        ("(a+b)", "2", "^2"),
        ("x", "n", "^n"),
        ("costs 120", "3", " [3]"),
        ("costs 1,210", "3", " [3]"),
        ("costs 40", "[2]", " [2]"),
        ("costs 40", "(b)", " [b]"),
        ("costs 40", "a", " [a]"),
        ("in Norway", "1", " [1]"),
        ("as is shown.", "12, 13", " [12, 13]"),
        ("", "3", "[3]"),
        ("the 1", "st", "st"),
        ("the 22", "nd", "nd"),
        ("Acme", "TM", "™"),
        ("40 euros", "*", "*"),
        ("x", " ", " "),
        ("x", "", ""),
    ],
)
def test_a_raised_text_is_a_power_a_mark_or_a_sign(before: str, text: str, written: str) -> None:
    assert raised(before, text) == written


@pytest.mark.parametrize(("text", "written"), [("2", "_2"), ("i+1", "_(i+1)"), ("", ""), (" ", " ")])
def test_a_lowered_text_is_marked(text: str, written: str) -> None:
    assert lowered("x", text) == written


def test_a_fraction_is_apart_from_the_number_before_it() -> None:
    assert fraction("is ", "1", "2") == "1/2"
    assert fraction("is 3", "1", "2") == " 1/2"
    assert fraction("", "a + b", "2") == "(a + b)/2"


def test_a_mark_is_apart_from_its_word() -> None:
    assert mark("120", "3") == " [3]"
    assert mark("120 ", "3") == "[3]"
