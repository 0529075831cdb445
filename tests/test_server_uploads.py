"""Files over HTTP: what they are called is harmless, what is hostile is named, and nothing stays of what failed."""

from __future__ import annotations

import gzip
import io
import json
import os
import resource
import signal
import socket
import struct
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPResponse
from pathlib import Path

import httpx
import pytest
from commands import Command
from service import HARBOUR, WHO, Callers, House, ended, served

from selfroute.server.access import Caller

pytestmark = pytest.mark.end_to_end

Wait = Callable[[Callable[[], bool]], None]

PLACE = "/v1/corpora/port/documents"


@pytest.fixture
def house(home: Path) -> House:
    return House(home)


@pytest.fixture
def client(house: House) -> Iterator[httpx.Client]:
    with served(house.app()) as client:
        yield client


def send(client: httpx.Client, *files: tuple[str, bytes], **headers: str) -> httpx.Response:
    return client.post(PLACE, files=[("files", file) for file in files], headers=headers)


def form(*parts: tuple[bytes, bytes], end: bytes = b"--b--\r\n") -> tuple[bytes, dict[str, str]]:
    """A body with these headers' parts as they stand, and its own headers."""
    body = b"".join(b"--b\r\n" + head + b"\r\n\r\n" + content + b"\r\n" for head, content in parts) + end
    return body, {"content-type": "multipart/form-data; boundary=b"}


def raw(client: httpx.Client, filename: bytes, content: bytes = b"A text.") -> httpx.Response:
    body, headers = form((b'Content-Disposition: form-data; name="files"; filename="' + filename + b'"', content))
    return client.post(PLACE, content=body, headers=headers)


def ids(client: httpx.Client) -> list[str]:
    return [one["id"] for one in client.get(PLACE).json()["documents"]]


def spooled(house: House) -> list[Path]:
    spool = house.home / ".jobs" / "spool"
    return list(spool.iterdir()) if spool.exists() else []


def test_several_files_are_one_job_and_are_found_by_the_next_question(
    house: House, client: httpx.Client, wait_until: Wait
) -> None:
    job = ended(client, send(client, ("port.md", HARBOUR.encode()), ("forest.txt", b"Moose live there.")), wait_until)
    assert (job["state"], job["result"]["added"]) == ("done", 2)
    assert ids(client) == ["forest.txt", "port.md"]
    assert client.post("/v1/ask", json={"question": WHO, "corpus": "port"}).json()["answer"] == "Olof Berg"
    wait_until(lambda: spooled(house) == [])


def test_two_uploads_of_one_name_are_one_document(client: httpx.Client, wait_until: Wait) -> None:
    ended(client, send(client, ("port.md", b"The quay is long.")), wait_until)
    job = ended(client, send(client, ("port.md", b"The quay is short.")), wait_until)
    assert (job["result"]["updated"], ids(client)) == (1, ["port.md"])
    assert client.get(f"{PLACE}/port.md").json()["text"] == "The quay is short."


