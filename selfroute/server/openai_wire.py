"""What OpenAI's clients send, as a question of ours, and what they are told of its answer.

What a client asks for that is not done here is refused by name; what would change nothing is taken. Knows nothing of
routes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, StrictBool, Tag, model_validator

from selfroute.errors import BadInput, ModelNotFound, UnsupportedParameter
from selfroute.server.desk import Ask
from selfroute.server.schemas import OptionsSent
from selfroute.types import Answer, Question, Task, Turn, Usage
from selfroute.wire import DECLINED, to_json

NOT_SHOWN = (
    "the {} message was not shown to the model: it answers from the documents alone, in words that selfroute gives it"
)
NOT_ASKED = "what the assistant said before the first question was left out"

UNSAID = {"question", "answer", "explain"}
"""What of an answer is not in the extension: the client has it, or it is in `/v1/questions/{id}`."""


NOT_READ = frozenset({"image_url", "input_image", "input_audio", "file", "input_file", "refusal"})
"""Parts of messages that OpenAI has and that are not read here."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was said: the last question, the turns before it, and what of it is left out."""

    question: str
    history: tuple[Turn, ...]
    warnings: tuple[str, ...] = ()


def _none_as_unset(value: Any) -> Any:
    return [] if value is None else value


def _as(value: Any) -> str:
    return "(list)" if isinstance(value, list) else "(text)"


Text = Annotated[str, Tag("(text)")]
EITHER = Discriminator(_as)
"""Of a text and a list: so that of what is wrong with one it is not said that it is not the other."""


class Part(BaseModel):
    """A piece of a message. Only text is read here."""

    model_config = ConfigDict(frozen=True)

    type: Literal["text", "input_text", "output_text"]
    text: str


class Message(BaseModel):
    """One message, also as this service or another sent it before: what it carries beside its text is empty, or of no
    account here. `place` is the request's field that it stands in."""

    model_config = ConfigDict(frozen=True)

    place: ClassVar[str] = "messages"

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[Text | Annotated[list[Part], Tag("(list)")], EITHER, BeforeValidator(_none_as_unset)]

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "\n".join(part.text for part in self.content)

    @model_validator(mode="before")
    @classmethod
    def _carries_nothing_else(cls, sent: Any) -> Any:
        if isinstance(sent, dict):
            kind = sent.get("type")
            if isinstance(kind, str) and kind != "message":
                raise UnsupportedParameter(f"{cls.place}.{kind}", "message")
            for name in ("tool_calls", "function_call", "audio"):
                if sent.get(name):
                    raise UnsupportedParameter(f"{cls.place}.{name}")
            if sent.get("role") in ("tool", "function"):
                raise UnsupportedParameter(f"{cls.place}.role", "user, assistant, system or developer")
            parts = sent.get("content")
            for part in parts if isinstance(parts, list) else ():
                kind = part.get("type") if isinstance(part, dict) else None
                if isinstance(kind, str) and kind in NOT_READ:
                    raise UnsupportedParameter(f"{cls.place}.content.{kind}", "text")
        return sent


class Item(Message):
    """A message as an item of a response's input, which knows items of other kinds: those of tools, and thoughts."""

    place: ClassVar[str] = "input"


