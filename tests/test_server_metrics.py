"""What Prometheus is told, as its own parser reads it from a running service."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from service import ABSENT, KNOWN, WHO, House, corpus, served

from selfroute.errors import EndpointFailed
from selfroute.readers.scripted import KnowingReader, ScriptedReader, answers, fails
from selfroute.types import Usage

pytestmark = pytest.mark.end_to_end


@pytest.fixture
def house(home: Path) -> House:
    corpus(home)
    return House(home)


def scraped(client: httpx.Client) -> dict[str, float]:
    reply = client.get("/metrics")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/plain; version=")
    return {
        f"{sample.name}{{{','.join(f'{k}={v}' for k, v in sorted(sample.labels.items()))}}}": sample.value
        for family in text_string_to_metric_families(reply.text)
        for sample in family.samples
    }


def ask(client: httpx.Client, question: str, **more: object) -> httpx.Response:
    return client.post("/v1/ask", json={"question": question, "corpus": "port", **more})


def test_questions_are_counted_by_policy_route_and_outcome(
    house: House, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    with served(house.app()) as client:
        ask(client, WHO)
        ask(client, ABSENT)
        ask(client, WHO, policy="always_long", stream=True)
        wait_until(lambda: scraped(client).get("selfroute_question_seconds_count{policy=always_long}") == 1)
        told = scraped(client)
    counted = {name: value for name, value in told.items() if name.startswith("selfroute_questions_total")}
    assert counted == {
        "selfroute_questions_total{outcome=answered,policy=self_route,route=rag}": 1,
        "selfroute_questions_total{outcome=insufficient,policy=self_route,route=long_context}": 1,
        "selfroute_questions_total{outcome=answered,policy=always_long,route=long_context}": 1,
    }
    assert told["selfroute_question_seconds_count{policy=self_route}"] == 2
    assert told["selfroute_step_seconds_count{step=retrieve}"] == 3
    assert told["selfroute_step_seconds_count{step=read_chunks}"] == 2
    assert told["selfroute_step_seconds_count{step=read_documents}"] == 2


def test_tokens_and_costs_are_those_of_the_answers(house: House) -> None:
    with served(house.app()) as client:
        made = [ask(client, question).json() for question in (WHO, ABSENT)]
        told = scraped(client)
    calls = [call for answer in made for call in answer["calls"]]
    for stage in ("embed", "read_chunks", "read_documents"):
        of_stage = [call for call in calls if call["stage"] == stage]
        model = of_stage[0]["model"]
        for kind in Usage.__dataclass_fields__:
            name = f"selfroute_tokens_total{{kind={kind.removesuffix('_tokens')},model={model},stage={stage}}}"
            assert told[name] == sum(call["usage"][kind] for call in of_stage)
        cost = told[f"selfroute_cost_dollars_total{{model={model},stage={stage}}}"]
        assert cost == pytest.approx(float(sum(Decimal(call["cost"]) for call in of_stage)))
        assert told[f"selfroute_calls_total{{model={model},stage={stage},status=ok}}"] == len(of_stage)


def test_failures_are_counted_by_kind_and_what_a_client_makes_up_is_no_label(house: House) -> None:
    house.reader = ScriptedReader([fails(EndpointFailed("stub", "no"))])
    with served(house.app()) as client:
        ask(client, WHO)
        ask(client, WHO, policy="made-up-policy")
        ask(client, WHO, corpus="made-up-corpus")
        told = scraped(client)
    assert told["selfroute_question_failures_total{kind=EndpointFailed,policy=self_route}"] == 1
    assert told["selfroute_question_failures_total{kind=UnknownPolicy,policy=unknown}"] == 1
    assert told["selfroute_question_failures_total{kind=UnknownCorpus,policy=self_route}"] == 1
    assert told["selfroute_calls_total{model=scripted,stage=read_chunks,status=failed}"] == 1
    assert "made-up" not in "".join(told)
    assert "port" not in "".join(told)


def test_a_call_of_unknown_cost_is_counted_and_costs_nothing_that_is_told(house: House) -> None:
    house.reader = ScriptedReader([answers("Olof Berg")], model="unpriced")
    with served(house.app()) as client:
        ask(client, WHO)
        told = scraped(client)
    assert told["selfroute_unpriced_calls_total{model=unpriced}"] == 1
    assert not any(name.startswith("selfroute_cost") and "unpriced" in name for name in told)


def test_questions_in_flight_are_told_while_they_are(
    house: House, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    house.reader = KnowingReader(KNOWN, seconds=30)
    with served(house.app()) as client:
        with client.stream("POST", "/v1/ask", json={"question": WHO, "corpus": "port", "stream": True}):
            assert scraped(client)["selfroute_questions_in_flight{}"] == 1
        wait_until(lambda: scraped(client)["selfroute_questions_in_flight{}"] == 0)
        assert scraped(client)["selfroute_question_failures_total{kind=CancelledError,policy=self_route}"] == 1


def test_two_services_in_one_process_count_for_themselves(house: House) -> None:
    with served(house.app()) as one, served(house.app()) as other:
        ask(one, WHO)
        assert any(name.startswith("selfroute_questions_total") for name in scraped(one))
        assert not any(name.startswith("selfroute_questions_total") for name in scraped(other))


def test_names_follow_the_convention_and_openmetrics_is_told_to_who_accepts_it(house: House) -> None:
    with served(house.app()) as client:
        ask(client, WHO)
        reply = client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
        assert reply.headers["content-type"].startswith("application/openmetrics-text")
    names = [family.name for family in openmetrics(reply.text)]
    assert names
    assert all(name.startswith("selfroute_") for name in names)
