"""The report of a run: what it comes to, for people. `report.html` stands alone; `report.md`, and in `report/` every
table as CSV and every picture as PNG.

Computed from the rows alone, so that a report can be made again at any time, also of results that were published.
Equal rows give equal files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from selfroute.errors import BadInput
from selfroute.evaluation.grades import read_grades
from selfroute.evaluation.lines import unwritable, write_file
from selfroute.evaluation.record import read_record
from selfroute.evaluation.report import accounts, chapters
from selfroute.evaluation.report.examples import Example, examples, wordless, worst
from selfroute.evaluation.report.figures import Figures, figures
from selfroute.evaluation.report.page import Page, Table
from selfroute.evaluation.rows import Row, read_rows
from selfroute.evaluation.texts import Found, Where, find_texts

HERE = Where()
ELSEWHERE = "--out of `selfroute report` to a folder with room"
HTML, MARKDOWN, FOLDER = "report.html", "report.md", "report"


def write_report(folders: Sequence[Path], out: Path, where: Where = HERE, *, texts: bool = True) -> Path:
    """Writes the report of the runs in `folders`, taken as one run, into `out`, and returns the page's path.
    Without `texts` it holds no words of a question, an answer or a document, and can be shown to others.

    Raises `UnreadableFile` for a folder without rows, `BadInput` where two runs asked the same question in the same
    way, and `HomeNotWritable`.
    """
    from selfroute.evaluation.report.plots import pictures
    from selfroute.evaluation.report.renderings import csv_of, html, markdown

    rows, records = _gathered(folders)
    made = figures(rows, [grade for folder in dict.fromkeys(folders) for grade in read_grades(folder)])
    found = _texts(made, folders, records, where)
    shown = examples(made.board, found.texts)
    page = _page(made, folders, records, shown if texts else wordless(shown), found.problems)
    drawn = pictures(made)
    tables = {block.name: csv_of(block) for part in page.sections for block in part.blocks if isinstance(block, Table)}
    files = {f"{name}.png": content for name, content in drawn.items()}
    files |= {f"{name}.csv": content.encode() for name, content in tables.items()}
    _replace(out / FOLDER, files)
    write_file(out / MARKDOWN, markdown(page, drawn, FOLDER).encode("utf-8", "replace"), ELSEWHERE)
    write_file(out / HTML, html(page, drawn).encode("utf-8", "replace"), ELSEWHERE)
    return out / HTML


def _gathered(folders: Sequence[Path]) -> tuple[list[Row], list[Mapping[str, Any] | None]]:
    taken: dict[tuple[str, str, str, int], Path] = {}
    rows: list[Row] = []
    for folder in dict.fromkeys(folders):
        for row in read_rows(folder):
            if row.key in taken and taken[row.key] != folder:
                raise BadInput(
                    f"{taken[row.key]} and {folder} both asked {row.id!r} of {row.dataset} by {row.policy}: report "
                    "each by itself, or set them side by side with `selfroute compare`"
                )
            taken[row.key] = folder
            rows.append(row)
    return rows, [read_record(folder) for folder in dict.fromkeys(folders)]


def _texts(made: Figures, folders: Sequence[Path], records: Sequence[Mapping[str, Any] | None], where: Where) -> Found:
    """The texts of the examples."""
    asked = {made.board.questions[at]: next(line.rows[at] for line in made.board.compared) for at in worst(made.board)}
    wanted = {key: row.asked for key, row in asked.items() if row is not None}
    found = [find_texts(record, wanted, where) for record in records] if wanted else []
    texts = {key: text for one in found for key, text in one.texts.items()}
    problems = dict.fromkeys(problem for one in found for problem in one.problems)
    return Found(texts, tuple(problems) if len(texts) < len(wanted) else ())


def _page(
    made: Figures,
    folders: Sequence[Path],
    records: Sequence[Mapping[str, Any] | None],
    shown: Sequence[Example],
    problems: Sequence[str],
) -> Page:
    sections = (
        chapters.scores(made),
        chapters.curve(made),
        chapters.plane(made),
        chapters.absence(made),
        accounts.declines(made),
        accounts.overlap(made),
        accounts.spending(made),
        accounts.losses(made, shown, problems),
        accounts.judged(made),
    )
    names = [str((record or {}).get("suite") or folder.name) for record, folder in zip(records, folders, strict=False)]
    return Page(f"Evaluation: {', '.join(dict.fromkeys(names))}", (_told(made), *map(_made_with, records)), sections)


def _told(made: Figures) -> str:
    board = made.board
    policies = ", ".join(line.policy for line in board.lines)
    several = f"; figures that do not name a k are of k = {board.k}" if len(made.curve.ks) > 1 else ""
    return (
        f"{len(board.questions):,} questions of {len(board.datasets)} datasets by {policies}, "
        f"k = {', '.join(map(str, made.curve.ks))}{several}."
    )


def _made_with(record: Mapping[str, Any] | None) -> str:
    if record is None:
        return "There is no run.json here: which settings and versions made these rows is not known."
    with_ = record.get("made_with") or {}
    settings = with_.get("settings") or {}
    reader, embedder = (settings.get(name) or {} for name in ("reader", "embedder"))
    said = [f"selfroute {(record.get('versions') or {}).get('selfroute', 'of unknown version')}"]
    if with_.get("replay"):
        said.append("recorded answers replayed")
    else:
        models = ", ".join(reader[name] for name in ("chunks", "documents") if reader.get(name))
        said.append(f"reader {reader.get('kind', 'unknown')}" + (f" ({models})" if models else ""))
        said.append(f"scored {with_.get('mode', 'in an unknown mode')}")
    said.append(f"embedder {embedder.get('kind', 'unknown')}")
    if record.get("finished") is None:
        said.append("not finished: figures are of the rows so far")
    malformed = record.get("malformed") or []
    return ", ".join(said) + (f"; {len(malformed):,} malformed rows were left out" if malformed else "") + "."


def _replace(folder: Path, files: Mapping[str, bytes]) -> None:
    """What an earlier report left there and this one does not have goes."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in [*folder.glob("*.png"), *folder.glob("*.csv")]:
            if path.name not in files:
                path.unlink()
    except OSError as error:
        raise unwritable(folder, error, ELSEWHERE) from error
    for name, content in files.items():
        write_file(folder / name, content, ELSEWHERE)
