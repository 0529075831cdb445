"""The command `calibrate`. Thin, as `cli`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from selfroute.cli_parts import Config, Json, bar, show
from selfroute.cli_parts import settings as load


def calibrate(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs of `selfroute eval` with these settings.")],
    out: Annotated[Path, typer.Option(help="The router to write; its card stands beside it.")] = Path("router.json"),
    data: Annotated[Path | None, typer.Option(help="A folder to look for datasets by name in.")] = None,
    longbench: Annotated[Path | None, typer.Option(help="A LongBench checkout, for its prompts and lengths.")] = None,
    k: Annotated[int | None, typer.Option(min=1, help="Of runs at several k, which.")] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Fit the policy `calibrated` on questions of your own that runs have read from chunks and from documents.

    Reads nothing anew: what a run did not read both ways is left out.
    """
    from selfroute import build, terminal
    from selfroute.evaluation.bothways import gather
    from selfroute.evaluation.calibration import calibrated, folders
    from selfroute.evaluation.fitting import ready

    ready()
    runs = folders(runs)
    evaluator = build.evaluator(load(config))
    with bar("reading the runs") as progress:
        gathered = [gather(evaluator, run, data=data, longbench=longbench, k=k, progress=progress) for run in runs]
    made = calibrated(gathered, runs, out)
    show(made, terminal.calibration(made), as_json)
