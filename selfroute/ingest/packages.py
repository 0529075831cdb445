"""Office files (xlsx, pptx) as parts that name each other: which part is the main one, and what a part refers to.

Parts are found by their relationships and never by their usual names. Knows nothing of what is in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from posixpath import basename, dirname, join, normpath
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

from selfroute.errors import UnreadableFile
from selfroute.ingest.archives import Archive, opened

Element = ElementTree.Element
MOST_IN_A_TREE = 64 * 2**20
"""Bytes of a part that is read as a whole: a tree takes many times as much."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a part refers to: `kind` is the last word of the relationship's type, such as `worksheet`."""

    id: str
    kind: str
    target: str


class Package:
    """The parts of an opened office file."""

    def __init__(self, archive: Archive, path: Path) -> None:
        self._archive = archive
        self._path = path
        self._names = {name.lower(): name for name in archive.names}

    @property
    def main(self) -> str:
        """The part from which all others are reached. Raises `UnreadableFile` if there is none."""
        found = next((link.target for link in self.links("") if link.kind == "officeDocument"), None)
        if found is None:
            raise UnreadableFile(self._path, "is broken: it does not say which part is its main one")
        return found

    def links(self, part: str) -> list[Link]:
        """What `part` refers to within the file, in its order."""
        name = join(dirname(part), "_rels", f"{basename(part)}.rels")
        if name.lower() not in self._names:
            return []
        return [
            Link(e.get("Id", ""), e.get("Type", "").rpartition("/")[2], self._target(part, e.get("Target", "")))
            for e in self.tree(name)
            if local(e) == "Relationship" and e.get("TargetMode") != "External"
        ]

    def linked(self, part: str, kind: str) -> list[str]:
        """The parts of this kind that `part` refers to and that there are."""
        return [link.target for link in self.links(part) if link.kind == kind and self.has(link.target)]

    def has(self, name: str) -> bool:
        return name.lower() in self._names

    def tree(self, name: str) -> Element:
        """A part as a tree. Raises `UnreadableFile` if it is missing or no XML."""
        return tree(self.data(name), name, self._path)

    def stream(self, name: str, target: Any) -> None:
        """Hands a part to `target` as a stream of elements: for parts of which no tree should be built."""
        parsed(self.data(name), name, self._path, target)

    def data(self, name: str) -> bytes:
        return self._archive.part(self._names.get(name.lower(), name))

    def _target(self, part: str, target: str) -> str:
        return normpath(join("/", dirname(part), unquote(target))).lstrip("/")


@contextmanager
def package(path: Path) -> Iterator[Package]:
    """Opens an office file. Raises `UnreadableFile`."""
    with opened(path) as archive:
        yield Package(archive, path)


def tree(data: bytes, name: str, path: Path) -> Element:
    """The XML of a part. Raises `UnreadableFile` if it is none or too large."""
    if len(data) > MOST_IN_A_TREE:
        raise UnreadableFile(path, f"holds more than {MOST_IN_A_TREE // 2**20} MB of XML in {name}: it is not read")
    builder = ElementTree.TreeBuilder()
    parsed(data, name, path, builder)
    made = builder.close()
    if made is None:
        raise UnreadableFile(path, f"is broken: {name} is no XML")
    return made


def parsed(data: bytes, name: str, path: Path, target: Any) -> None:
    """Parses a part with a target of its own. Parts never declare entities: those that do are refused."""

    class Guarded:
        start, end, data, close = target.start, target.end, target.data, staticmethod(lambda: None)

        @staticmethod
        def doctype(*_: object) -> None:
            raise UnreadableFile(path, f"is broken: {name} declares a type of its own, which no program writes")

    try:
        parser = ElementTree.XMLParser(target=Guarded)
        parser.feed(data)
        parser.close()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise UnreadableFile(path, f"is broken: {name} is no XML ({error})") from error


def local(element: Element | str) -> str:
    """The name of an element or attribute without its namespace: there are two of each (ISO's strict one)."""
    name = element if isinstance(element, str) else element.tag
    return name.rpartition("}")[2]


def value(element: Element, name: str, default: str = "") -> str:
    """An attribute in whatever namespace."""
    return next((text for key, text in element.attrib.items() if local(key) == name), default)


def children(element: Element | None, *names: str) -> list[Element]:
    return [] if element is None else [child for child in element if local(child) in names]


def child(element: Element | None, *path: str) -> Element | None:
    """The first element down this path of names."""
    for name in path:
        element = next(iter(children(element, name)), None)
        if element is None:
            return None
    return element


def named(element: Element, *names: str) -> Iterator[Element]:
    """All elements below of these names, in their order."""
    return (one for one in element.iter() if local(one) in names)
