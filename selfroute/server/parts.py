"""What the service is made of, as `build` puts it together, and where its routes find it."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from selfroute.index.upkeep import Corpora
from selfroute.ledger import Ledger
from selfroute.server.access import Access
from selfroute.server.desk import Desk
from selfroute.server.metrics import Metrics
from selfroute.server.readiness import Readiness


@dataclass(frozen=True, slots=True)
class Parts:
    desk: Desk
    ledger: Ledger
    corpora: Corpora
    access: Access
    policies: tuple[str, ...]
    metrics: Metrics
    readiness: Readiness


def parts_of(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts
