"""The log: lines of JSON with a question's id and account, without its text unless asked for, and never with a key."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from commands import Command
from service import ABSENT, KNOWN, WHO, House, Slow, corpus, left, served
from test_server_accounts import ByBearer

from selfroute.errors import EndpointFailed, KeyRejected
from selfroute.readers.scripted import KnowingReader, ScriptedReader, fails
from selfroute.server.access import Anybody
from selfroute.server.logs import JsonLines, QuestionLog, RequestLog

pytestmark = pytest.mark.end_to_end

Wait = Callable[[Callable[[], bool]], None]

SECRET = "sk-verysecretverysecret"


class Lines(logging.Handler):
    """What the formatter makes of all that is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonLines())
        self.written: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.written.append(self.format(record))

    def of(self, logger: str) -> list[dict[str, Any]]:
        told = map(json.loads, self.written)
        return [line for line in told if line["logger"] == logger]


@pytest.fixture
def lines() -> Iterator[Lines]:
    lines, ours = Lines(), logging.getLogger("selfroute")
    ours.addHandler(lines)
    ours.setLevel(logging.INFO)
    yield lines
    ours.removeHandler(lines)
    ours.setLevel(logging.NOTSET)


def house(home: Path, text: bool = False) -> House:
    corpus(home)
    return House(home, observers=(QuestionLog(text),), access=ByBearer())


def ask(client: httpx.Client, question: str = WHO, **more: object) -> httpx.Response:
    sent = {"question": question, "corpus": "port", **more}
    return client.post("/v1/ask", json=sent, headers={"authorization": "Bearer key-7"})


@pytest.mark.parametrize("stream", [False, True])
def test_a_question_is_one_line_with_its_account_and_without_its_text(home: Path, lines: Lines, stream: bool) -> None:
    with served(house(home).app()) as client:
        reply = ask(client, stream=stream)
        id_ = reply.headers["x-selfroute-question"]
        answer = client.get(f"/v1/questions/{id_}", headers={"authorization": "Bearer key-7"}).json()["answer"]
    [line] = lines.of("selfroute.questions")
    assert (line["level"], line["question"], line["key"], line["corpus"]) == ("info", id_, "key-7", "port")
    assert (line["policy"], line["route"], line["outcome"]) == ("self_route", "rag", "answered")
    assert line["input_tokens"] == answer["totals"]["usage"]["input_tokens"]
    assert (line["calls"], line["cost"]) == (2, answer["totals"]["cost"])
    assert line["seconds"] > 0
    assert WHO not in "".join(lines.written)
    assert "Olof" not in "".join(lines.written)


def test_a_request_is_one_line_with_its_status_its_key_and_its_question(home: Path, lines: Lines) -> None:
    with served(house(home).app()) as client:
        reply = ask(client)
        client.get("/v1/usage", params={"corpus": "secret-query"})
        for path in ("/healthz", "/readyz", "/metrics", "/nowhere"):
            client.get(path)
    asked, usage, nowhere = lines.of("selfroute.requests")
    assert (asked["method"], asked["path"], asked["status"], asked["key"]) == ("POST", "/v1/ask", 200, "key-7")
    assert asked["question"] == reply.headers["x-selfroute-question"]
    assert (usage["path"], usage["status"], usage["question"]) == ("/v1/usage", 200, None)
    assert (nowhere["path"], nowhere["status"]) == ("/nowhere", 404)
    assert "secret-query" not in "".join(lines.written)


def test_with_log_text_a_questions_line_holds_it_and_its_answer(home: Path, lines: Lines) -> None:
    with served(house(home, text=True).app()) as client:
        ask(client)
        ask(client, ABSENT)
    answered, declined = lines.of("selfroute.questions")
    assert (answered["text"], answered["answer"]) == (WHO, "Olof Berg")
    assert (declined["text"], declined["answer"]) == (ABSENT, None)


