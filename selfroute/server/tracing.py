"""Questions as OpenTelemetry spans: one a question, its steps below it, and their calls below these, with the
attributes of the GenAI conventions. The only module that imports OpenTelemetry's SDK, and imported only where an
address to send spans to is set.

What users wrote and what was answered stands in no span, unless `text` is asked for. Spans are sent in batches beside
the questions: a receiver that is slow or away loses spans and holds no question up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version

from selfroute.errors import MissingExtra
from selfroute.keys import without_keys
from selfroute.server.access import Caller
from selfroute.server.logs import reason
from selfroute.server.watching import Ask, Ended, Watcher
from selfroute.types import Call, Event, Stage, Step, Used
from selfroute.wire import to_json

try:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import Span, SpanKind, StatusCode, set_span_in_context
except ImportError as missing:
    raise MissingExtra("opentelemetry-sdk", "telemetry") from missing

OURS = "selfroute"
"""The provider of the bundled models."""

EXTRACT = "extract"
"""What the bundled reader does; the conventions have no name for it."""


def exporting(endpoint: str) -> TracerProvider:
    """Sends spans to the OTLP/HTTP receiver at this address, whose path for spans is /v1/traces below it. Headers and
    the like are taken from the variables of OpenTelemetry's own, OTEL_EXPORTER_OTLP_*."""
    provider = TracerProvider(
        resource=Resource.create({"service.name": OURS, "service.version": version(OURS)}), shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")))
    return provider


@asynccontextmanager
async def flushed(provider: TracerProvider) -> AsyncIterator[None]:
    """As it is left, what spans there are are sent."""
    try:
        yield
    finally:
        await asyncio.to_thread(provider.shutdown)


class Tracing:
    """An observer. `providers` names the provider of each model that is not bundled."""

    def __init__(self, provider: TracerProvider, providers: Mapping[str, str], text: bool = False) -> None:
        self.provider = provider
        self._tracer = provider.get_tracer(OURS, version(OURS))
        self._providers = providers
        self._text = text

    def begin(self, ask: Ask, caller: Caller) -> Watcher:
        """The question's span is a child of the request's, and with it of the client's."""
        return _Question(self._tracer, ask, caller, self._providers, self._text)


class _Question:
    def __init__(
        self, tracer: trace.Tracer, ask: Ask, caller: Caller, providers: Mapping[str, str], text: bool
    ) -> None:
        self._tracer = tracer
        self._providers = providers
        self._text = text
        self._of_all: dict[str, str] = {"gen_ai.data_source.id": ask.shown_corpus} if ask.shown_corpus else {}
        self._root = tracer.start_span(
            f"invoke_workflow {ask.shown_policy}",
            attributes={
                "gen_ai.operation.name": "invoke_workflow",
                "gen_ai.workflow.name": ask.shown_policy,
                "selfroute.question.id": ask.terms.id,
                **({"selfroute.key.id": caller.key} if caller.key else {}),
                **({"gen_ai.retrieval.query.text": ask.question.text} if text and ask.question.text else {}),
                **self._of_all,
            },
        )
        self._step: Span | None = None

    def __call__(self, event: Event | Ended) -> None:
        match event:
            case Step(name, None):
                self._close()
                retrieval = {"gen_ai.operation.name": "retrieval", **self._of_all} if name == "retrieve" else {}
                self._step = self._tracer.start_span(
                    name, context=set_span_in_context(self._root), attributes={"selfroute.step": name, **retrieval}
                )
            case Step(_, declined):
                if self._step is not None and declined is not None:
                    self._step.set_attribute("selfroute.declined", declined)
                self._close()
            case Used(call):
                self._called(call)
            case Ended():
                self._end(event)

    def _close(self) -> None:
        if self._step is not None:
            self._step.end()
            self._step = None

    def _called(self, call: Call) -> None:
        """A call is told of when it has been written down: its span is laid back by what it took."""
        ended = time.time_ns()
        bundled = call.model.startswith(f"{OURS}/")
        operation = EXTRACT if bundled else "chat"
        operation = "embeddings" if call.stage is Stage.EMBED else operation
        usage = call.usage
        span = self._tracer.start_span(
            f"{operation} {call.model}",
            context=set_span_in_context(self._step or self._root),
            kind=SpanKind.INTERNAL if bundled else SpanKind.CLIENT,
            start_time=ended - int(call.seconds * 1e9),
            attributes={
                "gen_ai.operation.name": operation,
                "gen_ai.provider.name": OURS if bundled else self._providers.get(call.model, "unknown"),
                "gen_ai.request.model": call.model,
                "gen_ai.usage.input_tokens": usage.input_tokens,
                "gen_ai.usage.cache_read.input_tokens": usage.cached_input_tokens,
                "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
                "gen_ai.usage.output_tokens": usage.output_tokens,
                "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
                "selfroute.stage": call.stage.value,
                "selfroute.usage.estimated": call.estimated,
                **({} if call.cost is None else {"selfroute.cost": str(to_json(call.cost))}),
                **self._of_all,
            },
        )
        if call.error is not None:
            span.set_attribute("error.type", "call_failed")
            span.set_status(StatusCode.ERROR, without_keys(call.error) if self._text else None)
        span.end(ended)

    def _end(self, end: Ended) -> None:
        if end.error is not None and self._step is not None:
            self._step.set_status(StatusCode.ERROR)
        self._close()
        if end.answer is not None:
            answer = end.answer
            self._root.set_attributes(
                {
                    "selfroute.route": answer.route.value,
                    "selfroute.outcome": answer.outcome.value,
                    "selfroute.coverage": answer.coverage,
                    **({} if answer.totals.cost is None else {"selfroute.cost": str(to_json(answer.totals.cost))}),
                    **({"selfroute.answer": answer.answer} if self._text and answer.answer else {}),
                }
            )
        elif end.error is not None:
            self._root.set_attribute("error.type", type(end.error).__name__)
            self._root.set_status(StatusCode.ERROR, reason(end.error, self._text))
        self._root.end()
