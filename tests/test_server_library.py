"""Corpora and documents over HTTP: a job is done when a question finds its documents, and nothing is done twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from service import HARBOUR, WHO, Callers, Gate, House, corpus, ended, served

from selfroute.index.files import only_writer
from selfroute.server.access import Caller

CASES = Path(__file__).parent / "cases" / "documents"
pytestmark = pytest.mark.end_to_end

Wait = Callable[[Callable[[], bool]], None]

TEXT = {"id": "handbook/port.md", "text": HARBOUR}


@pytest.fixture
def house(home: Path) -> House:
    return House(home)


@pytest.fixture
def client(house: House) -> Iterator[httpx.Client]:
    with served(house.app()) as client:
        yield client


def add(client: httpx.Client, *documents: dict[str, str], to: str = "port", **headers: str) -> httpx.Response:
    return client.post(f"/v1/corpora/{to}/documents", json={"documents": documents or [TEXT]}, headers=headers)


def left(house: House) -> list[str]:
    """What is under home beside the ledger and the list of jobs: corpora, and files that wait."""
    spool = house.home / ".jobs" / "spool"
    waiting = [path.name for path in spool.iterdir()] if spool.exists() else []
    return waiting + [path.name for path in house.home.iterdir() if not path.name.startswith((".jobs", "ledger."))]


def test_a_job_that_is_done_is_found_by_the_next_question(client: httpx.Client, wait_until: Wait) -> None:
    job = ended(client, add(client), wait_until)
    assert (job["state"], job["error"], job["note"]) == ("done", None, None)
    assert (job["result"]["added"], job["result"]["documents"], job["result"]["failed"]) == (1, 1, [])
    assert job["progress"] == {"done": len(HARBOUR), "total": len(HARBOUR), "unit": "bytes"}
    answer = client.post("/v1/ask", json={"question": WHO, "corpus": "port"}).json()
    assert (answer["answer"], answer["citations"][0]["document"]) == ("Olof Berg", TEXT["id"])


def test_a_document_is_told_with_its_text_and_where_its_chunks_lie(client: httpx.Client, wait_until: Wait) -> None:
    ended(client, add(client), wait_until)
    told = client.get("/v1/corpora/port/documents/handbook/port.md").json()
    assert (told["text"], told["characters"], told["source"]) == (HARBOUR, len(HARBOUR), "upload:handbook/port.md")
    assert (told["start"], told["end"], told["pages"]) == (0, len(HARBOUR), [])
    shown = "".join(HARBOUR[chunk["start"] : chunk["end"]] for chunk in told["chunks"])
    assert shown.replace("\n", "") == HARBOUR.replace("\n", "")
    assert client.get("/v1/corpora/port/documents/handbook%2Fport.md").json() == told


def test_a_slice_of_a_document_has_the_chunks_that_reach_into_it(client: httpx.Client, wait_until: Wait) -> None:
    ended(client, add(client), wait_until)
    place = "/v1/corpora/port/documents/handbook/port.md"
    whole = client.get(place).json()
    last = whole["chunks"][-1]
    told = client.get(place, params={"from": last["start"], "to": 10**9}).json()
    assert (told["text"], told["chunks"]) == (HARBOUR[last["start"] :], [last])
    assert client.get(place, params={"from": 5, "to": 5}).json()["text"] == ""
    assert client.get(place, params={"from": 5, "to": 4}).status_code == 422


def test_pages_are_told_where_a_document_has_them(client: httpx.Client, wait_until: Wait) -> None:
    fpdf = pytest.importorskip("fpdf", reason="makes PDF files for tests")
    pdf = fpdf.FPDF()
    for text in ("The harbour master is Olof Berg.", "The quay is long."):
        pdf.add_page()
        pdf.set_font("Helvetica", size=12)
        pdf.cell(text=text)
    sent = {"files": ("port.pdf", bytes(pdf.output()))}
    ended(client, client.post("/v1/corpora/port/documents", files=sent), wait_until)
    told = client.get("/v1/corpora/port/documents/port.pdf").json()
    assert told["text"][told["pages"][1] :].startswith("The quay")


def test_what_could_not_be_read_is_told_by_job_and_document(client: httpx.Client, wait_until: Wait) -> None:
    scan = (CASES / "a11-mixed-scan.pdf").read_bytes()
    reply = client.post("/v1/corpora/scans/documents", files={"files": ("scan.pdf", scan)})
    warning = "page 2 of 3 holds no text: it is an image"
    assert ended(client, reply, wait_until)["result"]["warnings"] == [{"document": "scan.pdf", "warning": warning}]
    [listed] = client.get("/v1/corpora/scans/documents").json()["documents"]
    told = client.get("/v1/corpora/scans/documents/scan.pdf").json()
    assert listed["warnings"] == told["warnings"] == [warning]
    assert listed["readable"] == told["readable"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "id_", ["a/b/c..md", "..a/.b/c.", "Grüße 100%?.md", "ßΩ漢字#1", "été\u00a01\u3000🚀", "...", "-", "x" * 1024]
)
def test_a_document_is_reached_by_whatever_id_it_has(client: httpx.Client, wait_until: Wait, id_: str) -> None:
    ended(client, add(client, {"id": id_, "text": "A text."}), wait_until)
    place = f"/v1/corpora/port/documents/{quote(id_, safe='')}"
    assert client.get(place).json()["id"] == id_
    assert client.delete(place).status_code == 204
    assert client.get(place).status_code == 404


def test_the_same_text_again_changes_nothing_and_another_text_updates(client: httpx.Client, wait_until: Wait) -> None:
    ended(client, add(client), wait_until)
    again = ended(client, add(client), wait_until)["result"]
    assert (again["added"], again["updated"], again["unchanged"]) == (0, 0, 1)
    other = ended(client, add(client, {"id": TEXT["id"], "text": "The quay is short."}), wait_until)["result"]
    assert (other["updated"], other["documents"]) == (1, 1)
    assert client.get("/v1/corpora/port/documents/handbook/port.md").json()["text"] == "The quay is short."


def test_documents_are_listed_page_by_page(client: httpx.Client, wait_until: Wait) -> None:
    ended(client, add(client, *[{"id": f"{n}", "text": f"Text {n}."} for n in range(5)]), wait_until)
    first = client.get("/v1/corpora/port/documents", params={"limit": 3}).json()
    rest = client.get("/v1/corpora/port/documents", params={"limit": 3, "after": first["next"]}).json()
    assert [one["id"] for one in first["documents"] + rest["documents"]] == ["0", "1", "2", "3", "4"]
    assert (first["total"], first["next"], rest["next"]) == (5, "2", None)
    assert "text" not in first["documents"][0]


def test_an_empty_corpus_is_made_listed_and_deleted(client: httpx.Client) -> None:
    made = client.post("/v1/corpora", json={"name": "port"})
    assert (made.status_code, made.headers["location"]) == (201, "/v1/corpora/port")
    assert (made.json()["documents"], made.json()["problem"], made.json()["stats"]["generation"]) == (0, None, 1)
    assert [one["name"] for one in client.get("/v1/corpora").json()["corpora"]] == ["port"]
    assert client.post("/v1/ask", json={"question": WHO, "corpus": "port"}).status_code == 409
    assert client.post("/v1/corpora", json={"name": "port"}).status_code == 409
    assert client.delete("/v1/corpora/port").status_code == 204
    assert client.get("/v1/corpora/port").status_code == 404


def test_a_corpus_that_was_made_empty_takes_documents(client: httpx.Client, wait_until: Wait) -> None:
    client.post("/v1/corpora", json={"name": "port"})
    ended(client, add(client), wait_until)
    assert client.get("/v1/corpora/port").json()["documents"] == 1


def test_a_damaged_corpus_is_told_with_its_problem(house: House, client: httpx.Client) -> None:
    corpus(house.home)
    (house.home / "port" / "manifest.json").write_text("torn")
    told = client.get("/v1/corpora/port").json()
    assert "repair" in told["problem"]
    assert (told["stats"], told["documents"]) == (None, 0)
    assert client.get("/v1/corpora").json()["corpora"][0]["problem"] == told["problem"]


def test_one_write_with_one_key_is_done_once(house: House, client: httpx.Client, wait_until: Wait) -> None:
    key = {"Idempotency-Key": "k-1"}
    first, again = add(client, **key), add(client, **key)
    assert again.json()["id"] == first.json()["id"]
    assert (first.headers.get("idempotency-replayed"), again.headers["idempotency-replayed"]) == (None, "true")
    other = add(client, {"id": "b", "text": "Another."}, **key)
    assert (other.status_code, other.json()["type"]) == (422, "/problems/key-reused")
    ended(client, first, wait_until)
    assert len(client.get("/v1/jobs").json()["jobs"]) == 1
    assert left(house) == ["port"]


def test_a_corpus_is_made_once_with_one_key(client: httpx.Client) -> None:
    key = {"Idempotency-Key": "k-1"}
    assert [client.post("/v1/corpora", json={"name": "port"}, headers=key).status_code for _ in "ab"] == [201, 201]
    assert client.post("/v1/corpora", json={"name": "other"}, headers=key).status_code == 422
    assert client.get("/v1/corpora/other").status_code == 404
    assert client.post("/v1/corpora", json={"name": "port"}).status_code == 409


def test_a_corpus_that_could_not_be_made_with_a_key_is_not_made_by_sending_it_again(client: httpx.Client) -> None:
    key = {"Idempotency-Key": "k-1"}
    client.post("/v1/corpora", json={"name": "port"})
    assert [client.post("/v1/corpora", json={"name": "port"}, headers=key).status_code for _ in "ab"] == [409, 409]


def test_a_key_that_made_a_corpus_does_not_bring_it_back(client: httpx.Client) -> None:
    key = {"Idempotency-Key": "k-1"}
    assert client.post("/v1/corpora", json={"name": "port"}, headers=key).json()["problem"] is None
    client.delete("/v1/corpora/port")
    again = client.post("/v1/corpora", json={"name": "port"}, headers=key)
    assert (again.status_code, again.json()["name"], again.json()["documents"]) == (201, "port", 0)
    assert "take a new Idempotency-Key" in again.json()["problem"]
    assert client.get("/v1/corpora/port").status_code == 404
    assert client.post("/v1/corpora", json={"name": "port"}, headers={"Idempotency-Key": "k-2"}).status_code == 201


def test_of_requests_with_one_key_at_the_same_time_one_makes_the_corpus(client: httpx.Client) -> None:
    def make(_: int) -> int:
        return client.post("/v1/corpora", json={"name": "port"}, headers={"Idempotency-Key": "k-1"}).status_code

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(make, range(4)))
    assert 201 in made
    assert set(made) <= {201, 409}
    assert make(0) == 201


@pytest.mark.parametrize("id_", ["..", ".", "../../etc/passwd", "a/./b.md", "a/b/..", "..\\a.md", "a\\..\\b.md"])
def test_an_id_that_clients_would_take_out_of_an_address_is_refused(
    house: House, client: httpx.Client, id_: str
) -> None:
    reply = add(client, {"id": id_, "text": "A text."})
    assert (reply.status_code, reply.json()["type"]) == (422, "/problems/invalid-request")
    assert "documents.0.id" in reply.json()["detail"]
    assert "between slashes" in reply.json()["detail"]
    assert left(house) == []


def test_jobs_are_listed_page_by_page_and_a_full_page_may_be_the_last(client: httpx.Client, wait_until: Wait) -> None:
    jobs = [ended(client, add(client, {"id": f"{n}", "text": "A text."}), wait_until)["id"] for n in range(4)]
    first = client.get("/v1/jobs", params={"limit": 2}).json()
    rest = client.get("/v1/jobs", params={"limit": 2, "before": first["next"]}).json()
    assert [one["id"] for one in first["jobs"] + rest["jobs"]] == jobs[::-1]
    assert (first["next"], rest["next"]) == (jobs[2], None)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "documents"),
        ({"documents": []}, "documents"),
        ({"documents": [{"id": "", "text": "a"}]}, "documents.0.id"),
        ({"documents": [{"id": "a", "text": ""}]}, "documents.0.text"),
        (
            {"documents": [{"id": "a\0b", "text": "a"}]},
            "documents.0.id: Value error, holds U+0000, which cannot be seen",
        ),
        ({"documents": [{"id": "a\u061cb", "text": "a"}]}, "holds U+061C, which cannot be seen: leave it out"),
        ({"documents": [{"id": "a\nb", "text": "a"}]}, "holds U+000A, which cannot be seen: leave it out"),
        ({"documents": [{"id": "a\u2028b", "text": "a"}]}, "holds U+2028"),
        ({"documents": [{"id": "a\u200bb", "text": "a"}]}, "holds U+200B"),
        ({"documents": [{"id": "a\u202eb", "text": "a"}]}, "holds U+202E"),
        ({"documents": [{"id": "👩\u200d🚀", "text": "a"}]}, "holds U+200D"),
        ({"documents": [{"id": "a", "text": "a", "source": "a\tb"}]}, "documents.0.source: Value error, holds U+0009"),
        ({"documents": [{"id": "x" * 1025, "text": "a"}]}, "documents.0.id"),
        ({"documents": [{"id": "a", "text": "b", "colour": "red"}]}, "documents.0.colour"),
        ({"documents": [{"id": "a", "text": "b"}, {"id": "a", "text": "c"}]}, "two documents have the id 'a'"),
    ],
)
def test_documents_that_cannot_be_taken_are_refused_by_name(
    untouched: House, refusing: httpx.Client, body: object, reason: str
) -> None:
    reply = refusing.post("/v1/corpora/port/documents", json=body)
    assert (reply.status_code, reply.headers["content-type"]) == (422, "application/problem+json")
    assert reason in reply.json()["detail"]
    assert left(untouched) == []


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 422),
        (b"text", "text/plain", 415),
        (b"text", "", 415),
        (b"\xff", "application/json", 422),
    ],
)
def test_a_body_that_is_neither_json_nor_a_form_is_refused(
    client: httpx.Client, content: bytes, kind: str, status: int
) -> None:
    reply = client.post("/v1/corpora/port/documents", content=content, headers={"content-type": kind})
    assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")


@pytest.mark.parametrize("name", ["..", ".jobs", "a b", "ledger.sqlite", "x" * 65, "-a"])
def test_a_corpus_cannot_be_called_what_leads_elsewhere(house: House, client: httpx.Client, name: str) -> None:
    made = client.post("/v1/corpora", json={"name": name})
    assert made.status_code == 422
    place = quote(name, safe="").replace(".", "%2E")
    assert add(client, to=place).status_code in (404, 422)
    assert client.delete(f"/v1/corpora/{place}").status_code in (404, 405, 422)
    assert left(house) == []
    assert [path.name for path in house.home.parent.iterdir()] == ["indexes"]


def test_a_text_that_cannot_be_read_is_listed_with_its_reason_and_the_rest_is_taken(
    client: httpx.Client, wait_until: Wait
) -> None:
    job = ended(client, add(client, {"id": "blank", "text": "  \n"}, TEXT), wait_until)
    assert (job["state"], job["result"]["added"]) == ("done", 1)
    assert job["result"]["failed"] == [{"source": "upload:blank", "reason": "is empty"}]


def test_a_job_of_which_nothing_can_be_read_has_failed_and_makes_no_corpus(
    client: httpx.Client, wait_until: Wait
) -> None:
    job = ended(client, add(client, {"id": "blank", "text": "  \n"}), wait_until)
    assert (job["state"], job["error"]["type"]) == ("failed", "/problems/unreadable-file")
    assert "is empty" in job["error"]["detail"]
    assert client.get("/v1/corpora/port").status_code == 404


def test_past_the_most_that_wait_an_upload_is_refused_with_when_to_come_again(house: House, wait_until: Wait) -> None:
    gate = Gate()
    house.embedder, house.queue = gate, 1
    with served(house.app()) as client:
        first = add(client)
        wait_until(gate.waiting.is_set)
        second, third = add(client, to="port"), add(client, to="forest")
        assert (second.status_code, third.status_code) == (202, 503)
        assert (third.headers["retry-after"], third.json()["type"]) == ("10", "/problems/queue-full")
        gate.open.set()
        assert ended(client, first, wait_until)["state"] == ended(client, second, wait_until)["state"] == "done"


def test_a_corpus_that_a_job_writes_is_not_changed_beside_it(house: House, wait_until: Wait) -> None:
    corpus(house.home)
    gate = Gate()
    house.embedder = gate
    with served(house.app()) as client:
        job = add(client)
        wait_until(gate.waiting.is_set)
        for place in ("/v1/corpora/port", "/v1/corpora/port/documents/harbour"):
            reply = client.delete(place)
            assert (reply.status_code, reply.headers["retry-after"]) == (409, "5")
        gate.open.set()
        assert ended(client, job, wait_until)["state"] == "done"
        assert client.delete("/v1/corpora/port/documents/harbour").status_code == 204


def test_a_job_waits_for_a_command_that_writes_its_corpus(house: House, client: httpx.Client, wait_until: Wait) -> None:
    corpus(house.home)
    with only_writer(house.home / "port"):
        job = add(client)
        wait_until(lambda: "is being written" in (client.get(job.headers["location"]).json()["note"] or ""))
    assert ended(client, job, wait_until)["state"] == "done"


def test_what_was_accepted_is_done_after_a_restart(house: House, wait_until: Wait) -> None:
    gate = Gate()
    house.embedder = gate
    with served(house.app()) as client:
        running, queued = add(client), add(client, {"id": "b", "text": "The pilot is Ann Vik."})
        wait_until(gate.waiting.is_set)
        opened = threading.Timer(0.2, gate.open.set)  # while the service ends
        opened.start()
    opened.join()
    with served(house.app()) as client:
        assert [ended(client, one, wait_until)["state"] for one in (running, queued)] == ["done", "done"]
        assert client.get("/v1/corpora/port").json()["documents"] == 2


def test_deleting_a_corpus_cancels_what_waits_for_it(house: House, client: httpx.Client, wait_until: Wait) -> None:
    corpus(house.home)
    folder = house.home / ".jobs"
    folder.mkdir()
    with only_writer(folder):  # as a process that works in this one's place
        job = add(client)
        assert client.delete("/v1/corpora/port").status_code == 204
    assert ended(client, job, wait_until)["state"] == "cancelled"
    assert client.get("/v1/corpora/port").status_code == 404


def test_a_caller_reaches_their_own_corpora_and_jobs_and_no_others(house: House, wait_until: Wait) -> None:
    corpus(house.home, "port")
    corpus(house.home, "forest")
    house.access = Callers(
        {
            "a": Caller("a", frozenset({"port"}), writes=True),
            "b": Caller("b", frozenset({"forest", "port"}), writes=False),
        }
    )
    a, b = {"Authorization": "Bearer a"}, {"Authorization": "Bearer b"}
    with served(house.app()) as client:
        assert [one["name"] for one in client.get("/v1/corpora", headers=a).json()["corpora"]] == ["port"]
        for verb, place in (
            ("GET", "/v1/corpora/forest"),
            ("DELETE", "/v1/corpora/forest"),
            ("GET", "/v1/corpora/forest/documents"),
            ("GET", "/v1/corpora/forest/documents/forest"),
            ("DELETE", "/v1/corpora/forest/documents/forest"),
        ):
            reply = client.request(verb, place, headers=a)
            assert (reply.status_code, reply.json()["type"]) == (404, "/problems/unknown-corpus"), place
        assert add(client, to="forest", **a).status_code == 404
        assert client.post("/v1/corpora", json={"name": "forest"}, headers=a).status_code == 404
        job = add(client, **a)
        place = job.headers["location"]
        wait_until(lambda: client.get(place, headers=a).json()["state"] == "done")
        assert [client.request(verb, place, headers=b).status_code for verb in ("GET", "DELETE")] == [404, 404]
        assert client.get("/v1/jobs", headers=b).json()["jobs"] == []
        assert len(client.get("/v1/jobs", headers=a).json()["jobs"]) == 1
        writes = [
            add(client, **b),
            client.post("/v1/corpora", json={"name": "port"}, headers=b),
            client.delete("/v1/corpora/forest", headers=b),
            client.delete("/v1/corpora/forest/documents/forest", headers=b),
        ]
        assert [reply.status_code for reply in writes] == [403] * 4


def test_a_job_is_cancelled_over_http(house: House, wait_until: Wait) -> None:
    gate = Gate()
    house.embedder = gate
    with served(house.app()) as client:
        running, queued = add(client), add(client)
        wait_until(gate.waiting.is_set)
        assert client.delete(queued.headers["location"]).json()["state"] == "cancelled"
        assert client.delete(running.headers["location"]).json()["state"] == "running"
        gate.open.set()
        assert ended(client, running, wait_until)["state"] == "cancelled"
        assert client.get("/v1/jobs/nope").status_code == 404
