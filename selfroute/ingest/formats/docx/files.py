"""Files that are set into a Word file as they are (`altChunk`): web pages, saved mails of them, plain text."""

from __future__ import annotations

from pathlib import Path
from posixpath import splitext

from selfroute.errors import UnreadableFile
from selfroute.ingest.formats import html
from selfroute.ingest.formats.texts import decoded

MOST_PARTS = 200
"""Parts of a saved page that are looked through."""


def is_word(data: bytes) -> bool:
    """Tell whether a file that is set in may be a Word file."""
    return data.startswith(b"PK\x03\x04")


def text_of(data: bytes, name: str, kind: str, path: Path) -> str:
    """The text of a file that is set in, by its content type (`kind`), its name and how it begins. Raises
    `UnreadableFile`."""
    suffix = splitext(name)[1].lower()
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"{\\rtf") or "rtf" in kind:
        raise UnreadableFile(path, "it is RTF")
    if suffix in (".mht", ".mhtml") or kind in ("message/rfc822", "multipart/related") or start.startswith(b"mime-ver"):
        return _saved_page(data, path)
    if "html" in kind or suffix in (".html", ".htm", ".xhtml") or start.startswith((b"<!doctype html", b"<html")):
        return html.text_of(data, path, xml="xhtml" in kind or suffix == ".xhtml")
    if kind.startswith("text/plain") or suffix == ".txt":
        return decoded(data, path).replace("\r\n", "\n").strip()
    raise UnreadableFile(path, f"it is of the type {kind or suffix or 'that is not known'}")


def _saved_page(data: bytes, path: Path) -> str:
    """The web page in a mail, or its plain text."""
    from email import message_from_bytes  # imported here: few files hold one

    plain = None
    for _, part in zip(range(MOST_PARTS), message_from_bytes(data).walk(), strict=False):
        content = part.get_payload(decode=True)
        if not isinstance(content, bytes):
            continue
        if part.get_content_type() in ("text/html", "application/xhtml+xml"):
            charset = part.get_content_charset("")
            return html.text_of(_utf_8(content, charset), path)
        if part.get_content_type() == "text/plain" and plain is None:
            plain = decoded(content, path, part.get_content_charset()).strip()
    if plain is None:
        raise UnreadableFile(path, "it holds no page")
    return plain


def _utf_8(content: bytes, charset: str) -> bytes:
    """A page in UTF-8, of which the mail says the encoding."""
    try:
        return content.decode(charset).encode() if charset else content
    except (LookupError, UnicodeError):
        return content
