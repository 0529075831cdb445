"""Benchmarks as samples: LongBench v1 (and its -E split), LongBench v2, InfiniteBench, and files shaped like them.

    for sample in open_samples("qasper", folder=Path("data")):
        if isinstance(sample, Malformed):
            print(sample.place, sample.reason)

Rows are streamed, so a file may be larger than memory. Knows nothing of readers, policies or scores.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from selfroute.errors import UnknownDataset, UnreadableFile
from selfroute.evaluation.datasets import files, hub
from selfroute.evaluation.datasets.official import Official, read_official
from selfroute.evaluation.datasets.records import Fault, Sample, sample
from selfroute.evaluation.datasets.rows import Place
from selfroute.evaluation.datasets.tasks import DATASETS, Known, base_name, length_bucket

__all__ = ["DATASETS", "Malformed", "Sample", "base_name", "length_bucket", "open_samples"]


@dataclass(frozen=True, slots=True)
class Malformed:
    """A row that is no sample. `place` is `file:line`, `file:member:line` in a zip, and `file[row]`, counted from
    0, in a JSON array or a parquet table; `reason` is a clause whose subject is the row."""

    place: str
    reason: str


def open_samples(
    source: str | Path,
    *,
    longbench: Path | None = None,
    folder: Path | None = None,
    where: hub.Hub = hub.HUB,
) -> Iterator[Sample | Malformed]:
    """The samples of a file, of every member of a zip, or of a dataset by its name, and the rows that are none.

    A name is looked for in `folder`, then fetched from `where`. A string is a path if it has a separator or the
    suffix of a format, or if there is such a file. With `longbench`, a LongBench checkout or a folder of its two
    tables, the tasks of LongBench have the official prompts and limits.

    Raises `UnreadableFile`, `UnknownDataset` or `MissingExtra` at once for what cannot be opened, and
    `UnreadableFile` after the last readable row of a file that is damaged or cut off.
    """
    official = read_official(longbench) if longbench is not None else None
    found = files.parts(Path(source)) if _is_path(source) else [_by_name(str(source), folder, where)]
    return _samples(found, official)


def _is_path(source: str | Path) -> bool:
    if isinstance(source, Path):
        return True
    return os.sep in source or "/" in source or files.has_suffix(source) or Path(source).is_file()


def _by_name(name: str, folder: Path | None, where: hub.Hub) -> files.Part:
    if folder is not None:
        if not folder.is_dir():
            raise UnreadableFile(folder, "there is no such folder")
        part = files.find(name, folder)
        if part is not None:
            return part
    if name not in hub.NAMES:
        raise UnknownDataset(name, hub.NAMES | (files.names(folder) if folder is not None else set()))
    return where.part(name)


def _samples(parts: Sequence[files.Part], official: Official | None) -> Iterator[Sample | Malformed]:
    known: dict[str, Known | None] = {}

    def lookup(name: str) -> Known | None:
        if name not in known:
            one = DATASETS.get(name)
            known[name] = replace(one, task=official.applied(one.task)) if one and official else one
        return known[name]

    seen = _Seen()
    for part in parts:
        for row in files.read(part):
            try:
                if row.fault is not None:
                    raise Fault(row.fault)
                made = sample(row.value, part.stem, f"{part.stem}-{row.place.number}", lookup)
                seen.require_new(made, row.place)
            except Fault as fault:
                yield Malformed(str(row.place), str(fault))
            else:
                yield made


@dataclass(frozen=True, slots=True)
class _Seen:
    """What must not come twice: an id within a dataset (the second would be lost on resuming), a document's id
    with another context (a question would be asked about the wrong one). No text is kept."""

    ids: dict[tuple[str, str], Place] = field(default_factory=dict)
    documents: dict[tuple[str, str], tuple[int, Place]] = field(default_factory=dict)

    def require_new(self, made: Sample, place: Place) -> None:
        """Raises `Fault`."""
        before = self.ids.setdefault((made.dataset, made.id), place)
        if before is not place:
            raise Fault(f"its id {made.id!r} was used at {before.mark} of {before.file}")
        text, first = self.documents.setdefault((made.dataset, made.doc_id), (hash(made.context), place))
        if text != hash(made.context):
            raise Fault(f"its doc_id {made.doc_id!r} stands for another context at {first.mark} of {first.file}")