class Sent(BaseModel):
    """A request's fields that are done here. Others may be null or as in `neutral`, which asks for nothing, or among
    those that only say who asks, `taken`; else they are refused by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    neutral: ClassVar[Mapping[str, tuple[object, ...]]] = {}
    taken: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _nothing_unsupported(cls, sent: Any) -> Any:
        if not isinstance(sent, dict):
            return sent
        for name, value in sent.items():
            if name in cls.model_fields or name in cls.taken or value is None:
                continue
            allowed = cls.neutral.get(name, ())
            if not any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in allowed):
                raise UnsupportedParameter(name, " or ".join(map(_shown, allowed)))
        return {name: value for name, value in sent.items() if name in cls.model_fields and value is not None}


class StreamOptions(BaseModel):
    model_config = ConfigDict(frozen=True)

    include_usage: StrictBool = False


COMMON_NEUTRAL: Mapping[str, tuple[object, ...]] = {
    "top_p": (1,),
    "top_logprobs": (0,),
    "store": (False,),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "parallel_tool_calls": (True, False),
    "service_tier": ("auto", "default"),
}
COMMON_TAKEN = frozenset({"user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"})

ModelName = Annotated[str, Field(max_length=200, description="A policy at a corpus, as self_route@docs.")]
Temperature = Annotated[float, Field(ge=0, le=2, description="Of readings by a chat model.")]
Limit = Annotated[int, Field(ge=1, description="Tokens of a chat model's reply to a reading; the settings' at most.")]
Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]],
    Field(max_length=16, description="What the client notes of it: comes back as it is."),
]


class ChatSent(Sent):
    """A chat completion as it is asked for here. `selfroute` is ours: what else can be said of a question."""

    neutral: ClassVar[Mapping[str, tuple[object, ...]]] = {
        **COMMON_NEUTRAL,
        "n": (1,),
        "logprobs": (False,),
        "logit_bias": ({},),
        "presence_penalty": (0,),
        "frequency_penalty": (0,),
        "stop": ([],),
        "response_format": ({"type": "text"},),
        "modalities": (["text"],),
        "functions": ([],),
        "function_call": ("none", "auto"),
    }
    taken = COMMON_TAKEN

    model: ModelName
    messages: list[Message] = Field(min_length=1, max_length=1000)
    stream: StrictBool = False
    stream_options: StreamOptions = StreamOptions()
    temperature: Temperature = 0.0
    max_tokens: Limit | None = None
    max_completion_tokens: Limit | None = None
    selfroute: OptionsSent = OptionsSent()

    def as_ask(self) -> tuple[Ask, tuple[str, ...]]:
        limit = self.max_completion_tokens or self.max_tokens
        return asked(self.model, conversation(self.messages), self.temperature, limit, self.selfroute)


class ResponseSent(Sent):
    """A response as it is asked for here. `selfroute` as in `ChatSent`."""

    neutral: ClassVar[Mapping[str, tuple[object, ...]]] = {
        **COMMON_NEUTRAL,
        "background": (False,),
        "include": ([],),
        "truncation": ("disabled", "auto"),
        "text": ({"format": {"type": "text"}}, {}),
        "reasoning": ({},),
    }
    taken = (COMMON_TAKEN - {"metadata"}) | {"stream_options"}

    model: ModelName
    input: Annotated[
        Text | Annotated[list[Item], Field(min_length=1, max_length=1000), Tag("(list)")],
        EITHER,
    ]
    instructions: str | None = None
    stream: StrictBool = False
    temperature: Temperature = 0.0
    max_output_tokens: Limit | None = None
    metadata: Metadata = {}
    selfroute: OptionsSent = OptionsSent()

    def as_ask(self) -> tuple[Ask, tuple[str, ...]]:
        said = [Item(role="user", content=self.input)] if isinstance(self.input, str) else self.input
        told = [Message(role="system", content=self.instructions)] if self.instructions else []
        return asked(self.model, conversation([*told, *said]), self.temperature, self.max_output_tokens, self.selfroute)


def conversation(messages: Sequence[Message]) -> Conversation:
    """Pairs what was asked with what was answered; a decline of ours is no answer. Raises `BadInput` unless a question
    comes last."""
    if messages[-1].role != "user":
        raise BadInput(f"the last message is the {messages[-1].role}'s: end with the user's, which is the question")
    turns: list[Turn] = []
    warnings: list[str] = []
    for message in messages[:-1]:
        text = message.text.strip()
        if message.role == "user":
            turns.append(Turn(text, None))
        elif message.role != "assistant":
            warnings.append(NOT_SHOWN.format(message.role))
        elif not turns:
            warnings.append(NOT_ASKED)
        elif text and text not in DECLINED.values():
            before = turns[-1].answer
            turns[-1] = Turn(turns[-1].question, text if before is None else f"{before}\n\n{text}")
    history = tuple(turn for turn in turns if turn.question)
    return Conversation(messages[-1].text, history, tuple(dict.fromkeys(warnings)))


def asked(
    model: str, said: Conversation, temperature: float, limit: int | None, options: OptionsSent
) -> tuple[Ask, tuple[str, ...]]:
    """The question to the policy and the corpus that `model` names, and what is to be said of it. Raises
    `ModelNotFound`."""
    policy, at, corpus = model.rpartition("@")
    if not at:
        raise ModelNotFound(model)
    task = Task(temperature=temperature, max_output_tokens=limit)
    question = Question(said.question, tuple(options.documents), task, said.history)
    return Ask(question, policy, corpus, options.k, options.terms()), said.warnings


def extension(answer: Answer, warnings: Sequence[str] = ()) -> dict[str, Any]:
    """What OpenAI's shapes have no place for: id, outcome, route, citations, account. `warnings` go before its own."""
    fields = to_json(answer)
    assert isinstance(fields, dict)
    kept = {name: value for name, value in fields.items() if name not in UNSAID}
    return kept | {"warnings": [*warnings, *answer.warnings]}


def chat_usage(usage: Usage) -> dict[str, Any]:
    """The sum over all calls of a question."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def response_usage(usage: Usage) -> dict[str, Any]:
    """As `chat_usage`."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)
