"""Evaluations over HTTP: a run as a job, over records that come with it or datasets of one folder, with its report."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from service import HARBOUR, KNOWN, NIGHT, PRICES, WHO, Callers, House, ended, served

from selfroute.budget import Budgets
from selfroute.errors import RunStopped, UnsupportedTask
from selfroute.evaluation.charging import Charges, charged
from selfroute.ledger import Recorded
from selfroute.ledger.upkeep import Upkeep
from selfroute.prices import Prices
from selfroute.rates import Rates
from selfroute.readers import Reader
from selfroute.readers.scripted import KnowingReader, Line, ScriptedReader, answers, declines, fails
from selfroute.server.access import Caller
from selfroute.types import Call, Draft, Limits, Passage, Question, Reading, Record, Route, Shown, Stage, Usage

pytestmark = pytest.mark.end_to_end

Wait = Callable[[Callable[[], bool]], None]

PLACE = "/v1/evaluations"


@dataclass(frozen=True)
class Halting(KnowingReader):
    """Says when it has begun to read, and reads on once it may."""

    begun: threading.Event = field(default_factory=threading.Event)
    may: threading.Event = field(default_factory=threading.Event)

    async def read(self, reading: Reading, record: Record, shown: Shown | None = None) -> Draft:
        self.begun.set()
        await asyncio.to_thread(self.may.wait, 60)
        return await KnowingReader.read(self, reading, record, shown)


@dataclass(frozen=True)
class Stumbling(KnowingReader):
    """Its first attempt at a question of `stumbles` fails, and is paid all the same."""

    stumbles: frozenset[str] = frozenset()

    async def read(self, reading: Reading, record: Record, shown: Shown | None = None) -> Draft:
        if reading.question.text in self.stumbles:
            await asyncio.sleep(self.seconds)
            await record(Call(reading.stage, self.model, Usage(self.count_tokens(reading)), 0.0, error="stumbled"))
        return await KnowingReader.read(self, reading, record, shown)


def record(number: int, question: str = WHO, answer: str = "Olof Berg") -> dict[str, Any]:
    return {"_id": f"q{number}", "input": question, "context": HARBOUR, "answers": [answer], "dataset": "made"}


@pytest.fixture
def house(home: Path, tmp_path: Path) -> House:
    data = tmp_path / "data"
    data.mkdir()
    (data / "harbour.jsonl").write_text(json.dumps(record(1)) + "\n" + json.dumps(record(2, NIGHT, "in writing")))
    (tmp_path / "secret.jsonl").write_text(json.dumps(record(1)))
    return House(home, datasets=data)


@pytest.fixture
def client(house: House) -> Iterator[httpx.Client]:
    with served(house.app()) as client:
        yield client


def test_records_that_come_with_it_are_asked_and_scored(client: httpx.Client, wait_until: Wait) -> None:
    sent = {"records": [record(1), record(2, NIGHT, "in writing")], "policies": ["self_route", "always_long"], "k": [1]}
    job = ended(client, client.post(PLACE, json=sent), wait_until)
    assert (job["state"], job["kind"], job["error"]) == ("done", "evaluate", None)
    assert job["progress"] == {"done": 4, "total": 4, "unit": "questions"}
    cells = job["result"]["summary"]["made"]
    assert {policy: cells[policy]["score"] for policy in cells} == {"self_route": 100.0, "always_long": 100.0}
    assert client.get(f"{PLACE}/{job['id']}").json()["job"] == job
    assert [one["id"] for one in client.get(PLACE).json()["evaluations"]] == [job["id"]]


def test_the_report_is_a_page_that_may_show_and_do_nothing(client: httpx.Client, wait_until: Wait) -> None:
    evil = "<script>alert(1)</script>"
    sent = {"records": [record(1) | {"context": HARBOUR + evil, "dataset": evil}], "policies": ["always_long"]}
    job = ended(client, client.post(PLACE, json=sent), wait_until)
    reply = client.get(client.get(f"{PLACE}/{job['id']}").json()["report"])
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = reply.headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert policy.endswith("sandbox")
    assert "script" not in policy
    assert "<script" not in reply.text
    assert "alert(1)" in reply.text
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_datasets_are_named_and_stand_in_one_folder(client: httpx.Client, wait_until: Wait) -> None:
    assert client.get(PLACE).json()["datasets"] == ["harbour"]
    job = ended(client, client.post(PLACE, json={"datasets": ["harbour"], "limit": 1}), wait_until)
    assert (job["state"], job["result"]["rows"]) == ("done", 3)


def test_evaluations_are_listed_page_by_page_and_a_full_page_may_be_the_last(client: httpx.Client) -> None:
    made = [client.post(PLACE, json={"datasets": ["harbour"], "limit": 1}).json()["id"] for _ in "ab"]
    first = client.get(PLACE, params={"limit": 1}).json()
    rest = client.get(PLACE, params={"limit": 1, "before": first["next"]}).json()
    assert [one["id"] for one in first["evaluations"] + rest["evaluations"]] == made[::-1]
    assert (first["next"], rest["next"]) == (made[1], None)


@pytest.mark.parametrize("name", ["../secret", "secret.jsonl", "harbour.jsonl", "/etc/passwd", "qasper", "a\0b", "."])
def test_a_name_that_leads_elsewhere_is_no_dataset(
    house: House,
    client: httpx.Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.chdir(tmp_path)  # where the file `secret.jsonl` is
    reply = client.post(PLACE, json={"datasets": [name]})
    assert (reply.status_code, reply.json()["type"]) == (422, "/problems/unknown-dataset")
    assert client.get("/v1/jobs").json()["jobs"] == []


def test_without_a_folder_there_are_no_datasets(house: House) -> None:
    house.datasets = None
    with served(house.app()) as client:
        assert client.get(PLACE).json()["datasets"] == []
        assert client.post(PLACE, json={"datasets": ["harbour"]}).status_code == 422


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"records": []}, "invalid-request"),
        ({"policies": ["nope"]}, "unknown-policy"),
        ({"policies": []}, "invalid-request"),
        ({"k": [0]}, "invalid-request"),
        ({"mode": "kind"}, "invalid-request"),
        ({"out": "/etc"}, "invalid-request"),
        ({"replay": "/etc/passwd"}, "invalid-request"),
        ({"settings": {"home": "/"}}, "invalid-request"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_before_anything_is_read(
    client: httpx.Client, change: dict[str, object], kind: str
) -> None:
    reply = client.post(PLACE, json={"records": [record(1)], **change})
    assert (reply.status_code, reply.json()["type"]) == (422, f"/problems/{kind}")


def test_records_that_are_none_are_counted_and_where_none_is_one_the_job_failed_and_says_why(
    client: httpx.Client, wait_until: Wait
) -> None:
    sent = {"records": [{"colour": "red"}, record(1)], "policies": ["always_rag"]}
    job = ended(client, client.post(PLACE, json=sent), wait_until)
    assert (job["result"]["rows"], job["result"]["malformed"]) == (1, 1)
    none = ended(client, client.post(PLACE, json={"records": [{"colour": "red"}]}), wait_until)
    assert (none["state"], none["result"]["rows"], none["result"]["readings"]) == ("failed", 0, 0)
    assert none["error"]["type"] == "/problems/unusable-records"
    why = "no record can be asked (1 are malformed); records.jsonl:1: has no answers"
    assert none["error"]["detail"] == why  # no folder is named
    assert client.get(f"{PLACE}/{none['id']}").json()["report"] is None
    assert client.get(f"{PLACE}/{none['id']}/report.html").status_code == 404


def test_a_run_goes_on_after_a_restart_where_it_was(house: House, wait_until: Wait) -> None:
    house.reader = KnowingReader(KNOWN, seconds=0.1)
    questions = [record(n, f"{WHO} {n}") | {"context": f"{HARBOUR} {n}"} for n in range(100)]
    with served(house.app()) as client:
        job = client.post(PLACE, json={"records": questions, "policies": ["always_long"]})
        place = job.headers["location"]
        wait_until(lambda: client.get(place).json()["progress"]["done"] > 2)
    rows = house.home / ".jobs" / "evaluations" / job.json()["id"] / "rows.jsonl"
    before = rows.read_text().splitlines()
    assert 2 < len(before) < 100
    house.reader = KnowingReader(KNOWN)
    with served(house.app()) as client:
        assert client.get(place).json()["state"] in ("queued", "running", "done")
        done = ended(client, job, wait_until)
    assert (done["state"], done["result"]["rows"], done["result"]["readings"]) == ("done", 100, 100)
    assert set(before) <= set(rows.read_text().splitlines())


def test_a_run_is_cancelled(house: House, wait_until: Wait) -> None:
    house.reader = KnowingReader(KNOWN, seconds=60)
    with served(house.app()) as client:
        job = client.post(PLACE, json={"records": [record(1)]})
        wait_until(lambda: client.get(job.headers["location"]).json()["progress"]["total"] == 3)
        client.delete(job.headers["location"])
        assert ended(client, job, wait_until)["state"] == "cancelled"


def test_the_same_evaluation_with_one_key_is_run_once(client: httpx.Client, wait_until: Wait) -> None:
    key = {"Idempotency-Key": "k-1"}
    first = client.post(PLACE, json={"records": [record(1)]}, headers=key)
    again = client.post(PLACE, json={"records": [record(1)]}, headers=key)
    assert (again.json()["id"], again.headers["idempotency-replayed"]) == (first.json()["id"], "true")
    assert client.post(PLACE, json={"records": [record(2)]}, headers=key).status_code == 422
    ended(client, first, wait_until)


def test_an_evaluation_is_its_submitters_own(house: House, wait_until: Wait) -> None:
    house.access = Callers({"a": Caller("a", frozenset({"port"}), writes=True), "b": Caller("b", frozenset({"port"}))})
    a, b = {"Authorization": "Bearer a"}, {"Authorization": "Bearer b"}
    with served(house.app()) as client:
        assert client.post(PLACE, json={"records": [record(1)]}).status_code == 403
        job = client.post(PLACE, json={"records": [record(1)]}, headers=a)
        id_ = job.json()["id"]
        wait_until(lambda: client.get(f"{PLACE}/{id_}", headers=a).json()["report"] is not None)
        places = (f"{PLACE}/{id_}", f"{PLACE}/{id_}/report.html", f"/v1/jobs/{id_}")
        assert [client.get(place, headers=a).status_code for place in places] == [200, 200, 200]
        assert [client.get(place, headers=b).status_code for place in places] == [404, 404, 404]
        assert client.get(PLACE, headers=b).json()["evaluations"] == []


A = {"Authorization": "Bearer a"}


def limited(house: House, **limits: Any) -> None:
    """From now on the key `a` has these limits."""
    per_minute = limits.pop("per_minute", None)
    house.access = Callers({"a": Caller("a", limits=Limits(**limits), per_minute=per_minute, writes=True)})


def several(number: int) -> list[dict[str, Any]]:
    """The same question of so many documents, each of 22 words with it and one of the limits' reservations 32."""
    return [record(n) | {"context": f"{HARBOUR} {n}"} for n in range(number)]


