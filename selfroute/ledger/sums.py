"""What questions took, summed by SQLite in one pass over an index and one over the calls.

Costs are decimal text, which SQLite would add as binary fractions: they are added here, in decimals, as SQLite comes
by them. Knows nothing of who asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import IntEnum, StrEnum

from sqlalchemy import ColumnElement, Connection, and_, case, distinct, func, literal, select
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import Text

from selfroute.ledger.schema import calls, questions
from selfroute.types import Stage, Usage

JUDGING = "judge"
"""What stands in place of a policy and a route for an answer that a judge was asked about."""
EVALUATION = "evaluation"
"""What stands in place of a policy for a question of an evaluation: a reading is of all policies that are computed from
it."""
UNFINISHED = "unfinished"
NO_KEY = "keyless"


class By(StrEnum):
    """What `Ledger.usage` groups by."""

    DAY = "day"
    CORPUS = "corpus"
    POLICY = "policy"
    MODEL = "model"
    ROUTE = "route"
    KEY = "key"


class Kind(IntEnum):
    """What stands in the ledger: questions that users asked, questions that an evaluation read for, and answers of one
    that a judge was asked about."""

    ASKED = 0
    EVALUATED = 1
    JUDGED = 2


@dataclass(frozen=True, slots=True)
class UsageRow:
    """Sums over one group. `usage` is what readers took; embedding stands in `embedding_tokens`, and what rewriting a
    question and judging its chunks took, in and out, in `rewrite_tokens` and `judging_tokens`. By model `usage` is all
    that the model took but for embedding. `long_context_tokens` and `saved_tokens` are null by model: they belong to
    questions.
    `judging`: the group is of answers of evaluations that were judged, which `questions` counts, and `usage` is the
    judge's; what questions cost is in the other groups. By corpus its key is the run's folder.
    `evaluation`: the group is of questions that evaluations of the service read for, each for several policies at once:
    what reading everything would have taken, what was saved and what escalated is a policy's own, and null."""

    key: str
    questions: int
    calls: int
    usage: Usage
    embedding_tokens: int
    cost: Decimal | None
    long_context_tokens: int | None
    saved_tokens: int | None
    escalated: int | None = None
    """Of the questions, those whose documents were read after their chunks; null as `saved_tokens` is."""
    judging: bool = False
    rewrite_tokens: int = 0
    judging_tokens: int = 0
    evaluation: bool = False


@dataclass(frozen=True, slots=True)
class Within:
    """Which questions are meant: asked on these days (UTC, both included), of this corpus, by the API key of this id.
    `None` leaves any."""

    first: date | None = None
    last: date | None = None
    corpus: str | None = None
    key: str | None = None

    def condition(self) -> ColumnElement[bool]:
        asked = questions.c.asked_at
        wanted: list[ColumnElement[bool]] = [literal(True)] if self == Within() else []
        wanted += [asked >= self.first.isoformat()] if self.first else []
        # "U" is behind the "T" that ends a moment's day: the day after the last one that there is cannot be told.
        wanted += [asked < f"{self.last.isoformat()}U"] if self.last else []
        wanted += [questions.c.corpus == self.corpus] if self.corpus is not None else []
        wanted += [questions.c.key == self.key] if self.key is not None else []
        return and_(*wanted)


class decimal_sum(GenericFunction[str]):  # noqa: N801 (SQL's own spelling)
    """The sum of decimal text as decimal text, exactly; null where one is null."""

    type = Text()
    inherit_cache = True


class DecimalSum:
    """`decimal_sum` for SQLite."""

    def __init__(self) -> None:
        self._sum = Decimal(0)
        self._unknown = False

    def step(self, value: str | None) -> None:
        if value is None:
            self._unknown = True
        else:
            self._sum += Decimal(value)

    def finalize(self) -> str | None:
        return None if self._unknown else str(self._sum)


@dataclass(slots=True)
class _Group:
    questions: int = 0
    calls: int = 0
    usage: Usage = field(default_factory=Usage)
    embedding_tokens: int = 0
    rewrite_tokens: int = 0
    judging_tokens: int = 0
    costs: list[str | None] = field(default_factory=list)
    long_context_tokens: int = 0
    saved_tokens: int = 0
    escalated: int = 0


