"""Fits what turns evidence into a probability, and chooses below which one the reader declines.

Promise: sources count alike, however many readings each has. Pure: takes readings, returns numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from selfroute.readers.evidence import Calibration
from selfroute.training.readings import Read

BINS = 10


def fit(read: Sequence[Read]) -> Calibration:
    """Logistic regression of "the best span is right" on its evidence.

    Where every reading is right, or every one wrong, there is nothing to fit: the bare score then stands.
    """
    features = np.array([astuple(r.evidence) for r in read])
    right = np.array([r.right for r in read])
    if right.all() or not right.any():
        return Calibration(0.0, 1.0, 0.0)
    mean, spread = features.mean(0), features.std(0) + 1e-9
    model = LogisticRegression().fit((features - mean) / spread, right, sample_weight=_shares(read))
    score, lead = (float(weight) for weight in model.coef_[0] / spread)
    return Calibration(float(model.intercept_[0] - score * mean[0] - lead * mean[1]), score, lead)


def choose(read: Sequence[Read]) -> float:
    """The threshold with the best balance: the mean of (F1 where the answer is there, a decline counting 0)
    and (the share declined where it is not). Sources count alike, however many questions each has."""
    candidates = sorted({r.evidence.score for r in read})
    return max(candidates, key=lambda threshold: balance(read, threshold))


def balance(read: Sequence[Read], threshold: float) -> float:
    """What `choose` maximises, 0 to 1."""
    parts = []
    for present in (True, False):
        sources = []
        for source in sorted({r.source for r in read if r.present is present}):
            group = [r for r in read if r.present is present and r.source == source]
            answered = [r.evidence.score >= threshold for r in group]
            gained = [r.f1 * a if present else float(not a) for r, a in zip(group, answered, strict=True)]
            sources.append(sum(gained) / len(group))
        if sources:
            parts.append(sum(sources) / len(sources))
    return sum(parts) / len(parts)


def auroc(read: Sequence[Read]) -> float | None:
    """How well the score tells texts that answer from those that do not; `None` without both kinds."""
    present = [r.present for r in read]
    return float(roc_auc_score(present, [r.evidence.score for r in read])) if len(set(present)) == 2 else None


def bins(read: Sequence[Read], calibration: Calibration) -> list[tuple[int, float, float]]:
    """The reliability diagram: (readings, mean probability, share right) of each tenth of the scale that has any."""
    return reliability([(calibration.probability(r.evidence), r.right) for r in read])


def reliability(said: Sequence[tuple[float, bool]]) -> list[tuple[int, float, float]]:
    """`bins` of pairs: a probability, and whether it was right."""
    made = []
    for number in range(BINS):
        inside = [(p, right) for p, right in said if min(int(p * BINS), BINS - 1) == number]
        if inside:
            made.append((len(inside), sum(p for p, _ in inside) / len(inside), sum(r for _, r in inside) / len(inside)))
    return made


def calibration_error(diagram: Sequence[tuple[int, float, float]]) -> float:
    """Expected calibration error, 0 to 1: the mean distance of probability and share right, weighted by readings."""
    total = sum(count for count, _, _ in diagram)
    return sum(count * abs(said - was) for count, said, was in diagram) / total


def report(read: Sequence[Read], threshold: float) -> list[str]:
    """Markdown rows, one a source: questions with and without answer, F1, AUROC, and what is answered or declined."""
    lines = []
    for source in dict.fromkeys(r.source for r in read):
        rows = [r for r in read if r.source == source]
        there, absent = [r for r in rows if r.present], [r for r in rows if not r.present]
        ability = auroc(rows)
        lines.append(
            f"| {source} | {rows[0].route.value} | {len(there)} | {len(absent)} | {_mean([r.exact for r in there])} "
            f"| {_mean([r.f1 for r in there])} | {'n/a' if ability is None else f'{ability:.3f}'} "
            f"| {_mean([r.evidence.score >= threshold for r in there])} "
            f"| {_mean([r.evidence.score < threshold for r in absent])} |"
        )
    return lines


HEADER = (
    "| source | reads | answer there | not there | exact match | F1 | AUROC | answered, there | declined, not there |\n"
    "|---|---|--:|--:|--:|--:|--:|--:|--:|"
)


def _shares(read: Sequence[Read]) -> list[float]:
    counts = {source: sum(r.source == source for r in read) for source in {r.source for r in read}}
    return [len(read) / len(counts) / counts[r.source] for r in read]


def _mean(values: Sequence[float]) -> str:
    return f"{100 * sum(values) / len(values):.1f}" if values else "n/a"
