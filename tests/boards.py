"""Rows for the tests of reports: small enough to compute what they come to by hand."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from selfroute.evaluation.rows import Row, Span, StageUse
from selfroute.types import Stage

FULL = 1000
CHUNKS = 100


def row(id: str = "0", policy: str = "always_rag", score: float | None = 100.0, **values: Any) -> Row:  # noqa: A002
    """Answered from its chunks, or from its document by `always_long`, unless `values` say otherwise."""
    long = policy == "always_long"
    made: dict[str, Any] = {
        "id": id,
        "dataset": "made",
        "doc_id": f"doc-{id}",
        "policy": policy,
        "k": 5,
        "prediction": f"answer {score}",
        "score": score,
        "metric": "qa_f1",
        "answerable": True,
        "outcome": "answered",
        "route": "long_context" if long else "rag",
        "path": ("read_documents",) if long else ("retrieve", "read_chunks"),
        "confidence": None,
        "usage": {"input_tokens": FULL if long else CHUNKS, "embedding_tokens": 7},
        "long_context_tokens": FULL,
        "cost": Decimal("0.5"),
        "seconds": 2.0 if long else 1.0,
        "error": None,
        "na": None,
        "length": 700,
        "simulated": False,
        "asked": f"asked-{id}",
    }
    return Row(**made | values)


def failed(id: str, policy: str, **values: Any) -> Row:  # noqa: A002
    nothing: dict[str, Any] = {"prediction": None, "outcome": None, "route": None, "long_context_tokens": 0}
    return row(
        id, policy, 0.0, **nothing | {"error": "EndpointTimeout: too slow", "usage": {"input_tokens": 0}} | values
    )


def unable(id: str, policy: str, **values: Any) -> Row:  # noqa: A002
    nothing: dict[str, Any] = {"prediction": None, "outcome": None, "route": None, "long_context_tokens": 0}
    return row(id, policy, None, **nothing | {"na": "no such shape", "usage": {"input_tokens": 0}} | values)


def declined(id: str, policy: str, score: float, **values: Any) -> Row:  # noqa: A002
    outcome = "not_in_document" if policy == "always_long" else "insufficient"
    return row(id, policy, score, **{"prediction": None, "outcome": outcome} | values)


def escalated(id: str, score: float, policy: str = "self_route", **values: Any) -> Row:  # noqa: A002
    """Read from its chunks and then from its document."""
    path, usage = ("retrieve", "read_chunks", "read_documents"), {"input_tokens": CHUNKS + FULL}
    return row(id, policy, score, **{"route": "long_context", "path": path, "usage": usage} | values)


def hit(start: int, end: int, document: str = "doc-0", score: float = 0.5) -> Span:
    return Span(document, start, end, score)


def use(stage: Stage = Stage.READ_CHUNKS, **values: Any) -> StageUse:
    made: dict[str, Any] = {
        "stage": stage,
        "calls": 1,
        "failed": 0,
        "input_tokens": 100,
        "cached_input_tokens": 0,
        "cache_write_tokens": 0,
        "output_tokens": 10,
        "reasoning_tokens": 0,
        "cost": Decimal("0.25"),
        "estimated": False,
    }
    return StageUse(**made | values)


def three(scores: Sequence[tuple[float, float, bool]], **values: Any) -> list[Row]:
    """All three policies over questions with (score from chunks, score from the document, whether the chunks were
    declined); a document each."""
    rows = []
    for number, (rag, long, decline) in enumerate(scores):
        id_ = str(number)
        rows.append(declined(id_, "always_rag", rag, **values) if decline else row(id_, "always_rag", rag, **values))
        hybrid = escalated(id_, long, **values) if decline else row(id_, "self_route", rag, **values)
        rows += [hybrid, row(id_, "always_long", long, **values)]
    return rows
