"""Files of records, opened: plain, compressed with gzip or xz, or members of a zip; and a dataset found in a folder.

Whatever goes wrong with a file as a whole is an `UnreadableFile` that says what to do, raised after the rows that
stand before the damage. A zip and a parquet file keep their table of contents at the end, so that of one that is
cut off no row can be read.
"""

from __future__ import annotations

import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from selfroute.errors import UnreadableFile
from selfroute.evaluation.datasets.rows import Damaged, Row, Stream, json_rows, lines, table

RECORDS = (".jsonl", ".jsonl.gz", ".jsonl.xz", ".json", ".json.gz", ".json.xz")
SUFFIXES = (*RECORDS, ".parquet", ".zip")
AGAIN = "fetch or copy it again"


@dataclass(frozen=True, slots=True)
class Part:
    """A file of records, or a member of a zip. `name` tells its format, and is what it is called in messages: the
    path, or the URL that it was fetched from."""

    path: Path
    name: str
    member: str | None = None

    @property
    def title(self) -> str:
        return self.name if self.member is None else f"{self.name}:{self.member}"

    @property
    def stem(self) -> str:
        """The name without folders and suffixes: `qasper_e` of `data/qasper_e.jsonl.gz`."""
        return _stem(PurePosixPath((self.member or self.name).replace("\\", "/")).name)


def has_suffix(name: str) -> bool:
    return _suffix(name) != ""


def parts(path: Path) -> list[Part]:
    """What `path` holds: itself, or the members of a zip in their order. Raises `UnreadableFile`."""
    whole = Part(path, str(path))
    if path.is_dir():
        raise UnreadableFile(whole.name, "is a folder: name a file in it, or a dataset and the folder as its place")
    if not path.exists():
        raise UnreadableFile(whole.name, "there is no such file")
    suffix = _suffix(whole.name)
    if not suffix:
        raise UnreadableFile(whole.name, f"files of this kind are not supported; use {', '.join(SUFFIXES)}")
    if suffix != ".zip":
        return [whole]
    found = _members(whole)
    if not found:
        raise UnreadableFile(whole.name, f"the archive holds no {', '.join(RECORDS)} file")
    return found


def find(dataset: str, folder: Path) -> Part | None:
    """The part of `folder` that is named after the dataset: a file, else a member of a zip."""
    for suffix in (*RECORDS, ".parquet"):
        path = folder / f"{dataset}{suffix}"
        if path.is_file():
            return Part(path, str(path))
    return next((part for part in _zipped(folder) if part.stem == dataset), None)


def names(folder: Path) -> set[str]:
    """The datasets that `find` finds in `folder`."""
    plain = {_stem(path.name) for path in folder.iterdir() if _suffix(path.name) not in ("", ".zip") and path.is_file()}
    return plain | {part.stem for part in _zipped(folder)}


def read(part: Part) -> Iterator[Row]:
    """The rows of a part, streamed. Raises `UnreadableFile` where the file ends being readable, or holds no row."""
    last: Row | None = None
    with _reported(part.title, lambda: last):
        for row in _rows(part):
            last = row
            yield row
    if last is None:
        raise UnreadableFile(part.title, "holds no records")


def _rows(part: Part) -> Iterator[Row]:
    suffix = _suffix(part.member or part.name)
    if suffix == ".parquet":
        yield from table(part.path, part.title)
        return
    with _opened(part, suffix) as stream:
        yield from (lines if suffix.startswith(".jsonl") else json_rows)(stream, part.title)


@contextmanager
def _opened(part: Part, suffix: str) -> Iterator[Stream]:
    if part.member is None:
        with part.path.open("rb") as file, _decompressed(file, suffix) as stream:
            yield stream
        return
    with zipfile.ZipFile(part.path) as archive:
        try:
            member = archive.open(part.member)
        except KeyError as error:
            raise UnreadableFile(part.title, "there is no such member") from error
        except (RuntimeError, NotImplementedError) as error:  # encrypted, or compressed in a way Python has not
            raise Damaged(str(error)) from error
        with member, _decompressed(member, suffix) as stream:
            yield stream


def _decompressed(file: IO[bytes], suffix: str) -> Stream:
    if suffix.endswith(".gz"):
        return gzip.GzipFile(fileobj=file)
    return lzma.LZMAFile(file) if suffix.endswith(".xz") else cast("Stream", file)


def _members(archive: Part) -> list[Part]:
    with _reported(archive.name, lambda: None):
        if not zipfile.is_zipfile(archive.path):
            with archive.path.open("rb") as file:
                raise EOFError if file.read(4) == b"PK\x03\x04" else Damaged("it is not a zip archive")
        with zipfile.ZipFile(archive.path) as opened:
            return [
                Part(archive.path, archive.name, member)
                for member in opened.namelist()
                if _suffix(member) in RECORDS and not _hidden(member)
            ]


def _zipped(folder: Path) -> Iterator[Part]:
    for path in sorted(folder.glob("*.zip")):
        yield from _members(Part(path, str(path)))


@contextmanager
def _reported(title: str, last: Callable[[], Row | None]) -> Iterator[None]:
    try:
        yield
    except EOFError as error:
        row = last()
        read = f"after {row.place.mark}" if row else "before anything in it can be read"
        raise UnreadableFile(title, f"is cut off {read}: {AGAIN}") from error
    except (Damaged, zlib.error, lzma.LZMAError, zipfile.BadZipFile, gzip.BadGzipFile) as error:
        raise UnreadableFile(title, f"is damaged, or not what its suffix says ({error}): {AGAIN}") from error
    except OSError as error:
        raise UnreadableFile(title, (error.strerror or str(error)).lower()) from error


def _hidden(member: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(member).parts)


def _suffix(name: str) -> str:
    """The suffix of `SUFFIXES` that `name` ends with, in whatever case; else nothing."""
    return next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), "")


def _stem(name: str) -> str:
    return name[: len(name) - len(_suffix(name))]
