"""The tools over HTTP, called by the official client: what they give, who may call them, and what is refused."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("mcp", reason="needs the extra mcp")
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from service import ABSENT, KNOWN, NIGHT, WHO, House, corpus, served

from selfroute.errors import NotAdmitted
from selfroute.readers.scripted import KnowingReader
from selfroute.server.access import Caller

pytestmark = pytest.mark.end_to_end


@pytest.fixture
def house(home: Path) -> House:
    corpus(home)
    return House(home, mcp=True)


@asynccontextmanager
async def tools_of(http: httpx.Client, key: str | None = None, mode: str = "auto") -> Any:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30, trust_env=False) as web,
        Client(streamable_http_client(f"{http.base_url}/mcp", http_client=web), mode=mode) as client,
    ):
        yield client


def with_tools(house: House, use: Callable[[Any], Awaitable[Any]], key: str | None = None, mode: str = "auto") -> Any:
    """What `use` makes of a client of the house's tools."""

    async def used(http: httpx.Client) -> Any:
        async with tools_of(http, key, mode) as client:
            return await use(client)

    with served(house.app()) as http:
        return asyncio.run(used(http))


def call(house: House, tool: str, **arguments: object) -> Any:
    return with_tools(house, lambda client: client.call_tool(tool, arguments))


def test_the_tools_are_listed_with_what_they_take(house: House) -> None:
    async def used(client: Any) -> Any:
        return client.protocol_version, client.instructions, (await client.list_tools()).tools

    revision, instructions, tools = with_tools(house, used)
    assert revision == "2026-07-28"
    assert "`status`" in instructions
    assert [tool.name for tool in tools] == ["search", "ask", "status"]
    assert tools[1].input_schema["required"] == ["question", "corpus"]
    assert "citations" in tools[1].description
    assert all(tool.annotations.read_only_hint for tool in tools)


def test_clients_of_the_revision_with_a_handshake_are_answered_too(house: House) -> None:
    asked = with_tools(
        house, lambda client: client.call_tool("ask", {"question": WHO, "corpus": "port"}), mode="legacy"
    )
    assert asked.structured_content["answer"] == "Olof Berg"


def test_search_gives_passages_with_scores_and_places_and_reads_nothing(house: House) -> None:
    found = call(house, "search", query="night work in writing", corpus="port", k=2, documents=["harbour"])
    first, second = found.structured_content["chunks"]
    assert {first["document"], second["document"]} == {"harbour"}
    assert first["score"] > second["score"]
    assert "Night work is approved in writing." in first["text"]
    assert f"harbour, characters {first['start']} to {first['end']}, score" in found.content[0].text
    assert _asked(house) == []


def test_ask_gives_the_answer_with_its_sources_and_its_account(house: House) -> None:
    asked = call(house, "ask", question=WHO, corpus="port")
    answer = asked.structured_content
    assert not asked.is_error
    assert (answer["answer"], answer["outcome"], answer["route"]) == ("Olof Berg", "answered", "rag")
    assert answer["totals"]["usage"]["input_tokens"] == sum(one["usage"]["input_tokens"] for one in answer["calls"])
    assert asked.content[0].text.startswith("Olof Berg\n\nharbour, characters")
    assert [row[0] for row in _asked(house)] == [answer["id"]]


def test_ask_says_in_words_that_there_is_no_answer(house: House) -> None:
    asked = call(house, "ask", question=ABSENT, corpus="port")
    assert asked.content[0].text == "What was read of the documents does not answer this question."
    assert asked.structured_content["answer"] is None


def test_status_tells_corpora_and_whether_they_are_ready(house: House) -> None:
    (house.home / "torn").mkdir()
    corpus(house.home, "torn")
    (house.home / "torn" / "manifest.json").write_text("{")
    status = call(house, "status").structured_content
    port, torn = status["corpora"]
    assert (port["name"], port["documents"], port["ready"], port["problem"]) == ("port", 2, True, None)
    assert (torn["name"], torn["ready"]) == ("torn", False)
    assert "damaged" in torn["problem"]
    assert "self_route" in status["policies"]


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("ask", {"question": WHO, "corpus": "nope"}, "no corpus 'nope'"),
        ("ask", {"question": " ", "corpus": "port"}, "the question is empty"),
        ("ask", {"question": WHO, "corpus": "port", "policy": "nope"}, "no policy 'nope'"),
        ("ask", {"question": WHO, "corpus": "port", "colour": "red"}, "colour: Extra inputs"),
        ("ask", {"question": "x" * 1001, "corpus": "port"}, "too large"),
        ("search", {"query": "x" * 1001, "corpus": "port"}, "too large"),
        ("search", {"query": WHO, "corpus": "../port"}, "cannot name a corpus"),
        ("search", {"query": WHO, "corpus": "port", "documents": ["nope"]}, "no document 'nope'"),
        ("search", {"corpus": "port"}, "query: Field required"),
    ],
)
def test_what_cannot_be_done_is_said_to_the_model(
    house: House, tool: str, arguments: dict[str, object], reason: str
) -> None:
    refused = call(house, tool, **arguments)
    assert refused.is_error
    assert reason in refused.content[0].text


