"""Settings into an `Engine` or an `Indexer`: the only place that chooses implementations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfroute.budget import Budgets
from selfroute.embedders import Embedder
from selfroute.engine import Engine
from selfroute.errors import BadInput, InvalidSettings, MissingKey
from selfroute.index.freshness import Outdated
from selfroute.index.upkeep import Corpora
from selfroute.indexer import Indexer
from selfroute.ingest.chunker import rule
from selfroute.ledger import NAME as LEDGER
from selfroute.ledger import Ledger
from selfroute.ledger.account import LedgerAccount
from selfroute.ledger.upkeep import Upkeep
from selfroute.policies import POLICIES, Policy, calibrated
from selfroute.prices import Price, Prices
from selfroute.readers import Reader
from selfroute.routing.dial import Dial
from selfroute.routing.score import SHIPPED, read_router
from selfroute.settings import (
    BUNDLED,
    EmbedderSettings,
    EndpointSettings,
    Settings,
    VLLMSettings,
    key_of,
    published_prices,
)
from selfroute.types import Answer, Call, Question, Usage

if TYPE_CHECKING:
    from selfroute.endpoints.openai import OpenAIEndpoint
    from selfroute.endpoints.vllm import VLLMEndpoint
    from selfroute.evaluation.evaluator import Evaluator
    from selfroute.evaluation.judge import ModelJudge
    from selfroute.rewriter import Rewriter
    from selfroute.server.keyring import Keyring


PATIENCE = {"timeout", "retries", "stream", "api_key_env"}
"""Settings of an endpoint that decide whether a reply comes and not what it says: a run that failed by one of them
can go on with another."""

LEAST_WINDOW = 320
"""Tokens of prompt below which nothing can be read."""


def engine(settings: Settings, *, keys: bool = True, account: Ledger | None = None) -> Engine:
    """Writes to `account`, else to the settings' ledger. Without `keys` it can forecast and not ask: endpoints need not
    have theirs yet, and no ledger is made.

    Raises `InvalidSettings`, `MissingExtra`, `HomeNotWritable` or `CorruptLedger`.
    """
    chunk_reader, document_reader = readers(settings, keys)
    embedding = embedder(settings)
    account = account or (ledger(settings) if keys else None)
    return Engine(
        home=settings.home,
        embedder=embedding,
        chunk_tokens=chunk_tokens(settings, embedding),
        chunk_words=settings.chunking.words,
        chunk_reader=chunk_reader,
        document_reader=document_reader,
        account=LedgerAccount(account) if account else _NoAccount(),
        prices=prices(settings),
        policies=policies(settings),
        k=settings.retrieval.k,
        deadline=settings.deadline,
        overflow=settings.reader.overflow,
        rewriter=rewriter(settings, keys),
        judge=bundled_judge(settings),
        cache_seconds=settings.routing.cache_seconds,
        budgets=Budgets(prices(settings), account),
    )


def indexer(settings: Settings) -> Indexer:
    """Raises `InvalidSettings` or `MissingExtra`."""
    embedding = embedder(settings)
    tokens, words = chunk_tokens(settings, embedding), settings.chunking.words
    return Indexer(settings.home, embedding, tokens, words, settings.ingest.ocr)


def outdated(settings: Settings, corpus: str) -> Outdated:
    """Tell which documents may be read, or would be split, differently now. Loads no model. Raises what opening the
    corpus raises."""
    chunking = rule(settings.chunking.tokens, settings.chunking.words)
    return corpora(settings).outdated(corpus, chunking, settings.ingest.ocr)


def evaluator(settings: Settings) -> Evaluator:
    """Raises `InvalidSettings` or `MissingExtra`."""
    # Imported here: who only asks need not wait for what only an evaluation takes.
    from selfroute import weights
    from selfroute.evaluation.documents import NAME as CACHE
    from selfroute.evaluation.evaluator import Evaluator

    embedding = embedder(settings)
    reader, document_reader = readers(settings)
    used = {reader.model, document_reader.model}
    return Evaluator(
        reader=reader,
        document_reader=None if document_reader is reader else document_reader,
        embedder=embedding,
        chunk_tokens=chunk_tokens(settings, embedding),
        chunk_words=settings.chunking.words,
        prices=prices(settings),
        policies=policies(settings),
        k=settings.retrieval.k,
        deadline=settings.deadline,
        overflow=settings.reader.overflow,
        judge=bundled_judge(settings),
        cache=settings.home / CACHE,
        identity={
            "settings": _that_rows_depend_on(settings),
            "weights": weights.hashes(),
            **_of_chat(settings, used),
        },
    )


def judge(settings: Settings) -> ModelJudge:
    """What grades an evaluation's answers. Raises `InvalidSettings`, also where no judge is named, and `MissingKey`."""
    from selfroute.evaluation.judge import ModelJudge

    name = settings.judge
    if name is None:
        have = ", ".join(sorted(settings.endpoints)) or "none"
        raise InvalidSettings(f"no judge is named: name an endpoint under 'judge' in the settings; have: {have}")
    one = settings.endpoints[name]
    return ModelJudge(ENDPOINTS[one.kind](name, one, True))


