"""Datasets are scored by their own metrics, 0 to 100, and LongBench's as its own scorer does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import pytest
from data import data, needs_data
from hypothesis import given, settings
from hypothesis import strategies as st

from selfroute.errors import MissingExtra, UnknownDataset, UnknownMetric, UnscorableRecord
from selfroute.evaluation.datasets import base_name
from selfroute.evaluation.datasets.tasks import DATASETS
from selfroute.evaluation.metrics import (
    CORRECTIONS,
    FIRST_LINE,
    METRIC_OF,
    METRICS,
    UNVERIFIED,
    Mode,
    score,
    score_with,
)

LONGBENCH = [
    *("narrativeqa", "qasper", "multifieldqa_en", "multifieldqa_zh", "hotpotqa", "2wikimqa", "musique"),
    *("dureader", "gov_report", "qmsum", "multi_news", "vcsum", "trec", "triviaqa", "samsum", "lsht"),
    *("passage_count", "passage_retrieval_en", "passage_retrieval_zh", "lcc", "repobench-p"),
]
BY_JIEBA = {"qa_f1_zh", "rouge_zh"}
SCORABLE = sorted(set(METRICS) - (set() if find_spec("jieba") else BY_JIEBA))
CLASSES = ["A", "B", "AB", "JOHN", "answer"]
DEPTH = 1_000
"""CPython's limit on recursion. The official ROUGE goes one deeper for each word."""

OF_ALL_ANSWERS = {"matching_prefix", "string_match_all", "character_name", "buggy_function"}
"""Metrics that take the answers together, so that one more may lower the score."""

predictions = st.text("AB 12.\nJOHN answer is: Paragraph 北京。'", max_size=30)
plain_answers = st.text("AB 12.JOHN北京", min_size=1, max_size=10)
numbers = st.integers(-9, 99).map(str)
ANSWERS = {
    "retrieval": numbers.map(lambda n: f"Paragraph {n.strip('-')}"),
    "retrieval_zh": numbers.map(lambda n: f"段落{n.strip('-')}"),
    "first_number": numbers | st.floats(0, 9).map(lambda x: f"{x:.1f}"),
    "last_integer": numbers,
    "matching_prefix": numbers,
}