def charged_questions(house: House) -> list[Recorded]:
    """All that stands in the ledger."""
    return list(Upkeep(house.home / "ledger.sqlite").records())


def used(client: httpx.Client, **query: str) -> dict[str, Any]:
    return {row["key"]: row for row in client.get("/v1/usage", params=query, headers=A).json()["rows"]}


def evaluated(client: httpx.Client, wait_until: Wait, records: list[dict[str, Any]], *policies: str) -> Any:
    reply = client.post(PLACE, json={"records": records, "policies": policies, "k": [1]}, headers=A)
    assert reply.status_code == 202, reply.text
    place = reply.headers["location"]
    wait_until(lambda: client.get(place, headers=A).json()["ended"] is not None)
    return client.get(place, headers=A).json()


@pytest.mark.parametrize(
    "limits",
    [{}, {"tokens": 10**9}, {"cost": Decimal("0.9")}, {"escalations": 1000}, {"per_minute": 5}],
)
def test_what_an_evaluation_really_reads_is_in_the_ledger_under_its_key_once(
    house: House, wait_until: Wait, limits: dict[str, Any]
) -> None:
    limited(house, **limits)
    with served(house.app()) as client:
        job = evaluated(client, wait_until, several(5), "always_rag", "self_route", "always_long")
        assert (job["state"], job["result"]["rows"], job["result"]["readings"]) == ("done", 15, 10)
        assert used(client, group="key") == used(client, group="key", corpus=f"evaluation:{job['id']}")
        [row] = used(client, group="policy").values()
        assert (row["key"], row["questions"], row["calls"]) == ("evaluation", 5, 10)
        assert row["usage"] == job["result"]["read"]
        assert (row["evaluation"], row["long_context_tokens"], row["saved_tokens"]) == (True, None, None)
        assert row["escalated"] is None
        assert Decimal(row["cost"]) == Decimal(row["usage"]["input_tokens"]) * Decimal("2.5") / 10**6
        assert used(client, group="route").keys() == {"long_context"}
    records = list(Upkeep(house.home / "ledger.sqlite").records())
    assert {(one.key, one.question, one.policy, one.outcome, one.error) for one in records} == {
        ("a", WHO, "evaluation", "answered", None)
    }
    assert [call.stage.value for call in records[0].calls] == ["read_chunks", "read_documents"]


