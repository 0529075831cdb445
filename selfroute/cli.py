"""The command line. Thin: parses, calls, prints. Imports what a command needs when it runs, so that help is quick."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selfroute import cli_ledger
from selfroute import cli_upkeep as upkeep
from selfroute.cli_calibrate import calibrate
from selfroute.cli_keys import keys
from selfroute.cli_parts import (
    INTERRUPTED,
    TERMINATED,
    Config,
    FirstDay,
    Json,
    LastDay,
    bar,
    day,
    raise_failed,
    run,
    terminable,
    with_ocr,
)
from selfroute.cli_parts import settings as _settings
from selfroute.cli_parts import show as _show
from selfroute.cli_serve import serve
from selfroute.errors import BadInput, SelfrouteError, UnreadableFile

if TYPE_CHECKING:
    from selfroute.evaluation.evaluator import Progress
    from selfroute.evaluation.judging import Judged
    from selfroute.evaluation.texts import Where
    from selfroute.settings import Settings
    from selfroute.types import Turn

Judging = Annotated[
    bool, typer.Option("--judge", help="Have answers in words graded by the endpoint that the settings name as judge.")
]

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
    KEY = "key"


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
            help="Files (pdf, docx, html, epub, csv, xlsx, pptx, md, txt and more) or folders of them, searched to "
            "their depth."
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
    ocr: Annotated[
        bool | None,
        typer.Option("--ocr/--no-ocr", help="Read pages of PDFs that are images, too.  [default: as set]"),
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Index documents: add the new, update the changed, leave the rest alone.

    In folders, what is hidden or ignored by a .gitignore is left out.
    """
    from selfroute import build, terminal

    indexer = build.indexer(with_ocr(_settings(config), ocr))
    with bar("indexing") as progress:
        summary = indexer.index(paths, corpus, progress, include=include or (), exclude=exclude or (), sync=sync)
    _show(summary, terminal.summary(summary, corpus), as_json)
    if summary.failed:
        raise_failed(summary)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    corpus: Annotated[str | None, typer.Option(help="The corpus to ask.")] = None,
    file: Annotated[Path | None, typer.Option(help="Ask one document that is not indexed.")] = None,
    policy: Annotated[
        str, typer.Option(help="self_route, evidence_gated, calibrated, always_rag or always_long.")
    ] = "self_route",
    document: Annotated[list[str] | None, typer.Option(help="Ask only this document; may be repeated.")] = None,
    history: Annotated[
        Path | None, typer.Option(help='The turns before, as JSON: [{"question": ..., "answer": ...}].')
    ] = None,
    k: Annotated[int | None, typer.Option(min=1, help="Chunks to retrieve.  [default: 5]")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be read and cost; ask nobody.")] = False,
    stream: Annotated[
        bool, typer.Option("--stream/--no-stream", help="At a terminal, write the answer as it is made.")
    ] = True,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Ask a question and see what was read for the answer."""
    from selfroute import build, terminal
    from selfroute.ingest.loaders import load_one
    from selfroute.types import Question

    if (corpus is None) == (file is None):
        raise BadInput("name what to ask: either --corpus NAME or --file PATH")
    chosen = _settings(config)
    source = corpus if corpus is not None else load_one(file or Path(), chosen.ingest.ocr)
    engine = build.engine(chosen, keys=not dry_run)
    asked = Question(question, tuple(document or ()), history=_turns(history) if history is not None else ())
    if dry_run:
        forecast = run(lambda: engine.forecast(asked, policy, corpus=source, k=k))
        _show(forecast, terminal.forecast(forecast), as_json)
        return
    if stream and sys.stdout.isatty() and not as_json:
        from rich.console import Console

        from selfroute.live import follow

        run(lambda: follow(engine.ask_stream(asked, policy, corpus=source, k=k), asked.text, Console()))
        return
    answer = run(lambda: engine.ask(asked, policy, corpus=source, k=k))
    _show(answer, terminal.answer(answer), as_json)


@app.command()
def usage(
    by: Annotated[By, typer.Option(help="What to group by.")] = By.DAY,
    first: FirstDay = None,
    last: LastDay = None,
    corpus: Annotated[str | None, typer.Option(help="Only what was asked of this corpus.")] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show what questions so far have read and cost."""
    from selfroute import build, ledger, terminal

    kept = build.ledger(_settings(config))
    rows = kept.usage(ledger.By(by.value), first=day(first), last=day(last), corpus=corpus)
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
    judge: Judging = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Ask all questions of datasets by several policies, and score the answers. Goes on where it was stopped.

    Ends with a report in the run's folder: report.html, report.md, and tables and pictures in report/.
    """
    from selfroute import build, settings, terminal
    from selfroute.evaluation.report import write_report
    from selfroute.evaluation.suite import chosen
    from selfroute.evaluation.texts import Where

    suite = chosen(sources, _listed(policies), _numbers(k), limit, mode)
    folder = out or Path("runs") / suite.name
    where = Where(data, longbench)
    chosen_settings = settings.load(config, base=suite.settings)
    evaluator = build.evaluator(chosen_settings)
    if judge:
        build.judge(chosen_settings)  # what is wrong with it is told before anything is read
    try:
        with _rising() as progress:
            result = evaluator.run(
                suite, folder, concurrency=concurrency, longbench=longbench, data=data, progress=progress, run=run
            )
        judged = _judged(chosen_settings, [folder], where, concurrency) if judge else []
        pages = [write_report([folder], folder, where)] if result.rows else []
    except (KeyboardInterrupt, SystemExit) as stopped:
        print(f"selfroute: stopped; what is done is in {folder}: run the same again to go on", file=sys.stderr)
        raise typer.Exit(INTERRUPTED if isinstance(stopped, KeyboardInterrupt) else TERMINATED) from None
    _show(result.summary, terminal.evaluation(result, judged, pages), as_json)
    if result.failed or result.malformed or any(one.failed for one in judged):
        raise typer.Exit(1)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.", metavar="DIR...")],
    out: Annotated[
        Path | None, typer.Option(help="One report of all runs together, in this folder.  [default: one in each]")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="A folder to look for datasets by name in.")] = None,
    longbench: Annotated[Path | None, typer.Option(help="A LongBench checkout, as the run was told.")] = None,
    texts: Annotated[
        bool, typer.Option("--texts/--without-texts", help="Show questions, answers and chunks, or only their places.")
    ] = True,
    judge: Judging = False,
    concurrency: Annotated[int, typer.Option(min=1, help="Answers that are judged at once.")] = 4,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Make the report of finished runs anew: report.html, report.md, and tables and pictures in report/."""
    from selfroute import terminal
    from selfroute.evaluation.report import write_report
    from selfroute.evaluation.texts import Where

    where = Where(data, longbench)
    try:
        judged = _judged(_settings(config), runs, where, concurrency) if judge else []
    except (KeyboardInterrupt, SystemExit) as stopped:
        print("selfroute: stopped; what was judged is kept: run the same again to go on", file=sys.stderr)
        raise typer.Exit(INTERRUPTED if isinstance(stopped, KeyboardInterrupt) else TERMINATED) from None
    made = {out: runs} if out else {folder: [folder] for folder in runs}
    pages = [write_report(folders, folder, where, texts=texts) for folder, folders in made.items()]
    _show([str(page) for page in pages], terminal.reports(judged, pages), as_json)
    if any(one.failed for one in judged):
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
    if not any(row.n for row in differences):
        raise BadInput(f"{left} and {right} have no scored question under the same policy and k in common")
    _show(differences, terminal.comparison(differences, left, right), as_json)


app.add_typer(upkeep.index, name="index")
app.add_typer(upkeep.documents, name="documents")
app.add_typer(upkeep.corpora, name="corpora")
app.add_typer(keys, name="keys")
app.add_typer(cli_ledger.ledger, name="ledger")
app.command()(upkeep.doctor)
app.command()(calibrate)
app.command()(serve)


def main() -> None:
    """Runs the command line; an error of ours is one line on standard error and exit code 1."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8 is no reason to fail
    try:
        with terminable():
            app()
    except SelfrouteError as error:
        from selfroute.terminal import harmless

        print(f"selfroute: {harmless(' '.join(str(error).splitlines()))}", file=sys.stderr)
        sys.exit(1)


def _turns(path: Path) -> tuple[Turn, ...]:
    from selfroute.wire import turns

    try:
        return turns(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UnreadableFile(path, (error.strerror or str(error)).lower()) from error
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(path, f"is no JSON ({error}): write a list of turns") from error
    except BadInput as error:
        raise UnreadableFile(path, str(error)) from error


def _judged(chosen: Settings, runs: list[Path], where: Where, concurrency: int) -> list[Judged]:
    """Has each run judged by the settings' judge."""
    from selfroute import build
    from selfroute.evaluation.judging import judge_run

    judge, prices, ledger, made = build.judge(chosen), build.prices(chosen), build.ledger(chosen), []
    for folder in runs:
        with bar("judging") as progress:
            made.append(judge_run(folder, judge, prices, ledger, where, concurrency=concurrency, progress=progress))
    return made


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
