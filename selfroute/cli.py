"""The command line. Thin: parses, calls, prints. Imports what a command needs when it runs, so that help is quick."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selfroute import cli_upkeep as upkeep
from selfroute.cli_calibrate import calibrate
from selfroute.cli_parts import Config, Json, bar, run
from selfroute.cli_parts import settings as _settings
from selfroute.cli_parts import show as _show
from selfroute.errors import BadInput, SelfrouteError, UnreadableFile

if TYPE_CHECKING:
    from selfroute.evaluation.evaluator import Progress

app = typer.Typer(
    help="Answers questions about long documents by reading as little as it needs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class By(StrEnum):
    """As `ledger.By`, which is not imported for want of a quick start."""

    DAY = "day"
    CORPUS = "corpus"
    POLICY = "policy"
    MODEL = "model"
    ROUTE = "route"


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


@upkeep.index.command("add")
def index(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Files (pdf, docx, html, epub, csv, md, txt, jsonl) or folders of them, searched to their depth."
        ),
    ],
    corpus: Annotated[str, typer.Option(help="The corpus to make or add to.")],
    include: Annotated[
        list[str] | None, typer.Option(help="Of folders, only files that match, as '*.pdf'; may be repeated.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="Of folders, no files that match, as 'drafts/'; may be repeated.")
    ] = None,
    sync: Annotated[
        bool, typer.Option("--sync", help="Delete documents whose files are gone from these paths.")
    ] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Index documents: add the new, update the changed, leave the rest alone.

    In folders, what is hidden or ignored by a .gitignore is left out.
    """
    from selfroute import build, terminal

    indexer = build.indexer(_settings(config))
    with bar("indexing") as progress:
        summary = indexer.index(paths, corpus, progress, include=include or (), exclude=exclude or (), sync=sync)
    _show(summary, terminal.summary(summary, corpus), as_json)
    if summary.failed:
        first, more = summary.failed[0], len(summary.failed) - 1
        raise UnreadableFile(first.source, first.reason + (f" (and {more} more that failed)" if more else ""))


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    corpus: Annotated[str | None, typer.Option(help="The corpus to ask.")] = None,
    file: Annotated[Path | None, typer.Option(help="Ask one document that is not indexed.")] = None,
    policy: Annotated[
        str, typer.Option(help="self_route, evidence_gated, calibrated, always_rag or always_long.")
    ] = "self_route",
    document: Annotated[list[str] | None, typer.Option(help="Ask only this document; may be repeated.")] = None,
    k: Annotated[int | None, typer.Option(min=1, help="Chunks to retrieve.  [default: 5]")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be read and cost; ask nobody.")] = False,
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
    engine = build.engine(_settings(config), keys=not dry_run)
    asked = Question(question, tuple(document or ()))
    if dry_run:
        forecast = run(lambda: engine.forecast(asked, policy, corpus=source, k=k))
        _show(forecast, terminal.forecast(forecast), as_json)
        return
    answer = run(lambda: engine.ask(asked, policy, corpus=source, k=k))
    _show(answer, terminal.answer(answer), as_json)


@app.command()
def usage(
    by: Annotated[By, typer.Option(help="What to group by.")] = By.DAY, config: Config = None, as_json: Json = False
) -> None:
    """Show what all questions so far have read and cost."""
    from selfroute import build, ledger, terminal

    rows = build.ledger(_settings(config)).usage(ledger.By(by.value))
    _show(rows, terminal.usage(rows, by.value), as_json)


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


app.add_typer(upkeep.index, name="index")
app.add_typer(upkeep.documents, name="documents")
app.add_typer(upkeep.corpora, name="corpora")
app.command()(upkeep.doctor)
app.command()(calibrate)


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
    with Bar(*columns, console=Console(stderr=True), transient=True) as watched:
        task = watched.add_task("preparing", total=None)

        def show(now: Progress) -> None:
            watched.update(task, completed=now.done, total=now.total, description=running(now))

        yield show
