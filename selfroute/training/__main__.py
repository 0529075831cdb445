"""Makes the bundled weights again from the data: `python -m selfroute.training --data DIR --out DIR`.

Three stages: fine-tune the reader, export reader and embedder to int8 ONNX, choose the reader's thresholds
on articles that were kept out of training. About 55 minutes on two cores with bfloat16, 70 without.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from tokenizers import Tokenizer

from selfroute.training import export, reader, thresholds
from selfroute.training.base import base_model
from selfroute.training.examples import choose
from selfroute.training.windows import Article, load_articles, split

EMBEDDER = {"name": "selfroute/all-MiniLM-L6-v2-int8", "dimension": 384, "max_tokens": 254}
READER = {"name": "selfroute/minilm-l6-reader-int8", "threshold_chunks": 0.0, "threshold_documents": 0.0}
QUESTIONS_A_SOURCE = 200
"""Kept-out questions of each source that the thresholds are chosen on."""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m selfroute.training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with squad_articles.jsonl.xz and its like")
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights, as selfroute/weights")
    parser.add_argument("--work", type=Path, required=True, help="folder for the fine-tuned torch model")
    parser.add_argument("--fitted", action="store_true", help="--work already holds the fine-tuned model: do not fit")
    asked = parser.parse_args()
    training, kept = split(load_articles(asked.data))
    if not asked.fitted:
        fit(training, asked.work)
    write(asked.work, asked.out)
    chunks, documents = thresholds.run(kept, asked.out, QUESTIONS_A_SOURCE, reader.Recipe().seed, _say)
    about = READER | {"threshold_chunks": round(chunks, 2), "threshold_documents": round(documents, 2)}
    export.describe("reader", about, asked.out)


def fit(training: list[Article], work: Path) -> None:
    """Fine-tunes the reader into `work`."""
    recipe = reader.Recipe()
    tokenizer = Tokenizer.from_file(str(base_model() / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    chosen = choose(training, recipe.examples, recipe.seed)
    encoded = [e for w in chosen if (e := reader.encode(tokenizer, w)) is not None]
    answerable = sum(e.start > 0 for e in encoded)
    _say(f"{len(encoded)} windows of {len(training)} articles, {answerable} answerable")
    work.mkdir(parents=True, exist_ok=True)
    reader.fit(base_model(), encoded, recipe, work, _say)


def write(work: Path, out: Path) -> None:
    """Exports both models and their tokenizer to `out`."""
    export.export(export.Embedding(base_model()), ["vector"], "embedder", out, ("MatMul",), export.SPARED)
    export.describe("embedder", EMBEDDER, out)
    export.export(export.Spans(work), ["start", "end"], "reader", out)
    export.describe("reader", READER, out)
    shutil.copyfile(base_model() / "tokenizer.json", out / "tokenizer.json")


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
