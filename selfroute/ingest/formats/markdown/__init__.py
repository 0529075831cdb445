"""Markdown as it stands, without what a reader of the page would not see as text: pictures written into the file in
Base64 become their descriptions, and struck-out text is dropped.

By the rules of CommonMark and GitHub for these alone: the rest is never parsed, and never changed. Code is left alone.
"""

from __future__ import annotations

from pathlib import Path

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats.markdown.code import parts
from selfroute.ingest.formats.markdown.pictures import without_pictures
from selfroute.ingest.formats.markdown.struck import STRUCK, unstruck
from selfroute.ingest.formats.texts import Text, content, decoded


def read(path: Path) -> Text:
    written = decoded(content(path), path)
    text = shown(written)
    if written.strip() and not text.strip():
        raise UnreadableFile(path, "holds no text: it shows pictures only")
    return Text(text)


def shown(text: str) -> str:
    """The text without pictures in Base64 and without what is struck out; all else as it stands."""
    if "data:" in text.lower():
        text = without_pictures(text)
    if STRUCK.search(text):
        text = "".join(part if is_code else unstruck(part) for part, is_code in parts(text))
    return text
