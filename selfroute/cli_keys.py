"""The commands `keys create`, `keys list` and `keys revoke`. Thin."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from selfroute.cli_parts import Config, Json, settings, show
from selfroute.errors import BadInput

keys = typer.Typer(help="Make, list and revoke the API keys of the service.", no_args_is_help=True)


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose it is.")],
    corpus: Annotated[
        list[str] | None, typer.Option(help="Ask only this corpus; may be repeated.  [default: all]")
    ] = None,
    rate: Annotated[int | None, typer.Option(min=1, help="Questions a minute.")] = None,
    tokens_per_day: Annotated[
        int | None, typer.Option(min=0, help="Tokens that readers and the rewriter may take, in and out.")
    ] = None,
    cost_per_day: Annotated[str | None, typer.Option(help="US dollars.")] = None,
    escalations_per_day: Annotated[
        int | None, typer.Option(min=0, help="Questions that may read whole documents.")
    ] = None,
    may_write: Annotated[bool, typer.Option("--may-write", help="It may make and change corpora.")] = False,
    may_audit: Annotated[
        bool, typer.Option("--may-audit", help="It may see the metrics, and what all others ask.")
    ] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Make a key and show it, this once: only its hash is kept. Days are UTC. A running service knows it at once."""
    from selfroute import build, terminal
    from selfroute.server.keyring import Grants
    from selfroute.types import Limits

    limits = Limits(tokens_per_day, _dollars(cost_per_day), escalations_per_day)
    grants = Grants(tuple(corpus) if corpus else None, rate, limits, may_write, may_audit)
    key, token = build.keyring(settings(config)).create(name, grants)
    show({"id": key.id, "name": key.name, "key": token}, terminal.new_key(key, token), as_json)


@keys.command("list")
def list_keys(config: Config = None, as_json: Json = False) -> None:
    """List the keys and what each may; revoked ones too, since what they asked is on record."""
    from selfroute import build, terminal

    found = build.keyring(settings(config)).listed()
    show(found, terminal.keys(found), as_json)


@keys.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Its name or its id.")], config: Config = None, as_json: Json = False
) -> None:
    """Revoke a key: a running service refuses it within a second. What it asks just then is finished."""
    from selfroute import build, terminal

    revoked = build.keyring(settings(config)).revoke(key)
    show(revoked, terminal.said(f"{revoked.name}: revoked"), as_json)


def _dollars(given: str | None) -> Decimal | None:
    if given is None:
        return None
    try:
        amount = Decimal(given)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise BadInput(f"--cost-per-day is {given!r}: give US dollars, as 2.50")
    return amount
