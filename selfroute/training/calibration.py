"""Fits what turns evidence into a probability, and chooses below which one the reader declines.

Promise: sources count alike, however many readings each has. Pure: takes readings, returns numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, replace
from itertools import pairwise

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from selfroute.readers.evidence import FEATURES, Calibration, probability
from selfroute.training.readings import Read

BINS = 10


def fit(read: Sequence[Read]) -> Calibration:
    """Logistic regression of "the best span is right" on its evidence, with the threshold of the best balance.

    Where every reading is right, or every one wrong, there is nothing to fit: the bare score then stands.
    """
    features = np.array([astuple(r.evidence) for r in read])
    right = np.array([r.right for r in read])
    if right.all() or not right.any():
        bare = Calibration((1.0, *(0.0 for _ in FEATURES[1:])), 0.0, 0.0)
        return replace(bare, threshold=choose(read, bare))
    mean, spread = features.mean(0), features.std(0) + 1e-9
    model = LogisticRegression().fit((features - mean) / spread, right, sample_weight=_shares(read))
    weights = model.coef_[0] / spread
    bias = float(model.intercept_[0] - weights @ mean)
    fitted = Calibration(tuple(float(w) for w in weights), bias, 0.0)
    return replace(fitted, threshold=choose(read, fitted))


def choose(read: Sequence[Read], calibration: Calibration) -> float:
    """The log-odds with the best balance: the mean of (F1 where the answer is there, a decline counting 0)
    and (the share declined where it is not); halfway between two readings, so that it hangs on neither."""
    scores = sorted({calibration.log_odds(r.evidence) for r in read})
    candidates = [scores[0], *((low + high) / 2 for low, high in pairwise(scores))]
    return max(candidates, key=lambda threshold: balance(read, replace(calibration, threshold=threshold)))


def balance(read: Sequence[Read], calibration: Calibration) -> float:
    """What `choose` maximises, 0 to 1."""
    parts = []
    for present in (True, False):
        sources = []
        for source in sorted({r.source for r in read if r.present is present}):
            group = [r for r in read if r.present is present and r.source == source]
            answered = [calibration.log_odds(r.evidence) >= calibration.threshold for r in group]
            gained = [r.f1 * a if present else float(not a) for r, a in zip(group, answered, strict=True)]
            sources.append(sum(gained) / len(group))
        if sources:
            parts.append(sum(sources) / len(sources))
    return sum(parts) / len(parts)


def auroc(read: Sequence[Read], calibration: Calibration | None = None) -> float | None:
    """How well the log-odds (without a calibration: the bare score) tell texts that answer from those that do not."""
    present = [r.present for r in read]
    if len(set(present)) < 2:
        return None
    scores = [calibration.log_odds(r.evidence) if calibration else r.evidence.score for r in read]
    return float(roc_auc_score(present, scores))


def bins(read: Sequence[Read], calibration: Calibration) -> list[tuple[int, float, float]]:
    """The reliability diagram: (readings, mean probability, share right) of each tenth of the scale that has any."""
    made = []
    odds = [(probability(calibration.log_odds(r.evidence)), r.right) for r in read]
    for number in range(BINS):
        inside = [(p, right) for p, right in odds if min(int(p * BINS), BINS - 1) == number]
        if inside:
            made.append((len(inside), sum(p for p, _ in inside) / len(inside), sum(r for _, r in inside) / len(inside)))
    return made


def calibration_error(diagram: Sequence[tuple[int, float, float]]) -> float:
    """Expected calibration error, 0 to 1: the mean distance of probability and share right, weighted by readings."""
    total = sum(count for count, _, _ in diagram)
    return sum(count * abs(said - was) for count, said, was in diagram) / total


def report(read: Sequence[Read], calibration: Calibration) -> list[str]:
    """Markdown rows, one a source: questions with and without answer, F1, AUROC, and what is answered or declined."""
    lines = []
    for source in dict.fromkeys(r.source for r in read):
        rows = [r for r in read if r.source == source]
        there, absent = [r for r in rows if r.present], [r for r in rows if not r.present]
        answered = {id(r): calibration.log_odds(r.evidence) >= calibration.threshold for r in rows}
        ability = auroc(rows, calibration)
        lines.append(
            f"| {source} | {rows[0].route.value} | {len(there)} | {len(absent)} | {_mean([r.exact for r in there])} "
            f"| {_mean([r.f1 for r in there])} | {'n/a' if ability is None else f'{ability:.3f}'} "
            f"| {_mean([answered[id(r)] for r in there])} | {_mean([not answered[id(r)] for r in absent])} |"
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
