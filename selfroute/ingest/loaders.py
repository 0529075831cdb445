"""Files into documents: a loader a format. A file that cannot be read is named with its reason, never skipped in
silence. The text of txt is kept as it stands (line ends too), so that offsets are those of the file; of md, all but
embedded pictures and what is struck out.

Knows nothing of chunks, indexes or models.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from selfroute.errors import UnreadableFile
from selfroute.ingest.finder import SUFFIXES, File, one_name, shown, why
from selfroute.ingest.formats.texts import Text, checked, content, decoded
from selfroute.types import Document

VERSION = 2
OLDER: Mapping[str, int] = MappingProxyType({".txt": 1, ".jsonl": 1})
"""Raised, for a suffix or for all, when its loader gives another text for the same bytes: what was read by an older
version is read again."""
OCR = frozenset({".pdf"})
"""Suffixes of files whose pictures of text can be read."""
DOTS = "'.' or '..' stands alone or between slashes, where HTTP clients take it out of an address: leave it out"
"""Why an id is refused of which `has_dots` is true."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """One document, or the reason why there is none. `size` is its share of the files' bytes."""

    source: str
    size: int
    document: Document | None = None
    reason: str | None = None


def version(path: Path, ocr: bool = False) -> str:
    """By which version of its loader, and whether by `ocr`, a file is read now."""
    suffix = path.suffix.lower()
    return f"{OLDER.get(suffix, VERSION)}{'+ocr' if ocr and suffix in OCR else ''}"


def load(file: File, ocr: bool = False) -> Iterator[Loaded]:
    """The documents of one file: one, or for jsonl one a line. With `ocr`, pages that are images are read too."""
    source = file.origin
    suffix = file.path.suffix.lower()
    try:
        about = file.path.stat()
        if stat.S_ISDIR(about.st_mode):
            os.listdir(file.path)
            raise UnreadableFile(source, "is a folder, not a file")
        if suffix not in SUFFIXES:
            kind = file.path.suffix or "without a suffix"
            raise UnreadableFile(source, f"files {kind} are not supported; use {', '.join(SUFFIXES)}")
        if not stat.S_ISREG(about.st_mode):  # reading a pipe could wait for ever
            raise UnreadableFile(source, "is not a regular file")
        if suffix == ".jsonl":
            yield from _lines(file, source)
        else:
            read = _READERS[suffix](file.path, ocr=True) if ocr and suffix in OCR else _READERS[suffix](file.path)
            text = checked(read.text, file.path)
            document = Document(file.id, text, source, read.pages, read.warnings, read.readable)
            yield Loaded(source, about.st_size, document)
    except UnreadableFile as error:
        yield Loaded(source, 0, reason=error.reason)
    except OSError as error:
        yield Loaded(source, 0, reason=why(error))
    except MemoryError:
        yield Loaded(source, 0, reason="does not fit into memory: split it")


def load_one(path: Path, ocr: bool = False) -> Document:
    """The one document of a file. Raises `UnreadableFile`."""
    loaded = list(load(File(path, one_name(shown(path.name))), ocr))
    for one in loaded:
        if one.reason is not None:
            raise UnreadableFile(one.source if os.path.exists(path) else shown(path), one.reason)
    if len(loaded) != 1 or loaded[0].document is None:
        raise UnreadableFile(path, f"holds {len(loaded)} documents, one is wanted: index it as a corpus instead")
    return loaded[0].document


def has_dots(id: str) -> bool:  # noqa: A002 (the document's own)
    """Whether a part of the id is `.` or `..`: by HTTP, whoever means this document would reach what is above it."""
    return any(part in (".", "..") for part in re.split(r"[/\\]", id))


def _plain(path: Path) -> Text:
    return Text(decoded(content(path), path))


def _by(module: str) -> Callable[..., Text]:
    """A loader whose library is imported only when there is something to read with it."""

    def read(path: Path, **how: bool) -> Text:
        made: Text = import_module(f"selfroute.ingest.formats.{module}").read(path, **how)
        return made

    return read


_READERS: Mapping[str, Callable[..., Text]] = {
    ".txt": _plain,
    ".md": _by("markdown"),
    ".pdf": _by("pdf"),
    ".docx": _by("docx"),
    ".html": _by("html"),
    ".htm": _by("html"),
    ".epub": _by("epub"),
    ".csv": _by("csv"),
    ".tsv": _by("csv"),
    ".tab": _by("csv"),
    ".xlsx": _by("xlsx"),
    ".xlsm": _by("xlsx"),
    ".pptx": _by("pptx"),
    ".odt": _by("odf"),
    ".ods": _by("odf"),
    ".odp": _by("odf"),
    ".rtf": _by("rtf"),
    ".ipynb": _by("ipynb"),
    ".eml": _by("eml"),
    ".mht": _by("eml"),
    ".mhtml": _by("eml"),
}


def _lines(file: File, source: str) -> Iterator[Loaded]:
    """JSON objects with `text` (or LongBench's `context`) and, optionally, `id` (`doc_id`, `_id`)."""
    seen = False
    with file.path.open("rb") as lines:
        for number, raw in enumerate(lines, start=1):
            if not raw.strip():
                continue
            seen = True
            place = f"{source}:{number}"
            try:
                document = _record(raw, f"{file.id}:{number}", place)
                if file.source is not None and has_dots(document.id):  # an upload's, which is reached by HTTP
                    raise UnreadableFile(place, f"its 'id' cannot be {document.id!r}: {DOTS}")
                yield Loaded(place, len(raw), document)
            except UnreadableFile as error:
                yield Loaded(place, len(raw), reason=error.reason)
    if not seen:
        raise UnreadableFile(source, "is empty")


def _record(raw: bytes, fallback: str, place: str) -> Document:
    try:
        row = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(place, f"not a line of JSON: {error}") from error
    if not isinstance(row, dict):
        raise UnreadableFile(place, "not a JSON object")
    text = row.get("text", row.get("context"))
    if not isinstance(text, str):
        raise UnreadableFile(place, "has no string under 'text' (or 'context')")
    name = row.get("id", row.get("doc_id", row.get("_id", fallback)))
    if not isinstance(name, (str, int)) or isinstance(name, bool) or not str(name):
        raise UnreadableFile(place, "its 'id' is neither a string nor a whole number")
    if any("\ud800" <= character <= "\udfff" for character in str(name)):
        raise UnreadableFile(place, "its 'id' holds half of a surrogate pair: it is not valid Unicode text")
    return Document(one_name(str(name)), checked(text, Path(place)), place)
