"""Finds the parts of a Word file: by the relationships between them, by their content types, and where a program has
left those out, by the names that Word gives them."""

from __future__ import annotations

import re
from functools import cached_property
from posixpath import basename, dirname, splitext

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats import packages
from selfroute.ingest.formats.packages import Link, named

MAIN = "word/document.xml"
TYPES = "[Content_Types].xml"


class Package(packages.Package):
    """The parts of one Word file by what they are; relationships that are missing or broken do not matter."""

    @cached_property
    def main(self) -> str:
        """The name of the part that holds the text, whether it is there or not."""
        names = sorted(self.archive.names)
        typed = [name for name in names if self.type_of(name).endswith(".main+xml")]
        usual = self.archive.named(MAIN)
        others = [name for name in names if re.fullmatch(r"(\w+[/\\])?document\d*\.xml", name, re.IGNORECASE)]
        return next(iter((*self.linked("", "officeDocument"), *typed, *([usual] if usual else ()), *others)), MAIN)

    @cached_property
    def folder(self) -> str:
        return dirname(self.main)

    def parts(self, kind: str) -> list[str]:
        """The parts of a kind (`footnotes`, `header`): those that the text is related to, those of that content type
        beside it, and those that are named so."""
        beside = sorted((name for name in self.archive.names if self._beside(name)), key=_natural)
        typed = [name for name in beside if self.type_of(name).endswith(f".{kind.lower()}+xml")]
        usual = [name for name in beside if re.fullmatch(rf"{kind}\d*\.xml", basename(name), re.IGNORECASE)]
        return list(dict.fromkeys((*self.linked(self.main, kind), *typed, *usual)))

    def below(self, pattern: str) -> list[str]:
        """The parts below the folder of the text whose names there match, in their order."""
        start = f"{self.folder}/" if self.folder else ""
        names = sorted((name for name in self.archive.names if name.startswith(start)), key=_natural)
        return [name for name in names if re.fullmatch(pattern, name[len(start) :], re.IGNORECASE)]

    def type_of(self, name: str) -> str:
        """The content type of a part, in lower case."""
        key = "/" + name.casefold()
        return self._types.get(key) or self._types.get(splitext(key)[1].removeprefix("."), "")

    @cached_property
    def _types(self) -> dict[str, str]:
        try:
            elements = list(named(self.tree(TYPES), "Override", "Default"))
        except UnreadableFile:
            elements = []
        return {
            (e.get("PartName") or e.get("Extension") or "").casefold(): e.get("ContentType", "").lower()
            for e in elements
        }

    def _links_of(self, part: str) -> list[Link]:
        try:
            return [link for link in super()._links_of(part) if self.has(link.target)]
        except UnreadableFile:
            return []  # the parts are found by their types and names

    def _beside(self, name: str) -> bool:
        return dirname(name.replace("\\", "/").lstrip("/")).casefold() == self.folder.casefold()


def _natural(name: str) -> list[tuple[int, str]]:
    """header2.xml before header10.xml."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d{1,9})", name)]
