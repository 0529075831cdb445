"""selfroute answers questions about long documents by reading as little as it needs.

    import asyncio
    from pathlib import Path

    from selfroute import build_engine, build_indexer, load_settings

    settings = load_settings()
    build_indexer(settings).index([Path("handbook.md")], "harbour")
    answer = asyncio.run(build_engine(settings).ask("Who approves night work?", corpus="harbour"))
    print(answer.answer, answer.route, answer.saved_tokens)

Importing does nothing: each name below is loaded when it is first used. What is not named here (the constructors
of `Engine`, `Indexer` and `Ledger`, the parts of `Settings`) may change; the `build_` functions make these from
settings.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selfroute.build import corpora as build_corpora
    from selfroute.build import engine as build_engine
    from selfroute.build import indexer as build_indexer
    from selfroute.changes import Failure, Summary, Warned
    from selfroute.embedders import Embedded, QueryEmbedder
    from selfroute.engine import Engine
    from selfroute.errors import SelfrouteError
    from selfroute.index.corpus import Corpus
    from selfroute.index.freshness import Outdated
    from selfroute.index.upkeep import Corpora, DocumentInfo, Listed, Problem, Repaired, Stats, StoredDocument
    from selfroute.indexer import Indexer
    from selfroute.ingest.loaders import load_one as load_document
    from selfroute.ledger import By, Feedback, Ledger, Recorded, Spent, UsageRow, Verdict
    from selfroute.settings import Settings
    from selfroute.settings import load as load_settings
    from selfroute.types import (
        Answer,
        Call,
        Chunk,
        Citation,
        Cited,
        Delta,
        Document,
        Done,
        Estimate,
        Event,
        Forecast,
        Found,
        Limits,
        Move,
        Outcome,
        Question,
        Route,
        Shape,
        Stage,
        Step,
        Task,
        Terms,
        Totals,
        Turn,
        Usage,
        Used,
    )

_WHERE = {
    "Answer": "types",
    "By": "ledger",
    "Call": "types",
    "Chunk": "types",
    "Citation": "types",
    "Cited": "types",
    "Corpora": "index.upkeep",
    "Corpus": "index.corpus",
    "Delta": "types",
    "Document": "types",
    "DocumentInfo": "index.upkeep",
    "Done": "types",
    "Embedded": "embedders",
    "Engine": "engine",
    "Estimate": "types",
    "Event": "types",
    "Failure": "changes",
    "Feedback": "ledger",
    "Forecast": "types",
    "Found": "types",
    "Indexer": "indexer",
    "Ledger": "ledger",
    "Limits": "types",
    "Listed": "index.upkeep",
    "Move": "types",
    "Outcome": "types",
    "Outdated": "index.freshness",
    "Problem": "index.upkeep",
    "QueryEmbedder": "embedders",
    "Question": "types",
    "Recorded": "ledger",
    "Repaired": "index.upkeep",
    "Route": "types",
    "SelfrouteError": "errors",
    "Settings": "settings",
    "Shape": "types",
    "Spent": "ledger",
    "Stage": "types",
    "Stats": "index.upkeep",
    "Step": "types",
    "StoredDocument": "index.upkeep",
    "Summary": "changes",
    "Task": "types",
    "Terms": "types",
    "Totals": "types",
    "Turn": "types",
    "Usage": "types",
    "UsageRow": "ledger",
    "Used": "types",
    "Verdict": "ledger",
    "Warned": "changes",
    "build_corpora": "build:corpora",
    "build_engine": "build:engine",
    "build_indexer": "build:indexer",
    "load_document": "ingest.loaders:load_one",
    "load_settings": "settings:load",
}

__all__ = [
    "Answer",
    "By",
    "Call",
    "Chunk",
    "Citation",
    "Cited",
    "Corpora",
    "Corpus",
    "Delta",
    "Document",
    "DocumentInfo",
    "Done",
    "Embedded",
    "Engine",
    "Estimate",
    "Event",
    "Failure",
    "Feedback",
    "Forecast",
    "Found",
    "Indexer",
    "Ledger",
    "Limits",
    "Listed",
    "Move",
    "Outcome",
    "Outdated",
    "Problem",
    "QueryEmbedder",
    "Question",
    "Recorded",
    "Repaired",
    "Route",
    "SelfrouteError",
    "Settings",
    "Shape",
    "Spent",
    "Stage",
    "Stats",
    "Step",
    "StoredDocument",
    "Summary",
    "Task",
    "Terms",
    "Totals",
    "Turn",
    "Usage",
    "UsageRow",
    "Used",
    "Verdict",
    "Warned",
    "build_corpora",
    "build_engine",
    "build_indexer",
    "load_document",
    "load_settings",
]


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module 'selfroute' has no attribute {name!r}")
    module, _, attribute = _WHERE[name].partition(":")
    return getattr(import_module(f"selfroute.{module}"), attribute or name)


def __dir__() -> list[str]:
    return sorted(__all__)
