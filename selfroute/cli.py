"""The command line. Thin: parses, calls, prints. Imports what a command needs when it runs, so that help is quick."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from selfroute.errors import BadInput, SelfrouteError, UnreadableFile, UnusableIndex

if TYPE_CHECKING:
    from types import FrameType

    from rich.console import RenderableType

    from selfroute.evaluation.evaluator import Progress
    from selfroute.indexer import Indexer, Summary
    from selfroute.settings import Settings
    from selfroute.types import Answer

app = typer.Typer(
    help="Answers questions about long documents by reading as little as it needs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

MOST_COLUMNS = 10_000


class By(StrEnum):
    """As `ledger.By`, which is not imported for want of a quick start."""

    DAY = "day"
    CORPUS = "corpus"
    POLICY = "policy"
    MODEL = "model"
    ROUTE = "route"


Config = Annotated[Path | None, typer.Option("--config", help="A YAML file laid over the default settings.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(version("selfroute"))
        raise typer.Exit


@app.callback()
def selfroute(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    pass


@app.command()
def index(
    paths: Annotated[list[Path], typer.Argument(help="Files (txt, md, jsonl) or folders of them.")],
    corpus: Annotated[str, typer.Option(help="The corpus to make or add to.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Index documents: add the new, update the changed, leave the rest alone."""
    from selfroute import build, terminal

    summary = _indexed(build.indexer(_settings(config)), paths, corpus)
    _show(summary, terminal.summary(summary, corpus), as_json)
    if summary.failed:
        first, more = summary.failed[0], len(summary.failed) - 1
        raise UnreadableFile(first.source, first.reason + (f" (and {more} more that failed)" if more else ""))


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    corpus: Annotated[str | None, typer.Option(help="The corpus to ask.")] = None,
    file: Annotated[Path | None, typer.Option(help="Ask one document that is not indexed.")] = None,
    policy: Annotated[str, typer.Option(help="self_route, always_rag or always_long.")] = "self_route",
    document: Annotated[list[str] | None, typer.Option(help="Ask only this document; may be repeated.")] = None,
    k: Annotated[int | None, typer.Option(min=1, help="Chunks to retrieve.  [default: 5]")] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Ask a question and see what was read for the answer."""
    from selfroute import build, terminal
    from selfroute.ingest.loaders import load_one
    from selfroute.types import Question

    if (corpus is None) == (file is None):
        raise BadInput("name what to ask: either --corpus NAME or --file PATH")
    source = corpus if corpus is not None else load_one(file or Path())
    engine = build.engine(_settings(config))
    answer = _run(engine.ask(Question(question, tuple(document or ())), policy, corpus=source, k=k))
    _show(answer, terminal.answer(answer), as_json)


@app.command()
def usage(
    by: Annotated[By, typer.Option(help="What to group by.")] = By.DAY, config: Config = None, as_json: Json = False
) -> None:
    """Show what all questions so far have read and cost."""
    from selfroute import build, ledger, terminal

    rows = build.ledger(_settings(config)).usage(ledger.By(by.value))
    _show(rows, terminal.usage(rows, by.value), as_json)


@app.command()
def corpora(config: Config = None, as_json: Json = False) -> None:
    """List the corpora, and whether each one can be opened."""
    from selfroute import build, terminal

    found = build.corpora(_settings(config))
    _show(found, terminal.corpora(found), as_json)
    problems = [c.problem for c in found if c.problem]
    if problems:
        raise UnusableIndex(problems[0] + (f" (and {len(problems) - 1} more like it)" if problems[1:] else ""))


@app.command("eval")
def evaluate(
    sources: Annotated[
        list[str], typer.Argument(help="A suite (YAML), or datasets: files or names.", metavar="SUITE_OR_FILES")
    ],
    policies: Annotated[str | None, typer.Option(help="Comma-separated.  [default: all three, or the suite's]")] = None,
    k: Annotated[str | None, typer.Option(help="Chunks to retrieve; several, comma-separated.  [default: 5]")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many questions of each.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Questions in flight.")] = 4,
    out: Annotated[Path | None, typer.Option(help="The run's folder.  [default: runs/NAME]")] = None,
    data: Annotated[Path | None, typer.Option(help="A folder to look for datasets by name in.")] = None,
    longbench: Annotated[Path | None, typer.Option(help="A LongBench checkout, for its prompts and lengths.")] = None,
    mode: Annotated[str | None, typer.Option(help="strict: the official scores; fixed: without their faults.")] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Ask all questions of datasets by several policies, and score the answers. Goes on where it was stopped."""
    from selfroute import build, settings, terminal
    from selfroute.evaluation.suite import chosen

    suite = chosen(sources, _listed(policies), _numbers(k), limit, mode)
    folder = out or Path("runs") / suite.name
    evaluator = build.evaluator(settings.load(config, base=suite.settings))
    try:
        with _rising() as progress:
            result = evaluator.run(
                suite, folder, concurrency=concurrency, longbench=longbench, data=data, progress=progress
            )
    except KeyboardInterrupt:
        print(f"selfroute: stopped; what is done is in {folder}: run the same again to go on", file=sys.stderr)
        raise typer.Exit(130) from None
    _show(result.summary, terminal.evaluation(result), as_json)
    if result.failed or result.malformed:
        raise typer.Exit(1)


