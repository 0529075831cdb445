"""What the keeper of a ledger can do: see what it holds, keep it elsewhere, and have what is old gone from the disk."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from commands import in_process
from service import KNOWN, WHO, House, corpus, served

from selfroute.errors import BadInput, LedgerBusy
from selfroute.ledger import By, Ledger, Verdict
from selfroute.ledger.upkeep import BATCH, Upkeep
from selfroute.readers.scripted import KnowingReader
from selfroute.server.retention import kept_for
from selfroute.types import Call, Question, Route, Stage, Usage
from selfroute.wire import to_json

TODAY = datetime.now(UTC).date()
OLD = date(2026, 1, 31)
SECRET = "Zanzibar-4711"
READ = Call(Stage.READ_CHUNKS, "reader", Usage(input_tokens=100, output_tokens=3), 0.5)


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Done]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return lambda *words: Done(*in_process(monkeypatch, capsys, *words))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Upkeep:
    return Upkeep(path)


def asked(ledger: Ledger, path: Path, id_: str, on: date, said: str = SECRET, ended: bool = True) -> None:
    """A question that failed, with a call that did, and feedback; the text is everywhere that text can be."""
    ledger.begin(id_, Question(f"Where is {said}?"), "self_route", "harbour")
    ledger.record(id_, Call(Stage.READ_CHUNKS, "reader", Usage(input_tokens=100), 0.5, error=f"you sent {said}"))
    if ended:
        ledger.fail(id_, f"EndpointFailed: you sent {said}")
    ledger.add_feedback(id_, Verdict.WRONG, f"{said} is in the harbour")
    with sqlite3.connect(path) as connection:
        at = f"{on}T12:00:00.000+00:00"
        connection.execute("UPDATE questions SET asked_at = ?, record = ? WHERE id = ?", (at, json.dumps(said), id_))


def on_disk(path: Path) -> bytes:
    files = [path, path.with_name(f"{path.name}-wal")]
    return b"".join(file.read_bytes() for file in files if file.exists())


def test_what_is_purged_is_gone_with_its_calls_and_its_feedback_and_from_the_disk(ledger: Upkeep, path: Path) -> None:
    for number in range(BATCH + 3):
        asked(ledger, path, f"old-{number}", OLD)
    asked(ledger, path, "new", TODAY, said="Lisbon")
    assert SECRET.encode() in on_disk(path)
    gone = ledger.purge(TODAY)
    assert (gone.questions, gone.wiped) == (BATCH + 3, True)
    assert SECRET.encode() not in on_disk(path)
    held = ledger.stats()
    assert (held.questions, held.calls, held.feedback, held.with_text) == (1, 1, 1, 1)
    before = held.bytes
    assert ledger.compact()
    assert ledger.stats().bytes < before
    assert b"Lisbon" in on_disk(path)


def test_with_text_only_sums_stay_as_they_are_and_no_word_is_left(ledger: Upkeep, path: Path) -> None:
    asked(ledger, path, "old", OLD)
    sums = [ledger.usage(by) for by in By]
    gone = ledger.purge(TODAY, text_only=True)
    assert (gone.questions, gone.wiped) == (1, True)
    assert [ledger.usage(by) for by in By] == sums
    assert SECRET.encode() not in on_disk(path)
    record = ledger.question("old")
    assert record is not None
    assert (record.question, record.answer, record.error) == (None, None, "EndpointFailed")
    assert (record.calls[0].error, record.feedback[0].verdict) == ("failed", Verdict.WRONG)
    assert ledger.purge(TODAY, text_only=True).questions == 0


def test_today_and_what_is_under_way_stay(ledger: Upkeep, path: Path) -> None:
    asked(ledger, path, "today", TODAY)
    asked(ledger, path, "since yesterday", TODAY - timedelta(days=1), ended=False)
    asked(ledger, path, "cut off long ago", OLD, ended=False)
    assert ledger.purge(TODAY).questions == 1
    assert ledger.question("cut off long ago") is None
    assert ledger.question("since yesterday") is not None
    with pytest.raises(BadInput, match="budgets need today's questions"):
        ledger.purge(TODAY + timedelta(days=1))
    assert ledger.stats().questions == 2


def test_a_question_of_an_evaluation_has_ended_without_an_outcome_too(ledger: Upkeep, path: Path) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    Ledger(path).begin("read", Question("who?"), "evaluation", "evaluation:1", "a", yesterday)
    assert ledger.purge(TODAY).questions == 0
    Ledger(path).finish_reading("read", None, Route.RAG)
    assert ledger.purge(TODAY).questions == 1


def test_while_another_still_reads_the_old_state_it_is_not_said_to_be_wiped(ledger: Upkeep, path: Path) -> None:
    asked(ledger, path, "old", OLD)
    patient = sqlite3.connect(path, isolation_level=None)
    patient.execute("BEGIN")
    patient.execute("SELECT count(*) FROM questions").fetchall()
    with ledger._reading() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 50")
    gone = ledger.purge(TODAY)
    assert (gone.questions, gone.wiped) == (1, False)
    patient.execute("ROLLBACK")
    patient.close()
    assert ledger.compact()
    assert SECRET.encode() not in on_disk(path)


def test_a_ledger_that_another_writes_is_told_as_such(ledger: Upkeep, path: Path) -> None:
    asked(ledger, path, "old", OLD)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with ledger._reading() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 50")
    with pytest.raises(LedgerBusy, match="see which one has it open"):
        ledger.purge(TODAY)
    other.execute("ROLLBACK")
    other.close()
    assert ledger.purge(TODAY).questions == 1


def test_records_are_all_that_is_known_of_each_question_in_order_and_of_one_moment(ledger: Upkeep, path: Path) -> None:
    ids = [f"q{number}" for number in range(BATCH + 3)]
    for number, id_ in enumerate(ids):
        ledger.begin(id_, Question("who?"), "self_route", "harbour" if number % 2 else "forest")
        ledger.record(id_, READ)
    ledger.add_feedback("q1", Verdict.RIGHT)
    records = ledger.records()
    first = next(records)
    ledger.begin("later", Question("who?"), "self_route", "harbour")
    told = [first, *records]
    assert [record.id for record in told] == ids
    assert told[1] == ledger.question("q1")
    assert [record.id for record in ledger.records(corpus="harbour")] == [*ids[1::2], "later"]
    assert list(ledger.records(last=TODAY - timedelta(days=1))) == []


@pytest.fixture
def house(home: Path) -> House:
    corpus(home)
    return House(home)


def test_the_service_takes_out_what_is_too_old_as_it_begins_and_again_later(
    house: House, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    path = house.home / "ledger.sqlite"
    ledger = Upkeep(path)
    asked(ledger, path, "old", TODAY - timedelta(days=31))
    asked(ledger, path, "not so old", TODAY - timedelta(days=30))
    house.alongside = (partial(kept_for, 30, ledger, 0.05),)
    with served(house.app()) as client:
        wait_until(lambda: ledger.question("old") is None)
        asked(ledger, path, "another", OLD)
        wait_until(lambda: ledger.question("another") is None)
        assert client.post("/v1/ask", json={"question": WHO, "corpus": "port"}).status_code == 200
    assert ledger.question("not so old") is not None


def test_a_purge_while_a_question_is_under_way_takes_nothing_of_it(
    house: House, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    house.reader = KnowingReader(KNOWN, seconds=0.5)
    app = house.app()
    with served(app) as client:
        with client.stream("POST", "/v1/ask", json={"question": WHO, "corpus": "port", "stream": True}) as reply:
            wait_until(lambda: app.state.parts.desk.asking == 1)
            Upkeep(house.home / "ledger.sqlite").purge(TODAY)
            reply.read()
        id_ = reply.headers["x-selfroute-question"]
        record: httpx.Response = client.get(f"/v1/questions/{id_}")
    assert record.json()["answer"]["answer"] == "Olof Berg"


def filled(folder: Path) -> Upkeep:
    path = folder / "indexes" / "ledger.sqlite"
    ledger = Upkeep(path)
    asked(ledger, path, "old", OLD)
    asked(ledger, path, "new", TODAY, said="Lisbon")
    return ledger


def test_the_command_export_writes_a_line_a_question(run: Run, folder: Path) -> None:
    ledger = filled(folder)
    assert run("ledger", "export", "--out", "all.jsonl", "--json").json == {"out": "all.jsonl", "questions": 2}
    lines = (folder / "all.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [to_json(ledger.question(id_)) for id_ in ("old", "new")]
    run("ledger", "export", "--out", "all.jsonl", "--from", "2026-01-01", "--to", "2026-01-31")
    assert [json.loads(line)["id"] for line in (folder / "all.jsonl").read_text().splitlines()] == ["old"]


def test_an_export_that_fails_leaves_what_was_there_and_nothing_else(run: Run, folder: Path) -> None:
    filled(folder)
    (folder / "all.jsonl").write_text("before")
    with sqlite3.connect(folder / "indexes" / "ledger.sqlite") as connection:
        connection.execute("UPDATE calls SET stage = 'nonsense' WHERE question = 'new'")
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(ValueError, match="nonsense"):
        run("ledger", "export", "--out", "all.jsonl")
    assert (folder / "all.jsonl").read_text() == "before"
    assert sorted(path.name for path in folder.iterdir()) == before
    done = run("ledger", "export", "--out", "nowhere/all.jsonl")
    assert (done.code, "set --out to another file" in done.err) == (1, True)


def test_the_commands_purge_and_stats_tell_what_is_gone_and_what_is_left(run: Run, folder: Path) -> None:
    filled(folder)
    assert run("ledger", "stats", "--json").json["with_text"] == 2
    gone = run("ledger", "purge", "--before", TODAY.isoformat(), "--text-only", "--yes", "--json").json
    assert gone == {"questions": 1, "wiped": True}
    assert SECRET.encode() not in on_disk(folder / "indexes" / "ledger.sqlite")
    assert run("ledger", "stats", "--json").json["with_text"] == 1
    assert "1 questions deleted" in run("ledger", "purge", "--before", TODAY.isoformat(), "--yes").out
    held = run("ledger", "stats")
    assert [line.split()[-1] for line in held.out.splitlines()[1:3]] == ["1", "1"]


def test_without_a_ledger_the_commands_say_so_and_make_none(run: Run, folder: Path) -> None:
    done = run("ledger", "stats")
    assert (done.code, "the first question makes it" in done.err) == (1, True)
    assert not (folder / "indexes" / "ledger.sqlite").exists()
