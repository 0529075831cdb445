"""The seam for endpoints: what completes a prompt. Knows nothing of readings, documents or policies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from selfroute.types import Record, Stage, Usage

MARGIN = 64
"""Tokens of a window that are left free, since counts before a call are estimates."""

APPROXIMATE = 0.85
"""The share of a window that is used where another model's tokenizer counts."""

Hear = Callable[[str], Awaitable[bool]]
"""Takes a piece of a reply as it comes; tells whether anything of the reply is shown by now."""

Follow = Callable[[], Hear]
"""Begins to follow a reply: once for each attempt at it, of which only the last comes to its end."""


@dataclass(frozen=True, slots=True)
class Request:
    """A prompt to be completed. `chat` is false where the model must go on with `prompt` as it stands (then there is
    no `system`). `schema` is a JSON schema that the reply must follow, `logprobs` asks for its tokens with their
    alternatives. `deadline` is a moment of the event loop's clock, beyond which nothing is waited for or tried again:
    who asks ends what still runs then."""

    stage: Stage
    prompt: str
    system: str | None = None
    chat: bool = True
    max_output_tokens: int | None = None
    temperature: float = 0.0
    stop: tuple[str, ...] = ()
    schema: Mapping[str, object] | None = None
    logprobs: bool = False
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a reply with what might have stood in its place: text and natural logarithm of its probability."""

    text: str
    alternatives: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Completion:
    """A reply. `finish` is why it ended, as the server says (`stop`, `length`, `content_filter`); `refusal` is what
    the model said instead of a reply; `model` is the one that the server says answered."""

    text: str
    usage: Usage
    finish: str | None = None
    refusal: str | None = None
    tokens: tuple[Token, ...] = ()
    model: str | None = None


class Endpoint(Protocol):
    """Completes prompts. Every attempt, failed and abandoned ones too, goes to `record`."""

    @property
    def model(self) -> str: ...

    @property
    def where(self) -> str:
        """The endpoint and its model, for messages. Holds no key."""
        ...

    @property
    def window(self) -> int:
        """Tokens of prompt and reply together."""
        ...

    @property
    def max_output_tokens(self) -> int:
        """The most that a reply may take where a request does not say."""
        ...

    @property
    def schemas(self) -> bool:
        """Whether it makes a reply follow a JSON schema."""
        ...

    @property
    def logprobs(self) -> bool:
        """Whether it tells the probabilities of a reply's tokens."""
        ...

    @property
    def raw(self) -> bool:
        """Whether it completes a prompt without a chat template."""
        ...

    @property
    def counted_by(self) -> str:
        """What counts its tokens before a call, for people."""
        ...

    @property
    def approximate(self) -> bool:
        """Whether that is another model's tokenizer."""
        ...

    @property
    def thinks(self) -> bool:
        """Whether its model thinks before it replies."""
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, without those of a template. Asks no model; blocking, since it may ask a server to
        count."""
        ...

    async def complete(self, request: Request, record: Record, follow: Follow | None = None) -> Completion:
        """With `follow` the reply is told as it is made, if the endpoint can; once anything of it is shown nothing is
        tried again. Raises `EndpointError` and `MissingKey`."""
        ...


def room(endpoint: Endpoint) -> int:
    """Tokens that a prompt may take: what the window leaves beside a reply. Blocking, as counting is."""
    share = APPROXIMATE if endpoint.approximate else 1.0
    return max(int(endpoint.window * share) - endpoint.max_output_tokens - MARGIN, 0)
