"""What the evaluation runner itself takes: milliseconds a question, and how near 64 in flight come to the ideal.

    python eval/bench/runner.py

A reader that knows its answers stands for a model: at once for the overhead, after two seconds for the throughput.
Documents are synthetic and of about 3,000 words; the embedder is the bundled one.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from selfroute import load_settings
from selfroute.build import evaluator
from selfroute.evaluation.suite import Suite
from selfroute.readers.scripted import KnowingReader

DOCUMENTS, QUESTIONS = 20, 32
SECONDS, IN_FLIGHT = 2.0, 64


def main() -> None:
    with TemporaryDirectory() as folder:
        home = Path(folder)
        known, source = written(home / "made.jsonl")
        run(home, source, KnowingReader(known), "warm", 1, limit=QUESTIONS * DOCUMENTS)  # documents are embedded here
        took = run(home, source, KnowingReader(known), "overhead", 1)
        questions = DOCUMENTS * QUESTIONS
        print(
            f"overhead: {1000 * took / questions:.1f} ms a question and policy, one at a time ({questions} questions)"
        )
        took = run(home, source, KnowingReader(known, seconds=SECONDS), "throughput", IN_FLIGHT)
        ideal = questions * SECONDS / IN_FLIGHT
        print(
            f"throughput: {questions} questions of {SECONDS:.0f} s with {IN_FLIGHT} in flight in {took:.1f} s, "
            f"ideal {ideal:.1f} s: {ideal / took:.0%}"
        )


def written(path: Path) -> tuple[dict[str, str], Path]:
    """Question -> answer, and the dataset's file."""
    known: dict[str, str] = {}
    with path.open("w", encoding="utf-8") as file:
        for document in range(DOCUMENTS):
            asked = {
                f"What was noted in entry {n} of log {document}?": f"swell {document}-{n}" for n in range(QUESTIONS)
            }
            filling = "the watch looked out over the fairway and wrote down wind, tide and what lay at the quays. " * 5
            text = "\n\n".join(
                f"Entry {n} of log {document}: {answer}. {filling}" for n, answer in enumerate(asked.values())
            )
            for n, (question, answer) in enumerate(asked.items()):
                record = {"_id": f"{document}-{n}", "input": question, "context": text, "answers": [answer]}
                file.write(json.dumps(record) + "\n")
            known |= asked
    return known, path


def run(
    home: Path, source: Path, reader: KnowingReader, name: str, concurrency: int, limit: int | None = None
) -> float:
    """Seconds of a run of `always_rag` in a folder of its own."""
    measured = replace(evaluator(load_settings(home=home)), reader=reader)
    suite = Suite(name, (str(source),), ("always_rag",), limit=limit)
    began = time.perf_counter()
    result = measured.run(suite, home / name, concurrency=concurrency)
    if result.failed:
        raise SystemExit(f"{result.failed} questions failed: {home / name}")
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
