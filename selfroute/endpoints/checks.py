"""Whether an endpoint works as its settings say: a few questions to the server, each with what to do if it fails.

For `selfroute doctor`. Costs one short reply. Knows nothing of settings files or of how findings are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from selfroute.endpoints import Completion, Request
from selfroute.endpoints.caches import check_caches
from selfroute.endpoints.failures import harmless
from selfroute.endpoints.findings import Finding
from selfroute.endpoints.openai import OpenAIEndpoint
from selfroute.endpoints.vllm import VLLMEndpoint
from selfroute.errors import (
    EndpointError,
    EndpointTimeout,
    EndpointUnreachable,
    KeyRejected,
    MissingExtra,
    MissingKey,
    SelfrouteError,
)
from selfroute.prompts import SCHEMA
from selfroute.replies import Unreadable, read_reply
from selfroute.types import Call, Record, Stage

WINDOWS = ("max_model_len", "context_length", "context_window", "max_context_length")
"""Where servers say in their list of models how long a prompt may be: vLLM, OpenRouter, Groq, LM Studio."""

VLLM = "vllm"
"""Who owns the models of a vLLM server, as it says in their list."""

MOST_NAMES = 8


async def check_endpoint(endpoint: OpenAIEndpoint, record: Record | None = None) -> tuple[Finding, ...]:
    """Looks at one endpoint: `reachable`, `key`, `model`, `window`, and by one short reply `reply`, `usage`, and
    `json_schema` and `logprobs` where the settings claim them; of a vLLM server, by two readings more, `prefix cache`
    and `cached tokens`. Stops at what makes the rest pointless.

    Raises nothing of an endpoint's; `record` is told of the calls.
    """
    listed: list[dict[str, Any]] | None = None
    try:
        listed = await endpoint.models()
    except MissingKey as error:
        return (_key(error),)
    except (EndpointUnreachable, EndpointTimeout) as error:
        return (Finding("reachable", False, str(error), error.remedy),)
    except EndpointError as error:
        # A server need not list its models, nor allow this key to see them: a reply tells more.
        if error.status == 401:
            return (_key(error),)
    found = [Finding("reachable", True, f"{endpoint.options.base_url} answers")]
    found += [_model(endpoint, listed), _window(endpoint, listed)]
    found += await _tried(endpoint, record or _unrecorded)
    if any(model.get("owned_by") == VLLM for model in listed or ()) and any(one.name == "usage" for one in found):
        found += await check_caches(endpoint, record or _unrecorded)
    return tuple(found)


async def check_reachable(endpoint: OpenAIEndpoint) -> None:
    """Raises `EndpointUnreachable`, `EndpointTimeout` or `EndpointFailed` where no server answers as it should, and
    `KeyRejected` or `MissingKey` where it will answer nothing else. A server that does not list its models is there
    all the same. Costs nothing."""
    try:
        await endpoint.without_retries().models()
    except (EndpointUnreachable, EndpointTimeout, KeyRejected, MissingKey):
        raise
    except EndpointError as error:
        if error.status is None or error.status >= 500:
            raise


def check_in_process(endpoint: VLLMEndpoint) -> tuple[Finding, ...]:
    """Looks at one endpoint without its engine, which takes long to start: `library` and `model`."""
    request = Request(Stage.READ_CHUNKS, "Is anybody there?", system="Answer.")
    try:
        count = len(endpoint.prompt_tokens(request))
    except MissingExtra as error:
        return (Finding("library", False, str(error)),)
    except SelfrouteError as error:
        return (Finding("library", True, "vLLM loads"), Finding("model", False, str(error)))
    said = (
        f"its tokenizer and chat template load, and make {count} tokens of a short question; its engine was not tried"
    )
    return (Finding("library", True, "vLLM loads"), Finding("model", True, said))


async def _tried(endpoint: OpenAIEndpoint, record: Record) -> list[Finding]:
    calls: list[Call] = []

    async def noted(call: Call) -> None:
        calls.append(call)
        await record(call)

    request = Request(
        Stage.READ_CHUNKS,
        'Reply with this JSON object and nothing else: {"answerable": true, "answer": "yes", "quotes": []}',
        max_output_tokens=100,
        schema=SCHEMA if endpoint.schemas else None,
        logprobs=endpoint.logprobs,
    )
    try:
        completion = await endpoint.without_retries().complete(request, noted)
    except (KeyRejected, MissingKey) as error:
        return [_key(error)]
    except EndpointError as error:
        return [_accepted(endpoint), Finding("reply", False, str(error), error.remedy)]
    said = f"{endpoint.model!r} replied in {calls[-1].seconds:.1f} s"
    if completion.model not in (None, endpoint.model):
        said += f" (the server calls it {completion.model!r})"
    wrong = _no_reply(completion)
    if wrong is not None:
        return [_accepted(endpoint), wrong, _usage(calls[-1])]
    found = [_accepted(endpoint), Finding("reply", True, said), _usage(calls[-1])]
    if endpoint.schemas and completion.finish == "length":
        found.append(Finding("json_schema", None, "the reply was cut off before its end"))
    elif endpoint.schemas:
        found.append(_schema(completion))
    if endpoint.logprobs:
        found.append(
            Finding("logprobs", True, "are told")
            if completion.tokens
            else Finding("logprobs", False, "were asked for and are not told", "set logprobs: false for it")
        )
    return found


def _key(error: EndpointError | MissingKey) -> Finding:
    return Finding("key", False, str(error), error.remedy)


def _no_reply(completion: Completion) -> Finding | None:
    """What is wrong with a reply that holds nothing."""
    if completion.refusal:
        said = f"the model refused: {harmless(completion.refusal, None)}"
        return Finding("reply", False, said, "ask the server's operator why, or name another model")
    if completion.text.strip():
        return None
    if completion.finish == "length":
        said = "the model came to the limit of its tokens before it said anything"
        return Finding("reply", False, said, "raise its reasoning_tokens, or its max_output_tokens")
    said = f"the reply is empty (it ended with {harmless(completion.finish or 'nothing', None)!r})"
    return Finding("reply", False, said, EndpointError.remedy)


def _accepted(endpoint: OpenAIEndpoint) -> Finding:
    variable = endpoint.options.key_variable
    return Finding("key", True, f"the one in {variable} is accepted" if variable else "none is wanted")


def _model(endpoint: OpenAIEndpoint, listed: list[dict[str, Any]] | None) -> Finding:
    if listed is None:
        return Finding("model", None, "the server does not list its models")
    names = [str(model.get("id")) for model in listed]
    if _named(endpoint, listed) is not None:
        return Finding("model", True, f"{endpoint.model!r} is listed")
    shown = ", ".join(names[:MOST_NAMES]) + (f" and {len(names) - MOST_NAMES} more" if names[MOST_NAMES:] else "")
    return Finding("model", False, f"{endpoint.model!r} is not listed; have: {shown or 'none'}", "name one of these")


def _window(endpoint: OpenAIEndpoint, listed: list[dict[str, Any]] | None) -> Finding:
    told = _named(endpoint, listed or []) or {}
    sizes = [told[name] for name in WINDOWS if isinstance(told.get(name), int) and told[name] > 0]
    if not sizes:
        return Finding("window", None, f"set to {endpoint.window:,} tokens; the server does not say what it has")
    if endpoint.window > sizes[0]:
        said = f"set to {endpoint.window:,} tokens, and the server has {sizes[0]:,}"
        return Finding("window", False, said, f"set window: {sizes[0]} for it")
    return Finding("window", True, f"{endpoint.window:,} of the server's {sizes[0]:,} tokens")


def _named(endpoint: OpenAIEndpoint, listed: list[dict[str, Any]]) -> Mapping[str, Any] | None:
    # Ollama lists llama3.2 as llama3.2:latest.
    names = (endpoint.model, f"{endpoint.model}:latest")
    return next((model for model in listed if model.get("id") in names), None)


def _usage(call: Call) -> Finding:
    if call.estimated:
        return Finding(
            "usage",
            False,
            "the server reports no tokens: they are estimated",
            "turn usage on at the server, or take its counts and costs as estimates",
        )
    return Finding("usage", True, f"reported: {call.usage.input_tokens} tokens in, {call.usage.output_tokens} out")


def _schema(completion: Completion) -> Finding:
    try:
        follows = completion.text.lstrip().startswith("{") and not read_reply(completion.text, structured=True).declined
    except Unreadable:
        follows = False
    if follows:
        return Finding("json_schema", True, "is followed")
    return Finding("json_schema", False, "was asked for and is not followed", "set json_schema: false for it")


async def _unrecorded(call: Call) -> None:
    """A check is no question."""
