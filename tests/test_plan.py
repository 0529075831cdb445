"""A plan groups questions by document, keeps texts out of memory, and takes no question twice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from selfroute.errors import HomeNotWritable
from selfroute.evaluation.datasets import Malformed, Sample
from selfroute.evaluation.plan import Plan
from selfroute.types import Question, Shape, Task

SAMPLE = Sample(
    id="1",
    question=Question("Who?"),
    context="Ann did.",
    answers=("Ann",),
    all_classes=None,
    dataset="made",
    doc_id="a",
    answerable=True,
    length=2,
    language="en",
)
BROKEN = Malformed("made.jsonl:2", "has no answers")


def about(document: str, *ids: str, dataset: str = "made") -> list[Sample]:
    context = f"The text of {document}."
    return [replace(SAMPLE, id=id_, doc_id=document, context=context, dataset=dataset) for id_ in ids]


@pytest.fixture
def plan(tmp_path: Path) -> Iterator[Plan]:
    made = Plan(tmp_path)
    yield made
    made.close()


def grouped(plan: Plan) -> list[tuple[str, list[str]]]:
    return [(group.doc_id, [sample.id for sample in group.samples]) for group in plan.groups()]


def test_questions_are_grouped_by_document_in_the_order_in_which_documents_appear(plan: Plan) -> None:
    plan.add([*about("b", "1"), *about("a", "2"), *about("b", "3"), *about("c", "4"), *about("a", "5")])
    assert grouped(plan) == [("b", ["1", "3"]), ("a", ["2", "5"]), ("c", ["4"])]
    assert len(plan) == 5


def test_a_document_of_two_datasets_is_one_group(plan: Plan) -> None:
    plan.add(about("a", "1"))
    plan.add(about("a", "1", dataset="other"))
    [group] = plan.groups()
    assert [(sample.dataset, sample.id) for sample in group.samples] == [("made", "1"), ("other", "1")]


def test_one_name_with_two_texts_is_two_documents(plan: Plan) -> None:
    plan.add([SAMPLE, replace(SAMPLE, dataset="other", context="Bo did.")])
    assert [(group.doc_id, plan.context(group)) for group in plan.groups()] == [("a", "Ann did."), ("a", "Bo did.")]


@pytest.mark.parametrize("text", [".", "é\u0301😀中\u2028\r\n\0", "long " * 50_000, "half a pair: \ud83d"])
def test_texts_are_given_back_as_they_were(plan: Plan, text: str) -> None:
    plan.add([*about("a", "1"), replace(SAMPLE, id="2", doc_id="b", context=text), *about("c", "3")])
    assert [plan.context(group) for group in plan.groups()] == ["The text of a.", text, "The text of c."]


def test_the_questions_come_without_their_texts_which_leave_no_file(plan: Plan, tmp_path: Path) -> None:
    plan.add(about("a", "1"))
    [group] = plan.groups()
    assert group.samples[0].context == ""
    assert list(tmp_path.iterdir()) == []


def test_a_text_that_many_questions_share_is_kept_once(plan: Plan) -> None:
    plan.add(replace(SAMPLE, id=str(n), context="x" * 1000) for n in range(50))
    [group] = plan.groups()
    plan.add(about("b", "50"))
    assert [(g.start, g.size) for g in plan.groups()] == [(0, 1000), (1000, len("The text of b."))]
    assert len(group.samples) == 50


def test_an_id_that_comes_twice_is_malformed_and_the_first_stays(plan: Plan) -> None:
    plan.add([SAMPLE, replace(SAMPLE, context="Bo did.", doc_id="b"), replace(SAMPLE, dataset="other")])
    assert grouped(plan) == [("a", ["1", "1"])]
    assert [(row.place, row.reason) for row in plan.malformed] == [
        ("made: 1", "this id was used before in this dataset: give it another")
    ]


def test_malformed_rows_are_kept_in_order_and_are_no_questions(plan: Plan) -> None:
    other = replace(BROKEN, place="made.jsonl:9")
    plan.add([BROKEN, SAMPLE, other])
    assert plan.malformed == [BROKEN, other]
    assert len(plan) == 1


def test_a_limit_takes_the_first_and_reads_no_further(plan: Plan) -> None:
    items: Iterator[Sample | Malformed] = iter([BROKEN, *about("a", "1", "2", "3"), BROKEN])
    plan.add(items, limit=2)
    assert grouped(plan) == [("a", ["1", "2"])]
    assert plan.malformed == [BROKEN]
    assert next(items) == about("a", "3")[0]


def test_a_limit_is_each_datasets_own_where_there_are_several(plan: Plan) -> None:
    plan.add([*about("a", "1", "2", dataset="one"), *about("a", "1", "2", dataset="two")], limit=1, several=True)
    [group] = plan.groups()
    assert [(sample.dataset, sample.id) for sample in group.samples] == [("one", "1"), ("two", "1")]


def test_a_limit_counts_records_and_not_what_each_is_spread_to(plan: Plan) -> None:
    def by_model(sample: Sample) -> list[Sample]:
        return [replace(sample, dataset=model) for model in ("one", "two")]

    plan.add(about("a", "1", "2", "3"), limit=2, spread=by_model)
    [group] = plan.groups()
    assert [(sample.dataset, sample.id) for sample in group.samples] == [
        ("one", "1"),
        ("two", "1"),
        ("one", "2"),
        ("two", "2"),
    ]


@pytest.mark.parametrize(
    "changed",
    [
        {"question": Question("Whom?")},
        {"question": Question(None)},
        {"question": Question("Who?", task=Task(Shape.TEXT))},
        {"question": Question("Who?", task=Task(prompt="{context} {input}"))},
        {"question": Question("Who?", task=Task(max_output_tokens=7))},
        {"context": "Ann did!"},
        {"answers": ("Ann", "Anne")},
        {"all_classes": ("Ann",)},
        {"doc_id": "b"},
        {"answerable": False},
        {"length": 3},
    ],
)
def test_whatever_is_asked_or_expected_makes_another_question_of_one_id(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    assert asked(tmp_path, replace(SAMPLE, **changed)) != asked(tmp_path, SAMPLE)
    assert asked(tmp_path, replace(SAMPLE)) == asked(tmp_path, SAMPLE)


def asked(folder: Path, sample: Sample) -> str:
    plan = Plan(folder)
    plan.add([sample])
    plan.close()
    return plan.asked[sample.dataset, sample.id]


def test_a_folder_that_cannot_be_written_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(HomeNotWritable, match="set --out to a folder with room"):
        Plan(tmp_path / "gone")


@pytest.mark.end_to_end
def test_a_text_that_does_not_fit_on_the_disk_is_told_with_what_to_do(tmp_path: Path) -> None:
    """The limit on a file's size stands in for a full disk: the write is cut short in the same way."""
    program = f"""
import resource, signal, sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, {os.path.dirname(__file__)!r})
from test_plan import SAMPLE, Plan, HomeNotWritable
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
plan = Plan(Path({str(tmp_path)!r}))
plan.add([SAMPLE])
try:
    plan.add([replace(SAMPLE, id="2", context="x" * 100)])
except HomeNotWritable as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "set --out to a folder with room" in done.stdout
