"""What a question takes beside its reading, over how long its document is: it is answered from five chunks, and told
what the whole would have taken.

    python eval/bench/long_documents.py $SELFROUTE_DATA/dev/squad_long.jsonl.xz $SELFROUTE_DATA/dev/covidqa.jsonl.xz

The document is the contexts of the files, one after another; each question is asked once. The embedder hashes, so
that no model is measured but the reader's.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from selfroute.embedders.hashing import HashingEmbedder
from selfroute.engine import Engine
from selfroute.evaluation.datasets import Malformed, open_samples
from selfroute.indexer import Indexer
from selfroute.ledger import Ledger
from selfroute.ledger.account import LedgerAccount
from selfroute.policies import POLICIES
from selfroute.prices import Prices
from selfroute.readers import Reader
from selfroute.readers.extractive import ExtractiveReader
from selfroute.readers.scripted import KnowingReader

WORDS = (20_000, 60_000, 200_000)
QUESTIONS, TOKENS = 20, 240


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    files = parser.parse_args().files
    questions, contexts = list[str](), dict[str, None]()
    for file in files:
        for sample in open_samples(file):
            if not isinstance(sample, Malformed) and sample.question.text is not None:
                questions.append(sample.question.text)
                contexts[sample.context] = None
    whole = "\n\n".join(contexts)
    with TemporaryDirectory() as home:
        for words, text in lengths(whole):
            for name, reader in (("bundled", ExtractiveReader()), ("scripted", KnowingReader({}))):
                first, rest = measured(Path(home), f"{name}-{words}", text, reader, questions[-QUESTIONS - 1 :])
                print(f"{words:9,} words, {name:8}: first {first * 1e3:6.0f} ms, then p50 {rest * 1e3:6.1f} ms")


def lengths(whole: str) -> Iterator[tuple[int, str]]:
    words = whole.split(" ")
    for number in WORDS:
        if number > len(words):
            raise SystemExit(f"the files hold {len(words):,} words: name more of them")
        yield number, " ".join(words[:number])


def measured(home: Path, corpus: str, text: str, reader: Reader, questions: Sequence[str]) -> tuple[float, float]:
    """Seconds of the first question and the median of the others."""
    embedder = HashingEmbedder()
    file = home / f"{corpus}.txt"
    file.write_text(text, encoding="utf-8")
    Indexer(home, embedder, TOKENS).index([file], corpus)
    engine = Engine(
        home=home,
        embedder=embedder,
        chunk_tokens=TOKENS,
        chunk_reader=reader,
        document_reader=reader,
        account=LedgerAccount(Ledger(home / "ledger.sqlite")),
        prices=Prices({}),
        policies={"always_rag": POLICIES["always_rag"]()},
    )

    async def asked() -> list[float]:
        seconds = []
        for question in questions:
            began = time.perf_counter()
            await engine.ask(question, "always_rag", corpus=corpus)
            seconds.append(time.perf_counter() - began)
        return seconds

    first, *rest = asyncio.run(asked())
    return first, median(rest)


if __name__ == "__main__":
    main()
