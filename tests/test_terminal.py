"""What a person sees: all that matters of an answer, and other people's text without any effect on the terminal."""

from __future__ import annotations

import io
from dataclasses import replace
from decimal import Decimal

import pytest
from rich.console import Console, RenderableType

from selfroute import terminal
from selfroute.changes import Failure, Summary
from selfroute.evaluation.judging import Judged
from selfroute.index.upkeep import Listed
from selfroute.ledger import UsageRow
from selfroute.types import Answer, Call, Citation, Outcome, Route, Stage, Totals, Usage

CALLS = (
    Call(Stage.EMBED, "embedder", Usage(input_tokens=9), 0.01, cost=Decimal(0)),
    Call(Stage.READ_CHUNKS, "reader", Usage(input_tokens=1234, cached_input_tokens=5, output_tokens=3), 1.25),
)
ANSWER = Answer(
    id="a1",
    question="Who approves night work?",
    answer="Olof Berg",
    outcome=Outcome.ANSWERED,
    likely_absent=None,
    route=Route.RAG,
    policy="self_route",
    path=("retrieve", "read_chunks"),
    corpus="harbour",
    confidence=None,
    coverage=0.126,
    citations=(Citation("handbook.md", None, 1200, 1256, "Night work is approved by\n  Olof Berg.", 7.5),),
    unsupported=False,
    cut_off=False,
    calls=CALLS,
    totals=Totals(Usage(input_tokens=1243, output_tokens=3), 9, False, None, 1.3),
    long_context_tokens=12_340,
    long_context_cost=Decimal("0.0000420"),
    saved_tokens=11_106,
    warnings=(),
    explain={},
)
NASTY = "[bold]x[/bold] [/] [link=http://e.example]y :smile:"
DRIVING = "\x1b[31mred\x1b]0;title\x07\x9b2J\x00\r\x08\u202etxet\x7f"


def test_an_answer_shows_the_question_the_answer_and_how_it_came_about() -> None:
    lines = shown(terminal.answer(ANSWER)).splitlines()
    assert lines[0].split(maxsplit=1) == ["question", "Who approves night work?"]
    assert lines[1].split(maxsplit=1) == ["answer", "Olof Berg"]
    assert lines[2].split() == ["outcome", "answered"]
    assert lines[3].split(maxsplit=1) == ["route", "rag (self_route: retrieve -> read_chunks)"]


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("route", Route)
def test_outcome_and_route_stand_there_by_their_names(outcome: Outcome, route: Route) -> None:
    text = shown(terminal.answer(replace(ANSWER, outcome=outcome, route=route)))
    assert f"outcome  {outcome.value}\n" in text
    assert f"route    {route.value} (" in text


def test_no_answer_is_none() -> None:
    text = shown(terminal.answer(replace(ANSWER, answer=None, outcome=Outcome.INSUFFICIENT, citations=())))
    assert "answer   none\n" in text
    assert "citation" not in text


def test_a_question_without_a_text_is_shown_as_such() -> None:
    assert "question (none)\n" in shown(terminal.answer(replace(ANSWER, question=None)))


def test_a_citation_names_its_document_and_offsets_on_one_line() -> None:
    text = shown(terminal.answer(ANSWER))
    assert "citation handbook.md [1200:1256] “Night work is approved by Olof Berg.”\n" in text


def test_a_citation_names_its_page_if_it_has_one() -> None:
    paged = replace(ANSWER, citations=(replace(ANSWER.citations[0], page=4),))
    assert "handbook.md, page 4 [1200:1256]" in shown(terminal.answer(paged))


def test_warnings_are_shown() -> None:
    text = shown(terminal.answer(replace(ANSWER, warnings=("read in part", "question cut"))))
    assert "warning  read in part\n" in text
    assert "warning  question cut\n" in text


def test_each_call_is_a_row_with_its_tokens_and_cost() -> None:
    rows = [line.split() for line in shown(terminal.answer(ANSWER)).splitlines()]
    assert ["call", "model", "input", "tokens", "cached", "output", "cost", "$", "seconds"] in rows
    assert ["embed", "embedder", "9", "0", "0", "0", "0.01"] in rows
    assert ["read_chunks", "reader", "1,234", "5", "3", "unknown", "1.25"] in rows


def test_a_call_that_failed_is_marked() -> None:
    failed = replace(ANSWER, calls=(replace(CALLS[0], error="no"),))
    assert "embed (failed)" in shown(terminal.answer(failed))


def test_what_reading_everything_would_have_taken_is_told() -> None:
    assert (
        "read 1,234 tokens (10%), 13% of the text in scope; "
        "reading everything would have taken 12,340 tokens ($ 0.000042): 11,106 saved"
    ) in shown(terminal.answer(ANSWER))


def test_an_escalation_that_paid_twice_is_told_as_more() -> None:
    paid_twice = replace(ANSWER, saved_tokens=-1234, long_context_cost=None)
    assert "12,340 tokens ($ unknown): 1,234 more" in shown(terminal.answer(paid_twice))


def test_an_answer_about_no_text_at_all_is_shown_too() -> None:
    nothing = replace(ANSWER, long_context_tokens=0, saved_tokens=0, coverage=0.0)
    assert "read 1,234 tokens, 0% of the text in scope" in shown(terminal.answer(nothing))


def test_nothing_is_lost_on_a_narrow_terminal() -> None:
    name = "a-very-long-model-name/" * 8
    narrow = shown(terminal.answer(replace(ANSWER, calls=(replace(CALLS[0], model=name),))), width=60)
    assert narrow.count("/") == 8