@app.command()
def compare(
    left: Annotated[Path, typer.Argument(help="The folder of one run.")],
    right: Annotated[Path, typer.Argument(help="The folder of the other.")],
    as_json: Json = False,
) -> None:
    """Set two runs side by side, question by question, with paired intervals."""
    from selfroute import terminal
    from selfroute.evaluation.comparison import compared
    from selfroute.evaluation.rows import read_rows

    differences = compared(read_rows(left), read_rows(right))
    if not differences:
        raise BadInput(f"{left} and {right} have no scored question under the same policy and k in common")
    _show(differences, terminal.comparison(differences, left, right), as_json)


def main() -> None:
    """Runs the command line; an error of ours is one line on standard error and exit code 1."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8 is no reason to fail
    try:
        app()
    except SelfrouteError as error:
        from selfroute.terminal import harmless

        print(f"selfroute: {harmless(' '.join(str(error).splitlines()))}", file=sys.stderr)
        sys.exit(1)


def _run(question: Coroutine[Any, Any, Answer]) -> Answer:
    """Runs the question; an interruption cancels it. One that comes while the loop is being made is remembered:
    `asyncio.run` would answer it with warnings that a task was never awaited."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return asyncio.run(question)  # interruptions are ignored or somebody else's
    came = False
    task: asyncio.Task[Answer] | None = None

    def interrupted(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = True
        if task is not None:
            task.get_loop().call_soon_threadsafe(task.cancel)

    async def begun() -> Answer:
        nonlocal task
        task = asyncio.current_task()
        if came:
            question.close()
            raise asyncio.CancelledError
        try:
            return await question
        finally:
            task = None

    signal.signal(signal.SIGINT, interrupted)
    try:
        return asyncio.run(begun())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _settings(config: Path | None) -> Settings:
    from selfroute import settings

    return settings.load(config)


def _indexed(indexer: Indexer, paths: list[Path], corpus: str) -> Summary:
    if not sys.stderr.isatty():  # there, errors alone are written
        return indexer.index(paths, corpus)

    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("indexing", total=None)
        return indexer.index(paths, corpus, lambda done, total: bar.update(task, completed=done, total=total))


def _listed(given: str | None) -> list[str]:
    return [part.strip() for part in given.split(",") if part.strip()] if given else []


def _numbers(given: str | None) -> list[int]:
    try:
        return [int(part) for part in _listed(given)]
    except ValueError as error:
        raise BadInput(f"--k is {given!r}: give whole numbers, as 1,5,10") from error


@contextmanager
def _rising() -> Iterator[Callable[[Progress], None]]:
    """A progress bar with the running score, tokens, cost and the time left; none where nobody watches."""
    if not sys.stderr.isatty():
        yield lambda now: None
        return

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    from selfroute.terminal import running

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("preparing", total=None)

        def show(now: Progress) -> None:
            bar.update(task, completed=now.done, total=now.total, description=running(now))

        yield show


def _show(value: object, shown: RenderableType, as_json: bool) -> None:
    from rich.console import Console

    from selfroute.wire import to_json

    if as_json:
        print(json.dumps(to_json(value), indent=2))  # in ASCII: no locale or control character can spoil it
    else:
        # A pipe has no width: a row is one line there, and not folded to the 80 columns that Rich assumes.
        console = Console() if sys.stdout.isatty() else Console(width=MOST_COLUMNS, soft_wrap=True)
        console.print(shown, highlight=False)
