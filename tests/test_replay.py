"""Recorded answers of real models are read, judged and routed to the published figures."""

from __future__ import annotations

import gzip
import json
import lzma
from decimal import Decimal
from pathlib import Path

import pytest
from data import data, needs_data

from selfroute.embedders.hashing import HashingEmbedder
from selfroute.errors import UnreadableFile
from selfroute.evaluation.evaluator import Evaluator
from selfroute.evaluation.metrics.replay import content_tokens, is_right, recall, refuses
from selfroute.evaluation.replay import WORDED, cited, read_answers
from selfroute.evaluation.rows import Row, read_rows
from selfroute.evaluation.suite import Suite
from selfroute.policies import POLICIES
from selfroute.prices import Price, Prices
from selfroute.readers.recorded import Said
from selfroute.readers.scripted import ScriptedReader
from selfroute.types import Passage, Question, Reading, Route

RECORDED = ("dev", "replay", "lara_predictions.jsonl.xz")
PUBLISHED = {
    "claude-3-5-haiku-20241022": (70.2, 67.3, 62.9, 27.9),
    "gpt-4o": (70.6, 70.2, 68.4, 24.6),
    "llama-3.1-8b": (56.6, 61.0, 57.0, 30.9),
    "llama-3.2-3b": (55.5, 58.8, 55.1, 27.2),
    "mistral-nemo": (37.5, 41.9, 30.5, 18.0),
    "qwen2.5-7b-instruct": (64.3, 56.2, 55.1, 24.6),
}
"""Model -> right from the document, from chunks and by Self-Route, and escalated: per cent of 272 questions each, as
the scoring script of the recorded answers prints them."""

HARBOUR = "The harbour master is Olof Berg. " + "Wind and tide were noted by the watch. " * 40 + "The ferry is Solveig."
LINE = {
    "model": "gpt",
    "dataset": "made",
    "doc_id": "h",
    "input": "Who is the harbour master?",
    "answer": "Olof Berg",
    "rag": "The chunks do not mention who the master is.",
    "long": "It is Olof Berg.",
    "answerable": True,
}
ABSENT = LINE | {
    "input": "Who owns the quay?",
    "answer": "The text does not say.",
    "rag": "The text does not mention it.",
    "long": "Olof Berg owns it.",
    "answerable": False,
}


def written(path: Path, *lines: object) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@needs_data
def test_the_published_table_is_met_to_its_last_digit() -> None:
    by_model: dict[str, list[tuple[bool, bool, bool]]] = {}
    with lzma.open(data(*RECORDED), "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            long, rag = [is_right(row[arm], row["answer"], row["answerable"]) for arm in ("long", "rag")]
            by_model.setdefault(row["model"], []).append((long, rag, refuses(row["rag"])))
    figures = {
        model: tuple(
            round(100 * sum(column) / 272, 1)
            for column in (
                [long for long, _, _ in rows],
                [rag for _, rag, _ in rows],
                [long if refused else rag for long, rag, refused in rows],
                [refused for _, _, refused in rows],
            )
        )
        for model, rows in by_model.items()
    }
    assert figures == PUBLISHED


@needs_data
def test_the_recorded_models_become_a_reader_each_with_all_their_answers() -> None:
    readers = read_answers(data(*RECORDED), len)
    assert {reader.model: len(reader.said) for reader in readers} == dict.fromkeys(PUBLISHED, 272)


def test_a_share_of_the_references_words_makes_an_answer_right() -> None:
    wanted = "Olof Berg, Ann Ek and 1,200 men"  # five words and a number, without the function word
    assert recall("Berg and Olof; 1200.", wanted) == pytest.approx(3 / 6)
    assert not is_right("Berg and Olof; 1200.", wanted, answerable=True)
    assert is_right("Berg and Olof; 1200 men.", wanted, answerable=True)
    assert recall("anything", "the of and") == 0.0


def test_words_count_as_often_as_they_stand_in_the_reference() -> None:
    assert content_tokens("The ferry, the Ferry and 1,000.5") == {"ferry": 2, "1000.5": 1}
    assert recall("ferry", "ferry ferry") == 0.5
    assert recall("ferry ferry ferry", "ferry ferry") == 1.0


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ("The document does not explicitly mention it.", True),
        ("There is NO INFORMATION about it.", True),
        ("I cannot find it.", True),
        ("Unanswerable", True),
        ("It is not disclosed.", True),
        ("Olof Berg does not approve.", False),
        ("", False),
        ("x" * 400 + " The text does not mention it.", False),
    ],
)
def test_a_refusal_is_told_by_its_words_at_the_beginning(said: str, refused: bool) -> None:
    assert refuses(said) is refused
    assert is_right(said, "Olof Berg", answerable=False) is refused


def test_a_reader_a_model_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "said.jsonl", LINE, LINE | {"model": "llama", "rag": "Ann"}, ABSENT)
    readers = read_answers(path, lambda text: len(text.split()))
    assert [reader.model for reader in readers] == ["gpt", "llama"]
    assert readers[1].said == {("h", LINE["input"]): Said("Ann", "It is Olof Berg.")}
    assert list(readers[0].said) == [("h", LINE["input"]), ("h", ABSENT["input"])]


