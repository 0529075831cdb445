"""The record of a run says what it was made with, and keeps a folder from rows that were made with something else."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from selfroute.errors import HomeNotWritable, InvalidSettings, UnreadableFile
from selfroute.evaluation.datasets import Malformed
from selfroute.evaluation.record import LIBRARIES, RunRecord, read_record
from selfroute.evaluation.suite import Suite
from selfroute.types import Usage

SUITE = Suite("made", ("a.jsonl", "qasper"), ("self_route",), (5, 10), limit=3)
IDENTITY = {"settings": {"chunking": {"tokens": 240}, "retrieval": {"k": 5}}, "weights": {"reader.onnx": "ab"}}


def begun(folder: Path, suite: Suite = SUITE, **identity: Any) -> dict[str, Any]:
    RunRecord.begin(folder, suite, IDENTITY | identity, 4)
    record = read_record(folder)
    assert record is not None
    return record


def test_a_record_says_what_the_run_is_made_with(tmp_path: Path) -> None:
    record = begun(tmp_path)
    assert record["suite"] == "made"
    assert (record["sources"], record["policies"], record["k"]) == (["a.jsonl", "qasper"], ["self_route"], [5, 10])
    assert (record["limit"], record["concurrency"]) == (3, 4)
    assert record["made_with"] == IDENTITY | {"mode": "strict", "replay": None}


def test_a_record_names_the_versions_of_all_that_has_a_part_in_the_figures(tmp_path: Path) -> None:
    versions = begun(tmp_path)["versions"]
    assert versions["selfroute"] == version("selfroute")
    assert versions["python"] == platform.python_version()
    assert {name: versions[name] for name in LIBRARIES} == {name: version(name) for name in LIBRARIES}


def test_a_run_that_has_not_ended_has_no_end(tmp_path: Path) -> None:
    record = begun(tmp_path)
    assert record["finished"] is None
    assert datetime.fromisoformat(record["started"]).tzinfo is not None


def test_the_end_says_what_was_malformed_failed_and_really_read(tmp_path: Path) -> None:
    lost = Malformed("a.jsonl:7", "has no answers")
    RunRecord.begin(tmp_path, SUITE, IDENTITY, 4).end(60, 2, [lost], 40, Usage(1000, output_tokens=7))
    record = read_record(tmp_path)
    assert record is not None
    assert (record["rows"], record["failed"], record["readings"]) == (60, 2, 40)
    assert record["malformed"] == [{"place": "a.jsonl:7", "reason": "has no answers"}]
    assert record["read"] == asdict(Usage(1000, output_tokens=7))
    assert datetime.fromisoformat(record["finished"]) >= datetime.fromisoformat(record["started"])


def test_a_later_start_keeps_when_the_first_one_was_and_has_not_ended(tmp_path: Path) -> None:
    RunRecord.begin(tmp_path, SUITE, IDENTITY, 4).end(60, 0, [], 40, Usage())
    path = tmp_path / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"started": "2024-07-22T00:00:00+00:00"}))
    again = begun(tmp_path)
    assert (again["started"], again["finished"]) == ("2024-07-22T00:00:00+00:00", None)


def test_further_datasets_policies_k_and_limits_are_no_other_run(tmp_path: Path) -> None:
    begun(tmp_path)
    other = begun(tmp_path, Suite("more", ("b.jsonl",), ("always_rag",), (1,)))
    assert (other["suite"], other["sources"], other["k"]) == ("more", ["b.jsonl"], [1])


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"settings": {"chunking": {"tokens": 100}, "retrieval": {"k": 5}}}, "settings.chunking.tokens"),
        ({"settings": {"chunking": {"tokens": 100}, "retrieval": {"k": 6}}}, "settings.chunking.tokens, settings.ret"),
        ({"settings": {"retrieval": {"k": 5}}}, "settings.chunking:"),
        ({"weights": {"reader.onnx": "ac"}}, "weights.reader.onnx"),
        ({"weights": {"reader.onnx": "ab", "embedder.onnx": "cd"}}, "weights.embedder.onnx"),
    ],
)
def test_what_differs_from_the_run_in_the_folder_is_named(tmp_path: Path, changed: dict[str, Any], named: str) -> None:
    before = begun(tmp_path)
    with pytest.raises(InvalidSettings) as error:
        begun(tmp_path, **changed)
    assert f"holds a run with other {named}" in str(error.value)
    assert "name another folder with --out" in str(error.value)
    assert read_record(tmp_path) == before


def test_a_run_of_the_other_mode_is_another_run(tmp_path: Path) -> None:
    begun(tmp_path)
    with pytest.raises(InvalidSettings, match="other mode:"):
        begun(tmp_path, replace(SUITE, mode="fixed"))


def test_recorded_answers_are_known_by_their_content_and_not_by_their_place(tmp_path: Path) -> None:
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    one.write_text("said")
    other.write_text("said")
    folder = tmp_path / "run"
    folder.mkdir()
    assert begun(folder, replace(SUITE, replay=one))["replay"] == str(one)
    begun(folder, replace(SUITE, replay=other))
    other.write_text("said otherwise")
    with pytest.raises(InvalidSettings, match="other replay:"):
        begun(folder, replace(SUITE, replay=other))
    with pytest.raises(InvalidSettings, match="other replay:"):
        begun(folder)


def test_a_folder_without_a_record_has_none(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None


@pytest.mark.parametrize("content", [b"{", b"[1]", b"null", b"\xff"])
def test_a_file_that_is_no_record_is_refused_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"run\.json.* restore it, or run into another folder"):
        RunRecord.begin(tmp_path, SUITE, IDENTITY, 4)
    assert (tmp_path / "run.json").read_bytes() == content


def test_a_record_of_another_program_is_another_run(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(InvalidSettings, match="holds a run with other settings:"):
        begun(tmp_path)


def test_a_record_that_cannot_be_written_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(HomeNotWritable, match="set --out to a folder"):
        RunRecord.begin(tmp_path / "gone", SUITE, IDENTITY, 4)
