"""Three policies on LongBench-style files: F1, escalations, tokens, and how well scores tell what is answerable.

    python eval/bench/accuracy.py DATA/squad_long.jsonl.xz DATA/covidqa.jsonl.xz --questions 100

Prints the tables of docs/accuracy.md and writes every row to eval/results/accuracy.jsonl.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sklearn.metrics import roc_auc_score

from selfroute import Answer, Engine, Question, Route, build_engine, build_indexer, load_settings
from selfroute.evaluation.datasets import Malformed, Sample, open_samples
from selfroute.evaluation.metrics.qa import best_f1

POLICIES = ("always_rag", "self_route", "always_long")
RESULTS = Path(__file__).parents[1] / "results" / "accuracy.jsonl"
SEED = 0


@dataclass(frozen=True, slots=True)
class Result:
    """One question under one policy. `score` and `guess` are the last reading's, declined or not."""

    dataset: str
    id: str
    policy: str
    answerable: bool
    outcome: str
    route: str
    prediction: str | None
    f1: float
    score: float | None
    guess: str | None
    guess_f1: float
    input_tokens: int
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--questions", type=int, default=100, help="a random sample of so many of each file")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    results: list[Result] = []
    for file in asked.files:
        samples = whole(file)
        results += measured(random.Random(SEED).sample(samples, min(asked.questions, len(samples))))
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text("".join(json.dumps(asdict(result)) + "\n" for result in results), encoding="utf-8")
    print(table(results))
    print()
    print(readings(results))


def whole(file: Path) -> list[Sample]:
    """All samples of a file, which may hold nothing else: a benchmark is of all rows or of none."""
    samples: list[Sample] = []
    for row in open_samples(file):
        if isinstance(row, Malformed):
            sys.exit(f"{row.place}: {row.reason}")
        samples.append(row)
    return samples


def measured(samples: Sequence[Sample]) -> list[Result]:
    """Indexes the documents of `samples` in a folder that is thrown away and asks every question by every policy."""
    with TemporaryDirectory() as home:
        settings = load_settings(home=Path(home))
        documents = {sample.doc_id: sample.context for sample in samples}
        file = Path(home) / "documents.jsonl"
        file.write_text("".join(json.dumps({"id": id_, "text": text}) + "\n" for id_, text in documents.items()))
        summary = build_indexer(settings).index([file], "bench")
        if summary.failed:
            sys.exit(f"{len(summary.failed)} documents cannot be indexed: {summary.failed[0].reason}")
        return asyncio.run(answered(build_engine(settings), samples))


async def answered(engine: Engine, samples: Sequence[Sample]) -> list[Result]:
    results = []
    for number, sample in enumerate(samples, start=1):
        for policy in POLICIES:
            # asked as a plain question, so that files of every task can be measured with the bundled reader
            question = Question(sample.question.text, scope=(sample.doc_id,))
            results.append(result(sample, await engine.ask(question, policy, corpus="bench")))
        print(f"\r{sample.dataset} {number}/{len(samples)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return results


def result(sample: Sample, answer: Answer) -> Result:
    drafts = answer.explain["drafts"]
    assert isinstance(drafts, list)
    last = drafts[-1]
    return Result(
        dataset=sample.dataset,
        id=sample.id,
        policy=answer.policy,
        answerable=sample.answerable,
        outcome=answer.outcome.value,
        route=answer.route.value,
        prediction=answer.answer,
        f1=best_f1(answer.answer, sample.answers),
        score=last["score"],
        guess=last["guess"],
        guess_f1=best_f1(last["guess"] or "", sample.answers) if sample.answerable else 0.0,
        input_tokens=answer.totals.reader_input_tokens,
        seconds=answer.totals.seconds,
    )


def table(results: Sequence[Result]) -> str:
    """Markdown: what a user gets from each policy."""
    lines = [
        "| dataset | policy | n | F1 | F1 answerable | F1 unanswerable | escalated | tokens | of always_long | s |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for dataset in dict.fromkeys(r.dataset for r in results):
        full = sum(r.input_tokens for r in results if r.dataset == dataset and r.policy == "always_long")
        for policy in POLICIES:
            rows = [r for r in results if r.dataset == dataset and r.policy == policy]
            tokens = sum(r.input_tokens for r in rows)
            escalated = sum(r.route == Route.LONG_CONTEXT for r in rows) / len(rows)
            lines.append(
                f"| {dataset} | {policy} | {len(rows)} | {mean([r.f1 for r in rows])} "
                f"| {mean([r.f1 for r in rows if r.answerable])} | {mean([r.f1 for r in rows if not r.answerable])} "
                f"| {escalated:.0%} | {tokens / len(rows):,.0f} | {tokens / full:.0%} "
                f"| {sum(r.seconds for r in rows) / len(rows):.2f} |"
            )
    return "\n".join(lines)


def readings(results: Sequence[Result]) -> str:
    """Markdown: what the reader itself does with chunks and with whole documents, thresholds apart."""
    lines = [
        "| dataset | reads | forced-answer F1 (answerable) | AUROC answerable or not | declined, answerable "
        "| declined, unanswerable |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for dataset in dict.fromkeys(r.dataset for r in results):
        for policy, what in (("always_rag", "chunks"), ("always_long", "document")):
            rows = [r for r in results if r.dataset == dataset and r.policy == policy and r.score is not None]
            labels = [r.answerable for r in rows]
            auroc = f"{roc_auc_score(labels, [r.score for r in rows]):.2f}" if len(set(labels)) == 2 else "n/a"
            declined = {kind: [r.prediction is None for r in rows if r.answerable is kind] for kind in (True, False)}
            lines.append(
                f"| {dataset} | {what} | {mean([r.guess_f1 for r in rows if r.answerable])} | {auroc} "
                f"| {mean(declined[True])} | {mean(declined[False])} |"
            )
    return "\n".join(lines)


def mean(values: Sequence[float]) -> str:
    """A mean of shares as a number from 0 to 100."""
    return f"{100 * sum(values) / len(values):.1f}" if values else "n/a"


if __name__ == "__main__":
    main()
