"""What a check of an endpoint finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `fine` is `None` where it could not be found out; `todo` is what to do about it,
    null where nothing is."""

    name: str
    fine: bool | None
    said: str
    todo: str | None = None
