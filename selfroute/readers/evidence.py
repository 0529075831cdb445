"""What speaks for an answer: which windows mention the question, the evidence for the best span, and a calibration
that makes a probability of it.

Pure: knows nothing of models or routes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

LEAD = 8.0
"""A lead beyond this tells nothing more."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one reading shows for its best span.

    `score`: the span's logits less those of its window's null position, whatever else is read; `lead`: how far it
    is above the best other answer of the reading, in logits, 0 to `LEAD`.
    """

    score: float
    lead: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """The log-odds that the best span is right are `bias + score * evidence.score + lead * evidence.lead`."""

    bias: float
    score: float
    lead: float

    @classmethod
    def of(cls, about: Mapping[str, float]) -> Calibration:
        """From its entry in `reader.json`."""
        return cls(float(about["bias"]), float(about["score"]), float(about["lead"]))

    def about(self) -> dict[str, float]:
        """Its entry in `reader.json`."""
        return {name: round(value, 4) for name, value in asdict(self).items()}

    def probability(self, evidence: Evidence) -> float:
        """0 to 1."""
        return logistic(self.bias + self.score * evidence.score + self.lead * evidence.lead)


def logistic(log_odds: float) -> float:
    """0 to 1, for any finite log-odds."""
    return 1 / (1 + math.exp(-log_odds)) if log_odds >= 0 else 1 - 1 / (1 + math.exp(log_odds))


def lead(best: float, others: Sequence[float]) -> float:
    """How far `best` is above the greatest of `others`, 0 to `LEAD`."""
    return min(LEAD, max(0.0, best - max(others))) if others else LEAD


def mentioned(question: str, texts: Sequence[str]) -> list[float]:
    """For each text the share of the question's words that it mentions, 0 to 1, a word counting by how few of the
    texts have it (its inverse document frequency among them)."""
    words = _words(question) - _PLAIN
    found = [words & _words(text) for text in texts]
    worth = {w: math.log((len(texts) + 1) / (sum(w in f for f in found) + 1)) + 0.1 for w in words}
    total = math.fsum(worth.values())  # exact, so that the order of a set of strings cannot matter
    return [math.fsum(worth[w] for w in f) / total if total else 0.0 for f in found]


def _words(text: str) -> set[str]:
    """Beginnings of words, so that most inflections of a word are the same one."""
    return {word[:5] for word in re.findall(r"\w+", text.lower())}


_PLAIN = _words(
    "a an the of in on at to for from by with as and or not is are was were be been being do does did has have had "
    "can could will would what which who whom whose when where why how that this these those it its"
)
"""Words of a question that tell nothing about a text."""
