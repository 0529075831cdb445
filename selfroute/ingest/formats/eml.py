"""Mails (eml) and saved pages (mht, mhtml): who wrote to whom and when, the text, and the files that are attached.

Parsed by the standard library. A mail may hold mails and files that hold more: there is a bound to how deep and how
large.
"""

from __future__ import annotations

import codecs
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.errors import HeaderParseError, MessageError
from email.header import decode_header
from email.message import Message
from email.utils import collapse_rfc2231_value
from pathlib import Path
from quopri import decodestring
from tempfile import TemporaryDirectory
from urllib.parse import unquote

from selfroute.errors import UnreadableFile
from selfroute.ingest.finder import SUFFIXES, File
from selfroute.ingest.formats import html
from selfroute.ingest.formats.texts import Text, content, decoded

HEADERS = ("Subject", "From", "To", "Cc", "Bcc", "Date")
SIGNS = ("Subject", "From", "To", "Date", "Received", "Message-ID", "MIME-Version", "Content-Type")
"""A file that has none of these is no mail."""
DEEPEST = 10
"""Mails in mails."""
MOST_PARTS = 1_000
LARGEST = 64 * 2**20
"""Bytes of all attached files together that are read."""
LONGEST_LINE = 64_000
"""Characters of a header line that are read."""
SILENT = {
    *("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"),
    *("application/pgp-keys", "message/disposition-notification"),
}
"""Parts that say nothing to a reader."""
LOCKED = {"multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"}
ESCAPED = re.compile(r"\\(.)")
PAGES = {".mht", ".mhtml"}


@dataclass(slots=True)
class _Reading:
    """Describes what is gathered of a mail and those in it."""

    path: Path
    shown: frozenset[str] = frozenset()  # ids of the pictures that pages show
    parts: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    locked: bool = False
    read: int = 0
    seen: int = 0
    bytes: int = 0


def read(path: Path) -> Text:
    data = content(path)
    if not data.strip():
        raise UnreadableFile(path, "is empty")
    try:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF8)):
            data = decoded(data, path).encode("utf-8", "replace")
        message = message_from_bytes(data.lstrip())
        if not any(name in message for name in SIGNS):
            raise UnreadableFile(path, "is no mail: it begins with none of a mail's header lines")
        reading = _Reading(path, shown=_shown(message))
        _mail(message, reading, 0, page=path.suffix.lower() in PAGES)
    except (RecursionError, MessageError) as error:
        raise UnreadableFile(path, "is broken: its parts are inside each other beyond reason") from error
    text = "\n\n".join(reading.parts)
    if reading.locked and not reading.read:
        raise UnreadableFile(path, "is encrypted: save it without a password first")
    warnings = ["a part is encrypted"] if reading.locked else []
    if reading.unread:
        warnings.append(f"attached and not read: {', '.join(dict.fromkeys(reading.unread))}")
    unread = len(reading.unread) + reading.locked
    return Text(text, warnings=tuple(warnings), readable=max(reading.read, 1) / (max(reading.read, 1) + unread))


def _mail(message: Message, reading: _Reading, depth: int, page: bool = False) -> None:
    """A mail's header lines, its text, and what is attached to it. A saved page has no one who wrote it."""
    wanted = () if page else HEADERS
    lines = [f"{name}: {text}" for name in wanted if (text := _line(message, name))]
    if page and (title := _line(message, "Subject")):
        lines = [f"# {title}"]
    if lines:
        reading.parts.append("\n".join(lines))
    _part(message, reading, depth, related=False)


