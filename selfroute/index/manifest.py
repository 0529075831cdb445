"""The manifest: which generation of an index is published, and what must be found on disk for it to be whole.

It is written last; replacing it is the atomic switch from one generation to the next. It ends with the SHA-256 of
its own entries: a wrong tombstone would bring old text back.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from selfroute.errors import CorruptIndex, ForeignIndex, OutdatedIndex, UnusableIndex
from selfroute.index.files import write_whole

FORMAT = 2
NAME = "manifest.json"


@dataclass(frozen=True, slots=True)
class Segment:
    """One FAISS file: how many vectors it holds, the highest id among them, its size and the SHA-256 of its bytes.

    The segments of a manifest hold ascending ranges of ids: each begins above the `last` of the one before it.
    """

    file: str
    vectors: int
    last: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`documents`, `chunks` and `tokens` count what is live in `generation`; `tombstones` are the ids of
    vectors in segments whose chunks are not."""

    store: str
    generation: int
    embedder: str
    dimension: int
    documents: int
    chunks: int
    tokens: int
    segments: tuple[Segment, ...]
    tombstones: tuple[int, ...]
    format: int = FORMAT


def write(folder: Path, manifest: Manifest) -> None:
    row = asdict(manifest)
    write_whole(folder / NAME, json.dumps(row | {"sha256": _checksum(row)}, indent=1).encode())


def read(folder: Path) -> Manifest:
    """Raises `CorruptIndex` if it is missing or broken, `ForeignIndex` if another program or a newer version made it,
    `OutdatedIndex` if an earlier one did, and `UnusableIndex` if it may not be read."""
    path = folder / NAME
    try:
        row = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise CorruptIndex(folder, f"{NAME} is missing") from error
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UnusableIndex(f"{path} cannot be opened ({why}): check its permissions and the disk") from error
    except (ValueError, RecursionError) as error:
        raise CorruptIndex(folder, f"{NAME} cannot be read ({error})") from error
    if not isinstance(row, dict) or "format" not in row:
        raise ForeignIndex(folder, f"its {NAME} was not written by selfroute; use another corpus name")
    if row["format"] in range(FORMAT):
        raise OutdatedIndex(folder)
    if row["format"] != FORMAT:
        raise ForeignIndex(folder, f"it has format {row['format']}, this selfroute reads {FORMAT}; update selfroute")
    if row.pop("sha256", None) != _checksum(row):
        raise CorruptIndex(folder, f"{NAME} differs from its checksum")
    segments = tuple(Segment(**segment) for segment in row["segments"])
    return Manifest(**row | {"segments": segments, "tombstones": tuple(row["tombstones"])})


def _checksum(row: dict[str, Any]) -> str:
    return sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()
