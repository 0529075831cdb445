"""From gathered runs to a router in a file, with a card that says what it was fitted on and how good it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfroute.errors import BadInput
from selfroute.evaluation.bothways import BothWays, Gathered
from selfroute.evaluation.fitting import Told, fitted
from selfroute.evaluation.lines import write_file
from selfroute.routing.score import to_json

ELSEWHERE = "--out to another file"


@dataclass(frozen=True, slots=True)
class Calibrated:
    """`out` holds a router fitted on so many `rows`; `rules` say how good it is where it was not fitted."""

    out: Path
    card: Path
    rows: int
    left_out: int
    rules: tuple[Told, ...]


def calibrated(gathered: Sequence[Gathered], runs: Sequence[Path], out: Path) -> Calibrated:
    """Fits and writes. Raises `BadInput` for too few rows or runs that do not go together, `MissingExtra` and
    `HomeNotWritable`."""
    rows = _rows(gathered, runs)
    left_out = sum(one.left_out for one in gathered)
    retrieval = {(one.embedder, one.k) for one in gathered}
    if len(retrieval) > 1:
        raise BadInput("the runs retrieved by different embedders or at different k: a router holds for one; see --k")
    [(embedder, k)] = retrieval
    made_on = {
        "runs": [run.name for run in runs],
        "rows": len(rows),
        "documents": len({row.doc_id for row in rows}),
        "embedder": embedder,
        "k": k,
    }
    router, told = fitted(rows, made_on)
    made = Calibrated(out, out.with_suffix(".md"), len(rows), left_out, told)
    write_file(out, to_json(router).encode(), ELSEWHERE)
    write_file(made.card, _card(made, made_on).encode(), ELSEWHERE)
    return made


def folders(named: Sequence[Path]) -> list[Path]:
    """Each folder once, as it was first named, however it is spelt later."""
    first: dict[Path, Path] = {}
    for folder in named:
        first.setdefault(folder.resolve(), folder)
    return list(first.values())


def _rows(gathered: Sequence[Gathered], runs: Sequence[Path]) -> list[BothWays]:
    """All rows. A question twice would be taken for two, and stand on both sides of what is fitted and told."""
    taken: dict[tuple[str, str], Path] = {}
    for one, run in zip(gathered, runs, strict=True):
        for row in one.rows:
            if (other := taken.setdefault((row.group, row.id), run)) != run:
                raise BadInput(
                    f"{other} and {run} both read {row.id!r} of {row.group}, which would count twice: name only one of "
                    "them, or runs of other questions"
                )
    return [row for one in gathered for row in one.rows]


def _card(made: Calibrated, about: Mapping[str, Any]) -> str:
    lines = [
        f"# Card of `{made.out.name}`",
        "",
        f"A router for the policy `calibrated`, fitted by `selfroute calibrate` on {made.rows} questions that the runs "
        f"{', '.join(about['runs'])} read from chunks and from documents. "
        f"Chunks were the {about['k']} best by {about['embedder']}; `calibrated` warns where others are used. "
        "All figures are of documents that were not fitted, and shares of prices that were set on others.",
        "",
        "| rule | questions | documents | the long read alone is right | AUROC of gain | of harm | calibration error |",
        "|---|--:|--:|--:|--:|--:|--:|",
        *(
            f"| {rule.rule} | {rule.rows} | {rule.documents} | {rule.gains} | {_two(rule.gain_auroc)} | "
            f"{_two(rule.harm_auroc)} | {rule.gain_error:.3f} |"
            for rule in made.rules
        ),
        "",
        "What comes of aiming at a share of the documents' tokens, whatever their length:",
        "",
        "| rule | aimed at | read | mean score |",
        "|---|--:|--:|--:|",
        *(
            f"| {rule.rule} | {100 * share:.0f} % | {100 * tokens:.1f} % | {score:.2f} |"
            for rule in made.rules
            for share, score, tokens in rule.curve
        ),
        "",
        "A rule is used where its features are known: `judged` for chat models, `logprobs` where they tell them, "
        "`bundled` where the bundled reader reads chunks and documents, `mixed` where it reads one of the two, "
        "`alone` where it cannot judge (another language).",
    ]
    return "\n".join(lines) + "\n"


def _two(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"
