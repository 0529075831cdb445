"""Datasets in LongBench's record shape: one JSON object a line, plain or compressed with xz."""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfroute.errors import UnreadableFile


@dataclass(frozen=True, slots=True)
class Row:
    """One question about one document. `doc_id` is shared by questions about the same document."""

    id: str
    question: str
    context: str
    answers: tuple[str, ...]
    dataset: str
    doc_id: str
    answerable: bool


def read(path: Path) -> list[Row]:
    """All rows of a `.jsonl` or `.jsonl.xz` file. Raises `UnreadableFile` with the number of a bad line."""
    try:
        with lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8") as lines:
            return [_row(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    except OSError as error:
        raise UnreadableFile(path, (error.strerror or str(error)).lower()) from error
    except (lzma.LZMAError, UnicodeDecodeError, EOFError) as error:
        raise UnreadableFile(path, f"cannot be decoded ({error})") from error


def _row(path: Path, number: int, line: str) -> Row:
    try:
        record: Mapping[str, Any] = json.loads(line)
        return Row(
            id=str(record["_id"]),
            question=record["input"],
            context=record["context"],
            answers=tuple(record["answers"]),
            dataset=record.get("dataset", path.name.split(".")[0]),
            doc_id=str(record.get("doc_id", record["_id"])),
            answerable=bool(record.get("answerable", True)),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableFile(path, f"line {number} is not a LongBench record ({error!r})") from error
