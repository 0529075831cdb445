"""Recorded answers that a person graded by reading: which ones were drawn, and what their grades say.

    python eval/bench/checked.py lara_predictions.jsonl.xz --show       # what is to be graded
    python eval/bench/checked.py lara_predictions.jsonl.xz grades.csv   # how far recall and F1 agree with them

Of each model nine questions are drawn, five of those of which recall finds one reading right and the other wrong, and
four of the others; both readings of each are graded, 0, 0.5 or 1. A grade stands for as many questions as its part of
the draw is drawn from. `grades.csv` holds ids and grades, and no text of a dataset.
"""

from __future__ import annotations

import argparse
import csv
import json
import lzma
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from selfroute.evaluation.fitting import Floats
from selfroute.evaluation.metrics.qa import token_f1
from selfroute.evaluation.metrics.replay import is_right, refuses

SEED = 20261124
DIFFER, SAME = 5, 4
WAYS = ("rag", "long")


@dataclass(frozen=True, slots=True)
class Asked:
    """One question as one model answered it from chunks (`rag`) and from the document (`long`)."""

    model: str
    dataset: str
    doc_id: str
    question: str
    reference: str
    rag: str
    long: str

    @property
    def answerable(self) -> bool:
        return not self.dataset.endswith("hallu")

    @property
    def key(self) -> str:
        """Hides the words, and finds them again."""
        return sha256(f"{self.doc_id}\0{self.question}".encode()).hexdigest()[:12]

    def said(self, way: str) -> str:
        return self.rag if way == "rag" else self.long

    def right(self, way: str) -> float:
        return float(is_right(self.said(way), self.reference, self.answerable))

    def f1(self, way: str) -> float:
        """Where the document does not answer, a refusal is all."""
        if not self.answerable or refuses(self.said(way)):
            return float(refuses(self.said(way)) is not self.answerable)
        return token_f1(self.said(way), self.reference)


Grades = Mapping[tuple[str, str, str], float]
"""By model, key and way."""


def read(path: Path) -> list[Asked]:
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [Asked(r["model"], r["dataset"], r["doc_id"], r["input"], r["answer"], r["rag"], r["long"]) for r in rows]


def drawn(asked: Sequence[Asked]) -> list[tuple[Asked, float]]:
    """The questions to grade, each with how many it stands for."""
    rng = random.Random(SEED)
    chosen: list[tuple[Asked, float]] = []
    for model in sorted({one.model for one in asked}):
        of = [one for one in asked if one.model == model]
        for differ, many in ((True, DIFFER), (False, SAME)):
            part = [one for one in of if (one.right("rag") != one.right("long")) is differ]
            chosen += [(one, len(part) / many) for one in rng.sample(part, many)]
    return chosen


def read_grades(path: Path) -> Grades:
    with path.open(encoding="utf-8", newline="") as lines:
        return {(row["model"], row["question"], row["way"]): float(row["grade"]) for row in csv.DictReader(lines)}


def agreement(chosen: Sequence[tuple[Asked, float]], grades: Grades) -> list[str]:
    """How alike recall and F1 are to the grades, over answers weighed by what they stand for."""
    answers = [(one, way, weight) for one, weight in chosen for way in WAYS]
    weights = np.array([weight for *_, weight in answers])
    graded = np.array([grades[one.model, one.key, way] for one, way, _ in answers])
    lines = [
        f"{len(graded)} answers to {len(chosen)} questions were read: {np.sum(graded == 1)} are right, "
        f"{np.sum(graded == 0.5)} half, {np.sum(graded == 0)} wrong. Means are weighted by what each stands for.",
        "",
        "| measure | mean | same verdict % | of those that the document answers % | correlation |",
        "|---|--:|--:|--:|--:|",
    ]
    there = np.array([one.answerable for one, *_ in answers])
    for name, measured in (
        ("recall of 0.6", np.array([one.right(way) for one, way, _ in answers])),
        ("token F1", np.array([one.f1(way) for one, way, _ in answers])),
    ):
        same = (measured >= 0.5) == (graded >= 0.5)
        alike = correlation(measured, graded, weights)
        lines.append(
            f"| {name} | {np.average(measured, weights=weights):.3f} | {100 * np.average(same, weights=weights):.0f} | "
            f"{100 * np.average(same[there], weights=weights[there]):.0f} | {alike:.2f} |"
        )
    gains = [(one, weight) for one, weight in chosen if one.right("long") > one.right("rag")]
    losses = [(one, weight) for one, weight in chosen if one.right("long") < one.right("rag")]
    for name, part, better, worse in (("gains", gains, "long", "rag"), ("losses", losses, "rag", "long")):
        held = [grades[o.model, o.key, better] - grades[o.model, o.key, worse] for o, _ in part]
        lines += [
            "",
            f"Of {len(part)} {name} that recall sees in the longer read {sum(h > 0 for h in held)} are such by hand, "
            f"{sum(h == 0 for h in held)} change nothing and {sum(h < 0 for h in held)} are the other way round.",
        ]
    return lines


def by_policy(
    chosen: Sequence[tuple[Asked, float]], grades: Grades, ways: Mapping[str, Callable[[Asked], str]]
) -> list[str]:
    """Each policy's score on the graded questions, by hand and by recall. `ways` says which reading stands; `refused`
    is a decline."""
    weights = np.array([weight for _, weight in chosen])
    lines = ["| policy | by hand | by recall | token F1 |", "|---|--:|--:|--:|"]
    for name, stands in ways.items():
        taken = [(one, stands(one)) for one, _ in chosen]
        scores = (
            [float(not one.answerable) if way == "refused" else measure(one, way) for one, way in taken]
            for measure in (lambda o, w: grades[o.model, o.key, w], Asked.right, Asked.f1)
        )
        lines.append(f"| {name} | " + " | ".join(f"{100 * np.average(s, weights=weights):.1f}" for s in scores) + " |")
    return lines


def correlation(one: Floats, other: Floats, weights: Floats) -> float:
    a, b = one - np.average(one, weights=weights), other - np.average(other, weights=weights)
    both, own = (
        np.average(a * b, weights=weights),
        np.average(a * a, weights=weights) * np.average(b * b, weights=weights),
    )
    return float(both / np.sqrt(own)) if own else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictions", type=Path)
    parser.add_argument("grades", type=Path, nargs="?")
    parser.add_argument("--show", action="store_true")
    given = parser.parse_args()
    chosen = drawn(read(given.predictions))
    if given.show:
        for number, (one, _) in enumerate(chosen):
            print(f"{number} {one.model} {one.dataset} {one.key}\nQ: {one.question}\nREF: {one.reference}")
            print(f"RAG: {one.rag}\nLONG: {one.long}\n")
    if given.grades:
        print("\n".join(agreement(chosen, read_grades(given.grades))))


if __name__ == "__main__":
    main()
