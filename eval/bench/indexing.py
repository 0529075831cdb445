"""Indexing, from text files to a saved index: chunks a second and peak memory, in turns.

    python eval/bench/indexing.py $SELFROUTE_DATA/dev/*.jsonl.xz --chunks 1500 --rounds 3

Against the bare loop that embeds the same chunks and nothing else (the limit), LlamaIndex's IngestionPipeline
(SentenceSplitter, HuggingFaceEmbedding of the original model, its FAISS and document stores) and txtai, if it is
installed, which is given the chunks ready made. Each run is a process of its own; models are loaded, and have embedded
once, before the time begins. All split by the same rule: at most 240 of the embedder's tokens, no overlap.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

from selfroute import Document, build_indexer, load_settings
from selfroute.embedders.onnx import OnnxEmbedder
from selfroute.evaluation.datasets import Malformed, open_samples
from selfroute.indexer import BATCH_CHUNKS
from selfroute.ingest.chunker import Chunker
from selfroute.training.base import base_model

TOKENS = 240
CHARACTERS = 950
"""Of a chunk, about: how many documents are taken is reckoned by it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--chunks", type=int, default=1500, help="about so many")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", choices=RUNS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        chunks, timed = RUNS[asked.child](asked.files[0])
        print(json.dumps({"chunks": chunks, "seconds": timed.seconds, "cpu": timed.cpu, "peak": peak()}))
        return
    names = [name for name in RUNS if name not in NEEDS or installed(NEEDS[name])]
    with TemporaryDirectory() as folder:
        texts = Path(folder) / "texts"
        count = written(texts, asked.files, asked.chunks * CHARACTERS)
        rates: dict[str, list[float]] = {name: [] for name in names}
        cpu: dict[str, list[float]] = {name: [] for name in names}
        peaks: dict[str, int] = dict.fromkeys(names, 0)
        print(f"{count} documents, {sum(p.stat().st_size for p in texts.iterdir()):,} bytes, {asked.rounds} rounds")
        for _ in range(asked.rounds):
            for name in names:  # in turns, so that a noisy minute hits all
                told = run(name, texts)
                rates[name].append(told["chunks"] / told["seconds"])
                cpu[name].append(1000 * told["cpu"] / told["chunks"])
                peaks[name] = max(peaks[name], int(told["peak"]))
                print(
                    f"  {name}: {told['chunks']:.0f} chunks in {told['seconds']:.1f} s ({told['cpu']:.1f} s of CPU)",
                    flush=True,
                )
    for name in names:
        ratios = [ours / theirs for ours, theirs in zip(rates["selfroute"], rates[name], strict=True)]
        print(
            f"{name}: {statistics.median(rates[name]):.1f} chunks/s, "
            f"{statistics.median(cpu[name]):.1f} ms of CPU a chunk, peak {peaks[name] / 2**20:.0f} MB; "
            f"selfroute is {statistics.median(ratios):.2f}x (rounds {', '.join(f'{ratio:.2f}' for ratio in ratios)})"
        )


def written(folder: Path, files: Sequence[Path], characters: int) -> int:
    """Writes documents of all files in turn, until there are enough characters; says how many."""
    folder.mkdir()
    left, count = characters, 0
    for turn in zip_longest(*map(documents, files)):
        for document in turn:
            if document is not None and left > 0:
                (folder / f"{count:05}.txt").write_text(document, encoding="utf-8")
                left -= len(document)
                count += 1
        if left <= 0:
            break
    return count


def documents(file: Path) -> Iterator[str]:
    seen = set()
    for row in open_samples(file):
        if isinstance(row, Malformed):
            sys.exit(f"{row.place}: {row.reason}")
        if row.doc_id not in seen:
            seen.add(row.doc_id)
            yield row.context


def installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package that it is in
        return False


def run(name: str, texts: Path) -> dict[str, float]:
    command = [sys.executable, __file__, str(texts), "--child", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr[-3000:]}")
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


class Timed:
    """Wall and CPU seconds (of all threads) since it was made, as of `stop`."""

    def __init__(self) -> None:
        self._began, self._used = time.perf_counter(), time.process_time()

    def stop(self) -> Timed:
        self.seconds, self.cpu = time.perf_counter() - self._began, time.process_time() - self._used
        return self


def peak() -> int:
    """Bytes of memory at most, of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def ours(texts: Path) -> tuple[int, Timed]:
    with TemporaryDirectory() as home:
        indexer = build_indexer(load_settings(home=Path(home)))
        (Path(home) / "warm.txt").write_text("Warm up.")
        indexer.index([Path(home) / "warm.txt"], "warm")
        timed = Timed()
        made = indexer.index([texts], "bench")
        return made.chunks, timed.stop()


def bare(texts: Path) -> tuple[int, Timed]:
    embedder = OnnxEmbedder()
    chunks = chunked(texts, embedder)
    embedder = OnnxEmbedder()  # remembers nothing of what was counted
    embedder.embed(["Warm up."])
    timed = Timed()
    for at in range(0, len(chunks), BATCH_CHUNKS):
        embedder.embed(chunks[at : at + BATCH_CHUNKS])
    return len(chunks), timed.stop()


def llama_index(texts: Path) -> tuple[int, Timed]:
    import faiss
    from llama_index.core import SimpleDirectoryReader
    from llama_index.core.ingestion import IngestionPipeline
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.core.storage.docstore import SimpleDocumentStore
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding
    from llama_index.vector_stores.faiss import FaissVectorStore

    count = OnnxEmbedder().count_tokens
    embedder = HuggingFaceEmbedding(model_name=str(base_model()), device="cpu")
    embedder.get_text_embedding("Warm up.")
    pipeline = IngestionPipeline(
        transformations=[
            SentenceSplitter(chunk_size=TOKENS, chunk_overlap=0, tokenizer=lambda text: range(count(text))),
            embedder,
        ],
        vector_store=FaissVectorStore(faiss_index=faiss.IndexFlatIP(384)),
        docstore=SimpleDocumentStore(),
    )
    with TemporaryDirectory() as folder:
        timed = Timed()
        nodes = pipeline.run(documents=SimpleDirectoryReader(str(texts)).load_data())
        pipeline.vector_store.persist(f"{folder}/faiss")
        pipeline.persist(folder)
        return len(nodes), timed.stop()


def txtai(texts: Path) -> tuple[int, Timed]:
    from txtai import Embeddings

    chunks = chunked(texts, OnnxEmbedder())
    embeddings = Embeddings(path=str(base_model()), content=True, backend="faiss", gpu=False)
    embeddings.transform("Warm up.")
    with TemporaryDirectory() as folder:
        timed = Timed()
        embeddings.index(enumerate(chunks))
        embeddings.save(folder)
        return len(chunks), timed.stop()


def chunked(texts: Path, embedder: OnnxEmbedder) -> list[str]:
    chunker = Chunker(embedder.count_tokens, TOKENS)
    paths = sorted(texts.iterdir())
    return [chunk.text for path in paths for chunk in chunker.chunks(Document(path.name, path.read_text(), path.name))]


RUNS: dict[str, Callable[[Path], tuple[int, Timed]]] = {
    "selfroute": ours,
    "bare loop": bare,
    "LlamaIndex": llama_index,
    "txtai": txtai,
}
NEEDS = {"LlamaIndex": "llama_index.embeddings.huggingface", "txtai": "txtai"}


if __name__ == "__main__":
    main()