def summed(connection: Connection, by: By, within: Within) -> list[UsageRow]:
    """Sums by group, ordered by its key, those of evaluations and then of judging last. `connection` must know
    `DecimalSum`."""
    kind, key = _kind().label("kind"), _key(by).label("name")
    groups: dict[tuple[Kind, str], _Group] = {}
    if by is not By.MODEL:
        asked = select(
            kind,
            key,
            func.count(),
            func.coalesce(func.sum(questions.c.long_context_tokens), 0),
            func.coalesce(func.sum(questions.c.saved_tokens), 0),
            func.sum(case((_escalated(), 1), else_=0)),
        )
        for of, name, count, long, saved, escalated in connection.execute(
            asked.where(within.condition()).group_by("kind", "name")
        ):
            groups[Kind(of), name] = _Group(count, long_context_tokens=long, saved_tokens=saved, escalated=escalated)
    made = select(
        kind,
        key,
        calls.c.stage,
        func.count(),
        *(func.sum(calls.c[name]) for name in USAGE),
        decimal_sum(calls.c.cost),
    )
    made = made.select_from(questions.join(calls, calls.c.question == questions.c.id)).where(within.condition())
    for of, name, stage, count, *tokens, cost in connection.execute(made.group_by("kind", "name", calls.c.stage)):
        group = groups.setdefault((Kind(of), name), _Group())
        usage = Usage(*tokens)
        group.calls += count
        group.costs.append(cost)
        if Stage(stage).reads or of == Kind.JUDGED or (by is By.MODEL and stage != Stage.EMBED):
            group.usage += usage
        if stage == Stage.EMBED:
            group.embedding_tokens += usage.input_tokens
        if stage == Stage.REWRITE:
            group.rewrite_tokens += usage.input_tokens + usage.output_tokens
        if stage == Stage.JUDGE and of != Kind.JUDGED:
            group.judging_tokens += usage.input_tokens + usage.output_tokens
    if by is By.MODEL:
        members = select(kind, key, func.count(distinct(calls.c.question)))
        members = members.select_from(questions.join(calls, calls.c.question == questions.c.id))
        for of, name, count in connection.execute(members.where(within.condition()).group_by("kind", "name")):
            groups[Kind(of), name].questions = count
    return [_row(by, of, name, group) for (of, name), group in sorted(groups.items(), key=lambda item: item[0])]


USAGE = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
"""As the fields of `Usage` stand."""


def _escalated() -> ColumnElement[bool]:
    """The documents were read after the chunks, whichever of the two drafts stands."""
    made = [
        select(calls.c.id).where(calls.c.question == questions.c.id, calls.c.stage == stage.value).exists()
        for stage in (Stage.READ_DOCUMENTS, Stage.READ_CHUNKS)
    ]
    return and_(questions.c.route.isnot(None), *made)


def _kind() -> ColumnElement[int]:
    read = case((questions.c.policy == EVALUATION, Kind.EVALUATED.value), else_=Kind.ASKED.value)
    return case((questions.c.run.isnot(None), Kind.JUDGED.value), else_=read)


def _key(by: By) -> ColumnElement[str]:
    if by is By.DAY:
        return func.substr(questions.c.asked_at, 1, 10)
    if by is By.MODEL:
        return calls.c.model
    named = func.coalesce(func.nullif(questions.c[by.value], ""), NO_KEY if by is By.KEY else UNFINISHED)
    return case((questions.c.run.isnot(None), JUDGING), else_=named) if by is By.ROUTE else named


def _row(by: By, kind: Kind, key: str, group: _Group) -> UsageRow:
    of_questions = by is not By.MODEL and kind is Kind.ASKED
    costs = [Decimal(cost) for cost in group.costs if cost is not None]
    return UsageRow(
        key=key,
        questions=group.questions,
        calls=group.calls,
        usage=group.usage,
        embedding_tokens=group.embedding_tokens,
        cost=sum(costs, Decimal(0)) if len(costs) == len(group.costs) else None,
        long_context_tokens=group.long_context_tokens if of_questions else None,
        saved_tokens=group.saved_tokens if of_questions else None,
        escalated=group.escalated if of_questions else None,
        evaluation=kind is Kind.EVALUATED,
        judging=kind is Kind.JUDGED,
        rewrite_tokens=group.rewrite_tokens,
        judging_tokens=group.judging_tokens,
    )
