"""Files that appear complete or not at all: written to a staging name, fsynced, renamed, folder fsynced."""

from __future__ import annotations

import fcntl
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from selfroute.errors import HomeNotWritable, IndexBusy, SelfrouteError

LOCK = ".lock"
MOST_OWNER = 200


def staging(path: Path) -> Path:
    """Where a file is written before it is renamed to `path`."""
    return path.with_name(f".{path.name}.staging")


def is_ours(path: Path) -> bool:
    """Whether a file beside an index is a lock, or what an interrupted run left of a staging file."""
    return path.name == LOCK or (path.name.startswith(".") and ".staging" in path.name)


def write_whole(path: Path, content: bytes | memoryview) -> None:
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
    sync_folder(path.parent)


def make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HomeNotWritable(path, (error.strerror or str(error)).lower()) from error


@contextmanager
def only_writer(folder: Path, busy: SelfrouteError | None = None) -> Iterator[None]:
    """Holds the folder's write lock. Raises `busy` (else `IndexBusy`, which names its owner) if another process has it.

    Freed when that process ends, however it does: what the file says of its owner counts only while it is locked."""
    try:
        # Not emptied on opening: it may be another's. No file object: one that could not be written fails on closing.
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise HomeNotWritable(folder, (error.strerror or str(error)).lower()) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_still(folder / LOCK, lock):
                raise BlockingIOError  # its folder was renamed or deleted before it was locked
        except BlockingIOError as error:
            owner = " ".join(os.pread(lock, MOST_OWNER, 0).decode(errors="replace").split())
            raise (busy or IndexBusy(folder, owner)) from error
        except OSError as error:
            raise HomeNotWritable(folder, (error.strerror or str(error)).lower()) from error
        with suppress(OSError):  # a full disk: the lock holds all the same, and names nobody
            os.truncate(lock, 0)
            os.write(lock, _owner().encode())
        try:
            yield
        finally:
            with suppress(OSError):
                os.truncate(lock, 0)
    finally:
        os.close(lock)


def sync_folder(folder: Path) -> None:
    """After it returns, what was made, renamed or removed in the folder is durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _owner() -> str:
    return f"process {os.getpid()} on {platform.node() or 'this machine'}, since {datetime.now():%Y-%m-%d %H:%M:%S}"


def _is_still(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except FileNotFoundError:
        return False