def _part(part: Message, reading: _Reading, depth: int, related: bool) -> None:
    reading.seen += 1
    kind = part.get_content_type()
    if reading.seen > MOST_PARTS or depth > DEEPEST:
        reading.unread.append("parts inside of other parts" if depth > DEEPEST else f"parts after the {MOST_PARTS:,}th")
        return
    if kind in LOCKED and not _is_signed_only(part):
        reading.locked = True
    elif kind == "multipart/alternative":
        _alternative(_inside(part), reading, depth)
    elif kind == "multipart/related":
        _related(part, reading, depth)
    elif kind.startswith("multipart/"):
        for inner in _inside(part):
            _part(inner, reading, depth + (kind == "multipart/digest"), related)
    elif kind == "message/rfc822" or (kind == "message/delivery-status" and part.is_multipart()):
        for inner in _inside(part):
            if kind == "message/rfc822":
                _enclosed(_unwrapped(part, inner), reading, depth)
            else:
                reading.parts.append("\n".join(f"{name}: {_plain(value)}" for name, value in inner.items()))
    elif kind in ("text/plain", "text/html") and not _name(part) and not _is_attached(part):
        _say(_text(part, reading), reading)
    else:
        _attached(part, reading, depth, related)


def _unwrapped(part: Message, inner: Message) -> Message:
    """The mail in a part. No mail may be encoded as a whole, but some programs do it."""
    encoding, text = str(part.get("Content-Transfer-Encoding") or "").strip().lower(), inner.get_payload()
    if encoding == "base64" and not inner.keys() and isinstance(text, str):
        try:
            return message_from_bytes(b64decode(text.encode("ascii", "ignore")).lstrip())
        except ValueError:
            return inner
    if encoding == "quoted-printable" and "=3D" in str(inner.get("Content-Type") or ""):
        return message_from_bytes(decodestring(inner.as_bytes()).lstrip())
    return inner


def _enclosed(message: Message, reading: _Reading, depth: int) -> None:
    if depth >= DEEPEST:
        reading.unread.append("mails inside of other mails")
        return
    reading.parts.append(f"# Enclosed mail: {_line(message, 'Subject') or 'without a subject'}")
    _mail(message, reading, depth + 1)


def _inside(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [one for one in payload if isinstance(one, Message)] if isinstance(payload, list) else []


def _alternative(parts: list[Message], reading: _Reading, depth: int) -> None:
    """The plain text, or the page where that says much more; pictures of the one not chosen are decoration."""
    texts = {one.get_content_type(): _text(one, reading) for one in parts if one.get_content_maintype() == "text"}
    others = [one for one in parts if one.get_content_maintype() != "text"]
    plain = texts.get("text/plain", "").strip()
    for other in others:
        inner = [one for one in other.walk() if one.get_content_type() == "text/html"] if other.is_multipart() else []
        texts.update({"text/html": _text(inner[0], reading)} if inner and "text/html" not in texts else {})
    page = texts.get("text/html", "").strip()
    chosen = page if len(_words(plain)) * 2 < len(_words(page)) or not plain else plain
    _say(chosen or next((text for text in texts.values() if text.strip()), ""), reading)
    for other in others:
        for one in other.walk() if other.is_multipart() else [other]:
            if _is_attached(one) and one.get_content_maintype() not in ("multipart", "text"):
                _attached(one, reading, depth, related=True)
    if not texts:
        for other in others:
            _part(other, reading, depth, related=False)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", re.sub(r"https?://\S+", "", text))


def _related(part: Message, reading: _Reading, depth: int) -> None:
    """A page with what belongs to it: pictures and styles, and in saved pages the pages in its frames."""
    parts = _inside(part)
    start = collapse_rfc2231_value(part.get_param("start") or "").strip("<> ")
    root = next((one for one in parts if start and _identity(one) == start), parts[0] if parts else None)
    for one in [root, *(one for one in parts if one is not root)]:
        if one is not None:
            _part(one, reading, depth, related=one is not root)


def _attached(part: Message, reading: _Reading, depth: int, related: bool) -> None:
    kind, name = part.get_content_type(), _name(part)
    if kind in SILENT or name in ("smime.p7s", "signature.asc", "ATT00001.txt"):
        return
    if part.get_content_maintype() == "image" and (_identity(part) in reading.shown or not _is_attached(part)):
        return  # a picture within the text, or a sender's logo
    if related and not _is_attached(part) and kind in ("text/css", "text/javascript", "application/javascript"):
        return
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes) or not data.strip():
        return
    if kind in ("application/ms-tnef", "application/vnd.ms-tnef") or name.lower() == "winmail.dat":
        reading.unread.append(f"{name or 'winmail.dat'} (Outlook's own format)")
        return
    if kind == "application/ics" or name.lower().endswith(".ics"):
        said = "\n".join(_calendar(_decoded(data, "", reading.path).replace("\r\n", "\n")))
        if said and said not in reading.parts:
            _say(said, reading)
        return
    suffix = Path(name).suffix.lower() or KNOWN.get(kind, "")
    if related and kind == "text/html":
        _say(_text(part, reading), reading)
    elif suffix in SUFFIXES:
        _file(data, name or f"attached{suffix}", suffix, reading, depth)
    elif part.get_content_maintype() == "text":
        if kind not in ("text/css", "text/javascript") and (text := _text(part, reading).strip()):
            _headed(name or kind, text, reading)
    else:
        reading.unread.append(name or f"a part of the kind {kind}")


