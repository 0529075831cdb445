"""The price: what a reading must add to be worth what it takes."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfroute.routing.dial import Dial, fresh
from selfroute.routing.features import Features
from selfroute.routing.score import Logistic, Odds, Rule
from selfroute.types import Estimate, Readers

RULE = Rule("alone", Readers.CHAT, (), (), (), Logistic(0, ()), Logistic(0, ()), ((0.1, 0.1), (1.0, -0.1)))
FEATURES = Features(0.5, 0.4, 0.1, 1.0, 0.2, 0.5, 0.1, 5.0, 6.0, 0, 0, 0, 0)
ODDS = Odds(RULE, gain=0.3, harm=0.1, features=FEATURES)  # adds 0.2 right answers
READING = Estimate(10_000, Decimal("0.05"), (), True)
UNPRICED = replace(READING, cost=None)


@pytest.mark.parametrize(("value", "escalates"), [("0.24", False), ("0.26", True), ("1", True), ("0", False)])
def test_a_reading_is_worth_its_cost_where_what_it_adds_is(value: str, escalates: bool) -> None:
    decision = Dial(value=Decimal(value)).decide(ODDS, False, READING)  # 0.05 of 0.25 would be 0.2
    assert (decision.escalates, decision.by) == (escalates, "price")


def test_what_is_needed_is_told() -> None:
    assert Dial(value=Decimal("0.5")).decide(ODDS, False, READING).needed == pytest.approx(0.1)


@pytest.mark.parametrize(("share", "escalates"), [(0.1, True), (0.04, False), (0.0, False), (1.0, True)])
def test_without_a_value_the_price_of_a_share_decides(share: float, escalates: bool) -> None:
    decision = Dial(share).decide(ODDS, False, READING)  # at 0.1 it needs 0.1
    assert (decision.escalates, decision.by) == (escalates, "share")


def test_an_unknown_price_falls_back_to_the_share_and_is_never_nought() -> None:
    decision = Dial(0.1, Decimal(1000)).decide(ODDS, False, UNPRICED)
    assert (decision.by, decision.needed) == ("share", pytest.approx(0.1))


def test_by_money_a_longer_document_must_add_more_and_by_share_as_much_as_any() -> None:
    long = replace(READING, tokens=30_000, cost=Decimal("0.15"))
    by_money, by_share = Dial(value=Decimal("0.5")), Dial(0.1)
    assert by_money.decide(ODDS, False, READING).escalates
    assert not by_money.decide(ODDS, False, long).escalates
    assert by_share.decide(ODDS, False, long).needed == by_share.decide(ODDS, False, READING).needed


def test_a_decision_keeps_what_was_set_and_its_caveat() -> None:
    dial = Dial(0.2, Decimal(3), Decimal("0.5"))
    decision = dial.decide(ODDS, False, READING).doubted("the embedder is another")
    assert decision.dial.settings() == {"share": 0.2, "value_per_correct_answer": 3, "max_cost": Decimal("0.5")}
    assert decision.caveat == "the embedder is another"
    assert (dial.at_once(READING).escalates, dial.at_once(READING).by) == (True, "length")


def test_a_warm_document_is_cheaper_to_read() -> None:
    warm = replace(READING, cached_tokens=10_000)
    assert fresh(warm) == pytest.approx(0.1)
    assert fresh(replace(READING, tokens=0)) == 1
    assert not Dial(0.04).decide(ODDS, False, READING).escalates
    assert Dial(0.04).decide(ODDS, False, warm).escalates


@pytest.mark.parametrize("cost", [Decimal("0.06"), None])
def test_nothing_is_read_beyond_the_limit_or_at_an_unknown_cost(cost: Decimal | None) -> None:
    dial = Dial(1.0, Decimal(1000), max_cost=Decimal("0.05"))
    assert dial.decide(ODDS, True, READING).escalates
    decision = dial.decide(ODDS, True, replace(READING, cost=cost))
    assert (decision.escalates, decision.by) == (False, "max_cost")


@pytest.mark.parametrize("declined", [True, False])
def test_where_nothing_is_known_a_decline_escalates(declined: bool) -> None:
    decision = Dial().decide(None, declined, READING)
    assert (decision.escalates, decision.by) == (declined, "decline")


@given(st.decimals(0, 100, places=3), st.decimals(0, 100, places=3), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_value_never_escalates_less(one: Decimal, other: Decimal, gain: float, harm: float) -> None:
    low, high = sorted((one, other))
    odds = replace(ODDS, gain=gain, harm=harm)
    assert (
        Dial(value=high).decide(odds, False, READING).escalates
        >= Dial(value=low).decide(odds, False, READING).escalates
    )


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_share_never_escalates_less(one: float, other: float, gain: float) -> None:
    low, high = sorted((one, other))
    odds = replace(ODDS, gain=gain)
    assert Dial(high).decide(odds, False, READING).escalates >= Dial(low).decide(odds, False, READING).escalates


def test_the_whole_share_reads_all_and_warmth_never_makes_a_reading_harder() -> None:
    cold = Estimate(30_000, None, ("harbour",), True)
    for share in (0.05, 0.12, 0.5, 0.9, 1.0):
        dial = Dial(share)
        odds = Odds(RULE, 0.1, 0.05, FEATURES)
        needed = [dial.decide(odds, False, replace(cold, cached_tokens=n)).needed for n in (0, 29_000)]
        assert needed[0] is not None
        assert needed[1] is not None
        assert needed[1] <= needed[0]
    assert Dial(1.0).decide(Odds(RULE, 0.0, 0.9, FEATURES), False, cold).escalates
