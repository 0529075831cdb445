"""The policy `calibrated` beside the constants, the known routers and the oracle, out of fold.

    selfroute eval eval/suites/replay.yaml --out runs/replay
    selfroute eval eval/suites/dev.yaml --out runs/dev
    python eval/bench/routing.py runs/replay runs/dev --out eval/results/routing

Reads nothing again but for the judge, on this machine (see `evaluation/bothways.py`). Every router, its calibration and
its price for a share are fitted
on other documents than they are tried on, and on other models where a run has several. Prints Markdown, and writes it
to `--out`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np

from selfroute.build import evaluator
from selfroute.embedders import Embedder
from selfroute.evaluation.bothways import BothWays, gather
from selfroute.evaluation.fitting import RULES, Floats, auroc, by_document, calibration_error, fitted, prices
from selfroute.evaluation.metrics.qa import token_f1
from selfroute.evaluation.statistics import mean_interval
from selfroute.prices import Price
from selfroute.routing.dial import Decision, Dial
from selfroute.routing.score import Router
from selfroute.settings import load
from selfroute.types import Estimate, Usage

SHARE = 0.12
NEIGHBOURS = 20
LONG = 8000
"""Words from which a document counts as long."""
VALUES = ("0.05", "0.2", "1", "5")
TABLE = {"10x discount": Price(Decimal("1.25"), Decimal(10), Decimal("0.125"))}
"""US dollars per million tokens, as `configs/prices.yaml` has one for gpt-5."""

Folds = Sequence[tuple[Sequence[int], Sequence[int]]]
Rows = Sequence[BothWays]


@dataclass(frozen=True, slots=True)
class Routed:
    """What one policy does with each row: the score, whether the documents are read, and whether the chunks are."""

    scores: Floats
    escalated: Floats
    chunked: bool = True
    answers: tuple[str | None, ...] | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    parts = evaluator(load())
    told: list[str] = []
    for run in given.runs:
        gathered = gather(parts, run)
        told += report(run.name, gathered.rows, gathered.left_out, parts.embedder)
    text = "\n".join(told) + "\n"
    print(text)
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "README.md").write_text(text, encoding="utf-8")


def report(name: str, rows: Rows, left_out: int, embedder: Embedder) -> list[str]:
    folds = both_folds(rows)
    decided = out_of_fold(rows, folds)
    routed = policies(rows, folds, decided, embedder)
    groups = sorted({row.group for row in rows})
    per_model = bool(rows) and rows[0].group != rows[0].dataset
    documents = len({row.doc_id for row in rows})
    lines = [
        f"## {name}",
        "",
        f"{len(rows)} questions read both ways, of {documents} documents; {left_out} left out.",
        "",
    ]
    lines += [*table(rows, routed), "", *by_group(rows, routed, groups), ""]
    lines += [f"Odds out of fold: {ordered(rows, decided)}.", ""]
    lines += ["### Share aimed at", "", *shares(rows, folds), ""]
    lines += ["### Features left out", "", *ablation(rows, folds), ""]
    if per_model:
        lines += ["### A cold and a warm cache", "", *caches(rows, folds), ""]
        lines += ["### Token F1 on the answerable questions", "", *f1s(rows, routed), ""]
        lines += ["### More and fewer questions without an answer", "", *mixes(rows, routed), ""]
    return lines


def both_folds(rows: Rows) -> Folds:
    """By document, and where there are several groups of the same questions (recorded models) by group too."""
    parts = by_document(rows)
    if rows[0].group == rows[0].dataset:
        return parts
    return [
        (
            [n for n in kept if rows[n].group != group],
            [n for n in held if rows[n].group == group],
        )
        for kept, held in parts
        for group in sorted({row.group for row in rows})
    ]


def out_of_fold(
    rows: Rows,
    folds: Folds,
    dial: Dial | None = None,
    rules: Mapping[str, tuple[str, ...]] = RULES,
    estimate: Callable[[BothWays], Estimate] = lambda row: Estimate(row.document_tokens, None, (), True),
) -> list[Decision]:
    """What `calibrated` decides for each row, by a router that was fitted without its document and model."""
    return decisions(rows, routers(rows, folds, rules), dial or Dial(SHARE), estimate)


def routers(
    rows: Rows, folds: Folds, rules: Mapping[str, tuple[str, ...]] = RULES
) -> list[tuple[Sequence[int], Router]]:
    """(held out rows, the router that was fitted without them)"""
    return [(held, fitted([rows[n] for n in kept], {}, rules)[0]) for kept, held in folds]


def decisions(
    rows: Rows, made: Sequence[tuple[Sequence[int], Router]], dial: Dial, estimate: Callable[[BothWays], Estimate]
) -> list[Decision]:
    decided: dict[int, Decision] = {}
    for held, router in made:
        for n in held:
            row = rows[n]
            decided[n] = dial.decide(router.odds(row.features, row.readers), bool(row.features.declined), estimate(row))
    return [decided[n] for n in range(len(rows))]


def policies(rows: Rows, folds: Folds, decided: Sequence[Decision], embedder: Embedder) -> dict[str, Routed]:
    chunks, long, stands = (
        np.array([getattr(row, name) for row in rows]) for name in ("chunks", "documents", "stands")
    )
    none, all_ = np.zeros(len(rows)), np.ones(len(rows))
    declined = np.array([bool(row.features.declined) for row in rows], float)
    unproven = np.array([not row.supported for row in rows], float)
    ours = np.array([decision.escalates for decision in decided], float)
    near = neighbours(rows, folds, embedder)
    share = float(ours.mean())

    def mixed(escalated: Floats, read: Floats) -> Floats:
        return np.where(escalated > 0, read, chunks)

    return {
        "always_rag": Routed(chunks, none, answers=tuple(row.chunk_answer for row in rows)),
        "always_long": Routed(long, all_, False, tuple(row.document_answer for row in rows)),
        "random at the share of calibrated": Routed((1 - share) * chunks + share * stands, share * all_),
        "kNN": Routed(mixed(near, stands), near),
        "self_route": Routed(mixed(declined, long), declined, answers=_answers(rows, declined, "document_answer")),
        "evidence_gated": Routed(np.array([row.gated for row in rows]), unproven),
        "calibrated": Routed(mixed(ours, stands), ours, answers=_answers(rows, ours, "standing_answer")),
        "oracle": Routed(np.maximum(chunks, long), (long > chunks).astype(float)),
    }


def _answers(rows: Rows, escalated: Floats, name: str) -> tuple[str | None, ...]:
    return tuple(getattr(row, name) if on else row.chunk_answer for row, on in zip(rows, escalated, strict=True))


def neighbours(rows: Rows, folds: Folds, embedder: Embedder) -> Floats:
    """Escalations by the mean gain less harm of the most alike questions, priced for the same share."""
    texts = sorted({row.question for row in rows})
    vectors = dict(zip(texts, embedder.embed(texts).vectors, strict=True))
    table = np.array([vectors[row.question] for row in rows])
    worth = np.array([row.gains - row.harms for row in rows], float)
    tokens = np.array([row.document_tokens for row in rows], float)
    chosen = np.zeros(len(rows))

    def improvement(of: Sequence[int], among: Sequence[int], apart: bool) -> Floats:
        alike = table[of] @ table[among].T
        if apart:  # a question must not be its own neighbour when a price is set
            same = np.array([[rows[a].doc_id == rows[b].doc_id for b in among] for a in of])
            alike = np.where(same, -2.0, alike)
        best = np.argsort(-alike, axis=1, kind="stable")[:, :NEIGHBOURS]
        return np.asarray(worth[np.asarray(among)[best]].mean(axis=1))

    for kept, held in folds:
        set_ = dict(prices(improvement(kept, kept, True), tokens[kept]))
        chosen[held] = improvement(held, kept, False) >= set_[SHARE] * tokens[held]
    return chosen


def table(rows: Rows, routed: Mapping[str, Routed]) -> list[str]:
    """Scores with intervals clustered by document, and what was read as a share of always_long."""
    documents = [row.doc_id for row in rows]
    better = max(routed["always_rag"].scores.mean(), routed["always_long"].scores.mean())
    most = routed["oracle"].scores.mean()
    lines = [
        "| policy | score | 95 % | answer there | not there | escalated % | escalated tokens % | all tokens % | "
        "all tokens %, 8,000+ words | gap closed % |",
        "|---|--:|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    there = np.array([row.answerable for row in rows])
    long = np.array([row.words >= LONG for row in rows])
    for name, one in routed.items():
        interval = mean_interval(one.scores.tolist(), documents)
        closed = 100 * (interval.mean - better) / (most - better) if most > better else 0.0
        lines.append(
            f"| {name} | {interval.mean:.2f} | {interval.low or 0:.1f} to {interval.high or 0:.1f} | "
            f"{_mean(one.scores, there)} | {_mean(one.scores, ~there)} | {100 * one.escalated.mean():.1f} | "
            f"{_read(rows, one, chunks=False)} | {_read(rows, one)} | {_read(rows, one, long)} | {closed:.0f} |"
        )
    return lines


def by_group(rows: Rows, routed: Mapping[str, Routed], groups: Sequence[str]) -> list[str]:
    named = ("always_rag", "always_long", "self_route", "evidence_gated", "calibrated", "oracle")
    lines = ["| of | questions | " + " | ".join(named) + " | escalated % |", "|---|--:|" + "--:|" * (len(named) + 1)]
    for group in groups:
        held = np.array([row.group == group for row in rows])
        scores = " | ".join(_mean(routed[name].scores, held) for name in named)
        lines.append(f"| {group} | {held.sum()} | {scores} | {100 * routed['calibrated'].escalated[held].mean():.1f} |")
    return lines


def ordered(rows: Rows, decided: Sequence[Decision]) -> str:
    known = [(row, decision.odds) for row, decision in zip(rows, decided, strict=True) if decision.odds]
    gains, harms = (np.array([float(getattr(row, name)) for row, _ in known]) for name in ("gains", "harms"))
    gain, harm = (np.array([getattr(odds, name) for _, odds in known]) for name in ("gain", "harm"))
    return (
        f"AUROC of gain {auroc(gain, gains) or 0:.3f}, of harm {auroc(harm, harms) or 0:.3f}; "
        f"expected calibration error {calibration_error(gain, gains):.3f} and {calibration_error(harm, harms):.3f}; "
        f"gains {gains.mean():.3f}, harms {harms.mean():.3f} of {len(known)}"
    )


def shares(rows: Rows, folds: Folds) -> list[str]:
    made = routers(rows, folds)
    lines = ["| aimed at % | escalated tokens % | all tokens % | score |", "|--:|--:|--:|--:|"]
    for share in (0.02, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 1.0):
        one = _routed(rows, decisions(rows, made, Dial(share), _cold))
        lines.append(
            f"| {100 * share:.0f} | {_read(rows, one, chunks=False)} | {_read(rows, one)} | {one.scores.mean():.2f} |"
        )
    return lines


def ablation(rows: Rows, folds: Folds) -> list[str]:
    """Each group of features left out of every rule."""
    groups = {
        "none": (),
        "retrieval scores": ("top", "entropy", "mentioned"),
        "length and kind of question": ("length", "compares"),
        "the chunk answer": ("answer_words", "worded"),
        "the decline": ("declined",),
        "the bundled reader": ("judge_score", "judge_confidence", "agreement"),
    }
    lines = ["| left out | score | escalated tokens % | AUROC of gain | of harm |", "|---|--:|--:|--:|--:|"]
    for name, left in groups.items():
        rules = {rule: tuple(i for i in inputs if i not in left) for rule, inputs in RULES.items()}
        decided = out_of_fold(rows, folds, rules=rules)
        one = _routed(rows, decided)
        gains, harms = (np.array([float(getattr(row, n)) for row in rows]) for n in ("gains", "harms"))
        gain, harm = (np.array([getattr(d.odds, n) for d in decided]) for n in ("gain", "harm"))
        lines.append(
            f"| {name} | {one.scores.mean():.2f} | {_read(rows, one, chunks=False)} | "
            f"{auroc(gain, gains) or 0:.3f} | {auroc(harm, harms) or 0:.3f} |"
        )
    return lines


def caches(rows: Rows, folds: Folds) -> list[str]:
    """By value of a right answer, with the documents cold and warm in the provider's cache; chunks are never cached."""
    made = routers(rows, folds)
    lines = ["| a right answer is worth $ | cache | escalated % | score | $ a question |", "|--:|---|--:|--:|--:|"]
    price = next(iter(TABLE.values()))
    for value in VALUES:
        for cache in ("cold", "warm"):

            def reading(row: BothWays, cache: str = cache) -> Estimate:
                cached = row.document_tokens if cache == "warm" else 0
                cost = price.cost(Usage(row.document_tokens, cached))
                return Estimate(row.document_tokens, cost, (), True, cached)

            decided = decisions(rows, made, Dial(SHARE, Decimal(value)), reading)
            one = _routed(rows, decided)
            spent = [
                price.cost(Usage(row.chunk_tokens)) + (reading(row).cost or 0) * int(decision.escalates)
                for row, decision in zip(rows, decided, strict=True)
            ]
            cost = float(sum(spent)) / len(rows)
            lines.append(
                f"| {value} | {cache} | {100 * one.escalated.mean():.1f} | {one.scores.mean():.2f} | {cost:.4f} |"
            )
    return lines


