"""Rows out of open files, one at a time: lines of JSON, a JSON array, a parquet table.

A row that cannot be decoded is given with its fault, and the next one follows. Knows nothing of what a row means.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from gzip import GzipFile
from lzma import LZMAFile
from pathlib import Path
from typing import Any
from zipfile import ZipExtFile

from selfroute.errors import MissingExtra

Stream = io.BufferedReader | GzipFile | LZMAFile | ZipExtFile

PIECE = 1 << 16
BATCH = 8
"""Rows of a parquet table decoded at a time: a context can be megabytes long."""

_MARK = re.compile(rb'["\[\]{},]')
_STRING_END = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


class Damaged(Exception):
    """The file is not what its name says, or is broken beyond its next row."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands: a line, counted from 1, or an element, counted from 0 as `jq` and pandas do."""

    file: str
    number: int
    line: bool = True

    @property
    def mark(self) -> str:
        """The place within its file, in words."""
        return f"line {self.number}" if self.line else f"row [{self.number}]"

    def __str__(self) -> str:
        return f"{self.file}:{self.number}" if self.line else f"{self.file}[{self.number}]"


@dataclass(frozen=True, slots=True)
class Row:
    """What stands at a place: a value as JSON has it, or the fault why it cannot be told."""

    place: Place
    value: object = None
    fault: str | None = None


def json_rows(stream: Stream, file: str) -> Iterator[Row]:
    """Rows of a `.json` file: an array, or (as such files often are) lines. Raises `Damaged`; `EOFError` if cut."""
    start = stream.peek(PIECE)
    start = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"["):
        return array(stream, file)
    if start.startswith(b"{"):
        return lines(stream, file)
    if not start:
        return iter(())
    raise Damaged("neither a JSON array nor lines of JSON objects")


def lines(stream: Stream, file: str) -> Iterator[Row]:
    """One row a line. A line ends at \\n, \\r\\n or \\r and nowhere else; blank ones are counted and skipped."""
    # Bytes that are not UTF-8 become half surrogate pairs, so that they cost one row and not the file.
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline=None)
    for number, line in enumerate(text, start=1):
        if not line.isspace():
            yield _parsed(Place(file, number), line)


def array(stream: Stream, file: str) -> Iterator[Row]:
    """One row an element. Holds one element at a time, whatever the size of the array."""
    for number, element in enumerate(_elements(stream)):
        yield _parsed(Place(file, number, line=False), element.decode("utf-8", "surrogateescape"))


def table(path: Path, file: str) -> Iterator[Row]:
    """One row a row of a parquet file, `BATCH` of them decoded at a time."""
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise MissingExtra("pyarrow", "parquet") from error
    _require_whole(path)
    number = 0
    try:
        with ParquetFile(path) as opened:
            for batch in opened.iter_batches(batch_size=BATCH, use_threads=False):
                for at in range(batch.num_rows):
                    yield _converted(Place(file, number, line=False), batch.slice(at, 1))
                    number += 1
    except (ArrowException, OSError) as error:
        raise Damaged(_first_line(error)) from error


def _parsed(place: Place, text: str) -> Row:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        byte = ord(text[error.start]) & 0xFF
        return Row(place, fault=f"holds bytes that are not UTF-8 (0x{byte:02x} after {error.start} characters)")
    try:
        return Row(place, json.loads(text))
    except json.JSONDecodeError as error:
        return Row(place, fault=f"is not JSON ({error.msg.lower()} after {error.pos} characters)")
    except (ValueError, RecursionError) as error:
        return Row(place, fault=f"is not JSON that can be read ({_first_line(error)})")


def _elements(stream: Stream) -> Iterator[bytes]:
    """The JSON text of each element of the array in `stream`, found by its brackets and quotes alone, so that
    what is wrong inside of one element is a fault of that element."""
    element = bytearray()
    depth = skip = 0
    quoted = False
    # read1: a compressed stream that is cut off gives what it has before it raises
    while piece := stream.read1(PIECE):
        begin, at, skip = 0, skip, 0
        while found := (_STRING_END.match if quoted else _MARK.search)(piece, at):
            at = found.end()
            mark = piece[at - 1 : at]
            if mark == b'"':
                quoted = not quoted
            elif mark in b"[{":
                depth += 1
                begin = at if depth == 1 else begin
            elif mark in b"]}":
                depth -= 1
            if depth == 0 or (depth == 1 and mark == b","):
                element += piece[begin : at - 1]
                begin = at
                if depth or element.strip():
                    yield bytes(element)
                element.clear()
            if depth == 0:
                _require_end(piece[at:], stream)
                return
        element += piece[begin:]
        if quoted:  # an odd backslash at the end escapes the first byte of the next piece
            rest = piece[at:]
            skip = (len(rest) - len(rest.rstrip(b"\\"))) % 2
    raise EOFError


def _require_end(rest: bytes, stream: Stream) -> None:
    while not rest.strip():
        rest = stream.read1(PIECE)
        if not rest:
            return
    raise Damaged("there is more after the end of its array")


def _require_whole(path: Path) -> None:
    """Raises `EOFError` for a parquet file without its end, where its table of contents stands."""
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0, io.SEEK_END)
        file.seek(-min(4, file.tell()), io.SEEK_END)
        if head == b"PAR1" != file.read(4):
            raise EOFError


def _converted(place: Place, row: Any) -> Row:
    try:
        return Row(place, row.to_pylist()[0])
    except (ValueError, UnicodeError) as error:
        return Row(place, fault=f"cannot be decoded ({_first_line(error)})")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
