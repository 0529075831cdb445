"""The readings of a run in `readings.jsonl`: what was really read, once, with what it took.

Every policy of the run, and of every later run in the same folder, is computed from them.
"""

from __future__ import annotations

from collections.abc import Sequence
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
        self._known: dict[str, Recorded] = {}
        self._wasted: list[Call] = []
        for number, value in read_lines(path):
            key, draft, calls = _recorded(path, number, value)
            if draft is None:
                self._wasted += calls
            else:
                self._known[key] = Recorded(draft, calls)
        self._lines = Lines(path)

    def find(self, key: str) -> Recorded | None:
        return self._known.get(key)

    def keep(self, key: str, recorded: Recorded) -> None:
        self._lines.append({"key": key, "draft": asdict(recorded.draft), "calls": list(map(_call_out, recorded.calls))})
        self._known[key] = recorded

    def waste(self, key: str, calls: Sequence[Call]) -> None:
        self._lines.append({"key": key, "draft": None, "calls": list(map(_call_out, calls))})
        self._wasted += calls

    def spent(self) -> Usage:
        """The usage of all calls that were really made, those of readings that failed or were given up among them."""
        made = [call for kept in self._known.values() for call in kept.calls]
        return sum((call.usage for call in [*made, *self._wasted]), Usage())

    def __len__(self) -> int:
        return len(self._known)

    def close(self) -> None:
        self._lines.close()


def _call_out(call: Call) -> dict[str, object]:
    return {name: value for name, value in asdict(call).items() if name != "cost"}


def _recorded(path: Path, number: int, value: dict[str, Any]) -> tuple[str, Draft | None, tuple[Call, ...]]:
    try:
        calls = tuple(
            Call(**call | {"stage": Stage(call["stage"]), "usage": Usage(**call["usage"])}) for call in value["calls"]
        )
        if value["draft"] is None:
            if not calls:
                raise ValueError("it holds neither a draft nor calls")
            return str(value["key"]), None, calls
        draft = dict(value["draft"])
        citations = tuple(Citation(**citation) for citation in draft["citations"])
        draft |= {"route": Route(draft["route"]), "citations": citations, "warnings": tuple(draft["warnings"])}
        return str(value["key"]), Draft(**draft), calls
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableFile(
            path,
            f"line {number} is not a reading of this version of selfroute ({error}): restore it, or run into another "
            "folder",
        ) from error
