"""What a run comes to: one cell for each dataset and policy. Pure: rows in, numbers out, but for `write_summary`.

Scores are 0 to 100 and shares 0 to 1. Failed questions score 0 and stay in the denominator; tasks that the
reader cannot do (n/a) do not, and are counted apart.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path

from selfroute.evaluation.datasets import length_bucket
from selfroute.evaluation.lines import write_file
from selfroute.evaluation.metrics.declines import Declines, Judged, count_declines
from selfroute.evaluation.rows import Row
from selfroute.evaluation.statistics import mean_interval
from selfroute.types import sum_cost

NAME = "summary.json"
RIGHT = 50.0
"""The score from which an answer is counted as right beside the declines."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One dataset under one policy. `n` counts the questions that have a score, failed ones among them;
    `score` and what follows from it is null where there is none. `escalated` is the share that read a document;
    `token_share` is reader input over what `always_long` would have read, where that is known: of the questions that
    did not fail. `input_tokens`, `cost` and `seconds` are sums over all rows; `cost` is null where a price is unknown.
    `by_length` has LongBench-E's buckets for its `_e` datasets."""

    score: float | None
    low: float | None
    high: float | None
    n: int
    failed: int
    na: int
    escalated: float | None
    answerable_score: float | None
    unanswerable_score: float | None
    declines: Declines
    input_tokens: int
    token_share: float | None
    cost: Decimal | None
    simulated: bool
    seconds: float
    by_length: dict[str, float] | None


Summary = dict[str, dict[str, Cell]]
"""dataset -> policy (with `@k` behind it where a run has several k) -> cell."""


def summarised(rows: Sequence[Row]) -> Summary:
    several = len({row.k for row in rows}) > 1
    grouped: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        name = f"{row.policy}@{row.k}" if several else row.policy
        grouped.setdefault(row.dataset, {}).setdefault(name, []).append(row)
    return {dataset: {name: cell(of) for name, of in by.items()} for dataset, by in grouped.items()}


def cell(rows: Sequence[Row]) -> Cell:
    scored = [row for row in rows if row.score is not None]
    read = [row for row in scored if row.error is None]
    interval = mean_interval([_score(row) for row in scored], [row.doc_id for row in scored]) if scored else None
    full = sum(row.long_context_tokens for row in read)
    return Cell(
        score=interval.mean if interval else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        n=len(scored),
        failed=len(scored) - len(read),
        na=len(rows) - len(scored),
        escalated=_share(read, lambda row: row.read_documents),
        answerable_score=_mean([_score(row) for row in scored if row.answerable]),
        unanswerable_score=_mean([_score(row) for row in scored if not row.answerable]),
        declines=count_declines(Judged(row.answerable, row.declined, _score(row) >= RIGHT) for row in read),
        input_tokens=_input_tokens(rows),
        token_share=_input_tokens(read) / full if full else None,
        cost=sum_cost([row.cost for row in rows]),
        simulated=any(row.simulated for row in rows),
        seconds=sum(row.seconds for row in rows),
        by_length=_by_length(scored),
    )


def write_summary(folder: Path, summary: Summary) -> None:
    """`summary.json`: `{dataset: {policy: cell}}`, costs as decimal strings."""
    values = {
        dataset: {
            policy: asdict(cell) | {"cost": None if cell.cost is None else format(cell.cost.normalize(), "f")}
            for policy, cell in by.items()
        }
        for dataset, by in summary.items()
    }
    write_file(folder / NAME, (json.dumps(values, indent=1) + "\n").encode())


def macro(cells: Sequence[Cell]) -> float | None:
    """The mean of the datasets' scores, each counting alike."""
    return _mean([cell.score for cell in cells if cell.score is not None])


def _by_length(rows: Sequence[Row]) -> dict[str, float] | None:
    if not rows or not rows[0].dataset.endswith("_e"):
        return None
    buckets: dict[str, list[float]] = {}
    for row in rows:
        buckets.setdefault(length_bucket(row.length), []).append(_score(row))
    return {name: sum(scores) / len(scores) for name, scores in sorted(buckets.items())}


def _input_tokens(rows: Sequence[Row]) -> int:
    return sum(row.usage["input_tokens"] for row in rows)


def _score(row: Row) -> float:
    return row.score if row.score is not None else 0.0


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _share(rows: Sequence[Row], is_so: Callable[[Row], bool]) -> float | None:
    return sum(map(is_so, rows)) / len(rows) if rows else None
