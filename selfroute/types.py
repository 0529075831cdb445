"""The whole vocabulary as frozen nouns. Imports nothing of ours; knows no storage, model or wire format."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Protocol
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""Unit vectors, shape `(n, dimension)`, float32."""


class Route(StrEnum):
    """What was read: only chunks, or a whole document."""

    RAG = "rag"
    LONG_CONTEXT = "long_context"


class Outcome(StrEnum):
    """How a question ended. `answer` is null unless `answered`."""

    ANSWERED = "answered"
    NOT_IN_DOCUMENT = "not_in_document"
    INSUFFICIENT = "insufficient"


class Stage(StrEnum):
    """What a call was made for."""

    EMBED = "embed"
    READ_CHUNKS = "read_chunks"
    READ_DOCUMENTS = "read_documents"
    REWRITE = "rewrite"
    JUDGE = "judge"

    @property
    def reads(self) -> bool:
        """Whether it is a reader's: token shares count these and nothing else."""
        return self in (Stage.READ_CHUNKS, Stage.READ_DOCUMENTS)


class Readers(StrEnum):
    """Which readers a question has for its chunks and its documents: the bundled one for both, others, or one of
    each."""

    BUNDLED = "bundled"
    CHAT = "chat"
    MIXED = "mixed"


class Shape(StrEnum):
    """The form of an answer. A reader that cannot do a shape raises `UnsupportedTask`."""

    SPAN = "span"
    TEXT = "text"
    CHOICE = "choice"
    CODE = "code"

    @property
    def in_words(self) -> bool:
        """Whether text can prove an answer of this shape."""
        return self in (Shape.SPAN, Shape.TEXT)


@dataclass(frozen=True, slots=True)
class Document:
    """A text as ingested. Offsets everywhere are characters of `text`, half open.

    `pages` is the page map of a document that has pages: where in `text` each begins, the first at 0. A page
    without text begins where the next one does. `warnings` name what of the source could not be read, or may have
    been read wrongly; `readable` is the share of the source (of its pages, chapters or parts) that `text` holds, 0 to
    1: 0 where a few words stand on pages that are images.
    """

    id: str
    text: str
    source: str
    pages: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()
    readable: float = 1.0

    @property
    def content_hash(self) -> str:
        """Hex SHA-256 of the text as UTF-8, followed by the page map and by the warnings if there are any."""
        pages = f"\0{self.pages}" if self.pages else ""
        warnings = f"\0{self.warnings} {self.readable!r}" if self.warnings else ""
        return sha256((self.text + pages + warnings).encode("utf-8", "surrogatepass")).hexdigest()

    def page(self, at: int) -> int | None:
        """The number, from 1, of the page that holds the character at `at`; `None` without a page map."""
        return bisect_right(self.pages, at) or None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A slice of a document: `document.text[start:end] == text`; `tokens` are the embedder's word pieces of it.

    `header` names the columns of the table in whose rows the chunk begins, as the document writes them; it is read
    beside the text and is no part of it.
    """

    document: str
    start: int
    end: int
    text: str
    tokens: int
    header: str = ""

    @property
    def shown(self) -> str:
        """Return what an embedder and a reader are shown: the header, if there is one, and the text."""
        return f"{self.header}\n{self.text}" if self.header else self.text


@dataclass(frozen=True, slots=True)
class Hit:
    """A retrieved chunk; `score` is the cosine of question and chunk, in [-1, 1]."""

    chunk: Chunk
    score: float


Hits = tuple[Hit, ...]
"""Best first."""


@dataclass(frozen=True, slots=True)
class Found:
    """A chunk that a search found: characters `start:end` of `document`. `page` is null without a page map; `score` as
    in `Hit`, `header` as in `Chunk`."""

    document: str
    page: int | None
    start: int
    end: int
    text: str
    score: float
    header: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """What kind of answer is wanted, and how a model is to be asked for it.

    `prompt` is a template over `{context}` and `{input}`, the query or nothing; `None` leaves the wording to the
    reader. `name` is the dataset whose rules score the answer. `max_output_tokens` of `None` is the
    reader's own limit; `chat_template` is false where a model must complete the prompt as it stands.
    """

    shape: Shape = Shape.SPAN
    name: str | None = None
    prompt: str | None = None
    max_output_tokens: int | None = None
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    chat_template: bool = True


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier question of a conversation and its answer; null where there was none."""

    question: str
    answer: str | None


