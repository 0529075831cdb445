"""Whether a vLLM server keeps the beginnings of prompts, and tells how much of a prompt it had kept.

For `selfroute doctor`: grouping questions by document saves nothing where the first is off, and the account does not
show it where the second is. Costs two readings of a few hundred tokens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from selfroute.endpoints import Request
from selfroute.endpoints.findings import Finding
from selfroute.endpoints.openai import OpenAIEndpoint
from selfroute.errors import EndpointError
from selfroute.types import Record, Stage

BLOCKS = 4
"""Of so many blocks of tokens at least is what is read twice: only whole ones are kept."""

USUAL_BLOCK = 128

ON = "start it with --enable-prefix-caching"
TELL = "start it with --enable-prompt-tokens-details"


async def check_caches(endpoint: OpenAIEndpoint, record: Record) -> tuple[Finding, ...]:
    """`prefix cache`, by the server's `/metrics`, and `cached tokens`, by reading the same twice."""
    told = cache_config(await endpoint.metrics() or "")
    on = told.get("enable_prefix_caching")
    block = _number(told.get("block_size")) or USUAL_BLOCK
    if on == "False":
        return (Finding("prefix cache", False, "is off: each question reads its document anew", ON),)
    room = block * (_number(told.get("num_gpu_blocks")) or 0)
    found = (
        Finding("prefix cache", True, f"is on, with room for {room:,} tokens" if room else "is on")
        if on == "True"
        else Finding("prefix cache", None, "the server does not say at /metrics whether it has one")
    )
    return (found, await _read_twice(endpoint, record, block, todo=TELL if on else f"{ON} and {TELL[9:]}"))


def cache_config(metrics: str) -> Mapping[str, str]:
    """The labels of `vllm:cache_config_info` in what Prometheus would read; none if it is not there. Pure."""
    found = re.search(r"^vllm:cache_config_info\{(.*)\}", metrics, re.M)
    return dict(re.findall(r'(\w+)="([^"]*)"', found[1])) if found else {}


async def _read_twice(endpoint: OpenAIEndpoint, record: Record, block: int, todo: str) -> Finding:
    words = " ".join(f"{n}." for n in range(min(BLOCKS * block, endpoint.window // 8)))
    request = Request(Stage.READ_DOCUMENTS, f"Read this and say nothing.\n{words}", max_output_tokens=1)
    once = endpoint.without_retries()
    try:
        await once.complete(request, record)
        usage = (await once.complete(request, record)).usage
    except EndpointError as error:
        return Finding("cached tokens", False, str(error), error.remedy)
    if not usage.cached_input_tokens:
        return Finding("cached tokens", False, "the server does not tell what it read from its cache", todo)
    said = f"{usage.cached_input_tokens:,} of the {usage.input_tokens:,} tokens of a second reading"
    return Finding("cached tokens", True, f"are told: {said}")


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None
