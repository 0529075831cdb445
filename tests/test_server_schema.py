"""The service against its own description: whatever may be sent by it is answered as it says, and never by a fault."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

pytest.importorskip("schemathesis", reason="makes requests from the description")
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import settings
from schemathesis.checks import CheckContext, not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.specs.openapi import checks
from service import HARBOUR, NIGHT, WHO, House, corpus, ended, served

from selfroute.server.access import KeyAccess
from selfroute.server.app import ROUTERS
from selfroute.server.keyring import NAME, Grants, Keyring

pytestmark = [pytest.mark.end_to_end, pytest.mark.slow]

EXAMPLES = 40
"""Requests made at random to each operation, beside those at the limits of what it takes."""


def no_fault(context: CheckContext, response: Response, case: Any) -> bool | None:
    """No 5xx, but for a question that was not answered within the seconds that it said itself."""
    if response.status_code == 504 and b"was not answered within" in response.content and "deadline" in str(case.body):
        return None
    return not_a_server_error(context, response, case)


CHECKS = [
    no_fault,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.unsupported_method,
    checks.allow_header_conformance,
    checks.ignored_auth,
]
"""Whether what fits a schema is taken, and what does not is refused, is not among them: no schema says which names
there are, that a question must have words, or that a body has the length that the settings allow."""

PLACES = {
    ("/v1/questions/", "id"): "THE-QUESTION",
    ("/v1/jobs/", "id"): "THE-JOB",
    ("/v1/evaluations/", "id"): "THE-EVALUATION",
    ("/v1/corpora/", "name"): "port",
    ("/v1/corpora/", "id"): "harbour",
    ("/v1/models/", "model"): "self_route@port",
}
"""What there is, by the path and the parameter that name it. Ids that are not known before stand in capitals."""

RECORD = {"_id": "1", "input": NIGHT, "context": HARBOUR, "answers": ["in writing"], "dataset": "made"}
SAID = {"role": "user", "content": WHO}
FIELDS: dict[tuple[str, str], object] = {
    ("AskSent", "question"): WHO,
    ("AskSent", "corpus"): "port",
    ("AskSent", "policy"): "self_route",
    ("AskSent", "documents"): ["harbour"],
    ("AskSent", "deadline"): 60,
    ("OptionsSent", "deadline"): 60,
    ("OptionsSent", "documents"): ["harbour"],
    ("ChatSent", "model"): "self_route@port",
    ("ChatSent", "messages"): [SAID],
    ("ResponseSent", "model"): "always_long@port",
    ("ResponseSent", "input"): WHO,
    ("EvaluationSent", "records"): [RECORD],
    ("EvaluationSent", "datasets"): [],
    ("EvaluationSent", "policies"): ["always_rag"],
}
"""What can be asked, by the kind of body and its field."""

DELETED = {
    "/v1/corpora/{name}": {"port": "spare"},
    "/v1/corpora/{name}/documents/{id}": {"harbour": "forest"},
}
"""What is deleted in place of what other requests need."""


def described() -> dict[str, Any]:
    """The description, with what there is among the values that parameters and fields may have: words made at random
    name nothing, and would be told so."""
    app = FastAPI(title="selfroute", version="0")
    for router in ROUTERS:
        app.include_router(router)
    told = copy.deepcopy(app.openapi())
    for path, operations in told["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                for (start, name), there in PLACES.items():
                    if path.startswith(start) and parameter["in"] == "path" and parameter["name"] == name:
                        parameter["schema"] = _or(there, parameter["schema"])
    for (kind, field), there in FIELDS.items():
        fields = told["components"]["schemas"][kind]["properties"]
        fields[field] = _or(there, fields[field])
    asked = told["components"]["schemas"]["AskSent"]
    body = told["paths"]["/v1/ask"]["post"]["requestBody"]["content"]["application/json"]
    body["schema"] = {"anyOf": [_without(asked, "text"), _without(asked, "corpus", "documents")]}
    return told


def _or(there: object, schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [{"const": there}, schema], "examples": [there]}


def _without(schema: dict[str, Any], *fields: str) -> dict[str, Any]:
    kept = {name: one for name, one in schema["properties"].items() if name not in fields}
    return {**schema, "properties": kept, "required": [*schema["required"], *{"text", "corpus"} - {*fields}]}


schema = schemathesis.openapi.from_dict(described())


@dataclass(frozen=True)
class Running:
    url: str
    session: requests.Session
    ids: Mapping[str, str]


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, wait_until: Callable[[Callable[[], bool]], None]
) -> Iterator[Running]:
    """The service with a key that may all, a corpus, and a question, a job and an evaluation on record."""
    home = tmp_path_factory.mktemp("schema") / "indexes"
    corpus(home)
    corpus(home, "spare")
    keyring = Keyring(home / NAME)
    token = keyring.create("all", Grants(may_write=True, may_audit=True))[1]
    house = House(home, access=KeyAccess(keyring), queue=1_000_000)
    with served(house.app()) as client, requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = client.headers["Authorization"] = f"Bearer {token}"

        def job(place: str, sent: object) -> str:
            id_: str = ended(client, client.post(place, json=sent), wait_until)["id"]
            return id_

        added = {"documents": [{"id": "a", "text": HARBOUR}]}
        ids = {
            "THE-QUESTION": client.post("/v1/ask", json={"question": WHO, "corpus": "port"}).json()["id"],
            "THE-JOB": ended(client, client.post("/v1/corpora/other/documents", json=added), wait_until)["id"],
            "THE-EVALUATION": ended(client, client.post("/v1/evaluations", json={"records": [RECORD]}), wait_until)[
                "id"
            ],
        }
        yield Running(str(client.base_url), session, ids)


@pytest.fixture
def answers() -> Iterator[Counter[int]]:
    """How often an operation answered by which status: a test that no request gets through proves nothing."""
    statuses: Counter[int] = Counter()
    yield statuses
    assert any(status < 300 for status in statuses), f"no request got through: {statuses}"


def test_what_is_tried_is_all_that_is_described(running: Running) -> None:
    told = running.session.get(f"{running.url}/openapi.json").json()
    there = {(verb, path) for path, operations in told["paths"].items() for verb in operations}
    assert {(one.ok().method, one.ok().path) for one in schema.get_all_operations()} == there


@schema.parametrize()
@settings(max_examples=EXAMPLES)
def test_whatever_is_sent_is_answered_as_described(case: Any, running: Running, answers: Counter[int]) -> None:
    there = DELETED.get(case.path, {}) if case.method == "DELETE" else {}
    named = {name: there.get(value, value) for name, value in case.path_parameters.items()}
    case.path_parameters = {name: running.ids.get(value, value) for name, value in named.items()}
    response = case.call(base_url=running.url, session=running.session)
    answers[response.status_code] += 1
    case.validate_response(response, checks=CHECKS)
