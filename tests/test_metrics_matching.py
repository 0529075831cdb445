"""References that stand in a prediction: all of them, any of them, or normalised."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfroute.evaluation.metrics.matching import (
    squad_f1,
    string_match_all,
    string_match_part,
    substring_exact_match,
)


def test_all_is_the_share_of_references_found() -> None:
    assert string_match_all("The numbers are 12 and 34.", ["12", "34"]) == 1
    assert string_match_all("12", ["12", "34", "56", "78"]) == 1 / 4
    assert string_match_all("none", ["12"]) == 0
    assert string_match_all("none", []) == 0


def test_part_is_won_by_one_reference() -> None:
    assert string_match_part("It was Reid.", ["Ann Reid", "Reid"]) == 1
    assert string_match_part("It was Ann.", ["Ann Reid", "Reid"]) == 0
    assert string_match_part("none", []) == 0


def test_letter_case_is_no_matter() -> None:
    assert string_match_all("ann REID", ["Ann Reid"]) == string_match_part("ann REID", ["Ann Reid"]) == 1


@pytest.mark.parametrize(
    ("prediction", "reference", "score"),
    [
        ("It is the Port-Master, Ann.", "portmaster ann", 1.0),
        ("Port", "port master", 0.0),
        ("harbours", "harbour", 1.0),  # words need not be whole
        ("anything", "the", 1.0),  # nothing is left of the reference
    ],
)
def test_a_normalised_reference_is_looked_for(prediction: str, reference: str, score: float) -> None:
    assert substring_exact_match(prediction, reference) == score


@pytest.mark.parametrize(
    ("prediction", "reference", "score"),
    [
        ("yes, it did", "Yes", 0.0),  # token F1 gives 1/2
        ("No.", "no", 1.0),
        ("no", "no one", 0.0),
        ("Ann Reid", "Ann", 2 * (1 / 2) * 1 / (1 / 2 + 1)),
    ],
)
def test_yes_and_no_match_only_themselves(prediction: str, reference: str, score: float) -> None:
    assert squad_f1(prediction, reference) == pytest.approx(score)


@given(st.text(), st.lists(st.text(), min_size=1, max_size=4))
def test_part_is_1_where_all_is_above_0(prediction: str, references: list[str]) -> None:
    assert string_match_part(prediction, references) == (string_match_all(prediction, references) > 0)
    assert string_match_all(" ".join(references), references) == 1


@given(st.text(), st.text())
def test_squad_f1_is_symmetric_and_bounded(one: str, other: str) -> None:
    assert 0 <= squad_f1(one, other) <= 1
    assert squad_f1(one, other) == pytest.approx(squad_f1(other, one))
