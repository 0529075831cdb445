"""What a call costs: exact, each kind of token by its own price, and never 0 for want of a price."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from selfroute.prices import Price, Prices
from selfroute.types import Usage

PRICE = Price(input=Decimal("2.50"), output=Decimal("10"))


def test_prices_are_per_million_tokens() -> None:
    assert PRICE.cost(Usage(input_tokens=1_000_000, output_tokens=500_000)) == Decimal("7.50")


def test_one_token_costs_exactly_its_millionth() -> None:
    assert Price(Decimal("0.15"), Decimal("0.60")).cost(Usage(input_tokens=1)) == Decimal("0.00000015")


def test_cached_input_and_cache_writes_are_priced_apart() -> None:
    price = Price(Decimal(4), Decimal(8), cached_input=Decimal(1), cache_write=Decimal(5))
    usage = Usage(input_tokens=1_000_000, cached_input_tokens=500_000, cache_write_tokens=250_000)
    assert price.cost(usage) == Decimal("0.25") * 4 + Decimal("0.5") * 1 + Decimal("0.25") * 5


def test_a_cached_price_of_zero_is_a_price() -> None:
    free = Price(Decimal(4), Decimal(8), cached_input=Decimal(0))
    assert free.cost(Usage(input_tokens=1000, cached_input_tokens=1000)) == 0


def test_cached_input_without_a_price_of_its_own_costs_as_input() -> None:
    usage = Usage(input_tokens=1000, cached_input_tokens=600, cache_write_tokens=300)
    assert PRICE.cost(usage) == PRICE.cost(Usage(input_tokens=1000))


def test_reasoning_is_part_of_the_output_and_not_paid_twice() -> None:
    usage = Usage(output_tokens=100, reasoning_tokens=90)
    assert PRICE.cost(usage) == PRICE.cost(Usage(output_tokens=100))


def test_a_model_without_a_price_has_no_known_cost() -> None:
    assert Prices({"known": PRICE}).cost("other", Usage(input_tokens=5)) is None


def test_a_call_without_tokens_costs_nothing_if_its_price_is_known() -> None:
    assert Prices({"known": PRICE}).cost("known", Usage()) == 0


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=50))
def test_the_costs_of_parts_sum_to_the_cost_of_the_whole(parts: list[int]) -> None:
    whole = PRICE.cost(Usage(input_tokens=sum(parts)))
    assert sum((PRICE.cost(Usage(input_tokens=part)) for part in parts), Decimal(0)) == whole