def keyring(settings: Settings) -> Keyring:
    """The API keys; the file is made with the first."""
    from selfroute.server.keyring import NAME, Keyring

    return Keyring(settings.home / NAME)


def ledger(settings: Settings) -> Ledger:
    return Ledger(ledger_path(settings))


def ledger_upkeep(settings: Settings) -> Upkeep:
    """Makes no ledger. Raises `BadInput` where there is none."""
    path = ledger_path(settings)
    if not path.exists():
        raise BadInput(f"there is no ledger {path}: the first question makes it")
    return Upkeep(path)


def ledger_path(settings: Settings) -> Path:
    return settings.ledger or settings.home / LEDGER


def embedder(settings: Settings) -> Embedder:
    """Raises `InvalidSettings` or `MissingExtra`."""
    return EMBEDDERS[settings.embedder.kind](settings.embedder)


def corpora(settings: Settings) -> Corpora:
    """Loads no model and opens no ledger."""
    return Corpora(settings.home)


def endpoints(settings: Settings, *, keys: bool = True) -> dict[str, OpenAIEndpoint | VLLMEndpoint]:
    """Every endpoint of the settings by its name. With `keys` each must have the key it names, else `MissingKey`."""
    return {name: ENDPOINTS[one.kind](name, one, keys) for name, one in settings.endpoints.items()}


def prices(settings: Settings) -> Prices:
    """The published prices, and the settings' own above them."""
    table = {**published_prices().prices, **settings.prices}
    return Prices({model: Price(**dict(price)) for model, price in table.items()})


class _NoAccount:
    """Of an engine that only forecasts. It cannot ask, since nothing that is asked goes unrecorded."""

    async def begin(self, id: str, question: Question, policy: str, corpus: str, key: str | None = None) -> None:  # noqa: A002
        raise BadInput("this engine was built without keys, to forecast: build it with them to ask")

    async def record(self, question: str, call: Call) -> None:
        """Nothing was begun."""

    async def finish(self, answer: Answer) -> None:
        """As `record`."""

    def fail(self, id: str, error: str) -> None:  # noqa: A002
        """As `record`."""

    def read(self, corpus: str, model: str, seconds: float) -> Sequence[Usage]:
        """No ledger is opened, so nothing is known to be warm."""
        return ()


def _that_rows_depend_on(settings: Settings) -> dict[str, object]:
    """The settings without those that change no row: where things are, how long is waited, what no reader uses,
    and what rewrites questions, of which those of an evaluation have no need."""
    chosen = settings.reader
    named = {chosen.chunks, chosen.documents} if chosen.kind == "chat" else set()
    unread = {"home", "ledger", "deadline", "judge", "rewriter", "endpoints", "server"}
    kept = settings.model_dump(mode="json", exclude=unread)
    router = settings.routing.model or SHIPPED
    return kept | {
        "router": sha256(router.read_bytes()).hexdigest() if router.exists() else None,
        "endpoints": {
            name: endpoint.model_dump(mode="json", exclude=PATIENCE)
            for name, endpoint in settings.endpoints.items()
            if name in named
        },
    }


def _of_chat(settings: Settings, used: Set[str]) -> dict[str, object]:
    """What else a chat model's rows depend on: the prompts, and what a price table of ours says of the model."""
    if settings.reader.kind != "chat":
        return {}
    from selfroute.prompts import fingerprint

    table = published_prices().prices
    told = {model: table[model].model_dump(mode="json") for model in sorted(used & table.keys())}
    return {"prompts": fingerprint(), "published_prices": told}


def readers(settings: Settings, keys: bool = True) -> tuple[Reader, Reader]:
    """What reads chunks and what reads documents: one reader, or two. Raises `InvalidSettings`, and `MissingKey` where
    `keys` are wanted."""
    return READERS[settings.reader.kind](settings, keys)


def rewriter(settings: Settings, keys: bool = True) -> Rewriter | None:
    """What makes questions stand alone, if an endpoint does. Raises `MissingKey` where `keys` are wanted."""
    name = settings.rewrites
    if name is None:
        return None
    from selfroute.rewriter import Rewriter

    one = settings.endpoints[name]
    return Rewriter(ENDPOINTS[one.kind](name, one, keys))


