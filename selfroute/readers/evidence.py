"""From what a reader sees to a probability: the evidence for its best span, and a calibration fitted on it.

Pure arithmetic: knows nothing of models, text or routes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one reading shows for its best span.

    `score`: the span's logits less those of the null position, in the window that shows it best; `lead`: how far
    that is above the best other answer of the reading, 0 to `LEAD`; `named`: the share of the question's telling
    words that stand in that window; `size`: the natural logarithm of the number of windows.
    """

    score: float
    lead: float
    named: float
    size: float


LEAD = 8.0
"""A lead beyond this tells nothing more."""

FEATURES = tuple(field.name for field in fields(Evidence))


@dataclass(frozen=True, slots=True)
class Calibration:
    """The log-odds that the best span is right are `bias + weights . evidence`; below `threshold` it declines."""

    weights: tuple[float, ...]
    bias: float
    threshold: float

    @classmethod
    def of(cls, about: Mapping[str, Any]) -> Calibration:
        """From its entry in `reader.json`."""
        return cls(tuple(float(about["weights"][name]) for name in FEATURES), about["bias"], about["threshold"])

    def about(self) -> dict[str, object]:
        """Its entry in `reader.json`."""
        named = {name: round(weight, 4) for name, weight in zip(FEATURES, self.weights, strict=True)}
        return {"weights": named, "bias": round(self.bias, 4), "threshold": round(self.threshold, 3)}

    def log_odds(self, evidence: Evidence) -> float:
        values: tuple[float, ...] = astuple(evidence)
        return self.bias + sum(w * x for w, x in zip(self.weights, values, strict=True))


def probability(log_odds: float) -> float:
    """The logistic function, 0 to 1, for any finite log-odds."""
    return 1 / (1 + math.exp(-log_odds)) if log_odds >= 0 else 1 - 1 / (1 + math.exp(log_odds))


def lead(best: float, others: Sequence[float]) -> float:
    """How far `best` is above the greatest of `others`, 0 to `LEAD`."""
    return min(LEAD, max(0.0, best - max(others))) if others else LEAD
