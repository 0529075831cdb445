"""Uploads onto disk as they come: no file is held in memory, and nothing stays of one that was cut off.

What a client calls a file decides the document's id and the file's kind, and nothing else: never where it is put.
Knows nothing of jobs or of what is in a file.
"""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, TYPE_CHECKING

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from selfroute.errors import TooLarge, UnusableUpload

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

IDLE = 30.0
"""Seconds that may pass without a byte of an upload: one that stalls is ended, for it counts as being received."""
MOST_NAME = 255
"""Bytes of a file's name in UTF-8: as file systems have it."""
MOST_HEADERS = 8192
"""Bytes of the headers of one part."""
AS_IT_IS = frozenset({"binary", "8bit", "7bit"})
"""Transfer encodings of a part that change no byte. No other is decoded: forms have none (RFC 7578)."""
_UNSEEN = re.compile(
    r"[\u00ad\u034f\u061c\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
"""What is not seen in a name, or turns the direction of writing: two names must not look alike."""
_NONE_TO_SEE = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of Unicode, of which all is the same."""


@dataclass(frozen=True, slots=True)
class Received:
    """A file in the spool under the name `file`; `name` is what the client calls it, made harmless; `hash` is the hex
    SHA-256 of its bytes."""

    file: str
    name: str
    hash: str


def named(sent: str) -> str:
    """What a client calls a file, without the folders before it, whichever system's they are. Raises
    `UnusableUpload` for what names no file."""
    name = unicodedata.normalize("NFC", re.split(r"[/\\]", sent)[-1]).strip()
    if not name or name.strip(".") == "":
        raise UnusableUpload(f"{sent!r} names no file: give each file a name that ends with its kind, as report.pdf")
    if (found := unseen(name)) is not None:
        raise UnusableUpload(f"the file name {name!r} holds {found}, which cannot be seen: rename it")
    if len(name.encode()) > MOST_NAME:
        raise UnusableUpload(f"the file name {name[:40] + '…'!r} is longer than {MOST_NAME} bytes: shorten it")
    return name


def unseen(name: str) -> str | None:
    """The first character that is not seen in a name, as `U+200B`: a control character, a line's end, one without
    width, one that turns the direction of writing, or none that Unicode knows."""
    for character in name:
        if _UNSEEN.match(character) or unicodedata.category(character) in _NONE_TO_SEE:
            return f"U+{ord(character):04X}"
    return None


def suffix(name: str) -> str:
    """What a copy in the spool ends with, so that it is read as what it is."""
    return found[0].lower() if (found := re.search(r"\.[A-Za-z0-9]{1,8}$", name)) else ""


async def receive(request: Request, folder: Path, most: int, idle: float = IDLE) -> list[Received]:
    """Writes the files of a multipart body into `folder`, at most `most`. Blocking work is done in threads.

    Raises `UnusableUpload`, `TooLarge`, a 400 if the client leaves before the end, a 408 if nothing comes for `idle`
    seconds, and `OSError` as the disk does.
    """
    _, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if not boundary:
        raise UnusableUpload("the multipart body has no boundary: let your HTTP client write its Content-Type")
    parts = _Parts(folder, most)
    try:
        parser = MultipartParser(boundary, parts.callbacks())
        async for piece in _pieces(request, idle):
            if piece:
                await asyncio.to_thread(parser.write, piece)
        if not parts.complete:
            raise UnusableUpload("the upload was cut off before its last boundary: send it again")
    except FormParserError as error:
        raise UnusableUpload(f"the body is no multipart form ({error}): let your HTTP client write it") from error
    except ClientDisconnect:
        raise HTTPException(400, "the client left before the upload was whole") from None
    finally:
        parts.close()
    if not parts.received:
        raise UnusableUpload("the form holds no file: send at least one, each as a part with a filename")
    return parts.received


async def _pieces(request: Request, idle: float) -> AsyncIterator[bytes]:
    pieces = request.stream()
    while True:
        try:
            async with asyncio.timeout(idle) as limit:
                piece = await anext(pieces)
        except StopAsyncIteration:
            return
        except TimeoutError:
            if not limit.expired():
                raise
            told = f"nothing of the upload came for {idle:g} seconds: send it again"
            raise HTTPException(408, told, {"Connection": "close"}) from None
        yield piece


class _Parts:
    """The parts of a multipart body as they are parsed. Those that are no files are refused: nothing is ignored."""

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most
        self._header = b""
        self._value = b""
        self._size = 0
        self._headers: dict[bytes, bytes] = {}
        self._file: IO[bytes] | None = None
        self._name = ""
        self._hash = sha256()
        self.received: list[Received] = []
        self.complete = False

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._field,
            "on_header_value": self._field_value,
            "on_header_end": self._field_end,
            "on_headers_finished": self._open,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._complete,
        }

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _begin(self) -> None:
        self._headers, self._header, self._value, self._size = {}, b"", b"", 0

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._header += self._counted(data[start:end])

    def _field_value(self, data: bytes, start: int, end: int) -> None:
        self._value += self._counted(data[start:end])

    def _counted(self, piece: bytes) -> bytes:
        self._size += len(piece)
        if self._size > MOST_HEADERS:
            raise UnusableUpload(f"the headers of a part are longer than {MOST_HEADERS} bytes: shorten its name")
        return piece

    def _field_end(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header, self._value = b"", b""

    def _open(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        sent = options.get(b"filename")
        if sent is None:
            field = options.get(b"name", b"").decode("utf-8", "replace")
            raise UnusableUpload(f"the part {field!r} is no file: send only files, each as a part with a filename")
        try:
            self._name = named(sent.decode("utf-8"))
        except UnicodeDecodeError:
            raise UnusableUpload(f"the file name {sent!r} is not UTF-8: rename it") from None
        encoding = self._headers.get(b"content-transfer-encoding", b"binary").decode("latin-1").strip()
        if encoding.lower() not in AS_IT_IS:
            raise UnusableUpload(
                f"the file {self._name!r} comes in the transfer encoding {encoding!r}: send its bytes as they are"
            )
        if self._name in {one.name for one in self.received}:
            raise UnusableUpload(f"two files are called {self._name!r}, and would be one document: rename one")
        if len(self.received) == self._most:
            raise TooLarge("the upload", f"{self._most:,} files", "server.upload_files")
        self._hash = sha256()
        self._file = (self._folder / f"{len(self.received):05}{suffix(self._name)}").open("xb", buffering=0)

    def _data(self, data: bytes, start: int, end: int) -> None:
        assert self._file is not None
        write(self._file, data[start:end])
        self._hash.update(data[start:end])

    def _end(self) -> None:
        assert self._file is not None
        self._file.close()
        self.received.append(Received(Path(self._file.name).name, self._name, self._hash.hexdigest()))

    def _complete(self) -> None:
        self.complete = True


def write(file: IO[bytes], content: bytes) -> None:
    """All of it: an unbuffered file may take less at a time, and none when the disk is full (then it raises)."""
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]
