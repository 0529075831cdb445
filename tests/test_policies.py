"""The policies decide what is read, in which order; nothing else does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest

from selfroute.policies import (
    POLICIES,
    Policy,
    Steps,
    always_long,
    always_rag,
    calibrated,
    evidence_gated,
    forecast,
    self_route,
)
from selfroute.routing.dial import Decision, Dial
from selfroute.routing.features import Judged
from selfroute.routing.score import Logistic, Router, Rule
from selfroute.types import Chunk, Citation, Draft, Estimate, Hit, Hits, Move, Question, Readers, Route, Shape, Task

QUESTION = Question("Who approves night work?")
HITS = (Hit(Chunk("harbour", 0, 4, "text", 1), 0.5),)


ESTIMATES = {
    Move.READ_CHUNKS: Estimate(10, Decimal("0.1"), (), False),
    Move.READ_DOCUMENTS: Estimate(100, Decimal(1), ("harbour",), True),
}


JUDGED = Judged(None, Readers.CHAT, ("minilm", 1))


@dataclass
class FakeSteps:
    """Drafts by script; `made` keeps each step as (name, hits it was given, final)."""

    script: Sequence[Draft]
    estimates: Mapping[Move, Estimate] = field(default_factory=lambda: ESTIMATES)
    made: list[tuple[str, Hits, bool]] = field(default_factory=list)
    judge: Judged = JUDGED
    decisions: list[Decision] = field(default_factory=list)

    async def retrieve(self, question: Question, k: int | None = None) -> Hits:
        self.made.append(("retrieve", (), False))
        return HITS

    async def estimate(self, question: Question, hits: Hits, move: Move) -> Estimate:
        return self.estimates[move]

    async def read_chunks(self, question: Question, hits: Hits, *, final: bool = False) -> Draft:
        return self._read("read_chunks", hits, final)

    async def read_documents(self, question: Question, hits: Hits, *, final: bool = False) -> Draft:
        return self._read("read_documents", hits, final)

    async def judged(self, question: Question, hits: Hits, chunks: Draft) -> Judged:
        return self.judge

    def decided(self, decision: Decision) -> bool:
        self.decisions.append(decision)
        return decision.escalates

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


CITED = (Citation("harbour", None, 0, 4, "text", 1.0),)
PROVEN = replace(ANSWERED, citations=CITED)
READ_ON_PROVEN = replace(READ_ON, citations=CITED)


@pytest.mark.parametrize(
    ("script", "stands", "names"),
    [
        ([PROVEN], PROVEN, ["retrieve", "read_chunks"]),
        ([DECLINED, READ_ON_PROVEN], READ_ON_PROVEN, ["retrieve", "read_chunks", "read_documents"]),
        ([ANSWERED, READ_ON_PROVEN], READ_ON_PROVEN, ["retrieve", "read_chunks", "read_documents"]),
        ([ANSWERED, READ_ON], ANSWERED, ["retrieve", "read_chunks", "read_documents"]),
        ([replace(ANSWERED, confidence=0.2), replace(READ_ON, confidence=0.8)], replace(READ_ON, confidence=0.8), None),
    ],
)
def test_evidence_ends_the_reading_and_the_better_supported_answer_stands(
    script: list[Draft], stands: Draft, names: list[str] | None
) -> None:
    draft, steps = followed(evidence_gated, *script)
    assert draft == stands
    assert names is None or steps.names == names


@pytest.mark.parametrize("chunks", [DECLINED, ANSWERED])
def test_a_decline_is_not_overruled_by_an_answer_without_evidence(chunks: Draft) -> None:
    long = READ_ON if chunks.declined else replace(DECLINED, route=Route.LONG_CONTEXT)
    draft, _ = followed(evidence_gated, chunks, long)
    assert (draft.declined, draft.answer, draft.route) == (True, None, Route.LONG_CONTEXT)
    assert draft.guess == long.answer


def test_an_answer_that_text_cannot_prove_is_taken_as_self_route_takes_it() -> None:
    letter = Question("A or B?", task=Task(shape=Shape.CHOICE))
    draft, steps = followed(evidence_gated, ANSWERED, question=letter)
    assert (draft, steps.names) == (ANSWERED, ["retrieve", "read_chunks"])
    assert followed(evidence_gated, DECLINED, READ_ON, question=letter)[0] == READ_ON


@pytest.mark.parametrize(
    ("chunks", "documents", "at_once"),
    [
        (Estimate(100, None, (), False), Estimate(100, None, (), True), True),
        (Estimate(99, None, (), False), Estimate(100, None, (), True), False),
        (Estimate(99, Decimal(3), (), False), Estimate(100, Decimal(2), (), True), True),
        (Estimate(100, Decimal(1), (), False), Estimate(50, Decimal(2), (), True), False),
        (Estimate(100, Decimal(1), (), False), Estimate(50, None, (), True), True),
        (Estimate(100, Decimal(0), (), False), Estimate(50, Decimal(1), (), True), False),
        (Estimate(100, Decimal(0), (), False), Estimate(50, Decimal(0), (), True), True),
        (Estimate(100, None, (), False), Estimate(0, None, (), False), False),  # nothing would be read of them
    ],
)
def test_where_chunks_take_as_much_the_documents_are_read_at_once_but_not_by_the_papers_policies(
    chunks: Estimate, documents: Estimate, at_once: bool
) -> None:
    estimates = {Move.READ_CHUNKS: chunks, Move.READ_DOCUMENTS: documents}
    steps = FakeSteps([PROVEN], estimates=estimates)
    asyncio.run(_awaited(evidence_gated, QUESTION, steps))
    assert steps.made[1:] == [("read_documents", HITS, True) if at_once else ("read_chunks", HITS, False)]
    for policy in (self_route, always_rag):
        steps = FakeSteps([PROVEN], estimates=estimates)
        asyncio.run(_awaited(policy, QUESTION, steps))
        assert steps.names == ["retrieve", "read_chunks"]


def test_a_forecast_of_evidence_gated_ends_at_the_first_answer_or_reads_all() -> None:
    made = asyncio.run(forecast(evidence_gated, QUESTION, FakeSteps([]), "evidence_gated", "harbour"))
    assert [move for move, _ in made.moves] == [Move.READ_CHUNKS, Move.READ_DOCUMENTS]
    assert (made.least_tokens, made.most_tokens) == (10, 110)


def router(gain: float = 0.0) -> Router:
    """Says of every question that knows its decline that reading on gains by these log odds; that it harms, hardly."""
    means, scales = (0.0,), (1.0,)
    hardly = Logistic(-20.0, (0.0,))
    rule = Rule("made", Readers.CHAT, ("declined",), means, scales, Logistic(gain, (0.0,)), hardly, ((0.5, 0.1),))
    return Router((rule,), {})


WORTH, WORTHLESS = router(0.0), router(-20.0)  # adds 0.5 right answers, where 0.1 are needed; and none
DIAL = Dial(0.5)


def test_calibrated_leaves_an_answer_alone_where_reading_on_adds_nothing() -> None:
    draft, steps = followed(calibrated(WORTHLESS, DIAL), ANSWERED)
    assert (draft, steps.names) == (ANSWERED, ["retrieve", "read_chunks"])


def test_calibrated_takes_a_decline_that_is_not_worth_escalating_for_an_absence() -> None:
    draft, steps = followed(calibrated(WORTHLESS, DIAL), DECLINED)
    assert (draft, steps.names) == (replace(DECLINED, likely_absent=True), ["retrieve", "read_chunks"])


@pytest.mark.parametrize(
    ("chunks", "documents", "stands"),
    [
        (ANSWERED, READ_ON, READ_ON),
        (DECLINED, READ_ON_PROVEN, READ_ON_PROVEN),
        (replace(ANSWERED, confidence=0.8), replace(READ_ON, confidence=0.2), replace(ANSWERED, confidence=0.8)),
        (replace(ANSWERED, confidence=0.2), replace(READ_ON, confidence=0.8), replace(READ_ON, confidence=0.8)),
    ],
)
def test_calibrated_reads_an_answer_over_that_is_likely_wrong_and_the_likelier_or_the_longer_read_stands(
    chunks: Draft, documents: Draft, stands: Draft
) -> None:
    draft, steps = followed(calibrated(WORTH, DIAL), chunks, documents)
    assert (draft, steps.names) == (stands, ["retrieve", "read_chunks", "read_documents"])


def test_calibrated_overrules_no_decline_without_evidence() -> None:
    draft, _ = followed(calibrated(WORTH, DIAL), DECLINED, READ_ON)
    assert (draft.declined, draft.answer, draft.guess) == (True, None, READ_ON.answer)


def test_calibrated_reads_the_documents_at_once_where_the_chunks_would_take_as_much() -> None:
    same = Estimate(100, None, ("harbour",), True)
    steps = FakeSteps([READ_ON], estimates={Move.READ_CHUNKS: same, Move.READ_DOCUMENTS: same})
    assert asyncio.run(_awaited(calibrated(WORTHLESS, DIAL), QUESTION, steps)) is READ_ON
    assert [(made.by, made.escalates, made.dial) for made in steps.decisions] == [("length", True, DIAL)]


def test_calibrated_never_reads_what_costs_more_than_it_may_not_even_where_chunks_save_nothing() -> None:
    same = Estimate(100, Decimal(1), ("harbour",), True)
    dial = Dial(0.5, max_cost=Decimal("0.5"))
    steps = FakeSteps([DECLINED], estimates={Move.READ_CHUNKS: same, Move.READ_DOCUMENTS: same})
    assert asyncio.run(_awaited(calibrated(WORTH, dial), QUESTION, steps)).declined
    assert (steps.names, [decision.by for decision in steps.decisions]) == (["retrieve", "read_chunks"], ["max_cost"])
    made = asyncio.run(forecast(calibrated(WORTH, dial), QUESTION, FakeSteps([]), "calibrated", "harbour"))
    assert [move for move, _ in made.moves] == [Move.READ_CHUNKS]


def test_an_absence_is_told_by_the_odds_whatever_a_reading_costs() -> None:
    limited = Dial(0.5, max_cost=Decimal("0.5"))
    for known, absent in ((WORTHLESS, True), (router(3.0), False)):
        draft, _ = followed(calibrated(known, limited), DECLINED)
        assert (draft.declined, draft.likely_absent) == (True, absent)


def test_calibrated_follows_the_papers_rule_where_no_rule_knows_enough() -> None:
    unknowing = Router((), {})
    assert followed(calibrated(unknowing, DIAL), DECLINED, READ_ON_PROVEN)[0] is READ_ON_PROVEN
    assert followed(calibrated(unknowing, DIAL), ANSWERED)[0] is ANSWERED


def test_calibrated_follows_the_papers_rule_where_no_rule_is_for_these_readers() -> None:
    steps = FakeSteps([DECLINED, READ_ON_PROVEN], judge=Judged(DECLINED, Readers.MIXED, ("minilm", 1)))
    assert asyncio.run(_awaited(calibrated(WORTHLESS, DIAL), QUESTION, steps)) is READ_ON_PROVEN
    [decision] = steps.decisions
    assert decision.by == "decline"
    assert "no rule for the bundled reader and a chat model together" in (decision.caveat or "")


def test_no_caveat_of_other_retrieval_is_said_where_no_odds_were_weighed() -> None:
    unknowing = replace(WORTH, about={"embedder": "other"}, rules=(replace(WORTH.rules[0], inputs=("judge_score",)),))
    _, steps = followed(calibrated(unknowing, DIAL), ANSWERED)
    assert [(decision.by, decision.caveat) for decision in steps.decisions] == [("decline", None)]


def test_calibrated_says_where_it_was_fitted_on_other_retrieval() -> None:
    for about, said in (({"embedder": "minilm", "k": 1}, False), ({"embedder": "other", "k": 5}, True)):
        _, steps = followed(calibrated(replace(WORTHLESS, about=about), DIAL), ANSWERED)
        assert [decision.caveat is not None for decision in steps.decisions] == [said]


def test_calibrated_keeps_what_decided() -> None:
    _, steps = followed(calibrated(WORTH, DIAL), ANSWERED, READ_ON)
    [decision] = steps.decisions
    assert (decision.escalates, decision.by, decision.needed) == (True, "share", pytest.approx(0.1))
    assert decision.odds is not None
    assert decision.odds.weighed == {"declined": 0.0}


def test_a_forecast_of_calibrated_ends_at_the_chunks_or_reads_all() -> None:
    made = asyncio.run(forecast(calibrated(WORTHLESS, DIAL), QUESTION, FakeSteps([]), "calibrated", "harbour"))
    assert (made.least_tokens, made.most_tokens) == (10, 110)


def test_the_table_of_policies_is_whole_and_cannot_be_changed() -> None:
    assert {name: make() for name, make in POLICIES.items()} == {
        "self_route": self_route,
        "evidence_gated": evidence_gated,
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
