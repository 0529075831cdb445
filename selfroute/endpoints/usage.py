"""What a server says of the tokens that a call took. Pure; knows no client library.

Providers agree on `prompt_tokens` and `completion_tokens` and little else. What is no credible usage is none, so that
the caller estimates: it is never taken for 0.
"""

from __future__ import annotations

from collections.abc import Mapping

from selfroute.types import Usage

MOST = 2**53
"""Beyond this a number of tokens is no number of tokens, and no database holds it."""

_CACHED = ("cached_tokens",)
_WRITTEN = ("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens")


def reported(usage: object) -> Usage | None:
    """The usage in a reply's `usage`, or `None` if there is no credible one: a prompt always has tokens."""
    if not isinstance(usage, Mapping):
        return None
    read, written, total = (_number(usage.get(name)) for name in ("prompt_tokens", "completion_tokens", "total_tokens"))
    if not read or written is None:
        return None
    of_prompt, of_reply = (_part(usage, name) for name in ("prompt_tokens_details", "completion_tokens_details"))
    cached = min(_found(of_prompt, _CACHED) or _found(usage, ("prompt_cache_hit_tokens",)), read)
    stored = min(_found(of_prompt, _WRITTEN) or _found(usage, _WRITTEN), read - cached)
    thought = _found(of_reply, ("reasoning_tokens",)) or _found(usage, ("reasoning_tokens",))
    # Some count thoughts beside the reply, most within it: their total tells which.
    if thought > written or (thought and total == read + written + thought):
        written += thought
    return Usage(read, cached, stored, written, thought)


def _part(usage: Mapping[str, object], name: str) -> Mapping[str, object]:
    part = usage.get(name)
    return part if isinstance(part, Mapping) else {}


def _found(values: Mapping[str, object], names: tuple[str, ...]) -> int:
    return next((number for name in names if (number := _number(values.get(name)))), 0)


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST else None
