"""The bundled reader by itself: answers, declines, calibration and speed, from chunks and from whole documents.

    python eval/bench/reader.py DATA/squad_long.jsonl.xz DATA/covidqa.jsonl.xz --questions 40
    python eval/bench/reader.py DATA/squad_long.jsonl.xz --weights first=OLD/weights --weights second=NEW/weights

Prints the tables of docs/reader.md, writes every reading to eval/results/reader.jsonl and draws the reliability
diagram of the last weights. The speed is that of reading the longest document of the last file.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from transformers import BertForQuestionAnswering

from selfroute import weights
from selfroute.evaluation.datasets import Row, read
from selfroute.readers.evidence import Calibration
from selfroute.readers.extractive import OVERLAP_PIECES, WINDOW_PIECES, ExtractiveReader, slides
from selfroute.training.base import base_model
from selfroute.training.calibration import HEADER, bins, calibration_error, report
from selfroute.training.readings import Case, Read, read_all
from selfroute.types import Document, Passage, Question, Reading, Route

RESULTS = Path(__file__).parents[1] / "results"
SEED = 0
NAMES = {Route.RAG: "chunks", Route.LONG_CONTEXT: "documents"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--questions", type=int, default=40, help="a random sample of so many of each file")
    parser.add_argument("--weights", action="append", default=[], metavar="NAME=FOLDER", help="instead of the bundled")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for readings and diagram")
    asked = parser.parse_args()
    folders = dict(pair.split("=", 1) for pair in asked.weights) or {"bundled": str(weights.FOLDER)}
    rows = {file: read(file) for file in asked.files}
    cases = [case for file in asked.files for case in sampled(rows[file], asked.questions)]
    asked.out.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, folder in folders.items():
        made = read_all(cases, Path(folder), _say)
        about = json.loads((Path(folder) / "reader.json").read_text(encoding="utf-8"))
        print(f"\n{name}\n{HEADER}")
        diagrams = {}
        for route, part in NAMES.items():
            of_route = [r for r in made if r.route is route]
            threshold, confidence = about[f"threshold_{part}"], Calibration.of(about[f"confidence_{part}"])
            lines += [line(name, r, threshold, confidence) for r in of_route]
            print("\n".join(report(of_route, threshold)))
            diagrams[part] = bins(of_route, confidence)
        for part, diagram in diagrams.items():
            print(f"{part}: expected calibration error {calibration_error(diagram):.3f}")
        draw(diagrams).save(asked.out / "reader-reliability.png")
    (asked.out / "reader.jsonl").write_text("".join(lines), encoding="utf-8")
    longest = max(rows[asked.files[-1]], key=lambda row: len(row.context))
    print("\n" + speed(longest, Path(folders[name])))


def sampled(rows: Sequence[Row], count: int) -> list[Case]:
    """Half of them unanswerable, where there are as many."""
    rng = random.Random(SEED)
    absent = [row for row in rows if not row.answerable]
    chosen = rng.sample(absent, min(count // 2, len(absent)))
    there = [row for row in rows if row.answerable]
    chosen += rng.sample(there, min(count - len(chosen), len(there)))
    return [
        Case(
            row.dataset,
            Document(f"{row.dataset}/{row.doc_id}", row.context, row.dataset),
            row.question,
            row.answers if row.answerable else (),
        )
        for row in chosen
    ]


def line(name: str, made: Read, threshold: float, confidence: Calibration) -> str:
    """One reading as a line of JSON."""
    told = {"weights": name, **asdict(made), "confidence": confidence.probability(made.evidence)}
    return json.dumps(told | {"declined": made.evidence.score < threshold}) + "\n"


def speed(row: Row, folder: Path) -> str:
    """Markdown: windows a second of the int8 reader and of the same network in torch fp32, in turns, one run."""
    reader = ExtractiveReader(folder=folder)
    reading = Reading(Question(row.question), (Passage(row.doc_id, 0, row.context),), Route.LONG_CONTEXT)
    model = weights.load("reader", folder)
    question, text = model.encode(row.question).ids, model.encode(row.context).ids
    windows = [
        [weights.CLS, *question, weights.SEP, *text[a:b], weights.SEP]
        for a, b in slides(len(text), WINDOW_PIECES, WINDOW_PIECES - OVERLAP_PIECES)
    ]
    full = [ids for ids in windows if len(ids) == len(windows[0])]
    network = BertForQuestionAnswering.from_pretrained(base_model()).eval()
    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    reader.find(reading)
    ours, theirs = [], []
    for _ in range(3):
        began = time.perf_counter()
        reader.find(reading)
        ours.append(len(windows) / (time.perf_counter() - began))
        began = time.perf_counter()
        with torch.inference_mode():
            for at in range(0, len(full), 16):
                network(torch.tensor(full[at : at + 16]))
        theirs.append(len(full) / (time.perf_counter() - began))
    int8, fp32 = statistics.median(ours), statistics.median(theirs)
    return (
        f"| document of {len(row.context.split()):,} words, {len(windows)} windows | windows/s | s |\n|---|--:|--:|\n"
        f"| this reader, int8, spans and all | {int8:.1f} | {len(windows) / int8:.2f} |\n"
        f"| torch fp32, network alone, batches of 16 | {fp32:.1f} | {len(windows) / fp32:.2f} |\n"
        f"\n{int8 / fp32:.2f} times as many, on {torch.get_num_threads()} threads"
    )


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


def _say(told: str) -> None:
    print(f"\r{told}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
