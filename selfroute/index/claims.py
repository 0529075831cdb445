"""Finds the stored documents that one read now stands for or takes the place of, by its id in any form of Unicode.

Ids have been composed (NFC) since names are one in whichever form; those that were stored before may have another form.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from selfroute.index.freshness import file_of
from selfroute.index.store import Entry
from selfroute.ingest.finder import one_name
from selfroute.types import Document


@dataclass(frozen=True, slots=True)
class Claim:
    """Describes what is stored of a document: as `held`, and as `others` under other forms of its id, which go when it
    is in the corpus. If it is refused, `reason` says why, and they stay."""

    held: Entry | None = None
    others: tuple[Entry, ...] = ()
    reason: str | None = None


class Claims:
    """Documents against those that were stored before the run."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = entries
        self._otherwise: dict[str, list[Entry]] = {}  # whose ids are not composed
        for entry in entries.values():
            if one_name(entry.id) != entry.id:
                self._otherwise.setdefault(one_name(entry.id), []).append(entry)

    def of(self, document: Document, seen: Entry | None) -> Claim:
        """`seen` is what has this id of what this run has read before. Two different texts under one id would overwrite
        each other in turn: the second is refused."""
        id_, hash_, source = document.id, document.content_hash, document.source
        exact, otherwise = self._entries.get(id_), self._otherwise.get(id_, [])
        same = [entry for entry in otherwise if entry.hash == hash_ and not still_there(entry.source, source)]
        placed = [entry for entry in otherwise if entry.source == source and entry.hash != hash_]
        own = (*same, *placed)
        # What stood in a line may stand in another now.
        gone = tuple(same) if file_of(source) != source else own
        another = f"its id {id_!r} is that of another text, %s: give it another id or name"
        belongs = f"its id {id_!r} belongs to %s: index the folder above both, or another corpus"
        if seen is not None:
            if seen.hash != hash_:
                return Claim(None, own, another % seen.source)
            return Claim(None, tuple(entry for entry in gone if entry.id != seen.id))
        if exact is not None:
            if exact.hash != hash_ and own:
                return Claim(exact, own, another % exact.source)
            if exact.hash != hash_ and still_there(exact.source, source):
                return Claim(exact, (), belongs % exact.source)
            return Claim(exact, gone)
        if own:
            return Claim(own[0], gone or own[:1])
        there = [entry for entry in otherwise if still_there(entry.source, source)]
        for entry in there:
            if entry.hash != hash_:
                return Claim(entry, (), belongs % entry.source)
        if there:
            return Claim(there[0])
        return Claim(otherwise[0], tuple(otherwise[:1])) if otherwise else Claim()


def still_there(old: str, new: str) -> bool:
    """Tell whether the old source is another file that still exists (a line of a jsonl file is found by its file)."""
    old, new = file_of(old), file_of(new)
    if old == new or not os.path.exists(old):
        return False
    # Some file systems find a file by its name in any form.
    return one_name(old) != one_name(new) or not (os.path.exists(new) and os.path.samefile(old, new))
