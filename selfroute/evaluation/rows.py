"""The rows of a run: one a question, policy and k, in `rows.jsonl`. Knows nothing of readers or policies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from selfroute.errors import UnreadableFile
from selfroute.evaluation.lines import Lines, read_lines, write_lines

NAME = "rows.jsonl"

Key = tuple[str, str, str, int]
"""(dataset, id, policy, k)"""


@dataclass(frozen=True, slots=True)
class Row:
    """One question under one policy.

    `score` is 0 to 100; 0 where the question failed (`error` says how), null where the reader cannot do the task
    (`na` says why). `usage` sums the reader's calls; embedding stands apart in `embedding_tokens`. `length` is the
    document's, in words. `simulated`: usage and cost are estimates, no model was asked. `asked` is a hash over the
    question, its task, its document and its reference.
    """

    id: str
    dataset: str
    doc_id: str
    policy: str
    k: int
    prediction: str | None
    score: float | None
    metric: str
    answerable: bool
    outcome: str | None
    route: str | None
    path: tuple[str, ...]
    confidence: float | None
    usage: Mapping[str, int]
    long_context_tokens: int
    cost: Decimal | None
    seconds: float
    error: str | None
    na: str | None
    length: int
    simulated: bool
    asked: str

    @property
    def key(self) -> Key:
        return (self.dataset, self.id, self.policy, self.k)

    @property
    def declined(self) -> bool:
        return self.outcome is not None and self.outcome != "answered"


class Rows:
    """The file of one run, held by its one writer. `done` are the rows that need not be made again.

    Rows that failed are dropped on opening, so that they are tried once more and nothing is counted twice; so are
    rows of a question that `asked`, (dataset, id) -> hash, has with another hash by now: its file was changed."""

    def __init__(self, folder: Path, asked: Mapping[tuple[str, str], str]) -> None:
        self._path = folder / NAME
        self.done: dict[Key, Row] = {
            row.key: row
            for row in _rows(self._path)
            if row.error is None and asked.get((row.dataset, row.id), row.asked) == row.asked
        }
        write_lines(self._path, map(_to_json, self.done.values()))
        self._lines = Lines(self._path)

    def append(self, row: Row) -> None:
        self._lines.append(_to_json(row))
        self.done[row.key] = row

    def sort(self, place: Callable[[Row], tuple[int, ...]]) -> list[Row]:
        """Leaves the rows in the order of `place`, the same however the run went, and returns them."""
        rows = sorted(self.done.values(), key=lambda row: (place(row), row.key))
        self._lines.close()
        write_lines(self._path, map(_to_json, rows))
        self._lines = Lines(self._path)
        return rows

    def close(self) -> None:
        self._lines.close()


def read_rows(folder: Path) -> list[Row]:
    """All rows of a run, failed ones too. Raises `UnreadableFile` if there are none or a line is not a row."""
    path = folder / NAME
    if not path.exists():
        raise UnreadableFile(path, "there is no such file: name the folder of a run of `selfroute eval`")
    rows = _rows(path)
    if not rows:
        raise UnreadableFile(path, "holds no rows: run `selfroute eval` with the same --out first")
    return rows


def _rows(path: Path) -> list[Row]:
    return [_row(path, number, value) for number, value in read_lines(path)]


def _to_json(row: Row) -> dict[str, object]:
    cost = None if row.cost is None else format(row.cost.normalize(), "f")
    return asdict(row) | {"cost": cost, "usage": dict(row.usage)}


def _row(path: Path, number: int, value: dict[str, Any]) -> Row:
    try:
        cost = None if value["cost"] is None else Decimal(value["cost"])
        if not (value["score"] is None or 0 <= value["score"] <= 100):  # nor NaN, which is not within any bounds
            raise ValueError(f"its score is {value['score']}")
        usage = {name: int(tokens) for name, tokens in value["usage"].items()}
        known = {field.name: value[field.name] for field in fields(Row)}
        return Row(**known | {"cost": cost, "path": tuple(value["path"]), "usage": usage})
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise UnreadableFile(
            path, f"line {number} is not a row of this version of selfroute ({error}): use another --out folder"
        ) from error
