"""What questions took, over HTTP: by group, within days, and to each key its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from service import NIGHT, WHO, House, corpus, served

from selfroute.ledger import By
from selfroute.server.access import Caller

pytestmark = pytest.mark.end_to_end


class ByBearer:
    """Whoever shows a token is the key of that name."""

    async def admit(self, bearer: str | None) -> Caller:
        return Caller(bearer)


@pytest.fixture
def client(home: Path) -> Iterator[httpx.Client]:
    corpus(home)
    corpus(home, "second")
    with served(House(home, access=ByBearer()).app()) as client:
        yield client


def ask(client: httpx.Client, question: str, corpus: str = "port", key: str | None = None) -> httpx.Response:
    return client.post("/v1/ask", json={"question": question, "corpus": corpus}, headers=shown(key))


def shown(key: str | None) -> dict[str, str]:
    return {} if key is None else {"authorization": f"Bearer {key}"}


def told(client: httpx.Client, key: str | None = None, **query: str) -> dict[str, int]:
    reply = client.get("/v1/usage", params=query, headers=shown(key))
    assert reply.status_code == 200, reply.text
    return {row["key"]: row["questions"] for row in reply.json()["rows"]}


def test_usage_is_told_by_each_group_with_the_sums_of_the_answers(client: httpx.Client) -> None:
    answers = [ask(client, WHO).json(), ask(client, NIGHT, "second").json()]
    for group in By:
        reply = client.get("/v1/usage", params={"group": group.value}).json()
        assert reply["group"] == group.value
        read = sum(row["usage"]["input_tokens"] for row in reply["rows"])
        assert read == sum(a["totals"]["usage"]["input_tokens"] - a["totals"]["embedding_tokens"] for a in answers)
    assert told(client, group="corpus") == {"port": 1, "second": 1}
    assert told(client, group="corpus", corpus="port") == {"port": 1}
    assert told(client, group="corpus", corpus="nope") == {}


def test_from_and_to_are_days_and_both_are_included(client: httpx.Client, home: Path) -> None:
    ask(client, WHO)
    with sqlite3.connect(home / "ledger.sqlite") as ledger:
        ledger.execute("UPDATE questions SET asked_at = '2026-01-31T23:59:59.999+00:00'")
    ask(client, WHO)
    today = datetime.now(UTC).date().isoformat()
    assert told(client, **{"from": "2026-01-31", "to": "2026-01-31"}) == {"2026-01-31": 1}
    assert told(client, **{"from": "2026-02-01"}) == {today: 1}
    assert told(client, to="2026-01-30") == {}


@pytest.mark.parametrize(
    "query",
    [
        {"group": "colour"},
        {"from": "yesterday"},
        {"to": "2026-13-01"},
        {"to": "0"},
        {"from": "2026"},
        {"from": "2026-02-02", "to": "2026-02-01"},
    ],
)
def test_what_is_no_group_and_what_are_no_days_is_a_problem(client: httpx.Client, query: dict[str, str]) -> None:
    reply = client.get("/v1/usage", params=query)
    assert (reply.status_code, reply.headers["content-type"]) == (422, "application/problem+json")


def test_a_key_is_told_of_its_own_questions_and_no_others(client: httpx.Client) -> None:
    ask(client, WHO, key="mine")
    ask(client, WHO, key="yours")
    ask(client, NIGHT, "second", key="yours")
    assert told(client, "mine", group="key") == {"mine": 1}
    assert told(client, "mine", group="corpus") == {"port": 1}
    assert told(client, "mine", corpus="second") == {}
    assert told(client, group="key") == {"mine": 1, "yours": 2}
