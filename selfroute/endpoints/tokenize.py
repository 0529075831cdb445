"""Counts by the server's own tokenizer: `/tokenize` beside `/v1`, as vLLM has it. Blocking.

A server without it is asked once. Knows nothing of prompts or readings.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http.client import HTTPException
from urllib.request import HTTPRedirectHandler, Request, build_opener

from selfroute.tokens import Split, approximation

PATIENCE = 5.0
"""Seconds for the first answer, which tells whether the server counts at all; a long text may take `LONG`."""
LONG = 15.0
REST = 60.0
"""Seconds for which a server that did not count is not asked again."""


class _Nowhere(HTTPRedirectHandler):
    """A redirect is not followed: the key would go with it, to whatever host it names."""

    def redirect_request(self, *_: object) -> None:
        return None


def served(base_url: str, model: str, key: str | None = None) -> Callable[[], Split | None]:
    """What gives the server's own count, or `None` if it has none or cannot be reached."""
    address = base_url.removesuffix("/v1") + "/tokenize"

    def asked(text: str, patience: float) -> int | None:
        body = json.dumps({"model": model, "prompt": text, "add_special_tokens": False}).encode()
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        try:
            with build_opener(_Nowhere).open(Request(address, body, headers), timeout=patience) as reply:
                count = json.load(reply)["count"]
        except (OSError, HTTPException, ValueError, KeyError, TypeError, RecursionError):
            return None
        return count if isinstance(count, int) and count >= 0 else None

    def load() -> Split | None:
        if not asked("one", PATIENCE):
            return None
        rests_until = 0.0

        def count(text: str) -> int:
            """A server that stops counting in between fails the reading itself, and says why there."""
            nonlocal rests_until
            counted = asked(text, LONG) if time.monotonic() >= rests_until else None
            if counted is not None:
                return counted
            rests_until = max(rests_until, time.monotonic() + REST)
            return approximation().count(text)

        return Split("the server's own tokenizer", count)

    return load
