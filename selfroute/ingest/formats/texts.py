"""What loaders share: the text that a file gives, the limits of what is read, and the decoding of bytes.

Knows nothing of any format.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from selfroute.errors import UnreadableFile

MOST_BYTES = 512 * 2**20
"""A file that is read whole may be as large as this; its text too (SQLite takes no more than 10^9 bytes)."""

PAGE = re.compile(r"(?:page|seite|sida|pagina|of|von|\W)*", re.IGNORECASE)

SAMPLE = 2**16
"""Bytes from which an encoding is told."""

MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
WESTERN = ("cp1252", "cp1250", "cp1254", "iso8859_2")
ENCODINGS = (*WESTERN, "cp1251", "koi8_r", "iso8859_7", "cp932", "euc_jp", "gb18030", "big5", "euc_kr")
"""Those that are told from each other where neither a byte order mark nor UTF-8 decides."""


@dataclass(frozen=True, slots=True)
class Text:
    """The text of one file, with its page map where it has pages, and warnings of what could not be read of it (see
    `Document`)."""

    text: str
    pages: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()
    readable: float = 1.0


def ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers as people write them: `2, 5 and 7 to 9`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = [
        part
        for run in runs
        for part in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else [str(number) for number in run])
    ]
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def images(count: int) -> str:
    """Return what a warning says of so many pages, slides or chapters that are images."""
    return "holds no text: it is an image" if count == 1 else "hold no text: they are images"


def emptiness(pictures: object) -> str:
    """Why a file without text is not read; it may hold pictures."""
    return "holds images only: their text is not read" if pictures else "is empty"


def paged(parts: Sequence[str]) -> tuple[str, tuple[int, ...]]:
    """The text of slides, apart by blank lines, and where in it each begins; those without text take no place."""
    text = "\n\n".join(filter(None, parts))
    ends = accumulate(len(part) + 2 if part else 0 for part in parts[:-1])
    return text, tuple(min(start, len(text)) for start in (0, *ends)[: len(parts)])


def names_page(line: str) -> bool:
    """Tell whether a line of a header or a footer is only the frame of the number of its page: `Page of`."""
    return PAGE.fullmatch(line) is not None


def content(path: Path) -> bytes:
    """All bytes of a file. Raises `UnreadableFile` if there are too many."""
    with path.open("rb") as file:
        read = file.read(MOST_BYTES + 1)
    if len(read) > MOST_BYTES:
        raise UnreadableFile(path, f"is larger than {MOST_BYTES // 2**20} MB: split it")
    return read


def checked(text: str, path: Path) -> str:
    """`text`, if it is something that can be indexed."""
    if not text.strip():
        raise UnreadableFile(path, "is empty")
    if "\0" in text:
        raise UnreadableFile(path, "holds NUL characters: it is not a text file")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise UnreadableFile(path, "holds half of a surrogate pair: it is not valid Unicode text")
    return text


def decoded(data: bytes, path: Path, declared: str | None = None) -> str:
    """The bytes as text: by their byte order mark, as UTF-8, as `declared`, or by the encoding that fits best."""
    for mark, encoding in MARKS.items():
        if data.startswith(mark):
            return _strictly(data, encoding, path)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        _refuse_what_is_no_text(data, path)
        if declared and (text := _known(data, declared)) is not None:
            return text
        _refuse_damaged_utf_8(data, path, error.start)
    for encoding in _likely(data):
        if (text := _known(data, encoding)) is not None:
            return text
    raise UnreadableFile(path, "is not text in any encoding that is known: convert it to UTF-8 first")


def _strictly(data: bytes, encoding: str, path: Path) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        name = encoding.removesuffix("-sig").upper()
        raise UnreadableFile(path, f"is damaged {name} (byte {error.start}): convert it to UTF-8 first") from error


def _known(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError, ValueError):  # undecodable, or no encoding of that name
        return None


def _refuse_what_is_no_text(data: bytes, path: Path) -> None:
    controls = len(re.findall(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]", data[:SAMPLE]))
    if b"\0" in data or controls > len(data[:SAMPLE]) // 100:
        raise UnreadableFile(path, "is binary, not text")


def _refuse_damaged_utf_8(data: bytes, path: Path, at: int) -> None:
    """Read by another encoding, text in UTF-8 with a few bad bytes would be nonsense from end to end."""
    text = data.decode("utf-8", "surrogateescape")
    bad = len(re.findall("[\udc80-\udcff]", text))
    good = len(re.findall("[^\x00-\x7f\udc80-\udcff]", text))
    if (good and good >= bad) or _known_with_halves(data):
        raise UnreadableFile(path, f"is damaged UTF-8 (byte {at}): convert it to UTF-8 first")


def _known_with_halves(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def _likely(data: bytes) -> list[str]:
    """Encodings in the order in which they fit. Equally good ones are in the order of `ENCODINGS`."""
    from charset_normalizer import from_bytes  # imported here: most files are UTF-8

    lines = [line for line in re.split(rb"(?<=[\r\n])", data) if not line.isascii()]
    sample = b"".join(lines)[:SAMPLE]
    high = re.findall(rb"[\x80-\xff]+", sample)
    # Bytes above ASCII stand alone in Western text and side by side in all other.
    alone = sum(len(run) for run in high if len(run) == 1)
    encodings = WESTERN if alone * 2 > sum(map(len, high)) else ENCODINGS
    found = from_bytes(sample, cp_isolation=list(encodings), threshold=0.5, preemptive_behaviour=False)
    ranks = {
        name: (match.chaos, -match.coherence, encodings.index(name))
        for match in found
        for name in (match.encoding, *match.could_be_from_charset)
        if name in encodings
    }
    return [*sorted(ranks, key=lambda name: ranks[name]), *(["cp1252", "latin-1"] if encodings is WESTERN else [])]
