"""The manifest: which generation of an index is published, and what must be found on disk for it to be whole.

It is written last; replacing it is the atomic switch from one generation to the next.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from selfroute.errors import CorruptIndex, ForeignIndex
from selfroute.index.files import write_whole

FORMAT = 1
NAME = "manifest.json"


@dataclass(frozen=True, slots=True)
class Segment:
    """One FAISS file: its name, how many vectors it holds, and the SHA-256 of its bytes."""

    file: str
    vectors: int
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
    write_whole(folder / NAME, json.dumps(asdict(manifest), indent=1).encode())


def read(folder: Path) -> Manifest:
    """Raises `CorruptIndex` if it is missing or broken, `ForeignIndex` if another program or version made it."""
    path = folder / NAME
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CorruptIndex(folder, f"{NAME} is missing") from error
    except (OSError, ValueError) as error:
        raise CorruptIndex(folder, f"{NAME} cannot be read ({error})") from error
    if not isinstance(row, dict) or "format" not in row:
        raise ForeignIndex(folder, f"its {NAME} was not written by selfroute; use another corpus name")
    if row["format"] != FORMAT:
        raise ForeignIndex(folder, f"it has format {row['format']}, this selfroute reads {FORMAT}; update selfroute")
    try:
        segments = tuple(Segment(**segment) for segment in row.pop("segments"))
        return Manifest(**row | {"segments": segments, "tombstones": tuple(row["tombstones"])})
    except (KeyError, TypeError) as error:
        raise CorruptIndex(folder, f"{NAME} lacks or has too many entries ({error})") from error
