"""Spans: a tree a question by the GenAI conventions, in the client's trace, without text, and sent for real."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from service import KNOWN, WHO, House, corpus, served

pytest.importorskip("opentelemetry.sdk", reason="needs the extra 'telemetry'")
pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="needs the extra 'telemetry'")

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from selfroute import build_service, settings
from selfroute.errors import EndpointFailed
from selfroute.readers.scripted import KnowingReader, ScriptedReader, declines, fails
from selfroute.server.tracing import Tracing, exporting, flushed

pytestmark = pytest.mark.end_to_end

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def kept() -> InMemorySpanExporter:
    return InMemorySpanExporter()


def traced(home: Path, kept: InMemorySpanExporter, text: bool = False) -> House:
    corpus(home)
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    return House(home, observers=(Tracing(provider, {"scripted": "openai"}, text),), spans=provider)


def ask(client: httpx.Client, **more: object) -> httpx.Response:
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    return client.post("/v1/ask", json={"question": WHO, "corpus": "port", **more}, headers=headers)


def by_name(kept: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in kept.get_finished_spans()}


def parent(span: ReadableSpan) -> int:
    assert span.parent is not None
    return span.parent.span_id


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


def test_what_users_write_in_place_of_names_is_in_no_span(home: Path, kept: InMemorySpanExporter) -> None:
    with served(traced(home, kept).app()) as client:
        assert ask(client, policy="my diagnosis").status_code == 422
        assert ask(client, corpus="my diagnosis").status_code in (404, 422)
    told = [(span.name, dict(span.attributes or {})) for span in kept.get_finished_spans()]
    assert "invoke_workflow unknown" in [name for name, _ in told]
    assert "diagnosis" not in str(told)


@pytest.mark.parametrize("stream", [False, True])
def test_a_question_is_a_tree_of_spans_in_the_clients_trace(
    home: Path, kept: InMemorySpanExporter, stream: bool
) -> None:
    house = traced(home, kept)
    house.reader = ScriptedReader([declines(), declines()])
    with served(house.app()) as client:
        assert ask(client, stream=stream).status_code == 200
    spans = by_name(kept)
    request, question = spans["POST /v1/ask"], spans["invoke_workflow self_route"]
    assert {f"{span.context.trace_id:032x}" for span in spans.values() if span.context} == {TRACE}
    assert f"{parent(request):016x}" == PARENT
    assert parent(question) == id_of(request)
    for step in ("retrieve", "read_chunks", "read_documents"):
        assert parent(spans[step]) == id_of(question)
    calls = [span for span in kept.get_finished_spans() if span.name == "chat scripted"]
    assert [parent(call) for call in calls] == [id_of(spans["read_chunks"]), id_of(spans["read_documents"])]
    assert parent(spans["embeddings hashing-64"]) == id_of(spans["retrieve"])
    assert all((span.end_time or 0) >= (span.start_time or 0) > 0 for span in spans.values())


def test_spans_have_the_attributes_of_the_conventions_and_agree_with_the_answer(
    home: Path, kept: InMemorySpanExporter
) -> None:
    house = traced(home, kept)
    house.reader = KnowingReader(KNOWN, model="scripted")
    with served(house.app()) as client:
        answer = ask(client).json()
    spans = by_name(kept)
    call, question, retrieval = spans["chat scripted"], spans["invoke_workflow self_route"], spans["retrieve"]
    usage = answer["calls"][1]["usage"]
    told = dict(call.attributes or {})
    assert told["gen_ai.operation.name"] == "chat"
    assert told["gen_ai.provider.name"] == "openai"
    assert told["gen_ai.request.model"] == "scripted"
    assert told["gen_ai.usage.input_tokens"] == usage["input_tokens"] > 0
    assert told["gen_ai.usage.output_tokens"] == usage["output_tokens"]
    assert told["gen_ai.usage.cache_read.input_tokens"] == usage["cached_input_tokens"]
    assert told["gen_ai.usage.cache_creation.input_tokens"] == usage["cache_write_tokens"]
    assert told["gen_ai.usage.reasoning.output_tokens"] == usage["reasoning_tokens"]
    assert told["gen_ai.data_source.id"] == "port"
    assert told["selfroute.cost"] == answer["calls"][1]["cost"]
    assert (retrieval.attributes or {})["gen_ai.operation.name"] == "retrieval"
    assert (question.attributes or {})["selfroute.question.id"] == answer["id"]
    assert (question.attributes or {})["selfroute.route"] == "rag"
    assert (spans["embeddings hashing-64"].attributes or {})["gen_ai.operation.name"] == "embeddings"


def test_a_question_that_fails_is_a_span_that_failed_and_so_is_its_call(home: Path, kept: InMemorySpanExporter) -> None:
    house = traced(home, kept)
    house.reader = ScriptedReader([fails(EndpointFailed("stub", f"you sent: {WHO}"))])
    with served(house.app()) as client:
        assert ask(client).status_code == 502
    spans = by_name(kept)
    for name in ("invoke_workflow self_route", "read_chunks", "chat scripted"):
        assert spans[name].status.status_code is StatusCode.ERROR
    assert (spans["invoke_workflow self_route"].attributes or {})["error.type"] == "EndpointFailed"
    assert spans["retrieve"].status.status_code is StatusCode.UNSET
    assert not any(WHO in span.to_json() for span in spans.values())


@pytest.mark.parametrize("text", [False, True])
def test_text_stands_in_spans_only_where_it_is_asked_for(home: Path, kept: InMemorySpanExporter, text: bool) -> None:
    with served(traced(home, kept, text).app()) as client:
        ask(client)
    written = "".join(span.to_json() for span in kept.get_finished_spans())
    assert ("harbour master" in written, "Olof" in written) == (text, text)


def test_health_and_metrics_are_no_spans(home: Path, kept: InMemorySpanExporter) -> None:
    with served(traced(home, kept).app()) as client:
        for path in ("/healthz", "/readyz", "/metrics"):
            client.get(path)
    assert kept.get_finished_spans() == ()


class Receiver:
    """An OTLP/HTTP receiver on loopback that keeps the names of the spans that it got."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.services: set[str] = set()
        self.paths: set[str] = set()


