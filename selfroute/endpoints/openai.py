"""Any server that speaks OpenAI's wire: OpenAI, vLLM, Ollama, a gateway. The only module that imports `openai`, and
only when the first request is made.

Each attempt is one call in the account: with the usage that the server reports, or an estimate where it reports none.
Failures become our errors, freed of anything like a key; theirs are not even kept as a cause, since a server may
repeat the key in its message and a log would print that. Knows nothing of readings or documents.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from selfroute.endpoints import Completion, Follow, Request
from selfroute.endpoints.arrived import Arrived
from selfroute.endpoints.failures import (
    ReplyFailed,
    harmless,
    may_succeed,
    status_within,
    storable,
    translated,
    wait_of,
    was_sent,
)
from selfroute.endpoints.per_loop import PerLoop
from selfroute.errors import EndpointFailed, EndpointTimeout, MissingKey, SelfrouteError
from selfroute.keys import without_keys
from selfroute.tokens import Tokenizer
from selfroute.types import ABANDONED, Call, Record, Usage
from selfroute.waiting import Patience, patience

if TYPE_CHECKING:
    from openai import AsyncOpenAI

LONGEST_WAIT = 60.0
"""Seconds. A server that asks for a longer wait is not waited for."""

FRAME_TOKENS = 3
"""What a chat message, and the reply's beginning, take beside their words in OpenAI's chat format."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to speak to one server. Times in seconds: `timeout` is what an attempt may take, without what showing the
    reply takes; `backoff` is the first of the growing waits between attempts.

    `reasoning_tokens` is room for thought beyond what a request allows its reply. `omit` are parameters that the
    server does not take, `parameters` are sent with each request as they stand.
    """

    name: str
    base_url: str
    model: str
    window: int
    key_variable: str | None = None
    max_output_tokens: int = 1024
    reasoning_tokens: int = 0
    limit_field: str = "max_completion_tokens"
    stream: bool = False
    schemas: bool = True
    logprobs: bool = False
    raw: bool = False
    timeout: float = 120.0
    retries: int = 4
    backoff: float = 0.5
    omit: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)


class _Again(Exception):
    """An attempt failed with `error`, and another may not; not before `after` seconds, if the server says so."""

    def __init__(self, error: SelfrouteError, after: float | None) -> None:
        super().__init__()
        self.error = error
        self.after = after


class _Broken(Exception):
    """The server sent what is no reply."""


class OpenAIEndpoint:
    """`key` goes into requests and nowhere else."""

    def __init__(self, options: Options, tokenizer: Tokenizer, key: str | None = None) -> None:
        self.options = options
        self._tokenizer = tokenizer
        self._key = key
        self._clients: PerLoop[AsyncOpenAI] = PerLoop(self._opened, _is_open, _close, again=True)

    def __repr__(self) -> str:
        return f"OpenAIEndpoint({self.where})"

    @property
    def where(self) -> str:
        return f"endpoint {self.options.name!r} ({self.options.base_url}, model {self.options.model!r})"

    @property
    def model(self) -> str:
        return self.options.model

    @property
    def window(self) -> int:
        return self.options.window

    @property
    def max_output_tokens(self) -> int:
        return self.options.max_output_tokens + self.options.reasoning_tokens

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
        return self.options.reasoning_tokens > 0

    @property
    def counted_by(self) -> str:
        return self._tokenizer.split.name

    @property
    def approximate(self) -> bool:
        return self._tokenizer.split.approximate

    def count_tokens(self, text: str) -> int:
        return self._tokenizer.count(text)

    async def complete(self, request: Request, record: Record, follow: Follow | None = None) -> Completion:
        """As `Endpoint.complete`. What may succeed at another try is tried again, with growing random waits and not
        before the server wants it, until the deadline or until something of a reply is shown."""
        from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type
        from tenacity.wait import wait_random_exponential

        loop = asyncio.get_running_loop()
        growing = wait_random_exponential(multiplier=self.options.backoff, max=20)

        def again(state: RetryCallState) -> _Again:
            error = state.outcome.exception() if state.outcome else None
            assert isinstance(error, _Again)
            return error

        def wait(state: RetryCallState) -> float:
            # On top of what the server asks for, so that those it sent away do not all come back at once.
            return (again(state).after or 0.0) + growing(state)

        def stop(state: RetryCallState) -> bool:
            until = loop.time() + state.upcoming_sleep
            late = request.deadline is not None and until >= request.deadline
            return late or state.attempt_number > self.options.retries or (again(state).after or 0) > LONGEST_WAIT

        try:
            async for attempt in AsyncRetrying(
                stop=stop, wait=wait, retry=retry_if_exception_type(_Again), reraise=True
            ):
                with attempt:
                    return await self._attempt(request, record, follow)
        except _Again as last:
            error = last.error
        raise error  # outside of the handler: the library's own error is no part of it

    def without_retries(self) -> OpenAIEndpoint:
        """The same, for a check: it is to see what happens, not to get over it."""
        return OpenAIEndpoint(replace(self.options, retries=0), self._tokenizer, self._key)

    async def models(self) -> list[dict[str, Any]]:
        """What the server says of its models, as it says it. Raises `EndpointError` and `MissingKey`."""
        failed: SelfrouteError
        try:
            async with asyncio.timeout(self.options.timeout):
                listed = await (await self._client()).models.list()
                return [model.model_dump() for model in listed.data]
        except TimeoutError:
            failed = self._timed_out()
        except (SelfrouteError, asyncio.CancelledError):
            raise
        except Exception as error:
            failed = translated(error, self.where, self._key)
        raise failed

    async def metrics(self) -> str | None:
        """What the server tells Prometheus of itself, at `/metrics` beside `/v1`; `None` if it tells nothing there.
        Raises `EndpointFailed` where no client can be made, and `MissingKey`."""
        client = await self._client()
        try:
            async with asyncio.timeout(self.options.timeout):
                return await client.get(f"{self.options.base_url.removesuffix('/v1')}/metrics", cast_to=str)
        except Exception:  # whatever it does instead, it tells nothing
            return None

    async def _attempt(self, request: Request, record: Record, follow: Follow | None) -> Completion:
        client = await self._client()
        await asyncio.sleep(0)  # who was to end while the library was loaded ends here, with nothing sent
        began, got = time.perf_counter(), Arrived()
        failed: SelfrouteError | None = None
        sent, once_more, after = True, False, None
        try:
            async with patience(self.options.timeout) as limit:
                if self.options.stream or follow is not None:
                    await self._streamed(client, request, got, follow, limit)
                else:
                    await self._plain(client, request, got)
        except (asyncio.CancelledError, SelfrouteError):
            await record(await self._call(request, got, began, ABANDONED))
            raise
        except Exception as error:  # translated where it enters, whatever a server made the library raise
            if error is got.ours:
                await record(await self._call(request, got, began, ABANDONED))
                raise
            if isinstance(error, TimeoutError):
                failed = self._timed_out()
            else:
                failed, sent = translated(error, self.where, self._key), was_sent(error)
                sent = sent and (got.began or status_within(error) is None)
                garbled = got.streamed and isinstance(error, _Broken | ValueError)
                once_more, after = garbled or may_succeed(error), wait_of(error)
        if failed is not None and not got.complete:
            await record(await self._call(request, got, began, str(failed), sent=sent))
            if once_more and not got.shown:
                raise _Again(failed, after)
            raise failed
        call = await self._call(request, got, began)
        await record(call)
        refusal = got.refusal and without_keys(storable(got.refusal), self._key)
        model = got.model and without_keys(storable(got.model), self._key)
        return Completion(got.text, call.usage, got.finish, refusal, tuple(got.tokens), model)

    async def _plain(self, client: AsyncOpenAI, request: Request, got: Arrived) -> None:
        from openai.types import Completion as Raw
        from openai.types.chat import ChatCompletion

        cast_to: Any = ChatCompletion if request.chat else Raw
        reply = await client.post(_path(request), cast_to=cast_to, body=self._body(request))
        if not isinstance(reply, ChatCompletion | Raw):
            raise _Broken("it sent no JSON object")
        got.note(reply)
        if not isinstance(reply.choices, list) or not reply.choices:
            if told := getattr(reply, "error", None):
                raise ReplyFailed(told)
            raise _Broken("it sent no choices")
        got.take(reply.choices[0])
        got.finish = got.finish or "stop"

    async def _streamed(
        self, client: AsyncOpenAI, request: Request, got: Arrived, follow: Follow | None, limit: Patience
    ) -> None:
        from openai import AsyncStream
        from openai.types import Completion as Raw
        from openai.types.chat import ChatCompletion, ChatCompletionChunk

        cast_to: Any = ChatCompletion if request.chat else Raw
        stream_cls: Any = AsyncStream[ChatCompletionChunk] if request.chat else AsyncStream[Raw]
        counted = {} if "stream_options" in self.options.omit else {"stream_options": {"include_usage": True}}
        hear = follow() if follow is not None else None
        body = {**self._body(request), "stream": True, **counted}
        stream = await client.post(_path(request), cast_to=cast_to, body=body, stream=True, stream_cls=stream_cls)
        if not hasattr(stream, "response"):
            raise _Broken("it sent no stream")
        got.streamed = True
        async with stream:
            async for chunk in stream:
                choices = getattr(chunk, "choices", "none")
                if not isinstance(choices, list | None):
                    raise _Broken("it sent an event that is no part of a reply")
                told = got.note(chunk)
                before = len(got.parts)
                for choice in (choices or [])[:1]:
                    piece = got.take(choice)
                    if piece and hear is not None:
                        try:
                            with limit.resting():
                                got.shown = await hear(piece)
                        except Exception as error:
                            got.ours = error
                            raise
                got.counted = len(got.parts) == before and (told or got.counted)
        if not got.complete:
            if not got.counted or not got.parts:
                raise _Broken("the stream broke off" if got.began else "its stream ended without a reply")
            got.finish = "stop"  # a server that never says why it ended, but counted to the end

    def _body(self, request: Request) -> dict[str, Any]:
        options = self.options
        limit = min(request.max_output_tokens or options.max_output_tokens, options.max_output_tokens)
        limit += options.reasoning_tokens
        body: dict[str, Any] = {"model": options.model, "temperature": request.temperature}
        if request.chat:
            system = [{"role": "system", "content": request.system}] if request.system else []
            body |= {"messages": [*system, {"role": "user", "content": request.prompt}], options.limit_field: limit}
            if request.logprobs:
                body |= {"logprobs": True, "top_logprobs": 5}
                if "logprobs" in options.omit:  # which the other is nothing without
                    del body["top_logprobs"]
            if request.schema is not None:
                named = {"name": "reply", "strict": True, "schema": dict(request.schema)}
                body["response_format"] = {"type": "json_schema", "json_schema": named}
        else:
            body |= {"prompt": request.prompt, "max_tokens": limit}
        if request.stop:
            body["stop"] = list(request.stop)
        body = {name: value for name, value in body.items() if name not in options.omit}
        return body | dict(options.parameters)

    async def _call(
        self, request: Request, got: Arrived, began: float, error: str | None = None, sent: bool = True
    ) -> Call:
        """A request that was answered with an error is not charged; of one that was cut off it is not known."""
        seconds = time.perf_counter() - began
        usage, estimated = got.usage or Usage(), sent and got.usage is None
        if estimated:
            usage = await asyncio.to_thread(self._estimate, request, got)
        return Call(request.stage, self.model, usage, seconds, estimated, error=error)

    def _estimate(self, request: Request, got: Arrived) -> Usage:
        thought = self.count_tokens("".join(got.thoughts))
        written = self.count_tokens(got.text) + thought
        if not request.chat:
            return Usage(self.count_tokens(request.prompt), output_tokens=written, reasoning_tokens=thought)
        messages = [("user", request.prompt), *([("system", request.system)] if request.system else [])]
        read = FRAME_TOKENS + sum(FRAME_TOKENS + self.count_tokens(r) + self.count_tokens(t) for r, t in messages)
        return Usage(read, output_tokens=written, reasoning_tokens=thought)

    async def _client(self) -> AsyncOpenAI:
        """With its connections, which end with their event loop. Raises `MissingKey`, and `EndpointFailed` where this
        machine cannot make one: no more files can be opened, no certificates are found."""
        if self.options.key_variable and not self._key:
            raise MissingKey(self.options.name, self.options.key_variable)
        try:
            return await self._clients.get()
        except Exception as error:  # whatever this machine made the library raise
            # Without the name of a file, which is no business of who asks a service.
            reason = error.strerror if isinstance(error, OSError) else str(error)
            said = harmless(reason or type(error).__name__, self._key)
        remedy = "see to it on this machine; the next request tries again"
        raise EndpointFailed(self.where, f"its client did not start: {said}", remedy)

    async def _opened(self) -> AsyncOpenAI:
        await asyncio.to_thread(import_module, "openai.types.chat")  # takes a second, in which others go on
        from openai import AsyncOpenAI, DefaultAioHttpClient

        # Every retry is ours, so that every attempt is recorded; every limit of time too, since theirs are per read.
        # Without a key of ours the library would look for one meant for OpenAI, and send it to this server.
        client = AsyncOpenAI(
            api_key=self._key or "none",
            base_url=self.options.base_url,
            max_retries=0,
            timeout=None,
            default_headers={},
            http_client=DefaultAioHttpClient(),  # well under half of the default one's processor time
        )
        client.organization = client.project = None  # as the key: found in the environment, meant for another
        return client

    def _timed_out(self) -> EndpointTimeout:
        return EndpointTimeout(self.where, f"no reply within {self.options.timeout:g} seconds")


def _is_open(client: AsyncOpenAI) -> bool:
    return not client.is_closed()


async def _close(client: AsyncOpenAI) -> None:
    await client.close()


def _path(request: Request) -> str:
    """Posted to as it stands: the library's own methods first walk through all that is sent, to rename what need not
    be renamed, and that takes nearly as long as all else that they do."""
    return "/chat/completions" if request.chat else "/completions"