def f1s(rows: Rows, routed: Mapping[str, Routed]) -> list[str]:
    lines = ["| policy | recall-scored | token F1 |", "|---|--:|--:|"]
    there = [n for n, row in enumerate(rows) if row.answerable]
    for name, one in routed.items():
        if one.answers is not None:
            f1 = [100 * token_f1(one.answers[n] or "unanswerable", rows[n].reference) for n in there]
            lines.append(f"| {name} | {one.scores[there].mean():.2f} | {np.mean(f1):.2f} |")
    return lines


def mixes(rows: Rows, routed: Mapping[str, Routed]) -> list[str]:
    """Scores over the share of questions that the document does not answer, by weighing the two parts."""
    named = ("always_rag", "always_long", "self_route", "evidence_gated", "calibrated", "oracle")
    there = np.array([row.answerable for row in rows])
    lines = ["| not answered by the document % | " + " | ".join(named) + " |", "|--:|" + "--:|" * len(named)]
    for share in (0.0, 0.1, 0.2, 0.3, 0.5):
        scores = (
            (1 - share) * routed[name].scores[there].mean() + share * routed[name].scores[~there].mean()
            for name in named
        )
        lines.append(f"| {100 * share:.0f} | " + " | ".join(f"{score:.2f}" for score in scores) + " |")
    return lines


def _routed(rows: Rows, decided: Sequence[Decision]) -> Routed:
    escalated = np.array([decision.escalates for decision in decided], float)
    scores = [row.stands if decision.escalates else row.chunks for row, decision in zip(rows, decided, strict=True)]
    return Routed(np.array(scores), escalated)


def _cold(row: BothWays) -> Estimate:
    return Estimate(row.document_tokens, None, (), True)


def _read(rows: Rows, one: Routed, of: Floats | None = None, *, chunks: bool = True) -> str:
    """Reader input as a percentage of what always_long reads; without `chunks` that of documents alone."""
    held = np.ones(len(rows), bool) if of is None else np.asarray(of, bool)
    if not held.any():
        return "n/a"
    long = np.array([row.document_tokens for row in rows], float)[held]
    short = np.array([row.chunk_tokens for row in rows], float)[held] * (chunks and one.chunked)
    return f"{100 * ((one.escalated[held] * long) + short).sum() / long.sum():.1f}"


def _mean(scores: Floats, held: Floats) -> str:
    return f"{scores[held].mean():.2f}" if held.any() else "n/a"


if __name__ == "__main__":
    main()
