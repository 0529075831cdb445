"""The texts behind rows: question, references and document, from the datasets that a run names, where they are at
hand. A question that was changed since is not shown beside answers that were given to another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from selfroute.errors import SelfrouteError
from selfroute.evaluation.datasets import Malformed, Sample, open_samples
from selfroute.evaluation.plan import asked_hash


@dataclass(frozen=True, slots=True)
class Text:
    """`question` is `None` for a task without one. `context` is empty where it was not asked for."""

    question: str | None
    answers: tuple[str, ...]
    context: str


@dataclass(frozen=True, slots=True)
class Found:
    """Texts by (dataset, id); `problems` say what could not be read and why, a clause each."""

    texts: Mapping[tuple[str, str], Text]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Where:
    """Where datasets are looked for, as `eval` is told."""

    data: Path | None = None
    longbench: Path | None = None


def find_texts(
    record: Mapping[str, Any] | None, wanted: Mapping[tuple[str, str], str], where: Where, *, contexts: bool = True
) -> Found:
    """The texts of `wanted`, (dataset, id) -> the row's `asked`. Raises nothing: a report can do without."""
    if record is None:
        return Found({}, ("there is no run.json here, which names the datasets",))
    texts: dict[tuple[str, str], Text] = {}
    problems: list[str] = []
    changed = 0
    # Recorded answers make each model a dataset of its own: the question's own dataset stands before its id.
    models = {dataset for dataset, _ in wanted} if record.get("replay") else None
    for source in record.get("sources", ()):
        if len(texts) == len(wanted):
            break
        try:
            for sample in open_samples(source, longbench=where.longbench, folder=where.data):
                if isinstance(sample, Malformed):
                    continue
                for named in _named(sample, models):
                    asked = wanted.get((named.dataset, named.id))
                    if asked is None or (named.dataset, named.id) in texts:
                        continue
                    if asked != asked_hash(replace(named, context=_sha256(named.context))):
                        changed += 1
                        continue
                    context = named.context if contexts else ""
                    texts[named.dataset, named.id] = Text(named.question.text, named.answers, context)
        except SelfrouteError as error:
            problems.append(str(error))
    if changed:
        problems.append(
            f"{changed} questions are asked otherwise in their dataset now, or were asked with other prompts"
        )
    return Found(texts, tuple(problems))


def _named(sample: Sample, models: set[str] | None) -> list[Sample]:
    if models is None:
        return [sample]
    return [replace(sample, dataset=model, id=f"{sample.dataset}/{sample.id}") for model in models]


def _sha256(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
