"""What clients send to our own API. What they get is `types.Answer` and its kin, and what stands at the end here, as
`wire.to_json` writes them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from selfroute.ledger import By, UsageRow, Verdict
from selfroute.server.desk import Ask
from selfroute.types import Document, Question, Terms, Turn

Name = Annotated[str, Field(min_length=1, max_length=64)]
Dollars = Annotated[Decimal, Field(ge=0, le=1_000_000)]


class Sent(BaseModel):
    """What is sent: a field that is not known is refused, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TurnSent(Sent):
    question: str = Field(min_length=1)
    answer: str | None = Field(description="Null where there was none.")


class OptionsSent(Sent):
    """What can be said of how a question is asked, whichever API it comes by."""

    k: int | None = Field(default=None, ge=1, le=1000, description="Chunks to retrieve.")
    documents: list[str] = Field(default=[], max_length=1000, description="Ask only these of the corpus, by their ids.")
    deadline: float | None = Field(default=None, gt=0, le=86_400, description="Seconds that it may take.")
    max_cost: Dollars | None = Field(default=None, description="US dollars that it may cost.")
    max_input_tokens: int | None = Field(default=None, ge=1, description="Tokens that readers may be shown.")

    def terms(self) -> Terms:
        return Terms(deadline=self.deadline, max_cost=self.max_cost, max_input_tokens=self.max_input_tokens)


class AskSent(OptionsSent):
    """A question, and what it is asked of: a corpus, or a text that comes with it."""

    question: str
    corpus: Name | None = None
    text: str | None = Field(default=None, min_length=1, description="Asked in place of a corpus; is not kept.")
    policy: Name = "self_route"
    history: list[TurnSent] = Field(default=[], max_length=100, description="The turns before, the oldest first.")
    stream: bool = Field(default=False, description="Answer with server-sent events.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.corpus is None) == (self.text is None):
            raise ValueError("name what to ask: either a corpus or a text")
        if self.text is not None and not self.text.strip():
            raise ValueError("the text is blank: send what the question is asked of")
        if self.text is not None and self.documents:
            raise ValueError("documents are of a corpus: a text has none")
        return self

    def as_ask(self) -> Ask:
        source = self.corpus if self.corpus is not None else _inline(self.text or "")
        turns = tuple(Turn(turn.question, turn.answer) for turn in self.history)
        question = Question(self.question, tuple(self.documents), history=turns)
        return Ask(question, self.policy, source, self.k, self.terms())


def _inline(text: str) -> Document:
    """Its source, by which what was asked of it is found again, is its own: no corpus and no other text has it."""
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return Document("text", text, f"text:{digest[:16]}")


class FeedbackSent(Sent):
    verdict: Verdict
    better_answer: str | None = Field(default=None, min_length=1, max_length=100_000)


@dataclass(frozen=True, slots=True)
class UsageTold:
    group: By
    rows: tuple[UsageRow, ...]
