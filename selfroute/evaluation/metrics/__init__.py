"""Scores of predictions against answers, 0 to 100: `score` by the dataset's own metric, `score_with` by a named one.

Pure functions of text. Three tables say what is done: `METRIC_OF` (dataset -> metric), `METRICS` (metric -> function)
and `CORRECTIONS` (where `fixed` departs from `strict`); `UNVERIFIED` says what is still to be compared with an
original. Importing loads no optional library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from selfroute.errors import UnknownDataset, UnknownMetric, UnscorableRecord
from selfroute.evaluation.metrics.chinese import character_f1, rouge_l_zh, token_f1_zh
from selfroute.evaluation.metrics.choice import multiple_choice
from selfroute.evaluation.metrics.classification import classification
from selfroute.evaluation.metrics.code import code_similarity
from selfroute.evaluation.metrics.counting import count, retrieval, retrieval_zh
from selfroute.evaluation.metrics.infinitebench import (
    UNVERIFIED,
    buggy_function,
    character_name,
    choice_letter,
    first_integer,
    first_number,
    label_among_words,
    last_integer,
    matching_prefix,
)
from selfroute.evaluation.metrics.matching import (
    squad_f1,
    string_match_all,
    string_match_part,
    substring_exact_match,
)
from selfroute.evaluation.metrics.mode import CORRECTIONS, Mode
from selfroute.evaluation.metrics.qa import token_f1
from selfroute.evaluation.metrics.rouge import rouge_l, rouge_lsum

__all__ = ["CORRECTIONS", "FIRST_LINE", "METRICS", "METRIC_OF", "UNVERIFIED", "Mode", "score", "score_with"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """All that a metric may look at."""

    prediction: str
    answers: Sequence[str]
    classes: Sequence[str] | None
    mode: Mode


Metric = Callable[[Attempt], float]
"""0 to 1."""


def _best(one: Callable[[Attempt, str], float]) -> Metric:
    """The best over the answers; without answers 0."""
    return lambda attempt: max((one(attempt, answer) for answer in attempt.answers), default=0.0)


def _classified(attempt: Attempt, answer: str) -> float:
    if attempt.classes is None:
        raise UnscorableRecord("classification needs all classes of the dataset: pass the record's all_classes")
    return classification(attempt.prediction, answer, attempt.classes, attempt.mode)


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        # LongBench
        "qa_f1": _best(lambda a, answer: token_f1(a.prediction, answer)),
        "qa_f1_zh": _best(lambda a, answer: token_f1_zh(a.prediction, answer)),
        "rouge": _best(lambda a, answer: rouge_l(a.prediction, answer, a.mode)),
        "rouge_zh": _best(lambda a, answer: rouge_l_zh(a.prediction, answer, a.mode)),
        "classification": _best(_classified),
        "code_sim": _best(lambda a, answer: code_similarity(a.prediction, answer)),
        "count": _best(lambda a, answer: count(a.prediction, answer)),
        "retrieval": _best(lambda a, answer: retrieval(a.prediction, answer)),
        "retrieval_zh": _best(lambda a, answer: retrieval_zh(a.prediction, answer)),
        # LongBench v2
        "multiple_choice": _best(lambda a, answer: multiple_choice(a.prediction, answer, a.classes or ())),
        # InfiniteBench
        "first_integer": _best(lambda a, answer: first_integer(a.prediction, answer)),
        "label_among_words": _best(lambda a, answer: label_among_words(a.prediction, answer)),
        "rouge_lsum": _best(lambda a, answer: rouge_lsum(a.prediction, answer)),
        "choice_letter": lambda a: choice_letter(a.prediction, a.answers),
        "character_f1_zh": _best(lambda a, answer: character_f1(a.prediction, answer)),
        "character_name": lambda a: character_name(a.prediction, a.answers),
        "first_number": _best(lambda a, answer: first_number(a.prediction, answer, a.mode)),
        "matching_prefix": lambda a: matching_prefix(a.prediction, a.answers),
        "last_integer": _best(lambda a, answer: last_integer(a.prediction, answer)),
        "buggy_function": lambda a: buggy_function(a.prediction, a.answers),
        # RULER
        "string_match_all": lambda a: string_match_all(a.prediction, a.answers),
        "string_match_part": lambda a: string_match_part(a.prediction, a.answers),
        # HELMET
        "squad_f1": _best(lambda a, answer: squad_f1(a.prediction, answer)),
        "substring_exact_match": _best(lambda a, answer: substring_exact_match(a.prediction, answer)),
    }
)

METRIC_OF: Mapping[str, str] = MappingProxyType(
    {
        # LongBench
        "narrativeqa": "qa_f1",
        "qasper": "qa_f1",
        "multifieldqa_en": "qa_f1",
        "multifieldqa_zh": "qa_f1_zh",
        "hotpotqa": "qa_f1",
        "2wikimqa": "qa_f1",
        "musique": "qa_f1",
        "dureader": "rouge_zh",
        "gov_report": "rouge",
        "qmsum": "rouge",
        "multi_news": "rouge",
        "vcsum": "rouge_zh",
        "trec": "classification",
        "triviaqa": "qa_f1",
        "samsum": "rouge",
        "lsht": "classification",
        "passage_count": "count",
        "passage_retrieval_en": "retrieval",
        "passage_retrieval_zh": "retrieval_zh",
        "lcc": "code_sim",
        "repobench-p": "code_sim",
        # LongBench v2
        "longbench-v2": "multiple_choice",
        "longbench_v2": "multiple_choice",
        # InfiniteBench
        "passkey": "first_integer",
        "number_string": "first_integer",
        "kv_retrieval": "label_among_words",
        "longbook_sum_eng": "rouge_lsum",
        "longbook_choice_eng": "choice_letter",
        "longbook_qa_eng": "qa_f1",
        "longbook_qa_chn": "character_f1_zh",
        "longdialogue_qa_eng": "character_name",
        "math_find": "first_number",
        "math_calc": "matching_prefix",
        "code_run": "last_integer",
        "code_debug": "buggy_function",
        # RULER
        "niah_single_1": "string_match_all",
        "niah_single_2": "string_match_all",
        "niah_single_3": "string_match_all",
        "niah_multikey_1": "string_match_all",
        "niah_multikey_2": "string_match_all",
        "niah_multikey_3": "string_match_all",
        "niah_multivalue": "string_match_all",
        "niah_multiquery": "string_match_all",
        "vt": "string_match_all",
        "cwe": "string_match_all",
        "fwe": "string_match_all",
        "qa_1": "string_match_part",
        "qa_2": "string_match_part",
        # questions over other documents, in LongBench's record shape
        "squad_long": "qa_f1",
        "covidqa": "qa_f1",
        "timeqa": "qa_f1",
        "lara_32k_financial_location": "qa_f1",
        "lara_32k_financial_reasoning": "qa_f1",
        "lara_32k_financial_hallu": "qa_f1",
        "lara_32k_paper_location": "qa_f1",
        "lara_32k_paper_reasoning": "qa_f1",
        "lara_32k_paper_hallu": "qa_f1",
        "harbour": "qa_f1",
    }
)
"""Dataset, by its official name, -> the metric that it is scored with."""

FIRST_LINE = frozenset({"trec", "triviaqa", "samsum", "lsht"})
"""Datasets whose predictions are cut to their first line, after leading line breaks, before they are scored."""


def score(
    dataset: str,
    prediction: str,
    answers: Sequence[str],
    all_classes: Sequence[str] | None = None,
    mode: Mode = "strict",
) -> float:
    """The score of one prediction by its dataset's metric, 0 to 100, not rounded.

    `answers` are all answers of the record, of which most metrics take the best; `all_classes` is read by
    classification only. A decline is scored as the prediction "unanswerable". Raises `UnknownDataset`,
    `UnscorableRecord`, or for words of Chinese `MissingExtra`.
    """
    if dataset not in METRIC_OF:
        raise UnknownDataset(dataset, METRIC_OF)
    if dataset in FIRST_LINE:
        prediction = prediction.lstrip("\n").split("\n")[0]
    return score_with(METRIC_OF[dataset], prediction, answers, all_classes, mode)


def score_with(
    metric: str,
    prediction: str,
    answers: Sequence[str],
    all_classes: Sequence[str] | None = None,
    mode: Mode = "strict",
) -> float:
    """The score of one prediction by a metric of `METRICS`, 0 to 100, for datasets without an entry in `METRIC_OF`.

    As `score`, but the prediction is never cut. Raises `UnknownMetric` in place of `UnknownDataset`.
    """
    if metric not in METRICS:
        raise UnknownMetric(metric, METRICS)
    return 100 * METRICS[metric](Attempt(prediction, answers, all_classes, mode))
