"""What has arrived of a reply, read from the objects that the client library made of it, or left as they came.

Survives what servers send otherwise than agreed: content in parts, odd numbers, characters that nothing keeps. Knows
nothing of requests or connections.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from selfroute.endpoints import Token
from selfroute.endpoints.failures import ReplyFailed, storable
from selfroute.endpoints.usage import reported
from selfroute.types import Usage

FAILED = ("error", "abort")
"""Why a reply ended that is none: gateways and vLLM say so where they failed midway."""

THOUGHTS = ("reasoning_content", "reasoning")
"""Fields of a message in which servers show thoughts; some fill both with the same words."""

LEAST_ODDS = -1e300
"""A logarithm below is no number."""


@dataclass(slots=True)
class Arrived:
    """A reply as far as it has come."""

    streamed: bool = False
    """Whether it comes in pieces: then what breaks it may be the wire."""
    began: bool = False
    """Whether the model has worked for it: words came, or thoughts, which `parts` leaves out."""
    parts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    """As far as the server shows them, beside the reply: they are paid as it is."""
    tokens: list[Token] = field(default_factory=list)
    usage: Usage | None = None
    finish: str | None = None
    refusal: str | None = None
    model: str | None = None
    counted: bool = False
    """Whether the usage came after the last of the text, so that it is that of the whole reply."""
    shown: bool = False
    ours: Exception | None = None
    """What was raised where the reply is shown: no fault of the server's."""

    @property
    def text(self) -> str:
        return "".join(self.parts)

    @property
    def complete(self) -> bool:
        """Whether the reply's end was seen, so that what is lost behind it is at most its usage."""
        return self.finish is not None

    def note(self, reply: Any) -> bool:
        """The usage of a reply or of a part of one; whether it tells any. The last counts: they are cumulative."""
        usage: Any = getattr(reply, "usage", None)
        told = reported(usage.model_dump() if hasattr(usage, "model_dump") else usage)
        self.usage = told or self.usage
        model = getattr(reply, "model", None)
        self.model = model if isinstance(model, str) and model else self.model
        return told is not None

    def take(self, choice: Any) -> str:
        """Notes what a choice adds to the reply; returns the text of it. Raises `ReplyFailed`."""
        message = _of(choice, "delta") or _of(choice, "message")
        content = _of(message, "content") if message is not None else _of(choice, "text")
        self.began = self.began or bool(content) or _brings(message)
        if thought := next((said for name in THOUGHTS if isinstance(said := _of(message, name), str) and said), None):
            self.thoughts.append(storable(thought))
        text = storable(_words(content, "text"))
        if text:
            self.parts.append(text)
        refusal = _words(_of(message, "refusal") or (content if isinstance(content, list) else None), "refusal")
        if refusal:
            self.refusal = (self.refusal or "") + refusal
        finish = _of(choice, "finish_reason")
        if finish in FAILED:
            raise ReplyFailed(_of(choice, "error") or f"its reply ended with {finish!r}", again=True)
        self.finish = finish if isinstance(finish, str) and finish else self.finish
        self._take_odds(_of(_of(choice, "logprobs"), "content"))
        return text

    def _take_odds(self, told: Any) -> None:
        for token in told if isinstance(told, list) else ():
            top = _of(token, "top_logprobs")
            own = _odds([token])
            if own:
                self.tokens.append(Token(own[0][0], _odds(top if isinstance(top, list) else []) or own))


def _brings(message: Any) -> bool:
    """Whether a part of a message brings anything but its role: servers name its thoughts in many ways."""
    fields = message if isinstance(message, Mapping) else dict(message) if hasattr(message, "model_dump") else {}
    return any(value for name, value in fields.items() if name != "role")


def _words(content: Any, kind: str) -> str:
    """A content's words. Some servers send it as a list of parts: then of the parts of this kind, so that thoughts
    among them are left out."""
    if isinstance(content, list):
        parts = [_of(part, kind) for part in content if _of(part, "type") in (kind, f"output_{kind}", None)]
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _odds(tokens: list[Any]) -> tuple[tuple[str, float], ...]:
    """Those of the tokens that are a text with the logarithm of a probability."""
    pairs = ((_of(token, "token"), _of(token, "logprob")) for token in tokens)
    return tuple(
        (storable(text), float(odds))
        for text, odds in pairs
        if isinstance(text, str) and type(odds) in (int, float) and LEAST_ODDS < odds <= 0
    )


def _of(value: Any, name: str) -> Any:
    """A field of what the library made an object of, or left as it came because of something odd in it."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