KNOWN = {
    "application/pdf": ".pdf",
    "text/html": ".html",
    "text/csv": ".csv",
    "text/markdown": ".md",
    "text/plain": ".txt",
    "application/rtf": ".rtf",
    "text/rtf": ".rtf",
    "application/epub+zip": ".epub",
    "text/tab-separated-values": ".tsv",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.oasis.opendocument.text": ".odt",
    "application/vnd.oasis.opendocument.spreadsheet": ".ods",
    "application/vnd.oasis.opendocument.presentation": ".odp",
}


def _file(data: bytes, name: str, suffix: str, reading: _Reading, depth: int) -> None:
    """An attached file, read by the loader of its suffix; a mail goes on counting how deep it is."""
    reading.bytes += len(data)
    if reading.bytes > LARGEST:
        reading.unread.append(f"{name} (attached files of more than {LARGEST // 2**20} MB are not read)")
        return
    if suffix in (".eml", *PAGES):
        _enclosed(message_from_bytes(data), reading, depth)
        return
    from selfroute.ingest.loaders import load  # imported here: it reads mails

    with TemporaryDirectory() as folder:
        path = Path(folder, f"attached{suffix}")
        path.write_bytes(data)
        loaded = list(load(File(path, name, name)))
    texts = [one.document for one in loaded if one.document is not None]
    if texts:
        _headed(name, "\n\n".join(document.text for document in texts), reading)
    for one in loaded:
        if one.reason is not None:
            reading.unread.append(f"{name} ({one.reason})")
        elif one.document is not None:
            reading.unread += [f"a part of {name} ({warning})" for warning in one.document.warnings]


def _headed(name: str, text: str, reading: _Reading) -> None:
    reading.parts.append(f"# Attached: {name}")
    _say(text, reading)


def _say(text: str, reading: _Reading) -> None:
    if text.strip():
        reading.parts.append(text.strip("\r\n "))
        reading.read += 1


def _shown(message: Message) -> frozenset[str]:
    found: set[str] = set()
    for part in message.walk():
        data = part.get_payload(decode=True) if part.get_content_type() == "text/html" else None
        if isinstance(data, bytes):
            found |= {
                unquote(name.decode("ascii", "replace")) for name in re.findall(rb"cid:([^\s\"'>)]{1,300})", data)
            }
    return frozenset(found)


def _text(part: Message, reading: _Reading) -> str:
    """The text of a part, of a page the one it shows."""
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes) or not data.strip():
        return ""
    charset = collapse_rfc2231_value(part.get_param("charset") or "").strip("'\" ")
    text = _decoded(data, charset, reading.path)
    if part.get_content_type() == "text/html":
        marked = "<meta charset='utf-8'>" + text.replace("\0", "")
        return html.text_of(marked.encode("utf-8", "replace"), reading.path)
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    if part.get_content_type() == "text/calendar":
        return "\n".join(_calendar(text))
    flowed = str(part.get_param("format") or "").lower() == "flowed"
    return _flowed(text, str(part.get_param("delsp") or "").lower() == "yes") if flowed else text


