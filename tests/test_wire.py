"""Nouns as JSON: the names stay, costs are exact decimal strings, what is unknown is null."""

from __future__ import annotations

import json
from dataclasses import fields
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfroute.errors import BadInput
from selfroute.types import Call, Citation, Route, Stage, Turn, Usage
from selfroute.wire import to_json, turns


def test_a_noun_becomes_an_object_with_the_names_of_its_fields() -> None:
    given_ = Citation("harbour.md", None, 3, 9, "Olof", 1.5)
    assert to_json(given_) == {
        "document": "harbour.md",
        "page": None,
        "start": 3,
        "end": 9,
        "text": "Olof",
        "score": 1.5,
    }


def test_nouns_inside_of_nouns_are_objects_too() -> None:
    row = to_json(Call(Stage.EMBED, "m", Usage(input_tokens=7), 0.25, cost=Decimal("0.10")))
    assert isinstance(row, dict)
    assert row.keys() == {field.name for field in fields(Call)}
    assert row["usage"] == {field.name: 0 for field in fields(Usage)} | {"input_tokens": 7}
    assert (row["stage"], row["cost"]) == ("embed", "0.1")


@pytest.mark.parametrize(
    ("cost", "shown"),
    [("0.00000015", "0.00000015"), ("0E-9", "0"), ("1E+3", "1000"), ("12.3400", "12.34"), ("0", "0")],
)
def test_a_cost_is_a_plain_decimal_string(cost: str, shown: str) -> None:
    assert to_json(Decimal(cost)) == shown


@given(st.decimals(min_value=0, max_value=10**9, places=15))
def test_no_digit_of_a_cost_is_lost(cost: Decimal) -> None:
    assert Decimal(str(to_json(cost))) == cost


def test_an_unknown_cost_is_null() -> None:
    assert json.dumps(to_json({"cost": None})) == '{"cost": null}'


def test_tuples_mappings_and_enums_become_plain_json() -> None:
    value = {Route.RAG: (1, 2.5, "text", True, Route.LONG_CONTEXT)}
    assert json.dumps(to_json(value)) == '{"rag": [1, 2.5, "text", true, "long_context"]}'


def test_text_is_not_taken_apart() -> None:
    assert to_json("Överby") == "Överby"


def test_turns_are_questions_with_their_answers_whatever_else_stands_there() -> None:
    given_ = [{"question": "Who?", "answer": "Olof"}, {"question": "When?", "answer": None, "outcome": "insufficient"}]
    assert turns(given_) == (Turn("Who?", "Olof"), Turn("When?", None))
    assert turns([]) == ()


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"question": "Who?", "answer": "Olof"}, "must be a list of turns"),
        (["Who?"], "turn 1 is no object"),
        ([{"answer": "Olof"}], "turn 1 has no question"),
        ([{"question": " ", "answer": "Olof"}], "turn 1 has no question"),
        ([{"question": "Who?", "answer": "Olof"}, {"question": "When?"}], "turn 2 has no answer"),
        ([{"question": "Who?", "answer": 7}], "turn 1 has no answer: write it under .*, or null"),
    ],
)
def test_what_is_no_turn_is_told_by_its_number(value: object, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        turns(value)