@dataclass(frozen=True, slots=True)
class Question:
    """A question and its scope: the ids of the documents it is about; empty means the whole corpus.

    `text` is `None` for a task without a query (a summary): it cannot be retrieved for. `history` are the turns
    before it, the oldest first: what `text` may leave unsaid.
    """

    text: str | None
    scope: tuple[str, ...] = ()
    task: Task = field(default_factory=Task)
    history: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What the questions that an API key asks on one day (UTC) may take together: at most, where given.

    `tokens` are what readers and the rewriter read and write, `cost` US dollars of all calls, `escalations` questions
    that read documents, by whichever policy.
    """

    tokens: int | None = None
    cost: Decimal | None = None
    escalations: int | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a question is asked. `id` names it, unique; `key` is the id of the API key that asks, if one does,
    and `limits` are that key's. `deadline` are seconds, `max_cost` US dollars and `max_input_tokens` of reader input:
    at most, where given."""

    id: str = field(default_factory=lambda: uuid4().hex)
    key: str | None = None
    deadline: float | None = None
    max_cost: Decimal | None = None
    max_input_tokens: int | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call or a sum. `cached_input_tokens` and `cache_write_tokens` are parts of
    `input_tokens`, `reasoning_tokens` is a part of `output_tokens`."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.cached_input_tokens + other.cached_input_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.output_tokens + other.output_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )


ABANDONED = "abandoned"
"""The `error` of a call that was given up because its question was: nothing follows it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to one model. `cost` is in US dollars, `None` when the price is unknown."""

    stage: Stage
    model: str
    usage: Usage
    seconds: float
    estimated: bool = False
    cost: Decimal | None = None
    error: str | None = None


class Record(Protocol):
    """Receives every call as it completes and returns only when it is durable."""

    async def __call__(self, call: Call) -> None: ...


class Allowance(Protocol):
    """What a question may still take. Its calls come one after the other, each reserved before it is made."""

    async def reserve(self, stage: Stage, model: str, most: Usage) -> None:
        """Sets aside what a call takes at most; until it stands in the account nobody else can have that. Raises what
        is an `OverLimit` for a call that may not be made."""
        ...


Shown = Callable[[str], Awaitable[None]]
"""Receives a text piece by piece as it is made. What it was given is seen and cannot be taken back: nothing is tried
again after that."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Text shown to a reader: a chunk, a document or a stretch of one, beginning at `start`. `header` as in `Chunk`."""

    document: str
    start: int
    text: str
    header: str = ""

    @property
    def shown(self) -> str:
        """The header, if there is one, and the text."""
        return f"{self.header}\n{self.text}" if self.header else self.text


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader is asked to do: answer `question` from `passages`, or decline; by `deadline`, a moment of the
    event loop's clock, if there is one."""

    question: Question
    passages: tuple[Passage, ...]
    route: Route
    deadline: float | None = None

    @property
    def stage(self) -> Stage:
        return Stage.READ_CHUNKS if self.route is Route.RAG else Stage.READ_DOCUMENTS


@dataclass(frozen=True, slots=True)
class Citation:
    """Text that supports an answer: characters `start:end` of `document`. `page` is null without a page map;
    `score` is the raw score of this span by the bundled reader, or how like a chat model's quote it is, 0 to 1."""

    document: str
    page: int | None
    start: int
    end: int
    text: str
    score: float | None


@dataclass(frozen=True, slots=True)
class Draft:
    """What a reader made of one reading. `declined`: the text shown does not answer the question.

    `score` is the reader's raw evidence that the text answers (higher is more), comparable between the
    readings of one reader; `guess` is the best answer it could give, also when it declined; `confidence` is its
    probability (0 to 1), where it tells one: the bundled reader's that `guess` is right, calibrated, a chat model's
    own that the text answers, not calibrated. `lost_quotes` of the quotes it gave stand nowhere in the text shown.
    `likely_absent`, of a decline: whether the documents likely do not answer either; `None` where nobody tells.
    `cut_off`: its limit of tokens ended the reply.
    """

    declined: bool
    route: Route
    answer: str | None = None
    citations: tuple[Citation, ...] = ()
    score: float | None = None
    guess: str | None = None
    warnings: tuple[str, ...] = ()
    confidence: float | None = None
    lost_quotes: int = 0
    likely_absent: bool | None = None
    cut_off: bool = False