def test_an_evaluation_that_comes_to_its_keys_budget_fails_naming_it_and_keeps_the_rows_that_are_done(
    house: House, wait_until: Wait
) -> None:
    limited(house, tokens=120)
    house.reader = KnowingReader(KNOWN, seconds=0.05)
    with served(house.app()) as client:
        job = evaluated(client, wait_until, several(20), "always_long")
        assert (job["state"], job["error"]["type"]) == ("failed", "/problems/over-budget")
        assert "the rows that were done" in job["error"]["detail"]
        assert "reading the documents would take up to 32 tokens" in job["error"]["detail"]
        assert "budget of 120 tokens a day there is 10 left: wait until it is renewed at" in job["error"]["detail"]
        assert (job["result"]["rows"], job["result"]["failed"]) == (5, 0)
        assert job["result"]["summary"]["made"]["always_long"]["score"] == 100.0
        assert client.get(f"{PLACE}/{job['id']}/report.html", headers=A).status_code == 200
        assert used(client, group="key")["a"]["usage"]["input_tokens"] == 110
        reply = client.post("/v1/ask", json={"question": WHO, "text": HARBOUR, "policy": "always_long"}, headers=A)
        assert (reply.status_code, reply.json()["type"]) == (429, "/problems/over-budget")


def test_the_same_question_twice_and_a_budget_that_is_used_up_end_an_evaluation(house: House, wait_until: Wait) -> None:
    limited(house, tokens=10)
    with served(house.app()) as client:
        job = evaluated(client, wait_until, [record(1), record(2)], "always_long")
        assert (job["state"], job["error"]["type"]) == ("failed", "/problems/over-budget")
        assert (job["result"]["rows"], used(client, group="key")) == (0, {})


