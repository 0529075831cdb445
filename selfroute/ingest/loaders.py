"""Files into documents: txt, md and jsonl. A file that cannot be read is named with its reason, never skipped
in silence. Text is kept as it stands (line ends too), so that offsets are those of the file.

Knows nothing of chunks, indexes or models.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfroute.errors import UnreadableFile
from selfroute.types import Document

SUFFIXES = (".txt", ".md", ".jsonl")


@dataclass(frozen=True, slots=True)
class Loaded:
    """One document, or the reason why there is none. `size` is its share of the files' bytes."""

    source: str
    size: int
    document: Document | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A file to load and the id of the document in it: its path below the folder that was named."""

    path: Path
    id: str


def find(paths: Sequence[Path]) -> list[File]:
    """The files that `paths` name, those of folders recursively, in a stable order.

    What stands in a folder under a suffix of ours is found even if it cannot be read, and so is a folder that cannot
    be listed: `load` says why. Raises `UnreadableFile` for a path that does not exist or a folder that holds nothing
    to index.
    """
    found: list[File] = []
    for path in paths:
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, ValueError) as error:
            raise UnreadableFile(shown(path), "there is no such file or folder") from error
        except OSError as error:
            raise UnreadableFile(shown(path), _why(error)) from error
        if stat.S_ISDIR(mode):
            inside = [File(p, shown(p.relative_to(path))) for p in sorted(_inside(path))]
            if not inside:
                raise UnreadableFile(shown(path), f"the folder holds no {', '.join(SUFFIXES)} file")
            found += inside
        else:
            found.append(File(path, shown(path.name)))
    return list({os.path.realpath(file.path): file for file in found}.values())


def load(file: File) -> Iterator[Loaded]:
    """The documents of one file: one for txt and md, one a line for jsonl."""
    source = shown(os.path.realpath(file.path))
    try:
        about = file.path.stat()
        if stat.S_ISDIR(about.st_mode):
            os.listdir(file.path)
            raise UnreadableFile(source, "is a folder, not a file")
        if file.path.suffix.lower() not in SUFFIXES:
            kind = file.path.suffix or "without a suffix"
            raise UnreadableFile(source, f"files {kind} are not supported; use {', '.join(SUFFIXES)}")
        if not stat.S_ISREG(about.st_mode):  # reading a pipe could wait for ever
            raise UnreadableFile(source, "is not a regular file")
        if file.path.suffix.lower() == ".jsonl":
            yield from _lines(file, source)
        else:
            yield Loaded(source, about.st_size, Document(file.id, _text(file.path), source))
    except UnreadableFile as error:
        yield Loaded(source, 0, reason=error.reason)
    except OSError as error:
        yield Loaded(source, 0, reason=_why(error))


def load_one(path: Path) -> Document:
    """The one document of a file. Raises `UnreadableFile`."""
    loaded = list(load(File(path, shown(path.name))))
    for one in loaded:
        if one.reason is not None:
            raise UnreadableFile(one.source if os.path.exists(path) else shown(path), one.reason)
    if len(loaded) != 1 or loaded[0].document is None:
        raise UnreadableFile(path, f"holds {len(loaded)} documents, one is wanted: index it as a corpus instead")
    return loaded[0].document


def size(path: Path) -> int:
    """Bytes of the file; 0 for one that cannot be looked at."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def shown(path: str | Path) -> str:
    """The path as text that can be stored and printed: what is not UTF-8 in a name is replaced."""
    return os.fsencode(path).decode("utf-8", "replace")


def _inside(folder: Path) -> Iterator[Path]:
    """Files with a suffix of ours and folders that cannot be listed; hidden ones are left out."""
    closed: list[OSError] = []
    for parent, folders, files in os.walk(folder, onerror=closed.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (
            Path(parent, name) for name in files if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        )
    yield from (Path(error.filename) for error in closed)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _text(path: Path) -> str:
    try:
        return _checked(path.read_bytes().decode("utf-8-sig"), path)
    except UnicodeDecodeError as error:
        raise UnreadableFile(path, f"not UTF-8 (byte {error.start}): convert it to UTF-8 first") from error


def _checked(text: str, path: Path) -> str:
    if not text.strip():
        raise UnreadableFile(path, "is empty")
    if "\0" in text:
        raise UnreadableFile(path, "holds NUL characters: it is not a text file")
    if _half(text):
        raise UnreadableFile(path, "holds half of a surrogate pair: it is not valid Unicode text")
    return text


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
                yield Loaded(place, len(raw), _record(raw, f"{file.id}:{number}", place))
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
    if _half(str(name)):
        raise UnreadableFile(place, "its 'id' holds half of a surrogate pair: it is not valid Unicode text")
    return Document(str(name), _checked(text, Path(place)), place)


def _half(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
