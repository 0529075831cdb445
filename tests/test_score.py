"""The router's rules: exact, chosen by what is known, and refused where they are not what this version reads."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfroute.errors import InvalidSettings
from selfroute.routing.features import Features
from selfroute.routing.score import FORMAT, Logistic, Router, Rule, read_router, to_json
from selfroute.types import Readers

KNOWN = Features(0.5, 0.4, 0.1, 1.0, 0.2, 0.5, 0.1, 5.0, 6.0, 0, 0, 0, 0, declined=1.0)
RULE = Rule(
    "alone",
    Readers.CHAT,
    ("top", "declined"),
    (0.3, 0.0),
    (0.1, 1.0),
    Logistic(-1.0, (1.0, 0.5)),
    Logistic(0.0, (0.0, 0.0)),
    ((0.1, 0.4), (0.5, 0.1), (1.0, -0.1)),
)
JUDGED = replace(RULE, name="judged", inputs=("top", "judge_score"))
ROUTER = Router((JUDGED, RULE), {"runs": ["mine"]})


def test_a_probability_is_the_logistic_of_the_standardised_inputs() -> None:
    odds = ROUTER.odds(KNOWN, Readers.CHAT)
    assert odds is not None
    assert odds.gain == pytest.approx(1 / (1 + math.exp(-1.5)))  # -1 + 1 * (0.5 - 0.3) / 0.1 + 0.5 * 1
    assert odds.harm == 0.5
    assert odds.improvement == pytest.approx(odds.gain - 0.5)
    assert odds.sufficiency == pytest.approx(1 - odds.gain)
    assert odds.weighed == {"top": 0.5, "declined": 1.0}


def test_the_first_rule_whose_inputs_are_all_known_is_used() -> None:
    alone, judged = ROUTER.odds(KNOWN, Readers.CHAT), ROUTER.odds(replace(KNOWN, judge_score=0.0), Readers.CHAT)
    assert alone is not None
    assert judged is not None
    assert (alone.rule.name, judged.rule.name) == ("alone", "judged")


def test_nothing_is_said_where_no_rule_knows_enough() -> None:
    assert ROUTER.odds(replace(KNOWN, top=None), Readers.CHAT) is None


def test_a_rule_is_for_its_readers_alone() -> None:
    assert ROUTER.odds(KNOWN, Readers.MIXED) is None
    for_mixed = Router((replace(RULE, readers=Readers.MIXED), JUDGED), {})
    odds = for_mixed.odds(replace(KNOWN, judge_score=0.0), Readers.CHAT)
    assert odds is not None
    assert odds.rule is JUDGED


def test_other_retrieval_than_a_router_was_fitted_on_is_said_and_the_same_is_not() -> None:
    router = replace(ROUTER, about={"embedder": "minilm", "k": 5})
    assert router.caveat("minilm", 5) is None
    assert ROUTER.caveat("minilm", 5) is None  # it does not say
    said = router.caveat("other", 10) or ""
    assert "fitted on embedder minilm (here other) and k 5 (here 10)" in said
    assert "selfroute calibrate" in said


def test_extreme_odds_overflow_nothing() -> None:
    assert Logistic(1e6, ()).probability(()) == 1
    assert Logistic(-1e6, ()).probability(()) == 0


@pytest.mark.parametrize(
    ("share", "price"),
    [(0, math.inf), (0.05, 0.8), (0.1, 0.4), (0.3, 0.25), (0.5, 0.1), (1.0, -0.1)],
)
def test_the_price_of_a_share_lies_between_those_that_are_known(share: float, price: float) -> None:
    assert RULE.price(share) == pytest.approx(price)


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_greater_share_is_never_dearer(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert RULE.price(low) >= RULE.price(high)


def test_a_router_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "router.json"
    path.write_text(to_json(ROUTER))
    assert read_router(path) == ROUTER


def test_the_shipped_router_has_a_rule_for_chat_models_for_the_bundled_reader_and_for_no_judge() -> None:
    router = read_router()
    assert [rule.name for rule in router.rules] == ["judged", "bundled", "alone"]
    assert router.about["rows"] > 1000
    for rule in router.rules:
        assert all(math.isfinite(weight) for weight in (*rule.gain.weights, *rule.harm.weights))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda held: held | {"format": FORMAT + 1}, f"format {FORMAT + 1}, and this version reads {FORMAT}"),
        (lambda held: [], "format None"),
        (lambda held: {"format": FORMAT}, "is not a router"),
        (
            lambda held: held | {"rules": [held["rules"][1] | {"inputs": ["top", "luck"]}]},
            "no feature is called 'luck'",
        ),
        (lambda held: held | {"rules": [held["rules"][1] | {"means": [0.1]}]}, "expected 2 finite numbers"),
        (lambda held: held | {"rules": [held["rules"][1] | {"readers": "others"}]}, "others"),
        (lambda held: held | {"rules": [held["rules"][1] | {"scales": [0.1, 0]}]}, "a scale must be above 0"),
        (lambda held: held | {"rules": [held["rules"][1] | {"prices": [[0.1, 1], [0.2, 2]]}]}, "prices must fall"),
        (lambda held: held | {"rules": [held["rules"][1] | {"prices": []}]}, "prices must fall"),
    ],
)
def test_another_version_or_a_malformed_file_is_refused_with_what_to_do(
    change: object, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "router.json"
    path.write_text(json.dumps(change(json.loads(to_json(ROUTER)))))  # type: ignore[operator]
    with pytest.raises(InvalidSettings, match=said) as raised:
        read_router(path)
    assert "routing.model" in str(raised.value)


def test_a_file_that_is_missing_or_no_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="no such file"):
        read_router(tmp_path / "none.json")
    (tmp_path / "router.json").write_text("weights")
    with pytest.raises(InvalidSettings, match="not JSON"):
        read_router(tmp_path / "router.json")