@pytest.mark.slow
def test_no_question_of_an_evaluation_loses_its_time_to_another_of_the_same_key(house: House, wait_until: Wait) -> None:
    limited(house, tokens=60)
    house.reader, house.deadline = KnowingReader(KNOWN, seconds=2), 3.9
    with served(house.app()) as client:
        job = evaluated(client, wait_until, several(5), "always_long")
        assert (job["state"], job["error"]["type"]) == ("failed", "/problems/over-budget")
        assert (job["result"]["rows"], job["result"]["failed"]) == (2, 0)


def test_an_attempt_that_fails_and_uses_the_budget_up_ends_an_evaluation_and_is_charged_as_all_before_it(
    house: House, wait_until: Wait
) -> None:
    limited(house, tokens=110)
    house.reader = Stumbling(KNOWN, seconds=0.05, stumbles=frozenset({NIGHT}))
    first, last = (record(n, NIGHT, "in writing") | {"context": f"{HARBOUR} {n}"} for n in (10, 11))
    asked = [first, *several(1), last, *several(3)[1:]]
    with served(house.app()) as client:
        job = evaluated(client, wait_until, asked, "always_long")
        assert (job["state"], job["error"]["type"]) == ("failed", "/problems/over-budget")
        assert (job["result"]["rows"], job["result"]["failed"]) == (2, 0)
        assert job["result"]["summary"]["made"]["always_long"]["score"] == 100.0
        assert used(client, group="key")["a"]["usage"] == job["result"]["read"]
    calls = [(one.question, call.error) for one in charged_questions(house) for call in one.calls]
    assert sorted(calls, key=str) == [(NIGHT, "stumbled"), (NIGHT, "stumbled"), (NIGHT, None), (WHO, None)]