def _decoded(data: bytes, charset: str, path: Path) -> str:
    """The bytes as text: as they are declared, if they can be; mails that declare wrongly are told as files are."""
    if charset.lower() not in ("", "us-ascii", "ascii", "unknown-8bit", "iso-8859-1", "latin-1"):
        try:
            return data.decode(charset)
        except (UnicodeDecodeError, LookupError, ValueError):
            pass
    try:
        return decoded(data, path, charset or None)
    except UnreadableFile:
        return data.decode("utf-8", "replace")


def _flowed(text: str, joined: bool) -> str:
    """Lines that end in a space go on in the next one (RFC 3676); a signature's mark `-- ` does not."""
    made: list[list[str]] = []
    going = False
    for line in text.split("\n"):
        quoted = len(line) - len(line.lstrip(">"))
        body = line[quoted:].removeprefix(" ")
        if going and made and made[-1][0].startswith(">") == bool(quoted):
            made[-1].append(body)
        else:
            made.append([line[:quoted] + (" " if quoted else "") + body])
        going = line.endswith(" ") and line != "-- "
        if going and joined:
            made[-1][-1] = made[-1][-1][:-1]
    return "\n".join(map("".join, made))


def _calendar(text: str) -> Iterator[str]:
    """Return what an invitation says of when, where and what."""
    names = {"SUMMARY": "Event", "DTSTART": "Start", "DTEND": "End", "LOCATION": "Place", "DESCRIPTION": "Description"}
    for line in re.sub(r"\n[ \t]", "", text).split("\n"):
        name, _, said = line.partition(":")
        kind = name.partition(";")[0].upper()
        if kind in names and said.strip():
            when = re.sub(r"^(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)\d\d(Z?))?", _moment, said)
            yield f"{names[kind]}: {' '.join(ESCAPED.sub(_unescaped, when).split())}"


def _unescaped(found: re.Match[str]) -> str:
    return " " if found[1] in "nN" else found[1]


def _moment(found: re.Match[str]) -> str:
    clock = f" {found[4]}:{found[5]}{' UTC' if found[6] else ''}" if found[4] else ""
    return f"{found[1]}-{found[2]}-{found[3]}{clock}"


def _is_signed_only(part: Message) -> bool:
    return str(part.get_param("smime-type") or "").lower() in ("signed-data", "certs-only")


def _is_attached(part: Message) -> bool:
    return part.get_content_disposition() == "attachment"


def _identity(part: Message) -> str:
    return str(part.get("Content-ID") or "").strip("<> ")


def _name(part: Message) -> str:
    name = _plain(part.get_filename() or "")
    return " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", name.replace("\\", "/").rpartition("/")[2]).split())[:200]


def _line(message: Message, name: str) -> str:
    found = (value for key, value in message.raw_items() if key.lower() == name.lower())
    return "; ".join(filter(None, map(_plain, found)))


def _plain(value: object) -> str:
    """A header as people write it: its encoded words decoded, on one line."""
    text = str(value)[:LONGEST_LINE]
    if any("\udc80" <= character <= "\udcff" for character in text):  # bytes that no one declared
        text = _word(text.encode("utf-8", "surrogateescape"), "utf-8")
    try:
        parts = decode_header(text)
    except HeaderParseError:
        parts = [(text, None)]
    said = "".join(_word(word, charset) for word, charset in parts)
    return " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", said).split())


def _word(word: str | bytes, charset: str | None) -> str:
    if isinstance(word, str):
        return word
    for name in (charset, "utf-8"):
        try:
            return word.decode(name or "ascii")
        except (UnicodeDecodeError, LookupError, ValueError):
            continue
    return word.decode("cp1252", "replace")
