"""Settings into an `Engine` or an `Indexer`: the only place that chooses implementations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from selfroute.embedders import Embedder
from selfroute.engine import Engine
from selfroute.errors import InvalidSettings
from selfroute.index.upkeep import Corpora
from selfroute.indexer import Indexer
from selfroute.ledger import NAME as LEDGER
from selfroute.ledger import Ledger
from selfroute.policies import POLICIES, Policy
from selfroute.prices import Price, Prices
from selfroute.readers import Reader
from selfroute.settings import EmbedderSettings, ReaderSettings, Settings

if TYPE_CHECKING:
    from selfroute.evaluation.evaluator import Evaluator


def engine(settings: Settings) -> Engine:
    """Raises `InvalidSettings`, `MissingExtra`, `HomeNotWritable` or `CorruptLedger`."""
    answering, embedding = reader(settings), embedder(settings)
    return Engine(
        home=settings.home,
        embedder=embedding,
        chunk_tokens=_chunk_tokens(settings, embedding),
        chunk_words=settings.chunking.words,
        chunk_reader=answering,
        document_reader=answering,
        account=ledger(settings),
        prices=_prices(settings),
        policies=_policies(),
        k=settings.retrieval.k,
    )


def indexer(settings: Settings) -> Indexer:
    """Raises `InvalidSettings` or `MissingExtra`."""
    embedding = embedder(settings)
    return Indexer(settings.home, embedding, _chunk_tokens(settings, embedding), settings.chunking.words)


def evaluator(settings: Settings) -> Evaluator:
    """Raises `InvalidSettings` or `MissingExtra`."""
    # Imported here: who only asks need not wait for what only an evaluation takes.
    from selfroute import weights
    from selfroute.evaluation.documents import NAME as CACHE
    from selfroute.evaluation.evaluator import Evaluator

    embedding = embedder(settings)
    return Evaluator(
        reader=reader(settings),
        embedder=embedding,
        chunk_tokens=_chunk_tokens(settings, embedding),
        chunk_words=settings.chunking.words,
        prices=_prices(settings),
        policies=_policies(),
        k=settings.retrieval.k,
        cache=settings.home / CACHE,
        identity={
            "settings": settings.model_dump(mode="json", exclude={"home", "ledger"}),
            "weights": weights.hashes(),
        },
    )


def ledger(settings: Settings) -> Ledger:
    return Ledger(ledger_path(settings))


def ledger_path(settings: Settings) -> Path:
    return settings.ledger or settings.home / LEDGER


def reader(settings: Settings) -> Reader:
    """Raises `InvalidSettings` or `MissingExtra`."""
    return READERS[settings.reader.kind](settings.reader)


def embedder(settings: Settings) -> Embedder:
    """Raises `InvalidSettings` or `MissingExtra`."""
    return EMBEDDERS[settings.embedder.kind](settings.embedder)


def corpora(settings: Settings) -> Corpora:
    """Loads no model and opens no ledger."""
    return Corpora(settings.home)


def _prices(settings: Settings) -> Prices:
    return Prices({model: Price(**dict(price)) for model, price in settings.prices.items()})


def _policies() -> dict[str, Policy]:
    return {name: make() for name, make in POLICIES.items()}


def _chunk_tokens(settings: Settings, embedder: Embedder) -> int:
    if settings.chunking.tokens > embedder.max_tokens:
        raise InvalidSettings(
            f"setting 'chunking.tokens' is {settings.chunking.tokens}, but {embedder.name} embeds only "
            f"{embedder.max_tokens}: longer chunks would be cut without a word; lower it"
        )
    return settings.chunking.tokens


def _onnx(settings: EmbedderSettings) -> Embedder:
    from selfroute.embedders.onnx import OnnxEmbedder

    return OnnxEmbedder(positions=settings.positions)


def _sentence(settings: EmbedderSettings) -> Embedder:
    from selfroute.embedders.sentence import SentenceEmbedder

    if settings.model is None:
        raise InvalidSettings("embedder.kind is 'sentence': name its model under 'embedder.model'")
    return SentenceEmbedder(settings.model)


def _hashing(settings: EmbedderSettings) -> Embedder:
    from selfroute.embedders.hashing import HashingEmbedder

    return HashingEmbedder()


def _extractive(settings: ReaderSettings) -> Reader:
    from selfroute.readers.extractive import ExtractiveReader

    return ExtractiveReader(settings.window)


EMBEDDERS: Mapping[str, Callable[[EmbedderSettings], Embedder]] = {
    "onnx": _onnx,
    "sentence": _sentence,
    "hashing": _hashing,
}
READERS: Mapping[str, Callable[[ReaderSettings], Reader]] = {"extractive": _extractive}
