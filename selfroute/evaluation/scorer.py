"""How a row is scored: by the dataset's own metric, or as recorded answers of real models are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from selfroute.evaluation.datasets import Sample, base_name
from selfroute.evaluation.metrics import METRIC_OF, Mode, score, score_with
from selfroute.evaluation.metrics.qa import UNANSWERABLE
from selfroute.evaluation.metrics.replay import is_right
from selfroute.types import Answer

DEFAULT = "qa_f1"
"""The metric of a LongBench-shaped file whose dataset is not a known one."""


class Scorer(Protocol):
    def metric(self, sample: Sample) -> str:
        """The name of the metric that a row shows."""
        ...

    def prediction(self, answer: Answer) -> str | None:
        """What is scored; `None` for a decline."""
        ...

    def score(self, sample: Sample, prediction: str | None) -> float:
        """0 to 100."""
        ...


@dataclass(frozen=True, slots=True)
class DatasetScorer:
    """The dataset's metric; a decline is scored as the prediction "unanswerable"."""

    mode: Mode = "strict"

    def metric(self, sample: Sample) -> str:
        return METRIC_OF.get(base_name(sample.dataset), DEFAULT)

    def prediction(self, answer: Answer) -> str | None:
        return answer.answer

    def score(self, sample: Sample, prediction: str | None) -> float:
        said = UNANSWERABLE if prediction is None else prediction
        name = base_name(sample.dataset)
        if name in METRIC_OF:
            return score(name, said, sample.answers, sample.all_classes, self.mode)
        return score_with(DEFAULT, said, sample.answers, sample.all_classes, self.mode)


@dataclass(frozen=True, slots=True)
class ReplayScorer:
    """Right or wrong as `metrics.replay` says. A recorded refusal is scored by its words, which may hold the answer; an
    answer that the policy withheld, as a refusal."""

    def metric(self, sample: Sample) -> str:
        return "replay"

    def prediction(self, answer: Answer) -> str | None:
        drafts = answer.explain["drafts"]
        assert isinstance(drafts, list)
        if answer.answer is not None or not drafts[-1]["declined"]:
            return answer.answer
        return str(drafts[-1]["guess"])

    def score(self, sample: Sample, prediction: str | None) -> float:
        return 100.0 * is_right(
            UNANSWERABLE if prediction is None else prediction, sample.answers[0], sample.answerable
        )
