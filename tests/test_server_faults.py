"""What a service must survive: nothing recorded is lost, nothing hangs, and the next question works.

A process of its own, `selfroute serve`, in front of a server that stands in for a provider.
"""

from __future__ import annotations

import json
import resource
import signal
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from commands import Command
from service import HARBOUR, NIGHT, WHO, corpus, events
from stub_openai import Asked, Plan, StubOpenAI

from selfroute.index.upkeep import Corpora

pytestmark = pytest.mark.end_to_end

Wait = Callable[[Callable[[], bool]], None]

CONFIG = """
home: {home}
embedder: {{kind: hashing}}
chunking: {{tokens: 60}}
reader: {{kind: chat, chunks: small, window: 6000}}
endpoints:
  small: {{base_url: {url}, model: small, window: 8000, max_output_tokens: 500, stream: {stream}, retries: 0,
          tokenizer: o200k_base}}
prices:
  small: {{input: 1, output: 4}}
  hashing-64: {{input: 0, output: 0}}
server: {{port: 0, in_flight: 64, drain_seconds: {drain}}}
"""
BODY = {"question": WHO, "corpus": "port"}


@dataclass
class Served:
    """A service's process, a client of it, and its home."""

    process: Command
    client: httpx.Client
    home: Path

    def ask(self, question: str = WHO) -> httpx.Response:
        return self.client.post("/v1/ask", json={**BODY, "question": question})

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.home / "ledger.sqlite")) as connection:
            return connection.execute(statement).fetchall()


def knowing(asked: Asked) -> Plan:
    question = asked.prompt.rsplit("Question: ", 1)[1]
    known = {WHO: ("Olof Berg", "is Olof Berg"), NIGHT: ("in writing", "approved in writing")}
    answer, quote = known.get(question, ("", ""))
    return Plan(json.dumps({"answerable": bool(answer), "answer": answer, "quotes": [quote] if quote else []}))


@pytest.fixture
def stub() -> Iterator[StubOpenAI]:
    with StubOpenAI(knowing) as running:
        yield running


@pytest.fixture
def start(home: Path, tmp_path: Path, stub: StubOpenAI) -> Iterator[Callable[..., Served]]:
    corpus(home, texts={"harbour": HARBOUR})
    running: list[Served] = []

    def started(stream: bool = False, drain: int = 30) -> Served:
        config = tmp_path / "config.yaml"
        config.write_text(CONFIG.format(home=home, url=stub.url, stream=str(stream).lower(), drain=drain))
        process = Command("serve", "--config", str(config), folder=tmp_path)
        assert process.stdout is not None
        address = next(word for word in process.stdout.readline().split() if word.startswith("http"))
        running.append(Served(process, httpx.Client(base_url=address, timeout=60, trust_env=False), home))
        return running[-1]

    yield started
    for served in running:
        served.client.close()
        served.process.close()


def test_an_endpoint_that_dies_while_it_answers_is_told_and_the_next_question_works(
    start: Callable[..., Served], stub: StubOpenAI
) -> None:
    served = start(stream=True)
    stub.answer = lambda asked: replace(knowing(asked), breaks="within")
    with served.client.stream("POST", "/v1/ask", json={**BODY, "stream": True}) as reply:
        told = events(list(reply.iter_lines()))
    name, data = told[-1]
    assert (name, json.loads(data)["status"]) == ("error", 502)
    stub.answer = knowing
    assert served.ask().json()["answer"] == "Olof Berg"
    [(error,), (none,)] = served.rows("SELECT error FROM questions ORDER BY asked_at")
    assert str(error).startswith("EndpointUnreachable")
    assert none is None
    assert served.rows("SELECT count(*) FROM calls WHERE stage = 'read_chunks' AND error IS NOT NULL") == [(1,)]


def test_a_disk_that_fills_while_a_question_is_recorded_fails_it_clearly_and_no_other(
    start: Callable[..., Served],
) -> None:
    served = start()
    before = served.ask().json()
    limits = resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (1, limits[1]))
    refused = served.ask()
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/home-not-writable")
    resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, limits)
    after = served.ask().json()
    assert after["answer"] == "Olof Berg"
    for answer in (before, after):
        assert served.client.get(f"/v1/questions/{answer['id']}").json()["answer"] == answer