class Move(StrEnum):
    """A reading: `Steps.estimate` says what it would take."""

    READ_CHUNKS = "read_chunks"
    READ_DOCUMENTS = "read_documents"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a reading would take: `tokens` of reader input and their `cost` (`None`: price unknown).

    `documents` are those it would read, in order; `complete` says that they are all that is in scope.
    `cached_tokens` of the tokens are likely in the provider's cache, which `cost` allows for.
    """

    tokens: int
    cost: Decimal | None
    documents: tuple[str, ...]
    complete: bool
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a policy would read: no reader was asked. `moves` are its readings in order, each with its estimate.

    If the first of them answers, it takes `least`, in tokens of reader input; if all decline, `most`. Costs are US
    dollars of reader input, `None` when a price is unknown: what a reader writes comes on top.
    """

    question: str | None
    policy: str
    corpus: str
    moves: tuple[tuple[Move, Estimate], ...]
    least_tokens: int
    least_cost: Decimal | None
    most_tokens: int
    most_cost: Decimal | None
    long_context_tokens: int
    long_context_cost: Decimal | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the calls of one question. `embedding_tokens`, `rewrite_tokens` and `judging_tokens` are the parts of
    `usage.input_tokens` that embedding, rewriting and the local judge took: token shares and `saved_tokens` leave them
    out. `seconds` is wall time."""

    usage: Usage
    embedding_tokens: int
    estimated: bool
    cost: Decimal | None
    seconds: float
    rewrite_tokens: int = 0
    judging_tokens: int = 0

    @property
    def reader_input_tokens(self) -> int:
        return self.usage.input_tokens - self.embedding_tokens - self.rewrite_tokens - self.judging_tokens


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question and the account of what it took. `answer` is null unless `answered`.

    `coverage` is the share (0 to 1) of the tokens in scope that was read; `long_context_tokens` is the
    reader input that `always_long` would have read in the same scope and window (as measured where the documents
    were read, else estimated), `saved_tokens` is that less what was read (negative when an escalation paid twice).
    `long_context_cost` is what that reading costs with what it writes: as measured, else by as many output tokens as
    the last reading of this question wrote. Costs are US dollars, null when a price is unknown. `confidence` is the
    probability that `answer` is right, null unless `answered` and the reader tells one. `cut_off`: the reader's limit
    of tokens ended the reply that `answer` was read from.
    """

    id: str
    question: str | None
    answer: str | None
    outcome: Outcome
    likely_absent: bool | None
    route: Route
    policy: str
    path: tuple[str, ...]
    corpus: str
    confidence: float | None
    coverage: float
    citations: tuple[Citation, ...]
    unsupported: bool
    cut_off: bool
    calls: tuple[Call, ...]
    totals: Totals
    long_context_tokens: int
    long_context_cost: Decimal | None
    saved_tokens: int
    warnings: tuple[str, ...]
    explain: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Step:
    """A step began, `name` as in `Answer.path`; or a reading ended, with what came of it in `declined`."""

    name: str
    declined: bool | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of the answer. All of them together are `Answer.answer`; without an answer there are none."""

    text: str


@dataclass(frozen=True, slots=True)
class Cited:
    """A citation of the answer. They come after its text."""

    citation: Citation


@dataclass(frozen=True, slots=True)
class Used:
    """A call stands in the account."""

    call: Call


@dataclass(frozen=True, slots=True)
class Done:
    """The question has ended. Nothing comes after it."""

    answer: Answer


Event = Step | Delta | Cited | Used | Done
"""What happens to a question, as it happens."""

Emit = Callable[[Event], Awaitable[None]]
"""Receives events in their order."""

Watch = Callable[[Event], None]
"""Looks on as steps and calls happen, and is told of nothing else. Must return at once and raise nothing."""


def sum_cost(costs: list[Decimal | None]) -> Decimal | None:
    """The sum, or `None` as soon as one part is unknown: an unknown price is never counted as 0."""
    known = [cost for cost in costs if cost is not None]
    return sum(known, Decimal(0)) if len(known) == len(costs) else None
