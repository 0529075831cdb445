"""A service on loopback for tests: the real application, in a thread of this process, over a small corpus."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI
from opentelemetry.trace import TracerProvider

from selfroute.embedders.hashing import HashingEmbedder
from selfroute.engine import Engine
from selfroute.index import writing
from selfroute.index.upkeep import Corpora
from selfroute.ingest.chunker import Chunker
from selfroute.ledger import Ledger
from selfroute.policies import POLICIES
from selfroute.prices import Price, Prices
from selfroute.readers import Reader
from selfroute.readers.scripted import KnowingReader
from selfroute.server.access import Access, Anybody
from selfroute.server.app import Alongside, create_app
from selfroute.server.desk import Desk
from selfroute.server.metrics import Metrics
from selfroute.server.parts import Parts
from selfroute.server.readiness import Check, Readiness
from selfroute.server.watching import Observer
from selfroute.types import Document

HARBOUR = "The harbour master is Olof Berg.\n\nNight work is approved in writing.\n\nThe quay is long."
FOREST = "The forest has tall pines.\n\nMoose live there."
PORT = {"forest": FOREST, "harbour": HARBOUR}

WHO = "Who is the harbour master?"
NIGHT = "How is night work approved?"
ABSENT = "What is the captain's age?"
KNOWN = {WHO: "Olof Berg", NIGHT: "in writing"}
"""What the reader knows, where the text that it is shown has it; it declines all else."""

PRICES = {"knowing": Price(Decimal("2.5"), Decimal(10)), "scripted": Price(Decimal("2.5"), Decimal(10))}
FREE = {"hashing-64": Price(Decimal(0), Decimal(0))}


def corpus(home: Path, name: str = "port", texts: dict[str, str] | None = None) -> None:
    embedder = HashingEmbedder()
    chunker = Chunker(embedder.count_tokens, 16)
    with writing(home, name, embedder.name, embedder.dimension) as writer:
        for id_, text in (PORT if texts is None else texts).items():
            document = Document(id_, text, f"{id_}.md")
            chunks = chunker.chunks(document)
            vectors = embedder.embed([chunk.text for chunk in chunks]).vectors
            writer.put([(document, chunks, vectors)], 16)
        writer.publish()


@dataclass
class House:
    """What a service is made of; change a field before `app`."""

    home: Path
    reader: Reader = field(default_factory=lambda: KnowingReader(KNOWN))
    access: Access = field(default_factory=Anybody)
    in_flight: int = 64
    question_chars: int = 1000
    body_bytes: int = 100_000
    deadline: float | None = None
    observers: tuple[Observer, ...] = ()
    checks: dict[str, Check] = field(default_factory=dict)
    alongside: tuple[Alongside, ...] = ()
    spans: TracerProvider | None = None

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.home / "ledger.sqlite")

    def engine(self) -> Engine:
        return Engine(
            home=self.home,
            embedder=HashingEmbedder(),
            chunk_tokens=16,
            chunk_reader=self.reader,
            document_reader=self.reader,
            account=self.ledger,
            prices=Prices({**PRICES, **FREE}),
            policies={name: make() for name, make in POLICIES.items()},
            k=1,
            deadline=self.deadline,
        )

    def app(self) -> FastAPI:
        metrics = Metrics(tuple(POLICIES))
        observers = (metrics, *self.observers)
        parts = Parts(
            desk=Desk(self.engine(), self.in_flight, self.question_chars, observers),
            ledger=self.ledger,
            corpora=Corpora(self.home),
            access=self.access,
            policies=tuple(POLICIES),
            metrics=metrics,
            readiness=Readiness(self.checks, good_for=0),
        )
        return create_app(parts, body_bytes=self.body_bytes, alongside=self.alongside, spans=self.spans)


@contextmanager
def served(app: FastAPI) -> Iterator[httpx.Client]:
    """A client of `app`, which listens on a free port meanwhile; its questions are ended as it leaves."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=10)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()


def events(lines: Sequence[str]) -> list[tuple[str, str]]:
    """(event, data) of server-sent events, in order."""
    told, name = [], ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            told.append((name, line.removeprefix("data: ")))
    return told
