"""What an index of 10,000 and of 200,000 chunks takes: to update one document, and to search, beside bare FAISS.

    python eval/bench/index.py $SELFROUTE_DATA/dev/squad_long.jsonl.xz

The vectors are those of real chunks, made by the bundled embedder, and copies of them with noise added (a cosine of
about 0.95 to the original), until there are so many. What is compared is measured in turns, so that a noisy minute
hits both.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import faiss
import numpy as np

from selfroute import Document
from selfroute.embedders.onnx import OnnxEmbedder
from selfroute.evaluation.datasets import Malformed, open_samples
from selfroute.index import Index, Item, open_index, writing
from selfroute.indexer import Indexer
from selfroute.ingest.chunker import Chunker, rule
from selfroute.types import Vectors

SIZES = (10_000, 200_000)
REAL, TOKENS, UPDATES, SEARCHES, K = 2_000, 240, 30, 300, 5
NOISE = 0.33
"""Length of what is added to a unit vector: its cosine to the sum is about 1 / sqrt(1 + NOISE ** 2)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    asked = parser.parse_args()
    embedder = OnnxEmbedder()
    texts, questions = read(asked.file)
    chunker = Chunker(embedder.count_tokens, TOKENS)
    real = list(embedded(texts, chunker, embedder))
    asking = embedder.embed(questions[:SEARCHES]).vectors
    with TemporaryDirectory() as folder:
        home = Path(folder)
        for size in SIZES:
            began = time.perf_counter()
            filled(home, str(size), real, size, embedder)
            print(f"{size:>7,} chunks written and published in {time.perf_counter() - began:.1f} s")
        updates(home, real, embedder)
        whole_runs(home, texts, embedder)
        searches(home, asking, embedder)


def read(path: Path) -> tuple[list[str], list[str]]:
    """(texts of documents, questions) of a dataset."""
    texts: dict[str, str] = {}
    questions = []
    for row in open_samples(path):
        if isinstance(row, Malformed):
            sys.exit(f"{row.place}: {row.reason}")
        texts[row.doc_id] = row.context
        questions += [row.question.text] if row.question.text else []
    return list(texts.values()), questions


def embedded(texts: Sequence[str], chunker: Chunker, embedder: OnnxEmbedder) -> Iterator[Item]:
    """Real documents with their chunks and vectors, until there are so many chunks."""
    size = 0
    for number, text in enumerate(texts):
        document = Document(f"document {number}", text, "real")
        chunks = chunker.chunks(document)
        yield document, chunks, embedder.embed([chunk.text for chunk in chunks]).vectors
        size += len(chunks)
        if size >= REAL:
            return


def copies(real: Sequence[Item], seed: int) -> Iterator[Item]:
    """The same documents again and again under other ids, each time with noise on the vectors."""
    random = np.random.default_rng(seed)
    for turn in count():
        for document, chunks, vectors in real:
            id_ = f"{document.id} copy {turn}"
            noise = random.normal(size=vectors.shape)
            noise *= NOISE / np.linalg.norm(noise, axis=1, keepdims=True)
            moved = (vectors + noise).astype(np.float32)
            moved /= np.linalg.norm(moved, axis=1, keepdims=True)
            yield replace(document, id=id_), [replace(chunk, document=id_) for chunk in chunks], moved


def filled(home: Path, name: str, real: Sequence[Item], size: int, embedder: OnnxEmbedder) -> None:
    """A corpus of `size` chunks or a few more, published at one go."""
    with writing(home, name, embedder.name, embedder.dimension) as writer:
        batch: list[Item] = []
        held = 0
        for item in copies(real, seed=0):
            batch.append(item)
            held += len(item[1])
            if held >= size or sum(len(chunks) for _, chunks, _ in batch) > 5_000:
                writer.put(batch, rule(TOKENS))
                batch = []
            if held >= size:
                break
        writer.publish()


def updates(home: Path, real: Sequence[Item], embedder: OnnxEmbedder) -> None:
    """One document replaced by another, its vectors given: opening for writing, committing, publishing, closing."""
    taken: dict[str, list[float]] = {str(size): [] for size in SIZES}
    fresh = copies(real, seed=1)
    for _ in range(UPDATES):
        item = next(fresh)
        for name, seconds in taken.items():

            def update(name: str = name, item: Item = item) -> None:
                with writing(home, name, embedder.name, embedder.dimension) as writer:
                    writer.put([item], rule(TOKENS))
                    writer.publish()

            seconds.append(timed(update))
    compared(f"update of one document, embedding aside ({UPDATES} each)", taken)


def whole_runs(home: Path, texts: Sequence[str], embedder: OnnxEmbedder) -> None:
    """`selfroute index FILE` on one changed file of about 1,000 words, as the command does it."""
    taken: dict[str, list[float]] = {str(size): [] for size in SIZES}
    indexer = Indexer(home, embedder, TOKENS)
    file = home / "changed.txt"
    for number in range(UPDATES):
        file.write_text(" ".join(texts[number % len(texts)].split()[: 1_000 + number]), encoding="utf-8")
        for name, seconds in taken.items():
            seconds.append(timed(lambda name=name: indexer.index([file], name)))  # type: ignore[misc]
    compared(f"`index` of one changed file of 1,000 words ({UPDATES} each)", taken)


def searches(home: Path, asking: Vectors, embedder: OnnxEmbedder) -> None:
    for size in SIZES:
        began = time.perf_counter()
        with closing(open_index(home, str(size), embedder.name)) as index:
            opened = time.perf_counter() - began
            bare, held = alone(home, str(size), index)
            ours, theirs = in_turns(lambda v: index.search(v, K), lambda v: bare.search(v[None, :], K), asking)  # noqa: B023
            share = [percentile(ours, p) / percentile(theirs, p) for p in (50, 99)]
            print(
                f"search over {held:,} chunks, k {K}, {len(asking)} real questions: p50 {percentile(ours, 50):.2f} ms, "
                f"p99 {percentile(ours, 99):.2f}; bare FAISS {percentile(theirs, 50):.2f}, "
                f"{percentile(theirs, 99):.2f}; ratio {share[0]:.2f}, {share[1]:.2f}; opened in {opened:.2f} s"
            )


def in_turns(
    one: Callable[[Vectors], object], other: Callable[[Vectors], object], asking: Vectors
) -> tuple[list[float], list[float]]:
    taken: tuple[list[float], list[float]] = ([], [])
    for vector in asking:
        taken[1].append(timed(lambda: other(vector)))  # noqa: B023
        taken[0].append(timed(lambda: one(vector)))  # noqa: B023
    return taken


def alone(home: Path, name: str, index: Index) -> tuple[faiss.IndexFlatIP, int]:
    """The vectors of the same chunks in FAISS and nothing else, and how many they are."""
    from selfroute.index.store import Store

    with closing(Store.open(home / name)) as store:
        _, vectors = store.vectors(index.generation, 384)
    bare = faiss.IndexFlatIP(vectors.shape[1])
    bare.add(vectors)
    return bare, len(vectors)


def compared(what: str, taken: dict[str, list[float]]) -> None:
    small, large = (percentile(seconds, 50) for seconds in taken.values())
    worst = ", ".join(f"{int(name):,}: {max(seconds) * 1000:.0f}" for name, seconds in taken.items())
    print(f"{what}: p50 {small:.1f} ms and {large:.1f} ms, ratio {large / small:.2f}; slowest {worst}")


def percentile(seconds: Sequence[float], share: float) -> float:
    """Milliseconds."""
    return 1000 * float(np.percentile(seconds, share))


def timed(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
