"""Without keys, pages of other sites reach nothing on this machine: neither by what forms can send, nor by a name that
was made to point here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from service import WHO, Callers, House, corpus, served

from selfroute.server.access import Caller

pytestmark = pytest.mark.end_to_end

EVIL = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1.evil.example:8000"},
    {"Origin": "http://localhost@evil.example"},
    {"Host": "evil.example:8000"},
    {"Host": "localhost.evil.example"},
    {"Host": "[::1"},
]


@pytest.fixture
def house(home: Path) -> House:
    corpus(home)
    return House(home)


@pytest.fixture
def client(house: House) -> Iterator[httpx.Client]:
    with served(house.app()) as client:
        yield client


@pytest.mark.parametrize("headers", EVIL)
def test_a_page_of_another_site_neither_writes_deletes_nor_reads(
    client: httpx.Client, house: House, headers: dict[str, str]
) -> None:
    place = "/v1/corpora/port"
    asked = json.dumps({"question": WHO, "corpus": "port"})
    replies = [
        client.post(f"{place}/documents", files={"files": ("a.txt", b"Evil.")}, headers=headers),
        client.post("/v1/ask", content=asked, headers={"Content-Type": "text/plain", **headers}),
        client.delete(place, headers=headers),
        client.get(f"{place}/documents/harbour", headers=headers),
        client.get("/v1/usage", headers=headers),
        client.get("/metrics", headers=headers),
        client.get("/v1/nowhere", headers=headers),
    ]
    told = {(reply.status_code, reply.json()["type"]) for reply in replies}
    assert told == {(403, "/problems/foreign-site")}
    assert client.post("/v1/chat/completions", json={}, headers=headers).json()["error"]["code"] == "foreign_site"
    assert client.get("/v1/jobs").json()["jobs"] == []
    assert client.get(place).json()["documents"] == 2


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
def test_pages_and_programs_of_this_machine_are_answered(client: httpx.Client, name: str) -> None:
    port = client.base_url.port
    for headers in ({"Host": f"{name}:{port}"}, {"Host": name, "Origin": f"http://{name}:{port}"}):
        assert client.get("/v1/corpora", headers=headers).status_code == 200


def test_with_a_key_names_and_pages_are_not_asked_about(house: House) -> None:
    house.access = Callers({"a": Caller("a")})
    with served(house.app()) as client:
        for headers in EVIL:
            reply = client.get("/v1/corpora", headers={**headers, "Authorization": "Bearer a"})
            assert reply.status_code == 200


def test_probers_are_answered_under_any_name(client: httpx.Client) -> None:
    assert client.get("/healthz", headers={"Host": "selfroute.internal"}).status_code == 200
