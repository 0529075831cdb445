"""Takes old questions out of the ledger while the service runs: as it begins, and once a day."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

from selfroute.errors import SelfrouteError
from selfroute.ledger.upkeep import Upkeep

log = logging.getLogger(__name__)

DAY = 86_400.0


@asynccontextmanager
async def kept_for(days: int, ledger: Upkeep, every: float = DAY) -> AsyncIterator[None]:
    """Meanwhile, what was asked more than `days` days (UTC) before today goes, every so many seconds. That it cannot is
    logged, and tried again the next time."""
    task = asyncio.create_task(_going(days, ledger, every))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _going(days: int, ledger: Upkeep, every: float) -> None:
    while True:
        before = datetime.now(UTC).date() - timedelta(days=days)
        try:
            gone = await asyncio.to_thread(ledger.purge, before)
        except SelfrouteError as error:
            log.error("questions from before %s could not be taken out of the ledger: %s", before, error)
        else:
            log.info("%d questions from before %s were taken out of the ledger", gone.questions, before)
        await asyncio.sleep(every)
