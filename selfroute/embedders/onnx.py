"""The bundled embedder: all-MiniLM-L6-v2 in int8 ONNX, on the CPU, without torch.

Mean pooling and normalisation are inside the graph (Reimers and Gurevych 2019). Text past `max_tokens`
word pieces is not embedded; the chunker keeps chunks below that.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from selfroute import weights
from selfroute.embedders import Embedded

SPECIAL_TOKENS = 2
"""[CLS] and [SEP]"""

REMEMBERED = 8192
"""Texts whose word pieces are kept in memory: those of about a thousand chunks with their sentences."""

LONGEST = 4096
"""Characters of a text whose word pieces are kept: more than a chunk has."""


class OnnxEmbedder:
    """`name` and limits come from `weights/embedder.json`; `positions` (at most 512) embeds longer texts whole."""

    def __init__(self, folder: Path = weights.FOLDER, positions: int | None = None) -> None:
        self._model = weights.load("embedder", folder)
        about = self._model.about
        self.name: str = about["name"]
        self.dimension: int = about["dimension"]
        self.max_tokens: int = about["max_tokens"] if positions is None else positions - SPECIAL_TOKENS
        # Texts are counted when a document is split, some of them several times, and embedded after that.
        self._remembered = lru_cache(REMEMBERED)(self._encoded)

    def count_tokens(self, text: str) -> int:
        return len(self._ids(text))

    def embed(self, texts: Sequence[str]) -> Embedded:
        rows = []
        for text in texts:
            ids = [weights.CLS, *self._ids(text)[: self.max_tokens], weights.SEP]
            rows.append(weights.Pieces(ids, [0] * len(ids)))
        if not rows:
            return Embedded(np.zeros((0, self.dimension), dtype=np.float32), 0)
        vectors = np.stack([outputs[0] for outputs in self._model.run(rows)])
        return Embedded(vectors, sum(len(row.ids) for row in rows))

    def _ids(self, text: str) -> array[int]:
        return self._remembered(text) if len(text) <= LONGEST else self._encoded(text)

    def _encoded(self, text: str) -> array[int]:
        return array("i", self._model.encode(text).ids)