def test_recorded_answers_may_be_compressed(tmp_path: Path) -> None:
    plain = written(tmp_path / "said.jsonl", LINE)
    packed = tmp_path / "said.jsonl.xz"
    packed.write_bytes(lzma.compress(plain.read_bytes()))
    assert read_answers(packed, len)[0].said == read_answers(plain, len)[0].said


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.jsonl", b"{\n", "line 1 is not a recorded answer"),
        ("a.jsonl", json.dumps(LINE).encode() + b"\n[]\n", "line 2 is not a recorded answer"),
        ("a.jsonl", json.dumps({**LINE, "rag": None}).encode(), "line 1 is not a recorded answer .*must be text"),
        ("a.jsonl", b'{"model": "gpt"}\n', "line 1 is not a recorded answer .*doc_id"),
        ("a.jsonl", b"", "holds no recorded answers"),
        ("a.jsonl", b"\xff\xfe", "cannot be decoded .*fetch it again"),
        ("a.jsonl", gzip.compress(b"{}", mtime=0), "cannot be decoded"),
        ("a.jsonl.xz", b"{}", "cannot be decoded"),
        ("a.jsonl.xz", lzma.compress(json.dumps(LINE).encode() * 50)[:-20], "cannot be decoded|is not a recorded"),
        ("none.jsonl", None, "no such file"),
    ],
)
def test_a_file_that_holds_no_recorded_answers_is_told(
    tmp_path: Path, name: str, content: bytes | None, told: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=told) as error:
        read_answers(path, len)
    assert str(path) in str(error.value)


@pytest.mark.end_to_end
def test_a_replay_routes_and_judges_recorded_answers_and_says_that_it_is_one(tmp_path: Path) -> None:
    rows = replayed(tmp_path)
    assert {(row.dataset, row.id) for row in rows.values()} == {("gpt", "made/1"), ("gpt", "made/2")}
    # Refused from chunks, right from the document; where there is no answer it is the other way round.
    assert {key: (row.score, row.route) for key, row in rows.items()} == {
        ("made/1", "always_rag"): (0.0, "rag"),
        ("made/1", "self_route"): (100.0, "long_context"),
        ("made/1", "always_long"): (100.0, "long_context"),
        ("made/2", "always_rag"): (100.0, "rag"),
        ("made/2", "self_route"): (0.0, "long_context"),
        ("made/2", "always_long"): (0.0, "long_context"),
    }
    assert rows["made/2", "always_rag"].prediction == "The text does not mention it."
    assert all(row.simulated and row.metric == "replay" for row in rows.values())


def test_the_cost_of_a_replay_is_that_of_the_tokens_that_would_have_been_read(tmp_path: Path) -> None:
    rows = replayed(tmp_path)
    usage = [rows["made/1", policy].usage["input_tokens"] for policy in ("always_rag", "always_long", "self_route")]
    assert 0 < usage[0] < usage[1]
    assert usage[2] == usage[0] + usage[1]
    assert rows["made/1", "always_long"].cost == Decimal(usage[1]) / 1_000_000
    assert rows["made/1", "always_long"].usage["output_tokens"] == HashingEmbedder().count_tokens("It is Olof Berg.")


def test_a_question_that_no_model_was_asked_is_an_error_of_its_rows(tmp_path: Path) -> None:
    rows = replayed(tmp_path, said=(LINE,))
    assert {row.error for (id_, _), row in rows.items() if id_ == "made/1"} == {None}
    assert all("no answer of gpt is recorded" in str(row.error) for (id_, _), row in rows.items() if id_ == "made/2")


def replayed(folder: Path, said: tuple[dict[str, object], ...] = (LINE, ABSENT)) -> dict[tuple[str, str], Row]:
    """(id, policy) -> row of a replay of two questions."""
    questions = [
        {"_id": "1", "input": LINE["input"], "context": HARBOUR, "doc_id": "h", "answers": ["Olof Berg"]},
        {"_id": "2", "input": ABSENT["input"], "context": HARBOUR, "doc_id": "h", "answers": ["unanswerable"]},
    ]
    source = written(folder / "made.jsonl", *questions)
    suite = Suite("made", (str(source),), replay=written(folder / "said.jsonl", *said))
    Evaluator(
        reader=ScriptedReader([]),  # is never asked
        embedder=HashingEmbedder(),
        chunk_tokens=40,
        chunk_words=None,
        prices=Prices({"gpt": Price(Decimal(1), Decimal(0)), "hashing-64": Price(Decimal(0), Decimal(0))}),
        policies={name: make() for name, make in POLICIES.items()},
        k=2,
        cache=folder / "cache.sqlite",
        identity={},
    ).run(suite, folder / "run")
    return {(row.id, row.policy): row for row in read_rows(folder / "run")}


def test_a_recorded_answer_is_cited_where_what_is_shown_words_most_of_it() -> None:
    text = "Night work is approved in writing. The harbour master of the town is Olof Berg since spring."
    reading = Reading(Question("Who is master?"), (Passage("port", 40, text),), Route.RAG)
    [citation] = cited("Olof Berg, since spring", reading)
    assert text[citation.start - 40 : citation.end - 40] == citation.text
    assert citation.score is not None
    assert citation.score >= WORDED
    assert cited("Somebody from another town entirely", reading) == ()
