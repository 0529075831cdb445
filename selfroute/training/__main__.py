"""Makes the bundled weights again from the data: `python -m selfroute.training --data DIR --work DIR --out DIR`.

Fine-tunes the reader in three stages, exports it and the embedder to int8 ONNX, calibrates each stage on
articles that were kept out of training, and ends with the comparison and the card. An interrupted run goes on
where it was: call it again. Hours on two cores.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from tokenizers import Tokenizer

from selfroute.readers.evidence import Calibration
from selfroute.training import calibration, card, examples, export, groups, reader, retrieved
from selfroute.training.base import base_model
from selfroute.training.readings import Read, kept_out, read_all
from selfroute.training.windows import Article, Window, load_articles, split
from selfroute.types import Route

EMBEDDER = {"name": "selfroute/all-MiniLM-L6-v2-int8", "dimension": 384, "max_tokens": 254}
UNCALIBRATED: dict[str, object] = {
    "name": "selfroute/minilm-l6-reader-int8",
    "threshold_chunks": 0.0,
    "threshold_documents": 0.0,
    "confidence_chunks": Calibration(0.0, 1.0, 0.0).about(),
    "confidence_documents": Calibration(0.0, 1.0, 0.0).about(),
}
EMBEDDING = ("embedder.onnx", "embedder.json", "tokenizer.json")
EXAMPLES = 80_000
"""Windows of the first stage."""

FIRST = reader.Recipe("first", seed=1)
SECOND = reader.Recipe(
    "second",
    learning_rate=1e-4,
    warmup=0.036,
    decay=0.3,
    layer_decay=0.9,
    frozen_layers=2,
    joint=0.5,
    steps=560,
    seed=2,
)
THIRD = reader.Recipe(
    "third",
    learning_rate=1e-4,
    warmup=0.03,
    decay=0.6,
    layer_decay=0.9,
    frozen_layers=2,
    joint=0.5,
    steps=1000,
    seed=3,
)
QUESTIONS_A_SOURCE = 100
"""Kept-out questions of each source that the reader is calibrated on."""

STRANGERS = 0.4
"""The share of kept-out SQuAD 1.1 questions that are asked of another article."""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m selfroute.training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with squad_articles.jsonl.xz and its like")
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights, as selfroute/weights")
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints and the first stage")
    asked = parser.parse_args()
    training, kept = split(load_articles(asked.data))
    tokenizer = Tokenizer.from_file(str(base_model() / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    embedding = asked.work / "embedding"
    embed(embedding)
    chosen: dict[reader.Recipe, Callable[[], Sequence[Sequence[Window]]]] = {
        FIRST: lambda: [(window,) for window in examples.choose(training, EXAMPLES, FIRST.seed)],
        SECOND: lambda: groups.choose(training, groups.Mix(), SECOND.seed),
        THIRD: lambda: retrieved.choose(training, retrieved.Mix(), THIRD.seed, embedding, _say),
    }
    tables, base = {}, base_model()
    for recipe, choose in chosen.items():
        fitted = asked.work / recipe.name
        stage(base, choose, recipe, fitted, tokenizer)
        base = fitted
        out = asked.out if recipe is THIRD else asked.work / f"{recipe.name}-weights"
        out.mkdir(exist_ok=True)
        for name in EMBEDDING:
            shutil.copyfile(embedding / name, out / name)
        write(fitted, out)
        tables[recipe.name] = calibrate(kept, out)
    card.write(asked.out, tables)
    for name, lines in tables.items():
        _say("\n".join([f"{name} stage, on articles kept out of training", calibration.HEADER, *lines]))


def stage(
    base: Path,
    choose: Callable[[], Sequence[Sequence[Window]]],
    recipe: reader.Recipe,
    out: Path,
    tokenizer: Tokenizer,
) -> None:
    """Fine-tunes `base` into `out`, unless that has been done."""
    if (out / "model.safetensors").exists() and not (out / "state.pt").exists():
        _say(f"{recipe.name}: is fitted already, in {out}")
        return
    encoded = []
    for windows in choose():
        fitting = [e for w in windows if (e := reader.encode(tokenizer, w)) is not None]
        if fitting:
            encoded.append(fitting)
    answerable = sum(any(e.start for e in group) for group in encoded)
    _say(f"{recipe.name}: {len(encoded)} questions, {answerable} answerable, {sum(map(len, encoded))} windows")
    reader.fit(base, encoded, recipe, out, _say)


def embed(out: Path) -> None:
    """Exports the embedder and the tokenizer of both models to `out`."""
    out.mkdir(parents=True, exist_ok=True)
    export.export(export.Embedding(base_model()), ["vector"], "embedder", out, ("MatMul",), export.SPARED)
    export.describe("embedder", EMBEDDER, out)
    shutil.copyfile(base_model() / "tokenizer.json", out / "tokenizer.json")


def write(fitted: Path, out: Path) -> None:
    """Exports the reader in `fitted` to `out`; it is not calibrated yet."""
    export.export(export.Spans(fitted), ["start", "end"], "reader", out, ("MatMul",), export.SPARED)
    export.describe("reader", UNCALIBRATED, out)


def calibrate(kept: Sequence[Article], folder: Path) -> list[str]:
    """Fits both calibrations of the reader in `folder` on kept-out articles; the rows of their report."""
    cases = kept_out(kept, QUESTIONS_A_SOURCE, STRANGERS, FIRST.seed)
    return describe(read_all(cases, folder, _say), folder)


def describe(read: Sequence[Read], folder: Path) -> list[str]:
    """Writes the calibrations that fit `read` into `folder/reader.json`; the rows of their report."""
    about = dict(UNCALIBRATED)
    lines = []
    for route, name in ((Route.RAG, "chunks"), (Route.LONG_CONTEXT, "documents")):
        of_route = [r for r in read if r.route is route]
        threshold = calibration.choose(of_route)
        about |= {f"threshold_{name}": round(threshold, 2), f"confidence_{name}": calibration.fit(of_route).about()}
        lines += calibration.report(of_route, threshold)
    export.describe("reader", about, folder)
    return lines


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
