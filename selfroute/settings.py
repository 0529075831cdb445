"""Settings: what is passed in, over the environment, over the named YAML file, over `configs/default.yaml`.

The only module that reads the environment, but for the folder of data that a suite may name. Settings stop at
`build.py`: objects receive plain values.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_origin
from urllib.parse import urlsplit

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from selfroute.errors import InvalidSettings
from selfroute.keys import holds_key, without_keys

T = TypeVar("T")

PREFIX = "SELFROUTE_"
CONFIG = "SELFROUTE_CONFIG"
DATA = "SELFROUTE_DATA"
"""The folder of data that suites name (`evaluation.suite`); no setting."""
OTLP = "OTEL_EXPORTER_OTLP"
"""Begins the variables of OpenTelemetry's own."""
OURS = ("model", "messages", "prompt", "stream", "n")
"""Parameters of a request that an endpoint sets itself, or whose reply it could not read."""
ENGINES_OWN = ("model", "max_model_len")
"""Arguments of an engine in this process that are settings of the endpoint: its model and its window."""
SAMPLERS_OWN = ("n", "max_tokens", "logprobs", "structured_outputs", "output_kind", "detokenize")
"""Parameters of its sampler that a request sets itself."""
BUNDLED = "extractive"
"""What names the bundled reader where an endpoint can be named."""
READER = "reader"
"""What names the endpoint that reads chunks, or else documents, where another can be named."""


def _without_key(value: T) -> T:
    """The value, which must hold no key: settings are kept with a run. Raises `ValueError`, which does not show it."""
    if holds_key(value):
        raise ValueError("must hold no key: name the key's environment variable under api_key_env")
    return value


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EmbedderSettings(_Part):
    kind: Literal["onnx", "sentence", "hashing"]
    model: str | None = None
    positions: int = Field(default=256, ge=16, le=512)

    @field_validator("model")
    @classmethod
    def _no_key_in_place_of_a_name(cls, value: str | None) -> str | None:
        return _without_key(value)


class IngestSettings(_Part):
    """Describes how files are read."""

    ocr: bool = False


class ChunkingSettings(_Part):
    tokens: int = Field(ge=16)
    words: int | None = Field(default=None, ge=8)


class RetrievalSettings(_Part):
    k: int = Field(ge=1)


class ReaderSettings(_Part):
    kind: Literal["extractive", "chat"]
    window: int = Field(ge=512)
    chunks: str | None = None
    documents: str | None = None
    order: Literal["score", "position"] = "score"
    overflow: Literal["fill", "middle", "windows", "refuse"] = "fill"


class RoutingSettings(_Part):
    """What the policy `calibrated` goes by."""

    model: Path | None = None
    share: float = Field(default=0.11, ge=0, le=1)
    value_per_correct_answer: Decimal | None = Field(default=None, ge=0)
    max_cost: Decimal | None = Field(default=None, ge=0)
    cache_seconds: float = Field(default=300.0, ge=0)


class ServerSettings(_Part):
    """What `selfroute serve` goes by."""

    host: str = Field(min_length=1)
    port: int = Field(ge=0, le=65535)
    in_flight: int = Field(ge=1)
    question_chars: int = Field(ge=1)
    text_chars: int = Field(ge=1)
    body_bytes: int = Field(ge=1024)
    drain_seconds: int = Field(ge=0)
    upload_bytes: int = Field(ge=1024)
    upload_files: int = Field(ge=1)
    queue: int = Field(ge=1)
    datasets: Path | None
    log_text: bool
    otlp_endpoint: str | None
    ledger_days: int | None = Field(ge=1)

    @field_validator("otlp_endpoint")
    @classmethod
    def _no_key_in_the_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or holds_key(value):
            raise ValueError(f"must be an address such as http://localhost:4318, without a key: set {OTLP}_HEADERS")
        return value.rstrip("/")


