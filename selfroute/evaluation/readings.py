"""The readings of a run in `readings.jsonl`: what was really read, once, with what it took.

Every policy of the run, and of every later run in the same folder, is computed from them.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from selfroute.errors import UnreadableFile
from selfroute.evaluation.lines import Lines, read_lines
from selfroute.readers.recorded import Recorded
from selfroute.types import Call, Citation, Draft, Route, Stage, Usage

NAME = "readings.jsonl"


class KeptReadings:
    """Implements `readers.recorded.Readings` on one file."""

    def __init__(self, folder: Path) -> None:
        path = folder / NAME
        self._known = dict(_recorded(path, number, value) for number, value in read_lines(path))
        self._lines = Lines(path)

    def find(self, key: str) -> Recorded | None:
        return self._known.get(key)

    def keep(self, key: str, recorded: Recorded) -> None:
        self._lines.append({"key": key, "draft": asdict(recorded.draft), "calls": list(map(_call_out, recorded.calls))})
        self._known[key] = recorded

    def spent(self) -> Usage:
        """The usage of all readings that were really made."""
        return sum((call.usage for kept in self._known.values() for call in kept.calls), Usage())

    def __len__(self) -> int:
        return len(self._known)

    def close(self) -> None:
        self._lines.close()


def _call_out(call: Call) -> dict[str, object]:
    return {name: value for name, value in asdict(call).items() if name != "cost"}


def _recorded(path: Path, number: int, value: dict[str, Any]) -> tuple[str, Recorded]:
    try:
        draft = dict(value["draft"])
        citations = tuple(Citation(**citation) for citation in draft["citations"])
        draft |= {"route": Route(draft["route"]), "citations": citations, "warnings": tuple(draft["warnings"])}
        calls = tuple(
            Call(**call | {"stage": Stage(call["stage"]), "usage": Usage(**call["usage"])}) for call in value["calls"]
        )
        return str(value["key"]), Recorded(Draft(**draft), calls)
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableFile(
            path, f"line {number} is not a reading of this version of selfroute ({error}): use another --out folder"
        ) from error
