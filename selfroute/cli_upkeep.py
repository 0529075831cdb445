"""The commands that look after corpora: `documents`, `corpora`, `index verify` and its like, `doctor`. Thin."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from selfroute.cli_parts import Config, Corpus, Json, WithDefault, bar, raise_failed, settings, show
from selfroute.errors import BadInput, UnusableIndex

if TYPE_CHECKING:
    from selfroute.index.upkeep import Problem

documents = typer.Typer(help="List, show and delete the documents of a corpus.", no_args_is_help=True)
corpora = typer.Typer(help="List the corpora, and whether each one can be opened; delete and rename them.")
index = typer.Typer(
    help="Index documents, and look after what is indexed. `selfroute index PATH...` is short for `selfroute index "
    "add PATH...`; give a folder called as one of the commands as ./verify.",
    cls=WithDefault,
    no_args_is_help=True,
)


@documents.command("list")
def list_documents(corpus: Corpus, config: Config = None, as_json: Json = False) -> None:
    """List the documents of a corpus."""
    from selfroute import build, terminal

    found = build.corpora(settings(config)).documents(corpus)
    show(found, terminal.documents(found), as_json)


@documents.command("show")
def show_document(
    document: Annotated[str, typer.Argument(help="Its id, as `documents list` has it.")],
    corpus: Corpus,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show a document as it is stored: where it came from, how it was split, and its text."""
    from selfroute import build, terminal

    found = build.corpora(settings(config)).document(corpus, document)
    show(found, terminal.document(found), as_json)


@documents.command("delete")
def delete_documents(
    ids: Annotated[list[str], typer.Argument(help="Their ids.", metavar="DOCUMENTS...")],
    corpus: Corpus,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Delete documents from a corpus: all that are named or, if one is unknown, none. Files are left alone."""
    from selfroute import build, terminal

    left = build.corpora(settings(config)).delete_documents(corpus, ids)
    show(left, terminal.corpora([left]), as_json)


@corpora.callback(invoke_without_command=True)
def list_corpora(context: typer.Context, config: Config = None, as_json: Json = False) -> None:
    if context.invoked_subcommand is not None:
        if config is not None or as_json:
            raise BadInput(f"give --config and --json after `corpora {context.invoked_subcommand}`")
        return
    from selfroute import build, terminal

    found = build.corpora(settings(config)).listed()
    show(found, terminal.corpora(found), as_json)
    problems = [c.problem for c in found if c.problem]
    if problems:
        raise UnusableIndex(problems[0] + (f" (and {len(problems) - 1} more like it)" if problems[1:] else ""))


@corpora.command("delete")
def delete_corpus(
    corpus: Annotated[str, typer.Argument(help="The corpus to delete.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Delete a corpus. Files that were indexed are left alone, and so is the ledger."""
    from selfroute import build, terminal

    held = build.corpora(settings(config))
    held.check(corpus)
    if not yes and sys.stdin.isatty() and not typer.confirm(f"delete corpus {corpus!r}?", err=True):
        raise typer.Exit(1)
    held.delete(corpus)
    show({"deleted": corpus}, terminal.said(f"{corpus}: deleted"), as_json)


@corpora.command("rename")
def rename_corpus(
    corpus: Annotated[str, typer.Argument(help="What it is called.")],
    name: Annotated[str, typer.Argument(help="What it is to be called.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Rename a corpus."""
    from selfroute import build, terminal

    build.corpora(settings(config)).rename(corpus, name)
    show({"renamed": corpus, "name": name}, terminal.said(f"{corpus}: renamed to {name}"), as_json)


@index.command()
def rebuild(
    corpus: Corpus,
    from_files: Annotated[
        bool, typer.Option("--from-files", help="Read the files again, too: after an update that reads them better.")
    ] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Split and embed a corpus anew from its stored text, after a change of the embedder or of chunking."""
    from selfroute import build, terminal

    indexer = build.indexer(settings(config))
    with bar("rebuilding") as progress:
        summary = indexer.rebuild(corpus, progress, from_files=from_files)
    show(summary, terminal.summary(summary, corpus), as_json)
    if summary.failed:
        raise_failed(summary)


@index.command()
def verify(corpus: Corpus, config: Config = None, as_json: Json = False) -> None:
    """Read every byte of a corpus and compare it with its checksums."""
    from selfroute import build, terminal

    found = build.corpora(settings(config)).verify(corpus)
    show(found, terminal.problems(found, f"{corpus}: whole"), as_json)
    _require_none(found)


@index.command()
def repair(corpus: Corpus, config: Config = None, as_json: Json = False) -> None:
    """Mend a corpus from what is stored, without embedding anything, and name what is lost."""
    from selfroute import build, terminal

    made = build.corpora(settings(config)).repair(corpus)
    show(made, terminal.repaired(made, corpus), as_json)
    _require_none(made.lost)


@index.command()
def stats(corpus: Corpus, config: Config = None, as_json: Json = False) -> None:
    """Show what a corpus holds and takes."""
    from selfroute import build, terminal

    found = build.corpora(settings(config)).stats(corpus)
    show(found, terminal.stats(found), as_json)


def doctor(config: Config = None, as_json: Json = False) -> None:
    """Tell what is installed, what loads, what is wrong, and how to mend it."""
    from selfroute import doctor, terminal

    found = doctor.examined(lambda: settings(config))
    show(found, terminal.checks(found), as_json)
    wrong = [check for check in found if not check.ok]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if wrong[1:] else ""
        raise UnusableIndex(f"{wrong[0].name}: {wrong[0].said}{more}")


def _require_none(problems: tuple[Problem, ...]) -> None:
    if problems:
        first, more = problems[0], len(problems) - 1
        raise UnusableIndex(f"{first.where}: {first.reason}; {first.remedy}" + (f" (and {more} more)" if more else ""))
