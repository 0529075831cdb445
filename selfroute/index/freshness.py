"""Tells which documents of a corpus may be read differently, or would be split so, and the files to read them from
again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from selfroute.index.store import Entry, Kept
from selfroute.ingest import loaders
from selfroute.ingest.finder import File, one_name


@dataclass(frozen=True, slots=True)
class Outdated:
    """Ids of documents: `read` by an earlier version of their loader (or without OCR, where it is on now), and of those
    the ones that are `lost`: whose files are not there any more; `split` by another rule."""

    read: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    split: tuple[str, ...] = ()


def outdated(entries: Iterable[Entry], kept: Mapping[str, Kept], chunking: str, ocr: bool = False) -> Outdated:
    """`kept` are the files that are known, by path; `chunking` is the rule of now. A document whose file is not known
    (it was moved, or not all of it could be read) was read by nobody knows which version, and is not named."""
    read, lost, split = [], [], []
    for entry in entries:
        path = file_of(entry.source)
        known = kept.get(path)
        if known is not None and known.hash.partition(":")[0] != loaders.version(Path(path), ocr):
            read.append(entry.id)
            if not os.path.isfile(path):
                lost.append(entry.id)
        if entry.chunking != chunking:
            split.append(entry.id)
    return Outdated(tuple(read), tuple(lost), tuple(split))


def files_of(entries: Iterable[Entry], kept: Mapping[str, Kept]) -> tuple[list[File], list[Entry]]:
    """The files that documents came from, each with the id its document had, and the documents whose files are not
    there."""
    files: dict[str, File] = {}
    lost = []
    for entry in entries:
        path = file_of(entry.source)
        if not os.path.isfile(path):
            lost.append(entry)
        elif path not in files:
            known = kept.get(path)
            line = entry.id.rpartition(":")[0] if path != entry.source else ""
            files[path] = File(Path(path), one_name(known.name if known else line or entry.id))
    return list(files.values()), lost


def file_of(source: str) -> str:
    """The file of a document's source, which for a document of a jsonl file is a line of it."""
    head, _, line = source.rpartition(":")
    return head if head.endswith(".jsonl") and line.isdigit() else source