def policies(settings: Settings) -> dict[str, Policy]:
    """Raises `InvalidSettings` for a router that cannot be used."""
    chosen = settings.routing
    router = read_router(chosen.model or SHIPPED)
    dial = Dial(chosen.share, chosen.value_per_correct_answer, chosen.max_cost)
    return {**{name: make() for name, make in POLICIES.items()}, "calibrated": calibrated(router, dial)}


def bundled_judge(settings: Settings) -> Callable[[], Reader]:
    """The bundled reader, for policies that ask what it makes of the chunks; loaded when it is first wanted."""
    return cache(lambda: _bundled(settings))


def chunk_tokens(settings: Settings, embedder: Embedder) -> int:
    """Tell how long chunks are, at most. Raises `InvalidSettings` where the embedder would cut them."""
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


def _extractive(settings: Settings, keys: bool) -> tuple[Reader, Reader]:
    reader = _bundled(settings)
    return reader, reader


def _bundled(settings: Settings) -> Reader:
    from selfroute.readers.extractive import ExtractiveReader

    return ExtractiveReader(settings.reader.window)


def _chat(settings: Settings, keys: bool) -> tuple[Reader, Reader]:
    chosen = settings.reader
    assert chosen.chunks is not None  # settings see to it
    named = (chosen.chunks, chosen.documents or chosen.chunks)
    made = {name: _reader_of(name, settings, keys) for name in dict.fromkeys(named)}
    return made[named[0]], made[named[1]]


def _reader_of(name: str, settings: Settings, keys: bool) -> Reader:
    if name == BUNDLED:
        return _bundled(settings)
    from selfroute.readers.chat import ChatReader

    one = settings.endpoints[name]
    endpoint = ENDPOINTS[one.kind](name, one, keys)
    room = endpoint.window - endpoint.max_output_tokens
    if room < LEAST_WINDOW:
        raise InvalidSettings(
            f"endpoint {name!r} has a window of {one.window} tokens, of which its replies may take all but "
            f"{max(room, 0)}: lower its max_output_tokens or reasoning_tokens"
        )
    return ChatReader(endpoint, settings.reader.window, by_position=settings.reader.order == "position")


def _openai(name: str, settings: EndpointSettings, keys: bool) -> OpenAIEndpoint:
    from selfroute.endpoints.openai import OpenAIEndpoint, Options
    from selfroute.endpoints.tokenize import served
    from selfroute.tokens import tokenizer

    key = key_of(settings)
    if keys and settings.api_key_env and key is None:
        raise MissingKey(name, settings.api_key_env)
    options = Options(
        name=name,
        base_url=settings.base_url,
        model=settings.model,
        window=settings.window,
        key_variable=settings.api_key_env,
        max_output_tokens=settings.max_output_tokens,
        reasoning_tokens=settings.reasoning_tokens,
        limit_field=settings.limit_field,
        stream=settings.stream,
        schemas=settings.json_schema,
        logprobs=settings.logprobs,
        raw=settings.raw,
        timeout=settings.timeout,
        retries=settings.retries,
        omit=settings.omit,
        parameters=settings.parameters,
    )
    secret = key.get_secret_value() if key is not None else None
    counts = tokenizer(settings.model, settings.tokenizer, served(settings.base_url, settings.model, secret))
    return OpenAIEndpoint(options, counts, secret)


def _vllm(name: str, settings: VLLMSettings, keys: bool) -> VLLMEndpoint:
    """Needs no key and starts nothing."""
    from selfroute.endpoints.vllm import Options, VLLMEndpoint

    return VLLMEndpoint(
        Options(
            name=name,
            model=settings.model,
            window=settings.window,
            max_output_tokens=settings.max_output_tokens,
            schemas=settings.json_schema,
            logprobs=settings.logprobs,
            raw=settings.raw,
            timeout=settings.timeout,
            engine=settings.engine,
            parameters=settings.parameters,
        )
    )


EMBEDDERS: Mapping[str, Callable[[EmbedderSettings], Embedder]] = {
    "onnx": _onnx,
    "sentence": _sentence,
    "hashing": _hashing,
}
READERS: Mapping[str, Callable[[Settings, bool], tuple[Reader, Reader]]] = {"extractive": _extractive, "chat": _chat}
ENDPOINTS: Mapping[str, Callable[[str, Any, bool], OpenAIEndpoint | VLLMEndpoint]] = {"openai": _openai, "vllm": _vllm}
"""Each takes the settings of its kind."""
