"""The readings of a run in `readings.jsonl`: what was really read, once, with what it took.

Every policy of the run, and of every later run in the same folder, is computed from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from selfroute.errors import UnreadableFile
from selfroute.evaluation.lines import Lines, read_lines
from selfroute.readers.recorded import Recorded
from selfroute.types import Call, Citation, Draft, Route, Stage, Usage

NAME = "readings.jsonl"


class KeptReadings:
    """Implements `readers.recorded.Readings` on one file, held by its one writer."""

    def __init__(self, folder: Path) -> None:
        self._known, self._wasted = _held(folder / NAME)
        self._lines = Lines(folder / NAME)

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


class Memory:
    """Implements `readers.recorded.Readings` for one process: `known`, and what comes to it. Nothing is written."""

    def __init__(self, known: Mapping[str, Recorded] | None = None) -> None:
        self._known = dict(known or {})

    def find(self, key: str) -> Recorded | None:
        return self._known.get(key)

    def keep(self, key: str, recorded: Recorded) -> None:
        self._known[key] = recorded

    def waste(self, key: str, calls: Sequence[Call]) -> None:
        """Nobody asks what was spent."""


def read_readings(folder: Path) -> dict[str, Recorded]:
    """The readings of a run by key, none where there is no file. It is only read, so that the run may be under way: a
    line that is being written is left out. Raises `UnreadableFile`."""
    return _held(folder / NAME)[0]


def _held(path: Path) -> tuple[dict[str, Recorded], list[Call]]:
    """The readings by key, and the calls that came to nothing."""
    known: dict[str, Recorded] = {}
    wasted: list[Call] = []
    for number, value in read_lines(path):
        key, draft, calls = _recorded(path, number, value)
        if draft is None:
            wasted += calls
        else:
            known[key] = Recorded(draft, calls)
    return known, wasted


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