@pytest.mark.parametrize(
    ("limits", "policies", "rows", "named"),
    [
        ({"escalations": 2}, ["always_long"], 2, "cap of 2 escalations a day"),
        ({"escalations": 2}, ["always_rag", "always_long"], 5, "cap of 2 escalations a day"),
        ({"cost": Decimal("0.0003")}, ["always_long"], 3, "budget of $ 0.0003 a day"),
    ],
)
def test_each_budget_of_a_key_ends_an_evaluation(
    house: House, wait_until: Wait, limits: dict[str, Any], policies: list[str], rows: int, named: str
) -> None:
    """Where two policies are asked, the last question is a row of the first of them alone."""
    limited(house, **limits)
    with served(house.app()) as client:
        job = evaluated(client, wait_until, several(8), *policies)
        assert (job["state"], job["error"]["type"]) == ("failed", "/problems/over-budget")
        assert named in job["error"]["detail"]
        done = job["result"]["summary"]["made"]
        assert done["always_long"]["score"] == 100.0
        assert job["result"]["rows"] == rows
    made = Upkeep(house.home / "ledger.sqlite").records()
    read = [call for one in made for call in one.calls if call.stage is Stage.READ_DOCUMENTS]
    assert len(read) == done["always_long"]["n"]


def test_an_evaluation_of_a_model_without_a_price_fails_where_money_is_limited(house: House, wait_until: Wait) -> None:
    limited(house, cost=Decimal(5))
    house.reader = KnowingReader(KNOWN, model="unpriced")
    with served(house.app()) as client:
        job = evaluated(client, wait_until, several(1), "always_long")
        assert (job["state"], job["error"]["type"]) == ("failed", "/problems/unknown-price")
        assert "'unpriced'" in job["error"]["detail"]
        assert (job["result"]["rows"], used(client, group="key")) == (0, {})
        assert client.get(f"{PLACE}/{job['id']}", headers=A).json()["report"] is None


def test_what_was_asked_leaves_an_evaluation_less_and_what_is_reserved_is_shared(
    house: House, wait_until: Wait
) -> None:
    limited(house, tokens=100)
    house.reader = reader = Halting(KNOWN)
    asked = {"question": WHO, "text": f"{HARBOUR} " * 4, "policy": "always_long"}
    with served(house.app()) as client, ThreadPoolExecutor(1) as pool:
        asking = pool.submit(lambda: client.post("/v1/ask", json=asked, headers=A))
        wait_until(reader.begun.is_set)
        job = evaluated(client, wait_until, several(1), "always_long")
        assert job["error"]["type"] == "/problems/over-budget"
        assert "there is 21 left" in job["error"]["detail"]
        reader.may.set()
        assert asking.result().status_code == 200


def test_a_document_that_is_read_in_parts_is_one_escalation(house: House, wait_until: Wait) -> None:
    limited(house, escalations=1)
    house.reader, house.overflow = KnowingReader(KNOWN, window=18), "windows"
    with served(house.app()) as client:
        job = evaluated(client, wait_until, [record(1)], "always_long")
        assert (job["state"], job["error"]) == ("done", None)
        assert job["result"]["readings"] > 1
        job = evaluated(client, wait_until, [record(2)], "always_long")
        assert job["error"]["type"] == "/problems/over-budget"


def test_each_question_of_an_evaluation_waits_for_a_place_by_the_rate_of_its_key(
    house: House, wait_until: Wait
) -> None:
    limited(house, per_minute=2)
    sent = {"records": several(4), "policies": ["always_rag", "always_long"], "k": [1]}
    with served(house.app()) as client:
        job = client.post(PLACE, json=sent, headers=A)
        place = job.headers["location"]
        wait_until(lambda: client.get(place, headers=A).json()["progress"]["done"] == 4)
        reply = client.post("/v1/ask", json={"question": WHO, "text": HARBOUR, "policy": "always_rag"}, headers=A)
        assert (reply.status_code, reply.json()["type"]) == (429, "/problems/over-rate")
        assert client.get(place, headers=A).json()["state"] == "running"
        client.delete(place, headers=A)
        wait_until(lambda: client.get(place, headers=A).json()["state"] == "cancelled")
        assert used(client, group="key")["a"]["questions"] == 2


def test_a_question_that_waited_for_a_place_is_read_for_when_there_is_one(home: Path) -> None:
    moments = iter([0.0, 59.5, 60.0])  # at 59.5 there is a second to wait
    ledger, prices = House(home).ledger, Prices(PRICES)
    rates = Rates(lambda: next(moments))
    charges = Charges(ledger, Budgets(prices, ledger), prices, "evaluation:1", "a", rates=rates, per_minute=1)
    reader = charged(KnowingReader(KNOWN), charges)

    async def record(call: Call) -> None: ...

    async def read() -> None:
        for question in (Question(WHO), Question(NIGHT)):
            async with charges.question(question):
                await reader.read(Reading(question, (Passage("harbour", 0, HARBOUR),), Route.RAG), record)

    asyncio.run(read())
    assert len(ledger.spent("a", datetime.now(UTC).date())) == 2
    assert next(moments, None) is None


