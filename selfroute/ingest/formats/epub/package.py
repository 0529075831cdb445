"""Reads what an EPUB says of itself: its chapters in their order, its title and its style sheets.

Books whose names differ from those of the archive (in case, in composition, by escapes) are read as readers do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from posixpath import basename, dirname, join, normpath
from unicodedata import normalize
from urllib.parse import unquote
from xml.etree import ElementTree

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.archives import Archive

CONTAINER = "META-INF/container.xml"
ENCRYPTION = "META-INF/encryption.xml"
PAGES = re.compile(r"\.(?:x?html?|xht|xml)$", re.IGNORECASE)
PAGE_TYPES = re.compile(r"html|x-oeb1-document|dtbook", re.IGNORECASE)
IMAGE_TYPES = re.compile(r"^image/", re.IGNORECASE)
NOT_PAGES = re.compile(r"^image/|^text/css|^font/|^audio/|^video/|ncx|javascript|smil", re.IGNORECASE)
COVER = re.compile(r"(?:^|[/_.-])(?:front-?|back-?|inner-?)?cover(?:-?page|-?image|s)?(?=$|[/_.-])", re.IGNORECASE)
NO_TITLES = {"unknown", "untitled", "untitled document", "[no title]", "no title", "title"}
AMPERSANDS = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});)")
MOST_FALLBACKS = 10


@dataclass(frozen=True, slots=True)
class Chapter:
    """One entry of the spine."""

    name: str
    """As the book writes it, from the archive's root."""

    part: str | None
    """The archive's entry; None if there is none."""

    is_contents: bool = False
    is_cover: bool = False
    is_locked: bool = False
    is_image: bool = False


@dataclass(frozen=True, slots=True)
class Package:
    """A book."""

    chapters: tuple[Chapter, ...]
    title: str = ""
    styles: tuple[str, ...] = ()
    """Archive's entries of style sheets."""


class _Names:
    """The entries of an archive, found by names that are nearly theirs."""

    def __init__(self, archive: Archive) -> None:
        self._names = archive.names
        self._alike: dict[str, str] = {}
        self._bare: dict[str, list[str]] = {}
        for name in sorted(archive.names):
            self._alike.setdefault(_folded(name), name)
            self._bare.setdefault(basename(_folded(name)), []).append(name)
            if not name.isascii() and (meant := _meant(name)) is not None:
                self._alike.setdefault(_folded(meant), name)

    def found(self, folder: str, href: str) -> str | None:
        """The entry that `href`, seen from `folder`, means."""
        plain = href.partition("#")[0].strip()
        for wanted in (plain, unquote(plain)):
            for name in (_path(folder, wanted), _path("", wanted)):
                if name in self._names:
                    return name
                if (alike := self._alike.get(_folded(name))) is not None:
                    return alike
        same = self._bare.get(basename(_folded(unquote(plain))), [])
        return same[0] if len(same) == 1 and plain else None


def packaged(archive: Archive, path: Path) -> Package:
    """Reads what the book says of itself. Raises `UnreadableFile` if that names no chapters."""
    names = _Names(archive)
    at = _package_part(archive, names, path)
    book = _tree(archive, at, path)
    folder = dirname(at.replace("\\", "/"))
    items = [element for element in book.iter() if _is(element, "item")]
    by_id = {element.get("id", ""): element for element in items}
    covers = {
        unquote(element.get("href", "")).partition("#")[0]
        for element in book.iter()
        if _is(element, "reference") and "cover" in element.get("type", "").lower()
    }
    locked = _encrypted(archive, names, path)
    chapters: list[Chapter] = []
    seen: set[str | None] = set()
    for element in _spine(book, items, by_id):
        if isinstance(element, str):
            chapters.append(Chapter(element, None))
            continue
        href = element.get("href", "")
        part = names.found(folder, href)
        if part is not None and part in seen:  # listed once for each of its headings
            continue
        seen.add(part)
        properties = element.get("properties", "").split()
        is_cover = (
            unquote(href) in covers
            or bool(COVER.search(unquote(href)) or COVER.search(element.get("id", "")))
            or "cover-image" in properties
        )
        chapters.append(
            Chapter(
                _path(folder, unquote(href)),
                part,
                is_contents="nav" in properties,
                is_cover=is_cover,
                is_locked=part in locked,
                is_image=bool(IMAGE_TYPES.match(element.get("media-type", "")))
                and "svg" not in element.get("media-type", ""),
            )
        )
    if not chapters:
        raise UnreadableFile(path, "is broken: its spine names no chapter")
    styles = [names.found(folder, one.get("href", "")) for one in items if "css" in one.get("media-type", "").lower()]
    return Package(tuple(chapters), _title(book), tuple(filter(None, styles)))


