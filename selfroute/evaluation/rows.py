"""The rows of a run: one a question, policy and k, in `rows.jsonl`. Knows nothing of readers or policies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from selfroute.errors import UnreadableFile
from selfroute.evaluation.columns import (
    Check,
    amount,
    cost,
    count,
    counts,
    maybe,
    number,
    objects,
    odd,
    one_of,
    points,
    positive,
    share,
    text,
    texts,
    truth,
)
from selfroute.evaluation.lines import Lines, read_lines, write_lines
from selfroute.types import Move, Outcome, Route, Stage

NAME = "rows.jsonl"
PACKED = "rows.jsonl.xz"
"""As `eval/results/` keeps them."""

Key = tuple[str, str, str, int]
"""(dataset, id, policy, k)"""


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start:end` of a document: a chunk with its cosine, or a citation with the reader's score."""

    document: str
    start: int
    end: int
    score: float | None


@dataclass(frozen=True, slots=True)
class StageUse:
    """What the calls of one stage took together; `failed` of them came to nothing. `cost` is in US dollars, null where
    a price is unknown; `estimated`: a provider told no usage."""

    stage: Stage
    calls: int
    failed: int
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost: Decimal | None
    estimated: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One question under one policy.

    `score` is 0 to 100; 0 where the question failed (`error` says how), null where the reader cannot do the task
    (`na` says why). `usage` sums the reader's calls; embedding stands apart in `embedding_tokens`. `length` is the
    document's, in words. `simulated`: usage and cost are estimates, no model was asked. `asked` is a hash over the
    question, its task, its document and its reference. `hits` are the chunks that were retrieved, best first,
    `citations` what supports the answer, `stages` what each kind of call took: null where the question failed or is
    n/a (`stages` never is), and in rows of a version that did not keep them.
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
    hits: tuple[Span, ...] | None = None
    citations: tuple[Span, ...] | None = None
    stages: tuple[StageUse, ...] | None = None

    @property
    def key(self) -> Key:
        return (self.dataset, self.id, self.policy, self.k)

    @property
    def read_documents(self) -> bool:
        """Whether the documents were read: `route` may be the chunks' all the same, where their answer is the better
        supported one."""
        return Move.READ_DOCUMENTS in self.path

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
    """All rows of a run, failed ones too, also where they were packed (`rows.jsonl.xz`). Raises `UnreadableFile` if
    there are none or a line is not a row."""
    path = folder / NAME
    if not path.exists() and (folder / PACKED).exists():
        path = folder / PACKED
    if not path.exists():
        raise UnreadableFile(path, "there is no such file: name the folder of a run of `selfroute eval`")
    rows = _rows(path)
    if not rows:
        raise UnreadableFile(path, "holds no rows: run `selfroute eval` with the same --out first")
    return rows


def _rows(path: Path) -> list[Row]:
    return [_row(path, number, value) for number, value in read_lines(path)]


def _to_json(row: Row) -> dict[str, object]:
    stages = row.stages and [asdict(use) | {"cost": _plain(use.cost)} for use in row.stages]
    return asdict(row) | {"cost": _plain(row.cost), "usage": dict(row.usage), "stages": stages}


def _plain(cost: Decimal | None) -> str | None:
    return None if cost is None else format(cost.normalize(), "f")


def _row(path: Path, at: int, value: dict[str, Any]) -> Row:
    try:
        if told := odd(value, COLUMNS, may_lack=LATER.keys()):
            raise ValueError(told)
        usage = dict(value["usage"])
        known = {field.name: value[field.name] for field in fields(Row) if field.name not in LATER}
        made = Row(**known | {"cost": _decimal(value["cost"]), "path": tuple(value["path"]), "usage": usage})
        return replace(made, **{name: read(value[name]) for name, read in LATER.items() if value.get(name) is not None})
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableFile(
            path,
            f"line {at} is not a row of this version of selfroute ({error}): restore it, or run into another folder",
        ) from error


def _decimal(cost: str | None) -> Decimal | None:
    return None if cost is None else Decimal(cost)


def _spans(values: list[dict[str, Any]]) -> tuple[Span, ...]:
    return tuple(Span(**value) for value in values)


def _stages(values: list[dict[str, Any]]) -> tuple[StageUse, ...]:
    return tuple(
        StageUse(**value | {"stage": Stage(value["stage"]), "cost": _decimal(value["cost"])}) for value in values
    )


LATER: Mapping[str, Callable[[Any], Any]] = {"hits": _spans, "citations": _spans, "stages": _stages}
"""Columns that rows of an earlier version lack, with how they are read."""


SPAN: Mapping[str, Check] = {"document": text, "start": count, "end": count, "score": maybe(number)}
STAGE: Mapping[str, Check] = {
    "stage": one_of([stage.value for stage in Stage]),
    "calls": count,
    "failed": count,
    "input_tokens": count,
    "cached_input_tokens": count,
    "cache_write_tokens": count,
    "output_tokens": count,
    "reasoning_tokens": count,
    "cost": maybe(cost),
    "estimated": truth,
}
COLUMNS: Mapping[str, Check] = {
    **dict.fromkeys(("id", "dataset", "doc_id", "policy", "metric", "asked"), text),
    **dict.fromkeys(("prediction", "error", "na"), maybe(text)),
    **dict.fromkeys(("answerable", "simulated"), truth),
    **dict.fromkeys(("long_context_tokens", "length"), count),
    "k": positive,
    "score": maybe(points),
    "outcome": maybe(one_of([outcome.value for outcome in Outcome])),
    "route": maybe(one_of([route.value for route in Route])),
    "path": texts,
    "confidence": maybe(share),
    "usage": lambda value: counts(value) and "input_tokens" in value,  # type: ignore[operator]
    "cost": maybe(cost),
    "seconds": amount,
    "hits": maybe(objects(SPAN)),
    "citations": maybe(objects(SPAN)),
    "stages": maybe(objects(STAGE)),
}
"""What each column may be."""
