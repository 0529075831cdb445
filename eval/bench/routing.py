"""The policy `calibrated` beside the constants, the known routers and the oracle, out of fold.

    selfroute eval eval/suites/replay.yaml --out runs/replay
    selfroute eval eval/suites/dev.yaml --out runs/dev
    python -m selfroute.training.kept --data $SELFROUTE_DATA/train --out kept.jsonl
    selfroute eval kept.jsonl --policies always_rag,always_long --out runs/kept
    selfroute eval eval/suites/smoke.yaml --out runs/smoke
    python eval/bench/routing.py runs/replay runs/dev --more runs/kept --elsewhere runs/smoke \\
        --predictions lara_predictions.jsonl.xz --grades eval/results/routing/checked.csv --out eval/results/routing

Reads nothing again but for the judge, on this machine (see `evaluation/bothways.py`). Every router, its calibration and
its price for a share are fitted on other documents than they are tried on, and on other models where a run has several.
Prints Markdown, and writes it to `--out` with its pictures.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import routing_plots
from checked import Asked, Grades, agreement, by_policy, drawn, read, read_grades

from selfroute.build import evaluator
from selfroute.embedders import Embedder
from selfroute.evaluation.bothways import BothWays, Gathered, gather
from selfroute.evaluation.fitting import RULES, Floats, auroc, belongs, by_document, calibration_error, fitted, prices
from selfroute.evaluation.metrics.qa import token_f1
from selfroute.evaluation.statistics import bounds, drawn_sums, mean_interval
from selfroute.prices import Price
from selfroute.routing.dial import Decision, Dial
from selfroute.routing.score import Router
from selfroute.settings import load
from selfroute.types import Estimate, Usage

SHARE = 0.11
AIMS = (0.02, 0.05, 0.08, 0.11, 0.2, 0.3, 0.5, 1.0)
NEIGHBOURS = 20
LONG = 8000
"""Words from which a document counts as long."""
VALUES = ("0.05", "0.2", "1", "5")
TABLE = {"10x discount": Price(Decimal("1.25"), Decimal(10), Decimal("0.125"))}
"""US dollars per million tokens, as `configs/prices.yaml` has one for gpt-5."""

INTRODUCTION = """# Routing, out of fold

