"""A price table and the cost of a call by it. Pure; knows nothing of files or ledgers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from selfroute.types import Usage

MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens."""

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None

    def cost(self, usage: Usage) -> Decimal:
        """Cached and cache-writing input is priced apart; without a price of its own it costs as input."""
        cached = self.input if self.cached_input is None else self.cached_input
        write = self.input if self.cache_write is None else self.cache_write
        plain = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
        return (
            plain * self.input
            + usage.cached_input_tokens * cached
            + usage.cache_write_tokens * write
            + usage.output_tokens * self.output
        ) / MILLION


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices by model name."""

    table: Mapping[str, Price]

    def discounts(self, model: str) -> bool:
        """Whether cached input is known to cost less."""
        price = self.table.get(model)
        return price is not None and price.cached_input is not None and price.cached_input < price.input

    def most(self, model: str, usage: Usage) -> Decimal | None:
        """The most that a call can cost of which it is not known yet what a provider has or writes into its cache."""
        price = self.table.get(model)
        if price is None:
            return None
        written = Usage(usage.input_tokens, cache_write_tokens=usage.input_tokens, output_tokens=usage.output_tokens)
        plain = Usage(usage.input_tokens, output_tokens=usage.output_tokens)
        return max(price.cost(plain), price.cost(written))

    def cost(self, model: str, usage: Usage) -> Decimal | None:
        """US dollars, or `None` when the model's price is unknown: never 0 for want of a price."""
        price = self.table.get(model)
        return None if price is None else price.cost(usage)
