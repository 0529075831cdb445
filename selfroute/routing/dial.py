"""The price: whether what a reading is expected to add is worth what it takes. One dial, in money or as a share.

By money a long document must add more than a short one. A share is relative to the documents at hand: it asks the same
of a long one and of a short one, so that it carries over to documents of other lengths than a router was fitted on.
Pure. What is known of a reading's cost is its input; what a model writes comes on top.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from selfroute.routing.score import Odds
from selfroute.types import Estimate

WARM = 0.1
"""What a cached token counts where prices are unknown: what large providers ask for one, as a share of a fresh one."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to read on, and why: `improvement` in right answers against `needed`, by `by`: `price`, `share`,
    `max_cost`, `decline` where no rule knows enough, or `length` where chunks would take as much as the documents.
    `dial` is what was set; `caveat` what makes the odds doubtful, or why there are none, if anything does."""

    escalates: bool
    by: str
    odds: Odds | None
    needed: float | None
    reading: Estimate
    dial: Dial
    caveat: str | None = None

    def doubted(self, caveat: str | None) -> Decision:
        """The same, with a caveat."""
        return replace(self, caveat=caveat)


@dataclass(frozen=True, slots=True)
class Dial:
    """`value` is what one more right answer is worth in US dollars; without it, or where a price is unknown,
    escalations aim at `share` (0 to 1) of the documents' tokens. No reading is begun that costs more than `max_cost`
    US dollars, or whose cost is unknown where there is such a limit."""

    share: float = 0.11
    value: Decimal | None = None
    max_cost: Decimal | None = None

    def settings(self) -> Mapping[str, object]:
        return {"share": self.share, "value_per_correct_answer": self.value, "max_cost": self.max_cost}

    def at_once(self, reading: Estimate) -> Decision:
        """To read the documents without the chunks, which would take as much."""
        return Decision(True, "length", None, None, reading, self)

    def decide(self, odds: Odds | None, declined: bool, reading: Estimate) -> Decision:
        """Without `odds`, a decline escalates, as by `self_route`."""
        if not self.affords(reading):
            return Decision(False, "max_cost", odds, None, reading, self)
        if odds is None:
            return Decision(declined, "decline", None, None, reading, self)
        by, needed = self._needed(odds, reading)
        return Decision(odds.improvement >= needed, by, odds, needed, reading, self)

    def affords(self, reading: Estimate) -> bool:
        return self.max_cost is None or (reading.cost is not None and reading.cost <= self.max_cost)

    def _needed(self, odds: Odds, reading: Estimate) -> tuple[str, float]:
        """Right answers that a reading must add to be worth it, and what says so."""
        if self.value is not None and reading.cost is not None:
            return "price", float(reading.cost / self.value) if self.value else math.inf
        price = -math.inf if self.share >= 1 else odds.rule.price(self.share)
        if not math.isfinite(price):
            return "share", price
        # Where even a loss is taken to reach the share, a cached token is no reason to take less of one.
        return "share", price * (fresh(reading) if price > 0 else 1.0)


def fresh(reading: Estimate) -> float:
    """What it takes as a share of what it would take cold, 0 to 1."""
    return 1 - (1 - WARM) * reading.cached_tokens / reading.tokens if reading.tokens else 1.0