def test_a_failure_tells_its_kind_and_what_to_do_and_not_what_a_server_repeats(home: Path, lines: Lines) -> None:
    made = house(home)
    made.reader = ScriptedReader([fails(EndpointFailed("stub", f"you sent: {WHO}", status=500))])
    with served(made.app()) as client:
        assert ask(client).status_code == 502
        assert ask(client, corpus="nope").status_code == 404
    failed, refused = lines.of("selfroute.questions")
    assert (failed["level"], failed["error"]) == ("warning", "EndpointFailed")
    assert failed["reason"] == f"status 500: {EndpointFailed.remedy}"
    assert (failed["outcome"], failed["calls"]) == (None, 2)
    assert (refused["error"], refused["reason"]) == ("UnknownCorpus", "no corpus 'nope'; have: port")
    assert WHO not in "".join(lines.written)


@pytest.mark.parametrize(
    "sent",
    [
        {"policy": "my diagnosis is"},
        {"corpus": "my diagnosis is"},
        {"documents": ["x" * 300 + " my diagnosis is"]},
        {"policy": "x" * 65},
    ],
)
def test_what_users_write_in_place_of_names_is_not_logged(home: Path, lines: Lines, sent: dict[str, object]) -> None:
    with served(house(home).app()) as client:
        assert ask(client, **sent).status_code in (404, 422)
        client.get("/v1/" + "y" * 1000)
    written = lines.of("selfroute.questions") + lines.of("selfroute.requests")
    assert all("diagnosis" not in str((line.get("corpus"), line.get("policy"))) for line in written)
    assert all(len(line.get("reason", "")) <= 203 for line in written)
    assert all(len(line.get("path", "")) <= 203 for line in written)
    assert all(len(line) < 1000 for line in lines.written)


def test_no_line_holds_a_key(home: Path, lines: Lines) -> None:
    made = house(home, text=True)
    made.reader = ScriptedReader([fails(KeyRejected("stub", f"the key {SECRET} is wrong", status=401))])
    with served(made.app()) as client:
        ask(client, f"Is {SECRET} my key?")
        client.get(f"/v1/{SECRET}")
    try:
        raise ValueError(f"Bearer {SECRET}")
    except ValueError:
        logging.getLogger("selfroute.other").exception("failed with %s", SECRET)
    assert len(lines.written) == 4
    assert SECRET not in "".join(lines.written)
    assert "ValueError" in lines.of("selfroute.other")[0]["exception"]


def test_a_failure_of_ours_is_a_line_with_status_500(home: Path, lines: Lines) -> None:
    made = house(home)
    made.reader = KnowingReader(KNOWN, fails=frozenset([WHO]))
    with served(made.app()) as client:
        assert ask(client).status_code == 500
    [line] = lines.of("selfroute.requests")
    assert (line["status"], line["level"]) == (500, "warning")


@pytest.mark.parametrize("more", [{}, {"stream": True, "max_cost": 1}])
@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/v1/ask", {"question": WHO, "corpus": "port"}),
        ("/v1/chat/completions", {"model": "self_route@port", "messages": [{"role": "user", "content": WHO}]}),
        ("/v1/responses", {"model": "self_route@port", "input": WHO}),
    ],
)
def test_a_client_that_leaves_is_one_line_of_status_499_and_no_traceback(
    home: Path, lines: Lines, wait_until: Wait, path: str, sent: dict[str, Any], more: dict[str, Any]
) -> None:
    """A stream that may cost only so much says nothing before its first call."""
    made = house(home)
    made.access, made.asking = Anybody(), Slow()
    options = {"selfroute": {"max_cost": 1}, "stream": True} if more and path != "/v1/ask" else more
    server = Lines()
    logging.getLogger("uvicorn").addHandler(server)
    try:
        with served(made.app()) as client:
            with left(client, path, {**sent, **options}):
                wait_until(made.asking.waiting.is_set)
            wait_until(lambda: len(lines.of("selfroute.requests")) == 1)
            made.asking.open.set()
            told = client.get("/metrics").text
            [line] = lines.of("selfroute.requests")
            recorded = client.get(f"/v1/questions/{line['question']}").json()
    finally:
        made.asking.open.set()
        logging.getLogger("uvicorn").removeHandler(server)
    [asked] = lines.of("selfroute.questions")
    assert (line["status"], line["level"], line["path"]) == (499, "info", path)
    assert (asked["level"], asked["message"], asked["error"]) == ("info", "question cancelled", "CancelledError")
    assert 'selfroute_question_failures_total{kind="CancelledError",policy="self_route"} 1.0' in told
    assert recorded["error"].startswith("CancelledError")
    assert not [one for one in (*lines.written, *server.written) if "exception" in json.loads(one)]


