"""Evaluations over HTTP: a run as a job, over records that come with it or datasets of one folder, with its report."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from service import HARBOUR, KNOWN, NIGHT, WHO, Callers, House, ended, served

from selfroute.readers.scripted import KnowingReader
from selfroute.server.access import Caller
from selfroute.types import Limits

Wait = Callable[[Callable[[], bool]], None]

PLACE = "/v1/evaluations"


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


@pytest.mark.parametrize(
    "limit",
    [
        {"limits": Limits(tokens=10**9)},
        {"limits": Limits(cost=Decimal(1000))},
        {"limits": Limits(escalations=1000)},
        {"per_minute": 1000},
    ],
)
def test_a_key_with_any_limit_may_not_evaluate_since_no_limit_counts_it(house: House, limit: dict[str, Any]) -> None:
    house.access = Callers({"a": Caller("a", writes=True, **limit), "b": Caller("b", writes=True)})
    with served(house.app()) as client:
        refused, taken = (
            client.post(PLACE, json={"records": [record(1)]}, headers={"Authorization": f"Bearer {key}"})
            for key in ("a", "b")
        )
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/limited-key")
        assert "without limits" in refused.json()["detail"]
        assert taken.status_code == 202
        assert client.get(PLACE, headers={"Authorization": "Bearer a"}).json()["evaluations"] == []


def test_an_ingestion_is_no_evaluation(client: httpx.Client) -> None:
    sent = {"documents": [{"id": "a", "text": "A text."}]}
    job = client.post("/v1/corpora/port/documents", json=sent).json()
    assert client.get(f"{PLACE}/{job['id']}").status_code == 404
    assert client.get(f"{PLACE}/..%2F..%2Fledger.sqlite/report.html").status_code == 404
