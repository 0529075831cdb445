"""How many questions a minute each API key has asked, in this process. Knows nothing of what asks them."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from selfroute.errors import OverRate

MINUTE = 60.0


class Rates:
    """Counts over the last minute, exactly; safe to use from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: dict[str, deque[float]] = {}

    def take(self, key: str, per_minute: int) -> float:
        """Counts one question of a key, and gives its place. Raises `OverRate`; one that was refused does not count."""
        with self._lock:
            now = self._clock()
            asked = self._asked.setdefault(key, deque())
            while asked and asked[0] <= now - MINUTE:
                asked.popleft()
            if len(asked) >= per_minute:
                raise OverRate(per_minute, max(math.ceil(asked[0] + MINUTE - now), 1))
            asked.append(now)
            return now

    def give_back(self, key: str, place: float) -> None:
        """What took this place was no question."""
        with self._lock, suppress(KeyError, ValueError):  # its minute may be over
            self._asked[key].remove(place)
