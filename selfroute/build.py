"""Settings into an `Engine` or an `Indexer`: the only place that chooses implementations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from selfroute.embedders import Embedder
from selfroute.engine import Engine
from selfroute.errors import InvalidSettings
from selfroute.index import Listed, listed
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
    reader = READERS[settings.reader.kind](settings.reader)
    embedder = _embedder(settings)
    return Engine(
        home=settings.home,
        embedder=embedder,
        chunk_tokens=_chunk_tokens(settings, embedder),
        chunk_words=settings.chunking.words,
        chunk_reader=reader,
        document_reader=reader,
        account=ledger(settings),
        prices=_prices(settings),
        policies=_policies(),
        k=settings.retrieval.k,
    )


def indexer(settings: Settings) -> Indexer:
    """Raises `InvalidSettings` or `MissingExtra`."""
    embedder = _embedder(settings)
    return Indexer(settings.home, embedder, _chunk_tokens(settings, embedder), settings.chunking.words)


def evaluator(settings: Settings) -> Evaluator:
    """Raises `InvalidSettings` or `MissingExtra`."""
    # Imported here: who only asks need not wait for what only an evaluation takes.
    from selfroute import weights
    from selfroute.evaluation.documents import NAME as CACHE
    from selfroute.evaluation.evaluator import Evaluator

    embedder = _embedder(settings)
    return Evaluator(
        reader=READERS[settings.reader.kind](settings.reader),
        embedder=embedder,
        chunk_tokens=_chunk_tokens(settings, embedder),
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
    return Ledger(settings.ledger or settings.home / LEDGER)


def corpora(settings: Settings) -> list[Listed]:
    return listed(settings.home)


def _prices(settings: Settings) -> Prices:
    return Prices({model: Price(**dict(price)) for model, price in settings.prices.items()})


def _policies() -> dict[str, Policy]:
    return {name: make() for name, make in POLICIES.items()}


def _embedder(settings: Settings) -> Embedder:
    return EMBEDDERS[settings.embedder.kind](settings.embedder)


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
