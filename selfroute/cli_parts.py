"""What all commands share: the options `--config` and `--json`, settings, the one way to run a question and
the one way to print."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from types import FrameType

    from rich.console import RenderableType

    from selfroute.settings import Settings

T = TypeVar("T")

MOST_COLUMNS = 10_000

Config = Annotated[Path | None, typer.Option("--config", help="A YAML file laid over the default settings.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Corpus = Annotated[str, typer.Option(help="The corpus.")]


class WithDefault(TyperGroup):
    """A group whose command `add` may be left out: what does not begin with the name of another is meant for it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "--help"):
            args = ["add", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=lambda name: name != "add")


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


def run(question: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs a question; an interruption cancels it. One that comes before its first step is remembered: `asyncio.run`
    would answer it with warnings that something was never awaited."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return asyncio.run(question())  # interruptions are ignored or somebody else's
    came = False
    task: asyncio.Task[T] | None = None

    def interrupted(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = True
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

    signal.signal(signal.SIGINT, interrupted)
    try:
        return asyncio.run(begun())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
