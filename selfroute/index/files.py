"""Files that appear complete or not at all: written to a staging name, fsynced, renamed, folder fsynced."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from selfroute.errors import HomeNotWritable, IndexBusy, SelfrouteError

LOCK = ".lock"


def staging(path: Path) -> Path:
    """Where a file is written before it is renamed to `path`."""
    return path.with_name(f".{path.name}.staging")


def is_ours(path: Path) -> bool:
    """Whether a file beside an index is a lock, or what an interrupted run left of a staging file."""
    return path.name == LOCK or (path.name.startswith(".") and ".staging" in path.name)


def write_whole(path: Path, content: bytes) -> None:
    """After it returns the file is durable under its name. If it raises `HomeNotWritable`, the name still holds the
    old file or holds the new one, whole."""
    try:
        with staging(path).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        publish(path)
    except OSError as error:
        with suppress(OSError):
            staging(path).unlink()
        raise HomeNotWritable(path, (error.strerror or str(error)).lower()) from error


def publish(path: Path) -> None:
    """Renames the staging file of `path`, which must be durable, to `path`."""
    staging(path).replace(path)
    _sync_folder(path.parent)


def make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HomeNotWritable(path, (error.strerror or str(error)).lower()) from error


@contextmanager
def only_writer(folder: Path, busy: SelfrouteError | None = None) -> Iterator[None]:
    """Holds the folder's write lock. Raises `busy` (else `IndexBusy`) if another process has it.

    Freed when that process ends, however it does."""
    try:
        lock = (folder / LOCK).open("w")
    except OSError as error:
        raise HomeNotWritable(folder, (error.strerror or str(error)).lower()) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise (busy or IndexBusy(folder)) from error
        except OSError as error:
            raise HomeNotWritable(folder, (error.strerror or str(error)).lower()) from error
        yield


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
