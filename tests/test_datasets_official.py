"""LongBench's own prompts and limits come from the user's checkout, and a table that cannot be used says why."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from data import data, needs_data

from selfroute.errors import UnreadableFile
from selfroute.evaluation.datasets.official import FOLDERS, LIMITS, PROMPTS, read_official
from selfroute.evaluation.datasets.tasks import DATASETS, LONGBENCH
from selfroute.types import Task


def checkout(folder: Path, prompts: object, limits: object, inside: str = ".") -> Path:
    config = folder / inside
    config.mkdir(parents=True, exist_ok=True)
    for name, table in ((PROMPTS, prompts), (LIMITS, limits)):
        (config / name).write_text(table if isinstance(table, str) else json.dumps(table), encoding="utf-8")
    return folder


@pytest.mark.parametrize("inside", FOLDERS)
def test_the_tables_are_found_wherever_a_checkout_keeps_them(tmp_path: Path, inside: str) -> None:
    official = read_official(checkout(tmp_path, {"qasper": "Read {context}. {input}"}, {"qasper": 7}, inside))
    assert official.applied(DATASETS["qasper"].task) == Task(
        name="qasper", prompt="Read {context}. {input}", max_output_tokens=7
    )


def test_only_the_prompt_and_the_limit_are_replaced(tmp_path: Path) -> None:
    official = read_official(checkout(tmp_path, {"samsum": "{context}{input}"}, {"samsum": 7}))
    ours = LONGBENCH["samsum"].task
    assert official.applied(ours) == replace(ours, prompt="{context}{input}", max_output_tokens=7)
    assert official.applied(ours).stop == ("\n",)


@pytest.mark.parametrize("name", ["longbench-v2", "passkey", "squad_long"])
def test_tasks_of_other_benchmarks_stay_as_they_are(tmp_path: Path, name: str) -> None:
    official = read_official(checkout(tmp_path, {name: "{context}"}, {name: 7}))
    assert official.applied(DATASETS[name].task) == DATASETS[name].task
    assert official.applied(Task()) == Task()


@pytest.mark.parametrize(("missing", "file"), [(0, PROMPTS), (1, LIMITS)])
def test_a_table_that_lacks_a_dataset_is_named_when_it_is_wanted(tmp_path: Path, missing: int, file: str) -> None:
    tables: list[dict[str, object]] = [{"qasper": "{context}"}, {"qasper": 7}]
    tables[missing] = {}
    official = read_official(checkout(tmp_path, *tables))
    with pytest.raises(UnreadableFile, match=rf"{file}: has no 'qasper'"):
        official.applied(LONGBENCH["qasper"].task)


def test_a_folder_without_the_tables_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile) as raised:
        read_official(tmp_path / "none")
    for word in (str(tmp_path / "none"), PROMPTS, LIMITS, "LongBench/config/", "name a LongBench checkout"):
        assert word in str(raised.value)


def test_one_table_alone_is_not_enough(tmp_path: Path) -> None:
    checkout(tmp_path, {}, {})
    (tmp_path / LIMITS).unlink()
    with pytest.raises(UnreadableFile, match="were looked for"):
        read_official(tmp_path)


@pytest.mark.parametrize(
    ("prompts", "limits", "said"),
    [
        ("{", {}, "dataset2prompt.json: is not JSON"),
        ([], {}, "dataset2prompt.json: is not a JSON object"),
        ({"a": 7}, {}, "dataset2prompt.json: the prompt of 'a' is not text"),
        ({"a": "no document"}, {}, "the prompt of 'a' needs the field context and may have input; has: none"),
        ({"a": "{input}"}, {}, "has: input"),
        ({"a": "{context}{question}"}, {}, "has: context, question"),
        ({"a": "{context} {"}, {}, "the prompt of 'a' is no template"),
        ({"a": "{context}{0}"}, {}, "has: 0, context"),
        ({}, {"a": "7"}, "dataset2maxlen.json: 'a' is '7', not a number of tokens"),
        ({}, {"a": 0}, "'a' is 0, not a number of tokens"),
        ({}, {"a": True}, "'a' is True, not a number of tokens"),
        ({}, {"a": 1.5}, "'a' is 1.5, not a number of tokens"),
        ({}, "nothing", "dataset2maxlen.json: is not JSON"),
    ],
)
def test_a_broken_table_is_refused_by_name(tmp_path: Path, prompts: object, limits: object, said: str) -> None:
    with pytest.raises(UnreadableFile, match=said):
        read_official(checkout(tmp_path, prompts, limits))


def test_tables_that_are_not_utf_8_are_refused(tmp_path: Path) -> None:
    checkout(tmp_path, {}, {})
    (tmp_path / PROMPTS).write_bytes(b'{"a": "\xff"}')
    with pytest.raises(UnreadableFile, match=r"dataset2prompt\.json: is not JSON"):
        read_official(tmp_path)


@needs_data
def test_longbenchs_own_tables_are_read() -> None:
    official = read_official(data("longbench"))
    for known in LONGBENCH.values():
        task = official.applied(known.task)
        assert task.prompt is not None
        assert task.prompt.format(context="THE DOCUMENT", input="THE QUERY").count("THE DOCUMENT") == 1
        assert task.max_output_tokens == known.task.max_output_tokens