@pytest.mark.parametrize(
    ("sent", "id_"),
    [
        (b"../../etc/passwd.txt", "passwd.txt"),
        (b"/etc/cron.d/job.md", "job.md"),
        (b"C:\\\\Users\\\\ann\\\\notes.md", "notes.md"),
        (b"..\\\\..\\\\notes.md", "notes.md"),
        (b"\\\\\\\\server\\\\share\\\\notes.md", "notes.md"),
        ("Grüße 漢字.md".encode(), "Grüße 漢字.md"),
        ("e\u0301te\u0301.md".encode(), "été.md"),
        ("漢字\u3000 1\u00a02.md".encode(), "漢字\u3000 1\u00a02.md"),
        (b"CON.txt", "CON.txt"),
        (b".hidden.md", ".hidden.md"),
        (b"a b#c?%d.md", "a b#c?%d.md"),
        (b"x" * 252 + b".md", "x" * 252 + ".md"),
        (b"  spaced.md ", "spaced.md"),
    ],
)
def test_a_name_is_taken_without_its_path_and_never_as_a_place(
    house: House, client: httpx.Client, wait_until: Wait, sent: bytes, id_: str
) -> None:
    assert ended(client, raw(client, sent), wait_until)["state"] == "done"
    assert ids(client) == [id_]
    assert {path.name for path in house.home.parent.iterdir()} == {"indexes"}
    assert {path.name.split(".")[0] or path.name for path in house.home.iterdir()} == {".jobs", "ledger", "port"}


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"..",
        b"folder/",
        b" ",
        b"a\0b.md",
        b"a\tb.md",
        b"\xff.md",
        b"x" * 260 + b".md",
        "a\u202etxt.md".encode(),
        "a\u200b.md".encode(),
        "a\u2028.md".encode(),
    ],
)
def test_a_name_that_names_no_file_is_refused(untouched: House, refusing: httpx.Client, sent: bytes) -> None:
    reply = raw(refusing, sent)
    assert (reply.status_code, reply.json()["type"]) == (422, "/problems/unusable-upload")
    assert spooled(untouched) == []


def test_two_files_of_one_name_in_one_upload_are_refused(house: House, client: httpx.Client) -> None:
    reply = send(client, ("a/x.md", b"One."), ("b/x.md", b"Two."))
    assert (reply.status_code, spooled(house)) == (422, [])
    assert "two files are called 'x.md'" in reply.json()["detail"]


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        (*form(), "no file"),
        (*form((b'Content-Disposition: form-data; name="note"', b"hello")), "'note' is no file"),
        (*form((b"X: y", b"hello")), "is no file"),
        (*form((b'Content-Disposition: form-data; filename="a.md"', b"hello"), end=b""), "cut off"),
        (b"nonsense", {"content-type": "multipart/form-data; boundary=b"}, "is no multipart form"),
        (b"nonsense", {"content-type": "multipart/form-data"}, "no boundary"),
        (*form((b'Content-Disposition: form-data; filename="' + b"x" * 9000 + b'"', b"a")), ""),
    ],
)
def test_a_form_that_is_none_is_refused(
    untouched: House, refusing: httpx.Client, body: bytes, headers: dict[str, str], reason: str
) -> None:
    reply = refusing.post(PLACE, content=body, headers=headers)
    assert (reply.status_code, reply.json()["type"]) == (422, "/problems/unusable-upload")
    assert reason in reply.json()["detail"]
    assert spooled(untouched) == []


@pytest.mark.parametrize("encoding", [b"base64", b"Quoted-Printable", b""])
def test_a_file_in_a_transfer_encoding_is_refused(house: House, client: httpx.Client, encoding: bytes) -> None:
    head = b'Content-Disposition: form-data; name="files"; filename="a.txt"\r\nContent-Transfer-Encoding: ' + encoding
    body, headers = form((head, b"VGhlIHF1YXkgaXMgbG9uZy4="))
    reply = client.post(PLACE, content=body, headers=headers)
    assert (reply.status_code, reply.json()["type"]) == (422, "/problems/unusable-upload")
    assert f"{encoding.decode()!r}: send its bytes as they are" in reply.json()["detail"]
    assert spooled(house) == []


@pytest.mark.parametrize("encoding", [b"binary", b"8BIT", b"7bit"])
def test_a_file_that_is_said_to_come_as_it_is_is_taken(client: httpx.Client, wait_until: Wait, encoding: bytes) -> None:
    head = b'Content-Disposition: form-data; name="files"; filename="a.txt"\r\ncontent-transfer-encoding: ' + encoding
    body, headers = form((head, b"The quay is long."))
    assert ended(client, client.post(PLACE, content=body, headers=headers), wait_until)["state"] == "done"
    assert client.get(f"{PLACE}/a.txt").json()["text"] == "The quay is long."


