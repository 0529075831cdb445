"""Zip archives that hold documents (docx, epub): opened with limits, so that a small file cannot unpack to a huge one.

Knows nothing of what is in them.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from posixpath import normpath
from typing import IO

from selfroute.errors import UnreadableFile

MOST_UNPACKED = 256 * 2**20
"""Bytes of all parts that are read, those of archives inside of an archive too."""

MOST_PARTS = 100_000
COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How a file of Microsoft's older container begins: what Word makes of a docx with a password."""

FAULTS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, KeyError)


class Archive:
    """The parts of an opened archive by name."""

    def __init__(self, path: Path, file: zipfile.ZipFile, left: list[int] | None = None) -> None:
        self._path = path
        self._file = file
        self._left = [MOST_UNPACKED] if left is None else left
        self.names = frozenset(file.namelist())
        self._keys = {_key(name): name for name in sorted(self.names, reverse=True)}

    def named(self, name: str) -> str | None:
        """The name of the part that `name` stands for, however its letters and slashes are written: programs do not
        agree on them."""
        return name if name in self.names else self._keys.get(_key(name))

    def part(self, name: str) -> bytes:
        """A part, unpacked. Raises `UnreadableFile` if it is missing, damaged or too large."""
        if name not in self.names:
            raise UnreadableFile(self._path, f"is broken: it holds no {name}")
        about = self._file.getinfo(name)
        if about.flag_bits & 1:
            raise UnreadableFile(self._path, "is encrypted: save it without a password first")
        if about.file_size > self._left[0]:
            raise UnreadableFile(self._path, f"unpacks to more than {MOST_UNPACKED // 2**20} MB: it is not read")
        self._left[0] -= about.file_size
        try:
            return self._file.read(about)
        except FAULTS as error:
            raise UnreadableFile(self._path, f"is broken ({error})") from error

    @contextmanager
    def inside(self, data: bytes) -> Iterator[Archive]:
        """Opens an archive that is a part of this one; both unpack to no more than one may. Raises
        `UnreadableFile`."""
        with _checked(BytesIO(data), self._path, self._left) as archive:
            yield archive


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Opens an archive, and names what is wrong with it. Raises `UnreadableFile`."""
    with path.open("rb") as raw:
        start = raw.read(len(COMPOUND))
        if not start:
            raise UnreadableFile(path, "is empty")
        if start == COMPOUND:
            raise UnreadableFile(path, "is encrypted or of an older format: save it anew without a password")
        with _checked(raw, path) as archive:
            yield archive


@contextmanager
def _checked(raw: IO[bytes], path: Path, left: list[int] | None = None) -> Iterator[Archive]:
    try:
        with zipfile.ZipFile(raw) as file:
            if len(file.infolist()) > MOST_PARTS:
                raise UnreadableFile(path, f"holds more than {MOST_PARTS:,} parts: it is not read")
            yield Archive(path, file, left)
    except FAULTS as error:
        raise UnreadableFile(path, f"is broken ({error})") from error


def _key(name: str) -> str:
    return normpath(name.replace("\\", "/").lstrip("/")).casefold()
