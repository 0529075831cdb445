"""Corpora that stay open from one question to the next, each at the generation that is published when it is asked.

Blocking: call it in a worker thread from async code. Knows nothing of questions.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from pathlib import Path

from selfroute.index import Index, open_index
from selfroute.index import manifest as manifests
from selfroute.index.names import existing

MOST_IDLE = 16
"""Corpora that are kept open while nobody asks them; the longest unasked is closed first."""

AT_ONCE = 16
"""Corpora that are opened at the same time, at most."""

Stamp = tuple[int, int, int]
"""Of a manifest: publishing replaces the file, so another one has another."""


class _Opened:
    def __init__(self, index: Index, stamp: Stamp) -> None:
        self.index = index
        self.stamp = stamp
        self.users = 0


class Shelf:
    """Opens corpora made with `embedder` under `home`. Safe to use from several threads."""

    def __init__(self, home: Path, embedder: str) -> None:
        self._home = home
        self._embedder = embedder
        self._lock = threading.Lock()
        self._opening = [threading.Lock() for _ in range(AT_ONCE)]
        self._kept: OrderedDict[str, _Opened] = OrderedDict()
        self._used: dict[int, _Opened] = {}

    def take(self, name: str) -> Index:
        """The published generation, for one user, who gives it back. Raises what `open_index` raises."""
        with self._opening[hash(name) % AT_ONCE]:  # many ask at once for what takes long to open once
            stamp = _stamp(existing(self._home, name))
            with self._lock:
                kept = self._kept.get(name)
                if kept is not None and kept.stamp == stamp is not None:
                    return self._lend(name, kept)
            index = open_index(self._home, name, self._embedder)
            # A stamp from before it was opened: published in between, it is opened once more, and never kept too long.
            opened = _Opened(index, stamp or (0, 0, 0))
            with self._lock:
                old = self._kept.pop(name, None)
                self._kept[name] = opened
                self._lend(name, opened)
                closing = old if old is not None and not old.users else None
            if closing is not None:
                closing.index.close()
            return index

    def give(self, index: Index) -> None:
        """Ends one use of what was taken."""
        with self._lock:
            opened = self._used[id(index)]
            opened.users -= 1
            if not opened.users:
                del self._used[id(index)]
            closing = [opened] if not opened.users and opened not in self._kept.values() else []
            idle = [name for name, one in self._kept.items() if not one.users]
            closing += [self._kept.pop(name) for name in idle[: max(len(idle) - MOST_IDLE, 0)]]
        for one in closing:
            one.index.close()

    def close(self) -> None:
        """Closes what nobody uses; the rest is closed as it is given back."""
        with self._lock:
            closing = [one for one in self._kept.values() if not one.users]
            self._kept.clear()
        for one in closing:
            one.index.close()

    def _lend(self, name: str, opened: _Opened) -> Index:
        self._kept.move_to_end(name)
        opened.users += 1
        self._used[id(opened.index)] = opened
        return opened.index


def _stamp(folder: Path) -> Stamp | None:
    try:
        found = os.stat(folder / manifests.NAME)
    except OSError:  # what is wrong is told by opening it
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
