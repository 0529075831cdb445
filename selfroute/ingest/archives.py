"""Zip archives that hold documents (docx, epub): opened with limits, so that a small file cannot unpack to a huge one.

Knows nothing of what is in them.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selfroute.errors import UnreadableFile

MOST_UNPACKED = 256 * 2**20
"""Bytes of all parts that are read."""

MOST_PARTS = 100_000
COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How a file of Microsoft's older container begins: what Word makes of a docx with a password."""


class Archive:
    """The parts of an opened archive by name."""

    def __init__(self, path: Path, file: zipfile.ZipFile) -> None:
        self._path = path
        self._file = file
        self._left = MOST_UNPACKED
        self.names = frozenset(file.namelist())

    def part(self, name: str) -> bytes:
        """A part, unpacked. Raises `UnreadableFile` if it is missing or too large."""
        if name not in self.names:
            raise UnreadableFile(self._path, f"is broken: it holds no {name}")
        about = self._file.getinfo(name)
        if about.flag_bits & 1:
            raise UnreadableFile(self._path, "is encrypted: save it without a password first")
        self._left -= about.file_size
        if self._left < 0:
            raise UnreadableFile(self._path, f"unpacks to more than {MOST_UNPACKED // 2**20} MB: it is not read")
        return self._file.read(about)


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Opens an archive, and names what is wrong with it. Raises `UnreadableFile`."""
    with path.open("rb") as raw:
        start = raw.read(len(COMPOUND))
        if not start:
            raise UnreadableFile(path, "is empty")
        if start == COMPOUND:
            raise UnreadableFile(path, "is encrypted or of an older format: save it anew without a password")
        try:
            with zipfile.ZipFile(raw) as file:
                if len(file.infolist()) > MOST_PARTS:
                    raise UnreadableFile(path, f"holds more than {MOST_PARTS:,} parts: it is not read")
                yield Archive(path, file)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, KeyError) as error:
            raise UnreadableFile(path, f"is broken ({error})") from error
