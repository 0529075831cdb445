"""The sample handbook and its questions agree: whatever is asked is in the text word for word, or marked as absent."""

from __future__ import annotations

import json
from pathlib import Path

from selfroute.evaluation.datasets import Sample, open_samples
from selfroute.evaluation.metrics.qa import UNANSWERABLE

SAMPLES = Path(__file__).parents[1] / "eval" / "samples"
QUESTIONS = SAMPLES / "harbour.jsonl"
LONGBENCH = ("_id", "input", "context", "answers", "length", "dataset", "language", "all_classes")


def test_there_are_twenty_different_questions_with_ids_of_their_own() -> None:
    rows = samples()
    assert [row.id for row in rows] == [f"harbour-{number:02}" for number in range(1, 21)]
    assert len({row.question for row in rows}) == 20


def test_every_question_is_about_the_whole_handbook() -> None:
    assert {(row.doc_id, row.context) for row in samples()} == {("harbour.md", handbook())}


def test_every_answerable_question_has_an_answer_that_stands_in_the_handbook() -> None:
    text = handbook()
    assert [row.id for row in asked(answerable=True) if not any(answer in text for answer in row.answers)] == []


def test_a_quarter_of_the_questions_have_no_answer_and_say_so() -> None:
    assert [row.answers for row in asked(answerable=False)] == [(UNANSWERABLE,)] * 5


def test_every_record_has_the_fields_of_longbench_and_the_true_length() -> None:
    records = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    assert {tuple(record) for record in records} == {(*LONGBENCH, "doc_id", "answerable")}
    values = {(r["length"], r["dataset"], r["language"], r["all_classes"]) for r in records}
    assert values == {(len(handbook().split()), "harbour", "en", None)}


def test_the_handbook_is_too_long_for_a_few_chunks_and_holds_tables() -> None:
    lines = handbook().splitlines()
    words = [word for line in lines for word in line.split() if word != "|"]
    assert len(words) > 6_000
    assert sum(line.startswith("|--") for line in lines) >= 6


def test_the_sections_of_the_handbook_are_numbered_without_a_gap() -> None:
    headings = [line.split()[1] for line in handbook().splitlines() if line.startswith("## ")]
    numbers = [heading for heading in headings if heading != "Appendix"]
    assert numbers == [f"{number}." for number in range(1, 26)]


def handbook() -> str:
    return (SAMPLES / "harbour.md").read_text(encoding="utf-8")


def samples() -> list[Sample]:
    return [row for row in open_samples(QUESTIONS) if isinstance(row, Sample)]


def asked(*, answerable: bool) -> list[Sample]:
    return [row for row in samples() if row.answerable is answerable]
