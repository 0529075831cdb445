"""Counts text in a model's tokens. Knows nothing of prompts, windows, prices or servers.

Counts before a call are estimates: what the provider reports afterwards is the truth.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Generic, TypeVar

from selfroute.errors import InvalidSettings

Counted = TypeVar("Counted")

KEPT = 65_536
"""Counts that are kept: a document is counted several times on its way to a reader."""

STRETCH = 100_000
"""Characters that are split at once; the tokenizer slows down and may fail on very long stretches."""

DEFAULT = "o200k_base"
ENCODINGS = ("o200k_base", "cl100k_base")
"""Those whose tables travel with llama-index-core, so that nothing is downloaded."""


@dataclass(frozen=True, slots=True)
class Split:
    """Counts the tokens of a text. `name` says by what, for people; `approximate`: by another model's tokenizer."""

    name: str
    count: Callable[[str], int]
    approximate: bool = False


class Counts(Generic[Counted]):
    """Remembers what texts were counted as, and not the texts. Safe to use from several threads."""

    def __init__(self, count: Callable[[str], Counted]) -> None:
        self._count = count
        self._known: dict[bytes, Counted] = {}

    def of(self, text: str) -> Counted:
        key = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        known = self._known.get(key)
        if known is None:
            known = self._count(text)
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[key] = known
        return known


class Tokenizer:
    """Counts tokens, by what `load` gives at the first need. Blocking."""

    def __init__(self, load: Callable[[], Split]) -> None:
        self._load = load
        self._loaded: Split | None = None
        self._counts = Counts(self._counted)

    @property
    def split(self) -> Split:
        self._loaded = self._loaded or self._load()
        return self._loaded

    def count(self, text: str) -> int:
        """The tokens of `text`."""
        return self._counts.of(text)

    def _counted(self, text: str) -> int:
        count = self.split.count
        return sum(count(text[at : at + STRETCH]) for at in range(0, len(text), STRETCH))


def tokenizer(model: str, named: str | None = None, served: Callable[[], Split | None] = lambda: None) -> Tokenizer:
    """The tokenizer that is `named` (an encoding of OpenAI's, or the path of a `tokenizer.json`), else that of an
    OpenAI model by its name, else what the server gives (`served`), else `o200k_base` as an approximation.

    Raises `InvalidSettings` for a file that is no tokenizer, when it is first used.
    """
    if named in ENCODINGS:
        return Tokenizer(lambda: Split(f"tiktoken {named}", _tiktoken(str(named))))
    if named is not None:
        return Tokenizer(lambda: Split(named, _from_file(Path(named))))
    if encoding := _encoding_of(model):
        return Tokenizer(lambda: Split(f"tiktoken {encoding}", _tiktoken(encoding)))
    return Tokenizer(lambda: served() or approximation())


def approximation() -> Split:
    """Another model's tokenizer."""
    return Split(f"tiktoken {DEFAULT}, an approximation", _tiktoken(DEFAULT), approximate=True)


def _encoding_of(model: str) -> str | None:
    from tiktoken.model import encoding_name_for_model

    try:
        encoding = encoding_name_for_model(model)
    except KeyError:
        return None
    return encoding if encoding in ENCODINGS else DEFAULT if encoding == "o200k_harmony" else None


def _tiktoken(encoding: str) -> Callable[[str], int]:
    from tiktoken import get_encoding

    found = find_spec("llama_index.core")
    if found is not None and found.origin is not None:
        # tiktoken knows no other way to be told where its tables are; a user's own folder stands.
        os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(Path(found.origin).parent / "_static" / "tiktoken_cache"))
    split = get_encoding(encoding)
    # Ordinary: a document that holds <|endoftext|> is text like any other.
    return lambda text: len(split.encode_ordinary(text))


def _from_file(path: Path) -> Callable[[str], int]:
    from tokenizers import Tokenizer as Fast

    try:
        split = Fast.from_file(str(path))
    except Exception as error:  # the library raises nothing more particular
        raise InvalidSettings(
            f"{path} is no tokenizer ({error}): name a tokenizer.json, or one of {', '.join(ENCODINGS)}"
        ) from error
    split.no_padding()  # a model's file may ask for either
    split.no_truncation()
    return lambda text: len(split.encode(text, add_special_tokens=False).ids)
