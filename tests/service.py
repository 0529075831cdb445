"""A service on loopback for tests: the real application, in a thread of this process, over a small corpus."""

from __future__ import annotations

import atexit
import json
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from opentelemetry.trace import TracerProvider

from selfroute.budget import Budgets
from selfroute.embedders import Embedded, Embedder
from selfroute.embedders.hashing import HashingEmbedder
from selfroute.engine import Engine
from selfroute.evaluation.evaluator import Evaluator
from selfroute.evaluation.submitted import Datasets, Evaluating
from selfroute.index import writing
from selfroute.index.upkeep import Corpora
from selfroute.indexer import Indexer
from selfroute.ingest.chunker import Chunker
from selfroute.jobs import FOLDER, Kind, Work
from selfroute.jobs.ingesting import Ingesting
from selfroute.jobs.spool import Spool
from selfroute.jobs.store import Jobs
from selfroute.jobs.worker import Worker
from selfroute.ledger import Ledger
from selfroute.ledger.account import LedgerAccount
from selfroute.policies import POLICIES
from selfroute.prices import Price, Prices
from selfroute.rates import Rates
from selfroute.readers import Reader
from selfroute.readers.scripted import KnowingReader
from selfroute.server.access import Access, Anybody, Caller
from selfroute.server.app import Alongside, Mounted, create_app
from selfroute.server.desk import Desk
from selfroute.server.intake import Intake
from selfroute.server.metrics import Metrics
from selfroute.server.parts import Parts
from selfroute.server.readiness import Check, Readiness
from selfroute.server.tools import Tools
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
    """Publishes `texts` as the corpus `name`; where there is none yet, as a copy of one that was made before."""
    if (home / name).exists():
        _publish(home, name, PORT if texts is None else texts)
    else:
        home.mkdir(parents=True, exist_ok=True)
        shutil.copytree(_made(name, tuple((PORT if texts is None else texts).items())), home / name)


@cache
def _made(name: str, texts: tuple[tuple[str, str], ...]) -> Path:
    home = Path(tempfile.mkdtemp(prefix="selfroute-tests-"))
    atexit.register(shutil.rmtree, home)
    _publish(home, name, dict(texts))
    return home / name


def _publish(home: Path, name: str, texts: dict[str, str]) -> None:
    embedder = HashingEmbedder()
    chunker = Chunker(embedder.count_tokens, 16)
    with writing(home, name, embedder.name, embedder.dimension) as writer:
        for id_, text in texts.items():
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
    text_chars: int = 2_000_000
    body_bytes: int = 100_000
    deadline: float | None = None
    mcp: bool = False
    embedder: Embedder = field(default_factory=HashingEmbedder)
    asking: Embedder = field(default_factory=HashingEmbedder)
    upload_bytes: int = 1_000_000
    upload_files: int = 10
    upload_idle: float = 30.0
    queue: int = 10
    receiving: int = 16
    patience: float = 60.0
    drain: float = 10.0
    datasets: Path | None = None
    overflow: str = "fill"
    works: Mapping[Kind, Work] = field(default_factory=dict)
    observers: tuple[Observer, ...] = ()
    checks: dict[str, Check] = field(default_factory=dict)
    alongside: tuple[Alongside, ...] = ()
    spans: TracerProvider | None = None

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.home / "ledger.sqlite")

    def budgets(self) -> Budgets:
        return Budgets(Prices({**PRICES, **FREE}), self.ledger)

    def engine(self, budgets: Budgets | None = None) -> Engine:
        ledger = self.ledger
        return Engine(
            home=self.home,
            embedder=self.asking,
            chunk_tokens=16,
            chunk_reader=self.reader,
            document_reader=self.reader,
            account=LedgerAccount(ledger),
            budgets=budgets or self.budgets(),
            prices=Prices({**PRICES, **FREE}),
            policies={name: make() for name, make in POLICIES.items()},
            k=1,
            deadline=self.deadline,
        )

    def indexer(self) -> Indexer:
        return Indexer(self.home, self.embedder, 16)

    def evaluator(self) -> Evaluator:
        return Evaluator(
            reader=self.reader,
            embedder=HashingEmbedder(),
            chunk_tokens=16,
            chunk_words=None,
            prices=Prices({**PRICES, **FREE}),
            policies={name: make() for name, make in POLICIES.items()},
            k=1,
            cache=self.home / "documents.sqlite",
            identity={},
            deadline=self.deadline,
            overflow=self.overflow,
        )

    def intake(self, budgets: Budgets, rates: Rates) -> Intake:
        below = self.home / FOLDER
        jobs, spool, datasets = Jobs(self.home), Spool(below / "spool"), Datasets(self.datasets)
        runs = below / "evaluations"
        works: dict[Kind, Work] = {
            Kind.INGEST: Ingesting(self.indexer, spool),
            Kind.EVALUATE: Evaluating(self.evaluator, spool, runs, datasets, self.ledger, budgets, rates),
            **self.works,
        }
        worker = Worker(jobs, spool, works, patience=self.patience, poll=0.05)
        return Intake(jobs, spool, worker, datasets, runs, self.queue, self.receiving)

    def app(self) -> FastAPI:
        metrics = Metrics(tuple(POLICIES))
        observers, budgets, rates = (metrics, *self.observers), self.budgets(), Rates()
        parts = Parts(
            desk=Desk(self.engine(budgets), self.in_flight, self.question_chars, self.text_chars, observers, rates),
            ledger=self.ledger,
            corpora=Corpora(self.home),
            access=self.access,
            policies=tuple(POLICIES),
            intake=self.intake(budgets, rates),
            create=lambda corpus: self.indexer().create(corpus),
            upload_files=self.upload_files,
            upload_idle=self.upload_idle,
            drain=self.drain,
            metrics=metrics,
            readiness=Readiness(self.checks, good_for=0),
        )
        return create_app(
            parts,
            body_bytes=self.body_bytes,
            upload_bytes=self.upload_bytes,
            mounted=self._mounted(parts),
            alongside=self.alongside,
            spans=self.spans,
        )

    def _mounted(self, parts: Parts) -> dict[str, Mounted]:
        if not self.mcp:
            return {}
        from selfroute.integrations.mcp import McpServer

        return {"/mcp": McpServer(Tools(parts))}


