"""What a run will ask: all questions of its datasets, grouped by document, with the documents' text on disk.

Datasets may be larger than memory: each text is spooled once to a file that no name leads to, so that it goes
with the process however that ends. Rows that are no samples are kept with their place. Knows nothing of readers.
"""

from __future__ import annotations

import errno
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from selfroute.evaluation.datasets import Malformed, Sample
from selfroute.evaluation.lines import unwritable


@dataclass(frozen=True, slots=True)
class Group:
    """Questions about one document: `samples` come without their context, which `Plan.context` gives."""

    doc_id: str
    samples: tuple[Sample, ...]
    start: int
    size: int


class Plan:
    """Built once by `gather`; groups stand in the order in which their documents first appear."""

    def __init__(self, folder: Path) -> None:
        """`folder` is where the texts are spooled. Raises `HomeNotWritable`."""
        self._folder = folder
        self.malformed: list[Malformed] = []
        self.places: dict[tuple[str, str], int] = {}
        """(dataset, id) -> in which place it was taken"""
        self.asked: dict[tuple[str, str], str] = {}
        """(dataset, id) -> hash over all that is asked and expected: another hash is another question"""
        try:
            # Unbuffered, so that a full disk is met when a text is written and not when the file is closed.
            self._spool: IO[bytes] = TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 (closed with the plan)
        except OSError as error:
            raise unwritable(folder, error) from error
        self._stretches: dict[tuple[str, str], tuple[int, int]] = {}
        self._samples: dict[tuple[str, str], list[Sample]] = {}

    def add(
        self,
        items: Iterable[Sample | Malformed],
        limit: int | None = None,
        several: bool = False,
        spread: Callable[[Sample], Iterable[Sample]] = lambda sample: (sample,),
    ) -> None:
        """Takes samples until there are `limit` of them, or of each dataset where there are `several`; what is
        malformed does not count. `spread` gives the samples that are asked for each one taken."""
        taken: Counter[str] = Counter()
        for item in items:
            if isinstance(item, Malformed):
                self.malformed.append(item)
            elif limit is None or taken[item.dataset if several else ""] < limit:
                taken[item.dataset if several else ""] += sum(map(self._take, spread(item))) > 0
            if limit is not None and not several and taken[""] == limit:
                return

    def _take(self, sample: Sample) -> bool:
        name = (sample.dataset, sample.id)
        if name in self.places:
            self.malformed.append(
                Malformed(f"{sample.dataset}: {sample.id}", "this id was used before in this dataset: give it another")
            )
            return False
        self.places[name] = len(self.places)
        content = sample.context.encode("utf-8", "surrogatepass")
        key = (sample.doc_id, sha256(content).hexdigest())
        if key not in self._stretches:
            self._stretches[key] = (self._spooled(content), len(content))
        self.asked[name] = asked_hash(replace(sample, context=key[1]))
        self._samples.setdefault(key, []).append(replace(sample, context=""))
        return True

    def _spooled(self, content: bytes) -> int:
        """Where the text begins in the spool. Raises `HomeNotWritable`."""
        start = self._spool.seek(0, os.SEEK_END)
        try:
            if self._spool.write(content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise unwritable(self._folder, error) from error
        return start

    def groups(self) -> Iterator[Group]:
        for key, (start, size) in self._stretches.items():
            yield Group(key[0], tuple(self._samples[key]), start, size)

    def context(self, group: Group) -> str:
        self._spool.seek(group.start)
        return self._spool.read(group.size).decode("utf-8", "surrogatepass")

    def __len__(self) -> int:
        return len(self.places)

    def close(self) -> None:
        self._spool.close()


def asked_hash(sample: Sample) -> str:
    """Over all that is asked and expected; `context` must be the hex SHA-256 of the document's text."""
    return sha256(json.dumps(asdict(sample)).encode()).hexdigest()[:16]
