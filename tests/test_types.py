"""The nouns: frozen, slotted, and adding up."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfroute import types
from selfroute.types import Document, Passage, Question, Reading, Route, Stage, Totals, Usage, sum_cost

NOUNS = [noun for noun in vars(types).values() if dataclasses.is_dataclass(noun)]

usages = st.builds(Usage, *[st.integers(0, 10**9)] * 5)


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.__name__)
def test_every_noun_is_frozen_and_slotted(noun: type) -> None:
    made = object.__new__(noun)
    assert not hasattr(made, "__dict__")
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, dataclasses.fields(noun)[0].name, "changed")


def test_a_question_is_about_the_whole_corpus_unless_it_names_documents() -> None:
    assert Question("who?").scope == ()


def test_the_content_hash_is_that_of_the_text_as_utf_8() -> None:
    document = Document("a", "Överenskommelse", "a.txt")
    assert document.content_hash == sha256("Överenskommelse".encode()).hexdigest()


def test_the_page_of_a_character_is_the_last_that_begins_before_it() -> None:
    document = Document("a", "One two three", "a.pdf", (0, 4, 4, 8, 13))
    assert [document.page(at) for at in (0, 3, 4, 7, 8, 12)] == [1, 1, 3, 3, 4, 4]
    assert Document("a", "One", "a.txt").page(0) is None


def test_another_page_map_is_another_content() -> None:
    hashes = {Document("a", "text", "a", pages).content_hash for pages in ((), (0,), (0, 2))}
    assert len(hashes) == 3


def test_the_content_hash_depends_on_the_text_alone() -> None:
    assert Document("a", "text", "x").content_hash == Document("b", "text", "y").content_hash
    assert Document("a", "text", "x").content_hash != Document("a", "text ", "x").content_hash


def test_half_a_surrogate_pair_has_a_content_hash_too() -> None:
    assert len(Document("a", "\ud800", "x").content_hash) == 64


@given(usages, usages)
def test_usage_adds_field_by_field(one: Usage, other: Usage) -> None:
    summed = dataclasses.astuple(one + other)
    assert summed == tuple(a + b for a, b in zip(dataclasses.astuple(one), dataclasses.astuple(other), strict=True))


def test_no_usage_is_nothing() -> None:
    assert sum([Usage(1, 2, 3, 4, 5)], Usage()) == Usage(1, 2, 3, 4, 5)


def test_only_readings_count_in_token_shares() -> None:
    assert [stage for stage in Stage if stage.reads] == [Stage.READ_CHUNKS, Stage.READ_DOCUMENTS]


@pytest.mark.parametrize(
    ("route", "stage"), [(Route.RAG, Stage.READ_CHUNKS), (Route.LONG_CONTEXT, Stage.READ_DOCUMENTS)]
)
def test_the_stage_of_a_reading_follows_from_its_route(route: Route, stage: Stage) -> None:
    assert Reading(Question("who?"), (Passage("d", 0, "text"),), route).stage is stage


def test_reader_input_leaves_embedding_rewriting_and_judging_out() -> None:
    assert Totals(Usage(input_tokens=120), 20, False, None, 0.1).reader_input_tokens == 100
    assert Totals(Usage(input_tokens=120), 20, False, None, 0.1, 30).reader_input_tokens == 70
    assert Totals(Usage(input_tokens=120), 20, False, None, 0.1, 30, 10).reader_input_tokens == 60


def test_costs_are_summed_without_binary_rounding() -> None:
    assert sum_cost([Decimal("0.1"), Decimal("0.2")]) == Decimal("0.3")


def test_a_sum_with_an_unknown_cost_is_unknown() -> None:
    assert sum_cost([Decimal("0.1"), None, Decimal("0.2")]) is None


def test_no_calls_cost_nothing() -> None:
    assert sum_cost([]) == Decimal(0)
