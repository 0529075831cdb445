"""Who asks, and what they may.

`Access` is the seam: without keys everybody is the same caller, who may all. It is asked once for each request, before
anything else of it is read (`admission.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Protocol

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from selfroute.errors import NotAdmitted, NotAllowed, UnknownCorpus, UnusableKeys
from selfroute.server.keyring import Key, Keyring, Snapshot
from selfroute.types import Limits

__all__ = ["Access", "Anybody", "Asker", "Caller", "KeyAccess", "caller"]

FRESH = 0.25
"""Seconds: a key that is revoked is refused, and one that is made is let in, within so many."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the id of their API key, `None` without keys; the corpora that they may ask, `None` for all; what they
    may take; and with a key, what else it lets them do. Without keys everybody may all."""

    key: str | None = None
    corpora: frozenset[str] | None = None
    limits: Limits = field(default_factory=Limits)
    per_minute: int | None = None
    writes: bool = False
    audits: bool = False

    def may(self, corpus: str) -> bool:
        return self.corpora is None or corpus in self.corpora

    def require(self, corpus: str) -> None:
        """Raises `UnknownCorpus` for one that they may not ask: that it exists is not theirs to know."""
        if not self.may(corpus):
            raise UnknownCorpus(corpus, self.corpora or ())

    def require_write(self, corpus: str | None = None) -> None:
        """Before a corpus is made, changed or deleted, or anything else is. Raises `NotAllowed`, and `UnknownCorpus`
        as `require`."""
        if corpus is not None:
            self.require(corpus)
        if self.key is not None and not self.writes:
            raise NotAllowed("make or change corpora", "may-write")

    def require_audit(self) -> None:
        """Before anything is told of what all others asked. Raises `NotAllowed`."""
        if self.key is not None and not self.audits:
            raise NotAllowed("see the metrics, or what others asked", "may-audit")

    @property
    def sees_only(self) -> str | None:
        """The id of the key whose questions and jobs alone are theirs to see; `None` for everybody's."""
        return None if self.audits else self.key

    def sees(self, key: str | None) -> bool:
        """Whether what the key of this id asked is theirs to see."""
        return self.sees_only is None or self.sees_only == key

    def among(self, corpora: Iterable[str]) -> list[str]:
        return [name for name in corpora if self.may(name)]

    @contextmanager
    def told_of_theirs(self) -> Iterator[None]:
        """Of the corpora that there are, an `UnknownCorpus` from within names those that they may ask."""
        try:
            yield
        except UnknownCorpus as error:
            raise self.discreet(error) from None

    def discreet(self, error: UnknownCorpus) -> UnknownCorpus:
        return error if self.corpora is None else UnknownCorpus(error.name, self.corpora)


class Access(Protocol):
    async def admit(self, bearer: str | None) -> Caller:
        """Who sent this bearer token. Raises where it is needed and missing, wrong or spent."""
        ...


class Anybody:
    """Without keys."""

    async def admit(self, bearer: str | None) -> Caller:
        return Caller()


class KeyAccess:
    """By the keys of a keyring, as they were a moment ago. Where there was never one, everybody may all;
    once there was, nobody may anything without, not even if all are revoked."""

    def __init__(self, keyring: Keyring, fresh: float = FRESH, needed: bool = False) -> None:
        """Keys that were read are taken to be so for `fresh` seconds. `needed`: there was a key already."""
        self._keyring = keyring
        self._fresh = fresh
        self._lock = asyncio.Lock()
        self._read: tuple[float, Snapshot] | None = None
        self._needed = needed

    async def admit(self, bearer: str | None) -> Caller:
        """Raises `NotAdmitted`, with the same words for every key that is not valid, and `UnusableKeys`."""
        keys = await self._keys()
        self._needed = self._needed or keys.held
        if not self._needed:
            return Caller()
        if bearer is None:
            raise NotAdmitted("no API key was sent")
        key = keys.find(bearer)
        if key is None:
            raise NotAdmitted("the API key is not valid")
        return _caller_of(key)

    async def _keys(self) -> Snapshot:
        async with self._lock:
            if self._read is None or time.monotonic() - self._read[0] > self._fresh:
                began = time.monotonic()
                try:
                    self._read = (began, await asyncio.to_thread(self._keyring.read))
                except UnusableKeys:
                    self._needed = True  # there was a file, and whoever takes it away does not open the service
                    raise
            return self._read[1]


def _caller_of(key: Key) -> Caller:
    grants = key.grants
    return Caller(
        key.id,
        None if grants.corpora is None else frozenset(grants.corpora),
        grants.limits,
        grants.per_minute,
        grants.may_write,
        grants.may_audit,
    )


_bearer = HTTPBearer(auto_error=False, description="An API key; not needed where the service runs without keys.")


async def caller(request: Request, _: Annotated[object, Depends(_bearer)]) -> Caller:
    """For a route's signature, as `Asker`: who was admitted."""
    admitted: Caller = request.state.caller
    return admitted


Asker = Annotated[Caller, Depends(caller)]
