"""Rows keep what a question came to, and a run does again what failed or was changed and nothing else."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfroute.errors import UnreadableFile
from selfroute.evaluation.rows import Row, Rows, Span, StageUse, read_rows
from selfroute.types import Stage

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
    usage={"input_tokens": 100, "embedding_tokens": 4},
    long_context_tokens=1000,
    cost=Decimal("0.00012"),
    seconds=0.1,
    error=None,
    na=None,
    length=700,
    simulated=False,
    asked="abc",
)
FAILED = replace(ROW, id="2", score=0.0, error="TimeoutError: too slow", outcome=None, route=None, prediction=None)
NA = replace(ROW, id="3", score=None, na="no shape like it", outcome=None, route=None, prediction=None)


def written(folder: Path, *rows: Row) -> list[Row]:
    made = Rows(folder, {})
    for row in rows:
        made.append(row)
    made.close()
    return read_rows(folder)


def altered(folder: Path, **values: Any) -> None:
    """Puts other values into the one row of a folder, by hand."""
    written(folder, ROW)
    path = folder / "rows.jsonl"
    path.write_text(json.dumps(json.loads(path.read_text()) | values) + "\n")


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    assert written(tmp_path, ROW, FAILED, NA) == [ROW, FAILED, NA]


@settings(max_examples=40)
@given(
    text=st.lists(st.text(), min_size=4, max_size=4),
    cost=st.none() | st.decimals(0, 1000, places=9),
    score=st.none() | st.floats(0, 100),
)
def test_any_text_cost_and_score_survive(
    tmp_path_factory: pytest.TempPathFactory, text: list[str], cost: Decimal | None, score: float | None
) -> None:
    id_, document, prediction, error = text
    row = replace(ROW, id=id_, doc_id=document, prediction=prediction, na=error, cost=cost, score=score)
    assert written(tmp_path_factory.mktemp("rows"), row) == [row]


def test_chunks_citations_and_stages_come_back_as_they_were_written(tmp_path: Path) -> None:
    use = StageUse(Stage.READ_CHUNKS, 2, 1, 100, 40, 0, 9, 0, Decimal("0.0000001"), estimated=True)
    made = replace(ROW, hits=(Span("a", 0, 9, 0.5),), citations=(Span("a", 3, 5, None),), stages=(use,))
    assert written(tmp_path, made, replace(ROW, id="2", hits=(), citations=(), stages=())) == [
        made,
        replace(ROW, id="2", hits=(), citations=(), stages=()),
    ]


def test_rows_of_a_version_that_did_not_keep_them_are_read(tmp_path: Path) -> None:
    written(tmp_path, ROW)
    path = tmp_path / "rows.jsonl"
    values = json.loads(path.read_text())
    for column in ("hits", "citations", "stages"):
        del values[column]
    path.write_text(json.dumps(values) + "\n")
    assert read_rows(tmp_path) == [ROW]


def test_a_row_has_the_documented_columns_and_its_cost_is_a_plain_decimal(tmp_path: Path) -> None:
    written(tmp_path, replace(ROW, cost=Decimal("1E-7")))
    [line] = (tmp_path / "rows.jsonl").read_text().splitlines()
    assert list(json.loads(line)) == [field.name for field in fields(Row)]
    assert json.loads(line)["cost"] == "0.0000001"
    readme = (Path(__file__).parents[1] / "eval" / "README.md").read_text()
    told = readme.split("### `rows.jsonl`")[1].split("###")[0]
    for column in json.loads(line):
        assert f"`{column}`" in told, f"eval/README.md does not explain {column}"


def test_failed_rows_are_dropped_on_opening_so_that_they_are_tried_again(tmp_path: Path) -> None:
    written(tmp_path, ROW, FAILED, NA)
    rows = Rows(tmp_path, {})
    assert list(rows.done.values()) == [ROW, NA]
    rows.close()
    assert read_rows(tmp_path) == [ROW, NA]


def test_a_row_whose_question_was_changed_is_dropped_and_no_other_is(tmp_path: Path) -> None:
    other = replace(ROW, dataset="of an earlier suite")
    written(tmp_path, ROW, replace(ROW, id="2"), other)
    rows = Rows(tmp_path, {("made", "1"): "xyz", ("made", "2"): "abc"})
    assert list(rows.done.values()) == [replace(ROW, id="2"), other]
    rows.close()


def test_a_row_that_was_appended_twice_counts_once(tmp_path: Path) -> None:
    written(tmp_path, ROW, replace(ROW, score=70.0))
    rows = Rows(tmp_path, {})
    assert [row.score for row in rows.done.values()] == [70.0]
    rows.close()
    assert len(read_rows(tmp_path)) == 1


def test_the_torn_row_of_a_killed_process_is_made_again(tmp_path: Path) -> None:
    written(tmp_path, ROW, NA)
    path = tmp_path / "rows.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    rows = Rows(tmp_path, {})
    assert list(rows.done.values()) == [ROW]
    rows.append(NA)
    rows.close()
    assert read_rows(tmp_path) == [ROW, NA]


def test_sorted_rows_stand_in_the_order_asked_for_and_may_be_appended_to(tmp_path: Path) -> None:
    made = [replace(ROW, id=str(n), policy=policy) for n in (2, 0, 1) for policy in ("self_route", "always_rag")]
    rows = Rows(tmp_path, {})
    for row in made:
        rows.append(row)
    ordered = rows.sort(lambda row: (int(row.id),))
    assert [(row.id, row.policy) for row in ordered] == [
        (id_, policy) for id_ in "012" for policy in ("always_rag", "self_route")
    ]
    rows.append(NA)
    rows.close()
    assert read_rows(tmp_path) == [*ordered, NA]


@pytest.mark.parametrize(
    ("outcome", "declined"), [("answered", False), ("not_in_document", True), ("insufficient", True), (None, False)]
)
def test_whatever_is_no_answer_is_a_decline_but_for_a_failure(outcome: str | None, declined: bool) -> None:
    assert replace(ROW, outcome=outcome).declined is declined


def test_a_folder_without_rows_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="name the folder of a run"):
        read_rows(tmp_path)
    with pytest.raises(UnreadableFile, match="name the folder of a run"):
        read_rows(tmp_path / "nowhere")
    (tmp_path / "rows.jsonl").touch()
    with pytest.raises(UnreadableFile, match="holds no rows"):
        read_rows(tmp_path)


@pytest.mark.parametrize(
    "values",
    [
        {"score": float("nan")},
        {"score": 101},
        {"score": -1},
        {"score": "high"},
        {"cost": "much"},
        {"usage": None},
        {"usage": {"input_tokens": "many"}},
        {"path": None},
        {"hits": [{"document": "a"}]},
        {"stages": [{"stage": "dream"}]},
    ],
)
def test_a_row_with_a_value_that_no_run_writes_is_refused_with_its_line(tmp_path: Path, values: dict[str, Any]) -> None:
    altered(tmp_path, **values)
    with pytest.raises(UnreadableFile, match="line 1 is not a row of this version"):
        read_rows(tmp_path)


def test_a_row_without_a_column_is_refused_with_its_line(tmp_path: Path) -> None:
    written(tmp_path, ROW)
    path = tmp_path / "rows.jsonl"
    values = json.loads(path.read_text())
    del values["metric"]
    path.write_text(path.read_text() + json.dumps(values) + "\n")
    with pytest.raises(UnreadableFile, match=r"line 2 is not a row of this version .*'metric'"):
        read_rows(tmp_path)
