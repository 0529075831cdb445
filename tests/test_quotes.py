"""A quote becomes a citation only where the text that was shown holds it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfroute.quotes import SIMILAR, located
from selfroute.types import Passage

TEXT = (
    "The harbour master is Olof Berg. Night work is\n"
    "approved in writing \u2013 by the \u201charbour master\u201d alone.\n"
    "Mooring costs 120 euros a day; in winter it costs 90 euros a day. The quay was built in 1934."
)
PASSAGE = Passage("port", 1000, TEXT)


def places(*quotes: str, passages: tuple[Passage, ...] = (PASSAGE,)) -> list[str]:
    return [citation.text for citation in located(quotes, passages)[0]]


def test_a_quote_is_cited_with_its_place_in_the_document() -> None:
    [citation], lost = located(["The quay was built in 1934"], [PASSAGE])
    at = 1000 + TEXT.index("The quay")
    assert (citation.document, citation.start, citation.end, citation.score) == ("port", at, at + 26, 1.0)
    assert lost == 0


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("Night work is approved in writing", "Night work is\napproved in writing"),
        ("night work is approved in writing - by", "Night work is\napproved in writing \u2013 by"),
        ('by the "harbour master" alone', "by the \u201charbour master\u201d alone"),
        ("  The harbour master is Olof Berg.  ", "The harbour master is Olof Berg."),
    ],
)
def test_typography_case_and_white_space_do_not_hide_a_quote(quote: str, text: str) -> None:
    assert places(quote) == [text]


def test_a_quote_with_a_slip_is_found_by_its_likeness_and_says_how_like_it_is() -> None:
    [citation], _ = located(["Mooring costs 120 euro per day"], [PASSAGE])
    assert citation.text.startswith("Mooring costs 120 euros")
    assert SIMILAR / 100 <= (citation.score or 0) < 1
    assert TEXT[citation.start - 1000 : citation.end - 1000] == citation.text


@pytest.mark.parametrize(
    "quote",
    [
        "Mooring costs 130 euros a day",  # like it but for a figure
        "Mooring is free for ever and a day",
        "the",  # stands in many places, and proves nothing in any
        "arbour maste",  # no words of the text
        "\u2026",
        "",
    ],
)
def test_what_the_text_does_not_say_is_not_cited_but_counted(quote: str) -> None:
    assert located([quote], [PASSAGE]) == ((), 1)


def test_a_short_quote_counts_where_it_stands_once() -> None:
    assert places("1934") == ["1934"]
    assert places("euros") == []
    assert places("1934", passages=(PASSAGE, PASSAGE)) == []


def test_a_quote_with_an_ellipsis_is_cited_piece_by_piece_or_not_at_all() -> None:
    assert places("The harbour master is ... built in 1934.") == ["The harbour master is", "built in 1934."]
    assert places("The harbour master is [...] painted in red.") == []
    assert places("The ... 1934") == []


def test_a_quote_given_twice_is_cited_once() -> None:
    assert (
        located(["The quay was built in 1934"] * 2, [PASSAGE])[0]
        == located(["The quay was built in 1934"], [PASSAGE])[0]
    )


def test_the_first_passage_that_holds_a_quote_is_cited() -> None:
    other = Passage("copy", 0, TEXT)
    [citation], _ = located(["The quay was built in 1934"], [other, PASSAGE])
    assert citation.document == "copy"


def test_a_quote_longer_than_a_passage_is_not_found_in_it() -> None:
    assert located(
        [TEXT + " And more besides, of which nothing is known."], [Passage("p", 0, "The quay was built in 1934.")]
    ) == ((), 1)


def test_words_of_scripts_without_spaces_are_found_within_a_line() -> None:
    passage = Passage("zh", 0, "夜间工作须经港务长书面批准。停泊费用为每天一百二十欧元。")
    assert places("须经港务长书面批准", passages=(passage,)) == ["须经港务长书面批准"]


@given(st.text(max_size=60), st.text(max_size=200))
def test_what_is_cited_is_always_text_of_the_passage_at_its_place(quote: str, text: str) -> None:
    citations, lost = located([quote, text[5:60]], [Passage("d", 7, text)])
    assert all(text[c.start - 7 : c.end - 7] == c.text for c in citations)
    assert 0 <= lost <= 2
