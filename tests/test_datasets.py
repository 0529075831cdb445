"""LongBench-shaped files are read whole, or refused with the line that is wrong."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest

from selfroute import SelfrouteError
from selfroute.evaluation.datasets import Row, read

RECORD = {
    "_id": "a-1",
    "input": "Who?",
    "context": "Ann did.",
    "answers": ["Ann"],
    "length": 2,
    "dataset": "made",
    "language": "en",
    "all_classes": None,
    "doc_id": "a",
    "answerable": True,
}
ROW = Row("a-1", "Who?", "Ann did.", ("Ann",), "made", "a", True)


def test_a_plain_file_is_read_row_by_row(tmp_path: Path) -> None:
    file = tmp_path / "made.jsonl"
    file.write_text(f"{json.dumps(RECORD)}\n\n{json.dumps(RECORD | {'_id': 'a-2', 'answerable': False})}\n")
    assert read(file) == [ROW, Row("a-2", "Who?", "Ann did.", ("Ann",), "made", "a", False)]


def test_a_file_compressed_with_xz_is_read_as_its_content(tmp_path: Path) -> None:
    file = tmp_path / "made.jsonl.xz"
    with lzma.open(file, "wt") as lines:
        lines.write(json.dumps(RECORD))
    assert read(file) == [ROW]


def test_longbench_records_without_our_two_fields_are_answerable_and_their_own_document(tmp_path: Path) -> None:
    file = tmp_path / "made.jsonl"
    file.write_text(json.dumps({key: RECORD[key] for key in ("_id", "input", "context", "answers")}))
    assert read(file) == [Row("a-1", "Who?", "Ann did.", ("Ann",), "made", "a-1", True)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"_id": 1}\n', "line 1 is not a LongBench record"),
        (json.dumps(RECORD).encode() + b"\n[]\n", "line 2 is not a LongBench record"),
        (json.dumps(RECORD).encode() + b"\n{\n", "line 2 is not a LongBench record"),
        (b"\xff\xfe\n", "cannot be decoded"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "made.jsonl"
    file.write_bytes(content)
    with pytest.raises(SelfrouteError, match=said):
        read(file)


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "made.jsonl.xz"
    file.write_bytes(lzma.compress(json.dumps(RECORD).encode() * 50)[:-20])
    with pytest.raises(SelfrouteError, match="cannot be decoded"):
        read(file)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SelfrouteError, match=r"none\.jsonl: no such file"):
        read(tmp_path / "none.jsonl")
