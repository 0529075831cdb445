"""What a server or the client library did wrong, as our errors; and whether the same request may succeed later.

Works by the names of the library's exceptions, so that it need not be imported to know them. A server may repeat the
key that it was sent: nothing like one stands in what comes out of here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from selfroute.errors import (
    EndpointBusy,
    EndpointError,
    EndpointFailed,
    EndpointTimeout,
    EndpointUnreachable,
    KeyRejected,
    PromptTooLong,
    RequestRejected,
    UnknownModel,
    UnusableReply,
)

MAPPED: Mapping[str, type[EndpointError]] = {
    "OpenAIError": EndpointFailed,
    "APIError": EndpointFailed,
    "APIResponseValidationError": EndpointFailed,
    "APIStatusError": RequestRejected,
    "APIConnectionError": EndpointUnreachable,
    "APITimeoutError": EndpointTimeout,
    "BadRequestError": RequestRejected,
    "AuthenticationError": KeyRejected,
    "OAuthError": KeyRejected,
    "SubjectTokenProviderError": KeyRejected,
    "PermissionDeniedError": KeyRejected,
    "NotFoundError": UnknownModel,
    "ConflictError": EndpointBusy,
    "UnprocessableEntityError": RequestRejected,
    "RateLimitError": EndpointBusy,
    "InternalServerError": EndpointFailed,
    "LengthFinishReasonError": UnusableReply,
    "ContentFilterFinishReasonError": UnusableReply,
    "InvalidWebhookSignatureError": EndpointFailed,
    "WebSocketConnectionClosedError": EndpointUnreachable,
    "WebSocketQueueFullError": EndpointFailed,
    # Not the library's but of what carries it: some releases let it through while a reply is streamed.
    "TransportError": EndpointUnreachable,
}
"""Every exception class of the client library, by name, and what it is here."""

DROPPED = ("APIConnectionError", "TransportError")
"""A connection that was not made, or was cut."""

AGAIN = (408, 409, 429)
"""Statuses, beside those from 500 on, after which the same request may succeed."""

MOST_REASON = 300
_SECRET = re.compile(r"(?i)\bbearer\s+[^\s'\"]+|\b(?:sk|pk|gsk|xai|hf)[-_][\w*.-]{6,}")


def translated(error: Exception, where: str, key: str | None) -> EndpointError:
    """Our error for one of the library's; `where` names the endpoint and its model. Not raised here, and without the
    library's as its cause."""
    kind = next((MAPPED[c.__name__] for c in type(error).__mro__ if c.__name__ in MAPPED), EndpointFailed)
    status, code = getattr(error, "status_code", None), str(getattr(error, "code", None) or "")
    said = harmless(_said(error), key)
    if code == "context_length_exceeded" or (
        kind is RequestRejected and re.search(r"(?i)context (?:length|window)|maximum context|too long", said)
    ):
        kind = PromptTooLong
    elif kind is RequestRejected and isinstance(status, int) and status >= 500:
        kind = EndpointFailed
    elif kind is RequestRejected and status in AGAIN:
        kind = EndpointBusy
    remedy = "its account has no credit left: see to it there" if code == "insufficient_quota" else None
    return kind(where, f"answered {status}: {said}" if status is not None else said, remedy)


def harmless(text: str, key: str | None) -> str:
    """One line of a server's words without anything like a key."""
    text = " ".join(text.split())
    if key:
        text = text.replace(key, "[key]")
    text = _SECRET.sub("[key]", text)
    return (text[:MOST_REASON] + "...") if len(text) > MOST_REASON else text or "it gave no reason"


def _said(error: Exception) -> str:
    body = getattr(error, "body", None)
    if isinstance(body, Mapping) and isinstance(body.get("message"), str):
        return str(body["message"])
    if isinstance(error, ValueError) and not hasattr(error, "body"):
        return "it sent what is no JSON"
    return str(error)


def was_sent(error: Exception) -> bool:
    """Whether the server may have worked for a request that failed: not if it refused it or was never reached."""
    if getattr(error, "status_code", None) is not None and type(error).__name__ != "APIResponseValidationError":
        return False
    never = ("ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "ProxyError")
    return not {type(error).__name__, type(error.__cause__).__name__} & set(never)


def may_succeed(error: Exception) -> bool:
    """Whether the same request may succeed at another try."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return (status in AGAIN or status >= 500) and getattr(error, "code", None) != "insufficient_quota"
    names = {c.__name__ for c in type(error).__mro__}
    return bool(names & set(DROPPED)) and "APITimeoutError" not in names


def wait_of(error: Exception) -> float | None:
    """Seconds that the server wants to be left alone, if it says so."""
    headers = getattr(getattr(error, "response", None), "headers", None)
    return None if headers is None else retry_after(headers, datetime.now(UTC))


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that a server wants to be left alone, by `Retry-After` (seconds or a date) or `retry-after-ms`."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        until = parsedate_to_datetime(headers.get("retry-after", ""))
    except (TypeError, ValueError):
        return None
    return max((until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds(), 0.0)