Made by `python eval/bench/routing.py` (its head says how). Every router, its calibration and its price for a share are
fitted on other documents than they are tried on: in `replay` on other documents and other models (5 folds of documents
times 6 models), in `dev` on articles of `train/` that the reader was not trained on, and on nothing of `dev`.
Intervals draw documents. Tokens are reader input as a share of always_long's; what the bundled reader takes as a judge
runs on this machine and is not among them. Gap closed: from the better constant policy (0) to the oracle, which picks
the better reading (100). `docs/accuracy.md` says what it means."""

Rows = Sequence[BothWays]
Splits = Sequence[tuple[Rows, Sequence[int]]]
"""(rows that are fitted, numbers of the rows that are tried)"""


@dataclass(frozen=True, slots=True)
class Routed:
    """What one policy does with each row: the score, whether the documents are read, and whether the chunks are."""

    scores: Floats
    escalated: Floats
    chunked: bool = True
    answers: tuple[str | None, ...] | None = None
    rows: Rows = ()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--more", nargs="*", type=Path, default=[], help="runs that may be fitted on too")
    parser.add_argument("--elsewhere", nargs="*", type=Path, default=[], help="runs of other documents, tried alone")
    parser.add_argument("--predictions", type=Path, help="the recorded answers, for the grades by hand")
    parser.add_argument("--grades", type=Path, help="as eval/results/routing/checked.csv")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    parts = evaluator(load())
    more = [row for run in given.more for row in gather(parts, run).rows]
    elsewhere = {run.name: gather(parts, run).rows for run in given.elsewhere}
    told: list[str] = [INTRODUCTION, ""]
    for run in given.runs:
        gathered = gather(parts, run)
        told += report(run.name, gathered, more, elsewhere, parts.embedder, given.out)
        if given.predictions and given.grades and per_model(gathered.rows):
            told += by_hand(gathered.rows, read(given.predictions), read_grades(given.grades))
    text = "\n".join(told) + "\n"
    print(text)
    if given.out:
        (given.out / "README.md").write_text(text, encoding="utf-8")


def report(
    name: str, gathered: Gathered, more: Rows, elsewhere: Mapping[str, Rows], embedder: Embedder, out: Path | None
) -> list[str]:
    rows, left_out = gathered.rows, gathered.left_out
    splits = splits_of(rows, more)
    decided = out_of_fold(rows, splits)
    routed = policies(rows, splits, decided, embedder)
    curve = shares(rows, splits)
    without = ablation(rows, splits)
    if out:
        out.mkdir(parents=True, exist_ok=True)
        routing_plots.plane(out / f"{name}-plane.png", rows, routed, curve)
        routing_plots.ablation(out / f"{name}-ablation.png", without)
        routing_plots.reliability(out / f"{name}-reliability.png", rows, decided)
    groups = sorted({row.group for row in rows})
    documents = len({row.doc_id for row in rows})
    lines = [
        f"## {name}",
        "",
        f"{len(rows)} questions read both ways, of {documents} documents; {left_out} left out.",
        "",
    ]
    lines += [*table(rows, routed), "", *over_table(rows, routed), "", *by_group(rows, routed, groups), ""]
    lines += [f"Odds out of fold: {ordered(rows, decided)}.", ""]
    lines += ["### Share aimed at", "", *shares_table(curve), ""]
    lines += ["### Features left out", "", *ablation_table(without), ""]
    if more and not per_model(rows):
        lines += ["### Fitted on more questions", "", *fitted_on(rows, more), ""]
        lines += ["### Other documents", "", *carried(rows, more, elsewhere), ""]
    if per_model(rows):
        lines += ["### A cold and a warm cache", "", *caches(rows, splits), ""]
        lines += ["### Token F1 on the answerable questions", "", *f1s(rows, routed), ""]
        lines += ["### More and fewer questions without an answer", "", *mixes(rows, routed), ""]
    return lines


def per_model(rows: Rows) -> bool:
    """Whether the groups are recorded models that were asked the same questions."""
    return bool(rows) and rows[0].group != rows[0].dataset


def splits_of(rows: Rows, more: Rows = ()) -> Splits:
    """Recorded models: by document, and by model too. The bundled reader: fitted on `more` alone, where there is any,
    else by document."""
    if more and not per_model(rows):
        return [(more, range(len(rows)))]
    parts = [([rows[n] for n in kept], held) for kept, held in by_document(rows)]
    if not per_model(rows):
        return parts
    return [
        ([row for row in kept if row.group != group], [n for n in held if rows[n].group == group])
        for kept, held in parts
        for group in _groups(rows)
    ]


def out_of_fold(
    rows: Rows,
    splits: Splits,
    dial: Dial | None = None,
    rules: Mapping[str, tuple[str, ...]] = RULES,
    estimate: Callable[[BothWays], Estimate] = lambda row: Estimate(row.document_tokens, None, (), True),
) -> list[Decision]:
    """What `calibrated` decides for each row, by a router that was fitted without its document and model."""
    return decisions(rows, routers(splits, rules), dial or Dial(SHARE), estimate)


def routers(splits: Splits, rules: Mapping[str, tuple[str, ...]] = RULES) -> list[tuple[Sequence[int], Router]]:
    """(held out rows, the router that was fitted without them)"""
    return [(held, fitted(kept, {}, rules)[0]) for kept, held in splits]


def decisions(
    rows: Rows, made: Sequence[tuple[Sequence[int], Router]], dial: Dial, estimate: Callable[[BothWays], Estimate]
) -> list[Decision]:
    decided: dict[int, Decision] = {}
    for held, router in made:
        for n in held:
            row = rows[n]
            decided[n] = dial.decide(router.odds(row.features, row.readers), bool(row.features.declined), estimate(row))
    return [decided[n] for n in range(len(rows))]


def policies(rows: Rows, splits: Splits, decided: Sequence[Decision], embedder: Embedder) -> dict[str, Routed]:
    chunks, long, stands = (
        np.array([getattr(row, name) for row in rows]) for name in ("chunks", "documents", "stands")
    )
    none, all_ = np.zeros(len(rows)), np.ones(len(rows))
    declined = np.array([bool(row.features.declined) for row in rows], float)
    unproven = np.array([not row.supported for row in rows], float)
    ours = np.array([decision.escalates for decision in decided], float)
    near = neighbours(rows, splits, embedder)
    tokens = np.array([row.document_tokens for row in rows], float)
    share = float((ours * tokens).sum() / tokens.sum())
    by_price = priced(rows, splits)

    def mixed(escalated: Floats, read: Floats) -> Floats:
        return np.where(escalated > 0, read, chunks)

    return {
        "always_rag": Routed(chunks, none, answers=tuple(row.chunk_answer for row in rows)),
        "always_long": Routed(long, all_, False, tuple(row.document_answer for row in rows)),
        "random, as many tokens as calibrated": Routed((1 - share) * chunks + share * stands, share * all_),
        "kNN": Routed(mixed(near, stands), near),
        "self_route": Routed(mixed(declined, long), declined, answers=_answers(rows, declined, "document_answer")),
        "evidence_gated": Routed(np.array([row.gated for row in rows]), unproven),
        "calibrated": Routed(mixed(ours, stands), ours, answers=_answers(rows, ours, "standing_answer")),
        "calibrated, a price a token": Routed(mixed(by_price, stands), by_price),
        "oracle": Routed(np.maximum(chunks, long), (long > chunks).astype(float)),
    }


def _answers(rows: Rows, escalated: Floats, name: str) -> tuple[str | None, ...]:
    return tuple(getattr(row, name) if on else row.chunk_answer for row, on in zip(rows, escalated, strict=True))


def priced(rows: Rows, splits: Splits) -> Floats:
    """Escalations where each token must add as much, instead of each reading: the price of the same share, set on the
    rows that were fitted."""
    chosen = np.zeros(len(rows))
    for (kept, held), (_, router) in zip(splits, routers(splits), strict=True):
        tokens = np.array([row.document_tokens for row in kept], float)
        worth = np.array([_improvement(router, row) for row in kept]) / tokens
        order = np.argsort(-worth)
        within = int((np.cumsum(tokens[order]) <= SHARE * tokens.sum()).sum())
        price = worth[order[max(within - 1, 0)]]
        chosen[list(held)] = [_improvement(router, rows[n]) / rows[n].document_tokens >= price for n in held]
    return chosen


def _improvement(router: Router, row: BothWays) -> float:
    odds = router.odds(row.features, row.readers)
    return odds.improvement if odds else 0.0


def neighbours(rows: Rows, splits: Splits, embedder: Embedder) -> Floats:
    """Escalations by the mean gain less harm of the most alike questions, priced for the same share."""
    texts = sorted({row.question for row in (*rows, *(row for kept, _ in splits for row in kept))})
    vectors = dict(zip(texts, embedder.embed(texts).vectors, strict=True))
    chosen = np.zeros(len(rows))

    def improvement(of: Rows, among: Rows, apart: bool) -> Floats:
        alike = np.array([vectors[row.question] for row in of]) @ np.array([vectors[row.question] for row in among]).T
        if apart:  # a question must not be its own neighbour when a price is set
            documents = np.array([row.doc_id for row in among])
            alike = np.where(np.array([row.doc_id for row in of])[:, None] == documents[None, :], -2.0, alike)
        best = np.argsort(-alike, axis=1, kind="stable")[:, :NEIGHBOURS]
        worth = np.array([row.gains - row.harms for row in among], float)
        return np.asarray(worth[best].mean(axis=1))

    for kept, held in splits:
        tokens = np.array([row.document_tokens for row in kept], float)
        set_ = dict(prices(improvement(kept, kept, True), tokens))
        chosen[list(held)] = improvement([rows[n] for n in held], kept, False) >= set_[SHARE]
    return chosen


def table(rows: Rows, routed: Mapping[str, Routed]) -> list[str]:
    """Scores with intervals clustered by document, and what was read as a share of always_long."""
    documents = [row.doc_id for row in rows]
    lines = [
        "| policy | score | 95 % | answer there | not there | escalated % | escalated tokens % | all tokens % | "
        "all tokens %, 8,000+ words | gap closed % | 95 % |",
        "|---|--:|---|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    there = np.array([row.answerable for row in rows])
    long = np.array([row.words >= LONG for row in rows])
    for name, one in routed.items():
        interval = mean_interval(one.scores.tolist(), documents)
        closed, low, high = gap_closed(rows, routed, name)
        lines.append(
            f"| {name} | {interval.mean:.2f} | {interval.low or 0:.1f} to {interval.high or 0:.1f} | "
            f"{_mean(one.scores, there)} | {_mean(one.scores, ~there)} | {100 * one.escalated.mean():.1f} | "
            f"{_read(rows, one, chunks=False)} | {_read(rows, one)} | {_read(rows, one, long)} | {closed:.0f} | "
            f"{low:.0f} to {high:.0f} |"
        )
    return lines


def gap_closed(rows: Rows, routed: Mapping[str, Routed], name: str) -> tuple[float, float, float]:
    """From the better constant (0) to the oracle (100), with its interval; the better constant is chosen once."""
    constant = max(("always_rag", "always_long"), key=lambda one: routed[one].scores.mean())
    columns = np.column_stack([routed[one].scores for one in (name, constant, "oracle")])

    def closed(sums: Floats) -> Floats:
        return np.asarray(100 * (sums[..., 0] - sums[..., 1]) / (sums[..., 2] - sums[..., 1]))

    low, high = bounds(closed(drawn_sums(columns, [row.doc_id for row in rows])))
    return float(closed(columns.sum(axis=0))), low or 0.0, high or 0.0


def over_table(rows: Rows, routed: Mapping[str, Routed]) -> list[str]:
    """How many points each router scores above either constant, on the same questions."""
    documents = [row.doc_id for row in rows]
    constants = ("always_rag", "always_long")
    lines = ["| policy | over always_rag | 95 % | over always_long | 95 % |", "|---|--:|---|--:|---|"]
    for name, one in routed.items():
        if name in constants or name == "oracle":
            continue
        over = [mean_interval((one.scores - routed[constant].scores).tolist(), documents) for constant in constants]
        cells = " | ".join(f"{i.mean:+.2f} | {i.low or 0:+.1f} to {i.high or 0:+.1f}" for i in over)
        lines.append(f"| {name} | {cells} |")
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


def shares(rows: Rows, splits: Splits) -> dict[float, Routed]:
    made = routers(splits)
    return {share: _routed(rows, decisions(rows, made, Dial(share), _cold)) for share in AIMS}


def shares_table(curve: Mapping[float, Routed]) -> list[str]:
    lines = ["| aimed at % | escalated tokens % | all tokens % | score |", "|--:|--:|--:|--:|"]
    for share, one in curve.items():
        lines.append(
            f"| {100 * share:.0f} | {_read(one.rows, one, chunks=False)} | {_read(one.rows, one)} | "
            f"{one.scores.mean():.2f} |"
        )
    return lines


def ablation(rows: Rows, splits: Splits) -> dict[str, tuple[Routed, float, float]]:
    """Each group of features left out of every rule: what comes of it, and the AUROC of gain and of harm."""
    groups = {
        "nothing": (),
        "retrieval scores": ("top", "entropy", "mentioned"),
        "length and kind of question": ("length", "compares"),
        "the chunk answer's words": ("answer_words", "worded"),
        "the decline": ("declined",),
        "the bundled reader": ("judge_score", "judge_confidence", "agreement"),
    }
    used = {name for row in rows for rule in RULES if belongs(rule, row) for name in RULES[rule]}
    found = {}
    for name, left in groups.items():
        if left and not used & set(left):
            continue
        rules = {rule: tuple(i for i in inputs if i not in left) for rule, inputs in RULES.items()}
        decided = out_of_fold(rows, splits, rules=rules)
        gains, harms = (np.array([float(getattr(row, n)) for row in rows]) for n in ("gains", "harms"))
        gain, harm = (np.array([getattr(d.odds, n) for d in decided]) for n in ("gain", "harm"))
        found[name] = (_routed(rows, decided), auroc(gain, gains) or 0.0, auroc(harm, harms) or 0.0)
    return found


def ablation_table(without: Mapping[str, tuple[Routed, float, float]]) -> list[str]:
    lines = ["| left out | score | escalated tokens % | AUROC of gain | of harm |", "|---|--:|--:|--:|--:|"]
    for name, (one, gain, harm) in without.items():
        lines.append(
            f"| {name} | {one.scores.mean():.2f} | {_read(one.rows, one, chunks=False)} | {gain:.3f} | {harm:.3f} |"
        )
    return lines


def fitted_on(rows: Rows, more: Rows) -> list[str]:
    """The same questions, by routers that were fitted on other documents of the run, on the other questions, or on
    both."""
    own = splits_of(rows)
    ways = {
        "other documents of this run": routers(own),
        "the articles kept out": routers(splits_of(rows, more)),
        "both": routers([([*kept, *more], held) for kept, held in own]),
    }
    gains, harms = (np.array([float(getattr(row, n)) for row in rows]) for n in ("gains", "harms"))
    documents = len({row.doc_id for row in more})
    lines = [
        f"{len(more)} questions of {documents} documents made of articles that the reader was not trained on "
        f"(mean {np.mean([row.words for row in more]):.0f} words; the longer read alone is right for "
        f"{100 * np.mean([row.gains for row in more]):.1f} %, the chunks alone for "
        f"{100 * np.mean([row.harms for row in more]):.1f} %).",
        "",
        "| fitted on | AUROC of gain | of harm | " + " | ".join(f"{100 * aim:.0f} %" for aim in AIMS) + " |",
        "|---|--:|--:|" + "--:|" * len(AIMS),
    ]
    for name, made in ways.items():
        odds = [d.odds for d in decisions(rows, made, Dial(SHARE), _cold)]
        gain, harm = (np.array([getattr(one, n) for one in odds]) for n in ("gain", "harm"))
        cells = []
        for aim in AIMS:
            one = _routed(rows, decisions(rows, made, Dial(aim), _cold))
            cells.append(f"{one.scores.mean():.2f} ({_read(rows, one, chunks=False)})")
        lines.append(
            f"| {name} | {auroc(gain, gains) or 0:.3f} | {auroc(harm, harms) or 0:.3f} | {' | '.join(cells)} |"
        )
    return [*lines, "", "Scores by the share aimed at, in brackets the documents' tokens that were read."]


def carried(rows: Rows, more: Rows, elsewhere: Mapping[str, Rows]) -> list[str]:
    """What is read of documents of other kinds and lengths by a router that was fitted on the articles kept out."""
    lines = [
        "| tried on | questions | mean tokens | documents' tokens read % | by a price a token % | score | always_rag | "
        "always_long |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    parts = {group: [row for row in rows if row.group == group] for group in _groups(rows)}
    for name, tried in {**parts, **elsewhere}.items():
        splits: Splits = [(more, range(len(tried)))]
        one = _routed(tried, out_of_fold(tried, splits))
        by_token = Routed(one.scores, priced(tried, splits), rows=tried)
        means = (np.mean([getattr(row, way) for row in tried]) for way in ("chunks", "documents"))
        lines.append(
            f"| {name} | {len(tried)} | {np.mean([row.document_tokens for row in tried]):.0f} | "
            f"{_read(tried, one, chunks=False)} | {_read(tried, by_token, chunks=False)} | {one.scores.mean():.2f} | "
            + " | ".join(f"{mean:.2f}" for mean in means)
            + " |"
        )
    return lines


def _groups(rows: Rows) -> list[str]:
    return sorted({row.group for row in rows})


def by_hand(rows: Rows, asked: Sequence[Asked], grades: Grades) -> list[str]:
    """The drawn answers, and what the policies score by hand on their questions."""
    chosen = drawn(asked)
    found = {(row.group, row.doc_id, row.question): row for row in rows}
    row_of = {one: found[one.model, one.doc_id, one.question] for one, _ in chosen}
    ours = dict(zip(map(id, rows), out_of_fold(rows, splits_of(rows)), strict=True))

    def stands(one: Asked, escalates: bool) -> str:
        row = row_of[one]
        if not escalates:
            return "rag"
        return "long" if row.standing_answer == row.document_answer else "refused"

    ways: dict[str, Callable[[Asked], str]] = {
        "always_rag": lambda one: "rag",
        "always_long": lambda one: "long",
        "self_route": lambda one: "long" if row_of[one].features.declined else "rag",
        "calibrated": lambda one: stands(one, ours[id(row_of[one])].escalates),
        "calibrated, everything read": lambda one: stands(one, True),
        "oracle by recall": lambda one: "long" if one.right("long") > one.right("rag") else "rag",
        "oracle by hand": lambda one: max(("rag", "long"), key=lambda way: grades[one.model, one.key, way]),
    }
    return [
        "### Checked by hand",
        "",
        *agreement(chosen, grades),
        "",
        *by_policy(chosen, grades, ways),
        "",
    ]


def caches(rows: Rows, splits: Splits) -> list[str]:
    """By value of a right answer, with the documents cold and warm in the provider's cache; chunks are never cached."""
    made = routers(splits)
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
    return Routed(np.array(scores), escalated, rows=rows)


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
