"""The commands `ledger stats`, `export` and `purge`. Thin."""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from selfroute.cli_parts import Config, FirstDay, Json, LastDay, day, settings, show
from selfroute.errors import HomeNotWritable, LedgerBusy

ledger = typer.Typer(help="Look after the record of questions and calls.", no_args_is_help=True)


@ledger.command()
def stats(config: Config = None, as_json: Json = False) -> None:
    """Show what the ledger holds and takes."""
    from selfroute import build, terminal

    held = build.ledger_upkeep(settings(config)).stats()
    show(held, terminal.holdings(held), as_json)


@ledger.command()
def export(
    out: Annotated[Path, typer.Option(help="The file: one question a line, with its calls and feedback, as JSON.")],
    first: FirstDay = None,
    last: LastDay = None,
    corpus: Annotated[str | None, typer.Option(help="Only what was asked of this corpus.")] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Write questions to a file, which appears whole or not at all. What was there is replaced."""
    from selfroute import build, terminal
    from selfroute.index.files import publish, staging
    from selfroute.wire import to_json

    kept, count = build.ledger_upkeep(settings(config)), 0
    try:
        try:
            with staging(out).open("w", encoding="utf-8") as file:
                for record in kept.records(first=day(first), last=day(last), corpus=corpus):
                    file.write(json.dumps(to_json(record)) + "\n")
                    count += 1
                file.flush()
                os.fsync(file.fileno())
            publish(out)
        finally:
            staging(out).unlink(missing_ok=True)
    except OSError as error:
        raise HomeNotWritable(out, (error.strerror or str(error)).lower(), "--out to another file") from error
    show({"out": str(out), "questions": count}, terminal.said(f"{out}: {count:,} questions"), as_json)


@ledger.command()
def purge(
    before: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="What was asked before this day, in UTC, goes: 2026-01-31.")
    ],
    text_only: Annotated[
        bool, typer.Option("--text-only", help="Only what was written and answered goes; usage and costs stay.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Take old questions, or their text, out of the ledger and off the disk. `ledger export` keeps them elsewhere."""
    from selfroute import build, terminal

    kept, chosen = build.ledger_upkeep(settings(config)), settings(config)
    what = "the text of what" if text_only else "all that"
    asked = f"delete {what} was asked before {before:%Y-%m-%d} from {build.ledger_path(chosen)}?"
    if not yes and sys.stdin.isatty() and not typer.confirm(asked, err=True):
        raise typer.Exit(1)
    gone = kept.purge(before.date(), text_only=text_only)
    wiped = kept.compact()
    done = "without their text now" if text_only else "deleted"
    show({"questions": gone.questions, "wiped": wiped}, terminal.said(f"{gone.questions:,} questions {done}"), as_json)
    if not wiped:
        raise LedgerBusy(build.ledger_path(chosen))