class EndpointSettings(_Part):
    """A server that speaks OpenAI's wire. Holds the name of its key's variable, never the key."""

    kind: Literal["openai"] = "openai"
    base_url: str
    model: str = Field(min_length=1)
    window: int = Field(ge=512)
    api_key_env: str | None = None
    max_output_tokens: int = Field(default=1024, ge=1)
    reasoning_tokens: int = Field(default=0, ge=0)
    limit_field: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    json_schema: bool = True
    logprobs: bool = False
    stream: bool = False
    raw: bool = False
    timeout: float = Field(default=120.0, gt=0)
    retries: int = Field(default=4, ge=0)
    omit: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = Field(default={})
    tokenizer: str | None = None

    @field_validator("base_url")
    @classmethod
    def _no_key_in_the_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an address such as http://localhost:8000/v1")
        if parts.username or parts.password or parts.query or parts.fragment or holds_key(value):
            raise ValueError("must hold no key, user or query: name the key's environment variable under api_key_env")
        return value.rstrip("/")

    @field_validator("api_key_env")
    @classmethod
    def _no_key_in_place_of_its_name(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch("[A-Z_][A-Z0-9_]*", value):
            raise ValueError("must be the name of an environment variable in capitals, not the key itself")
        return value

    @field_validator("model", "tokenizer", "parameters", "omit")
    @classmethod
    def _no_key_in_place_of_another_value(cls, value: Any) -> Any:
        return _without_key(value)

    @field_validator("parameters")
    @classmethod
    def _nothing_that_breaks_the_wire(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        for name in OURS:
            if name in value:
                own = f"set the endpoint's own {name!r}" if name in cls.model_fields else "leave it out"
                raise ValueError(f"must not set {name!r}, which the endpoint does itself: {own}")
        return value


class VLLMSettings(_Part):
    """A model whose engine runs in this process."""

    kind: Literal["vllm"]
    model: str = Field(min_length=1)
    window: int = Field(ge=512)
    max_output_tokens: int = Field(default=1024, ge=1)
    json_schema: bool = True
    logprobs: bool = True
    raw: bool = True
    timeout: float = Field(default=600.0, gt=0)
    engine: Mapping[str, Any] = Field(default={})
    parameters: Mapping[str, Any] = Field(default={})

    @field_validator("engine", "parameters")
    @classmethod
    def _no_key(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        if holds_key(value):
            raise ValueError("must hold no key: set the environment variable HF_TOKEN, which vLLM reads")
        return value

    @field_validator("engine")
    @classmethod
    def _nothing_that_is_set_elsewhere(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        for name in ENGINES_OWN:
            if name in value:
                raise ValueError(f"must not set {name!r}: set the endpoint's own model and window")
        return value

    @field_validator("parameters")
    @classmethod
    def _nothing_that_a_request_sets(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        for name in SAMPLERS_OWN:
            if name in value:
                raise ValueError(f"must not set {name!r}, which each request sets itself: leave it out")
        return value


def _kind(endpoint: Any) -> Any:
    """Of settings as they were read, or made already; servers need not say it."""
    return endpoint.get("kind", "openai") if isinstance(endpoint, Mapping) else getattr(endpoint, "kind", "openai")


AnyEndpointSettings = Annotated[
    Annotated[EndpointSettings, Tag("openai")] | Annotated[VLLMSettings, Tag("vllm")],
    Discriminator(
        _kind, custom_error_type="kind", custom_error_message="must be of the kind 'openai' (any server) or 'vllm'"
    ),
]


class PriceSettings(_Part):
    """US dollars per million tokens."""

    input: Decimal = Field(ge=0)
    output: Decimal = Field(ge=0)
    cached_input: Decimal | None = Field(default=None, ge=0)
    cache_write: Decimal | None = Field(default=None, ge=0)


class Settings(BaseSettings):
    """All that can be set. `configs/default.yaml` describes each."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter="__", env_ignore_empty=True
    )

    home: Path
    ledger: Path | None
    embedder: EmbedderSettings
    ingest: IngestSettings = IngestSettings()
    chunking: ChunkingSettings
    retrieval: RetrievalSettings
    reader: ReaderSettings
    rewriter: str | None
    routing: RoutingSettings
    server: ServerSettings
    deadline: float | None = Field(gt=0)
    judge: str | None
    endpoints: Mapping[str, AnyEndpointSettings]
    prices: Mapping[str, PriceSettings]

    @field_validator("endpoints", "prices")
    @classmethod
    def _no_key_among_the_names(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        _without_key(list(value))
        return value

    @model_validator(mode="after")
    def _readers_are_there(self) -> Self:
        have = ", ".join(sorted(self.endpoints)) or "none"
        if self.rewriter not in (None, READER, *self.endpoints):
            raise ValueError(f"rewriter names endpoint {self.rewriter!r}, which is not under 'endpoints'; have: {have}")
        if self.reader.kind != "chat":
            return self
        if self.reader.chunks is None:
            raise ValueError(f"reader.kind is 'chat': name the endpoint that reads under 'reader.chunks'; have: {have}")
        for name in (self.reader.chunks, self.reader.documents):
            if name not in (None, BUNDLED, *self.endpoints):
                raise ValueError(f"the reader names endpoint {name!r}, which is not under 'endpoints'; have: {have}")
        return self

    @model_validator(mode="after")
    def _judge_is_there(self) -> Self:
        if self.judge is not None and self.judge not in self.endpoints:
            have = ", ".join(sorted(self.endpoints)) or "none"
            raise ValueError(f"the judge is {self.judge!r}, which is not under 'endpoints'; have: {have}")
        return self

    @property
    def rewrites(self) -> str | None:
        """The name of the endpoint that rewrites questions, if one does."""
        if self.rewriter != READER or READER in self.endpoints:
            return self.rewriter
        named = (self.reader.chunks, self.reader.documents) if self.reader.kind == "chat" else ()
        return next((name for name in named if name in self.endpoints), None)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # What `load` passes in is the YAML files' content, so the environment stands above it.
        return env_settings, init_settings


def load(config: Path | None = None, home: Path | None = None, base: Mapping[str, Any] | None = None) -> Settings:
    """Reads the settings. `base` (a suite's) is laid over the defaults, `config` (else SELFROUTE_CONFIG) over it,
    `home` over all.

    A variable that is set to nothing counts as not set.

    Raises `InvalidSettings` for a file that cannot be read, an unknown key or a value out of range.
    """
    for name in os.environ:
        if name.startswith(PREFIX) and name not in (CONFIG, DATA) and not _names_setting(name):
            known = ", ".join(f"{PREFIX}{field.upper()}" for field in Settings.model_fields)
            shown = without_keys(name)
            raise InvalidSettings(f"the environment sets {shown}, which is no setting; have: {CONFIG}, {known}")
    config = config or (Path(os.environ[CONFIG]) if os.environ.get(CONFIG) else None)
    values = _laid_over(_yaml(default_config()), base or {})
    if config is not None:
        values = _laid_over(values, _yaml(config))
    try:
        settings = Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        path = [str(part) for part in first["loc"]]
        if path[:1] == ["endpoints"]:
            del path[2:3]  # the kind, which pydantic puts between
        where = _set_by(path) or " or ".join([str(config or default_config()), *["the suite"] * bool(base)])
        setting = f"setting {'.'.join(path)!r} (in {where})" if path else where
        # Not the input: who writes a key where it does not belong must not find it in a log.
        raise InvalidSettings(without_keys(f"{setting}: {_worded(first['msg'])}")) from None
    except SettingsError as error:
        raise InvalidSettings(f"the environment: {error}; write SELFROUTE_RETRIEVAL__K=5 or JSON") from error
    return settings.model_copy(update={"home": home}) if home is not None else settings


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices by model as their providers published them, as noted at a date."""

    noted: date
    prices: Mapping[str, PriceSettings]


class _PriceFile(_Part):
    noted: date
    prices: Mapping[str, PriceSettings]


def published_prices() -> PriceTable:
    """What `configs/prices.yaml` holds. Raises `InvalidSettings`."""
    path = shipped("prices.yaml")
    try:
        read = _PriceFile.model_validate(_loaded(path))
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidSettings(f"{path}, {'.'.join(map(str, first['loc']))}: {first['msg'].lower()}") from error
    return PriceTable(read.noted, read.prices)


def key_of(endpoint: EndpointSettings) -> SecretStr | None:
    """The endpoint's key, from the environment variable that it names; `None` if it names none or it is not set.

    Raises `InvalidSettings` for a key that cannot be sent; without showing it.
    """
    key = os.environ.get(endpoint.api_key_env or "", "").strip()
    if not all("!" <= c <= "~" for c in key):
        raise InvalidSettings(
            f"the key in {endpoint.api_key_env} holds characters that no key has: set it again, without quotes"
        )
    return SecretStr(key) if key else None


def otlp_endpoint(settings: Settings) -> str | None:
    """Where spans are sent: as the setting says, else as OpenTelemetry's own variable."""
    return settings.server.otlp_endpoint or os.environ.get(f"{OTLP}_ENDPOINT") or None


def default_config() -> Path:
    """`configs/default.yaml`, which describes every setting."""
    return shipped("default.yaml")


def shipped(name: str) -> Path:
    """A file of `configs/`: inside the package when installed from a wheel, beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "configs" / name
    return inside if inside.exists() else package.parent / "configs" / name


def _worded(message: str) -> str:
    """pydantic's words in our case; ours as they are."""
    own = message.removeprefix("Value error, ")
    return own if own != message else message.lower()


def _names_setting(variable: str) -> bool:
    """Whether there is such a setting, or such a group if the name goes on below it."""
    name, *below = variable.removeprefix(PREFIX).lower().split("__")
    field = Settings.model_fields.get(name)
    return field is not None and (not below or _is_group(field.annotation))


def _is_group(annotation: object) -> bool:
    return get_origin(annotation) is Mapping or (isinstance(annotation, type) and issubclass(annotation, BaseModel))


def _set_by(path: Sequence[str]) -> str | None:
    """The environment variable that sets this setting, a part of it or the group around it."""
    place = PREFIX + "".join(f"{name.upper()}__" for name in path)
    for name, value in sorted(os.environ.items()):
        if name.startswith(PREFIX) and value and (place.startswith(f"{name}__") or f"{name}__".startswith(place)):
            return name
    return None


def _loaded(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidSettings(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{path} is not YAML: {_problem(error)}") from None


def _problem(error: Exception) -> str:
    """What is wrong and where, without the lines around it: one may hold a key."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return without_keys(" ".join(str(error).split()))
    mark = error.context_mark or error.problem_mark
    said = " ".join(filter(None, (error.context, error.problem)))
    place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    return without_keys(" ".join(said.split())) + place


def _yaml(path: Path) -> dict[str, Any]:
    values = _loaded(path)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise InvalidSettings(f"{path} must hold settings by name, as configs/default.yaml does")
    unknown = [name for name in values if name not in Settings.model_fields]
    if unknown:
        known = ", ".join(Settings.model_fields)
        shown = without_keys(repr(unknown[0]))
        raise InvalidSettings(f"{path} sets {shown}, which is no setting; have: {known}")
    return values


def _laid_over(base: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _laid_over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
