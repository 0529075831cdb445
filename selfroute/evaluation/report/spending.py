"""What a run took: tokens and cost by stage, latency, and what came to nothing. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from selfroute.evaluation.report.board import Board, Line
from selfroute.evaluation.rows import Row, StageUse
from selfroute.types import Stage, sum_cost

PERCENTILES = (50, 90, 95, 99)
LONGEST = 160


@dataclass(frozen=True, slots=True)
class Spent:
    """What one policy's calls of one stage took, as if it had run alone."""

    policy: str
    use: StageUse


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds of all calls of a question, at `PERCENTILES`, over the `n` that did not fail."""

    policy: str
    n: int
    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """How often one policy failed (`failed`) or could not do a task, and what was said."""

    policy: str
    failed: bool
    said: str
    n: int


@dataclass(frozen=True, slots=True)
class Spending:
    """`unrecorded` counts rows that do not say what each stage took. `simulated`: no model was asked, tokens are
    estimates and seconds mean nothing."""

    spent: tuple[Spent, ...]
    unrecorded: int
    latency: tuple[Latency, ...]
    trouble: tuple[Trouble, ...]
    simulated: bool


def spending(made: Board) -> Spending:
    rows = [row for line in made.lines for row in line.made]
    return Spending(
        tuple(Spent(line.policy, use) for line in made.lines for use in _by_stage(line.made)),
        sum(row.stages is None for row in rows),
        tuple(latency for line in made.lines if (latency := _latency(line)) is not None),
        tuple(trouble for line in made.lines for trouble in _trouble(line)),
        any(row.simulated for row in rows),
    )


def _by_stage(rows: Sequence[Row]) -> list[StageUse]:
    uses = [use for row in rows for use in row.stages or ()]
    return [summed(stage, [use for use in uses if use.stage is stage]) for stage in Stage if _any(stage, uses)]


def _any(stage: Stage, uses: Sequence[StageUse]) -> bool:
    return any(use.stage is stage for use in uses)


def summed(stage: Stage, uses: Sequence[StageUse]) -> StageUse:
    return StageUse(
        stage,
        calls=sum(use.calls for use in uses),
        failed=sum(use.failed for use in uses),
        input_tokens=sum(use.input_tokens for use in uses),
        cached_input_tokens=sum(use.cached_input_tokens for use in uses),
        cache_write_tokens=sum(use.cache_write_tokens for use in uses),
        output_tokens=sum(use.output_tokens for use in uses),
        reasoning_tokens=sum(use.reasoning_tokens for use in uses),
        cost=sum_cost([use.cost for use in uses]),
        estimated=any(use.estimated for use in uses),
    )


def _latency(line: Line) -> Latency | None:
    seconds = [row.seconds for row in line.made if row.error is None and row.na is None and not row.simulated]
    if not seconds:
        return None
    return Latency(line.policy, len(seconds), tuple(float(s) for s in np.percentile(seconds, PERCENTILES)))


def _trouble(line: Line) -> list[Trouble]:
    failures = Counter(_short(row.error) for row in line.made if row.error is not None)
    unable = Counter(_short(row.na) for row in line.made if row.na is not None)
    return [
        Trouble(line.policy, failed, said, n)
        for failed, counted in ((True, failures), (False, unable))
        for said, n in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    ]


def _short(said: str) -> str:
    line = " ".join(said.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def known_cost(cost: Decimal | None) -> str:
    return "unknown" if cost is None else format(cost.normalize(), "f")