@contextmanager
def served(app: FastAPI) -> Iterator[httpx.Client]:
    """A client of `app`, which listens on a free port meanwhile; its questions are ended as it leaves."""
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(2048)  # before anybody knows the address
        config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=10)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            with httpx.Client(base_url=url, timeout=30, trust_env=False, verify=False) as client:  # no TLS
                yield client
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def left(client: httpx.Client, path: str, sent: object) -> Iterator[None]:
    """Something is posted; its client goes away as this is left, and not before."""
    body, url = json.dumps(sent), client.base_url
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((url.host, url.port or 80), timeout=20) as connection:
        connection.sendall((head + body).encode())
        yield


def events(lines: Sequence[str]) -> list[tuple[str, str]]:
    """(event, data) of server-sent events, in order."""
    told, name = [], ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            told.append((name, line.removeprefix("data: ")))
    return told


ENDED = ("done", "failed", "cancelled")


def ended(client: httpx.Client, reply: httpx.Response, wait_until: Callable[[Callable[[], bool]], None]) -> Any:
    """The job that `reply` tells of, once it has ended."""
    assert reply.status_code == 202, reply.text
    place = reply.headers["location"]
    wait_until(lambda: client.get(place).json()["state"] in ENDED)
    return client.get(place).json()


@dataclass
class Gate:
    """An embedder that embeds once it is open."""

    open: threading.Event = field(default_factory=threading.Event)
    waiting: threading.Event = field(default_factory=threading.Event)
    name: str = "hashing-64"
    dimension: int = 64
    max_tokens: int = 10_000

    def count_tokens(self, text: str) -> int:
        return HashingEmbedder().count_tokens(text)

    def embed(self, texts: Sequence[str]) -> Embedded:
        self.waiting.set()
        assert self.open.wait(60)
        return HashingEmbedder().embed(texts)


@dataclass
class Slow(Gate):
    """A gate that counts what it is asked to embed at a time."""

    asked: list[int] = field(default_factory=list)

    def embed(self, texts: Sequence[str]) -> Embedded:
        self.asked.append(len(texts))
        return super().embed(texts)


@dataclass(frozen=True)
class Callers:
    """Access by bearer tokens; who sends none is nobody and may nothing."""

    known: Mapping[str, Caller]

    async def admit(self, bearer: str | None) -> Caller:
        return self.known.get(bearer or "", Caller("nobody", frozenset(), writes=False))
