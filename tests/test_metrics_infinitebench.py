"""InfiniteBench's rules, each by the cases that its text decides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfroute.errors import UnscorableRecord
from selfroute.evaluation.metrics.infinitebench import (
    buggy_function,
    character_name,
    choice_letter,
    first_integer,
    first_number,
    label_among_words,
    last_integer,
    matching_prefix,
)

TOO_LONG = "9" * 5_000
"""More digits than the interpreter makes an integer of."""


@pytest.mark.parametrize(
    ("prediction", "score"),
    [("71432", 1), ("The pass key is 71432.", 1), ("71432 or 5", 1), ("5 or 71432", 0), ("none", 0), ("", 0)],
)
def test_the_first_integer_is_the_key(prediction: str, score: float) -> None:
    assert first_integer(prediction, "71432") == score


def test_keys_are_compared_as_text() -> None:
    assert first_integer("071432", "71432") == 0
    assert first_integer(TOO_LONG, TOO_LONG) == 1


@pytest.mark.parametrize(
    ("prediction", "score"),
    [('"ab-12"', 1), ('{"key": "ab-12"}.', 1), ("ab-123", 0), ("ab 12", 0), ("", 0)],
)
def test_the_value_is_one_of_the_words(prediction: str, score: float) -> None:
    assert label_among_words(prediction, "ab-12") == score


@pytest.mark.parametrize(
    ("prediction", "score"),
    [
        ("B", 1),
        ("B. It was Ann", 1),
        ("But it was C", 1),  # its first character is in ABCD
        ("C", 0),
        ("The answer is: B", 1),
        ("I think the answer is B", 1),
        ("the correct option is C, not B", 0),
        ("the answer is: Ann Reid", 1),  # the option's text will do
        ("the answer is:", 0),  # nothing follows
        ("It must be B or C", 1),  # the first word in ABCD
        ("It must be C or B", 0),
        ("it was ann", 0),
        ("", 0),
    ],
)
def test_a_choice_is_read_from_the_start_a_prefix_or_a_word(prediction: str, score: float) -> None:
    assert choice_letter(prediction, ["Ann Reid", "B"]) == score


@pytest.mark.parametrize(
    ("prediction", "score"),
    [("JOHN", 1), ("It is John.", 1), ("john's brother", 1), ("Johnny", 0), ("MARY", 0), ("", 0)],
)
def test_the_first_name_is_one_of_the_words(prediction: str, score: float) -> None:
    assert character_name(prediction, ["JOHN", "MARY"]) == score


def test_without_names_nobody_is_right() -> None:
    assert character_name("JOHN", []) == 0


@pytest.mark.parametrize(
    ("prediction", "label", "score"),
    [
        ("3", "3", 1),
        ("It is 3, not 4", "3", 1),
        ("It is 4, not 3", "3", 0),
        ("03", "3", 1),
        ("none", "3", 0),
        ("3.5", "3.5", 1),
        ("3.50", "3.5", 1),
        ("3", "3.0", 1),
        ("3.5", "3", 0),
        (TOO_LONG, "3", 0),
        (TOO_LONG, TOO_LONG, 1),
        (TOO_LONG, "3.5", 0),
    ],
)
def test_the_first_number_is_compared_by_value(prediction: str, label: str, score: float) -> None:
    assert first_number(prediction, label) == first_number(prediction, label, "fixed") == score


def test_where_the_original_stops_on_a_point_strict_scores_0_and_fixed_compares() -> None:
    assert first_number("3.0", "3") == 0
    assert first_number("3.0", "3", "fixed") == 1
    assert first_number("3.5", "3", "fixed") == 0


@pytest.mark.parametrize(
    ("prediction", "score"),
    [
        ("[1, 12, 7, 4]", 4 / 4),
        ("1 12 7 4 99", 4 / 4),
        ("1 12 8 4", 2 / 4),  # what follows a difference does not count
        ("01 012", 2 / 4),
        ("2 1 12 7 4", 0),
        ("", 0),
        (f"1 {TOO_LONG}", 1 / 4),
    ],
)
def test_the_matching_prefix_is_counted(prediction: str, score: float) -> None:
    assert matching_prefix(prediction, ["1", "12", "7", "4"]) == score


def test_without_steps_nothing_matches() -> None:
    assert matching_prefix("1", []) == 0


@pytest.mark.parametrize(
    ("prediction", "score"),
    [
        ("-7", 1),
        ("The value is -7.", 1),
        ("`-7`", 1),
        ("-7 or so", 0),
        ("7", 0),
        ("- 7", 0),
        ("-7.0", 0),  # a point parts words: the last is 0
        ("-0_7", 1),  # what the interpreter reads as an integer
        ("-" + TOO_LONG, 0),
        ("", 0),
    ],
)
def test_the_last_word_is_the_integer(prediction: str, score: float) -> None:
    assert last_integer(prediction, "-7") == score


@pytest.mark.parametrize(
    ("prediction", "score"),
    [
        ("C.", 1),
        ("C: it never returns", 1),
        ("C", 0),  # a letter alone is neither
        ("The answer is: C", 1),
        ("The answer is: Option C", 1),
        ("The buggy function is: `close_day`", 1),
        ("answer: B", 0),
        ("answer:", 0),
        ("close_day", 0),
        ("", 0),
    ],
)
def test_the_buggy_function_is_named_by_letter_or_name(prediction: str, score: float) -> None:
    assert buggy_function(prediction, ["close_day", "C"]) == score


def test_a_buggy_function_needs_its_name_and_its_letter() -> None:
    with pytest.raises(UnscorableRecord, match="needs two answers"):
        buggy_function("C.", ["C"])


@pytest.mark.parametrize("label", ["three", "", "NaN", "inf"])
def test_a_label_that_is_no_number_cannot_be_scored(label: str) -> None:
    for metric in (first_number, last_integer):
        with pytest.raises(UnscorableRecord, match=f"'{label}' is not a number"):
            metric("3", label)


@given(st.integers(0, 10**6))
def test_a_number_equals_itself_by_every_rule(number: int) -> None:
    label = str(number)
    assert first_integer(label, label) == first_number(label, label) == last_integer(label, label) == 1
    assert matching_prefix(f"{label} {label}", [label, label]) == 1


@given(st.text("ABCDanswer: option is\n'.", max_size=40))
def test_every_prediction_has_a_score(prediction: str) -> None:
    assert choice_letter(prediction, ["no", "B"]) in (0, 1)
    assert buggy_function(prediction, ["no", "B"]) in (0, 1)
    assert character_name(prediction, ["NO"]) in (0, 1)
    assert label_among_words(prediction, "no") in (0, 1)