def test_submitting_an_evaluation_takes_no_place_of_a_rate(house: House, wait_until: Wait) -> None:
    limited(house, per_minute=1)
    sent, same = {"records": several(1), "policies": ["always_long"]}, A | {"Idempotency-Key": "k-1"}
    with served(house.app()) as client:
        jobs = [client.post(PLACE, json=sent, headers=same) for _ in range(3)]
        assert [job.status_code for job in jobs] == [202, 202, 202]
        assert len({job.json()["id"] for job in jobs}) == 1
        wait_until(lambda: client.get(jobs[0].headers["location"], headers=A).json()["state"] == "done")


def test_a_place_of_a_rate_that_nothing_was_read_in_is_free_again(house: House, wait_until: Wait) -> None:
    limited(house, per_minute=2)
    asked = {"question": WHO, "text": HARBOUR, "policy": "always_rag"}
    with served(house.app()) as client:
        job = evaluated(client, wait_until, [record(1), record(2)], "always_long")  # the second is replayed
        assert (job["state"], job["result"]["rows"], job["result"]["readings"]) == ("done", 2, 1)
        assert [client.post("/v1/ask", json=asked, headers=A).status_code for _ in range(2)] == [200, 429]


def test_the_limits_of_an_evaluation_hold_after_a_restart(house: House, wait_until: Wait) -> None:
    limited(house, tokens=120)
    house.reader = KnowingReader(KNOWN, seconds=60)
    sent = {"records": several(20), "policies": ["always_long"]}
    with served(house.app()) as client:
        job = client.post(PLACE, json=sent, headers=A)
        wait_until(lambda: client.get(job.headers["location"], headers=A).json()["progress"]["total"] == 20)
    house.reader = KnowingReader(KNOWN)
    with served(house.app()) as client:
        wait_until(lambda: client.get(job.headers["location"], headers=A).json()["state"] == "failed")
        assert used(client, group="key")["a"]["usage"]["input_tokens"] == 110


def test_a_reading_that_fails_is_on_record_and_the_others_go_on(house: House, wait_until: Wait) -> None:
    limited(house, tokens=10_000)
    house.reader = KnowingReader(KNOWN, fails=frozenset({NIGHT}))
    with served(house.app()) as client:
        job = evaluated(client, wait_until, [record(1), record(2, NIGHT)], "always_long")
        assert (job["state"], job["result"]["rows"], job["result"]["failed"]) == ("done", 2, 1)
        assert used(client, group="key")["a"]["calls"] == 2
    told = {one.question: (one.outcome, one.error) for one in Upkeep(house.home / "ledger.sqlite").records()}
    assert told == {WHO: ("answered", None), NIGHT: (None, "RuntimeError: asked to fail")}


def test_an_evaluation_whose_ledger_cannot_be_written_ends_with_that(house: House, wait_until: Wait) -> None:
    limited(house, tokens=10_000)
    house.reader = reader = Halting(KNOWN)
    with served(house.app()) as client:
        job = client.post(PLACE, json={"records": [record(1)], "policies": ["always_long"]}, headers=A)
        wait_until(reader.begun.is_set)
        held = sqlite3.connect(house.home / "ledger.sqlite")
        held.execute("DROP TABLE calls")
        held.close()
        reader.may.set()
        wait_until(lambda: client.get(job.headers["location"], headers=A).json()["ended"] is not None)
        told = client.get(job.headers["location"], headers=A).json()
    assert (told["state"], told["error"]["type"]) == ("failed", "/problems/corrupt-ledger")


Came = tuple[str | None, str | None, str | None, str | None]
RAG, LONG = Route.RAG, Route.LONG_CONTEXT


@dataclass(frozen=True)
class Unsuited(KnowingReader):
    """Sees that it cannot read, and makes no call."""

    async def read(self, reading: Reading, record: Record, shown: Shown | None = None) -> Draft:
        raise UnsupportedTask("this reader cannot do code")


