"""Evaluations as jobs: a run in a folder of its own, and its report. After a restart it goes on where it was.

Datasets are named and stand in one folder: no name leads out of it or to another machine. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from selfroute.budget import Budgets
from selfroute.errors import RunStopped, UnknownDataset
from selfroute.evaluation.charging import Charges
from selfroute.evaluation.datasets import Malformed, files
from selfroute.evaluation.evaluator import Evaluator, Result
from selfroute.evaluation.evaluator import Progress as Now
from selfroute.evaluation.report import write_report
from selfroute.evaluation.suite import Suite
from selfroute.evaluation.summary import Summary
from selfroute.evaluation.texts import Where
from selfroute.index.files import make_folder
from selfroute.jobs import Ended, Evaluate, Fault, Job, Report, Stopped
from selfroute.jobs.spool import Spool
from selfroute.ledger import Ledger
from selfroute.rates import Rates
from selfroute.types import Usage
from selfroute.wire import to_json

SOURCE = "evaluation:"
"""What the ledger lists a job's questions under, with the job's id behind: no corpus is called so."""
LOOK = 0.2
"""Seconds between looks at whether a run is to end."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What a run came to: `rows` of which some `failed`, how many rows of the datasets were `malformed`, what was
    `read` for it in `readings`, and the summary by dataset and policy."""

    rows: int
    failed: int
    malformed: int
    readings: int
    read: Usage
    summary: Summary


class Datasets:
    """Those in `folder`, by name; none without one."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        if self.folder is None or not self.folder.is_dir():
            return []
        return sorted(name for name in files.names(self.folder) if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name))

    def require(self, name: str) -> None:
        """Raises `UnknownDataset`."""
        if name not in (have := self.names()):
            raise UnknownDataset(name, have)


class Evaluating:
    """`evaluator` is made for each job, with models of its own. Runs stand in `folder`, each named as its job. What
    they read is charged in `ledger`, within `budgets` and `rates`, to the key that submitted them."""

    def __init__(
        self,
        evaluator: Callable[[], Evaluator],
        spool: Spool,
        folder: Path,
        datasets: Datasets,
        ledger: Ledger,
        budgets: Budgets,
        rates: Rates,
    ) -> None:
        self._evaluator = evaluator
        self._spool = spool
        self._folder = folder
        self._datasets = datasets
        self._ledger = ledger
        self._budgets = budgets
        self._rates = rates

    def __call__(self, job: Job, report: Report) -> Ended:
        request = job.request
        assert isinstance(request, Evaluate)
        folder = self._folder / job.id
        made_with = self._evaluator()
        charges = Charges(
            self._ledger,
            self._budgets,
            made_with.prices,
            f"{SOURCE}{job.id}",
            job.key,
            request.limits,
            self._rates,
            request.per_minute,
        )
        for name in request.datasets:
            self._datasets.require(name)
        make_folder(folder)
        sources = list(request.datasets)
        if request.records is not None:
            sources.append(str(self._records(job, request.records, folder)))
        name = ", ".join([*request.datasets, *([Path(request.records).stem] if request.records else [])])
        suite = Suite(name, tuple(sources), request.policies, request.ks, request.limit, request.mode)
        last = Now(0, 0, None, 0, None, 0)
        fault: Fault | None = None

        def heard(now: Now) -> None:
            nonlocal last
            last = now

        def answered(questions: Callable[[], Coroutine[Any, Any, None]]) -> None:
            """A limit of the key ends the run, and what was done until then is summed up as if that were all."""
            nonlocal fault
            try:
                asyncio.run(_until_stopped(questions, report, lambda: last))
            except RunStopped as stopped:
                fault = Fault(type(stopped.limit).__name__, str(stopped))

        result = replace(made_with, charges=charges).run(
            suite,
            folder,
            concurrency=1 if charges.limited else request.concurrency,
            data=self._datasets.folder,
            progress=heard,
            run=answered,
        )
        report(last.done, last.total, "questions")
        if result.rows:
            write_report([folder], folder, Where(self._datasets.folder))
        elif result.malformed and fault is None:
            fault = Fault("UnusableRecords", _useless(result.malformed))
        return Ended(_told(result), fault)

    def _records(self, job: Job, name: str, folder: Path) -> Path:
        """They stay with the run, whose report shows them."""
        kept = folder / name
        if not kept.exists():
            os.replace(self._spool.of(job.id) / name, kept)
        return kept


async def _until_stopped(
    questions: Callable[[], Coroutine[Any, Any, None]], report: Report, now: Callable[[], Now]
) -> None:
    """Runs them to their end, or cancels them when the report says so: what was answered is kept."""
    running = asyncio.ensure_future(questions())
    try:
        while not running.done():
            await asyncio.wait({running}, timeout=LOOK)
            await asyncio.to_thread(report, now().done, now().total, "questions")
        await running
    except Stopped:
        running.cancel()
        await asyncio.wait({running})
        raise
    finally:
        running.cancel()


def _useless(malformed: Sequence[Malformed]) -> str:
    """Why there was nothing to ask, by the first record; of its file the name alone, and no folder."""
    first = malformed[0]
    return f"no record can be asked ({len(malformed):,} are malformed); {Path(first.place).name}: {first.reason}"


def _told(result: Result) -> dict[str, object]:
    evaluated = Evaluated(
        result.rows, result.failed, len(result.malformed), result.readings, result.read, result.summary
    )
    told = to_json(evaluated)
    assert isinstance(told, dict)
    return told
