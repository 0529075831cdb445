"""An `Answer` made of what the steps of a question left: its outcome, its account, and how it came about.

Knows nothing of how a question is asked or written down.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from selfroute.routing.dial import Decision
from selfroute.steps import QuestionSteps
from selfroute.types import Answer, Call, Draft, Estimate, Outcome, Question, Stage, Totals, Usage, sum_cost


def answer_of(
    id_: str,
    question: Question,
    policy: str,
    corpus: str,
    draft: Draft,
    steps: QuestionSteps,
    full: Estimate,
    calls: list[Call],
    seconds: float,
) -> Answer:
    """`question` as it was asked, `draft` as the policy left it, `full` what reading the documents takes."""
    coverage = steps.coverage(question)
    if not draft.declined:
        outcome = Outcome.ANSWERED
    else:
        outcome = Outcome.NOT_IN_DOCUMENT if coverage >= 1 else Outcome.INSUFFICIENT
    answered = outcome is Outcome.ANSWERED
    citations = draft.citations if answered else ()
    totals = _totals(calls, seconds)
    return Answer(
        id=id_,
        question=question.text,
        answer=draft.answer if answered else None,
        outcome=outcome,
        likely_absent=draft.likely_absent if not answered else None,
        route=draft.route,
        policy=policy,
        path=tuple(steps.path),
        corpus=corpus,
        confidence=draft.confidence if answered else None,
        coverage=coverage,
        citations=citations,
        unsupported=answered and question.task.shape.in_words and not citations,
        cut_off=answered and draft.cut_off,
        calls=tuple(calls),
        totals=totals,
        long_context_tokens=full.tokens,
        long_context_cost=full.cost,
        saved_tokens=full.tokens - totals.reader_input_tokens,
        warnings=(*steps.warnings, *(() if answered else steps.unread(question))),
        explain={
            "rewritten": steps.rewritten,
            "hits": [
                {"document": h.chunk.document, "start": h.chunk.start, "end": h.chunk.end, "score": round(h.score, 4)}
                for h in steps.hits
            ],
            "drafts": [
                {
                    "route": d.route.value,
                    "declined": d.declined,
                    "score": d.score,
                    "confidence": d.confidence,
                    "guess": d.guess,
                    "lost_quotes": d.lost_quotes,
                }
                for d in steps.drafts
            ],
            "decisions": [_shown(decision) for decision in steps.decisions],
            "counted_by": steps.counted_by,
        },
    )


def _shown(decision: Decision) -> Mapping[str, object]:
    """A decision for people: what it was made by, what it weighed, and the features that went into it."""
    odds, reading = decision.odds, decision.reading
    return {
        "escalates": decision.escalates,
        "by": decision.by,
        "dial": decision.dial.settings(),
        "rule": odds and odds.rule.name,
        "sufficiency": odds and round(odds.sufficiency, 4),
        "gain": odds and round(odds.gain, 4),
        "harm": odds and round(odds.harm, 4),
        "needed": decision.needed if decision.needed is None or math.isfinite(decision.needed) else None,
        "tokens": reading.tokens,
        "cached_tokens": reading.cached_tokens,
        "cost": reading.cost,
        "features": {name: round(value, 4) for name, value in odds.weighed.items()} if odds else {},
    }


def _totals(calls: list[Call], seconds: float) -> Totals:
    return Totals(
        usage=sum((call.usage for call in calls), Usage()),
        embedding_tokens=sum(call.usage.input_tokens for call in calls if call.stage is Stage.EMBED),
        estimated=any(call.estimated for call in calls),
        cost=sum_cost([call.cost for call in calls]),
        seconds=seconds,
        rewrite_tokens=sum(call.usage.input_tokens for call in calls if call.stage is Stage.REWRITE),
        judging_tokens=sum(call.usage.input_tokens for call in calls if call.stage is Stage.JUDGE),
    )
