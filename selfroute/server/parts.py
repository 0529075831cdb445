"""What the service is made of, as `build` puts it together, and where its routes find it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Request

from selfroute.index.upkeep import Corpora
from selfroute.ledger import Ledger
from selfroute.server.access import Access
from selfroute.server.desk import Desk
from selfroute.server.intake import Intake
from selfroute.server.metrics import Metrics
from selfroute.server.readiness import Readiness
from selfroute.server.uploads import IDLE


@dataclass(frozen=True, slots=True)
class Parts:
    desk: Desk
    ledger: Ledger
    corpora: Corpora
    access: Access
    policies: tuple[str, ...]
    intake: Intake
    create: Callable[[str], None]
    """Makes an empty corpus of a name; blocking. Raises `NameTaken`."""
    metrics: Metrics
    readiness: Readiness
    upload_files: int = 1000
    upload_idle: float = IDLE
    drain: float = 60.0


def parts_of(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts
