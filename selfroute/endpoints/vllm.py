"""vLLM's engine in this process (extra `vllm`): no server and no wire between. For bulk evaluation on one GPU.

The only module that imports `vllm`, and only when a prompt is first counted or completed. An engine belongs to the
event loop that first asked it, takes long to start, and ends with that loop; one that died is started anew by the next
request. Prompts are made into tokens here, by the model's own chat template, so that what is counted before a call is
what the engine counts. Nothing is tried again: there is no wire that could break.

Reasoning is not told apart from the reply here: for models that think, run a server. Knows nothing of readings or
documents.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from selfroute.endpoints import Completion, Follow, Hear, Request, Token
from selfroute.endpoints.failures import harmless, storable
from selfroute.endpoints.per_loop import PerLoop
from selfroute.endpoints.together import BEGINNING, Together
from selfroute.errors import (
    EndpointBusy,
    EndpointError,
    EndpointFailed,
    EndpointTimeout,
    InvalidSettings,
    MissingExtra,
    PromptTooLong,
    RequestRejected,
    SelfrouteError,
)
from selfroute.tokens import Split, Tokenizer
from selfroute.types import ABANDONED, Call, Record, Usage
from selfroute.waiting import patience

if TYPE_CHECKING:
    from vllm.v1.engine.async_llm import AsyncLLM

LEAST_ODDS = -1e300
"""A logarithm below is no number: what the grammar forbids has none."""

ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",  # it reports to its makers otherwise
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",  # standard output is for answers
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # there are threads already, which a fork would cut off
}
"""vLLM can be told these in no other way. What the user has set stands."""

MAPPED: Mapping[str, type[EndpointError]] = {
    "VLLMError": EndpointFailed,
    "VLLMClientError": RequestRejected,
    "VLLMServerError": EndpointFailed,
    "GracefulHTTPError": EndpointBusy,
    # What its parts raise of a request before it is sent on.
    "ValueError": RequestRejected,
    "TypeError": RequestRejected,
    "TemplateError": RequestRejected,
}
"""vLLM's exceptions, by the name of the class or of the nearest it derives from; others are `EndpointFailed`."""

DIED = "EngineDeadError"

REFUSALS = (RequestRejected, EndpointBusy)
"""After these nothing was read."""

FAILED = ("error", "abort")
"""Why a reply ended that is none."""


@dataclass(frozen=True, slots=True)
class Options:
    """One model. `model` is a folder or a name as vLLM takes it, `engine` are arguments of its engine and `parameters`
    those of its sampler, as they stand. `timeout` is in seconds and counts neither the engine's start nor what showing
    the reply takes. Prompts whose first `beginning` tokens are the same are kept together."""

    name: str
    model: str
    window: int
    max_output_tokens: int = 1024
    schemas: bool = True
    logprobs: bool = True
    raw: bool = True
    timeout: float = 600.0
    engine: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    beginning: int = BEGINNING


@dataclass(frozen=True, slots=True)
class _Engine:
    llm: AsyncLLM
    defaults: Mapping[str, Any]
    """What the model's makers want of the sampler, as a server would take it."""
    ordered: bool
    """Whether its queue goes by places."""
    together: Together


@dataclass(slots=True)
class _Got:
    """What has come of a reply, to a prompt of `read` tokens."""

    read: int = 0
    cached: int = 0
    written: int = 0
    sent: bool = False
    began: bool = False
    parts: list[str] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    finish: str | None = None
    ours: Exception | None = None
    """What was raised where the reply is shown: no fault of the engine's."""

    @property
    def usage(self) -> Usage:
        return Usage(self.read, self.cached, output_tokens=self.written)

    def take(self, output: Any) -> str:
        """Adds a piece of the reply; returns the text of it."""
        [part] = output.outputs
        self.began = True
        self.cached = min(output.num_cached_tokens or 0, self.read)
        self.written += len(part.token_ids)
        self.finish = part.finish_reason or self.finish
        self.tokens += [_token(number, odds) for number, odds in zip(part.token_ids, part.logprobs or (), strict=False)]
        text = storable(part.text)
        self.parts.append(text)
        return text


