"""What all commands share: the options `--config` and `--json`, settings, the one way to run a question and
the one way to print."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer
from typer.core import TyperGroup

from selfroute.errors import UnreadableFile

if TYPE_CHECKING:
    from types import FrameType

    from rich.console import RenderableType

    from selfroute.changes import Summary
    from selfroute.settings import Settings

T = TypeVar("T")

MOST_COLUMNS = 10_000

INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM
"""Exit codes, as a shell reports the signals."""

Config = Annotated[Path | None, typer.Option("--config", help="A YAML file laid over the default settings.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Corpus = Annotated[str, typer.Option(help="The corpus.")]
FirstDay = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day, in UTC: 2026-01-31.")
]
LastDay = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day, in UTC.")]


class WithDefault(TyperGroup):
    """A group whose command `add` may be left out: what does not begin with the name of another is meant for it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "--help"):
            args = ["add", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=lambda name: name != "add")


def with_ocr(settings: Settings, ocr: bool | None) -> Settings:
    """The settings with what an option says of OCR, if it was given."""
    if ocr is None:
        return settings
    return settings.model_copy(update={"ingest": settings.ingest.model_copy(update={"ocr": ocr})})


def raise_failed(summary: Summary) -> NoReturn:
    """Raises `UnreadableFile` for the first document that was not indexed, with how many more there are."""
    first, more = summary.failed[0], len(summary.failed) - 1
    raise UnreadableFile(first.source, first.reason + (f" (and {more} more that failed)" if more else ""))


@contextmanager
def bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """Shows how much is done of all there is; nothing where nobody watches: there, errors alone are written."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return

    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(name, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def terminable() -> Iterator[None]:
    """A termination unwinds what runs inside, as an interruption does, and ends it with `TERMINATED`. Where it is
    ignored or somebody else's it stays so."""
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminated(number: int, frame: FrameType | None) -> None:
    raise SystemExit(TERMINATED)


def run(question: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs a question; an interruption or a termination cancels it, and is raised when all is written down. One that
    comes before its first step is remembered: `asyncio.run` would answer it with warnings that something was never
    awaited. A signal that is ignored or somebody else's stays so."""
    ours = {
        number: handler
        for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, _terminated))
        if signal.getsignal(number) is handler
    }
    came: int | None = None
    task: asyncio.Task[T] | None = None

    def stopped(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = came or number
        if task is not None:
            task.get_loop().call_soon_threadsafe(task.cancel)

    async def begun() -> T:
        nonlocal task
        task = asyncio.current_task()
        if came:
            raise asyncio.CancelledError
        try:
            return await question()
        finally:
            task = None

    for number in ours:
        signal.signal(number, stopped)
    try:
        return asyncio.run(begun())
    except asyncio.CancelledError:
        raise SystemExit(TERMINATED) if came == signal.SIGTERM else KeyboardInterrupt from None
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)


def day(given: datetime | None) -> date | None:
    return None if given is None else given.date()


def settings(config: Path | None) -> Settings:
    from selfroute import settings

    return settings.load(config)


def show(value: object, shown: RenderableType, as_json: bool) -> None:
    from rich.console import Console

    from selfroute.wire import to_json

    if as_json:
        print(json.dumps(to_json(value), indent=2))  # in ASCII: no locale or control character can spoil it
    else:
        # A pipe has no width: a row is one line there, and not folded to the 80 columns that Rich assumes.
        console = Console() if sys.stdout.isatty() else Console(width=MOST_COLUMNS, soft_wrap=True)
        console.print(shown, highlight=False)