def _spine(
    book: ElementTree.Element, items: list[ElementTree.Element], by_id: Mapping[str, ElementTree.Element]
) -> Iterator[ElementTree.Element | str]:
    """The pages of the spine, or the pages of the list of files where it has none. A name stands for what the list
    has not."""
    references = [element.get("idref", "") for element in book.iter() if _is(element, "itemref")]
    pages = [page for name in references if (page := _page(by_id.get(name), by_id)) is not None]
    if not pages:
        yield from (item for item in items if _is_page(item) and "nav" not in item.get("properties", "").split())
        return
    for name in references:
        if name not in by_id:
            yield f"'{name}'"
        elif (page := _page(by_id[name], by_id)) is not None:
            yield page


def _page(item: ElementTree.Element | None, by_id: Mapping[str, ElementTree.Element]) -> ElementTree.Element | None:
    """An entry of the spine that can be read: itself, or what stands in for it."""
    first = item
    for _ in range(MOST_FALLBACKS):
        if item is None:
            break
        if _is_page(item):
            return item
        item = by_id.get(item.get("fallback", ""))
    return first if first is not None and IMAGE_TYPES.match(first.get("media-type", "")) else None


def _is_page(item: ElementTree.Element) -> bool:
    kind = item.get("media-type", "")
    if PAGE_TYPES.search(kind) or "svg" in kind:
        return True
    return not NOT_PAGES.search(kind) and PAGES.search(unquote(item.get("href", ""))) is not None


def _package_part(archive: Archive, names: _Names, path: Path) -> str:
    """The entry with the list of files: as the container says, or the one that there is."""
    container = names.found("", CONTAINER)
    said = ""
    problem = f"it holds no {CONTAINER}"
    if container is not None:
        try:
            roots = [e for e in ElementTree.fromstring(archive.part(container)).iter() if _is(e, "rootfile")]
            roots.sort(key=lambda e: "package" not in e.get("media-type", "package"))
            said = next((e.get("full-path", "") for e in roots), "")
            problem = f"it holds no {said or 'list of its chapters'}"
        except ElementTree.ParseError as error:
            problem = f"{CONTAINER} is no XML ({error})"
    found = names.found("", said) if said else None
    if found is None:
        found = next((name for name in sorted(archive.names) if name.lower().endswith(".opf")), None)
    if found is None:
        raise UnreadableFile(path, f"is broken: {problem}")
    return found


def _tree(archive: Archive, name: str, path: Path) -> ElementTree.Element:
    data = archive.part(name).lstrip()
    try:
        return ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        try:  # titles hold bare ampersands, and entities of HTML
            return ElementTree.fromstring(AMPERSANDS.sub(b"&amp;", data))
        except ElementTree.ParseError:
            raise UnreadableFile(path, f"is broken: {name} is no XML ({error})") from error


def _encrypted(archive: Archive, names: _Names, path: Path) -> set[str]:
    """Parts that cannot be read; fonts may be among them without harm."""
    if ENCRYPTION not in archive.names:
        return set()
    parts = (e.get("URI", "") for e in _tree(archive, ENCRYPTION, path).iter() if _is(e, "CipherReference"))
    return {part for uri in parts if (part := names.found("", uri)) is not None}


def _title(book: ElementTree.Element) -> str:
    for element in book.iter():
        if _is(element, "title") and (said := " ".join("".join(element.itertext()).split())):
            return "" if said.lower() in NO_TITLES else said[:500]
    return ""


def _path(folder: str, href: str) -> str:
    return normpath(join(folder, href.replace("\\", "/").lstrip("/"))).removeprefix("../")


def _folded(name: str) -> str:
    return normalize("NFC", name.replace("\\", "/")).casefold().removeprefix("./")


def _meant(name: str) -> str | None:
    """A name in UTF-8 that the archive does not say is in it."""
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return None


def _is(element: ElementTree.Element, name: str) -> bool:
    return element.tag.rpartition("}")[2] == name