def test_files_of_kinds_that_are_not_known_and_damaged_ones_are_listed_with_their_reasons(
    client: httpx.Client, wait_until: Wait
) -> None:
    files = [("a.exe", b"MZ"), ("b.docx", b"PK\x03\x04torn"), ("c.pdf", b"%PDF-torn"), ("d", b"A"), ("e.md", b"Text.")]
    job = ended(client, send(client, *files), wait_until)
    assert (job["state"], job["result"]["added"]) == ("done", 1)
    reasons = {one["source"]: one["reason"] for one in job["result"]["failed"]}
    assert reasons.keys() == {"upload:a.exe", "upload:b.docx", "upload:c.pdf", "upload:d"}
    assert "files .exe are not supported" in reasons["upload:a.exe"]
    assert "is broken" in reasons["upload:b.docx"]


def test_a_line_whose_id_clients_would_take_out_of_an_address_is_listed_with_its_reason(
    client: httpx.Client, wait_until: Wait
) -> None:
    lines = b"".join(json.dumps({"id": id_, "text": "A text."}).encode() + b"\n" for id_ in ("..", "a/../b", "a..b"))
    job = ended(client, send(client, ("some.jsonl", lines)), wait_until)
    assert (job["state"], ids(client)) == ("done", ["a..b"])
    reasons = {one["source"]: one["reason"] for one in job["result"]["failed"]}
    assert reasons.keys() == {"upload:some.jsonl:1", "upload:some.jsonl:2"}
    assert "its 'id' cannot be '..'" in reasons["upload:some.jsonl:1"]
    assert "leave it out" in reasons["upload:some.jsonl:2"]


@pytest.mark.parametrize(
    ("name", "part"), [("bomb.docx", "word/document.xml"), ("bomb.epub", "META-INF/container.xml")]
)
def test_an_archive_that_unpacks_to_far_more_than_it_is_is_not_read(
    client: httpx.Client, wait_until: Wait, name: str, part: str
) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(part, "w") as file:
        for _ in range(300):
            file.write(bytes(2**20))
    assert len(made.getvalue()) < 500_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    job = ended(client, send(client, (name, made.getvalue())), wait_until)
    assert job["state"] == "failed"
    assert "unpacks to more than 256 MB" in job["error"]["detail"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024


def test_an_archive_that_lies_about_its_size_is_not_read(client: httpx.Client, wait_until: Wait) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", bytes(2**20))
    content = made.getvalue().replace(struct.pack("<I", 2**20), struct.pack("<I", 10))
    job = ended(client, send(client, ("bomb.docx", content)), wait_until)
    assert job["state"] == "failed"
    assert "is broken" in job["error"]["detail"]


def test_a_compressed_body_is_what_it_is_and_not_unpacked(client: httpx.Client) -> None:
    body, headers = form((b'Content-Disposition: form-data; filename="a.md"', b"hello"))
    reply = client.post(PLACE, content=gzip.compress(body), headers={**headers, "content-encoding": "gzip"})
    assert reply.status_code == 422


@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_that_is_too_large_is_refused_and_leaves_nothing(
    house: House, client: httpx.Client, chunked: bool
) -> None:
    body, headers = form((b'Content-Disposition: form-data; filename="a.md"', b"x" * 1_000_000))
    pieces = iter([body[:600_000], body[600_000:]])
    reply = client.post(PLACE, content=pieces if chunked else body, headers=headers)
    assert (reply.status_code, spooled(house)) == (413, [])
    assert "server.upload_bytes" in reply.json()["detail"]


def test_an_upload_may_be_larger_than_other_bodies(house: House, wait_until: Wait) -> None:
    house.body_bytes = 2000
    with served(house.app()) as client:
        text = b"The quay is long.\n" * 1000
        assert ended(client, send(client, ("a.md", text)), wait_until)["state"] == "done"
        sent = {"documents": [{"id": "a", "text": text.decode()}]}
        assert client.post(PLACE, json=sent).status_code == 413
        assert client.post("/v1/ask", files={"files": ("a.md", text)}).status_code == 413


def test_too_many_files_are_refused(house: House) -> None:
    house.upload_files = 2
    with served(house.app()) as client:
        sent = [(f"{n}.md", b"Text.") for n in range(3)]
        assert (send(client, *sent).status_code, spooled(house)) == (413, [])
        reply = client.post(PLACE, json={"documents": [{"id": name, "text": "Text."} for name, _ in sent]})
        assert (reply.status_code, "server.upload_files" in reply.json()["detail"]) == (413, True)


def test_one_upload_with_one_key_is_taken_once(client: httpx.Client, wait_until: Wait) -> None:
    key = {"Idempotency-Key": "k-1"}
    first, again = send(client, ("a.md", b"Text."), **key), send(client, ("a.md", b"Text."), **key)
    assert again.json()["id"] == first.json()["id"]
    assert send(client, ("a.md", b"Other."), **key).status_code == 422
    assert send(client, ("b.md", b"Text."), **key).status_code == 422
    ended(client, first, wait_until)


def test_an_upload_that_is_cut_off_leaves_nothing(house: House, client: httpx.Client, wait_until: Wait) -> None:
    body, headers = form((b'Content-Disposition: form-data; filename="a.md"', b"x" * 100_000))
    head = f"POST {PLACE} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {headers['content-type']}\r\n"
    address = (client.base_url.host, client.base_url.port)
    with socket.create_connection(address) as connection:
        connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body[:50_000])
        wait_until(lambda: any(path.stat().st_size for folder in spooled(house) for path in folder.glob("0*")))
    wait_until(lambda: spooled(house) == [])
    assert client.get("/v1/jobs").json()["jobs"] == []
    assert client.get("/healthz").status_code == 200


