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
    EndpointUnreachable,
    KeyRejected,
    PromptTooLong,
    RequestRejected,
    UnknownModel,
    UnusableReply,
)
from selfroute.keys import without_keys

MAPPED: Mapping[str, type[EndpointError]] = {
    "OpenAIError": EndpointFailed,
    "APIError": EndpointFailed,
    "APIResponseValidationError": EndpointFailed,
    "APIStatusError": RequestRejected,
    "APIConnectionError": EndpointUnreachable,
    # No limit of time is the library's here: that is how it takes a connection that aiohttp lost or never had.
    "APITimeoutError": EndpointUnreachable,
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

BY_STATUS: Mapping[int, type[EndpointError]] = {
    401: KeyRejected,
    403: KeyRejected,
    404: UnknownModel,
    408: EndpointBusy,
    409: EndpointBusy,
    429: EndpointBusy,
}
"""What a status is that stands in the body of an answer; others are the server's failure from 500 on, else ours."""

MOST_REASON = 300

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""What JSON can write and no database keeps: NUL, and halves of a character."""


class ReplyFailed(Exception):
    """A server answered 200, and said within the reply that it failed. `body` is its error, `code` a status or a name;
    where it says neither, `again` tells whether another try makes sense."""

    def __init__(self, body: object, again: bool = False) -> None:
        super().__init__("it sent an error without a word")
        self.body = body
        self.code = body.get("code") if isinstance(body, Mapping) else None
        self.again = again


TOO_LONG = re.compile(
    r"context (?:length|window|size)|maximum context|(?:prompt|input|request|messages?)\b.{0,40}too long"
    r"|token count.{0,60}exceeds|max_new_tokens.{0,20}must be|reduce the length of the messages",
    re.I,
)
"""How servers say that a prompt exceeds the window: OpenAI and vLLM, llama.cpp, Gemini, TGI."""


LASTING = re.compile(
    r"invalid|bad.?request|unprocessable|unsupported|context.?length|too.?(?:long|large)|not.?found"
    r"|content.?(?:filter|policy)|authenti|authori|permission|forbidden|insufficient.?quota|billing|credit",
    re.I,
)
"""In the type or the code of an error without a status: the same request will fail again."""


def translated(error: Exception, where: str, key: str | None) -> EndpointError:
    """Our error for one of the library's; `where` names the endpoint and its model. Not raised here, and without the
    library's as its cause."""
    kind = next((MAPPED[c.__name__] for c in type(error).__mro__ if c.__name__ in MAPPED), EndpointFailed)
    status, code = getattr(error, "status_code", None), str(getattr(error, "code", None) or "")
    within = status_within(error)
    if within is not None:
        kind = BY_STATUS.get(within, EndpointFailed if within >= 500 else RequestRejected)
    said = harmless(_said(error), key)
    if code == "context_length_exceeded" or (kind is RequestRejected and TOO_LONG.search(said)):
        kind = PromptTooLong
    elif kind is RequestRejected and isinstance(status, int) and status >= 500:
        kind = EndpointFailed
    elif kind is RequestRejected and status in AGAIN:
        kind = EndpointBusy
    remedy = "its account has no credit left: see to it there" if code == "insufficient_quota" else None
    told = f"answered {status}: " if status is not None else f"replied with error {within}: " if within else ""
    if not said.endswith("..."):
        said = said.removesuffix(".")  # what to do follows behind a colon
    return kind(where, told + said, remedy, status if isinstance(status, int) else within)


def status_within(error: Exception) -> int | None:
    """The status that a server gives in the body of an answer which itself is 200."""
    code = getattr(error, "code", None)
    if getattr(error, "status_code", None) is not None or isinstance(code, bool):
        return None
    if isinstance(code, str) and re.fullmatch("[0-9]{3}", code):
        code = int(code)
    return code if isinstance(code, int) and 400 <= code < 600 else None


def harmless(text: str, key: str | None) -> str:
    """One line of a server's words without anything like a key."""
    text = without_keys(" ".join(storable(text).split()), key)
    return (text[:MOST_REASON] + "...") if len(text) > MOST_REASON else text or "it gave no reason"


def storable(text: str) -> str:
    """The text with a replacement character for each that cannot be kept or shown."""
    return _UNSTORABLE.sub("\ufffd", text)


def _said(error: Exception) -> str:
    body = getattr(error, "body", None)
    if isinstance(body, Mapping) and isinstance(body.get("message"), str):
        return str(body["message"])
    if isinstance(body, str) and getattr(error, "status_code", None) is None:
        return body
    if isinstance(error, ValueError) and not hasattr(error, "body"):
        return "it sent what is no JSON"
    if not _names(error) & set(DROPPED):
        return str(error)
    if any("ClientPayloadError" in _names(one) for one in _origins(error)):  # which speaks of a status 400 of its own
        return "the connection was cut within its reply"
    return str(_origins(error)[-1]) or str(error)


def was_sent(error: Exception) -> bool:
    """Whether the server may have worked for a request that failed: not if it refused it or was never reached."""
    if getattr(error, "status_code", None) is not None and type(error).__name__ != "APIResponseValidationError":
        return False
    origins = [_names(one) for one in _origins(error)]
    if any("ClientConnectionError" in names for names in origins):  # aiohttp's, which becomes a timeout whatever it is
        return not any("ClientConnectorError" in names for names in origins)
    never = {"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "ProxyError"}
    return not any(names & never for names in origins)


def may_succeed(error: Exception) -> bool:
    """Whether the same request may succeed at another try."""
    status = getattr(error, "status_code", None) or status_within(error)
    if isinstance(status, int):
        return (status in AGAIN or status >= 500) and getattr(error, "code", None) != "insufficient_quota"
    if isinstance(error, ReplyFailed):
        return error.again and not _lasts(error)
    if type(error).__name__ == "APIError":  # an error within a stream; those with a status have classes of their own
        return not _lasts(error)
    return bool(_names(error) & set(DROPPED))


def _lasts(error: Exception) -> bool:
    """Whether an error without a status says that the request, the key or the account is wrong."""
    body = getattr(error, "body", None)
    names = [body.get("type"), body.get("code")] if isinstance(body, Mapping) else []
    return any(isinstance(name, str) and LASTING.search(name) for name in names) or bool(TOO_LONG.search(_said(error)))


def _origins(error: BaseException) -> list[BaseException]:
    """The error, what it was made of, and so on."""
    found = [error]
    while (cause := found[-1].__cause__) is not None:
        found.append(cause)
    return found


def _names(error: BaseException) -> set[str]:
    return {c.__name__ for c in type(error).__mro__}


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
