"""Counts by the server's own tokenizer: `/tokenize` beside `/v1`, as vLLM has it. Blocking.

A server without it is asked once. Knows nothing of prompts or readings.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.error import URLError
from urllib.request import Request, urlopen

from selfroute.tokens import Split, approximation

PATIENCE = 5.0
"""Seconds for the first answer, which tells whether the server counts at all; a long text may take `LONG`."""
LONG = 60.0


def served(base_url: str, model: str, key: str | None = None) -> Callable[[], Split | None]:
    """What gives the server's own count, or `None` if it has none or cannot be reached."""
    address = base_url.removesuffix("/v1") + "/tokenize"

    def asked(text: str, patience: float) -> int | None:
        body = json.dumps({"model": model, "prompt": text, "add_special_tokens": False}).encode()
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        try:
            with urlopen(Request(address, body, headers), timeout=patience) as reply:
                count = json.load(reply)["count"]
        except (URLError, OSError, ValueError, KeyError, TypeError):
            return None
        return count if isinstance(count, int) and count >= 0 else None

    def load() -> Split | None:
        if not asked("one", PATIENCE):
            return None
        # A server that stops counting in between fails the reading itself, and says why there.
        return Split("the server's own tokenizer", lambda text: _or_approximate(asked(text, LONG), text))

    return load


def _or_approximate(count: int | None, text: str) -> int:
    return approximation().count(text) if count is None else count
