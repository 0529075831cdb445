"""`run.json`: what a run was made with, so that its figures can be trusted and its folder not mixed with another's."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from selfroute.errors import InvalidSettings, UnreadableFile
from selfroute.evaluation.columns import Check, mapping, maybe, odd, text, texts
from selfroute.evaluation.datasets import Malformed
from selfroute.evaluation.lines import write_file
from selfroute.evaluation.suite import Suite
from selfroute.types import Usage

NAME = "run.json"
LIBRARIES = ("faiss-cpu", "llama-index-core", "numpy", "onnxruntime", "tokenizers")


class RunRecord:
    """Written when a run begins and again when it ends; `finished` is null in between."""

    def __init__(self, folder: Path, values: dict[str, Any]) -> None:
        self._folder = folder
        self._values = values

    @classmethod
    def begin(cls, folder: Path, suite: Suite, identity: Mapping[str, object], concurrency: int) -> RunRecord:
        """Raises `InvalidSettings` if the folder holds a run that was made with something else."""
        replay = suite.replay and sha256(suite.replay.read_bytes()).hexdigest()
        made_with = json.loads(json.dumps({**identity, "mode": suite.mode, "replay": replay}))
        old = read_record(folder)
        if old is not None and old.get("made_with") != made_with:
            raise InvalidSettings(
                f"{folder} holds a run with other {_differing(old.get('made_with'), made_with)}: "
                "name another folder with --out, or remove it"
            )
        record = cls(
            folder,
            {
                "suite": suite.name,
                "sources": list(suite.sources),
                "policies": list(suite.policies),
                "k": list(suite.ks),
                "limit": suite.limit,
                "replay": suite.replay and str(suite.replay),
                "concurrency": concurrency,
                "made_with": made_with,
                "versions": _versions(),
                "started": (old or {}).get("started") or _now(),
                "finished": None,
            },
        )
        record._write()
        return record

    def end(self, rows: int, failed: int, malformed: Sequence[Malformed], readings: int, read: Usage) -> None:
        self._values |= {
            "finished": _now(),
            "rows": rows,
            "failed": failed,
            "malformed": [asdict(row) for row in malformed],
            "readings": readings,
            "read": asdict(read),
        }
        self._write()

    def _write(self) -> None:
        write_file(self._folder / NAME, (json.dumps(self._values, indent=1) + "\n").encode())


def read_record(folder: Path) -> dict[str, Any] | None:
    """The record of a folder's run, `None` if there is none. Of what others use, each entry is of its kind or is not
    there. Raises `UnreadableFile`."""
    path = folder / NAME
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise UnreadableFile(path, f"cannot be read ({error}): restore it, or run into another folder") from error
    if not isinstance(values, dict):
        raise UnreadableFile(path, "is not the record of a run: restore it, or run into another folder")
    if told := _odd(values):
        raise UnreadableFile(path, f"is not the record of a run ({told}): restore it, or run into another folder")
    return values


def _odd(values: Mapping[str, Any]) -> str | None:
    told = odd(values, ENTRIES, may_lack=ENTRIES)
    inside = values.get("made_with") if told is None else None
    for name, entries in WITHIN.items():
        if inside is not None and (below := odd(inside, entries, may_lack=entries)):
            return f"of its {name!r}, {below}"
        inside = (inside or {}).get("settings")
    return told


ENTRIES: Mapping[str, Check] = {
    "suite": text,
    "sources": texts,
    "replay": maybe(text),
    "made_with": maybe(mapping),
    "versions": maybe(lambda value: isinstance(value, dict) and all(map(text, value.values()))),
    "finished": maybe(text),
    "malformed": maybe(lambda value: isinstance(value, list)),
}
"""The entries that others use, and what each may be; a record of another version may lack some."""


def _model(value: object) -> bool:
    """A reader or an embedder: an object whose names are text."""
    return isinstance(value, dict) and all(maybe(text)(value.get(name)) for name in ("kind", "chunks", "documents"))


WITHIN: Mapping[str, Mapping[str, Check]] = {
    "made_with": {"settings": maybe(mapping), "mode": maybe(text), "replay": maybe(text)},
    "settings": {"reader": maybe(_model), "embedder": maybe(_model)},
}
"""What stands in `made_with`, and in the `settings` there."""


def _differing(old: object, new: Mapping[str, object]) -> str:
    """The names of the entries that differ, as `settings.chunking.tokens`."""
    if not isinstance(old, dict):
        return "settings"
    return ", ".join(_names(old, new)) or "settings"


def _names(old: Mapping[str, Any], new: Mapping[str, Any], above: str = "") -> list[str]:
    found = []
    for name in sorted({*old, *new}):
        one, other = old.get(name), new.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            found += _names(one, other, f"{above}{name}.")
        elif one != other:
            found.append(f"{above}{name}")
    return found


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for library in ("selfroute", *LIBRARIES):
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "not installed"
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
