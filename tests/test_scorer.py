"""A row is scored by its dataset's own metric, and a recorded answer of a real model as right or wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from selfroute.errors import UnscorableRecord
from selfroute.evaluation.datasets import Sample
from selfroute.evaluation.metrics import METRIC_OF
from selfroute.evaluation.scorer import DatasetScorer, ReplayScorer
from selfroute.types import Answer, Outcome, Question, Route, Totals, Usage

SAMPLE = Sample("1", Question("Who?"), "", ("Olof Berg",), None, "made", "a", True, 2, "en")
ABSENT = replace(SAMPLE, answers=("unanswerable",), answerable=False)
ANSWER = Answer(
    id="1",
    question="Who?",
    answer="Olof Berg",
    outcome=Outcome.ANSWERED,
    likely_absent=None,
    route=Route.RAG,
    policy="self_route",
    path=(),
    corpus="a",
    confidence=None,
    coverage=1.0,
    citations=(),
    unsupported=False,
    cut_off=False,
    calls=(),
    totals=Totals(Usage(), 0, False, None, 0.0),
    long_context_tokens=0,
    long_context_cost=None,
    saved_tokens=0,
    warnings=(),
    explain={},
)


def of(dataset: str, **values: Any) -> Sample:
    return replace(SAMPLE, dataset=dataset, **values)


@pytest.mark.parametrize("dataset", METRIC_OF)
def test_a_known_dataset_has_its_own_metric(dataset: str) -> None:
    assert DatasetScorer().metric(of(dataset)) == METRIC_OF[dataset]


def test_the_split_of_longbench_e_is_scored_as_its_dataset() -> None:
    counted = of("passage_count_e", answers=("7",))
    assert DatasetScorer().metric(counted) == "count"
    assert DatasetScorer().score(counted, "7 or 8") == 50.0


def test_a_dataset_that_is_not_known_is_scored_by_its_words() -> None:
    assert DatasetScorer().metric(SAMPLE) == "qa_f1"
    assert DatasetScorer().score(SAMPLE, "Olof Berg") == 100.0
    assert DatasetScorer().score(SAMPLE, "Captain Olof Berg") == pytest.approx(100 * 2 * (2 / 3) / (1 + 2 / 3))


def test_a_decline_is_right_where_there_is_no_answer_and_wrong_where_there_is() -> None:
    assert DatasetScorer().score(ABSENT, None) == 100.0
    assert DatasetScorer().score(SAMPLE, None) == 0.0
    assert DatasetScorer().score(ABSENT, "Olof Berg") == 0.0


def test_an_empty_answer_is_no_decline() -> None:
    assert DatasetScorer().score(ABSENT, "") == 0.0


def test_the_best_of_several_answers_counts() -> None:
    assert DatasetScorer().score(replace(SAMPLE, answers=("Ann", "Bo")), "Bo") == 100.0


def test_a_prediction_is_cut_to_its_first_line_where_the_official_scorer_does_so() -> None:
    said = "\nOlof Berg\nQuestion: Who else?"
    assert DatasetScorer().score(of("triviaqa_e"), said) == 100.0
    assert DatasetScorer().score(of("hotpotqa"), said) < 100.0


def test_the_mode_decides_whether_an_official_fault_is_kept() -> None:
    sample = of("trec", answers=("abc",), all_classes=("a", "b", "abc"))
    assert DatasetScorer("strict").score(sample, "abc") == 50.0
    assert DatasetScorer("fixed").score(sample, "abc") == 100.0


def test_a_record_that_lacks_what_its_metric_needs_cannot_be_scored() -> None:
    with pytest.raises(UnscorableRecord, match="all_classes"):
        DatasetScorer().score(of("trec"), "abc")


def test_the_prediction_of_a_dataset_is_the_answer_or_nothing() -> None:
    assert DatasetScorer().prediction(ANSWER) == "Olof Berg"
    assert DatasetScorer().prediction(replace(ANSWER, answer=None, outcome=Outcome.NOT_IN_DOCUMENT)) is None


def test_the_prediction_of_a_replay_is_what_the_model_said_last_refusals_included() -> None:
    drafts = [{"declined": True, "guess": said} for said in ("The text does not say.", "It is not mentioned.")]
    declined = replace(ANSWER, answer=None, explain={"drafts": drafts})
    assert ReplayScorer().prediction(declined) == "It is not mentioned."
    assert ReplayScorer().prediction(replace(declined, explain={"drafts": drafts[:1]})) == "The text does not say."


def test_an_answer_that_a_policy_withheld_is_scored_as_a_refusal() -> None:
    withheld = [{"declined": True, "guess": "It is not mentioned."}, {"declined": False, "guess": "Olof Berg"}]
    assert ReplayScorer().prediction(replace(ANSWER, answer=None, explain={"drafts": withheld})) is None
    assert ReplayScorer().prediction(replace(ANSWER, explain={"drafts": withheld})) == ANSWER.answer


@pytest.mark.parametrize(
    ("sample", "said", "score"),
    [
        (SAMPLE, "The master is Olof Berg.", 100.0),
        (SAMPLE, "The text does not say, but Olof Berg is named.", 100.0),  # recall asks only what is there
        (SAMPLE, "The master is Olof.", 0.0),
        (SAMPLE, "The text does not mention it.", 0.0),
        (ABSENT, "The text does not mention it.", 100.0),
        (ABSENT, "Olof Berg", 0.0),
        (ABSENT, None, 100.0),
        (SAMPLE, None, 0.0),
    ],
)
def test_a_replayed_answer_is_right_or_wrong(sample: Sample, said: str | None, score: float) -> None:
    assert ReplayScorer().metric(sample) == "replay"
    assert ReplayScorer().score(sample, said) == score
