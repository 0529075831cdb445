"""A hyphen at the end of a line stays where it belongs to the word."""

from __future__ import annotations

import pytest

from selfroute.ingest.formats.pdf.hyphens import joined


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("part A\ufffe12", "part A-12"),
        ("COVID\ufffe19 rules", "COVID-19 rules"),
        ("form B\ufffe7b", "form B-7b"),
        ("from 1990-\n1995", "from 1990-1995"),
        ("call 555-\n0142", "call 555-0142"),
        ("enter -0-\n39", "enter -0-\n39"),
        ("enter -0\ufffe39", "enter -0-\n39"),
        ("3D\ufffeprinted", "3D-printed"),
        ("NATO\ufffeled", "NATO-led"),
        ("the Anglo\ufffeSaxon", "the Anglo-Saxon"),
        ("an X\ufffeRAY", "an X-RAY"),
        ("n\ufffetridecanal", "n-tridecanal"),
        ("self\ufffeemployed", "self-employed"),
        ("an up-to\ufffedate list", "an up-to-date list"),
        ("state\ufffeof-the-art", "state-of-the-art"),
        ("a rule\ufffebased way", "a rule-based way"),
        ("U.S.\ufffebased", "U.S.-based"),
    ],
)
def test_a_hyphen_of_the_word_itself_stays(page: str, told: str) -> None:
    assert joined([page]) == [told]


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("a re\ufffeport", "a report"),
        ("the har\ufffe bour", "the harbour"),
        ("the har-\nbour", "the harbour"),
        ("the har\u2010 \nbour", "the harbour"),
        ("over\u00adlook", "overlook"),
        ("un\ufffeknown", "unknown"),
    ],
)
def test_a_word_that_is_cut_is_one_word(page: str, told: str) -> None:
    assert joined([page]) == [told]


def test_the_form_within_a_line_elsewhere_decides() -> None:
    assert joined(["a dual\ufffeencoder", "(the Dual-Encoder)"])[0] == "a dual-encoder"
    assert joined(["a dual\u2010\nencoder", "dual\u2010encoder."])[0] == "a dual-encoder"
    assert joined(["the fine\ufffetuning-step", "fine-tuning"])[0] == "the fine-tuning-step"
    assert joined(["a self\ufffeless man", "selfless, he said"])[0] == "a selfless man"
    assert joined(["HAR\ufffeBOUR MASTER", "the harbour."])[0] == "HARBOUR MASTER"
    assert joined(["co\ufffeoperate", "cooperate, cooperate, co-operate"])[0] == "cooperate"


def test_halves_of_other_cut_words_decide_nothing() -> None:
    assert joined(["dual\ufffeencoder and dual-\nencoder"]) == ["dualencoder and dualencoder"]


def test_a_word_that_is_cut_at_the_end_of_its_page_stands_on_that_page() -> None:
    assert joined(["in the har-", "bour, at night."]) == ["in the harbour,", "at night."]
    assert joined(["in the har\ufffe", "bour at night."]) == ["in the harbour", "at night."]


@pytest.mark.parametrize(
    "pages", [["- one\n- two"], ["a -\nb"], ["the end -", "Next"], ["see A-", "Harbour"], [""], []]
)
def test_a_dash_is_no_hyphen(pages: list[str]) -> None:
    assert joined(pages) == pages