class VLLMEndpoint:
    """One engine for each event loop that asks."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._counter = Tokenizer(lambda: Split(self.counted_by, self._count))
        self._split: Any = None
        self._one_at_a_time = threading.Lock()  # tokenizers and the import are not for two threads at once
        self._engines = PerLoop(self._start, lambda engine: not engine.llm.errored, _shut_down)

    def __repr__(self) -> str:
        return f"VLLMEndpoint({self.where})"

    @property
    def where(self) -> str:
        return f"endpoint {self.options.name!r} (vLLM in this process, model {self.options.model!r})"

    @property
    def model(self) -> str:
        return self.options.model

    @property
    def window(self) -> int:
        return self.options.window

    @property
    def max_output_tokens(self) -> int:
        return self.options.max_output_tokens

    @property
    def schemas(self) -> bool:
        return self.options.schemas

    @property
    def logprobs(self) -> bool:
        return self.options.logprobs

    @property
    def raw(self) -> bool:
        return self.options.raw

    @property
    def thinks(self) -> bool:
        return False

    @property
    def counted_by(self) -> str:
        return "the model's own tokenizer"

    @property
    def approximate(self) -> bool:
        return False

    def count_tokens(self, text: str) -> int:
        """By the model's own tokenizer. Raises `MissingExtra` and `InvalidSettings`."""
        return self._counter.count(text)

    def prompt_tokens(self, request: Request) -> list[int]:
        """The prompt as the engine is given it, by the model's own chat template. Blocking.

        Raises `MissingExtra`, `InvalidSettings` and `RequestRejected`.
        """
        with self._one_at_a_time:
            split = self._tokenizer()
            if not request.chat:
                return list(split.encode(request.prompt))
            system = [{"role": "system", "content": request.system}] if request.system else []
            messages = [*system, {"role": "user", "content": request.prompt}]
            try:
                return list(split.apply_chat_template(messages, add_generation_prompt=True, return_dict=False))
            except Exception as error:  # a template may raise anything
                said = harmless(str(error), None)
        raise RequestRejected(
            self.where, f"its chat template does not take this: {said}", "name a model that is made for chat"
        )

    async def complete(self, request: Request, record: Record, follow: Follow | None = None) -> Completion:
        """As `Endpoint.complete`; `MissingExtra` and `InvalidSettings` too, when the engine is to be started."""
        began, got = time.perf_counter(), _Got()
        hear = follow() if follow is not None else None
        failed: SelfrouteError
        try:
            prompt = await asyncio.to_thread(self.prompt_tokens, request)
            got.read = len(prompt)
            self._checked(got.read)
            engine = await self._engines.get()
            began = time.perf_counter()  # the engine's start is not this call's time
            async with patience(self.options.timeout) as limit, engine.together.turn(prompt) as turn:
                params = _params(self.options, engine.defaults, request, got.read)
                got.sent = True
                replies = engine.llm.generate(
                    {"type": "token", "prompt_token_ids": prompt},
                    params,
                    uuid4().hex,
                    priority=turn.place if engine.ordered else 0,
                )
                # Closed whatever happens, so that the engine does not go on for nobody.
                async with aclosing(replies):
                    async for output in replies:
                        piece = got.take(output)
                        turn.warmed()
                        if piece and hear is not None:
                            with limit.resting():
                                await _tell(hear, piece, got)
            if got.finish in FAILED:
                raise EndpointFailed(self.where, f"its reply ended with {got.finish!r}")
        except asyncio.CancelledError:
            await record(self._call(request, got, began, ABANDONED))
            raise
        except Exception as error:
            if error is got.ours:
                await record(self._call(request, got, began, ABANDONED))
                raise
            failed = self._translated(error)
        else:
            await record(self._call(request, got, began))
            return Completion("".join(got.parts), got.usage, got.finish, None, tuple(got.tokens), self.model)
        got.sent = got.sent and not isinstance(failed, REFUSALS)
        await record(self._call(request, got, began, str(failed)))
        raise failed

    def _checked(self, read: int) -> None:
        if read >= self.window:
            raise PromptTooLong(
                self.where,
                f"the prompt takes {read:,} tokens of a window of {self.window:,}",
                "raise its window, if the model has more, or show it less",
            )

    def _call(self, request: Request, got: _Got, began: float, error: str | None = None) -> Call:
        """The engine counts: only what it read of a prompt whose reply did not begin is an estimate. What was not
        sent, or refused, took nothing."""
        usage = got.usage if got.sent else Usage()
        return Call(
            request.stage, self.model, usage, time.perf_counter() - began, got.sent and not got.began, error=error
        )

    def _translated(self, error: Exception) -> SelfrouteError:
        if isinstance(error, SelfrouteError):
            return error
        if isinstance(error, TimeoutError):
            return EndpointTimeout(self.where, f"no reply within {self.options.timeout:g} seconds")
        names = [c.__name__ for c in type(error).__mro__]
        if DIED in names:
            remedy = "see what vLLM wrote before; the next question starts it anew"
            return EndpointFailed(self.where, "its engine died", remedy)
        kind = next((MAPPED[name] for name in names if name in MAPPED), EndpointFailed)
        advice = "see its parameters, or turn json_schema off for it" if kind is RequestRejected else None
        return kind(self.where, harmless(str(error.__cause__ or error) or names[0], None), advice)

    def _count(self, text: str) -> int:
        with self._one_at_a_time:
            return len(self._tokenizer().encode(text, add_special_tokens=False))

    def _tokenizer(self) -> Any:
        if self._split is None:
            _library()
            from vllm.tokenizers import get_tokenizer

            given = self.options.engine
            named = given.get("tokenizer") or self.options.model
            how = {name: given[name] for name in ("tokenizer_mode", "trust_remote_code") if name in given}
            revision = given.get("tokenizer_revision") or given.get("revision")
            try:
                self._split = get_tokenizer(named, revision=revision, **how)
            except Exception as error:
                raise InvalidSettings(
                    f"{self.where}: its tokenizer does not load ({harmless(str(error), None)}): name a folder that "
                    "holds the model, or one that vLLM can fetch"
                ) from error
        return self._split

    async def _start(self) -> _Engine:
        # Taken out of a list: the thread's future outlives the loop, and an engine that is collected as late as at the
        # interpreter's end complains.
        llm = (await asyncio.to_thread(lambda: [self._made()])).pop()
        return _Engine(
            llm,
            llm.model_config.get_diff_sampling_param(),
            llm.vllm_config.scheduler_config.policy == "priority",
            Together(self.options.beginning),
        )

    def _made(self) -> AsyncLLM:
        _library()
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        ours: dict[str, Any] = {
            "model": self.options.model,
            "max_model_len": self.options.window,
            "enable_prefix_caching": True,
            "scheduling_policy": "priority",
            "disable_log_stats": True,
        }
        try:
            arguments = AsyncEngineArgs(**{**ours, **self.options.engine})
        except TypeError as error:
            raise InvalidSettings(f"{self.where}: vLLM takes no such argument under engine ({error})") from error
        try:
            return AsyncLLM.from_engine_args(arguments)
        except Exception as error:
            said = harmless(str(error), None)
        raise EndpointFailed(
            self.where, f"its engine did not start: {said}", "see what vLLM wrote before, and set it under engine"
        )


