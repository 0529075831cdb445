"""What looks like a key, and texts without it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SECRET = re.compile(r"(?i)\bbearer\s+[^\s'\"]+|\b(?:(?:sk|pk|gsk|xai)[-_]|hf_)[\w*.-]{6,}")
_NAME = re.compile(r"(?i)api[-_]?key|authorization|secret|password|^(?:token|key)$")


def without_keys(text: str, key: str | None = None) -> str:
    """The text with `[key]` for what looks like a key, and for `key` itself."""
    if key:
        text = text.replace(key, "[key]")
    return _SECRET.sub("[key]", text)


def holds_key(value: object) -> bool:
    """Whether a value, or a name or value anywhere within it, looks like a key or is named as one."""
    if isinstance(value, Mapping):
        return any(_NAME.search(str(name)) or holds_key(str(name)) or holds_key(one) for name, one in value.items())
    if isinstance(value, list | tuple):
        return any(map(holds_key, value))
    return isinstance(value, str) and _SECRET.search(value) is not None
