"""Footnotes, endnotes and comments of a Word file, and the marks that tie them to their places."""

from __future__ import annotations

import re
from collections.abc import Mapping

from selfroute.ingest.formats.docx.lines import Lines
from selfroute.ingest.formats.docx.numbering import shown
from selfroute.ingest.formats.packages import number

KINDS = ("footnote", "endnote", "comment")


class Notes:
    """The notes of a file. Those that are referred to are numbered in the order of the text, as Word does; those that
    the text refers to nowhere stand at the end without a number."""

    def __init__(self, ways: Mapping[str, tuple[str, int]]) -> None:
        self._ways = ways
        self._notes: dict[tuple[str, str], tuple[str, str]] = {}
        self._labels: dict[tuple[str, str], str] = {}
        self._deleted: set[tuple[str, str]] = set()
        self._counts = dict.fromkeys(KINDS, 0)

    def add(self, kind: str, notes: Mapping[str, tuple[str, Lines]]) -> None:
        """Takes in the notes of a kind: their authors and lines by their ids."""
        for name, (author, lines) in notes.items():
            text = lines.text(headings=False)
            if text:
                self._notes.setdefault((kind, name), (author, text))

    def label(self, kind: str, name: str, own: str = "") -> str | None:
        """The mark at a note's place; `own` is one that the text gives itself. None if there is no such note."""
        key = kind, name
        if key not in self._notes:
            return None
        if key not in self._labels:
            self._labels[key] = own or self._next(kind)
        return self._labels[key]

    def forget(self, kind: str, name: str) -> None:
        """A reference was deleted, and its note with it."""
        self._deleted.add((kind, name))

    def texts(self) -> list[str]:
        """All notes with their marks, those of a kind together."""
        made = []
        for kind in KINDS:
            marked = [key for key in self._labels if key[0] == kind]
            others = [k for k in self._notes if k[0] == kind and k not in self._labels and k not in self._deleted]
            made += [self._text(key) for key in (*marked, *others)]
        return made

    def _text(self, key: tuple[str, str]) -> str:
        author, text = self._notes[key]
        label = self._labels.get(key, "comment" if key[0] == "comment" else "")
        if label and text.startswith(label) and not label[-1:].isalnum():
            text = text[len(label) :].lstrip()  # a mark of its own stands there too
        return "".join((f"[{label}] " if label else "", f"{author}: " if author else "", text))

    def _next(self, kind: str) -> str:
        self._counts[kind] += 1
        if kind == "comment":
            return f"comment {self._counts[kind]}"
        default = "lowerRoman" if kind == "endnote" and self._has("footnote") else "decimal"
        way, start = self._ways.get(kind, ("", 1))
        label = shown(self._counts[kind] + start - 1, way or default)
        taken = (
            any(other == label and key[0] != kind for key, other in self._labels.items()) if kind == "endnote" else 0
        )
        return f"{kind} {label}" if taken else label

    def _has(self, kind: str) -> bool:
        return any(key[0] == kind for key in self._notes)


def ways(*parts: bytes) -> dict[str, tuple[str, int]]:
    """Tell how footnotes and endnotes are numbered, and from which number on, as the first part that says so has it."""
    found: dict[str, tuple[str, int]] = {}
    for data in parts:
        for kind, inside in re.findall(rb"<\w+:(footnote|endnote)Pr>(.{1,1000}?)</\w+:\1Pr>", data, re.DOTALL):
            way = re.search(rb'numFmt\b[^>]*?val="(\w+)"', inside)
            start = re.search(rb'numStart\b[^>]*?val="(\d+)"', inside)
            if way or start:
                made = way[1].decode() if way else "", number(start[1].decode(), 1) if start else 1
                found.setdefault(kind.decode(), made)
    return found
