"""A file of JSON objects, one a line, that a killed process cannot corrupt: each line is appended in one write
and is with the operating system when `append` returns; what is torn is only ever the last line, and is dropped.

Knows nothing of what the objects mean.
"""

from __future__ import annotations

import errno
import json
import lzma
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from selfroute.errors import HomeNotWritable, UnreadableFile
from selfroute.index.files import write_whole

ELSEWHERE = "--out to a folder with room; what was done so far is kept"


class Lines:
    """Opens `path` for appending, after cutting off a torn end. Held by one writer at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open("r+b" if path.exists() else "w+b", buffering=0)
            self._file.truncate(_whole(path))
            self._file.seek(0, os.SEEK_END)
        except OSError as error:
            raise unwritable(path, error) from error

    def append(self, value: Mapping[str, object]) -> None:
        """Raises `HomeNotWritable`, with the file as it was, if the line does not fit whole."""
        line, at = encode(value), self._file.tell()
        try:
            if self._file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self._file.truncate(at)
            self._file.seek(at)
            raise unwritable(self._path, error) from error

    def close(self) -> None:
        self._file.close()


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, object) of every whole line; nothing for a file that is not there. One that is packed (`.xz`) is
    whole. Raises `UnreadableFile`."""
    if not path.exists():
        return
    try:
        if path.suffix == ".xz":
            with lzma.open(path) as packed:
                yield from ((number, _object(path, number, line)) for number, line in enumerate(packed, start=1))
            return
        end = _whole(path)
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if file.tell() > end:
                    return
                yield number, _object(path, number, line)
    except OSError as error:
        raise UnreadableFile(path, (error.strerror or str(error)).lower()) from error
    except (lzma.LZMAError, EOFError) as error:
        raise UnreadableFile(path, f"cannot be unpacked ({error}): fetch it again") from error


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(
            path, f"line {number} is not JSON ({error}): restore it, or run into another folder"
        ) from error
    if not isinstance(value, dict):
        raise UnreadableFile(path, f"line {number} is not a JSON object: restore it, or run into another folder")
    return value


def write_lines(path: Path, values: Iterable[Mapping[str, object]]) -> None:
    """Replaces the file, whole or not at all. Raises `HomeNotWritable`."""
    write_file(path, b"".join(map(encode, values)))


def write_file(path: Path, content: bytes, elsewhere: str = ELSEWHERE) -> None:
    """As `write_whole`, for a file of a run or, with another `elsewhere`, of what is made of runs."""
    try:
        write_whole(path, content)
    except HomeNotWritable as error:
        raise unwritable(path, error.__cause__ or error, elsewhere) from error


def encode(value: Mapping[str, object]) -> bytes:
    return (json.dumps(value, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")


def _whole(path: Path) -> int:
    """Where the last whole line ends."""
    size = path.stat().st_size
    with path.open("rb") as file:
        at = size
        while at > 0:
            step = min(at, 1 << 16)
            file.seek(at - step)
            found = file.read(step).rfind(b"\n")
            if found >= 0:
                return at - step + found + 1
            at -= step
    return 0


def unwritable(path: Path, error: BaseException, elsewhere: str = ELSEWHERE) -> HomeNotWritable:
    """What a user is told when a file cannot be written; `elsewhere` is what to set."""
    reason = error.strerror if isinstance(error, OSError) else None
    return HomeNotWritable(path, (reason or str(error)).lower(), elsewhere)