@contextmanager
def receiver() -> Iterator[tuple[str, Receiver]]:
    got = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            sent = ExportTraceServiceRequest.FromString(body)
            got.paths.add(self.path)
            for resource in sent.resource_spans:
                got.services |= {
                    one.value.string_value for one in resource.resource.attributes if one.key == "service.name"
                }
                got.names += [span.name for scope in resource.scope_spans for span in scope.spans]
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", got
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_spans_are_sent_to_a_receiver_and_none_is_left_behind_as_the_service_ends(home: Path) -> None:
    corpus(home)
    with receiver() as (address, got):
        provider = exporting(address)
        house = House(home, observers=(Tracing(provider, {}),), spans=provider, alongside=(partial(flushed, provider),))
        with served(house.app()) as client:
            for _ in range(5):
                ask(client)
    assert got.paths == {"/v1/traces"}
    assert got.services == {"selfroute"}
    assert len(got.names) == 5 * len({"request", "question", "retrieve", "embed", "read_chunks", "call"})
    assert got.names.count("invoke_workflow self_route") == 5


def test_the_service_as_it_is_built_sends_spans_where_the_environment_says(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver() as (address, got):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        with served(build_service.app(settings.load(home=home))) as client:
            ask(client, corpus="nope")
    assert sorted(got.names) == ["POST /v1/ask", "invoke_workflow self_route"]


def test_a_receiver_that_is_away_holds_up_no_question(home: Path) -> None:
    corpus(home)
    with receiver() as (address, _):
        pass
    provider = exporting(address)
    with served(House(home, observers=(Tracing(provider, {}),), spans=provider).app()) as client:
        assert ask(client).json()["answer"] == "Olof Berg"