def test_past_the_most_that_are_received_an_upload_is_refused_with_when_to_come_again(
    house: House, wait_until: Wait
) -> None:
    house.receiving = 1
    with served(house.app()) as client:
        head = f"POST {PLACE} HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=b\r\n"
        with socket.create_connection((client.base_url.host, client.base_url.port)) as connection:
            connection.sendall(f"{head}content-length: 1000\r\n\r\n--b".encode())
            wait_until(lambda: spooled(house) != [])
            reply = send(client, ("a.md", b"Text."))
            assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")
            assert reply.json()["type"] == "/problems/receiving-most"
        wait_until(lambda: spooled(house) == [])
        assert ended(client, send(client, ("a.md", b"Text.")), wait_until)["state"] == "done"


def stalled(client: httpx.Client, stack: ExitStack, key: str = "none") -> socket.socket:
    """An upload that has begun and does not go on."""
    head = f"POST {PLACE} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n"
    head += "content-type: multipart/form-data; boundary=b\r\ncontent-length: 1000\r\n\r\n--b"
    address = (client.base_url.host, client.base_url.port)
    connection = stack.enter_context(socket.create_connection(address, timeout=30))
    connection.sendall(head.encode())
    return connection


def test_uploads_that_stall_are_ended_and_do_not_keep_others_out(house: House, wait_until: Wait) -> None:
    house.upload_idle = 1
    with served(house.app()) as client, ExitStack() as stack:
        connections = [stalled(client, stack) for _ in range(house.receiving)]
        for connection in connections:
            reply = HTTPResponse(connection)
            reply.begin()
            problem = json.load(reply)
            assert (reply.status, problem["type"]) == (408, "/problems/request-timeout")
            assert "came for 1 seconds: send it again" in problem["detail"]
            assert connection.recv(1) == b""  # what would come later is no request of its own
        assert spooled(house) == []
        assert ended(client, send(client, ("a.md", b"Text.")), wait_until)["state"] == "done"
        assert "408" in client.get("/openapi.json").json()["paths"]["/v1/corpora/{name}/documents"]["post"]["responses"]


