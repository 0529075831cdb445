"""Who asks, and what they may.

`Access` is the seam: without keys everybody is the same caller, who may all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Protocol

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from selfroute.errors import UnknownCorpus

__all__ = ["Access", "Anybody", "Asker", "Caller", "caller"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the id of their API key, `None` without keys; and the corpora that they may ask, `None` for all.
    `may_write` is whether they may change those, and evaluate."""

    key: str | None = None
    corpora: frozenset[str] | None = None
    may_write: bool = True

    def may(self, corpus: str) -> bool:
        return self.corpora is None or corpus in self.corpora

    def require(self, corpus: str) -> None:
        """Raises `UnknownCorpus` for one that they may not ask: that it exists is not theirs to know."""
        if not self.may(corpus):
            raise UnknownCorpus(corpus, self.corpora or ())

    def sees(self, key: str | None) -> bool:
        """Whether what the key of this id asked is theirs to see."""
        return self.key is None or self.key == key

    def among(self, corpora: Iterable[str]) -> list[str]:
        return [name for name in corpora if self.may(name)]


class Access(Protocol):
    async def admit(self, bearer: str | None) -> Caller:
        """Who sent this bearer token. Raises where it is needed and missing, wrong or spent."""
        ...


class Anybody:
    """Without keys."""

    async def admit(self, bearer: str | None) -> Caller:
        return Caller()


_bearer = HTTPBearer(auto_error=False, description="An API key; not needed where the service runs without keys.")


async def caller(request: Request, sent: Annotated[object, Depends(_bearer)]) -> Caller:
    """For a route's signature, as `Asker`."""
    access: Access = request.app.state.parts.access
    admitted = await access.admit(getattr(sent, "credentials", None))
    request.state.caller = admitted
    return admitted


Asker = Annotated[Caller, Depends(caller)]
