"""Settings: what is passed in, over the environment, over the named YAML file, over `configs/default.yaml`.

The only module that reads the environment. Settings stop at `build.py`: objects receive plain values.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from selfroute.errors import InvalidSettings

PREFIX = "SELFROUTE_"
CONFIG = "SELFROUTE_CONFIG"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EmbedderSettings(_Part):
    kind: Literal["onnx", "sentence", "hashing"]
    model: str | None = None
    positions: int = Field(default=256, ge=16, le=512)


class ChunkingSettings(_Part):
    tokens: int = Field(ge=16)
    words: int | None = Field(default=None, ge=8)


class RetrievalSettings(_Part):
    k: int = Field(ge=1)


class ReaderSettings(_Part):
    kind: Literal["extractive"]
    window: int = Field(ge=512)


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
    chunking: ChunkingSettings
    retrieval: RetrievalSettings
    reader: ReaderSettings
    prices: Mapping[str, PriceSettings]

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
        if name.startswith(PREFIX) and name != CONFIG and not _names_setting(name):
            known = ", ".join(f"{PREFIX}{field.upper()}" for field in Settings.model_fields)
            raise InvalidSettings(f"the environment sets {name}, which is no setting; have: {CONFIG}, {known}")
    config = config or (Path(os.environ[CONFIG]) if os.environ.get(CONFIG) else None)
    values = _laid_over(_yaml(default_config()), base or {})
    if config is not None:
        values = _laid_over(values, _yaml(config))
    try:
        settings = Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        path = [str(part) for part in first["loc"]]
        where = _set_by(path) or " or ".join([str(config or default_config()), *["the suite"] * bool(base)])
        raise InvalidSettings(f"setting {'.'.join(path)!r} (in {where}): {first['msg'].lower()}") from error
    except SettingsError as error:
        raise InvalidSettings(f"the environment: {error}; write SELFROUTE_RETRIEVAL__K=5 or JSON") from error
    return settings.model_copy(update={"home": home}) if home is not None else settings


def default_config() -> Path:
    """`configs/default.yaml`: inside the package when installed from a wheel, beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "configs" / "default.yaml"
    return inside if inside.exists() else package.parent / "configs" / "default.yaml"


def _names_setting(variable: str) -> bool:
    """Whether there is such a setting, or such a group if the name goes on below it."""
    name, *below = variable.removeprefix(PREFIX).lower().split("__")
    return name in Settings.model_fields and (not below or name not in ("home", "ledger"))


def _set_by(path: Sequence[str]) -> str | None:
    """The environment variable that sets this setting, a part of it or the group around it."""
    place = PREFIX + "".join(f"{name.upper()}__" for name in path)
    for name, value in sorted(os.environ.items()):
        if name.startswith(PREFIX) and value and (place.startswith(f"{name}__") or f"{name}__".startswith(place)):
            return name
    return None


def _yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidSettings(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise InvalidSettings(f"{path} must hold settings by name, as configs/default.yaml does")
    unknown = [name for name in values if name not in Settings.model_fields]
    if unknown:
        known = ", ".join(Settings.model_fields)
        raise InvalidSettings(f"{path} sets {unknown[0]!r}, which is no setting; have: {known}")
    return values


def _laid_over(base: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _laid_over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
