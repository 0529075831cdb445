"""Keeps requests together that begin alike, so that an engine computes what they share once.

Questions about one document begin with that document. Two rules keep its questions together, whatever order they come
in: while the first of them is still being read, the others wait, for only then is there anything to share; and all of
them have the place in the engine's queue that the first had, so that another document does not come between and drive
this one from the cache. A family that keeps being asked gives up its place after a while, so that none waits forever.

Pure asyncio: knows nothing of vLLM, documents or prompts' words. Belongs to one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

BEGINNING = 1024
"""Tokens that two prompts must share to be kept together: more than instructions take. Shorter prompts are read
faster than they could be kept together. Documents that begin alike for so long are taken for one, which costs time
and nothing else."""

AT_MOST = 64
"""Requests that a family makes from one place in the queue."""


@dataclass(slots=True)
class _Family:
    place: int
    asked: int = 0
    users: int = 0
    warm: bool = False
    first: asyncio.Lock = field(default_factory=asyncio.Lock)


class Turn:
    """A request that may be sent now. `place` is where it stands in the queue: lower ones come first."""

    def __init__(self, place: int, family: _Family | None = None) -> None:
        self.place = place
        self._family = family

    def warmed(self) -> None:
        """The engine has read this prompt: what others share of it need not be read again."""
        if self._family is not None:
            self._family.warm = True
            self.over()

    def over(self) -> None:
        """The next in the family may go, if this one held them up."""
        family, self._family = self._family, None
        if family is not None:
            family.first.release()


class Together:
    """The requests to one engine. `beginning` is in tokens."""

    def __init__(self, beginning: int = BEGINNING) -> None:
        self._beginning = beginning
        self._places = count()
        self._families: dict[tuple[int, ...], _Family] = {}

    @asynccontextmanager
    async def turn(self, prompt: Sequence[int]) -> AsyncIterator[Turn]:
        """Waits until `prompt`, in tokens, may be sent; inside, say `warmed` as soon as its reply begins."""
        if len(prompt) < self._beginning:
            yield Turn(next(self._places))
            return
        name = tuple(prompt[: self._beginning])
        family = self._families.setdefault(name, _Family(-1))
        family.users += 1
        try:
            turn = await self._its_turn(family)
            try:
                yield turn
            finally:
                turn.over()
        finally:
            family.users -= 1
            if not family.users:
                del self._families[name]

    async def _its_turn(self, family: _Family) -> Turn:
        if family.asked % AT_MOST == 0:
            family.place = next(self._places)
        family.asked += 1
        place = family.place
        if family.warm:
            return Turn(place)
        await family.first.acquire()
        if not family.warm:
            return Turn(place, family)
        family.first.release()
        return Turn(place)
