"""The bundled int8 embedder beside the original in sentence-transformers: cosine, recall and speed in one run.

    python eval/bench/embedder.py $SELFROUTE_DATA/dev/squad_long.jsonl.xz

Recall@5: the share of answerable questions for which one of the five best chunks of their document holds an
accepted answer, word for word.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from selfroute import Document
from selfroute.embedders import Embedder
from selfroute.embedders.onnx import OnnxEmbedder
from selfroute.embedders.sentence import SentenceEmbedder
from selfroute.evaluation.datasets import Malformed, Sample, open_samples
from selfroute.ingest.chunker import Chunker
from selfroute.training.base import base_model
from selfroute.types import Vectors

CHUNKS, TOKENS, K = 500, 240, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    asked = parser.parse_args()
    samples: list[Sample] = []
    for row in open_samples(asked.file):
        if isinstance(row, Malformed):
            sys.exit(f"{row.place}: {row.reason}")
        samples.append(row)
    ours, theirs = OnnxEmbedder(), SentenceEmbedder(str(base_model()))
    chunker = Chunker(ours.count_tokens, TOKENS)
    texts = {
        id_: [chunk.text for chunk in chunker.chunks(Document(id_, text, id_))]
        for id_, text in {one.doc_id: one.context for one in samples}.items()
    }
    sample = random.Random(0).sample([text for chunks in texts.values() for text in chunks], CHUNKS)
    # In turns, so that a noisy minute hits both.
    parts = [sample[at : at + 100] for at in range(0, CHUNKS, 100)]
    seconds = {"ours": 0.0, "theirs": 0.0}
    pairs = []
    for part in parts:
        began = time.perf_counter()
        first = ours.embed(part).vectors
        middle = time.perf_counter()
        second = theirs.embed(part).vectors
        seconds["ours"] += middle - began
        seconds["theirs"] += time.perf_counter() - middle
        pairs.append((first * second).sum(1))
    cosine = np.concatenate(pairs)
    print(f"cosine over {len(cosine)} chunks: mean {cosine.mean():.4f}, 1st percentile {np.percentile(cosine, 1):.4f}")
    print(f"chunks/s: bundled {CHUNKS / seconds['ours']:.1f}, sentence-transformers {CHUNKS / seconds['theirs']:.1f}")
    for name, embedder in (("bundled", ours), ("sentence-transformers", theirs)):
        found, asked_for = recall(embedder, samples, texts)
        print(f"recall@{K} on {asked_for} answerable questions: {name} {100 * found / asked_for:.1f}")


def recall(embedder: Embedder, samples: Sequence[Sample], texts: dict[str, list[str]]) -> tuple[int, int]:
    """(questions with an answer among the best K, answerable questions)."""
    vectors: dict[str, Vectors] = {id_: embedder.embed(chunks).vectors for id_, chunks in texts.items()}
    answerable = [one for one in samples if one.answerable and one.question.text is not None]
    questions = embedder.embed([one.question.text or "" for one in answerable]).vectors
    found = 0
    for one, question in zip(answerable, questions, strict=True):
        best = np.argsort(-(vectors[one.doc_id] @ question), kind="stable")[:K]
        found += any(answer in texts[one.doc_id][i] for i in best for answer in one.answers)
    return found, len(answerable)


if __name__ == "__main__":
    main()
