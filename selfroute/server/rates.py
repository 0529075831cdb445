"""How many questions a minute each API key has asked, in this process."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable

from selfroute.errors import OverRate

MINUTE = 60.0


class Rates:
    """Counts over the last minute, exactly; for one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked: dict[str, deque[float]] = {}

    def take(self, key: str, per_minute: int) -> None:
        """Counts one question of a key. Raises `OverRate`; one that was refused does not count."""
        now = self._clock()
        asked = self._asked.setdefault(key, deque())
        while asked and asked[0] <= now - MINUTE:
            asked.popleft()
        if len(asked) >= per_minute:
            raise OverRate(per_minute, max(math.ceil(asked[0] + MINUTE - now), 1))
        asked.append(now)
