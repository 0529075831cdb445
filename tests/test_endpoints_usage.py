"""What servers report is read as it was meant, and what cannot be true is no report."""

from __future__ import annotations

import pytest

from selfroute.endpoints.usage import reported
from selfroute.types import Usage

PLAIN = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, Usage(100, 0, 0, 20, 0)),
        ({"prompt_tokens_details": None, "completion_tokens_details": None}, Usage(100, 0, 0, 20, 0)),
        ({"prompt_tokens_details": {"cached_tokens": None}}, Usage(100, 0, 0, 20, 0)),
        ({"prompt_tokens_details": {"cached_tokens": 64}}, Usage(100, 64, 0, 20, 0)),
        ({"prompt_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 30}}, Usage(100, 64, 30, 20, 0)),
        ({"prompt_tokens_details": {"cache_creation_tokens": 30}}, Usage(100, 0, 30, 20, 0)),
        ({"cache_creation_input_tokens": 30}, Usage(100, 0, 30, 20, 0)),
        ({"prompt_cache_hit_tokens": 64, "prompt_cache_miss_tokens": 36}, Usage(100, 64, 0, 20, 0)),
        ({"prompt_tokens_details": {"cached_tokens": 999}}, Usage(100, 100, 0, 20, 0)),
        ({"completion_tokens_details": {"reasoning_tokens": 15}}, Usage(100, 0, 0, 20, 15)),
    ],
)
def test_parts_of_the_tokens_are_told_apart(more: dict[str, object], expected: Usage) -> None:
    assert reported(PLAIN | more) == expected


def test_thoughts_that_are_counted_beside_the_reply_are_added_to_it() -> None:
    by_total = PLAIN | {"total_tokens": 150, "completion_tokens_details": {"reasoning_tokens": 30}}
    assert reported(by_total) == Usage(100, 0, 0, 50, 30)
    within = PLAIN | {"completion_tokens_details": {"reasoning_tokens": 20}}
    assert reported(within) == Usage(100, 0, 0, 20, 20)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        "many",
        [],
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        {"prompt_tokens": None, "completion_tokens": 5},
        {"prompt_tokens": 5, "completion_tokens": None},
        {"prompt_tokens": -5, "completion_tokens": 5},
        {"prompt_tokens": True, "completion_tokens": 5},
        {"prompt_tokens": "100", "completion_tokens": 5},
        {"prompt_tokens": 10**20, "completion_tokens": 5},
        {"prompt_tokens": 5, "completion_tokens": 2**53},
    ],
)
def test_what_cannot_be_true_is_no_usage(usage: object) -> None:
    assert reported(usage) is None
