"""What Prometheus is told: questions, tokens, costs and times, in a registry of the application's own.

Labels have few values: policies that there are, routes, outcomes, stages, steps, models of the settings and kinds of
error. Corpora, keys and whatever a client may choose are none; `GET /v1/usage` sums by those.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import fields
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder

from selfroute.server.access import Caller
from selfroute.server.watching import Ask, Ended, Watcher
from selfroute.types import Call, Event, Step, Usage, Used

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
"""Bounds of the histograms: from a retrieval to a reading of documents."""

UNKNOWN = "unknown"
"""In place of a policy that there is none of: its name is a client's."""


class Metrics:
    """An observer, and what is told of what it saw."""

    def __init__(self, policies: Collection[str]) -> None:
        self._policies = frozenset(policies)
        self.registry = registry = CollectorRegistry()
        self._questions = Counter(
            "selfroute_questions", "Questions that ended.", ("policy", "route", "outcome"), registry=registry
        )
        self._failures = Counter(
            "selfroute_question_failures",
            "Questions that were refused, failed or were left, by kind of error.",
            ("policy", "kind"),
            registry=registry,
        )
        self._in_flight = Gauge("selfroute_questions_in_flight", "Questions under way.", registry=registry)
        self._question_seconds = Histogram(
            "selfroute_question_seconds",
            "Wall time of a question, whether or not it was answered.",
            ("policy",),
            registry=registry,
            buckets=SECONDS,
        )
        self._step_seconds = Histogram(
            "selfroute_step_seconds", "Wall time of a step.", ("step",), registry=registry, buckets=SECONDS
        )
        self._calls = Counter("selfroute_calls", "Requests to models.", ("stage", "model", "status"), registry=registry)
        self._call_seconds = Histogram(
            "selfroute_call_seconds",
            "Wall time of a request to a model.",
            ("stage", "model"),
            registry=registry,
            buckets=SECONDS,
        )
        self._tokens = Counter(
            "selfroute_tokens",
            "Tokens; cached_input and cache_write are parts of input, reasoning is a part of output.",
            ("stage", "model", "kind"),
            registry=registry,
        )
        self._cost = Counter("selfroute_cost_dollars", "What calls cost.", ("stage", "model"), registry=registry)
        self._unpriced = Counter(
            "selfroute_unpriced_calls",
            "Calls of unknown cost, which the cost leaves out.",
            ("model",),
            registry=registry,
        )
        build = Gauge("selfroute_build_info", "What runs.", ("version",), registry=registry)
        build.labels(version("selfroute")).set(1)

    def begin(self, ask: Ask, caller: Caller) -> Watcher:
        self._in_flight.inc()
        return _Question(self, ask.policy if ask.policy in self._policies else UNKNOWN)

    def told(self, accept: str) -> tuple[bytes, str]:
        """All of it in Prometheus's text format, or in OpenMetrics' where that is accepted; and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def step(self, name: str, seconds: float) -> None:
        self._step_seconds.labels(name).observe(seconds)

    def call(self, call: Call) -> None:
        stage, model = call.stage.value, call.model
        self._calls.labels(stage, model, "ok" if call.error is None else "failed").inc()
        self._call_seconds.labels(stage, model).observe(call.seconds)
        for kind in fields(Usage):
            self._tokens.labels(stage, model, kind.name.removesuffix("_tokens")).inc(getattr(call.usage, kind.name))
        if call.cost is None:
            self._unpriced.labels(model).inc()
        else:
            self._cost.labels(stage, model).inc(float(call.cost))

    def ended(self, policy: str, end: Ended) -> None:
        self._in_flight.dec()
        self._question_seconds.labels(policy).observe(end.seconds)
        if end.answer is not None:
            self._questions.labels(policy, end.answer.route.value, end.answer.outcome.value).inc()
        else:
            self._failures.labels(policy, type(end.error).__name__).inc()


class _Question:
    """Turns what happens into durations. A step lasts until its reading ends, the next step begins, or all ends."""

    def __init__(self, metrics: Metrics, policy: str) -> None:
        self._metrics = metrics
        self._policy = policy
        self._step: tuple[str, float] | None = None

    def __call__(self, event: Event | Ended) -> None:
        match event:
            case Step(name, declined):
                self._close()
                if declined is None:
                    self._step = (name, time.perf_counter())
            case Used(call):
                self._metrics.call(call)
            case Ended():
                self._close()
                self._metrics.ended(self._policy, event)

    def _close(self) -> None:
        if self._step is not None:
            name, began = self._step
            self._metrics.step(name, time.perf_counter() - began)
            self._step = None