def test_an_indexing_run_is_told_in_numbers() -> None:
    made = Summary(added=2, updated=1, unchanged=30, chunks=1234, tokens=56789, seconds=2.345)
    made.total_documents, made.total_chunks = 33, 4321
    assert shown(terminal.summary(made, "harbour")).splitlines() == [
        "harbour: 2 added, 1 updated, 30 unchanged, 0 failed",
        "embedded 1,234 chunks, 56,789 tokens in 2.3 s; the corpus holds 33 documents, 4,321 chunks",
    ]


def test_what_failed_is_named_and_a_long_list_is_cut_and_counted() -> None:
    made = Summary(failed=[Failure(f"{n}.pdf", "not supported") for n in range(terminal.MOST_FAILURES + 3)])
    lines = shown(terminal.summary(made, "harbour")).splitlines()
    assert lines[2] == "failed: 0.pdf: not supported"
    assert len(lines) == 2 + terminal.MOST_FAILURES + 1
    assert lines[-1] == "and 3 more; --json lists all"


def test_sums_are_a_row_a_group() -> None:
    rows = [
        UsageRow("2026-01-31", 2, 5, Usage(1000, 10, 0, 7, 0), 14, Decimal("0.1200"), 3000, -50),
        UsageRow("2026-02-01", 1, 1, Usage(), 0, None, None, None),
    ]
    head, *body = [line.split() for line in shown(terminal.usage(rows, "day")).splitlines()]
    assert head[:3] == ["day", "questions", "calls"]
    assert body == [
        ["2026-01-31", "2", "5", "1,000", "10", "7", "14", "0.12", "3,000", "-50"],
        ["2026-02-01", "1", "1", "0", "0", "0", "0", "unknown", "-", "-"],
    ]


def test_of_several_k_it_is_told_which_was_judged() -> None:
    assert shown(terminal.reports([Judged(3, 0, 1, 0, (), 5, 4)], [])).splitlines() == [
        "judged: 3 now, 1 before (of k = 5 alone, as the figures are)"
    ]


def test_what_judging_took_is_named_beside_its_group() -> None:
    row = UsageRow("2026-01-31", 3, 3, Usage(300), 0, Decimal(1), None, None, judging=True)
    [_, told] = shown(terminal.usage([row], "day")).splitlines()
    assert told.split()[:4] == ["2026-01-31", "(judging)", "3", "3"]


def test_what_an_evaluation_read_is_named_beside_its_group_where_the_group_does_not_say_so() -> None:
    day, policy = (
        UsageRow(key, 3, 3, Usage(300), 0, Decimal(1), None, None, evaluation=True)
        for key in ("2026-01-31", "evaluation")
    )
    [_, told] = shown(terminal.usage([day], "day")).splitlines()
    assert told.split()[:3] == ["2026-01-31", "(evaluation)", "3"]
    [_, told] = shown(terminal.usage([policy], "policy")).splitlines()
    assert told.split()[:3] == ["evaluation", "3", "3"]


def test_a_corpus_that_can_be_opened_is_ready_and_another_says_why_not() -> None:
    rows = [Listed("forest", 3, 40, 9000), Listed("harbour", 0, 0, 0, "the index is damaged")]
    _, forest, harbour = shown(terminal.corpora(rows)).splitlines()
    assert forest.split() == ["forest", "3", "40", "9,000", "ready"]
    assert harbour.endswith("the index is damaged  ")


def test_markup_in_other_peoples_text_is_shown_as_it_stands() -> None:
    for made in everything(NASTY):
        text = shown(made)
        assert text.count(NASTY) >= 1
        assert text.count("x[/bold] [/]") == text.count(NASTY)


def test_an_answer_shows_markup_literally_wherever_it_may_come_from() -> None:
    assert shown(terminal.answer(of(NASTY))).count(NASTY) == 6


@pytest.mark.parametrize("colour", [False, True])
def test_control_characters_in_other_peoples_text_do_not_reach_the_terminal(colour: bool) -> None:
    for made in everything(DRIVING):
        text = shown(made, colour=colour)
        assert not {"\x07", "\x9b", "\x00", "\r", "\x08", "\u202e", "\x7f"} & set(text)
        assert "\x1b[31mred" not in text
        assert "\x1b]" not in text
        assert "\\x1b[31mred" in text


def test_lines_and_tabs_of_a_text_stay() -> None:
    assert terminal.harmless("a\n\tb “c” ü") == "a\n\tb “c” ü"


def everything(text: str) -> list[RenderableType]:
    """All that can be shown, with `text` wherever other people's may stand."""
    return [
        terminal.answer(of(text)),
        terminal.summary(Summary(failed=[Failure(text, text)]), text),
        terminal.usage([UsageRow(text, 1, 1, Usage(), 0, None, 0, 0)], "corpus"),
        terminal.corpora([Listed(text, 1, 1, 1, text)]),
    ]


def of(text: str) -> Answer:
    return replace(
        ANSWER,
        question=text,
        answer=text,
        citations=(Citation(text, None, 0, 1, text, None),),
        warnings=(text,),
        calls=(replace(CALLS[0], model=text),),
    )


def shown(made: RenderableType, width: int = 500, colour: bool = False) -> str:
    """As `cli` prints it."""
    file = io.StringIO()
    Console(file=file, width=width, force_terminal=colour, color_system="standard" if colour else None).print(
        made, highlight=False
    )
    return file.getvalue()
