"""Cells are computed by hand here: what is averaged, what is counted apart, and what is null."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from selfroute.errors import HomeNotWritable
from selfroute.evaluation.metrics.declines import Declines
from selfroute.evaluation.rows import Row
from selfroute.evaluation.summary import Cell, cell, macro, summarised, write_summary

ROW = Row(
    id="1",
    dataset="made",
    doc_id="a",
    policy="self_route",
    k=5,
    prediction="Ann",
    score=50.0,
    metric="qa_f1",
    answerable=True,
    outcome="answered",
    route="rag",
    path=("retrieve", "read_chunks"),
    confidence=None,
    usage={"input_tokens": 100},
    long_context_tokens=1000,
    cost=Decimal("0.25"),
    seconds=0.5,
    error=None,
    na=None,
    length=700,
    simulated=False,
    asked="",
)
FAILED = replace(ROW, score=0.0, error="TimeoutError: slow", outcome=None, route=None, long_context_tokens=0)
NA = replace(FAILED, score=None, error=None, na="no such shape", usage={"input_tokens": 0}, cost=Decimal(0), seconds=0)


def rows(*given: Row, **values: Any) -> list[Row]:
    """The rows as those of questions about a document each."""
    return [replace(row, id=str(n), doc_id=str(n), **values) for n, row in enumerate(given)]


def scored(*scores: float) -> list[Row]:
    return rows(*(replace(ROW, score=score) for score in scores))


def test_the_score_is_the_mean_over_the_questions() -> None:
    made = cell(scored(100.0, 50.0, 0.0, 30.0))
    assert (made.score, made.n, made.failed, made.na) == (45.0, 4, 0, 0)
    assert made.low is not None
    assert made.high is not None
    assert 0.0 <= made.low < 45.0 < made.high <= 100.0


def test_a_failed_question_stays_in_the_denominator_with_zero() -> None:
    made = cell(rows(replace(ROW, score=90.0), replace(ROW, score=60.0), FAILED))
    assert (made.score, made.n, made.failed) == (50.0, 3, 1)


def test_a_question_that_is_not_applicable_is_out_of_the_mean() -> None:
    made = cell(rows(replace(ROW, score=90.0), NA, NA))
    assert (made.score, made.n, made.failed, made.na) == (90.0, 1, 0, 2)


def test_where_nothing_has_a_score_there_is_none() -> None:
    made = cell(rows(NA, NA))
    assert (made.score, made.low, made.high, made.n, made.na) == (None, None, None, 0, 2)
    assert (made.escalated, made.answerable_score, made.unanswerable_score, made.token_share) == (None,) * 4
    assert made.declines == Declines()


def test_one_document_has_a_score_and_no_interval() -> None:
    made = cell([replace(ROW, id=str(n), score=score) for n, score in enumerate((20.0, 40.0))])
    assert (made.score, made.low, made.high) == (30.0, None, None)


def test_the_escalated_share_is_that_of_the_questions_for_which_a_document_was_read() -> None:
    long = replace(ROW, route="long_context", path=("retrieve", "read_chunks", "read_documents"))
    kept = replace(long, route="rag")  # the chunks' answer was the better supported one
    assert cell(rows(ROW, long, ROW, kept, long, FAILED, NA)).escalated == 3 / 5


def test_answerable_and_unanswerable_questions_are_averaged_apart() -> None:
    absent = replace(ROW, answerable=False)
    given = [replace(ROW, score=80.0), replace(ROW, score=20.0), FAILED, replace(absent, score=100.0), absent]
    made = cell(rows(*given, replace(FAILED, answerable=False)))
    assert made.answerable_score == pytest.approx(100 / 3)
    assert made.unanswerable_score == 50.0
    assert cell(rows(ROW)).unanswerable_score is None


def test_declines_are_judged_by_what_the_document_holds() -> None:
    declined = replace(ROW, outcome="not_in_document", score=0.0)
    stopped = replace(ROW, outcome="insufficient", score=0.0)
    absent = replace(ROW, answerable=False)
    given = [
        *(replace(ROW, score=50.0), replace(ROW, score=49.9), replace(ROW, score=100.0)),  # two of three right
        *(declined, stopped),  # wrong declines
        replace(absent, outcome="not_in_document", score=100.0),  # right declines
        replace(absent, outcome="insufficient", score=100.0),
        replace(absent, score=0.0),  # a missed one
        *(FAILED, replace(FAILED, answerable=False), NA),  # neither answered nor declined
    ]
    assert cell(rows(*given)).declines == Declines(
        answered=4, right_answers=2, right_declines=2, wrong_declines=2, missed_declines=1
    )


def test_the_token_share_is_of_what_reading_every_document_would_have_taken() -> None:
    long = replace(ROW, usage={"input_tokens": 1100}, long_context_tokens=1000)
    short = replace(ROW, usage={"input_tokens": 100}, long_context_tokens=3000)
    made = cell(rows(long, short))
    assert (made.input_tokens, made.token_share) == (1200, 1200 / 4000)


def test_what_a_failed_question_took_is_in_the_sums_and_not_in_the_share() -> None:
    made = cell(rows(ROW, FAILED))
    assert (made.input_tokens, made.cost, made.seconds) == (200, Decimal("0.50"), 1.0)
    assert made.token_share == 100 / 1000


def test_a_cost_is_unknown_as_soon_as_one_part_of_it_is() -> None:
    assert cell(rows(ROW, ROW, ROW)).cost == Decimal("0.75")
    assert cell(rows(ROW, replace(ROW, cost=None), ROW)).cost is None


def test_one_simulated_row_makes_a_simulated_cell() -> None:
    assert not cell(rows(ROW, ROW)).simulated
    assert cell(rows(ROW, replace(ROW, simulated=True))).simulated


def test_longbench_e_is_averaged_by_length_too() -> None:
    lengths = {0: 10.0, 3999: 30.0, 4000: 50.0, 7999: 70.0, 8000: 90.0}
    given = [replace(ROW, length=length, score=score) for length, score in lengths.items()]
    made = cell(rows(*given, replace(FAILED, length=20_000), replace(NA, length=0), dataset="qasper_e"))
    assert made.by_length == {"0-4k": 20.0, "4-8k": 60.0, "8k+": 45.0}
    assert cell(rows(ROW)).by_length is None
    assert cell(rows(NA, dataset="trec_e")).by_length is None


def test_there_is_a_cell_for_each_dataset_and_policy() -> None:
    made = summarised(
        [
            *scored(10.0, 30.0),
            *rows(replace(ROW, policy="always_rag", score=40.0)),
            *rows(replace(ROW, dataset="other", score=70.0)),
        ]
    )
    assert {dataset: {name: of.score for name, of in by.items()} for dataset, by in made.items()} == {
        "made": {"self_route": 20.0, "always_rag": 40.0},
        "other": {"self_route": 70.0},
    }


def test_policies_are_named_with_their_k_where_a_run_has_several() -> None:
    made = summarised([*scored(10.0), *(replace(row, k=10) for row in scored(90.0))])
    assert {name: of.score for name, of in made["made"].items()} == {"self_route@5": 10.0, "self_route@10": 90.0}


def test_the_mean_over_datasets_counts_each_alike_and_leaves_out_what_has_none() -> None:
    assert macro([cell(scored(0.0, 0.0, 0.0)), cell(scored(90.0)), cell(rows(NA))]) == 45.0
    assert macro([cell(rows(NA))]) is None


def test_the_file_has_the_documented_columns_and_costs_as_plain_decimals(tmp_path: Path) -> None:
    write_summary(tmp_path, {"made": {"self_route": cell(rows(replace(ROW, cost=Decimal("1E-7")))), "a": cell([NA])}})
    written = json.loads((tmp_path / "summary.json").read_text())
    shown = written["made"]["self_route"]
    assert list(shown) == [field.name for field in fields(Cell)]
    assert (shown["score"], shown["cost"], shown["token_share"]) == (50.0, "0.0000001", 0.1)
    assert written["made"]["a"]["score"] is None
    readme = (Path(__file__).parents[1] / "eval" / "README.md").read_text()
    told = readme.split("### `summary.json`")[1].split("##")[0]
    for column in [*shown, *shown["declines"]]:
        assert f"`{column}`" in told, f"eval/README.md does not explain {column}"


def test_an_unknown_cost_is_null_in_the_file(tmp_path: Path) -> None:
    write_summary(tmp_path, {"made": {"self_route": cell(rows(replace(ROW, cost=None)))}})
    assert json.loads((tmp_path / "summary.json").read_text())["made"]["self_route"]["cost"] is None


def test_a_summary_that_cannot_be_written_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(HomeNotWritable, match="set --out to a folder"):
        write_summary(tmp_path / "gone", {})
