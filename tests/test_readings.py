"""What was read is found again by its key, as it was, in this start or a later one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from selfroute.errors import UnreadableFile
from selfroute.evaluation.readings import KeptReadings, read_readings
from selfroute.readers.recorded import Recorded
from selfroute.types import Call, Citation, Draft, Route, Stage, Usage

DRAFT = Draft(
    declined=False,
    route=Route.RAG,
    answer="Ann Ö\u2028 \n",
    citations=(Citation("d", None, 3, 6, "Ann", 7.25), Citation("d", 2, 9, 12, "Bo", None)),
    score=-1.5,
    guess="Ann",
    warnings=("cut",),
)
CALL = Call(Stage.READ_CHUNKS, "m", Usage(10, 4, 1, 3, 2), seconds=0.25, estimated=True)
ANSWERED = Recorded(DRAFT, (CALL, replace(CALL, stage=Stage.READ_DOCUMENTS, error="dropped", estimated=False)))
DECLINED = Recorded(Draft(True, Route.LONG_CONTEXT), (replace(CALL, usage=Usage(100)),))


@contextmanager
def readings(folder: Path) -> Iterator[KeptReadings]:
    kept = KeptReadings(folder)
    yield kept
    kept.close()


def test_a_reading_is_found_as_it_was_kept(tmp_path: Path) -> None:
    with readings(tmp_path) as kept:
        assert kept.find("a") is None
        kept.keep("a", ANSWERED)
        assert kept.find("a") == ANSWERED


def test_a_later_start_finds_what_an_earlier_one_read(tmp_path: Path) -> None:
    with readings(tmp_path) as kept:
        kept.keep("a", ANSWERED)
        kept.keep("b", DECLINED)
    with readings(tmp_path) as kept:
        assert (kept.find("a"), kept.find("b"), kept.find("c")) == (ANSWERED, DECLINED, None)
        assert len(kept) == 2


def test_what_came_to_nothing_is_not_found_and_was_spent(tmp_path: Path) -> None:
    with readings(tmp_path) as kept:
        kept.waste("a", [replace(CALL, error="dropped")])
        assert (kept.find("a"), len(kept), kept.spent()) == (None, 0, CALL.usage)
        kept.keep("a", ANSWERED)
    with readings(tmp_path) as kept:
        assert (kept.find("a"), kept.spent()) == (ANSWERED, CALL.usage + CALL.usage + CALL.usage)


def test_a_reading_is_with_the_operating_system_when_keep_returns(tmp_path: Path) -> None:
    with readings(tmp_path) as kept:
        kept.keep("a", ANSWERED)
        with readings(tmp_path) as another:  # nothing was closed before
            assert another.find("a") == ANSWERED


def test_costs_are_not_kept_for_prices_change(tmp_path: Path) -> None:
    with readings(tmp_path) as kept:
        kept.keep("a", Recorded(DRAFT, (replace(CALL, cost=Decimal(3)),)))
    with readings(tmp_path) as kept:
        assert kept.find("a") == Recorded(DRAFT, (CALL,))


def test_what_was_spent_is_the_usage_of_all_calls_in_all_starts(tmp_path: Path) -> None:
    with readings(tmp_path) as kept:
        assert kept.spent() == Usage()
        kept.keep("a", ANSWERED)
    with readings(tmp_path) as kept:
        kept.keep("b", DECLINED)
        assert kept.spent() == Usage(10, 4, 1, 3, 2) + Usage(10, 4, 1, 3, 2) + Usage(100)


def test_a_torn_reading_is_made_again(tmp_path: Path) -> None:
    with readings(tmp_path) as kept:
        kept.keep("a", ANSWERED)
        kept.keep("b", DECLINED)
    path = tmp_path / "readings.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    with readings(tmp_path) as kept:
        assert (kept.find("a"), kept.find("b")) == (ANSWERED, None)
        kept.keep("b", DECLINED)
    with readings(tmp_path) as kept:
        assert kept.find("b") == DECLINED


def test_readings_are_read_while_a_run_writes_them_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "readings.jsonl"
    assert read_readings(tmp_path) == {}
    assert not path.exists()
    with readings(tmp_path) as kept:
        kept.keep("a", ANSWERED)
        kept.waste("b", DECLINED.calls)
        with path.open("ab") as half:
            half.write(b'{"key": "c", "dra')
        before = path.read_bytes()
        assert read_readings(tmp_path) == {"a": ANSWERED}
        assert path.read_bytes() == before


@pytest.mark.parametrize(
    "line",
    [
        '{"key": "a"}',
        '{"key": "a", "draft": {"declined": true, "route": "rag"}, "calls": []}',
        '{"key": "a", "draft": {"declined": true, "route": "by air", "citations": [], "warnings": []}, "calls": []}',
        '{"key": "a", "draft": {"route": "rag", "citations": [], "warnings": []}, "calls": [{"stage": "embed"}]}',
        '{"key": "a", "draft": null, "calls": []}',
        '{"draft": {"declined": true, "route": "rag", "citations": [], "warnings": []}, "calls": []}',
    ],
)
def test_a_line_that_is_no_reading_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    with readings(tmp_path) as kept:
        kept.keep("b", DECLINED)
    with (tmp_path / "readings.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(UnreadableFile, match="line 2 is not a reading of this version of selfroute"):
        KeptReadings(tmp_path)
