"""Whether a vLLM server's cache is on and told is found out, with the flag that turns it on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest
from stub_openai import Asked, Plan, StubOpenAI

from selfroute.endpoints.caches import cache_config
from selfroute.endpoints.checks import check_endpoint
from selfroute.endpoints.findings import Finding
from selfroute.endpoints.openai import OpenAIEndpoint, Options
from selfroute.tokens import tokenizer

pytestmark = pytest.mark.end_to_end

METRICS = """# HELP vllm:cache_config_info Information of the LLMEngine CacheConfig
# TYPE vllm:cache_config_info gauge
vllm:cache_config_info{block_size="16",cache_dtype="auto",enable_prefix_caching="ON",num_gpu_blocks="2048"} 1.0
"""


@pytest.fixture
def stub() -> Iterator[StubOpenAI]:
    def answer(asked: Asked) -> Plan:
        kept = 100 if asked.body["max_tokens"] == 1 and asked.number > 2 else 0
        return Plan(json.dumps({"answerable": True, "answer": "yes", "quotes": []}), cached=kept)

    with StubOpenAI(answer) as running:
        running.models = [{"id": "stub", "object": "model", "created": 0, "owned_by": "vllm", "max_model_len": 8192}]
        running.metrics = METRICS.replace("ON", "True")
        yield running


def found(stub: StubOpenAI) -> dict[str, Finding]:
    options = Options("small", stub.url, "stub", 8000, limit_field="max_tokens")
    return {one.name: one for one in asyncio.run(check_endpoint(OpenAIEndpoint(options, tokenizer("stub"))))}


def test_a_cache_that_is_on_and_told_is_fine(stub: StubOpenAI) -> None:
    findings = found(stub)
    assert findings["prefix cache"] == Finding("prefix cache", True, "is on, with room for 32,768 tokens")
    assert findings["cached tokens"].fine
    assert "100 of the" in findings["cached tokens"].said


def test_a_cache_that_is_off_is_found_with_the_flag_that_turns_it_on(stub: StubOpenAI) -> None:
    stub.metrics = METRICS.replace("ON", "False")
    findings = found(stub)
    assert (findings["prefix cache"].fine, findings["prefix cache"].todo) == (
        False,
        "start it with --enable-prefix-caching",
    )
    assert "cached tokens" not in findings


def test_a_cache_that_is_not_told_is_found_with_the_flag_that_tells_it(stub: StubOpenAI) -> None:
    stub.answer = lambda asked: Plan(json.dumps({"answerable": True, "answer": "yes", "quotes": []}))
    finding = found(stub)["cached tokens"]
    assert (finding.fine, finding.todo) == (False, "start it with --enable-prompt-tokens-details")


def test_a_server_without_metrics_is_asked_all_the_same(stub: StubOpenAI) -> None:
    stub.metrics = None
    findings = found(stub)
    assert findings["prefix cache"].fine is None
    assert findings["cached tokens"].fine


def test_a_server_that_is_not_vllm_is_spared_the_two_readings(stub: StubOpenAI) -> None:
    stub.models = [{"id": "stub", "object": "model", "created": 0, "owned_by": "x"}]
    assert not found(stub).keys() & {"prefix cache", "cached tokens"}
    assert len(stub.asked) == 1


def test_metrics_of_another_kind_tell_nothing() -> None:
    assert cache_config("# nothing of ours\nprocess_cpu_seconds_total 3.0\n") == {}
    assert cache_config(METRICS)["block_size"] == "16"
