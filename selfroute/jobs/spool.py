"""Where files wait that came with a job: a folder each, which is there whole or not at all, and goes with the job.

Knows nothing of what is in them or how they came.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from selfroute.errors import HomeNotWritable, IndexBusy
from selfroute.index.files import make_folder, only_writer, sync_folder

TRIES, PAUSE = 50, 0.002
"""Attempts to claim a folder that a sweep has, and the seconds between: 0.1 s at most, in which nothing is answered."""


class Spool:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, id: str) -> Path:  # noqa: A002 (the job's own)
        return self._folder / id

    @contextmanager
    def receiving(self, id: str) -> Iterator[Path]:  # noqa: A002
        """A new folder to write into; locked until it is left, so that no other process takes it for a leftover. If
        what runs inside fails it is gone.

        A disk that is full or not writable is a `HomeNotWritable`.
        """
        folder = self.of(id)
        try:
            with ExitStack() as held:
                _claim(folder, held)
                yield folder
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, OSError):
                raise HomeNotWritable(self._folder, (error.strerror or str(error)).lower()) from error
            raise

    def sync(self, id: str) -> None:  # noqa: A002
        """After it returns the files of this folder are durable."""
        for path in self.of(id).iterdir():
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        sync_folder(self.of(id))
        sync_folder(self._folder)

    def remove(self, id: str) -> None:  # noqa: A002
        shutil.rmtree(self.of(id), ignore_errors=True)

    def sweep(self, needed: Callable[[], Collection[str]]) -> None:
        """Removes what no job needs and nobody is receiving: of processes that were killed."""
        with suppress(FileNotFoundError):
            for name in os.listdir(self._folder):
                with suppress(IndexBusy, HomeNotWritable), only_writer(self._folder / name):
                    if name not in needed():
                        self.remove(name)


def _claim(folder: Path, held: ExitStack) -> None:
    """Make the folder and lock it for as long as `held`; anew where `sweep` comes in between and removes it. Raises
    `IndexBusy` where a sweep does not let go of it, and `HomeNotWritable`."""
    for left in reversed(range(TRIES)):
        make_folder(folder)
        try:
            held.enter_context(only_writer(folder))
            return
        except IndexBusy:  # nobody but a sweep knows of this folder
            if not left:
                raise
        except HomeNotWritable:
            if not left or folder.exists():
                raise
        time.sleep(PAUSE)
