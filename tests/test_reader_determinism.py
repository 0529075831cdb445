"""The same weights and text give the same answer, whatever is read beside it and on however many cores."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace

import pytest

from selfroute import weights
from selfroute.readers.extractive import ExtractiveReader, Found
from selfroute.types import Call, Draft, Passage, Question, Reading, Route

pytestmark = pytest.mark.end_to_end

QUESTION = Question("When was the lighthouse at Skarvik lit for the first time?")
TEXTS = (
    "The harbour of Skarvik lies open to the west. Its lighthouse was lit for the first time in October 1873, "
    "by a keeper who stayed for thirty years.",
    "Rates for tugs are set each spring.",
    "The mole at Lund was finished in 1911, after three winters. " * 12,
    "Storms closed the fairway in 1904 and again in 1921; the pilots kept a log of both. " * 3,
)


def passages() -> tuple[Passage, ...]:
    return tuple(Passage(f"text-{number}", 0, text) for number, text in enumerate(TEXTS))


def found(reader: ExtractiveReader, *read: Passage) -> Found:
    best = reader.find(Reading(QUESTION, read, Route.RAG))
    assert best is not None
    return best


async def _unrecorded(call: Call) -> None:
    """Belongs to no ledger."""


def test_a_window_scores_the_same_alone_and_among_others() -> None:
    reader = ExtractiveReader()
    first, *rest = passages()
    alone, among = found(reader, first), found(reader, first, *rest)
    assert among.text == alone.text == "October 1873"
    assert among.evidence.score == alone.evidence.score


def test_the_order_of_passages_changes_nothing() -> None:
    reader = ExtractiveReader()
    there = found(reader, *passages())
    back = found(reader, *reversed(passages()))
    assert (back.passage, back.start, back.end, back.evidence) == (
        there.passage,
        there.start,
        there.end,
        there.evidence,
    )


def test_a_row_of_pieces_gives_the_same_numbers_in_every_company() -> None:
    model = weights.load("reader")
    rows = [weights.Pieces(model.encode(text).ids, [0] * len(model.encode(text).ids)) for text in TEXTS]
    together = model.run(rows)
    for row, outputs in zip(rows, together, strict=True):
        (single,) = model.run([row])
        assert all((a == b).all() for a, b in zip(single, outputs, strict=True))


def test_reading_again_gives_the_same_draft() -> None:
    def draft() -> Draft:
        return asyncio.run(ExtractiveReader().read(Reading(QUESTION, passages(), Route.LONG_CONTEXT), _unrecorded))

    first, second = draft(), draft()
    assert replace(first, warnings=()) == replace(second, warnings=())
    assert first.score is not None
    assert first.confidence is not None
    assert 0 < first.confidence < 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not bind processes to cores")
def test_one_core_answers_as_two_do() -> None:
    cores = os.sched_getaffinity(0)
    several = found(ExtractiveReader(), *passages())
    os.sched_setaffinity(0, {min(cores)})
    try:
        one = found(ExtractiveReader(), *passages())
    finally:
        os.sched_setaffinity(0, cores)
    assert (one.text, one.evidence) == (several.text, several.evidence)
