"""The policies decide what is read, in which order; nothing else does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from selfroute.policies import POLICIES, Policy, Steps, always_long, always_rag, forecast, self_route
from selfroute.types import Chunk, Draft, Estimate, Hit, Hits, Move, Question, Route

QUESTION = Question("Who approves night work?")
HITS = (Hit(Chunk("harbour", 0, 4, "text", 1), 0.5),)


ESTIMATES = {
    Move.READ_CHUNKS: Estimate(10, Decimal("0.1"), (), False),
    Move.READ_DOCUMENTS: Estimate(100, Decimal(1), ("harbour",), True),
}


@dataclass
class FakeSteps:
    """Drafts by script; `made` keeps each step as (name, hits it was given, final)."""

    script: Sequence[Draft]
    made: list[tuple[str, Hits, bool]] = field(default_factory=list)

    async def retrieve(self, question: Question, k: int | None = None) -> Hits:
        self.made.append(("retrieve", (), False))
        return HITS

    def estimate(self, question: Question, hits: Hits, move: Move) -> Estimate:
        return ESTIMATES[move]

    async def read_chunks(self, question: Question, hits: Hits, *, final: bool = False) -> Draft:
        return self._read("read_chunks", hits, final)

    async def read_documents(self, question: Question, hits: Hits, *, final: bool = False) -> Draft:
        return self._read("read_documents", hits, final)

    def _read(self, name: str, hits: Hits, final: bool) -> Draft:
        draft = self.script[sum(step != "retrieve" for step, _, _ in self.made)]
        self.made.append((name, hits, final))
        return draft

    @property
    def names(self) -> list[str]:
        return [name for name, _, _ in self.made]


ANSWERED = Draft(False, Route.RAG, "Olof Berg")
DECLINED = Draft(True, Route.RAG)
READ_ON = Draft(False, Route.LONG_CONTEXT, "Olof Berg, in writing")


def followed(policy: Policy, *script: Draft, question: Question = QUESTION) -> tuple[Draft, FakeSteps]:
    steps = FakeSteps(script)
    return asyncio.run(_awaited(policy, question, steps)), steps


async def _awaited(policy: Policy, question: Question, steps: Steps) -> Draft:
    return await policy(question, steps)


def test_self_route_reads_the_document_only_after_a_decline() -> None:
    draft, steps = followed(self_route, DECLINED, READ_ON)
    assert steps.names == ["retrieve", "read_chunks", "read_documents"]
    assert draft is READ_ON


def test_self_route_reads_no_document_when_the_chunks_answer() -> None:
    draft, steps = followed(self_route, ANSWERED)
    assert steps.names == ["retrieve", "read_chunks"]
    assert draft is ANSWERED


def test_self_route_gives_the_last_draft_even_if_the_document_declines_too() -> None:
    last = Draft(True, Route.LONG_CONTEXT)
    draft, _ = followed(self_route, DECLINED, last)
    assert draft is last


def test_always_rag_reads_no_document_even_after_a_decline() -> None:
    draft, steps = followed(always_rag, DECLINED)
    assert steps.names == ["retrieve", "read_chunks"]
    assert draft is DECLINED


def test_always_long_reads_the_documents_at_once() -> None:
    draft, steps = followed(always_long, READ_ON)
    assert steps.names == ["retrieve", "read_documents"]
    assert draft is READ_ON


def test_always_long_needs_no_query() -> None:
    _, steps = followed(always_long, READ_ON, question=Question(None))
    assert steps.made == [("read_documents", (), True)]


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_hands_its_hits_to_each_reading(name: str) -> None:
    _, steps = followed(POLICIES[name](), DECLINED, DECLINED)
    assert all(hits == HITS for step, hits, _ in steps.made if step != "retrieve")


@pytest.mark.parametrize(
    ("policy", "flags"), [(self_route, [False, True]), (always_rag, [True]), (always_long, [True])]
)
def test_only_a_draft_that_nothing_can_overrule_is_final(policy: Policy, flags: list[bool]) -> None:
    _, steps = followed(policy, DECLINED, DECLINED)
    assert [final for step, _, final in steps.made if step != "retrieve"] == flags


def test_the_table_of_policies_is_whole_and_cannot_be_changed() -> None:
    assert {name: make() for name, make in POLICIES.items()} == {
        "self_route": self_route,
        "always_rag": always_rag,
        "always_long": always_long,
    }
    with pytest.raises(TypeError):
        POLICIES["mine"] = lambda: self_route  # type: ignore[index]


def test_a_policy_of_ones_own_is_one_function_over_the_steps() -> None:
    async def twice(question: Question, steps: Steps) -> Draft:
        """Ask the chunks a second time before giving up."""
        hits = await steps.retrieve(question, k=10)
        draft = await steps.read_chunks(question, hits)
        return await steps.read_chunks(question, hits, final=True) if draft.declined else draft

    draft, steps = followed(twice, DECLINED, ANSWERED)
    assert steps.names == ["retrieve", "read_chunks", "read_chunks"]
    assert draft is ANSWERED


@pytest.mark.parametrize(
    ("policy", "moves", "least", "most"),
    [
        (self_route, [Move.READ_CHUNKS, Move.READ_DOCUMENTS], (10, Decimal("0.1")), (110, Decimal("1.1"))),
        (always_rag, [Move.READ_CHUNKS], (10, Decimal("0.1")), (10, Decimal("0.1"))),
        (always_long, [Move.READ_DOCUMENTS], (100, Decimal(1)), (100, Decimal(1))),
    ],
)
def test_a_forecast_is_what_the_policy_would_read_at_least_and_at_most(
    policy: Policy, moves: list[Move], least: tuple[int, Decimal], most: tuple[int, Decimal]
) -> None:
    steps = FakeSteps([])
    made = asyncio.run(forecast(policy, QUESTION, steps, "it", "port"))
    assert [move for move, _ in made.moves] == moves
    assert (made.least_tokens, made.least_cost) == least
    assert (made.most_tokens, made.most_cost) == most
    assert (made.long_context_tokens, made.long_context_cost) == (100, Decimal(1))
    assert set(steps.names) == {"retrieve"}  # nothing was read


def test_a_forecast_holds_for_a_policy_that_nobody_has_thought_of_yet() -> None:
    async def twice(question: Question, steps: Steps) -> Draft:
        hits = await steps.retrieve(question)
        first = await steps.read_chunks(question, hits)
        return await steps.read_chunks(question, hits) if first.declined else first

    made = asyncio.run(forecast(twice, QUESTION, FakeSteps([]), "twice", "port"))
    assert (made.least_tokens, made.most_tokens) == (10, 20)
