"""Whether what answering needs is there: a few checks, made when somebody asks and good for some seconds.

Who asks is told which part fails; why stands in the log, since it may name paths and addresses. Knows nothing of what
is checked.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from selfroute.errors import SelfrouteError

log = logging.getLogger(__name__)

GOOD_FOR = 5.0
"""Seconds for which what was found is told again: many may ask, and an endpoint is not to hear of each."""
PATIENCE = 3.0
"""Seconds that all checks together may take: those that ask give up after not much more."""

Check = Callable[[], Awaitable[object]]
"""Raises `SelfrouteError` unless what it looks at is there."""


@dataclass(frozen=True, slots=True)
class Found:
    """By part, whether it is there."""

    parts: Mapping[str, bool]

    @property
    def failing(self) -> tuple[str, ...]:
        return tuple(name for name, ok in self.parts.items() if not ok)


class Readiness:
    def __init__(self, checks: Mapping[str, Check], good_for: float = GOOD_FOR, patience: float = PATIENCE) -> None:
        self._checks = checks
        self._good_for = good_for
        self._patience = patience
        self._found: tuple[float, Found] | None = None
        self._looking: asyncio.Task[Found] | None = None

    async def found(self) -> Found:
        """What was found, at most some seconds ago. Those who ask at once wait for one look."""
        if self._found is not None and time.monotonic() - self._found[0] < self._good_for:
            return self._found[1]
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(self._looking)

    async def _look(self) -> Found:
        states = await asyncio.gather(*(self._one(name, check) for name, check in self._checks.items()))
        found = Found(MappingProxyType(dict(zip(self._checks, states, strict=True))))
        before = self._found[1] if self._found is not None else None
        if found.failing and (before is None or before.failing != found.failing):
            log.error("not ready: %s", ", ".join(found.failing))
        elif before is not None and before.failing and not found.failing:
            log.warning("ready again")
        self._found = (time.monotonic(), found)
        return found

    async def _one(self, name: str, check: Check) -> bool:
        try:
            async with asyncio.timeout(self._patience):
                await check()
        except TimeoutError:
            log.warning("%s: no answer within %g seconds", name, self._patience)
        except (SelfrouteError, OSError) as error:
            log.warning("%s: %s", name, error)
        except Exception:
            log.exception("%s: the check failed", name)
        else:
            return True
        return False
