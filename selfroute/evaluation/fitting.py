"""Fits a router on questions that were read both ways. Needs scikit-learn, and nothing that routes does.

Folds are by document: what is told of a router, its calibration and its prices come from rows of documents that were
not fitted. Each rule is a pair of L2-regularised logistic regressions; Platt's two numbers, fitted on the out-of-fold
log odds, are folded into their weights (Platt 1999). Prices are set on odds that went through the same two numbers,
since those are what a router says; what is told of a price is told of rows of another fold than it was set on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfroute.errors import BadInput, MissingExtra
from selfroute.evaluation.bothways import BothWays
from selfroute.routing.score import Logistic, Router, Rule
from selfroute.types import Readers

QUESTION = ("top", "entropy", "mentioned", "length", "compares")
ANSWER = ("declined", "answer_words", "worded")
JUDGED = ("judge_score", "agreement")
RULES: Mapping[str, tuple[str, ...]] = {
    "logprobs": (*QUESTION, *ANSWER, *JUDGED, "confidence"),
    "judged": (*QUESTION, *ANSWER, *JUDGED),
    "bundled": ("declined", "judge_score", "judge_confidence"),
    "mixed": ("declined", "judge_score", "judge_confidence"),
    "alone": (*QUESTION, *ANSWER),
}
"""By name the inputs of each rule, best first; a rule is fitted where enough rows know its inputs."""

READERS: Mapping[str, Readers] = {"bundled": Readers.BUNDLED, "mixed": Readers.MIXED}
"""Whose questions a rule is for; the others are for chat models."""

STRENGTH = 0.3
"""Of scikit-learn's C: less is more regularised."""
FOLDS = 5
LEAST = 40
"""Rows, and documents times four, below which nothing is fitted."""
EPSILON = 1e-9
SHARES = (0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.11, 0.12, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Told:
    """Of one rule, on documents that were not fitted: how well `gain` and `harm` order questions (`auroc`, 0.5 is
    chance), the expected calibration error of `gain` over ten bins, and what comes of escalating to some share: the
    mean score and the documents' tokens that were read, as a share of all of them."""

    rule: str
    rows: int
    documents: int
    gains: int
    gain_auroc: float | None
    harm_auroc: float | None
    gain_error: float
    curve: tuple[tuple[float, float, float], ...]


def ready() -> None:
    """Raises `MissingExtra` where nothing can be fitted, so that nothing is gathered in vain."""
    if find_spec("sklearn") is None:
        raise MissingExtra("scikit-learn", "calibrate")


def fitted(
    rows: Sequence[BothWays], made: Mapping[str, Any], wanted: Mapping[str, tuple[str, ...]] = RULES
) -> tuple[Router, tuple[Told, ...]]:
    """A router with a rule for each kind of row that there is enough of. Raises `BadInput` if there is none, and
    `MissingExtra`."""
    rules, told = [], []
    for name, inputs in wanted.items():
        known = [row for row in rows if belongs(name, row)]
        if len(known) >= LEAST and len({row.doc_id for row in known}) >= FOLDS:
            rule, tells = _rule(name, inputs, known)
            rules.append(rule)
            told.append(tells)
    if not rules:
        raise BadInput(
            f"{len(rows)} questions were read both ways, too few to fit on: at least {LEAST} of {FOLDS} documents; "
            "run `selfroute eval` on more, with the policies always_rag and always_long"
        )
    about = {"made": datetime.now(UTC).date().isoformat(), **made}
    return Router(tuple(rules), about), tuple(told)


def belongs(rule: str, row: BothWays) -> bool:
    """Whether a rule is fitted on a row: it is for these readers, and all of its inputs are known."""
    known = row.features.named()
    wanted = READERS.get(rule, Readers.CHAT)
    return row.readers is wanted and all(known[name] is not None for name in RULES[rule])


def out_of_fold(
    inputs: Sequence[str], rows: Sequence[BothWays], folds: Sequence[tuple[Sequence[int], Sequence[int]]]
) -> tuple[Floats, Floats]:
    """Probabilities of gain and harm for each row, fitted on the rows of the other part of its fold (`folds` are
    (fitted, held out) row numbers)."""
    table, gains, harms = _table(inputs, rows)
    gain, harm = np.zeros(len(rows)), np.zeros(len(rows))
    for kept, held in folds:
        means, scales = _moments(table[kept])
        standard = (table - means) / scales
        for labels, out in ((gains, gain), (harms, harm)):
            model = _logistic(standard[kept], labels[kept])
            out[held] = [model.probability(values) for values in standard[held].tolist()]
    return gain, harm


def by_document(rows: Sequence[BothWays], folds: int = FOLDS) -> list[tuple[list[int], list[int]]]:
    """Documents in as many parts of like size, each held out once."""
    documents = sorted({row.doc_id for row in rows})
    np.random.default_rng(0).shuffle(documents)
    part = {document: number % folds for number, document in enumerate(documents)}
    return [
        (
            [n for n, row in enumerate(rows) if part[row.doc_id] != fold],
            [n for n, row in enumerate(rows) if part[row.doc_id] == fold],
        )
        for fold in range(folds)
    ]


def prices(improvement: Floats, tokens: Floats) -> tuple[tuple[float, float], ...]:
    """For each of `SHARES` the least improvement of a reading at which at most so much of all tokens is escalated.
    Questions that are told apart by nothing are escalated all or not at all."""
    values, which = np.unique(-improvement, return_inverse=True)
    taken = np.cumsum(np.bincount(which, tokens)) / tokens.sum()
    above = float(np.nextafter(-values[0], np.inf))  # what none reaches
    found = [
        above if not (within := int(np.sum(taken <= share + EPSILON))) else -values[within - 1] for share in SHARES
    ]
    return tuple(zip(SHARES, np.minimum.accumulate(found).tolist(), strict=True))


def _rule(name: str, inputs: tuple[str, ...], rows: Sequence[BothWays]) -> tuple[Rule, Told]:
    table, gains, harms = _table(inputs, rows)
    tokens = np.array([row.document_tokens for row in rows], float)
    folds = by_document(rows)
    gain, harm = out_of_fold(inputs, rows, folds)
    means, scales = _moments(table)
    standard = (table - means) / scales
    said_gain, said_harm = Platt.of(gain, gains), Platt.of(harm, harms)
    rule = Rule(
        name,
        READERS.get(name, Readers.CHAT),
        inputs,
        tuple(means.tolist()),
        tuple(scales.tolist()),
        said_gain.folded(_logistic(standard, gains)),
        said_harm.folded(_logistic(standard, harms)),
        prices(said_gain.calibrated(gain) - said_harm.calibrated(harm), tokens),
    )
    # Told of each fold by what was set on the others: Platt's numbers and prices too.
    told_gain, escalated = np.zeros(len(rows)), np.zeros((len(SHARES), len(rows)), bool)
    for kept, held in folds:
        of_gain, of_harm = Platt.of(gain[kept], gains[kept]), Platt.of(harm[kept], harms[kept])
        told_gain[held] = of_gain.calibrated(gain[held])
        set_ = prices(of_gain.calibrated(gain[kept]) - of_harm.calibrated(harm[kept]), tokens[kept])
        improvement = told_gain[held] - of_harm.calibrated(harm[held])
        for number, (_, price) in enumerate(set_):
            escalated[number, held] = improvement >= price if SHARES[number] < 1 else True
    chunks, stands = (np.array([getattr(row, way) for row in rows], float) for way in ("chunks", "stands"))
    curve = tuple(
        (share, float(np.where(on, stands, chunks).mean()), float(tokens[on].sum() / tokens.sum()))
        for share, on in zip(SHARES, escalated, strict=True)
    )
    return rule, Told(
        name,
        len(rows),
        len({row.doc_id for row in rows}),
        int(gains.sum()),
        auroc(gain, gains),
        auroc(harm, harms),
        calibration_error(told_gain, gains),
        curve,
    )


def auroc(scores: Floats, labels: Floats) -> float | None:
    """Of `scores` for `labels` of 0 and 1; `None` where only one of them occurs."""
    right, wrong = scores[labels == 1], scores[labels == 0]
    if not len(right) or not len(wrong):
        return None
    above = (right[:, None] > wrong[None, :]).mean() + 0.5 * (right[:, None] == wrong[None, :]).mean()
    return float(above)


def calibration_error(said: Floats, labels: Floats) -> float:
    """Expected calibration error: over ten bins of equal size, the mean distance of what was said from what was."""
    bins = np.array_split(np.argsort(said, kind="stable"), 10)
    parts = [len(one) * abs(said[one].mean() - labels[one].mean()) for one in bins if len(one)]
    return float(sum(parts) / len(said))


def _table(inputs: Sequence[str], rows: Sequence[BothWays]) -> tuple[Floats, Floats, Floats]:
    named = [row.features.named() for row in rows]
    table = np.array([[known[name] for name in inputs] for known in named], float)
    return table, np.array([row.gains for row in rows], float), np.array([row.harms for row in rows], float)


def _moments(table: Floats) -> tuple[Floats, Floats]:
    scales = table.std(axis=0)
    return table.mean(axis=0), np.where(scales > 1e-9, scales, 1.0)


def _logistic(table: Floats, labels: Floats, strength: float = STRENGTH) -> Logistic:
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise MissingExtra("scikit-learn", "calibrate") from error
    if len(set(labels.tolist())) < 2:  # all alike: the share that one example more of either would leave
        share = (labels.sum() + 1) / (len(labels) + 2)
        return Logistic(float(np.log(share / (1 - share))), (0.0,) * table.shape[1])
    model = LogisticRegression(C=strength, max_iter=1000).fit(table, labels)
    return Logistic(float(model.intercept_[0]), tuple(model.coef_[0].tolist()))


@dataclass(frozen=True, slots=True)
class Platt:
    """By how much log odds are stretched and moved; never turned round."""

    slope: float
    bias: float

    @classmethod
    def of(cls, said: Floats, labels: Floats) -> Platt:
        """What fits probabilities best that were said of rows which were not fitted. Raises `MissingExtra`."""
        model = _logistic(_log_odds(said)[:, None], labels, strength=1.0)
        if model.weights[0] > 0:
            return cls(model.weights[0], model.bias)
        return cls(0.0, _logistic(np.zeros((len(labels), 1)), labels).bias)

    def calibrated(self, said: Floats) -> Floats:
        return np.asarray(1 / (1 + np.exp(-(self.bias + self.slope * _log_odds(said)))))

    def folded(self, model: Logistic) -> Logistic:
        """The model whose probabilities are calibrated."""
        weights = tuple(self.slope * weight for weight in model.weights)
        return Logistic(self.bias + self.slope * model.bias, weights)


def _log_odds(said: Floats) -> Floats:
    return np.asarray(np.log(said / (1 - said)))
