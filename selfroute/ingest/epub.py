"""EPUB books: their chapters in the order of the spine, each read as HTML.

On zipfile and expat, of the standard library: the one library for it that is well known is under the AGPL.
"""

from __future__ import annotations

from pathlib import Path
from posixpath import dirname, join, normpath
from urllib.parse import unquote
from xml.etree import ElementTree

from selfroute.errors import UnreadableFile
from selfroute.ingest import html
from selfroute.ingest.archives import Archive, opened
from selfroute.ingest.texts import Text

CONTAINER = "META-INF/container.xml"
ENCRYPTION = "META-INF/encryption.xml"


def read(path: Path) -> Text:
    with opened(path) as archive:
        package = next(
            (e.get("full-path", "") for e in _tree(archive, CONTAINER, path).iter() if _is(e, "rootfile")), ""
        )
        book = _tree(archive, package, path)
        items = {e.get("id"): e for e in book.iter() if _is(e, "item")}
        spine = [items.get(e.get("idref")) for e in book.iter() if _is(e, "itemref")]
        locked = _encrypted(archive, path)
        chapters = []
        for item in spine:
            if item is None or "html" not in item.get("media-type", "") or "nav" in item.get("properties", "").split():
                continue  # the table of contents is navigation
            name = normpath(join(dirname(package), unquote(item.get("href", ""))))
            if name in locked:
                raise UnreadableFile(path, "is encrypted (DRM): only its reading program can open it")
            chapters.append(html.text_of(archive.part(name), path, xml=True))
    if not chapters:
        raise UnreadableFile(path, "is broken: its spine names no chapter")
    return Text("\n\n".join(text for text in chapters if text))


def _tree(archive: Archive, name: str, path: Path) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(archive.part(name))
    except ElementTree.ParseError as error:
        raise UnreadableFile(path, f"is broken: {name} is no XML ({error})") from error


def _encrypted(archive: Archive, path: Path) -> set[str]:
    """Parts that cannot be read; fonts may be among them without harm."""
    if ENCRYPTION not in archive.names:
        return set()
    return {unquote(e.get("URI", "")) for e in _tree(archive, ENCRYPTION, path).iter() if _is(e, "CipherReference")}


def _is(element: ElementTree.Element, name: str) -> bool:
    return element.tag.rpartition("}")[2] == name