def test_a_tool_that_is_not_there_is_refused_with_those_that_are(house: House) -> None:
    async def used(client: Any) -> None:
        with pytest.raises(MCPError, match="have: search, ask, status"):
            await client.call_tool("answer", {})

    with_tools(house, used)


def test_what_fails_unforeseen_is_told_without_its_words(house: House) -> None:
    house.reader = KnowingReader(KNOWN, fails=frozenset({WHO}))
    failed = call(house, "ask", question=WHO, corpus="port")
    assert failed.is_error
    assert failed.content[0].text == "the service failed: its log says why"


class Keyed:
    """One key, which may ask one corpus."""

    async def admit(self, bearer: str | None) -> Caller:
        if bearer != "right":
            raise NotAdmitted("no such key was made")
        return Caller("one", frozenset({"wood"}))


def test_a_key_is_asked_for_and_opens_its_corpora_alone(house: House) -> None:
    corpus(house.home, "wood", {"forest": "The forest has tall pines."})
    house.access = Keyed()

    async def used(client: Any) -> list[Any]:
        calls = [("status", {}), *(("search", {"query": "pines", "corpus": one}) for one in ("wood", "port"))]
        calls.append(("ask", {"question": WHO, "corpus": "port"}))
        return [await client.call_tool(name, arguments) for name, arguments in calls]

    status, wood, port, asked = with_tools(house, used, key="right")
    assert [one["name"] for one in status.structured_content["corpora"]] == ["wood"]
    assert wood.structured_content["chunks"]
    assert port.is_error
    assert asked.is_error
    assert "no corpus 'port'; have: wood" in port.content[0].text


def test_without_its_key_nothing_is_answered_and_the_status_says_so(house: House) -> None:
    house.access = Keyed()
    with served(house.app()) as http:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic right"}):
            reply = http.post("/mcp", headers=headers, json={})
            assert (reply.status_code, reply.json()["type"]) == (401, "/problems/not-admitted")


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
def test_without_keys_a_web_page_under_another_name_is_turned_away(house: House, headers: dict[str, str]) -> None:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accept = {"Accept": "application/json, text/event-stream"}
    with served(house.app()) as http:
        turned_away = http.post("/mcp", json=asked, headers={**accept, **headers})
        taken = http.post("/mcp", json=asked, headers={**accept, "Origin": f"{http.base_url}"})
        house.access = Keyed()
    with served(house.app()) as http:
        keyed = http.post("/mcp", json=asked, headers={**accept, **headers, "Authorization": "Bearer right"})
    assert turned_away.status_code == 403
    assert (taken.status_code, keyed.status_code) == (200, 200)


def test_the_path_takes_what_is_posted_alone_and_no_more_than_a_body_may_be(house: House) -> None:
    with served(house.app()) as http:
        assert http.get("/mcp").status_code == 405
        assert http.post("/mcp", content=b"x" * 100_001).status_code == 413


def test_a_client_that_leaves_ends_its_question(house: House, wait_until: Callable[[Callable[[], bool]], None]) -> None:
    house.reader = KnowingReader(KNOWN, seconds=30)
    app = house.app()

    async def used(http: httpx.Client) -> None:
        async with tools_of(http) as client:
            asking = asyncio.create_task(client.call_tool("ask", {"question": NIGHT, "corpus": "port"}))
            await asyncio.to_thread(wait_until, lambda: bool(_asked(house)))
            asking.cancel()
            await asyncio.wait({asking})
            await asyncio.to_thread(wait_until, lambda: app.state.parts.desk.asking == 0)

    with served(app) as http:
        asyncio.run(used(http))
    [row] = _asked(house)
    assert row[1].startswith("CancelledError")


def _asked(house: House) -> list[tuple[str, str]]:
    return sqlite3.connect(house.home / "ledger.sqlite").execute("SELECT id, error FROM questions").fetchall()


def test_an_empty_corpus_is_told_with_the_request_that_fills_it(house: House, caplog: pytest.LogCaptureFixture) -> None:
    async def asked(http: httpx.Client) -> Any:
        async with tools_of(http) as client:
            return await client.call_tool("ask", {"question": WHO, "corpus": "e1"})

    with served(house.app()) as http:
        http.post("/v1/corpora", json={"name": "e1"})
        told = asyncio.run(asked(http))
    assert told.is_error
    assert told.content[0].text == ("corpus 'e1' holds no documents: add some with POST /v1/corpora/e1/documents first")
    assert "the tool ask failed" not in caplog.text
