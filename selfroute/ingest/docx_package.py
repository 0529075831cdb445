"""Finds the parts of a Word file: by the relationships between them, by their content types, and where a program has
left those out, by the names that Word gives them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from posixpath import basename, dirname, join, normpath, splitext
from urllib.parse import unquote
from xml.etree import ElementTree

from selfroute.errors import UnreadableFile
from selfroute.ingest.archives import Archive

MOST_IN_A_TREE = 24 * 2**20
"""Bytes of a part that is parsed as a whole; the text is parsed as a stream."""

MAIN = "word/document.xml"
TYPES = "[Content_Types].xml"


@dataclass(frozen=True, slots=True)
class Relation:
    """What a part refers to: `kind` is the last word of its type, `target` the name of the other part."""

    id: str
    kind: str
    target: str


class Package:
    """The parts of one Word file by what they are. `main` is the name of the one that holds the text."""

    def __init__(self, archive: Archive, path: Path) -> None:
        self.archive = archive
        self.path = path
        self._types = self._content_types()
        self.main = self._main()
        self.folder = dirname(self.main)
        self.relations = self.relations_of(self.main)

    def relations_of(self, name: str) -> tuple[Relation, ...]:
        """The relationships of a part to others that are there; none if they are missing or broken."""
        own = self.archive.named(join(dirname(name), "_rels", basename(name) + ".rels"))
        return tuple(self._relations(own, dirname(name)) if own else ())

    def parts(self, kind: str, pattern: str = "") -> list[str]:
        """The parts of a kind (`footnotes`, `header`): those that the text is related to, those of that content type
        beside it, and those that are named so (or by `pattern`)."""
        related = [relation.target for relation in self.relations if relation.kind.lower() == kind.lower()]
        beside = sorted((name for name in self.archive.names if self._beside(name)), key=_natural)
        typed = [name for name in beside if self.type_of(name).endswith(f".{kind.lower()}+xml")]
        named = [name for name in beside if re.fullmatch(pattern or rf"{kind}\d*\.xml", basename(name), re.IGNORECASE)]
        return list(dict.fromkeys((*related, *typed, *named)))

    def below(self, pattern: str) -> list[str]:
        """The parts below the folder of the text whose names there match, in their order."""
        start = f"{self.folder}/" if self.folder else ""
        names = sorted((name for name in self.archive.names if name.startswith(start)), key=_natural)
        return [name for name in names if re.fullmatch(pattern, name[len(start) :], re.IGNORECASE)]

    def type_of(self, name: str) -> str:
        """The content type of a part, in lower case."""
        key = "/" + name.casefold()
        return self._types.get(key) or self._types.get(splitext(key)[1].removeprefix("."), "")

    def tree(self, name: str) -> ElementTree.Element:
        """A part that is small enough, as a tree. Raises `UnreadableFile`."""
        data = self.archive.part(name)
        if len(data) > MOST_IN_A_TREE:
            raise UnreadableFile(self.path, f"is broken: {name} is larger than {MOST_IN_A_TREE // 2**20} MB")
        try:
            return ElementTree.fromstring(data)
        except (ElementTree.ParseError, ValueError, LookupError) as error:
            raise UnreadableFile(self.path, f"is broken: {name} is no XML ({error})") from error

    def _beside(self, name: str) -> bool:
        return dirname(name.replace("\\", "/").lstrip("/")).casefold() == self.folder.casefold()

    def _main(self) -> str:
        roots = self.archive.named("_rels/.rels")
        related = self._relations(roots, "") if roots else ()
        mains = [relation.target for relation in related if relation.kind == "officeDocument"]
        typed = [name for name in sorted(self.archive.names) if self.type_of(name).endswith(".main+xml")]
        usual = self.archive.named(MAIN)
        others = [n for n in sorted(self.archive.names) if re.fullmatch(r"(\w+[/\\])?document\d*\.xml", n, re.I)]
        return next(iter((*mains, *typed, *([usual] if usual else ()), *others)), MAIN)

    def _relations(self, name: str, folder: str) -> Iterator[Relation]:
        try:
            tree = self.tree(name)
        except UnreadableFile:
            return  # the parts are found by their types and names
        for element in tree.iter():
            if local(element.tag) != "Relationship" or element.get("TargetMode") == "External":
                continue
            target = unquote(element.get("Target", "").replace("\\", "/"))
            full = normpath(target.lstrip("/") if target.startswith("/") else join(folder, target))
            found = self.archive.named(full) or self.archive.named(normpath(target.lstrip("/")))
            if found:
                yield Relation(element.get("Id", ""), element.get("Type", "").rpartition("/")[2], found)

    def _content_types(self) -> dict[str, str]:
        name = self.archive.named(TYPES)
        try:
            elements = list(self.tree(name).iter()) if name else []
        except UnreadableFile:
            elements = []
        named = (e for e in elements if local(e.tag) in ("Override", "Default"))
        return {
            (e.get("PartName") or e.get("Extension") or "").casefold(): e.get("ContentType", "").lower() for e in named
        }


def stream(data: bytes, name: str, path: Path, target: object) -> None:
    """Hands the elements of a part to `target` one by one. Raises `UnreadableFile`."""
    try:
        parser = ElementTree.XMLParser(target=target)
        parser.feed(data)
        parser.close()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise UnreadableFile(path, f"is broken: {name} is no XML ({error})") from error


def local(name: str) -> str:
    """A name without its namespace: those of the strict form of the format differ."""
    return name.rpartition("}")[2]


def value(attributes: dict[str, str], wanted: str = "val") -> str:
    """An attribute by its name without a namespace, or nothing."""
    for name, text in attributes.items():
        if name == wanted or name.endswith("}" + wanted):
            return text
    return ""


def number(text: str, otherwise: int = 0) -> int:
    """A whole number of an attribute; `otherwise` if it is none."""
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text.strip()) else otherwise


def switched(attributes: dict[str, str]) -> bool:
    """Whether a property that is on where it stands is on: `<w:strike/>`, not `<w:strike w:val="0"/>`."""
    return value(attributes).lower() not in ("0", "false", "off", "none")


def _natural(name: str) -> list[tuple[int, str]]:
    """header2.xml before header10.xml."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d{1,9})", name)]