@pytest.fixture(scope="module")
def golden() -> list[dict[str, Any]]:
    lines = data("longbench", "golden_scores.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@needs_data
@pytest.mark.parametrize("dataset", LONGBENCH)
def test_strict_equals_longbenchs_own_scorer(dataset: str, golden: list[dict[str, Any]]) -> None:
    if METRIC_OF[dataset] not in SCORABLE:
        pytest.skip("needs the extra `chinese`")
    vectors = [v for v in golden if v["dataset"] == dataset and not exceeds_the_depth(v)]
    assert len(vectors) > 10
    for vector in vectors:
        assert scored(vector) == pytest.approx(100 * vector["score"], abs=1e-9), vector


@needs_data
def test_strict_scores_the_one_vector_on_which_the_official_scorer_met_the_limit_of_recursion(
    golden: list[dict[str, Any]],
) -> None:
    """The word "word" 600 times against "word other" 600 times, precision 1 and recall 1/2, scored 0."""
    (vector,) = [v for v in golden if exceeds_the_depth(v)]
    assert vector["score"] == 0
    assert scored(vector) == pytest.approx(100 * 2 * 1 * 0.5 / (1 + 0.5 + 1e-8), abs=1e-9)


@needs_data
def test_the_golden_scores_are_of_the_tasks_listed_here(golden: list[dict[str, Any]]) -> None:
    assert {vector["dataset"] for vector in golden} == set(LONGBENCH)


def test_a_score_is_out_of_100_and_not_rounded() -> None:
    assert score("hotpotqa", "Ann Reid", ["Ann"]) == pytest.approx(200 / 3, abs=1e-12)


def test_the_best_answer_counts() -> None:
    assert score("hotpotqa", "Ann", ["Bob", "Ann"]) == 100
    assert score("hotpotqa", "Ann", []) == 0


@pytest.mark.parametrize("dataset", ["trec", "triviaqa", "samsum", "lsht"])
def test_four_datasets_are_scored_by_the_first_line(dataset: str) -> None:
    assert len(FIRST_LINE) == 4
    cut, answers = "\n\nAnn Reid", ["Ann Reid"]
    assert score(dataset, cut + "\nQuestion: Bob", answers, ["Ann Reid", "Bob"]) > 99.9
    assert score_with(METRIC_OF[dataset], cut + "\nQuestion: Bob", answers, ["Ann Reid", "Bob"]) < 99.9


def test_other_datasets_are_scored_by_the_whole_prediction() -> None:
    assert score("hotpotqa", "Bob\nAnn", ["Ann"]) == pytest.approx(200 / 3)


def test_an_unknown_dataset_is_told_its_nearest_name() -> None:
    with pytest.raises(UnknownDataset, match="'HotpotQA'; did you mean hotpotqa"):
        score("HotpotQA", "Ann", ["Ann"])


def test_a_dataset_like_no_other_is_asked_for_its_metric() -> None:
    with pytest.raises(UnknownDataset, match="no dataset 'zzz'; have: "):
        score("zzz", "Ann", ["Ann"])


def test_any_dataset_can_be_scored_by_a_named_metric() -> None:
    assert score_with("qa_f1", "the Ann", ["Ann"]) == 100


def test_an_unknown_metric_is_told_what_there_is() -> None:
    with pytest.raises(UnknownMetric, match=r"'rogue'; have: .*qa_f1, .*rouge, "):
        score_with("rogue", "Ann", ["Ann"])


def test_classification_needs_the_classes() -> None:
    with pytest.raises(UnscorableRecord, match="pass the record's all_classes"):
        score("trec", "Food", ["Food"])


def test_every_metric_of_a_dataset_exists_and_every_remark_is_on_one() -> None:
    assert set(METRIC_OF.values()) <= set(METRICS)
    assert set(CORRECTIONS) | set(UNVERIFIED) <= set(METRICS)
    assert set(METRIC_OF) >= FIRST_LINE
    assert set(METRIC_OF) >= set(LONGBENCH)


def test_no_dataset_that_is_known_falls_to_a_default() -> None:
    assert {base_name(dataset) for dataset in DATASETS} <= set(METRIC_OF)


@pytest.mark.parametrize("metric", SCORABLE)
@settings(max_examples=40)
@given(data=st.data())
def test_a_score_is_between_0_and_100(metric: str, data: st.DataObject) -> None:
    for mode in ("strict", "fixed"):
        assert 0 <= drawn(metric, data, mode=mode) <= 100


@pytest.mark.parametrize("metric", sorted(set(SCORABLE) - OF_ALL_ANSWERS))
@settings(max_examples=40)
@given(data=st.data())
def test_one_more_answer_never_lowers_the_score(metric: str, data: st.DataObject) -> None:
    prediction, (first, *more) = data.draw(predictions), answers_of(metric, data)
    fewer = score_with(metric, prediction, [first], CLASSES)
    assert score_with(metric, prediction, [first, *more], CLASSES) >= fewer


@pytest.mark.parametrize("metric", sorted(set(SCORABLE) - set(CORRECTIONS)))
@settings(max_examples=40)
@given(data=st.data())
def test_the_modes_agree_where_no_correction_is_listed(metric: str, data: st.DataObject) -> None:
    prediction, answers = data.draw(predictions), answers_of(metric, data)
    strict, fixed = (score_with(metric, prediction, answers, CLASSES, mode) for mode in ("strict", "fixed"))
    assert strict == fixed


@pytest.mark.parametrize(
    ("metric", "prediction", "answers"),
    [
        ("classification", "AB", ["AB"]),
        ("rouge", "Ann Reid.\n", ["Ann Reid"]),
        ("rouge_zh", "北京.\n", ["北京"]),
        ("first_number", "3.0", ["3"]),
    ],
)
def test_the_modes_differ_where_a_correction_is_listed(metric: str, prediction: str, answers: Sequence[str]) -> None:
    assert metric in CORRECTIONS
    try:
        strict, fixed = (score_with(metric, prediction, answers, CLASSES, mode) for mode in ("strict", "fixed"))
    except MissingExtra:
        pytest.skip("needs the extra `chinese`")
    assert strict < fixed


@pytest.mark.parametrize(
    ("metric", "prediction", "answers"),
    [
        ("qa_f1", "Ann Reid", ["Ann Reid"]),
        ("qa_f1_zh", "北京是首都", ["北京是首都"]),
        ("classification", "JOHN", ["JOHN"]),
        ("code_sim", "return x", ["return x"]),
        ("count", "7", ["7"]),
        ("retrieval", "Paragraph 7", ["Paragraph 7"]),
        ("retrieval_zh", "段落7", ["段落7"]),
        ("multiple_choice", "The correct answer is (B)", ["B"]),
        ("first_integer", "71432", ["71432"]),
        ("label_among_words", "ab-12", ["ab-12"]),
        ("rouge_lsum", "Ann\nleft", ["Ann\nleft"]),
        ("choice_letter", "B", ["B"]),
        ("character_f1_zh", "北京", ["北京"]),
        ("character_name", "JOHN", ["JOHN"]),
        ("first_number", "7", ["7"]),
        ("matching_prefix", "1 2", ["1", "2"]),
        ("last_integer", "-7", ["-7"]),
        ("buggy_function", "B.", ["close_day", "B"]),
        ("string_match_all", "12 34", ["12", "34"]),
        ("string_match_part", "12", ["12"]),
        ("squad_f1", "Ann Reid", ["Ann Reid"]),
        ("substring_exact_match", "Ann Reid", ["Ann Reid"]),
    ],
)
def test_a_right_prediction_scores_100(metric: str, prediction: str, answers: Sequence[str]) -> None:
    if metric not in SCORABLE:
        pytest.skip("needs the extra `chinese`")
    assert score_with(metric, prediction, answers, CLASSES) == 100


def scored(vector: dict[str, Any]) -> float:
    return score(vector["dataset"], vector["prediction"], vector["answers"], vector["all_classes"])


def exceeds_the_depth(vector: dict[str, Any]) -> bool:
    sentences = [part for text in [vector["prediction"], *vector["answers"]] for part in text.split(".")]
    return METRIC_OF[vector["dataset"]] == "rouge" and max(len(part.split()) for part in sentences) > DEPTH


def drawn(metric: str, data: st.DataObject, mode: Mode) -> float:
    return score_with(metric, data.draw(predictions), answers_of(metric, data), CLASSES, mode)


def answers_of(metric: str, data: st.DataObject) -> list[str]:
    return data.draw(st.lists(ANSWERS.get(metric, plain_answers), min_size=2, max_size=2))
