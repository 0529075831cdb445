"""LongBench's own prompts and output limits, read from the user's checkout: nothing of them is copied here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from string import Formatter
from typing import Any

from selfroute.errors import UnreadableFile
from selfroute.evaluation.datasets.tasks import LONGBENCH
from selfroute.types import Task

PROMPTS, LIMITS = "dataset2prompt.json", "dataset2maxlen.json"
FOLDERS = ("LongBench/config", "config", ".")
"""Where a checkout keeps the two tables: since v2 came, before that, and a folder of just the two."""


@dataclass(frozen=True, slots=True)
class Official:
    """The two tables of LongBench: dataset to prompt template, dataset to output limit in tokens."""

    folder: Path
    prompts: Mapping[str, str]
    limits: Mapping[str, int]

    def applied(self, task: Task) -> Task:
        """The task as LongBench puts it; a task of another benchmark stays as it is.

        Raises `UnreadableFile` if a table lacks a dataset of LongBench.
        """
        if task.name is None or task.name not in LONGBENCH:
            return task
        for file, table in ((PROMPTS, self.prompts), (LIMITS, self.limits)):
            if task.name not in table:
                raise UnreadableFile(self.folder / file, f"has no {task.name!r}: get the table from LongBench again")
        return replace(task, prompt=self.prompts[task.name], max_output_tokens=self.limits[task.name])


def read_official(checkout: Path) -> Official:
    """The tables of a LongBench checkout, or of a folder that holds the two. Raises `UnreadableFile`."""
    for folder in (checkout / inside for inside in FOLDERS):
        if (folder / PROMPTS).is_file() and (folder / LIMITS).is_file():
            prompts, limits = _table(folder / PROMPTS), _table(folder / LIMITS)
            for name, prompt in prompts.items():
                _require_template(folder / PROMPTS, name, prompt)
            for name, limit in limits.items():
                if type(limit) is not int or limit < 1:
                    raise UnreadableFile(folder / LIMITS, f"{name!r} is {limit!r}, not a number of tokens")
            return Official(folder, prompts, limits)
    looked = ", ".join(f"{inside}/" for inside in FOLDERS[:-1])
    raise UnreadableFile(
        checkout, f"{PROMPTS} and {LIMITS} were looked for in it, and in {looked} below it: name a LongBench checkout"
    )


def _table(path: Path) -> dict[str, Any]:
    try:
        table = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UnreadableFile(path, (error.strerror or str(error)).lower()) from error
    except ValueError as error:
        raise UnreadableFile(path, f"is not JSON ({error}): get it from LongBench again") from error
    if not isinstance(table, dict):
        raise UnreadableFile(path, "is not a JSON object of datasets: get it from LongBench again")
    return table


def _require_template(path: Path, name: str, prompt: object) -> None:
    if not isinstance(prompt, str):
        raise UnreadableFile(path, f"the prompt of {name!r} is not text")
    try:
        fields = [field for _, field, _, _ in Formatter().parse(prompt) if field is not None]
    except ValueError as error:
        raise UnreadableFile(path, f"the prompt of {name!r} is no template ({error})") from error
    if "context" not in fields or not set(fields) <= {"context", "input"}:
        has = ", ".join(sorted(set(fields))) or "none"
        raise UnreadableFile(path, f"the prompt of {name!r} needs the field context and may have input; has: {has}")
