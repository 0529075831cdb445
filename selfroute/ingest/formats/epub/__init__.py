"""EPUB books: their chapters in the order of the spine, each read as HTML. A chapter that cannot be read is named, and
the others are read.

On zipfile and expat, of the standard library: the one library for it that is well known is under the AGPL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats import html
from selfroute.ingest.formats.archives import Archive, opened
from selfroute.ingest.formats.epub.package import Chapter, Package, packaged
from selfroute.ingest.formats.texts import Text, images

MOST_NAMED = 5
"""Chapters that a warning names."""

MOST_CSS = 2**20
DRM = "is encrypted (DRM): only its reading program can open it"
WORDS_OF_A_CHAPTER = 60
"""A table of contents that says more than this beside its links is a chapter too."""


@dataclass(frozen=True, slots=True)
class _Read:
    """Describes what came of a chapter: its text, or why there is none."""

    chapter: Chapter
    text: str = ""
    reason: str = ""
    is_picture: bool = False


def read(path: Path) -> Text:
    with opened(path) as archive:
        package = packaged(archive, path)
        css = _styles(archive, package)
        all_read = [_chapter(archive, chapter, path, css) for chapter in package.chapters]
    chapters = [one for one in all_read if not one.chapter.is_contents or _is_chapter(one)]
    if not any(one.text or one.reason or one.is_picture for one in chapters):
        chapters = all_read  # the contents are all that there is
    if not chapters:
        raise UnreadableFile(path, "is broken: its spine names no chapter")
    text = "\n\n".join(one.text for one in chapters if one.text)
    if not text:
        _refuse(chapters, path)
    return _with_warnings(package, chapters, text)


def _is_chapter(contents: _Read) -> bool:
    return len(contents.text.split()) > WORDS_OF_A_CHAPTER


def _with_warnings(package: Package, chapters: list[_Read], text: str) -> Text:
    failed = [one for one in chapters if one.reason]
    pictures = [one for at, one in enumerate(chapters) if one.is_picture and at and not one.chapter.is_cover]
    counted = sum(bool(one.text) for one in chapters) + len(failed) + len(pictures)
    warnings = []
    if failed:
        named = "; ".join(f"{one.chapter.name} {one.reason}" for one in failed[:MOST_NAMED])
        more = f"; and {len(failed) - MOST_NAMED} more" if len(failed) > MOST_NAMED else ""
        warnings.append(f"{len(failed)} of {counted} chapters could not be read: {named}{more}")
    if pictures:
        named = ", ".join(one.chapter.name for one in pictures[:MOST_NAMED])
        more = ", ..." if len(pictures) > MOST_NAMED else ""
        warnings.append(f"{len(pictures)} of {counted} chapters {images(len(pictures))} ({named}{more})")
    if package.title and _plain(package.title) not in _plain(text[:3000]):
        text = f"# {package.title}\n\n{text}"
    lost = len(failed) + len(pictures)
    return Text(text, warnings=tuple(warnings), readable=(counted - lost) / counted if lost else 1.0)


def _refuse(chapters: list[_Read], path: Path) -> None:
    """Says why a book has no text at all."""
    failed = [one for one in chapters if one.reason]
    if failed and failed[0].reason.startswith("is encrypted"):
        raise UnreadableFile(path, failed[0].reason)
    if failed:
        raise UnreadableFile(path, f"is broken: {failed[0].chapter.name} {failed[0].reason}")
    if any(one.is_picture for one in chapters):
        raise UnreadableFile(path, "holds no text: its chapters are images")


def _chapter(archive: Archive, chapter: Chapter, path: Path, css: str) -> _Read:
    if chapter.part is None:
        return _Read(chapter, reason="is missing from the archive")
    if chapter.is_locked:
        return _Read(chapter, reason=DRM)
    try:
        data = archive.part(chapter.part)
    except UnreadableFile as error:
        if error.reason.startswith("unpacks"):  # to more than is read: so may the chapters to come
            raise
        return _Read(chapter, reason="is damaged" if error.reason.startswith("is broken") else error.reason)
    if not data.strip():
        return _Read(chapter)
    if chapter.is_image:
        return _Read(chapter, is_picture=True)
    try:
        text = html.text_of(data, path, xml=True, css=css)
    except UnreadableFile as error:
        return _Read(chapter, reason=error.reason)
    return _Read(chapter, text, is_picture=not text and _shows_a_picture(data))


def _shows_a_picture(data: bytes) -> bool:
    """Tell whether a chapter has pictures that are more than ornaments."""
    found: list[bytes] = re.findall(rb"<(?:\w+:)?(?:img|image|svg|object)\b[^>]*>", data, re.IGNORECASE)
    ornament = rb"role=.presentation|alt=(?:\"\s*\"|'\s*')|\bornament|\bdivider|\bseparator"
    return any(not re.search(ornament, tag, re.IGNORECASE) for tag in found)


def _styles(archive: Archive, package: Package) -> str:
    """The style sheets of the book, which say what is struck out or raised."""
    return "\n".join(_sheets(archive, package))[:MOST_CSS]


def _sheets(archive: Archive, package: Package) -> Iterator[str]:
    for name in package.styles:
        try:
            yield archive.part(name).decode("utf-8", "replace")
        except UnreadableFile:
            continue  # the text is read without them


def _plain(text: str) -> str:
    return "".join(re.findall(r"\w+", text.lower()))