def test_an_upload_that_takes_long_but_goes_on_is_taken(house: House, wait_until: Wait) -> None:
    house.upload_idle = 1
    body, headers = form((b'Content-Disposition: form-data; filename="a.md"', b"The quay is long. " * 4))

    def pieces() -> Iterator[bytes]:
        for at in range(0, len(body), 40):
            yield body[at : at + 40]
            time.sleep(0.4)

    with served(house.app()) as client:
        assert ended(client, client.post(PLACE, content=pieces(), headers=headers), wait_until)["state"] == "done"


def test_one_key_cannot_take_all_places_for_uploads(house: House, wait_until: Wait) -> None:
    house.receiving = 4
    house.access = Callers({name: Caller(name, writes=True) for name in ("one", "two")})
    with served(house.app()) as client, ExitStack() as stack:
        for _ in range(2):
            stalled(client, stack, "one")
        wait_until(lambda: len(spooled(house)) == 2)
        reply = send(client, ("a.md", b"Text."), authorization="Bearer one")
        assert (reply.status_code, reply.json()["type"]) == (503, "/problems/receiving-most")
        assert "2 uploads of this key" in reply.json()["detail"]
        assert send(client, ("a.md", b"Text."), authorization="Bearer two").status_code == 202


def test_a_large_upload_is_never_in_memory(house: House, wait_until: Wait) -> None:
    house.upload_bytes = 200 * 2**20
    with served(house.app()) as client:
        body = b'--b\r\nContent-Disposition: form-data; filename="a.exe"\r\n\r\n'
        size = 100

        def pieces() -> Iterator[bytes]:
            yield body
            for _ in range(size):
                yield bytes(2**20)
            yield b"\r\n--b--\r\n"

        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        job = client.post(PLACE, content=pieces(), headers={"content-type": "multipart/form-data; boundary=b"})
        assert ended(client, job, wait_until)["state"] == "failed"
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024


def serving(home: Path) -> Command:
    """The service as a process of its own, on a free port that its first line tells."""
    return Command("serve", "--port", "0", SELFROUTE_HOME=str(home), SELFROUTE_EMBEDDER__KIND="hashing")


def client_of(process: Command) -> httpx.Client:
    """Of a service that has just been started."""
    assert process.stdout is not None
    return httpx.Client(base_url=process.stdout.readline().split()[2], timeout=60, trust_env=False)


def test_a_disk_that_is_full_is_told_and_the_next_upload_is_taken(home: Path, wait_until: Wait) -> None:
    with serving(home) as process, client_of(process) as client:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (200_000, 200_000))
        reply = send(client, ("large.md", b"x" * 300_000))
        assert (reply.status_code, reply.json()["type"]) == (503, "/problems/home-not-writable")
        assert "its log says what" in reply.json()["detail"]
        assert list((home / ".jobs" / "spool").iterdir()) == []
        assert ended(client, send(client, ("small.md", b"The quay is long.")), wait_until)["state"] == "done"


MANY = b"".join(b'{"id": "%d", "text": "%s"}\n' % (n, b"The quay is long. " * 60) for n in range(500))


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_an_upload_that_was_accepted_is_found_after_the_process_ended(
    home: Path, wait_until: Wait, end: signal.Signals
) -> None:
    with serving(home) as process, client_of(process) as client:
        job = send(client, ("many.jsonl", MANY))
        assert job.status_code == 202
        place = job.headers["location"]
        wait_until(lambda: client.get(place).json()["progress"]["done"] > 0)
        assert client.get(place).json()["state"] == "running"
        process.send_signal(end)
        process.wait()
    with serving(home) as process, client_of(process) as client:
        assert ended(client, job, wait_until)["state"] == "done"
        assert client.get("/v1/corpora/port").json()["documents"] == 500
        wait_until(lambda: os.listdir(home / ".jobs" / "spool") == [])
