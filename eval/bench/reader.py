"""The bundled reader by itself, from runs of `selfroute eval`: answers, declines and calibration, from chunks and from
whole documents.

    selfroute eval eval/suites/dev.yaml --out runs/dev
    python eval/bench/reader.py runs/dev
    python eval/bench/reader.py first=runs/old second=runs/new

Reads nothing again: it takes the readings that a run has kept. Prints the tables of docs/accuracy.md and draws the
reliability diagram of the last run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw
from sklearn.metrics import roc_auc_score

from selfroute.build import evaluator
from selfroute.errors import UnsupportedTask
from selfroute.evaluation.datasets import Sample, open_samples
from selfroute.evaluation.documents import DocumentCache
from selfroute.evaluation.metrics.qa import best_f1, normalized
from selfroute.evaluation.readings import Memory, read_readings
from selfroute.evaluation.runner import Tally
from selfroute.readers import Reader
from selfroute.readers.recorded import RecordedReader
from selfroute.settings import load
from selfroute.training.calibration import calibration_error, reliability
from selfroute.types import Document, Draft, Reading, Record, Shown

DIAGRAM = Path(__file__).parents[1] / "results" / "reader-reliability.png"
POLICIES = {"always_rag": "chunks", "always_long": "document"}


@dataclass(frozen=True, slots=True)
class Measured:
    """One reading: its best span, declined or not, against the accepted answers."""

    dataset: str
    reads: str
    answerable: bool
    declined: bool
    score: float
    confidence: float | None
    f1: float
    exact: bool


class Kept:
    """Stands where a reader does and has none: what a run did not keep is not read again."""

    def __init__(self, of: Reader) -> None:
        self.model, self.window = of.model, of.window
        self.count_tokens, self.counted_by = of.count_tokens, of.counted_by
        self.max_output_tokens = of.max_output_tokens

    async def read(self, reading: Reading, record: Record, shown: Shown | None = None) -> Draft:
        raise UnsupportedTask("the run has not kept this reading")


class Noting(RecordedReader):
    """`last` is the draft that was found last."""

    last: Draft

    async def read(self, reading: Reading, record: Record, shown: Shown | None = None) -> Draft:
        self.last = await super().read(reading, record, shown)
        return self.last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="[NAME=]FOLDER")
    parser.add_argument("--diagram", type=Path, default=DIAGRAM)
    asked = parser.parse_args()
    named = dict(run.split("=", 1) if "=" in run else (Path(run).name, run) for run in asked.runs)
    made = {name: list(measured(Path(folder))) for name, folder in named.items()}
    print("\n".join(table(made)))
    last = made[name := list(made)[-1]]
    diagrams = {}
    for reads in POLICIES.values():
        said = [(m.confidence, m.f1 >= 0.5) for m in last if m.reads == reads and m.confidence is not None]
        if said:
            diagrams[reads] = reliability(said)
            print(
                f"{name}, {reads}: expected calibration error {calibration_error(diagrams[reads]):.3f} of {len(said)}"
            )
    if diagrams:
        asked.diagram.parent.mkdir(parents=True, exist_ok=True)
        draw(diagrams).save(asked.diagram)


def measured(folder: Path) -> Iterator[Measured]:
    """Every reading that the run in `folder` kept for its datasets, from chunks and from the whole document."""
    sources = json.loads((folder / "run.json").read_text(encoding="utf-8"))["sources"]
    parts = evaluator(load())
    with closing(DocumentCache(parts.cache, parts.embedder, parts.chunk_tokens, parts.chunk_words)) as documents:
        reader = Noting(Kept(parts.reader), Memory(read_readings(folder)))
        engine = parts.engine(reader, reader)
        for source in sources:
            missing = 0
            samples = [sample for sample in open_samples(source) if isinstance(sample, Sample)]
            for document in {sample.doc_id: sample.context for sample in samples}.items():
                with closing(documents.index(Document(document[0], document[1], document[0]))) as index:
                    for sample in (s for s in samples if s.doc_id == document[0]):
                        for policy, reads in POLICIES.items():
                            try:
                                asyncio.run(engine.ask_index(sample.question, policy, index, Tally()))
                            except UnsupportedTask:  # as it was for the reader of the run, if the run has ended
                                missing += 1
                                continue
                            yield judged(sample, reads, reader.last)
            print(f"{folder}: {source}, {missing} readings missing", file=sys.stderr)


def judged(sample: Sample, reads: str, draft: Draft) -> Measured:
    guess = draft.guess or ""
    return Measured(
        dataset=sample.dataset,
        reads=reads,
        answerable=sample.answerable,
        declined=draft.declined,
        score=draft.score or 0.0,
        confidence=draft.confidence,
        f1=best_f1(guess, sample.answers) if sample.answerable else 0.0,
        exact=sample.answerable and any(normalized(guess) == normalized(answer) for answer in sample.answers),
    )


def table(runs: Mapping[str, Sequence[Measured]]) -> Iterator[str]:
    """Markdown: F1 and exact match of the best span where the document answers, and how well the score declines."""
    yield (
        "| dataset | reads | version | answer there | not there | EM | F1 | AUROC | answered, there "
        "| declined, not there |"
    )
    yield "|---|---|---|--:|--:|--:|--:|--:|--:|--:|"
    groups = dict.fromkeys((m.dataset, m.reads) for made in runs.values() for m in made)
    for dataset, reads in sorted(groups, key=lambda group: list(groups).index(group)):
        for name, made in runs.items():
            rows = [m for m in made if (m.dataset, m.reads) == (dataset, reads)]
            there, absent = [m for m in rows if m.answerable], [m for m in rows if not m.answerable]
            both = there and absent
            ability = f"{roc_auc_score([m.answerable for m in rows], [m.score for m in rows]):.3f}" if both else "n/a"
            yield (
                f"| {dataset} | {reads} | {name} | {len(there)} | {len(absent)} | {mean([m.exact for m in there])} "
                f"| {mean([m.f1 for m in there])} | {ability} "
                f"| {mean([not m.declined for m in there])} | {mean([m.declined for m in absent])} |"
            )


def mean(values: Sequence[float]) -> str:
    """A mean of shares as a number from 0 to 100."""
    return f"{100 * sum(values) / len(values):.1f}" if values else "n/a"


def draw(diagrams: dict[str, list[tuple[int, float, float]]]) -> Image.Image:
    """Share right over probability, a panel for each; a dot's area is its number of readings."""
    side, margin = 360, 60
    image = Image.new("RGB", ((side + margin) * len(diagrams) + margin, side + 2 * margin), "white")
    pen = ImageDraw.Draw(image)
    for number, (name, diagram) in enumerate(diagrams.items()):
        left, low = margin + number * (side + margin), margin + side
        pen.rectangle((left, margin, left + side, low), outline="black")
        pen.line((left, low, left + side, margin), fill="gray")
        most = max(count for count, _, _ in diagram)
        dots = [(left + said * side, low - was * side, count) for count, said, was in diagram]
        pen.line([(x, y) for x, y, _ in dots], fill="steelblue", width=2)
        for x, y, count in dots:
            radius = 3 + 9 * (count / most) ** 0.5
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill="steelblue")
            pen.text((x + radius + 2, y - 5), str(count), fill="black")
        error = calibration_error(diagram)
        pen.text((left, margin - 22), f"{name}: expected calibration error {error:.3f}", fill="black")
        for tenth in range(0, 11, 2):
            pen.text((left + tenth * side / 10 - 8, low + 6), f"{tenth / 10:.1f}", fill="black")
            pen.text((left - 24, low - tenth * side / 10 - 5), f"{tenth / 10:.1f}", fill="black")
        pen.text((left + 90, low + 26), "probability of being right", fill="black")
    pen.text((4, margin - 44), "share that is right", fill="black")
    return image


if __name__ == "__main__":
    main()