def test_an_index_that_is_replaced_while_questions_run_answers_from_the_old_or_the_new(
    start: Callable[..., Served], home: Path
) -> None:
    served = start()
    ended = threading.Event()

    def replacing() -> None:
        for number in range(8):
            corpus(home, texts={f"extra{number}": f"Berth {number} is closed."})
        ended.set()

    thread = threading.Thread(target=replacing)
    thread.start()
    replies = []
    with ThreadPoolExecutor(4) as pool:
        while not ended.is_set():
            replies += list(pool.map(lambda _: served.ask(), range(4)))
    thread.join()
    # Twice replaced during one question, it is refused and not answered from what is half there.
    assert {(r.status_code, r.json().get("type")) for r in replies} <= {(200, None), (503, "/problems/unusable-index")}
    assert {r.json()["answer"] for r in replies if r.status_code == 200} == {"Olof Berg"}
    assert served.ask().json()["answer"] == "Olof Berg"
    Corpora(home).delete_documents("port", ["harbour"])
    reply = served.client.post("/v1/ask", json={**BODY, "documents": ["harbour"]})
    assert reply.json()["type"] == "/problems/unknown-document"


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_ends_the_call_to_the_provider_and_its_question(
    start: Callable[..., Served], stub: StubOpenAI, wait_until: Wait, stream: bool
) -> None:
    served = start()
    stub.answer = lambda asked: Plan(stalls=True)
    with _sent(served, json.dumps({**BODY, "stream": stream})):
        wait_until(lambda: len(stub.stalled) == 1)
    wait_until(lambda: stub.gone == 1)
    wait_until(lambda: served.rows("SELECT count(*) FROM questions WHERE error LIKE 'CancelledError%'") == [(1,)])
    assert served.rows("SELECT count(*) FROM calls WHERE stage = 'read_chunks'") == [(1,)]
    stub.answer = knowing
    assert served.ask().json()["answer"] == "Olof Berg"


def test_terminated_with_32_in_flight_it_answers_and_records_all_of_them(
    start: Callable[..., Served], stub: StubOpenAI, wait_until: Wait
) -> None:
    served = start()
    stub.hold = 33
    with ThreadPoolExecutor(32) as pool:
        asking = [pool.submit(served.ask) for _ in range(32)]
        wait_until(lambda: stub.most_in_flight == 32)
        served.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not _takes_connections(served))
        httpx.post(
            f"{stub.url}/chat/completions",
            json={"model": "x", "messages": [{"role": "user", "content": "Question: x"}]},
        )
        replies = [one.result() for one in asking]
    assert {(reply.status_code, reply.json()["answer"]) for reply in replies} == {(200, "Olof Berg")}
    assert served.process.wait(30) in (0, 143)
    assert served.rows("SELECT outcome, error, count(*) FROM questions GROUP BY 1, 2") == [("answered", None, 32)]
    assert served.rows("SELECT count(*) FROM calls WHERE stage = 'read_chunks'") == [(32,)]


def test_questions_that_do_not_end_in_time_after_a_termination_are_cut_off_and_on_record(
    start: Callable[..., Served], stub: StubOpenAI, wait_until: Wait
) -> None:
    served = start(drain=1)
    stub.answer = lambda asked: Plan(stalls=True)
    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(served.ask) for _ in range(4)]
        wait_until(lambda: len(stub.stalled) == 4)
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(30) in (0, 143)
        for one in asking:
            assert one.exception() is not None or one.result().status_code >= 500
    assert served.rows("SELECT substr(error, 1, 14), count(*) FROM questions GROUP BY 1") == [("CancelledError", 4)]
    assert served.rows("SELECT count(*) FROM calls WHERE stage = 'read_chunks' AND error IS NOT NULL") == [(4,)]


def _takes_connections(served: Served) -> bool:
    try:
        _connected(served).close()
    except ConnectionRefusedError:
        return False
    return True


def _connected(served: Served) -> socket.socket:
    url = served.client.base_url
    return socket.create_connection((url.host, url.port or 80), timeout=10)


@contextmanager
def _sent(served: Served, body: str) -> Iterator[None]:
    """A question is sent; its client goes away as this is left."""
    head = "POST /v1/ask HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    with _connected(served) as connection:
        connection.sendall((head + body).encode())
        yield
