"""What is told beyond this machine: no folder of it, to a key its own alone, and of a question always its id."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from service import HARBOUR, KNOWN, NIGHT, WHO, Callers, House, corpus, ended, served

from selfroute.errors import (
    CorruptJobs,
    CorruptLedger,
    DiskFull,
    HomeNotWritable,
    IndexBusy,
    LedgerBusy,
    OutdatedIndex,
    RunBusy,
    SelfrouteError,
    UnreadableFile,
    UnusableIndex,
    UnusableKeys,
)
from selfroute.jobs import Ended, Job, Kind, Report
from selfroute.readers.scripted import KnowingReader
from selfroute.server.access import Caller

pytestmark = pytest.mark.end_to_end

Wait = Callable[[Callable[[], bool]], None]

AT = Path("/srv/secret place/indexes/port")
ERRORS = [
    UnusableIndex(f"{AT} cannot be listed"),
    OutdatedIndex(AT),
    IndexBusy(AT, "process 7"),
    RunBusy(AT),
    CorruptLedger(AT, "x"),
    CorruptJobs(AT, "x"),
    HomeNotWritable(AT, "x"),
    DiskFull(AT, "x"),
    LedgerBusy(AT),
    UnusableKeys(AT, "x"),
    UnreadableFile(AT, "x"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_that_names_a_folder_is_told_outward_without_it(error: SelfrouteError) -> None:
    assert "/srv" in str(error)
    assert "secret" not in error.outward
    assert "/" not in error.outward


def test_who_must_wait_for_a_corpus_is_told_that_a_job_may_be_writing_it() -> None:
    said = "this corpus is being written, by a job or another process: try again when it has ended"
    assert IndexBusy(AT).outward == said


@pytest.fixture
def house(home: Path) -> House:
    corpus(home)
    return House(home)


@pytest.fixture
def client(house: House) -> Iterator[httpx.Client]:
    with served(house.app()) as client:
        yield client


def test_what_is_wrong_with_a_corpus_is_told_with_its_remedy_and_the_log_says_where(
    client: httpx.Client, house: House, caplog: pytest.LogCaptureFixture
) -> None:
    (house.home / "port" / "manifest.json").write_text("{")
    [listed] = client.get("/v1/corpora").json()["corpora"]
    for told in (listed, client.get("/v1/corpora/port").json()):
        assert "run `selfroute index repair --corpus port`" in told["problem"]
        assert str(house.home) not in told["problem"]
    assert str(house.home) in caplog.text


def test_a_job_that_failed_on_the_disk_tells_no_folder_and_the_log_does(
    house: House, wait_until: Wait, caplog: pytest.LogCaptureFixture
) -> None:
    def work(job: Job, report: Report) -> Ended:
        raise HomeNotWritable(house.home / "port", "permission denied")

    house.works = {Kind.INGEST: work}
    with served(house.app()) as client:
        sent = {"documents": [{"id": "a", "text": "A text."}]}
        job = ended(client, client.post("/v1/corpora/port/documents", json=sent), wait_until)
    assert (job["state"], job["error"]["type"]) == ("failed", "/problems/home-not-writable")
    assert str(house.home) not in str(job)
    assert f"cannot write to {house.home}" in caplog.text


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/v1/ask", {"question": WHO, "corpus": "e1"}),
        ("/v1/responses", {"model": "self_route@e1", "input": WHO}),
    ],
)
def test_who_asks_an_empty_corpus_is_told_the_request_that_fills_it(
    client: httpx.Client, path: str, asked: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    client.post("/v1/corpora", json={"name": "e1"})
    reply = client.post(path, json=asked)
    assert reply.status_code == 409
    assert "corpus 'e1' holds no documents: add some with POST /v1/corpora/e1/documents first" in reply.text
    assert "EmptyCorpus" not in caplog.text


def test_where_a_file_of_this_machine_stands_is_told_to_who_may_see_all(house: House) -> None:
    corpus(house.home, "files", {"/srv/secret/handbook": HARBOUR})  # the source is this with .md behind
    house.access = Callers({"a": Caller("a"), "audit": Caller("audit", audits=True)})

    def told(key: str) -> list[str]:
        headers = {"Authorization": f"Bearer {key}"}
        listed = client.get("/v1/corpora/files/documents", headers=headers).json()["documents"][0]["source"]
        place = "/v1/corpora/files/documents/%2Fsrv%2Fsecret%2Fhandbook"
        return [listed, client.get(place, headers=headers).json()["source"]]

    with served(house.app()) as client:
        assert told("a") == ["handbook.md"] * 2
        assert told("audit") == ["/srv/secret/handbook.md"] * 2


def test_a_key_that_may_audit_sees_the_usage_and_the_jobs_of_all(house: House, wait_until: Wait) -> None:
    house.access = Callers({"a": Caller("a", writes=True), "b": Caller("b"), "audit": Caller("audit", audits=True)})
    a, b, audit = ({"Authorization": f"Bearer {key}"} for key in ("a", "b", "audit"))
    with served(house.app()) as client:
        client.post("/v1/ask", json={"question": WHO, "corpus": "port"}, headers=a)
        sent = {"documents": [{"id": "a", "text": "A text."}]}
        job = client.post("/v1/corpora/port/documents", json=sent, headers=a).json()["id"]

        def seen(headers: dict[str, str]) -> tuple[list[str], list[str]]:
            rows = client.get("/v1/usage", params={"group": "key"}, headers=headers).json()["rows"]
            jobs = client.get("/v1/jobs", headers=headers).json()["jobs"]
            return [row["key"] for row in rows], [one["id"] for one in jobs]

        assert seen(audit) == seen(a) == (["a"], [job])
        assert seen(b) == ([], [])


def test_texts_that_come_with_a_question_are_each_on_record_under_a_name_that_no_corpus_has(
    client: httpx.Client,
) -> None:
    names = [
        client.post("/v1/ask", json={"question": WHO, "text": text}).json()["corpus"]
        for text in (HARBOUR, HARBOUR, f"{HARBOUR} It is wet.")
    ]
    assert names[0] == names[1] != names[2]
    assert all(name.startswith("text:") and len(name) == 21 for name in names)
    assert client.get(f"/v1/corpora/{names[0]}").status_code in (404, 422)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/v1/ask", {"question": NIGHT, "corpus": "port"}),
        ("/v1/chat/completions", {"model": "self_route@port", "messages": [{"role": "user", "content": NIGHT}]}),
        ("/v1/responses", {"model": "self_route@port", "input": NIGHT}),
    ],
)
def test_a_question_that_is_refused_or_fails_tells_its_id(
    house: House, path: str, asked: dict[str, object], stream: bool
) -> None:
    house.reader = KnowingReader(KNOWN, seconds=30)
    house.deadline = 0.2
    with served(house.app()) as client:
        reply = client.post(path, json={**asked, "stream": stream})
        id_ = reply.headers["x-selfroute-question"]
        assert "DeadlineExceeded" in client.get(f"/v1/questions/{id_}").json()["error"]
        over = {"selfroute": {"max_input_tokens": 1}} if "ask" not in path else {"max_input_tokens": 1}
        refused = client.post(path, json={**asked, **over, "stream": stream})
        assert refused.status_code in (400, 422)
        assert client.get(f"/v1/questions/{refused.headers['x-selfroute-question']}").status_code == 200


@pytest.mark.parametrize("path", ["/v1/ask", "/v1/chat/completions", "/v1/responses", "/v1/evaluations"])
def test_a_field_whose_name_is_no_text_is_refused(client: httpx.Client, path: str) -> None:
    sent = '{"question": "x", "corpus": "port", "model": "a@port", "input": "x", "\\ud800": 1}'
    reply = client.post(path, content=sent, headers={"Content-Type": "application/json"})
    assert reply.status_code in (400, 422), reply.text
    assert reply.json()


def test_feedback_with_one_key_is_taken_once(client: httpx.Client) -> None:
    id_ = client.post("/v1/ask", json={"question": WHO, "corpus": "port"}).json()["id"]
    key = {"Idempotency-Key": "f-1"}

    def say(verdict: str, **headers: str) -> httpx.Response:
        return client.post(f"/v1/questions/{id_}/feedback", json={"verdict": verdict}, headers=headers)

    first, again, other = say("right", **key), say("right", **key), say("wrong", **key)
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    assert len(client.get(f"/v1/questions/{id_}").json()["feedback"]) == 1
    say("right")
    assert len(client.get(f"/v1/questions/{id_}").json()["feedback"]) == 2
