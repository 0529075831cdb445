"""Any sentence-transformers model as an embedder (extra `sentence-transformers`).

The only module that imports that library, and only when an embedder is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from selfroute.embedders import Embedded
from selfroute.errors import InvalidSettings, MissingExtra

SPECIAL_TOKENS = 2
"""[CLS] and [SEP], or their like, that the library adds to each text."""


class SentenceEmbedder:
    """`model` is a name on a hub or the path of a folder, as sentence-transformers takes it."""

    def __init__(self, model: str) -> None:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise MissingExtra("sentence-transformers", "sentence-transformers") from error
        try:
            self._model: Any = SentenceTransformer(model)
        except (OSError, ValueError) as error:
            raise InvalidSettings(
                f"sentence-transformers cannot load {model!r} ({(str(error).splitlines() or ['no reason given'])[0]}): "
                "name a model it knows or the path of one"
            ) from error
        self.name = f"sentence-transformers:{model}"
        # By trying: the library has renamed the method that tells it.
        self.dimension = int(self._model.encode([""], show_progress_bar=False).shape[1])
        self.max_tokens = int(self._model.max_seq_length) - SPECIAL_TOKENS

    def count_tokens(self, text: str) -> int:
        return len(self._model.tokenizer.encode(text, add_special_tokens=False, verbose=False))

    def embed(self, texts: Sequence[str]) -> Embedded:
        if not texts:
            return Embedded(np.zeros((0, self.dimension), dtype=np.float32), 0)
        vectors = self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        tokens = sum(min(self.count_tokens(text), self.max_tokens) + SPECIAL_TOKENS for text in texts)
        return Embedded(np.asarray(vectors, dtype=np.float32), tokens)
