"""What is known of each dataset by its name is whole, and agrees with LongBench's own tables where they are at hand."""

from __future__ import annotations

import json
from string import Formatter

import pytest
from data import data, needs_data

from selfroute.evaluation.datasets.tasks import (
    DATASETS,
    INFINITEBENCH,
    LONGBENCH,
    LONGBENCH_E,
    LONGBENCH_V2,
    Known,
    base_name,
    length_bucket,
)
from selfroute.evaluation.datasets.wording import PROMPTS
from selfroute.types import Shape


def fields(prompt: str) -> set[str]:
    return {field for _, field, _, _ in Formatter().parse(prompt) if field is not None}


def test_the_benchmarks_are_whole() -> None:
    assert (len(LONGBENCH), len(LONGBENCH_E), len(LONGBENCH_V2), len(INFINITEBENCH)) == (21, 13, 1, 12)
    assert DATASETS.keys() > LONGBENCH.keys() | LONGBENCH_E.keys() | LONGBENCH_V2.keys() | INFINITEBENCH.keys()


@needs_data
def test_every_set_of_the_development_data_is_known() -> None:
    sets = {file.name.split(".")[0] for file in data("dev").glob("*.jsonl.xz")}
    assert sets
    assert sets <= DATASETS.keys()


def test_a_task_is_named_after_what_it_is_scored_as() -> None:
    assert {name: known.task.name for name, known in DATASETS.items()} == {name: base_name(name) for name in DATASETS}


def test_the_even_variant_of_a_dataset_is_the_same_task() -> None:
    assert base_name("qasper_e") == base_name("qasper") == "qasper"
    assert base_name("multifieldqa_e") == "multifieldqa_e"  # no such variant: a name like any other
    assert all(known is LONGBENCH[base_name(name)] for name, known in LONGBENCH_E.items())


@pytest.mark.parametrize(
    ("length", "bucket"),
    [(0, "0-4k"), (3999, "0-4k"), (4000, "4-8k"), (7999, "4-8k"), (8000, "8k+"), (100_000, "8k+")],
)
def test_lengths_fall_into_three_buckets(length: int, bucket: str) -> None:
    assert length_bucket(length) == bucket


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        (
            Shape.SPAN,
            "narrativeqa qasper multifieldqa_en multifieldqa_zh hotpotqa 2wikimqa musique triviaqa",
        ),
        (
            Shape.TEXT,
            "dureader gov_report qmsum multi_news vcsum samsum passage_count passage_retrieval_en passage_retrieval_zh",
        ),
        (Shape.CHOICE, "trec lsht"),
        (Shape.CODE, "lcc repobench-p"),
    ],
)
def test_the_datasets_of_longbench_have_these_shapes(shape: Shape, names: str) -> None:
    assert {name for name, known in LONGBENCH.items() if known.task.shape is shape} == set(names.split())


def test_the_options_of_other_benchmarks_are_choices() -> None:
    chosen = {name for name, known in DATASETS.items() if known.task.shape is Shape.CHOICE and name not in LONGBENCH}
    assert chosen == {"trec_e", "longbench-v2", "longbook_choice_eng", "code_debug"}


def test_six_tasks_are_completed_without_a_chat_template() -> None:
    raw = {known.task.name for known in DATASETS.values() if not known.task.chat_template}
    assert raw == {"trec", "triviaqa", "samsum", "lsht", "lcc", "repobench-p"}


def test_only_samsum_stops_at_a_line_and_only_v2_is_sampled() -> None:
    assert {known.task.name for known in DATASETS.values() if known.task.stop} == {"samsum"}
    assert DATASETS["samsum"].task.stop == ("\n",)
    assert {known.task.name: known.task.temperature for known in DATASETS.values() if known.task.temperature} == {
        "longbench-v2": 0.1
    }


@needs_data
def test_the_limits_of_longbench_are_its_own() -> None:
    table = data("longbench", "dataset2maxlen.json")
    limits = {name: known.task.max_output_tokens for name, known in LONGBENCH.items()}
    assert limits == json.loads(table.read_text(encoding="utf-8"))


@needs_data
def test_datasets_ask_where_longbenchs_prompts_show_a_query() -> None:
    table = data("longbench", "dataset2prompt.json")
    prompts = json.loads(table.read_text(encoding="utf-8"))
    assert {name for name, known in LONGBENCH.items() if known.asks} == {
        name for name, prompt in prompts.items() if "{input}" in prompt
    }


def test_the_limits_of_infinitebench_are_its_own() -> None:
    assert [known.task.max_output_tokens for known in INFINITEBENCH.values()] == [
        *(6, 12, 50, 1200, 40, 40, 40, 40, 3, 30_000, 5, 5)
    ]


def test_every_task_has_a_limit() -> None:
    assert all((known.task.max_output_tokens or 0) > 0 for known in DATASETS.values())


def test_the_chinese_datasets_are_chinese() -> None:
    assert {name for name, known in DATASETS.items() if known.language != "en"} == {
        *("multifieldqa_zh", "dureader", "vcsum", "lsht", "passage_retrieval_zh", "longbook_qa_chn")
    }


@pytest.mark.parametrize(("name", "known"), DATASETS.items())
def test_a_task_that_asks_nothing_says_what_is_wanted(name: str, known: Known) -> None:
    assert known.asks or known.task.prompt is not None


@pytest.mark.parametrize("name", PROMPTS)
def test_our_wording_begins_with_the_document_and_shows_the_query(name: str) -> None:
    assert PROMPTS[name].startswith("{context}")
    assert fields(PROMPTS[name]) <= {"context", "input"}
    assert "input" in fields(PROMPTS[name]) or not DATASETS[name].asks
    assert DATASETS[name].task.prompt == PROMPTS[name]


@needs_data
def test_our_wording_is_not_longbenchs() -> None:
    table = data("longbench", "dataset2prompt.json")
    theirs = json.loads(table.read_text(encoding="utf-8"))
    assert not set(PROMPTS.values()) & set(theirs.values())


def test_what_is_known_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        DATASETS["mine"] = DATASETS["qasper"]  # type: ignore[index]
