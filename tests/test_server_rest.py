"""Questions over HTTP: the same answers as from the engine, errors as problems, and all of it on record."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from service import ABSENT, HARBOUR, KNOWN, NIGHT, WHO, House, Slow, corpus, events, left, served

from selfroute.embedders import BATCH
from selfroute.readers.scripted import KnowingReader

pytestmark = pytest.mark.end_to_end


@pytest.fixture
def house(home: Path) -> House:
    corpus(home)
    return House(home)


@pytest.fixture
def client(house: House) -> Iterator[httpx.Client]:
    with served(house.app()) as client:
        yield client


def test_a_question_is_answered_with_its_whole_account(client: httpx.Client) -> None:
    reply = client.post("/v1/ask", json={"question": WHO, "corpus": "port"})
    answer = reply.json()
    assert (reply.status_code, answer["answer"], answer["route"]) == (200, "Olof Berg", "rag")
    assert [call["stage"] for call in answer["calls"]] == ["embed", "read_chunks"]
    assert reply.headers["x-selfroute-question"] == answer["id"]
    tokens = answer["totals"]["usage"]
    assert reply.headers["x-litellm-total-tokens"] == str(tokens["input_tokens"] + tokens["output_tokens"])
    assert reply.headers["x-litellm-response-cost"] == answer["totals"]["cost"]


def test_a_text_that_comes_with_the_question_is_asked_in_place_of_a_corpus(client: httpx.Client) -> None:
    reply = client.post("/v1/ask", json={"question": WHO, "text": "The harbour master is Olof Berg."})
    assert reply.json()["answer"] == "Olof Berg"


def test_a_stream_tells_steps_calls_text_and_citations_and_ends_with_the_answer(client: httpx.Client) -> None:
    with client.stream("POST", "/v1/ask", json={"question": WHO, "corpus": "port", "stream": True}) as reply:
        told = events(list(reply.iter_lines()))
    names = [name for name, _ in told]
    answer = json.loads(told[-1][1])
    assert names[0] == "step"
    assert names[-1] == "done"
    assert "".join(json.loads(data)["text"] for name, data in told if name == "delta") == answer["answer"]
    assert [json.loads(data) for name, data in told if name == "citation"] == answer["citations"]
    assert reply.headers["x-selfroute-question"] == answer["id"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("change", "status", "kind"),
    [
        ({"corpus": "nope"}, 404, "unknown-corpus"),
        ({"documents": ["nope"]}, 404, "unknown-document"),
        ({"policy": "nope"}, 422, "unknown-policy"),
        ({"question": " "}, 422, "empty-question"),
        ({"question": "x" * 1001}, 413, "too-large"),
        ({"corpus": "../port"}, 422, "invalid-name"),
        ({"colour": "red"}, 422, "invalid-request"),
        ({"text": "both"}, 422, "invalid-request"),
        ({"corpus": None, "text": " \n"}, 422, "invalid-request"),
        ({"k": 0}, 422, "invalid-request"),
    ],
)
def test_what_cannot_be_asked_is_a_problem_before_anything_is_sent(
    shared: httpx.Client, stream: bool, change: dict[str, object], status: int, kind: str
) -> None:
    reply = shared.post("/v1/ask", json={"question": WHO, "corpus": "port", "stream": stream, **change})
    problem = reply.json()
    assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")
    assert (problem["status"], problem["type"]) == (status, f"/problems/{kind}")
    assert problem["detail"]


def test_a_body_that_is_too_large_is_refused(client: httpx.Client) -> None:
    reply = client.post("/v1/ask", json={"question": WHO, "text": "x" * 100_001})
    assert (reply.status_code, reply.headers["content-type"]) == (413, "application/problem+json")
    assert "server.body_bytes" in reply.json()["detail"]


def test_past_the_most_in_flight_a_question_is_refused_with_when_to_come_again(
    house: House, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    house.in_flight, house.reader = 1, KnowingReader(KNOWN, seconds=30)
    app = house.app()
    with served(app) as client:
        first = client.stream("POST", "/v1/ask", json={"question": WHO, "corpus": "port", "stream": True})
        with first:
            wait_until(lambda: app.state.parts.desk.asking == 1)
            second = client.post("/v1/ask", json={"question": NIGHT, "corpus": "port"})
        assert (second.status_code, second.headers["retry-after"]) == (503, "1")
        wait_until(lambda: app.state.parts.desk.asking == 0)


def test_a_client_that_leaves_ends_its_question_and_what_it_took_is_on_record(
    house: House, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    house.reader = KnowingReader(KNOWN, seconds=30)
    app = house.app()
    ledger = sqlite3.connect(house.home / "ledger.sqlite")
    with served(app) as client:
        with left(client, "/v1/ask", {"question": WHO, "corpus": "port"}):
            wait_until(lambda: len(ledger.execute("SELECT id FROM questions").fetchall()) == 1)
        wait_until(lambda: app.state.parts.desk.asking == 0)
    [row] = ledger.execute("SELECT error FROM questions").fetchall()
    assert row[0].startswith("CancelledError")


def test_a_text_whose_asker_leaves_is_given_up_and_counts_until_its_thread_has_ended(
    house: House, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    house.in_flight, house.body_bytes = 1, 1_000_000
    house.asking = slow = Slow()
    app = house.app()
    sent = {"question": WHO, "text": f"{HARBOUR}\n\n" * 5000, "policy": "always_rag"}
    whole = 3 * 5000 // BATCH  # batches, of three chunks each time
    with served(app) as client:
        with left(client, "/v1/ask", sent):
            wait_until(slow.waiting.is_set)
        assert client.post("/v1/ask", json=sent).status_code == 503
        assert app.state.parts.desk.asking == 1
        slow.open.set()
        wait_until(lambda: app.state.parts.desk.asking == 0)
        assert len(slow.asked) < whole / 2  # when the service hears of the leaving is its system's affair
        assert client.post("/v1/ask", json={**sent, "text": HARBOUR}).json()["answer"] == "Olof Berg"
    [(error,)] = sqlite3.connect(house.home / "ledger.sqlite").execute(
        "SELECT error FROM questions WHERE error IS NOT NULL"
    )
    assert error.startswith("CancelledError")


def test_a_text_that_takes_longer_than_its_deadline_is_given_up(
    house: House, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    house.body_bytes = 1_000_000
    house.asking = slow = Slow()
    sent = {"question": WHO, "text": f"{HARBOUR}\n\n" * 500, "policy": "always_rag", "deadline": 2}
    with served(house.app()) as client, ThreadPoolExecutor(1) as pool:
        asking = pool.submit(client.post, "/v1/ask", json=sent)
        wait_until(slow.waiting.is_set)
        with pytest.raises(TimeoutError):
            asking.result(2.5)  # past its deadline, its thread has not ended
        slow.open.set()
        reply = asking.result(30)
    assert (reply.status_code, reply.json()["type"]) == (504, "/problems/deadline-exceeded")
    assert slow.asked == [BATCH]


def test_a_text_longer_than_the_settings_take_is_refused(house: House) -> None:
    house.text_chars = len(HARBOUR)
    with served(house.app()) as client:
        sent = {"question": WHO, "text": HARBOUR}
        assert client.post("/v1/ask", json=sent).json()["answer"] == "Olof Berg"
        reply = client.post("/v1/ask", json={**sent, "text": HARBOUR + "."})
    assert (reply.status_code, reply.json()["type"]) == (413, "/problems/too-large")
    assert "server.text_chars" in reply.json()["detail"]


def test_what_was_asked_is_on_record_and_takes_feedback(client: httpx.Client) -> None:
    asked = client.post("/v1/ask", json={"question": ABSENT, "corpus": "port"}).json()
    said = client.post(f"/v1/questions/{asked['id']}/feedback", json={"verdict": "wrong", "better_answer": "41"})
    record = client.get(f"/v1/questions/{asked['id']}").json()
    assert said.status_code == 201
    assert record["answer"] == asked
    assert record["calls"] == asked["calls"]
    assert record["feedback"] == [said.json()]
    assert (said.json()["verdict"], said.json()["better_answer"]) == ("wrong", "41")


@pytest.mark.parametrize("path", ["/v1/questions/nope", "/v1/questions/nope/feedback"])
def test_a_question_that_is_not_there_is_not_found(client: httpx.Client, path: str) -> None:
    verb = client.post if path.endswith("feedback") else client.get
    reply = verb(path, **({"json": {"verdict": "right"}} if path.endswith("feedback") else {}))
    assert (reply.status_code, reply.json()["type"]) == (404, "/problems/unknown-question")


def test_a_method_that_is_not_done_at_a_path_is_told_all_that_are(client: httpx.Client) -> None:
    reply = client.put("/v1/corpora/port")
    assert (reply.status_code, reply.headers["allow"]) == (405, "DELETE, GET")
    assert "PUT is not done here, but DELETE, GET" in reply.json()["detail"]


@pytest.mark.parametrize("path", ["/v1/ask", "/v1/chat/completions"])
@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"{,", "no JSON: Expecting property name enclosed in double quotes at line 1, column 2"),
        (b'{"question":\n "x', "no JSON: Unterminated string starting at line 2, column 2"),
        (b'{"question": "\xff"}', "not UTF-8 from its byte 15 on: send it in UTF-8"),
        (b"[" * 50_000, "nests too deeply: send fewer lists and objects within each other"),
        (b'{"k": ' + b"1" * 5000 + b"}", "holds a number of too many digits: send such a number as a text"),
    ],
    ids=lambda value: value[:10] if isinstance(value, str) else "",
)
def test_what_cannot_be_read_as_json_is_told_of_as_the_whole_body_with_the_reason(
    client: httpx.Client, path: str, sent: bytes, reason: str
) -> None:
    reply = client.post(path, content=sent, headers={"content-type": "application/json"})
    told = reply.json()
    if path == "/v1/ask":
        assert (reply.status_code, told["detail"]) == (422, f"the body: {reason}")
        assert told["errors"] == [{"field": None, "reason": reason}]
    else:
        error = told["error"]
        assert (reply.status_code, error["message"], error["param"]) == (400, f"the body: {reason}", None)
        assert error["code"] == "invalid_request"


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", None])
@pytest.mark.parametrize(
    "path",
    ["/v1/ask", "/v1/corpora", "/v1/evaluations", "/v1/questions/x/feedback", "/v1/chat/completions", "/v1/responses"],
)
def test_a_body_that_is_not_called_json_is_told_what_to_be_called(
    shared: httpx.Client, path: str, kind: str | None
) -> None:
    reply = shared.post(path, content=b'{"question": "x"}', headers={} if kind is None else {"Content-Type": kind})
    told = reply.json()
    said = told["error"]["message"] if "error" in told else told["detail"]
    assert (reply.status_code, said) == (415, "send the body as JSON, under 'Content-Type: application/json'")
    described = shared.get("/openapi.json").json()["paths"][path.replace("/x/", "/{id}/")]["post"]["responses"]
    assert {"415", "4XX"} & described.keys()


def test_without_a_body_nothing_is_said_of_its_type(client: httpx.Client) -> None:
    reply = client.post("/v1/ask")
    assert (reply.status_code, reply.json()["detail"]) == (422, "the body: Field required")