@pytest.mark.parametrize("path", ["/v1/ask", "/v1/corpora/port/documents"])
def test_a_client_that_leaves_before_all_of_its_request_has_come_is_a_line_of_status_499(
    home: Path, lines: Lines, wait_until: Wait, path: str
) -> None:
    made = house(home)
    made.access = Anybody()
    server = Lines()
    logging.getLogger("uvicorn").addHandler(server)
    try:
        with served(made.app()) as client:
            head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            with socket.create_connection((client.base_url.host, client.base_url.port or 80)) as connection:
                connection.sendall(f"{head}content-length: 100\r\n\r\n{{".encode())
            wait_until(lambda: len(lines.of("selfroute.requests")) == 1)
    finally:
        logging.getLogger("uvicorn").removeHandler(server)
    [line] = lines.of("selfroute.requests")
    assert (line["status"], line["level"]) == (499, "info")
    assert not [one for one in (*lines.written, *server.written) if "exception" in json.loads(one)]


def test_a_client_that_leaves_within_a_stream_that_began_keeps_the_status_that_it_was_told(
    home: Path, lines: Lines, wait_until: Wait
) -> None:
    made = house(home)
    made.reader = KnowingReader(KNOWN, seconds=30)
    key = {"authorization": "Bearer key-7"}
    with served(made.app()) as client:
        sent = {"question": WHO, "corpus": "port", "stream": True}
        with client.stream("POST", "/v1/ask", json=sent, headers=key) as reply:
            next(reply.iter_lines())
        wait_until(lambda: len(lines.of("selfroute.requests")) == 1)
    [line] = lines.of("selfroute.requests")
    [asked] = lines.of("selfroute.questions")
    assert (line["status"], line["level"]) == (200, "info")
    assert (asked["message"], asked["error"]) == ("question cancelled", "CancelledError")


def test_a_request_that_the_service_itself_cuts_off_is_no_client_that_left(home: Path, lines: Lines) -> None:
    async def stopped() -> None:
        began = asyncio.Event()

        async def app(*_: object) -> None:
            began.set()
            await asyncio.Event().wait()

        async def nothing(*_: object) -> Any:
            return {"type": "http.request"}

        scope = {"type": "http", "method": "POST", "path": "/v1/ask"}
        running = asyncio.ensure_future(RequestLog(app)(scope, nothing, nothing))
        await began.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(stopped())
    [line] = lines.of("selfroute.requests")
    assert (line["status"], line["level"]) == (500, "warning")


def test_what_the_server_itself_has_to_say_stands_in_lines_of_json_on_standard_error(tmp_path: Path) -> None:
    """The command as a user runs it; a request that is no HTTP is uvicorn's to complain of."""
    with Command("serve", "--port", "0", folder=tmp_path) as child:
        assert child.stdout is not None
        url = child.stdout.readline().split()[2]
        host, _, port = url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as raw:
            raw.sendall(b"this is no HTTP\r\n\r\n")
            assert b"400" in raw.recv(1000)
        assert httpx.post(f"{url}/v1/ask", json={"question": WHO, "corpus": "nope"}, trust_env=False).status_code == 404
        child.terminate()
        _, told = child.communicate()
    written = [json.loads(line) for line in told.splitlines()]
    loggers = {line["logger"] for line in written}
    assert {"uvicorn.error", "selfroute.questions", "selfroute.requests"} <= loggers
    assert "Invalid HTTP request received." in [line["message"] for line in written]
    assert WHO not in told
