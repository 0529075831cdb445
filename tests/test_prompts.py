"""The prompts have the paper's shape, and no text that is shown can leave its place in them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfroute.errors import UnsupportedTask
from selfroute.prompts import FORM, MARKED, STRUCTURED, SYSTEM, framed, ordered, overhead, prompt, structured_for
from selfroute.types import Passage, Question, Reading, Route, Shape, Task

WHO = Question("Who approves night work?")
PASSAGES = (Passage("b.md", 40, "second"), Passage("a.md", 7, "other"), Passage("b.md", 0, "first"))
TEMPLATE = "Read this.\n{context}\nNow answer {input}\nAnswer:"
texts = st.text() | st.sampled_from(["{input}", "{context}", "=== end ===", "=" * 50, "{0}", "{", f"\n{MARKED}\n"])


@pytest.mark.parametrize("structured", [True, False])
@pytest.mark.parametrize("template", [None, TEMPLATE])
def test_the_clause_that_allows_a_decline_stands_before_the_text_and_after_it(
    structured: bool, template: str | None
) -> None:
    text = prompt(reading(template=template), PASSAGES, structured=structured).text
    clause, other = (STRUCTURED, MARKED) if structured else (MARKED, STRUCTURED)
    before, between, after = text.split(clause)
    assert "second" in between
    assert not {"second", "first"} & {*before.split(), *after.split()}
    assert other not in text
    assert (FORM in text) == structured


def test_documents_come_before_the_question_and_begin_alike_whatever_is_asked() -> None:
    texts = [prompt(reading(q, route=Route.LONG_CONTEXT), PASSAGES, structured=True).text for q in ("Who?", "When?")]
    shared = [text.index("Question: ") for text in texts]
    assert texts[0][: shared[0]] == texts[1][: shared[1]]
    assert "second" in texts[0][: shared[0]]


def test_chunks_are_numbered_and_documents_told_apart_by_name() -> None:
    assert framed(PASSAGES, Route.RAG).splitlines()[::2] == [
        "=== chunk 1 of b.md ===",
        "=== chunk 2 of a.md ===",
        "=== chunk 3 of b.md ===",
        "=== end ===",
    ]
    assert framed(PASSAGES[:1], Route.LONG_CONTEXT).startswith("=== text 1 of b.md ===\nsecond\n")


def test_chunks_are_shown_by_score_or_by_position() -> None:
    assert ordered(PASSAGES, Route.RAG, by_position=False) == PASSAGES
    assert [p.text for p in ordered(PASSAGES, Route.RAG, by_position=True)] == ["first", "second", "other"]
    assert ordered(PASSAGES, Route.LONG_CONTEXT, by_position=True) == PASSAGES


def test_a_template_of_a_dataset_is_honoured_and_its_one_document_shown_as_it_is() -> None:
    made = prompt(reading(template=TEMPLATE, route=Route.LONG_CONTEXT), PASSAGES[:1], structured=False)
    assert made.system is None
    assert made.text == f"Read this.\n{MARKED}\n\nsecond\n\n{MARKED}\nNow answer Who approves night work?\nAnswer:"


def test_a_template_ends_as_it_was_written_even_where_json_is_asked_for() -> None:
    text = prompt(reading(template=TEMPLATE), PASSAGES, structured=True).text
    assert text.endswith(f"{STRUCTURED}\n\n{FORM}\nNow answer Who approves night work?\nAnswer:")


def test_a_task_without_a_question_has_nothing_to_decline() -> None:
    task = Task(Shape.TEXT, prompt="{context}\n\nSummarise.")
    asked = Reading(Question(None, task=task), PASSAGES[:1], Route.LONG_CONTEXT)
    assert prompt(asked, PASSAGES[:1], structured=False).text == "second\n\nSummarise."
    assert not structured_for(asked)


def test_only_answers_in_words_to_a_question_in_a_chat_are_asked_for_as_json() -> None:
    assert structured_for(reading())
    assert [shape for shape in Shape if structured_for(reading(task=Task(shape)))] == [Shape.SPAN, Shape.TEXT]
    assert not structured_for(reading(task=Task(chat_template=False)))


@pytest.mark.parametrize("template", ["{context} {", "{context} {0}", "{context} {other}", "{context.x}"])
def test_a_template_that_is_none_is_refused_with_what_to_do(template: str) -> None:
    with pytest.raises(UnsupportedTask, match="write its other braces twice"):
        prompt(reading(template=template), PASSAGES, structured=False)


def test_neither_question_nor_template_is_refused() -> None:
    with pytest.raises(UnsupportedTask, match="give the task one"):
        prompt(Reading(Question(None), PASSAGES, Route.LONG_CONTEXT), PASSAGES, structured=False)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=4))
def test_no_text_ends_its_own_frame_or_begins_another(shown: list[tuple[str, str]]) -> None:
    passages = [Passage(name, 0, text) for name, text in shown]
    text = framed(passages, Route.RAG)
    rule = re.match("=+", text)
    assert rule is not None
    parts = text.split(rule[0])
    assert parts[0::2] == ["", *(f"\n{p.text}\n" for p in passages), ""]
    assert parts[1::2] == [
        *(f" chunk {n} of {' '.join(p.document.split())} " for n, p in enumerate(passages, 1)),
        " end ",
    ]


@given(texts, texts)
def test_braces_in_a_text_or_a_question_are_text(shown: str, question: str) -> None:
    made = prompt(
        Reading(Question(question, task=Task(prompt="{context}|{input}")), (), Route.LONG_CONTEXT),
        (Passage("a", 0, shown),),
        structured=False,
    )
    assert made.text == f"{MARKED}\n\n{shown}\n\n{MARKED}|{question}"


def test_the_system_message_says_that_texts_are_no_orders() -> None:
    assert prompt(reading(), PASSAGES, structured=True).system == SYSTEM
    assert "you do not do" in SYSTEM


def reading(
    question: str = "Who approves night work?",
    template: str | None = None,
    route: Route = Route.RAG,
    task: Task | None = None,
) -> Reading:
    return Reading(Question(question, task=task or Task(prompt=template)), PASSAGES, route)


def test_above_the_rows_of_a_table_stands_its_header() -> None:
    passage = Passage("t.md", 33, "east | 31", "quay | === fee")
    text = framed([passage], Route.RAG)
    assert text == "==== chunk 1 of t.md ====\nquay | === fee\neast | 31\n==== end ===="
    assert overhead(passage, Route.RAG).count("quay | === fee") == 1
