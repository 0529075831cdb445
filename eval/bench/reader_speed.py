"""How fast the bundled reader reads one long document, beside the same network in torch fp32, in turns in one run.

    python eval/bench/reader_speed.py $SELFROUTE_DATA/dev/lara_32k_financial_location.jsonl.xz

Takes the longest document of the file.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

import torch
from transformers import BertForQuestionAnswering

from selfroute import weights
from selfroute.evaluation.datasets import Sample, open_samples
from selfroute.readers.extractive import ExtractiveReader
from selfroute.readers.windows import OVERLAP_PIECES, WINDOW_PIECES, slides
from selfroute.training.base import base_model
from selfroute.types import Passage, Question, Reading, Route


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    samples = [sample for sample in open_samples(parser.parse_args().file) if isinstance(sample, Sample)]
    if not samples:
        sys.exit("the file holds no question")
    longest = max(samples, key=lambda sample: len(sample.context))
    print(speed(longest.question.text or "", longest.context))


def speed(question: str, context: str) -> str:
    """Markdown: windows a second of the int8 reader and of the same network in torch fp32, in turns, one run."""
    reader = ExtractiveReader()
    reading = Reading(Question(question), (Passage("longest", 0, context),), Route.LONG_CONTEXT)
    model = weights.load("reader")
    asked, text = model.encode(question).ids, model.encode(context).ids
    windows = [
        [weights.CLS, *asked, weights.SEP, *text[a:b], weights.SEP]
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
        f"| document of {len(context.split()):,} words, {len(windows)} windows | windows/s | s |\n|---|--:|--:|\n"
        f"| this reader, int8, spans and all | {int8:.1f} | {len(windows) / int8:.2f} |\n"
        f"| torch fp32, network alone, batches of 16 | {fp32:.1f} | {len(windows) / fp32:.2f} |\n"
        f"\n{int8 / fp32:.2f} times as many, on {torch.get_num_threads()} threads"
    )


if __name__ == "__main__":
    main()
