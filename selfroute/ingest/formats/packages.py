"""Office files (docx, xlsx, pptx) as parts that name each other: which part is the main one, and what a part refers to;
and the elements of a part, by their names without namespaces, of which there are two (ISO's strict one).

Knows nothing of what is in them. OpenDocument shares the elements.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from posixpath import basename, dirname, join, normpath
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.archives import Archive, opened

Element = ElementTree.Element
MOST_IN_A_TREE = 64 * 2**20
"""Bytes of a part that is read as a whole: a tree takes many times as much."""

OFF = ("0", "false", "off", "none")


@dataclass(frozen=True, slots=True)
class Link:
    """Describes what a part refers to: `kind` is the last word of the relationship's type, such as `worksheet`."""

    id: str
    kind: str
    target: str


class Package:
    """The parts of an opened office file. Names are found however their letters and slashes are written."""

    def __init__(self, archive: Archive, path: Path) -> None:
        self.archive = archive
        self.path = path
        self._links: dict[str, list[Link]] = {}

    @cached_property
    def main(self) -> str:
        """The part from which all others are reached. Raises `UnreadableFile` if there is none."""
        found = next((link.target for link in self.links("") if link.kind == "officeDocument"), None)
        if found is None:
            raise UnreadableFile(self.path, "is broken: it does not say which part is its main one")
        return found

    def links(self, part: str) -> list[Link]:
        """Return what `part` refers to within the file, in its order."""
        if part not in self._links:
            self._links[part] = self._links_of(part)
        return self._links[part]

    def linked(self, part: str, kind: str) -> list[str]:
        """The parts of this kind that `part` refers to and that there are."""
        return [link.target for link in self.links(part) if link.kind.lower() == kind.lower() and self.has(link.target)]

    def has(self, name: str) -> bool:
        return self.archive.named(name) is not None

    def tree(self, name: str) -> Element:
        """A part as a tree. Raises `UnreadableFile` if it is missing, too large or no XML."""
        return tree(self.data(name), name, self.path)

    def stream(self, name: str, target: Any) -> None:
        """Hands a part to `target` as a stream of elements: for parts of which no tree should be built."""
        parsed(self.data(name), name, self.path, target)

    def data(self, name: str) -> bytes:
        return self.archive.part(self.archive.named(name) or name)

    def _links_of(self, part: str) -> list[Link]:
        name = self.archive.named(join(dirname(part), "_rels", f"{basename(part)}.rels"))
        return [
            Link(e.get("Id", ""), e.get("Type", "").rpartition("/")[2], self._target(part, e.get("Target", "")))
            for e in (named(self.tree(name), "Relationship") if name else ())
            if e.get("TargetMode") != "External"
        ]

    def _target(self, part: str, target: str) -> str:
        """The part that a relationship of `part` means: seen from its folder, or else from the archive's root."""
        plain = unquote(target.replace("\\", "/"))
        full = normpath(join("/", dirname(part), plain)).lstrip("/")
        return self.archive.named(full) or self.archive.named(normpath(plain.lstrip("/"))) or full


@contextmanager
def package(path: Path) -> Iterator[Package]:
    """Opens an office file. Raises `UnreadableFile`."""
    with opened(path) as archive:
        yield Package(archive, path)


def tree(data: bytes, name: str, path: Path) -> Element:
    """The XML of a part. Raises `UnreadableFile` if it is none or too large."""
    if len(data) > MOST_IN_A_TREE:
        raise UnreadableFile(path, f"is too large: {name} holds more than {MOST_IN_A_TREE // 2**20} MB of XML")
    made: Element = parsed(data, name, path, ElementTree.TreeBuilder())
    return made


def parsed(data: bytes, name: str, path: Path, target: Any) -> Any:
    """Return what `target` makes of the elements of a part. Those that declare entities or attributes are refused:
    parts never do, and a short one could stand for a text without end."""

    may_declare = any(sign in data for sign in (b"<!ENTITY", b"<!ATTLIST", b"\0"))  # it is in UTF-16
    try:
        parser = ElementTree.XMLParser(target=_guarded(target, name, path) if may_declare else target)
        parser.feed(data)
        return parser.close()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise UnreadableFile(path, f"is broken: {name} is no XML ({error})") from error


def _guarded(target: Any, part: str, path: Path) -> Any:
    class Guarded:
        start, end, data, close = target.start, target.end, target.data, target.close

        @staticmethod
        def doctype(*_: object) -> None:
            raise UnreadableFile(path, f"is broken: {part} declares a type of its own, which no program writes")

    return Guarded


def local(element: Element | str) -> str:
    """The name of an element or attribute without its namespace."""
    name = element if isinstance(element, str) else element.tag
    return name.rpartition("}")[2]


def value(of: Element | dict[str, str], name: str = "val", default: str = "") -> str:
    """An attribute in whatever namespace."""
    end = "}" + name
    for key, text in (of if isinstance(of, dict) else of.attrib).items():
        if key == name or key.endswith(end):
            return text
    return default


def number(text: str, otherwise: int = 0) -> int:
    """A whole number of an attribute; `otherwise` if it is none."""
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text.strip()) else otherwise


def switched(of: Element | dict[str, str], name: str = "val", default: str = "") -> bool:
    """Tell whether a property is on: `<w:strike/>`, not `<w:strike w:val="0"/>`. One that is off where it is not given
    has the default `0`."""
    return value(of, name, default).lower() not in OFF


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
