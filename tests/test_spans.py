"""An answer is whole: numbers with their signs, the sentence or row around it; and what asks is never what answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfroute.readers.spans import LONGEST_SENTENCE, borders, repeats, sections, sentence_around, widened

FAQ = "# Questions\n\n## How long is a key valid?\n\n90 days.\n\n## What does a lost key cost?\n\n45 euros."


@pytest.mark.parametrize(
    ("text", "span", "whole"),
    [
        ("it was -12 degrees", "12", "-12"),
        ("it was \u221212 degrees", "12", "\u221212"),
        ("it was +3 degrees", "3", "+3"),
        ("a change of \u20133.5 points", "3.5", "\u20133.5"),
        ("cut to \u00b15 mm", "5", "\u00b15"),
        ("cut to \u00b1 5 mm", "5", "\u00b1 5"),
        ("it must be <40 euros", "40", "<40"),
        ("it must be \u2264 40 euros", "40", "\u2264 40"),
        ("about ~300 boats", "300", "~300"),
        ("\u2248300 boats", "300", "\u2248300"),
        ("it costs $25 now", "25", "$25"),
        ("it costs -$25 now", "25", "-$25"),
        ("it costs 25\u20ac now", "25", "25\u20ac"),
        ("grew by 12% a year", "12", "12%"),
        ("a loss of (1,250) euros", "1,250", "(1,250)"),
        ("a loss of ($1,250) in all", "1,250", "($1,250)"),
        ("a loss of (1,250) euros", "(1,250", "(1,250)"),
        ("1,234,567.89 euros", "234,567", "1,234,567.89"),
        ("9,960,502.57 euros", "9,960,502", "9,960,502.57"),
        ("at 10:30 sharp", "10", "10:30"),
        ("a value of .5 only", "5", ".5"),
        ("the harbourmaster said", "harbour", "harbourmaster"),
        ("berth A-12 is free", "12", "12"),
        ("from 10-15 May", "15", "15"),
        ("opened in (1998) by all", "1998", "1998"),
        ("holds 10^6 litres", "10", "10^6"),
        ("holds 10^6 litres", "6", "10^6"),
        ("lasts 10^-3 s", "-3", "10^-3"),
        ("holds 3×10^6 cells", "3", "3×10^6"),
        ("about 1.5e-3 of it", "1.5e", "1.5e-3"),
        ("it is 1 250 euros", "250", "1 250"),
        ("it is 1\u00a0250,50 euros", "1", "1\u00a0250,50"),
        ("in 2019 300 boats came", "300", "300"),
        ("at most <= 40 euros", "40", "<= 40"),
        ("call (030) 1234-567 now", "1234", "(030) 1234-567"),
        ("it is １，２５０ yen", "２５０", "１，２５０"),  # noqa: RUF001
        ("a loss of $(1,250) in all", "1,250", "$(1,250)"),
        ("it costs US$25 now", "25", "US$25"),
        ("it costs € 40.50 now", "40.50", "€ 40.50"),
        ("it costs 40 € now", "40", "40 €"),
        ("it grew by 12 % then", "12", "12 %"),
        ("by the rule ISO-9001 it is", "-9001", "ISO-9001"),
        ("> 5 boats in a quotation", "5", "5"),
        ("- 5 boats in a list", "5", "5"),
        ("Who? Olof Berg.", "Olof Berg", "Olof Berg"),
    ],
)
def test_a_span_widens_to_the_whole_number_with_its_signs(text: str, span: str, whole: str) -> None:
    start = text.index(span)
    low, high = widened(text, start, start + len(span))
    assert text[low:high] == whole


@pytest.mark.parametrize(
    ("text", "span", "whole"),
    [
        ("It rains. Olof Berg keeps the gate. It snows.", "Olof", "Olof Berg keeps the gate."),
        ("It rains. Mr. Olof Berg keeps it. It snows.", "Olof", "Mr. Olof Berg keeps it."),
        ("It is approx. 40 euros a night. So.", "40", "It is approx. 40 euros a night."),
        ("quay | fee\nnorth | 40\nsouth | 25", "40", "north | 40"),
        ("quay: North; fee: 40,50\n\nquay: South; fee: 25,10", "40,50", "quay: North; fee: 40,50"),
        ("- One is red.\n- Two is blue\n- Three", "blue", "- Two is blue"),
        ("港口夜间作业。须经港务长批准。完。", "港务长", "须经港务长批准。"),
        ("N. | Is closed. Opens again. Ask. | 40\nS. | Open. | 25", "40", "N. | Is closed. Opens again. Ask. | 40"),
        ("quay: North; note: Closed. Ask Berg.; fee: 40", "40", "quay: North; note: Closed. Ask Berg.; fee: 40"),
        ("It rains. Gen. Smith came in May [3]. It snows.", "Smith", "Gen. Smith came in May [3]."),
        ("It rains.[3] Olof keeps it. It snows.", "Olof", "Olof keeps it."),
        (
            "The fee, which is set by the board of the harbour,\nis 40 euros. And so on.",
            "40",
            "The fee, which is set by the board of the harbour,\nis 40 euros.",
        ),
    ],
)
def test_the_sentence_or_row_around_a_span_is_whole(text: str, span: str, whole: str) -> None:
    start = text.index(span)
    low, high = sentence_around(text, start, start + len(span))
    assert text[low:high] == whole


def test_of_a_very_long_sentence_the_clause_is_cited() -> None:
    clauses = [f"the rent of house {n} is {n},500.25 euros a year" for n in range(100)]
    text = "; ".join(clauses)
    assert len(text) > LONGEST_SENTENCE
    start = text.index("77,500.25")
    low, high = sentence_around(text, start, start + 9)
    assert text[low:high] == f"{clauses[77]};"


@given(st.text(alphabet="ab 1,.;:\n|\t。-#()?$", min_size=1, max_size=300), st.data())
def test_spans_only_grow_and_stay_in_the_text(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    low, high = widened(text, start, end)
    assert 0 <= low <= start < end <= high <= len(text)
    if text[start:end].strip():
        low, high = sentence_around(text, start, end)
        assert 0 <= low <= high <= len(text)
        assert text[start:end].strip() in text[low:high]


@pytest.mark.parametrize(
    ("question", "lines"),
    [
        ("How long is a key valid?", ["## How long is a key valid?"]),
        ("For how long is a key valid?", ["## How long is a key valid?"]),
        ("What are the questions?", ["# Questions"]),
        ("Who keeps the gate?", []),
    ],
)
def test_headings_that_repeat_the_question_are_found(question: str, lines: list[str]) -> None:
    assert [FAQ[start:end].strip() for start, end in repeats(FAQ, question)] == lines


def test_a_question_in_plain_lines_repeats_it_too() -> None:
    text = "How long is a key valid?\n90 days.\nWhat is it made of?\nBrass."
    assert [text[start:end].strip() for start, end in repeats(text, "How long is the key valid?")] == [
        "How long is a key valid?"
    ]


def test_what_stands_under_a_heading_ends_at_the_next() -> None:
    [section] = sections(FAQ, repeats(FAQ, "How long is a key valid?"))
    assert FAQ[slice(*section)] == "## How long is a key valid?\n\n90 days.\n\n"


def test_no_answer_runs_over_cells_headings_or_paragraphs() -> None:
    text = "a | b\nc | d\n\n# Head\nOne goes\non and on."
    found = [
        text[start:end].strip(" \n|")
        for start, end in zip([0, *borders(text, 0, 99)], borders(text, 0, 99), strict=False)
    ]
    assert [part for part in found if part] == ["a", "b", "c", "d", "# Head"]
    assert borders("One goes\non and on.", 0, 99) == []


@pytest.mark.parametrize(
    ("text", "asking"),
    [
        ("| How long is the permit valid? | 90 days |", "How long is the permit valid?"),
        ("question: How long is the permit valid?; answer: 90 days", None),
        ("topic: permits; question: How long is the permit valid? 90 days", "How long is the permit valid?"),
        ("Q: How long is the permit valid? A: 90 days. Q: Who keeps it? A: Olof.", "How long is the permit valid?"),
        ("How long is the permit valid?:\r\n90 days.", "How long is the permit valid?:"),
        ("»How long is the permit valid?«\n90 days.", None),
        ("(How long is the permit valid?)\n90 days.", "(How long is the permit valid?)"),
        ("## Validity: How long is the permit valid? 90 days", "How long is the permit valid?"),
    ],
)
def test_what_asks_is_found_wherever_it_stands(text: str, asking: str | None) -> None:
    found = [text[start:end].strip() for start, end in repeats(text, "How long is the permit valid?")]
    assert len(found) == 1
    assert "How long is the permit valid?" in found[0]
    assert "90" not in found[0]
    if asking is not None:
        assert found == [asking]


@pytest.mark.parametrize("sign", [" ", "?", "? ", ".", "# ", "a?b ", "| ", "1 250 ", "(", "How "])
def test_lines_that_are_made_to_take_long_are_looked_through_once(sign: str) -> None:
    """With the square of the length it would take longer than a test may."""
    text = f"Who keeps the gate? {sign * (400_000 // len(sign))}\nOlof."
    found = repeats(text, "Who keeps the gate?")
    assert found[0][0] == 0
    assert sections(text, found)[0][0] == 0
    assert borders(text, 0, 2_000)
    start, end = sentence_around(text, len(text) - 5, len(text))
    assert text[start:end].endswith("Olof.")
    assert widened(text, len(text) - 5, len(text) - 1) == (len(text) - 5, len(text) - 1)