async def _shut_down(engine: _Engine) -> None:
    engine.llm.shutdown()


def _library() -> None:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import vllm  # noqa: F401
    except ImportError as error:
        raise MissingExtra("vllm", "vllm") from error


def _params(options: Options, defaults: Mapping[str, Any], request: Request, read: int) -> Any:
    from vllm.sampling_params import RequestOutputKind, SamplingParams, StructuredOutputsParams

    limit = min(request.max_output_tokens or options.max_output_tokens, options.max_output_tokens)
    wanted: dict[str, Any] = {
        **defaults,
        "temperature": request.temperature,
        "stop": list(request.stop),
        **options.parameters,
        "max_tokens": min(limit, options.window - read),
        "logprobs": 5 if request.logprobs else None,
        "output_kind": RequestOutputKind.DELTA,
    }
    if request.schema is not None:
        wanted["structured_outputs"] = StructuredOutputsParams(json=dict(request.schema))
    return SamplingParams.from_optional(**wanted)


async def _tell(hear: Hear, piece: str, got: _Got) -> None:
    try:
        await hear(piece)
    except Exception as error:
        got.ours = error
        raise


def _token(number: int, odds: Mapping[int, Any]) -> Token:
    """A token of the reply, the likeliest of its alternatives first; what the grammar forbids is none."""
    likely: Sequence[Any] = sorted(odds.values(), key=lambda one: -one.logprob)
    alternatives = tuple((storable(one.decoded_token or ""), one.logprob) for one in likely if one.logprob > LEAST_ODDS)
    own = odds[number].decoded_token if number in odds else ""
    return Token(storable(own or ""), alternatives)