def came_to(home: Path, reader: Reader, *routes: Route, limits: Limits | None = None) -> list[Came]:
    """(answer, outcome, route, error) of what stands in the ledger after readings of one question by these routes."""
    ledger, prices = House(home).ledger, Prices(PRICES)
    charges = Charges(ledger, Budgets(prices, ledger), prices, "evaluation:1", "a", limits or Limits())
    read = charged(reader, charges).read
    question = Question(WHO)

    async def record(call: Call) -> None: ...

    async def all_read() -> None:
        async with charges.question(question):
            for route in routes:
                with suppress(RuntimeError, UnsupportedTask):
                    await read(Reading(question, (Passage("harbour", 0, HARBOUR),), route), record)

    with suppress(RunStopped):
        asyncio.run(all_read())
    with closing(sqlite3.connect(home / "ledger.sqlite")) as connection:
        return connection.execute("SELECT answer, outcome, route, error FROM questions").fetchall()


@pytest.mark.parametrize(
    ("script", "routes", "told"),
    [
        ([answers("part one"), declines()], [LONG, LONG], ("part one", "answered", "long_context", None)),
        ([declines(), answers("part two")], [LONG, LONG], ("part two", "answered", "long_context", None)),
        ([answers("a chunk"), declines()], [RAG, LONG], ("a chunk", "answered", "long_context", None)),
        ([answers("a chunk"), answers("whole")], [RAG, LONG], ("whole", "answered", "long_context", None)),
        ([answers("whole"), answers("a chunk")], [LONG, RAG], ("whole", "answered", "long_context", None)),
        ([answers("k = 1"), declines()], [RAG, RAG], ("k = 1", "answered", "rag", None)),
        ([declines()], [RAG], (None, None, "rag", None)),
        ([declines(), declines()], [RAG, LONG], (None, None, "long_context", None)),
        ([fails(RuntimeError("down")), answers("whole")], [RAG, LONG], ("whole", "answered", "long_context", None)),
        ([fails(RuntimeError("down"))], [RAG], (None, None, None, "RuntimeError: down")),
    ],
)
def test_the_ledger_has_the_best_answer_that_readings_came_to_and_an_outcome_where_it_is_known(
    home: Path, script: list[Line], routes: list[Route], told: Came
) -> None:
    assert came_to(home, ScriptedReader(script), *routes) == [told]


def test_a_question_that_no_call_was_made_for_is_not_in_the_ledger(home: Path) -> None:
    assert came_to(home, Unsuited(KNOWN), RAG, LONG) == []


def test_a_question_that_was_read_for_before_its_budget_ended_it_has_not_failed(home: Path) -> None:
    told = came_to(home, KnowingReader(KNOWN), RAG, LONG, limits=Limits(escalations=0))
    assert told == [("Olof Berg", "answered", "rag", None)]


def test_what_judges_chunks_is_charged_as_a_judge_and_takes_no_tokens_of_a_budget(home: Path) -> None:
    ledger, prices = House(home).ledger, Prices(PRICES)
    charges = Charges(ledger, Budgets(prices, ledger), prices, "evaluation:1", "a", Limits(tokens=1, cost=Decimal(1)))
    judge = charged(KnowingReader(KNOWN), charges, judging=True)
    question = Question(WHO)
    seen: list[Call] = []

    async def record(call: Call) -> None:
        seen.append(call)

    async def judged() -> None:
        async with charges.question(question):
            await judge.read(Reading(question, (Passage("harbour", 0, HARBOUR),), Route.RAG), record)

    asyncio.run(judged())
    [one] = charged_questions(House(home))
    assert (one.outcome, one.error) == (None, None)  # a judgement is no reading, and no failure
    [made] = ledger.spent("a", datetime.now(UTC).date())
    assert (made.call.stage, seen[0].stage) == (Stage.JUDGE, Stage.READ_CHUNKS)
    assert made.call.cost == Decimal(21) * Decimal("2.5") / 10**6


def test_an_ingestion_is_no_evaluation(client: httpx.Client) -> None:
    sent = {"documents": [{"id": "a", "text": "A text."}]}
    job = client.post("/v1/corpora/port/documents", json=sent).json()
    assert client.get(f"{PLACE}/{job['id']}").status_code == 404
    assert client.get(f"{PLACE}/..%2F..%2Fledger.sqlite/report.html").status_code == 404
