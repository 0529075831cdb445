"""Settings into the service: what `build` is for questions, for all that is served."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache, partial
from importlib.util import find_spec
from urllib.parse import urlsplit

from fastapi import FastAPI

from selfroute import build
from selfroute.budget import Budgets
from selfroute.endpoints.checks import check_reachable
from selfroute.endpoints.openai import OpenAIEndpoint
from selfroute.evaluation.submitted import Datasets, Evaluating
from selfroute.indexer import Indexer
from selfroute.jobs import FOLDER, Kind, Work
from selfroute.jobs.ingesting import Ingesting
from selfroute.jobs.spool import Spool
from selfroute.jobs.store import Jobs
from selfroute.jobs.worker import Worker
from selfroute.ledger import Ledger
from selfroute.ledger.upkeep import Upkeep
from selfroute.rates import Rates
from selfroute.server.access import KeyAccess
from selfroute.server.app import Alongside, Mounted, create_app
from selfroute.server.desk import Desk
from selfroute.server.intake import Intake
from selfroute.server.logs import QuestionLog
from selfroute.server.metrics import Metrics
from selfroute.server.parts import Parts
from selfroute.server.readiness import Readiness
from selfroute.server.retention import kept_for
from selfroute.server.tools import Tools
from selfroute.server.watching import Observer
from selfroute.settings import EndpointSettings, Settings, otlp_endpoint

PROVIDERS = {
    "openai.com": "openai",
    "openai.azure.com": "azure.ai.openai",
    "anthropic.com": "anthropic",
    "googleapis.com": "gcp.gemini",
    "amazonaws.com": "aws.bedrock",
    "mistral.ai": "mistral_ai",
    "deepseek.com": "deepseek",
    "groq.com": "groq",
    "x.ai": "x_ai",
    "perplexity.ai": "perplexity",
}
"""By the end of a host's name, how the GenAI conventions name who provides its models; others go by their host."""


def app(settings: Settings) -> FastAPI:
    """The service. Raises what `build.engine` raises, and `UnusableKeys`."""
    limits, keys, kept = settings.server, build.keyring(settings), build.ledger(settings)
    indexing = cache(lambda: build.indexer(settings))
    names = tuple(build.policies(settings))
    metrics = Metrics(names)
    observers: list[Observer] = [metrics, QuestionLog(limits.log_text)]
    alongside: list[Alongside] = []
    spans = None
    if (address := otlp_endpoint(settings)) is not None:
        from selfroute.server.tracing import Tracing, exporting, flushed

        spans = exporting(address)
        observers.append(Tracing(spans, _providers(settings), limits.log_text))
        alongside.append(partial(flushed, spans))
    if limits.ledger_days is not None:
        alongside.append(partial(kept_for, limits.ledger_days, Upkeep(build.ledger_path(settings))))
    engine, rates = build.engine(settings, account=kept), Rates()
    parts = Parts(
        desk=Desk(engine, limits.in_flight, limits.question_chars, limits.text_chars, observers, rates),
        ledger=kept,
        corpora=build.corpora(settings),
        access=KeyAccess(keys, needed=keys.read().held),
        policies=names,
        intake=_intake(settings, indexing, kept, engine.budgets, rates),
        create=lambda corpus: indexing().create(corpus),
        metrics=metrics,
        readiness=Readiness(_needed(settings, kept)),
        upload_files=limits.upload_files,
        drain=limits.drain_seconds,
    )
    return create_app(
        parts,
        body_bytes=limits.body_bytes,
        upload_bytes=limits.upload_bytes,
        mounted=_mounted(parts),
        alongside=alongside,
        spans=spans,
    )


def _needed(settings: Settings, kept: Ledger) -> dict[str, Callable[[], Awaitable[object]]]:
    """What answering needs, each by a check that is cheap enough to be made every few seconds."""
    checks: dict[str, Callable[[], Awaitable[object]]] = {
        "ledger": partial(asyncio.to_thread, kept.check_writable),
        "corpora": partial(asyncio.to_thread, build.corpora(settings).check_readable),
    }
    used = {settings.reader.chunks, settings.reader.documents} if settings.reader.kind == "chat" else set()
    for name, endpoint in build.endpoints(settings, keys=False).items():
        if name in used and isinstance(endpoint, OpenAIEndpoint):
            checks[f"endpoint {name}"] = partial(check_reachable, endpoint)
    return checks


def _providers(settings: Settings) -> dict[str, str]:
    """By model, who provides it, as spans name it."""
    return {
        one.model: _provider(one.base_url) if isinstance(one, EndpointSettings) else one.kind
        for one in settings.endpoints.values()
    }


def _provider(address: str) -> str:
    host = urlsplit(address).hostname or ""
    return next((name for end, name in PROVIDERS.items() if host == end or host.endswith(f".{end}")), host)


def _mounted(parts: Parts) -> dict[str, Mounted]:
    """What is served where its extra is installed."""
    if find_spec("mcp") is None:
        return {}
    from selfroute.integrations.mcp import McpServer

    return {"/mcp": McpServer(Tools(parts))}


def _intake(
    settings: Settings, indexing: Callable[[], Indexer], ledger: Ledger, budgets: Budgets, rates: Rates
) -> Intake:
    """Where the service takes jobs in, and what does them."""
    below = settings.home / FOLDER
    jobs, spool, datasets = Jobs(settings.home), Spool(below / "spool"), Datasets(settings.server.datasets)
    runs = below / "evaluations"
    works: dict[Kind, Work] = {
        Kind.INGEST: Ingesting(indexing, spool),
        Kind.EVALUATE: Evaluating(lambda: build.evaluator(settings), spool, runs, datasets, ledger, budgets, rates),
    }
    return Intake(jobs, spool, Worker(jobs, spool, works), datasets, runs, settings.server.queue)
